// How work is split.  A kernel cuts its problem into tasks by the problem alone, never by the number of threads;
// each task writes its own outputs in its own order, and where tasks have to be summed they leave partial results
// that are added in task order.  So the bits do not depend on how many threads there are.
//
// An exception must not cross a parallel region: scratch memory is acquired before it.
#pragma once

#include "../memory.hpp"
#include "../threads.hpp"
#include "vec.hpp"

namespace convolith::CONVOLITH_ISA {

// Calls f(task, thread) for every task in [0, tasks); thread < max_threads().
template <class F>
CONVOLITH_INLINE void parallel_for(std::int64_t tasks, const F& f) {
  const int threads = static_cast<int>(min_of<std::int64_t>(max_threads(), tasks));
  if (threads <= 1) {
    for (std::int64_t task = 0; task < tasks; ++task) f(task, 0);
    return;
  }
  Team team(threads);
  // One contiguous share of the tasks per thread.
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int thread = 0; thread < threads; ++thread) {
    team.begin(thread);
    const std::int64_t begin = tasks * thread / threads, end = tasks * (thread + 1) / threads;
    for (std::int64_t task = begin; task < end; ++task) f(task, thread);
    team.end(thread);
  }
}

// The same on one thread where all tasks together are not worth waking another.  `cost`: of one task, in vector
// operations (16 FMAs) or elements copied one by one, about a cycle each.  Twenty microseconds are the bound: waking
// takes two to five on an idle machine, and many times that where other programs keep the processors busy.
template <class F>
CONVOLITH_INLINE void parallel_for(std::int64_t tasks, std::int64_t cost, const F& f) {
  constexpr std::int64_t worth_waking = 65536;
  if (tasks * cost >= worth_waking) return parallel_for(tasks, f);
  for (std::int64_t task = 0; task < tasks; ++task) f(task, 0);
}

// Calls f(begin, end) on pieces of [0, n): `grain` elements each, so that small arrays stay on one thread.
template <class F>
CONVOLITH_INLINE void parallel_ranges(std::int64_t n, std::int64_t grain, const F& f) {
  parallel_for(ceil_div(n, grain), [&](std::int64_t task, int) { f(task * grain, min_of(n, (task + 1) * grain)); });
}

// Elements of an element-wise loop per task: a few microseconds of work, what waking a thread costs.
constexpr std::int64_t elementwise_grain = 16384;

// How a sum over `units` is cut where its `tasks` alone are fewer than eight: into parts of `size` units, none below
// `least`, whose partial results of `bytes` each take 8 MiB at most and are added in order.
struct Parts {
  std::int64_t size, count;

  Parts(std::int64_t units, std::int64_t least, std::int64_t tasks, std::int64_t bytes) {
    constexpr std::int64_t enough = 8, most_bytes = 8 << 20;
    const std::int64_t affordable = max_of<std::int64_t>(1, most_bytes / bytes);
    const std::int64_t wanted = min_of(min_of(ceil_div(units, least), ceil_div(enough, tasks)), affordable);
    size = ceil_div(units, wanted);
    count = ceil_div(units, size);
  }
};

// total (n) = partial (parts, n) added up in order.
template <class T>
CONVOLITH_INLINE void add_partial_sums(std::int64_t parts, std::int64_t n, const T* partial, T* total) {
  parallel_ranges(n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    for_lanes<T>(begin, end, [&](std::int64_t i, auto lanes) CONVOLITH_INLINED {
      Lanes<T> sum = Lanes<T>::load(partial + i, lanes);
      for (std::int64_t part = 1; part < parts; ++part) sum += Lanes<T>::load(partial + part * n + i, lanes);
      sum.store(total + i, lanes);
    });
  });
}

