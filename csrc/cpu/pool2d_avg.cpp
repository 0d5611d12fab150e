// Average pooling: R S additions per output, one read of x, one write of y; backward the other way round.
#include "kernels.hpp"
#include "pool2d.hpp"
#include "pool2d_direct.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// How many positions of window i along one axis count.
CONVOLITH_INLINE std::int64_t extent(std::int64_t i, std::int64_t in, std::int64_t window, std::int64_t stride,
                                     std::int64_t pad_begin, std::int64_t pad_end, bool count_include_pad) {
  const std::int64_t begin = i * stride - pad_begin, end = min_of(begin + window, in + pad_end);
  return count_include_pad ? end - begin : min_of(end, in) - max_of<std::int64_t>(begin, 0);
}

// The divisor of window (p, q) is row(p) * columns[q]; columns (Q).
struct Divisor {
  const Pool2d& p;

  CONVOLITH_INLINE std::int64_t row(std::int64_t i) const {
    return p.divisor_override ? p.divisor_override
                              : extent(i, p.H, p.R, p.stride_h, p.pad_top, p.pad_bottom, p.count_include_pad);
  }
  template <class T>
  CONVOLITH_INLINE void columns(T* to) const {
    for (std::int64_t q = 0; q < p.Q; ++q)
      to[q] = static_cast<T>(
          p.divisor_override ? 1 : extent(q, p.W, p.S, p.stride_w, p.pad_left, p.pad_right, p.count_include_pad));
  }
};

// Reciprocals of the divisor: scale (P, Q) = rows[i] * columns[q], with columns (Q) padded to whole vectors.
template <class T>
struct Scale {
  const Scratch<T> rows, columns;

  explicit Scale(const Pool2d& p) : rows(p.P), columns(round_up(p.Q, width<T>)) {
    const Divisor divisor{p};
    divisor.columns(columns.get());
    for (std::int64_t i = 0; i < p.P; ++i) rows.get()[i] = 1 / static_cast<T>(divisor.row(i));
    for (std::int64_t q = 0; q < round_up(p.Q, width<T>); ++q) columns.get()[q] = q < p.Q ? 1 / columns.get()[q] : T(0);
  }
  CONVOLITH_INLINE Vec<T> at(std::int64_t i, std::int64_t q) const {
    return rows.get()[i] * load(columns.get() + q);
  }
};

// The sums of the windows whose first elements are x, x + step, ...: first down the columns, then across.
template <class W, class T>
CONVOLITH_INLINE Vec<T> sum_windows(const T* x, std::int64_t pitch) {
  const auto column = [&](std::int64_t s) CONVOLITH_INLINED {
    Vec<T> total = load(x + s);
#pragma GCC unroll 4
    for (int r = 1; r < W::R; ++r) total += load(x + r * pitch + s);
    return total;
  };
  Vec<T> total = column(0);
  if constexpr (W::step == 1) {
#pragma GCC unroll 4
    for (int s = 1; s < W::S; ++s) total += column(s);
  } else {
    const Vec<T> next = column(width<T>);
    total = alternate<T, 0>(total, next, AllLanes<T>{}) + alternate<T, 1>(total, next, AllLanes<T>{});
    if constexpr (W::S == 3) total += alternate<T, 0>(column(2), column(2 + width<T>), AllLanes<T>{});
  }
  return total;
}

// x (N, C, H, W), y (N, C, P, Q)
template <class W, class T>
CONVOLITH_INLINE void average_windows(const Pool2d& p, const T* x, T* y) {
  const Scale<T> scale(p);
  const Fields<T> fields(p);
  const Scratch<T> copies(fields.size() * max_threads());
  for_planes(p, p.H * p.W / 8, [&](std::int64_t plane, int thread) {
    const Field<T> field = fields.of(x, plane, T(0), copies.get() + thread * fields.size());
    T* to = y + plane * p.P * p.Q;
    for (std::int64_t i = 0; i < p.P; ++i, to += p.Q) {
      const T* from = field.x + i * W::step * field.pitch;
      for (std::int64_t q = 0; q < p.Q; q += width<T>)
        store(to + q, sum_windows<W>(from + q * W::step, field.pitch) * scale.at(i, q), p.Q - q);
    }
  });
}

