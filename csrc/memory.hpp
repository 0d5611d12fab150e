// The pool that every CPU output and workspace comes from.  Fresh pages cost five to twenty times an
// element-wise kernel on arrays of 25 MB and more, so freed blocks are kept and handed out again.
#pragma once

#include <cstdint>
#include <memory>

namespace convolith {

struct MemoryStats {
  std::int64_t in_use, idle, system_allocations;  // bytes, bytes, count
};

// A block of at least `bytes`, 64-byte aligned, contents undefined.  Throws std::bad_alloc.
void* acquire(std::int64_t bytes);
void release(void* block) noexcept;

std::shared_ptr<void> acquire_shared(std::int64_t bytes);
void empty_cache() noexcept;  // give idle blocks back to the system
MemoryStats memory_stats() noexcept;

// Bytes of the last-level cache, as the system says unless they are set: larger arrays are written past it.
std::int64_t last_level_cache() noexcept;
void set_last_level_cache(std::int64_t bytes) noexcept;

}  // namespace convolith
