// The product of matrices by wgmma: gemm_tensor.hpp's counterpart for compute capability 9.0.
//
// A block makes M x N sums and walks along the terms, 64 at a time.  One thread, the producer, has the copy engine fill
// a ring of stages in shared memory; two warpgroups multiply what has arrived, each half of the rows.
//
// Of a step, with 4096 operations, 128 bytes of shared memory and some 32 bytes from L2 per cycle and processor:
//   M x N       2^20 operations   cycles   KiB from L2   cycles   KiB in shared memory   cycles
//   128 x 64          1             256         24         768             56              448
//   256 x 64          2             512         40        1280            104              832
//   128 x 128         2             512         32        1024             80              640
//   256 x 128         4            1024         48        1536            144             1152
// so L2 is the bound: 660 TFLOP/s of 990 for the largest tile, which has to have a processor for itself.  Of the others
// two share one, and one multiplies while the other begins or writes its sums.
#pragma once

#include "gemm.hpp"
#include "tensor_map.hpp"
#include "wgmma.hpp"

namespace convolith::CONVOLITH_DEVICE::wgmma {

constexpr int step = row_elements, slices = step / wgmma_depth;  // terms; instructions along them
constexpr int box_rows = 64, box_bytes = box_rows * row_bytes;   // what lies across goes in boxes of 64 x 64

// `blocks` of them share a multiprocessor.
template <int M_, int N_, int stages_, int blocks_>
struct Tiling {
  static constexpr int M = M_, N = N_, stages = stages_, blocks = blocks_;
  static constexpr int consumers = 256, threads = consumers + 32;
  static constexpr int a_bytes = M * row_bytes, stage_bytes = a_bytes + N * row_bytes;
  static constexpr int shared_bytes = stages * stage_bytes;

  __device__ static bool is_consumer() { return threadIdx.x < consumers; }
  __device__ static bool is_producer() { return threadIdx.x == consumers; }
};

// Per stage: whether it holds what is to be multiplied, and whether all warps are done with that.
template <class Tiling>
struct Ring {
  Barrier full[Tiling::stages], empty[Tiling::stages];
};

template <class Tiling>
__device__ Ring<Tiling>& make_ring() {
  SHARED(ring, Ring<Tiling>);
  if (threadIdx.x == 0) {
    for (int i = 0; i < Tiling::stages; ++i) {
      init_barrier(ring.full[i], 1);
      init_barrier(ring.empty[i], Tiling::consumers / 32);
    }
    fence_barriers();
  }
  __syncthreads();
  return ring;
}

// The stage whose turn it is, and the parity of its phase.
template <int stages>
struct Turn {
  int stage = 0;
  unsigned parity = 0;

  __device__ void advance() {
    if (++stage < stages) return;
    stage = 0, parity ^= 1;
  }
};

// The producer: copy_next(a, b, full) begins to copy the operands of the next step, which `full` counts.
template <class Tiling, class Copy>
__device__ void produce(Ring<Tiling>& ring, int steps, Copy copy_next) {
  DYNAMIC_SHARED(shared, char);
  Turn<Tiling::stages> turn;
  for (int i = 0; i < steps; ++i) {
    wait(ring.empty[turn.stage], turn.parity ^ 1);
    arrive_expecting(ring.full[turn.stage], Tiling::stage_bytes);
    char* a = shared + turn.stage * Tiling::stage_bytes;
    copy_next(a, a + Tiling::a_bytes, ring.full[turn.stage]);
    turn.advance();
  }
}

// How an operand lies in its stage: rows of 64 terms, one for each row of A or column of B ...
struct Along {
  static constexpr bool across = false;
  __device__ static std::uint64_t slice(const char* tile, int first, int k) {
    return describe(tile + first * row_bytes + k * wgmma_depth * 2, 0, 8 * row_bytes);
  }
};
// ... or boxes of 64 such rows or columns, of which each line holds one term.
struct Across {
  static constexpr bool across = true;
  __device__ static std::uint64_t slice(const char* tile, int first, int k) {
    return describe(tile + first / box_rows * box_bytes + k * wgmma_depth * row_bytes, box_bytes, 8 * row_bytes);
  }
};

template <class T>
struct Number;
template <>
struct Number<float16> {
  template <class A, class B, int count>
  __device__ static void multiply(float (&sums)[count], std::uint64_t a, std::uint64_t b) {
    wgmma_fp16<A::across, B::across>(sums, a, b);
  }
};
template <>
struct Number<bfloat16> {
  template <class A, class B, int count>
  __device__ static void multiply(float (&sums)[count], std::uint64_t a, std::uint64_t b) {
    wgmma_bf16<A::across, B::across>(sums, a, b);
  }
};

// A consumer's sums.
template <class Tiling>
class Sums {
 public:
  // Multiplies what the producer brings; A and B say how it lies.
  template <class T, class A, class B>
  __device__ void multiply(Ring<Tiling>& ring, int steps) {
    DYNAMIC_SHARED(shared, char);
    Turn<Tiling::stages> turn;
    int before = 0;  // the stage of the step before
    for (int i = 0; i < steps; ++i) {
      wait(ring.full[turn.stage], turn.parity);
      const char* a = shared + turn.stage * Tiling::stage_bytes;
      wgmma_fence();
#pragma unroll
      for (int k = 0; k < slices; ++k)
#pragma unroll
        for (int block = 0; block < blocks; ++block)
          Number<T>::template multiply<A, B>(sums_[block], A::slice(a, first_row() + block * wgmma_rows, k),
                                             B::slice(a + Tiling::a_bytes, 0, k));
      wgmma_commit();
      wgmma_wait<1>();
      if (i > 0 && lane() == 0) arrive(ring.empty[before]);
      before = turn.stage;
      turn.advance();
    }
    wgmma_wait<0>();
#pragma unroll
    for (auto& sums : sums_) wgmma_settle(sums);
  }

