// Softmax cross entropy of logits x (N, C, L) with one target for each of the N * L positions.  Forward: one exp an
// element, one read of x and one write of probs; the loss itself needs one logit per position, or with probabilities
// and smoothing all of them, from cache.  Backward: one read of probs, one write.
#include "class_weights.hpp"
#include "kernels.hpp"
#include "softmax.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// What the loss at one position needs besides its label; d = x - max, v the weights of the classes.
template <class T>
struct Position {
  T max;
  double log_sum;            // log sum exp(d)
  T weighted, weight, even;  // sum of v target d, of v target, of v d: only where there is a target, or smoothing
};

template <class T>
CONVOLITH_INLINE double loss_of(const CrossEntropy& p, const ClassWeights<T>& v, const Position<T>& at, const T* x,
                                const std::int64_t* label) {
  if (label && *label == p.ignore_index) return 0;
  const double loss = label ? v[*label] * (at.log_sum - (static_cast<double>(x[*label * p.L]) - at.max))
                            : at.log_sum * at.weight - at.weighted;
  if (p.label_smoothing == 0) return loss;  // not multiplied by 0: a logit of -inf has an infinite loss
  const double even = (at.log_sum * v.sum() - at.even) / static_cast<double>(p.C);
  return (1 - p.label_smoothing) * loss + p.label_smoothing * even;
}

}  // namespace

// x, probs (N, C, L); labels (N, L) or target (N, C, L), the other null; weight (C) or null; loss (N, L) for none, else
// one value.
template <class T>
void softmax_cross_entropy_forward(const CrossEntropy& p, const T* x, const std::int64_t* labels, const T* target,
                                   const T* weight, T* loss, T* probs) {
  const ClassWeights<T> v(p.C, weight);
  const Scratch<double> scratch(p.N * p.L);
  double* losses = scratch.get();
  const bool all_classes = target || p.label_smoothing != 0;
  const auto keep = [&](std::int64_t n, std::int64_t l, const Position<T>& position) {
    const std::int64_t i = n * p.L + l;
    losses[i] = loss_of(p, v, position, x + n * p.C * p.L + l, labels ? labels + i : nullptr);
  };
  constexpr std::int64_t count = Lanes<T>::count;
  const OutputPieces<T> rows(probs, p.N * p.C * p.L, p.C);
  for_distributions<T>(
      p.N, p.C, p.L, x, target, probs,
      [&](std::int64_t at, int thread) {
        const Normaliser<T> norm = exp_row(p.C, x + at, rows.place(at, thread));
        const Lanes<T> scale(1 / norm.sum), top(norm.max);
        rows.put(at, at + p.C, thread, [=](Lanes<T> e) CONVOLITH_INLINED { return e * scale; });
        Lanes<T> weighted(T(0)), total(T(0)), even(T(0));
        for_lanes<T>(at, all_classes ? at + p.C : at, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
          const Lanes<T> d = Lanes<T>::load(x + i, n, norm.max) - top;
          const Lanes<T> c = Lanes<T>::load(v.get() + (i - at), n);
          const Lanes<T> t = target ? c * Lanes<T>::load(target + i, n) : Lanes<T>(T(0));
          weighted = fma(t, d, weighted);
          total += t;
          even = fma(c, d, even);
        });
        keep(at / p.C, 0, {norm.max, norm.log_sum(), sum(weighted), sum(total), sum(even)});
      },
      [&](std::int64_t at, std::int64_t n, T* packed, const T* w) {
        const Normalisers<T> norm = exp_columns(p.C, packed, packed);
        const Lanes<T> scale = Lanes<T>(T(1)) / norm.sum;
        for (std::int64_t i = 0; i < p.C * count; i += count) (Lanes<T>::load(packed + i) * scale).store(packed + i);
        Lanes<T> weighted(T(0)), total(T(0)), even(T(0));
        for (std::int64_t c = 0; all_classes && c < p.C; ++c) {
          const Lanes<T> d = Lanes<T>::load(x + at + c * p.L, n) - norm.max;
          const Lanes<T> t = target ? Lanes<T>(v[c]) * Lanes<T>::load(w + c * count) : Lanes<T>(T(0));
          weighted = fma(t, d, weighted);
          total += t;
          even = fma(Lanes<T>(v[c]), d, even);
        }
        T lane[5][count];
        norm.max.store(lane[0]);
        norm.log_sum().store(lane[1]);
        weighted.store(lane[2]);
        total.store(lane[3]);
        even.store(lane[4]);
        const std::int64_t image = at / (p.C * p.L), column = at % (p.C * p.L);
        for (std::int64_t i = 0; i < n; ++i)
          keep(image, column + i, {lane[0][i], lane[1][i], lane[2][i], lane[3][i], lane[4][i]});
      });
  reduce_losses(p.reduction, p.N * p.L, losses, sum_of_weights(p, labels, v), loss);
}
INSTANTIATE(softmax_cross_entropy_forward)

