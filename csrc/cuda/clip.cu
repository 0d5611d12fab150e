// What clips gradients: their norm, one read an element, and bounds, one read and one write.
#include "elementwise.hpp"
#include "reduce.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

constexpr int threads = 256;

// Each combines an element's magnitude with what came before.
struct SumOfMagnitudes : Sum {
  static __device__ float of(float x) { return fabsf(x); }
};
struct SumOfSquares : Sum {
  static __device__ float of(float x) { return x * x; }
};
struct LargestMagnitude : LargestOrNan {
  static __device__ float of(float x) { return fabsf(x); }
};

// x (n), 16-byte aligned, y (gridDim.x): each block's part.
template <class F, class T>
__global__ void norm_kernel(std::int64_t n, bool root, const T* x, float* y) {
  const F f{};
  const std::int64_t packs = n / Pack<T>::size, step = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t first = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  float part = 0;
  for (std::int64_t i = first; i < packs; i += step) {
    const Pack<T> v = reinterpret_cast<const Pack<T>*>(x)[i];
#pragma unroll
    for (int j = 0; j < Pack<T>::size; ++j) part = f(part, F::of(static_cast<float>(v.v[j])));
  }
  for (std::int64_t i = packs * Pack<T>::size + first; i < n; i += step)
    part = f(part, F::of(static_cast<float>(x[i])));
  SHARED(shared, float[32]);
  part = block_reduce(f, part, shared);
  if (threadIdx.x == 0) y[blockIdx.x] = root ? sqrtf(part) : part;
}

// Blocks leave their parts, which one block combines: by `Then`, for a square is taken once.
template <class F, class Then, class T>
void norm(std::int64_t n, bool root, const T* x, float* y) {
  const unsigned blocks = n == 0 ? 1 : grid_for(ceil_div(n, Pack<T>::size), threads);
  const Scratch<float> parts(blocks);
  launch("total_norm_forward", norm_kernel<F, T>, dim3(blocks), dim3(threads), 0, n, false, x, parts.get());
  launch("total_norm_forward", norm_kernel<Then, float>, dim3(1), dim3(threads), 0, blocks, root, parts.get(), y);
}

struct Clamp {
  float limit;

  __device__ float operator()(float x) const { return x > limit ? limit : x < -limit ? -limit : x; }  // NaN stays
};

}  // namespace

// x (n), y ()
template <class T>
void total_norm_forward(const TotalNorm& p, const T* x, Parameter<T>* y) {
  const bool root = p.root == 2;
  if (p.p == 1)
    norm<SumOfMagnitudes, SumOfMagnitudes>(p.n, root, x, y);
  else if (p.p == 2)
    norm<SumOfSquares, SumOfMagnitudes>(p.n, root, x, y);
  else
    norm<LargestMagnitude, LargestMagnitude>(p.n, root, x, y);
}
INSTANTIATE(total_norm_forward)

// x, y (n)
template <class T>
void clip_forward(const Clip& p, const T* x, T* y) {
  map("clip_forward", p.n, Clamp{static_cast<float>(p.limit)}, y, x);
}
INSTANTIATE(clip_forward)

}  // namespace convolith::CONVOLITH_DEVICE
