#include "memory.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <new>
#include <string>
#include <vector>
#ifdef __linux__
#include <sys/mman.h>
#endif

namespace convolith {
namespace {

constexpr std::int64_t huge_page = std::int64_t{2} << 20;

// Lives in front of each block, one cache line long, so that the block itself stays aligned.
struct alignas(64) Header {
  int size_class;
  std::int64_t bytes;
};

// Four classes per power of two: at most 25 % of a block is wasted.
struct SizeClass {
  int index;
  std::int64_t bytes;
};
SizeClass size_class(std::int64_t bytes) {
  const auto need = static_cast<std::uint64_t>(bytes < 256 ? 256 : bytes);
  const int power = std::bit_width(need - 1);  // 2^(power-1) < need <= 2^power
  const std::uint64_t base = std::uint64_t{1} << (power - 1), quarter = base / 4;
  const std::uint64_t steps = (need - base + quarter - 1) / quarter;
  return {4 * power + static_cast<int>(steps), static_cast<std::int64_t>(base + steps * quarter)};
}

struct Pool {
  std::mutex mutex;
  std::array<std::vector<Header*>, 4 * 64 + 5> idle;
  MemoryStats stats{};
};

// Never destroyed: arrays may outlive the module during interpreter shutdown.
Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

Header* system_allocate(std::int64_t bytes) {
  const std::int64_t total = bytes + static_cast<std::int64_t>(sizeof(Header));
  const std::int64_t align = total >= huge_page ? huge_page : 64;
  void* raw = std::aligned_alloc(static_cast<std::size_t>(align),
                                 static_cast<std::size_t>((total + align - 1) / align * align));
  if (!raw) throw std::bad_alloc();
#ifdef __linux__
  if (total >= huge_page) madvise(raw, static_cast<std::size_t>(total), MADV_HUGEPAGE);  // a hint: failure is harmless
#endif
  return static_cast<Header*>(raw);
}

// Of the largest cache that Linux lists ("32768K"); 32 MiB where it does not say.
std::int64_t system_cache_size() {
  std::int64_t kibibytes = 0;
  for (const char level : {'2', '3'}) {
    std::ifstream file(std::string("/sys/devices/system/cpu/cpu0/cache/index") + level + "/size");
    if (std::int64_t size = 0; file >> size) kibibytes = std::max(kibibytes, size);
  }
  return (kibibytes > 0 ? kibibytes : 32 << 10) << 10;
}
std::atomic<std::int64_t>& cache_size() {
  static std::atomic<std::int64_t> bytes = system_cache_size();
  return bytes;
}

}  // namespace

void* acquire(std::int64_t bytes) {
  if (bytes > (std::int64_t{1} << 60)) throw std::bad_alloc();
  const auto [index, size] = size_class(bytes);
  Pool& p = pool();
  Header* header = nullptr;
  {
    std::lock_guard lock(p.mutex);
    auto& idle = p.idle[static_cast<std::size_t>(index)];
    if (!idle.empty()) {
      header = idle.back();
      idle.pop_back();
      p.stats.idle -= size;
      p.stats.in_use += size;
    }
  }
  if (!header) {
    header = system_allocate(size);
    *header = {index, size};
    std::lock_guard lock(p.mutex);
    p.stats.in_use += size;
    ++p.stats.system_allocations;
  }
  return header + 1;
}

void release(void* block) noexcept {
  if (!block) return;
  Header* header = static_cast<Header*>(block) - 1;
  Pool& p = pool();
  std::lock_guard lock(p.mutex);
  p.stats.in_use -= header->bytes;
  try {
    p.idle[static_cast<std::size_t>(header->size_class)].push_back(header);
    p.stats.idle += header->bytes;
  } catch (const std::bad_alloc&) {
    std::free(header);
  }
}

std::shared_ptr<void> acquire_shared(std::int64_t bytes) {
  return {acquire(bytes), release};
}

void empty_cache() noexcept {
  Pool& p = pool();
  std::lock_guard lock(p.mutex);
  for (auto& idle : p.idle) {
    for (Header* header : idle) std::free(header);
    idle.clear();
  }
  p.stats.idle = 0;
}

MemoryStats memory_stats() noexcept {
  Pool& p = pool();
  std::lock_guard lock(p.mutex);
  return p.stats;
}

std::int64_t last_level_cache() noexcept {
  return cache_size().load(std::memory_order_relaxed);
}
void set_last_level_cache(std::int64_t bytes) noexcept {
  cache_size() = bytes;
}

}  // namespace convolith
