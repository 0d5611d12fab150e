// The one GEMM micro-kernel, and the matrix product over it.
//
// micro: a block of `rows` x `vectors` outputs stays in registers while the taps go by.  Where a tap finds its vectors
// is either a step (a packed matrix) or a table of offsets (a convolution over packed planes: where filter cell
// (c, r, s) sees position 0).  Per tap: `vectors` loads, `rows` broadcasts and rows * vectors FMAs; with 8 x 3 or 6 x 4
// (AVX-512) that is 10 or 11 loads to 24 FMAs, with 4 x 3 (16 registers) 7 to 12: two FMAs a cycle are the bound, not
// the loads.
#pragma once

#include "pack.hpp"
#include "parallel.hpp"
#include "transpose.hpp"

namespace convolith::CONVOLITH_ISA {

// Registers: rows * vectors accumulators, `vectors` of x, one broadcast.
constexpr int max_rows = vector_bytes == 64 ? 8 : 4;
constexpr int max_vectors = vector_bytes == 64 ? 8 : 6;
constexpr int vectors_for(int rows) {
  constexpr int registers = vector_bytes == 64 ? 32 : 16;
  const int fitting = (registers - 1) / (rows + 1);
  return fitting < max_vectors ? fitting : max_vectors;
}

// A matrix as pointer and strides: element (i, j) is data[i * row + j * column].
template <class T>
struct Matrix {
  const T* data;
  std::int64_t row, column;
  CONVOLITH_INLINE const T* row_at(std::int64_t i) const { return data + i * row; }
  CONVOLITH_INLINE std::int64_t column_at(std::int64_t j) const { return j * column; }
};
// One whose rows and columns stand anywhere: element (i, j) is data[row[i] + column[j]].
template <class T>
struct Scattered {
  const T* data;
  const std::int64_t *row, *column;
  CONVOLITH_INLINE const T* row_at(std::int64_t i) const { return data + row[i]; }
  CONVOLITH_INLINE std::int64_t column_at(std::int64_t j) const { return column[j]; }
};
// A matrix whose products have a bias, one of each row, or null.
template <class T>
struct Biased : Matrix<T> {
  const T* bias;
};
template <class W, class V>
CONVOLITH_INLINE V finished(const W&, int, V sum) {
  return sum;
}
template <class T, class V>
CONVOLITH_INLINE V finished(const Biased<T>& w, int row, V sum) {
  return w.bias ? sum + w.bias[row] : sum;
}

// Where tap t finds its vectors.
struct Table {
  const std::int64_t* offset;
  CONVOLITH_INLINE std::int64_t at(std::int64_t t) const { return offset[t]; }
  CONVOLITH_INLINE void fetch(std::int64_t) const {}
};
// On the way, `next` is fetched for the calls to come, a cache line per tap; it may be any address.
struct Step {
  std::int64_t pitch;
  const void* next;
  std::int64_t next_pitch = 64;  // bytes
  CONVOLITH_INLINE std::int64_t at(std::int64_t t) const { return t * pitch; }
  CONVOLITH_INLINE void fetch(std::int64_t t) const {
    CONVOLITH_ISA::fetch(static_cast<const char*>(next) + t * next_pitch);
  }
};
// The lines that are fetched stand anywhere: `line`, bytes from `next`, has one for each tap.
struct ListedStep {
  std::int64_t pitch;
  const void* next;
  const std::int64_t* line;
  CONVOLITH_INLINE std::int64_t at(std::int64_t t) const { return t * pitch; }
  CONVOLITH_INLINE void fetch(std::int64_t t) const { CONVOLITH_ISA::fetch(static_cast<const char*>(next) + line[t]); }
};
// Such a list: `rows` of them, of `length` elements, `pitch` elements apart, as many as there are taps for.  Of `size`
// taps the first `used` fetch.
template <class T>
class Ahead {
 public:
  std::int64_t rows;

