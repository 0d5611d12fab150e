// What test_emulator.py calls.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <stdexcept>
#include <string>

#include "emu/block.hpp"
#include "emu/check.hpp"
#include "emu/count.hpp"
#include "emu/memory.hpp"
#include "samples.hpp"

#define EXPORT extern "C" __attribute__((visibility("default")))

using namespace convolith;

EXPORT void* allocate(std::int64_t bytes) {
  void* p = emu::guarded_allocate(bytes);
  emu::register_memory(p, bytes, false);
  return p;
}
EXPORT void release(void* p) {
  emu::forget_memory(p);
  emu::guarded_release(p);
}
EXPORT void upload(void* device, const void* host, std::int64_t bytes) {
  std::memcpy(device, host, static_cast<std::size_t>(bytes));
  emu::mark_written(device, bytes);
}
EXPORT std::int64_t unwritten(const void* p, std::int64_t bytes) {
  return emu::unwritten_bytes(p, bytes);
}
EXPORT void set_order(int order, std::uint64_t seed) {
  emu::set_order(static_cast<emu::Order>(order), seed);
}

// What went wrong goes to error, "" if nothing did.
EXPORT void run(const char* build, const char* name, const float* x, float* y, int n, char* error, std::size_t size) {
  const std::string device = build;
  const Sample* sample = device == "emu"           ? emu::samples
                         : device == "emu_checked" ? emu_checked::samples
                                                   : emu_counted::samples;
  error[0] = 0;
  while (sample->name && std::strcmp(sample->name, name) != 0) ++sample;
  try {
    if (!sample->name) throw std::invalid_argument("no such sample");
    sample->run(name, x, y, n);
  } catch (const std::exception& e) {
    std::snprintf(error, size, "%s", e.what());
  }
}

EXPORT void start_counting() {
  emu::start_counting();
}
// The fields of the kernels' counts and of the lines', in the order of count.hpp: a line of text for each, in two
// parts.
EXPORT void stop_counting(char* text, std::size_t size) {
  const emu::Counts counts = emu::stop_counting();
  std::ostringstream s;
  for (const emu::KernelCount& k : counts.kernels)
    s << k.kernel << ' ' << k.grids << ' ' << k.blocks << ' ' << k.threads << ' ' << k.barriers << ' '
      << k.warp_barriers << ' ' << k.steps << ' ' << k.step_lanes << ' ' << k.tensor_flops << '\n';
  s << '\n';
  for (const emu::LineCount& l : counts.lines)
    s << l.kernel << ' ' << l.line << ' ' << static_cast<int>(l.what) << ' ' << l.shared << ' ' << l.requests << ' '
      << l.lanes << ' ' << l.bytes << ' ' << l.transactions << ' ' << l.least_transactions << '\n';
  std::snprintf(text, size, "%s", s.str().c_str());
}
