// Local response normalisation of x (M, C), M = N L: y = x s^-beta with s = k + alpha times the sum of squares over a
// window of neighbouring channels.
//
// Forward reads x, windows from L1, and writes y.  Backward reads dy and x and writes dx: what the windows that a
// channel is in send back to it goes through shared memory, with a border of those that belong to the channels beside.
#include "channels.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// A block takes `tile` channels of blockDim.y rows; tiles lie beside each other in the grid.
struct Tiles {
  std::int64_t M, count;
  unsigned tile, rows;

  explicit Tiles(const ResponseNorm& p) : M(p.N * p.L) {
    tile = even_pieces(p.C, block_threads);
    rows = even_pieces(M, block_threads / tile);
    count = ceil_div(p.C, tile);
  }
  dim3 grid() const { return static_cast<unsigned>(ceil_div(M, rows) * count); }
  dim3 block() const { return {tile, rows}; }
};
struct Place {
  std::int64_t row, c;

  __device__ __forceinline__ explicit Place(const Tiles& tiles)
      : row(blockIdx.x / tiles.count * blockDim.y + threadIdx.y),
        c(blockIdx.x % tiles.count * blockDim.x + threadIdx.x) {}
};

// x (C): s of channel c.
template <class T>
__device__ __forceinline__ float scale(const ResponseNorm& p, const T* x, std::int64_t c) {
  float squares = 0;
  const std::int64_t last = min(p.C - 1, c + p.after);
  for (std::int64_t j = max(c - p.before, std::int64_t{0}); j <= last; ++j)
    squares = fmaf(static_cast<float>(x[j]), static_cast<float>(x[j]), squares);
  return fmaf(static_cast<float>(p.alpha), squares, static_cast<float>(p.k));
}

// How s^-beta is found: three quarters, the usual power, are two square roots.
struct ThreeQuarters {
  __device__ __forceinline__ float operator()(const ResponseNorm&, float s) const {
    const float root = sqrtf(s);
    return 1 / (root * sqrtf(root));
  }
};
struct Any {
  __device__ __forceinline__ float operator()(const ResponseNorm& p, float s) const {
    return powf(s, static_cast<float>(-p.beta));
  }
};

// x, y (M, C)
template <class Power, class T>
__global__ void __launch_bounds__(block_threads) forward_kernel(ResponseNorm p, Tiles tiles, const T* x, T* y) {
  const Place at(tiles);
  if (at.row >= tiles.M || at.c >= p.C) return;
  const T* row = x + at.row * p.C;
  y[at.row * p.C + at.c] = static_cast<T>(static_cast<float>(row[at.c]) * Power{}(p, scale(p, row, at.c)));
}

// dy, x, dx (M, C); terms (blockDim.y, tile + border): dy x s^(-beta - 1) of the tile's channels, with `after` more
// before them and `before` behind, 0 where there are none.
template <class Power, class T>
__global__ void __launch_bounds__(block_threads)
    backward_kernel(ResponseNorm p, Tiles tiles, const T* dy, const T* x, T* dx) {
  DYNAMIC_SHARED(shared, float);
  const Place at(tiles);
  const std::int64_t border = p.before + p.after, first = at.c - threadIdx.x - p.after, base = at.row * p.C;
  float* terms = shared + threadIdx.y * (blockDim.x + border);
  for (std::int64_t i = threadIdx.x; i < blockDim.x + border; i += blockDim.x) {
    const std::int64_t c = first + i;
    float term = 0;
    if (at.row < tiles.M && c >= 0 && c < p.C) {
      const float s = scale(p, x + base, c);
      term = static_cast<float>(dy[base + c]) * static_cast<float>(x[base + c]) * Power{}(p, s) / s;
    }
    terms[i] = term;
  }
  __syncthreads();
  if (at.row >= tiles.M || at.c >= p.C) return;
  float through = 0;
  for (std::int64_t i = 0; i <= border; ++i) through += terms[threadIdx.x + i];
  const float direct = static_cast<float>(dy[base + at.c]) * Power{}(p, scale(p, x + base, at.c));
  const float slope = static_cast<float>(-2 * p.alpha * p.beta) * static_cast<float>(x[base + at.c]);
  dx[base + at.c] = static_cast<T>(fmaf(slope, through, direct));
}

}  // namespace

// x, y (N, L, C)
template <class T>
void local_response_norm_forward(const ResponseNorm& p, const T* x, T* y) {
  if (p.N * p.L * p.C == 0) return;
  const Tiles tiles(p);
  launch("local_response_norm_forward", p.beta == 0.75 ? forward_kernel<ThreeQuarters, T> : forward_kernel<Any, T>,
         tiles.grid(), tiles.block(), 0, p, tiles, x, y);
}
INSTANTIATE(local_response_norm_forward)

// dy, x, dx (N, L, C): dx_c = dy_c s_c^-beta - 2 alpha beta x_c (sum of dy_j x_j s_j^(-beta - 1) over all windows j
// that c is in).
template <class T>
void local_response_norm_backward(const ResponseNorm& p, const T* dy, const T* x, T* dx) {
  if (p.N * p.L * p.C == 0) return;
  const Tiles tiles(p);
  const std::size_t shared = tiles.rows * static_cast<std::size_t>(tiles.tile + p.before + p.after) * sizeof(float);
  launch("local_response_norm_backward", p.beta == 0.75 ? backward_kernel<ThreeQuarters, T> : backward_kernel<Any, T>,
         tiles.grid(), tiles.block(), shared, p, tiles, dy, x, dx);
}
INSTANTIATE(local_response_norm_backward)

}  // namespace convolith::CONVOLITH_DEVICE
