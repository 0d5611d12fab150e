// Activations: element-wise, one read and one write per element (two reads backward), so memory-bound beyond L2.
#include "kernels.hpp"
#include "math.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
// y = max(x, 0); NaN passes through because 0 > NaN is false.
template <class T>
void relu_forward(const Map& p, const T* x, T* y) {
  map(p.n, x, y, [](Lanes<T> v) CONVOLITH_INLINED { return relu(v); });
}
INSTANTIATE(relu_forward)

// dx = dy, but 0 where y <= 0 (so not where y is NaN).
template <class T>
void relu_backward(const Map& p, const T* dy, const T* y, T* dx) {
  const Lanes<T> zero(T(0));
  map(p.n, dy, y, dx, [&](Lanes<T> g, Lanes<T> v) CONVOLITH_INLINED { return where(less_equal(v, zero), zero, g); });
}
INSTANTIATE(relu_backward)

// y = x where x > 0, else slope * x
template <class T>
void leaky_relu_forward(const LeakyRelu& p, const T* x, T* y) {
  const Lanes<T> zero(T(0)), slope(static_cast<T>(p.negative_slope));
  map(p.n, x, y, [&](Lanes<T> v) CONVOLITH_INLINED { return where_greater(v, zero, v, slope * v); });
}
INSTANTIATE(leaky_relu_forward)

// dx = dy where x > 0, else slope * dy
template <class T>
void leaky_relu_backward(const LeakyRelu& p, const T* dy, const T* x, T* dx) {
  const Lanes<T> zero(T(0)), slope(static_cast<T>(p.negative_slope));
  map(p.n, dy, x, dx, [&](Lanes<T> g, Lanes<T> v) CONVOLITH_INLINED { return where_greater(v, zero, g, slope * g); });
}
INSTANTIATE(leaky_relu_backward)

// y = 1 / (1 + e^-x): some 25 FLOPs an element, still less than the memory takes
template <class T>
void sigmoid_forward(const Map& p, const T* x, T* y) {
  map(p.n, x, y, [](Lanes<T> v) CONVOLITH_INLINED { return sigmoid(v); });
}
INSTANTIATE(sigmoid_forward)

// dx = dy y (1 - y)
template <class T>
void sigmoid_backward(const Map& p, const T* dy, const T* y, T* dx) {
  const Lanes<T> one(T(1));
  map(p.n, dy, y, dx, [&](Lanes<T> g, Lanes<T> v) CONVOLITH_INLINED { return g * v * (one - v); });
}
INSTANTIATE(sigmoid_backward)

// y = tanh x
template <class T>
void tanh_forward(const Map& p, const T* x, T* y) {
  map(p.n, x, y, [](Lanes<T> v) CONVOLITH_INLINED { return tanh(v); });
}
INSTANTIATE(tanh_forward)

// dx = dy (1 - y^2), as (1 - y) (1 + y): 1 - y is exact where y is near 1
template <class T>
void tanh_backward(const Map& p, const T* dy, const T* y, T* dx) {
  const Lanes<T> one(T(1));
  map(p.n, dy, y, dx, [&](Lanes<T> g, Lanes<T> v) CONVOLITH_INLINED { return g * ((one - v) * (one + v)); });
}
INSTANTIATE(tanh_backward)

}  // namespace convolith::CONVOLITH_ISA
