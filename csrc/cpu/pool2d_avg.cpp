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
  CONVOLITH_INLINE Vec<T> at(std::int64_t i, std::int64_t q) const { return rows.get()[i] * load(columns.get() + q); }
};

// The sums of the first `rows` rows of windows, of which x, x + step, ... are the first elements: first down, then
// across.  narrow: half of the sums are enough.
template <class W, int rows, class T>
CONVOLITH_INLINE Vec<T> sum_windows(const T* x, std::int64_t pitch, bool narrow) {
  const auto column = [&](std::int64_t s) CONVOLITH_INLINED {
    Vec<T> total = load(x + s);
    for (int r = 1; r < rows; ++r) total += load(x + r * pitch + s);
    return total;
  };
  Vec<T> total = column(0);
  if constexpr (W::step == 1) {
    for (int s = 1; s < W::S; ++s) total += column(s);
  } else {
    const Vec<T> next = narrow ? total : column(width<T>);
    total = every_second<T, false>(total, next) + every_second<T, true>(total, next);
    if constexpr (W::S == 3) total += every_second<T, false>(column(2), column(2 + width<T>));
  }
  return total;
}

// P rows of a plane: y (P, Q) = f(sums, i, q); all: y may be written over its end.  Where windows overlap, down the
// columns: rows are summed across once.
template <class W, class T, class F>
CONVOLITH_INLINE void sum_rows(Field<T> x, std::int64_t P, std::int64_t Q, T* y, bool all, const F& f) {
  constexpr int kept = W::R - W::step;
  const bool narrow = 2 * Q <= width<T>;
  if constexpr (kept == 0) {
    const auto each = [&](bool over) CONVOLITH_INLINED {
      for (std::int64_t i = 0; i < P; ++i, y += Q)
        for (std::int64_t q = 0; q < Q; q += width<T>) {
          const T* from = x.x + (i * x.pitch + q) * W::step;
          store_row(y + q, f(sum_windows<W, W::R>(from, x.pitch, narrow), i, q), Q - q, over);
          x.template fetch_next<W::step>(i, q);
        }
    };
    all ? each(true) : each(false);
    return;
  }
  for (std::int64_t q = 0; q < Q; q += width<T>) {
    const T* from = x.x + q * W::step;
    T* to = y + q;
    Vec<T> row[W::R];
    for (int r = 0; r < kept; ++r, from += x.pitch) row[W::step + r] = sum_windows<W, 1>(from, x.pitch, narrow);
    for (std::int64_t i = 0; i < P; ++i, to += Q) {
      for (int r = 0; r < kept; ++r) row[r] = row[W::step + r];
      for (int r = kept; r < W::R; ++r, from += x.pitch) row[r] = sum_windows<W, 1>(from, x.pitch, narrow);
      Vec<T> total = row[0];
      for (int r = 1; r < W::R; ++r) total += row[r];
      store_row(to, f(total, i, q), Q - q, all && q == 0);
      x.template fetch_next<W::step>(i, q);
    }
  }
}

// x (N, C, H, W), y (N, C, P, Q)
template <class W, class T>
CONVOLITH_INLINE void average_windows(const Pool2d& p, const T* x, T* y) {
  const Scale<T> scale(p);
  const Fields<T> fields(p);
  const T* columns = scale.columns.get();
  const OutputPieces<T> pieces(y, p.N * p.C * p.P * p.Q, fields.chunk * p.Q);
  const auto each = [&](Field<T> field, std::int64_t plane, std::int64_t first, std::int64_t outputs, bool all,
                        int thread) CONVOLITH_INLINED {
    const T* rows = scale.rows.get() + first;
    const std::int64_t begin = (plane * p.P + first) * p.Q;
    sum_rows<W>(field, outputs, p.Q, pieces.place(begin, thread), all || pieces.apart(),
                [=](Vec<T> total, std::int64_t i, std::int64_t q)
                    CONVOLITH_INLINED { return total * (rows[i] * load(columns + q)); });
    pieces.put(begin, begin + outputs * p.Q, thread);
  };
  for_fields(fields, x, T(0), p.H * p.W / 8, each);
}

