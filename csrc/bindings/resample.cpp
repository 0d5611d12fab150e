#include "bindings.hpp"

namespace convolith::bindings {

void register_resample(py::module_& m) {
  def(m, "pad2d_forward", ops::pad2d_forward, "x"_a, "padding"_a, py::kw_only(), "mode"_a = "constant", "value"_a = 0.0,
      "out"_a = py::none());
  def(m, "pad2d_backward", ops::pad2d_backward, "dy"_a, "input_shape"_a, "padding"_a, py::kw_only(),
      "mode"_a = "constant", "out"_a = py::none());
  def(
      m, "interpolate2d_forward",
      [](const Array& x, const std::optional<PairArg>& size, const std::optional<RealPairArg>& scale_factor,
         const Text& mode, const Flag& align_corners, const MaybeTarget& out) {
        return ops::interpolate2d_forward(x, {size, scale_factor, mode, align_corners}, out);
      },
      "x"_a, "size"_a = py::none(), "scale_factor"_a = py::none(), py::kw_only(), "mode"_a = "nearest",
      "align_corners"_a = false, "out"_a = py::none());
  def(
      m, "interpolate2d_backward",
      [](const Array& dy, const ShapeArg& input_shape, const std::optional<PairArg>& size,
         const std::optional<RealPairArg>& scale_factor, const Text& mode, const Flag& align_corners,
         const MaybeTarget& out) {
        return ops::interpolate2d_backward(dy, input_shape, {size, scale_factor, mode, align_corners}, out);
      },
      "dy"_a, "input_shape"_a, "size"_a = py::none(), "scale_factor"_a = py::none(), py::kw_only(),
      "mode"_a = "nearest", "align_corners"_a = false, "out"_a = py::none());
}

}  // namespace convolith::bindings
