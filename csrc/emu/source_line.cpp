#include "source_line.hpp"

#include <dlfcn.h>

#include <cstdio>
#ifdef CONVOLITH_BACKTRACE
#include <backtrace.h>
#endif

// The linker's names for the ends of the library that this file is part of.
extern "C" const char __ehdr_start[] __attribute__((visibility("hidden")));
extern "C" const char _end[] __attribute__((visibility("hidden")));

namespace convolith::emu {
namespace {

std::string file_name(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

#ifdef CONVOLITH_BACKTRACE

// The innermost function that is not one instruction's.
int keep_line(void* line, std::uintptr_t, const char* file, int number, const char*) {
  if (!file) return 0;
  *static_cast<std::string*>(line) = file_name(file) + ":" + std::to_string(number);
  for (const char* instructions : {"emu/cuda.hpp", "cuda/async_copy.hpp", "cuda/mbarrier.hpp", "cuda/tensor_core.hpp",
                                   "cuda/tensor_map.hpp", "cuda/wgmma.hpp"})
    if (std::string(file).ends_with(instructions)) return 0;
  return 1;
}

std::string line_of(const char* instruction) {
  const auto ignore = [](void*, const char*, int) {};
  static backtrace_state* state = backtrace_create_state(nullptr, 1, ignore, nullptr);
  std::string line;
  backtrace_pcinfo(state, reinterpret_cast<std::uintptr_t>(instruction), keep_line, ignore, &line);
  return line;
}

#else

std::string line_of(const char*) {
  return {};
}

#endif

}  // namespace

std::uint32_t code_offset(const void* code) {
  return static_cast<std::uint32_t>(static_cast<const char*>(code) - __ehdr_start);
}

bool in_library(const void* p) {
  return p >= __ehdr_start && p < _end;
}

std::string source_line(std::uint32_t offset) {
  const char* instruction = __ehdr_start + offset - 1;
  if (std::string line = line_of(instruction); !line.empty()) return line;
  Dl_info library{};
  dladdr(instruction, &library);
  char text[32];
  std::snprintf(text, sizeof text, "+0x%x", offset - 1);
  return file_name(library.dli_fname ? library.dli_fname : "") + text;
}

}  // namespace convolith::emu
