// Kernels whose outputs each gather what they are made of: a thread has the channels c (one, or a Vector of them) of a
// position (n, h, w) at a time, so that what a warp writes is contiguous.
#pragma once

#include "pool2d.hpp"

namespace convolith::CONVOLITH_DEVICE {

// gather(n, h, w, c) writes an element of an array (N, H, W, C), C counting what a thread writes at a time.
template <class Gather>
__global__ void __launch_bounds__(block_threads)
    positions_kernel(std::int64_t N, int H, int W, std::int64_t C, unsigned tiles, Gather gather) {
  const Place place(tiles);
  if (place.c >= C) return;
  for (std::int64_t n = blockIdx.z; n < N; n += gridDim.z)
    for (int h = static_cast<int>(blockIdx.y); h < H; h += static_cast<int>(gridDim.y))
      for (int w = place.column; w < W; w += place.every) gather(n, h, w, place.c);
}

template <class Gather>
void at_positions(const char* name, std::int64_t N, std::int64_t H, std::int64_t W, std::int64_t C, Gather gather) {
  if (N * H * W * C == 0) return;
  const Walk walk(N, C, static_cast<int>(H), static_cast<int>(W));
  launch(name, positions_kernel<Gather>, walk.grid, walk.block, 0, N, H, W, C, walk.tiles, gather);
}

// The sum of Vectors, in float.
template <int V>
struct Total {
  Vector<float, V> sum{};

  template <class T>
  __device__ __forceinline__ void add(const Vector<T, V>& x, float weight = 1) {
#pragma unroll
    for (int j = 0; j < V; ++j) sum.v[j] += static_cast<float>(x.v[j]) * weight;
  }
  template <class T>
  __device__ __forceinline__ Vector<T, V> as(T) const {
    Vector<T, V> y;
#pragma unroll
    for (int j = 0; j < V; ++j) y.v[j] = static_cast<T>(sum.v[j]);
    return y;
  }
};

}  // namespace convolith::CONVOLITH_DEVICE
