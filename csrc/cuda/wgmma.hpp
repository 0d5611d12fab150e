// Tensor cores through the instructions of a warpgroup: wgmma (compute capability 9.0; PTX ISA, "Asynchronous Warpgroup
// Level Matrix Multiply-Accumulate Operation").
//
// 128 threads add the product of A 64 x 16 and B 16 x n, both in shared memory, to the sums in their registers: sum i
// of thread t is in row t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8 and column i / 4 * 8 + t % 4 * 2 + i % 2.  The
// instruction goes on while the threads do: wgmma_commit() closes what was begun into a group, wgmma_wait<n>() waits
// for all groups but the n latest, and until then nobody may touch the sums, nor write what is multiplied.
#pragma once

#include "launch.hpp"
#include "mbarrier.hpp"
#ifndef __CUDACC__
#include "../emu/wgmma.hpp"
#endif

namespace convolith::CONVOLITH_DEVICE {

constexpr int wgmma_rows = 64, wgmma_depth = 16;

#ifndef __CUDACC__
using emu::shared_address;
#endif

// Describes an operand of 16-bit elements in rows of 128 bytes, as copies of tensor_map.hpp leave them: 8 rows are 1024
// bytes, and `stride` leads to the next 8.  A row holds 64 terms, of which the product takes 16 from `first` on; or,
// where terms lie across, it holds 64 rows of A or columns of B, and `leading` leads to the next 64.
__device__ __forceinline__ std::uint64_t describe(const void* first, int leading, int stride) {
  const std::uint64_t swizzle_of_128_bytes = std::uint64_t{1} << 62;
  return swizzle_of_128_bytes | std::uint64_t{static_cast<unsigned>(stride) >> 4} << 32 |
         std::uint64_t{static_cast<unsigned>(leading) >> 4} << 16 | shared_address(first) >> 4;
}

#ifdef __CUDACC__

// What was written to the sums is there for the products that follow.
__device__ __forceinline__ void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int n>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(n) : "memory");
}
// After a wait: keeps the compiler from reading the sums before it.
template <int count>
__device__ __forceinline__ void wgmma_settle(float (&d)[count]) {
#pragma unroll
  for (float& sum : d) asm volatile("" : "+f"(sum)::"memory");
}

#define SUMS_8(i)                                                                                             \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), \
      "+f"(d[i + 7])
#define SUMS_32(i) SUMS_8(i), SUMS_8(i + 8), SUMS_8(i + 16), SUMS_8(i + 24)
#define NAMES_32                                                                               \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, " \
  "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define NAMES_64                                                                                      \
  NAMES_32                                                                                            \
  ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, " \
  "%51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
// The operands after the sums: descriptors, and which of them lie across.
#define WGMMA(type, instruction, count, names, sums, a_, b_, a_across_, b_across_)                                  \
  template <bool a_across, bool b_across>                                                                           \
  __device__ __forceinline__ void wgmma_##type(float (&d)[count], std::uint64_t a, std::uint64_t b) {               \
    asm volatile("{\n.reg .pred add;\nsetp.eq.b32 add, 0, 0;\nwgmma.mma_async.sync.aligned." instruction " {" names \
                 "}, " a_ ", " b_ ", add, 1, 1, " a_across_ ", " b_across_ ";\n}"                                   \
                 : sums                                                                                             \
                 : "l"(a), "l"(b), "n"(int{a_across}), "n"(int{b_across}));                                         \
  }
WGMMA(bf16, "m64n64k16.f32.bf16.bf16", 32, NAMES_32, SUMS_32(0), "%32", "%33", "%34", "%35")
WGMMA(fp16, "m64n64k16.f32.f16.f16", 32, NAMES_32, SUMS_32(0), "%32", "%33", "%34", "%35")
#define SUMS_64 SUMS_32(0), SUMS_32(32)
WGMMA(bf16, "m64n128k16.f32.bf16.bf16", 64, NAMES_64, SUMS_64, "%64", "%65", "%66", "%67")
WGMMA(fp16, "m64n128k16.f32.f16.f16", 64, NAMES_64, SUMS_64, "%64", "%65", "%66", "%67")
#undef WGMMA

#else

CONVOLITH_INLINE void wgmma_fence() {
  emu::fence_products();
}
CONVOLITH_INLINE void wgmma_commit() {
  emu::commit_products();
}
template <int n>
CONVOLITH_INLINE void wgmma_wait() {
  emu::wait_for_products(n);
}
template <int count>
CONVOLITH_INLINE void wgmma_settle(float (&)[count]) {}
template <bool a_across, bool b_across, int count>
CONVOLITH_INLINE void wgmma_bf16(float (&d)[count], std::uint64_t a, std::uint64_t b) {
  emu::begin_product({d, 2 * count, a, b, a_across, b_across, true});
}
template <bool a_across, bool b_across, int count>
CONVOLITH_INLINE void wgmma_fp16(float (&d)[count], std::uint64_t a, std::uint64_t b) {
  emu::begin_product({d, 2 * count, a, b, a_across, b_across, false});
}

#endif

}  // namespace convolith::CONVOLITH_DEVICE
