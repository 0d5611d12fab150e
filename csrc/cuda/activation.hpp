// An activation is a struct of two functions of one element, which get its parameters behind their arguments:
//   value(x)            y
//   gradient(dy, kept)  dx, from the input x or the output y, as activations.inc says
// One read and one write per element (two reads backward), which bound it.
#pragma once

#include "elementwise.hpp"

namespace convolith::CONVOLITH_DEVICE {

template <class Function>
struct Value {
  float a, b;
  __device__ float operator()(float x) const { return Function::value(x, a, b); }
};
template <class Function>
struct Gradient {
  float a, b;
  __device__ float operator()(float dy, float kept) const { return Function::gradient(dy, kept, a, b); }
};

// x, y (n)
template <class Function, class T>
void activation_forward(const char* name, const ActivationMap& p, const T* x, T* y) {
  map(name, p.n, Value<Function>{static_cast<float>(p.a), static_cast<float>(p.b)}, y, x);
}

// dy, kept, dx (n)
template <class Function, class T>
void activation_backward(const char* name, const ActivationMap& p, const T* dy, const T* kept, T* dx) {
  map(name, p.n, Gradient<Function>{static_cast<float>(p.a), static_cast<float>(p.b)}, dx, dy, kept);
}

}  // namespace convolith::CONVOLITH_DEVICE

// The kernels name_forward and name_backward.
#define ACTIVATION(name, Function)                                                  \
  template <class T>                                                                \
  void name##_forward(const ActivationMap& p, const T* x, T* y) {                   \
    activation_forward<Function>(#name "_forward", p, x, y);                        \
  }                                                                                 \
  INSTANTIATE(name##_forward)                                                       \
  template <class T>                                                                \
  void name##_backward(const ActivationMap& p, const T* dy, const T* kept, T* dx) { \
    activation_backward<Function>(#name "_backward", p, dy, kept, dx);              \
  }                                                                                 \
  INSTANTIATE(name##_backward)
