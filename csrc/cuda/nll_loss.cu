// Negative log likelihood of log-probabilities x (N, L, C), channels last: forward reads one of them for each of the
// N L positions, backward writes all of dx, which bounds it.
#include "class_weights.hpp"
#include "elementwise.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

constexpr int threads = 256;

struct Zero {
  __device__ float operator()() const { return 0; }
};

// x (positions, C), labels (positions); losses (positions), or null and parts (gridDim.x)
template <class T>
__global__ void forward_kernel(std::int64_t positions, ClassWeights<T> weights, const T* x, const std::int64_t* labels,
                               T* losses, Part* parts) {
  Part part{0, 0};
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < positions; i += step) {
    const std::int64_t label = labels[i];
    const float weight = weights.of(label);
    const bool counts = label != weights.ignore_index && weights.has(label);
    const float loss = counts ? -weight * static_cast<float>(x[i * weights.C + label]) : weight;
    if (losses) losses[i] = static_cast<T>(loss);
    part.loss += loss, part.weight += weight;
  }
  if (losses) return;
  part = sum_of_block(part);
  if (threadIdx.x == 0) parts[blockIdx.x] = part;
}

// dloss (positions), or one value and dloss_step 0, which the sum of the weights of parts (n), if there are any,
// divides; dx (positions, C), which is 0 but at the labels
template <class T>
__global__ void backward_kernel(std::int64_t positions, ClassWeights<T> weights, int dloss_step, unsigned n,
                                const Part* parts, const T* dloss, const std::int64_t* labels, T* dx) {
  const float divisor = divisor_of(n, parts, 1);
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < positions; i += step) {
    const std::int64_t label = labels[i];
    if (label == weights.ignore_index || !weights.has(label)) continue;
    const float g = static_cast<float>(dloss[i * dloss_step]) / divisor;
    dx[i * weights.C + label] = static_cast<T>(-weights[label] * g);
  }
}

}  // namespace

// x (N, L, C), labels (N, L), weight (C) or null; loss (N, L) for none, else one value
template <class T>
void nll_loss_forward(const CrossEntropy& p, const T* x, const std::int64_t* labels, const T* weight, T* loss) {
  const std::int64_t positions = p.N * p.L;
  const bool none = p.reduction == Reduction::none;
  const unsigned blocks = positions > 0 ? grid_for(positions, threads) : 0;
  const Scratch<Part> parts(none ? 0 : blocks);
  if (blocks > 0)
    launch("nll_loss_forward", forward_kernel<T>, dim3(blocks), dim3(threads), 0, positions,
           ClassWeights<T>{weight, p.C, p.ignore_index}, x, labels, none ? loss : nullptr, parts.get());
  if (!none)
    launch("nll_loss_forward: reduction", finish_kernel<T>, dim3(1), dim3(threads), 0, blocks,
           p.reduction == Reduction::mean, parts.get(), loss);
}
INSTANTIATE(nll_loss_forward)

// dloss (N, L) for none, else one value; labels (N, L), weight (C) or null; dx (N, L, C)
template <class T>
void nll_loss_backward(const CrossEntropy& p, const T* dloss, const std::int64_t* labels, const T* weight, T* dx) {
  const std::int64_t positions = p.N * p.L;
  if (positions == 0) return;
  const ClassWeights<T> weights{weight, p.C, p.ignore_index};
  const WeightParts<T> parts("nll_loss_backward: labels", p, weights, labels);
  map("nll_loss_backward: zeros", positions * p.C, Zero{}, dx);
  launch("nll_loss_backward", backward_kernel<T>, dim3(grid_for(positions, threads)), dim3(threads), 0, positions,
         weights, p.reduction == Reduction::none ? 1 : 0, parts.n, parts.get(), dloss, labels, dx);
}
INSTANTIATE(nll_loss_backward)

}  // namespace convolith::CONVOLITH_DEVICE
