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
  check.alike(x, "x", w, "w");
  check.require(w.shape.size() > 0, "w has an empty axis, got shape ", text(w.shape));
  check.require(x.shape[-1] == w.shape[1], "x has ", x.shape[-1], " features but w expects ", w.shape[1], " (x is ",
                text(x.shape), ", w is ", text(w.shape), ")");
  if (bias) check.channels(*bias, "bias", x, w.shape[0]);
  const Array y = check.output(out, with_last(x.shape, w.shape[0]), x, {&x, &w});
  const Linear p{leading(x), w.shape[1], w.shape[0]};
  const Array x_rows = row_major(x), y_rows = row_major_for(y);
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).linear_forward(p, x_rows.ptr<T>(), w.ptr<T>(), bias ? bias->ptr<T>() : nullptr,
                                        y_rows.ptr<T>());
  });
  from_row_major(y_rows, y);
  return y;
}

Array linear_backward_input(const Array& dy, const Array& w, const MaybeTarget& out) {
  const Check check("linear");
  check_matrix(check, dy, "dy");
  check.floating(w, "w", 2, "(O, I)");
  check.alike(dy, "dy", w, "w");
  check.require(w.shape.size() > 0, "w has an empty axis, got shape ", text(w.shape));
  check.require(dy.shape[-1] == w.shape[0], "dy has ", dy.shape[-1], " features but w gives ", w.shape[0], " (dy is ",
                text(dy.shape), ", w is ", text(w.shape), ")");
  const Array dx = check.output(out, with_last(dy.shape, w.shape[1]), dy, {&dy, &w});
  const Linear p{leading(dy), w.shape[1], w.shape[0]};
  const Array dy_rows = row_major(dy), dx_rows = row_major_for(dx);
  by_dtype(dy.dtype, [&]<class T>(T) {
    kernels<T>(dy.device).linear_backward_input(p, dy_rows.ptr<T>(), w.ptr<T>(), dx_rows.ptr<T>());
  });
  from_row_major(dx_rows, dx);
  return dx;
}

Array linear_backward_weight(const Array& dy, const Array& x, const MaybeTarget& out) {
  const Check check("linear");
  check_matrix(check, dy, "dy");
  check_matrix(check, x, "x");
  check.alike(dy, "dy", x, "x");
  check.require(with_last(dy.shape, 1) == with_last(x.shape, 1), "dy is ", text(dy.shape), " but x is ", text(x.shape),
                "; all axes but the last must be equal");
  const Linear p{leading(x), x.shape[-1], dy.shape[-1]};
  const Array dw = check.output(out, Shape{p.O, p.I}, x, {&dy, &x});
  const Array dy_rows = row_major(dy), x_rows = row_major(x);
  by_dtype(x.dtype, [&]<class T>(T) {
    kernels<T>(x.device).linear_backward_weight(p, dy_rows.ptr<T>(), x_rows.ptr<T>(), dw.ptr<T>());
  });
  return dw;
}

Array linear_backward_bias(const Array& dy, const MaybeTarget& out) {
  const Check check("linear");
  check_matrix(check, dy, "dy");
  const BiasSum p{leading(dy), dy.shape[-1], 1};
  const Array dbias = check.output(out, Shape{p.K}, dy, {&dy});
  const Array dy_rows = row_major(dy);
  by_dtype(dy.dtype, [&]<class T>(T) { kernels<T>(dy.device).bias_sum(p, dy_rows.ptr<T>(), dbias.ptr<T>()); });
  return dbias;
}

}  // namespace convolith::ops
