#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {

Array relu_forward(const Array& x, const MaybeTarget& out) {
  const Check check("relu");
  check.floating(x, "x");
  const Array y = check.output(out, x.shape, x.dtype, {&x}, true);
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).relu_forward(Map{x.size()}, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

Array relu_backward(const Array& dy, const Array& y, const MaybeTarget& out) {
  const Check check("relu");
  check.floating(dy, "dy");
  check.floating(y, "y");
  check.same_dtype(dy, "dy", y, "y");
  check.same_shape(dy, "dy", y, "y");
  const Array dx = check.output(out, y.shape, y.dtype, {&dy, &y}, true);
  by_dtype(y.dtype,
           [&]<class T>(T) { kernels<T>(y.device).relu_backward(Map{y.size()}, dy.ptr<T>(), y.ptr<T>(), dx.ptr<T>()); });
  return dx;
}

}  // namespace convolith::ops