  Ahead(std::int64_t size, std::int64_t length, std::int64_t pitch) : Ahead(size, size, length, pitch) {}
  Ahead(std::int64_t size, std::int64_t used, std::int64_t length, std::int64_t pitch) : line_(size) {
    constexpr std::int64_t bytes = sizeof(T);
    const std::int64_t lines = length * bytes / 64 + 2;  // of a row, which may start within one
    rows = max_of<std::int64_t>(1, used / lines);
    for (std::int64_t t = 0; t < size; ++t)
      line_.get()[t] = t < rows * lines ? t / lines * pitch * bytes + t % lines * 64 : 0;
  }
  const std::int64_t* lines() const { return line_.get(); }

 private:
  Scratch<std::int64_t> line_;
};
// A matrix that has to be packed, by the first that multiplies it: its stores hide behind the FMAs.
template <class T>
struct PackingStep : Step {
  T* packed;
  std::int64_t packed_pitch;
};
// What happens to the vector that tap t finds for column j.
template <class Taps, class V>
CONVOLITH_INLINE void seen(const Taps&, std::int64_t, std::int64_t, V) {}
template <class T>
CONVOLITH_INLINE void seen(const PackingStep<T>& where, std::int64_t t, std::int64_t j, Vec<T> v) {
  store(where.packed + t * where.packed_pitch + j, v);
}

template <class T, class W, class Taps>
using Micro = void (*)(std::int64_t taps, const W& w, const T* x, const Taps& where, bool accumulate, T* y,
                       std::int64_t pitch);

// y[k * pitch + j] (+)= sum over t of w(k, t) * x[where.at(t) + j], and the bias that w may have; k < rows,
// j < vectors * width
//
// Operands come by reference: GCC copies structs to the stack in pieces of 16 bytes that were just stored in pieces of
// 8, and such a load waits until all stores before it have left, those of the last block among them.
template <class T, class W, class Taps, int rows, int vectors>
void micro(std::int64_t taps, const W& w, const T* x, const Taps& where, bool accumulate, T* y, std::int64_t pitch) {
  Vec<T> sum[rows][vectors] = {};
  if (accumulate) {
#pragma GCC unroll 8
    for (int k = 0; k < rows; ++k)
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sum[k][v] = load(y + k * pitch + v * width<T>);
  }
  const T* row[rows];
#pragma GCC unroll 8
  for (int k = 0; k < rows; ++k) row[k] = w.row_at(k);
  for (std::int64_t t = 0; t < taps; ++t) {
    where.fetch(t);
    const std::int64_t at = w.column_at(t);
    const T* xt = x + where.at(t);
    Vec<T> b[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) seen(where, t, v * width<T>, b[v] = load(xt + v * width<T>));
#pragma GCC unroll 8
    for (int k = 0; k < rows; ++k)
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sum[k][v] += row[k][at] * b[v];
  }
#pragma GCC unroll 8
  for (int k = 0; k < rows; ++k)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) store(y + k * pitch + v * width<T>, finished(w, k, sum[k][v]));
}

// The micro-kernel of that size; vectors <= vectors_for(rows).
template <class T, class W, class Taps, int rows = max_rows, int vectors = vectors_for(max_rows)>
Micro<T, W, Taps> find_micro(std::int64_t want_rows, std::int64_t want_vectors) {
  if (want_rows == rows && want_vectors == vectors) return micro<T, W, Taps, rows, vectors>;
  if constexpr (rows > 1) {
    if (want_rows < rows) return find_micro<T, W, Taps, rows - 1, vectors_for(rows - 1)>(want_rows, want_vectors);
  }
  if constexpr (vectors > 1) return find_micro<T, W, Taps, rows, vectors - 1>(want_rows, want_vectors);
  return nullptr;
}

// Vectors of a wide panel; blocks of rows beside it are as high as the registers allow.
constexpr std::int64_t panel_vectors = vector_bytes == 64 ? 4 : 3;

// Columns of the right operand in panels of whole vectors, of equal width but for the last.
template <class T>
struct Panels {
  std::int64_t padded, count, wide;  // columns with those that fill the last vector; panels; columns of a panel

  explicit Panels(std::int64_t columns) {
    const std::int64_t vectors = ceil_div(columns, width<T>);
    padded = vectors * width<T>;
    wide = ceil_div(vectors, ceil_div(vectors, panel_vectors)) * width<T>;
    count = ceil_div(padded, wide);
  }
  CONVOLITH_INLINE std::int64_t width_of(std::int64_t panel) const { return min_of(wide, padded - panel * wide); }
};

