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

void check_labels(const Check& check, const Array& target, const Shape& shape, std::int64_t classes,
                  std::int64_t ignored) {
  check.has_shape(target, "target", shape);
  if (target.device != Device::cpu) return;  // there such a label makes the loss NaN
  const std::int64_t* label = target.ptr<std::int64_t>();
  for (std::int64_t i = 0; i < target.size(); ++i) {
    if ((label[i] >= 0 && label[i] < classes) || label[i] == ignored) continue;
    check.value_error(element(shape, i), " is ", label[i], " but labels must be in [0, ", classes,
                      ") or ignore_index, which is ", ignored);
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

// x is the logits or their softmax, (N, C, *).
CrossEntropy problem(const Check& check, const Array& x, const char* x_name, const Array& target, const Text& reduction,
                     const Int& ignore_index, const Real& label_smoothing) {
  check.floating(x, x_name);
  check.require(x.shape.rank >= 2, x_name, " must be (N, C, *) with 2 axes or more, got shape ", text(x.shape));
  check.require(x.shape[1] > 0, x_name, " has no classes, got shape ", text(x.shape));
  check.array(target, "target");
  check.same_device(x, x_name, target, "target");
  CrossEntropy p{x.shape[0], x.shape[1], x.shape.size(2, x.shape.rank), Reduction::mean, 0, 0};
  const std::string& how = check.string(reduction, "reduction");
  check.require(how == "mean" || how == "sum" || how == "none", "reduction must be 'mean', 'sum' or 'none', got '", how,
                "'");
  p.reduction = how == "mean" ? Reduction::mean : how == "sum" ? Reduction::sum : Reduction::none;
  p.ignore_index = check.integer(ignore_index, "ignore_index");
  p.label_smoothing = check.within(label_smoothing, "label_smoothing", 0, 1);
  if (target.dtype == DType::i64)
    check_labels(check, target, positions(x.shape), p.C, p.ignore_index);
  else if (target.dtype == DType::other || target.dtype == DType::u8)
    check.type_error("target must be int64 labels or ", name_of(x.dtype), " probabilities, got ", dtype_text(target));
  else
    check_probabilities(check, target, x, x_name, p.ignore_index);
  return p;
}

Shape loss_shape(const CrossEntropy& p, const Shape& x) {
  return p.reduction == Reduction::none ? positions(x) : Shape{};
}

// Labels and losses are (N, L) to a kernel, row by row; where channels lie last, an array of rank 3 would not be.
Array labels_of(const Array& target) {
  return target.dtype == DType::i64 ? row_major(target) : Array{};
}
template <class T>
const T* probabilities_of(const Array& target) {
  return target.dtype == DType::i64 ? nullptr : target.ptr<T>();
}

}  // namespace

Arrays softmax_cross_entropy_forward(const Array& x, const Array& target, const Text& reduction,
                                     const Int& ignore_index, const Real& label_smoothing, const MaybeTargets& out) {
  const Check check("softmax_cross_entropy");
  const CrossEntropy p = problem(check, x, "x", target, reduction, ignore_index, label_smoothing);
  Arrays results = check.outputs(out, {{loss_shape(p, x.shape), x.dtype}, {x.shape, x.dtype}}, x, {&x, &target});
  const Array labels = labels_of(target), loss = row_major_for(results.items[0]);
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).softmax_cross_entropy_forward(p, x.ptr<T>(), labels.ptr<std::int64_t>(),
                                                       probabilities_of<T>(target), loss.ptr<T>(),
                                                       results.items[1].ptr<T>());
  });
  from_row_major(loss, results.items[0]);
  return results;
}

Array softmax_cross_entropy_backward(const Array& dloss, const Array& probs, const Array& target, const Text& reduction,
                                     const Int& ignore_index, const Real& label_smoothing, const MaybeTarget& out) {
  const Check check("softmax_cross_entropy");
  const CrossEntropy p = problem(check, probs, "probs", target, reduction, ignore_index, label_smoothing);
  check.floating(dloss, "dloss");
  check.alike(dloss, "dloss", probs, "probs");
  check.has_shape(dloss, "dloss", loss_shape(p, probs.shape));
  const Array dx = check.output(out, probs.shape, probs, {&probs}, true);
  check.apart(dx, "out", dloss, "dloss");
  check.apart(dx, "out", target, "target");
  const Array labels = labels_of(target), dloss_rows = row_major(dloss);
  by_dtype(probs.dtype, [&]<class T>(T) {
    kernels<T>(probs.device)
        .softmax_cross_entropy_backward(p, dloss_rows.ptr<T>(), probs.ptr<T>(), labels.ptr<std::int64_t>(),
                                        probabilities_of<T>(target), dx.ptr<T>());
  });
  return dx;
}

}  // namespace convolith::ops
