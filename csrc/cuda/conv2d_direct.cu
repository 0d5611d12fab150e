// Convolution as a product of matrices that are never written down (implicit GEMM; Chetlur et al. 2014, "cuDNN:
// efficient primitives for deep learning"): tiles gather their operands from x, w and dy.
// Bound by FLOPs: 2 N P Q K R S C/G.
#include "conv2d.hpp"
#include "conv2d_windows.hpp"
#include "gemm.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// --- Forward and input gradient: rows are outputs, terms (r, s, c) what their windows hold ---------------------------

// The outputs that the rows of a tile stand for: their windows, and where they go to (-1: nowhere).
template <int BM>
struct Outputs {
  Window window[BM];
  std::int64_t at[BM];
};

// Output (n, i, j) of N x v.outputs x h.outputs is row n I J + i J + j - first of the tile, I x J being one class.
template <int BM, class T>
__device__ void find_outputs(Outputs<BM>& rows, std::int64_t first, int N, const Axis& v, const Axis& h,
                             const Images<T>& images, int rows_out, int columns_out, int pitch, std::int64_t begin) {
  const int plane = v.outputs * h.outputs;
  const int first_n = static_cast<int>(first / plane), position = static_cast<int>(first % plane);
#pragma unroll 1
  for (int row = static_cast<int>(threadIdx.x); row < BM; row += static_cast<int>(blockDim.x)) {
    Digits digits{static_cast<unsigned>(position + row)};
    const int j = digits.next(h.outputs), i = digits.next(v.outputs), n = first_n + static_cast<int>(digits.rest);
    rows.window[row] = n < N ? images.window(n, v.start + i * v.stride, h.start + j * h.stride) : no_window;
    const int at = (v.first + i * v.every) * columns_out + h.first + j * h.every;
    rows.at[row] = n < N ? begin + (std::int64_t{n} * (rows_out * columns_out) + at) * pitch : -1;
  }
}

// A: windows of the images.  Threads of a warp go along channels, or along outputs where channels are too few to share.
// The taps of a step are found by as many threads, a step ahead.
template <class Tile, int V, class T>
struct Windows : Slab<Tile, Tile::BM, V, (V > 1)> {
  using Base = Slab<Tile, Tile::BM, V, (V > 1)>;
  using Taps = Tap[2][Tile::BD];

  __device__ Windows(const Images<T>& images, const Axis& v, const Axis& h, int channels, const Outputs<Tile::BM>& rows,
                     Taps& taps, int first)
      : images(images),
        v(v),
        h(h),
        rows(rows.window + (Base::deep ? Base::across() : Base::along())),
        taps(taps),
        term(first + static_cast<int>(threadIdx.x), h.taps, channels) {
    find_taps();
  }

  __device__ void fetch_next() {
#pragma unroll
    for (int pass = 0; pass < Base::passes; ++pass) {
      const int j = pass * Base::stride, row = Base::deep ? j : 0;
      this->values[pass] =
          images.template meet<V>(rows[row], taps[turn][Base::deep ? Base::along() : Base::across() + j]);
    }
  }

  __device__ void store(float (&slab)[Tile::BD][Tile::BM + 4]) {
    Base::store(slab);
    turn ^= 1;
    find_taps();
  }

  __device__ void find_taps() {
    if (threadIdx.x >= Tile::BD) return;
    taps[turn][threadIdx.x] = term.a < v.taps ? images.tap(term.a * v.step, term.b * h.step, term.c) : no_tap;
    term.advance();
  }

  Images<T> images;
  const Axis &v, &h;
  const Window* rows;
  Taps& taps;
  Counter<Tile::BD> term;
  int turn = 0;
};

// B, forward: filters w (columns, terms)
template <class Tile, int V, class T>
struct FilterRows : Slab<Tile, Tile::BN, V, true> {
  using Base = Slab<Tile, Tile::BN, V, true>;

  __device__ FilterRows(const T* w, int columns, int terms, int first)
      : columns(columns - Base::across()),
        terms(terms),
        term(first + Base::along()),
        data(w + std::int64_t{Base::across()} * terms) {}

  __device__ void fetch_next() {
#pragma unroll
    for (int pass = 0; pass < Base::passes; ++pass) {
      const int j = pass * Base::stride;
      this->values[pass] = fetch<V>(j < columns && term < terms, data + std::int64_t{j} * terms + term);
    }
    term += Tile::BD;
  }

  int columns, terms, term;
  const T* data;
};

