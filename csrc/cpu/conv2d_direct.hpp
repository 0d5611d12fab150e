// The direct kernels of conv2d's three directions: exact sums, any shape.
#pragma once

#include "../shapes.hpp"
#include "vec.hpp"

namespace convolith::CONVOLITH_ISA {

// Whether rows of outputs, `column` apart, are whole vectors of positions: these go from the registers to where they
// belong.
template <class T>
CONVOLITH_INLINE bool is_straight(std::int64_t columns, std::int64_t column) {
  return column == 1 && columns % width<T> == 0;
}

// Which of the two forms serves a direction that computes `outputs` channels per group, in rows of `columns`, from
// `taps` products each.  Vectors of filters waste no position, but transpose what they sum: that wants filters to fill
// a vector, and some taps, more of them where vectors of positions waste nothing either.
template <class T>
CONVOLITH_INLINE bool vectors_hold_filters(std::int64_t outputs, std::int64_t taps, std::int64_t columns,
                                           std::int64_t column) {
  const bool wide = is_straight<T>(columns, column) && columns >= 3 * width<T>;
  return outputs >= width<T> && taps >= (wide ? 400 : 64);
}

// Vectors of positions.
template <class T>
void planes_forward(const Conv2d& p, const T* x, const T* w, const T* bias, const T* residual, T* y);
template <class T>
void planes_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx);  // zero padding

// Vectors of filters.
template <class T>
void panels_forward(const Conv2d& p, const T* x, const T* w, const T* prepared, const T* bias, const T* residual, T* y);
template <class T>
std::int64_t panels_prepared(const Conv2d& p);  // elements of a prepared filter, 0 where vectors hold positions
template <class T>
void panels_prepare_weight(const Conv2d& p, const T* w, T* prepared);
template <class T>
void panels_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx);  // zero padding
template <class T>
void panels_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw);

// Vectors of positions at stride 1, for gradients with few channels or few filters.
bool few_backward_input_serves(const Conv2d& p);
template <class T>
void few_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx);  // zero padding
bool few_backward_weight_serves(const Conv2d& p);
template <class T>
void few_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw);

}  // namespace convolith::CONVOLITH_ISA
