#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

Maxout problem(const Check& check, const Array& x, const Int& pieces) {
  check.floating(x, "x");
  check.require(x.shape.rank >= 2, "x must be (N, C, *) with 2 axes or more, got shape ", text(x.shape));
  const std::int64_t n = check.integer(pieces, "pieces"), C = x.shape[1];
  check.require(n >= 1 && n <= 1 << 30, "pieces must be at least 1, got ", n);
  check.require(C % n == 0, "x has ", C, " channels, no multiple of pieces, ", n);
  return {x.shape[0], C / n, x.shape.size(2, x.shape.rank), n};
}

Shape output_shape(const Array& x, const Maxout& p) {
  Shape shape = x.shape;
  shape[1] = p.K;
  return shape;
}

}  // namespace

Array maxout_forward(const Array& x, const Int& pieces, const MaybeTarget& out) {
  const Check check("maxout");
  const Maxout p = problem(check, x, pieces);
  const Array y = check.output(out, output_shape(x, p), x, {&x});
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).maxout_forward(p, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

Array maxout_backward(const Array& dy, const Array& x, const Int& pieces, const MaybeTarget& out) {
  const Check check("maxout");
  const Maxout p = problem(check, x, pieces);
  check.floating(dy, "dy");
  check.alike(dy, "dy", x, "x");
  check.has_shape(dy, "dy", output_shape(x, p));
  const Array dx = check.output(out, x.shape, x, {&dy, &x});
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).maxout_backward(p, dy.ptr<T>(), x.ptr<T>(), dx.ptr<T>()); });
  return dx;
}

}  // namespace convolith::ops
