// Power-average pooling: average pooling between two passes over memory that raise to powers.
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// v^e; the powers that norms 1 and 2 need without a function call.
template <class T>
CONVOLITH_INLINE Lanes<T> power(Lanes<T> v, double e) {
  if (e == 0) return Lanes<T>(T(1));
  if (e == 1) return v;
  if (e == 2) return v * v;
  if (e == 0.5) return square_root(v);
  if (e == -1) return Lanes<T>(T(1)) / v;
  T element[Lanes<T>::count];
  v.store(element);
  for (T& x : element) x = static_cast<T>(__builtin_pow(x, e));
  return Lanes<T>::load(element);
}

template <class T>
CONVOLITH_INLINE Lanes<T> taps(const LpPool2d& p) {
  return Lanes<T>(static_cast<T>(p.windows.R * p.windows.S));
}

// v, or 0 where x is 0.
template <class T>
CONVOLITH_INLINE Lanes<T> unless_zero(Lanes<T> x, Lanes<T> v) {
  return where(equal(x, Lanes<T>(T(0))), Lanes<T>(T(0)), v);
}

}  // namespace

// x (N, C, H, W), y (N, C, P, Q)
template <class T>
void lp_pool2d_forward(const LpPool2d& p, const T* x, T* y) {
  const Pool2d& w = p.windows;
  const std::int64_t in = w.N * w.C * w.H * w.W, out = w.N * w.C * w.P * w.Q;
  const Scratch<T> powers(in);
  map(in, x, powers.get(), [&](Lanes<T> v) CONVOLITH_INLINED { return power(v, p.norm); });
  avg_pool2d_forward<T>(w, powers.get(), y);
  map(out, y, y, [&](Lanes<T> v) CONVOLITH_INLINED { return power(v * taps<T>(p), 1 / p.norm); });
}
INSTANTIATE(lp_pool2d_forward)

// dy, y (N, C, P, Q), x, dx (N, C, H, W): x^(norm - 1) times the sum of dy / y^(norm - 1), nothing where y is 0
template <class T>
void lp_pool2d_backward(const LpPool2d& p, const T* dy, const T* x, const T* y, T* dx) {
  const Pool2d& w = p.windows;
  const std::int64_t in = w.N * w.C * w.H * w.W, out = w.N * w.C * w.P * w.Q;
  const Scratch<T> shares(out);
  map(out, dy, y, shares.get(),
      [&](Lanes<T> d, Lanes<T> v) CONVOLITH_INLINED { return unless_zero(v, d * taps<T>(p) * power(v, 1 - p.norm)); });
  avg_pool2d_backward<T>(w, shares.get(), dx);
  map(in, dx, x, dx,
      [&](Lanes<T> d, Lanes<T> v) CONVOLITH_INLINED { return unless_zero(d, d * power(v, p.norm - 1)); });
}
INSTANTIATE(lp_pool2d_backward)

}  // namespace convolith::CONVOLITH_ISA
