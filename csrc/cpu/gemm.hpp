// The one GEMM micro-kernel, and the matrix product over it.
//
// micro: a block of `rows` x `vectors` outputs stays in registers while the taps go by.  A tap is a constant offset
// into x, so the same kernel serves a packed matrix (offset = tap * pitch) and a convolution over packed planes
// (offset = where filter cell (c, r, s) sees position 0).  Per tap: `vectors` loads, `rows` broadcasts and
// rows * vectors FMAs; with 8 x 3 (AVX-512) that is 11 loads to 24 FMAs, with 4 x 3 (16 registers) 7 to 12: two FMAs
// a cycle are the bound, not the loads.
#pragma once

#include "parallel.hpp"
#include "vec.hpp"

namespace convolith::CONVOLITH_ISA {

// Registers: rows * vectors accumulators, `vectors` of x, one broadcast.
constexpr int max_rows = vector_bytes == 64 ? 8 : 4;
constexpr int max_vectors = vector_bytes == 64 ? 8 : 6;
constexpr int vectors_for(int rows) {
  constexpr int registers = vector_bytes == 64 ? 32 : 16;
  const int fitting = (registers - 1) / (rows + 1);
  return fitting < max_vectors ? fitting : max_vectors;
}

template <class T>
using Micro = void (*)(std::int64_t taps, const T* w, const T* x, const std::int64_t* offset, T* y, std::int64_t pitch);

// y[k * pitch + j] = sum over t of w[t * rows + k] * x[offset[t] + j], j < vectors * width
//   w (taps, rows) packed, offset (taps), y (rows, pitch)
template <class T, int rows, int vectors>
void micro(std::int64_t taps, const T* w, const T* x, const std::int64_t* offset, T* y, std::int64_t pitch) {
  Vec<T> sum[rows][vectors] = {};
  for (std::int64_t t = 0; t < taps; ++t) {
    const T* xt = x + offset[t];
    Vec<T> b[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) b[v] = load(xt + v * width<T>);
#pragma GCC unroll 8
    for (int k = 0; k < rows; ++k)
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sum[k][v] += w[t * rows + k] * b[v];
  }
#pragma GCC unroll 8
  for (int k = 0; k < rows; ++k)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) store(y + k * pitch + v * width<T>, sum[k][v]);
}

// The micro-kernel of that size; vectors <= vectors_for(rows).
template <class T, int rows = max_rows, int vectors = vectors_for(max_rows)>
Micro<T> find_micro(std::int64_t want_rows, std::int64_t want_vectors) {
  if (want_rows == rows && want_vectors == vectors) return micro<T, rows, vectors>;
  if constexpr (rows > 1) {
    if (want_rows < rows) return find_micro<T, rows - 1, vectors_for(rows - 1)>(want_rows, want_vectors);
  }
  if constexpr (vectors > 1) return find_micro<T, rows, vectors - 1>(want_rows, want_vectors);
  return nullptr;
}

// A matrix as pointer and strides: element (i, j) is data[i * row + j * column].
template <class T>
struct Matrix {
  const T* data;
  std::int64_t row, column;
};

template <class T>
using Product = void (*)(std::int64_t depth, Matrix<T> a, Matrix<T> b, bool accumulate, T* c, std::int64_t pitch,
                         const T* next);

// c[i * pitch + j] (+)= sum over t of a(i, t) b(t, j), i < rows, j < vectors * width; b.column is 1
template <class T, int rows, int vectors>
void product(std::int64_t depth, Matrix<T> a, Matrix<T> b, bool accumulate, T* c, std::int64_t pitch, const T* next) {
  Vec<T> sum[rows][vectors] = {};
  if (accumulate) {
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sum[i][v] = load(c + i * pitch + v * width<T>);
  }
  for (std::int64_t t = 0; t < depth; ++t) {
    const T* at = a.data + t * a.column;
    const T* bt = b.data + t * b.row;
    __builtin_prefetch(next + t * Lanes<T>::count);
    Vec<T> bv[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) bv[v] = load(bt + v * width<T>);
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sum[i][v] += at[i * a.row] * bv[v];
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) store(c + i * pitch + v * width<T>, sum[i][v]);
}

