// conv2d weight gradient: dw[k, t] is the dot product, over all positions, of dy's plane k with the input as tap t sees
// it.  Input and dy are packed to one row pitch (dy with zeros between the rows), so a dot product runs over a
// whole plane, and a block of filter rows x taps shares its loads: 4 + 6 loads to 24 FMAs on AVX-512.
#include "conv2d_depthwise.hpp"
#include "gemm.hpp"
#include "kernels.hpp"
#include "pack.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// Lanes are 64 bytes on every instruction set, so the sums come out the same; narrower registers hold fewer of them.
constexpr int dot_rows = vector_bytes == 64 ? 4 : vector_bytes == 32 ? 2 : 1;
constexpr int dot_taps_for(int rows) {
  constexpr int accumulators = vector_bytes == 64 ? 24 : vector_bytes == 32 ? 6 : 2;
  return accumulators / rows < 8 ? accumulators / rows : 8;
}

// Positions of `images` packed images: image m of x and dy starts m * x_image, m * dy_image further.
struct DotPlanes {
  std::int64_t images, positions, x_image, dy_image, dy_plane;
};

template <class T>
using Dot = void (*)(const DotPlanes& planes, const T* dy, const T* x, const std::int64_t* offset, T* dw,
                     std::int64_t pitch);

// dw[k * pitch + t] += sum over f of dy[k * dy_plane + f] * x[offset[t] + f]
//   dy (images, rows, positions), x (images, packed planes), offset (taps), dw (rows, pitch)
template <class T, int rows, int taps>
void dot(const DotPlanes& planes, const T* dy, const T* x, const std::int64_t* offset, T* dw, std::int64_t pitch) {
  constexpr int parts = Lanes<T>::registers;  // plain arrays of registers: the compiler keeps those in registers
  Vec<T> sums[rows][taps][parts] = {};
  for (std::int64_t m = 0; m < planes.images; ++m) {
    const T* xm = x + m * planes.x_image;
    const T* dym = dy + m * planes.dy_image;
    for (std::int64_t f = 0; f < planes.positions; f += Lanes<T>::count) {
      Vec<T> g[rows][parts];
#pragma GCC unroll 8
      for (int k = 0; k < rows; ++k)
#pragma GCC unroll 8
        for (int i = 0; i < parts; ++i) g[k][i] = load(dym + k * planes.dy_plane + f + i * width<T>);
#pragma GCC unroll 8
      for (int t = 0; t < taps; ++t)
#pragma GCC unroll 8
        for (int i = 0; i < parts; ++i) {
          const Vec<T> v = load(xm + offset[t] + f + i * width<T>);
#pragma GCC unroll 8
          for (int k = 0; k < rows; ++k) sums[k][t][i] += g[k][i] * v;
        }
    }
  }
  // By way of memory: with 24 sums over lanes in line, GCC 12 keeps the accumulators on the stack, in the loop too.
  T lanes[rows][taps][Lanes<T>::count];
#pragma GCC unroll 8
  for (int k = 0; k < rows; ++k)
#pragma GCC unroll 8
    for (int t = 0; t < taps; ++t)
#pragma GCC unroll 8
      for (int i = 0; i < parts; ++i) store(lanes[k][t] + i * width<T>, sums[k][t][i]);
#pragma GCC unroll 1
  for (int k = 0; k < rows; ++k)
#pragma GCC unroll 1
    for (int t = 0; t < taps; ++t) dw[k * pitch + t] += sum(Lanes<T>::load(lanes[k][t]));
}

template <class T, int rows = dot_rows, int taps = dot_taps_for(dot_rows)>
Dot<T> find_dot(std::int64_t want_rows, std::int64_t want_taps) {
  if (want_rows == rows && want_taps == taps) return dot<T, rows, taps>;
  if constexpr (rows > 1) {
    if (want_rows < rows) return find_dot<T, rows - 1, dot_taps_for(rows - 1)>(want_rows, want_taps);
  }
  if constexpr (taps > 1) return find_dot<T, rows, taps - 1>(want_rows, want_taps);
  return nullptr;
}

// The step of at most `most` that cuts n into pieces as even as possible.
CONVOLITH_INLINE std::int64_t even_step(std::int64_t n, std::int64_t most) {
  return ceil_div(n, ceil_div(n, most));
}

}  // namespace

