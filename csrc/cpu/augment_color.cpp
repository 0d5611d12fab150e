// Brightness, contrast, saturation and hue, one step after the other on an image that stays in cache.
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

enum Step : std::int64_t { brightness, contrast, saturation, hue, steps };

template <class T>
struct Pixel {
  Lanes<T> r, g, b;
};

// ITU-R BT.601: 0.2989 r + 0.587 g + 0.114 b
template <class T>
CONVOLITH_INLINE Lanes<T> luma(const Pixel<T>& x) {
  return fma(Lanes<T>(T(0.2989)), x.r, fma(Lanes<T>(T(0.587)), x.g, Lanes<T>(T(0.114)) * x.b));
}

// One image (C, L), C being 1 or 3.
template <class T>
struct Image {
  std::int64_t C, L;
  Lanes<T> peak;
  T* x;

  template <class N>
  CONVOLITH_INLINE Pixel<T> load(std::int64_t i, N n) const {
    return {Lanes<T>::load(x + i, n), Lanes<T>::load(x + L + i, n), Lanes<T>::load(x + 2 * L + i, n)};
  }
  template <class N>
  CONVOLITH_INLINE void store(const Pixel<T>& y, std::int64_t i, N n) const {
    y.r.store(x + i, n), y.g.store(x + L + i, n), y.b.store(x + 2 * L + i, n);
  }
  // factor x + (1 - factor) base, between black and white.
  CONVOLITH_INLINE Lanes<T> blend(Lanes<T> v, Lanes<T> base, Lanes<T> factor) const {
    return min(peak, max(Lanes<T>(T(0)), fma(factor, v - base, base)));
  }

  void blend_all(Lanes<T> base, Lanes<T> factor) const {
    for_lanes<T>(0, C * L, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
      blend(Lanes<T>::load(x + i, n), base, factor).store(x + i, n);
    });
  }
  T mean_luma() const {
    Lanes<T> total(T(0));
    for_lanes<T>(0, L, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
      total += C == 1 ? Lanes<T>::load(x + i, n) : luma(load(i, n));
    });
    return sum(total) / static_cast<T>(L);
  }
  void saturate(Lanes<T> factor) const {
    for_lanes<T>(0, L, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
      const Pixel<T> v = load(i, n);
      const Lanes<T> grey = luma(v);
      store({blend(v.r, grey, factor), blend(v.g, grey, factor), blend(v.b, grey, factor)}, i, n);
    });
  }
  void turn_hue(T shift) const;
};

// Smith, "Color gamut transform pairs" (1978): the hue, in sixths of the circle, is turned by 6 shift; value and chroma
// stay.  A channel is v - chroma clamp(min(k, 4 - k)), k = (n + hue) mod 6 with n = 5, 3, 1 for red, green, blue.
template <class T>
void Image<T>::turn_hue(T shift) const {
  const Lanes<T> zero(T(0)), one(T(1)), two(T(2)), four(T(4)), six(T(6)), turn(6 * shift + 6);
  for_lanes<T>(0, L, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
    const Pixel<T> v = load(i, n);
    const Lanes<T> most = max(v.r, max(v.g, v.b)), chroma = most - min(v.r, min(v.g, v.b));
    const Lanes<T> by = where(equal(chroma, zero), one, chroma);
    const Lanes<T> of_green = two + (v.b - v.r) / by, of_blue = four + (v.r - v.g) / by;
    Lanes<T> angle = where(equal(most, v.g), of_green, of_blue);
    angle = where(equal(most, v.r), (v.g - v.b) / by, angle) + turn;  // in [2, 14]
    const auto channel = [&](T start) CONVOLITH_INLINED {
      Lanes<T> k = angle + Lanes<T>(start);
      for (int round = 0; round < 3; ++round) k = where(less_equal(six, k), k - six, k);
      return most - chroma * max(zero, min(one, min(k, four - k)));
    };
    store({channel(5), channel(3), channel(1)}, i, n);
  });
}

template <class T>
void apply(const Image<T>& image, std::int64_t step, T factor) {
  if (factor == (step == hue ? T(0) : T(1))) return;
  if (step == brightness) image.blend_all(Lanes<T>(T(0)), Lanes<T>(factor));
  if (step == contrast) image.blend_all(Lanes<T>(image.mean_luma()), Lanes<T>(factor));
  if (image.C == 1) return;  // grey has neither saturation nor hue
  if (step == saturation) image.saturate(Lanes<T>(factor));
  if (step == hue) image.turn_hue(factor);
}

}  // namespace

// x, y (N, C, L); factors, order (N, 4): of brightness, contrast, saturation and hue, and which of
// these comes first, second ...; y may be x.
template <class T>
void color_jitter(const ColorJitter& p, const T* x, const T* factors, const std::int64_t* order, T* y) {
  const std::int64_t size = p.C * p.L;
  parallel_for(p.N, size, [&](std::int64_t n, int) {
    const Image<T> image{p.C, p.L, Lanes<T>(static_cast<T>(p.peak)), y + n * size};
    if (x != y) std::memcpy(image.x, x + n * size, static_cast<std::size_t>(size) * sizeof(T));
    for (std::int64_t i = n * steps; i < (n + 1) * steps; ++i) apply(image, order[i], factors[n * steps + order[i]]);
  });
}
INSTANTIATE(color_jitter)

}  // namespace convolith::CONVOLITH_ISA
