#include <algorithm>

#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

bool fits(std::int64_t padded, std::int64_t window, std::int64_t dilation) {
  return window <= padded && (window == 1 || dilation <= (padded - 1) / (window - 1));
}

std::string size(std::int64_t h, std::int64_t w) {
  return std::to_string(h) + " x " + std::to_string(w);
}

// Whether each window meets at least one position that is not padding; dilation can step over all of them.
bool windows_meet(std::int64_t in, std::int64_t window, std::int64_t stride, std::int64_t dilation, std::int64_t pad,
                  std::int64_t out) {
  for (std::int64_t i = 0; i < out; ++i) {
    const std::int64_t begin = i * stride - pad;
    const std::int64_t first = begin < 0 ? (-begin + dilation - 1) / dilation : 0;
    if (first >= window || begin + first * dilation >= in) return false;
  }
  return true;
}

Pool2d windows(const Check& check, const Shape& x, const PairArg& kernel_size, const std::optional<PairArg>& stride,
               const PaddingArg& padding, const PairArg& dilation, const Flag& ceil_mode) {
  Pool2d p{};
  const Pair kernel = check.pair(kernel_size, "kernel_size", 1);
  const Pair step = stride ? check.pair(*stride, "stride", 1) : kernel;
  const Pair distance = check.pair(dilation, "dilation", 1);
  const Padding& pad = check.sides(padding, "padding");
  p.N = x[0], p.C = x[1], p.H = x[2], p.W = x[3], p.R = kernel.h, p.S = kernel.w;
  p.stride_h = step.h, p.stride_w = step.w, p.dilation_h = distance.h, p.dilation_w = distance.w;
  p.pad_top = pad.top, p.pad_bottom = pad.bottom, p.pad_left = pad.left, p.pad_right = pad.right;
  const Shape pads{pad.top, pad.bottom, pad.left, pad.right};
  for (int i = 0; i < 4; ++i) {
    check.require(pads[i] >= 0, "padding must be at least 0, got ", pads[i]);
    const std::int64_t window = i < 2 ? p.R : p.S;
    check.require(pads[i] <= window / 2, "padding must be at most half the kernel on each side, got ", pads[i],
                  " for a kernel of ", window);
  }
  check.require(fits(p.H + p.pad_top + p.pad_bottom, p.R, p.dilation_h) &&
                    fits(p.W + p.pad_left + p.pad_right, p.S, p.dilation_w),
                "kernel_size ", size(p.R, p.S), " with dilation ", size(p.dilation_h, p.dilation_w),
                " is larger than the padded input of ",
                size(p.H + p.pad_top + p.pad_bottom, p.W + p.pad_left + p.pad_right));
  // A longer stride steps out of the input just as well, and need not have a place in memory.
  p.stride_h = std::min(p.stride_h, p.H + p.pad_top + p.pad_bottom);
  p.stride_w = std::min(p.stride_w, p.W + p.pad_left + p.pad_right);
  const bool ceil = check.flag(ceil_mode, "ceil_mode");
  p.P = window_outputs(p.H, p.R, p.stride_h, p.dilation_h, p.pad_top, p.pad_bottom, ceil);
  p.Q = window_outputs(p.W, p.S, p.stride_w, p.dilation_w, p.pad_left, p.pad_right, ceil);
  check.require(windows_meet(p.H, p.R, p.stride_h, p.dilation_h, p.pad_top, p.P) &&
                    windows_meet(p.W, p.S, p.stride_w, p.dilation_w, p.pad_left, p.Q),
                "with dilation ", size(p.dilation_h, p.dilation_w), " some window of ", size(p.R, p.S),
                " meets nothing but padding (x is ", text(x), ")");
  return p;
}

Pool2d averages(const Check& check, const Shape& x, const PairArg& kernel_size, const std::optional<PairArg>& stride,
                const PaddingArg& padding, const Flag& ceil_mode, const Flag& count_include_pad,
                const std::optional<Int>& divisor_override) {
  Pool2d p = windows(check, x, kernel_size, stride, padding, {{1, 1}, {}}, ceil_mode);
  p.count_include_pad = check.flag(count_include_pad, "count_include_pad");
  if (divisor_override) {
    p.divisor_override = check.integer(*divisor_override, "divisor_override");
    check.require(p.divisor_override != 0, "divisor_override must not be 0");
  }
  return p;
}

