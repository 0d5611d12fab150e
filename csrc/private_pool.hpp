// Memory of graphs.  A replay writes where the capture would have written: blocks that a capture acquires go round
// within it, and to nobody else while the graph lives.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>

namespace convolith {

class PrivatePools {
 public:
  using Allocate = void* (*)(std::int64_t bytes);
  using Free = void (*)(void* block);
  PrivatePools(Allocate allocate, Free free) : allocate_(allocate), free_(free) {}

  // At least `bytes`: the smallest idle block of the graph that is not too large, or a new one.
  void* acquire(const void* graph, std::int64_t bytes) {
    const std::lock_guard lock(mutex_);
    void* best = nullptr;
    for (const auto& [block, its] : blocks_) {
      const bool fits = its.graph == graph && its.idle && its.bytes >= bytes && its.bytes / 2 <= bytes + granule;
      if (fits && (!best || its.bytes < blocks_[best].bytes)) best = block;
    }
    if (!best) {
      const std::int64_t size = (bytes / granule + 1) * granule;
      best = allocate_(size);
      blocks_[best] = {graph, size, true};
    }
    blocks_[best].idle = false;
    return best;
  }

  // Whether it was one of theirs.
  bool release(void* block) {
    const std::lock_guard lock(mutex_);
    const auto found = blocks_.find(block);
    if (found == blocks_.end()) return false;
    found->second.idle = true;
    if (!found->second.graph) {
      free_(block);
      blocks_.erase(found);
    }
    return true;
  }

  bool owns(const void* graph, const void* block) {
    const std::lock_guard lock(mutex_);
    const auto found = blocks_.find(const_cast<void*>(block));
    return found != blocks_.end() && found->second.graph == graph;
  }

  // The graph is gone: idle blocks are freed, the others when their arrays go.
  void drop(const void* graph) {
    const std::lock_guard lock(mutex_);
    for (auto i = blocks_.begin(); i != blocks_.end();) {
      if (i->second.graph == graph) i->second.graph = nullptr;
      const bool free = !i->second.graph && i->second.idle;
      if (free) free_(i->first);
      i = free ? blocks_.erase(i) : std::next(i);
    }
  }

 private:
  static constexpr std::int64_t granule = 512;
  struct Block {
    const void* graph;  // null: it is gone
    std::int64_t bytes;
    bool idle;
  };
  std::mutex mutex_;
  std::unordered_map<void*, Block> blocks_;
  Allocate allocate_;
  Free free_;
};

}  // namespace convolith
