// Maxout: the largest of some neighbouring channels (Goodfellow et al. 2013), which lie side by side.  A thread has one
// output.  Bytes bound it: x and y, and backward dy, x and dx.
#include "launch.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

constexpr int threads = 256;

// The first of several that are the largest; NaN is larger than any number.
template <class T>
__device__ __forceinline__ int first_largest(const T* x, int pieces) {
  int first = 0;
  float best = static_cast<float>(x[0]);
  for (int i = 1; i < pieces; ++i) {
    const float v = static_cast<float>(x[i]);
    if (!(v > best || (v != v && best == best))) continue;
    first = i;
    best = v;
  }
  return first;
}

// x (n, pieces), y (n)
template <class T>
__global__ void __launch_bounds__(threads) forward_kernel(std::int64_t n, int pieces, const T* x, T* y) {
  const std::int64_t step = std::int64_t{gridDim.x} * threads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x; i < n; i += step)
    y[i] = x[i * pieces + first_largest(x + i * pieces, pieces)];
}

// dy (n), x, dx (n, pieces)
template <class T>
__global__ void __launch_bounds__(threads) backward_kernel(std::int64_t n, int pieces, const T* dy, const T* x, T* dx) {
  const std::int64_t step = std::int64_t{gridDim.x} * threads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x; i < n; i += step) {
    const int first = first_largest(x + i * pieces, pieces);
    for (int j = 0; j < pieces; ++j) dx[i * pieces + j] = j == first ? dy[i] : T(0.0f);
  }
}

}  // namespace

// x (N, L, K * pieces), y (N, L, K)
template <class T>
void maxout_forward(const Maxout& p, const T* x, T* y) {
  const std::int64_t n = p.N * p.L * p.K;
  if (n == 0) return;
  launch("maxout_forward", forward_kernel<T>, dim3(grid_for(n, threads)), dim3(threads), 0, n,
         static_cast<int>(p.pieces), x, y);
}
INSTANTIATE(maxout_forward)

// dy (N, L, K), x, dx (N, L, K * pieces)
template <class T>
void maxout_backward(const Maxout& p, const T* dy, const T* x, T* dx) {
  const std::int64_t n = p.N * p.L * p.K;
  if (n == 0) return;
  launch("maxout_backward", backward_kernel<T>, dim3(grid_for(n, threads)), dim3(threads), 0, n,
         static_cast<int>(p.pieces), dy, x, dx);
}
INSTANTIATE(maxout_backward)

}  // namespace convolith::CONVOLITH_DEVICE