LpPool2d norms(const Check& check, const Shape& x, const Real& norm_type, const PairArg& kernel_size,
               const std::optional<PairArg>& stride, const Flag& ceil_mode) {
  const double norm = check.finite(norm_type, "norm_type");
  check.require(norm > 0, "norm_type must be above 0, got ", norm);
  LpPool2d p{windows(check, x, kernel_size, stride, PaddingArg{}, {{1, 1}, {}}, ceil_mode), norm};
  p.windows.count_include_pad = true;
  return p;
}

template <class Run>
Arrays extremes(const Check& check, const Array& x, std::int64_t P, std::int64_t Q, const MaybeTargets& out,
                const Run& run) {
  const Shape y{x.shape[0], x.shape[1], P, Q};
  Arrays results = check.outputs(out, {{y, x.dtype}, {y, DType::i64}}, x, {&x});
  by_dtype(x.dtype, [&]<class T>(T) {
    run(kernels<T>(x.device), x.ptr<T>(), results.items[0].ptr<T>(), results.items[1].ptr<std::int64_t>());
  });
  return results;
}

void check_gradient(const Check& check, const Array& dy, const Shape& expected, const Shape& input) {
  check.require(dy.shape == expected, "dy must be ", text(expected), " for input_shape ", text(input), ", got ",
                text(dy.shape));
}

// indices (N, C, P, Q) are positions in planes of shape (N, C, H, W); a device leaves out what lies outside.
void check_indices(const Check& check, const Array& indices, const Shape& shape) {
  const std::int64_t plane = shape[2] * shape[3];
  const std::int64_t n = indices.device == Device::cpu ? indices.size() : 0;
  const std::int64_t* index = indices.ptr<std::int64_t>();
  std::uint64_t outside = 0;  // its highest bit is set by an index < 0 or >= plane
  for (std::int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::uint64_t>(index[i]);
    outside |= at | (static_cast<std::uint64_t>(plane - 1) - at);
  }
  for (std::int64_t i = 0; outside >> 63 && i < n; ++i)
    check.require(index[i] >= 0 && index[i] < plane, "indices must be in [0, ", plane, ") for planes of ",
                  size(shape[2], shape[3]), ", got ", index[i]);
}

// x, which is dy in a gradient, is added up in images of shape `to` where its indices say.
Array scatter(const char* family, const Array& x, const Array& indices, const ShapeArg& to, const MaybeTarget& out,
              const char* x_name = "dy", const char* to_name = "input_shape") {
  const Check check(family);
  check.nchw(x, x_name);
  check.int64(indices, "indices");
  check.same_device(x, x_name, indices, "indices");
  check.same_shape(x, x_name, indices, "indices");
  const Shape& shape = check.input_nchw(to, to_name);
  check.require(shape[0] == x.shape[0] && shape[1] == x.shape[1], x_name, " is ", text(x.shape), " but ", to_name,
                " is ", text(shape), "; N and C must be equal");
  check_indices(check, indices, shape);
  const Array y = check.output(out, shape, x, {&x, &indices});
  const AdaptivePool2d p{shape[0], shape[1], shape[2], shape[3], x.shape[2], x.shape[3]};
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).max_pool2d_backward(p, x.ptr<T>(), indices.ptr<std::int64_t>(), y.ptr<T>());
  });
  return y;
}

AdaptivePool2d whole(const Array& x) {
  return {x.shape[0], x.shape[1], x.shape[2], x.shape[3], 1, 1};
}

AdaptivePool2d adaptive(const Check& check, const Array& x, const OutputSizeArg& output_size) {
  const OutputSize& size = check.value(output_size, "output_size", "an int or a pair of ints or None");
  AdaptivePool2d p = whole(x);
  p.P = size.same_h ? p.H : size.h;
  p.Q = size.same_w ? p.W : size.w;
  check.require(p.P >= 1 && p.Q >= 1, "output_size must be at least 1, got ", text(Shape{p.P, p.Q}));
  return p;
}

