#include "block.hpp"

#include <memory>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "fiber.hpp"
#include "observer.hpp"
#include "shared_memory.hpp"

namespace convolith::emu {
namespace {

constexpr int lanes_of_warp = 32, lanes_of_group = 128, most_threads = 1024;
constexpr std::size_t stack_bytes = 64 * 1024;

enum class State : std::uint8_t { fresh, ready, at_barrier, at_meeting, waiting, paused, done };

struct Thread {
  Fiber fiber;
  State state;
  int stack;
  int line;  // of what it waits at
  bool vote;
  unsigned mask;  // of the meeting that it waits for
  int what;
  void* given;
  Condition true_of;  // given, when a waiting thread may go on
  Index index;
};

// The block that runs, and the fibers that its threads take turns in.  One per host thread.
class Block {
 public:
  Position here{};
  std::uint64_t number = 0;

  void run(const char* name, Index grid, Index size, std::size_t shared_bytes, Order order, std::uint64_t seed,
           void (*body)(const void*), const void* arguments, Observer* observer);
  const std::string& error() const { return error_; }

  [[noreturn]] void fail(std::string why);
  Votes wait(int line, bool vote);
  void meet(unsigned mask, int what, void* given, Complete complete);
  void meet_group(int what, void* given, CompleteGroup complete);
  void wait_until(Condition true_of, void* it, int line);
  void pause();
  SharedMemory& shared() { return shared_; }

 private:
  static void enter();
  void begin(std::size_t shared_bytes);
  Thread* next();
  void become(Thread* next);
  bool release_paused();
  bool release_waiting();
  bool release_barrier();
  void go_on(Fiber& from);
  std::uint64_t random() {
    random_ ^= random_ << 13, random_ ^= random_ >> 7, random_ ^= random_ << 17;
    return random_ >> 32;
  }
  std::string deadlock() const;