// dy (N, K, P, Q), x (N, C, H, W), dw (K, C/G, R, S)
template <class T>
void conv2d_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw) {
  if (is_depthwise(p)) return depthwise_backward_weight<T>(p, dy, x, dw);
  if (is_linear(p)) return linear_backward_weight<T>(as_linear(p), dy, x, dw);
  const std::int64_t CG = p.C / p.G, KG = p.K / p.G, cells = p.R * p.S, dw_size = p.K * CG * cells;
  if (p.N == 0) return fill_zero(dw, dw_size);
  const Axis vertical(p.R, p.stride_h, p.dilation_h), horizontal(p.S, p.stride_w, p.dilation_w);
  const std::int64_t pitch = p.Q + horizontal.reach(), phases = vertical.phases * horizontal.phases;

  // Tasks: blocks of filter rows x blocks of input channels, and chunks of the batch where that is too few; chunks
  // leave partial sums (8 MiB at most) that are added in order.
  constexpr std::int64_t block = 32, enough = 8, partial_bytes = 8 << 20, budget = 512 * 1024;
  const std::int64_t k_blocks = ceil_div(KG, block), c_blocks = ceil_div(CG, block), blocks = p.G * k_blocks * c_blocks;
  const std::int64_t affordable = max_of<std::int64_t>(1, partial_bytes / (dw_size * std::int64_t{sizeof(T)}));
  const std::int64_t wanted = min_of(min_of(p.N, ceil_div(enough, blocks)), affordable);
  const std::int64_t chunk_images = ceil_div(p.N, wanted), chunks = ceil_div(p.N, chunk_images);

  // Within a task: as many images at a time as fit the budget, or bands of rows of a single large one.
  const std::int64_t block_c = min_of(block, CG), block_k = min_of(block, KG);
  const std::int64_t row_bytes = (block_c * phases + block_k) * pitch * std::int64_t{sizeof(T)};
  const std::int64_t rows_fitting = max_of<std::int64_t>(1, budget / row_bytes - vertical.reach());
  const std::int64_t bands = ceil_div(p.P, rows_fitting), band_rows = ceil_div(p.P, bands);
  const std::int64_t positions = round_up(band_rows * pitch, Lanes<T>::count);
  const std::int64_t x_plane = plane_pitch<T>(positions + vertical.reach() * pitch + horizontal.reach());
  const std::int64_t dy_plane = plane_pitch<T>(positions);
  const std::int64_t x_image = block_c * phases * x_plane, dy_image = block_k * dy_plane;
  const std::int64_t together =
      max_of<std::int64_t>(1, min_of(chunk_images, budget / ((x_image + dy_image) * std::int64_t{sizeof(T)})));

  Scratch<std::int64_t> offset(block_c * cells), from(horizontal.phases * pitch), dy_from(pitch);
  Scratch<Columns> columns(horizontal.phases);
  plan_taps(p, vertical, horizontal, block_c, pitch, x_plane, offset.get());
  plan_phases(p, horizontal, pitch, from.get(), columns.get());
  const Columns dy_columns = plan_columns(dy_from.get(), pitch, 0, 1, p.Q, PaddingMode::zeros);

  const std::int64_t buffer_size = together * (x_image + dy_image);
  Scratch<T> buffers(max_threads() * buffer_size), partial(chunks > 1 ? chunks * dw_size : 0);
  const std::int64_t cost = p.N * p.P * p.Q * dw_size / (16 * chunks * blocks);
  parallel_for(chunks * blocks, cost, [&](std::int64_t task, int thread) {
    const std::int64_t chunk = task / blocks, g = task % blocks / (k_blocks * c_blocks);
    const std::int64_t k0 = task / c_blocks % k_blocks * block, c0 = task % c_blocks * block;
    const std::int64_t rows_k = min_of(block, KG - k0), rows_c = min_of(block, CG - c0), taps = rows_c * cells;
    T* x_planes = buffers.get() + thread * buffer_size;
    T* dy_planes = x_planes + together * x_image;
    T* sums = (chunks > 1 ? partial.get() + chunk * dw_size : dw) + ((g * KG + k0) * CG + c0) * cells;
    for (std::int64_t k = 0; k < rows_k; ++k) fill_zero(sums + k * CG * cells, taps);

    const std::int64_t n_end = min_of(p.N, (chunk + 1) * chunk_images);
    for (std::int64_t n0 = chunk * chunk_images; n0 < n_end; n0 += together)
      for (std::int64_t p0 = 0; p0 < p.P; p0 += band_rows) {
        const std::int64_t images = min_of(together, n_end - n0), rows = min_of(band_rows, p.P - p0);
        for (std::int64_t m = 0; m < images; ++m) {
          for (std::int64_t k = 0; k < rows_k; ++k) {
            T* to = dy_planes + m * dy_image + k * dy_plane;
            for (std::int64_t i = 0; i < rows; ++i)
              pack_row(dy + (((n0 + m) * p.K + g * KG + k0 + k) * p.P + p0 + i) * p.Q, dy_columns, to + i * pitch);
            fill_zero(to + rows * pitch, dy_plane - rows * pitch);
          }
          for (std::int64_t c = 0; c < rows_c; ++c) {
            T* to = x_planes + m * x_image + c * phases * x_plane;
            pack_channel(p, x + ((n0 + m) * p.C + g * CG + c0 + c) * p.H * p.W, vertical, horizontal, columns.get(), p0,
                         rows + vertical.reach(), pitch, x_plane, to);
            for (std::int64_t phase = 0; phase < phases; ++phase, to += x_plane)
              fill_zero(to + (rows + vertical.reach()) * pitch, x_plane - (rows + vertical.reach()) * pitch);
          }
        }
        const DotPlanes planes{images, round_up(rows * pitch, Lanes<T>::count), x_image, dy_image, dy_plane};
        const std::int64_t k_step = even_step(rows_k, dot_rows);
        const std::int64_t t_step = even_step(taps, dot_taps_for(static_cast<int>(k_step)));
        for (std::int64_t t = 0; t < taps; t += t_step)
          for (std::int64_t k = 0; k < rows_k; k += k_step)
            find_dot<T>(min_of(k_step, rows_k - k), min_of(t_step, taps - t))(
                planes, dy_planes + k * dy_plane, x_planes, offset.get() + t, sums + k * CG * cells + t, CG * cells);
      }
  });

  if (chunks > 1)
    parallel_ranges(dw_size, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        T total = partial.get()[i];
        for (std::int64_t chunk = 1; chunk < chunks; ++chunk) total += partial.get()[chunk * dw_size + i];
        dw[i] = total;
      }
    });
}
INSTANTIATE(conv2d_backward_weight)

}  // namespace convolith::CONVOLITH_ISA