// B, input gradient: channels of the filters w (k, R, S, channels), terms (r, s, k)
template <class Tile, int V, class T>
struct FilterColumns : Slab<Tile, Tile::BN, V, false> {
  using Base = Slab<Tile, Tile::BN, V, false>;

  __device__ FilterColumns(const T* w, const Axis& v, const Axis& h, int S, int pitch, int channels, int filters,
                           int column, std::int64_t first)
      : v(v),
        h(h),
        S(S),
        channels(channels),
        exists(column + Base::along() < channels),
        pitch(pitch),
        data(w + column + Base::along()),
        term(first + Base::across(), h.taps, filters) {}

  __device__ void fetch_next() {
#pragma unroll
    for (int pass = 0; pass < Base::passes; ++pass) {
      const int tap = (v.tap + term.a * v.next) * S + h.tap + term.b * h.next;
      this->values[pass] = fetch<V>(exists && term.a < v.taps, data + std::int64_t{term.c} * pitch + tap * channels);
      term.advance();
    }
  }

  const Axis &v, &h;
  int S, channels;
  bool exists;
  int pitch;
  const T* data;
  Counter<Base::stride> term;
};

// How many blocks share a processor: single halves need more registers.
template <class Tile, int V, class T>
constexpr int blocks_of = V == 1 && sizeof(T) == 2 ? 2 : Tile::blocks;

// Forward: x (N, H, W, C) to y (N, P, Q, K); backward: dy (N, P, Q, K) to dx (N, H, W, C); w (K, R, S, C/G).
template <class Tile, int V, bool backward, class T, class U>
__global__ __launch_bounds__(Tile::threads, (blocks_of<Tile, V, T>)) void gather_kernel(Product g, const T* x,
                                                                                        const T* w, Output<U> out,
                                                                                        int row_tiles,
                                                                                        int column_tiles) {
  Digits digits{blockIdx.x};
  const int column = digits.next(column_tiles) * Tile::BN;
  const std::int64_t row = std::int64_t{digits.next(row_tiles)} * Tile::BM;
  const int group = digits.next(g.G), split = digits.next(g.splits);
  const int residue_h = backward ? digits.next(residues(g.h)) : 0, residue_v = static_cast<int>(digits.rest);
  const Axis v = backward ? transposed(g.v, residue_v) : g.v, h = backward ? transposed(g.h, residue_h) : g.h;
  if (row >= std::int64_t{g.N} * v.outputs * h.outputs) return;

  SHARED(rows, Outputs<Tile::BM>);
  SHARED(taps, Tap[2][Tile::BD]);
  const Images<T> images{x + group * g.channels, v.inputs, h.inputs, g.G * g.channels};
  const int rows_out = backward ? g.v.inputs : g.v.outputs, columns_out = backward ? g.h.inputs : g.h.outputs;
  const int pitch = g.G * g.filters, channel = group * g.filters + column;
  find_outputs(rows, row, g.N, v, h, images, rows_out, columns_out, pitch,
               split * (std::int64_t{g.N} * rows_out * columns_out * pitch) + channel);
  const int terms = v.taps * h.taps * g.channels, steps = ceil_div(terms, Tile::BD);
  const int per_split = ceil_div(steps, g.splits), first = split * per_split;
  const int here = min(per_split, steps - first);
  Windows<Tile, V, T> a(images, v, h, g.channels, rows, taps, first * Tile::BD);
  __syncthreads();

  float sum[Tile::TM][Tile::TN];
  if constexpr (backward) {
    const int filter = g.v.taps * g.h.taps * g.filters;
    FilterColumns<Tile, V, T> b(w + std::int64_t{group * g.channels} * filter, v, h, g.h.taps, filter, g.filters,
                                g.channels, column, first * Tile::BD);
    multiply<Tile>(a, b, here, sum);
  } else {
    const T* filters = w + std::int64_t{group * g.filters + column} * terms;
    FilterRows<Tile, V, T> b(filters, g.filters - column, terms, first * Tile::BD);
    multiply<Tile>(a, b, here, sum);
  }

  write_tile<Tile>(sum, out, channel, g.filters - column, g.filters % 4 == 0, [&](int i) { return rows.at[i]; });
}

// Few outputs of many terms leave a GPU idle: the terms are split.  Into how many parts does not depend on N, and so
// neither do the bits of an image's outputs.
std::int64_t splits_for(std::int64_t outputs_per_image, std::int64_t terms) {
  return outputs_per_image > 1 << 16 || terms < 1024 ? 1 : min(terms / 512, 16L);
}

