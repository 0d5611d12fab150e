#include "check.hpp"

#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "block.hpp"
#include "observer.hpp"
#include "shadow.hpp"
#include "source_line.hpp"

namespace convolith::emu {
namespace {

struct Array {
  const char* name;  // null in global memory
  const char* begin;
  std::int64_t bytes;
  Shadow shadow;

  bool holds(const char* p) const { return p >= begin && p < begin + bytes; }
  std::string text() const {
    const std::string size = std::to_string(bytes) + " bytes";
    return name ? name + (" (" + size + " of shared memory)") : "an array of " + size;
  }
};

// Arrays in global memory.  The lock is held while a grid is checked: there is one at a time.
struct Registry {
  std::mutex mutex;
  std::map<const char*, Array> arrays;

  Array* find(const char* p) {
    const auto next = arrays.upper_bound(p);
    if (next == arrays.begin()) return nullptr;
    Array& a = std::prev(next)->second;
    return a.holds(p) ? &a : nullptr;
  }
};

// Never destroyed: arrays may outlive the module.
Registry& registry() {
  static Registry& instance = *new Registry;
  return instance;
}

class Checker final : public Observer {
 public:
  void begin_grid(const Grid& grid) override;
  void end_grid() noexcept override { registry().mutex.unlock(); }
  void begin_block() override;
  void shared_array(const char* name, const void* begin, std::size_t bytes) override;
  void access(Access what, const void* p, std::size_t bytes, std::size_t alignment, const void* code) override;
  void barrier() override { clocks_.barrier(); }
  void sync_warp(unsigned lanes) override { clocks_.sync_warp(position().linear, lanes); }
  void arrive(const void* mbarrier) override { clocks_.arrive(position().linear, mbarrier); }
  void complete(const void* mbarrier) override { clocks_.complete(mbarrier); }
  void wait(const void* mbarrier) override { clocks_.wait(position().linear, mbarrier); }
  void landed(const void* p, std::size_t bytes) override;
  void operand(const void* p, std::size_t bytes, const void* code) override {
    access(Access::read, p, bytes, bytes, code);
  }

 private:
  Array* global_array(const char* p);
  Array* shared_array_at(const char* p);
  Array* find(const char* p) { return in_shared(p) ? shared_array_at(p) : global_array(p); }
  const Array* nearest(const char* p) const;
  bool in_shared(const char* p) const { return p >= grid_.shared && p < grid_.shared_end; }
  bool exempt(const char* p, bool reads) const;
  std::string user(const Use& use) const;

