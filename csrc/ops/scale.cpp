#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {

Array scale_forward(const Array& x, const Array& factor, const MaybeTarget& found_inf, const MaybeTarget& out) {
  const Check check("scale");
  check.floating(x, "x");
  check.parameter(factor, "factor", x, Shape{});
  const Array y = check.output(out, x.shape, x, {&x}, true);
  check.apart(y, "out", factor, "factor");
  if (found_inf) {
    check.in_place(*found_inf, "found_inf", Shape{}, factor, "factor");
    check.apart(*found_inf, "found_inf", factor, "factor");
    check.apart(*found_inf, "found_inf", x, "x");
    check.apart(*found_inf, "found_inf", y, "out");
  }
  by_dtype(x.dtype, [&]<class T>(T) {
    using P = Parameter<T>;
    kernels<T>(x.device).scale_forward(Map{x.size()}, x.ptr<T>(), factor.ptr<P>(),
                                       found_inf ? found_inf->ptr<P>() : nullptr, y.ptr<T>());
  });
  return y;
}

}  // namespace convolith::ops