template <bool backward, int V, class T>
void gather(const char* name, const Product& g, std::int64_t outputs_per_image, const T* x, const T* w,
            const Output<T>& out) {
  const Axis v = backward ? transposed(g.v, 0) : g.v, h = backward ? transposed(g.h, 0) : g.h;
  const std::int64_t rows = std::int64_t{g.N} * v.outputs * h.outputs;
  const std::int64_t classes = backward ? std::int64_t{residues(g.v)} * residues(g.h) : 1;
  const std::int64_t products = g.G * g.splits * classes;
  if (rows == 0) return;
  with_tile(rows, g.filters, products, [&](auto tile) {
    using Tile = decltype(tile);
    const std::int64_t row_tiles = ceil_div(rows, Tile::BM);
    const std::int64_t column_tiles = ceil_div(g.filters, Tile::BN);
    in_parts(name, g.splits, g.N * outputs_per_image, g.G * g.filters, out, [&]<class U>(const Output<U>& out) {
      launch(name, gather_kernel<Tile, V, backward, T, U>,
             dim3(static_cast<unsigned>(row_tiles * column_tiles * products)), dim3(Tile::threads), 0, g, x, w, out,
             row_tiles, column_tiles);
    });
  });
}

// --- Weight gradient: rows are filters, columns the values (r, s, c) of a window, terms positions (n, p, q) ----------

// A: dy (positions, K)
template <class Tile, int V, class T>
struct OutputRows : Slab<Tile, Tile::BM, V, false> {
  using Base = Slab<Tile, Tile::BM, V, false>;

  __device__ OutputRows(const T* dy, int K, int rows, std::int64_t first, std::int64_t positions)
      : K(K),
        exists(Base::along() < rows),
        left(static_cast<int>(min(positions - first, std::int64_t{1} << 30)) - Base::across()),
        data(dy + (first + Base::across()) * K + Base::along()) {}

  __device__ void fetch_next() {
#pragma unroll
    for (int pass = 0; pass < Base::passes; ++pass) {
      const int j = pass * Base::stride;
      this->values[pass] = fetch<V>(exists && j < left, data + std::int64_t{j} * K);
    }
    left -= Tile::BD, data += std::int64_t{Tile::BD} * K;
  }

  int K;
  bool exists;
  int left;
  const T* data;
};

// B: what tap (r, s, c) meets in the window of each position.  Windows are found as taps are above.
template <class Tile, int V, class T>
struct WindowColumns : Slab<Tile, Tile::BN, V, false> {
  using Base = Slab<Tile, Tile::BN, V, false>;
  using Positions = Window[2][Tile::BD];

  __device__ WindowColumns(const Images<T>& images, const Axis& v, const Axis& h, int N, int channels, int column,
                           Positions& windows, std::int64_t first)
      : images(images), v(v), h(h), N(N), windows(windows), position(first + threadIdx.x, v.outputs, h.outputs) {
    const int c = (column + Base::along()) % channels, rs = (column + Base::along()) / channels;
    tap = rs < v.taps * h.taps ? images.tap(rs / h.taps * v.step, rs % h.taps * h.step, c) : no_tap;
    find_windows();
  }

  __device__ void fetch_next() {
#pragma unroll
    for (int pass = 0; pass < Base::passes; ++pass)
      this->values[pass] = images.template meet<V>(windows[turn][Base::across() + pass * Base::stride], tap);
  }

  __device__ void store(float (&slab)[Tile::BD][Tile::BN + 4]) {
    Base::store(slab);
    turn ^= 1;
    find_windows();
  }

  __device__ void find_windows() {
    if (threadIdx.x >= Tile::BD) return;
    const int top = v.start + position.b * v.stride, left = h.start + position.c * h.stride;
    windows[turn][threadIdx.x] = position.a < N ? images.window(position.a, top, left) : no_window;
    position.advance();
  }

  Images<T> images;
  const Axis &v, &h;
  int N;
  Positions& windows;
  Counter<Tile::BD> position;
  Tap tap;
  int turn = 0;
};

