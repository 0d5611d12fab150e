// conv2d input gradient: the same micro-kernel on the transposed problem.  Input row h receives dy row p through filter
// row r where p * stride + r * dilation = h + pad.  Rows h with one residue a of (h + pad) mod stride meet the same
// filter rows, those with r * dilation mod stride = a, each at a constant distance: so dx is stride_h * stride_w
// interleaved stride-1 correlations of dy, and the FLOPs are the forward's.
#include "conv2d_depthwise.hpp"
#include "conv2d_pointwise.hpp"
#include "conv2d_tile.hpp"
#include "conv2d_winograd.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// The filter cells of one axis ordered by the residue that they serve.
struct Residues {
  Scratch<std::int64_t> cell, start;  // cells of residue a: cell[start[a]] .. cell[start[a + 1] - 1]

  explicit Residues(const Axis& axis) : cell(axis.cells), start(axis.stride + 1) {
    std::int64_t n = 0;
    for (std::int64_t a = 0; a < axis.stride; ++a) {
      start.get()[a] = n;
      for (std::int64_t r = 0; r < axis.cells; ++r)
        if (r * axis.dilation % axis.stride == a) cell.get()[n++] = r;
    }
    start.get()[axis.stride] = n;
  }
  std::int64_t count(std::int64_t a) const { return start.get()[a + 1] - start.get()[a]; }
  std::int64_t at(std::int64_t a, std::int64_t i) const { return cell.get()[start.get()[a] + i]; }
};

// First index i with i * stride + residue - pad >= low.
CONVOLITH_INLINE std::int64_t first_index(std::int64_t low, std::int64_t residue, std::int64_t pad,
                                          std::int64_t stride) {
  const std::int64_t above = low + pad - residue;
  return above <= 0 ? 0 : ceil_div(above, stride);
}

// dy (N, K, P, Q), w (K, C/G, R, S), dx (N, C, H, W); zero padding
template <class T>
void backward_input_zeros(const Conv2d& p, const T* dy, const T* w, T* dx) {
  const std::int64_t CG = p.C / p.G, KG = p.K / p.G, cells = p.R * p.S;
  const Axis vertical(p.R, p.stride_h, p.dilation_h), horizontal(p.S, p.stride_w, p.dilation_w);
  const Residues rows_of(vertical), columns_of(horizontal);
  // dx row i * stride_h + a - pad_top, i in [i0, i1); columns likewise.
  const std::int64_t i0 = p.pad_top / p.stride_h, i1 = (p.H - 1 + p.pad_top) / p.stride_h + 1;
  const std::int64_t j0 = p.pad_left / p.stride_w, j1 = (p.W - 1 + p.pad_left) / p.stride_w + 1;
  const std::int64_t pitch = j1 - j0 + horizontal.reach();
  const RowBlocks blocks(CG);
  const Cut cut(p.N * p.G, i1 - i0, vertical.reach(), pitch, KG * std::int64_t{sizeof(T)}, blocks.blocks);
  const std::int64_t plane = plane_pitch<T>((cut.band_rows + vertical.reach()) * pitch);

  // Per residue pair (a, b): its taps (k, r, s) in that order, and the filter rows c packed for them.
  Scratch<std::int64_t> offset(KG * cells), tap(KG * cells), from(pitch);
  std::int64_t n_taps = 0;
  for (std::int64_t a = 0; a < p.stride_h; ++a)
    for (std::int64_t b = 0; b < p.stride_w; ++b)
      for (std::int64_t k = 0; k < KG; ++k)
        for (std::int64_t i = 0; i < rows_of.count(a); ++i)
          for (std::int64_t j = 0; j < columns_of.count(b); ++j, ++n_taps) {
            const std::int64_t r = rows_of.at(a, i), s = columns_of.at(b, j);
            offset.get()[n_taps] =
                k * plane + (vertical.reach() - vertical.shift(r)) * pitch + horizontal.reach() - horizontal.shift(s);
            tap.get()[n_taps] = k * CG * cells + r * p.S + s;
          }
  const auto each_pair = [&](const auto& f) {  // f(a, b, first tap, taps)
    std::int64_t first = 0;
    for (std::int64_t a = 0; a < p.stride_h; ++a)
      for (std::int64_t b = 0; b < p.stride_w; ++b) {
        const std::int64_t taps = KG * rows_of.count(a) * columns_of.count(b);
        f(a, b, first, taps);
        first += taps;
      }
  };

  Scratch<T> filter(p.K * CG * cells);  // (group, residue pair, block, tap, row)
  parallel_for(p.G * blocks.blocks, blocks.height * KG * cells, [&](std::int64_t task, int) {
    const std::int64_t g = task / blocks.blocks, block = task % blocks.blocks, base = g * KG * CG * cells;
    each_pair([&](std::int64_t, std::int64_t, std::int64_t first, std::int64_t taps) {
      pack_rows(blocks, block, taps, filter.get() + base + CG * first + block * blocks.height * taps,
                [&](std::int64_t c, std::int64_t t) { return w[base + c * cells + tap.get()[first + t]]; });
    });
  });

  const Columns columns = plan_columns(from.get(), pitch, j0 - horizontal.reach(), 1, p.Q, PaddingMode::zeros);
  const std::int64_t planes_size = KG * plane + read_slack<T>, tile_size = max_rows * max_vectors * width<T>;
  Scratch<T> buffers(max_threads() * (planes_size + tile_size));
  const std::int64_t tasks = p.N * p.G * cut.bands * cut.shares;
  const std::int64_t cost = p.N * p.P * p.Q * p.K * CG * cells / (16 * tasks);
  parallel_for(tasks, cost, [&](std::int64_t task, int thread) {
    const std::int64_t share = task % cut.shares, band = task / cut.shares % cut.bands;
    const std::int64_t image = task / (cut.shares * cut.bands), n = image / p.G, g = image % p.G;
    const std::int64_t top = i0 + band * cut.band_rows, rows = min_of(cut.band_rows, i1 - top);
    T* planes = buffers.get() + thread * (planes_size + tile_size);
    T* tile = planes + planes_size;

    for (std::int64_t k = 0; k < KG; ++k) {
      T* to = planes + k * plane;
      for (std::int64_t i = 0; i < rows + vertical.reach(); ++i, to += pitch) {
        const std::int64_t row = top - vertical.reach() + i;
        if (row < 0 || row >= p.P)
          fill_zero(to, pitch);
        else
          pack_row(dy + ((n * p.K + g * KG + k) * p.P + row) * p.Q, columns, to);
      }
    }
    each_pair([&](std::int64_t a, std::int64_t b, std::int64_t first, std::int64_t taps) {
      const std::int64_t row_begin = max_of<std::int64_t>(first_index(0, a, p.pad_top, p.stride_h) - top, 0);
      const std::int64_t row_end = min_of(first_index(p.H, a, p.pad_top, p.stride_h) - top, rows);
      const std::int64_t column_begin = first_index(0, b, p.pad_left, p.stride_w) - j0;
      const std::int64_t column_end = first_index(p.W, b, p.pad_left, p.stride_w) - j0;
      if (row_begin >= row_end || column_begin >= column_end) return;
      const std::int64_t origin = (top * p.stride_h + a - p.pad_top) * p.W + j0 * p.stride_w + b - p.pad_left;
      const Destination<T> to{dx + (n * p.C + g * CG) * p.H * p.W,
                              p.H * p.W,
                              origin,
                              p.stride_h * p.W,
                              p.stride_w,
                              row_begin,
                              row_end,
                              column_begin,
                              column_end};
      const T* rows_of_pair = filter.get() + g * KG * CG * cells + CG * first;
      const auto packed = [=](std::int64_t c, std::int64_t height) {
        return Matrix<T>{rows_of_pair + c * taps, 1, height};
      };
      correlate<T>(blocks, blocks.blocks * share / cut.shares, blocks.blocks * (share + 1) / cut.shares, taps, packed,
                   planes, offset.get() + first, pitch, nullptr, {nullptr, Activation::identity}, to, tile);
    });
  });
}

}  // namespace

