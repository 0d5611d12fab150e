#include "bindings.hpp"

namespace convolith::bindings {

void register_loss(py::module_& m) {
  def(m, "softmax_cross_entropy_forward", ops::softmax_cross_entropy_forward, "x"_a, "target"_a, py::kw_only(),
      "reduction"_a = "mean", "ignore_index"_a = -100, "label_smoothing"_a = 0.0, "out"_a = py::none());
  def(m, "softmax_cross_entropy_backward", ops::softmax_cross_entropy_backward, "dloss"_a, "probs"_a, "target"_a,
      py::kw_only(), "reduction"_a = "mean", "ignore_index"_a = -100, "label_smoothing"_a = 0.0, "out"_a = py::none());
}

}  // namespace convolith::bindings