  Grid grid_{};
  Clocks clocks_;
  std::vector<Array> shared_;  // of the grid's blocks; those of this block come first
  std::size_t shared_count_ = 0;
  std::map<std::uint64_t, Index> blocks_;  // by their first period
  Array* recent_[64] = {};                 // by page
};

void Checker::begin_grid(const Grid& grid) {
  std::unique_lock lock(registry().mutex);
  grid_ = grid;
  const Index size = position().block_size;
  clocks_.begin_grid(static_cast<int>(size.x * size.y * size.z));
  shared_.clear();
  blocks_.clear();
  for (Array*& a : recent_) a = nullptr;
  lock.release();  // end_grid unlocks it
}

void Checker::begin_block() {
  clocks_.begin_block();
  blocks_.emplace_hint(blocks_.end(), clocks_.block(), position().block);
  shared_count_ = 0;
  if (grid_.dynamic_shared_bytes) shared_array("the dynamic array", grid_.shared, grid_.dynamic_shared_bytes);
}

// Blocks of a grid mostly have the same arrays, each as often: their shadows are kept.
void Checker::shared_array(const char* name, const void* begin, std::size_t bytes) {
  const auto n = static_cast<std::int64_t>(bytes);
  const bool known =
      shared_count_ < shared_.size() && shared_[shared_count_].begin == begin && shared_[shared_count_].bytes == n;
  if (!known) {
    shared_.erase(shared_.begin() + static_cast<std::ptrdiff_t>(shared_count_), shared_.end());
    shared_.push_back({name, static_cast<const char*>(begin), n, Shadow(n, false, true)});
  }
  Array& array = shared_[shared_count_++];
  array.name = name;
  array.shadow.mark(0, n, false);
}

Array* Checker::shared_array_at(const char* p) {
  for (std::size_t i = 0; i < shared_count_; ++i)
    if (shared_[i].holds(p)) return &shared_[i];
  return nullptr;
}

Array* Checker::global_array(const char* p) {
  Array*& recent = recent_[reinterpret_cast<std::uintptr_t>(p) >> 12 & 63];
  if (!recent || !recent->holds(p)) recent = registry().find(p);
  return recent;
}

// The array whose end or beginning is nearest to p, which no array holds.
const Array* Checker::nearest(const char* p) const {
  const Array* best = nullptr;
  std::int64_t least = std::int64_t{1} << 30;
  const auto look = [&](const Array& a) {
    const std::int64_t distance = p < a.begin ? a.begin - p : p - (a.begin + a.bytes);
    if (distance < least) least = distance, best = &a;
  };
  if (in_shared(p)) {
    for (std::size_t i = 0; i < shared_count_; ++i) look(shared_[i]);
    return best;
  }
  const auto& arrays = registry().arrays;
  const auto next = arrays.upper_bound(p);
  if (next != arrays.end()) look(next->second);
  if (next != arrays.begin()) look(std::prev(next)->second);
  return best;
}

// Who made an earlier use of this grid.
std::string Checker::user(const Use& use) const {
  const Index size = position().block_size, block = std::prev(blocks_.upper_bound(use.period))->second;
  const auto i = static_cast<unsigned>(use.thread);
  return "thread " + text({i % size.x, i / size.x % size.y, i / size.x / size.y}) +
         (clocks_.of_this_block(use) ? std::string() : " of block " + text(block));
}

// What is no array of the device: local variables; threadIdx and its like; constants.
bool Checker::exempt(const char* p, bool reads) const {
  const char* here = reinterpret_cast<const char*>(&position());
  if (p >= grid_.stacks && p < grid_.stacks_end) return true;
  return reads && ((p >= here && p < here + sizeof(Position)) || in_library(p));
}

void Checker::access(Access what, const void* address, std::size_t bytes, std::size_t alignment, const void* code) {
  const auto* p = static_cast<const char*>(address);
  const auto n = static_cast<std::int64_t>(bytes);
  const bool reads = what == Access::read, writes = what == Access::write || what == Access::pending;
  if (exempt(p, reads)) return;

  Array* const array = find(p);
  const auto refuse = [&](const std::string& why) {
    const Array* known = array ? array : nearest(p);
    std::string where = ", far from every array";
    if (known) where = ", at byte " + std::to_string(p - known->begin) + " of " + known->text();
    fail("thread " + text(position().thread) + " of block " + text(position().block) +
         (reads    ? " reads "
          : writes ? " writes "
                   : " updates ") +
         std::to_string(n) + " bytes in " + source_line(code_offset(code)) + where + why);
  };
  if (!array || p + n > array->begin + array->bytes) refuse("");
  if (reinterpret_cast<std::uintptr_t>(p) % alignment != 0)
    refuse(", whose address is no multiple of " + std::to_string(alignment));

  const std::int64_t at = p - array->begin;
  if (!writes && array->shadow.unwritten(at, n) != 0) refuse(", which nobody has written");
  const Use use = clocks_.now(position().linear, what == Access::atomic, code_offset(code));
  const Shadow::Race race = array->shadow.use(at, n, use, !reads, clocks_);
  if (race.earlier.period != 0)
    refuse(", which " + user(race.earlier) + (race.earlier_wrote ? " wrote in " : " read in ") +
           source_line(race.earlier.code) +
           (clocks_.of_this_block(race.earlier) ? ": no barrier is between them" : ": nothing orders the two blocks"));
  if (writes) array->shadow.mark(at, n, what == Access::write);
}

void Checker::landed(const void* address, std::size_t bytes) {
  const auto* p = static_cast<const char*>(address);
  if (Array* array = find(p)) array->shadow.mark(p - array->begin, static_cast<std::int64_t>(bytes), true);
}

}  // namespace

void register_memory(void* p, std::int64_t bytes, bool written) {
  const char* begin = static_cast<const char*>(p);
  const std::lock_guard lock(registry().mutex);
  registry().arrays.insert_or_assign(begin, Array{nullptr, begin, bytes, Shadow(bytes, written, false)});
}

void forget_memory(void* p) noexcept {
  const std::lock_guard lock(registry().mutex);
  registry().arrays.erase(static_cast<const char*>(p));
}

void mark_written(const void* p, std::int64_t bytes) {
  const char* begin = static_cast<const char*>(p);
  const std::lock_guard lock(registry().mutex);
  if (Array* a = registry().find(begin)) a->shadow.mark(begin - a->begin, bytes, true);
}

void mark_everything_written() {
  const std::lock_guard lock(registry().mutex);
  for (auto& [begin, array] : registry().arrays) array.shadow.mark(0, array.bytes, true);
}

std::int64_t unwritten_bytes(const void* p, std::int64_t bytes) {
  const char* begin = static_cast<const char*>(p);
  const std::lock_guard lock(registry().mutex);
  const Array* a = registry().find(begin);
  return a ? a->shadow.unwritten(begin - a->begin, bytes) : 0;
}

}  // namespace convolith::emu

namespace convolith::emu_checked {

emu::Observer* observer() {
  static emu::Checker checker;
  return &checker;
}

}  // namespace convolith::emu_checked
