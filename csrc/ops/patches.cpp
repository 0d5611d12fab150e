#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

// The windows that the options describe over images of shape x (N, C, H, W), which `name` names.
Pool2d patches(const Check& check, const Shape& x, const char* name, const PairArg& kernel_size,
               const PatchOptions& options) {
  const Pair kernel = check.pair(kernel_size, "kernel_size", 1), stride = check.pair(options.stride, "stride", 1);
  const Pair dilation = check.pair(options.dilation, "dilation", 1);
  const Padding pad = check.sides(options.padding, "padding");
  check.require(pad.top >= 0 && pad.bottom >= 0 && pad.left >= 0 && pad.right >= 0, "padding must be at least 0, got ",
                text(Shape{pad.top, pad.bottom, pad.left, pad.right}), " (top, bottom, left, right)");
  Pool2d p{};
  p.N = x[0], p.C = x[1], p.H = x[2], p.W = x[3], p.R = kernel.h, p.S = kernel.w;
  p.stride_h = stride.h, p.stride_w = stride.w, p.dilation_h = dilation.h, p.dilation_w = dilation.w;
  p.pad_top = pad.top, p.pad_bottom = pad.bottom, p.pad_left = pad.left, p.pad_right = pad.right;
  p.P = window_outputs(p.H, p.R, p.stride_h, p.dilation_h, p.pad_top, p.pad_bottom);
  p.Q = window_outputs(p.W, p.S, p.stride_w, p.dilation_w, p.pad_left, p.pad_right);
  check.require(p.P > 0 && p.Q > 0, "the kernel spans ",
                text(Shape{p.dilation_h * (p.R - 1) + 1, p.dilation_w * (p.S - 1) + 1}), " but with its padding ", name,
                " has only ", text(Shape{p.H + pad.top + pad.bottom, p.W + pad.left + pad.right}));
  return p;
}

// x (N, I, L) and w (L, O, I), of which the one that is missing has come as a shape.
LocalLinear local(const Check& check, const Shape& x, const char* x_name, const Shape& w, const char* w_name) {
  check.require(x.rank == 3 && x[0] >= 0 && x[1] > 0 && x[2] > 0, x_name,
                " must be (N, I, L), where only N may be 0, got ", text(x));
  check.require(w.rank == 3 && w.size() > 0, w_name, " must be (L, O, I), none of them 0, got ", text(w));
  check.require(w[0] == x[2] && w[2] == x[1], x_name, " is ", text(x), " (N, I, L) but ", w_name, " is ", text(w),
                " (L, O, I); I and L must be equal");
  return {x[0], x[1], w[1], x[2]};
}

void outputs_fit(const Check& check, const Array& dy, const LocalLinear& p) {
  check.has_shape(dy, "dy", Shape{p.N, p.O, p.L});
}

}  // namespace

Array unfold_forward(const Array& x, const PairArg& kernel_size, const PatchOptions& options, const MaybeTarget& out) {
  const Check check("unfold");
  check.nchw(x, "x");
  const Pool2d p = patches(check, x.shape, "x", kernel_size, options);
  const Array y = check.output(out, Shape{p.N, p.C * p.R * p.S, p.P * p.Q}, x, {&x});
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).unfold_forward(p, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

Array fold_forward(const Array& x, const PairArg& output_size, const PairArg& kernel_size, const PatchOptions& options,
                   const MaybeTarget& out) {
  const Check check("fold");
  check.floating(x, "x", 3, "(N, C R S, L)");
  const Pair size = check.pair(output_size, "output_size", 1), kernel = check.pair(kernel_size, "kernel_size", 1);
  const std::int64_t taps = kernel.h * kernel.w;
  check.require(x.shape[1] > 0 && x.shape[1] % taps == 0, "x has ", x.shape[1],
                " channels, which is no multiple of the ", taps, " taps of kernel_size ",
                text(Shape{kernel.h, kernel.w}));
  const Shape shape{x.shape[0], x.shape[1] / taps, size.h, size.w};
  const Pool2d p = patches(check, shape, "output_size", kernel_size, options);
  check.require(x.shape[2] == p.P * p.Q, "x has ", x.shape[2], " windows but output_size ", text(Shape{size.h, size.w}),
                " has ", p.P, " x ", p.Q, " = ", p.P * p.Q);
  const Array y = check.output(out, shape, x, {&x});
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).fold_forward(p, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

Array local_linear_forward(const Array& x, const Array& w, const MaybeArray& bias, const MaybeTarget& out) {
  const Check check("local_linear");
  check.floating(x, "x");
  check.floating(w, "w");
  check.alike(x, "x", w, "w");
  const LocalLinear p = local(check, x.shape, "x", w.shape, "w");
  if (bias) {
    check.floating(*bias, "bias");
    check.alike(x, "x", *bias, "bias");
    check.has_shape(*bias, "bias", Shape{p.O, p.L});
  }
  const Array y = check.output(out, Shape{p.N, p.O, p.L}, x, {&x, &w, bias ? &*bias : &x});
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).local_linear_forward(p, x.ptr<T>(), w.ptr<T>(), bias ? bias->ptr<T>() : nullptr, y.ptr<T>());
  });
  return y;
}

Array local_linear_backward_input(const Array& dy, const Array& w, const MaybeTarget& out) {
  const Check check("local_linear");
  check.floating(dy, "dy", 3, "(N, O, L)");
  check.floating(w, "w", 3, "(L, O, I)");
  check.alike(dy, "dy", w, "w");
  const Shape shape{dy.shape[0], w.shape[2], w.shape[0]};
  const LocalLinear p = local(check, shape, "x", w.shape, "w");
  outputs_fit(check, dy, p);
  const Array dx = check.output(out, shape, dy, {&dy, &w});
  by_dtype(dy.dtype, [&]<class T>(T) {
    kernels<T>(dy.device).local_linear_backward_input(p, dy.ptr<T>(), w.ptr<T>(), dx.ptr<T>());
  });
  return dx;
}

Array local_linear_backward_weight(const Array& dy, const Array& x, const MaybeTarget& out) {
  const Check check("local_linear");
  check.floating(dy, "dy", 3, "(N, O, L)");
  check.floating(x, "x", 3, "(N, I, L)");
  check.alike(dy, "dy", x, "x");
  const Shape shape{x.shape[2], dy.shape[1], x.shape[1]};
  const LocalLinear p = local(check, x.shape, "x", shape, "the weight");
  outputs_fit(check, dy, p);
  const Array dw = check.output(out, shape, dy, {&dy, &x});
  by_dtype(dy.dtype, [&]<class T>(T) {
    kernels<T>(dy.device).local_linear_backward_weight(p, dy.ptr<T>(), x.ptr<T>(), dw.ptr<T>());
  });
  return dw;
}

Array local_linear_backward_bias(const Array& dy, const MaybeTarget& out) {
  const Check check("local_linear");
  check.floating(dy, "dy", 3, "(N, O, L)");
  const LocalLinear p{dy.shape[0], 1, dy.shape[1], dy.shape[2]};
  const Array dbias = check.output(out, Shape{p.O, p.L}, dy, {&dy});
  by_dtype(dy.dtype,
           [&]<class T>(T) { kernels<T>(dy.device).local_linear_backward_bias(p, dy.ptr<T>(), dbias.ptr<T>()); });
  return dbias;
}

}  // namespace convolith::ops
