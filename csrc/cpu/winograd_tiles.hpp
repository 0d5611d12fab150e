// From images to transformed tiles, which Winograd's forward and weight gradient share.
#pragma once

#include "pack.hpp"
#include "transpose.hpp"
#include "winograd.hpp"

namespace convolith::CONVOLITH_ISA {

// Tiles are numbered image by image, row by row.  A run is tiles [x0, x1) of one tile row.
struct Tiles {
  std::int64_t rows, columns, count;

  explicit Tiles(const Conv2d& p)
      : rows(ceil_div(p.P, tile_out)), columns(ceil_div(p.Q, tile_out)), count(p.N * rows * columns) {}
};

// Calls f(image, tile row, x0, x1, tiles before this run) for the runs of tiles [begin, end).
template <class F>
CONVOLITH_INLINE void for_runs(const Tiles& tiles, std::int64_t begin, std::int64_t end, const F& f) {
  for (std::int64_t t = begin; t < end;) {
    const std::int64_t row = t / tiles.columns, x0 = t % tiles.columns;
    const std::int64_t x1 = min_of(tiles.columns, x0 + end - t);
    f(row / tiles.rows, row % tiles.rows, x0, x1, t - begin);
    t += x1 - x0;
  }
}

// Columns [begin, end) of a padded row, transposed: out (column, channel), with room for a vector of columns behind.
//   row: where it starts in the image, or -1 for zeros
template <class T>
CONVOLITH_INLINE void transpose_row(const Stack<T>& channels, std::int64_t row, const Conv2d& p, std::int64_t begin,
                                    std::int64_t end, T* out) {
  if (row < 0) return fill_zero(out, (end - begin) * width<T>);
  const std::int64_t inside = max_of(begin, p.pad_left), until = min_of(end, p.W + p.pad_left);
  for (std::int64_t j = inside; j < until; j += width<T>)
    channels.transpose_to(row + j - p.pad_left, out + (j - begin) * width<T>, width<T>);
  const auto border = [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t j = from; j < to; ++j) {
      const std::int64_t w = source(j - p.pad_left, p.W, p.padding_mode);
      for (std::int64_t c = 0; c < width<T>; ++c)
        out[(j - begin) * width<T> + c] =
            w < 0 ? T(0) : channels.x[min_of(c, channels.count - 1) * channels.pitch + row + w];
    }
  };
  border(begin, min_of(inside, end));
  border(max_of(until, begin), end);
}

// Channels [c_begin, c_end) of tiles [begin, end) to v (point, tile, channel), `v_point` and `pitch` apart.
//   Transform takes tiles of `from` x `from` inputs, 4 apart; rows: room for `from` rows of row_size
template <class Transform, class T>
CONVOLITH_INLINE void transform_tiles(const Conv2d& p, const Tiles& tiles, std::int64_t begin, std::int64_t end,
                                      const T* x, std::int64_t c_begin, std::int64_t c_end, std::int64_t pitch,
                                      std::int64_t v_point, std::int64_t row_size, T* rows, T* v) {
  constexpr int from = Transform::from, overlap = from - tile_out;
  for (std::int64_t c = c_begin; c < c_end; c += width<T>)
    for_runs(tiles, begin, end, [&](std::int64_t n, std::int64_t y, std::int64_t x0, std::int64_t x1, std::int64_t at) {
      const Stack<T> channels{x + (n * p.C + c) * p.H * p.W, p.H * p.W, min_of(width<T>, p.C - c),
                              x + p.N * p.C * p.H * p.W};
      // Rows that overlap with the tiles above are still there if those were done, all of them.
      const T* row[from];
      for (int i = 0; i < from; ++i) {
        T* to = rows + (y * tile_out + i) % from * row_size;
        row[i] = to;
        if (i < overlap && y > 0 && at >= tiles.columns) continue;
        const std::int64_t h = source(y * tile_out + i - p.pad_top, p.H, p.padding_mode);
        transpose_row(channels, h < 0 ? -1 : h * p.W, p, x0 * tile_out, x1 * tile_out + overlap, to);
      }
      for (std::int64_t tile = 0; tile < x1 - x0; ++tile) {
        const std::int64_t column = tile * tile_out * width<T>;
        T* to = v + (at + tile) * pitch + c - c_begin;
        transform<T, Transform>([=](int i, int j) CONVOLITH_INLINED { return load(row[i] + column + j * width<T>); },
                                [=](int i, int j, Vec<T> value)
                                    CONVOLITH_INLINED { store(to + (i * 6 + j) * v_point, value); });
      }
    });
}

}  // namespace convolith::CONVOLITH_ISA
