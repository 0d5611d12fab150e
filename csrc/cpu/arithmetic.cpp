// Arithmetic, element by element: every operand read once and y written once, which bounds it (12 bytes a float where
// shapes are equal, 8 beside a number or one value for a row).
#include "broadcast.hpp"
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// y = f(a, b) where the last axis steps by a_step in a and b_step in b: a row at a time, long ones in pieces.
template <int a_step, int b_step, class T, class F>
void map_rows(const Broadcast& p, const T* a, const T* b, T* y, const F& f) {
  const int last = p.rank - 1;
  const std::int64_t width = p.extent[last], rows = elements(p, 0, last), pieces = ceil_div(width, elementwise_grain);
  const Output<T> out(y, rows * width);
  const std::int64_t grain = max_of<std::int64_t>(1, elementwise_grain / width);
  parallel_ranges(rows * pieces, grain, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t row = begin / pieces, from = begin % pieces * elementwise_grain;
    Walk at(p, 0, last, row);
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t to = min_of(width, from + elementwise_grain), start = row * width;
      const T *row_a = a + at.a, *row_b = b + at.b;
      out.fill(start + from, start + to, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
        return f(load_of_row<a_step>(row_a, i - start, n), load_of_row<b_step>(row_b, i - start, n));
      });
      from = to;
      if (to < width) continue;
      from = 0;
      ++row;
      at.next();
    }
  });
}

template <class T, class F>
void map_broadcast(const Broadcast& p, const T* a, const T* b, T* y, const F& f) {
  const T number = static_cast<T>(p.number);
  if (!a) a = &number;
  if (!b) b = &number;
  const bool a_repeats = p.a[p.rank - 1] == 0, b_repeats = p.b[p.rank - 1] == 0;
  if (a_repeats && b_repeats)
    map_rows<0, 0>(p, a, b, y, f);
  else if (a_repeats)
    map_rows<0, 1>(p, a, b, y, f);
  else if (b_repeats)
    map_rows<1, 0>(p, a, b, y, f);
  else
    map_rows<1, 1>(p, a, b, y, f);
}

// Calls f(power), power(v) being v to that exponent: of one operation or two, or else the C library's.
template <class T, class F>
CONVOLITH_INLINE void with_power(double exponent, const F& f) {
  const Lanes<T> one(T(1));
  if (exponent == 0)
    f([=](Lanes<T>) CONVOLITH_INLINED { return one; });
  else if (exponent == 1)
    f([](Lanes<T> v) CONVOLITH_INLINED { return v; });
  else if (exponent == 2)
    f([](Lanes<T> v) CONVOLITH_INLINED { return v * v; });
  else if (exponent == 3)
    f([](Lanes<T> v) CONVOLITH_INLINED { return v * v * v; });
  else if (exponent == 0.5)
    f([](Lanes<T> v) CONVOLITH_INLINED { return square_root(v); });
  else if (exponent == -0.5)
    f([=](Lanes<T> v) CONVOLITH_INLINED { return one / square_root(v); });
  else if (exponent == -1)
    f([=](Lanes<T> v) CONVOLITH_INLINED { return one / v; });
  else if (exponent == -2)
    f([=](Lanes<T> v) CONVOLITH_INLINED { return one / (v * v); });
  else
    f([=](Lanes<T> v) CONVOLITH_INLINED {
      T x[Lanes<T>::count];
      v.store(x);
      for (T& number : x)
        number = sizeof(T) == 4 ? T(__builtin_powf(static_cast<float>(number), static_cast<float>(exponent)))
                                : T(__builtin_pow(number, exponent));
      return Lanes<T>::load(x);
    });
}

}  // namespace

// a and b as p says, either null: p.number; y = a + b
template <class T>
void add_forward(const Broadcast& p, const T* a, const T* b, T* y) {
  map_broadcast(p, a, b, y, [](Lanes<T> v, Lanes<T> w) CONVOLITH_INLINED { return v + w; });
}
INSTANTIATE(add_forward)

template <class T>
void subtract_forward(const Broadcast& p, const T* a, const T* b, T* y) {
  map_broadcast(p, a, b, y, [](Lanes<T> v, Lanes<T> w) CONVOLITH_INLINED { return v - w; });
}
INSTANTIATE(subtract_forward)

template <class T>
void multiply_forward(const Broadcast& p, const T* a, const T* b, T* y) {
  map_broadcast(p, a, b, y, [](Lanes<T> v, Lanes<T> w) CONVOLITH_INLINED { return v * w; });
}
INSTANTIATE(multiply_forward)

template <class T>
void divide_forward(const Broadcast& p, const T* a, const T* b, T* y) {
  map_broadcast(p, a, b, y, [](Lanes<T> v, Lanes<T> w) CONVOLITH_INLINED { return v / w; });
}
INSTANTIATE(divide_forward)

// x, y (n): y = x^exponent
template <class T>
void power_forward(const Power& p, const T* x, T* y) {
  with_power<T>(p.exponent, [&](const auto& power) { map(p.n, x, y, power); });
}
INSTANTIATE(power_forward)

// dy, x, dx (n): dx = dy exponent x^(exponent - 1)
template <class T>
void power_backward(const Power& p, const T* dy, const T* x, T* dx) {
  const Lanes<T> factor(static_cast<T>(p.exponent)), zero(T(0));
  if (p.exponent == 0) return map(p.n, x, dx, [=](Lanes<T>) CONVOLITH_INLINED { return zero; });
  with_power<T>(p.exponent - 1, [&](const auto& power) {
    map(p.n, dy, x, dx, [=](Lanes<T> g, Lanes<T> v) CONVOLITH_INLINED { return g * (factor * power(v)); });
  });
}
INSTANTIATE(power_backward)

}  // namespace convolith::CONVOLITH_ISA
