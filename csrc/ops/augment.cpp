#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

// Images, bytes or numbers.
void images(const Check& check, const Array& x) {
  check.array(x, "x");
  if (x.dtype != DType::u8 && x.dtype != DType::f32 && x.dtype != DType::f64)
    check.type_error("x must be uint8, float32 or float64, got ", dtype_text(x));
  check.require(x.shape.rank == 4, "x must be (N, C, H, W) with 4 axes, got shape ", text(x.shape));
  check.require(x.shape.size(1, 4) > 0, "x has an empty axis: only N may be 0, got shape ", text(x.shape));
}

// Calls f(T{}); devices, which have halves, too, have no kernel for either.
template <class F>
void by_float(DType dtype, const F& f) {
  dtype == DType::f64 ? f(double{}) : f(float{});
}

// What belongs to x: of x's dtype, or of either floating one beside bytes.
void beside(const Check& check, const Array& v, const char* name, const Array& x, const Shape& shape) {
  check.floating(v, name);
  check.same_device(x, "x", v, name);
  if (x.dtype != DType::u8) check.alike(x, "x", v, name);
  check.has_shape(v, name, shape);
}

void int64s(const Check& check, const Array& v, const char* name, const Array& x, const Shape& shape) {
  check.int64(v, name);
  check.same_device(x, "x", v, name);
  check.has_shape(v, name, shape);
}

void all_within(const Check& check, const Array& v, const char* name, std::int64_t least, std::int64_t most) {
  const std::int64_t* values = v.ptr<std::int64_t>();
  for (std::int64_t i = 0; i < v.size(); ++i)
    check.require(values[i] >= least && values[i] <= most, name, " must be in [", least, ", ", most, "], got ",
                  values[i]);
}

Images images_of(const Array& x) {
  return {x.shape[0], x.shape[1], x.shape.size(2, 4)};
}

// How far a window may reach beyond an axis of that size.
std::int64_t furthest(PaddingMode mode, std::int64_t size) {
  constexpr std::int64_t anywhere = std::int64_t{1} << 31;
  return mode == PaddingMode::reflect ? size - 1 : mode == PaddingMode::circular ? size : anywhere;
}

void windows_fit(const Check& check, const CropFlip& p, const Array& offsets) {
  const std::int64_t h = furthest(p.padding_mode, p.H), w = furthest(p.padding_mode, p.W);
  for (std::int64_t n = 0; n < p.N; ++n) {
    const std::int64_t top = offsets.ptr<std::int64_t>()[2 * n], left = offsets.ptr<std::int64_t>()[2 * n + 1];
    check.require(top >= -h && top <= p.H + h - p.P && left >= -w && left <= p.W + w - p.Q, "the window of image ", n,
                  " begins at ", text(Shape{top, left}), " and is ", text(Shape{p.P, p.Q}),
                  ", which reaches too far beyond ", text(Shape{p.H, p.W}), " for this padding_mode");
  }
}

}  // namespace

Array crop_flip_forward(const Array& x, const Array& offsets, const Array& flips, const PairArg& size,
                        const Text& padding_mode, const Real& fill, const MaybeTarget& out) {
  const Check check("crop_flip");
  images(check, x);
  const auto& kernel = kernels<float>(x.device).crop_flip;
  kernel.require();
  const Pair extent = check.pair(size, "size", 1);
  const Shape shape{x.shape[0], x.shape[1], extent.h, extent.w};
  const CropFlip p{x.shape[0],
                   x.shape[1],
                   x.shape[2],
                   x.shape[3],
                   extent.h,
                   extent.w,
                   check.padding_mode(padding_mode),
                   x.dtype == DType::u8 ? check.within(fill, "fill", 0, 255) : check.finite(fill, "fill"),
                   item_size(x.dtype)};
  for (const auto& [v, name] : {std::pair{&offsets, "offsets"}, {&flips, "flips"}})
    int64s(check, *v, name, x, Shape{p.N, 2});
  windows_fit(check, p, offsets);
  const Array y = check.output(out, shape, x, {&x, &offsets, &flips});
  kernel(p, offsets.ptr<std::int64_t>(), flips.ptr<std::int64_t>(), x.data, y.data);
  return y;
}

Array warp_images_forward(const Array& x, const Array& matrices, const MaybeArray& displacement,
                          const Text& interpolation, const Real& fill, const MaybeTarget& out) {
  const Check check("warp_images");
  check.nchw(x, "x");
  beside(check, matrices, "matrices", x, Shape{x.shape[0], 2, 3});
  if (displacement) beside(check, *displacement, "displacement", x, Shape{x.shape[0], 2, x.shape[2], x.shape[3]});
  const std::string& how = check.string(interpolation, "interpolation");
  check.require(how == "bilinear" || how == "nearest", "interpolation must be 'bilinear' or 'nearest', got '", how,
                "'");
  const Warp p{x.shape[0], x.shape[1], x.shape[2], x.shape[3], how == "bilinear", check.finite(fill, "fill")};
  check.require((p.H + 3) * (p.W + 3) <= INT32_MAX, "x is ", text(x.shape), "; an image has less than 2**31 pixels");
  by_float(x.dtype, [&]<class T>(T) { kernels<T>(x.device).warp_images.require(); });
  const Array field = displacement ? *displacement : Array{};
  const Array y = check.output(out, x.shape, x, {&x, &matrices, &field});
  by_float(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).warp_images(p, x.ptr<T>(), matrices.ptr<T>(), field.ptr<T>(), y.ptr<T>());
  });
  return y;
}

