#include "bindings.hpp"

namespace convolith::bindings {

void register_pool2d(py::module_& m) {
  def(m, "max_pool2d_forward", ops::max_pool2d_forward, "x"_a, "kernel_size"_a, py::kw_only(), "stride"_a = py::none(),
      "padding"_a = 0, "dilation"_a = 1, "ceil_mode"_a = false, "out"_a = py::none());
  def(m, "max_pool2d_backward", ops::max_pool2d_backward, "dy"_a, "indices"_a, "input_shape"_a, py::kw_only(),
      "out"_a = py::none());
  def(m, "min_pool2d_forward", ops::min_pool2d_forward, "x"_a, "kernel_size"_a, py::kw_only(), "stride"_a = py::none(),
      "padding"_a = 0, "dilation"_a = 1, "ceil_mode"_a = false, "out"_a = py::none());
  def(m, "min_pool2d_backward", ops::min_pool2d_backward, "dy"_a, "indices"_a, "input_shape"_a, py::kw_only(),
      "out"_a = py::none());
  def(m, "avg_pool2d_forward", ops::avg_pool2d_forward, "x"_a, "kernel_size"_a, py::kw_only(), "stride"_a = py::none(),
      "padding"_a = 0, "ceil_mode"_a = false, "count_include_pad"_a = true, "divisor_override"_a = py::none(),
      "out"_a = py::none());
  def(m, "avg_pool2d_backward", ops::avg_pool2d_backward, "dy"_a, "input_shape"_a, "kernel_size"_a, py::kw_only(),
      "stride"_a = py::none(), "padding"_a = 0, "ceil_mode"_a = false, "count_include_pad"_a = true,
      "divisor_override"_a = py::none(), "out"_a = py::none());
  def(m, "adaptive_avg_pool2d_forward", ops::adaptive_avg_pool2d_forward, "x"_a, "output_size"_a, py::kw_only(),
      "out"_a = py::none());
  def(m, "adaptive_avg_pool2d_backward", ops::adaptive_avg_pool2d_backward, "dy"_a, "input_shape"_a, py::kw_only(),
      "out"_a = py::none());
  def(m, "adaptive_max_pool2d_forward", ops::adaptive_max_pool2d_forward, "x"_a, "output_size"_a, py::kw_only(),
      "out"_a = py::none());
  def(m, "adaptive_max_pool2d_backward", ops::adaptive_max_pool2d_backward, "dy"_a, "indices"_a, "input_shape"_a,
      py::kw_only(), "out"_a = py::none());
  def(m, "global_avg_pool2d_forward", ops::global_avg_pool2d_forward, "x"_a, py::kw_only(), "out"_a = py::none());
  def(m, "global_avg_pool2d_backward", ops::global_avg_pool2d_backward, "dy"_a, "input_shape"_a, py::kw_only(),
      "out"_a = py::none());
  def(m, "global_max_pool2d_forward", ops::global_max_pool2d_forward, "x"_a, py::kw_only(), "out"_a = py::none());
  def(m, "global_max_pool2d_backward", ops::global_max_pool2d_backward, "dy"_a, "indices"_a, "input_shape"_a,
      py::kw_only(), "out"_a = py::none());
  def(m, "max_unpool2d_forward", ops::max_unpool2d_forward, "x"_a, "indices"_a, "output_shape"_a, py::kw_only(),
      "out"_a = py::none());
  def(m, "max_unpool2d_backward", ops::max_unpool2d_backward, "dy"_a, "indices"_a, py::kw_only(), "out"_a = py::none());
  def(m, "lp_pool2d_forward", ops::lp_pool2d_forward, "x"_a, "norm_type"_a, "kernel_size"_a, py::kw_only(),
      "stride"_a = py::none(), "ceil_mode"_a = false, "out"_a = py::none());
  def(m, "lp_pool2d_backward", ops::lp_pool2d_backward, "dy"_a, "x"_a, "y"_a, "norm_type"_a, "kernel_size"_a,
      py::kw_only(), "stride"_a = py::none(), "ceil_mode"_a = false, "out"_a = py::none());
}

}  // namespace convolith::bindings
