// Pooling, forward: windows are reduced by a thread each, or where there are few, by a block.  One read of x and one
// write of y (and indices) bound it; what windows share comes from L1 and L2.
#pragma once

#include "pool2d.hpp"

namespace convolith::CONVOLITH_DEVICE {

// y (N, P, Q, C)
template <class T, int V>
struct Average {
  using Input = Vector<T, V>;
  using State = Vector<float, V>;
  Input* y;

  static __device__ __forceinline__ Input outside() { return {}; }
  static __device__ __forceinline__ State start(std::int64_t) { return {}; }
  static __device__ __forceinline__ void take(State& s, const Input& x, std::int64_t) {
#pragma unroll
    for (int j = 0; j < V; ++j) s.v[j] += static_cast<float>(x.v[j]);
  }
  __device__ __forceinline__ State operator()(const State& a, const State& b) const { return a + b; }
  __device__ __forceinline__ void finish(const State& s, std::int64_t output, float divisor) const {
    const float scale = 1 / divisor;
    Input mean;
#pragma unroll
    for (int j = 0; j < V; ++j) mean.v[j] = static_cast<T>(s.v[j] * scale);
    y[output] = mean;
  }
};

// y, indices (N, P, Q, C): the first maximum (minimum), or the first NaN, and where it is.
template <class T, int V, bool minimum>
struct Extreme {
  using Input = Vector<T, V>;
  struct State {
    float value[V];
    std::int64_t at[V];
  };
  static constexpr float worst = minimum ? INFINITY : -INFINITY;
  Input* y;
  Vector<std::int64_t, V>* indices;