Array adaptive_average(const Check& check, const Array& x, const AdaptivePool2d& p, const MaybeTarget& out) {
  const Array y = check.output(out, Shape{p.N, p.C, p.P, p.Q}, x, {&x});
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).adaptive_avg_pool2d_forward(p, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

Array adaptive_average_backward(const Check& check, const Array& dy, const ShapeArg& input_shape,
                                const MaybeTarget& out, bool global) {
  check.nchw(dy, "dy");
  const Shape& shape = check.input_nchw(input_shape);
  const Shape expected{shape[0], shape[1], global ? 1 : dy.shape[2], global ? 1 : dy.shape[3]};
  check_gradient(check, dy, expected, shape);
  const AdaptivePool2d p{shape[0], shape[1], shape[2], shape[3], dy.shape[2], dy.shape[3]};
  const Array dx = check.output(out, shape, dy, {&dy});
  by_dtype(dy.dtype,
           [&]<class T>(T) { kernels<T>(dy.device).adaptive_avg_pool2d_backward(p, dy.ptr<T>(), dx.ptr<T>()); });
  return dx;
}

Arrays adaptive_maximum(const Check& check, const Array& x, const AdaptivePool2d& p, const MaybeTargets& out) {
  return extremes(check, x, p.P, p.Q, out, [&](const auto& table, const auto* from, auto* to, std::int64_t* indices) {
    table.adaptive_max_pool2d_forward(p, from, to, indices);
  });
}

}  // namespace

Arrays max_pool2d_forward(const Array& x, const PairArg& kernel_size, const std::optional<PairArg>& stride,
                          const PaddingArg& padding, const PairArg& dilation, const Flag& ceil_mode,
                          const MaybeTargets& out) {
  const Check check("max_pool2d");
  check.nchw(x, "x");
  const Pool2d p = windows(check, x.shape, kernel_size, stride, padding, dilation, ceil_mode);
  return extremes(check, x, p.P, p.Q, out, [&](const auto& table, const auto* from, auto* to, std::int64_t* indices) {
    table.max_pool2d_forward(p, from, to, indices);
  });
}

Array max_pool2d_backward(const Array& dy, const Array& indices, const ShapeArg& input_shape, const MaybeTarget& out) {
  return scatter("max_pool2d", dy, indices, input_shape, out);
}

Arrays min_pool2d_forward(const Array& x, const PairArg& kernel_size, const std::optional<PairArg>& stride,
                          const PaddingArg& padding, const PairArg& dilation, const Flag& ceil_mode,
                          const MaybeTargets& out) {
  const Check check("min_pool2d");
  check.nchw(x, "x");
  const Pool2d p = windows(check, x.shape, kernel_size, stride, padding, dilation, ceil_mode);
  return extremes(check, x, p.P, p.Q, out, [&](const auto& table, const auto* from, auto* to, std::int64_t* indices) {
    table.min_pool2d_forward(p, from, to, indices);
  });
}

Array min_pool2d_backward(const Array& dy, const Array& indices, const ShapeArg& input_shape, const MaybeTarget& out) {
  return scatter("min_pool2d", dy, indices, input_shape, out);
}

