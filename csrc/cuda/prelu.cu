// A leaky relu with a slope that is learnt, one for all or one per channel.  Bytes bound it: forward reads x and writes
// y, backward reads dy and x once and writes dx and, of each chunk of rows, sums for the slopes.
#include "channels.hpp"
#include "reduce.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// x (M, C), M = N L, in a grid of tiles of channels x chunks of rows, and its blocks of (channels, rows): four blocks
// for each multiprocessor, but no fewer than 16 rows for a thread.
struct Chunks {
  std::int64_t M, C, size;  // rows, Vectors of channels, rows of a chunk
  dim3 grid, block;

  Chunks(const Prelu& p, int V) : M(p.N * p.L), C(p.C / V), size(1) {
    block.x = even_pieces(C, 32);
    block.y = even_pieces(M, block_threads / block.x);
    grid.x = static_cast<unsigned>(ceil_div(C, block.x));
    const std::int64_t wanted = max(min(M / (16 * block.y), std::int64_t{4 * 132} / grid.x), std::int64_t{1});
    if (M > 0) size = ceil_div(M, wanted);
    grid.y = static_cast<unsigned>(ceil_div(M, size));
  }
};

// x, y (M, C), w (C): y = x where x > 0, else w x
template <int V, class T>
__global__ void __launch_bounds__(block_threads)
    forward_kernel(std::int64_t M, std::int64_t C, std::int64_t size, const Vector<T, V>* x,
                   const Vector<Parameter<T>, V>* w, Vector<T, V>* y) {
  const std::int64_t c = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x, begin = blockIdx.y * size;
  if (c >= C) return;
  const Vector<Parameter<T>, V> slope = w[c];
#pragma unroll 4
  for (std::int64_t row = begin + threadIdx.y; row < min(begin + size, M); row += blockDim.y) {
    Vector<T, V> v = x[row * C + c];
#pragma unroll
    for (int j = 0; j < V; ++j) {
      const float f = static_cast<float>(v.v[j]);
      v.v[j] = static_cast<T>(f > 0 ? f : static_cast<float>(slope.v[j]) * f);
    }
    y[row * C + c] = v;
  }
}

// dy, x, dx (M, C), w (C), sums (chunks, C): dx = dy where x > 0, else w dy; sums of x dy where not x > 0
template <int V, class T>
__global__ void __launch_bounds__(block_threads)
    backward_kernel(std::int64_t M, std::int64_t C, std::int64_t size, const Vector<T, V>* dy, const Vector<T, V>* x,
                    const Vector<Parameter<T>, V>* w, Vector<T, V>* dx, Vector<float, V>* sums) {
  SHARED(shared, Vector<float, V>[block_threads]);
  const std::int64_t c = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x, begin = blockIdx.y * size;
  Vector<float, V> total{};
  if (c < C) {
    const Vector<Parameter<T>, V> slope = w[c];
#pragma unroll 4
    for (std::int64_t row = begin + threadIdx.y; row < min(begin + size, M); row += blockDim.y) {
      const Vector<T, V> v = x[row * C + c];
      Vector<T, V> g = dy[row * C + c];
#pragma unroll
      for (int j = 0; j < V; ++j) {
        const float f = static_cast<float>(v.v[j]), d = static_cast<float>(g.v[j]);
        if (f > 0) continue;
        total.v[j] = fmaf(f, d, total.v[j]);
        g.v[j] = static_cast<T>(static_cast<float>(slope.v[j]) * d);
      }
      dx[row * C + c] = g;
    }
  }
  total = join_threads(Sum{}, total, shared, blockDim.x);
  if (threadIdx.y == 0 && c < C) sums[blockIdx.y * C + c] = total;
}

}  // namespace

// x, y (N, L, C), w (C)
template <class T>
void prelu_forward(const Prelu& p, const T* x, const Parameter<T>* w, T* y) {
  if (p.N * p.L == 0) return;
  by_width<T>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const Chunks chunks(p, V);
    launch("prelu_forward", forward_kernel<V, T>, chunks.grid, chunks.block, 0, chunks.M, chunks.C, chunks.size,
           in_channels<V>(x), in_channels<V>(w), in_channels<V>(y));
  });
}
INSTANTIATE(prelu_forward)

// dy, x, dx (N, L, C), w, dw (C)
template <class T>
void prelu_backward(const Prelu& p, const T* dy, const T* x, const Parameter<T>* w, T* dx, Parameter<T>* dw) {
  if (p.N * p.L == 0) return bias_sum<float>(BiasSum{0, p.C, 0}, nullptr, dw);
  by_width<T>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const Chunks chunks(p, V);
    const Scratch<float> sums(chunks.grid.y * p.C);
    launch("prelu_backward", backward_kernel<V, T>, chunks.grid, chunks.block, 0, chunks.M, chunks.C, chunks.size,
           in_channels<V>(dy), in_channels<V>(x), in_channels<V>(w), in_channels<V>(dx), in_channels<V>(sums.get()));
    bias_sum(BiasSum{1, p.C, chunks.grid.y}, sums.get(), dw);
  });
}
INSTANTIATE(prelu_backward)

}  // namespace convolith::CONVOLITH_DEVICE
