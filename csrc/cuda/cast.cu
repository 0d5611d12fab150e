// Arrays in another floating dtype: one read and one write an element, which bound it.
#include "elementwise.hpp"
#include "layout.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// x, y (n): fours, then what is left
template <class T, class U>
__global__ void cast_kernel(std::int64_t n, const T* x, U* y) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t first = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  for (std::int64_t i = first; i < n / 4; i += step) {
    const Vector<T, 4> in = reinterpret_cast<const Vector<T, 4>*>(x)[i];
    Vector<U, 4> out;
#pragma unroll
    for (int j = 0; j < 4; ++j) out.v[j] = static_cast<U>(static_cast<float>(in.v[j]));
    reinterpret_cast<Vector<U, 4>*>(y)[i] = out;
  }
  for (std::int64_t i = n / 4 * 4 + first; i < n; i += step) y[i] = static_cast<U>(static_cast<float>(x[i]));
}

template <class Run>
void with_type(DType dtype, const Run& run) {
  if (dtype == DType::f16) return run(float16{});
  if (dtype == DType::bf16) return run(bfloat16{});
  run(float{});
}

}  // namespace

void cast(std::int64_t n, DType from, DType to, const void* x, void* y) {
  constexpr int threads = 256;
  if (n == 0) return;
  with_type(from, [&]<class T>(T) {
    with_type(to, [&]<class U>(U) {
      launch("cast", cast_kernel<T, U>, dim3(grid_for(ceil_div(n, 4), threads)), dim3(threads), 0, n,
             static_cast<const T*>(x), static_cast<U*>(y));
    });
  });
}

}  // namespace convolith::CONVOLITH_DEVICE
