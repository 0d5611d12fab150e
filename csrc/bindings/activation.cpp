#include "../ops/activation.hpp"

#include "bindings.hpp"

namespace convolith::bindings {
namespace {

using namespace ops;

using Forward = Array(const Array& x, const Numbers& parameters, const MaybeTarget& out);
using Backward = Array(const Array& dy, const Array& kept, const Numbers& parameters, const MaybeTarget& out);

// A line of activations.inc: name_forward(x, parameters..., *, out) and name_backward(dy, kept, parameters..., *, out).
template <class... Parameters>
void def_activation(py::module_& m, const char* name, const char* kept, Forward* forward, Backward* backward,
                    const Parameters&... parameters) {
  const auto numbers = [=](const typename Parameters::Value&... values) {
    return Numbers{parameters.checked(Check(name), values)...};
  };
  def(
      m, (std::string(name) + "_forward").c_str(),
      [=](const Array& x, const typename Parameters::Value&... values, const MaybeTarget& out) {
        return forward(x, numbers(values...), out);
      },
      "x"_a, py::arg(parameters.name) = parameters.initial..., py::kw_only(), "out"_a = py::none());
  def(
      m, (std::string(name) + "_backward").c_str(),
      [=](const Array& dy, const Array& saved, const typename Parameters::Value&... values, const MaybeTarget& out) {
        return backward(dy, saved, numbers(values...), out);
      },
      "dy"_a, py::arg(kept), py::arg(parameters.name) = parameters.initial..., py::kw_only(), "out"_a = py::none());
}

}  // namespace

void register_activation(py::module_& m) {
#define ACTIVATION(name, kept, ...) \
  def_activation(m, #name, #kept, name##_forward, name##_backward __VA_OPT__(, ) __VA_ARGS__);
#include "../activations.inc"
#undef ACTIVATION
  def(m, "prelu_forward", prelu_forward, "x"_a, "weight"_a, py::kw_only(), "out"_a = py::none());
  def(m, "prelu_backward", prelu_backward, "dy"_a, "x"_a, "weight"_a, py::kw_only(), "out"_a = py::none());
  def(m, "maxout_forward", maxout_forward, "x"_a, "pieces"_a, py::kw_only(), "out"_a = py::none());
  def(m, "maxout_backward", maxout_backward, "dy"_a, "x"_a, "pieces"_a, py::kw_only(), "out"_a = py::none());
}

}  // namespace convolith::bindings
