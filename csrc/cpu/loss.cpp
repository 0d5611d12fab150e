// Softmax cross entropy of logits x (N, C, L) with one target for each of the N * L positions.  Forward: one exp an
// element, one read of x and one write of probs; the loss itself needs one logit per position, or with probabilities
// and smoothing all of them, from cache.  Backward: one read of probs, one write.
#include "kernels.hpp"
#include "softmax.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// What the loss at one position needs besides its label; d = x - max.
template <class T>
struct Position {
  T max;
  double log_sum;            // log sum exp(d)
  T weighted, weight, even;  // sum of target d, of target, of d: only where there is a target, or smoothing
};

template <class T>
CONVOLITH_INLINE double loss_of(const CrossEntropy& p, const Position<T>& at, const T* x, const std::int64_t* label) {
  if (label && *label == p.ignore_index) return 0;
  const double loss =
      label ? at.log_sum - (static_cast<double>(x[*label * p.L]) - at.max) : at.log_sum * at.weight - at.weighted;
  if (p.label_smoothing == 0) return loss;  // not multiplied by 0: a logit of -inf has an infinite loss
  const double even = at.log_sum - at.even / static_cast<double>(p.C);
  return (1 - p.label_smoothing) * loss + p.label_smoothing * even;
}

std::int64_t counted(const CrossEntropy& p, const std::int64_t* labels) {
  const std::int64_t positions = p.N * p.L;
  if (!labels) return positions;
  std::int64_t n = 0;
  for (std::int64_t i = 0; i < positions; ++i) n += labels[i] != p.ignore_index;
  return n;
}

// What the gradient at one position is multiplied by.
template <class T>
CONVOLITH_INLINE T gradient_scale(const CrossEntropy& p, const T* dloss, std::int64_t position, std::int64_t count) {
  if (p.reduction == Reduction::none) return dloss[position];
  return p.reduction == Reduction::sum ? dloss[0] : dloss[0] / static_cast<T>(max_of<std::int64_t>(count, 1));
}

}  // namespace

// x, probs (N, C, L); labels (N, L) or target (N, C, L), the other null; loss (N, L) for none, else one value.
template <class T>
void softmax_cross_entropy_forward(const CrossEntropy& p, const T* x, const std::int64_t* labels, const T* target,
                                   T* loss, T* probs) {
  const Scratch<double> scratch(p.N * p.L);
  double* losses = scratch.get();
  const bool all_classes = target || p.label_smoothing != 0;
  const auto keep = [&](std::int64_t n, std::int64_t l, const Position<T>& position) {
    const std::int64_t i = n * p.L + l;
    losses[i] = loss_of(p, position, x + n * p.C * p.L + l, labels ? labels + i : nullptr);
  };
  constexpr std::int64_t count = Lanes<T>::count;
  for_distributions<T>(
      p.N, p.C, p.L, x, target, probs,
      [&](std::int64_t at) {
        const Normaliser<T> norm = exp_row(p.C, x + at, probs + at);
        const Lanes<T> scale(1 / norm.sum), top(norm.max);
        Lanes<T> weighted(T(0)), weight(T(0)), even(T(0));
        for_lanes<T>(at, at + p.C, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
          (Lanes<T>::load(probs + i, n) * scale).store(probs + i, n);
          if (!all_classes) return;
          const Lanes<T> d = Lanes<T>::load(x + i, n, norm.max) - top;
          const Lanes<T> t = target ? Lanes<T>::load(target + i, n) : Lanes<T>(T(0));
          weighted = fma(t, d, weighted);
          weight += t;
          even += d;
        });
        keep(at / p.C, 0, {norm.max, norm.log_sum(), sum(weighted), sum(weight), sum(even)});
      },
      [&](std::int64_t at, std::int64_t n, T* v, const T* w) {
        const Normalisers<T> norm = exp_columns(p.C, v, v);
        const Lanes<T> scale = Lanes<T>(T(1)) / norm.sum;
        for (std::int64_t i = 0; i < p.C * count; i += count) (Lanes<T>::load(v + i) * scale).store(v + i);
        Lanes<T> weighted(T(0)), weight(T(0)), even(T(0));
        for (std::int64_t c = 0; all_classes && c < p.C; ++c) {
          const Lanes<T> d = Lanes<T>::load(x + at + c * p.L, n) - norm.max;
          const Lanes<T> t = target ? Lanes<T>::load(w + c * count) : Lanes<T>(T(0));
          weighted = fma(t, d, weighted);
          weight += t;
          even += d;
        }
        T lane[5][count];
        norm.max.store(lane[0]);
        norm.log_sum().store(lane[1]);
        weighted.store(lane[2]);
        weight.store(lane[3]);
        even.store(lane[4]);
        const std::int64_t image = at / (p.C * p.L), column = at % (p.C * p.L);
        for (std::int64_t i = 0; i < n; ++i)
          keep(image, column + i, {lane[0][i], lane[1][i], lane[2][i], lane[3][i], lane[4][i]});
      });
  if (p.reduction == Reduction::none) {
    for (std::int64_t i = 0; i < p.N * p.L; ++i) loss[i] = static_cast<T>(losses[i]);
    return;
  }
  double total = 0;
  for (std::int64_t i = 0; i < p.N * p.L; ++i) total += losses[i];
  loss[0] = static_cast<T>(p.reduction == Reduction::sum ? total : total / static_cast<double>(counted(p, labels)));
}
INSTANTIATE(softmax_cross_entropy_forward)

