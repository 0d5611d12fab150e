// How many threads kernels use.
#pragma once

#include <cstdint>

namespace convolith {

int get_num_threads() noexcept;
void set_num_threads(int threads) noexcept;

// Decides the number of threads for one kernel call: kernels size their scratch memory by it, so it must not change
// on the way.  It is 1 in a forked child, where the OpenMP runtime's pool does not exist any more and waiting for it
// would hang, and 1 for a while after other programs have kept us waiting (report_join).
class ThreadScope {
 public:
  ThreadScope() noexcept;
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;
};

// Threads for the next parallel region of the kernel that runs; 1 inside one.
int max_threads() noexcept;

// What the calling thread saw of a parallel region, in ns: its own share of the work, then the wait for the others.
// OpenMP runtimes spin while they wait.  Where other programs hold the processors, a thread that is not running keeps
// the one that is spinning for whole time slices, and training becomes many times slower.  As results do not depend on
// the number of threads, we may go on with one, and do where waiting has lately cost more than sharing saved.
std::int64_t clock_ns() noexcept;
void report_join(int threads, std::int64_t own, std::int64_t wait) noexcept;

}  // namespace convolith
