#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

BatchNorm problem(const Check& check, const Array& x, const Flag& training) {
  check.floating(x, "x");
  check.require(x.shape.rank >= 2, "x must be (N, C, *) with 2 axes or more, got shape ", text(x.shape));
  check.require(x.shape.size(1, x.shape.rank) > 0, "x has an empty axis: only N may be 0, got shape ", text(x.shape));
  return {x.shape[0], x.shape[1], x.shape.size(2, x.shape.rank), check.flag(training, "training"), 0, 0};
}

// Running statistics: updated in training, only read in evaluation.
template <class T>
T* statistics(const MaybeTarget& v) {
  return v ? static_cast<T*>(v->readable ? v->readable : v->data) : nullptr;
}

}  // namespace

Arrays batch_norm_forward(const Array& x, const MaybeArray& weight, const MaybeArray& bias,
                          const MaybeTarget& running_mean, const MaybeTarget& running_var, const Flag& training,
                          const Real& momentum, const Real& eps, const MaybeTargets& out) {
  const Check check("batch_norm");
  BatchNorm p = problem(check, x, training);
  p.momentum = check.finite(momentum, "momentum");
  p.eps = check.at_least_zero(eps, "eps");
  if (weight) check.channels(*weight, "weight", x, p.C);
  if (bias) check.channels(*bias, "bias", x, p.C);
  check.require(p.training || (running_mean && running_var),
                "evaluation needs running_mean and running_var, got None for ",
                running_mean  ? "running_var"
                : running_var ? "running_mean"
                              : "both");
  check.require(!p.training || p.N * p.L != 1, "training needs more than one value per channel, got x of shape ",
                text(x.shape));
  if (running_mean) check.channels(*running_mean, "running_mean", x, p.C);
  if (running_var) check.channels(*running_var, "running_var", x, p.C);
  if (p.training && running_mean) check.in_place(*running_mean, "running_mean", Shape{p.C}, x.dtype);
  if (p.training && running_var) check.in_place(*running_var, "running_var", Shape{p.C}, x.dtype);
  if (p.training && running_mean && running_var)
    check.apart(*running_mean, "running_mean", *running_var, "running_var");
  Arrays results = check.outputs(out, {{x.shape, x.dtype}, {Shape{p.C}, x.dtype}, {Shape{p.C}, x.dtype}}, {&x}, true);
  for (const Array& result : results.items) {
    if (weight) check.apart(result, "out", *weight, "weight");
    if (bias) check.apart(result, "out", *bias, "bias");
    if (running_mean) check.apart(result, "out", *running_mean, "running_mean");
    if (running_var) check.apart(result, "out", *running_var, "running_var");
  }
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).batch_norm_forward(p, x.ptr<T>(), weight ? weight->ptr<T>() : nullptr,
                                            bias ? bias->ptr<T>() : nullptr, statistics<T>(running_mean),
                                            statistics<T>(running_var), results.items[0].ptr<T>(),
                                            results.items[1].ptr<T>(), results.items[2].ptr<T>());
  });
  return results;
}

Arrays batch_norm_backward(const Array& dy, const Array& x, const MaybeArray& weight, const Array& mean,
                           const Array& invstd, const Flag& training, const MaybeTargets& out) {
  const Check check("batch_norm");
  const BatchNorm p = problem(check, x, training);
  check.floating(dy, "dy");
  check.same_dtype(dy, "dy", x, "x");
  check.same_shape(dy, "dy", x, "x");
  if (weight) check.channels(*weight, "weight", x, p.C);
  check.channels(mean, "mean", x, p.C);
  check.channels(invstd, "invstd", x, p.C);
  Arrays results =
      check.outputs(out, {{x.shape, x.dtype}, {Shape{p.C}, x.dtype}, {Shape{p.C}, x.dtype}}, {&dy, &x}, true);
  for (const Array& result : results.items) {
    if (weight) check.apart(result, "out", *weight, "weight");
    check.apart(result, "out", mean, "mean");
    check.apart(result, "out", invstd, "invstd");
  }
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).batch_norm_backward(p, dy.ptr<T>(), x.ptr<T>(), weight ? weight->ptr<T>() : nullptr,
                                             mean.ptr<T>(), invstd.ptr<T>(), results.items[0].ptr<T>(),
                                             results.items[1].ptr<T>(), results.items[2].ptr<T>());
  });
  return results;
}

}  // namespace convolith::ops
