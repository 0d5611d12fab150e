#include <algorithm>

#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

struct Options {
  const PairArg& stride;
  const PaddingArg& padding;
  const PairArg& dilation;
  const Int& groups;
  const Text& padding_mode;
};

PaddingMode mode_named(const Check& check, const Text& arg) {
  const std::string& name = check.string(arg, "padding_mode");
  if (name == "zeros") return PaddingMode::zeros;
  if (name == "reflect") return PaddingMode::reflect;
  if (name == "replicate") return PaddingMode::replicate;
  if (name == "circular") return PaddingMode::circular;
  check.value_error("padding_mode must be 'zeros', 'reflect', 'replicate' or 'circular', got '", name, "'");
}

// The problem that shapes and options describe; complains about whatever does not fit together.  The names are those
// of the arguments that the shapes came from.
Conv2d resolve(const Check& check, const Shape& x, const char* x_name, const Shape& w, const char* w_name,
               const Options& options) {
  Conv2d p{};
  check.require(x.rank == 4, x_name, " must be (N, C, H, W) with 4 axes, got ", text(x));
  check.require(w.rank == 4, w_name, " must be (K, C/G, R, S) with 4 axes, got ", text(w));
  for (int i = 0; i < 4; ++i) {
    check.require(x[i] >= (i > 0), x_name, " is ", text(x), "; no axis but N may be empty");
    check.require(w[i] > 0, w_name, " is ", text(w), "; no axis may be empty");
  }
  p.N = x[0], p.C = x[1], p.H = x[2], p.W = x[3];
  p.K = w[0], p.R = w[2], p.S = w[3];

  p.G = check.integer(options.groups, "groups");
  check.require(p.G >= 1, "groups must be at least 1, got ", p.G);
  check.require(p.C % p.G == 0, "groups = ", p.G, " does not divide the ", p.C, " channels of x ", text(x));
  check.require(p.K % p.G == 0, "groups = ", p.G, " does not divide the ", p.K, " filters of w ", text(w));
  check.require(p.C == w[1] * p.G, "x has ", p.C, " channels but w expects ", w[1], " per group x ", p.G,
                p.G == 1 ? " group (x is " : " groups (x is ", text(x), ", w is ", text(w), ")");

  const Pair stride = check.pair(options.stride, "stride", 1), dilation = check.pair(options.dilation, "dilation", 1);
  p.stride_h = stride.h, p.stride_w = stride.w, p.dilation_h = dilation.h, p.dilation_w = dilation.w;
  constexpr const char* forms = "an int, (vertical, horizontal), (top, bottom, left, right), 'valid' or 'same'";
  Padding pad = check.value(options.padding, "padding", forms);
  check.require(pad.name.empty() || pad.name == "valid" || pad.name == "same", "padding must be ", forms, ", got '",
                pad.name, "'");
  if (pad.name == "same") {
    const std::int64_t h = same_padding(p.H, p.R, p.stride_h, p.dilation_h);
    const std::int64_t v = same_padding(p.W, p.S, p.stride_w, p.dilation_w);
    pad = {h / 2, h - h / 2, v / 2, v - v / 2, {}};
  }
  check.require(pad.top >= 0 && pad.bottom >= 0 && pad.left >= 0 && pad.right >= 0, "padding must be at least 0, got ",
                text(Shape{pad.top, pad.bottom, pad.left, pad.right}), " (top, bottom, left, right)");
  p.pad_top = pad.top, p.pad_bottom = pad.bottom, p.pad_left = pad.left, p.pad_right = pad.right;

  p.padding_mode = mode_named(check, options.padding_mode);
  const bool reflect = p.padding_mode == PaddingMode::reflect, circular = p.padding_mode == PaddingMode::circular;
  if (reflect || circular)
    check.require(std::max(pad.top, pad.bottom) <= p.H - reflect && std::max(pad.left, pad.right) <= p.W - reflect,
                  options.padding_mode.value, " padding must be ", reflect ? "smaller than" : "at most", " the input (",
                  p.H, ", ", p.W, "), got ", text(Shape{pad.top, pad.bottom, pad.left, pad.right}),
                  " (top, bottom, left, right)");

  p.P = window_outputs(p.H, p.R, p.stride_h, p.dilation_h, p.pad_top, p.pad_bottom);
  p.Q = window_outputs(p.W, p.S, p.stride_w, p.dilation_w, p.pad_left, p.pad_right);
  check.require(p.P > 0 && p.Q > 0, "the kernel spans ",
                text(Shape{p.dilation_h * (p.R - 1) + 1, p.dilation_w * (p.S - 1) + 1}),
                " but the padded input is only ", text(Shape{p.H + pad.top + pad.bottom, p.W + pad.left + pad.right}));
  return p;
}

