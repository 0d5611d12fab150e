// Max and min pooling: R S comparisons and one read of x per output, one write of y and of its index.
#include "kernels.hpp"
#include "pool2d.hpp"
#include "pool2d_direct.hpp"

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

// to (n) = v as 64-bit integers.
template <class I>
CONVOLITH_INLINE void store_indices(std::int64_t* to, Vec<I> v, std::int64_t n, bool all) {
  if constexpr (sizeof(I) == 8) {
    store_row(to, v, n, all);
  } else {
    typedef I Half __attribute__((vector_size(CONVOLITH_VECTOR_BYTES / 2)));
    Half low, high;
    std::memcpy(&low, &v, sizeof low);
    std::memcpy(&high, reinterpret_cast<const char*>(&v) + sizeof low, sizeof high);
    store_row(to, __builtin_convertvector(low, Vec<std::int64_t>), n, all);
    store_row(to + width<std::int64_t>, __builtin_convertvector(high, Vec<std::int64_t>), n - width<std::int64_t>, all);
  }
}

template <class T>
struct Extremes {
  Vec<T> value;
  Vec<IntOf<T>> at;
};
template <bool minimum, class T>
CONVOLITH_INLINE Extremes<T> better_of(Extremes<T> best, Vec<T> v, Vec<IntOf<T>> at) {
  const Vec<IntOf<T>> take = (minimum ? ~(v >= best.value) : ~(v <= best.value)) & (best.value == best.value);
  return {take ? v : best.value, take ? at : best.at};
}
// Of the windows' first rows, of which x, x + step, ... are the first elements.
template <bool minimum, class Windows, class T>
CONVOLITH_INLINE Extremes<T> extremes_across(const T* x) {
  Extremes<T> best{tap<Windows>(x, 0), Vec<IntOf<T>>{}};
#pragma GCC unroll 4
  for (int s = 1; s < Windows::S; ++s) best = better_of<minimum>(best, tap<Windows>(x, s), s - Vec<IntOf<T>>{});
  return best;
}

// P rows of a plane: y, indices (P, Q) from windows in x, of which element 0 has the index `corner` in rows of `W`
// elements; all: y and indices may be written over their ends.  Whether some result is `worst`.
template <bool minimum, class Windows, class T>
CONVOLITH_INLINE bool extreme_rows(Field<T> x, std::int64_t P, std::int64_t Q, IntOf<T> W, IntOf<T> corner, T worst,
                                   T* y, std::int64_t* indices, bool all) {
  using I = IntOf<T>;
  constexpr I step = Windows::step;
  constexpr int kept = Windows::R - Windows::step;
  Vec<I> first, hopeless{};
  for (std::int64_t i = 0; i < width<T>; ++i) first[i] = corner + static_cast<I>(i) * step;
  const auto finish = [&](Extremes<T>(&row)[Windows::R], std::int64_t i, std::int64_t q, bool over) CONVOLITH_INLINED {
    Extremes<T> best = row[0];
    for (int r = 1; r < Windows::R; ++r) best = better_of<minimum>(best, row[r].value, row[r].at + r * W);
    hopeless |= best.value == worst - Vec<T>{};
    const Vec<I> here = first + (static_cast<I>(i) * step * W + static_cast<I>(q) * step);
    store_row(y + i * Q + q, best.value, Q - q, over);
    store_indices<I>(indices + i * Q + q, best.at + here, Q - q, over);
    x.template fetch_next<Windows::step>(i, q);
  };
  if constexpr (kept == 0) {
    for (std::int64_t i = 0; i < P; ++i)
      for (std::int64_t q = 0; q < Q; q += width<T>) {
        const T* from = x.x + i * step * x.pitch + q * step;
        Extremes<T> row[Windows::R];
        for (int r = 0; r < Windows::R; ++r) row[r] = extremes_across<minimum, Windows>(from + r * x.pitch);
        finish(row, i, q, all);
      }
  } else {
    for (std::int64_t q = 0; q < Q; q += width<T>) {
      const T* from = x.x + q * step;
      Extremes<T> row[Windows::R];  // rows that the next windows share are kept
      for (int r = 0; r < kept; ++r, from += x.pitch) row[step + r] = extremes_across<minimum, Windows>(from);
      for (std::int64_t i = 0; i < P; ++i) {
        for (int r = 0; r < kept; ++r) row[r] = row[step + r];
        for (int r = kept; r < Windows::R; ++r, from += x.pitch) row[r] = extremes_across<minimum, Windows>(from);
        finish(row, i, q, all && q == 0);
      }
    }
  }
  I any = 0;
  for (std::int64_t i = 0; i < width<T>; ++i) any |= hopeless[i];
  return any != 0;
}

