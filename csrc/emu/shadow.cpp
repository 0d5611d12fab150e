#include "shadow.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "block.hpp"

namespace convolith::emu {

void Clocks::begin_grid(int threads) {
  grid_ = period_ + 1;
  const auto n = static_cast<std::size_t>(threads);
  known_.assign(n, Known(n));
  for (std::size_t i = 0; i < n; ++i) known_[i][i] = 1;
}

void Clocks::begin_block() {
  block_ = ++period_;
  mbarriers_.clear();
}

void Clocks::join(Known& known, const Known& other) {
  if (known.size() < other.size()) known.resize(other.size());
  for (std::size_t i = 0; i < other.size(); ++i) known[i] = std::max(known[i], other[i]);
}

void Clocks::sync_warp(int thread, unsigned lanes) {
  const auto first = static_cast<std::size_t>(thread / 32 * 32);
  Known all;
  for (std::size_t i = 0; i < 32; ++i)
    if (lanes >> i & 1) join(all, known_[first + i]);
  for (std::size_t i = 0; i < 32; ++i) {
    if (!(lanes >> i & 1)) continue;
    known_[first + i] = all;
    ++known_[first + i][first + i];
  }
}

void Clocks::arrive(int thread, const void* mbarrier) {
  const auto i = static_cast<std::size_t>(thread);
  join(mbarriers_[mbarrier].so_far, known_[i]);
  ++known_[i][i];
}

void Clocks::complete(const void* mbarrier) {
  Heard& heard = mbarriers_[mbarrier];
  heard.by_waiting = heard.so_far;
}

void Clocks::wait(int thread, const void* mbarrier) {
  join(known_[static_cast<std::size_t>(thread)], mbarriers_[mbarrier].by_waiting);
}

void Shadow::mark(std::int64_t at, std::int64_t bytes, bool written) {
  if (!written_.empty()) std::memset(written_.data() + at, written, static_cast<std::size_t>(bytes));
}

std::int64_t Shadow::unwritten(std::int64_t at, std::int64_t bytes) const {
  if (written_.empty()) return 0;
  return std::count(written_.begin() + at, written_.begin() + at + bytes, 0);
}

// Cells of fewer bytes, each of which knows what the one that it was part of knew.
void Shadow::refine(int log_bytes) {
  const std::int64_t n = (bytes_ >> log_bytes) + 1;
  auto* finer = static_cast<Cell*>(std::calloc(static_cast<std::size_t>(n), sizeof(Cell)));
  if (!finer) fail("no memory is left to remember accesses in");
  if (cells_)
    for (std::int64_t i = 0; i < n; ++i) finer[i] = cells_[static_cast<std::size_t>(i >> (cell_ - log_bytes))];
  cells_.reset(finer);
  cell_ = log_bytes;
}

Shadow::Race Shadow::use(std::int64_t at, std::int64_t bytes, const Use& use, bool writes, const Clocks& clocks) {
  const int log_bytes = std::countr_zero(static_cast<std::uint64_t>(at | bytes));
  if (!cells_ || log_bytes < cell_) refine(std::min(log_bytes, cell_));
  const auto before = [&](const Use& earlier) { return clocks.before(earlier, use.thread, shared_); };
  for (std::int64_t i = at >> cell_; i <= (at + bytes - 1) >> cell_; ++i) {
    Cell& c = cells_[static_cast<std::size_t>(i)];
    if (!before(c.write)) return {c.write, true};
    if (!use.atomic && !before(c.atomic)) return {c.atomic, true};
    if (writes) {
      for (const Use& read : c.reads)
        if (!before(read)) return {read, false};
      if (!use.atomic) c.write = use;
      if (use.atomic && before(c.atomic)) c.atomic = use;
    } else if (before(c.reads[0])) {
      c.reads[0] = use;
    } else if (before(c.reads[1])) {
      c.reads[1] = use;
    }
  }
  return {};
}

}  // namespace convolith::emu
