#include <algorithm>
#include <iterator>

#include "../algorithms.hpp"
#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

Algorithm algorithm_named(const Check& check, const Text& arg) {
  const std::string& name = check.string(arg, "algo");
  for (int i = 0; i < static_cast<int>(std::size(algorithm_names)); ++i)
    if (name == algorithm_names[i]) return static_cast<Algorithm>(i);
  check.value_error(
      "algo must be 'auto', 'direct', 'gemm', 'depthwise', 'winograd', 'tensor_core', 'mma' or 'wgmma', got '", name,
      "'");
}

// The problem that shapes and options describe; complains about whatever does not fit together.  The names are those
// of the arguments that the shapes came from.
Conv2d resolve(const Check& check, const Shape& x, const char* x_name, const Shape& w, const char* w_name,
               const Conv2dOptions& options) {
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

  p.padding_mode = check.padding_mode(options.padding_mode);
  const bool reflect = p.padding_mode == PaddingMode::reflect, circular = p.padding_mode == PaddingMode::circular;
  if (reflect || circular)
    check.require(std::max(pad.top, pad.bottom) <= p.H - reflect && std::max(pad.left, pad.right) <= p.W - reflect,
                  options.padding_mode.value, " padding must be ", reflect ? "smaller than" : "at most", " the input (",
                  p.H, ", ", p.W, "), got ", text(Shape{pad.top, pad.bottom, pad.left, pad.right}),
                  " (top, bottom, left, right)");

  p.algorithm = algorithm_named(check, options.algo);
  p.P = window_outputs(p.H, p.R, p.stride_h, p.dilation_h, p.pad_top, p.pad_bottom);
  p.Q = window_outputs(p.W, p.S, p.stride_w, p.dilation_w, p.pad_left, p.pad_right);
  check.require(p.P > 0 && p.Q > 0, "the kernel spans ",
                text(Shape{p.dilation_h * (p.R - 1) + 1, p.dilation_w * (p.S - 1) + 1}),
                " but the padded input is only ", text(Shape{p.H + pad.top + pad.bottom, p.W + pad.left + pad.right}));
  return p;
}

// Of a transposed convolution of x (N, C, H, W) with w (C, K/G, R, S).
Shape transposed_output(const Check& check, const Shape& x, const Shape& w, const Conv2dOptions& options,
                        const PairArg& output_padding) {
  const std::int64_t groups = check.integer(options.groups, "groups");
  check.require(groups >= 1 && x[1] % groups == 0, "groups = ", groups, " does not divide the ", x[1],
                " channels of x ", text(x));
  check.require(w.size() > 0, "w is ", text(w), "; no axis may be empty");
  check.require(x[1] == w[0], "x has ", x[1], " channels but w expects ", w[0], " (x is ", text(x), ", w is ", text(w),
                ")");
  const Pair stride = check.pair(options.stride, "stride", 1), dilation = check.pair(options.dilation, "dilation", 1);
  const Pair extra = check.pair(output_padding, "output_padding", 0);
  check.require(extra.h < stride.h && extra.w < stride.w, "output_padding ", text(Shape{extra.h, extra.w}),
                " must be smaller than stride ", text(Shape{stride.h, stride.w}));
  const Padding& pad = check.sides(options.padding, "padding");
  const std::int64_t P = (x[2] - 1) * stride.h + dilation.h * (w[2] - 1) + 1 + extra.h - pad.top - pad.bottom;
  const std::int64_t Q = (x[3] - 1) * stride.w + dilation.w * (w[3] - 1) + 1 + extra.w - pad.left - pad.right;
  check.require(P > 0 && Q > 0, "the output would be ", text(Shape{P, Q}), " with padding ",
                text(Shape{pad.top, pad.bottom, pad.left, pad.right}), " (top, bottom, left, right)");
  return {x[0], w[1] * groups, P, Q};
}

void check_gradient(const Check& check, const Array& dy, const Conv2d& p) {
  const Shape expected{p.N, p.K, p.P, p.Q};
  check.require(dy.shape == expected, "dy is ", text(dy.shape), " but these shapes and options give an output of ",
                text(expected));
}

