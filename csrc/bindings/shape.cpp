#include "bindings.hpp"

namespace convolith::bindings {

void register_shape(py::module_& m) {
  def(m, "flatten_forward", ops::flatten_forward, "x"_a, "start_dim"_a = 1, "end_dim"_a = -1, py::kw_only(),
      "out"_a = py::none());
  def(m, "flatten_backward", ops::flatten_backward, "dy"_a, "input_shape"_a, py::kw_only(), "out"_a = py::none());
  def(m, "concat_forward", ops::concat_forward, "xs"_a, "dim"_a = 1, py::kw_only(), "out"_a = py::none());
  def(m, "concat_backward", ops::concat_backward, "dy"_a, "sizes"_a, "dim"_a = 1, py::kw_only(), "out"_a = py::none());
}

}  // namespace convolith::bindings
