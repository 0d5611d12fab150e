// How a convolution reads its images, element by element.
#pragma once

#include "gemm.hpp"

namespace convolith::CONVOLITH_DEVICE {

// What reads where: a window, of an output position, and a tap, of a filter element (r, s, c), meet at
// data[window.at + tap.at], a zero where (top + down, left + right) lies outside the image.
struct alignas(16) Window {
  std::int64_t at;  // of (n, top, left), which may lie outside
  int top, left;
};
struct alignas(16) Tap {
  int at, down, right;
};
constexpr int beyond = 1 << 30;
constexpr Window no_window{0, -2 * beyond, 0};  // above any image, whichever the tap
constexpr Tap no_tap{0, beyond, 0};             // below any image, whichever the window

// Images of one group: element (n, h, w, c) is data[((n H + h) W + w) pitch + c].
template <class T>
struct Images {
  const T* data;
  int H, W, pitch;

  __device__ Window window(int n, int top, int left) const {
    return {std::int64_t{n} * (H * W * pitch) + (top * W + left) * pitch, top, left};
  }
  __device__ Tap tap(int down, int right, int c) const { return {(down * W + right) * pitch + c, down, right}; }

  template <int V>
  __device__ Vector<float, V> meet(const Window& window, const Tap& tap) const {
    const unsigned y = static_cast<unsigned>(window.top) + static_cast<unsigned>(tap.down);
    const unsigned x = static_cast<unsigned>(window.left) + static_cast<unsigned>(tap.right);
    return fetch<V>(y < static_cast<unsigned>(H) && x < static_cast<unsigned>(W), data + window.at + tap.at);
  }
};

}  // namespace convolith::CONVOLITH_DEVICE
