// The input gradient as correlations at stride 1.
//
// Row a + i * stride of dx, a < stride, meets filter row r in dy row i + (a + pad) / stride - shift(r), provided that
// a + pad and r * dilation have the same residue of the stride; columns likewise.  So each pair of first row and first
// column is a set of outputs, a filter cell belongs to one of them, and the FLOPs are the forward's.
#pragma once

#include "pack.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {

// One set of outputs (rows, columns), element (i, j) at origin + i * row + j * column of its plane, and its share of
// the taps.
struct OutputSet {
  std::int64_t rows, columns, origin, row, column;
  std::int64_t first_tap, taps;
};

struct Residues {
  Axis vertical, horizontal;
  std::int64_t filters, cells, sets, taps;  // filters: of a group; taps: of all sets
  std::int64_t top, left;                   // the row and the column of dy that row 0 and column 0 of all sets begin at
  std::int64_t span_h, pitch;               // rows of dy that a row of all sets meets; columns that all columns do
  Scratch<OutputSet> set;                   // the first has the most rows and columns
  Scratch<std::int64_t> set_of, index;      // of each cell: its set (or -1: no input meets it), its place in it

  explicit Residues(const Conv2d& p)
      : vertical(p.R, p.stride_h, p.dilation_h),
        horizontal(p.S, p.stride_w, p.dilation_w),
        filters(p.K / p.G),
        cells(p.R * p.S),
        sets(0),
        taps(0),
        top(p.pad_top / p.stride_h - vertical.reach()),
        left(p.pad_left / p.stride_w - horizontal.reach()),
        span_h((p.stride_h - 1 + p.pad_top) / p.stride_h - top + 1),
        pitch(ceil_div(p.W, p.stride_w) + (p.stride_w - 1 + p.pad_left) / p.stride_w - left),
        set(p.stride_h * p.stride_w),
        set_of(cells),
        index(cells) {
    for (std::int64_t cell = 0; cell < cells; ++cell) set_of.get()[cell] = -1;
    for (std::int64_t a = 0; a < min_of(p.stride_h, p.H); ++a)
      for (std::int64_t b = 0; b < min_of(p.stride_w, p.W); ++b, ++sets) {
        std::int64_t n = 0;
        for (std::int64_t cell = 0; cell < cells; ++cell)
          if ((a + p.pad_top - cell / p.S * p.dilation_h) % p.stride_h == 0 &&
              (b + p.pad_left - cell % p.S * p.dilation_w) % p.stride_w == 0) {
            set_of.get()[cell] = sets;
            index.get()[cell] = n++;
          }
        set.get()[sets] = {.rows = ceil_div(p.H - a, p.stride_h),
                           .columns = ceil_div(p.W - b, p.stride_w),
                           .origin = a * p.W + b,
                           .row = p.stride_h * p.W,
                           .column = p.stride_w,
                           .first_tap = taps,
                           .taps = filters * n};
        taps += filters * n;
      }
  }

  // The tap of cell `cell` of filter k among those of its set: filter by filter, cell by cell.
  CONVOLITH_INLINE std::int64_t tap(std::int64_t k, std::int64_t cell) const {
    return k * (set.get()[set_of.get()[cell]].taps / filters) + index.get()[cell];
  }
  // Where that cell finds the element of dy for position 0 of its set, in a copy that starts at (top, left).
  CONVOLITH_INLINE std::int64_t offset(const Conv2d& p, std::int64_t cell) const {
    const std::int64_t a = set.get()[set_of.get()[cell]].origin / p.W, b = set.get()[set_of.get()[cell]].origin % p.W;
    const std::int64_t row = (a + p.pad_top) / p.stride_h - vertical.shift(cell / p.S) - top;
    const std::int64_t column = (b + p.pad_left) / p.stride_w - horizontal.shift(cell % p.S) - left;
    return row * pitch + column;
  }
  // Calls f(tap among all, filter, cell) for every tap.
  template <class F>
  CONVOLITH_INLINE void each_tap(const F& f) const {
    for (std::int64_t cell = 0; cell < cells; ++cell)
      for (std::int64_t k = 0; k < filters && set_of.get()[cell] >= 0; ++k)
        f(set.get()[set_of.get()[cell]].first_tap + tap(k, cell), k, cell);
  }
};

}  // namespace convolith::CONVOLITH_ISA
