#include "runtime.hpp"

#include <unistd.h>

#include <atomic>
#include <cstring>
#include <stdexcept>
#include <string>

#include "../memory.hpp"
#include "check.hpp"
#include "graph.hpp"
#include "memory.hpp"

namespace convolith {

// Each build of the kernels has these (cuda/table.cu, cuda/layout.cu), and asks for scratch memory.
#define BUILD(device)                                                                 \
  namespace device {                                                                  \
  void fill(Tables& tables);                                                          \
  void transpose(const Transpose& p, std::int64_t item_size, const void* x, void* y); \
  void cast(std::int64_t n, DType from, DType to, const void* x, void* y);            \
  void fill_memory(std::int64_t n, DType dtype, double value, void* x);               \
  void* acquire_scratch(std::int64_t bytes);                                          \
  void release_scratch(void* block) noexcept;                                         \
  }
BUILD(emu)
BUILD(emu_checked)
BUILD(emu_counted)
#undef BUILD

namespace emu {
namespace {

std::atomic<Mode> current{Mode::plain};

// The checks know all memory of the device, so that they can tell what lies outside.  Of what was acquired while they
// were off they do not know which bytes have been written: all, they suppose.  A graph's block may be several arrays,
// one after the other, at each replay.
void* acquire(std::int64_t bytes) {
  const std::int64_t page = sysconf(_SC_PAGESIZE), total = page * sysconf(_SC_PHYS_PAGES);
  if (bytes > total) throw OutOfMemory("emu", bytes, page * sysconf(_SC_AVPHYS_PAGES), total);
  void* captured = acquire_captured(bytes);
  void* block = captured ? captured : guarded_allocate(bytes);
  submit([=] {
    if (captured) forget_memory(block);  // as the last replay left it
    register_memory(block, bytes, mode() != Mode::checked);
  });
  return block;
}
void release(void* block) noexcept {
  if (!block) return;
  forget_memory(block);
  if (!release_captured(block)) return guarded_release(block);
  if (capturing()) submit([=] { forget_memory(block); });
}

void upload(void* device, const void* host, std::int64_t bytes, bool) {
  std::memcpy(device, host, static_cast<std::size_t>(bytes));
  mark_written(device, bytes);
}
void download(void* host, const void* device, std::int64_t bytes) {
  if (const std::int64_t lost = unwritten_bytes(device, bytes); lost > 0)
    throw std::runtime_error("emu: " + std::to_string(lost) + " of the " + std::to_string(bytes) +
                             " bytes of an array were written by no kernel");
  std::memcpy(host, device, static_cast<std::size_t>(bytes));
}
void copy(void* to, const void* from, std::int64_t bytes) {
  submit([=] {
    std::memcpy(to, from, static_cast<std::size_t>(bytes));
    mark_written(to, bytes);
  });
}

// --- Streams: whatever is given to one is done at once --------------------------------------------------------------

struct Stream {};
struct Event {
  std::int64_t time = 0;
};

thread_local void* stream_in_use = nullptr;

const Streams streams{
    .create = []() -> void* { return new Stream; },
    .destroy = [](void* stream) noexcept { delete static_cast<Stream*>(stream); },
    .current = []() noexcept { return stream_in_use; },
    .use = [](void* stream) noexcept { stream_in_use = stream; },
    .synchronize = [](void*) {},
    .adopt = [](void*) {},
    .create_event = []() -> void* { return new Event; },
    .destroy_event = [](void* event) noexcept { delete static_cast<Event*>(event); },
    .record = [](void* event) { static_cast<Event*>(event)->time = clock_ns(); },
    .wait = [](void*) {},
    .synchronize_event = [](void*) {},
    .milliseconds =
        [](void* begin, void* end) {
          return 1e-6 * static_cast<double>(static_cast<Event*>(end)->time - static_cast<Event*>(begin)->time);
        },
};

Runtime make(void (*fill)(Tables&), decltype(Runtime::transpose) transpose, decltype(Runtime::cast) cast,
             decltype(Runtime::fill) fill_memory) {
  Runtime r{.tables = {},
            .acquire = acquire,
            .release = release,
            .acquire_pinned = convolith::acquire,
            .release_pinned = convolith::release,
            .upload = upload,
            .download = download,
            .copy = copy,
            .transpose = transpose,
            .cast = cast,
            .fill = fill_memory,
            .synchronize = [] {},
            .streams = streams,
            .graphs = graphs};
  fill(r.tables);
  return r;
}

}  // namespace

void* acquire_scratch(std::int64_t bytes) {
  return acquire(bytes);
}
void release_scratch(void* block) noexcept {
  release(block);
}

void set_mode(Mode mode) {
  if (mode != Mode::checked) mark_everything_written();
  current = mode;
}
Mode mode() noexcept {
  return current;
}

const Runtime& runtime() {
  static const Runtime runtimes[] = {
      make(fill, transpose, cast, fill_memory),
      make(emu_checked::fill, emu_checked::transpose, emu_checked::cast, emu_checked::fill_memory),
      make(emu_counted::fill, emu_counted::transpose, emu_counted::cast, emu_counted::fill_memory)};
  return runtimes[static_cast<int>(mode())];
}

}  // namespace emu

void* emu_checked::acquire_scratch(std::int64_t bytes) {
  return emu::acquire_scratch(bytes);
}
void emu_checked::release_scratch(void* block) noexcept {
  emu::release_scratch(block);
}
void* emu_counted::acquire_scratch(std::int64_t bytes) {
  return emu::acquire_scratch(bytes);
}
void emu_counted::release_scratch(void* block) noexcept {
  emu::release_scratch(block);
}

}  // namespace convolith
