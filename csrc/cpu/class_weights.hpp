// What losses of class labels share: the weight of a class, and what the mean over positions divides by.
#pragma once

#include "../shapes.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {

// The weights (C) that were given, or ones.
template <class T>
class ClassWeights {
 public:
  ClassWeights(std::int64_t C, const T* weight) : given_(weight), ones_(weight ? 0 : C), sum_(0) {
    for (std::int64_t c = 0; !weight && c < C; ++c) ones_.get()[c] = 1;
    for (std::int64_t c = 0; c < C; ++c) sum_ += get()[c];
  }
  const T* get() const { return given_ ? given_ : ones_.get(); }
  T operator[](std::int64_t c) const { return get()[c]; }
  T sum() const { return static_cast<T>(sum_); }

 private:
  const T* given_;
  Scratch<T> ones_;
  double sum_;
};

// The sum of f(i) over [0, n): of some thousand each, then of those, so that it stays accurate.
template <class F>
double sum_in_parts(std::int64_t n, const F& f) {
  constexpr std::int64_t grain = elementwise_grain / 4;
  const std::int64_t parts = ceil_div(n, grain);
  const Scratch<double> sums(parts);
  parallel_ranges(n, grain, [&](std::int64_t begin, std::int64_t end) {
    double part = 0;
    for (std::int64_t i = begin; i < end; ++i) part += f(i);
    sums.get()[begin / grain] = part;
  });
  double total = 0;
  for (std::int64_t i = 0; i < parts; ++i) total += sums.get()[i];
  return total;
}

// The sum of the weights of the labels (N, L) that are not ignored; of probabilities, labels being null, the number of
// positions.
template <class T>
double sum_of_weights(const CrossEntropy& p, const std::int64_t* labels, const ClassWeights<T>& weight) {
  const std::int64_t positions = p.N * p.L;
  if (!labels) return static_cast<double>(positions);
  return sum_in_parts(positions, [&](std::int64_t i) {
    return labels[i] == p.ignore_index ? 0.0 : static_cast<double>(weight[labels[i]]);
  });
}

// What the gradient at a position is multiplied by: dloss (N, L) for none, else one value.
template <class T>
CONVOLITH_INLINE T gradient_scale(Reduction reduction, const T* dloss, std::int64_t position, double divisor) {
  if (reduction == Reduction::none) return dloss[position];
  return reduction == Reduction::sum ? dloss[0] : static_cast<T>(static_cast<double>(dloss[0]) / divisor);
}

// loss: `losses` (n) itself for none, else their sum, divided by `divisor` for the mean.
template <class T>
void reduce_losses(Reduction reduction, std::int64_t n, const double* losses, double divisor, T* loss) {
  if (reduction == Reduction::none) {
    for (std::int64_t i = 0; i < n; ++i) loss[i] = static_cast<T>(losses[i]);
    return;
  }
  const double total = sum_in_parts(n, [&](std::int64_t i) { return losses[i]; });
  loss[0] = static_cast<T>(reduction == Reduction::sum ? total : total / divisor);
}

}  // namespace convolith::CONVOLITH_ISA