// Windows 2 x 2 that neither overlap nor leave the plane: dy (N, C, P, Q), each quarter to four elements of dx.
CONVOLITH_INLINE bool tiles_2x2(const Pool2d& p) {
  return is_window<Window<2, 2, 2>>(p) && p.pad_top == 0 && p.pad_left == 0 && 2 * p.P <= p.H && 2 * p.Q <= p.W;
}
template <class T>
CONVOLITH_INLINE void spread_2x2(const Pool2d& p, const T* dy, T* dx) {
  const Scale<T> scale(p);
  for_planes(p, p.H * p.W / 8, [&](std::int64_t plane, int) {
    const T* from = dy + plane * p.P * p.Q;
    T* to = dx + plane * p.H * p.W;
    for (std::int64_t i = 0; i < p.P; ++i, from += p.Q, to += 2 * p.W) {
      for (std::int64_t q = 0; q < p.Q; q += width<T>) {
        const Vec<T> v = load(from + q, p.Q - q) * scale.at(i, q);
        const Vec<T> low = zip<T, false>(v, v, AllLanes<T>{}), high = zip<T, true>(v, v, AllLanes<T>{});
        const std::int64_t n = 2 * (p.Q - q);
        store(to + 2 * q, low, n);
        store(to + p.W + 2 * q, low, n);
        if (n <= width<T>) continue;
        store(to + 2 * q + width<T>, high, n - width<T>);
        store(to + p.W + 2 * q + width<T>, high, n - width<T>);
      }
      for (std::int64_t w = 2 * p.Q; w < p.W; ++w) to[w] = to[p.W + w] = 0;
    }
    for (T* end = dx + (plane + 1) * p.H * p.W; to < end; ++to) *to = 0;
  });
}

}  // namespace

// x (N, C, H, W), y (N, C, P, Q)
template <class T>
void avg_pool2d_forward(const Pool2d& p, const T* x, T* y) {
  if (is_window<Window<2, 2, 2>>(p)) return average_windows<Window<2, 2, 2>>(p, x, y);
  if (is_window<Window<3, 3, 1>>(p)) return average_windows<Window<3, 3, 1>>(p, x, y);
  if (is_window<Window<3, 3, 2>>(p)) return average_windows<Window<3, 3, 2>>(p, x, y);
  constexpr std::int64_t count = Lanes<T>::count;
  const Divisor divisor{p};
  const Scratch<T> columns(p.Q);
  divisor.columns(columns.get());
  const Phases f = Phases::of(p, T{});
  const Scratch<std::int64_t> taps(p.R * p.S);
  for (std::int64_t r = 0; r < p.R; ++r)
    for (std::int64_t s = 0; s < p.S; ++s) taps.get()[r * p.S + s] = f.tap(p, r, s);
  const std::int64_t flat = round_up(f.rows * f.pitch, count);
  const Scratch<T> phases(f.size * max_threads()), sums(flat * max_threads());
  for_chunks(p, f, [&](std::int64_t plane, std::int64_t first, std::int64_t rows, int thread) {
    T* packed = phases.get() + thread * f.size;
    T* total = sums.get() + thread * flat;
    pack(p, f, x + plane * p.H * p.W, first, rows, T(0), packed);
    for (std::int64_t j = 0; j < rows * f.pitch; j += count) {
      Lanes<T> acc(T(0));
      for (const std::int64_t* tap = taps.get(); tap < taps.get() + p.R * p.S; ++tap)
        acc += Lanes<T>::load(packed + *tap + j);
      acc.store(total + j);
    }
    for (std::int64_t row = first; row < first + rows; ++row, total += f.pitch) {
      const Lanes<T> rows_counted(static_cast<T>(divisor.row(row)));
      T* to = y + (plane * p.P + row) * p.Q;
      for_lanes<T>(0, p.Q, [&](std::int64_t q, auto n) CONVOLITH_INLINED {
        (Lanes<T>::load(total + q, n) / (rows_counted * Lanes<T>::load(columns.get() + q, n, T(1)))).store(to + q, n);
      });
    }
  });
}
INSTANTIATE(avg_pool2d_forward)

