// Convolution as a product of matrices on tensor cores (implicit GEMM; Chetlur et al. 2014): floats are rounded to
// TF32, halves are taken as they are, sums are float32.  Tiles are gathered from x, w and dy by asynchronous copies of
// 16 bytes, four channels or eight. Bound by FLOPs, 2 N P Q K R S C/G, and by what the tiles take from L2
// (gemm_tensor.hpp).
#include "conv2d.hpp"
#include "gemm_tensor.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// Channels of one group: piece (n, h, w, c) is data[((n H + h) W + w) pitch + c].
template <class T>
struct Image {
  const Piece<T>* data;
  int H, W, pitch, channels;  // in pieces, the last two

  __device__ bool holds(int h, int w) const {
    return static_cast<unsigned>(h) < static_cast<unsigned>(H) && static_cast<unsigned>(w) < static_cast<unsigned>(W);
  }
  __device__ std::int64_t plane() const { return std::int64_t{H} * W * pitch; }
};

template <class T>
__device__ const Piece<T>* pieces(const T* p) {
  return reinterpret_cast<const Piece<T>*>(p);
}

// --- Forward and input gradient: rows are outputs, terms (r, s, c) what their windows hold ------------------

// A: windows of the image, terms counted with `extent` channels, of which those beyond the image's are zeros
template <class Tiling, class T>
struct Windows : Pieces<Along<T, Tiling::M>, Tiling::threads> {
  using Base = Pieces<Along<T, Tiling::M>, Tiling::threads>;

  __device__ Windows(const Image<T>& image, const Axis& v, const Axis& h, int N, int extent, int first_row,
                     int first_term)
      : image(image), v(v), h(h), term(first_term + Base::piece(), h.taps, extent) {
    const int first_n = first_row / h.outputs / v.outputs;
    data = image.data + first_n * image.plane();
    Counter<Base::stride> row(first_row + Base::line(), v.outputs, h.outputs);
#pragma unroll
    for (int i = 0; i < Base::count; ++i) {
      const int y = v.start + row.b * v.stride, x = h.start + row.c * h.stride;
      top[i] = row.a < N ? y : -(1 << 30), left[i] = x;  // above any image
      corner[i] = (((row.a - first_n) * image.H + y) * image.W + x) * image.pitch;
      row.advance();
    }
  }

  __device__ void copy_next(Piece<T>* tile) {
    const int down = term.a * v.step, right = term.b * h.step;
    const int offset = (down * image.W + right) * image.pitch + term.c;
    const bool exists = term.a < v.taps && term.c < image.channels;
#pragma unroll
    for (int i = 0; i < Base::count; ++i)
      Base::copy(tile, i, exists && image.holds(top[i] + down, left[i] + right), data + (corner[i] + offset));
    term.advance();
  }

  const Image<T>& image;
  const Axis &v, &h;
  Counter<per_step> term;
  const Piece<T>* data;  // of the first row's image
  int corner[Base::count], top[Base::count], left[Base::count];
};

// B, forward: filters w (columns, terms)
template <class Tiling, class T>
struct FilterRows : Pieces<Along<T, Tiling::N>, Tiling::threads> {
  using Base = Pieces<Along<T, Tiling::N>, Tiling::threads>;

  __device__ FilterRows(const Piece<T>* w, int columns, int terms, int first_column, int first_term)
      : columns(columns - first_column - Base::line()),
        terms(terms),
        term(first_term + Base::piece()),
        data(w + std::int64_t{first_column + Base::line()} * terms) {}

  __device__ void copy_next(Piece<T>* tile) {
#pragma unroll
    for (int i = 0; i < Base::count; ++i) {
      const int j = i * Base::stride;
      Base::copy(tile, i, j < columns && term < terms, data + (j * terms + term));
    }
    term += per_step;
  }

  int columns, terms, term;
  const Piece<T>* data;
};

// B, input gradient: channels of the filters w (k, R, S, channels), terms (r, s, k).  A step lies within one tap.
template <class Tiling, class T>
struct FilterColumns : Pieces<Across<T, Tiling::N>, Tiling::threads> {
  using Base = Pieces<Across<T, Tiling::N>, Tiling::threads>;

  __device__ FilterColumns(const Piece<T>* w, const Axis& v, const Axis& h, int S, int pitch, int channels, int filters,
                           int extent, int first_column, int first_term)
      : v(v),
        h(h),
        S(S),
        pitch(pitch),
        channels(channels),
        filters(first_column + Base::piece() < channels ? filters - Base::line() : 0),
        term(first_term, h.taps, extent),
        data(w + std::int64_t{Base::line()} * pitch + first_column + Base::piece()) {}

