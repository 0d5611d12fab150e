#include "bindings.hpp"

namespace convolith::bindings {

void register_scale(py::module_& m) {
  def(m, "scale_forward", ops::scale_forward, "x"_a, "factor"_a, "found_inf"_a = py::none(), py::kw_only(),
      "out"_a = py::none());
}

}  // namespace convolith::bindings