Array avg_pool2d_forward(const Array& x, const PairArg& kernel_size, const std::optional<PairArg>& stride,
                         const PaddingArg& padding, const Flag& ceil_mode, const Flag& count_include_pad,
                         const std::optional<Int>& divisor_override, const MaybeTarget& out) {
  const Check check("avg_pool2d");
  check.nchw(x, "x");
  const Pool2d p =
      averages(check, x.shape, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override);
  const Array y = check.output(out, Shape{p.N, p.C, p.P, p.Q}, x, {&x});
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).avg_pool2d_forward(p, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

Array avg_pool2d_backward(const Array& dy, const ShapeArg& input_shape, const PairArg& kernel_size,
                          const std::optional<PairArg>& stride, const PaddingArg& padding, const Flag& ceil_mode,
                          const Flag& count_include_pad, const std::optional<Int>& divisor_override,
                          const MaybeTarget& out) {
  const Check check("avg_pool2d");
  check.nchw(dy, "dy");
  const Shape& shape = check.input_nchw(input_shape);
  const Pool2d p = averages(check, shape, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override);
  const Shape expected{p.N, p.C, p.P, p.Q};
  check_gradient(check, dy, expected, shape);
  const Array dx = check.output(out, shape, dy, {&dy});
  by_dtype(dy.dtype, [&]<class T>(T) { kernels<T>(dy.device).avg_pool2d_backward(p, dy.ptr<T>(), dx.ptr<T>()); });
  return dx;
}

Array adaptive_avg_pool2d_forward(const Array& x, const OutputSizeArg& output_size, const MaybeTarget& out) {
  const Check check("adaptive_avg_pool2d");
  check.nchw(x, "x");
  return adaptive_average(check, x, adaptive(check, x, output_size), out);
}

Array adaptive_avg_pool2d_backward(const Array& dy, const ShapeArg& input_shape, const MaybeTarget& out) {
  return adaptive_average_backward(Check("adaptive_avg_pool2d"), dy, input_shape, out, false);
}

Arrays adaptive_max_pool2d_forward(const Array& x, const OutputSizeArg& output_size, const MaybeTargets& out) {
  const Check check("adaptive_max_pool2d");
  check.nchw(x, "x");
  return adaptive_maximum(check, x, adaptive(check, x, output_size), out);
}

Array adaptive_max_pool2d_backward(const Array& dy, const Array& indices, const ShapeArg& input_shape,
                                   const MaybeTarget& out) {
  return scatter("adaptive_max_pool2d", dy, indices, input_shape, out);
}

Array global_avg_pool2d_forward(const Array& x, const MaybeTarget& out) {
  const Check check("global_avg_pool2d");
  check.nchw(x, "x");
  return adaptive_average(check, x, whole(x), out);
}

Array global_avg_pool2d_backward(const Array& dy, const ShapeArg& input_shape, const MaybeTarget& out) {
  return adaptive_average_backward(Check("global_avg_pool2d"), dy, input_shape, out, true);
}

Arrays global_max_pool2d_forward(const Array& x, const MaybeTargets& out) {
  const Check check("global_max_pool2d");
  check.nchw(x, "x");
  return adaptive_maximum(check, x, whole(x), out);
}

Array global_max_pool2d_backward(const Array& dy, const Array& indices, const ShapeArg& input_shape,
                                 const MaybeTarget& out) {
  return scatter("global_max_pool2d", dy, indices, input_shape, out);
}

Array max_unpool2d_forward(const Array& x, const Array& indices, const ShapeArg& output_shape, const MaybeTarget& out) {
  return scatter("max_unpool2d", x, indices, output_shape, out, "x", "output_shape");
}

Array max_unpool2d_backward(const Array& dy, const Array& indices, const MaybeTarget& out) {
  const Check check("max_unpool2d");
  check.nchw(dy, "dy");
  check.int64(indices, "indices");
  check.same_device(dy, "dy", indices, "indices");
  const Shape& shape = indices.shape;
  check.require(shape.rank == 4 && shape[0] == dy.shape[0] && shape[1] == dy.shape[1] && shape.size(1, 4) > 0,
                "indices must be (N, C, P, Q) with N and C of dy ", text(dy.shape), ", got ", text(shape));
  check_indices(check, indices, dy.shape);
  const Array dx = check.output(out, shape, dy, {&dy, &indices});
  const AdaptivePool2d p{dy.shape[0], dy.shape[1], dy.shape[2], dy.shape[3], shape[2], shape[3]};
  by_dtype(dy.dtype, [&]<class T>(T) {
    kernels<T>(dy.device).max_unpool2d_backward(p, dy.ptr<T>(), indices.ptr<std::int64_t>(), dx.ptr<T>());
  });
  return dx;
}

Array lp_pool2d_forward(const Array& x, const Real& norm_type, const PairArg& kernel_size,
                        const std::optional<PairArg>& stride, const Flag& ceil_mode, const MaybeTarget& out) {
  const Check check("lp_pool2d");
  check.nchw(x, "x");
  const LpPool2d p = norms(check, x.shape, norm_type, kernel_size, stride, ceil_mode);
  const Array y = check.output(out, Shape{p.windows.N, p.windows.C, p.windows.P, p.windows.Q}, x, {&x});
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).lp_pool2d_forward(p, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

Array lp_pool2d_backward(const Array& dy, const Array& x, const Array& y, const Real& norm_type,
                         const PairArg& kernel_size, const std::optional<PairArg>& stride, const Flag& ceil_mode,
                         const MaybeTarget& out) {
  const Check check("lp_pool2d");
  check.nchw(x, "x");
  check.floating(dy, "dy");
  check.floating(y, "y");
  check.alike(x, "x", dy, "dy");
  check.alike(x, "x", y, "y");
  const LpPool2d p = norms(check, x.shape, norm_type, kernel_size, stride, ceil_mode);
  const Shape expected{p.windows.N, p.windows.C, p.windows.P, p.windows.Q};
  check_gradient(check, dy, expected, x.shape);
  check.has_shape(y, "y", expected);
  const Array dx = check.output(out, x.shape, x, {&dy, &x, &y});
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).lp_pool2d_backward(p, dy.ptr<T>(), x.ptr<T>(), y.ptr<T>(), dx.ptr<T>());
  });
  return dx;
}

}  // namespace convolith::ops
