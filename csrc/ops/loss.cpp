#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

void copy_rows(const CopyRows& p, const Array& from, std::int64_t from_offset, const Array& to,
               std::int64_t to_offset) {
  by_dtype(from.dtype, [&]<class T>(T) {
    kernels<T>(from.device).copy_rows(p, from.ptr<T>() + from_offset, to.ptr<T>() + to_offset);
  });
}

// from (outer, inner), row by row, to (outer, times, inner).
Array repeated(const Array& from, std::int64_t outer, std::int64_t times, std::int64_t inner) {
  const Array to = allocate(Shape{outer * times * inner}, from.dtype, from.device);
  if (times < outer)
    for (std::int64_t i = 0; i < times; ++i) copy_rows({outer, inner, inner, times * inner}, from, 0, to, i * inner);
  else
    for (std::int64_t i = 0; i < outer; ++i)
      copy_rows({times, inner, 0, inner}, from, i * inner, to, i * times * inner);
  return to;
}

// Weights in the shape of x: themselves, or a copy where they broadcast to it.
Array expanded(const Check& check, const Array& weight, const char* name, const Array& x) {
  check.floating(weight, name);
  check.alike(x, "x", weight, name);
  if (weight.shape == x.shape || x.size() == 0) return weight;
  Shape shape = x.shape;  // of what there is so far
  bool fits = weight.shape.rank <= shape.rank;
  for (int i = 1; i <= shape.rank; ++i) {
    shape[-i] = i <= weight.shape.rank ? weight.shape[-i] : 1;
    fits = fits && (shape[-i] == 1 || shape[-i] == x.shape[-i]);
  }
  check.require(fits, name, " is ", text(weight.shape), ", which does not broadcast to the shape of x, ",
                text(x.shape));
  Array rows = row_major(weight);
  for (int i = shape.rank - 1; i >= 0; --i) {
    if (shape[i] == x.shape[i]) continue;
    rows = repeated(rows, shape.size(0, i), x.shape[i], shape.size(i + 1, shape.rank));
    shape[i] = x.shape[i];
  }
  rows.shape = shape;
  if (is_row_major(rows)) return rows;
  const Array y = allocate(shape, x.dtype, x.device);
  from_row_major(rows, y);
  return y;
}

// Of a device the values are not looked at: there the loss is NaN.
void check_probabilities(const Check& check, const Array& x, const char* name) {
  if (x.device != Device::cpu) return;
  by_dtype(x.dtype, [&]<class T>(T) {
    const T* values = x.ptr<T>();
    bool all = true;
    for (std::int64_t i = 0; i < x.size(); ++i)
      all &= static_cast<float>(values[i]) >= 0 && static_cast<float>(values[i]) <= 1;
    if (all) return;
    std::int64_t i = 0;
    while (static_cast<float>(values[i]) >= 0 && static_cast<float>(values[i]) <= 1) ++i;
    check.value_error(name, " must be probabilities in [0, 1], but element ", i, " is ", static_cast<float>(values[i]));
  });
}

// One of the losses, with its arrays checked.
class Loss {
 public:
  const Check check;

  Loss(const char* primitive, Pointwise kind, const Array& x, const Array& target, double parameter = 0)
      : check(primitive), p_{x.size(), kind, parameter, false, false, 1}, x_(x), target_(target) {
    check.floating(x, "x");
    check.floating(target, "target");
    check.alike(x, "x", target, "target");
    check.same_shape(x, "x", target, "target");
  }
  Loss& reduced(const Text& reduction) {
    const Reduction how = check.reduction(reduction);
    return reduced(how != Reduction::none, how == Reduction::mean ? x_.size() : 1);
  }
  Loss& reduced(bool is, std::int64_t divisor) {
    p_.reduced = is;
    p_.divisor = static_cast<double>(divisor);
    return *this;
  }
  Loss& root_of_mean() {
    p_.root = true;
    return reduced(true, x_.size());
  }
  Loss& weighted(const MaybeArray& weight, const MaybeArray& pos_weight = {}) {
    if (weight) weight_ = expanded(check, *weight, "weight", x_);
    if (pos_weight) pos_weight_ = expanded(check, *pos_weight, "pos_weight", x_);
    return *this;
  }

