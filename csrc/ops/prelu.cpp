#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

Prelu problem(const Check& check, const Array& x, const Array& weight) {
  check.floating(x, "x");
  check.floating(weight, "weight");
  if (weight.shape == Shape{1}) {
    check.parameter(weight, "weight", x, Shape{1});
    return {1, 1, x.size()};
  }
  check.require(x.shape.rank >= 2, "weight of shape ", text(weight.shape),
                " has a slope per channel and needs x (N, C, *) with 2 axes or more, got shape ", text(x.shape));
  check.parameter(weight, "weight", x, Shape{x.shape[1]});
  return {x.shape[0], x.shape[1], x.shape.size(2, x.shape.rank)};
}

}  // namespace

Array prelu_forward(const Array& x, const Array& weight, const MaybeTarget& out) {
  const Check check("prelu");
  const Prelu p = problem(check, x, weight);
  const Array y = check.output(out, x.shape, x, {&x}, true);
  check.apart(y, "out", weight, "weight");
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).prelu_forward(p, x.ptr<T>(), weight.ptr<Parameter<T>>(), y.ptr<T>());
  });
  return y;
}

Arrays prelu_backward(const Array& dy, const Array& x, const Array& weight, const MaybeTargets& out) {
  const Check check("prelu");
  const Prelu p = problem(check, x, weight);
  check.floating(dy, "dy");
  check.alike(dy, "dy", x, "x");
  check.same_shape(dy, "dy", x, "x");
  Arrays results = check.outputs(out, {{x.shape, x.dtype}, {weight.shape, weight.dtype}}, x, {&dy, &x}, true);
  for (const Array& result : results.items) check.apart(result, "out", weight, "weight");
  by_dtype(x.dtype, [&]<class T>(T) {
    using P = Parameter<T>;
    kernels<T>(x.device).prelu_backward(p, dy.ptr<T>(), x.ptr<T>(), weight.ptr<P>(), results.items[0].ptr<T>(),
                                        results.items[1].ptr<P>());
  });
  return results;
}

}  // namespace convolith::ops
