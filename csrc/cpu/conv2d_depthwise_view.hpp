// How depthwise convolution reads an image whose positions are in vectors: rows where they stand, no copy.
#pragma once

#include "pack.hpp"
#include "parallel.hpp"
#include "transpose.hpp"

namespace convolith::CONVOLITH_ISA {

template <class V, class Bits>
CONVOLITH_INLINE V masked(V v, Bits mask) {
  return (V)((Bits)v & mask);
}

// Planes (H, W) with zeros around them, as vectors of outputs meet them.
template <class T>
class Planes {
 public:
  // top: the row that filter row 0 of output row 0 meets; slack: how far vectors reach beyond a row, on either side
  Planes(std::int64_t H, std::int64_t W, std::int64_t top, std::int64_t stride, std::int64_t slack)
      : H_(H),
        W_(W),
        top_(top),
        stride_(stride),
        slack_(slack),
        zeros_(W + 2 * slack),
        copies_(max_threads() * (H * W + 2 * slack)) {
    fill_zero(zeros_.get(), W + 2 * slack);
  }
  // Plane `image` of x, of `images`: where it stands, or a copy of it where vectors would leave x.
  CONVOLITH_INLINE const T* plane(const T* x, std::int64_t image, std::int64_t images, int thread) const {
    const std::int64_t size = H_ * W_, first = image * size;
    if (first >= slack_ && first + size + slack_ <= images * size) return x + first;
    T* copy = copies_.get() + thread * (size + 2 * slack_) + slack_;
    copy_vectors(x + first, size, copy);
    return copy;
  }
  // The rows of a plane that output rows p ... meet.
  template <int count>
  CONVOLITH_INLINE void rows(const T* plane, std::int64_t p, const T* (&row)[count]) const {
    const std::int64_t first = top_ + p * stride_;
#pragma GCC unroll 32
    for (int i = 0; i < count; ++i)
      row[i] = first + i >= 0 && first + i < H_ ? plane + (first + i) * W_ : zeros_.get() + slack_;
  }

 private:
  std::int64_t H_, W_, top_, stride_, slack_;
  Scratch<T> zeros_, copies_;
};

// What vectors of outputs meet in such rows, in two forms.  Rows are cut into `blocks` of outputs, with `masks` of
// their own; `load` gives what the cells of a filter row meet for the outputs from q on, `store` stores n outputs.
//   cells: of a filter row; left: the column that the first one meets for output 0

// Rows in one register, or at stride 2 in two: read once, and moved by lanes from cell to cell.
template <class T, int bytes, int cells, int stride, int left>
class NarrowView : public Planes<T> {
 public:
  using Vector = typename VectorType<T, bytes>::type;
  static constexpr std::int64_t lanes = bytes / sizeof(T), blocks = 1;
  struct Masks {
    typename VectorType<IntOf<T>, bytes>::type of[stride];
  };
  // Of Q outputs in rows of W.
  static bool serves(std::int64_t W, std::int64_t first, std::int64_t Q) {
    return first == left && Q <= lanes && 2 * Q >= lanes && W <= stride * lanes;
  }

  NarrowView(std::int64_t H, std::int64_t W, std::int64_t top, std::int64_t, std::int64_t)
      : Planes<T>(H, W, top, stride, stride * lanes) {
    for (std::int64_t i = 0; i < stride * lanes; ++i) masks_.of[i / lanes][i % lanes] = i < W ? -1 : 0;
  }
  CONVOLITH_INLINE std::int64_t start(std::int64_t) const { return 0; }
  CONVOLITH_INLINE Masks masks(std::int64_t) const { return masks_; }
  CONVOLITH_INLINE void load(const T* row, std::int64_t, const Masks& masks, Vector (&v)[cells]) const {
    Vector parts[stride];
    for (int i = 0; i < stride; ++i) parts[i] = masked(load_vector<Vector>(row + i * lanes), masks.of[i]);
    if constexpr (stride == 2) {
      const Vector even = every_second<T, false>(parts[0], parts[1]);
      parts[1] = every_second<T, true>(parts[0], parts[1]);
      parts[0] = even;
    }
    pick<0>(parts, v);
  }
  // `more`: a row follows, which is stored later.
  CONVOLITH_INLINE void store(T* to, Vector v, std::int64_t n, bool more) const {
    if (more)
      store_vector(to, v);
    else
      store_vector(to, v, n);
  }

