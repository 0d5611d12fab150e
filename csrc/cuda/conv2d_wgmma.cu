// Convolution of halves as a product of matrices (implicit GEMM; Chetlur et al. 2014) on the tensor cores of compute
// capability 9.0: the copy engine gathers windows of images, with their padding, strides and dilation, and wgmma
// multiplies them.  Sums are float32.  Bound by FLOPs, 2 N P Q K R S C/G, and by what the tiles take from L2
// (gemm_wgmma.hpp).
#include "conv2d.hpp"
#include "gemm_wgmma.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

using wgmma::box_bytes, wgmma::box_rows;

// Per group, channels are read and filters written, as in conv2d.hpp's Product.
struct Gather {
  int N, G, channels, filters;
  Axis v, h;
  int R, S;                   // of a filter, whose taps the axes name
  int rows_out, columns_out;  // of the image that is written
};

// Windows of images (N, v.inputs, h.inputs, channels), `pixels` at a time.
TensorMap map_windows_of(const void* images, std::int64_t N, std::int64_t channels, const Axis& v, const Axis& h,
                         int pixels) {
  const auto beyond = [](const Axis& a) { return a.start + (a.outputs - 1) * a.stride - (a.inputs - 1); };
  return map_windows(images, {channels, h.inputs, v.inputs, N}, {h.start, v.start}, {beyond(h), beyond(v)},
                     {h.stride, v.stride}, pixels);
}

// --- Forward and input gradient: rows are outputs, terms (r, s, c) what their windows hold --------------------------

// Forward: x (N, H, W, C) to y (N, P, Q, K); backward: dy (N, P, Q, K) to those of dx (N, H, W, C) that axes name; w is
// (K, R S, C/G).
template <class Tiling, bool backward, class T>
__global__ __launch_bounds__(Tiling::threads, Tiling::blocks) void gather_kernel(Gather g,
                                                                                 const __grid_constant__ TensorMap x,
                                                                                 const __grid_constant__ TensorMap w,
                                                                                 Output<T> out, int column_tiles) {
  Digits digits{blockIdx.x};
  const int column = digits.next(column_tiles) * Tiling::N, group = digits.next(g.G);
  const int row = static_cast<int>(digits.rest) * Tiling::M, rows = g.N * g.v.outputs * g.h.outputs;
  const int blocks = ceil_div(g.channels, wgmma::step), steps = g.v.taps * g.h.taps * blocks;
  auto& ring = wgmma::make_ring<Tiling>();

  if (Tiling::is_producer()) {
    const Counter<1> first(row, g.v.outputs, g.h.outputs);
    const int left = g.h.start + first.c * g.h.stride, top = g.v.start + first.b * g.v.stride;
    Counter<1> term(0, g.h.taps, blocks);
    wgmma::produce(ring, steps, [&](char* a, char* b, Barrier& full) {
      const int channel = term.c * wgmma::step;
      const int tap = (g.v.tap + term.a * g.v.next) * g.S + g.h.tap + term.b * g.h.next;
      copy_windows(a, x, full, group * g.channels + channel, left, top, first.a, term.b * g.h.step, term.a * g.v.step);
      if constexpr (backward)
        for (int j = 0; j < Tiling::N / box_rows; ++j)
          copy_tile(b + j * box_bytes, w, full, column + j * box_rows, tap, group * g.channels + channel);
      else
        copy_tile(b, w, full, channel, tap, group * g.filters + column);
      term.advance();
    });
  }
  if (!Tiling::is_consumer()) return;

  wgmma::Sums<Tiling> sums;
  if constexpr (backward)
    sums.template multiply<T, wgmma::Along, wgmma::Across>(ring, steps);
  else
    sums.template multiply<T, wgmma::Along, wgmma::Along>(ring, steps);

  const bool dense = !backward || (g.v.every == 1 && g.h.every == 1);
  const auto row_of = [&](int i) {
    if (row + i >= rows) return -1;
    if (dense) return row + i;
    const Counter<1> at(row + i, g.v.outputs, g.h.outputs);
    return (at.a * g.rows_out + g.v.first + at.b * g.v.every) * g.columns_out + g.h.first + at.c * g.h.every;
  };
  const auto column_of = [&](int block, int j) {
    const int filter = column + block * box_rows + j;
    return filter < g.filters ? filter : -1;
  };
  sums.write(out, g.G * g.filters, group * g.filters, row_of, column_of);
}

