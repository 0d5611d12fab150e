// Scaling of losses and gradients in mixed precision: one read and one write an element, which bound it.
#include "elementwise.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// What is not finite is rare, and may cost an atomic operation: all write the same.
struct Scale {
  const float* factor;
  float* found_inf;  // or null

  __device__ float operator()(float x) const {
    if (found_inf && !(fabsf(x) < INFINITY)) atomicExch(found_inf, 1.0f);
    return *factor * x;
  }
};

}  // namespace

// x, y (n), factor and found_inf scalars, the latter may be null: y = factor x
template <class T>
void scale_forward(const Map& p, const T* x, const Parameter<T>* factor, Parameter<T>* found_inf, T* y) {
  map("scale_forward", p.n, Scale{factor, found_inf}, y, x);
}
INSTANTIATE(scale_forward)

}  // namespace convolith::CONVOLITH_DEVICE
