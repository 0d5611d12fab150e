// The instructions of cuda/tensor_core.hpp: a warp meets, and the last lane to come computes for all.
#pragma once

namespace convolith::emu {

void load_matrices(unsigned (&r)[4], const void* row, bool transposed);
unsigned round_to_tf32(unsigned x);

// c += a b.  Products are exact, sums are floats, in the order of the reduction.
void multiply_tf32(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]);
void multiply_bf16(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]);
void multiply_fp16(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]);

}  // namespace convolith::emu
