#include "memory.hpp"

#include <sys/mman.h>

#include <bit>
#include <cstddef>
#include <map>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

namespace convolith::emu {
namespace {

constexpr std::size_t page = 4096, chunk = std::size_t{64} << 20;

// Blocks are cut from chunks, an empty page after each, and wait in lists by size to be handed out again.  Those of a
// chunk and more come from the system and go back to it.  Pages that nobody touches cost nothing.
struct Pool {
  std::mutex mutex;
  char *next = nullptr, *end = nullptr;  // of the chunk that is being cut
  std::unordered_map<void*, std::size_t> sizes;
  std::map<std::size_t, std::vector<void*>> idle;
};

// Never destroyed: arrays may outlive the module.
Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

// Whole pages, in steps of a quarter of a power of two.
std::size_t size_class(std::int64_t bytes) {
  const std::size_t pages = (static_cast<std::size_t>(bytes < 1 ? 1 : bytes) + page - 1) / page;
  const std::size_t step = pages < 8 ? 1 : std::bit_floor(pages - 1) / 4;
  return (pages + step - 1) / step * step * page;
}

char* map(std::size_t bytes) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  return static_cast<char*>(p);
}

// A new block, with a page before it that nothing else lies in.
void* cut(Pool& pool, std::size_t bytes) {
  if (bytes >= chunk) return map(bytes + 2 * page) + page;
  if (static_cast<std::size_t>(pool.end - pool.next) < bytes + 2 * page) {
    pool.next = map(chunk + 2 * page);
    pool.end = pool.next + chunk + 2 * page;
  }
  void* block = pool.next + page;
  pool.next += page + bytes;
  return block;
}

}  // namespace

void* guarded_allocate(std::int64_t bytes) {
  if (bytes > (std::int64_t{1} << 46)) throw std::bad_alloc();
  const std::size_t size = size_class(bytes);
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  std::vector<void*>& idle = p.idle[size];
  if (!idle.empty()) {
    void* block = idle.back();
    idle.pop_back();
    return block;
  }
  void* block = cut(p, size);
  p.sizes[block] = size;
  return block;
}

void guarded_release(void* block) noexcept {
  if (!block) return;
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  const auto known = p.sizes.find(block);
  if (known->second < chunk) {
    try {
      p.idle.find(known->second)->second.push_back(block);
    } catch (const std::bad_alloc&) {  // then nobody gets it any more
    }
    return;
  }
  munmap(static_cast<char*>(block) - page, known->second + 2 * page);
  p.sizes.erase(known);
}

}  // namespace convolith::emu
