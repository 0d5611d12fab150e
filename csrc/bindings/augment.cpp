#include "bindings.hpp"

namespace convolith::bindings {

void register_augment(py::module_& m) {
  def(m, "crop_flip_forward", ops::crop_flip_forward, "x"_a, "offsets"_a, "flips"_a, "size"_a,
      "padding_mode"_a = "zeros", "fill"_a = 0.0, py::kw_only(), "out"_a = py::none());
  def(m, "warp_images_forward", ops::warp_images_forward, "x"_a, "matrices"_a, "displacement"_a = py::none(),
      "interpolation"_a = "bilinear", "fill"_a = 0.0, py::kw_only(), "out"_a = py::none());
  def(m, "blur_images_forward", ops::blur_images_forward, "x"_a, "weights"_a, "padding_mode"_a = "reflect",
      py::kw_only(), "out"_a = py::none());
  def(m, "color_jitter_forward", ops::color_jitter_forward, "x"_a, "factors"_a, "order"_a, "peak"_a = 1.0,
      py::kw_only(), "out"_a = py::none());
  def(m, "normalize_images_forward", ops::normalize_images_forward, "x"_a, "mean"_a, "std"_a, py::kw_only(),
      "out"_a = py::none());
  def(m, "standardize_images_forward", ops::standardize_images_forward, "x"_a, py::kw_only(), "out"_a = py::none());
  def(m, "mix_images_forward", ops::mix_images_forward, "x"_a, "partners"_a, "weights"_a, py::kw_only(),
      "out"_a = py::none());
  def(m, "uniform", ops::uniform, "streams"_a, "count"_a, py::kw_only(), "seed"_a);
}

}  // namespace convolith::bindings
