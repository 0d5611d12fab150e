// The multi-class hinge of scores x (N, C): one read of them each way, and backward one write.
#include "class_weights.hpp"
#include "kernels.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// Calls f(row, label, weight / C) for every row.
template <class T, class F>
CONVOLITH_INLINE void for_rows(const MultiMarginLoss& p, const std::int64_t* labels, const T* weight, const F& f) {
  const ClassWeights<T> weights(p.C, weight);
  parallel_ranges(p.N, max_of<std::int64_t>(1, elementwise_grain / p.C), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) f(i, labels[i], weights[labels[i]] / static_cast<T>(p.C));
  });
}

// Calls f(c, lanes, missing) for all classes but the label, `missing` being what their scores (C) lack to the margin
// below the label's; 0 where that is NaN.
template <class T, class F>
CONVOLITH_INLINE void for_others(const MultiMarginLoss& p, std::int64_t label, const T* scores, const F& f) {
  const Lanes<T> zero(T(0)), base(static_cast<T>(p.margin) - scores[label]);
  const auto run = [&](std::int64_t c, auto n) CONVOLITH_INLINED {
    const Lanes<T> z = base + Lanes<T>::load(scores + c, n, -static_cast<T>(__builtin_inf()));
    f(c, n, where_greater(z, zero, z, zero));
  };
  for_lanes<T>(0, label, run);
  for_lanes<T>(label + 1, p.C, run);
}

}  // namespace

// x (N, C), labels (N), weight (C) or null; loss (N) for none, else one value
template <class T>
void multi_margin_loss_forward(const MultiMarginLoss& p, const T* x, const std::int64_t* labels, const T* weight,
                               T* loss) {
  const Scratch<double> losses(p.N);
  for_rows(p, labels, weight, [&](std::int64_t i, std::int64_t label, T share) {
    Lanes<T> total(T(0));
    for_others(p, label, x + i * p.C, [&](std::int64_t, auto, Lanes<T> missing) CONVOLITH_INLINED {
      total += p.p == 1 ? missing : missing * missing;
    });
    losses.get()[i] = static_cast<double>(share * sum(total));
  });
  reduce_losses(p.reduction, p.N, losses.get(), static_cast<double>(p.N), loss);
}
INSTANTIATE(multi_margin_loss_forward)

// dloss (N) for none, else one value; x (N, C), labels (N), weight (C) or null; dx (N, C), which may be x.  What goes
// up at the other classes goes down at the label.
template <class T>
void multi_margin_loss_backward(const MultiMarginLoss& p, const T* dloss, const T* x, const std::int64_t* labels,
                                const T* weight, T* dx) {
  const Lanes<T> zero(T(0)), one(T(1));
  for_rows(p, labels, weight, [&](std::int64_t i, std::int64_t label, T share) {
    const Lanes<T> g(share * gradient_scale(p.reduction, dloss, i, static_cast<double>(p.N)));
    Lanes<T> total(T(0));
    for_others(p, label, x + i * p.C, [&](std::int64_t c, auto n, Lanes<T> missing) CONVOLITH_INLINED {
      const Lanes<T> slope = g * (p.p == 1 ? where_greater(missing, zero, one, zero) : missing + missing);
      slope.store(dx + i * p.C + c, n);
      total += slope;
    });
    dx[i * p.C + label] = -sum(total);
  });
}
INSTANTIATE(multi_margin_loss_backward)

}  // namespace convolith::CONVOLITH_ISA
