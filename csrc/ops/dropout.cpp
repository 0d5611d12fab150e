#include "../graph.hpp"
#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

Array apply(const Array& x, const char* name, const Real& p, const Unsigned& seed, const Unsigned& offset,
            const MaybeTarget& out) {
  const Check check("dropout");
  check.floating(x, name);
  const bool channels = x.shape.rank >= 3;
  const Dropout problem{x.size(),
                        channels ? x.shape[1] : 1,
                        channels ? x.shape.size(2, x.shape.rank) : 1,
                        check.within(p, "p", 0, 1),
                        check.uint64(seed, "seed"),
                        check.uint64(offset, "offset")};
  refuse_capture(x.device, "dropout, which would drop the same elements at each replay,");
  const Array y = check.output(out, x.shape, x, {&x}, true);
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).dropout(problem, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

}  // namespace

Array dropout_forward(const Array& x, const Real& p, const Unsigned& seed, const Unsigned& offset,
                      const MaybeTarget& out) {
  return apply(x, "x", p, seed, offset, out);
}

Array dropout_backward(const Array& dy, const Real& p, const Unsigned& seed, const Unsigned& offset,
                       const MaybeTarget& out) {
  return apply(dy, "dy", p, seed, offset, out);
}

}  // namespace convolith::ops
