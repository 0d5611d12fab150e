#include <algorithm>

#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

// Of an even size the window has one channel more before its own than behind, as in PyTorch.  Both ends are cut to what
// there can be of channels.
ResponseNorm problem(const Check& check, const Array& x, const ResponseNormOptions& options) {
  check.floating(x, "x");
  check.require(x.shape.rank >= 3, "x must be (N, C, *) with 3 axes or more, got shape ", text(x.shape));
  const std::int64_t size = check.integer(options.size, "size");
  check.require(size >= 1, "size must be at least 1, got ", size);
  const double alpha = check.at_least_zero(options.alpha, "alpha"), k = check.finite(options.k, "k");
  check.require(k > 0, "k must be above 0, got ", k);
  const std::int64_t C = x.shape[1], most = C > 0 ? C - 1 : 0;
  return {x.shape[0],
          C,
          x.shape.size(2, x.shape.rank),
          std::min(size / 2, most),
          std::min((size - 1) / 2, most),
          alpha / static_cast<double>(size),
          check.finite(options.beta, "beta"),
          k};
}

}  // namespace

Array local_response_norm_forward(const Array& x, const ResponseNormOptions& options, const MaybeTarget& out) {
  const Check check("local_response_norm");
  const ResponseNorm p = problem(check, x, options);
  const Array y = check.output(out, x.shape, x, {&x});
  if (x.size() == 0) return y;
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).local_response_norm_forward(p, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

Array local_response_norm_backward(const Array& dy, const Array& x, const ResponseNormOptions& options,
                                   const MaybeTarget& out) {
  const Check check("local_response_norm");
  const ResponseNorm p = problem(check, x, options);
  check.floating(dy, "dy");
  check.alike(dy, "dy", x, "x");
  check.same_shape(dy, "dy", x, "x");
  const Array dx = check.output(out, x.shape, x, {&dy, &x});
  if (x.size() == 0) return dx;
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).local_response_norm_backward(p, dy.ptr<T>(), x.ptr<T>(), dx.ptr<T>());
  });
  return dx;
}

}  // namespace convolith::ops
