// The CPU's tables in order of preference: the first that this machine supports serves, unless CONVOLITH_ISA
// names another one.
#include "dispatch.hpp"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "kernels.hpp"

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
  throw std::logic_error("no baseline kernels");  // the build always has one
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
  if (device != Device::cpu) throw std::invalid_argument("this build has no kernels for that device");
  return current().load(std::memory_order_relaxed)->tables;
}

}  // namespace convolith
