#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

// dy (..., O) as O columns under the rows of whatever stands before.
std::int64_t leading(const Array& a) {
  return a.shape.size(0, a.shape.rank - 1);
}

Shape with_last(Shape shape, std::int64_t last) {
  shape[-1] = last;
  return shape;
}

void check_matrix(const Check& check, const Array& a, const char* name) {
  check.floating(a, name);
  check.require(a.shape.rank >= 1 && a.shape[-1] > 0, name, " must have a last axis of at least 1, got shape ",
                text(a.shape));
}

}  // namespace

Array linear_forward(const Array& x, const Array& w, const MaybeArray& bias, const MaybeTarget& out) {
  const Check check("linear");
  check_matrix(check, x, "x");
  check.floating(w, "w", 2, "(O, I)");
  check.same_dtype(x, "x", w, "w");
  check.require(w.shape.size() > 0, "w has an empty axis, got shape ", text(w.shape));
  check.require(x.shape[-1] == w.shape[1], "x has ", x.shape[-1], " features but w expects ", w.shape[1], " (x is ",
                text(x.shape), ", w is ", text(w.shape), ")");
  if (bias) check.channels(*bias, "bias", x, w.shape[0]);
  const Array y = check.output(out, with_last(x.shape, w.shape[0]), x.dtype, {&x, &w});
  const Linear p{leading(x), w.shape[1], w.shape[0]};
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).linear_forward(p, x.ptr<T>(), w.ptr<T>(), bias ? bias->ptr<T>() : nullptr, y.ptr<T>());
  });
  return y;
}

Array linear_backward_input(const Array& dy, const Array& w, const MaybeTarget& out) {
  const Check check("linear");
  check_matrix(check, dy, "dy");
  check.floating(w, "w", 2, "(O, I)");
  check.same_dtype(dy, "dy", w, "w");
  check.require(w.shape.size() > 0, "w has an empty axis, got shape ", text(w.shape));
  check.require(dy.shape[-1] == w.shape[0], "dy has ", dy.shape[-1], " features but w gives ", w.shape[0], " (dy is ",
                text(dy.shape), ", w is ", text(w.shape), ")");
  const Array dx = check.output(out, with_last(dy.shape, w.shape[1]), dy.dtype, {&dy, &w});
  const Linear p{leading(dy), w.shape[1], w.shape[0]};
  by_dtype(dy.dtype,
           [&]<class T>(T) { kernels<T>(dy.device).linear_backward_input(p, dy.ptr<T>(), w.ptr<T>(), dx.ptr<T>()); });
  return dx;
}

Array linear_backward_weight(const Array& dy, const Array& x, const MaybeTarget& out) {
  const Check check("linear");
  check_matrix(check, dy, "dy");
  check_matrix(check, x, "x");
  check.same_dtype(dy, "dy", x, "x");
  check.require(with_last(dy.shape, 1) == with_last(x.shape, 1), "dy is ", text(dy.shape), " but x is ", text(x.shape),
                "; all axes but the last must be equal");
  const Linear p{leading(x), x.shape[-1], dy.shape[-1]};
  const Array dw = check.output(out, Shape{p.O, p.I}, x.dtype, {&dy, &x});
  by_dtype(x.dtype,
           [&]<class T>(T) { kernels<T>(x.device).linear_backward_weight(p, dy.ptr<T>(), x.ptr<T>(), dw.ptr<T>()); });
  return dw;
}

Array linear_backward_bias(const Array& dy, const MaybeTarget& out) {
  const Check check("linear");
  check_matrix(check, dy, "dy");
  const BiasSum p{leading(dy), dy.shape[-1], 1};
  const Array dbias = check.output(out, Shape{p.K}, dy.dtype, {&dy});
  by_dtype(dy.dtype, [&]<class T>(T) { kernels<T>(dy.device).bias_sum(p, dy.ptr<T>(), dbias.ptr<T>()); });
  return dbias;
}

}  // namespace convolith::ops