template <class T, int rows = max_rows, int vectors = vectors_for(max_rows)>
Product<T> find_product(std::int64_t want_rows, std::int64_t want_vectors) {
  if (want_rows == rows && want_vectors == vectors) return product<T, rows, vectors>;
  if constexpr (rows > 1) {
    if (want_rows < rows) return find_product<T, rows - 1, vectors_for(rows - 1)>(want_rows, want_vectors);
  }
  if constexpr (vectors > 1) return find_product<T, rows, vectors - 1>(want_rows, want_vectors);
  return nullptr;
}

constexpr std::int64_t panel_vectors = vector_bytes == 64 ? 4 : 3;

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

// c (m, n) = a (m, k) b (k, n) + bias (n), c row-major and contiguous.  b is packed panel by panel, deep sums are cut
// into slices of `depth` so that a panel (depth x 24 vectors at most) stays in L2.
template <class T>
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, Matrix<T> a, Matrix<T> b, const T* bias, T* c) {
  constexpr std::int64_t depth = 1024;
  if (m == 0) return;
  const RowBlocks blocks(m);
  const std::int64_t panel = blocks.vectors() * width<T>, panels = ceil_div(n, panel);
  // At least eight tasks where there are as many row blocks: few panels are packed more than once.
  const std::int64_t cuts = min_of(blocks.blocks, ceil_div(std::int64_t{8}, panels));

  Scratch<T> a_packed(m * k);  // (slice, block, tap, row)
  parallel_for(blocks.blocks, blocks.height * k, [&](std::int64_t block, int) {
    for (std::int64_t k0 = 0; k0 < k; k0 += depth) {
      const std::int64_t taps = min_of(depth, k - k0);
      pack_rows(blocks, block, taps, a_packed.get() + m * k0 + block * blocks.height * taps,
                [&](std::int64_t i, std::int64_t t) { return a.data[i * a.row + (k0 + t) * a.column]; });
    }
  });

  Scratch<std::int64_t> offset(min_of(k, depth));
  for (std::int64_t t = 0; t < min_of(k, depth); ++t) offset.get()[t] = t * panel;
  const std::int64_t panel_size = min_of(k, depth) * panel, tile_size = max_rows * panel;
  Scratch<T> buffers(max_threads() * (panel_size + tile_size));

  const std::int64_t cost = panel * k * (1 + m / cuts) / 16;
  parallel_for(panels * cuts, cost, [&](std::int64_t task, int thread) {
    T* b_packed = buffers.get() + thread * (panel_size + tile_size);  // (tap, column)
    T* tile = b_packed + panel_size;                                  // (row, column)
    const std::int64_t j0 = task / cuts * panel, columns = min_of(panel, n - j0), cut = task % cuts;
    const std::int64_t vectors = ceil_div(columns, width<T>);
    for (std::int64_t k0 = 0; k0 < k; k0 += depth) {
      const std::int64_t taps = min_of(depth, k - k0);
      for (std::int64_t t = 0; t < taps; ++t) {
        T* to = b_packed + t * panel;
        const T* from = b.data + (k0 + t) * b.row + j0 * b.column;
        if (b.column == 1)
          std::memcpy(to, from, static_cast<std::size_t>(columns) * sizeof(T));
        else
          for (std::int64_t j = 0; j < columns; ++j) to[j] = from[j * b.column];
        for (std::int64_t j = columns; j < vectors * width<T>; ++j) to[j] = T(0);
      }
      for (std::int64_t block = blocks.blocks * cut / cuts; block < blocks.blocks * (cut + 1) / cuts; ++block) {
        const std::int64_t height = blocks.height_of(block), i0 = block * blocks.height;
        find_micro<T>(height, vectors)(taps, a_packed.get() + m * k0 + i0 * taps, b_packed, offset.get(), tile, panel);
        for (std::int64_t i = 0; i < height; ++i) {
          T* to = c + (i0 + i) * n + j0;
          const T* from = tile + i * panel;
          if (k0 > 0)
            for (std::int64_t j = 0; j < columns; ++j) to[j] += from[j];
          else if (bias)
            for (std::int64_t j = 0; j < columns; ++j) to[j] = from[j] + bias[j0 + j];
          else
            std::memcpy(to, from, static_cast<std::size_t>(columns) * sizeof(T));
        }
      }
    }
  });
}

}  // namespace convolith::CONVOLITH_ISA