// Windows 2 x 2 that neither overlap nor leave the plane: each dy goes to four elements of dx.
CONVOLITH_INLINE bool is_tiles_2x2(const Pool2d& p) {
  return is_window<Window<2, 2, 2>>(p) && p.pad_top == 0 && p.pad_left == 0 && 2 * p.P <= p.H && 2 * p.Q <= p.W;
}
// One plane: dy (P, Q), dx (H, W); all: dy may be read and dx written over its end.
template <bool all, class T>
CONVOLITH_INLINE void spread_plane(std::int64_t P, std::int64_t Q, std::int64_t H, std::int64_t W, const T* dy,
                                   const T* rows, const T* columns, T* dx) {
  const T* end = dx + H * W;
  for (std::int64_t i = 0; i < P; ++i, dy += Q, dx += 2 * W) {
    for (std::int64_t q = 0; q < Q; q += width<T>) {
      const Vec<T> v = (all ? load(dy + q) : load(dy + q, Q - q)) * (rows[i] * load(columns + q));
      const Vec<T> low = zip<T, false>(v, v), high = zip<T, true>(v, v);
      const std::int64_t n = 2 * (Q - q), w = 2 * q;
      const bool first = all && q == 0;  // else there is something in the lower row already
      store_row(dx + w, low, n, first);
      store_row(dx + w + width<T>, high, n - width<T>, first);
      store_row(dx + W + w, low, n, all);
      store_row(dx + W + w + width<T>, high, n - width<T>, all);
    }
    for (std::int64_t w = 2 * Q; w < W; ++w) dx[w] = dx[W + w] = 0;
  }
  for (; dx < end; ++dx) *dx = 0;
}
// dy (N, C, P, Q), dx (N, C, H, W)
template <class T>
CONVOLITH_INLINE void spread_2x2(const Pool2d& p, const T* dy, T* dx) {
  const Scale<T> scale(p);
  const std::int64_t size = p.H * p.W;
  const OutputPieces<T> pieces(dx, p.N * p.C * size, size);
  for_planes(p, size / 8, [&](std::int64_t plane, std::int64_t end, int thread) {
    const T *from = dy + plane * p.P * p.Q, *rows = scale.rows.get(), *columns = scale.columns.get();
    T* to = pieces.place(plane * size, thread);
    if ((end - plane - 1) * p.P * p.Q >= 2 * width<T>)
      spread_plane<true>(p.P, p.Q, p.H, p.W, from, rows, columns, to);
    else
      spread_plane<false>(p.P, p.Q, p.H, p.W, from, rows, columns, to);
    pieces.put(plane * size, (plane + 1) * size, thread);
  });
}

// Stride 1: dx (N, C, H, W) is the sum of the windows over dy / divisor, dy (N, C, P, Q), with zeros around it.
template <class W, class T>
CONVOLITH_INLINE void gather_windows(const Pool2d& p, const T* dy, T* dx) {
  const Scale<T> scale(p);
  const std::int64_t rows = p.H + W::R - 1, columns = p.W + W::S - 1, pitch = round_up(columns, Lanes<T>::count);
  const std::int64_t size = (rows + 1) * pitch;
  const Scratch<T> shares(size * max_threads());
  const OutputPieces<T> pieces(dx, p.N * p.C * p.H * p.W, p.H * p.W);
  for_planes(p, p.H * p.W / 4, [&](std::int64_t plane, std::int64_t end, int thread) {
    T* padded = shares.get() + thread * size;
    pad_plane(p.P, p.Q, W::R - 1 - p.pad_top, W::S - 1 - p.pad_left, rows, columns, pitch, T(0), padded,
              [&](std::int64_t i, std::int64_t n, T* to) CONVOLITH_INLINED {
                const T* from = dy + (plane * p.P + i) * p.Q;
                for (std::int64_t q = 0; q < n; q += width<T>)
                  store(to + q, load(from + q, n - q) * scale.at(i, q), n - q);
              });
    const bool all = (end - plane - 1) * p.H * p.W >= width<T>;
    sum_rows<W>(Field<T>{padded, pitch, dy + (plane + 1) * p.P * p.Q, p.Q}, p.H, p.W,
                pieces.place(plane * p.H * p.W, thread), all || pieces.apart(),
                [](Vec<T> total, std::int64_t, std::int64_t) CONVOLITH_INLINED { return total; });
    pieces.put(plane * p.H * p.W, (plane + 1) * p.H * p.W, thread);
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
  if (is_tiles_2x2(p)) return spread_2x2(p, dy, dx);
  if (is_window<Window<3, 3, 1>>(p)) return gather_windows<Window<3, 3, 1>>(p, dy, dx);
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
