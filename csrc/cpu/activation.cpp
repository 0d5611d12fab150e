// Activations: element-wise, one read and one write per element (two reads backward), so memory-bound beyond L2.
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// y[i] = f(x[i]), all shapes (n).
template <class T, class F>
CONVOLITH_INLINE void map(std::int64_t n, const T* x, T* y, const F& f) {
  parallel_ranges(n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t i = begin;
    for (; i + Lanes<T>::count <= end; i += Lanes<T>::count) f(Lanes<T>::load(x + i)).store(y + i);
    if (i < end) f(Lanes<T>::load(x + i, end - i)).store(y + i, end - i);
  });
}

// z[i] = f(x[i], y[i]), all shapes (n).
template <class T, class F>
CONVOLITH_INLINE void map(std::int64_t n, const T* x, const T* y, T* z, const F& f) {
  parallel_ranges(n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t i = begin;
    for (; i + Lanes<T>::count <= end; i += Lanes<T>::count) f(Lanes<T>::load(x + i), Lanes<T>::load(y + i)).store(z + i);
    if (i < end) f(Lanes<T>::load(x + i, end - i), Lanes<T>::load(y + i, end - i)).store(z + i, end - i);
  });
}

}  // namespace

// y = max(x, 0); NaN passes through because 0 > NaN is false.
template <class T>
void relu_forward(const Map& p, const T* x, T* y) {
  const Lanes<T> zero(T(0));
  map(p.n, x, y, [&](Lanes<T> v) { return where_greater(zero, v, zero, v); });
}
INSTANTIATE(relu_forward)

// dx = dy where y > 0, else 0.
template <class T>
void relu_backward(const Map& p, const T* dy, const T* y, T* dx) {
  const Lanes<T> zero(T(0));
  map(p.n, dy, y, dx, [&](Lanes<T> g, Lanes<T> v) { return where_greater(v, zero, g, zero); });
}
INSTANTIATE(relu_backward)

}  // namespace convolith::CONVOLITH_ISA
