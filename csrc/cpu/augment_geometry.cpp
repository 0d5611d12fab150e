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

template <class T>
struct Shift {
  T along, across;
};

// Row i of y; m (2, 3); shift(j) = (d0, d1), the displacement of column j.
template <class T, class F>
CONVOLITH_INLINE void locate(const Warp& p, std::int64_t i, const T* m, const Positions<T>& to, const F& shift) {
  const auto [at, right, down] = to;
  const auto W = static_cast<std::int32_t>(p.W), pitch = static_cast<std::int32_t>(Framed{p.H, p.W}.pitch());
  const T row = static_cast<T>(i), width = static_cast<T>(p.W), height = static_cast<T>(p.H);
  const T m0 = m[0], m1 = m[1], m2 = m[2], m3 = m[3], m4 = m[4], m5 = m[5];
  const bool bilinear = p.bilinear;
  for (std::int32_t j = 0; j < W; ++j) {
    const auto [d0, d1] = shift(j);
    const T u = static_cast<T>(j) + d0, v = row + d1;
    const T x = m0 * u + (m1 * v + m2), y = m3 * u + (m4 * v + m5);
    const T w = into_frame(bilinear ? x : rounded(x), width), h = into_frame(bilinear ? y : rounded(y), height);
    const auto left = static_cast<std::int32_t>(w), top = static_cast<std::int32_t>(h);
    at[j] = top * pitch + left;
    right[j] = w - static_cast<T>(left);
    down[j] = h - static_cast<T>(top);
  }
}

// The same with field (2, H, W) or null.
template <class T>
void locate(const Warp& p, std::int64_t i, const T* m, const T* field, const Positions<T>& to) {
  if (!field) return locate(p, i, m, to, [](std::int32_t) CONVOLITH_INLINED { return Shift<T>{0, 0}; });
  const T *d0 = field + i * p.W, *d1 = field + (p.H + i) * p.W;
  locate(p, i, m, to, [=](std::int32_t j) CONVOLITH_INLINED { return Shift<T>{d0[j], d1[j]}; });
}

// y (W) from a framed plane.
template <class T>
void resample(const Warp& p, const T* plane, const Positions<T>& from, T* __restrict y) {
  const auto [at, right, down] = from;
  const std::int64_t W = p.W, pitch = Framed{p.H, p.W}.pitch();
  if (!p.bilinear) {
    for (std::int64_t j = 0; j < W; ++j) y[j] = plane[at[j]];
    return;
  }
  const T* lower = plane + pitch;
  for (std::int64_t j = 0; j < W; ++j) {
    const T a = plane[at[j]], b = plane[at[j] + 1], c = lower[at[j]], d = lower[at[j] + 1];
    const T above = right[j] * (b - a) + a, below = right[j] * (d - c) + c;
    y[j] = down[j] * (below - above) + above;
  }
}

// The sum of weights[r] x[r step] over R weights, of each lane.
template <class T>
CONVOLITH_INLINE Lanes<T> weighted_sum(std::int64_t R, const T* weights, const T* x, std::int64_t step) {
  Lanes<T> sum(T(0));
  for (std::int64_t r = 0; r < R; ++r) sum = fma(Lanes<T>(weights[r]), Lanes<T>::load(x + r * step), sum);
  return sum;
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

// x, y (N, H, W), weights (R): along the rows of a plane, then down its columns, with padding that is filled in before
// either; 2 R FMAs per pixel.
template <class T>
void blur_images(const Blur& p, const T* x, const T* weights, T* y) {
  const std::int64_t reach = p.R / 2, pitch = round_up(p.W + 2 * reach, Lanes<T>::count) + Lanes<T>::count;
  const std::int64_t size = (p.H + 2 * reach + 1) * pitch;
  const ZeroedScratch<T> scratch(size);  // lanes beside the image are computed, too, and dropped
  parallel_for(p.N, p.H * ceil_div(p.W, Lanes<T>::count) * 2 * p.R, [&](std::int64_t n, int thread) {
    T *row = scratch.of(thread), *tall = row + pitch;
    const auto tall_row = [&](std::int64_t h) { return tall + (reach + h) * pitch; };
    for (std::int64_t h = 0; h < p.H; ++h) {
      for (std::int64_t j = -reach; j < p.W + reach; ++j) {
        const std::int64_t w = source(j, p.W, p.padding_mode);
        row[reach + j] = w < 0 ? T(0) : x[(n * p.H + h) * p.W + w];
      }
      for (std::int64_t j = 0; j < p.W; j += Lanes<T>::count)
        weighted_sum(p.R, weights, row + j, 1).store(tall_row(h) + j);
    }
    for (std::int64_t i = 0; i < 2 * reach; ++i) {
      const std::int64_t outside = i < reach ? i - reach : p.H + i - reach, h = source(outside, p.H, p.padding_mode);
      for (std::int64_t j = 0; j < p.W; ++j) tall_row(outside)[j] = h < 0 ? T(0) : tall_row(h)[j];
    }
    for (std::int64_t h = 0; h < p.H; ++h)
      for_lanes<T>(0, p.W, [&](std::int64_t j, auto lanes) CONVOLITH_INLINED {
        weighted_sum(p.R, weights, tall + h * pitch + j, pitch).store(y + (n * p.H + h) * p.W + j, lanes);
      });
  });
}
INSTANTIATE(blur_images)

}  // namespace convolith::CONVOLITH_ISA
