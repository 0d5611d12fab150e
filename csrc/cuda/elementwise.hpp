// Functions of one element each: bound by memory, so every thread moves 16 bytes at a time.
#pragma once

#include "launch.hpp"

namespace convolith::CONVOLITH_DEVICE {

template <class T>
using Pack = Vector<T, 16 / sizeof(T)>;

// y[i] = f(x[i]...), every array (n) and 16-byte aligned; y may be one of x.
template <class F, class T, class... X>
__global__ void map_kernel(std::int64_t n, F f, T* y, const X*... x) {
  const std::int64_t packs = n / Pack<T>::size, step = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t first = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  for (std::int64_t i = first; i < packs; i += step) {
    Pack<T> out;
    [&](Pack<X>... in) {
#pragma unroll
      for (int j = 0; j < Pack<T>::size; ++j) out.v[j] = static_cast<T>(f(static_cast<float>(in.v[j])...));
    }(reinterpret_cast<const Pack<X>*>(x)[i]...);
    reinterpret_cast<Pack<T>*>(y)[i] = out;
  }
  for (std::int64_t i = packs * Pack<T>::size + first; i < n; i += step)
    y[i] = static_cast<T>(f(static_cast<float>(x[i])...));
}

template <class F, class T, class... X>
void map(const char* name, std::int64_t n, F f, T* y, const X*... x) {
  constexpr int threads = 256;
  if (n == 0) return;
  launch(name, map_kernel<F, T, X...>, dim3(grid_for(ceil_div(n, Pack<T>::size), threads)), dim3(threads), 0, n, f, y,
         x...);
}

}  // namespace convolith::CONVOLITH_DEVICE