Array blur_images_forward(const Array& x, const Array& weights, const Text& padding_mode, const MaybeTarget& out) {
  const Check check("blur_images");
  check.nchw(x, "x");
  check.floating(weights, "weights", 1, "(R)");
  check.alike(x, "x", weights, "weights");
  const Blur p{x.shape.size(0, 2), x.shape[2], x.shape[3], weights.shape[0], check.padding_mode(padding_mode)};
  check.require(p.R % 2 == 1, "weights must be an odd number, got ", p.R);
  const std::int64_t h = furthest(p.padding_mode, p.H), w = furthest(p.padding_mode, p.W);
  check.require(p.R / 2 <= h && p.R / 2 <= w, p.R, " weights reach too far beyond ", text(Shape{p.H, p.W}),
                " for this padding_mode");
  by_float(x.dtype, [&]<class T>(T) { kernels<T>(x.device).blur_images.require(); });
  const Array y = check.output(out, x.shape, x, {&x, &weights});
  by_float(x.dtype, [&]<class T>(T) { kernels<T>(x.device).blur_images(p, x.ptr<T>(), weights.ptr<T>(), y.ptr<T>()); });
  return y;
}

Array color_jitter_forward(const Array& x, const Array& factors, const Array& order, const Real& peak,
                           const MaybeTarget& out) {
  const Check check("color_jitter");
  check.nchw(x, "x");
  check.require(x.shape[1] == 1 || x.shape[1] == 3, "x must have 1 or 3 channels, got shape ", text(x.shape));
  beside(check, factors, "factors", x, Shape{x.shape[0], 4});
  int64s(check, order, "order", x, Shape{x.shape[0], 4});
  const auto [N, C, L] = images_of(x);
  const ColorJitter p{N, C, L, check.at_least_zero(peak, "peak")};
  by_float(x.dtype, [&]<class T>(T) { kernels<T>(x.device).color_jitter.require(); });
  all_within(check, order, "order", 0, 3);
  const Array y = check.output(out, x.shape, x, {&x}, true);
  check.apart(y, "out", factors, "factors");
  check.apart(y, "out", order, "order");
  by_float(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).color_jitter(p, x.ptr<T>(), factors.ptr<T>(), order.ptr<std::int64_t>(), y.ptr<T>());
  });
  return y;
}

Array normalize_images_forward(const Array& x, const Array& mean, const Array& std, const MaybeTarget& out) {
  const Check check("normalize_images");
  images(check, x);
  const Shape channels{x.shape[1]};
  beside(check, mean, "mean", x, channels);
  beside(check, std, "std", x, channels);
  check.alike(mean, "mean", std, "std");
  by_float(mean.dtype, [&]<class T>(T) {
    kernels<T>(x.device).normalize_images.require();
    for (std::int64_t c = 0; c < channels[0]; ++c)
      check.require(std.ptr<T>()[c] != T(0), "std of channel ", c, " is 0");
  });
  const Array y = check.output(out, {x.shape, mean.dtype}, x, {&x}, true);
  check.apart(y, "out", mean, "mean");
  check.apart(y, "out", std, "std");
  by_float(mean.dtype, [&]<class T>(T) {
    kernels<T>(x.device).normalize_images(images_of(x), x.dtype == DType::u8 ? x.ptr<std::uint8_t>() : nullptr,
                                          x.ptr<T>(), mean.ptr<T>(), std.ptr<T>(), y.ptr<T>());
  });
  return y;
}

Array standardize_images_forward(const Array& x, const MaybeTarget& out) {
  const Check check("standardize_images");
  check.nchw(x, "x");
  by_float(x.dtype, [&]<class T>(T) { kernels<T>(x.device).standardize_images.require(); });
  const Array y = check.output(out, x.shape, x, {&x}, true);
  by_float(x.dtype, [&]<class T>(T) { kernels<T>(x.device).standardize_images(images_of(x), x.ptr<T>(), y.ptr<T>()); });
  return y;
}

Array mix_images_forward(const Array& x, const Array& partners, const Array& weights, const MaybeTarget& out) {
  const Check check("mix_images");
  check.nchw(x, "x");
  int64s(check, partners, "partners", x, Shape{x.shape[0]});
  beside(check, weights, "weights", x, Shape{x.shape[0]});
  by_float(x.dtype, [&]<class T>(T) { kernels<T>(x.device).mix_images.require(); });
  all_within(check, partners, "partners", 0, x.shape[0] - 1);
  const Array y = check.output(out, x.shape, x, {&x, &partners, &weights});
  by_float(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).mix_images(images_of(x), x.ptr<T>(), partners.ptr<std::int64_t>(), weights.ptr<T>(),
                                    y.ptr<T>());
  });
  return y;
}

Array uniform(const Array& streams, const Int& count, const Unsigned& seed) {
  const Check check("uniform");
  check.int64(streams, "streams");
  check.require(streams.shape.rank == 1, "streams must be (N) with 1 axis, got shape ", text(streams.shape));
  const std::int64_t length = check.integer(count, "count");
  check.require(length >= 0, "count must be at least 0, got ", length);
  const Uniform p{streams.shape[0], length, check.uint64(seed, "seed")};
  const auto& kernel = kernels<float>(streams.device).uniform_numbers;
  kernel.require();
  const Array y = allocate(Shape{p.N, p.L}, DType::f32, streams.device);
  kernel(p, streams.ptr<std::int64_t>(), y.ptr<float>());
  return y;
}

}  // namespace convolith::ops
