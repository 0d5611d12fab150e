// convolith._C: the compiled half.  Primitives come one file per family; here is what is not one.
#include <map>

#include "../dispatch.hpp"
#include "../memory.hpp"
#include "../ops/check.hpp"
#include "../threads.hpp"
#include "bindings.hpp"

namespace convolith::bindings {
namespace {

std::map<std::string, std::string> build_info() {
  return {
      {"version", CONVOLITH_VERSION},
#if defined(__clang__)
      {"compiler", "clang " __clang_version__},
#elif defined(__GNUC__)
      {"compiler", "gcc " __VERSION__},
#endif
      {"build_type", CONVOLITH_BUILD_TYPE},
      {"openmp", std::to_string(_OPENMP)},
  };
}

void set_threads(const Int& n) {
  const Check check("set_num_threads");
  const std::int64_t threads = check.integer(n, "n");
  check.require(threads >= 1 && threads <= 1024, "n must be in [1, 1024], got ", threads);
  set_num_threads(static_cast<int>(threads));
}

}  // namespace

PYBIND11_MODULE(_C, m) {
  m.doc() = "The compiled half of convolith: its kernels, and what is asked of them.";
  py::register_exception_translator([](std::exception_ptr e) {
    try {
      if (e) std::rethrow_exception(e);
    } catch (const TypeError& error) {
      PyErr_SetString(PyExc_TypeError, error.what());
    }
  });

  m.def("get_num_threads", &get_num_threads);
  m.def("set_num_threads", &set_threads, "n"_a);
  m.def("isa", &current_isa);
  m.def("available_isas", &available_isas);
  m.def("set_isa", &set_isa, "name"_a);
  m.def("build_info", &build_info);
  m.def("empty_cache", &empty_cache);
  m.def("last_level_cache", &last_level_cache);
  m.def("set_last_level_cache", &set_last_level_cache, "bytes"_a);
  m.def("memory_stats", [] {
    const MemoryStats s = memory_stats();
    return std::map<std::string, std::int64_t>{
        {"in_use", s.in_use}, {"idle", s.idle}, {"system_allocations", s.system_allocations}};
  });

  register_device(m);
  register_stream(m);
  register_graph(m);
  register_conv2d(m);
  register_linear(m);
  register_activation(m);
  register_arithmetic(m);
  register_pool2d(m);
  register_patches(m);
  register_resample(m);
  register_batch_norm(m);
  register_group_norm(m);
  register_local_response_norm(m);
  register_softmax(m);
  register_loss(m);
  register_dropout(m);
  register_clip(m);
  register_scale(m);
  register_shape(m);
  register_optimizer(m);
  register_augment(m);
}

}  // namespace convolith::bindings