template <bool backward, class T>
void gather(const char* name, const Gather& g, const T* x, const T* w, const Output<T>& out) {
  const std::int64_t rows = std::int64_t{g.N} * g.v.outputs * g.h.outputs;
  const std::int64_t steps = std::int64_t{g.v.taps} * g.h.taps * ceil_div(g.channels, wgmma::step);
  const std::int64_t filters = std::int64_t{g.G} * (backward ? g.channels : g.filters);
  if (rows == 0) return;
  const auto row_tiles = [&](auto tiling) { return ceil_div(rows, tiling.M); };
  const auto column_tiles = [&](auto tiling) { return ceil_div(g.filters, tiling.N); };
  const auto tiles = [&](auto tiling) { return row_tiles(tiling) * column_tiles(tiling) * g.G; };
  const auto time = [&](auto tiling) { return wgmma::time_of(tiling, tiles(tiling), steps); };
  wgmma::with_tiling(time, [&](auto tiling) {
    using Tiling = decltype(tiling);
    const TensorMap images = steps == 0 ? TensorMap{} : map_windows_of(x, g.N, g.G * g.channels, g.v, g.h, Tiling::M);
    const TensorMap weights = map_tiles(w, {backward ? g.filters : g.channels, std::int64_t{g.R} * g.S, filters},
                                        {wgmma::step, 1, backward ? box_rows : Tiling::N});
    launch(name, gather_kernel<Tiling, backward, T>, dim3(static_cast<unsigned>(tiles(tiling))), dim3(Tiling::threads),
           Tiling::shared_bytes, g, images, weights, out, column_tiles(tiling));
  });
}

// --- Weight gradient: rows are filters, columns 64 channels that a tap (r, s) meets, terms positions (n, p, q) ------

// dy (N P Q, K), x (N, H, W, C), dw: parts (K, R, S, C/G), each of `per_part` steps along the positions.
template <class Tiling, class T, class U>
__global__ __launch_bounds__(Tiling::threads,
                             Tiling::blocks) void weight_kernel(Gather g, const __grid_constant__ TensorMap dy,
                                                                const __grid_constant__ TensorMap x, Output<U> dw,
                                                                int row_tiles, int column_tiles, int per_part) {
  constexpr int across = Tiling::N / box_rows;  // blocks of channels in a tile
  Digits digits{blockIdx.x};
  const int first_block = digits.next(column_tiles) * across, row = digits.next(row_tiles) * Tiling::M;
  const int group = digits.next(g.G), part = static_cast<int>(digits.rest);
  const int blocks = ceil_div(g.channels, box_rows), taps = g.R * g.S;
  const int positions = g.N * g.v.outputs * g.h.outputs, first = part * per_part;
  const int steps = min(per_part, ceil_div(positions, wgmma::step) - first);
  auto& ring = wgmma::make_ring<Tiling>();

  if (Tiling::is_producer()) {
    int channel[across], right[across], down[across];
#pragma unroll
    for (int j = 0; j < across; ++j) {
      const int block = min(first_block + j, taps * blocks - 1), tap = block / blocks;
      channel[j] = group * g.channels + block % blocks * box_rows;
      right[j] = tap % g.S * g.h.step, down[j] = tap / g.S * g.v.step;
    }
    int position = first * wgmma::step;
    Counter<wgmma::step> at(position, g.v.outputs, g.h.outputs);
    wgmma::produce(ring, steps, [&](char* a, char* b, Barrier& full) {
      for (int i = 0; i < Tiling::M / box_rows; ++i)
        copy_tile(a + i * box_bytes, dy, full, group * g.filters + row + i * box_rows, position, 0);
      const int left = g.h.start + at.c * g.h.stride, top = g.v.start + at.b * g.v.stride;
#pragma unroll
      for (int j = 0; j < across; ++j)
        copy_windows(b + j * box_bytes, x, full, channel[j], left, top, at.a, right[j], down[j]);
      position += wgmma::step;
      at.advance();
    });
  }
  if (!Tiling::is_consumer()) return;

  wgmma::Sums<Tiling> sums;
  sums.template multiply<T, wgmma::Across, wgmma::Across>(ring, steps);

  const int columns = taps * g.channels, rows = g.filters - row;  // of dw; that exist from here on
  int at[across], exist[across];                                  // where the tile's blocks lie in a row of dw
#pragma unroll
  for (int j = 0; j < across; ++j) {
    const int tap = (first_block + j) / blocks, channel = (first_block + j) % blocks * box_rows;
    at[j] = tap * g.channels + channel, exist[j] = tap < taps ? g.channels - channel : 0;
  }
  dw.y += (std::int64_t{part * g.G + group} * g.filters + row) * columns;
  const auto row_of = [&](int i) { return i < rows ? i : -1; };
  const auto column_of = [&](int j, int i) { return i < exist[j] ? at[j] + i : -1; };
  sums.write(dw, columns, 0, row_of, column_of);
}

