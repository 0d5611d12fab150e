#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

// What layer norm, group norm and instance norm are to the one kernel: a problem, and the shapes of weight and bias, of
// mean and invstd.  Layer norm sees x row by row, whatever the layout of the device; so do its weight and bias.
struct Form {
  GroupNorm p;
  Shape vectors, statistics;
  bool by_row;

  Array read(const Array& x) const { return by_row ? row_major(x) : x; }
  MaybeArray read(const MaybeArray& x) const { return x ? MaybeArray(read(*x)) : x; }
  Array written(const Array& y) const { return by_row ? row_major_for(y) : y; }
};

Form layer_norm(const Check& check, const Array& x, const ShapeArg& normalized_shape) {
  check.floating(x, "x");
  const Shape& last = check.shape(normalized_shape, "normalized_shape");
  const int leading = x.shape.rank - last.rank;
  bool fits = last.rank > 0 && leading >= 0 && last.size() > 0;
  for (int i = 0; fits && i < last.rank; ++i) fits = x.shape[leading + i] == last[i];
  check.require(fits, "x must end with the axes of normalized_shape, at least one and none of them empty, got x ",
                text(x.shape), " and normalized_shape ", text(last));
  const std::int64_t rows = x.shape.size(0, leading);
  return {{rows, last.size(), 1, 1, 0, 0}, last, Shape{rows}, true};
}

Form group_norm(const Check& check, const Array& x, std::int64_t groups) {
  check.require(groups >= 1 && x.shape[1] % groups == 0, "num_groups must divide the ", x.shape[1],
                " channels of x, got ", groups);
  return {{x.shape[0], x.shape[1], x.shape.size(2, x.shape.rank), groups, 0, 0},
          Shape{x.shape[1]},
          Shape{x.shape[0], groups},
          false};
}

void channels(const Check& check, const Array& x, int least, const char* expected) {
  check.floating(x, "x");
  check.require(x.shape.rank >= least, "x must be (N, C, *) with ", expected, " axes or more, got shape ",
                text(x.shape));
  check.require(x.shape.size(1, x.shape.rank) > 0, "x has an empty axis: only N may be 0, got shape ", text(x.shape));
}
Form grouped(const Check& check, const Array& x, const Int& num_groups) {
  channels(check, x, 2, "2");
  return group_norm(check, x, check.integer(num_groups, "num_groups"));
}
Form instances(const Check& check, const Array& x) {
  channels(check, x, 3, "3");
  const Form form = group_norm(check, x, x.shape[1]);
  check.require(form.p.L > 1, "an instance needs more than one value, got x of shape ", text(x.shape));
  return form;
}

DType vector_dtype(const Array& x) {
  return is_half(x.dtype) ? DType::f32 : x.dtype;
}

Arrays forward(const Check& check, const Form& form, const Array& x, const MaybeArray& weight, const MaybeArray& bias,
               const MaybeTargets& out) {
  if (weight) check.parameter(*weight, "weight", x, form.vectors);
  if (bias) check.parameter(*bias, "bias", x, form.vectors);
  const DType vectors = vector_dtype(x);
  Arrays results =
      check.outputs(out, {{x.shape, x.dtype}, {form.statistics, vectors}, {form.statistics, vectors}}, x, {&x}, true);
  for (const Array& result : results.items) {
    if (weight) check.apart(result, "out", *weight, "weight");
    if (bias) check.apart(result, "out", *bias, "bias");
  }
  const Array from = form.read(x), to = form.written(results.items[0]);
  const MaybeArray scale = form.read(weight), shift = form.read(bias);
  by_dtype(x.dtype, [&]<class T>(T) {
    using P = Parameter<T>;
    kernels<T>(x.device).group_norm_forward(form.p, from.ptr<T>(), scale ? scale->ptr<P>() : nullptr,
                                            shift ? shift->ptr<P>() : nullptr, to.ptr<T>(), results.items[1].ptr<P>(),
                                            results.items[2].ptr<P>());
  });
  from_row_major(to, results.items[0]);
  return results;
}

