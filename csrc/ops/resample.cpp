#include <algorithm>

#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

Pad2d padded(const Check& check, const Shape& x, const PaddingArg& padding, const Text& mode, const Real& value) {
  const Padding pad = check.sides(padding, "padding");
  Pad2d p{x[0], x[1], x[2], x[3], pad.top, pad.bottom, pad.left, pad.right, PaddingMode::zeros, 0};
  const std::string& name = check.string(mode, "mode");
  p.value = check.value(value, "value", "a number");
  const Shape sides{pad.top, pad.bottom, pad.left, pad.right};
  if (name != "constant") {
    p.mode = name == "reflect"     ? PaddingMode::reflect
             : name == "replicate" ? PaddingMode::replicate
                                   : PaddingMode::circular;
    check.require(p.mode != PaddingMode::circular || name == "circular",
                  "mode must be 'constant', 'reflect', 'replicate' or 'circular', got '", name, "'");
    check.require(std::min({pad.top, pad.bottom, pad.left, pad.right}) >= 0, "negative padding, which crops, needs ",
                  "mode 'constant', not '", name, "'; got ", text(sides), " (top, bottom, left, right)");
  }
  const bool reflect = p.mode == PaddingMode::reflect, circular = p.mode == PaddingMode::circular;
  check.require((!reflect && !circular) ||
                    (std::max(pad.top, pad.bottom) <= p.H - reflect && std::max(pad.left, pad.right) <= p.W - reflect),
                name, " padding must be ", reflect ? "smaller than" : "at most", " the input (", p.H, ", ", p.W,
                "), got ", text(sides), " (top, bottom, left, right)");
  check.require(p.H + p.top + p.bottom > 0 && p.W + p.left + p.right > 0, "nothing would be left of ", text(x),
                " with padding ", text(sides), " (top, bottom, left, right)");
  return p;
}

Shape output_of(const Pad2d& p) {
  return {p.N, p.C, p.H + p.top + p.bottom, p.W + p.left + p.right};
}

// An axis of `in` positions: to `out`, or by `factor`, which then says exactly where outputs lie.
Ratio ratio(std::int64_t in, std::int64_t out, const double* factor, bool linear, bool align_corners) {
  if (align_corners)
    return {out > 1 ? static_cast<double>(in - 1) : 0.0, out > 1 ? static_cast<double>(out - 1) : 1.0, 0};
  const double offset = linear ? 0.5 : 0;
  if (factor) return {1, *factor, offset};
  return {static_cast<double>(in), static_cast<double>(out), offset};
}

Interpolate2d resized(const Check& check, const Shape& x, const InterpolateOptions& options) {
  Interpolate2d p{};
  p.N = x[0], p.C = x[1], p.H = x[2], p.W = x[3];
  const std::string& mode = check.string(options.mode, "mode");
  check.require(mode == "nearest" || mode == "bilinear", "mode must be 'nearest' or 'bilinear', got '", mode, "'");
  p.linear = mode == "bilinear";
  const bool align = check.flag(options.align_corners, "align_corners");
  check.require(p.linear || !align, "align_corners is for mode 'bilinear', not 'nearest'");
  check.require(options.size.has_value() != options.scale_factor.has_value(),
                "exactly one of size and scale_factor must be given, got ", options.size ? "both" : "neither");
  double factors[2];
  if (options.size) {
    const Pair size = check.pair(*options.size, "size", 1);
    p.P = size.h, p.Q = size.w;
  } else {
    const RealPair scale =
        check.value(*options.scale_factor, "scale_factor", "a number or a pair of numbers (vertical, horizontal)");
    factors[0] = scale.h, factors[1] = scale.w;
    for (int i = 0; i < 2; ++i) {
      const double extent = std::floor(static_cast<double>(x[2 + i]) * factors[i]);
      check.require(std::isfinite(factors[i]) && extent >= 1 && extent < 0x1p31, "scale_factor ", factors[i],
                    " makes an output of ", extent, " positions of ", x[2 + i]);
      (i == 0 ? p.P : p.Q) = static_cast<std::int64_t>(extent);
    }
  }
  p.rows = ratio(p.H, p.P, options.size ? nullptr : &factors[0], p.linear, align);
  p.columns = ratio(p.W, p.Q, options.size ? nullptr : &factors[1], p.linear, align);
  return p;
}

}  // namespace

Array pad2d_forward(const Array& x, const PaddingArg& padding, const Text& mode, const Real& value,
                    const MaybeTarget& out) {
  const Check check("pad2d");
  check.nchw(x, "x");
  const Pad2d p = padded(check, x.shape, padding, mode, value);
  const Array y = check.output(out, output_of(p), x, {&x});
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).pad2d_forward(p, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

Array pad2d_backward(const Array& dy, const ShapeArg& input_shape, const PaddingArg& padding, const Text& mode,
                     const MaybeTarget& out) {
  const Check check("pad2d");
  check.nchw(dy, "dy");
  const Shape& shape = check.input_nchw(input_shape);
  const Pad2d p = padded(check, shape, padding, mode, Real{});
  check.has_shape(dy, "dy", output_of(p));
  const Array dx = check.output(out, shape, dy, {&dy});
  by_dtype(dy.dtype, [&]<class T>(T) { kernels<T>(dy.device).pad2d_backward(p, dy.ptr<T>(), dx.ptr<T>()); });
  return dx;
}

Array interpolate2d_forward(const Array& x, const InterpolateOptions& options, const MaybeTarget& out) {
  const Check check("interpolate2d");
  check.nchw(x, "x");
  const Interpolate2d p = resized(check, x.shape, options);
  const Array y = check.output(out, Shape{p.N, p.C, p.P, p.Q}, x, {&x});
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).interpolate2d_forward(p, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

Array interpolate2d_backward(const Array& dy, const ShapeArg& input_shape, const InterpolateOptions& options,
                             const MaybeTarget& out) {
  const Check check("interpolate2d");
  check.nchw(dy, "dy");
  const Shape& shape = check.input_nchw(input_shape);
  const Interpolate2d p = resized(check, shape, options);
  check.has_shape(dy, "dy", Shape{p.N, p.C, p.P, p.Q});
  const Array dx = check.output(out, shape, dy, {&dy});
  by_dtype(dy.dtype, [&]<class T>(T) { kernels<T>(dy.device).interpolate2d_backward(p, dy.ptr<T>(), dx.ptr<T>()); });
  return dx;
}

}  // namespace convolith::ops
