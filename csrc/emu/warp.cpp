// What the lanes of a warp do together: the last one to come does it for all.
#include "cuda.hpp"
#include "observer.hpp"

namespace convolith::emu {
namespace {

struct Ballot {
  bool yes;
  unsigned result;
};

}  // namespace

// The only meeting of lanes that orders what they read and write (CUDA C++ Programming Guide, "Synchronization
// Functions").
void sync_warp(unsigned mask) {
  meet_warp(mask, sync, nullptr, [](void* const(&)[32], unsigned lanes) {
    if (watching) watching->sync_warp(lanes);
  });
}

void exchange(unsigned mask, Meeting what, Shuffle& mine) {
  meet_warp(mask, what, &mine, [](void* const(&given)[32], unsigned) {
    for (void* lane : given) {
      if (!lane) continue;
      auto* wants = static_cast<Shuffle*>(lane);
      const void* source = given[wants->from & 31];
      wants->result = source ? static_cast<const Shuffle*>(source)->value : ~std::uint64_t{0};
    }
  });
}

unsigned vote(unsigned mask, bool yes) {
  Ballot mine{yes, 0};
  meet_warp(mask, ballot, &mine, [](void* const(&given)[32], unsigned) {
    unsigned result = 0;
    for (int i = 0; i < 32; ++i)
      if (given[i] && static_cast<const Ballot*>(given[i])->yes) result |= 1u << i;
    for (void* lane : given)
      if (lane) static_cast<Ballot*>(lane)->result = result;
  });
  return mine.result;
}

}  // namespace convolith::emu