  static __device__ __forceinline__ bool better(float v, float best) {
    return !(minimum ? v >= best : v <= best) && best == best;
  }
  static __device__ __forceinline__ Input outside() {
    Input x;
#pragma unroll
    for (int j = 0; j < V; ++j) x.v[j] = static_cast<T>(worst);
    return x;
  }
  // first: a window's first position, which wins if nothing in it is better than what lies outside.
  static __device__ __forceinline__ State start(std::int64_t first) {
    State s;
#pragma unroll
    for (int j = 0; j < V; ++j) s.value[j] = worst, s.at[j] = first;
    return s;
  }
  static __device__ __forceinline__ void take(State& s, const Input& x, std::int64_t at) {
#pragma unroll
    for (int j = 0; j < V; ++j) {
      const auto v = static_cast<float>(x.v[j]);
      const bool takes = better(v, s.value[j]);
      s.value[j] = takes ? v : s.value[j];
      s.at[j] = takes ? at : s.at[j];
    }
  }
  __device__ __forceinline__ State operator()(State a, const State& b) const {
#pragma unroll
    for (int j = 0; j < V; ++j) {
      const bool earlier = b.at[j] < a.at[j] && !better(a.value[j], b.value[j]);
      const bool takes = earlier || better(b.value[j], a.value[j]);
      a.value[j] = takes ? b.value[j] : a.value[j];
      a.at[j] = takes ? b.at[j] : a.at[j];
    }
    return a;
  }
  __device__ __forceinline__ void finish(const State& s, std::int64_t output, float) const {
    Input value;
    Vector<std::int64_t, V> at;
#pragma unroll
    for (int j = 0; j < V; ++j) value.v[j] = static_cast<T>(s.value[j]), at.v[j] = s.at[j];
    y[output] = value;
    indices[output] = at;
  }
};

// Of each row of a window the positions first, first + every, ... below last; x (H, W, C) from a channel on.
// size: how many rows and positions there are, 0 for any.  Some loads are issued before the first is waited for.
template <class Pool, int size>
__device__ __forceinline__ typename Pool::State reduce_window(Span down, Span across, int H, int W, std::int64_t C,
                                                              const typename Pool::Input* x, int first, int last,
                                                              int every) {
  constexpr int batch = size ? size : 4;
  int top = down.begin, left = across.begin;
  while (top < 0) top += down.step;
  while (left < 0) left += across.step;
  typename Pool::State state = Pool::start(std::int64_t{top} * W + left);
#pragma unroll
  for (int r = 0; r < (size ? size : down.count); ++r) {
    const int h = down.begin + r * down.step, next = every * across.step;
    for (int s = first; s < last; s += batch * every) {
      const int w = across.begin + s * across.step;
      const std::int64_t position = std::int64_t{h} * W + w;
      typename Pool::Input v[batch];
#pragma unroll
      for (int i = 0; i < batch; ++i) {
        const bool inside = h >= 0 && h < H && w + i * next >= 0 && w + i * next < W && s + i * every < last;
        v[i] = Pool::outside();
        if (inside) v[i] = x[(position + i * next) * C];
      }
#pragma unroll
      for (int i = 0; i < batch; ++i) Pool::take(state, v[i], position + i * next);
    }
  }
  return state;
}

// x (N, H, W, C).  A thread has a window at a time.
template <class Pool, int size, class Windows>
__global__ void __launch_bounds__(block_threads, 3)
    pool_kernel(std::int64_t N, std::int64_t C, unsigned tiles, Windows rows, Windows columns,
                const typename Pool::Input* x, Pool pool) {
  const Place place(tiles);
  if (place.c >= C) return;
  for (std::int64_t n = blockIdx.z; n < N; n += gridDim.z) {
    const auto* plane = x + n * rows.in * columns.in * C + place.c;
    for (int p = static_cast<int>(blockIdx.y); p < rows.out; p += static_cast<int>(gridDim.y)) {
      const Span down = rows.window_of(p);
      for (int q = place.column; q < columns.out; q += place.every) {
        const Span across = columns.window_of(q);
        const auto state =
            reduce_window<Pool, size>(down, across, rows.in, columns.in, C, plane, 0, size ? size : across.count, 1);
        pool.finish(state, ((n * rows.out + p) * columns.out + q) * C + place.c, rows.extent(p) * columns.extent(q));
      }
    }
  }
}

// x (N, H, W, C).  A block has a window at a time, or `pieces` blocks share it and leave their states in parts
// (N, P, Q, pieces, C), which is null otherwise.
template <class Pool, class Windows>
__global__ void __launch_bounds__(block_threads, 4)
    share_kernel(std::int64_t N, std::int64_t C, unsigned tiles, Windows rows, Windows columns,
                 const typename Pool::Input* x, Pool pool, typename Pool::State* parts) {
  SHARED(shared, typename Pool::State[block_threads]);
  const Place place(tiles);
  const int lane = static_cast<int>(threadIdx.y), lanes = static_cast<int>(blockDim.y);
  const int pieces = place.every / lanes, piece = place.column / lanes;
  for (std::int64_t n = blockIdx.z; n < N; n += gridDim.z) {
    const auto* plane = x + n * rows.in * columns.in * C + place.c;
    for (std::int64_t o = blockIdx.y; o < std::int64_t{rows.out} * columns.out; o += gridDim.y) {
      const int p = static_cast<int>(o / columns.out), q = static_cast<int>(o % columns.out);
      const Span down = rows.window_of(p), across = columns.window_of(q);
      const int length = ceil_div(across.count, pieces), begin = piece * length;
      const int end = place.c < C ? min(begin + length, across.count) : 0;
      auto state = reduce_window<Pool, 0>(down, across, rows.in, columns.in, C, plane, begin + lane, end, lanes);
      state = join_threads(pool, state, shared, blockDim.x);
      if (place.c >= C || lane > 0) continue;
      const std::int64_t output = n * rows.out * columns.out + o;
      if (parts)
        parts[(output * pieces + piece) * C + place.c] = state;
      else
        pool.finish(state, output * C + place.c, rows.extent(p) * columns.extent(q));
    }
  }
}

// parts (N, P, Q, pieces, C)
template <class Pool, class Windows>
__global__ void __launch_bounds__(block_threads, 4)
    join_kernel(std::int64_t N, std::int64_t C, Windows rows, Windows columns, int pieces,
                const typename Pool::State* parts, Pool pool) {
  const std::int64_t c = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (c >= C) return;
  for (std::int64_t n = blockIdx.z; n < N; n += gridDim.z) {
    for (std::int64_t o = blockIdx.y; o < std::int64_t{rows.out} * columns.out; o += gridDim.y) {
      const std::int64_t output = n * rows.out * columns.out + o;
      const auto* from = parts + output * pieces * C + c;
      auto state = *from;
      for (int i = 1; i < pieces; ++i) state = pool(state, from[i * C]);
      const int p = static_cast<int>(o / columns.out), q = static_cast<int>(o % columns.out);
      pool.finish(state, output * C + c, rows.extent(p) * columns.extent(q));
    }
  }
}

// x (N, H, W, C) of C Vectors
template <class Pool, class Windows>
void reduce_windows(const char* name, std::int64_t N, std::int64_t C, Windows rows, Windows columns,
                    const typename Pool::Input* x, Pool pool) {
  constexpr std::int64_t busy = 132 * 1024, most = 65535;  // busy: threads, to fill a GPU
  if (N == 0) return;
  lay_down(rows, columns);
  const std::int64_t outputs = std::int64_t{rows.out} * columns.out, across = columns.largest();
  if (rows.largest() * across < 16 || N * outputs * C >= busy) {
    const auto kernel = rows.all_of(2) && columns.all_of(2)   ? pool_kernel<Pool, 2, Windows>
                        : rows.all_of(3) && columns.all_of(3) ? pool_kernel<Pool, 3, Windows>
                                                              : pool_kernel<Pool, 0, Windows>;
    const Walk walk(N, C, rows.out, columns.out);
    return launch(name, kernel, walk.grid, walk.block, 0, N, C, walk.tiles, rows, columns, x, pool);
  }
  const unsigned width = even_pieces(C, 32), lanes = even_pieces(across, block_threads / width);
  const auto tiles = static_cast<unsigned>(ceil_div(C, width));
  const auto y = static_cast<unsigned>(min(outputs, most)), z = static_cast<unsigned>(min(N, most));
  // So many pieces that each multiprocessor has two blocks, but no fewer than 16 positions for a thread.
  const std::int64_t wanted = min(2 * 132 / (N * outputs * tiles), std::int64_t{64});
  const auto pieces = static_cast<unsigned>(max(min(wanted, across / (16 * lanes)), std::int64_t{1}));
  const Scratch<typename Pool::State> parts(pieces > 1 ? N * outputs * pieces * C : 0);
  launch(name, share_kernel<Pool, Windows>, dim3(tiles * pieces, y, z), dim3(width, lanes), 0, N, C, tiles, rows,
         columns, x, pool, parts.get());
  if (pieces > 1)
    launch(name, join_kernel<Pool, Windows>, dim3(tiles, y, z), dim3(width), 0, N, C, rows, columns, pieces,
           parts.get(), pool);
}

}  // namespace convolith::CONVOLITH_DEVICE
