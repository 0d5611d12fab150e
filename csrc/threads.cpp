#include "threads.hpp"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#ifdef __linux__
#include <pthread.h>
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

}  // namespace

int max_threads() noexcept { return forked_child || omp_in_parallel() ? 1 : setting().load(std::memory_order_relaxed); }
int get_num_threads() noexcept { return forked_child ? 1 : setting().load(); }
void set_num_threads(int threads) noexcept { setting() = threads; }

}  // namespace convolith
