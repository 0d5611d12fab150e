// A linear layer is a convolution of images of one pixel: x (N, 1, 1, I), w (O, 1, 1, I), y (N, 1, 1, O).  conv2d.cu
// chooses its algorithm, for halves the tensor cores where they can serve.  Bound by FLOPs, 2 N I O, and where N is
// small by the bytes of w.
#include "launch.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

template <class T>
Conv2d pixels(const Linear& p, Direction direction) {
  Conv2d c{};
  c.N = p.N, c.C = p.I, c.K = p.O;
  c.H = c.W = c.R = c.S = c.P = c.Q = c.G = c.stride_h = c.stride_w = c.dilation_h = c.dilation_w = 1;
  Conv2dPlan plan{};
  conv2d_plan<T>(c, direction, true, &plan);
  c.algorithm = plan.algorithm;
  return c;
}

}  // namespace

// x (N, I), w (O, I), bias (O) or null, y (N, O): y = x w^T + bias
template <class T>
void linear_forward(const Linear& p, const T* x, const T* w, const T* bias, T* y) {
  conv2d_forward<T>(pixels<T>(p, Direction::forward), x, w, nullptr, bias, nullptr, y);
}
INSTANTIATE(linear_forward)

// dy (N, O), w (O, I), dx (N, I): dx = dy w
template <class T>
void linear_backward_input(const Linear& p, const T* dy, const T* w, T* dx) {
  conv2d_backward_input<T>(pixels<T>(p, Direction::backward_input), dy, w, dx);
}
INSTANTIATE(linear_backward_input)

// dy (N, O), x (N, I), dw (O, I): dw = dy^T x
template <class T>
void linear_backward_weight(const Linear& p, const T* dy, const T* x, T* dw) {
  conv2d_backward_weight<T>(pixels<T>(p, Direction::backward_weight), dy, x, dw);
}
INSTANTIATE(linear_backward_weight)

}  // namespace convolith::CONVOLITH_DEVICE
