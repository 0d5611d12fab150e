// Direct gradients of layers that fill no vector with channels: LeNet's, and the first ones.  Positions are in vectors,
// at stride 1, in rows that end with as many zeros as a filter row reaches: so a tap is a shift of the whole plane.
#include "conv2d_direct.hpp"
#include "gemm.hpp"
#include "kernels.hpp"
#include "pack.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// What both work on: planes of `rows` rows, `pitch` elements each, flat and rounded up to whole Lanes.
struct Flat {
  std::int64_t reach_h, reach_w, pitch;

  explicit Flat(const Conv2d& p)
      : reach_h((p.R - 1) * p.dilation_h), reach_w((p.S - 1) * p.dilation_w), pitch(p.Q + reach_w) {}
  template <class T>
  CONVOLITH_INLINE std::int64_t plane(std::int64_t rows, T) const {
    return round_up(rows * pitch, Lanes<T>::count);
  }
};

// --- Input gradient ------------------------------------------------------------------------------------------------
// Products first, sums of shifted planes after (kn2row: Vasudevan, Anderson and Gregg, 2017): every tap of a channel
// gets its plane of products with dy, then dx is the sum of those planes, each shifted to where its tap points.  A
// tap meets dy's positions, not dx's: for a valid 5x5 on 14x14, 100 of them instead of 196.

// sum[f] = the planes (cells, plane_pitch) of one channel, each shifted, added up for f < n
template <class T>
void add_shifted(std::int64_t cells, const T* planes, std::int64_t plane_pitch, const std::int64_t* shift,
                 std::int64_t n, T* sum) {
  const auto add = [&](auto vectors, std::int64_t f) CONVOLITH_INLINED {
    constexpr int block = vectors.value;
    Vec<T> total[block] = {};
    for (std::int64_t cell = 0; cell < cells; ++cell) {
      const T* from = planes + cell * plane_pitch + f - shift[cell];
#pragma GCC unroll 4
      for (int v = 0; v < block; ++v) total[v] += load(from + v * width<T>);
    }
#pragma GCC unroll 4
    for (int v = 0; v < block; ++v) store(sum + f + v * width<T>, total[v]);
  };
  std::int64_t f = 0;
  for (; f + 4 * width<T> <= n; f += 4 * width<T>) add(Number<4>{}, f);
  for (; f < n; f += width<T>) add(Number<1>{}, f);
}

}  // namespace

bool few_backward_input_serves(const Conv2d& p) {
  constexpr std::int64_t fewest = 8, budget = 512 * 1024;
  const Flat flat(p);
  const std::int64_t padded = (p.P + flat.reach_h) * flat.pitch, products = p.C / p.G * p.R * p.S * padded;
  return p.stride_h == 1 && p.stride_w == 1 && p.C / p.G < fewest && products * 8 <= budget && p.P * 4 <= p.H * 3;
}

