// What conv2d's forward and input gradient share: filter rows against packed planes, and the way from flat positions
// back to rows of an image.
#pragma once

#include "epilogue.hpp"
#include "gemm.hpp"
#include "kernels.hpp"
#include "pack.hpp"

namespace convolith::CONVOLITH_ISA {

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
  Run runs[max_vectors * width<T> + 2];
  const std::int64_t step = blocks.vectors() * width<T>;
  const std::int64_t last = (to.row_end - 1) * pitch + to.column_end;

  for (std::int64_t f0 = to.row_begin * pitch; f0 < last; f0 += step) {
    const std::int64_t f1 = min_of(f0 + step, last);
    int n_runs = 0;
    for (std::int64_t i = f0 / pitch; i * pitch < f1; ++i) {
      const std::int64_t from = max_of(f0, i * pitch + to.column_begin), until = min_of(f1, i * pitch + to.column_end);
      if (from >= until) continue;
      const std::int64_t start = i * to.row + (from - i * pitch) * to.column;
      if (n_runs > 0 && to.row == pitch && to.column == 1)  // rows without a gap
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

}  // namespace convolith::CONVOLITH_ISA
