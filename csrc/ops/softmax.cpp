#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

Softmax along(const Check& check, const Array& x, const Int& dim) {
  const int axis = memory_axis(x, static_cast<int>(check.axis(dim, "dim", x.shape.rank)));
  const Shape shape = memory_shape(x);
  return {shape.size(0, axis), shape[axis], shape.size(axis + 1, shape.rank)};
}

template <class Run>
Array forward(const char* family, const Array& x, const Int& dim, const MaybeTarget& out, const Run& run) {
  const Check check(family);
  check.floating(x, "x");
  const Softmax p = along(check, x, dim);
  const Array y = check.output(out, x.shape, x, {&x}, true);
  if (x.size() > 0) by_dtype(x.dtype, [&]<class T>(T) { run(kernels<T>(x.device), p, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

template <class Run>
Array backward(const char* family, const Array& dy, const Array& y, const Int& dim, const MaybeTarget& out,
               const Run& run) {
  const Check check(family);
  check.floating(dy, "dy");
  check.floating(y, "y");
  check.alike(dy, "dy", y, "y");
  check.same_shape(dy, "dy", y, "y");
  const Softmax p = along(check, y, dim);
  const Array dx = check.output(out, y.shape, y, {&dy, &y}, true);
  if (y.size() > 0)
    by_dtype(y.dtype, [&]<class T>(T) { run(kernels<T>(y.device), p, dy.ptr<T>(), y.ptr<T>(), dx.ptr<T>()); });
  return dx;
}

}  // namespace

Array softmax_forward(const Array& x, const Int& dim, const MaybeTarget& out) {
  return forward("softmax", x, dim, out,
                 [](const auto& table, const auto&... arguments) { table.softmax_forward(arguments...); });
}

Array softmax_backward(const Array& dy, const Array& y, const Int& dim, const MaybeTarget& out) {
  return backward("softmax", dy, y, dim, out,
                  [](const auto& table, const auto&... arguments) { table.softmax_backward(arguments...); });
}

Array log_softmax_forward(const Array& x, const Int& dim, const MaybeTarget& out) {
  return forward("log_softmax", x, dim, out,
                 [](const auto& table, const auto&... arguments) { table.log_softmax_forward(arguments...); });
}

Array log_softmax_backward(const Array& dy, const Array& y, const Int& dim, const MaybeTarget& out) {
  return backward("log_softmax", dy, y, dim, out,
                  [](const auto& table, const auto&... arguments) { table.log_softmax_backward(arguments...); });
}

}  // namespace convolith::ops
