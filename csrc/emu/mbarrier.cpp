#include "mbarrier.hpp"

#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <utility>

#include "block.hpp"
#include "observer.hpp"
#include "of_block.hpp"

namespace convolith::emu {
namespace {

struct Mbarrier {
  int arrivals;        // that end a phase
  int missing;         // of them, in this phase
  std::int64_t bytes;  // that copies owe this phase
  unsigned phase;      // how many are complete
  int initialised_by;  // which thread
  bool fenced;         // since then
  std::deque<std::vector<Chunk>> copies;

  bool complete(unsigned parity) const { return phase % 2 != parity; }  // the latest phase of that parity
};

thread_local OfBlock<std::map<void*, Mbarrier>> mbarriers;

Mbarrier& initialised(void* barrier) {
  const auto found = mbarriers->find(barrier);
  if (found == mbarriers->end()) fail("an mbarrier is used that nobody has initialised");
  return found->second;
}

void end_phase(void* barrier, Mbarrier& b) {
  if (b.missing != 0 || b.bytes != 0) return;
  b.missing = b.arrivals;
  ++b.phase;
  if (watching) watching->complete(barrier);
}

void land(const std::vector<Chunk>& chunks) {
  for (const Chunk& c : chunks) {
    std::memset(c.to, 0, chunk_bytes);
    if (c.valid) std::memcpy(c.to, c.from, c.valid);
    if (watching) watching->landed(c.to, chunk_bytes);
  }
}

struct Wait {
  void* barrier;
  unsigned parity;
};

// Whether the phase is complete, once the copies have landed that it needs for that.
bool is_over(void* it) {
  const Wait& wait = *static_cast<Wait*>(it);
  Mbarrier& b = initialised(wait.barrier);
  while (!b.complete(wait.parity) && b.missing == 0 && !b.copies.empty()) {
    land(b.copies.front());
    b.bytes -= static_cast<std::int64_t>(b.copies.front().size() * chunk_bytes);
    b.copies.pop_front();
    end_phase(wait.barrier, b);
  }
  return b.complete(wait.parity);
}

}  // namespace

void init_mbarrier(void* barrier, int arrivals) {
  announce(Access::write, barrier, 8, __builtin_return_address(0));
  if (reinterpret_cast<std::uintptr_t>(barrier) % 8 != 0) fail("an mbarrier is not aligned to 8 bytes");
  if (arrivals < 1) fail("an mbarrier expects at least one arrival");
  std::memset(barrier, 0, 8);
  mbarriers->insert_or_assign(barrier, Mbarrier{arrivals, arrivals, 0, 0, position().linear, false, {}});
}

void fence_mbarriers() {
  for (auto& [barrier, b] : *mbarriers)
    if (b.initialised_by == position().linear) b.fenced = true;
}

void arrive_at_mbarrier(void* barrier, int bytes) {
  announce(Access::atomic, barrier, 8, __builtin_return_address(0));
  Mbarrier& b = initialised(barrier);
  if (b.missing == 0) fail("more threads arrive at an mbarrier than it was initialised for");
  if (watching) watching->arrive(barrier);
  b.bytes += bytes;
  --b.missing;
  end_phase(barrier, b);
}

void wait_for_mbarrier(void* barrier, unsigned parity, int line) {
  announce(Access::atomic, barrier, 8, __builtin_return_address(0));
  if (parity > 1) fail("the parity of an mbarrier's phase is 0 or 1");
  Wait wait{barrier, parity};
  if (!initialised(barrier).complete(parity)) wait_until(is_over, &wait, line);
  if (watching) watching->wait(barrier);
}

void begin_bulk_copy(std::vector<Chunk> chunks, void* barrier) {
  Mbarrier& b = initialised(barrier);
  if (!b.fenced) fail("no fence_barriers() stands between an mbarrier's initialisation and a copy for it");
  for (const Chunk& c : chunks) std::memset(c.to, 0xff, chunk_bytes);
  if (watching) watching->arrive(barrier);
  b.copies.push_back(std::move(chunks));
}

}  // namespace convolith::emu
