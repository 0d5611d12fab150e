// Graphs: what a device has recorded, to be replayed.
#include "../graph.hpp"

#include "../ops/check.hpp"
#include "bindings.hpp"

namespace convolith::bindings {
namespace {

std::unique_ptr<Graph> make_graph(const Text& device) {
  const Check check("graph");
  const Device d = check.device(device);
  check.require(d != Device::cpu, "the CPU has no graphs; device must be 'cuda' or 'emu'");
  return std::make_unique<Graph>(d);
}

bool is_capturing(const Text& device) {
  const Graph* graph = current_capture();
  return graph && graph->device() == Check("is_capturing").device(device);
}

}  // namespace

void register_graph(py::module_& m) {
  const py::call_guard<py::gil_scoped_release> unlocked;
  py::class_<Graph>(m, "Graph")
      .def(py::init(&make_graph), "device"_a = "cuda")
      .def("begin", &Graph::begin)
      .def("end", &Graph::end, unlocked)
      .def("reset", &Graph::reset)
      .def("replay", &Graph::replay, unlocked);
  m.def("is_capturing", &is_capturing, "device"_a);
}

}  // namespace convolith::bindings
