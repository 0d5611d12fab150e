// conv2d's three directions, each by the algorithm that the plan chose (conv2d_plan.cpp).
#include "conv2d_depthwise.hpp"
#include "conv2d_direct.hpp"
#include "conv2d_pointwise.hpp"
#include "conv2d_winograd.hpp"
#include "epilogue.hpp"
#include "kernels.hpp"
#include "pack.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {

// w (K, C/G, R, S), prepared (K, C/G, prepared of the plan)
template <class T>
void conv2d_prepare_weight(const Conv2d& p, const T* w, T* prepared) {
  if (p.algorithm == Algorithm::winograd)
    winograd_prepare_weight(p, w, prepared);
  else
    panels_prepare_weight(p, w, prepared);
}
INSTANTIATE(conv2d_prepare_weight)

// x (N, C, H, W), w (K, C/G, R, S), prepared (of conv2d_prepare_weight) or null, bias (K) or null,
// residual (N, K, P, Q) or null, y (N, K, P, Q)
template <class T>
void conv2d_forward(const Conv2d& p, const T* x, const T* w, const T* prepared, const T* bias, const T* residual,
                    T* y) {
  if (p.N == 0) return;
  switch (p.algorithm) {
    case Algorithm::depthwise:
      return depthwise_forward(p, x, w, bias, residual, y);
    case Algorithm::winograd:
      return winograd_forward(p, x, w, prepared, bias, residual, y);
    case Algorithm::gemm:
      if (!is_linear(p)) return pointwise_forward(p, x, w, bias, residual, y);
      linear_forward<T>(as_linear(p), x, w, bias, y);
      return parallel_ranges(p.N * p.K, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
        Epilogue<T>{residual, p.activation}.finish(y, begin, end - begin);
      });
    default:
      return vectors_hold_filters<T>(p.K / p.G, p.C / p.G * p.R * p.S, p.Q, 1)
                 ? panels_forward(p, x, w, prepared, bias, residual, y)
                 : planes_forward(p, x, w, bias, residual, y);
  }
}
INSTANTIATE(conv2d_forward)

namespace {

template <class T>
void direct_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  if (few_backward_input_serves(p))
    few_backward_input(p, dy, w, dx);
  else if (vectors_hold_filters<T>(p.C / p.G, p.K / p.G * p.R * p.S, p.W, p.stride_w))
    panels_backward_input(p, dy, w, dx);
  else
    planes_backward_input(p, dy, w, dx);
}

}  // namespace

// dy (N, K, P, Q), w (K, C/G, R, S), dx (N, C, H, W)
template <class T>
void conv2d_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  if (p.N == 0) return;
  if (p.algorithm == Algorithm::depthwise) return depthwise_backward_input<T>(p, dy, w, dx);
  if (p.algorithm == Algorithm::winograd) return winograd_backward_input(p, dy, w, dx);
  if (p.algorithm == Algorithm::gemm)
    return is_linear(p) ? linear_backward_input<T>(as_linear(p), dy, w, dx) : pointwise_backward_input(p, dy, w, dx);
  if (p.padding_mode == PaddingMode::zeros) return direct_backward_input(p, dy, w, dx);

  // Other modes: the gradient of one padded image at a time, whose border is then added to where it was taken from.
  Conv2d padded = p;
  padded.N = 1;
  padded.H = p.H + p.pad_top + p.pad_bottom;
  padded.W = p.W + p.pad_left + p.pad_right;
  padded.pad_top = padded.pad_bottom = padded.pad_left = padded.pad_right = 0;
  padded.padding_mode = PaddingMode::zeros;
  const Pad2d border{1, p.C, p.H, p.W, p.pad_top, p.pad_bottom, p.pad_left, p.pad_right, p.padding_mode, 0};
  Scratch<T> image(p.C * padded.H * padded.W);
  for (std::int64_t n = 0; n < p.N; ++n) {
    direct_backward_input(padded, dy + n * p.K * p.P * p.Q, w, image.get());
    pad2d_backward<T>(border, image.get(), dx + n * p.C * p.H * p.W);
  }
}
INSTANTIATE(conv2d_backward_input)

// dy (N, K, P, Q), x (N, C, H, W), dw (K, C/G, R, S)
template <class T>
void conv2d_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw) {
  if (p.N == 0) return fill_zero(dw, p.K * (p.C / p.G) * p.R * p.S);
  switch (p.algorithm) {
    case Algorithm::depthwise:
      return depthwise_backward_weight<T>(p, dy, x, dw);
    case Algorithm::winograd:
      return winograd_backward_weight(p, dy, x, dw);
    case Algorithm::gemm:
      if (is_linear(p)) return linear_backward_weight<T>(as_linear(p), dy, x, dw);
      return pointwise_backward_weight(p, dy, x, dw);
    default:
      if (few_backward_weight_serves(p)) return few_backward_weight(p, dy, x, dw);
      return panels_backward_weight(p, dy, x, dw);
  }
}
INSTANTIATE(conv2d_backward_weight)

}  // namespace convolith::CONVOLITH_ISA
