// Every primitive as an operator: check -> allocate -> call the table.  Names and argument order are Python's.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "../array.hpp"
#include "arguments.hpp"

namespace convolith::ops {

// conv2d.cpp: x (N, C, H, W), w (K, C/G, R, S), bias (K), y (N, K, P, Q)
Array conv2d_forward(const Array& x, const Array& w, const MaybeArray& bias, const PairArg& stride, const PaddingArg& padding,
                     const PairArg& dilation, const Int& groups, const Text& padding_mode, const MaybeTarget& out);
Array conv2d_backward_input(const Array& dy, const Array& w, const ShapeArg& input_shape, const PairArg& stride,
                            const PaddingArg& padding, const PairArg& dilation, const Int& groups,
                            const Text& padding_mode, const MaybeTarget& out);
Array conv2d_backward_weight(const Array& dy, const Array& x, const ShapeArg& weight_shape, const PairArg& stride,
                             const PaddingArg& padding, const PairArg& dilation, const Int& groups,
                             const Text& padding_mode, const MaybeTarget& out);
Array conv2d_backward_bias(const Array& dy, const MaybeTarget& out);

// linear.cpp: x (..., I), w (O, I), bias (O), y (..., O)
Array linear_forward(const Array& x, const Array& w, const MaybeArray& bias, const MaybeTarget& out);
Array linear_backward_input(const Array& dy, const Array& w, const MaybeTarget& out);
Array linear_backward_weight(const Array& dy, const Array& x, const MaybeTarget& out);
Array linear_backward_bias(const Array& dy, const MaybeTarget& out);

// activation.cpp: element-wise, any shape
Array relu_forward(const Array& x, const MaybeTarget& out);
Array relu_backward(const Array& dy, const Array& y, const MaybeTarget& out);

}  // namespace convolith::ops
