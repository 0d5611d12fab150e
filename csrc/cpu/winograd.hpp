// Winograd's minimal filtering F(4, 3) and its transpose, one dimension at a time (Lavin & Gray 2015, "Fast algorithms
// for convolutional neural networks"; Winograd 1980): 4 outputs of a 3-tap filter from 6 products instead of 12,
//
//   y = A^T [(G g) * (B^T d)],   points 0, 1, -1, 2, -2, infinity.
//
// Nested in two dimensions that is 36 products for 4 x 4 outputs, a quarter of 144.  The same three matrices give the
// weight gradient, dg = G^T [(B^T d) * (A dy)].  No addition has two products that round (those with powers of two are
// exact), so that there is only one way to fuse it.
#pragma once

#include "vec.hpp"

namespace convolith::CONVOLITH_ISA {

constexpr int tile_out = 4, tile_in = 6, points = tile_in * tile_in;

template <class V>
struct ElementOf;
template <>
struct ElementOf<Vec<float>> {
  using type = float;
};
template <>
struct ElementOf<Vec<double>> {
  using type = double;
};
template <class V>
using Element = typename ElementOf<V>::type;

// B^T d: six inputs to six points
struct InputTransform {
  static constexpr int from = 6, to = 6;
  template <class V>
  static CONVOLITH_INLINE void apply(const V (&d)[6], V (&t)[6]) {
    using T = Element<V>;
    const V a = d[4] - d[2] * T(4), b = d[3] - d[1] * T(4), c = d[4] - d[2], e = d[3] - d[1];
    t[0] = c + (d[0] - d[2]) * T(4);
    t[1] = a + b;
    t[2] = a - b;
    t[3] = c + e * T(2);
    t[4] = c - e * T(2);
    t[5] = (d[5] - d[3]) - e * T(4);
  }
};

// A^T m: six points to four outputs
struct OutputTransform {
  static constexpr int from = 6, to = 4;
  template <class V>
  static CONVOLITH_INLINE void apply(const V (&m)[6], V (&y)[4]) {
    using T = Element<V>;
    const V a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
    y[0] = (m[0] + a) + c;
    y[1] = b + d * T(2);
    y[2] = a + c * T(4);
    y[3] = (b + d * T(8)) + m[5];
  }
};

// G g: three filter taps to six points
struct FilterTransform {
  static constexpr int from = 3, to = 6;
  template <class V>
  static CONVOLITH_INLINE void apply(const V (&g)[3], V (&u)[6]) {
    using T = Element<V>;
    constexpr T sixth = T(1) / 6, twelfth = T(1) / 12;
    const V even = g[0] + g[2], far = g[2] * T(2) + g[0] * T(0.5);
    u[0] = g[0] * T(0.25);
    u[1] = (even + g[1]) * -sixth;
    u[2] = (even - g[1]) * -sixth;
    u[3] = (far + g[1]) * twelfth;
    u[4] = (far - g[1]) * twelfth;
    u[5] = g[2];
  }
};

// A dy: four output gradients to six points
struct GradientTransform {
  static constexpr int from = 4, to = 6;
  template <class V>
  static CONVOLITH_INLINE void apply(const V (&d)[4], V (&t)[6]) {
    using T = Element<V>;
    const V a = d[0] + d[2], b = d[1] + d[3], c = d[0] + d[2] * T(4), e = d[1] + d[3] * T(4);
    t[0] = d[0];
    t[1] = a + b;
    t[2] = a - b;
    t[3] = c + e * T(2);
    t[4] = c - e * T(2);
    t[5] = d[3];
  }
};

// G^T u: six points to three filter taps
struct WeightTransform {
  static constexpr int from = 6, to = 3;
  template <class V>
  static CONVOLITH_INLINE void apply(const V (&u)[6], V (&g)[3]) {
    using T = Element<V>;
    constexpr T sixth = T(1) / 6, twelfth = T(1) / 12;
    const V a = u[1] + u[2], b = u[2] - u[1], c = u[3] + u[4], d = u[3] - u[4];
    g[0] = (u[0] + (c * T(0.25) - a) * (T(2) / 3)) * T(0.25);
    g[1] = (d + b * T(2)) * twelfth;
    g[2] = u[5] + (c - a) * sixth;
  }
};

// Both dimensions: load(i, j) gives element (i, j) of from x from, store(i, j, value) takes one of to x to.
template <class T, class Transform, class Load, class Store>
CONVOLITH_INLINE void transform(const Load& load, const Store& store) {
  constexpr int from = Transform::from, to = Transform::to;
  Vec<T> columns[from][to];
#pragma GCC unroll 6
  for (int j = 0; j < from; ++j) {
    Vec<T> d[from];
#pragma GCC unroll 6
    for (int i = 0; i < from; ++i) d[i] = load(i, j);
    Transform::apply(d, columns[j]);
  }
#pragma GCC unroll 6
  for (int i = 0; i < to; ++i) {
    Vec<T> d[from], t[to];
#pragma GCC unroll 6
    for (int j = 0; j < from; ++j) d[j] = columns[j][i];
    Transform::apply(d, t);
#pragma GCC unroll 6
    for (int j = 0; j < to; ++j) store(i, j, t[j]);
  }
}

}  // namespace convolith::CONVOLITH_ISA
