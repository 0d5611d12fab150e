// Pooling: the windows of planes (N, H, W, C), how threads walk over them, and how gradients are gathered.  In kernels
// C counts Vectors of channels.
#pragma once

#include "channels.hpp"

namespace convolith::CONVOLITH_DEVICE {

// Positions begin, begin + step, ... along an axis; some may lie outside.  Axes have less than 2^29 positions.
struct Span {
  int begin, count, step;
};

// `out` windows over `in` positions: output o meets o * stride - pad + i * dilation for i < window.
struct Sliding {
  int in, out, window, stride, dilation, pad, pad_end;
  bool padding_counts;
  float divisor;  // what `extent` is, or 0

  __device__ __forceinline__ Span window_of(int o) const { return {o * stride - pad, window, dilation}; }
  // The outputs that meet position i, where dilation is 1.
  __device__ __forceinline__ Span outputs_of(int i) const {
    const auto step = static_cast<unsigned>(stride);
    const int first = static_cast<int>(static_cast<unsigned>(max(i + pad - window + stride, 0)) / step);
    return {first, min(static_cast<int>(static_cast<unsigned>(i + pad) / step) + 1, out) - first, 1};
  }
  // How many positions of window o count.
  __device__ __forceinline__ float extent(int o) const {
    if (divisor != 0) return divisor;
    const int begin = o * stride - pad, end = min(begin + window, in + pad_end);
    return static_cast<float>(padding_counts ? end - begin : min(end, in) - max(begin, 0));
  }
  int largest() const { return window; }
  bool all_of(int n) const { return window == n; }
};
// A step that is never taken may be larger than an int.
inline int step_of(std::int64_t step, std::int64_t count) {
  return count == 1 ? 1 : static_cast<int>(step);
}
inline Sliding rows_of(const Pool2d& p) {
  return {static_cast<int>(p.H),          static_cast<int>(p.P),      static_cast<int>(p.R),
          step_of(p.stride_h, p.P),       step_of(p.dilation_h, p.R), static_cast<int>(p.pad_top),
          static_cast<int>(p.pad_bottom), p.count_include_pad,        static_cast<float>(p.divisor_override)};
}
inline Sliding columns_of(const Pool2d& p) {
  return {static_cast<int>(p.W),         static_cast<int>(p.Q),      static_cast<int>(p.S),
          step_of(p.stride_w, p.Q),      step_of(p.dilation_w, p.S), static_cast<int>(p.pad_left),
          static_cast<int>(p.pad_right), p.count_include_pad,        p.divisor_override ? 1.0f : 0.0f};
}

// Windows [floor(o in / out), ceil((o + 1) in / out)).  The outputs that meet a position lie the same way.
struct Adaptive {
  int in, out;
  double in_per_out, out_per_in;

  Adaptive(std::int64_t in, std::int64_t out)
      : in(static_cast<int>(in)),
        out(static_cast<int>(out)),
        in_per_out(static_cast<double>(in) / static_cast<double>(out)),
        out_per_in(static_cast<double>(out) / static_cast<double>(in)) {}

  // i n / of, rounded down or up: the product of doubles is off by one at most.
  template <bool up>
  static __device__ __forceinline__ int share(int i, int n, int of, double n_per_of) {
    const int about = static_cast<int>(i * n_per_of);
    const std::int64_t rest = std::int64_t{i} * n - std::int64_t{about} * of;
    return about + (up ? rest > 0 : (rest >= of) - (rest < 0));
  }
  __device__ __forceinline__ Span window_of(int o) const {
    const int begin = share<false>(o, in, out, in_per_out);
    return {begin, share<true>(o + 1, in, out, in_per_out) - begin, 1};
  }
  __device__ __forceinline__ Span outputs_of(int i) const {
    const int begin = share<false>(i, out, in, out_per_in);
    return {begin, share<true>(i + 1, out, in, out_per_in) - begin, 1};
  }
  __device__ __forceinline__ float extent(int o) const { return static_cast<float>(window_of(o).count); }
  int largest() const { return in % out == 0 ? in / out : in / out + 2; }
  bool all_of(int n) const { return in % out == 0 && in / out == n; }
};

// A column of a plane is a row: it lies in memory the same way, and rows are what threads share.
template <class Windows>
void lay_down(Windows& rows, Windows& columns) {
  if (columns.in != 1 || columns.out != 1) return;
  const Windows column = rows;
  rows = columns;
  columns = column;
}

// Blocks of (channels, columns) threads over N planes of `rows` x `columns` positions of C Vectors: a grid of (tiles
// of channels and pieces of rows, rows, planes), where y and z may be less than there are.  Some `most` blocks, no
// more.
struct Walk {
  dim3 grid, block;
  unsigned tiles;

