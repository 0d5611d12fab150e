// What the checked build knows about memory: which bytes were ever written, and who used them last.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <vector>

namespace convolith::emu {

// A use of some bytes by one thread.  Periods count the barriers of all blocks that have run; 0 is before all of them.
struct Use {
  std::uint64_t period : 48, thread : 10, atomic : 1;
  std::uint32_t clock;  // of the thread
  std::uint32_t code;
};

// Which uses come before what the running thread does now: those of earlier grids, those before the block's last
// barrier, its own, and those of threads that it has heard of since, through __syncwarp or an mbarrier (vector clocks:
// Mattern 1989).  Nothing orders blocks.
class Clocks {
 public:
  void begin_grid(int threads);
  void begin_block();
  void barrier() { ++period_; }
  void sync_warp(int thread, unsigned lanes);
  void arrive(int thread, const void* mbarrier);
  void complete(const void* mbarrier);
  void wait(int thread, const void* mbarrier);

  Use now(int thread, bool atomic, std::uint32_t code) const {
    return {period_, static_cast<unsigned>(thread), atomic, known_[thread][thread], code};
  }
  bool of_this_grid(const Use& use) const { return use.period >= grid_; }
  bool of_this_block(const Use& use) const { return use.period >= block_; }
  std::uint64_t block() const { return block_; }
  bool before(const Use& use, int thread, bool shared) const {
    if (!of_this_grid(use)) return true;
    if (!of_this_block(use)) return shared;
    if (use.period < period_ || static_cast<int>(use.thread) == thread) return true;
    return known_[thread][use.thread] >= use.clock;
  }

 private:
  using Known = std::vector<std::uint32_t>;  // of each thread's clock
  struct Heard {
    Known so_far, by_waiting;  // who waits hears of the phases that are complete
  };
  static void join(Known& known, const Known& other);

  std::vector<Known> known_;                // by each thread
  std::map<const void*, Heard> mbarriers_;  // of this block
  std::uint64_t period_ = 0, grid_ = 0, block_ = 0;
};

// The shadow of one array.
class Shadow {
 public:
  Shadow(std::int64_t bytes, bool written, bool shared) : bytes_(bytes), shared_(shared) {
    if (!written) written_.resize(static_cast<std::size_t>(bytes));
  }

  void mark(std::int64_t at, std::int64_t bytes, bool written);
  std::int64_t unwritten(std::int64_t at, std::int64_t bytes) const;  // how many

  // Remembers a use of bytes [at, at + bytes).  Returns the earlier one that it has no order with, though one of them
  // writes: its period is 0 if there is none.
  struct Race {
    Use earlier;
    bool earlier_wrote;
  };
  Race use(std::int64_t at, std::int64_t bytes, const Use& use, bool writes, const Clocks& clocks);

 private:
  // Two readers are kept, so that one of them is not the thread that writes next.
  struct Cell {
    Use write, atomic, reads[2];
  };
  void refine(int log_bytes);

  std::int64_t bytes_;
  bool shared_;                        // by the threads of a block: no other block ever sees it
  std::vector<std::uint8_t> written_;  // empty: all of them
  std::unique_ptr<Cell[], void (*)(void*)> cells_{nullptr, std::free};
  int cell_ = 2;  // bytes of a cell: as few as the smallest access so far had, log2
};

}  // namespace convolith::emu
