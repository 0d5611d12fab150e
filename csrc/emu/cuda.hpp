// CUDA C++ for the host compiler: what kernels use of the language, on fibers (block.hpp).  Everything is inlined: the
// same kernels are compiled several times, with and without checks, and must not share code.
#pragma once

#include <cmath>
#include <cstdint>

#include "block.hpp"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __restrict__ __restrict
#define CONVOLITH_INLINE inline __attribute__((always_inline))
#define CONVOLITH_UNWATCHED __attribute__((no_sanitize("thread")))  // reads the launcher's memory, not the device's

#define threadIdx (::convolith::emu::position().thread)
#define blockIdx (::convolith::emu::position().block)
#define blockDim (::convolith::emu::position().block_size)
#define gridDim (::convolith::emu::position().grid_size)

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct dim3 {
  unsigned x, y, z;
  CONVOLITH_INLINE constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

// --- Barriers --------------------------------------------------------------------------------------------------------

#define __syncthreads() static_cast<void>(::convolith::emu::wait_for_block(__LINE__, false))
#define __syncthreads_count(vote) (::convolith::emu::wait_for_block(__LINE__, (vote) != 0).yes)
#define __syncthreads_or(vote) (::convolith::emu::wait_for_block(__LINE__, (vote) != 0).yes > 0)
#define __syncthreads_and(vote) \
  ([](::convolith::emu::Votes v) { return v.yes == v.all; }(::convolith::emu::wait_for_block(__LINE__, (vote) != 0)))

namespace convolith::emu {
void sync_warp(unsigned mask);  // warp.cpp
}
CONVOLITH_INLINE void __syncwarp(unsigned mask = 0xffffffffu) {
  convolith::emu::sync_warp(mask);
}

// --- Shuffles and votes of a warp ------------------------------------------------------------------------------------

namespace convolith::emu {

enum Meeting { sync, shuffle_from, shuffle_up, shuffle_down, shuffle_xor, ballot };

// A lane's value, the lane whose value it wants, and what it gets: garbage from a lane that is not there.
struct Shuffle {
  std::uint64_t value;
  int from;
  std::uint64_t result;
};
void exchange(unsigned mask, Meeting what, Shuffle& mine);  // warp.cpp
unsigned vote(unsigned mask, bool yes);

template <class T>
CONVOLITH_INLINE T shuffle(unsigned mask, T value, Meeting what, int from) {
  static_assert(sizeof(T) <= 8);
  Shuffle mine{0, from, 0};
  __builtin_memcpy(&mine.value, &value, sizeof value);
  exchange(mask, what, mine);
  __builtin_memcpy(&value, &mine.result, sizeof value);
  return value;
}
CONVOLITH_INLINE int lane() {
  return position().linear % 32;
}

}  // namespace convolith::emu

template <class T>
CONVOLITH_INLINE T __shfl_sync(unsigned mask, T value, int from, int width = 32) {
  const int lane = convolith::emu::lane();
  return convolith::emu::shuffle(mask, value, convolith::emu::shuffle_from,
                                 (lane & ~(width - 1)) + (from & (width - 1)));
}
template <class T>
CONVOLITH_INLINE T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const int lane = convolith::emu::lane(), from = lane - static_cast<int>(by);
  return convolith::emu::shuffle(mask, value, convolith::emu::shuffle_up, from < (lane & ~(width - 1)) ? lane : from);
}
template <class T>
CONVOLITH_INLINE T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const int lane = convolith::emu::lane(), from = lane + static_cast<int>(by);
  return convolith::emu::shuffle(mask, value, convolith::emu::shuffle_down,
                                 from >= (lane & ~(width - 1)) + width ? lane : from);
}
template <class T>
CONVOLITH_INLINE T __shfl_xor_sync(unsigned mask, T value, int with, int width = 32) {
  const int lane = convolith::emu::lane(), from = lane ^ with;
  return convolith::emu::shuffle(mask, value, convolith::emu::shuffle_xor,
                                 from >= (lane & ~(width - 1)) + width ? lane : from);
}
CONVOLITH_INLINE unsigned __ballot_sync(unsigned mask, int yes) {
  return convolith::emu::vote(mask, yes != 0);
}
CONVOLITH_INLINE int __any_sync(unsigned mask, int yes) {
  return convolith::emu::vote(mask, yes != 0) != 0;
}
CONVOLITH_INLINE int __all_sync(unsigned mask, int yes) {
  return convolith::emu::vote(mask, yes != 0) == mask;
}

// --- Arithmetic and memory -------------------------------------------------------------------------------------------

CONVOLITH_INLINE int min(int a, int b) {
  return a < b ? a : b;
}
CONVOLITH_INLINE int max(int a, int b) {
  return a > b ? a : b;
}
CONVOLITH_INLINE long min(long a, long b) {
  return a < b ? a : b;
}
CONVOLITH_INLINE long max(long a, long b) {
  return a > b ? a : b;
}
CONVOLITH_INLINE float min(float a, float b) {
  return fminf(a, b);
}
CONVOLITH_INLINE float max(float a, float b) {
  return fmaxf(a, b);
}
CONVOLITH_INLINE double min(double a, double b) {
  return fmin(a, b);
}
CONVOLITH_INLINE double max(double a, double b) {
  return fmax(a, b);
}
CONVOLITH_INLINE float rsqrtf(float x) {
  return 1 / sqrtf(x);
}
CONVOLITH_INLINE int __popc(unsigned x) {
  return __builtin_popcount(x);
}
template <class T>
CONVOLITH_INLINE T __ldg(const T* p) {
  return *p;
}
int atomicAdd(int* p, int value);  // atomic.cpp
unsigned atomicAdd(unsigned* p, unsigned value);
unsigned long long atomicAdd(unsigned long long* p, unsigned long long value);
float atomicAdd(float* p, float value);
float atomicExch(float* p, float value);
