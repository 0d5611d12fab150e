#include "bindings.hpp"

namespace convolith::bindings {

void register_patches(py::module_& m) {
  def(
      m, "unfold_forward",
      [](const Array& x, const PairArg& kernel_size, const PairArg& dilation, const PaddingArg& padding,
         const PairArg& stride,
         const MaybeTarget& out) { return ops::unfold_forward(x, kernel_size, {dilation, padding, stride}, out); },
      "x"_a, "kernel_size"_a, py::kw_only(), "dilation"_a = 1, "padding"_a = 0, "stride"_a = 1, "out"_a = py::none());
  def(
      m, "fold_forward",
      [](const Array& x, const PairArg& output_size, const PairArg& kernel_size, const PairArg& dilation,
         const PaddingArg& padding, const PairArg& stride, const MaybeTarget& out) {
        return ops::fold_forward(x, output_size, kernel_size, {dilation, padding, stride}, out);
      },
      "x"_a, "output_size"_a, "kernel_size"_a, py::kw_only(), "dilation"_a = 1, "padding"_a = 0, "stride"_a = 1,
      "out"_a = py::none());
  def(m, "local_linear_forward", ops::local_linear_forward, "x"_a, "w"_a, "bias"_a = py::none(), py::kw_only(),
      "out"_a = py::none());
  def(m, "local_linear_backward_input", ops::local_linear_backward_input, "dy"_a, "w"_a, py::kw_only(),
      "out"_a = py::none());
  def(m, "local_linear_backward_weight", ops::local_linear_backward_weight, "dy"_a, "x"_a, py::kw_only(),
      "out"_a = py::none());
  def(m, "local_linear_backward_bias", ops::local_linear_backward_bias, "dy"_a, py::kw_only(), "out"_a = py::none());
}

}  // namespace convolith::bindings
