// How threads share the distributions of a Softmax: what softmax.cu and cross_entropy.cu have in common.
#pragma once

#include "reduce.hpp"

namespace convolith::CONVOLITH_DEVICE {

// Teams: the threads that work on one distribution.  Thread `part` of `parts` takes elements part, part + parts ... of
// L (0 where the team has no distribution), `stride` apart in memory from `first` on, and keeps `count` of them in
// registers.  With count 0 it takes any number, which every pass reads again: from L1 or L2 while they fit there.

// Rows of a few elements up to a thousand: neighbouring lanes of a warp.
template <int width, int held>
struct Lanes {
  static constexpr int count = held, threads = 128, rows = threads / width, parts = width, stride = 1;
  std::int64_t row, first, L;
  int part;
  __device__ __forceinline__ Lanes(const Softmax& p, std::int64_t block)
      : row(block * rows + threadIdx.x / width),
        first(row * p.L),
        L(row < p.outer ? p.L : 0),
        part(static_cast<int>(threadIdx.x) % width) {}
  template <class F>
  __device__ __forceinline__ float reduce(F f, float v) const {
    return warp_reduce<width>(f, v);
  }
};

// Longer rows: a block.
template <int held>
struct Block {
  static constexpr int count = held, threads = 512, rows = 1, stride = 1;
  std::int64_t row, first, L;
  int part, parts;
  __device__ __forceinline__ Block(const Softmax& p, std::int64_t block)
      : row(block),
        first(block * p.L),
        L(p.L),
        part(static_cast<int>(threadIdx.x)),
        parts(static_cast<int>(blockDim.x)) {}
  template <class F>
  __device__ __forceinline__ float reduce(F f, float v) const {
    SHARED(shared, float[32]);
    return block_reduce(f, v, shared);
  }
};

// inner > 1: a block (32, parts) for 32 columns side by side.
template <int held>
struct Columns {
  static constexpr int count = held, threads = held > 0 ? 512 : 1024, rows = 32;
  std::int64_t row, first, L, stride;
  int part, parts;
  __device__ __forceinline__ Columns(const Softmax& p, std::int64_t block)
      : row(block * rows + threadIdx.x),
        first(row + row / p.inner * (p.L - 1) * p.inner),
        L(row < p.outer * p.inner ? p.L : 0),
        stride(p.inner),
        part(static_cast<int>(threadIdx.y)),
        parts(static_cast<int>(blockDim.y)) {}
  template <class F>
  __device__ __forceinline__ float reduce(F f, float v) const {
    SHARED(shared, float[32][32]);
    __syncthreads();  // the reduction before this one has been read
    shared[part][threadIdx.x] = v;
    __syncthreads();
    v = shared[0][threadIdx.x];
    for (int i = 1; i < parts; ++i) v = f(v, shared[i][threadIdx.x]);
    return v;
  }
};

// The elements of one thread of a team, load(offset) each.
template <class Team, class Element, class Load>
class Elements {
 public:
  __device__ __forceinline__ Elements(const Team& team, Element padding, Load load) : team_(team), load_(load) {
#pragma unroll
    for (int j = 0; j < Team::count; ++j) held_[j] = exists(j) ? load(offset(j)) : padding;
  }

  // f(element, offset)
  template <class F>
  __device__ __forceinline__ void each(F f) const {
    if constexpr (Team::count > 0) {
#pragma unroll
      for (int j = 0; j < Team::count; ++j)
        if (exists(j)) f(held_[j], offset(j));
    } else {
#pragma unroll 1  // more keep registers in memory
      for (std::int64_t j = 0; exists(j); ++j) f(load_(offset(j)), offset(j));
    }
  }

  // f(element, offset), and perhaps f(padding, an offset beyond), which must not matter: no branches.
  template <class F>
  __device__ __forceinline__ void fold_at(F f) const {
    if constexpr (Team::count > 0) {
#pragma unroll
      for (int j = 0; j < Team::count; ++j) f(held_[j], offset(j));
    } else {
      each(f);
    }
  }
  // f(element)
  template <class F>
  __device__ __forceinline__ void fold(F f) const {
    fold_at([&](Element e, std::int64_t) { f(e); });
  }

 private:
  template <class Index>
  __device__ __forceinline__ bool exists(Index j) const {
    return j * team_.parts < static_cast<Index>(team_.L) - team_.part;
  }
  __device__ __forceinline__ std::int64_t offset(std::int64_t j) const {
    return team_.first + team_.part * team_.stride + j * team_.parts * team_.stride;
  }

  const Team& team_;
  Load load_;
  Element held_[Team::count > 0 ? Team::count : 1];
};

// Of logits padded with -inf: log softmax(x)_i = x_i - max - log sum.  A row of -inf alone, or with NaN or +inf, has a
// sum of NaN.
struct Normaliser {
  float max, sum;
};
template <class Team, class Logits>
__device__ __forceinline__ Normaliser normaliser(const Team& team, const Logits& logits) {
  float max = -INFINITY, sum = 0;
  logits.fold([&](float x) { max = fmaxf(max, x); });
  max = team.reduce(Largest{}, max);
  logits.fold([&](float x) { sum += expf(x - max); });
  return {max, team.reduce(Sum{}, sum)};
}

// Calls run<Team>(blocks, block) with the smallest team whose registers hold a row.
template <int width = 4, int count = 1, class Run>
void for_rows(const Softmax& p, const Run& run) {
  using Long = Block<16>;
  if (p.L <= width * count) {
    using Team = Lanes<width, count>;
    run.template operator()<Team>(ceil_div(p.outer, Team::rows), dim3(Team::threads));
  } else if constexpr (width < 32) {
    for_rows<2 * width, 1>(p, run);
  } else if constexpr (count < 32) {
    for_rows<width, 2 * count>(p, run);
  } else if (p.L <= Long::threads * Long::count) {
    const auto warps = static_cast<unsigned>(ceil_div(p.L, 32 * Long::count));
    run.template operator()<Long>(p.outer, dim3(32 * warps));
  } else {
    run.template operator()<Block<0>>(p.outer, dim3(Block<0>::threads));
  }
}

// The same for columns, inner > 1.
template <class Run>
void for_columns(const Softmax& p, const Run& run) {
  using Short = Columns<16>;
  const std::int64_t blocks = (p.outer * p.inner + 31) / 32;
  const std::int64_t parts = ceil_div(p.L, Short::count);
  if (32 * parts <= Short::threads)
    run.template operator()<Short>(blocks, dim3(32, static_cast<unsigned>(parts)));
  else
    run.template operator()<Columns<0>>(blocks, dim3(32, 32));
}

}  // namespace convolith::CONVOLITH_DEVICE