// dy (N, K, P, Q), w (K, C/G, R, S), dx (N, C, H, W); stride 1, zero padding
template <class T>
void few_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  const std::int64_t CG = p.C / p.G, KG = p.K / p.G, cells = p.R * p.S, rows = CG * cells;
  const Flat flat(p);
  const std::int64_t plane = flat.plane(p.P, T{}), padded = (p.P + flat.reach_h) * flat.pitch;
  // Zeros between planes of products: behind one of them, before the next.
  const std::int64_t guard = round_up(flat.reach_h * flat.pitch + flat.reach_w + width<T>, Lanes<T>::count);
  const std::int64_t product_pitch = plane + guard;
  Scratch<std::int64_t> shift(cells);
  for (std::int64_t cell = 0; cell < cells; ++cell) shift.get()[cell] = tap_offset(p, cell, 0, flat.pitch);

  const RowBlocks blocks(rows);
  Scratch<T> filters(p.K * rows);  // (group, block, filter, row)
  for (std::int64_t g = 0; g < p.G; ++g)
    for (std::int64_t b = 0; b < blocks.blocks; ++b)
      pack_rows(blocks, b, KG, filters.get() + (g * rows + b * blocks.height) * KG,
                [&](std::int64_t row, std::int64_t k) { return w[(g * KG + k) * rows + row]; });

  const std::int64_t dy_size = KG * plane, sum_size = round_up(padded, Lanes<T>::count);
  const std::int64_t buffer_size = dy_size + guard + rows * product_pitch + sum_size;
  const ZeroedScratch<T> buffers(buffer_size);
  parallel_for(p.N * p.G, plane * rows * KG / 16, [&](std::int64_t task, int thread) {
    T* turned = buffers.of(thread);            // dy (filter, row, column)
    T* products = turned + dy_size + guard;    // (channel, cell, position and guard)
    T* sum = products + rows * product_pitch;  // (row, column) of a padded plane of dx
    const std::int64_t g = task % p.G;
    for (std::int64_t k = 0; k < KG; ++k)
      for (std::int64_t i = 0; i < p.P; ++i)
        copy_vectors(dy + ((task * KG + k) * p.P + i) * p.Q, p.Q, turned + k * plane + i * flat.pitch);

    const std::int64_t step = blocks.vectors() * width<T>;
    for (std::int64_t f = 0; f < plane; f += step)
      for (std::int64_t b = 0; b < blocks.blocks; ++b) {
        const std::int64_t height = blocks.height_of(b), first = b * blocks.height;
        find_micro<T, Matrix<T>, Step>(height, min_of(step, plane - f) / width<T>)(
            KG, {filters.get() + (g * rows + first) * KG, 1, height}, turned + f, {plane, turned}, false,
            products + first * product_pitch + f, product_pitch);
      }
    for (std::int64_t c = 0; c < CG; ++c) {
      add_shifted(cells, products + c * cells * product_pitch, product_pitch, shift.get(), padded, sum);
      for (std::int64_t h = 0; h < p.H; ++h)
        copy_vectors(sum + (h + p.pad_top) * flat.pitch + p.pad_left, p.W, dx + ((task * CG + c) * p.H + h) * p.W);
    }
  });
}
INSTANTIATE(few_backward_input)

// --- Weight gradient -----------------------------------------------------------------------------------------------
// dw[k, tap] is the dot product of dy[k] with the input as the tap sees it: sums over lanes, added up at the end.

namespace {

template <class T>
using Dots = void (*)(std::int64_t n, const T* dy, std::int64_t plane, const T* x, const std::int64_t* tap, T* lanes,
                      std::int64_t pitch);

// lanes (k, tap, Lanes), filters `pitch` apart, += dy (k, plane) times x at its taps, lane by lane, n elements
template <class T, int rows, int taps>
void dots(std::int64_t n, const T* dy, std::int64_t plane, const T* x, const std::int64_t* tap, T* lanes,
          std::int64_t pitch) {
  constexpr std::int64_t count = Lanes<T>::count;
  for (std::int64_t part = 0; part < count; part += width<T>) {
    Vec<T> sum[rows][taps];
#pragma GCC unroll 8
    for (int k = 0; k < rows; ++k)
#pragma GCC unroll 4
      for (int t = 0; t < taps; ++t) sum[k][t] = load(lanes + k * pitch + t * count + part);
    for (std::int64_t f = part; f < n; f += count) {
      Vec<T> g[rows];
#pragma GCC unroll 8
      for (int k = 0; k < rows; ++k) g[k] = load(dy + k * plane + f);
#pragma GCC unroll 4
      for (int t = 0; t < taps; ++t) {
        const Vec<T> v = load(x + tap[t] + f);
#pragma GCC unroll 8
        for (int k = 0; k < rows; ++k) sum[k][t] += g[k] * v;
      }
    }
#pragma GCC unroll 8
    for (int k = 0; k < rows; ++k)
#pragma GCC unroll 4
      for (int t = 0; t < taps; ++t) store(lanes + k * pitch + t * count + part, sum[k][t]);
  }
}

constexpr int dot_taps = 4, dot_rows = vector_bytes == 64 ? 6 : 2;  // what the registers hold

template <class T, int rows = dot_rows>
Dots<T> find_dots(std::int64_t want_rows, std::int64_t want_taps) {
  if (want_rows == rows) return want_taps == dot_taps ? dots<T, rows, dot_taps> : dots<T, rows, 1>;
  if constexpr (rows > 1) return find_dots<T, rows - 1>(want_rows, want_taps);
  return nullptr;
}

}  // namespace

