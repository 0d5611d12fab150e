// The CPU's tables in order of preference: the first that this machine supports serves, unless CONVOLITH_ISA
// names another one.
#include "dispatch.hpp"

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#ifdef __linux__
#include <dlfcn.h>
#include <unistd.h>
#endif

#include "emu/runtime.hpp"
#include "runtime.hpp"

namespace convolith {

#define ISA(name, supported) \
  namespace name {           \
  void fill(Tables&);        \
  }
#include "isas.inc"
#undef ISA

namespace {

struct Isa {
  const char* name;
  bool supported;
  Tables tables;
};

const std::vector<Isa>& isas() {
  static const std::vector<Isa> list = [] {
    std::vector<Isa> all;
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
#endif
#define ISA(isa, is_supported)                     \
  all.push_back({#isa, (is_supported), Tables{}}); \
  if (all.back().supported) isa::fill(all.back().tables);
#include "isas.inc"
#undef ISA
    return all;
  }();
  return list;
}

const Isa& find(const std::string& name) {
  std::string known;
  for (const Isa& isa : isas()) {
    if (!isa.supported) continue;
    if (name == isa.name) return isa;
    known += (known.empty() ? "" : ", ") + std::string(isa.name);
  }
  throw std::invalid_argument("CONVOLITH_ISA: '" + name + "' is not available on this machine; there is " + known);
}

const Isa& preferred() {
  if (const char* forced = std::getenv("CONVOLITH_ISA"); forced && *forced) return find(forced);
  for (const Isa& isa : isas())
    if (isa.supported) return isa;
  throw std::runtime_error("convolith was built for instruction sets alone that this CPU does not have");
}

std::atomic<const Isa*>& current() {
  static std::atomic<const Isa*> isa = &preferred();
  return isa;
}

}  // namespace

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Isa& isa : isas())
    if (isa.supported) names.emplace_back(isa.name);
  return names;
}

std::string current_isa() {
  return current().load()->name;
}
void set_isa(const std::string& name) {
  current() = &find(name);
}

const Tables& tables(Device device) {
  if (device != Device::cpu) return runtime(device).tables;
  return current().load(std::memory_order_relaxed)->tables;
}

// --- Devices ---------------------------------------------------------------------------------------------------------

namespace {

// Beside this library: the module of the GPU's kernels, "" where it was not built.
std::string cuda_module() {
#ifdef __linux__
  Dl_info here{};
  if (!dladdr(reinterpret_cast<const void*>(&cuda_module), &here) || !here.dli_fname) return {};
  std::string path = here.dli_fname;
  path = path.substr(0, path.rfind('/') + 1) + "_cuda.so";
  return access(path.c_str(), R_OK) == 0 ? path : std::string{};
#else
  return {};
#endif
}

const Runtime& cuda_runtime() {
  const std::string path = cuda_module();
  if (path.empty())
    throw std::runtime_error(
        "cuda: this installation has no GPU kernels; with the CUDA toolkit installed, "
        "'pip install -C cmake.define.CONVOLITH_CUDA=ON .' builds them");
#ifdef __linux__
  static void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!module) throw std::runtime_error(std::string("cuda: the GPU kernels cannot be loaded: ") + dlerror());
  return *reinterpret_cast<const Runtime* (*)()>(dlsym(module, "convolith_cuda_runtime"))();
#endif
}

}  // namespace

bool has_runtime(Device device) noexcept {
#ifdef CONVOLITH_HAS_EMU
  if (device == Device::emu) return true;
#endif
  return device == Device::cuda && !cuda_module().empty();
}

const Runtime& runtime(Device device) {
#ifdef CONVOLITH_HAS_EMU
  if (device == Device::emu) return emu::runtime();
#endif
  if (device == Device::cuda) {
    static const Runtime& cuda = cuda_runtime();
    return cuda;
  }
  throw std::runtime_error("emu: this build has no emulator; it needs GCC, and Linux on x86-64 or aarch64");
}

}  // namespace convolith