  __device__ void copy_next(Piece<T>* tile) {
    const int tap = (v.tap + term.a * v.next) * S + h.tap + term.b * h.next, filter = term.c * per_piece<T>;
    const Piece<T>* first = data + std::int64_t{filter} * pitch;
#pragma unroll
    for (int i = 0; i < Base::count; ++i) {
      const int j = i * Base::stride;
      Base::copy(tile, i, filter + j < filters && term.a < v.taps, first + (j * pitch + tap * channels));
    }
    term.advance();
  }

  const Axis &v, &h;
  int S, pitch, channels, filters;
  Counter<per_step> term;
  const Piece<T>* data;
};

// Forward: x (N, H, W, C) to y (N, P, Q, K); backward: dy (N, P, Q, K) to dx (N, H, W, C); w (K, R, S, C/G).
template <class Tiling, bool backward, class T, class U>
__global__ __launch_bounds__(Tiling::threads, Tiling::blocks) void gather_kernel(Product g, const T* x, const T* w,
                                                                                 Output<U> out, int row_tiles,
                                                                                 int column_tiles) {
  Digits digits{blockIdx.x};
  const int column = digits.next(column_tiles) * Tiling::N, row = digits.next(row_tiles) * Tiling::M;
  const int group = digits.next(g.G), split = digits.next(g.splits);
  const int residue_h = backward ? digits.next(residues(g.h)) : 0, residue_v = static_cast<int>(digits.rest);
  const Axis v = backward ? transposed(g.v, residue_v) : g.v, h = backward ? transposed(g.h, residue_h) : g.h;
  const int rows = g.N * v.outputs * h.outputs;
  if (row >= rows) return;

  const int channels = g.channels / per_piece<T>, filters = g.filters / per_piece<T>;  // in pieces, as terms are
  const Image<T> image{pieces(x) + group * channels, v.inputs, h.inputs, g.G * channels, channels};
  const int extent = backward ? ceil_div(channels, per_step) * per_step : channels;
  const int terms = v.taps * h.taps * extent, steps = ceil_div(terms, per_step);
  const int per_split = ceil_div(steps, g.splits), first = split * per_split;
  const int here = min(per_split, steps - first);
  Windows<Tiling, T> a(image, v, h, g.N, extent, row, first * per_step);
  Sums<Tiling> sums;
  if constexpr (backward) {
    const int filter = g.v.taps * g.h.taps * filters;
    FilterColumns<Tiling, T> b(pieces(w) + std::int64_t{group} * g.channels * filter, v, h, g.h.taps, filter, filters,
                               g.channels, extent, column / per_piece<T>, first * per_step);
    sums = multiply_steps<Tiling, T>(a, b, here);
  } else {
    FilterRows<Tiling, T> b(pieces(w) + std::int64_t{group} * g.filters * terms, g.filters, terms, column,
                            first * per_step);
    sums = multiply_steps<Tiling, T>(a, b, here);
  }

  const int rows_out = backward ? g.v.inputs : g.v.outputs, columns_out = backward ? g.h.inputs : g.h.outputs;
  const int pitch = g.G * g.filters, channel = group * g.filters + column;
  out.y += split * (std::int64_t{g.N} * rows_out * columns_out * pitch);
  const bool dense = !backward || (v.every == 1 && h.every == 1);
  write_sums(sums, out, channel, g.filters - column, [&](int i) {
    std::int64_t at = row + i;
    if (at >= rows) return std::int64_t{-1};
    if (!dense) {
      const int p = (row + i) / h.outputs, n = p / v.outputs, q = (row + i) % h.outputs;
      at = (std::int64_t{n} * rows_out + v.first + p % v.outputs * v.every) * columns_out + h.first + q * h.every;
    }
    return at * pitch + channel;
  });
}

// Few outputs of many terms leave a GPU idle: the terms are split.  Into how many parts does not depend on N, and so
// neither do the bits of an image's outputs.
int splits_for(std::int64_t outputs_per_image, std::int64_t terms) {
  return outputs_per_image > 1 << 15 || terms < 4096 ? 1 : static_cast<int>(min(terms / 2048, 16L));
}

