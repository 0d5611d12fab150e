#include "graph.hpp"

#include <cstring>
#include <utility>
#include <vector>

#include "../private_pool.hpp"
#include "check.hpp"
#include "memory.hpp"

namespace convolith::emu {
namespace {

using Recording = std::vector<std::function<void()>>;

thread_local Recording* recording = nullptr;

// Never destroyed: arrays may outlive the module.
PrivatePools& pools() {
  static PrivatePools& instance = *new PrivatePools(guarded_allocate, [](void* block) {
    forget_memory(block);
    guarded_release(block);
  });
  return instance;
}

}  // namespace

const Graphs graphs{
    []() -> void* { return recording = new Recording; },
    [](void*) { recording = nullptr; },
    [](void* graph) {
      for (const auto& work : *static_cast<Recording*>(graph)) work();
    },
    [](void* graph) noexcept {
      pools().drop(graph);
      delete static_cast<Recording*>(graph);
    },
    [](const void* graph, const void* block) { return pools().owns(graph, block); },
};

void submit(std::function<void()> work) {
  if (recording)
    recording->push_back(std::move(work));
  else
    work();
}

void* acquire_captured(std::int64_t bytes) {
  return recording ? pools().acquire(recording, bytes) : nullptr;
}

bool release_captured(void* block) {
  return pools().release(block);
}
bool capturing() noexcept {
  return recording;
}

void launch_grid(const char* name, Index grid, Index block, std::size_t shared_bytes, void (*body)(const void*),
                 const void* arguments, std::size_t bytes, Observer* observer) {
  if (!recording) return run_grid(name, grid, block, shared_bytes, body, arguments, observer);
  std::vector<std::max_align_t> kept(bytes / sizeof(std::max_align_t) + 1);
  std::memcpy(kept.data(), arguments, bytes);
  submit([=, kept = std::move(kept)] { run_grid(name, grid, block, shared_bytes, body, kept.data(), observer); });
}

}  // namespace convolith::emu
