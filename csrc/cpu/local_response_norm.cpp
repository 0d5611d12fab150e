// Local response normalisation of x (N, C, L): y = x s^-beta with s = k + alpha times the sum of squares over a window
// of neighbouring channels.
//
// Lanes are positions.  A window is added up anew for each channel, `size` FMAs an element from rows that L1 holds: a
// sliding sum that adds one end and takes off the other would keep the rounding, or the infinity, of what has left it.
// Forward reads x and writes y, backward reads dy and x and writes dx, beside two square roots or exp and log.
#include "kernels.hpp"
#include "math.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// Strips of positions in one image, all channels of them.
struct Strips {
  std::int64_t width, count;

  template <class T>
  static CONVOLITH_INLINE Strips of(const ResponseNorm& p, T) {
    constexpr std::int64_t lanes = Lanes<T>::count, elements = 16384;
    const std::int64_t width = min_of(round_up(p.L, lanes), max_of(lanes, elements / p.C / lanes * lanes));
    return {width, ceil_div(p.L, width)};
  }
  // run(begin, width, thread): of all strips the first element of channel 0, and how many positions there are.
  template <class Run>
  CONVOLITH_INLINE void each(const ResponseNorm& p, const Run& run) const {
    parallel_for(p.N * count, width * p.C / 2, [&](std::int64_t task, int thread) {
      const std::int64_t at = task % count * width;
      run(task / count * p.C * p.L + at, min_of(width, p.L - at), thread);
    });
  }
};

// How s^-beta is found.
enum class Power { one, half, three_quarters, any };

template <Power power, class T>
struct Response {
  const ResponseNorm& p;
  const Lanes<T> alpha, k, minus_beta;

  CONVOLITH_INLINE explicit Response(const ResponseNorm& p)
      : p(p), alpha(static_cast<T>(p.alpha)), k(static_cast<T>(p.k)), minus_beta(static_cast<T>(-p.beta)) {}

  // s of channel c; x (C, pitch): its first lane in channel 0
  template <class N>
  CONVOLITH_INLINE Lanes<T> scale(const T* x, std::int64_t c, std::int64_t pitch, N n) const {
    const std::int64_t end = min_of(p.C, c + p.after + 1);
    Lanes<T> squares(T(0));
    for (std::int64_t j = max_of<std::int64_t>(0, c - p.before); j < end; ++j) {
      const Lanes<T> v = Lanes<T>::load(x + j * pitch, n);
      squares = fma(v, v, squares);
    }
    return fma(alpha, squares, k);
  }
  CONVOLITH_INLINE Lanes<T> inverse_power(Lanes<T> s) const {
    const Lanes<T> one(T(1));
    if constexpr (power == Power::one) return one / s;
    if constexpr (power == Power::half) return one / square_root(s);
    if constexpr (power == Power::three_quarters) {
      const Lanes<T> root = square_root(s);
      return one / (root * square_root(root));
    }
    // An infinite s stays so: log is for finite numbers.
    const Lanes<T> largest(sizeof(T) == 4 ? T(__FLT_MAX__) : T(__DBL_MAX__));
    return exp(minus_beta * where(less_equal(s, largest), log(s), s));
  }
};

// run(Number<power>)
template <class Run>
void by_power(const ResponseNorm& p, const Run& run) {
  if (p.beta == 0.75) return run(Number<Power::three_quarters>{});
  if (p.beta == 0.5) return run(Number<Power::half>{});
  if (p.beta == 1) return run(Number<Power::one>{});
  run(Number<Power::any>{});
}

}  // namespace

// x, y (N, C, L)
template <class T>
void local_response_norm_forward(const ResponseNorm& p, const T* x, T* y) {
  const Output<T> out(y, p.N * p.C * p.L);
  by_power(p, [&](auto power) {
    const Response<power.value, T> response(p);
    Strips::of(p, T{}).each(p, [&](std::int64_t first, std::int64_t width, int) {
      for (std::int64_t c = 0; c < p.C; ++c) {
        const std::int64_t begin = first + c * p.L;
        out.fill(begin, begin + width, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
          const Lanes<T> s = response.scale(x + (i - c * p.L), c, p.L, n);
          return Lanes<T>::load(x + i, n) * response.inverse_power(s);
        });
      }
    });
  });
}
INSTANTIATE(local_response_norm_forward)

// dy, x, dx (N, C, L): dx_c = dy_c s_c^-beta - 2 alpha beta x_c (sum of dy_j x_j s_j^(-beta - 1) over all windows j
// that c is in).
template <class T>
void local_response_norm_backward(const ResponseNorm& p, const T* dy, const T* x, T* dx) {
  const Strips strips = Strips::of(p, T{});
  const Scratch<T> scratch(max_threads() * p.C * strips.width);
  const Lanes<T> slope(static_cast<T>(-2 * p.alpha * p.beta));
  by_power(p, [&](auto power) {
    const Response<power.value, T> response(p);
    strips.each(p, [&](std::int64_t first, std::int64_t width, int thread) {
      T* terms = scratch.get() + thread * p.C * strips.width;  // (C, strips.width): dy x s^(-beta - 1)
      for (std::int64_t c = 0; c < p.C; ++c)
        for_lanes<T>(0, width, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
          const std::int64_t at = first + c * p.L + i;
          const Lanes<T> s = response.scale(x + first + i, c, p.L, n);
          const Lanes<T> direct = Lanes<T>::load(dy + at, n) * response.inverse_power(s);
          (direct * Lanes<T>::load(x + at, n) / s).store(terms + c * strips.width + i, n);
          direct.store(dx + at, n);
        });
      for (std::int64_t c = 0; c < p.C; ++c)
        for_lanes<T>(0, width, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
          const std::int64_t at = first + c * p.L + i, end = min_of(p.C, c + p.before + 1);
          Lanes<T> through(T(0));
          for (std::int64_t j = max_of<std::int64_t>(0, c - p.after); j < end; ++j)
            through += Lanes<T>::load(terms + j * strips.width + i, n);
          fma(slope * Lanes<T>::load(x + at, n), through, Lanes<T>::load(dx + at, n)).store(dx + at, n);
        });
    });
  });
}
INSTANTIATE(local_response_norm_backward)

}  // namespace convolith::CONVOLITH_ISA
