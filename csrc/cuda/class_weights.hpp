// What losses of class labels share: the weight of a class, and sums over positions, of which the mean divides one by
// another.  Sums go in two steps: blocks that stride over the positions leave parts, which one block adds.
#pragma once

#include "reduce.hpp"

namespace convolith::CONVOLITH_DEVICE {

// weight (C), or null: ones
template <class T>
struct ClassWeights {
  const T* weight;
  std::int64_t C, ignore_index;

  __device__ __forceinline__ float operator[](std::int64_t c) const {
    return weight ? static_cast<float>(weight[c]) : 1.0f;
  }
  __device__ __forceinline__ bool has(std::int64_t label) const { return label >= 0 && label < C; }
  // What a label counts: NaN if it is none.
  __device__ __forceinline__ float of(std::int64_t label) const {
    return label == ignore_index ? 0.0f : has(label) ? (*this)[label] : NAN;
  }
};

// Of some positions: the sum of their losses, and of their weights.
struct Part {
  double loss, weight;
};
__device__ __forceinline__ Part sum_of_block(Part part) {
  SHARED(losses, double[32]);
  SHARED(weights, double[32]);
  return {block_sum(part.loss, losses), block_sum(part.weight, weights)};
}

// parts (n), loss (1): the sum or the mean, which over nothing is NaN; one block
template <class T>
__global__ void finish_kernel(unsigned n, bool mean, const Part* parts, T* loss) {
  Part all{0, 0};
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x) all.loss += parts[i].loss, all.weight += parts[i].weight;
  all = sum_of_block(all);
  if (threadIdx.x == 0) loss[0] = static_cast<T>(static_cast<float>(mean ? all.loss / all.weight : all.loss));
}

// labels (positions), parts (gridDim.x): the weights alone
template <class T>
__global__ void weights_kernel(std::int64_t positions, ClassWeights<T> weights, const std::int64_t* labels,
                               Part* parts) {
  Part part{0, 0};
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < positions; i += step)
    part.weight += weights.of(labels[i]);
  part = sum_of_block(part);
  if (threadIdx.x == 0) parts[blockIdx.x] = part;
}

// What gradients of the mean over labels (N, L) are divided by, in parts (n); with probabilities or without a mean
// there are none.
template <class T>
class WeightParts {
 public:
  const unsigned n;
  WeightParts(const char* name, const CrossEntropy& p, const ClassWeights<T>& weights, const std::int64_t* labels)
      : n(p.reduction == Reduction::mean && labels ? blocks_for(p.N * p.L) : 0), parts_(n) {
    if (n > 0) launch(name, weights_kernel<T>, dim3(n), dim3(256), 0, p.N * p.L, weights, labels, parts_.get());
  }
  const Part* get() const { return parts_.get(); }

 private:
  static unsigned blocks_for(std::int64_t positions) {
    constexpr unsigned most = 2 * 132;  // every block of the gradient reads them
    const unsigned blocks = grid_for(positions, 256);
    return blocks < most ? blocks : most;
  }
  Scratch<Part> parts_;
};

// The sum of them, for every thread of a block; `divisor` where there are none.
__device__ __forceinline__ float divisor_of(unsigned n, const Part* parts, float divisor) {
  if (n == 0) return divisor;
  Part all{0, 0};
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x) all.weight += parts[i].weight;
  return static_cast<float>(sum_of_block(all).weight);
}

}  // namespace convolith::CONVOLITH_DEVICE
