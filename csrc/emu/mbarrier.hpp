// The barriers of cuda/mbarrier.hpp, and the copies that they count.  A copy lands as late as the model allows: when a
// thread waits for the phase that it belongs to, and no other thread can go on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace convolith::emu {

void init_mbarrier(void* barrier, int arrivals);
void fence_mbarriers();
void arrive_at_mbarrier(void* barrier, int bytes);  // and expects so many bytes more of copies
void wait_for_mbarrier(void* barrier, unsigned parity, int line);

// 16 bytes of a copy: the first `valid` of them come from memory, the others are zeros.
struct Chunk {
  char* to;
  const char* from;
  std::size_t valid;
};
constexpr std::size_t chunk_bytes = 16;
// Where a byte of rows of 128 bytes lies, whose pieces of 16 bytes are permuted in each 1024 bytes of shared memory.
inline char* swizzled(char* p) {
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  return reinterpret_cast<char*>(address ^ (address >> 7 & 7) << 4);
}
// Begins a copy whose bytes the barrier counts as they land.  What it will write is garbage until then.
void begin_bulk_copy(std::vector<Chunk> chunks, void* barrier);

}  // namespace convolith::emu
