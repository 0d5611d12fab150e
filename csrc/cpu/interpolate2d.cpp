// Resizing, nearest and bilinear: rows are mixed first, then columns, where a table says what each output reads.
// Forward reads x and writes y; a row of it stays in L1.
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// An output of an axis: (1 - weight) x[low] + weight x[high].
template <class T>
struct Tap {
  std::int64_t low, high;
  T weight;
};

template <class T>
CONVOLITH_INLINE void find_taps(const Ratio& axis, bool linear, std::int64_t in, std::int64_t out, Tap<T>* taps) {
  for (std::int64_t o = 0; o < out; ++o) {
    const double at = (static_cast<double>(o) + axis.offset) * axis.in / axis.out - axis.offset;
    const std::int64_t low = min_of(at < 0 ? 0 : static_cast<std::int64_t>(at), in - 1);
    const double weight = at < 0 ? 0 : at - static_cast<double>(low);
    taps[o] = {low, linear ? min_of(low + 1, in - 1) : low, linear ? static_cast<T>(weight) : T(0)};
  }
}

// The taps of both axes, and per thread a row between them, `length` long.
template <class T>
struct Axes {
  Scratch<Tap<T>> rows, columns;
  std::int64_t pitch;
  Scratch<T> row;

  Axes(const Interpolate2d& p, std::int64_t length)
      : rows(p.P), columns(p.Q), pitch(round_up(length, Lanes<T>::count)), row(pitch * max_threads()) {
    find_taps(p.rows, p.linear, p.H, p.P, rows.get());
    find_taps(p.columns, p.linear, p.W, p.Q, columns.get());
  }
};

// mixed (n) = a (n) * (1 - weight) + b (n) * weight
template <class T>
CONVOLITH_INLINE void mix(std::int64_t n, const T* a, const T* b, T weight, T* mixed) {
  const Lanes<T> one(T(1) - weight), other(weight);
  for_lanes<T>(0, n, [&](std::int64_t i, auto m) CONVOLITH_INLINED {
    fma(Lanes<T>::load(a + i, m), one, Lanes<T>::load(b + i, m) * other).store(mixed + i, m);
  });
}

}  // namespace

// x (N, C, H, W), y (N, C, P, Q)
template <class T>
void interpolate2d_forward(const Interpolate2d& p, const T* x, T* y) {
  const Axes<T> axes(p, p.W);
  const Tap<T>*rows = axes.rows.get(), *columns = axes.columns.get();
  const std::int64_t cost = p.P * p.Q;
  parallel_for(p.N * p.C, cost, [&](std::int64_t plane, int thread) {
    const T* image = x + plane * p.H * p.W;
    T* mixed = axes.row.get() + thread * axes.pitch;
    for (std::int64_t i = 0; i < p.P; ++i) {
      const T* from = image + rows[i].low * p.W;
      T* to = y + (plane * p.P + i) * p.Q;
      if (!p.linear) {
        if (i > 0 && rows[i].low == rows[i - 1].low)
          std::memcpy(to, to - p.Q, static_cast<std::size_t>(p.Q) * sizeof(T));
        else
          for (std::int64_t q = 0; q < p.Q; ++q) to[q] = from[columns[q].low];
        continue;
      }
      mix(p.W, from, image + rows[i].high * p.W, rows[i].weight, mixed);
      for (std::int64_t q = 0; q < p.Q; ++q) {
        const Tap<T> tap = columns[q];
        const T other = mixed[tap.high] * tap.weight;
        to[q] = mixed[tap.low] * (1 - tap.weight) + other;
      }
    }
  });
}
INSTANTIATE(interpolate2d_forward)

// dy (N, C, P, Q), dx (N, C, H, W): the rows of dy that meet a row of dx are added up, then their columns.
template <class T>
void interpolate2d_backward(const Interpolate2d& p, const T* dy, T* dx) {
  const Axes<T> axes(p, p.Q);
  const Tap<T>*rows = axes.rows.get(), *columns = axes.columns.get();
  parallel_for(p.N * p.C, p.P * p.Q, [&](std::int64_t plane, int thread) {
    const T* gradient = dy + plane * p.P * p.Q;
    T* total = axes.row.get() + thread * axes.pitch;
    std::int64_t first = 0;
    for (std::int64_t h = 0; h < p.H; ++h) {
      std::memset(total, 0, static_cast<std::size_t>(p.Q) * sizeof(T));
      while (first < p.P && rows[first].high < h) ++first;
      for (std::int64_t i = first; i < p.P && rows[i].low <= h; ++i) {
        const T low = rows[i].low == h ? 1 - rows[i].weight : T(0), high = rows[i].high == h ? rows[i].weight : T(0);
        const Lanes<T> weight(low + high);
        const T* from = gradient + i * p.Q;
        for_lanes<T>(0, p.Q, [&](std::int64_t q, auto n) CONVOLITH_INLINED {
          fma(Lanes<T>::load(from + q, n), weight, Lanes<T>::load(total + q, n)).store(total + q, n);
        });
      }
      T* to = dx + (plane * p.H + h) * p.W;
      std::memset(to, 0, static_cast<std::size_t>(p.W) * sizeof(T));
      for (std::int64_t q = 0; q < p.Q; ++q) {
        to[columns[q].low] += total[q] * (1 - columns[q].weight);
        if (p.linear) to[columns[q].high] += total[q] * columns[q].weight;
      }
    }
  });
}
INSTANTIATE(interpolate2d_backward)

}  // namespace convolith::CONVOLITH_ISA
