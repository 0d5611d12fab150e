#include "../algorithms.hpp"
#include "bindings.hpp"

namespace convolith::bindings {

void register_conv2d(py::module_& m) {
  def(
      m, "conv2d_plan",
      [](const Text& direction, const ShapeArg& input_shape, const ShapeArg& weight_shape, const PairArg& stride,
         const PaddingArg& padding, const PairArg& dilation, const Int& groups, const Text& padding_mode,
         const Text& algo, const Text& dtype, const Text& device) {
        const ops::Conv2dReport r =
            ops::conv2d_plan(direction, input_shape, weight_shape,
                             {stride, padding, dilation, groups, padding_mode, algo}, dtype, device);
        return std::tuple(r.algo, r.reason, r.flops, r.bytes);
      },
      "direction"_a, "input_shape"_a, "weight_shape"_a, py::kw_only(), "stride"_a = 1, "padding"_a = 0,
      "dilation"_a = 1, "groups"_a = 1, "padding_mode"_a = "zeros", "algo"_a = "auto", "dtype"_a = "float32",
      "device"_a = "cpu");
  def(
      m, "conv2d_forward",
      [](const Array& x, const Array& w, const MaybeArray& bias, const PairArg& stride, const PaddingArg& padding,
         const PairArg& dilation, const Int& groups, const Text& padding_mode, const MaybeArray& residual,
         const Text& activation, const Text& algo, const MaybeArray& prepared, const MaybeTarget& out) {
        return ops::conv2d_forward(x, w, bias, {stride, padding, dilation, groups, padding_mode, algo}, residual,
                                   activation, prepared, out);
      },
      "x"_a, "w"_a, "bias"_a = py::none(), py::kw_only(), "stride"_a = 1, "padding"_a = 0, "dilation"_a = 1,
      "groups"_a = 1, "padding_mode"_a = "zeros", "residual"_a = py::none(), "activation"_a = "identity",
      "algo"_a = "auto", "prepared"_a = py::none(), "out"_a = py::none());
  def(
      m, "conv2d_prepare_weight",
      [](const Array& w, const ShapeArg& input_shape, const PairArg& stride, const PaddingArg& padding,
         const PairArg& dilation, const Int& groups, const Text& padding_mode, const Text& algo) {
        return ops::conv2d_prepare_weight(w, input_shape, {stride, padding, dilation, groups, padding_mode, algo});
      },
      "w"_a, "input_shape"_a, py::kw_only(), "stride"_a = 1, "padding"_a = 0, "dilation"_a = 1, "groups"_a = 1,
      "padding_mode"_a = "zeros", "algo"_a = "auto");
  def(
      m, "conv2d_backward_input",
      [](const Array& dy, const Array& w, const ShapeArg& input_shape, const PairArg& stride, const PaddingArg& padding,
         const PairArg& dilation, const Int& groups, const Text& padding_mode, const Text& algo,
         const MaybeTarget& out) {
        return ops::conv2d_backward_input(dy, w, input_shape, {stride, padding, dilation, groups, padding_mode, algo},
                                          out);
      },
      "dy"_a, "w"_a, "input_shape"_a, py::kw_only(), "stride"_a = 1, "padding"_a = 0, "dilation"_a = 1, "groups"_a = 1,
      "padding_mode"_a = "zeros", "algo"_a = "auto", "out"_a = py::none());
  def(
      m, "conv2d_backward_weight",
      [](const Array& dy, const Array& x, const ShapeArg& weight_shape, const PairArg& stride,
         const PaddingArg& padding, const PairArg& dilation, const Int& groups, const Text& padding_mode,
         const Text& algo, const MaybeTarget& out) {
        return ops::conv2d_backward_weight(dy, x, weight_shape, {stride, padding, dilation, groups, padding_mode, algo},
                                           out);
      },
      "dy"_a, "x"_a, "weight_shape"_a, py::kw_only(), "stride"_a = 1, "padding"_a = 0, "dilation"_a = 1, "groups"_a = 1,
      "padding_mode"_a = "zeros", "algo"_a = "auto", "out"_a = py::none());
  def(m, "conv2d_backward_bias", ops::conv2d_backward_bias, "dy"_a, py::kw_only(), "out"_a = py::none());
  def(
      m, "conv_transpose2d_forward",
      [](const Array& x, const Array& w, const MaybeArray& bias, const PairArg& stride, const PaddingArg& padding,
         const PairArg& output_padding, const Int& groups, const PairArg& dilation, const Text& algo,
         const MaybeTarget& out) {
        const Text zeros{"zeros", {}};
        return ops::conv_transpose2d_forward(x, w, bias, {stride, padding, dilation, groups, zeros, algo},
                                             output_padding, out);
      },
      "x"_a, "w"_a, "bias"_a = py::none(), py::kw_only(), "stride"_a = 1, "padding"_a = 0, "output_padding"_a = 0,
      "groups"_a = 1, "dilation"_a = 1, "algo"_a = "auto", "out"_a = py::none());
  m.def("exact_only", &exact_only);
  m.def("set_exact_only", &set_exact_only, "exact"_a);
}

}  // namespace convolith::bindings
