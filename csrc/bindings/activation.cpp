#include "bindings.hpp"

namespace convolith::bindings {

void register_activation(py::module_& m) {
  def(m, "relu_forward", ops::relu_forward, "x"_a, py::kw_only(), "out"_a = py::none());
  def(m, "relu_backward", ops::relu_backward, "dy"_a, "y"_a, py::kw_only(), "out"_a = py::none());
}

}  // namespace convolith::bindings