// The algorithm that serves: in p, and with its reason.
template <class T>
Conv2dPlan plan(const Check& check, Device device, Direction direction, Conv2d& p) {
  Conv2dPlan plan{};
  kernels<T>(device).conv2d_plan(p, direction, exact_only(), &plan);
  if (plan.algorithm == Algorithm::automatic)
    check.value_error("algo='", name_of(p.algorithm), "' needs ", plan.reason, "; the input is ",
                      text(Shape{p.N, p.C, p.H, p.W}), ", the kernel ", text(Shape{p.K, p.C / p.G, p.R, p.S}));
  p.algorithm = plan.algorithm;
  return plan;
}

Direction direction_named(const Check& check, const Text& arg) {
  const std::string& name = check.string(arg, "direction");
  if (name == "forward") return Direction::forward;
  if (name == "backward_input") return Direction::backward_input;
  if (name == "backward_weight") return Direction::backward_weight;
  check.value_error("direction must be 'forward', 'backward_input' or 'backward_weight', got '", name, "'");
}

}  // namespace

Conv2dReport conv2d_plan(const Text& direction, const ShapeArg& input_shape, const ShapeArg& weight_shape,
                         const Conv2dOptions& options, const Text& dtype, const Text& device) {
  const Check check("conv2d_plan");
  const Direction which = direction_named(check, direction);
  Conv2d p = resolve(check, check.shape(input_shape, "input_shape"), "input_shape",
                     check.shape(weight_shape, "weight_shape"), "weight_shape", options);
  const DType type = check.dtype(dtype, {DType::f32, DType::f64, DType::f16, DType::bf16});
  const Device where = check.device(device);
  Conv2dPlan chosen{};
  by_dtype(type, [&]<class T>(T) { chosen = plan<T>(check, where, which, p); });
  const std::int64_t weights = p.K * (p.C / p.G) * p.R * p.S;
  const std::int64_t elements = p.N * p.C * p.H * p.W + weights + p.N * p.K * p.P * p.Q;
  return {name_of(p.algorithm), std::string(chosen.reason) + chosen.detail, 2 * p.N * p.P * p.Q * weights,
          elements * item_size(type)};
}

MaybeArray conv2d_prepare_weight(const Array& w, const ShapeArg& input_shape, const Conv2dOptions& options) {
  const Check check("conv2d_prepare_weight");
  check.floating(w, "w");
  const Shape& x = check.shape(input_shape, "input_shape");
  Conv2d p = resolve(check, x, "input_shape", w.shape, "w", options);
  p.prepared = true;
  MaybeArray prepared;
  by_dtype(w.dtype, [&]<class T>(T) {
    const Conv2dPlan chosen = plan<T>(check, w.device, Direction::forward, p);
    if (chosen.prepared == 0) return;
    prepared = check.output({}, Shape{p.K, p.C / p.G, chosen.prepared}, w, {});
    kernels<T>(w.device).conv2d_prepare_weight(p, w.ptr<T>(), prepared->ptr<T>());
  });
  return prepared;
}

Array conv2d_forward(const Array& x, const Array& w, const MaybeArray& bias, const Conv2dOptions& options,
                     const MaybeArray& residual, const Text& activation, const MaybeArray& prepared,
                     const MaybeTarget& out) {
  const Check check("conv2d");
  check.floating(x, "x");
  check.floating(w, "w");
  check.alike(x, "x", w, "w");
  Conv2d p = resolve(check, x.shape, "x", w.shape, "w", options);
  p.activation = check.activation(activation);
  if (bias) check.channels(*bias, "bias", x, p.K);
  const Shape shape{p.N, p.K, p.P, p.Q};
  if (residual) {
    check.alike(x, "x", *residual, "residual");
    check.require(residual->shape == shape, "residual is ", text(residual->shape), " but the output is ", text(shape));
  }
  p.prepared = prepared.has_value();
  by_dtype(x.dtype, [&]<class T>(T) {
    const Conv2dPlan chosen = plan<T>(check, x.device, Direction::forward, p);
    if (!prepared) return;
    check.alike(x, "x", *prepared, "prepared");
    const Shape expected{p.K, p.C / p.G, chosen.prepared};
    check.require(prepared->shape == expected, "prepared is ", text(prepared->shape), " but algo '",
                  name_of(p.algorithm), "' on this instruction set expects ", text(expected),
                  "; conv2d_prepare_weight makes it");
  });
  const std::initializer_list<const Array*> inputs{&x, &w, residual ? &*residual : &x, prepared ? &*prepared : &x};
  const Array y = check.output(out, shape, x, inputs);
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).conv2d_forward(p, x.ptr<T>(), w.ptr<T>(), prepared ? prepared->ptr<T>() : nullptr,
                                        bias ? bias->ptr<T>() : nullptr, residual ? residual->ptr<T>() : nullptr,
                                        y.ptr<T>());
  });
  return y;
}

