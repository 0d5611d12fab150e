// Negative log likelihood of log-probabilities x (N, C, L): forward reads one of them for each of the N L positions,
// backward writes all of dx, which bounds it.
#include "class_weights.hpp"
#include "kernels.hpp"

namespace convolith::CONVOLITH_ISA {

// x (N, C, L), labels (N, L), weight (C) or null; loss (N, L) for none, else one value
template <class T>
void nll_loss_forward(const CrossEntropy& p, const T* x, const std::int64_t* labels, const T* weight, T* loss) {
  const std::int64_t positions = p.N * p.L;
  const ClassWeights<T> weights(p.C, weight);
  const Scratch<double> losses(positions);
  parallel_ranges(positions, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const bool ignored = labels[i] == p.ignore_index;
      const std::int64_t at = (i / p.L * p.C + labels[i]) * p.L + i % p.L;
      losses.get()[i] = ignored ? 0 : -static_cast<double>(weights[labels[i]]) * static_cast<double>(x[at]);
    }
  });
  reduce_losses(p.reduction, positions, losses.get(), sum_of_weights(p, labels, weights), loss);
}
INSTANTIATE(nll_loss_forward)

// dloss (N, L) for none, else one value; labels (N, L), weight (C) or null; dx (N, C, L)
template <class T>
void nll_loss_backward(const CrossEntropy& p, const T* dloss, const std::int64_t* labels, const T* weight, T* dx) {
  const ClassWeights<T> weights(p.C, weight);
  const double divisor = sum_of_weights(p, labels, weights);
  const std::int64_t size = p.N * p.C * p.L;
  const Output<T> out(dx, size);
  parallel_ranges(size, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    out.fill(begin, end, [](std::int64_t, auto) CONVOLITH_INLINED { return Lanes<T>(T(0)); });
  });
  parallel_ranges(p.N * p.L, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      if (labels[i] == p.ignore_index) continue;
      const T g = gradient_scale(p.reduction, dloss, i, divisor);
      dx[(i / p.L * p.C + labels[i]) * p.L + i % p.L] = -weights[labels[i]] * g;
    }
  });
}
INSTANTIATE(nll_loss_backward)

}  // namespace convolith::CONVOLITH_ISA
