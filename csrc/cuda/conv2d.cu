// Convolution: which algorithm serves, and what surrounds all of them.
#include "conv2d.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// Kernels count images, the elements of one, and the taps of a filter, in 32 bits.
bool fits(const Conv2d& p) {
  const std::int64_t H = p.H + p.pad_top + p.pad_bottom, W = p.W + p.pad_left + p.pad_right;
  return max(H * W * p.C, p.P * p.Q * p.K) < 1 << 30 && p.R * p.S * max(p.C, p.K) < 1 << 30 && p.N * H < 1 << 30;
}

bool has_border(const Conv2d& p) {
  return p.padding_mode != PaddingMode::zeros && p.pad_top + p.pad_bottom + p.pad_left + p.pad_right > 0;
}

// The same convolution of the extended images.
Conv2d extended(Conv2d p) {
  p.H += p.pad_top + p.pad_bottom, p.W += p.pad_left + p.pad_right;
  p.pad_top = p.pad_bottom = p.pad_left = p.pad_right = 0;
  p.padding_mode = PaddingMode::zeros;
  return p;
}

// What p lacks for wgmma to be the faster instruction on tensor cores, null where it is.
template <class T>
const char* wgmma_lacks(const Conv2d& p, Direction direction) {
  if (const char* needs = conv2d_wgmma_needs<T>(p, direction)) return needs;
  const std::int64_t read = (direction == Direction::backward_input ? p.K : p.C) / p.G;
  return read < 32 ? "32 channels, half of those that it reads at a time" : nullptr;
}
template <class T>
bool on_wgmma(const Conv2d& p, Direction direction) {
  return p.algorithm == Algorithm::wgmma || (p.algorithm == Algorithm::tensor_core && !wgmma_lacks<T>(p, direction));
}
bool on_mma(const Conv2d& p) {  // unless on wgmma
  return p.algorithm == Algorithm::tensor_core || p.algorithm == Algorithm::mma;
}
template <class T>
Conv2dPlan on_tensor_cores(const Conv2d& p, Direction direction) {
  const char* lacks = wgmma_lacks<T>(p, direction);
  return {Algorithm::tensor_core, lacks ? "by mma; wgmma would need " : "by wgmma", 0, lacks ? lacks : ""};
}

// Products of halves are exact as floats: of them a tensor core makes what the direct algorithm does.
template <class T>
Conv2dPlan choose(const Conv2d& p, Direction direction, bool exact) {
  constexpr bool half = sizeof(T) == 2;
  const Conv2d bare = has_border(p) ? extended(p) : p;  // what the algorithms get
  const char *depthwise = conv2d_depthwise_needs(p), *tensor = conv2d_tensor_needs<T>(p);
  const auto asked = [&](const char* needs) {
    return needs ? Conv2dPlan{Algorithm::automatic, needs, 0} : Conv2dPlan{p.algorithm, "asked for", 0};
  };
  if (!fits(p)) return {Algorithm::automatic, "images and filters of fewer than 2^30 elements", 0};
  if (exact && !half && on_mma(p)) return asked("inexact algorithms to be allowed (CONVOLITH_EXACT, convolith.exact)");
  switch (p.algorithm) {
    case Algorithm::direct:
      return asked(nullptr);
    case Algorithm::depthwise:
      return asked(depthwise);
    case Algorithm::tensor_core:
      return tensor ? asked(tensor) : on_tensor_cores<T>(bare, direction);
    case Algorithm::mma:
      return asked(tensor);
    case Algorithm::wgmma:
      return asked(conv2d_wgmma_needs<T>(bare, direction));
    case Algorithm::gemm:
    case Algorithm::winograd:
      return asked("a CPU");
    case Algorithm::automatic:
      break;
  }
  if (!depthwise) return {Algorithm::depthwise, "one channel per filter: bound by memory", 0};
  if (half && !tensor) return on_tensor_cores<T>(bare, direction);
  return {Algorithm::direct, "implicit matrix product in float32", 0};
}

// --- Borders that are not zero: written out, so that no algorithm need know them -------------------------------------

// x with its border, for as long as it lives.
template <class T>
class Extended {
 public:
  Extended(const Conv2d& p, const T* x) : Extended(p) { pad2d_forward<T>(border, x, images.get()); }
  explicit Extended(const Conv2d& p)
      : problem(extended(p)),
        images(p.N * problem.H * problem.W * p.C),
        border{p.N, p.C, p.H, p.W, p.pad_top, p.pad_bottom, p.pad_left, p.pad_right, p.padding_mode, 0} {}

  void fold_into(T* dx) const { pad2d_backward<T>(border, images.get(), dx); }

  const Conv2d problem;
  const Scratch<T> images;

 private:
  const Pad2d border;
};

}  // namespace

template <class T>
void conv2d_plan(const Conv2d& p, Direction direction, bool exact, Conv2dPlan* plan) {
  *plan = choose<T>(p, direction, exact);
}
INSTANTIATE(conv2d_plan)

// Plans ask for no prepared filters.
template <class T>
void conv2d_prepare_weight(const Conv2d&, const T*, T*) {}
INSTANTIATE(conv2d_prepare_weight)

// x (N, H, W, C), w (K, R, S, C/G), bias (K) or null, residual (N, P, Q, K) or null, y (N, P, Q, K)
template <class T>
void conv2d_forward(const Conv2d& p, const T* x, const T* w, const T* prepared, const T* bias, const T* residual,
                    T* y) {
  if (has_border(p)) {
    const Extended<T> wide(p, x);
    return conv2d_forward<T>(wide.problem, wide.images.get(), w, prepared, bias, residual, y);
  }
  const auto run = on_wgmma<T>(p, Direction::forward)    ? conv2d_wgmma_forward<T>
                   : on_mma(p)                           ? conv2d_tensor_forward<T>
                   : p.algorithm == Algorithm::depthwise ? conv2d_depthwise_forward<T>
                                                         : conv2d_direct_forward<T>;
  run(p, x, w, prepared, bias, residual, y);
}
INSTANTIATE(conv2d_forward)

// dy (N, P, Q, K), w (K, R, S, C/G), dx (N, H, W, C)
template <class T>
void conv2d_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  if (has_border(p)) {
    const Extended<T> dwide(p);
    conv2d_backward_input<T>(dwide.problem, dy, w, dwide.images.get());
    return dwide.fold_into(dx);
  }
  const auto run = on_wgmma<T>(p, Direction::backward_input) ? conv2d_wgmma_backward_input<T>
                   : on_mma(p)                               ? conv2d_tensor_backward_input<T>
                   : p.algorithm == Algorithm::depthwise     ? conv2d_depthwise_backward_input<T>
                                                             : conv2d_direct_backward_input<T>;
  run(p, dy, w, dx);
}
INSTANTIATE(conv2d_backward_input)

// dy (N, P, Q, K), x (N, H, W, C), dw (K, R, S, C/G)
template <class T>
void conv2d_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw) {
  if (has_border(p)) {
    const Extended<T> wide(p, x);
    return conv2d_backward_weight<T>(wide.problem, dy, wide.images.get(), dw);
  }
  const auto run = on_wgmma<T>(p, Direction::backward_weight) ? conv2d_wgmma_backward_weight<T>
                   : on_mma(p)                                ? conv2d_tensor_backward_weight<T>
                   : p.algorithm == Algorithm::depthwise      ? conv2d_depthwise_backward_weight<T>
                                                              : conv2d_direct_backward_weight<T>;
  run(p, dy, x, dw);
}
INSTANTIATE(conv2d_backward_weight)

}  // namespace convolith::CONVOLITH_DEVICE
