#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

// x (N, C, *) without its second axis.
Shape positions(const Shape& x) {
  Shape shape;
  for (int i = 0; i < x.rank; ++i)
    if (i != 1) shape.dim[shape.rank++] = x.dim[i];
  return shape;
}

// "target[3, 5]" for the flat index into an array of that shape.
std::string element(const Shape& shape, std::int64_t flat) {
  std::string indices;
  for (int i = shape.rank - 1; i >= 0; --i) {
    indices = std::to_string(flat % shape[i]) + (indices.empty() ? "" : ", ") + indices;
    flat /= shape[i];
  }
  return "target[" + indices + "]";
}

// `ignored`: the label that need not be a class, if there is one.
void check_labels(const Check& check, const Array& target, const Shape& shape, std::int64_t classes,
                  std::optional<std::int64_t> ignored) {
  check.has_shape(target, "target", shape);
  if (target.device != Device::cpu) return;  // there such a label makes the loss NaN
  const std::int64_t* label = target.ptr<std::int64_t>();
  for (std::int64_t i = 0; i < target.size(); ++i) {
    if ((label[i] >= 0 && label[i] < classes) || label[i] == ignored) continue;
    check.value_error(element(shape, i), " is ", label[i], " but labels must be in [0, ", classes, ")",
                      ignored ? " or ignore_index, which is " + std::to_string(*ignored) : "");
  }
}

void check_probabilities(const Check& check, const Array& target, const Array& x, const char* x_name,
                         std::int64_t ignored) {
  check.alike(x, x_name, target, "target");
  check.same_shape(x, x_name, target, "target");
  check.require(ignored < 0, "ignore_index is for class labels, but target is ", name_of(target.dtype),
                " probabilities; leave it at its default");
  if (target.device != Device::cpu) return;
  by_dtype(target.dtype, [&]<class T>(T) {
    for (std::int64_t i = 0; i < target.size(); ++i)
      if (std::isnan(static_cast<float>(target.ptr<T>()[i]))) check.value_error(element(target.shape, i), " is NaN");
  });
}

// x (N, C, *), and weight (C) where there is one.
void check_scores(const Check& check, const Array& x, const char* x_name, const Array& target,
                  const MaybeArray& weight) {
  check.floating(x, x_name);
  check.require(x.shape.rank >= 2, x_name, " must be (N, C, *) with 2 axes or more, got shape ", text(x.shape));
  check.require(x.shape[1] > 0, x_name, " has no classes, got shape ", text(x.shape));
  check.array(target, "target");
  check.same_device(x, x_name, target, "target");
  if (weight) check.channels(*weight, "weight", x, x.shape[1]);
}

// x is the logits, their softmax or its logarithm, (N, C, *).
CrossEntropy problem(const Check& check, const Array& x, const char* x_name, const Array& target,
                     const MaybeArray& weight, const Text& reduction, const Int& ignore_index) {
  check_scores(check, x, x_name, target, weight);
  CrossEntropy p{x.shape[0], x.shape[1], x.shape.size(2, x.shape.rank), Reduction::mean, 0, 0};
  p.reduction = check.reduction(reduction);
  p.ignore_index = check.integer(ignore_index, "ignore_index");
  if (target.dtype == DType::i64) check_labels(check, target, positions(x.shape), p.C, p.ignore_index);
  return p;
}

// The same for cross entropy, whose target may be probabilities, too.
CrossEntropy problem(const Check& check, const Array& x, const char* x_name, const Array& target,
                     const MaybeArray& weight, const Text& reduction, const Int& ignore_index,
                     const Real& label_smoothing) {
  CrossEntropy p = problem(check, x, x_name, target, weight, reduction, ignore_index);
  p.label_smoothing = check.within(label_smoothing, "label_smoothing", 0, 1);
  if (target.dtype == DType::other || target.dtype == DType::u8)
    check.type_error("target must be int64 labels or ", name_of(x.dtype), " probabilities, got ", dtype_text(target));
  if (target.dtype != DType::i64) check_probabilities(check, target, x, x_name, p.ignore_index);
  return p;
}

MultiMarginLoss margins(const Check& check, const Array& x, const Array& target, const MaybeArray& weight, const Int& p,
                        const Real& margin, const Text& reduction) {
  check_scores(check, x, "x", target, weight);
  check.require(x.shape.rank == 2, "x must be (N, C) with 2 axes, got shape ", text(x.shape));
  check.int64(target, "target");
  check_labels(check, target, positions(x.shape), x.shape[1], {});
  const std::int64_t power = check.integer(p, "p");
  check.require(power == 1 || power == 2, "p must be 1 or 2, got ", power);
  return {x.shape[0], x.shape[1], check.reduction(reduction), power, check.finite(margin, "margin")};
}

Shape loss_shape(Reduction reduction, const Shape& x) {
  return reduction == Reduction::none ? positions(x) : Shape{};
}

// Labels and losses are (N, L) to a kernel, row by row; where channels lie last, an array of rank 3 would not be.
Array labels_of(const Array& target) {
  return target.dtype == DType::i64 ? row_major(target) : Array{};
}
template <class T>
const T* probabilities_of(const Array& target) {
  return target.dtype == DType::i64 ? nullptr : target.ptr<T>();
}

template <class T>
const T* pointer(const MaybeArray& x) {
  return x ? x->ptr<T>() : nullptr;
}

