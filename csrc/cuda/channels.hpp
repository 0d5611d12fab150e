// Channels lie last: a thread takes V of them side by side, 16 bytes where C is a multiple, and threadIdx.y counts what
// comes before them.  So what a warp moves is contiguous.
#pragma once

#include "launch.hpp"

namespace convolith::CONVOLITH_DEVICE {

constexpr int block_threads = 256;

// An array of C channels is one of C / V of these.
template <int V, class T>
Vector<T, V>* in_channels(T* p) {
  return reinterpret_cast<Vector<T, V>*>(p);
}
template <int V, class T>
const Vector<T, V>* in_channels(const T* p) {
  return reinterpret_cast<const Vector<T, V>*>(p);
}
template <class T, int V>
__device__ __forceinline__ Vector<T, V> operator+(Vector<T, V> a, const Vector<T, V>& b) {
#pragma unroll
  for (int j = 0; j < V; ++j) a.v[j] += b.v[j];
  return a;
}

// run(Width<V>) with the widest V for C channels of T.
template <int V>
struct Width {
  static constexpr int value = V;
};
template <class T, class F>
void by_width(std::int64_t C, const F& run) {
  constexpr int widest = 16 / sizeof(T);
  C % widest == 0 ? run(Width<widest>{}) : run(Width<1>{});
}

// The size of pieces of n things, at most `most` in each, which differ as little as possible.
constexpr unsigned even_pieces(std::int64_t n, std::int64_t most) {
  return n > 0 ? static_cast<unsigned>(ceil_div(n, ceil_div(n, most))) : 1;
}

// Joins v of the threads i, i + columns, i + 2 columns, ... of a block, the upper half to the lower half until one is
// left, which all of them get: columns = blockDim.x joins along threadIdx.y, 1 the whole block.
// shared (block_threads) may be the same in call after call.
template <class F, class S>
__device__ __forceinline__ S join_threads(F join, const S& v, S* shared, unsigned columns) {
  const unsigned i = threadIdx.y * blockDim.x + threadIdx.x;
  __syncthreads();  // the call before this one has been read
  shared[i] = v;
  for (unsigned rows = blockDim.x * blockDim.y / columns, half; rows > 1; rows = half) {
    half = (rows + 1) / 2;
    __syncthreads();
    if (i < (rows - half) * columns) shared[i] = join(shared[i], shared[i + half * columns]);
  }
  __syncthreads();
  return shared[i % columns];
}

}  // namespace convolith::CONVOLITH_DEVICE
