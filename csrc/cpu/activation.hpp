// An activation is a struct of two functions over lanes, which get its parameters behind their arguments:
//   value(x)            y
//   gradient(dy, kept)  dx, from the input x or the output y, as activations.inc says
// One read and one write per element (two reads backward), so memory bounds what takes less than some 30 FLOPs.
#pragma once

#include "kernels.hpp"
#include "math.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {

// x, y (n)
template <class Function, class T>
CONVOLITH_INLINE void activation_forward(const ActivationMap& p, const T* x, T* y) {
  const Lanes<T> a(static_cast<T>(p.a)), b(static_cast<T>(p.b));
  map(p.n, x, y, [&](Lanes<T> v) CONVOLITH_INLINED { return Function::value(v, a, b); });
}

// dy, kept, dx (n)
template <class Function, class T>
CONVOLITH_INLINE void activation_backward(const ActivationMap& p, const T* dy, const T* kept, T* dx) {
  const Lanes<T> a(static_cast<T>(p.a)), b(static_cast<T>(p.b));
  map(p.n, dy, kept, dx, [&](Lanes<T> g, Lanes<T> v) CONVOLITH_INLINED { return Function::gradient(g, v, a, b); });
}

}  // namespace convolith::CONVOLITH_ISA

// The kernels name_forward and name_backward.
#define CONVOLITH_ACTIVATION(name, Function)                                        \
  template <class T>                                                                \
  void name##_forward(const ActivationMap& p, const T* x, T* y) {                   \
    activation_forward<Function>(p, x, y);                                          \
  }                                                                                 \
  INSTANTIATE(name##_forward)                                                       \
  template <class T>                                                                \
  void name##_backward(const ActivationMap& p, const T* dy, const T* kept, T* dx) { \
    activation_backward<Function>(p, dy, kept, dx);                                 \
  }                                                                                 \
  INSTANTIATE(name##_backward)
