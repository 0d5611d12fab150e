// Where the pixels of an augmented image come from: windows and flips, resampling, and the smoothing of displacements.
#include "kernels.hpp"
#include "pack.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// to (Q) = from (W) at left, left + 1, ...; from right to left if `across`.
template <class E>
CONVOLITH_INLINE void crop_row(const CropFlip& p, const E* from, std::int64_t left, bool across, E fill, E* to) {
  const std::int64_t begin = min_of(max_of<std::int64_t>(-left, 0), p.Q);  // [begin, end) comes from inside
  const std::int64_t end = max_of(min_of(p.W - left, p.Q), begin);
  const auto edge = [&](std::int64_t j) {
    const std::int64_t w = source(left + j, p.W, p.padding_mode);
    to[across ? p.Q - 1 - j : j] = w < 0 ? fill : from[w];
  };
  for (std::int64_t j = 0; j < begin; ++j) edge(j);
  if (across)
    for (std::int64_t j = begin; j < end; ++j) to[p.Q - 1 - j] = from[left + j];
  else
    for (std::int64_t j = begin; j < end; ++j) to[j] = from[left + j];
  for (std::int64_t j = end; j < p.Q; ++j) edge(j);
}

// x (N, C, H, W), y (N, C, P, Q) of any element type.
template <class E>
void crop(const CropFlip& p, const std::int64_t* offsets, const std::int64_t* flips, const E* x, E* y) {
  const E fill = static_cast<E>(p.fill);
  const std::int64_t rows_per_task = max_of<std::int64_t>(1, elementwise_grain / p.Q);
  parallel_ranges(p.N * p.C * p.P, rows_per_task, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t plane = row / p.P, n = plane / p.C, i = row % p.P;
      const std::int64_t h = offsets[2 * n] + (flips[2 * n] ? p.P - 1 - i : i), from = source(h, p.H, p.padding_mode);
      E* to = y + row * p.Q;
      if (from >= 0)
        crop_row(p, x + (plane * p.H + from) * p.W, offsets[2 * n + 1], flips[2 * n + 1] != 0, fill, to);
      else
        for (std::int64_t j = 0; j < p.Q; ++j) to[j] = fill;
    }
  });
}

// Rows of an image with `fill` around it, one cell before and two behind, so that all four neighbours of any position
// can be read.
struct Framed {
  std::int64_t H, W;
  CONVOLITH_INLINE std::int64_t pitch() const { return W + 3; }
  CONVOLITH_INLINE std::int64_t size() const { return (H + 3) * pitch(); }
};

// framed (H + 3, W + 3) = x (H, W) and its frame.
template <class T>
CONVOLITH_INLINE void frame(const Framed& f, const T* x, T fill, T* framed) {
  for (std::int64_t i = 0; i < f.size(); ++i) framed[i] = fill;
  for (std::int64_t h = 0; h < f.H; ++h)
    for (std::int64_t w = 0; w < f.W; ++w) framed[(h + 1) * f.pitch() + w + 1] = x[h * f.W + w];
}

// v + 1, v being kept in [-1, size], where there is nothing but `fill`; NaN counts as outside.
template <class T>
CONVOLITH_INLINE T into_frame(T v, T size) {
  v = v > T(-1) ? v : T(-1);
  return (v < size ? v : size) + T(1);
}

// v rounded to the nearest integer, ties to even.
CONVOLITH_INLINE float rounded(float v) {
  constexpr float shifter = 12582912.0f;  // 1.5 * 2^23
  return v + shifter - shifter;
}
CONVOLITH_INLINE double rounded(double v) {
  constexpr double shifter = 6755399441055744.0;  // 1.5 * 2^52
  return v + shifter - shifter;
}

// Where a row of y is read: its upper left neighbour in a framed plane, and how far beyond that.
template <class T>
struct Positions {
  std::int32_t* at;  // (W)
  T *right, *down;   // (W)
};

// Row i of y; m (2, 3); field (2, H, W) or null.
template <class T>
void locate(const Warp& p, std::int64_t i, const T* m, const T* field, const Positions<T>& to) {
  const auto W = static_cast<std::int32_t>(p.W), pitch = static_cast<std::int32_t>(Framed{p.H, p.W}.pitch());
  const T *du = field ? field + i * p.W : nullptr, *dv = field ? field + (p.H + i) * p.W : nullptr;
  const T row = static_cast<T>(i), width = static_cast<T>(p.W), height = static_cast<T>(p.H);
  for (std::int32_t j = 0; j < W; ++j) {
    const T u = static_cast<T>(j) + (field ? du[j] : T(0)), v = row + (field ? dv[j] : T(0));
    const T x = m[0] * u + (m[1] * v + m[2]), y = m[3] * u + (m[4] * v + m[5]);
    const T w = into_frame(p.bilinear ? x : rounded(x), width), h = into_frame(p.bilinear ? y : rounded(y), height);
    const auto left = static_cast<std::int32_t>(w), top = static_cast<std::int32_t>(h);
    to.at[j] = top * pitch + left;
    to.right[j] = w - static_cast<T>(left);
    to.down[j] = h - static_cast<T>(top);
  }
}