// The gradient of x: `like` x, apart from dloss, which is checked, and from what else is read.
Array gradient(const Check& check, const Array& dloss, Reduction reduction, const Array& like, const char* like_name,
               const Array& target, const MaybeArray& weight, const MaybeTarget& out) {
  check.floating(dloss, "dloss");
  check.alike(dloss, "dloss", like, like_name);
  check.has_shape(dloss, "dloss", loss_shape(reduction, like.shape));
  const Array dx = check.output(out, like.shape, like, {&like}, true);
  check.apart(dx, "out", dloss, "dloss");
  check.apart(dx, "out", target, "target");
  if (weight) check.apart(dx, "out", *weight, "weight");
  return dx;
}

}  // namespace

Arrays softmax_cross_entropy_forward(const Array& x, const Array& target, const MaybeArray& weight,
                                     const Text& reduction, const Int& ignore_index, const Real& label_smoothing,
                                     const MaybeTargets& out) {
  const Check check("softmax_cross_entropy");
  const CrossEntropy p = problem(check, x, "x", target, weight, reduction, ignore_index, label_smoothing);
  const Array weights = weight.value_or(Array{});
  Arrays results =
      check.outputs(out, {{loss_shape(p.reduction, x.shape), x.dtype}, {x.shape, x.dtype}}, x, {&x, &target, &weights});
  const Array labels = labels_of(target), loss = row_major_for(results.items[0]);
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).softmax_cross_entropy_forward(p, x.ptr<T>(), labels.ptr<std::int64_t>(),
                                                       probabilities_of<T>(target), pointer<T>(weight), loss.ptr<T>(),
                                                       results.items[1].ptr<T>());
  });
  from_row_major(loss, results.items[0]);
  return results;
}

Array softmax_cross_entropy_backward(const Array& dloss, const Array& probs, const Array& target,
                                     const MaybeArray& weight, const Text& reduction, const Int& ignore_index,
                                     const Real& label_smoothing, const MaybeTarget& out) {
  const Check check("softmax_cross_entropy");
  const CrossEntropy p = problem(check, probs, "probs", target, weight, reduction, ignore_index, label_smoothing);
  const Array dx = gradient(check, dloss, p.reduction, probs, "probs", target, weight, out);
  const Array labels = labels_of(target), dloss_rows = row_major(dloss);
  by_dtype(probs.dtype, [&]<class T>(T) {
    kernels<T>(probs.device)
        .softmax_cross_entropy_backward(p, dloss_rows.ptr<T>(), probs.ptr<T>(), labels.ptr<std::int64_t>(),
                                        probabilities_of<T>(target), pointer<T>(weight), dx.ptr<T>());
  });
  return dx;
}

Array nll_loss_forward(const Array& x, const Array& target, const MaybeArray& weight, const Text& reduction,
                       const Int& ignore_index, const MaybeTarget& out) {
  const Check check("nll_loss");
  check.int64(target, "target");
  const CrossEntropy p = problem(check, x, "x", target, weight, reduction, ignore_index);
  const Array weights = weight.value_or(Array{});
  const Array y = check.output(out, loss_shape(p.reduction, x.shape), x, {&x, &target, &weights});
  const Array labels = labels_of(target), loss = row_major_for(y);
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).nll_loss_forward(p, x.ptr<T>(), labels.ptr<std::int64_t>(), pointer<T>(weight), loss.ptr<T>());
  });
  from_row_major(loss, y);
  return y;
}

Array nll_loss_backward(const Array& dloss, const Array& x, const Array& target, const MaybeArray& weight,
                        const Text& reduction, const Int& ignore_index, const MaybeTarget& out) {
  const Check check("nll_loss");
  check.int64(target, "target");
  const CrossEntropy p = problem(check, x, "x", target, weight, reduction, ignore_index);
  const Array dx = gradient(check, dloss, p.reduction, x, "x", target, weight, out);
  const Array labels = labels_of(target), dloss_rows = row_major(dloss);
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).nll_loss_backward(p, dloss_rows.ptr<T>(), labels.ptr<std::int64_t>(), pointer<T>(weight),
                                           dx.ptr<T>());
  });
  return dx;
}

Array multi_margin_loss_forward(const Array& x, const Array& target, const MaybeArray& weight, const Int& p,
                                const Real& margin, const Text& reduction, const MaybeTarget& out) {
  const Check check("multi_margin_loss");
  const MultiMarginLoss problem = margins(check, x, target, weight, p, margin, reduction);
  const Array weights = weight.value_or(Array{});
  const Array loss = check.output(out, loss_shape(problem.reduction, x.shape), x, {&x, &target, &weights});
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).multi_margin_loss_forward(problem, x.ptr<T>(), target.ptr<std::int64_t>(), pointer<T>(weight),
                                                   loss.ptr<T>());
  });
  return loss;
}

Array multi_margin_loss_backward(const Array& dloss, const Array& x, const Array& target, const MaybeArray& weight,
                                 const Int& p, const Real& margin, const Text& reduction, const MaybeTarget& out) {
  const Check check("multi_margin_loss");
  const MultiMarginLoss problem = margins(check, x, target, weight, p, margin, reduction);
  const Array dx = gradient(check, dloss, problem.reduction, x, "x", target, weight, out);
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).multi_margin_loss_backward(problem, dloss.ptr<T>(), x.ptr<T>(), target.ptr<std::int64_t>(),
                                                    pointer<T>(weight), dx.ptr<T>());
  });
  return dx;
}

}  // namespace convolith::ops
