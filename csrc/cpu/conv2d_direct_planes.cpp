// Direct convolution with positions in vectors, for few filters or few taps: filter rows against packed planes
// (pack.hpp).
//
// 2 N K P Q (C/G) R S FLOPs.  Packing moves each input element once or twice, and every packed element meets
// K/G * R * S FMAs; what positions are computed for nothing, between the rows of an image, falls with its width.
#include "conv2d_direct.hpp"
#include "conv2d_residues.hpp"
#include "epilogue.hpp"
#include "gemm.hpp"
#include "kernels.hpp"
#include "pack.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// Position (i, j) of channel k goes to data[k * plane + origin + i * row + j * column], if i < rows and j < columns.
template <class T>
struct Destination {
  T* data;
  std::int64_t plane, origin, row, column, rows, columns;
};

// Blocks [begin, end) of the filter against every position of the planes, row by row.
//   filter(first row, rows): those rows as a matrix of taps;
//   planes: tap t sees position f = i * pitch + j at planes[offset[t] + f];
//   epilogue: relative to to.data, applied where to.column is 1
template <class T, class Filter>
void correlate_rows(const RowBlocks& blocks, std::int64_t begin, std::int64_t end, std::int64_t taps,
                    const Filter& filter, const T* planes, const std::int64_t* offset, std::int64_t pitch,
                    const Epilogue<T>& epilogue, const Destination<T>& to) {
  const std::int64_t all = to.columns / width<T>, steps = ceil_div(all, blocks.vectors());
  for (std::int64_t i = 0; i < to.rows; ++i)
    for (std::int64_t s = 0; s < steps; ++s) {
      const std::int64_t v0 = all * s / steps, vectors = all * (s + 1) / steps - v0, j0 = v0 * width<T>;
      for (std::int64_t block = begin; block < end; ++block) {
        const std::int64_t height = blocks.height_of(block), k0 = block * blocks.height;
        T* out = to.data + (k0 * to.plane + to.origin + i * to.row + j0);
        for (std::int64_t k = 0; k < height; ++k)
          for (std::int64_t j = 0; j < vectors * width<T>; j += Lanes<T>::count) fetch(out + k * to.plane + j);
        find_micro<T, Biased<T>, Table>(height, vectors)(taps, filter(k0, height), planes + i * pitch + j0, {offset},
                                                         false, out, to.plane);
        for (std::int64_t k = 0; k < height; ++k)
          epilogue.finish(to.data, out + k * to.plane - to.data, vectors * width<T>);
      }
    }
}