// dloss (N, L) for none, else one value; probs, dx (N, C, L); labels (N, L) or target (N, C, L), the other null.
// dx = dloss (probs sum(q) - q), q being the smoothed target; dx may be probs.
template <class T>
void softmax_cross_entropy_backward(const CrossEntropy& p, const T* dloss, const T* probs, const std::int64_t* labels,
                                    const T* target, T* dx) {
  const std::int64_t count = counted(p, labels);
  const T sharp = static_cast<T>(1 - p.label_smoothing);
  const T even = static_cast<T>(p.label_smoothing / static_cast<double>(p.C));
  const Lanes<T> zero(T(0)), sharps(sharp), evens(even);
  constexpr std::int64_t lanes = Lanes<T>::count;
  const auto columns = [&](std::int64_t at, std::int64_t n, T* v, const T* w) {
    const std::int64_t end = p.C * lanes, first = at / (p.C * p.L) * p.L + at % (p.C * p.L);
    T scale[lanes] = {}, counts[lanes] = {}, at_label[lanes];
    for (std::int64_t i = 0; i < n; ++i) {
      counts[i] = T(!labels || labels[first + i] != p.ignore_index);
      scale[i] = gradient_scale(p, dloss, first + i, count);
      if (labels && counts[i] > 0) at_label[i] = scale[i] * (v[labels[first + i] * lanes + i] - even - sharp);
    }
    const Lanes<T> scales = Lanes<T>::load(scale), valid = Lanes<T>::load(counts);
    Lanes<T> weight(T(labels ? 1 : 0));
    for (std::int64_t i = 0; target && i < end; i += lanes) weight += fma(sharps, Lanes<T>::load(w + i), evens);
    for (std::int64_t i = 0; i < end; i += lanes) {
      const Lanes<T> q = target ? fma(sharps, Lanes<T>::load(w + i), evens) : evens;
      const Lanes<T> g = scales * fma(Lanes<T>::load(v + i), weight, zero - q);
      where_greater(valid, zero, g, zero).store(v + i);
    }
    for (std::int64_t i = 0; labels && i < n; ++i)
      if (counts[i] > 0) v[labels[first + i] * lanes + i] = at_label[i];
  };
  const auto row = [&](std::int64_t at) {
    const std::int64_t position = at / p.C, end = at + p.C;
    const bool ignored = labels && labels[position] == p.ignore_index;
    const T g = gradient_scale(p, dloss, position, count);
    const Lanes<T> scale(g);
    const T at_label = labels && !ignored ? g * (probs[at + labels[position]] - even - sharp) : T(0);
    T total = 1;
    if (target) {
      Lanes<T> weight(T(0));
      for_lanes<T>(at, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED { weight += Lanes<T>::load(target + i, n); });
      total = sharp * sum(weight) + static_cast<T>(p.label_smoothing);
    }
    const Lanes<T> weight(total);
    for_lanes<T>(at, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
      const Lanes<T> q = target ? fma(sharps, Lanes<T>::load(target + i, n), evens) : evens;
      const Lanes<T> dxs = scale * fma(Lanes<T>::load(probs + i, n), weight, zero - q);
      (ignored ? zero : dxs).store(dx + i, n);
    });
    if (labels && !ignored) dx[at + labels[position]] = at_label;
  };
  for_distributions<T>(p.N, p.C, p.L, probs, target, dx, row, columns);
}
INSTANTIATE(softmax_cross_entropy_backward)

}  // namespace convolith::CONVOLITH_ISA
