// Direct convolution with positions in vectors, for few filters or few taps: filter rows against packed planes
// (pack.hpp).
//
// 2 N K P Q (C/G) R S FLOPs.  Packing moves each input element once or twice, and every packed element meets
// K/G * R * S FMAs; what positions are computed for nothing, between the rows of an image, falls with its width.
#include "conv2d_direct.hpp"
#include "epilogue.hpp"
#include "gemm.hpp"
#include "kernels.hpp"
#include "pack.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// Position (i, j) of channel k goes to data[k * plane + origin + i * row + j * column], if it is one of
// rows [row_begin, row_end) and columns [column_begin, column_end).
template <class T>
struct Destination {
  T* data;
  std::int64_t plane, origin, row, column;
  std::int64_t row_begin, row_end, column_begin, column_end;
};

// Blocks [begin, end) of the filter against every position of the planes.
//   filter(first row, rows): those rows as a matrix of taps;
//   planes: tap t sees position f = i * pitch + j at planes[offset[t] + f];
//   bias (rows) or null; epilogue: relative to to.data, applied where to.column is 1;
//   tile: room for max_rows x max_vectors vectors
template <class T, class Filter>
void correlate(const RowBlocks& blocks, std::int64_t begin, std::int64_t end, std::int64_t taps, const Filter& filter,
               const T* planes, const std::int64_t* offset, std::int64_t pitch, const T* bias,
               const Epilogue<T>& epilogue, const Destination<T>& to, T* tile) {
  struct Run {
    std::int64_t position, to, length;  // within the block of positions; from `origin`
  };
  Run runs[max_vectors * width<T> + 2] = {};
  const std::int64_t step = blocks.vectors() * width<T>;
  const std::int64_t last = (to.row_end - 1) * pitch + to.column_end;

  for (std::int64_t f0 = to.row_begin * pitch; f0 < last; f0 += step) {
    const std::int64_t f1 = min_of(f0 + step, last);
    int n_runs = 0;
    for (std::int64_t i = f0 / pitch; i * pitch < f1; ++i) {
      const std::int64_t from = max_of(f0, i * pitch + to.column_begin), until = min_of(f1, i * pitch + to.column_end);
      if (from >= until) continue;
      const std::int64_t start = i * to.row + (from - i * pitch) * to.column;
      Run& last_run = runs[max_of(n_runs - 1, 0)];
      const bool gap = last_run.position + last_run.length != from - f0 || last_run.to + last_run.length != start;
      if (n_runs > 0 && to.column == 1 && !gap)
        last_run.length += until - from;
      else
        runs[n_runs++] = {from - f0, start, until - from};
    }
    if (n_runs == 0) continue;
    const std::int64_t vectors = ceil_div(f1 - f0, width<T>);

    for (std::int64_t block = begin; block < end; ++block) {
      const std::int64_t height = blocks.height_of(block), k0 = block * blocks.height;
      // The rows that the block will be stored to are on their way while it is computed.
      for (std::int64_t k = 0; k < height; ++k) {
        T* out = to.data + ((k0 + k) * to.plane + to.origin);
        for (int r = 0; r < n_runs; ++r)
          for (std::int64_t j = 0; j < runs[r].length; j += Lanes<T>::count)
            __builtin_prefetch(out + runs[r].to + j * to.column, 1);
      }
      find_micro<T, Matrix<T>, Table>(height, vectors)(taps, filter(k0, height), planes + f0, {offset}, false, tile,
                                                       step);
      for (std::int64_t k = 0; k < height; ++k) {
        const T add = bias ? bias[k0 + k] : T(0);
        T* out = to.data + ((k0 + k) * to.plane + to.origin);
        for (int r = 0; r < n_runs; ++r) {
          const T* from = tile + k * step + runs[r].position;
          T* y = out + runs[r].to;
          if (to.column == 1) {
            const auto plus = [&](auto v) CONVOLITH_INLINED { return v + add; };
            // Whole vectors where they are those that the block was stored in, pieces of them elsewhere.
            if (runs[r].position % width<T> == 0)
              map_vectors(from, runs[r].length, y, plus);
            else
              map_pieces(from, runs[r].length, y, plus);
            epilogue.finish(to.data, y - to.data, runs[r].length);
          } else
            for (std::int64_t j = 0; j < runs[r].length; ++j) y[j * to.column] = from[j] + add;
        }
      }
    }
  }
}

// How an image is cut into tasks: bands of rows whose packed planes fit half of an L2 of 1 MiB, at least eight tasks in
// all where the problem has them, first by bands of some blocks of positions and then by row blocks of the filter.
struct Cut {
  std::int64_t bands, band_rows, shares;