// dy (N, C, P, Q), dx (N, C, H, W): dx[h, w] is the sum of dy / divisor over the windows that contain (h, w), first
// over the rows of such windows, then over their columns: phase b of a row of dx takes the taps b, b + stride_w, ...
template <class T>
void avg_pool2d_backward(const Pool2d& p, const T* dy, T* dx) {
  if (tiles_2x2(p)) return spread_2x2(p, dy, dx);
  constexpr std::int64_t count = Lanes<T>::count;
  const Divisor divisor{p};
  const Scratch<T> columns(p.Q);
  divisor.columns(columns.get());
  const std::int64_t step = p.stride_w, before = ceil_div(p.S, step) - 1;            // zeros left of a row of dy
  const std::int64_t groups = ceil_div(p.W + p.pad_left, step);                      // of `step` columns of dx
  const std::int64_t pitch = round_up(before + max_of(groups, p.Q) + count, count);  // zeros right of it, too
  const std::int64_t size = (p.P + 1) * pitch + step * (groups + 2 * count);
  const Scratch<T> scratch(size * max_threads());
  const std::int64_t planes = p.N * p.C, grain = max_of<std::int64_t>(1, elementwise_grain / (p.H * p.W));
  parallel_for(ceil_div(planes, grain), [&](std::int64_t task, int thread) {
    T* shares = scratch.get() + thread * size;  // (P, pitch): dy / divisor
    T* column_sums = shares + p.P * pitch;      // (pitch): one row of dx before the columns are summed
    T* phase = column_sums + pitch;             // (step, count)
    T* padded_row = phase + step * count;       // (groups, step): a row of dx with its left padding
    for (std::int64_t i = 0; i < p.P * pitch; ++i) shares[i] = 0;
    for (std::int64_t plane = task * grain; plane < min_of(planes, (task + 1) * grain); ++plane) {
      for (std::int64_t i = 0; i < p.P; ++i) {
        const Lanes<T> rows_counted(static_cast<T>(divisor.row(i)));
        for_lanes<T>(0, p.Q, [&](std::int64_t q, auto n) CONVOLITH_INLINED {
          const Lanes<T> divisors = rows_counted * Lanes<T>::load(columns.get() + q, n, T(1));
          (Lanes<T>::load(dy + (plane * p.P + i) * p.Q + q, n) / divisors).store(shares + i * pitch + before + q, n);
        });
      }
      for (std::int64_t h = 0; h < p.H; ++h) {
        // Windows that contain row h: i stride_h <= h + pad_top < i stride_h + R.
        const std::int64_t first = max_of<std::int64_t>(0, ceil_div(h + p.pad_top - p.R + 1, p.stride_h));
        const std::int64_t last = min_of(p.P - 1, (h + p.pad_top) / p.stride_h);
        const T* row = shares + first * pitch;
        if (first != last) {
          for (std::int64_t j = 0; j < pitch; j += count) {
            Lanes<T> acc(T(0));
            for (std::int64_t i = first; i <= last; ++i) acc += Lanes<T>::load(shares + i * pitch + j);
            acc.store(column_sums + j);
          }
          row = column_sums;
        }
        for (std::int64_t j = 0; j < groups; j += count) {
          for (std::int64_t b = 0; b < step; ++b) {
            Lanes<T> acc(T(0));
            for (std::int64_t k = 0; b + k * step < p.S; ++k) acc += Lanes<T>::load(row + before + j - k);
            acc.store(step == 1 ? padded_row + j : phase + b * count);
          }
          if (step == 2) {
            interleave(phase, phase + count, padded_row + 2 * j);
          } else if (step > 2) {
            for (std::int64_t i = 0; i < count; ++i)
              for (std::int64_t b = 0; b < step; ++b) padded_row[(j + i) * step + b] = phase[b * count + i];
          }
        }
        T* to = dx + (plane * p.H + h) * p.W;
        for_lanes<T>(0, p.W, [&](std::int64_t w, auto n) CONVOLITH_INLINED {
          Lanes<T>::load(padded_row + p.pad_left + w, n).store(to + w, n);
        });
      }
    }
  });
}
INSTANTIATE(avg_pool2d_backward)

}  // namespace convolith::CONVOLITH_ISA
