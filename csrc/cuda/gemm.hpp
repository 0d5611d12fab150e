// The product of matrices that convolutions and linear layers come down to.  A block makes BM x BN sums, a thread
// TM x TN of them in registers; slabs of BD terms lie in shared memory, and the next slab comes into registers while
// the present one is multiplied.  Bound by FLOPs: 2 TM TN for TM + TN values from shared memory.
//
// A sum is one chain of additions in the order of its terms, whatever the tile.
#pragma once

#include "launch.hpp"

namespace convolith::CONVOLITH_DEVICE {

template <int BM_, int BN_, int TM_, int TN_>
struct Tile {
  static constexpr int BM = BM_, BN = BN_, TM = TM_, TN = TN_, BD = 16;
  static constexpr int threads = BM / TM * (BN / TN);
  static constexpr int blocks = 3;  // at least, on one processor: they share its 65536 registers
};

// V values from memory, zeros where there are none.
template <int V, class T>
__device__ Vector<float, V> fetch(bool exists, const T* p) {
  Vector<float, V> values{};
  if (exists) {
    const auto stored = *reinterpret_cast<const Vector<T, V>*>(p);
#pragma unroll
    for (int i = 0; i < V; ++i) values.v[i] = static_cast<float>(stored.v[i]);
  }
  return values;
}

// What a thread fetches of a slab, E x BD values: in each pass V neighbours, along the terms (deep) or along E.
// An operand adds fetch_next().
template <class Tile, int E, int V, bool deep_>
struct Slab {
  static constexpr bool deep = deep_;
  static constexpr int lanes = (deep ? Tile::BD : E) / V, stride = Tile::threads / lanes;
  static constexpr int passes = (deep ? E : Tile::BD) / stride;
  static_assert(lanes * stride == Tile::threads && passes > 0 && passes * stride == (deep ? E : Tile::BD));

  __device__ static int along() { return static_cast<int>(threadIdx.x) % lanes * V; }
  __device__ static int across() { return static_cast<int>(threadIdx.x) / lanes; }  // of the first pass

  __device__ void store(float (&slab)[Tile::BD][E + 4]) const {
#pragma unroll
    for (int pass = 0; pass < passes; ++pass) {
      const int j = across() + pass * stride;
      if constexpr (deep) {
#pragma unroll
        for (int i = 0; i < V; ++i) slab[along() + i][j] = values[pass].v[i];
      } else {
        *reinterpret_cast<Vector<float, V>*>(&slab[j][along()]) = values[pass];
      }
    }
  }

  Vector<float, V> values[passes];
};

// Which sums of a tile are a thread's: fours of rows times fours of columns.  A warp spans 4 x 8 of these; neighbouring
// lanes share columns, lanes two apart rows, so that half a warp reads its fours in one access to shared memory.
template <class Tile>
struct Share {
  static constexpr int warps_across = Tile::BN / Tile::TN / 8;
  static constexpr int row_pitch = Tile::BM / (Tile::TM / 4), column_pitch = Tile::BN / (Tile::TN / 4);
  int row, column;

  __device__ Share() {
    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    row = (warp / warps_across * 4 + lane / 16 * 2 + lane % 2) * 4;
    column = (warp % warps_across * 8 + lane / 2 % 8) * 4;
  }
};

template <int BD, int E>
struct alignas(16) Slabs {
  float at[2][BD][E + 4];
};

// sum = the product of `steps` slabs of a (rows) and b (columns).
template <class Tile, class A, class B>
__device__ void multiply(A& a, B& b, int steps, float (&sum)[Tile::TM][Tile::TN]) {
  constexpr int TM = Tile::TM, TN = Tile::TN;
  SHARED(rows, Slabs<Tile::BD, Tile::BM>);
  SHARED(columns, Slabs<Tile::BD, Tile::BN>);
  const Share<Tile> mine;
#pragma unroll
  for (int i = 0; i < TM; ++i)
#pragma unroll
    for (int j = 0; j < TN; ++j) sum[i][j] = 0;

  if (steps > 0) a.fetch_next(), b.fetch_next();
  for (int step = 0; step < steps; ++step) {
    auto& r = rows.at[step % 2];
    auto& c = columns.at[step % 2];
    a.store(r), b.store(c);
    __syncthreads();  // one is enough: who stores two steps on has passed the next one, after all have read this slab
    if (step + 1 < steps) a.fetch_next(), b.fetch_next();
#pragma unroll
    for (int d = 0; d < Tile::BD; ++d) {
      Vector<float, 4> u[TM / 4], v[TN / 4];
#pragma unroll
      for (int i = 0; i < TM / 4; ++i)
        u[i] = *reinterpret_cast<const Vector<float, 4>*>(&r[d][mine.row + i * mine.row_pitch]);
#pragma unroll
      for (int j = 0; j < TN / 4; ++j)
        v[j] = *reinterpret_cast<const Vector<float, 4>*>(&c[d][mine.column + j * mine.column_pitch]);
#pragma unroll
      for (int i = 0; i < TM; ++i)
#pragma unroll
        for (int j = 0; j < TN; ++j) sum[i][j] += u[i / 4].v[i % 4] * v[j / 4].v[j % 4];
    }
  }
}

// What becomes of a sum: y = activation(sum + bias + residual).
template <class T>
struct Output {
  T* y;               // (..., channels)
  const T* bias;      // (channels) or null
  const T* residual;  // as y, or null
  Activation activation;