// The same for rows of any width, over their ends.
//   tile: room for max_rows x max_vectors vectors
template <class T, class Filter>
void correlate(const RowBlocks& blocks, std::int64_t begin, std::int64_t end, std::int64_t taps, const Filter& filter,
               const T* planes, const std::int64_t* offset, std::int64_t pitch, const Epilogue<T>& epilogue,
               const Destination<T>& to, T* tile) {
  if (is_straight<T>(to.columns, to.column))
    return correlate_rows(blocks, begin, end, taps, filter, planes, offset, pitch, epilogue, to);
  struct Run {
    std::int64_t position, to, length;  // within the block of positions; from `origin`
  };
  Run runs[max_vectors * width<T> + 2];
  const std::int64_t step = blocks.vectors() * width<T>;
  const std::int64_t last = (to.rows - 1) * pitch + to.columns;

  for (std::int64_t f0 = 0; f0 < last; f0 += step) {
    const std::int64_t f1 = min_of(f0 + step, last);
    int n_runs = 0;
    for (std::int64_t i = f0 / pitch; i * pitch < f1; ++i) {
      const std::int64_t from = max_of(f0, i * pitch), until = min_of(f1, i * pitch + to.columns);
      if (from >= until) continue;
      const std::int64_t start = i * to.row + (from - i * pitch) * to.column;
      const auto continues = [&](const Run& run) {
        return to.column == 1 && run.position + run.length == from - f0 && run.to + run.length == start;
      };
      if (n_runs > 0 && continues(runs[n_runs - 1]))
        runs[n_runs - 1].length += until - from;
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
          for (std::int64_t j = 0; j < runs[r].length; j += Lanes<T>::count) fetch(out + runs[r].to + j * to.column);
      }
      find_micro<T, Biased<T>, Table>(height, vectors)(taps, filter(k0, height), planes + f0, {offset}, false, tile,
                                                       step);
      for (std::int64_t k = 0; k < height; ++k) {
        T* out = to.data + ((k0 + k) * to.plane + to.origin);
        for (int r = 0; r < n_runs; ++r) {
          const T* from = tile + k * step + runs[r].position;
          T* y = out + runs[r].to;
          if (to.column == 1) {
            // Whole vectors where they are those that the block was stored in, pieces of them elsewhere.
            if (runs[r].position % width<T> == 0)
              copy_vectors(from, runs[r].length, y);
            else
              copy_pieces(from, runs[r].length, y);
            epilogue.finish(to.data, y - to.data, runs[r].length);
          } else
            for (std::int64_t j = 0; j < runs[r].length; ++j) y[j * to.column] = from[j];
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
  const std::int64_t columns_seen = p.Q + horizontal.reach();
  const std::int64_t pitch = is_straight<T>(p.Q, 1) ? round_up(columns_seen, Lanes<T>::count) : columns_seen;
  const std::int64_t phases = vertical.phases * horizontal.phases;
  const RowBlocks blocks(KG);
  const Cut cut(p.N * p.G, p.P, vertical.reach(), pitch, CG * phases * std::int64_t{sizeof(T)}, blocks.blocks);
  const std::int64_t plane = plane_pitch<T>((cut.band_rows + vertical.reach()) * pitch);

  Scratch<std::int64_t> offset(taps), from(horizontal.phases * columns_seen);
  Scratch<Columns> columns(horizontal.phases);
  plan_taps(p, vertical, horizontal, CG, pitch, plane, offset.get());
  plan_phases(p, horizontal, columns_seen, from.get(), columns.get());

  const std::int64_t planes_size = CG * phases * plane + read_slack<T>, tile_size = max_rows * max_vectors * width<T>;
  Scratch<T> buffers(max_threads() * (planes_size + tile_size));
  Held packed;
  const std::int64_t tasks = p.N * p.G * cut.bands * cut.shares, cost = p.N * p.P * p.Q * p.K * taps / (16 * tasks);
  parallel_for(tasks, cost, [&](std::int64_t task, int thread) {
    const std::int64_t share = task % cut.shares, band = task / cut.shares % cut.bands;
    const std::int64_t image = task / (cut.shares * cut.bands), n = image / p.G, g = image % p.G;
    const std::int64_t p0 = band * cut.band_rows, rows = min_of(cut.band_rows, p.P - p0);
    T* planes = buffers.get() + thread * (planes_size + tile_size);
    T* tile = planes + planes_size;

    if (packed.changes(thread, task / cut.shares)) {
      const T* first = x + image * CG * p.H * p.W;
      for (std::int64_t c = 0; c < CG; ++c)
        pack_channel(p, first + c * p.H * p.W, vertical, horizontal, columns.get(), p0, rows + vertical.reach(), pitch,
                     plane, planes + c * phases * plane);
      // The rows of the next band, of this image or the next, are on their way while this one is multiplied.
      const bool last = band + 1 == cut.bands;
      const std::int64_t next_row = last ? 0 : (p0 + rows) * p.stride_h + vertical.reach();
      const std::int64_t next_end = min_of(p.H, next_row + cut.band_rows * p.stride_h);
      for (std::int64_t c = last ? CG : 0; c < (last ? 2 * CG : CG); ++c)
        for (std::int64_t j = next_row * p.W; j < next_end * p.W; j += Lanes<T>::count)
          fetch(first + c * p.H * p.W + j);
    }
    const std::int64_t start = (n * p.K + g * KG) * p.P * p.Q;
    const Destination<T> to{y + start, p.P * p.Q, p0 * p.Q, p.Q, 1, rows, p.Q};
    correlate(
        blocks, blocks.blocks * share / cut.shares, blocks.blocks * (share + 1) / cut.shares, taps,
        [&](std::int64_t k0, std::int64_t) {
          return Biased<T>{{w + (g * KG + k0) * taps, taps, 1}, bias ? bias + g * KG + k0 : nullptr};
        },
        planes, offset.get(), pitch, {residual ? residual + start : nullptr, p.activation}, to, tile);
  });
}
INSTANTIATE(planes_forward)

// dy (N, K, P, Q), w (K, C/G, R, S), dx (N, C, H, W); zero padding
template <class T>
void planes_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  const std::int64_t CG = p.C / p.G, KG = p.K / p.G, cells = p.R * p.S;
  const Residues residues(p);
  const OutputSet* set = residues.set.get();
  const std::int64_t pitch = residues.pitch, halo = residues.span_h - 1;
  const RowBlocks blocks(CG);
  const Cut cut(p.N * p.G, set[0].rows, halo, pitch, KG * std::int64_t{sizeof(T)}, blocks.blocks);
  const std::int64_t plane = plane_pitch<T>((cut.band_rows + halo) * pitch);

  Scratch<std::int64_t> offset(residues.taps), from(pitch);
  Scratch<std::int64_t> source(residues.taps);  // of each tap: where w has it for channel 0
  residues.each_tap([&](std::int64_t t, std::int64_t k, std::int64_t cell) {
    offset.get()[t] = k * plane + residues.offset(p, cell);
    source.get()[t] = k * CG * cells + cell;
  });

  Scratch<T> filter(p.G * CG * residues.taps);  // (group, set, block, tap, row)
  parallel_for(p.G * blocks.blocks, blocks.height * residues.taps, [&](std::int64_t task, int) {
    const std::int64_t g = task / blocks.blocks, block = task % blocks.blocks;
    for (std::int64_t s = 0; s < residues.sets; ++s)
      pack_rows(blocks, block, set[s].taps,
                filter.get() + CG * (g * residues.taps + set[s].first_tap) + block * blocks.height * set[s].taps,
                [&](std::int64_t c, std::int64_t t) {
                  return w[(g * KG * CG + c) * cells + source.get()[set[s].first_tap + t]];
                });
  });

  const Columns columns = plan_columns(from.get(), pitch, residues.left, 1, p.Q, PaddingMode::zeros);
  const std::int64_t planes_size = KG * plane + read_slack<T>, tile_size = max_rows * max_vectors * width<T>;
  Scratch<T> buffers(max_threads() * (planes_size + tile_size));
  Held packed;
  const std::int64_t tasks = p.N * p.G * cut.bands * cut.shares;
  const std::int64_t cost = p.N * p.P * p.Q * p.K * CG * cells / (16 * tasks);
  parallel_for(tasks, cost, [&](std::int64_t task, int thread) {
    const std::int64_t share = task % cut.shares, band = task / cut.shares % cut.bands;
    const std::int64_t image = task / (cut.shares * cut.bands), n = image / p.G, g = image % p.G;
    const std::int64_t i0 = band * cut.band_rows, rows = min_of(cut.band_rows, set[0].rows - i0);
    T* planes = buffers.get() + thread * (planes_size + tile_size);
    T* tile = planes + planes_size;

    if (packed.changes(thread, task / cut.shares))
      copy_rows(dy + (n * p.K + g * KG) * p.P * p.Q, KG, p.P, p.Q, columns, PaddingMode::zeros, residues.top + i0,
                rows + halo, planes, plane);
    for (std::int64_t s = 0; s < residues.sets; ++s) {
      const OutputSet& out = set[s];
      const std::int64_t rows_of_set = min_of(rows, out.rows - i0);
      if (rows_of_set <= 0) continue;
      const Destination<T> to{dx + (n * p.C + g * CG) * p.H * p.W,
                              p.H * p.W,
                              out.origin + i0 * out.row,
                              out.row,
                              out.column,
                              rows_of_set,
                              out.columns};
      const T* rows_of_filter = filter.get() + CG * (g * residues.taps + out.first_tap);
      const auto rows_from = [&](std::int64_t c, std::int64_t height) {
        return Biased<T>{{rows_of_filter + c * out.taps, 1, height}, nullptr};
      };
      correlate<T>(blocks, blocks.blocks * share / cut.shares, blocks.blocks * (share + 1) / cut.shares, out.taps,
                   rows_from, planes, offset.get() + out.first_tap, pitch, {nullptr, Activation::identity}, to, tile);
    }
  });
}
INSTANTIATE(planes_backward_input)

}  // namespace convolith::CONVOLITH_ISA
