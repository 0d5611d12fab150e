#include "bindings.hpp"

namespace convolith::bindings {

void register_softmax(py::module_& m) {
  def(m, "softmax_forward", ops::softmax_forward, "x"_a, "dim"_a = -1, py::kw_only(), "out"_a = py::none());
  def(m, "softmax_backward", ops::softmax_backward, "dy"_a, "y"_a, "dim"_a = -1, py::kw_only(), "out"_a = py::none());
  def(m, "log_softmax_forward", ops::log_softmax_forward, "x"_a, "dim"_a = -1, py::kw_only(), "out"_a = py::none());
  def(m, "log_softmax_backward", ops::log_softmax_backward, "dy"_a, "y"_a, "dim"_a = -1, py::kw_only(),
      "out"_a = py::none());
}

}  // namespace convolith::bindings
