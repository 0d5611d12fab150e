// The Winograd kernels of conv2d's three directions.
#pragma once

#include "pack.hpp"

namespace convolith::CONVOLITH_ISA {

template <class T>
void winograd_forward(const Conv2d& p, const T* x, const T* w, const T* prepared, const T* bias, const T* residual,
                      T* y);
template <class T>
std::int64_t winograd_prepared(const Conv2d& p);  // elements of a prepared filter
template <class T>
void winograd_prepare_weight(const Conv2d& p, const T* w, T* prepared);
template <class T>
void winograd_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx);
template <class T>
void winograd_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw);

}  // namespace convolith::CONVOLITH_ISA