  std::vector<Thread> threads_;
  std::vector<int> free_stacks_;
  std::unique_ptr<char[]> stacks_;
  SharedMemory shared_;
  Fiber host_;
  Thread* running_ = nullptr;
  int live_ = 0, waiting_ = 0, turn_ = 0;
  Votes votes_{};
  Order order_ = Order::forward;
  std::uint64_t random_ = 1;
  void (*body_)(const void*) = nullptr;
  const void* arguments_ = nullptr;
  Observer* observer_ = nullptr;
  std::string error_;
};

// This host thread's.  A pointer at a fixed offset from the thread's: it is read at every threadIdx.
constinit thread_local Block* block __attribute__((tls_model("initial-exec"))) = nullptr;
Order order = Order::forward;
std::uint64_t seed = 1;

Index unravel(std::uint64_t i, Index size) {
  return {static_cast<unsigned>(i % size.x), static_cast<unsigned>(i / size.x % size.y),
          static_cast<unsigned>(i / size.x / size.y)};
}

// The thread that goes on next: in the order of the run, the first that can.  Null where none can.
Thread* Block::next() {
  const int n = static_cast<int>(threads_.size());
  while (live_ > 0) {
    if (order_ == Order::random) turn_ = static_cast<int>(random() % static_cast<std::uint64_t>(n));
    for (int i = 0; i < n; ++i) {
      Thread& t = threads_[static_cast<std::size_t>(turn_)];
      if (t.state == State::fresh || t.state == State::ready) return &t;
      turn_ = order_ == Order::backward ? (turn_ == 0 ? n - 1 : turn_ - 1) : (turn_ + 1 == n ? 0 : turn_ + 1);
    }
    if (!release_paused() && !release_waiting() && !release_barrier()) break;
  }
  return nullptr;
}

// Lets threads go on that the observer has stopped.
bool Block::release_paused() {
  bool any = false;
  for (std::size_t first = 0; observer_ && first < threads_.size(); first += lanes_of_warp) {
    const std::uint32_t lanes = observer_->resume(static_cast<int>(first) / lanes_of_warp);
    any = any || lanes != 0;
    for (std::size_t i = 0; i < lanes_of_warp; ++i)
      if (lanes >> i & 1) threads_[first + i].state = State::ready;
  }
  return any;
}

// Lets threads go on that have waited for something to become true.
bool Block::release_waiting() {
  bool any = false;
  for (Thread& t : threads_) {
    if (t.state != State::waiting || !t.true_of(t.given)) continue;
    t.state = State::ready;
    any = true;
  }
  return any;
}

// Lets all threads go on, if all of them wait at one barrier.
bool Block::release_barrier() {
  bool together = waiting_ == static_cast<int>(threads_.size());
  for (const Thread& t : threads_) together = together && t.line == threads_[0].line;
  if (!together) {
    error_ = deadlock();
    return false;
  }
  votes_ = {0, live_};
  for (Thread& t : threads_) {
    votes_.yes += t.vote;
    t.state = State::ready;
  }
  waiting_ = 0;
  turn_ = order_ == Order::backward ? static_cast<int>(threads_.size()) - 1 : 0;
  if (observer_) observer_->barrier();
  return true;
}

std::string Block::deadlock() const {
  const auto count = [&](State state, const char* where) -> std::string {
    int n = 0;
    std::set<int> lines;
    for (const Thread& t : threads_)
      if (t.state == state) ++n, lines.insert(t.line);
    if (n == 0) return {};
    std::string s = std::to_string(n) + where;
    if (state == State::at_meeting) return s + ", ";
    const char* before = lines.size() > 1 ? "s of lines " : " of line ";
    for (const int line : lines) s += before + std::to_string(line), before = " and ";
    return s + ", ";
  };
  const int returned = static_cast<int>(threads_.size()) - live_;
  return "threads of block " + text(here.block) + " wait for ever: " + count(State::at_barrier, " at the barrier") +
         count(State::waiting, " at the mbarrier") + count(State::at_meeting, " for other lanes of their warp") +
         std::to_string(returned) + (returned == 1 ? " has" : " have") + " returned";
}

void Block::become(Thread* next) {
  running_ = next;
  if (!next) return;
  here.thread = next->index;
  here.linear = static_cast<int>(next - threads_.data());
}

// Leaves `from` for the next thread, or for the host if there is none.
void Block::go_on(Fiber& from) {
  Thread* to = next();
  if (to == running_ && to) return;
  become(to);
  if (!to) return switch_fiber(from, host_);
  if (to->state == State::fresh) {
    to->state = State::ready;
    to->stack = free_stacks_.back();
    free_stacks_.pop_back();
    prepare(to->fiber, stacks_.get() + static_cast<std::size_t>(to->stack) * stack_bytes, stack_bytes, &Block::enter);
  }
  switch_fiber(from, to->fiber);
}

// Where fibers begin.  A thread that never waited leaves its fiber to the next one: most kernels need only one.
void Block::enter() {
  for (;;) {
    Thread* self = block->running_;
    block->body_(block->arguments_);
    self->state = State::done;
    --block->live_;
    Thread* to = block->next();
    block->become(to);
    if (to && to->state == State::fresh) {
      to->state = State::ready;
      to->stack = self->stack;
      continue;
    }
    block->free_stacks_.push_back(self->stack);
    switch_fiber(self->fiber, to ? to->fiber : block->host_);  // never comes back
  }
}

void Block::fail(std::string why) {
  error_ = std::move(why);
  switch_fiber(running_->fiber, host_);
  __builtin_unreachable();
}

Votes Block::wait(int line, bool vote) {
  Thread& self = *running_;
  self.state = State::at_barrier;
  self.line = line;
  self.vote = vote;
  ++waiting_;
  go_on(self.fiber);
  return votes_;
}

void Block::meet(unsigned mask, int what, void* given, Complete complete) {
  Thread& self = *running_;
  const int lane = here.linear % lanes_of_warp;
  Thread* warp = &self - lane;
  const auto lanes = static_cast<int>(threads_.data() + threads_.size() - warp);
  if (lanes < lanes_of_warp) mask &= (1u << lanes) - 1;
  self.mask = mask, self.what = what, self.given = given;
  void* all[lanes_of_warp] = {};
  for (int i = 0; i < lanes_of_warp; ++i) {
    if (!(mask >> i & 1)) continue;
    if (i != lane && (warp[i].state != State::at_meeting || warp[i].mask != mask || warp[i].what != what)) {
      self.state = State::at_meeting;
      return go_on(self.fiber);
    }
    all[i] = warp[i].given;
  }
  complete(all, mask);
  for (int i = 0; i < lanes_of_warp; ++i)
    if (i != lane && (mask >> i & 1)) warp[i].state = State::ready;
}

void Block::meet_group(int what, void* given, CompleteGroup complete) {
  Thread& self = *running_;
  const int first = here.linear / lanes_of_group * lanes_of_group;
  if (first + lanes_of_group > static_cast<int>(threads_.size())) fail("a warpgroup needs 128 threads");
  Thread* group = threads_.data() + first;
  self.mask = 0, self.what = what, self.given = given;
  void* all[lanes_of_group];
  for (int i = 0; i < lanes_of_group; ++i) {
    const bool here_too = group[i].state == State::at_meeting && group[i].mask == 0 && group[i].what == what;
    if (&group[i] != &self && !here_too) {
      self.state = State::at_meeting;
      return go_on(self.fiber);
    }
    all[i] = group[i].given;
  }
  complete(all);
  for (int i = 0; i < lanes_of_group; ++i) group[i].state = State::ready;
}

void Block::wait_until(Condition true_of, void* it, int line) {
  Thread& self = *running_;
  self.state = State::waiting;
  self.true_of = true_of, self.given = it, self.line = line;
  go_on(self.fiber);
}

void Block::pause() {
  running_->state = State::paused;
  go_on(running_->fiber);
}

void Block::begin(std::size_t shared_bytes) {
  ++number;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    threads_[i] = {};
    threads_[i].index = unravel(i, here.block_size);
  }
  free_stacks_.clear();
  for (int i = most_threads - 1; i >= 0; --i) free_stacks_.push_back(i);
  shared_.begin(shared_bytes, observer_);
  live_ = static_cast<int>(threads_.size());
  waiting_ = 0;
  turn_ = order_ == Order::backward ? live_ - 1 : 0;
  running_ = nullptr;
  if (observer_) observer_->begin_block();
}

void Block::run(const char* name, Index grid, Index size, std::size_t shared_bytes, Order how, std::uint64_t start,
                void (*body)(const void*), const void* arguments, Observer* observer) {
  const std::uint64_t blocks = std::uint64_t{grid.x} * grid.y * grid.z;
  constexpr std::size_t stacks_bytes = most_threads * stack_bytes;
  error_.clear();
  if (!stacks_) stacks_ = std::unique_ptr<char[]>(new char[stacks_bytes]);
  threads_.resize(std::size_t{size.x} * size.y * size.z);
  order_ = how, random_ = start * 0x9E3779B97F4A7C15u + 88172645463325252u;
  body_ = body, arguments_ = arguments, observer_ = observer;
  here.block_size = size, here.grid_size = grid;
  const Watch watch(
      observer, {name, shared_bytes, stacks_.get(), stacks_.get() + stacks_bytes, shared_.dynamic(), shared_.end()});
  for (std::uint64_t at = 0; at < blocks && error_.empty(); ++at) {
    here.block = unravel(how == Order::backward ? blocks - 1 - at : at, grid);
    begin(shared_bytes);
    go_on(host_);
  }
}

// What a GPU refuses to launch, or "".
std::string refusal(Index grid, Index size, std::size_t shared_bytes) {
  const std::uint64_t threads = std::uint64_t{size.x} * size.y * size.z;
  if (threads == 0 || threads > most_threads || size.z > 64)
    return "a block has 1 to " + std::to_string(most_threads) + " threads";
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
    return "a grid has 1 to 2147483647 x 65535 x 65535 blocks";
  if (shared_bytes > shared_capacity)
    return "a block has at most " + std::to_string(shared_capacity) + " bytes of shared memory";
  return {};
}

}  // namespace

