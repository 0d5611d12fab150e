// Which algorithm serves a convolution: the only place that decides.
#include "conv2d_depthwise.hpp"
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
const char* depthwise_needs(const Conv2d& p, Direction direction) {
  if (!is_depthwise(p))
    return "one input channel per group, a 3x3, 5x5 or 7x7 kernel, stride 1 or 2, dilation 1 and a small padding of "
           "zeros";
  if (direction == Direction::backward_input && p.K != p.C) return "as many filters as channels for the input gradient";
  return nullptr;
}

// Transforming tiles pays from 16 channels on, transforming filters from 16 tiles on; the weight gradient transforms
// sums back instead, which costs half.
bool winograd_wins(const Conv2d& p, Direction direction) {
  const std::int64_t tiles = p.N * ceil_div(p.P, std::int64_t{4}) * ceil_div(p.Q, std::int64_t{4});
  return min_of(p.C, p.K) >= 16 && tiles >= (direction == Direction::backward_weight ? 8 : 16);
}

}  // namespace

template <class T>
void conv2d_plan(const Conv2d& p, Direction direction, bool exact, Conv2dPlan* plan) {
  const char* winograd = winograd_needs(p, direction);
  const char* gemm = gemm_needs(p);
  const char* depthwise = depthwise_needs(p, direction);
  switch (p.algorithm) {
    case Algorithm::direct:
      *plan = {Algorithm::direct, "asked for"};
      return;
    case Algorithm::gemm:
      *plan = gemm ? Conv2dPlan{Algorithm::automatic, gemm} : Conv2dPlan{Algorithm::gemm, "asked for"};
      return;
    case Algorithm::depthwise:
      *plan = depthwise ? Conv2dPlan{Algorithm::automatic, depthwise} : Conv2dPlan{Algorithm::depthwise, "asked for"};
      return;
    case Algorithm::winograd:
      if (exact) winograd = "inexact algorithms to be allowed (CONVOLITH_EXACT, convolith.exact)";
      *plan = winograd ? Conv2dPlan{Algorithm::automatic, winograd} : Conv2dPlan{Algorithm::winograd, "asked for"};
      return;
    case Algorithm::automatic:
      break;
  }
  if (!depthwise)
    *plan = {Algorithm::depthwise, "one input channel per group: rows of planes in L1"};
  else if (!gemm)
    *plan = {Algorithm::gemm, "a 1x1 kernel or one that covers the input is a matrix product"};
  else if (winograd)
    *plan = {Algorithm::direct, "the packed kernel takes every shape"};
  else if (exact)
    *plan = {Algorithm::direct, "inexact algorithms are forbidden"};
  else if (sizeof(T) == 8)
    *plan = {Algorithm::direct, "float64 asks for accuracy"};
  else if (!winograd_wins(p, direction))
    *plan = {Algorithm::direct, "too few channels or outputs for Winograd's transforms to pay"};
  else
    *plan = {Algorithm::winograd, "3x3 at stride 1: F(4x4, 3x3) needs a quarter of the products"};
}
INSTANTIATE(conv2d_plan)

}  // namespace convolith::CONVOLITH_ISA
