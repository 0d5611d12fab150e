// Tensor cores through the instructions of a warp: ldmatrix and mma (PTX ISA, "Matrix fragments for mma").
//
// The 32 lanes hold a matrix in pieces.  With g = lane / 4 and t = lane % 4, register by register:
//   A 16 x 8   words  (g, t)  (g + 8, t)  (g, t + 4)  (g + 8, t + 4)
//   B  8 x 8   words  (t, g)  (t + 4, g)
//   C 16 x 8   floats (g, 2 t)  (g, 2 t + 1)  (g + 8, 2 t)  (g + 8, 2 t + 1)
// A word is one TF32 number, or two of 16 bits that follow each other in the reduction, the first in its lower half.
#pragma once

#include "launch.hpp"
#ifndef __CUDACC__
#include "../emu/tensor_core.hpp"
#endif

namespace convolith::CONVOLITH_DEVICE {

struct FragmentA {
  unsigned r[4];
};
struct FragmentB {
  unsigned r[2];
};
struct FragmentC {
  float r[4];
};

#ifdef __CUDACC__

// Four 8 x 8 matrices of 16-bit elements: lane i gives the address of row i % 8 of matrix i / 8, 16 bytes in shared
// memory.  Of each matrix it gets elements (g, 2 t) and (g, 2 t + 1): of 32-bit elements (8 x 4) it would be (g, t).
__device__ __forceinline__ void ldmatrix_x4(unsigned (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
               : "memory");
}
// The same of the matrices transposed: elements (2 t, g) and (2 t + 1, g).
__device__ __forceinline__ void ldmatrix_x4_trans(unsigned (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
               : "memory");
}

// The bits of a float, rounded to the 10 bits of mantissa that a tensor core reads: to nearest, with ties away from
// zero, or from compute capability 9.0 to even, which is one instruction there instead of three.
__device__ __forceinline__ unsigned to_tf32(unsigned x) {
  unsigned rounded;
#if __CUDA_ARCH__ >= 900
  asm("cvt.rn.tf32.f32 %0, %1;" : "=r"(rounded) : "r"(x));
#else
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "r"(x));
#endif
  return rounded;
}

#define MMA(type, shape_and_types)                                                                   \
  __device__ __forceinline__ void mma_##type(FragmentC& c, const FragmentA& a, const FragmentB& b) { \
    asm volatile("mma.sync.aligned." shape_and_types                                                 \
                 " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                  \
                 : "+f"(c.r[0]), "+f"(c.r[1]), "+f"(c.r[2]), "+f"(c.r[3])                            \
                 : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]));    \
  }

#else

CONVOLITH_INLINE void ldmatrix_x4(unsigned (&r)[4], const void* row) {
  emu::load_matrices(r, row, false);
}
CONVOLITH_INLINE void ldmatrix_x4_trans(unsigned (&r)[4], const void* row) {
  emu::load_matrices(r, row, true);
}
CONVOLITH_INLINE unsigned to_tf32(unsigned x) {
  return emu::round_to_tf32(x);
}

#define MMA(type, shape_and_types)                                                         \
  CONVOLITH_INLINE void mma_##type(FragmentC& c, const FragmentA& a, const FragmentB& b) { \
    emu::multiply_##type(c.r, a.r, b.r);                                                   \
  }

#endif

// c += a b, a with 8 columns of TF32 or 16 of 16 bits
MMA(tf32, "m16n8k8.row.col.f32.tf32.tf32.f32")
MMA(bf16, "m16n8k16.row.col.f32.bf16.bf16.f32")
MMA(fp16, "m16n8k16.row.col.f32.f16.f16.f32")
#undef MMA

}  // namespace convolith::CONVOLITH_DEVICE