// y (W) from a framed plane.
template <class T>
void resample(const Warp& p, const T* plane, const Positions<T>& from, T* y) {
  const std::int64_t pitch = Framed{p.H, p.W}.pitch();
  if (!p.bilinear) {
    for (std::int64_t j = 0; j < p.W; ++j) y[j] = plane[from.at[j]];
    return;
  }
  for (std::int64_t j = 0; j < p.W; ++j) {
    const T *upper = plane + from.at[j], *lower = upper + pitch;
    const T above = from.right[j] * (upper[1] - upper[0]) + upper[0];
    const T below = from.right[j] * (lower[1] - lower[0]) + lower[0];
    y[j] = from.down[j] * (below - above) + above;
  }
}

// y (n) += weight x (n)
template <class T>
CONVOLITH_INLINE void add_scaled(std::int64_t n, T weight, const T* x, T* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = weight * x[i] + y[i];
}

}  // namespace

// x (N, C, H, W), y (N, C, P, Q) of elements of item_size bytes; offsets (N, 2): row and column of the window's corner;
// flips (N, 2): whether it is turned upside down, and left to right.  One read, one write.
template <class T>
void crop_flip(const CropFlip& p, const std::int64_t* offsets, const std::int64_t* flips, const void* x, void* y) {
  if (p.item_size == 1)
    crop(p, offsets, flips, static_cast<const std::uint8_t*>(x), static_cast<std::uint8_t*>(y));
  else if (p.item_size == 4)
    crop(p, offsets, flips, static_cast<const float*>(x), static_cast<float*>(y));
  else
    crop(p, offsets, flips, static_cast<const double*>(x), static_cast<double*>(y));
}
INSTANTIATE(crop_flip)

// x, y (N, C, H, W); matrices (N, 2, 3), displacement (N, 2, H, W) or null: column j of row i is read at
// M (j + d0, i + d1, 1) = (column, row).  Per pixel 6 FMAs for its place, and for each channel 3 and four reads.
template <class T>
void warp_images(const Warp& p, const T* x, const T* matrices, const T* displacement, T* y) {
  const Framed f{p.H, p.W};
  const std::int64_t plane = p.H * p.W, framed = p.C * f.size();
  const std::int64_t floats = round_up(framed + 2 * p.W, Lanes<T>::count);  // of a thread
  const Scratch<T> values(max_threads() * floats);
  const Scratch<std::int32_t> places(max_threads() * p.W);
  parallel_for(p.N, (p.C + 2) * plane, [&](std::int64_t n, int thread) {
    T* planes = values.get() + thread * floats;
    const Positions<T> positions{places.get() + thread * p.W, planes + framed, planes + framed + p.W};
    for (std::int64_t c = 0; c < p.C; ++c)
      frame(f, x + (n * p.C + c) * plane, static_cast<T>(p.fill), planes + c * f.size());
    for (std::int64_t i = 0; i < p.H; ++i) {
      locate(p, i, matrices + n * 6, displacement ? displacement + n * 2 * plane : nullptr, positions);
      for (std::int64_t c = 0; c < p.C; ++c)
        resample(p, planes + c * f.size(), positions, y + (n * p.C + c) * plane + i * p.W);
    }
  });
}
INSTANTIATE(warp_images)

// x, y (N, H, W), weights (R): down the columns into a padded row, then along it; 2 R FMAs per pixel.
template <class T>
void blur_images(const Blur& p, const T* x, const T* weights, T* y) {
  const std::int64_t reach = p.R / 2, padded = round_up(p.W + 2 * reach, Lanes<T>::count);
  const Scratch<T> rows(max_threads() * padded);
  parallel_for(p.N * p.H, p.W * p.R / 8, [&](std::int64_t task, int thread) {
    const T* plane = x + task / p.H * p.H * p.W;
    T *row = rows.get() + thread * padded, *to = y + task * p.W;
    for (std::int64_t j = 0; j < p.W; ++j) row[reach + j] = to[j] = T(0);
    for (std::int64_t r = 0; r < p.R; ++r) {
      const std::int64_t h = source(task % p.H + r - reach, p.H, p.padding_mode);
      if (h >= 0) add_scaled(p.W, weights[r], plane + h * p.W, row + reach);
    }
    for (std::int64_t j = 0; j < reach; ++j) {
      const std::int64_t before = source(j - reach, p.W, p.padding_mode), after = source(p.W + j, p.W, p.padding_mode);
      row[j] = before < 0 ? T(0) : row[reach + before];
      row[reach + p.W + j] = after < 0 ? T(0) : row[reach + after];
    }
    for (std::int64_t r = 0; r < p.R; ++r) add_scaled(p.W, weights[r], row + r, to);
  });
}
INSTANTIATE(blur_images)

}  // namespace convolith::CONVOLITH_ISA
