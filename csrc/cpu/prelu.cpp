// A leaky relu with a slope that is learnt, one for all or one per channel.  Forward reads x and writes y, backward
// reads dy and x once and writes dx and, of each task, sums for the slopes, which are added in task order.
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// x (N, C, L) is cut into tasks of one channel, or where L == 1 of as many as there are lanes: some images of it and a
// piece of L, some ten thousand elements together.
struct Tasks {
  std::int64_t lanes, groups, images, blocks, piece, pieces;

  template <class T>
  static CONVOLITH_INLINE Tasks of(const Prelu& p, T) {
    Tasks t;
    t.lanes = p.L == 1 ? Lanes<T>::count : 1;
    t.groups = ceil_div(p.C, t.lanes);
    t.images = max_of<std::int64_t>(1, elementwise_grain / (t.lanes * max_of<std::int64_t>(1, p.L)));
    t.blocks = ceil_div(p.N, t.images);
    t.piece = elementwise_grain;
    t.pieces = ceil_div(p.L, t.piece);
    return t;
  }
  // Sums for each channel.
  CONVOLITH_INLINE std::int64_t parts() const { return blocks * pieces; }
};

// Calls f(part, c, lanes, runs) for each task: runs(g) calls g(begin, end) for the elements of each image, and where
// lanes are channels, those are the `lanes` from c on.
template <class T, class F>
CONVOLITH_INLINE void for_tasks(const Prelu& p, const Tasks& t, const F& f) {
  const std::int64_t cost = t.images * ceil_div(min_of(p.L, t.piece), Lanes<T>::count);
  parallel_for(t.parts() * t.groups, cost, [&](std::int64_t task, int) {
    const std::int64_t part = task / t.groups, c = task % t.groups * t.lanes, lanes = min_of(t.lanes, p.C - c);
    const std::int64_t at = part % t.pieces * t.piece, length = t.lanes > 1 ? lanes : min_of(t.piece, p.L - at);
    const std::int64_t first = part / t.pieces * t.images, last = min_of(p.N, first + t.images);
    f(part, c, lanes, [&](const auto& g) CONVOLITH_INLINED {
      for (std::int64_t n = first; n < last; ++n) {
        const std::int64_t begin = (n * p.C + c) * p.L + at;
        g(begin, begin + length);
      }
    });
  });
}

// w (C): a channel's slope in all lanes, or where lanes are channels each its own.
template <class T>
CONVOLITH_INLINE Lanes<T> slope_of(const Tasks& t, const T* w, std::int64_t c, std::int64_t lanes) {
  return t.lanes == 1 ? Lanes<T>(w[c]) : Lanes<T>::load(w + c, lanes);
}

}  // namespace

// x, y (N, C, L), w (C): y = x where x > 0, else w x
template <class T>
void prelu_forward(const Prelu& p, const T* x, const Parameter<T>* w, T* y) {
  const Tasks t = Tasks::of(p, T{});
  const Output<T> out(y, p.N * p.C * p.L, t.lanes == 1);
  for_tasks<T>(p, t, [&](std::int64_t, std::int64_t c, std::int64_t lanes, const auto& runs) {
    const Lanes<T> zero(T(0)), slope = slope_of(t, w, c, lanes);
    runs([&](std::int64_t begin, std::int64_t end) CONVOLITH_INLINED {
      out.fill(begin, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
        const Lanes<T> v = Lanes<T>::load(x + i, n);
        return where_greater(v, zero, v, slope * v);
      });
    });
  });
}
INSTANTIATE(prelu_forward)

// dy, x, dx (N, C, L), w, dw (C): dx = dy where x > 0, else w dy; dw = the sum of x dy where not x > 0
template <class T>
void prelu_backward(const Prelu& p, const T* dy, const T* x, const Parameter<T>* w, T* dx, Parameter<T>* dw) {
  const Tasks t = Tasks::of(p, T{});
  if (t.parts() == 0) {
    std::memset(dw, 0, static_cast<std::size_t>(p.C) * sizeof(T));
    return;
  }
  const Scratch<T> partial(t.parts() * p.C);
  const Output<T> out(dx, p.N * p.C * p.L, p.L % Lanes<T>::count == 0);  // sums are over lanes
  for_tasks<T>(p, t, [&](std::int64_t part, std::int64_t c, std::int64_t lanes, const auto& runs) {
    const Lanes<T> zero(T(0)), slope = slope_of(t, w, c, lanes);
    Lanes<T> total = zero;
    runs([&](std::int64_t begin, std::int64_t end) CONVOLITH_INLINED {
      out.fill(begin, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
        const Lanes<T> v = Lanes<T>::load(x + i, n), g = Lanes<T>::load(dy + i, n);
        total += where_greater(v, zero, zero, v * g);
        return where_greater(v, zero, g, slope * g);
      });
    });
    T* sums = partial.get() + part * p.C + c;
    if (t.lanes > 1)
      total.store(sums, lanes);
    else
      *sums = sum(total);
  });
  add_partial_sums(t.parts(), p.C, partial.get(), dw);
}
INSTANTIATE(prelu_backward)

}  // namespace convolith::CONVOLITH_ISA
