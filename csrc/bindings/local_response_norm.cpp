#include "bindings.hpp"

namespace convolith::bindings {

void register_local_response_norm(py::module_& m) {
  def(
      m, "local_response_norm_forward",
      [](const Array& x, const Int& size, const Real& alpha, const Real& beta, const Real& k, const MaybeTarget& out) {
        return ops::local_response_norm_forward(x, {size, alpha, beta, k}, out);
      },
      "x"_a, "size"_a, "alpha"_a = 1e-4, "beta"_a = 0.75, "k"_a = 1.0, py::kw_only(), "out"_a = py::none());
  def(
      m, "local_response_norm_backward",
      [](const Array& dy, const Array& x, const Int& size, const Real& alpha, const Real& beta, const Real& k,
         const MaybeTarget& out) { return ops::local_response_norm_backward(dy, x, {size, alpha, beta, k}, out); },
      "dy"_a, "x"_a, "size"_a, "alpha"_a = 1e-4, "beta"_a = 0.75, "k"_a = 1.0, py::kw_only(), "out"_a = py::none());
}

}  // namespace convolith::bindings
