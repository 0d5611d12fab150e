#include "threads.hpp"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#ifdef __linux__
#include <pthread.h>
#include <sched.h>
#endif

namespace convolith {
namespace {

std::atomic<bool> forked_child{false};

// CPUs' worth of quota that the cgroup (v2, then v1) grants, or a large number where there is no limit.
int cgroup_quota() {
  std::string quota, period;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2 >> quota >> period) {
  } else if (std::ifstream q("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), p("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
             !(q >> quota) || !(p >> period)) {
    return 1 << 16;
  }
  const double q = std::atof(quota.c_str()), p = std::atof(period.c_str());  // "max" and "-1" are not positive
  return q > 0 && p > 0 ? std::max(1, static_cast<int>(std::ceil(q / p))) : 1 << 16;
}

int positive_environment(const char* name) {
  const char* text = std::getenv(name);
  return text ? std::max(0, std::atoi(text)) : 0;
}

// CONVOLITH_NUM_THREADS, else OMP_NUM_THREADS, else the CPUs in our affinity mask within the cgroup's quota.
int default_threads() {
  if (const int n = positive_environment("CONVOLITH_NUM_THREADS")) return n;
  if (const int n = positive_environment("OMP_NUM_THREADS")) return n;
  return std::max(1, std::min(omp_get_num_procs(), cgroup_quota()));
}

std::atomic<int>& setting() {
  static std::atomic<int> threads = [] {
#ifdef __linux__
    pthread_atfork(nullptr, nullptr, [] { forked_child = true; });
#endif
    return default_threads();
  }();
  return threads;
}

// What threads brought of late: time saved less time waited in ns, at most `credit`.  Below zero they cost more than
// they bring, and we retreat to one for a while, longer each time, until they have earned the whole credit again.
// After a retreat they have `trial` to lose: a time slice or two, what it takes to find a processor of their own.
constexpr std::int64_t millisecond = 1000000, credit = 20 * millisecond, trial = 10 * millisecond;
constexpr std::int64_t shortest_retreat = 50 * millisecond, longest_retreat = 1600 * millisecond;
std::atomic<std::int64_t> balance{credit}, alone_until{0}, next_retreat{shortest_retreat};

// When a region ended last.  Threads that have waited long since are asleep.
std::atomic<std::int64_t> last_join{0};

thread_local int threads_of_call = 1;

int current_processor() {
#ifdef __linux__
  return sched_getcpu();
#else
  return -1;
#endif
}

// Moves the calling thread to another processor, if there is one for each of so many threads.
void leave_processor([[maybe_unused]] int processor, [[maybe_unused]] int threads) {
#ifdef __linux__
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < threads) return;
  cpu_set_t others = allowed;
  CPU_CLR(processor, &others);
  if (sched_setaffinity(0, sizeof others, &others) == 0) sched_setaffinity(0, sizeof allowed, &allowed);
#endif
}

// How a region went: the calling thread's share of the work, then its wait for the others, in ns.
void report(int threads, std::int64_t own, std::int64_t wait) {
  const std::int64_t now = std::min(credit, balance.load(std::memory_order_relaxed) + (threads - 1) * own - wait);
  balance = now < 0 ? trial : now;
  if (now < 0) {
    const std::int64_t retreat = next_retreat.load(std::memory_order_relaxed);
    alone_until = clock_ns() + retreat;
    next_retreat = std::min(2 * retreat, longest_retreat);
  } else if (now == credit && alone_until.load(std::memory_order_relaxed) != 0) {
    alone_until = 0;
    next_retreat = shortest_retreat;
  }
}

}  // namespace

int get_num_threads() noexcept {
  return forked_child ? 1 : setting().load(std::memory_order_relaxed);
}
void set_num_threads(int threads) noexcept {
  setting() = threads;
}

ThreadScope::ThreadScope() noexcept {
  const std::int64_t until = alone_until.load(std::memory_order_relaxed);
  threads_of_call = until != 0 && clock_ns() < until ? 1 : get_num_threads();
}
ThreadScope::~ThreadScope() {
  threads_of_call = 1;
}

int max_threads() noexcept {
  return omp_in_parallel() ? 1 : threads_of_call;
}

std::int64_t clock_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Team::Team(int threads) noexcept
    : threads_(threads), processor_(current_processor()), start_(clock_ns()), absent_(threads - 1) {}
Team::~Team() {
  const std::int64_t now = clock_ns();
  report(threads_, own_, now - start_ - own_);
  last_join.store(now, std::memory_order_relaxed);
}
void Team::begin(int thread) noexcept {
  if (thread == 0) return yield(start_ - last_join.load(std::memory_order_relaxed) > millisecond ? 1 : 0);
  absent_.fetch_sub(1, std::memory_order_relaxed);
  if (processor_ >= 0 && current_processor() == processor_) leave_processor(processor_, threads_);
}
void Team::end(int thread) noexcept {
  if (thread != 0) return;
  own_ = clock_ns() - start_;
  yield(2);
}
void Team::yield([[maybe_unused]] int times) const noexcept {
#ifdef __linux__
  for (; times > 0 && absent_.load(std::memory_order_relaxed) > 0; --times) sched_yield();
#endif
}

}  // namespace convolith