void check_gradient(const Check& check, const Array& dy, const Conv2d& p) {
  const Shape expected{p.N, p.K, p.P, p.Q};
  check.require(dy.shape == expected, "dy is ", text(dy.shape), " but these shapes and options give an output of ",
                text(expected));
}

}  // namespace

Array conv2d_forward(const Array& x, const Array& w, const MaybeArray& bias, const PairArg& stride,
                     const PaddingArg& padding, const PairArg& dilation, const Int& groups, const Text& padding_mode,
                     const MaybeTarget& out) {
  const Check check("conv2d");
  check.floating(x, "x");
  check.floating(w, "w");
  check.same_dtype(x, "x", w, "w");
  const Conv2d p = resolve(check, x.shape, "x", w.shape, "w", {stride, padding, dilation, groups, padding_mode});
  if (bias) check.channels(*bias, "bias", x, p.K);
  const Array y = check.output(out, Shape{p.N, p.K, p.P, p.Q}, x.dtype, {&x, &w});
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).conv2d_forward(p, x.ptr<T>(), w.ptr<T>(), bias ? bias->ptr<T>() : nullptr, y.ptr<T>());
  });
  return y;
}

Array conv2d_backward_input(const Array& dy, const Array& w, const ShapeArg& input_shape, const PairArg& stride,
                            const PaddingArg& padding, const PairArg& dilation, const Int& groups,
                            const Text& padding_mode, const MaybeTarget& out) {
  const Check check("conv2d");
  check.floating(dy, "dy");
  check.floating(w, "w");
  check.same_dtype(dy, "dy", w, "w");
  const Shape& x = check.shape(input_shape, "input_shape");
  const Conv2d p = resolve(check, x, "input_shape", w.shape, "w", {stride, padding, dilation, groups, padding_mode});
  check_gradient(check, dy, p);
  const Array dx = check.output(out, x, dy.dtype, {&dy, &w});
  by_dtype(dy.dtype,
           [&]<class T>(T) { kernels<T>(dy.device).conv2d_backward_input(p, dy.ptr<T>(), w.ptr<T>(), dx.ptr<T>()); });
  return dx;
}

Array conv2d_backward_weight(const Array& dy, const Array& x, const ShapeArg& weight_shape, const PairArg& stride,
                             const PaddingArg& padding, const PairArg& dilation, const Int& groups,
                             const Text& padding_mode, const MaybeTarget& out) {
  const Check check("conv2d");
  check.floating(dy, "dy");
  check.floating(x, "x");
  check.same_dtype(dy, "dy", x, "x");
  const Shape& w = check.shape(weight_shape, "weight_shape");
  const Conv2d p = resolve(check, x.shape, "x", w, "weight_shape", {stride, padding, dilation, groups, padding_mode});
  check_gradient(check, dy, p);
  const Array dw = check.output(out, w, x.dtype, {&dy, &x});
  by_dtype(x.dtype,
           [&]<class T>(T) { kernels<T>(x.device).conv2d_backward_weight(p, dy.ptr<T>(), x.ptr<T>(), dw.ptr<T>()); });
  return dw;
}

Array conv2d_backward_bias(const Array& dy, const MaybeTarget& out) {
  const Check check("conv2d");
  check.nchw(dy, "dy");
  const BiasSum p{dy.shape[0], dy.shape[1], dy.shape[2] * dy.shape[3]};
  const Array dbias = check.output(out, Shape{p.K}, dy.dtype, {&dy});
  by_dtype(dy.dtype, [&]<class T>(T) { kernels<T>(dy.device).bias_sum(p, dy.ptr<T>(), dbias.ptr<T>()); });
  return dbias;
}

}  // namespace convolith::ops
