// Padding: rows are copied, and their ends filled.  One read of x and one write of y; backward reads dy once, and dx
// stays in cache.
#include "kernels.hpp"
#include "pack.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// Of a row of y, [begin, end) are x[begin - left], ...: what no border has to do with.
struct Inner {
  std::int64_t begin, end;

  CONVOLITH_INLINE Inner(std::int64_t left, std::int64_t W, std::int64_t Q)
      : begin(min_of(max_of<std::int64_t>(left, 0), Q)), end(max_of(begin, min_of(left + W, Q))) {}
};

}  // namespace

// x (N, C, H, W), y (N, C, P, Q)
template <class T>
void pad2d_forward(const Pad2d& p, const T* x, T* y) {
  const std::int64_t P = p.H + p.top + p.bottom, Q = p.W + p.left + p.right;
  const Inner inner(p.left, p.W, Q);
  const auto value = static_cast<T>(p.value);
  parallel_ranges(p.N * p.C * P, max_of<std::int64_t>(1, elementwise_grain / Q),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t row = begin; row < end; ++row) {
                      const std::int64_t h = source(row % P - p.top, p.H, p.mode);
                      const T* from = x + (row / P * p.H + h) * p.W;
                      T* to = y + row * Q;
                      const auto border = [&](std::int64_t q) CONVOLITH_INLINED {
                        const std::int64_t w = h < 0 ? -1 : source(q - p.left, p.W, p.mode);
                        to[q] = w < 0 ? value : from[w];
                      };
                      for (std::int64_t q = 0; q < (h < 0 ? Q : inner.begin); ++q) border(q);
                      if (h < 0) continue;
                      std::memcpy(to + inner.begin, from + inner.begin - p.left,
                                  static_cast<std::size_t>(inner.end - inner.begin) * sizeof(T));
                      for (std::int64_t q = inner.end; q < Q; ++q) border(q);
                    }
                  });
}
INSTANTIATE(pad2d_forward)

// dy (N, C, P, Q), dx (N, C, H, W): each dy is added to where its x was read from, row by row.  Planes are independent.
template <class T>
void pad2d_backward(const Pad2d& p, const T* dy, T* dx) {
  const std::int64_t P = p.H + p.top + p.bottom, Q = p.W + p.left + p.right;
  const Inner inner(p.left, p.W, Q);
  parallel_for(p.N * p.C, P * Q / 16, [&](std::int64_t plane, int) {
    T* const image = dx + plane * p.H * p.W;
    std::memset(image, 0, static_cast<std::size_t>(p.H * p.W) * sizeof(T));
    for (std::int64_t i = 0; i < P; ++i) {
      const std::int64_t h = source(i - p.top, p.H, p.mode);
      if (h < 0) continue;
      const T* from = dy + (plane * P + i) * Q;
      T* to = image + h * p.W;
      const auto border = [&](std::int64_t q) CONVOLITH_INLINED {
        const std::int64_t w = source(q - p.left, p.W, p.mode);
        if (w >= 0) to[w] += from[q];
      };
      for (std::int64_t q = 0; q < inner.begin; ++q) border(q);
      for_lanes<T>(inner.begin, inner.end, [&](std::int64_t q, auto n) CONVOLITH_INLINED {
        T* at = to + q - p.left;
        (Lanes<T>::load(at, n) + Lanes<T>::load(from + q, n)).store(at, n);
      });
      for (std::int64_t q = inner.end; q < Q; ++q) border(q);
    }
  });
}
INSTANTIATE(pad2d_backward)

}  // namespace convolith::CONVOLITH_ISA
