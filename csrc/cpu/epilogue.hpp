// What follows a sum while it is still in L1: y = activation(y + residual).
#pragma once

#include "../shapes.hpp"
#include "vec.hpp"

namespace convolith::CONVOLITH_ISA {

template <class T>
struct Epilogue {
  const T* residual;  // of y's shape, or null
  Activation activation;

  CONVOLITH_INLINE bool is_identity() const { return !residual && activation == Activation::identity; }
  // y[begin .. begin + n)
  CONVOLITH_INLINE void finish(T* y, std::int64_t begin, std::int64_t n) const {
    if (is_identity()) return;
    for_lanes<T>(begin, begin + n, [&](std::int64_t i, auto lanes) CONVOLITH_INLINED {
      Lanes<T> v = Lanes<T>::load(y + i, lanes);
      if (residual) v += Lanes<T>::load(residual + i, lanes);
      if (activation == Activation::relu) v = relu(v);
      v.store(y + i, lanes);
    });
  }
};

}  // namespace convolith::CONVOLITH_ISA
