#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

// y = run(x), element by element.
template <class Run>
Array forward(const Check& check, const Array& x, const MaybeTarget& out, const Run& run) {
  check.floating(x, "x");
  const Array y = check.output(out, x.shape, x, {&x}, true);
  by_dtype(x.dtype, [&]<class T>(T) { run(kernels<T>(x.device), x.ptr<T>(), y.ptr<T>()); });
  return y;
}

// dx = run(dy, kept), kept being what the forward pass kept: its output y or its input x.
template <class Run>
Array backward(const Check& check, const Array& dy, const Array& kept, const char* name, const MaybeTarget& out,
               const Run& run) {
  check.floating(dy, "dy");
  check.floating(kept, name);
  check.alike(dy, "dy", kept, name);
  check.same_shape(dy, "dy", kept, name);
  const Array dx = check.output(out, dy.shape, dy, {&dy, &kept}, true);
  by_dtype(dy.dtype, [&]<class T>(T) { run(kernels<T>(dy.device), dy.ptr<T>(), kept.ptr<T>(), dx.ptr<T>()); });
  return dx;
}

}  // namespace

Array relu_forward(const Array& x, const MaybeTarget& out) {
  return forward(Check("relu"), x, out,
                 [&](const auto& table, const auto&... arrays) { table.relu_forward(Map{x.size()}, arrays...); });
}

Array relu_backward(const Array& dy, const Array& y, const MaybeTarget& out) {
  return backward(Check("relu"), dy, y, "y", out,
                  [&](const auto& table, const auto&... arrays) { table.relu_backward(Map{y.size()}, arrays...); });
}

Array leaky_relu_forward(const Array& x, const Real& negative_slope, const MaybeTarget& out) {
  const Check check("leaky_relu");
  const LeakyRelu p{x.size(), check.finite(negative_slope, "negative_slope")};
  return forward(check, x, out,
                 [&](const auto& table, const auto&... arrays) { table.leaky_relu_forward(p, arrays...); });
}

Array leaky_relu_backward(const Array& dy, const Array& x, const Real& negative_slope, const MaybeTarget& out) {
  const Check check("leaky_relu");
  const LeakyRelu p{x.size(), check.finite(negative_slope, "negative_slope")};
  return backward(check, dy, x, "x", out,
                  [&](const auto& table, const auto&... arrays) { table.leaky_relu_backward(p, arrays...); });
}

Array sigmoid_forward(const Array& x, const MaybeTarget& out) {
  return forward(Check("sigmoid"), x, out,
                 [&](const auto& table, const auto&... arrays) { table.sigmoid_forward(Map{x.size()}, arrays...); });
}

Array sigmoid_backward(const Array& dy, const Array& y, const MaybeTarget& out) {
  return backward(Check("sigmoid"), dy, y, "y", out,
                  [&](const auto& table, const auto&... arrays) { table.sigmoid_backward(Map{y.size()}, arrays...); });
}

Array tanh_forward(const Array& x, const MaybeTarget& out) {
  return forward(Check("tanh"), x, out,
                 [&](const auto& table, const auto&... arrays) { table.tanh_forward(Map{x.size()}, arrays...); });
}

Array tanh_backward(const Array& dy, const Array& y, const MaybeTarget& out) {
  return backward(Check("tanh"), dy, y, "y", out,
                  [&](const auto& table, const auto&... arrays) { table.tanh_backward(Map{y.size()}, arrays...); });
}

}  // namespace convolith::ops
