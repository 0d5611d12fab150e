// Small kernels for test_emulator.py, right and wrong ones.  x (n) is read and y (n) written, by n threads in blocks of
// 128 where nothing else is said.
#include "samples.hpp"

#include "cuda/launch.hpp"
#include "cuda/mbarrier.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

constexpr int block = 128;
constexpr unsigned all_lanes = 0xffffffffu;

__device__ int index() {
  return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
}

// --- Right ones ----------------------------------------------------------------------------------------------------

__global__ void copy(const float* x, float* y, int n) {
  if (const int i = index(); i < n) y[i] = x[i];
}
__global__ void copy_vectors(const float* x, float* y, int n) {
  if (const int i = index(); i < n / 4) reinterpret_cast<float4*>(y)[i] = reinterpret_cast<const float4*>(x)[i];
}
__global__ void copy_stride_8(const float* x, float* y, int n) {
  if (const int i = index() * 8; i < n) y[i] = x[i];
}
__global__ void copy_bytes(const float* x, float* y, int n) {  // neighbours share a word, not a byte
  const int i = index();
  if (i < n)
    for (int j = 0; j < 4; ++j) reinterpret_cast<char*>(y)[i + j * n] = reinterpret_cast<const char*>(x)[i + j * n];
}
__global__ void reverse_block(const float* x, float* y, int n) {
  SHARED(tile, float[block]);
  const int t = static_cast<int>(threadIdx.x), i = index();
  tile[t] = i < n ? x[i] : 0;
  __syncthreads();
  if (i < n) y[i] = tile[block - 1 - t];
}
__global__ void reverse_block_mbarrier(const float* x, float* y, int n) {
  SHARED(tile, float[block]);
  SHARED(barrier, Barrier);
  const int t = static_cast<int>(threadIdx.x), i = index();
  if (t == 0) init_barrier(barrier, block);
  __syncthreads();
  tile[t] = i < n ? x[i] : 0;
  arrive(barrier);
  wait(barrier, 0);
  if (i < n) y[i] = tile[block - 1 - t];
}
__global__ void reverse_block_dynamic(const float* x, float* y, int n) {
  DYNAMIC_SHARED(tile, float);
  const int t = static_cast<int>(threadIdx.x), i = index();
  tile[t] = i < n ? x[i] : 0;
  __syncthreads();
  if (i < n) y[i] = tile[block - 1 - t];
}
__global__ void sum_warp_in_shared(const float* x, float* y, int n) {  // y[i] = sum of the warp's x
  SHARED(part, float[block]);
  const int t = static_cast<int>(threadIdx.x), i = index(), lane = t % 32;
  part[t] = i < n ? x[i] : 0;
  __syncwarp();
  for (int o = 16; o > 0; o /= 2) {
    if (lane < o) part[t] += part[t + o];
    __syncwarp();
  }
  if (i < n) y[i] = part[t - lane];
}
__global__ void sum_warp_by_shuffle(const float* x, float* y, int n) {
  const int i = index();
  float v = i < n ? x[i] : 0;
  for (int o = 16; o > 0; o /= 2) v += __shfl_xor_sync(all_lanes, v, o);
  if (i < n) y[i] = v;
}
__global__ void count(const float*, float* y, int n) {  // y[0] = n, all else 0
  const int i = index();
  if (i < n && i > 0) y[i] = 0;
  if (i < n) atomicAdd(&y[0], 1.f);
}
template <int pad>
__global__ void transpose(const float* x, float* y, int) {  // x, y (32, 32)
  SHARED(tile, float[32][32 + pad]);
  const int column = static_cast<int>(threadIdx.x);
  for (int row = static_cast<int>(threadIdx.y); row < 32; row += 8) tile[row][column] = x[row * 32 + column];
  __syncthreads();
  for (int row = static_cast<int>(threadIdx.y); row < 32; row += 8) y[row * 32 + column] = tile[column][row];
}
__global__ void half_of_each_warp(const float* x, float* y, int n) {
  const int i = index();
  if (i >= n) return;
  if (threadIdx.x % 32 < 16)
    y[i] = x[i];
  else
    y[i] = -x[i];
}

__global__ void uneven_loops(const float* x, float* y, int n) {  // y[i] = x[i] + ... of 1 + i % 8 elements
  const int i = index();
  if (i >= n) return;
  float sum = 0;
  for (int j = 0; j <= i % 8; ++j) sum += x[(i + j) % n];
  y[i] = sum;
}

// --- Out of bounds, misaligned, unwritten --------------------------------------------------------------------------