Array conv2d_backward_input(const Array& dy, const Array& w, const ShapeArg& input_shape, const Conv2dOptions& options,
                            const MaybeTarget& out) {
  const Check check("conv2d");
  check.floating(dy, "dy");
  check.floating(w, "w");
  check.alike(dy, "dy", w, "w");
  const Shape& x = check.shape(input_shape, "input_shape");
  Conv2d p = resolve(check, x, "input_shape", w.shape, "w", options);
  check_gradient(check, dy, p);
  by_dtype(dy.dtype, [&]<class T>(T) { plan<T>(check, dy.device, Direction::backward_input, p); });
  const Array dx = check.output(out, x, dy, {&dy, &w});
  by_dtype(dy.dtype,
           [&]<class T>(T) { kernels<T>(dy.device).conv2d_backward_input(p, dy.ptr<T>(), w.ptr<T>(), dx.ptr<T>()); });
  return dx;
}

Array conv2d_backward_weight(const Array& dy, const Array& x, const ShapeArg& weight_shape,
                             const Conv2dOptions& options, const MaybeTarget& out) {
  const Check check("conv2d");
  check.floating(dy, "dy");
  check.floating(x, "x");
  check.alike(dy, "dy", x, "x");
  const Shape& w = check.shape(weight_shape, "weight_shape");
  Conv2d p = resolve(check, x.shape, "x", w, "weight_shape", options);
  check_gradient(check, dy, p);
  by_dtype(x.dtype, [&]<class T>(T) { plan<T>(check, x.device, Direction::backward_weight, p); });
  const Array dw = check.output(out, w, x, {&dy, &x});
  by_dtype(x.dtype,
           [&]<class T>(T) { kernels<T>(x.device).conv2d_backward_weight(p, dy.ptr<T>(), x.ptr<T>(), dw.ptr<T>()); });
  return dw;
}

Array conv2d_backward_bias(const Array& dy, const MaybeTarget& out) {
  const Check check("conv2d");
  check.nchw(dy, "dy");
  const BiasSum p{dy.shape[0], dy.shape[1], dy.shape[2] * dy.shape[3]};
  const Array dbias = check.output(out, Shape{p.K}, dy, {&dy});
  by_dtype(dy.dtype, [&]<class T>(T) { kernels<T>(dy.device).bias_sum(p, dy.ptr<T>(), dbias.ptr<T>()); });
  return dbias;
}

// The problem is that of the convolution whose input gradient this is: y is its input, x its output.
Array conv_transpose2d_forward(const Array& x, const Array& w, const MaybeArray& bias, const Conv2dOptions& options,
                               const PairArg& output_padding, const MaybeTarget& out) {
  const Check check("conv_transpose2d");
  check.nchw(x, "x");
  check.floating(w, "w", 4, "(C, K/G, R, S)");
  check.alike(x, "x", w, "w");
  const Shape y = transposed_output(check, x.shape, w.shape, options, output_padding);
  Conv2d p = resolve(check, y, "the output", w.shape, "w", options);
  if (bias) check.channels(*bias, "bias", x, p.C);
  by_dtype(x.dtype, [&]<class T>(T) { plan<T>(check, x.device, Direction::backward_input, p); });
  const Array result = check.output(out, y, x, {&x, &w, bias ? &*bias : &x});
  by_dtype(x.dtype, [&]<class T>(T) {
    const Kernels<T>& table = kernels<T>(x.device);
    table.conv2d_backward_input(p, x.ptr<T>(), w.ptr<T>(), result.ptr<T>());
    if (bias) table.add_bias(BiasSum{p.N, p.C, p.H * p.W}, bias->ptr<T>(), result.ptr<T>());
  });
  return result;
}

}  // namespace convolith::ops
