#include "../graph.hpp"
#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

struct Stream {
  const Unsigned &seed, &offset;
};

// p and the stream checked, y = x / (1 - p) where x is kept.
Dropout problem(const Check& check, const Array& x, const char* name, const Real& p, const Stream& stream) {
  check.floating(x, name);
  const bool channels = x.shape.rank >= 3;
  const double drops = check.within(p, "p", 0, 1);
  refuse_capture(x.device, "dropout, which would drop the same elements at each replay,");
  return {x.size(),
          channels ? x.shape[1] : 1,
          channels ? x.shape.size(2, x.shape.rank) : 1,
          drops,
          check.uint64(stream.seed, "seed"),
          check.uint64(stream.offset, "offset"),
          drops < 1 ? 1 / (1 - drops) : 0,
          -0.0,  // what changes no number, 0 and -0 included
          0};
}

Array apply(const Check& check, const Dropout& p, const Array& x, const MaybeTarget& out) {
  const Array y = check.output(out, x.shape, x, {&x}, true);
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).dropout(p, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

// The scale that leaves the variance as it is, where elements that are dropped become alpha (Klambauer et al. 2017).
constexpr double alpha = -1.7580993408473766;  // SELU's lowest value
double alpha_scale(double p) {
  return p < 1 ? 1 / std::sqrt((1 - p) * (1 + alpha * alpha * p)) : 0;
}

Array slices(const Array& x, const char* name, const Real& p, const Int& axes, const Stream& stream,
             const MaybeTarget& out) {
  const Check check("dropout_slices");
  Dropout drop = problem(check, x, name, p, stream);
  const std::int64_t leading = check.integer(axes, "axes");
  check.require(leading >= 0 && leading <= 2 && leading <= x.shape.rank, "axes must be 0, 1 or 2 and no more than ",
                name, " has, got ", leading, " for shape ", text(x.shape));
  drop.C = leading == 2 ? x.shape[1] : 1;
  drop.L = x.shape.size(static_cast<int>(leading), x.shape.rank);
  const Array y = check.output(out, x.shape, x, {&x}, true);
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).dropout_slices(drop, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

}  // namespace

Array dropout_forward(const Array& x, const Real& p, const Unsigned& seed, const Unsigned& offset,
                      const MaybeTarget& out) {
  const Check check("dropout");
  return apply(check, problem(check, x, "x", p, {seed, offset}), x, out);
}

Array dropout_backward(const Array& dy, const Real& p, const Unsigned& seed, const Unsigned& offset,
                       const MaybeTarget& out) {
  const Check check("dropout");
  return apply(check, problem(check, dy, "dy", p, {seed, offset}), dy, out);
}

Array alpha_dropout_forward(const Array& x, const Real& p, const Unsigned& seed, const Unsigned& offset,
                            const MaybeTarget& out) {
  const Check check("alpha_dropout");
  Dropout drop = problem(check, x, "x", p, {seed, offset});
  drop.scale = alpha_scale(drop.p);
  drop.shift = -drop.scale * alpha * drop.p;
  drop.dropped = drop.scale * alpha * (1 - drop.p);
  return apply(check, drop, x, out);
}

Array alpha_dropout_backward(const Array& dy, const Real& p, const Unsigned& seed, const Unsigned& offset,
                             const MaybeTarget& out) {
  const Check check("alpha_dropout");
  Dropout drop = problem(check, dy, "dy", p, {seed, offset});
  drop.scale = alpha_scale(drop.p);
  return apply(check, drop, dy, out);
}

Array dropout_slices_forward(const Array& x, const Real& p, const Int& axes, const Unsigned& seed,
                             const Unsigned& offset, const MaybeTarget& out) {
  return slices(x, "x", p, axes, {seed, offset}, out);
}

Array dropout_slices_backward(const Array& dy, const Real& p, const Int& axes, const Unsigned& seed,
                              const Unsigned& offset, const MaybeTarget& out) {
  return slices(dy, "dy", p, axes, {seed, offset}, out);
}

}  // namespace convolith::ops
