#include "bindings.hpp"

namespace convolith::bindings {

void register_loss(py::module_& m) {
  def(m, "softmax_cross_entropy_forward", ops::softmax_cross_entropy_forward, "x"_a, "target"_a,
      "weight"_a = py::none(), py::kw_only(), "reduction"_a = "mean", "ignore_index"_a = -100,
      "label_smoothing"_a = 0.0, "out"_a = py::none());
  def(m, "softmax_cross_entropy_backward", ops::softmax_cross_entropy_backward, "dloss"_a, "probs"_a, "target"_a,
      "weight"_a = py::none(), py::kw_only(), "reduction"_a = "mean", "ignore_index"_a = -100,
      "label_smoothing"_a = 0.0, "out"_a = py::none());
  def(m, "nll_loss_forward", ops::nll_loss_forward, "x"_a, "target"_a, "weight"_a = py::none(), py::kw_only(),
      "reduction"_a = "mean", "ignore_index"_a = -100, "out"_a = py::none());
  def(m, "nll_loss_backward", ops::nll_loss_backward, "dloss"_a, "x"_a, "target"_a, "weight"_a = py::none(),
      py::kw_only(), "reduction"_a = "mean", "ignore_index"_a = -100, "out"_a = py::none());
  def(m, "multi_margin_loss_forward", ops::multi_margin_loss_forward, "x"_a, "target"_a, "weight"_a = py::none(),
      py::kw_only(), "p"_a = 1, "margin"_a = 1.0, "reduction"_a = "mean", "out"_a = py::none());
  def(m, "multi_margin_loss_backward", ops::multi_margin_loss_backward, "dloss"_a, "x"_a, "target"_a,
      "weight"_a = py::none(), py::kw_only(), "p"_a = 1, "margin"_a = 1.0, "reduction"_a = "mean",
      "out"_a = py::none());
  def(m, "clamped_log_forward", ops::clamped_log_forward, "x"_a, "least"_a = 1e-7, py::kw_only(), "out"_a = py::none());
  def(m, "clamped_log_backward", ops::clamped_log_backward, "dy"_a, "x"_a, "least"_a = 1e-7, py::kw_only(),
      "out"_a = py::none());
  def(m, "mse_loss_forward", ops::mse_loss_forward, "x"_a, "target"_a, py::kw_only(), "reduction"_a = "mean",
      "out"_a = py::none());
  def(m, "mse_loss_backward", ops::mse_loss_backward, "dloss"_a, "x"_a, "target"_a, py::kw_only(),
      "reduction"_a = "mean", "out"_a = py::none());
  def(m, "rmse_loss_forward", ops::rmse_loss_forward, "x"_a, "target"_a, py::kw_only(), "out"_a = py::none());
  def(m, "rmse_loss_backward", ops::rmse_loss_backward, "dloss"_a, "loss"_a, "x"_a, "target"_a, py::kw_only(),
      "out"_a = py::none());
  def(m, "l1_loss_forward", ops::l1_loss_forward, "x"_a, "target"_a, py::kw_only(), "reduction"_a = "mean",
      "out"_a = py::none());
  def(m, "l1_loss_backward", ops::l1_loss_backward, "dloss"_a, "x"_a, "target"_a, py::kw_only(), "reduction"_a = "mean",
      "out"_a = py::none());
  def(m, "huber_loss_forward", ops::huber_loss_forward, "x"_a, "target"_a, py::kw_only(), "reduction"_a = "mean",
      "delta"_a = 1.0, "out"_a = py::none());
  def(m, "huber_loss_backward", ops::huber_loss_backward, "dloss"_a, "x"_a, "target"_a, py::kw_only(),
      "reduction"_a = "mean", "delta"_a = 1.0, "out"_a = py::none());
  def(m, "smooth_l1_loss_forward", ops::smooth_l1_loss_forward, "x"_a, "target"_a, py::kw_only(),
      "reduction"_a = "mean", "beta"_a = 1.0, "out"_a = py::none());
  def(m, "smooth_l1_loss_backward", ops::smooth_l1_loss_backward, "dloss"_a, "x"_a, "target"_a, py::kw_only(),
      "reduction"_a = "mean", "beta"_a = 1.0, "out"_a = py::none());
  def(m, "binary_cross_entropy_forward", ops::binary_cross_entropy_forward, "x"_a, "target"_a, "weight"_a = py::none(),
      py::kw_only(), "reduction"_a = "mean", "out"_a = py::none());
  def(m, "binary_cross_entropy_backward", ops::binary_cross_entropy_backward, "dloss"_a, "x"_a, "target"_a,
      "weight"_a = py::none(), py::kw_only(), "reduction"_a = "mean", "out"_a = py::none());
  def(m, "binary_cross_entropy_with_logits_forward", ops::binary_cross_entropy_with_logits_forward, "x"_a, "target"_a,
      "weight"_a = py::none(), "pos_weight"_a = py::none(), py::kw_only(), "reduction"_a = "mean",
      "out"_a = py::none());
  def(m, "binary_cross_entropy_with_logits_backward", ops::binary_cross_entropy_with_logits_backward, "dloss"_a, "x"_a,
      "target"_a, "weight"_a = py::none(), "pos_weight"_a = py::none(), py::kw_only(), "reduction"_a = "mean",
      "out"_a = py::none());
  def(m, "kl_div_forward", ops::kl_div_forward, "x"_a, "target"_a, py::kw_only(), "reduction"_a = "mean",
      "log_target"_a = false, "out"_a = py::none());
  def(m, "kl_div_backward", ops::kl_div_backward, "dloss"_a, "x"_a, "target"_a, py::kw_only(), "reduction"_a = "mean",
      "log_target"_a = false, "out"_a = py::none());
  def(m, "hinge_loss_forward", ops::hinge_loss_forward, "x"_a, "target"_a, py::kw_only(), "reduction"_a = "mean",
      "squared"_a = false, "out"_a = py::none());
  def(m, "hinge_loss_backward", ops::hinge_loss_backward, "dloss"_a, "x"_a, "target"_a, py::kw_only(),
      "reduction"_a = "mean", "squared"_a = false, "out"_a = py::none());
  def(m, "hinge_embedding_loss_forward", ops::hinge_embedding_loss_forward, "x"_a, "target"_a, py::kw_only(),
      "reduction"_a = "mean", "margin"_a = 1.0, "out"_a = py::none());
  def(m, "hinge_embedding_loss_backward", ops::hinge_embedding_loss_backward, "dloss"_a, "x"_a, "target"_a,
      py::kw_only(), "reduction"_a = "mean", "margin"_a = 1.0, "out"_a = py::none());
}

}  // namespace convolith::bindings
