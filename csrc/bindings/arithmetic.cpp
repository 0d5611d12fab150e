#include "bindings.hpp"

namespace convolith::bindings {
namespace {

template <class F>
void def_forward(py::module_& m, const char* name, F function) {
  def(m, name, function, "a"_a, "b"_a, py::kw_only(), "out"_a = py::none());
}
template <class F>
void def_sum(py::module_& m, const char* name, F function) {
  def(m, name, function, "x"_a, "dim"_a = py::none(), "keepdim"_a = false, py::kw_only(), "out"_a = py::none());
}
template <class F>
void def_sum_backward(py::module_& m, const char* name, F function) {
  def(m, name, function, "dy"_a, "input_shape"_a, "dim"_a = py::none(), "keepdim"_a = false, py::kw_only(),
      "out"_a = py::none());
}

}  // namespace

void register_arithmetic(py::module_& m) {
  def_forward(m, "add_forward", ops::add_forward);
  def(m, "add_backward", ops::add_backward, "dy"_a, "input_shape"_a, py::kw_only(), "out"_a = py::none());
  def_forward(m, "subtract_forward", ops::subtract_forward);
  def(m, "subtract_backward_b", ops::subtract_backward_b, "dy"_a, "input_shape"_a, py::kw_only(), "out"_a = py::none());
  def_forward(m, "multiply_forward", ops::multiply_forward);
  def(m, "multiply_backward", ops::multiply_backward, "dy"_a, "other"_a, "input_shape"_a, py::kw_only(),
      "out"_a = py::none());
  def_forward(m, "divide_forward", ops::divide_forward);
  def(m, "divide_backward_a", ops::divide_backward_a, "dy"_a, "b"_a, "input_shape"_a, py::kw_only(),
      "out"_a = py::none());
  def(m, "divide_backward_b", ops::divide_backward_b, "dy"_a, "y"_a, "b"_a, py::kw_only(), "out"_a = py::none());
  def(m, "power_forward", ops::power_forward, "x"_a, "exponent"_a, py::kw_only(), "out"_a = py::none());
  def(m, "power_backward", ops::power_backward, "dy"_a, "x"_a, "exponent"_a, py::kw_only(), "out"_a = py::none());
  def_sum(m, "sum_forward", ops::sum_forward);
  def_sum_backward(m, "sum_backward", ops::sum_backward);
  def_sum(m, "mean_forward", ops::mean_forward);
  def_sum_backward(m, "mean_backward", ops::mean_backward);
  def(m, "transpose", ops::transpose, "x"_a, "dim0"_a, "dim1"_a);
}

}  // namespace convolith::bindings