// Rows of the left operand cut into equal blocks of at most max_rows, or of what leaves registers for `vectors`.
struct RowBlocks {
  std::int64_t rows, blocks, height;  // height of every block but the last

  explicit RowBlocks(std::int64_t all, std::int64_t vectors = 1) : rows(all) {
    std::int64_t most = max_rows;
    while (vectors_for(static_cast<int>(most)) < vectors) --most;
    blocks = ceil_div(all, most);
    height = ceil_div(all, blocks);
    blocks = ceil_div(rows, height);
  }
  CONVOLITH_INLINE std::int64_t height_of(std::int64_t block) const { return min_of(height, rows - block * height); }
  CONVOLITH_INLINE std::int64_t vectors() const { return vectors_for(static_cast<int>(height)); }
};

// Packs block `block`: out (taps, height), out[t][k] = at(first row + k, t).
template <class T, class At>
CONVOLITH_INLINE void pack_rows(const RowBlocks& blocks, std::int64_t block, std::int64_t taps, T* out, const At& at) {
  const std::int64_t height = blocks.height_of(block), first = block * blocks.height;
  for (std::int64_t k = 0; k < height; ++k)
    for (std::int64_t t = 0; t < taps; ++t) out[t * height + k] = at(first + k, t);
}

// The left operand of a product, a (rows, taps), as the micro-kernel reads it block by block.  Where its rows are
// contiguous they are read in place, eight streams of scalars; where its columns are, each tap is a line away from the
// last, and blocks are packed: (block, tap, row).
template <class T>
class LeftOperand {
 public:
  LeftOperand(const RowBlocks& blocks, std::int64_t taps, Matrix<T> a)
      : blocks_(blocks), taps_(taps), a_(a), packed_(a.column == 1 ? 0 : blocks.rows * taps) {
    if (a.column == 1) return;
    // Some taps at a time, as they lie in memory: all blocks take their share of a line while it is there, and what
    // they write is whole lines, which may be as far from each other as a way of the cache is large.
    constexpr std::int64_t few = 16;
    const std::int64_t grain = round_up(ceil_div(elementwise_grain, blocks.rows), few);
    parallel_ranges(taps, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t0 = begin; t0 < end; t0 += few)
        for (std::int64_t b = 0; b < blocks.blocks; ++b) {
          const std::int64_t height = blocks.height_of(b), i0 = b * blocks.height;
          T* to = packed_.get() + i0 * taps + t0 * height;
          for (std::int64_t t = t0; t < min_of(end, t0 + few); ++t, to += height)
            copy_pieces(a.data + i0 + t * a.column, height, to);
        }
    });
  }
  CONVOLITH_INLINE Matrix<T> block(std::int64_t b, std::int64_t first_tap = 0) const {
    const std::int64_t i0 = b * blocks_.height, height = blocks_.height_of(b);
    if (a_.column == 1) return {a_.data + i0 * a_.row + first_tap, a_.row, 1};
    return {packed_.get() + i0 * taps_ + first_tap * height, 1, height};
  }

 private:
  RowBlocks blocks_;
  std::int64_t taps_;
  Matrix<T> a_;
  Scratch<T> packed_;
};

// Rows [k0, k0 + taps) and columns [j0, j0 + columns) of b (k, n), to (taps, panel), whole vectors of columns.
template <class T>
CONVOLITH_INLINE void pack_panel(Matrix<T> b, std::int64_t k, std::int64_t n, std::int64_t k0, std::int64_t taps,
                                 std::int64_t j0, std::int64_t columns, std::int64_t panel, T* to) {
  for (std::int64_t j = 0; j < columns; j += width<T>) {
    const std::int64_t count = min_of(columns - j, width<T>);
    if (b.row == 1 && b.column != 1) {
      const Stack<T> stack{b.data + (j0 + j) * b.column, b.column, count, b.data + (n - 1) * b.column + k};
      for (std::int64_t t = 0; t < taps; t += width<T>) stack.transpose_to(k0 + t, to + t * panel + j, panel);
    } else {
      for (std::int64_t t = 0; t < taps; ++t)
        store(to + t * panel + j, load(b.data + (k0 + t) * b.row + j0 + j, count));
    }
  }
}

