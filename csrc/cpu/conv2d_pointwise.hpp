// conv2d with 1x1 kernels.
#pragma once

#include "../shapes.hpp"
#include "vec.hpp"

namespace convolith::CONVOLITH_ISA {

CONVOLITH_INLINE bool is_pointwise(const Conv2d& p) {
  return p.R == 1 && p.S == 1 && p.G == 1 && p.pad_top + p.pad_bottom + p.pad_left + p.pad_right == 0;
}

template <class T>
void pointwise_forward(const Conv2d& p, const T* x, const T* w, const T* bias, const T* residual, T* y);
template <class T>
void pointwise_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx);
template <class T>
void pointwise_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw);

}  // namespace convolith::CONVOLITH_ISA
