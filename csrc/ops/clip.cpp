#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {

Array total_norm_forward(const Arrays& xs, const Real& p, const MaybeTarget& out) {
  const Check check("total_norm");
  if (!xs.unfit.empty()) check.type_error("xs must be a tuple or list of arrays, got ", xs.unfit);
  check.require(!xs.items.empty(), "needs at least one array, got none");
  const double order = check.value(p, "p", "a number");
  check.require(order == 1 || order == 2 || (std::isinf(order) && order > 0), "p must be 1, 2 or inf, got ", order);
  const Array& like = xs.items[0];
  for (const Array& x : xs.items) {
    check.floating(x, "xs");
    check.alike(like, "xs[0]", x, "another of xs");
  }
  const DType wide = is_half(like.dtype) ? DType::f32 : like.dtype;
  const Array y = check.output(out, {Shape{}, wide}, like, {});
  for (const Array& x : xs.items) check.apart(y, "out", x, "xs");
  const auto count = static_cast<std::int64_t>(xs.items.size());
  const Array parts = check.output({}, {Shape{count}, wide}, like, {});  // each array's sum, the roots of which differ
  by_dtype(like.dtype, [&]<class T>(T) {
    using P = Parameter<T>;
    for (std::int64_t i = 0; i < count; ++i) {
      const Array& x = xs.items[static_cast<std::size_t>(i)];
      kernels<T>(like.device).total_norm_forward({x.size(), order, 1}, x.ptr<T>(), parts.ptr<P>() + i);
    }
    const double over_parts = order == 2 ? 1 : order;
    kernels<P>(like.device).total_norm_forward({count, over_parts, order}, parts.ptr<P>(), y.ptr<P>());
  });
  return y;
}

Array clip_forward(const Array& x, const Real& limit, const MaybeTarget& out) {
  const Check check("clip");
  check.floating(x, "x");
  const Clip p{x.size(), check.value(limit, "limit", "a number")};
  check.require(p.limit >= 0, "limit must be at least 0, got ", p.limit);
  const Array y = check.output(out, x.shape, x, {&x}, true);
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).clip_forward(p, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

}  // namespace convolith::ops