// x (N, C, H, W), y, indices (N, C, P, Q)
template <bool minimum, class Windows, class T>
CONVOLITH_INLINE void extreme_windows(const Pool2d& p, T worst, const T* x, T* y, std::int64_t* indices) {
  const Fields<T> fields(p);
  const std::int64_t size = p.N * p.C * p.P * p.Q;
  const OutputPieces<T> values(y, size, fields.chunk * p.Q);
  const OutputPieces<std::int64_t> places(indices, size, fields.chunk * p.Q);
  const auto each = [&](Field<T> field, std::int64_t plane, std::int64_t first, std::int64_t rows, bool all,
                        int thread) CONVOLITH_INLINED {
    const auto corner = static_cast<IntOf<T>>((first * p.stride_h - p.pad_top) * p.W - p.pad_left);
    const std::int64_t begin = (plane * p.P + first) * p.Q, n = rows * p.Q;
    T* value = values.place(begin, thread);
    std::int64_t* index = places.place(begin, thread);
    const bool hopeless = extreme_rows<minimum, Windows>(field, rows, p.Q, static_cast<IntOf<T>>(p.W), corner, worst,
                                                         value, index, all || values.apart());
    // Some window may be nothing but infinities and padding.
    for (std::int64_t i = 0; hopeless && fields.padded && i < n; ++i)
      if (value[i] == worst)
        scan_window<minimum>(p, x + plane * p.H * p.W, first + i / p.Q, i % p.Q, value + i, index + i);
    values.put(begin, begin + n, thread);
    places.put(begin, begin + n, thread);
  };
  for_fields(fields, x, worst, p.P * p.Q * Windows::R * Windows::S / 8, each);
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
  const std::int64_t last = (p.H + p.R) * p.W + p.S;
  if (last == static_cast<IntOf<T>>(last)) {
    if (is_window<Window<2, 2, 2>>(p)) return extreme_windows<minimum, Window<2, 2, 2>>(p, worst, x, y, indices);
    if (is_window<Window<3, 3, 2>>(p)) return extreme_windows<minimum, Window<3, 3, 2>>(p, worst, x, y, indices);
    if (is_window<Window<3, 3, 1>>(p)) return extreme_windows<minimum, Window<3, 3, 1>>(p, worst, x, y, indices);
  }
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
  const std::int64_t in = p.H * p.W, out = p.P * p.Q, planes = p.N * p.C;
  const OutputPieces<T> pieces(dx, planes * in, in);
  const std::int64_t grain = max_of<std::int64_t>(1, elementwise_grain / (in + 4 * out));
  parallel_for(ceil_div(planes, grain), [&](std::int64_t task, int thread) {
    for (std::int64_t plane = task * grain; plane < min_of(planes, (task + 1) * grain); ++plane) {
      T* __restrict to = pieces.place(plane * in, thread);
      const T* __restrict from = dy + plane * out;
      const std::int64_t* __restrict at = indices + plane * out;
      const std::int64_t n = out;
      for_lanes<T>(0, in, [=](std::int64_t i, auto lanes) CONVOLITH_INLINED { Lanes<T>(T(0)).store(to + i, lanes); });
#pragma GCC unroll 4
      for (std::int64_t i = 0; i < n; ++i) to[at[i]] += from[i];
      pieces.put(plane * in, (plane + 1) * in, thread);
    }
  });
}
INSTANTIATE(max_pool2d_backward)

// dy (N, C, H, W), indices, dx (N, C, P, Q): what lies where the indices say.
template <class T>
void max_unpool2d_backward(const AdaptivePool2d& p, const T* dy, const std::int64_t* indices, T* dx) {
  const std::int64_t out = p.P * p.Q;
  parallel_ranges(p.N * p.C, max_of<std::int64_t>(1, elementwise_grain / out),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin * out; i < end * out; ++i) dx[i] = dy[i / out * p.H * p.W + indices[i]];
                  });
}
INSTANTIATE(max_unpool2d_backward)

}  // namespace convolith::CONVOLITH_ISA