  Walk(std::int64_t N, std::int64_t C, int rows, int columns, std::int64_t most = INT32_MAX) {
    constexpr std::int64_t largest = 65535, enough = 16 * 132;  // blocks along y and z; in all, to fill a GPU
    block.x = even_pieces(C, 32);
    block.y = even_pieces(columns, block_threads / block.x);
    tiles = static_cast<unsigned>(ceil_div(C, block.x));
    const std::int64_t y = min(min(std::int64_t{rows}, largest), max(most / tiles, std::int64_t{1}));
    const std::int64_t z = min(min(N, largest), max(most / (tiles * y), std::int64_t{1}));
    const std::int64_t x = min(ceil_div(std::int64_t{columns}, block.y), ceil_div(min(enough, most), tiles * y * z));
    grid = dim3(static_cast<unsigned>(tiles * x), static_cast<unsigned>(y), static_cast<unsigned>(z));
  }
};
// A thread's channels, its first column, and how far away its next one is.
struct Place {
  std::int64_t c;
  int column, every;

  __device__ __forceinline__ explicit Place(unsigned tiles)
      : c(std::int64_t{blockIdx.x % tiles} * blockDim.x + threadIdx.x),
        column(static_cast<int>(blockIdx.x / tiles * blockDim.y + threadIdx.y)),
        every(static_cast<int>(gridDim.x / tiles * blockDim.y)) {}
};

// dx (N, H, W, C): the sums of what `source` gives for the outputs that may have met a position.
template <int V, class Windows, class Source, class T>
__global__ void __launch_bounds__(block_threads, 4)
    gather_kernel(std::int64_t N, std::int64_t C, unsigned tiles, Windows rows, Windows columns, Source source,
                  Vector<T, V>* dx) {
  const Place place(tiles);
  if (place.c >= C) return;
  for (std::int64_t n = blockIdx.z; n < N; n += gridDim.z) {
    for (int h = static_cast<int>(blockIdx.y); h < rows.in; h += static_cast<int>(gridDim.y)) {
      const Span down = rows.outputs_of(h);
      for (int w = place.column; w < columns.in; w += place.every) {
        const Span across = columns.outputs_of(w);
        const std::int64_t position = std::int64_t{h} * columns.in + w;
        Vector<float, V> sum{};
        for (int p = down.begin; p < down.begin + down.count; ++p) {
          std::int64_t output = ((n * rows.out + p) * columns.out + across.begin) * C + place.c;
#pragma unroll 1
          for (int q = across.begin; q < across.begin + across.count; ++q, output += C)
            source.add(sum, output, position, rows.extent(p) * columns.extent(q));
        }
        Vector<T, V> out;
#pragma unroll
        for (int j = 0; j < V; ++j) out.v[j] = static_cast<T>(sum.v[j]);
        dx[(n * rows.in * columns.in + position) * C + place.c] = out;
      }
    }
  }
}

template <int V, class Windows, class Source, class T>
void gather(const char* name, std::int64_t N, std::int64_t C, Windows rows, Windows columns, Source source,
            Vector<T, V>* dx) {
  if (N == 0) return;
  lay_down(rows, columns);
  const Walk walk(N, C, rows.in, columns.in);
  launch(name, gather_kernel<V, Windows, Source, T>, walk.grid, walk.block, 0, N, C, walk.tiles, rows, columns, source,
         dx);
}

// dy (N, P, Q, C), each element shared out over its window.
template <class T, int V>
struct AverageGradient {
  const Vector<T, V>* dy;

  __device__ __forceinline__ void add(Vector<float, V>& sum, std::int64_t output, std::int64_t, float divisor) const {
    const Vector<T, V> v = dy[output];
    const float share = 1 / divisor;
#pragma unroll
    for (int j = 0; j < V; ++j) sum.v[j] += static_cast<float>(v.v[j]) * share;
  }
};

}  // namespace convolith::CONVOLITH_DEVICE
