// Copies from global to shared memory that go on while the thread computes (cp.async, compute capability 8.0).
//
// A thread closes the copies that it has begun into a group with commit_copies().  wait_copies<n>() waits for all of
// its groups but the n latest; what other threads copied is there after a __syncthreads() that follows.
#pragma once

#include "launch.hpp"
#ifndef __CUDACC__
#include "../emu/async_copy.hpp"
#endif

namespace convolith::CONVOLITH_DEVICE {

#ifdef __CUDACC__

// 4, 8 or 16 bytes, aligned so at both ends; zeros, and nothing is read, where not valid.
template <int bytes>
__device__ __forceinline__ void copy_async(void* shared, const void* global, bool valid) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16);
  const auto to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  const int from_global = valid ? bytes : 0;
  if constexpr (bytes == 16)  // past L1
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(from_global) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(global), "n"(bytes), "r"(from_global)
                 : "memory");
}
__device__ __forceinline__ void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int n>
__device__ __forceinline__ void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(n) : "memory");
}

#else

template <int bytes>
CONVOLITH_INLINE void copy_async(void* shared, const void* global, bool valid) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16);
  emu::begin_copy(shared, global, bytes, valid);
}
CONVOLITH_INLINE void commit_copies() {
  emu::close_copy_group();
}
template <int n>
CONVOLITH_INLINE void wait_copies() {
  emu::wait_for_copies(n);
}

#endif

}  // namespace convolith::CONVOLITH_DEVICE