__global__ void read_past_end(const float* x, float* y, int n) {
  if (const int i = index(); i < n) y[i] = x[i + 1];
}
__global__ void read_before_start(const float* x, float* y, int n) {
  if (const int i = index(); i < n) y[i] = x[i - 1];
}
__global__ void read_across_end(const float* x, float* y, int n) {  // n is no multiple of 4
  if (const int i = index(); i < (n + 3) / 4) reinterpret_cast<float4*>(y)[i] = reinterpret_cast<const float4*>(x)[i];
}
__global__ void write_past_end(const float* x, float* y, int n) {
  if (const int i = index(); i < n) y[i + 1] = x[i];
}
__global__ void read_nowhere(const float*, float* y, int n) {
  const auto* nowhere = reinterpret_cast<const float*>(std::intptr_t{n});
  y[0] = nowhere[4];
}
__global__ void read_shared_past_end(const float* x, float* y, int n) {
  SHARED(tile, float[block]);
  SHARED(other, float[block]);
  const int t = static_cast<int>(threadIdx.x), i = index();
  tile[t] = other[t] = i < n ? x[i] : 0;
  __syncthreads();
  if (i < n) y[i] = tile[t + 1];
}
__global__ void write_shared_past_end(const float* x, float* y, int n) {
  SHARED(tile, float[block]);
  SHARED(other, float[block]);
  const int t = static_cast<int>(threadIdx.x), i = index();
  other[t] = 0;
  tile[t + 1] = i < n ? x[i] : 0;
  __syncthreads();
  if (i < n) y[i] = other[t];
}
__global__ void read_dynamic_past_end(const float* x, float* y, int n) {
  DYNAMIC_SHARED(tile, float);
  const int t = static_cast<int>(threadIdx.x), i = index();
  tile[t] = i < n ? x[i] : 0;
  __syncthreads();
  if (i < n) y[i] = tile[t + 1];
}
__global__ void write_dynamic_past_end(const float* x, float* y, int n) {
  DYNAMIC_SHARED(tile, float);
  const int t = static_cast<int>(threadIdx.x), i = index();
  tile[t + 1] = i < n ? x[i] : 0;
  __syncthreads();
  if (i < n) y[i] = tile[t];
}
__global__ void read_misaligned(const float* x, float* y, int n) {
  if (const int i = index(); i < n / 4 - 1) reinterpret_cast<float4*>(y)[i] = reinterpret_cast<const float4*>(x + 1)[i];
}
__global__ void read_unwritten(const float* x, float* y, int n) {
  if (const int i = index(); i < n) y[i] += x[i];
}
__global__ void read_unwritten_shared(const float* x, float* y, int n) {
  SHARED(tile, float[block]);
  const int t = static_cast<int>(threadIdx.x), i = index();
  if (t > 0) tile[t] = i < n ? x[i] : 0;
  __syncthreads();
  if (i < n) y[i] = tile[t];
}

// --- Races ---------------------------------------------------------------------------------------------------------

__global__ void no_barrier(const float* x, float* y, int n) {
  SHARED(tile, float[block]);
  const int t = static_cast<int>(threadIdx.x), i = index();
  for (int round = 0; round < 2; ++round) {  // the second round overwrites what others still read
    tile[t] = i < n ? x[i] : 0;
    __syncthreads();
    if (i < n) y[i] = tile[block - 1 - t];
  }
}
__global__ void no_barrier_before_read(const float* x, float* y, int n) {
  SHARED(tile, float[block]);
  const int t = static_cast<int>(threadIdx.x), i = index();
  tile[t] = 0;
  __syncthreads();
  tile[t] = i < n ? x[i] : 0;
  if (i < n) y[i] = tile[block - 1 - t];
}
__global__ void no_syncwarp(const float* x, float* y, int n) {
  SHARED(part, float[block]);
  const int t = static_cast<int>(threadIdx.x), i = index(), lane = t % 32;
  part[t] = 0;
  __syncwarp();
  part[t] = i < n ? x[i] : 0;
  if (i < n) y[i] = part[t - lane];
}
__global__ void shuffle_for_syncwarp(const float* x, float* y, int n) {
  SHARED(part, float[block]);
  const int t = static_cast<int>(threadIdx.x), i = index(), lane = t % 32;
  part[t] = i < n ? x[i] : 0;
  const float v = __shfl_sync(all_lanes, part[t], 0);
  if (i < n) y[i] = v + part[t - lane];
}
__global__ void syncwarp_between_warps(const float* x, float* y, int n) {
  SHARED(tile, float[block]);
  const int t = static_cast<int>(threadIdx.x), i = index();
  tile[t] = 0;
  __syncthreads();
  tile[t] = i < n ? x[i] : 0;
  __syncwarp();
  if (i < n) y[i] = tile[block - 1 - t];
}
__global__ void same_place(const float*, float* y, int) {
  y[0] = static_cast<float>(threadIdx.x);
}
__global__ void same_place_in_all_blocks(const float*, float* y, int) {
  y[threadIdx.x] = static_cast<float>(blockIdx.x);
}
__global__ void read_what_a_block_wrote(const float* x, float* y, int n) {
  const int i = index();
  if (i < n && i >= block) y[i] = 0;
  if (i < block) y[i] = x[i];
  __syncthreads();
  if (i < n && i >= block) y[i] = y[threadIdx.x];
}
__global__ void count_without_atomic(const float* x, float* y, int n) {
  const int i = index();
  if (i == 0) y[0] = 0;
  if (i < n) y[0] += x[i];
}
__global__ void atomic_and_plain(const float*, float* y, int n) {
  const int i = index();
  if (i == 0) y[0] = 0;
  if (i < n) atomicAdd(&y[0], 1.f);
}

