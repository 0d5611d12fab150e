// Where a position of a Broadcast lies in its arrays, and loads there.
#pragma once

#include "elementwise.hpp"

namespace convolith::CONVOLITH_DEVICE {

struct Place {
  std::int64_t a, b, y;
};

// The place of position `at` of axes [first, end), the last axis fastest; of one axis without a division.
__device__ __forceinline__ Place place_of(const Broadcast& p, int first, int end, std::int64_t at) {
  Place place{};
  for (int i = end - 1; i >= first; --i) {
    const std::int64_t index = i > first ? at % p.extent[i] : at;
    if (i > first) at /= p.extent[i];
    place.a += index * p.a[i];
    place.b += index * p.b[i];
    place.y += index * p.y[i];
  }
  return place;
}

// Whether each V elements along axis `inner` are side by side and aligned in an array of those steps, or one repeated.
inline bool moves_packed(const Broadcast& p, const std::int64_t (&steps)[16], int inner, int V) {
  if (p.extent[inner] % V != 0 || steps[inner] > 1) return false;
  for (int i = 0; i < p.rank; ++i)
    if (i != inner && steps[inner] == 1 && steps[i] % V != 0) return false;
  return true;
}

// V elements from p on, `step` apart; packed if V > 1, unless the step is 0.
template <int V, class T>
__device__ __forceinline__ Vector<float, V> load(const T* p, std::int64_t step) {
  Vector<float, V> out;
  if (V > 1 && step != 0) {
    const auto in = *reinterpret_cast<const Vector<T, V>*>(p);
#pragma unroll
    for (int j = 0; j < V; ++j) out.v[j] = static_cast<float>(in.v[j]);
  } else {
    const float value = static_cast<float>(*p);
#pragma unroll
    for (int j = 0; j < V; ++j) out.v[j] = value;
  }
  return out;
}

}  // namespace convolith::CONVOLITH_DEVICE
