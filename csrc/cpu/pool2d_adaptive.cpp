// Pooling to a given size.  Windows [floor(i H / P), ceil((i + 1) H / P)) that tile the plane are ordinary pooling;
// one window is a loop over the whole plane; only uneven ones are walked one by one.  One read of x in each case.
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

CONVOLITH_INLINE bool tiles(const AdaptivePool2d& p) {
  return p.H % p.P == 0 && p.W % p.Q == 0;
}
CONVOLITH_INLINE Pool2d as_tiles(const AdaptivePool2d& p) {
  const std::int64_t R = p.H / p.P, S = p.W / p.Q;
  return {p.N, p.C, p.H, p.W, R, S, p.P, p.Q, R, S, 1, 1, 0, 0, 0, 0, true, 0};
}

// Calls f(plane) for every image plane.
template <class F>
CONVOLITH_INLINE void for_planes(const AdaptivePool2d& p, const F& f) {
  const std::int64_t grain = max_of<std::int64_t>(1, elementwise_grain / (p.H * p.W + p.P * p.Q));
  parallel_ranges(p.N * p.C, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) f(plane);
  });
}

// Calls f(output, top, bottom, left, right) for every window of a plane.
template <class F>
CONVOLITH_INLINE void for_windows(const AdaptivePool2d& p, const F& f) {
  for (std::int64_t i = 0; i < p.P; ++i)
    for (std::int64_t j = 0; j < p.Q; ++j)
      f(i * p.Q + j, i * p.H / p.P, ceil_div((i + 1) * p.H, p.P), j * p.W / p.Q, ceil_div((j + 1) * p.W, p.Q));
}

template <class T>
CONVOLITH_INLINE T mean_of(const T* x, std::int64_t n) {
  Lanes<T> total(T(0));
  for_lanes<T>(0, n, [&](std::int64_t i, auto m) CONVOLITH_INLINED { total += Lanes<T>::load(x + i, m); });
  return sum(total) / static_cast<T>(n);
}

// Whether v is to replace `most`, which stands before it: the first maximum stays, and so does the first NaN.
template <class T>
CONVOLITH_INLINE bool exceeds(T v, T most) {
  return !(v <= most) && most == most;
}

// Where the first maximum of x (n) is, or the first NaN.  Every lane keeps its own, in pieces that its index can count.
template <class T>
CONVOLITH_INLINE std::int64_t first_maximum(const T* x, std::int64_t n) {
  constexpr std::int64_t piece = std::int64_t{1} << 30;
  IntOf<T> counting[Lanes<T>::count];
  for (std::int64_t i = 0; i < Lanes<T>::count; ++i) counting[i] = static_cast<IntOf<T>>(i);
  std::int64_t best = 0;
  for (std::int64_t begin = 0; begin < n; begin += piece) {
    Lanes<T> top(x[begin]);
    Mask<T> here = Mask<T>::load(counting), where_top(IntOf<T>(0));
    for_lanes<T>(begin, min_of(n, begin + piece), [&](std::int64_t i, auto m) CONVOLITH_INLINED {
      const Lanes<T> v = Lanes<T>::load(x + i, m, x[begin]);
      const Mask<T> take = greater_or_nan(v, top) & equal(top, top);
      top = where(take, v, top);
      where_top = where(take, here, where_top);
      here = here + Mask<T>(static_cast<IntOf<T>>(Lanes<T>::count));
    });
    T value[Lanes<T>::count];
    IntOf<T> index[Lanes<T>::count];
    top.store(value);
    where_top.store(index);
    for (std::int64_t i = 0; i < Lanes<T>::count; ++i) {
      const std::int64_t at = begin + index[i];
      const bool as_good = !exceeds(x[best], value[i]);
      if (exceeds(value[i], x[best]) || (as_good && at < best)) best = at;
    }
  }
  return best;
}

}  // namespace

// x (N, C, H, W), y (N, C, P, Q)
template <class T>
void adaptive_avg_pool2d_forward(const AdaptivePool2d& p, const T* x, T* y) {
  const std::int64_t in = p.H * p.W, out = p.P * p.Q;
  if (out == 1) {
    for_planes(p, [&](std::int64_t plane) { y[plane] = mean_of(x + plane * in, in); });
  } else if (tiles(p)) {
    avg_pool2d_forward<T>(as_tiles(p), x, y);
  } else {
    for_planes(p, [&](std::int64_t plane) {
      for_windows(p, [&](std::int64_t i, std::int64_t top, std::int64_t bottom, std::int64_t left, std::int64_t right) {
        T total = 0;
        for (std::int64_t h = top; h < bottom; ++h)
          for (std::int64_t w = left; w < right; ++w) total += x[plane * in + h * p.W + w];
        y[plane * out + i] = total / static_cast<T>((bottom - top) * (right - left));
      });
    });
  }
}
INSTANTIATE(adaptive_avg_pool2d_forward)

// dy (N, C, P, Q), dx (N, C, H, W)
template <class T>
void adaptive_avg_pool2d_backward(const AdaptivePool2d& p, const T* dy, T* dx) {
  const std::int64_t in = p.H * p.W, out = p.P * p.Q;
  if (out == 1) {
    for_planes(p, [&](std::int64_t plane) {
      const Lanes<T> share(dy[plane] / static_cast<T>(in));
      for_lanes<T>(plane * in, (plane + 1) * in,
                   [&](std::int64_t i, auto n) CONVOLITH_INLINED { share.store(dx + i, n); });
    });
  } else if (tiles(p)) {
    avg_pool2d_backward<T>(as_tiles(p), dy, dx);
  } else {
    for_planes(p, [&](std::int64_t plane) {
      for (std::int64_t i = 0; i < in; ++i) dx[plane * in + i] = 0;
      for_windows(p, [&](std::int64_t i, std::int64_t top, std::int64_t bottom, std::int64_t left, std::int64_t right) {
        const T share = dy[plane * out + i] / static_cast<T>((bottom - top) * (right - left));
        for (std::int64_t h = top; h < bottom; ++h)
          for (std::int64_t w = left; w < right; ++w) dx[plane * in + h * p.W + w] += share;
      });
    });
  }
}
INSTANTIATE(adaptive_avg_pool2d_backward)

// x (N, C, H, W), y, indices (N, C, P, Q); backward is max_pool2d_backward
template <class T>
void adaptive_max_pool2d_forward(const AdaptivePool2d& p, const T* x, T* y, std::int64_t* indices) {
  const std::int64_t in = p.H * p.W, out = p.P * p.Q;
  if (out == 1) {
    for_planes(p, [&](std::int64_t plane) {
      indices[plane] = first_maximum(x + plane * in, in);
      y[plane] = x[plane * in + indices[plane]];
    });
  } else if (tiles(p)) {
    max_pool2d_forward<T>(as_tiles(p), x, y, indices);
  } else {
    for_planes(p, [&](std::int64_t plane) {
      for_windows(p, [&](std::int64_t i, std::int64_t top, std::int64_t bottom, std::int64_t left, std::int64_t right) {
        std::int64_t best = top * p.W + left;
        for (std::int64_t h = top; h < bottom; ++h) {
          for (std::int64_t w = left; w < right; ++w) {
            const T v = x[plane * in + h * p.W + w], most = x[plane * in + best];
            if (exceeds(v, most)) best = h * p.W + w;
          }
        }
        indices[plane * out + i] = best;
        y[plane * out + i] = x[plane * in + best];
      });
    });
  }
}
INSTANTIATE(adaptive_max_pool2d_forward)

}  // namespace convolith::CONVOLITH_ISA