Arrays backward(const Check& check, const Form& form, const Array& dy, const Array& x, const MaybeArray& weight,
                const Array& mean, const Array& invstd, const MaybeTargets& out) {
  check.floating(dy, "dy");
  check.alike(dy, "dy", x, "x");
  check.same_shape(dy, "dy", x, "x");
  if (weight) check.parameter(*weight, "weight", x, form.vectors);
  check.parameter(mean, "mean", x, form.statistics);
  check.parameter(invstd, "invstd", x, form.statistics);
  const DType vectors = vector_dtype(x);
  Arrays results =
      check.outputs(out, {{x.shape, x.dtype}, {form.vectors, vectors}, {form.vectors, vectors}}, x, {&dy, &x}, true);
  for (const Array& result : results.items) {
    if (weight) check.apart(result, "out", *weight, "weight");
    check.apart(result, "out", mean, "mean");
    check.apart(result, "out", invstd, "invstd");
  }
  const Array from = form.read(dy), at = form.read(x), dx = form.written(results.items[0]);
  const Array dweight = form.written(results.items[1]), dbias = form.written(results.items[2]);
  const MaybeArray scale = form.read(weight);
  by_dtype(x.dtype, [&]<class T>(T) {
    using P = Parameter<T>;
    kernels<T>(x.device).group_norm_backward(form.p, from.ptr<T>(), at.ptr<T>(), scale ? scale->ptr<P>() : nullptr,
                                             mean.ptr<P>(), invstd.ptr<P>(), dx.ptr<T>(), dweight.ptr<P>(),
                                             dbias.ptr<P>());
  });
  from_row_major(dx, results.items[0]);
  from_row_major(dweight, results.items[1]);
  from_row_major(dbias, results.items[2]);
  return results;
}

}  // namespace

Arrays layer_norm_forward(const Array& x, const ShapeArg& normalized_shape, const MaybeArray& weight,
                          const MaybeArray& bias, const Real& eps, const MaybeTargets& out) {
  const Check check("layer_norm");
  Form form = layer_norm(check, x, normalized_shape);
  form.p.eps = check.at_least_zero(eps, "eps");
  return forward(check, form, x, weight, bias, out);
}

Arrays layer_norm_backward(const Array& dy, const Array& x, const ShapeArg& normalized_shape, const MaybeArray& weight,
                           const Array& mean, const Array& invstd, const MaybeTargets& out) {
  const Check check("layer_norm");
  return backward(check, layer_norm(check, x, normalized_shape), dy, x, weight, mean, invstd, out);
}

Arrays group_norm_forward(const Array& x, const Int& num_groups, const MaybeArray& weight, const MaybeArray& bias,
                          const Real& eps, const MaybeTargets& out) {
  const Check check("group_norm");
  Form form = grouped(check, x, num_groups);
  form.p.eps = check.at_least_zero(eps, "eps");
  return forward(check, form, x, weight, bias, out);
}

Arrays group_norm_backward(const Array& dy, const Array& x, const Int& num_groups, const MaybeArray& weight,
                           const Array& mean, const Array& invstd, const MaybeTargets& out) {
  const Check check("group_norm");
  return backward(check, grouped(check, x, num_groups), dy, x, weight, mean, invstd, out);
}

Arrays instance_norm_forward(const Array& x, const MaybeArray& weight, const MaybeArray& bias,
                             const MaybeTarget& running_mean, const MaybeTarget& running_var, const Real& momentum,
                             const Real& eps, const MaybeTargets& out) {
  const Check check("instance_norm");
  Form form = instances(check, x);
  form.p.momentum = check.finite(momentum, "momentum");
  form.p.eps = check.at_least_zero(eps, "eps");
  Array like = x;
  like.dtype = vector_dtype(x);
  if (running_mean) check.in_place(*running_mean, "running_mean", form.vectors, like, "x");
  if (running_var) check.in_place(*running_var, "running_var", form.vectors, like, "x");
  if (running_mean && running_var) check.apart(*running_mean, "running_mean", *running_var, "running_var");
  Arrays results = forward(check, form, x, weight, bias, out);
  if (x.size() > 0 && (running_mean || running_var))
    by_dtype(x.dtype, [&]<class T>(T) {
      using P = Parameter<T>;
      kernels<T>(x.device).instance_norm_running(form.p, results.items[1].ptr<P>(), results.items[2].ptr<P>(),
                                                 running_mean ? running_mean->ptr<P>() : nullptr,
                                                 running_var ? running_var->ptr<P>() : nullptr);
    });
  return results;
}

Arrays instance_norm_backward(const Array& dy, const Array& x, const MaybeArray& weight, const Array& mean,
                              const Array& invstd, const MaybeTargets& out) {
  const Check check("instance_norm");
  return backward(check, instances(check, x), dy, x, weight, mean, invstd, out);
}

}  // namespace convolith::ops
