#include "count.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <map>
#include <mutex>
#include <set>
#include <tuple>

#include "block.hpp"
#include "source_line.hpp"

namespace convolith::emu {
namespace {

constexpr int lanes_of_warp = 32;

// What a lane has stopped at: an access, or a step where p is null.
struct Stop {
  const void* code;
  int depth;
  Access what;
  const char* p;
  std::size_t bytes;
};

struct Lane {
  int depth;
  bool stopped;
  Stop at;
};

// What a warp asks for at once: `bytes` at an address of each of `lanes`.
struct Request {
  std::uintptr_t address[lanes_of_warp];
  std::uint32_t lanes;
  std::uintptr_t bytes;
};

struct Transactions {
  std::int64_t all, least;
};

// The pieces of `size` bytes that some lanes of a request touch, in order, each once.
const std::vector<std::uintptr_t>& pieces(const Request& r, std::uint32_t lanes, std::uintptr_t size) {
  static thread_local std::vector<std::uintptr_t> all;
  all.clear();
  for (int i = 0; i < lanes_of_warp; ++i)
    if (r.lanes & lanes & 1u << i)
      for (std::uintptr_t p = r.address[i] / size; p <= (r.address[i] + r.bytes - 1) / size; ++p) all.push_back(p);
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

// Sectors of 32 bytes.
Transactions sectors(const Request& r) {
  const std::size_t grain = r.bytes % 4 == 0 ? 4 : 1, bytes = pieces(r, ~0u, grain).size() * grain;
  return {static_cast<std::int64_t>(pieces(r, ~0u, 32).size()), static_cast<std::int64_t>((bytes + 31) / 32)};
}

// Passes over the banks.  Each gives a word of 4 bytes per bank, to all who want it.  Lanes with 8 bytes come in two
// halves of a warp, lanes with 16 in quarters.
Transactions passes(const Request& r) {
  const int together = r.bytes <= 4 ? lanes_of_warp : r.bytes <= 8 ? lanes_of_warp / 2 : lanes_of_warp / 4;
  Transactions sum{0, 0};
  for (int first = 0; first < lanes_of_warp; first += together) {
    const std::vector<std::uintptr_t>& words = pieces(r, (~0u >> (lanes_of_warp - together)) << first, 4);
    std::int64_t of_bank[32] = {};
    for (const std::uintptr_t word : words) ++of_bank[word % 32];
    sum.all += *std::max_element(of_bank, of_bank + 32);
    sum.least += static_cast<std::int64_t>((words.size() + 31) / 32);
  }
  return sum;
}

class Counter final : public Observer {
 public:
  std::atomic<bool> counting = false;
  std::mutex mutex;  // held while a grid is counted

  void start();
  Counts stop();

  void begin_grid(const Grid& grid) override;
  void end_grid() noexcept override { mutex.unlock(); }
  void begin_block() override;
  void shared_array(const char*, const void*, std::size_t) override {}
  void access(Access what, const void* p, std::size_t bytes, std::size_t alignment, const void* code) override;
  void enter_function() override { ++lane().depth; }
  void leave_function() override { --lane().depth; }
  void step(const void* code) override { stop_at({code, lane().depth, Access::read, nullptr, 0}); }
  void multiply_add(std::int64_t n) override { kernel_->tensor_flops += 2 * n; }
  void barrier() override { ++kernel_->barriers; }
  void sync_warp(unsigned) override { ++kernel_->warp_barriers; }
  std::uint32_t resume(int warp) override;

 private:
  struct Place {
    const KernelCount* kernel;
    const void* code;
    Access what;
    bool shared;
    auto operator<=>(const Place&) const = default;
  };

  Lane& lane() { return lanes_[static_cast<std::size_t>(position().linear)]; }
  void stop_at(const Stop& stop);
  void count(const Stop& stop, const Request& request);

  Grid grid_{};
  std::vector<Lane> lanes_;
  KernelCount* kernel_ = nullptr;
  std::map<std::string, KernelCount> kernels_;
  std::map<Place, LineCount> places_;
  std::set<const void*> copies_;  // code that begins asynchronous copies
};

void Counter::begin_grid(const Grid& grid) {
  std::unique_lock lock(mutex);
  grid_ = grid;
  const auto [entry, fresh] = kernels_.try_emplace(grid.name);
  kernel_ = &entry->second;
  if (fresh) kernel_->kernel = grid.name;
  ++kernel_->grids;
  lock.release();  // end_grid unlocks it
}

void Counter::begin_block() {
  const Index size = position().block_size;
  lanes_.assign(std::size_t{size.x} * size.y * size.z, {});
  ++kernel_->blocks;
  kernel_->threads += static_cast<std::int64_t>(lanes_.size());
}

void Counter::access(Access what, const void* p, std::size_t bytes, std::size_t, const void* code) {
  const auto* byte = static_cast<const char*>(p);
  const auto* here = reinterpret_cast<const char*>(&position());
  const bool local = byte >= grid_.stacks && byte < grid_.stacks_end;
  if (local || (byte >= here && byte < here + sizeof(Position)) || in_library(p)) return;
  if (what == Access::pending) copies_.insert(code);
  if (what == Access::write && copies_.contains(code)) return;  // it lands
  stop_at({code, lane().depth, what, byte, bytes});
}

void Counter::stop_at(const Stop& stop) {
  lane().at = stop;
  lane().stopped = true;
  pause_thread();
}

std::uint32_t Counter::resume(int warp) {
  const std::size_t first = static_cast<std::size_t>(warp) * lanes_of_warp;
  const std::size_t n = std::min<std::size_t>(lanes_of_warp, lanes_.size() - first);
  const auto before = [](const Stop& a, const Stop& b) {
    return a.depth != b.depth ? a.depth > b.depth : a.code < b.code;
  };
  const Lane* next = nullptr;
  for (std::size_t i = first; i < first + n; ++i)
    if (lanes_[i].stopped && (!next || before(lanes_[i].at, next->at))) next = &lanes_[i];
  if (!next) return 0;
  const Stop stop = next->at;
  Request request{{}, 0, stop.bytes};
  for (std::size_t i = 0; i < n; ++i) {
    Lane& l = lanes_[first + i];
    if (!l.stopped || l.at.code != stop.code || l.at.depth != stop.depth || l.at.what != stop.what ||
        l.at.bytes != stop.bytes)
      continue;
    l.stopped = false;
    request.lanes |= 1u << i;
    request.address[i] = reinterpret_cast<std::uintptr_t>(l.at.p);
  }
  count(stop, request);
  return request.lanes;
}

void Counter::count(const Stop& stop, const Request& request) {
  const int lanes = std::popcount(request.lanes);
  if (!stop.p) {
    ++kernel_->steps;
    kernel_->step_lanes += lanes;
    return;
  }
  const bool shared = stop.p >= grid_.shared && stop.p < grid_.shared_end;
  const Transactions t = shared ? passes(request) : sectors(request);
  LineCount& c = places_[{kernel_, stop.code, stop.what, shared}];
  ++c.requests;
  c.lanes += lanes;
  c.bytes += lanes * static_cast<std::int64_t>(request.bytes);
  c.transactions += t.all;
  c.least_transactions += t.least;
}

void Counter::start() {
  const std::lock_guard lock(mutex);
  kernels_.clear();
  places_.clear();
  copies_.clear();
  counting = true;
}

Counts Counter::stop() {
  const std::lock_guard lock(mutex);
  counting = false;
  Counts result;
  for (const auto& [name, kernel] : kernels_) result.kernels.push_back(kernel);
  std::map<std::tuple<std::string, std::string, Access, bool>, std::size_t> known;
  for (const auto& [place, c] : places_) {
    const std::string& kernel = place.kernel->kernel;
    const std::string line = source_line(code_offset(place.code));
    const auto [entry, fresh] = known.try_emplace({kernel, line, place.what, place.shared}, result.lines.size());
    if (fresh) result.lines.push_back({kernel, line, place.what, place.shared, 0, 0, 0, 0, 0});
    LineCount& sum = result.lines[entry->second];
    sum.requests += c.requests;
    sum.lanes += c.lanes;
    sum.bytes += c.bytes;
    sum.transactions += c.transactions;
    sum.least_transactions += c.least_transactions;
  }
  std::stable_sort(result.lines.begin(), result.lines.end(),
                   [](const LineCount& a, const LineCount& b) { return a.kernel < b.kernel; });
  return result;
}

Counter& counter() {
  static Counter instance;
  return instance;
}

}  // namespace

void start_counting() {
  counter().start();
}
Counts stop_counting() {
  return counter().stop();
}

}  // namespace convolith::emu

namespace convolith::emu_counted {

emu::Observer* observer() {
  emu::Counter& counter = emu::counter();
  return counter.counting ? &counter : nullptr;
}

}  // namespace convolith::emu_counted