template <bool backward, class T>
void gather(const char* name, const Product& g, std::int64_t outputs_per_image, const T* x, const T* w,
            const Output<T>& out) {
  const Axis v = backward ? transposed(g.v, 0) : g.v, h = backward ? transposed(g.h, 0) : g.h;
  const std::int64_t rows = std::int64_t{g.N} * v.outputs * h.outputs;
  const std::int64_t products = (backward ? std::int64_t{residues(g.v)} * residues(g.h) : 1) * g.G * g.splits;
  if (rows == 0) return;
  with_tiling(rows, g.filters, products, [&](auto tiling) {
    using Tiling = decltype(tiling);
    const std::int64_t row_tiles = ceil_div(rows, Tiling::M);
    const std::int64_t column_tiles = ceil_div(g.filters, Tiling::N);
    in_parts(name, g.splits, g.N * outputs_per_image, g.G * g.filters, out, [&]<class U>(const Output<U>& out) {
      launch(name, gather_kernel<Tiling, backward, T, U>,
             dim3(static_cast<unsigned>(row_tiles * column_tiles * products)), dim3(Tiling::threads),
             Tiling::shared_bytes, g, x, w, out, row_tiles, column_tiles);
    });
  });
}

// --- Weight gradient: rows are filters, columns the values (r, s, c) of a window, terms positions (n, p, q) -

// A: dy (positions, K)
template <class Tiling, class T>
struct OutputRows : Pieces<Across<T, Tiling::M>, Tiling::threads> {
  using Base = Pieces<Across<T, Tiling::M>, Tiling::threads>;

  __device__ OutputRows(const Piece<T>* dy, int K, int filters, int positions, int first_row, int first_position)
      : K(K) {
    const int filter = first_row + Base::piece(), position = first_position + Base::line();
    left = filter < filters ? positions - position : 0;
    data = dy + std::int64_t{position} * K + filter;
  }

  __device__ void copy_next(Piece<T>* tile) {
#pragma unroll
    for (int i = 0; i < Base::count; ++i) Base::copy(tile, i, i * Base::stride < left, data + i * Base::stride * K);
    left -= Base::Tile::lines, data += std::int64_t{Base::Tile::lines} * K;
  }

  int K, left;
  const Piece<T>* data;
};

// B: what tap (r, s) of channel c meets at each position
template <class Tiling, class T>
struct WindowColumns : Pieces<Across<T, Tiling::N>, Tiling::threads> {
  using Base = Pieces<Across<T, Tiling::N>, Tiling::threads>;

  __device__ WindowColumns(const Image<T>& image, const Axis& v, const Axis& h, int N, int first_column,
                           int first_position)
      : image(image), v(v), h(h), position(first_position + Base::line(), v.outputs, h.outputs) {
    const int column = first_column + Base::piece(), tap = column / image.channels, r = tap / h.taps;
    images = r < v.taps ? N : 0;
    top = v.start + r * v.step, left = h.start + tap % h.taps * h.step;
    data = image.data + column % image.channels;
  }

  __device__ void copy_next(Piece<T>* tile) {
#pragma unroll
    for (int i = 0; i < Base::count; ++i) {
      const int y = top + position.b * v.stride, x = left + position.c * h.stride;
      Base::copy(tile, i, position.a < images && image.holds(y, x),
                 data + position.a * image.plane() + (y * image.W + x) * image.pitch);
      position.advance();
    }
  }

  const Image<T>& image;
  const Axis &v, &h;
  Counter<Base::stride> position;
  int images, top, left;
  const Piece<T>* data;
};

// dy (N, P, Q, K), x (N, H, W, C), dw or its parts (splits, K, R, S, C/G)
template <class Tiling, class T, class U>
__global__ __launch_bounds__(Tiling::threads, Tiling::blocks) void weight_kernel(Product g, const T* dy, const T* x,
                                                                                 Output<U> dw, int row_tiles,
                                                                                 int column_tiles) {
  Digits digits{blockIdx.x};
  const int column = digits.next(column_tiles) * Tiling::N, row = digits.next(row_tiles) * Tiling::M;
  const int group = digits.next(g.G), split = static_cast<int>(digits.rest);
  const int K = g.G * g.filters, columns = g.v.taps * g.h.taps * g.channels;

  constexpr int positions_per_step = Across<T, Tiling::M>::lines;
  const int positions = g.N * g.v.outputs * g.h.outputs;
  const int steps = ceil_div(positions, positions_per_step);
  const int per_split = ceil_div(steps, g.splits), first = split * per_split;
  const int channels = g.channels / per_piece<T>, filters = g.filters / per_piece<T>;  // in pieces
  const Image<T> image{pieces(x) + group * channels, g.v.inputs, g.h.inputs, g.G * channels, channels};
  OutputRows<Tiling, T> a(pieces(dy) + group * filters, g.G * filters, filters, positions, row / per_piece<T>,
                          first * positions_per_step);
  WindowColumns<Tiling, T> b(image, g.v, g.h, g.N, column / per_piece<T>, first * positions_per_step);
  const Sums<Tiling> sums = multiply_steps<Tiling, T>(a, b, min(per_split, steps - first));

  dw.y += split * (std::int64_t{K} * columns);
  write_sums(sums, dw, column, columns - column, [&](int i) {
    return row + i < g.filters ? std::int64_t{group * g.filters + row + i} * columns + column : -1;
  });
}

}  // namespace