// c (m, n) = a (m, k) b (k, n) + bias (n), c row-major and contiguous; a and b are contiguous along rows or columns.
// b is packed panel by panel, by the first rows that it meets where its rows are contiguous; deep sums are cut into
// slices of `depth` so that a panel stays in L2.
template <class T>
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, Matrix<T> a, Matrix<T> b, const T* bias, T* c) {
  constexpr std::int64_t depth = 1024;
  if (m == 0) return;
  const RowBlocks blocks(m);
  const std::int64_t panel = blocks.vectors() * width<T>, panels = ceil_div(n, panel);
  // At least eight tasks where there are as many row blocks: few panels are packed more than once.
  const std::int64_t cuts = min_of(blocks.blocks, ceil_div(std::int64_t{8}, panels));
  const LeftOperand<T> left(blocks, k, a);

  const std::int64_t panel_size = (min_of(k, depth) + width<T>)*panel, tile_size = max_rows * panel;
  Scratch<T> buffers(max_threads() * (panel_size + tile_size));
  const std::int64_t cost = panel * k * (1 + m / cuts) / 16;
  parallel_for(panels * cuts, cost, [&](std::int64_t task, int thread) {
    T* b_packed = buffers.get() + thread * (panel_size + tile_size);  // (tap, column)
    T* tile = b_packed + panel_size;                                  // (row, column)
    const std::int64_t j0 = task / cuts * panel, columns = min_of(panel, n - j0), cut = task % cuts;
    const std::int64_t vectors = ceil_div(columns, width<T>);
    const bool full = columns == vectors * width<T>, in_rows = b.column == 1 && full;
    for (std::int64_t k0 = 0; k0 < k; k0 += depth) {
      const std::int64_t taps = min_of(depth, k - k0);
      if (!in_rows) pack_panel(b, k, n, k0, taps, j0, columns, panel, b_packed);
      // What is packed next, in this panel or the one beside it, is fetched meanwhile: a line of all rows with a block.
      const T* next = b.data + (k0 + depth < k ? (k0 + depth) * b.row + j0 : j0 + panel);
      const std::int64_t first = blocks.blocks * cut / cuts, last = blocks.blocks * (cut + 1) / cuts;
      for (std::int64_t block = first; block < last; ++block, next += Lanes<T>::count) {
        const std::int64_t height = blocks.height_of(block), i0 = block * blocks.height;
        const Matrix<T> rows = left.block(block, k0);
        Step step{panel, b_packed, 0};
        if (in_rows && (block - first) * Lanes<T>::count < columns)
          step = {panel, next, b.row * std::int64_t{sizeof(T)}};
        // Whole vectors go to where they belong, whose lines are on their way; later slices and a bias are added.
        T* to = c + i0 * n + j0;
        for (std::int64_t i = 0; i < height; ++i)
          for (std::int64_t j = 0; j < columns; j += Lanes<T>::count) fetch(to + i * n + j);
        const bool straight = full && k0 == 0 && !bias;
        T* out = straight ? to : tile;
        const std::int64_t pitch = straight ? n : panel;
        if (in_rows && block == first) {
          const PackingStep<T> packing{{b.row, step.next, step.next_pitch}, b_packed, panel};
          find_micro<T, Matrix<T>, PackingStep<T>>(height, vectors)(taps, rows, b.data + k0 * b.row + j0, packing,
                                                                    false, out, pitch);
        } else {
          find_micro<T, Matrix<T>, Step>(height, vectors)(taps, rows, b_packed, step, false, out, pitch);
        }
        for (std::int64_t i = 0; !straight && i < height; ++i, to += n) {
          const T* from = tile + i * panel;
          if (k0 > 0)
            for (std::int64_t j = 0; j < columns; ++j) to[j] += from[j];
          else if (bias)
            for (std::int64_t j = 0; j < columns; ++j) to[j] = from[j] + bias[j0 + j];
          else
            copy_vectors(from, columns, to);
        }
      }
    }
  });
}

}  // namespace convolith::CONVOLITH_ISA
