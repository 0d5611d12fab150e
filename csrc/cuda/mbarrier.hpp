// Barriers in shared memory that count arrivals of threads and bytes of copies (mbarrier, compute capability 9.0).
//
// A barrier goes through phases.  One is complete when as many threads have arrived as init_barrier() said, and as many
// bytes have landed as they announced; the next one begins then.  A thread waits for a phase by its parity: 0 for the
// first, 1 for the second, ...; waiting with parity 1 for a new barrier returns at once.
#pragma once

#include "launch.hpp"
#ifndef __CUDACC__
#include "../emu/mbarrier.hpp"
#endif

namespace convolith::CONVOLITH_DEVICE {

struct Barrier {
  std::uint64_t state;
};

#ifdef __CUDACC__

__device__ __forceinline__ unsigned shared_address(const void* shared) {
  return static_cast<unsigned>(__cvta_generic_to_shared(shared));
}
__device__ __forceinline__ void init_barrier(Barrier& b, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(&b)), "r"(arrivals) : "memory");
}
// What this thread has initialised is there for copies, too.
__device__ __forceinline__ void fence_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;\nfence.proxy.async.shared::cta;" ::: "memory");
}
__device__ __forceinline__ void arrive(Barrier& b) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(&b)) : "memory");
}
// And announces bytes.
__device__ __forceinline__ void arrive_expecting(Barrier& b, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(&b)), "r"(bytes)
               : "memory");
}
__device__ __forceinline__ void wait(Barrier& b, unsigned parity) {
  asm volatile(
      "{\n"
      ".reg .pred complete;\n"
      "again:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 complete, [%0], %1;\n"
      "@!complete bra again;\n"
      "}" ::"r"(shared_address(&b)),
      "r"(parity)
      : "memory");
}

#else

CONVOLITH_INLINE void init_barrier(Barrier& b, int arrivals) {
  emu::init_mbarrier(&b, arrivals);
}
CONVOLITH_INLINE void fence_barriers() {
  emu::fence_mbarriers();
}
CONVOLITH_INLINE void arrive(Barrier& b) {
  emu::arrive_at_mbarrier(&b, 0);
}
CONVOLITH_INLINE void arrive_expecting(Barrier& b, int bytes) {
  emu::arrive_at_mbarrier(&b, bytes);
}
CONVOLITH_INLINE void wait(Barrier& b, unsigned parity, int line = __builtin_LINE()) {
  emu::wait_for_mbarrier(&b, parity, line);
}

#endif

}  // namespace convolith::CONVOLITH_DEVICE