// dy (N, K, P, Q), w (K, C/G, R, S), dx (N, C, H, W)
template <class T>
void conv2d_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  if (p.N == 0) return;
  if (p.algorithm == Algorithm::depthwise) return depthwise_backward_input<T>(p, dy, w, dx);
  if (p.algorithm == Algorithm::winograd) return winograd_backward_input(p, dy, w, dx);
  if (p.algorithm == Algorithm::gemm)
    return is_linear(p) ? linear_backward_input<T>(as_linear(p), dy, w, dx) : pointwise_backward_input(p, dy, w, dx);
  if (p.padding_mode == PaddingMode::zeros) return backward_input_zeros(p, dy, w, dx);

  // Other modes: the gradient of one padded image at a time, whose border is then added to where it was taken from.
  Conv2d padded = p;
  padded.N = 1;
  padded.H = p.H + p.pad_top + p.pad_bottom;
  padded.W = p.W + p.pad_left + p.pad_right;
  padded.pad_top = padded.pad_bottom = padded.pad_left = padded.pad_right = 0;
  padded.padding_mode = PaddingMode::zeros;
  Scratch<T> image(p.C * padded.H * padded.W);
  for (std::int64_t n = 0; n < p.N; ++n) {
    backward_input_zeros(padded, dy + n * p.K * p.P * p.Q, w, image.get());
    parallel_for(p.C, padded.H * padded.W / 16, [&](std::int64_t c, int) {
      T* out = dx + (n * p.C + c) * p.H * p.W;
      fill_zero(out, p.H * p.W);
      for (std::int64_t h = 0; h < padded.H; ++h) {
        T* to = out + source(h - p.pad_top, p.H, p.padding_mode) * p.W;
        const T* row = image.get() + (c * padded.H + h) * padded.W;
        for (std::int64_t v = 0; v < p.pad_left; ++v) to[source(v - p.pad_left, p.W, p.padding_mode)] += row[v];
        for (std::int64_t v = 0; v < p.W; ++v) to[v] += row[p.pad_left + v];
        for (std::int64_t v = p.pad_left + p.W; v < padded.W; ++v)
          to[source(v - p.pad_left, p.W, p.padding_mode)] += row[v];
      }
    });
  }
}
INSTANTIATE(conv2d_backward_input)

}  // namespace convolith::CONVOLITH_ISA
