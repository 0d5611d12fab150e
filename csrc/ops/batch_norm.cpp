#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

BatchNorm problem(const Check& check, const Array& x, const Text& activation, const Flag& training) {
  check.floating(x, "x");
  check.require(x.shape.rank >= 2, "x must be (N, C, *) with 2 axes or more, got shape ", text(x.shape));
  check.require(x.shape.size(1, x.shape.rank) > 0, "x has an empty axis: only N may be 0, got shape ", text(x.shape));
  return {x.shape[0],
          x.shape[1],
          x.shape.size(2, x.shape.rank),
          check.activation(activation),
          check.flag(training, "training"),
          0,
          0};
}

void like_x(const Check& check, const Array& v, const char* name, const Array& x) {
  check.floating(v, name);
  check.alike(v, name, x, "x");
  check.same_shape(v, name, x, "x");
}

// Running statistics: updated in training, only read in evaluation.
template <class T>
T* statistics(const MaybeTarget& v) {
  return v ? static_cast<T*>(v->readable ? v->readable : v->data) : nullptr;
}

}  // namespace

Arrays batch_norm_forward(const Array& x, const MaybeArray& weight, const MaybeArray& bias,
                          const MaybeTarget& running_mean, const MaybeTarget& running_var, const MaybeArray& residual,
                          const Flag& training, const Real& momentum, const Real& eps, const Text& activation,
                          const MaybeTargets& out) {
  const Check check("batch_norm");
  BatchNorm p = problem(check, x, activation, training);
  p.momentum = check.finite(momentum, "momentum");
  p.eps = check.at_least_zero(eps, "eps");
  if (weight) check.parameter(*weight, "weight", x, Shape{p.C});
  if (bias) check.parameter(*bias, "bias", x, Shape{p.C});
  if (residual) like_x(check, *residual, "residual", x);
  check.require(p.training || (running_mean && running_var),
                "evaluation needs running_mean and running_var, got None for ",
                running_mean  ? "running_var"
                : running_var ? "running_mean"
                              : "both");
  check.require(!p.training || p.N * p.L != 1, "training needs more than one value per channel, got x of shape ",
                text(x.shape));
  if (running_mean) check.parameter(*running_mean, "running_mean", x, Shape{p.C});
  if (running_var) check.parameter(*running_var, "running_var", x, Shape{p.C});
  Array like = x;
  like.dtype = parameter_dtype(x.dtype);
  if (p.training && running_mean) check.in_place(*running_mean, "running_mean", Shape{p.C}, like, "x");
  if (p.training && running_var) check.in_place(*running_var, "running_var", Shape{p.C}, like, "x");
  if (p.training && running_mean && running_var)
    check.apart(*running_mean, "running_mean", *running_var, "running_var");
  Arrays results = check.outputs(
      out, {{x.shape, x.dtype}, {Shape{p.C}, parameter_dtype(x.dtype)}, {Shape{p.C}, parameter_dtype(x.dtype)}}, x,
      {&x, residual ? &*residual : &x}, true);
  for (const Array& result : results.items) {
    if (weight) check.apart(result, "out", *weight, "weight");
    if (bias) check.apart(result, "out", *bias, "bias");
    if (running_mean) check.apart(result, "out", *running_mean, "running_mean");
    if (running_var) check.apart(result, "out", *running_var, "running_var");
  }
  by_dtype(x.dtype, [&]<class T>(T) {
    using P = Parameter<T>;
    kernels<T>(x.device).batch_norm_forward(
        p, x.ptr<T>(), weight ? weight->ptr<P>() : nullptr, bias ? bias->ptr<P>() : nullptr,
        residual ? residual->ptr<T>() : nullptr, statistics<P>(running_mean), statistics<P>(running_var),
        results.items[0].ptr<T>(), results.items[1].ptr<P>(), results.items[2].ptr<P>());
  });
  return results;
}

Arrays batch_norm_backward(const Array& dy, const Array& x, const MaybeArray& weight, const Array& mean,
                           const Array& invstd, const MaybeArray& bias, const MaybeArray& y, const Flag& training,
                           const Text& activation, const MaybeTargets& out) {
  const Check check("batch_norm");
  const BatchNorm p = problem(check, x, activation, training);
  like_x(check, dy, "dy", x);
  if (y) like_x(check, *y, "y", x);
  check.require(!y || p.activation != Activation::identity,
                "y is for an activation; without one the gradient of the residual is dy itself");
  if (weight) check.parameter(*weight, "weight", x, Shape{p.C});
  if (bias) check.parameter(*bias, "bias", x, Shape{p.C});
  check.parameter(mean, "mean", x, Shape{p.C});
  check.parameter(invstd, "invstd", x, Shape{p.C});
  std::vector<Check::Wanted> wanted{
      {x.shape, x.dtype}, {Shape{p.C}, parameter_dtype(x.dtype)}, {Shape{p.C}, parameter_dtype(x.dtype)}};
  if (y) wanted.push_back({x.shape, x.dtype});
  Arrays results = check.outputs(out, wanted, x, {&dy, &x, y ? &*y : &x}, true);
  for (const Array& result : results.items) {
    if (weight) check.apart(result, "out", *weight, "weight");
    if (bias) check.apart(result, "out", *bias, "bias");
    check.apart(result, "out", mean, "mean");
    check.apart(result, "out", invstd, "invstd");
  }
  by_dtype(x.dtype, [&]<class T>(T) {
    using P = Parameter<T>;
    kernels<T>(x.device).batch_norm_backward(p, dy.ptr<T>(), x.ptr<T>(), weight ? weight->ptr<P>() : nullptr,
                                             bias ? bias->ptr<P>() : nullptr, y ? y->ptr<T>() : nullptr, mean.ptr<P>(),
                                             invstd.ptr<P>(), results.items[0].ptr<T>(), results.items[1].ptr<P>(),
                                             results.items[2].ptr<P>(), y ? results.items[3].ptr<T>() : nullptr);
  });
  return results;
}

}  // namespace convolith::ops