// Uninitialised scratch memory from the pool, 64-byte aligned.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count)
      : data_(static_cast<T*>(acquire(count * static_cast<std::int64_t>(sizeof(T))))) {}
  ~Scratch() { release(data_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* get() const { return data_; }

 private:
  T* data_;
};

// An array that is written once: past the caches where they cannot hold it, which saves reading each line before it is
// written, a third of a copy's traffic.  The end of a parallel region waits for such stores, as every locked
// instruction does.
template <class T>
class Output {
 public:
  // shifts: whether it does not matter which elements share a vector.
  Output(T* data, std::int64_t n, bool shifts = true)
      : data_(data), past_(shifts && n * static_cast<std::int64_t>(sizeof(T)) > last_level_cache()) {}
  CONVOLITH_INLINE bool past() const { return past_; }
  // data[i] = f(i, n), n lanes at a time from `begin` to `end`.  Past the caches in whole lines, which those are that
  // begin where a line does.
  template <class F>
  CONVOLITH_INLINE void fill(std::int64_t begin, std::int64_t end, const F& f) const {
    T* data = data_;
    if (!past_)
      return for_lanes<T>(begin, end, f,
                          [=](std::int64_t i, Lanes<T> v, auto n) CONVOLITH_INLINED { v.store(data + i, n); });
    constexpr std::uintptr_t line = 64;
    const std::uintptr_t before = (line - reinterpret_cast<std::uintptr_t>(data + begin) % line) % line / sizeof(T);
    const std::int64_t first = min_of(end, begin + static_cast<std::int64_t>(before));
    if (begin < first) f(begin, first - begin).store(data + begin, first - begin);
    for_lanes<T>(first, end, f, [=](std::int64_t i, Lanes<T> v, auto n) CONVOLITH_INLINED { v.stream(data + i, n); });
  }

 private:
  T* data_;
  bool past_;
};

// The same for what is made piece by piece, not in order: past the caches by way of a place in each thread's scratch
// memory, of `size` elements and a vector behind them.
template <class T>
class OutputPieces {
 public:
  OutputPieces(T* data, std::int64_t n, std::int64_t size)
      : data_(data),
        out_(data, n, size <= most),
        size_(round_up(size, Lanes<T>::count) + Lanes<T>::count),
        places_(out_.past() ? size_ * max_threads() : 0) {}
  // Whether the vector behind a piece is nobody's.
  CONVOLITH_INLINE bool apart() const { return out_.past(); }
  // Where data[begin ...) is to be made; after that `put`, which may change it by f(lanes).
  CONVOLITH_INLINE T* place(std::int64_t begin, int thread) const {
    return out_.past() ? places_.get() + thread * size_ : data_ + begin;
  }
  template <class F>
  CONVOLITH_INLINE void put(std::int64_t begin, std::int64_t end, int thread, const F& f) const {
    const T* made = place(begin, thread);
    out_.fill(begin, end,
              [&](std::int64_t i, auto n) CONVOLITH_INLINED { return f(Lanes<T>::load(made + (i - begin), n)); });
  }
  CONVOLITH_INLINE void put(std::int64_t begin, std::int64_t end, int thread) const {
    if (out_.past()) put(begin, end, thread, [](Lanes<T> v) CONVOLITH_INLINED { return v; });
  }

 private:
  static constexpr std::int64_t most = 65536;  // which L2 holds
  T* data_;
  Output<T> out_;
  std::int64_t size_;
  Scratch<T> places_;
};

// Element-wise loops.
// y[i] = f(x[i]), all shapes (n).
template <class T, class F>
CONVOLITH_INLINE void map(std::int64_t n, const T* x, T* y, const F& f) {
  const Output<T> out(y, n);
  parallel_ranges(n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    out.fill(begin, end, [&](std::int64_t i, auto lanes) CONVOLITH_INLINED { return f(Lanes<T>::load(x + i, lanes)); });
  });
}

// z[i] = f(x[i], y[i]), all shapes (n).
template <class T, class F>
CONVOLITH_INLINE void map(std::int64_t n, const T* x, const T* y, T* z, const F& f) {
  const Output<T> out(z, n);
  parallel_ranges(n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    out.fill(begin, end, [&](std::int64_t i, auto lanes) CONVOLITH_INLINED {
      return f(Lanes<T>::load(x + i, lanes), Lanes<T>::load(y + i, lanes));
    });
  });
}

// What each thread's scratch memory holds.  The tasks of a thread come one after the other, and those that need the
// same make it once.
class Held {
 public:
  Held() : what_(max_threads() * line) {
    for (int thread = 0; thread < max_threads(); ++thread) what_.get()[thread * line] = -1;
  }
  // Whether thread `thread` has to make `what`, which it holds from now on.
  CONVOLITH_INLINE bool changes(int thread, std::int64_t what) const {
    std::int64_t& held = what_.get()[thread * line];
    const bool other = held != what;
    held = what;
    return other;
  }

 private:
  static constexpr std::int64_t line = 8;
  Scratch<std::int64_t> what_;
};

// Scratch memory per thread, zeros at first.  Each thread clears its own: what one core has just written, another waits
// for line by line.
template <class T>
class ZeroedScratch {
 public:
  explicit ZeroedScratch(std::int64_t size) : size_(round_up(size, Lanes<T>::count)), data_(max_threads() * size_) {}
  CONVOLITH_INLINE T* of(int thread) const {
    T* data = data_.get() + thread * size_;
    if (zeros_.changes(thread, 0))
      for (std::int64_t i = 0; i < size_; ++i) data[i] = T(0);
    return data;
  }

 private:
  std::int64_t size_;
  Scratch<T> data_;
  Held zeros_;
};

}  // namespace convolith::CONVOLITH_ISA