// dloss (N, L) for none, else one value; probs, dx (N, C, L); labels (N, L) or target (N, C, L), the other null; weight
// (C) or null.  dx = dloss (probs sum(v q) - v q), q being the smoothed target, v the weights; dx may be probs.
template <class T>
void softmax_cross_entropy_backward(const CrossEntropy& p, const T* dloss, const T* probs, const std::int64_t* labels,
                                    const T* target, const T* weight, T* dx) {
  const ClassWeights<T> v(p.C, weight);
  const double divisor = sum_of_weights(p, labels, v);
  const T sharp = static_cast<T>(1 - p.label_smoothing);
  const T even = static_cast<T>(p.label_smoothing / static_cast<double>(p.C));
  const Lanes<T> zero(T(0)), sharps(sharp), evens(even);
  constexpr std::int64_t lanes = Lanes<T>::count;
  const OutputPieces<T> rows(dx, p.N * p.C * p.L, p.C);
  const auto columns = [&](std::int64_t at, std::int64_t n, T* packed, const T* w) {
    const std::int64_t first = at / (p.C * p.L) * p.L + at % (p.C * p.L);
    T scale[lanes] = {}, counts[lanes] = {}, sums[lanes] = {}, at_label[lanes];
    for (std::int64_t i = 0; i < n; ++i) {
      counts[i] = T(!labels || labels[first + i] != p.ignore_index);
      scale[i] = gradient_scale(p.reduction, dloss, first + i, divisor);
      if (!labels || counts[i] == 0) continue;
      const std::int64_t label = labels[first + i];
      sums[i] = sharp * v[label] + even * v.sum();
      at_label[i] = scale[i] * (packed[label * lanes + i] * sums[i] - v[label] * (sharp + even));
    }
    const auto q = [&](std::int64_t c) CONVOLITH_INLINED {  // v q of class c, but the label's
      return Lanes<T>(v[c]) * (target ? fma(sharps, Lanes<T>::load(w + c * lanes), evens) : evens);
    };
    const Lanes<T> scales = Lanes<T>::load(scale), valid = Lanes<T>::load(counts);
    Lanes<T> total = Lanes<T>::load(sums);
    for (std::int64_t c = 0; target && c < p.C; ++c) total += q(c);
    for (std::int64_t c = 0; c < p.C; ++c) {
      const Lanes<T> g = scales * fma(Lanes<T>::load(packed + c * lanes), total, zero - q(c));
      where_greater(valid, zero, g, zero).store(packed + c * lanes);
    }
    for (std::int64_t i = 0; labels && i < n; ++i)
      if (counts[i] > 0) packed[labels[first + i] * lanes + i] = at_label[i];
  };
  const auto row = [&](std::int64_t at, int thread) {
    const std::int64_t position = at / p.C, end = at + p.C;
    const std::int64_t label = labels ? labels[position] : 0;
    const bool ignored = labels && label == p.ignore_index, hot = labels && !ignored;
    const T g = gradient_scale(p.reduction, dloss, position, divisor);
    const auto q = [&](std::int64_t i, auto n) CONVOLITH_INLINED {  // the same
      return Lanes<T>::load(v.get() + (i - at), n) *
             (target ? fma(sharps, Lanes<T>::load(target + i, n), evens) : evens);
    };
    T total = hot ? sharp * v[label] + even * v.sum() : T(0);
    if (target) {
      Lanes<T> totals(T(0));
      for_lanes<T>(at, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED { totals += q(i, n); });
      total = sum(totals);
    }
    const T at_label = hot ? g * (probs[at + label] * total - v[label] * (sharp + even)) : T(0);
    const Lanes<T> scale(g), sums(total);
    T* to = rows.place(at, thread);
    for_lanes<T>(at, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
      const Lanes<T> dxs = scale * fma(Lanes<T>::load(probs + i, n), sums, zero - q(i, n));
      (ignored ? zero : dxs).store(to + (i - at), n);
    });
    if (hot) to[label] = at_label;
    rows.put(at, end, thread);
  };
  for_distributions<T>(p.N, p.C, p.L, probs, target, dx, row, columns);
}
INSTANTIATE(softmax_cross_entropy_backward)

}  // namespace convolith::CONVOLITH_ISA
