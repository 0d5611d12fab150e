// Max and min pooling: R S comparisons and one read of x per output, one write of y and of its index.
#include "kernels.hpp"
#include "pool2d.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// Whether v replaces `best`: the first maximum (or minimum) stays, and so does the first NaN.
template <bool minimum, class T>
CONVOLITH_INLINE Mask<T> better(Lanes<T> v, Lanes<T> best) {
  return (minimum ? greater_or_nan(best, v) : greater_or_nan(v, best)) & equal(best, best);
}
template <bool minimum, class T>
CONVOLITH_INLINE bool better(T v, T best) {
  return !(minimum ? v >= best : v <= best) && best == best;
}

// Window (p, q) of one plane x (H, W), tap by tap: where windows are few, and where all of one is infinite.
template <bool minimum, class T>
CONVOLITH_INLINE void scan_window(const Pool2d& p, const T* x, std::int64_t row, std::int64_t column, T* y,
                                  std::int64_t* index) {
  *index = -1;
  for (std::int64_t r = 0; r < p.R; ++r) {
    const std::int64_t h = row * p.stride_h - p.pad_top + r * p.dilation_h;
    if (h < 0 || h >= p.H) continue;
    for (std::int64_t s = 0; s < p.S; ++s) {
      const std::int64_t w = column * p.stride_w - p.pad_left + s * p.dilation_w;
      if (w < 0 || w >= p.W) continue;
      const T v = x[h * p.W + w];
      if (*index >= 0 && !better<minimum>(v, *y)) continue;
      *y = v;
      *index = h * p.W + w;
    }
  }
}

// A tap of all windows: where it lies in the phases, and how far behind a window's first position in the plane.
template <class T>
struct Tap {
  std::int64_t at;
  IntOf<T> offset;
};

// x (N, C, H, W), y, indices (N, C, P, Q)
template <bool minimum, class T>
CONVOLITH_INLINE void extreme_pool(const Pool2d& p, const T* x, T* y, std::int64_t* indices) {
  constexpr std::int64_t count = Lanes<T>::count;
  const std::int64_t reach = (p.R - 1) * p.dilation_h * p.W + (p.S - 1) * p.dilation_w;
  if (p.P * p.Q < 4 || reach != static_cast<IntOf<T>>(reach)) {
    parallel_ranges(
        p.N * p.C, ceil_div(elementwise_grain, p.P * p.Q * p.R * p.S), [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin * p.P * p.Q; i < end * p.P * p.Q; ++i)
            scan_window<minimum>(p, x + i / (p.P * p.Q) * p.H * p.W, i / p.Q % p.P, i % p.Q, y + i, indices + i);
        });
    return;
  }
  const T worst = static_cast<T>(minimum ? __builtin_inf() : -__builtin_inf());
  const Phases f = Phases::of(p, T{});
  const Scratch<Tap<T>> taps(p.R * p.S);
  for (std::int64_t r = 0; r < p.R; ++r)
    for (std::int64_t s = 0; s < p.S; ++s)
      taps.get()[r * p.S + s] = {f.tap(p, r, s), static_cast<IntOf<T>>(r * p.dilation_h * p.W + s * p.dilation_w)};
  const std::int64_t flat = round_up(f.rows * f.pitch, count);
  const Scratch<T> phases(f.size * max_threads()), values(flat * max_threads());
  const Scratch<IntOf<T>> offsets(flat * max_threads());
  for_chunks(p, f, [&](std::int64_t plane, std::int64_t first, std::int64_t rows, int thread) {
    T* packed = phases.get() + thread * f.size;
    T* value = values.get() + thread * flat;
    IntOf<T>* offset = offsets.get() + thread * flat;
    const T* image = x + plane * p.H * p.W;
    pack(p, f, image, first, rows, worst, packed);
    for (std::int64_t j = 0; j < rows * f.pitch; j += count) {
      Lanes<T> best(worst);
      Mask<T> where_best(IntOf<T>(0));
      for (const Tap<T>* tap = taps.get(); tap < taps.get() + p.R * p.S; ++tap) {
        const Lanes<T> v = Lanes<T>::load(packed + tap->at + j);
        const Mask<T> take = better<minimum>(v, best);
        best = where(take, v, best);
        where_best = where(take, Mask<T>(tap->offset), where_best);
      }
      best.store(value + j);
      where_best.store(offset + j);
    }
    for (std::int64_t row = first; row < first + rows; ++row, value += f.pitch, offset += f.pitch) {
      const std::int64_t at = (plane * p.P + row) * p.Q;
      const std::int64_t corner = (row * p.stride_h - p.pad_top) * p.W - p.pad_left;
      Mask<T> infinite(IntOf<T>(0));
      for_lanes<T>(0, p.Q, [&](std::int64_t q, auto n) CONVOLITH_INLINED {
        const Lanes<T> v = Lanes<T>::load(value + q, n);
        v.store(y + at + q, n);
        infinite = infinite | equal(v, Lanes<T>(worst));
      });
      const std::int64_t step = p.stride_w, columns = p.Q;
      std::int64_t* __restrict to = indices + at;
      const IntOf<T>* __restrict from = offset;
      for (std::int64_t q = 0; q < columns; ++q) to[q] = corner + q * step + from[q];
      if (!any(infinite)) continue;  // else some window may be nothing but infinities and padding
      for (std::int64_t q = 0; q < p.Q; ++q)
        if (value[q] == worst) scan_window<minimum>(p, image, row, q, y + at + q, indices + at + q);
    }
  });
}

}  // namespace

// x (N, C, H, W), y, indices (N, C, P, Q)
template <class T>
void max_pool2d_forward(const Pool2d& p, const T* x, T* y, std::int64_t* indices) {
  extreme_pool<false>(p, x, y, indices);
}
INSTANTIATE(max_pool2d_forward)

template <class T>
void min_pool2d_forward(const Pool2d& p, const T* x, T* y, std::int64_t* indices) {
  extreme_pool<true>(p, x, y, indices);
}
INSTANTIATE(min_pool2d_forward)

// dy, indices (N, C, P, Q), dx (N, C, H, W): each dy is added where its maximum was.  Planes are independent.
template <class T>
void max_pool2d_backward(const AdaptivePool2d& p, const T* dy, const std::int64_t* indices, T* dx) {
  const std::int64_t in = p.H * p.W, out = p.P * p.Q;
  parallel_ranges(p.N * p.C, max_of<std::int64_t>(1, elementwise_grain / (in + 4 * out)),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t plane = begin; plane < end; ++plane) {
                      std::memset(dx + plane * in, 0, static_cast<std::size_t>(in) * sizeof(T));
                      for (std::int64_t i = plane * out; i < (plane + 1) * out; ++i)
                        dx[plane * in + indices[i]] += dy[i];
                    }
                  });
}
INSTANTIATE(max_pool2d_backward)

}  // namespace convolith::CONVOLITH_ISA