 private:
  template <int s>
  static CONVOLITH_INLINE void pick(const Vector (&parts)[stride], Vector (&v)[cells]) {
    constexpr int odd = (left + s) & (stride - 1);
    v[s] = moved<T, (left + s - odd) / stride>(parts[odd]);
    keep(v[s]);
    if constexpr (s + 1 < cells) pick<s + 1>(parts, v);
  }

  Masks masks_;
};

// Rows of any width: read for each cell, lanes outside of the row masked.  Blocks begin at multiples of the vector's
// length, or end with the row (`overlapping`).
template <class T, int cells, int stride, bool overlapping>
class WideView : public Planes<T> {
 public:
  using Vector = Vec<T>;
  static constexpr std::int64_t lanes = width<T>;
  struct Masks {
    Vec<IntOf<T>> of[cells];
  };
  const std::int64_t blocks;

  WideView(std::int64_t H, std::int64_t W, std::int64_t top, std::int64_t left, std::int64_t Q)
      : Planes<T>(H, W, top, stride, 2 * stride * lanes + 8),
        blocks(ceil_div(Q, lanes)),
        left_(left),
        last_(overlapping ? max_of<std::int64_t>(0, Q - lanes) : Q),
        masks_(blocks * cells * lanes) {
    for (std::int64_t block = 0; block < blocks; ++block)
      for (std::int64_t s = 0; s < cells; ++s)
        for (std::int64_t lane = 0; lane < lanes; ++lane) {
          const std::int64_t q = start(block) + lane, column = q * stride + left + s;
          masks_.get()[(block * cells + s) * lanes + lane] = q < Q && column >= 0 && column < W ? -1 : 0;
        }
  }
  CONVOLITH_INLINE std::int64_t start(std::int64_t block) const { return min_of(block * lanes, last_); }
  CONVOLITH_INLINE Masks masks(std::int64_t block) const {
    Masks masks;
#pragma GCC unroll 8
    for (int s = 0; s < cells; ++s)
      masks.of[s] = load_vector<Vec<IntOf<T>>>(masks_.get() + (block * cells + s) * lanes);
    return masks;
  }
  CONVOLITH_INLINE void load(const T* row, std::int64_t q, const Masks& masks, Vector (&v)[cells]) const {
    row += q * stride + left_;
#pragma GCC unroll 8
    for (int s = 0; s < cells; s += stride) {
      const Vector a = load_vector<Vector>(row + s);
      if constexpr (stride == 1) {
        v[s] = masked(a, masks.of[s]);
      } else {
        const Vector b = load_vector<Vector>(row + s + lanes);
        v[s] = masked(every_second<T, false>(a, b), masks.of[s]);
        if (s + 1 < cells) v[s + 1] = masked(every_second<T, true>(a, b), masks.of[s + 1]);
      }
    }
#pragma GCC unroll 8
    for (int s = 0; s < cells; ++s) keep(v[s]);
  }
  CONVOLITH_INLINE void store(T* to, Vector v, std::int64_t n, bool) const { store_vector(to, v, n); }

 private:
  std::int64_t left_, last_;
  Scratch<IntOf<T>> masks_;
};

template <class View>
struct Type {
  using type = View;
};
// Calls f with the type of the view that suits rows of W and Q elements.
template <class T, int cells, int stride, int narrow_left, bool overlapping, class F>
CONVOLITH_INLINE void with_view(std::int64_t W, std::int64_t left, std::int64_t Q, const F& f) {
  constexpr int bytes = vector_bytes, half = bytes > 16 ? bytes / 2 : bytes;
  using Narrow = NarrowView<T, bytes, cells, stride, narrow_left>;
  using Narrower = NarrowView<T, half, cells, stride, narrow_left>;
  if (Narrower::serves(W, left, Q))
    f(Type<Narrower>{});
  else if (Narrow::serves(W, left, Q))
    f(Type<Narrow>{});
  else
    f(Type<WideView<T, cells, stride, overlapping>>{});
}

// Calls f(i, Number<rows>{}) for rows [i, i + rows), the last ones overlapping those before; one by one where there are
// fewer.
template <int rows, class F>
CONVOLITH_INLINE void for_row_blocks(std::int64_t n, const F& f) {
  if (n < rows)
    for (std::int64_t i = 0; i < n; ++i) f(i, Number<1>{});
  else
    for (std::int64_t i = 0; i < n; i += rows) f(min_of(i, n - rows), Number<rows>{});
}

}  // namespace convolith::CONVOLITH_ISA
