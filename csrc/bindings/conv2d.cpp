#include "bindings.hpp"

namespace convolith::bindings {

void register_conv2d(py::module_& m) {
  def(m, "conv2d_forward", ops::conv2d_forward, "x"_a, "w"_a, "bias"_a = py::none(), py::kw_only(), "stride"_a = 1,
      "padding"_a = 0, "dilation"_a = 1, "groups"_a = 1, "padding_mode"_a = "zeros", "out"_a = py::none());
  def(m, "conv2d_backward_input", ops::conv2d_backward_input, "dy"_a, "w"_a, "input_shape"_a, py::kw_only(),
      "stride"_a = 1, "padding"_a = 0, "dilation"_a = 1, "groups"_a = 1, "padding_mode"_a = "zeros",
      "out"_a = py::none());
  def(m, "conv2d_backward_weight", ops::conv2d_backward_weight, "dy"_a, "x"_a, "weight_shape"_a, py::kw_only(),
      "stride"_a = 1, "padding"_a = 0, "dilation"_a = 1, "groups"_a = 1, "padding_mode"_a = "zeros",
      "out"_a = py::none());
  def(m, "conv2d_backward_bias", ops::conv2d_backward_bias, "dy"_a, py::kw_only(), "out"_a = py::none());
}

}  // namespace convolith::bindings
