#include "activation.hpp"

namespace convolith::ops {
namespace {

// y by the kernel that `of` finds in a table
template <class Of>
Array forward(const Check& check, const Array& x, const Numbers& parameters, const MaybeTarget& out, const Of& of) {
  check.floating(x, "x");
  const Array y = check.output(out, x.shape, x, {&x}, true);
  const ActivationMap p{x.size(), parameters[0], parameters[1]};
  by_dtype(x.dtype, [&]<class T>(T) { of(kernels<T>(x.device))(p, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

// dx by such a kernel; `kept` is what the forward pass kept: its output y or its input x.
template <class Of>
Array backward(const Check& check, const Array& dy, const Array& kept, const char* name, const Numbers& parameters,
               const MaybeTarget& out, const Of& of) {
  check.floating(dy, "dy");
  check.floating(kept, name);
  check.alike(dy, "dy", kept, name);
  check.same_shape(dy, "dy", kept, name);
  const Array dx = check.output(out, dy.shape, dy, {&dy, &kept}, true);
  const ActivationMap p{dy.size(), parameters[0], parameters[1]};
  by_dtype(dy.dtype, [&]<class T>(T) { of(kernels<T>(dy.device))(p, dy.ptr<T>(), kept.ptr<T>(), dx.ptr<T>()); });
  return dx;
}

}  // namespace

#define ACTIVATION(name, kept, ...)                                                                              \
  Array name##_forward(const Array& x, const Numbers& parameters, const MaybeTarget& out) {                      \
    return forward(Check(#name), x, parameters, out, [](const auto& table) { return table.name##_forward; });    \
  }                                                                                                              \
  Array name##_backward(const Array& dy, const Array& kept, const Numbers& parameters, const MaybeTarget& out) { \
    return backward(Check(#name), dy, kept, #kept, parameters, out,                                              \
                    [](const auto& table) { return table.name##_backward; });                                    \
  }
#include "../activations.inc"
#undef ACTIVATION

}  // namespace convolith::ops