  Array forward(const MaybeTarget& out) const {
    const Array loss = check.output(out, shape(), x_, {&x_, &target_, &weight_, &pos_weight_}, !p_.reduced);
    by_dtype(x_.dtype, [&]<class T>(T) {
      kernels<T>(x_.device).pointwise_loss_forward(p_, x_.ptr<T>(), target_.ptr<T>(), weight_.ptr<T>(),
                                                   pos_weight_.ptr<T>(), loss.ptr<T>());
    });
    return loss;
  }
  // `root`: the loss, where it is a root
  Array backward(const Array& dloss, const MaybeTarget& out, const Array& root = {}) const {
    check.floating(dloss, "dloss");
    check.alike(dloss, "dloss", x_, "x");
    check.has_shape(dloss, "dloss", shape());
    const Array dx = check.output(out, x_.shape, x_, {&x_, &target_, &weight_, &pos_weight_}, true);
    check.apart(dx, "out", dloss, "dloss");
    check.apart(dx, "out", root, "loss");
    by_dtype(x_.dtype, [&]<class T>(T) {
      kernels<T>(x_.device).pointwise_loss_backward(p_, dloss.ptr<T>(), root.ptr<T>(), x_.ptr<T>(), target_.ptr<T>(),
                                                    weight_.ptr<T>(), pos_weight_.ptr<T>(), dx.ptr<T>());
    });
    return dx;
  }

 private:
  Shape shape() const { return p_.reduced ? Shape{} : x_.shape; }

  PointwiseLoss p_;
  const Array &x_, &target_;
  Array weight_, pos_weight_;  // without data where there are none
};

// --- The members that have options
// ------------------------------------------------------------------------------------

Loss huber(const Array& x, const Array& target, const Text& reduction, const Real& delta) {
  const Check check("huber_loss");
  const double d = check.finite(delta, "delta");
  check.require(d > 0, "delta must be more than 0, got ", d);
  return Loss("huber_loss", Pointwise::huber, x, target, d).reduced(reduction);
}

Loss smooth_l1(const Array& x, const Array& target, const Text& reduction, const Real& beta) {
  const double b = Check("smooth_l1_loss").at_least_zero(beta, "beta");
  const Pointwise kind = b == 0 ? Pointwise::absolute : Pointwise::smooth_l1;
  return Loss("smooth_l1_loss", kind, x, target, b).reduced(reduction);
}

Loss binary_cross_entropy(const Array& x, const Array& target, const MaybeArray& weight, const Text& reduction) {
  Loss loss("binary_cross_entropy", Pointwise::binary_cross_entropy, x, target);
  loss.reduced(reduction).weighted(weight);
  check_probabilities(loss.check, x, "x");
  check_probabilities(loss.check, target, "target");
  return loss;
}

Loss binary_cross_entropy_with_logits(const Array& x, const Array& target, const MaybeArray& weight,
                                      const MaybeArray& pos_weight, const Text& reduction) {
  return Loss("binary_cross_entropy_with_logits", Pointwise::binary_cross_entropy_with_logits, x, target)
      .reduced(reduction)
      .weighted(weight, pos_weight);
}

Loss kl_div(const Array& x, const Array& target, const Text& reduction, const Flag& log_target) {
  const Check check("kl_div");
  const bool logs = check.flag(log_target, "log_target");
  Loss loss("kl_div", logs ? Pointwise::kl_div_log_target : Pointwise::kl_div, x, target);
  if (check.string(reduction, "reduction") != "batchmean") return loss.reduced(reduction);
  return loss.reduced(true, x.shape.rank > 0 ? x.shape[0] : 1);
}

Loss hinge(const Array& x, const Array& target, const Text& reduction, const Flag& squared) {
  const bool squares = Check("hinge_loss").flag(squared, "squared");
  const Pointwise kind = squares ? Pointwise::squared_hinge : Pointwise::hinge;
  return Loss("hinge_loss", kind, x, target).reduced(reduction);
}

Loss hinge_embedding(const Array& x, const Array& target, const Text& reduction, const Real& margin) {
  const double m = Check("hinge_embedding_loss").finite(margin, "margin");
  return Loss("hinge_embedding_loss", Pointwise::hinge_embedding, x, target, m).reduced(reduction);
}

}  // namespace

Array clamped_log_forward(const Array& x, const Real& least, const MaybeTarget& out) {
  const Check check("clamped_log");
  check.floating(x, "x");
  const ClampedLog p{x.size(), check.at_least_zero(least, "least")};
  const Array y = check.output(out, x.shape, x, {&x}, true);
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).clamped_log_forward(p, x.ptr<T>(), y.ptr<T>()); });
  return y;
}
Array clamped_log_backward(const Array& dy, const Array& x, const Real& least, const MaybeTarget& out) {
  const Check check("clamped_log");
  check.floating(dy, "dy");
  check.alike(dy, "dy", x, "x");
  check.same_shape(dy, "dy", x, "x");
  const ClampedLog p{x.size(), check.at_least_zero(least, "least")};
  const Array dx = check.output(out, x.shape, x, {&dy, &x}, true);
  by_dtype(x.dtype,
           [&]<class T>(T) { kernels<T>(x.device).clamped_log_backward(p, dy.ptr<T>(), x.ptr<T>(), dx.ptr<T>()); });
  return dx;
}