// Into how many parts the positions are split, for all processors to be busy.  Beginning a part, ending it and adding
// it up counts as eight steps.
template <class Tiling>
std::int64_t time_in_parts(Tiling tiling, std::int64_t tiles, std::int64_t steps, std::int64_t parts) {
  return wgmma::time_of(tiling, tiles * parts, ceil_div(steps, parts) + 8);
}
template <class Tiling>
std::int64_t best_parts(Tiling tiling, std::int64_t tiles, std::int64_t steps) {
  std::int64_t best = 1;
  for (std::int64_t parts = 2; parts <= min(steps / 8, 132L); ++parts)
    if (time_in_parts(tiling, tiles, steps, parts) < time_in_parts(tiling, tiles, steps, best)) best = parts;
  return best;
}

template <class T>
void weight(const char* name, const Gather& g, const T* dy, const T* x, T* dw) {
  const std::int64_t positions = std::int64_t{g.N} * g.v.outputs * g.h.outputs;
  const std::int64_t taps = std::int64_t{g.R} * g.S, blocks = taps * ceil_div(g.channels, box_rows);
  const std::int64_t columns = taps * g.channels, filters = std::int64_t{g.G} * g.filters;
  const std::int64_t steps = ceil_div(positions, wgmma::step);
  const auto row_tiles = [&](auto tiling) { return ceil_div(g.filters, tiling.M); };
  const auto column_tiles = [&](auto tiling) { return ceil_div(blocks * box_rows, tiling.N); };
  const auto tiles = [&](auto tiling) { return row_tiles(tiling) * column_tiles(tiling) * g.G; };
  const auto time = [&](auto tiling) {
    return time_in_parts(tiling, tiles(tiling), steps, best_parts(tiling, tiles(tiling), steps));
  };
  wgmma::with_tiling(time, [&](auto tiling) {
    using Tiling = decltype(tiling);
    const std::int64_t per_part = ceil_div(steps, best_parts(tiling, tiles(tiling), steps));
    const std::int64_t parts = positions == 0 ? 1 : ceil_div(steps, per_part);
    const auto map = [&](auto make) { return positions == 0 ? TensorMap{} : make(); };
    const TensorMap outputs = map([&] { return map_tiles(dy, {filters, positions, 1}, {box_rows, wgmma::step, 1}); });
    const TensorMap images = map([&] { return map_windows_of(x, g.N, g.G * g.channels, g.v, g.h, wgmma::step); });
    const Output<T> out{dw, nullptr, nullptr, Activation::identity};
    in_parts(name, static_cast<int>(parts), filters * columns, columns, out, [&]<class U>(const Output<U>& out) {
      launch(name, weight_kernel<Tiling, T, U>, dim3(static_cast<unsigned>(tiles(tiling) * parts)),
             dim3(Tiling::threads), Tiling::shared_bytes, g, outputs, images, out, row_tiles(tiling),
             column_tiles(tiling), per_part);
    });
  });
}

