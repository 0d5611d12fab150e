// Sums and maxima over the lanes of a warp and the threads of a block.  Every thread gets the result, which has the
// same bits in all of them and in every run: a butterfly of shuffles, then the warps one after the other.
#pragma once

#include "launch.hpp"

namespace convolith::CONVOLITH_DEVICE {

constexpr unsigned all_lanes = 0xffffffffu;

struct Sum {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Largest {  // of what is not NaN
  __device__ __forceinline__ float operator()(float a, float b) const { return fmaxf(a, b); }
};
struct LargestOrNan {  // NaN where one is
  __device__ __forceinline__ float operator()(float a, float b) const { return a > b || a != a ? a : b; }
};

// Over groups of `width` neighbouring lanes, a power of two.
template <int width = 32, class F, class T>
__device__ __forceinline__ T warp_reduce(F f, T v) {
#pragma unroll
  for (int with = width / 2; with > 0; with /= 2) v = f(v, __shfl_xor_sync(all_lanes, v, with));
  return v;
}
template <class T>
__device__ __forceinline__ T warp_sum(T v) {
  return warp_reduce(Sum{}, v);
}
__device__ __forceinline__ float warp_max(float v) {
  return warp_reduce(Largest{}, v);
}

// For blocks (blockDim.x) of whole warps; shared (32) may be the same in call after call.
template <class F, class T>
__device__ __forceinline__ T block_reduce(F f, T v, T* shared) {
  v = warp_reduce(f, v);
  __syncthreads();  // the call before this one has been read
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = v;
  __syncthreads();
  v = shared[0];
  for (unsigned warp = 1; warp < blockDim.x / 32; ++warp) v = f(v, shared[warp]);
  return v;
}
template <class T>
__device__ __forceinline__ T block_sum(T v, T* shared) {
  return block_reduce(Sum{}, v, shared);
}
__device__ __forceinline__ float block_max(float v, float* shared) {
  return block_reduce(Largest{}, v, shared);
}

}  // namespace convolith::CONVOLITH_DEVICE