constinit thread_local Observer* watching = nullptr;

Observer* observer() {
  return nullptr;
}
std::string text(Index i) {
  return std::string("(") + std::to_string(i.x) + ", " + std::to_string(i.y) + ", " + std::to_string(i.z) + ")";
}
const Position& position() {
  return block->here;
}
std::uint64_t block_number() {
  return block->number;
}
void set_order(Order how, std::uint64_t start) {
  order = how, seed = start;
}
void fail(std::string why) {
  block->fail(std::move(why));
}
Votes wait_for_block(int line, bool vote) {
  return block->wait(line, vote);
}
void meet_warp(unsigned mask, int what, void* given, Complete complete) {
  block->meet(mask, what, given, complete);
}
void meet_warpgroup(int what, void* given, CompleteGroup complete) {
  block->meet_group(what, given, complete);
}
void wait_until(Condition true_of, void* it, int line) {
  block->wait_until(true_of, it, line);
}
void pause_thread() {
  block->pause();
}
void* shared_memory(const char* name, std::size_t bytes, std::size_t alignment) {
  return block->shared().array(name, bytes, alignment);
}
void* dynamic_shared_memory() {
  return block->shared().dynamic();
}

void run_grid(const char* name, Index grid, Index size, std::size_t shared_bytes, void (*body)(const void*),
              const void* arguments, Observer* observer) {
  std::string error = refusal(grid, size, shared_bytes);
  if (error.empty()) {
    thread_local Block own;
    block = &own;
    own.run(name, grid, size, shared_bytes, order, seed, body, arguments, observer);
    error = own.error();
  }
  if (error.empty()) return;
  const auto extents = [](Index i) {
    return std::to_string(i.x) + " x " + std::to_string(i.y) + " x " + std::to_string(i.z);
  };
  throw std::runtime_error(std::string(name) + ": " + error + " (grid " + extents(grid) + ", block " + extents(size) +
                           ", " + std::to_string(shared_bytes) + " bytes of shared memory)");
}

}  // namespace convolith::emu