// Whether the copy engine can walk along an axis: what its instructions and its description of windows have bits for.
bool in_reach(const Axis& a) {
  const int beyond = a.start + (a.outputs - 1) * a.stride - (a.inputs - 1);
  return a.taps == 0 ||
         (min(a.start, beyond) >= -128 && max(a.start, beyond) <= 127 && a.stride <= 8 && (a.taps - 1) * a.step <= 255);
}
bool all_in_reach(const Axis& a, bool backward) {
  bool all = backward || in_reach(a);
  for (int i = 0; backward && i < residues(a); ++i) all = all && in_reach(transposed(a, i));
  return all;
}

Gather gather_of(const Conv2d& p, bool backward) {
  const auto n = [](std::int64_t i) { return static_cast<int>(i); };
  const int C = n(p.C / p.G), K = n(p.K / p.G);
  return {n(p.N),        n(p.G), backward ? K : C, backward ? C : K,        vertical(p),
          horizontal(p), n(p.R), n(p.S),           n(backward ? p.H : p.P), n(backward ? p.W : p.Q)};
}

}  // namespace

// What p lacks for wgmma, null where it can serve.
template <class T>
const char* conv2d_wgmma_needs(const Conv2d& p, Direction direction) {
  if (sizeof(T) != 2) return "float16 or bfloat16";
  if (!has_wgmma()) return "a GPU of compute capability 9.0";
  if (const char* needs = conv2d_tensor_needs<T>(p)) return needs;
  if (p.G > 1 && (p.C / p.G % wgmma::step != 0 || p.K / p.G % wgmma::step != 0))
    return "multiples of 64 channels and of 64 filters in each of several groups";
  const bool backward = direction == Direction::backward_input;
  if (!all_in_reach(vertical(p), backward) || !all_in_reach(horizontal(p), backward))
    return "strides up to 8, and padding and filters that reach no more than 127 beyond the image and 255 within";
  return nullptr;
}
INSTANTIATE(conv2d_wgmma_needs)

// x (N, H, W, C), w (K, R, S, C/G), bias (K) or null, residual (N, P, Q, K) or null, y (N, P, Q, K)
template <class T>
void conv2d_wgmma_forward(const Conv2d& p, const T* x, const T* w, const T*, const T* bias, const T* residual, T* y) {
  if constexpr (sizeof(T) == 2)
    gather<false, T>("conv2d_forward", gather_of(p, false), x, w, {y, bias, residual, p.activation});
}
INSTANTIATE(conv2d_wgmma_forward)

// dy (N, P, Q, K), w (K, R, S, C/G), dx (N, H, W, C), of which each launch makes those that meet the same taps
template <class T>
void conv2d_wgmma_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  if constexpr (sizeof(T) == 2) {
    Gather g = gather_of(p, true);
    for (int i = 0; i < residues(vertical(p)); ++i)
      for (int j = 0; j < residues(horizontal(p)); ++j) {
        g.v = transposed(vertical(p), i), g.h = transposed(horizontal(p), j);
        gather<true, T>("conv2d_backward_input", g, dy, w, {dx, nullptr, nullptr, Activation::identity});
      }
  }
}
INSTANTIATE(conv2d_wgmma_backward_input)

// dy (N, P, Q, K), x (N, H, W, C), dw (K, R, S, C/G)
template <class T>
void conv2d_wgmma_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw) {
  if constexpr (sizeof(T) == 2) weight("conv2d_backward_weight", gather_of(p, false), dy, x, dw);
}
INSTANTIATE(conv2d_wgmma_backward_weight)

}  // namespace convolith::CONVOLITH_DEVICE