  template <int V>
  __device__ void write(std::int64_t at, int channel, Vector<float, V> sum) const {
    if (bias) add(fetch<V>(true, bias + channel), sum);
    if (residual) add(fetch<V>(true, residual + at), sum);
    Vector<T, V> out;
#pragma unroll
    for (int i = 0; i < V; ++i)
      out.v[i] = static_cast<T>(activation == Activation::relu && sum.v[i] < 0 ? 0 : sum.v[i]);
    *reinterpret_cast<Vector<T, V>*>(y + at) = out;
  }

 private:
  template <int V>
  __device__ static void add(const Vector<float, V>& more, Vector<float, V>& sum) {
#pragma unroll
    for (int i = 0; i < V; ++i) sum.v[i] += more.v[i];
  }
};

// Writes a thread's sums.  Row i of the tile goes to out.y + offset(i), or nowhere where that is negative; the tile's
// columns begin with `channel`, and `channels` of them exist.
template <class Tile, class T, class Offset>
__device__ void write_tile(const float (&sum)[Tile::TM][Tile::TN], const Output<T>& out, int channel, int channels,
                           bool aligned, Offset offset) {
  const Share<Tile> mine;
#pragma unroll
  for (int i = 0; i < Tile::TM; ++i) {
    const std::int64_t row = offset(mine.row + i / 4 * mine.row_pitch + i % 4);
    if (row < 0) continue;
#pragma unroll
    for (int j = 0; j < Tile::TN; j += 4) {
      const int column = mine.column + j / 4 * mine.column_pitch;
      const float (&s)[Tile::TN] = sum[i];
      if (aligned && column < channels) {
        out.template write<4>(row + column, channel + column, {{s[j], s[j + 1], s[j + 2], s[j + 3]}});
      } else {
#pragma unroll
        for (int k = 0; k < 4; ++k)
          if (column + k < channels) out.template write<1>(row + column + k, channel + column + k, {{s[j + k]}});
      }
    }
  }
}

// out[i] = the sum of parts (splits, size) over splits, in their order; rows of `channels`.
template <class T>
__global__ void sum_parts_kernel(std::int64_t size, int splits, int channels, const float* parts, Output<T> out) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < size; i += step) {
    float sum = 0;
#pragma unroll 8
    for (int split = 0; split < splits; ++split) sum += parts[split * size + i];
    out.template write<1>(i, out.bias ? static_cast<int>(i % channels) : 0, {{sum}});
  }
}

template <class T>
void sum_parts(const char* name, std::int64_t size, int splits, std::int64_t channels, const float* parts,
               const Output<T>& out) {
  constexpr int threads = 64;
  if (size == 0) return;
  launch(name, sum_parts_kernel<T>, dim3(grid_for(size, threads)), dim3(threads), 0, size, splits, channels, parts,
         out);
}

// Calls run(Output), which writes `splits` parts of out (size) one after the other, and adds them up.
template <class T, class Run>
void in_parts(const char* name, int splits, std::int64_t size, std::int64_t channels, const Output<T>& out, Run run) {
  if (splits == 1) return run(out);
  const Scratch<float> parts(splits * size);
  run(Output<float>{parts.get(), nullptr, nullptr, Activation::identity});
  sum_parts(name, size, splits, channels, parts.get(), out);
}

// Takes apart what was put together as ((...) * b + b') * a + a'.
struct Digits {
  unsigned rest;
  __device__ int next(int extent) {
    const unsigned digit = rest % static_cast<unsigned>(extent);
    rest /= static_cast<unsigned>(extent);
    return static_cast<int>(digit);
  }
};

// Calls run(Tile) for the tile that finishes `products` products of rows x columns first.  A step of BD terms takes its
// share of 132 processors with 128 lanes, which small tiles use less well, and no less than an access to memory.
template <class Run>
void with_tile(std::int64_t rows, std::int64_t columns, std::int64_t products, Run run) {
  constexpr double memory_access = 700;
  double best = 0;
  int choice = -1, index = 0;
  const auto consider = [&](int BM, int BN, double efficiency) {
    const std::int64_t blocks = products * ceil_div(rows, BM) * ceil_div(columns, BN);
    const double cycles = static_cast<double>((blocks + 131) / 132) * BM * BN / (8 * efficiency);
    const double time = cycles < memory_access ? memory_access : cycles;
    if (choice < 0 || time < best) best = time, choice = index;
    ++index;
  };
  consider(32, 32, 0.5);
  consider(64, 64, 0.8);
  consider(128, 32, 0.8);
  consider(128, 64, 1);
  switch (choice) {
    case 0:
      return run(Tile<32, 32, 4, 4>{});
    case 1:
      return run(Tile<64, 64, 8, 4>{});
    case 2:
      return run(Tile<128, 32, 8, 4>{});
    default:
      return run(Tile<128, 64, 8, 8>{});
  }
}

}  // namespace convolith::CONVOLITH_DEVICE