  // images = N * G; halo: rows that bands overlap by; pitch: positions of a row; bytes_per_position: of all planes
  Cut(std::int64_t images, std::int64_t rows, std::int64_t halo, std::int64_t pitch, std::int64_t bytes_per_position,
      std::int64_t blocks) {
    constexpr std::int64_t budget = 512 * 1024, enough = 8, positions = 192;
    const std::int64_t bytes_per_row = pitch * bytes_per_position;
    const std::int64_t fitting = min_of(rows, max_of<std::int64_t>(1, budget / bytes_per_row - halo));
    const std::int64_t wanted = min_of(max_of<std::int64_t>(1, rows * pitch / positions), ceil_div(enough, images));
    band_rows = ceil_div(rows, max_of(ceil_div(rows, fitting), wanted));
    bands = ceil_div(rows, band_rows);
    shares = min_of(blocks, ceil_div(enough, images * bands));
  }
};

}  // namespace

// x (N, C, H, W), w (K, C/G, R, S), bias (K) or null, residual (N, K, P, Q) or null, y (N, K, P, Q)
template <class T>
void planes_forward(const Conv2d& p, const T* x, const T* w, const T* bias, const T* residual, T* y) {
  const std::int64_t CG = p.C / p.G, KG = p.K / p.G, taps = CG * p.R * p.S;
  const Axis vertical(p.R, p.stride_h, p.dilation_h), horizontal(p.S, p.stride_w, p.dilation_w);
  const std::int64_t pitch = p.Q + horizontal.reach(), phases = vertical.phases * horizontal.phases;
  const RowBlocks blocks(KG);
  const Cut cut(p.N * p.G, p.P, vertical.reach(), pitch, CG * phases * std::int64_t{sizeof(T)}, blocks.blocks);
  const std::int64_t plane = plane_pitch<T>((cut.band_rows + vertical.reach()) * pitch);

  Scratch<std::int64_t> offset(taps), from(horizontal.phases * pitch);
  Scratch<Columns> columns(horizontal.phases);
  plan_taps(p, vertical, horizontal, CG, pitch, plane, offset.get());
  plan_phases(p, horizontal, pitch, from.get(), columns.get());

  const std::int64_t planes_size = CG * phases * plane + read_slack<T>, tile_size = max_rows * max_vectors * width<T>;
  Scratch<T> buffers(max_threads() * (planes_size + tile_size));
  const std::int64_t tasks = p.N * p.G * cut.bands * cut.shares, cost = p.N * p.P * p.Q * p.K * taps / (16 * tasks);
  parallel_for(tasks, cost, [&](std::int64_t task, int thread) {
    const std::int64_t share = task % cut.shares, band = task / cut.shares % cut.bands;
    const std::int64_t image = task / (cut.shares * cut.bands), n = image / p.G, g = image % p.G;
    const std::int64_t p0 = band * cut.band_rows, rows = min_of(cut.band_rows, p.P - p0);
    T* planes = buffers.get() + thread * (planes_size + tile_size);
    T* tile = planes + planes_size;

    for (std::int64_t c = 0; c < CG; ++c)
      pack_channel(p, x + (n * p.C + g * CG + c) * p.H * p.W, vertical, horizontal, columns.get(), p0,
                   rows + vertical.reach(), pitch, plane, planes + c * phases * plane);
    // The rows of the next band are on their way while this one is multiplied.
    for (std::int64_t c = 0; c < CG; ++c) {
      const T* next = x + (n * p.C + g * CG + c) * p.H * p.W + ((p0 + rows) * p.stride_h + vertical.reach()) * p.W;
      for (std::int64_t j = 0; j < cut.band_rows * p.stride_h * p.W; j += Lanes<T>::count)
        __builtin_prefetch(next + j, 0, 2);
    }
    const std::int64_t start = (n * p.K + g * KG) * p.P * p.Q;
    const Destination<T> to{y + start, p.P * p.Q, p0 * p.Q, p.Q, 1, 0, rows, 0, p.Q};
    correlate(
        blocks, blocks.blocks * share / cut.shares, blocks.blocks * (share + 1) / cut.shares, taps,
        [&](std::int64_t k0, std::int64_t) { return Matrix<T>{w + (g * KG + k0) * taps, taps, 1}; }, planes,
        offset.get(), pitch, bias ? bias + g * KG : nullptr, {residual ? residual + start : nullptr, p.activation}, to,
        tile);
  });
}

INSTANTIATE(planes_forward)

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

}  // namespace

// The same micro-kernel on the transposed problem.  Input row h receives dy row p through filter
// row r where p * stride + r * dilation = h + pad.  Rows h with one residue a of (h + pad) mod stride meet the same
// filter rows, those with r * dilation mod stride = a, each at a constant distance: so dx is stride_h * stride_w
// interleaved stride-1 correlations of dy, and the FLOPs are the forward's.
//
// dy (N, K, P, Q), w (K, C/G, R, S), dx (N, C, H, W); zero padding
template <class T>
void planes_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
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

INSTANTIATE(planes_backward_input)

}  // namespace convolith::CONVOLITH_ISA