bool few_backward_weight_serves(const Conv2d& p) {
  constexpr std::int64_t fewest = 8, most_sums = 512;
  return p.stride_h == 1 && p.stride_w == 1 && p.K / p.G < fewest && p.K / p.G * (p.C / p.G) * p.R * p.S <= most_sums &&
         p.P * p.Q >= 64;
}

// dy (N, K, P, Q), x (N, C, H, W), dw (K, C/G, R, S); stride 1
template <class T>
void few_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw) {
  constexpr std::int64_t count = Lanes<T>::count, budget = 32 * 1024;
  const std::int64_t CG = p.C / p.G, KG = p.K / p.G, taps = CG * p.R * p.S, dw_size = p.K * taps;
  const Flat flat(p);
  // Bands of rows whose dy and inputs stay in L1, as far as they do.
  const std::int64_t row_bytes = flat.pitch * (KG + CG) * std::int64_t{sizeof(T)};
  const std::int64_t most = max_of<std::int64_t>(1, budget / row_bytes - flat.reach_h);
  const std::int64_t band = ceil_div(p.P, ceil_div(p.P, most));
  const std::int64_t plane = flat.plane(band, T{}), x_plane = plane + flat.plane(flat.reach_h + 1, T{});
  const Parts parts(p.N, 1, p.G, dw_size * std::int64_t{sizeof(T)});

  Scratch<std::int64_t> tap(taps), from(flat.pitch);
  for (std::int64_t t = 0; t < taps; ++t) tap.get()[t] = tap_offset(p, t, x_plane, flat.pitch);
  const Columns columns = plan_columns(from.get(), flat.pitch, -p.pad_left, 1, p.W, p.padding_mode);

  const std::int64_t dy_size = KG * plane, x_size = CG * x_plane + count, lanes_size = KG * taps * count;
  const std::int64_t buffer_size = dy_size + x_size + lanes_size;
  Scratch<T> buffers(max_threads() * buffer_size), partial(parts.count > 1 ? parts.count * dw_size : 0);
  const std::int64_t cost = parts.size * p.P * flat.pitch * KG * taps / 16;
  parallel_for(parts.count * p.G, cost, [&](std::int64_t task, int thread) {
    T* lanes = buffers.get() + thread * buffer_size;  // (filter, tap, Lanes)
    T* turned = lanes + lanes_size;                   // dy (filter, row, column)
    T* copy = turned + dy_size;                       // x (channel, row, column)
    const std::int64_t part = task / p.G, g = task % p.G;
    fill_zero(lanes, buffer_size);
    for (std::int64_t n = part * parts.size; n < min_of(p.N, (part + 1) * parts.size); ++n)
      for (std::int64_t p0 = 0; p0 < p.P; p0 += band) {
        const std::int64_t rows = min_of(band, p.P - p0);
        for (std::int64_t k = 0; k < KG; ++k) {
          const T* from = dy + (((n * p.G + g) * KG + k) * p.P + p0) * p.Q;
          for (std::int64_t i = 0; i < rows; ++i)
            copy_vectors(from + i * p.Q, p.Q, turned + k * plane + i * flat.pitch);
          fill_zero(turned + k * plane + rows * flat.pitch, plane - rows * flat.pitch);
        }
        copy_rows(x + (n * p.G + g) * CG * p.H * p.W, CG, p.H, p.W, columns, p.padding_mode, p0 - p.pad_top,
                  rows + flat.reach_h, copy, x_plane);
        for (std::int64_t k = 0; k < KG; k += dot_rows)
          for (std::int64_t t = 0; t < taps;) {
            const std::int64_t some = taps - t >= dot_taps ? dot_taps : 1;
            find_dots<T>(min_of<std::int64_t>(dot_rows, KG - k), some)(round_up(rows * flat.pitch, count),
                                                                       turned + k * plane, plane, copy, tap.get() + t,
                                                                       lanes + (k * taps + t) * count, taps * count);
            t += some;
          }
      }
    T* to = (parts.count > 1 ? partial.get() + part * dw_size : dw) + g * KG * taps;
    for (std::int64_t i = 0; i < KG * taps; ++i) to[i] = sum(Lanes<T>::load(lanes + i * count));
  });
  if (parts.count > 1) add_partial_sums(parts.count, dw_size, partial.get(), dw);
}
INSTANTIATE(few_backward_weight)

}  // namespace convolith::CONVOLITH_ISA