  // Writes them into rows of `pitch`: row i of the tile to row_of(i), or nowhere where that is negative, and column j
  // of its column block from `channel` + column_of(block, j) on, or nowhere.  Neighbouring lanes swap halves of their
  // pairs, so that each has four columns, and eight of them 32 bytes of a row.
  template <class T, class Row, class Column>
  __device__ void write(const Output<T>& out, int pitch, int channel, Row row_of, Column column_of) const {
    const bool odd = lane() % 2 != 0;
#pragma unroll
    for (int i = 0; i < 2 * blocks; ++i) {
      const float (&sums)[Tiling::N / 2] = sums_[i / 2];
      const int row = row_of(first_row() + i / 2 * wgmma_rows + warp() * 16 + i % 2 * 8 + lane() / 4);
#pragma unroll
      for (int j = 0; j < Tiling::N / 8; j += 2) {
        const int at = j * 4 + i % 2 * 2;  // of two sums, and four later of those in the next eight columns
        const float x = __shfl_xor_sync(~0u, odd ? sums[at] : sums[at + 4], 1);
        const float y = __shfl_xor_sync(~0u, odd ? sums[at + 1] : sums[at + 5], 1);
        const Vector<float, 4> four = odd ? Vector<float, 4>{{x, y, sums[at + 4], sums[at + 5]}}
                                          : Vector<float, 4>{{sums[at], sums[at + 1], x, y}};
        const int column = column_of(j / 8, (j % 8 + odd) * 8 + lane() % 4 / 2 * 4);
        if (row >= 0 && column >= 0)
          out.template write<4>(std::int64_t{row} * pitch + channel + column, channel + column, four);
      }
    }
  }

 private:
  static constexpr int blocks = Tiling::M / (2 * wgmma_rows);  // of rows

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % 32; }
  __device__ static int warp() { return static_cast<int>(threadIdx.x) / 32 % 4; }
  __device__ static int first_row() { return static_cast<int>(threadIdx.x) / 128 * (Tiling::M / 2); }

  float sums_[blocks][Tiling::N / 2] = {};
};

// How long `blocks` of them take for `steps` steps each, in rows of 128 bytes from L2.  One that has its processor to
// itself also waits for its first operands and its last results.
template <class Tiling>
std::int64_t time_of(Tiling, std::int64_t blocks, std::int64_t steps) {
  const std::int64_t alone = Tiling::blocks == 1 ? 1300 : 0;
  return ceil_div(blocks, 132) * ((Tiling::M + Tiling::N) * steps + alone);
}

// Calls run(Tiling) for the tiles of which time(Tiling) is least.
template <class Time, class Run>
void with_tiling(Time time, Run run) {
  using Huge = Tiling<256, 128, 4, 1>;
  using Large = Tiling<128, 128, 3, 2>;
  using Tall = Tiling<256, 64, 2, 2>;
  using Small = Tiling<128, 64, 4, 2>;
  const std::int64_t huge = time(Huge{}), large = time(Large{}), tall = time(Tall{}), small = time(Small{});
  if (small < min(huge, min(large, tall))) return run(Small{});
  if (tall < min(huge, large)) return run(Tall{});
  return large <= huge ? run(Large{}) : run(Huge{});
}

}  // namespace convolith::CONVOLITH_DEVICE::wgmma
