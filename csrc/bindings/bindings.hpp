// What every bindings file needs: the casters, the operators and def(), which names the arguments, releases the GIL
// and decides nothing.
#pragma once

#include "../ops/ops.hpp"
#include "casters.hpp"

namespace convolith::bindings {

using namespace py::literals;

template <class F, class... Args>
void def(py::module_& m, const char* name, F function, const Args&... args) {
  m.def(name, function, args..., py::call_guard<py::gil_scoped_release>());
}

void register_device(py::module_& m);
void register_stream(py::module_& m);
void register_graph(py::module_& m);
void register_conv2d(py::module_& m);
void register_linear(py::module_& m);
void register_activation(py::module_& m);
void register_arithmetic(py::module_& m);
void register_pool2d(py::module_& m);
void register_patches(py::module_& m);
void register_resample(py::module_& m);
void register_batch_norm(py::module_& m);
void register_group_norm(py::module_& m);
void register_local_response_norm(py::module_& m);
void register_softmax(py::module_& m);
void register_loss(py::module_& m);
void register_dropout(py::module_& m);
void register_clip(py::module_& m);
void register_scale(py::module_& m);
void register_shape(py::module_& m);
void register_optimizer(py::module_& m);
void register_augment(py::module_& m);

}  // namespace convolith::bindings