// dy (N, P, Q, K), x (N, H, W, C), dw or its parts (splits, K, R, S, C/G)
template <class Tile, int V, class T, class U>
__global__ __launch_bounds__(Tile::threads, Tile::blocks) void weight_kernel(Product g, const T* dy, const T* x,
                                                                             Output<U> dw, int row_tiles,
                                                                             int column_tiles) {
  Digits digits{blockIdx.x};
  const int column = digits.next(column_tiles) * Tile::BN, row = digits.next(row_tiles) * Tile::BM;
  const int group = digits.next(g.G), split = static_cast<int>(digits.rest);
  const int K = g.G * g.filters, columns = g.v.taps * g.h.taps * g.channels;

  const std::int64_t positions = std::int64_t{g.N} * g.v.outputs * g.h.outputs;
  const std::int64_t steps = ceil_div(positions, Tile::BD), per_split = ceil_div(steps, g.splits);
  const std::int64_t first = split * per_split, here = min(per_split, steps - first);
  OutputRows<Tile, V, T> a(dy + group * g.filters + row, K, g.filters - row, first * Tile::BD, positions);
  const Images<T> images{x + group * g.channels, g.v.inputs, g.h.inputs, g.G * g.channels};
  SHARED(windows, Window[2][Tile::BD]);
  WindowColumns<Tile, V, T> b(images, g.v, g.h, g.N, g.channels, column, windows, first * Tile::BD);
  __syncthreads();
  float sum[Tile::TM][Tile::TN];
  multiply<Tile>(a, b, static_cast<int>(here), sum);

  dw.y += split * (std::int64_t{K} * columns);
  write_tile<Tile>(sum, dw, column, columns - column, columns % 4 == 0, [&](int i) {
    return row + i < g.filters ? std::int64_t{group * g.filters + row + i} * columns + column : -1;
  });
}

template <int V, class T>
void weight_gradient(const Product& g, const T* dy, const T* x, const Output<T>& dw) {
  const std::int64_t columns = std::int64_t{g.v.taps} * g.h.taps * g.channels, size = g.G * g.filters * columns;
  with_tile(g.filters, columns, g.G * g.splits, [&](auto tile) {
    using Tile = decltype(tile);
    const std::int64_t row_tiles = ceil_div(g.filters, Tile::BM);
    const std::int64_t column_tiles = ceil_div(columns, Tile::BN);
    const char* name = "conv2d_backward_weight";
    in_parts(name, g.splits, size, columns, dw, [&]<class U>(const Output<U>& dw) {
      launch(name, weight_kernel<Tile, V, T, U>, dim3(static_cast<unsigned>(row_tiles * column_tiles * g.G * g.splits)),
             dim3(Tile::threads), 0, g, dy, x, dw, row_tiles, column_tiles);
    });
  });
}

}  // namespace

template <class T>
void conv2d_direct_forward(const Conv2d& p, const T* x, const T* w, const T*, const T* bias, const T* residual, T* y) {
  const std::int64_t C = p.C / p.G, K = p.K / p.G, outputs = p.P * p.Q * p.K;
  const auto g = product(p, splits_for(outputs, p.R * p.S * C), C, K);
  const auto run = C % 4 == 0 ? gather<false, 4, T> : gather<false, 1, T>;
  run("conv2d_forward", g, outputs, x, w, {y, bias, residual, p.activation});
}
INSTANTIATE(conv2d_direct_forward)

template <class T>
void conv2d_direct_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  const std::int64_t C = p.C / p.G, K = p.K / p.G, outputs = p.H * p.W * p.C, classes = p.stride_h * p.stride_w;
  const auto g = product(p, splits_for(outputs, ceil_div(p.R * p.S * K, classes)), K, C);
  const auto run = C % 4 == 0 && K % 4 == 0 ? gather<true, 4, T> : gather<true, 1, T>;
  run("conv2d_backward_input", g, outputs, dy, w, {dx, nullptr, nullptr, Activation::identity});
}
INSTANTIATE(conv2d_direct_backward_input)

// Positions are split until there are some eight tiles for each of 132 processors.
template <class T>
void conv2d_direct_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw) {
  const std::int64_t C = p.C / p.G, K = p.K / p.G, positions = p.N * p.P * p.Q;
  const std::int64_t tiles = p.G * ((K + 63) / 64) * ((p.R * p.S * C + 63) / 64);
  const std::int64_t splits = max(1L, min((positions + 511) / 512, 8 * 132 / tiles));
  const auto g = product(p, splits, C, K);
  const auto run = C % 4 == 0 && K % 4 == 0 ? weight_gradient<4, T> : weight_gradient<1, T>;
  run(g, dy, x, {dw, nullptr, nullptr, Activation::identity});
}
INSTANTIATE(conv2d_direct_backward_weight)

}  // namespace convolith::CONVOLITH_DEVICE
