// What the steps of all optimizers share: one pass over memory, which is what they cost.
#pragma once

#include "../shapes.hpp"
#include "parallel.hpp"
#include "reduce.hpp"

namespace convolith::CONVOLITH_ISA {

// A state that is missing (null) reads as 0; one that is const stays as it is.
template <class T, class N>
CONVOLITH_INLINE Lanes<T> load_state(const T* state, std::int64_t i, N n) {
  return state ? Lanes<T>::load(state + i, n) : Lanes<T>(T(0));
}
template <class T, class N>
CONVOLITH_INLINE void store_state(Lanes<T> s, T* state, std::int64_t i, N n) {
  if (state) s.store(state + i, n);
}
template <class T, class N>
CONVOLITH_INLINE void store_state(Lanes<T>, const T*, std::int64_t, N) {}

// The gradient that an optimizer sees: +-grad + weight_decay w + l1 sign(w).
template <class T>
struct Gradient {
  Lanes<T> sign, decay, l1;

  explicit Gradient(const Descent& p)
      : sign(T(p.maximize ? -1 : 1)),
        decay(static_cast<T>(p.decoupled ? 0 : p.weight_decay)),
        l1(static_cast<T>(p.l1)) {}
  CONVOLITH_INLINE Lanes<T> operator()(Lanes<T> grad, Lanes<T> w) const {
    const Lanes<T> zero(T(0)), penalty = where(equal(w, zero), zero, copy_sign(l1, w));
    return fma(decay, w, fma(sign, grad, penalty));
  }
};

// a x + b y, of which the first product is fused: left the choice, compilers make another for another instruction set.
template <class T>
CONVOLITH_INLINE Lanes<T> blend(Lanes<T> a, Lanes<T> x, Lanes<T> b, Lanes<T> y) {
  Lanes<T> second = b * y;
  for (auto& r : second.v) r = in_register(r);
  return fma(a, x, second);
}

// param, grad, every state (n): w = keep w - rate f(g, state...), and f changes the states.  `keep` is what a decoupled
// decay leaves of w.
template <class T, class F, class... State>
CONVOLITH_INLINE void update(const Descent& p, double rate, T* param, const T* grad, const F& f, State*... state) {
  const Lanes<T> keep(static_cast<T>(p.decoupled ? 1 - p.lr * p.weight_decay : 1)), minus_rate(static_cast<T>(-rate));
  const Gradient<T> gradient(p);
  parallel_ranges(p.n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    for_lanes<T>(begin, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
      const Lanes<T> w = Lanes<T>::load(param + i, n);
      const Lanes<T> g = gradient(Lanes<T>::load(grad + i, n), w);
      [&](auto... s) CONVOLITH_INLINED {
        const Lanes<T> direction = f(g, s...);
        (store_state(s, state, i, n), ...);
        blend(minus_rate, direction, keep, w).store(param + i, n);
      }(load_state(state, i, n)...);
    });
  });
}

// The running averages of g and of its square, and what corrects their start at 0.  The corrections are computed in
// double: in float 1 - 0.999^step would lose its digits.
template <class T>
struct Moments {
  double correction1, correction2;
  Lanes<T> beta1, fresh1, beta2, fresh2, root_scale, eps;

  Moments(const AdamStep& p, std::int64_t step)
      : correction1(1 - __builtin_pow(p.beta1, static_cast<double>(step))),
        correction2(1 - __builtin_pow(p.beta2, static_cast<double>(step))),
        beta1(static_cast<T>(p.beta1)),
        fresh1(static_cast<T>(1 - p.beta1)),
        beta2(static_cast<T>(p.beta2)),
        fresh2(static_cast<T>(1 - p.beta2)),
        root_scale(static_cast<T>(1 / __builtin_sqrt(correction2))),
        eps(static_cast<T>(p.eps)) {}
  CONVOLITH_INLINE void follow(Lanes<T> g, Lanes<T>& m, Lanes<T>& v) const {
    m = blend(beta1, m, fresh1, g);
    v = blend(beta2, v, fresh2 * g, g);
  }
  // sqrt(v / correction2) + eps
  CONVOLITH_INLINE Lanes<T> root(Lanes<T> v) const { return fma(square_root(v), root_scale, eps); }
};

}  // namespace convolith::CONVOLITH_ISA
