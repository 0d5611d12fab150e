// Which algorithm serves a convolution: the only place that decides.
#include "conv2d_depthwise.hpp"
#include "conv2d_direct.hpp"
#include "conv2d_pointwise.hpp"
#include "conv2d_winograd.hpp"
#include "kernels.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// What p lacks for an algorithm, null where it fits.
const char* winograd_needs(const Conv2d& p, Direction direction) {
  if (p.R != 3 || p.S != 3) return "a 3x3 kernel";
  if (p.stride_h != 1 || p.stride_w != 1) return "stride 1";
  if (p.dilation_h != 1 || p.dilation_w != 1) return "dilation 1";
  if (p.G != 1) return "groups = 1";
  if (direction != Direction::backward_input) return nullptr;
  if (p.padding_mode != PaddingMode::zeros) return "padding_mode 'zeros' for the input gradient";
  if (max_of(max_of(p.pad_top, p.pad_bottom), max_of(p.pad_left, p.pad_right)) > 2)
    return "a padding of at most 2 for the input gradient";
  return nullptr;
}
const char* gemm_needs(const Conv2d& p) {
  return is_linear(p) || is_pointwise(p) ? nullptr : "a 1x1 kernel or one as large as the input, no padding, no groups";
}
const char* depthwise_needs(const Conv2d& p) {
  return is_depthwise(p) ? nullptr
                         : "one input channel and one filter per group, a 3x3, 5x5 or 7x7 kernel, stride 1 or 2, "
                           "dilation 1 and a small padding of zeros";
}

// Transforming tiles pays from 16 channels on, transforming filters from 16 tiles on; the weight gradient transforms
// sums back instead, which costs half; a prepared filter costs its size in memory traffic.
bool winograd_wins(const Conv2d& p, Direction direction) {
  const std::int64_t tiles = p.N * ceil_div(p.P, std::int64_t{4}) * ceil_div(p.Q, std::int64_t{4});
  const std::int64_t enough = p.prepared ? 4 : direction == Direction::backward_weight ? 8 : 16;
  return min_of(p.C, p.K) >= 16 && tiles >= enough;
}

template <class T>
Conv2dPlan choose(const Conv2d& p, Direction direction, bool exact) {
  const char* winograd = winograd_needs(p, direction);
  const char* gemm = gemm_needs(p);
  const char* depthwise = depthwise_needs(p);
  const auto asked = [&](const char* needs) {
    return needs ? Conv2dPlan{Algorithm::automatic, needs, 0} : Conv2dPlan{p.algorithm, "asked for", 0};
  };
  switch (p.algorithm) {
    case Algorithm::direct:
      return asked(nullptr);
    case Algorithm::gemm:
      return asked(gemm);
    case Algorithm::depthwise:
      return asked(depthwise);
    case Algorithm::winograd:
      return asked(exact ? "inexact algorithms to be allowed (CONVOLITH_EXACT, convolith.exact)" : winograd);
    case Algorithm::tensor_core:
    case Algorithm::mma:
    case Algorithm::wgmma:
      return asked("a GPU");
    case Algorithm::automatic:
      break;
  }
  if (!depthwise) return {Algorithm::depthwise, "one channel per filter: channels in vectors", 0};
  if (!gemm) return {Algorithm::gemm, "a 1x1 kernel or one that covers the input is a matrix product", 0};
  if (winograd) return {Algorithm::direct, "the packed kernel takes every shape", 0};
  if (exact) return {Algorithm::direct, "inexact algorithms are forbidden", 0};
  if (sizeof(T) == 8) return {Algorithm::direct, "float64 asks for accuracy", 0};
  if (!winograd_wins(p, direction))
    return {Algorithm::direct, "too few channels or outputs for Winograd's transforms to pay", 0};
  return {Algorithm::winograd, "3x3 at stride 1: F(4x4, 3x3) needs a quarter of the products", 0};
}

}  // namespace

template <class T>
void conv2d_plan(const Conv2d& p, Direction direction, bool exact, Conv2dPlan* plan) {
  *plan = choose<T>(p, direction, exact);
  if (direction != Direction::forward) return;
  const bool direct = plan->algorithm == Algorithm::direct, winograd = plan->algorithm == Algorithm::winograd;
  const std::int64_t elements = direct ? panels_prepared<T>(p) : winograd ? winograd_prepared<T>(p) : 0;
  if (elements == 0) return;
  // Layouts differ between instruction sets; the extent does too, so that they cannot be taken for one another.
  const std::int64_t extent = ceil_div(elements, p.K * (p.C / p.G));
  plan->prepared = round_up(extent, 3) + (vector_bytes == 64 ? 0 : vector_bytes == 32 ? 1 : 2);
}
INSTANTIATE(conv2d_plan)

}  // namespace convolith::CONVOLITH_ISA