// What p lacks for tensor cores, null where they can serve.
template <class T>
const char* conv2d_tensor_needs(const Conv2d& p) {
  if (p.C / p.G % per_piece<T> != 0 || p.K / p.G % per_piece<T> != 0)
    return sizeof(T) == 4 ? "multiples of 4 channels and of 4 filters in each group"
                          : "multiples of 8 channels and of 8 filters in each group";
  constexpr std::int64_t most = std::int64_t{1} << 31;
  const std::int64_t H = p.H + p.pad_top + p.pad_bottom, W = p.W + p.pad_left + p.pad_right;
  const std::int64_t outputs = min(p.P * p.Q, max(1L, p.H / p.stride_h) * max(1L, p.W / p.stride_w));
  const std::int64_t images = 256 / outputs + 2;  // that the rows of a tile come from
  if (p.N * H * W + 256 > most || images * H * W * max(p.C, p.K) / per_piece<T> > most ||
      32 * p.R * p.S * p.C / p.G > most)
    return "fewer than 2^31 positions, and images and filters within reach of 32-bit offsets";
  return nullptr;
}
INSTANTIATE(conv2d_tensor_needs)

// x (N, H, W, C), w (K, R, S, C/G), bias (K) or null, residual (N, P, Q, K) or null, y (N, P, Q, K)
template <class T>
void conv2d_tensor_forward(const Conv2d& p, const T* x, const T* w, const T*, const T* bias, const T* residual, T* y) {
  const std::int64_t C = p.C / p.G, K = p.K / p.G, outputs = p.P * p.Q * p.K;
  const Product g = product(p, splits_for(outputs, p.R * p.S * C), C, K);
  gather<false, T>("conv2d_forward", g, outputs, x, w, {y, bias, residual, p.activation});
}
INSTANTIATE(conv2d_tensor_forward)

// dy (N, P, Q, K), w (K, R, S, C/G), dx (N, H, W, C)
template <class T>
void conv2d_tensor_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  const std::int64_t C = p.C / p.G, K = p.K / p.G, outputs = p.H * p.W * p.C;
  const Product g = product(p, splits_for(outputs, p.R * p.S * K / (p.stride_h * p.stride_w)), K, C);
  gather<true, T>("conv2d_backward_input", g, outputs, dy, w, {dx, nullptr, nullptr, Activation::identity});
}
INSTANTIATE(conv2d_tensor_backward_input)

// dy (N, P, Q, K), x (N, H, W, C), dw (K, R, S, C/G)
template <class T>
void conv2d_tensor_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw) {
  const char* name = "conv2d_backward_weight";
  const std::int64_t columns = p.R * p.S * (p.C / p.G), filters = p.K / p.G;
  const std::int64_t most_splits = max(1L, p.N * p.P * p.Q / 512);
  Product g = product(p, 1, p.C / p.G, filters);
  with_tiling(filters, columns, p.G * most_splits, [&](auto tiling) {
    using Tiling = decltype(tiling);
    const std::int64_t row_tiles = ceil_div(filters, Tiling::M);
    const std::int64_t column_tiles = ceil_div(columns, Tiling::N), blocks = row_tiles * column_tiles * p.G;
    g.splits = static_cast<int>(max(1L, min(most_splits, 132 * Tiling::blocks / blocks)));
    const Output<T> out{dw, nullptr, nullptr, Activation::identity};
    in_parts(name, g.splits, p.K * columns, columns, out, [&]<class U>(const Output<U>& out) {
      launch(name, weight_kernel<Tiling, T, U>, dim3(static_cast<unsigned>(blocks * g.splits)), dim3(Tiling::threads),
             Tiling::shared_bytes, g, dy, x, out, row_tiles, column_tiles);
    });
  });
}
INSTANTIATE(conv2d_tensor_backward_weight)

}  // namespace convolith::CONVOLITH_DEVICE