Array mse_loss_forward(const Array& x, const Array& target, const Text& reduction, const MaybeTarget& out) {
  return Loss("mse_loss", Pointwise::squared, x, target).reduced(reduction).forward(out);
}
Array mse_loss_backward(const Array& dloss, const Array& x, const Array& target, const Text& reduction,
                        const MaybeTarget& out) {
  return Loss("mse_loss", Pointwise::squared, x, target).reduced(reduction).backward(dloss, out);
}

Array rmse_loss_forward(const Array& x, const Array& target, const MaybeTarget& out) {
  return Loss("rmse_loss", Pointwise::squared, x, target).root_of_mean().forward(out);
}
Array rmse_loss_backward(const Array& dloss, const Array& loss, const Array& x, const Array& target,
                         const MaybeTarget& out) {
  const Loss root = Loss("rmse_loss", Pointwise::squared, x, target).root_of_mean();
  root.check.floating(loss, "loss");
  root.check.alike(loss, "loss", x, "x");
  root.check.has_shape(loss, "loss", Shape{});
  return root.backward(dloss, out, loss);
}

Array l1_loss_forward(const Array& x, const Array& target, const Text& reduction, const MaybeTarget& out) {
  return Loss("l1_loss", Pointwise::absolute, x, target).reduced(reduction).forward(out);
}
Array l1_loss_backward(const Array& dloss, const Array& x, const Array& target, const Text& reduction,
                       const MaybeTarget& out) {
  return Loss("l1_loss", Pointwise::absolute, x, target).reduced(reduction).backward(dloss, out);
}

Array huber_loss_forward(const Array& x, const Array& target, const Text& reduction, const Real& delta,
                         const MaybeTarget& out) {
  return huber(x, target, reduction, delta).forward(out);
}
Array huber_loss_backward(const Array& dloss, const Array& x, const Array& target, const Text& reduction,
                          const Real& delta, const MaybeTarget& out) {
  return huber(x, target, reduction, delta).backward(dloss, out);
}

Array smooth_l1_loss_forward(const Array& x, const Array& target, const Text& reduction, const Real& beta,
                             const MaybeTarget& out) {
  return smooth_l1(x, target, reduction, beta).forward(out);
}
Array smooth_l1_loss_backward(const Array& dloss, const Array& x, const Array& target, const Text& reduction,
                              const Real& beta, const MaybeTarget& out) {
  return smooth_l1(x, target, reduction, beta).backward(dloss, out);
}

Array binary_cross_entropy_forward(const Array& x, const Array& target, const MaybeArray& weight, const Text& reduction,
                                   const MaybeTarget& out) {
  return binary_cross_entropy(x, target, weight, reduction).forward(out);
}
Array binary_cross_entropy_backward(const Array& dloss, const Array& x, const Array& target, const MaybeArray& weight,
                                    const Text& reduction, const MaybeTarget& out) {
  return binary_cross_entropy(x, target, weight, reduction).backward(dloss, out);
}

Array binary_cross_entropy_with_logits_forward(const Array& x, const Array& target, const MaybeArray& weight,
                                               const MaybeArray& pos_weight, const Text& reduction,
                                               const MaybeTarget& out) {
  return binary_cross_entropy_with_logits(x, target, weight, pos_weight, reduction).forward(out);
}
Array binary_cross_entropy_with_logits_backward(const Array& dloss, const Array& x, const Array& target,
                                                const MaybeArray& weight, const MaybeArray& pos_weight,
                                                const Text& reduction, const MaybeTarget& out) {
  return binary_cross_entropy_with_logits(x, target, weight, pos_weight, reduction).backward(dloss, out);
}

Array kl_div_forward(const Array& x, const Array& target, const Text& reduction, const Flag& log_target,
                     const MaybeTarget& out) {
  return kl_div(x, target, reduction, log_target).forward(out);
}
Array kl_div_backward(const Array& dloss, const Array& x, const Array& target, const Text& reduction,
                      const Flag& log_target, const MaybeTarget& out) {
  return kl_div(x, target, reduction, log_target).backward(dloss, out);
}

Array hinge_loss_forward(const Array& x, const Array& target, const Text& reduction, const Flag& squared,
                         const MaybeTarget& out) {
  return hinge(x, target, reduction, squared).forward(out);
}
Array hinge_loss_backward(const Array& dloss, const Array& x, const Array& target, const Text& reduction,
                          const Flag& squared, const MaybeTarget& out) {
  return hinge(x, target, reduction, squared).backward(dloss, out);
}

Array hinge_embedding_loss_forward(const Array& x, const Array& target, const Text& reduction, const Real& margin,
                                   const MaybeTarget& out) {
  return hinge_embedding(x, target, reduction, margin).forward(out);
}
Array hinge_embedding_loss_backward(const Array& dloss, const Array& x, const Array& target, const Text& reduction,
                                    const Real& margin, const MaybeTarget& out) {
  return hinge_embedding(x, target, reduction, margin).backward(dloss, out);
}

}  // namespace convolith::ops