__global__ void mbarrier_of_another_phase(const float* x, float* y, int n) {
  SHARED(tile, float[block]);
  SHARED(barrier, Barrier);
  const int t = static_cast<int>(threadIdx.x), i = index();
  if (t == 0) init_barrier(barrier, block);
  tile[t] = 0;
  __syncthreads();
  tile[t] = i < n ? x[i] : 0;
  arrive(barrier);
  wait(barrier, 1);
  if (i < n) y[i] = tile[block - 1 - t];
}

// --- Threads that wait for ever ------------------------------------------------------------------------------------

__global__ void missing_arrival(const float* x, float* y, int n) {
  SHARED(barrier, Barrier);
  if (threadIdx.x == 0) init_barrier(barrier, block + 1);
  __syncthreads();
  arrive(barrier);
  wait(barrier, 0);
  if (const int i = index(); i < n) y[i] = x[i];
}

__global__ void two_barriers(const float* x, float* y, int n) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  if (const int i = index(); i < n) y[i] = x[i];
}
__global__ void return_before_barrier(const float* x, float* y, int n) {
  const int i = index();
  if (threadIdx.x == 5) return;
  __syncthreads();
  if (i < n) y[i] = x[i];
}
__global__ void missing_lane(const float* x, float* y, int n) {
  const int i = index();
  float v = i < n ? x[i] : 0;
  if (threadIdx.x % 32 != 7) v = __shfl_sync(all_lanes, v, 0);
  if (i < n) y[i] = v;
}
__global__ void two_meetings(const float* x, float* y, int n) {
  const int i = index();
  float v = i < n ? x[i] : 0;
  if (threadIdx.x % 2)
    v = __shfl_xor_sync(all_lanes, v, 1);
  else
    v = __shfl_down_sync(all_lanes, v, 1);
  if (i < n) y[i] = v;
}

template <auto kernel>
void run(const char* name, const float* x, float* y, int n) {
  launch(name, kernel, dim3((static_cast<unsigned>(n) + block - 1) / block), dim3(block), block * sizeof(float), x, y,
         n);
}
template <auto kernel>
void run_tile(const char* name, const float* x, float* y, int n) {
  launch(name, kernel, dim3(1), dim3(32, 8), 0, x, y, n);
}

}  // namespace

#define SAMPLE(name) {#name, run<name>}
const Sample samples[] = {SAMPLE(copy),
                          SAMPLE(copy_vectors),
                          SAMPLE(copy_stride_8),
                          SAMPLE(copy_bytes),
                          SAMPLE(reverse_block),
                          SAMPLE(reverse_block_dynamic),
                          SAMPLE(reverse_block_mbarrier),
                          SAMPLE(sum_warp_in_shared),
                          SAMPLE(sum_warp_by_shuffle),
                          SAMPLE(count),
                          {"transpose", run_tile<transpose<0>>},
                          {"transpose_padded", run_tile<transpose<1>>},
                          SAMPLE(half_of_each_warp),
                          SAMPLE(uneven_loops),
                          SAMPLE(read_past_end),
                          SAMPLE(read_before_start),
                          SAMPLE(read_across_end),
                          SAMPLE(write_past_end),
                          SAMPLE(read_nowhere),
                          SAMPLE(read_shared_past_end),
                          SAMPLE(write_shared_past_end),
                          SAMPLE(read_dynamic_past_end),
                          SAMPLE(write_dynamic_past_end),
                          SAMPLE(read_misaligned),
                          SAMPLE(read_unwritten),
                          SAMPLE(read_unwritten_shared),
                          SAMPLE(no_barrier),
                          SAMPLE(no_barrier_before_read),
                          SAMPLE(no_syncwarp),
                          SAMPLE(shuffle_for_syncwarp),
                          SAMPLE(syncwarp_between_warps),
                          SAMPLE(same_place),
                          SAMPLE(same_place_in_all_blocks),
                          SAMPLE(read_what_a_block_wrote),
                          SAMPLE(count_without_atomic),
                          SAMPLE(atomic_and_plain),
                          SAMPLE(mbarrier_of_another_phase),
                          SAMPLE(two_barriers),
                          SAMPLE(missing_arrival),
                          SAMPLE(return_before_barrier),
                          SAMPLE(missing_lane),
                          SAMPLE(two_meetings),
                          {nullptr, nullptr}};

}  // namespace convolith::CONVOLITH_DEVICE
