#include "bindings.hpp"

namespace convolith::bindings {

void register_dropout(py::module_& m) {
  def(m, "dropout_forward", ops::dropout_forward, "x"_a, "p"_a = 0.5, py::kw_only(), "seed"_a = 0, "offset"_a = 0,
      "out"_a = py::none());
  def(m, "dropout_backward", ops::dropout_backward, "dy"_a, "p"_a = 0.5, py::kw_only(), "seed"_a = 0, "offset"_a = 0,
      "out"_a = py::none());
  def(m, "alpha_dropout_forward", ops::alpha_dropout_forward, "x"_a, "p"_a = 0.5, py::kw_only(), "seed"_a = 0,
      "offset"_a = 0, "out"_a = py::none());
  def(m, "alpha_dropout_backward", ops::alpha_dropout_backward, "dy"_a, "p"_a = 0.5, py::kw_only(), "seed"_a = 0,
      "offset"_a = 0, "out"_a = py::none());
  def(m, "dropout_slices_forward", ops::dropout_slices_forward, "x"_a, "p"_a = 0.5, "axes"_a = 2, py::kw_only(),
      "seed"_a = 0, "offset"_a = 0, "out"_a = py::none());
  def(m, "dropout_slices_backward", ops::dropout_slices_backward, "dy"_a, "p"_a = 0.5, "axes"_a = 2, py::kw_only(),
      "seed"_a = 0, "offset"_a = 0, "out"_a = py::none());
}

}  // namespace convolith::bindings
