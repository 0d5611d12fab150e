#include "bindings.hpp"

namespace convolith::bindings {

void register_clip(py::module_& m) {
  def(m, "total_norm_forward", ops::total_norm_forward, "xs"_a, "p"_a = 2.0, py::kw_only(), "out"_a = py::none());
  def(m, "clip_forward", ops::clip_forward, "x"_a, "limit"_a, py::kw_only(), "out"_a = py::none());
}

}  // namespace convolith::bindings
