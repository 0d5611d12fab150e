// How many threads kernels use.
#pragma once

#include <atomic>
#include <cstdint>

namespace convolith {

int get_num_threads() noexcept;
void set_num_threads(int threads) noexcept;

// Decides the number of threads for one kernel call: kernels size their scratch memory by it, so it must not change
// on the way.  It is 1 in a forked child, where the OpenMP runtime's pool does not exist any more and waiting for it
// would hang, and 1 for a while after other programs have kept us waiting (Team).
class ThreadScope {
 public:
  ThreadScope() noexcept;
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;
};

// Threads for the next parallel region of the kernel that runs; 1 inside one.
int max_threads() noexcept;

// The threads of one parallel region.  OpenMP runtimes spin while they wait, which costs whole time slices in two
// cases.
//
// The system may wake a thread on the processor of the one that called it, though another is idle, and so they take
// turns.  Then the one that waits yields, and the other moves away.
//
// Other programs may hold the processors, and training becomes many times slower.  As results do not depend on the
// number of threads, we may go on with one, and do where waiting has lately cost more than sharing saved.
class Team {
 public:
  explicit Team(int threads) noexcept;
  ~Team();  // by the thread that called, when all have joined
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  // By each thread, before and after its share of the work; thread 0 is the one that called.
  void begin(int thread) noexcept;
  void end(int thread) noexcept;

 private:
  void yield(int times) const noexcept;  // while some thread has not begun

  const int threads_, processor_;
  const std::int64_t start_;
  std::int64_t own_ = 0;  // ns that thread 0 has worked
  std::atomic<int> absent_;
};

std::int64_t clock_ns() noexcept;

}  // namespace convolith
