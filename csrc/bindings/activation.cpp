#include "bindings.hpp"

namespace convolith::bindings {

void register_activation(py::module_& m) {
  def(m, "relu_forward", ops::relu_forward, "x"_a, py::kw_only(), "out"_a = py::none());
  def(m, "relu_backward", ops::relu_backward, "dy"_a, "y"_a, py::kw_only(), "out"_a = py::none());
  def(m, "leaky_relu_forward", ops::leaky_relu_forward, "x"_a, "negative_slope"_a = 0.01, py::kw_only(),
      "out"_a = py::none());
  def(m, "leaky_relu_backward", ops::leaky_relu_backward, "dy"_a, "x"_a, "negative_slope"_a = 0.01, py::kw_only(),
      "out"_a = py::none());
  def(m, "sigmoid_forward", ops::sigmoid_forward, "x"_a, py::kw_only(), "out"_a = py::none());
  def(m, "sigmoid_backward", ops::sigmoid_backward, "dy"_a, "y"_a, py::kw_only(), "out"_a = py::none());
  def(m, "tanh_forward", ops::tanh_forward, "x"_a, py::kw_only(), "out"_a = py::none());
  def(m, "tanh_backward", ops::tanh_backward, "dy"_a, "y"_a, py::kw_only(), "out"_a = py::none());
}

}  // namespace convolith::bindings
