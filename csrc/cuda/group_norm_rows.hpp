// Rows of group norm where L == 1, so that they are contiguous: x (N, C), rows of C / G.  A team of threads has one in
// its registers (softmax.hpp): x is read once and y written, backward reads dy and x and writes dx.  The sums over
// images, for the gradients of weight and bias, read dy and x once more.
#pragma once

#include "chunks.hpp"
#include "softmax.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// mean, invstd (N, G), weight, bias (C) or null
template <class P>
struct Norm {
  const P *mean, *invstd, *weight, *bias;
};

// The row of a team: `channel` plus an offset in x is the channel there.
template <class Team>
__device__ __forceinline__ std::int64_t first_channel(const GroupNorm& p, const Team& team) {
  return team.row % p.G * team.L - team.first;
}

// x, y (N, C), mean, invstd (N, G), weight, bias (C) or null
template <class Team, class T, class P>
__global__ void __launch_bounds__(Team::threads)
    forward_rows_kernel(Softmax rows, GroupNorm p, const T* x, const P* weight, const P* bias, T* y, P* mean,
                        P* invstd) {
  const Team team(rows, blockIdx.x);
  const Elements values(team, 0.0f, [=](std::int64_t i) { return static_cast<float>(x[i]); });
  const float m = static_cast<float>(rows.L);
  float total = 0, rest = 0, squares = 0;
  values.fold([&](float v) { total += v; });
  const float pivot = team.reduce(Sum{}, total) / m;
  values.each([&](float v, std::int64_t) {
    rest += v - pivot;
    squares = fmaf(v - pivot, v - pivot, squares);
  });
  rest = team.reduce(Sum{}, rest) / m;  // rounding of the pivot
  const float variance = fmaxf(team.reduce(Sum{}, squares) / m - rest * rest, 0.0f), middle = pivot + rest;
  const float inverse = 1 / sqrtf(variance + static_cast<float>(p.eps));
  if (team.L > 0 && team.part == 0) {
    mean[team.row] = middle;
    invstd[team.row] = inverse;
  }
  const std::int64_t channel = first_channel(p, team);
  values.each([&](float v, std::int64_t i) {
    const float scale = weight ? inverse * weight[channel + i] : inverse;
    y[i] = static_cast<T>(fmaf(v - middle, scale, bias ? bias[channel + i] : 0));
  });
}

struct Deviation {
  float g, d;  // dy weight, x - mean
};
// dy, x, dx (N, C), weight (C) or null, mean, invstd (N, G)
template <class Team, class T, class P>
__global__ void __launch_bounds__(Team::threads)
    backward_rows_kernel(Softmax rows, GroupNorm p, const T* dy, const T* x, const P* weight, const P* mean,
                         const P* invstd, T* dx) {
  const Team team(rows, blockIdx.x);
  const std::int64_t channel = first_channel(p, team);
  const float middle = team.L > 0 ? mean[team.row] : 0, inverse = team.L > 0 ? invstd[team.row] : 0;
  const Elements deviations(team, Deviation{0, 0}, [=](std::int64_t i) {
    const float g = static_cast<float>(dy[i]);
    return Deviation{weight ? g * weight[channel + i] : g, static_cast<float>(x[i]) - middle};
  });
  float total = 0, product = 0;
  deviations.fold([&](Deviation v) {
    total += v.g;
    product = fmaf(v.g, v.d, product);
  });
  const float share = -inverse / static_cast<float>(rows.L), level = share * team.reduce(Sum{}, total);
  const float slope = share * inverse * inverse * team.reduce(Sum{}, product);
  deviations.each(
      [&](Deviation v, std::int64_t i) { dx[i] = static_cast<T>(fmaf(v.g, inverse, fmaf(v.d, slope, level))); });
}

// dy, x (N, C).  sums (chunks, 2, C): of a chunk of images the sums of dy and of dy xhat.
template <int V, class T>
__global__ void __launch_bounds__(block_threads, 4)
    row_sums_kernel(GroupNorm p, Chunks chunks, Norm<Parameter<T>> norm, const Vector<T, V>* dy, const Vector<T, V>* x,
                    Vector<float, V>* sums) {
  SHARED(shared, Vector<float, V>[block_threads]);
  const Part part(chunks);
  const auto channels = static_cast<unsigned>(p.C / p.G), first = static_cast<unsigned>(part.c * V);
  Vector<float, V> total{}, product{};
  for (std::int64_t n = part.first; n < (part.c < chunks.C ? part.end : 0); n += blockDim.y) {
    const Vector<T, V> v = x[n * chunks.C + part.c], g = dy[n * chunks.C + part.c];
#pragma unroll
    for (int j = 0; j < V; ++j) {
      const std::int64_t row = n * p.G + (first + j) / channels;
      const float xhat = (static_cast<float>(v.v[j]) - norm.mean[row]) * norm.invstd[row];
      total.v[j] += static_cast<float>(g.v[j]);
      product.v[j] = fmaf(static_cast<float>(g.v[j]), xhat, product.v[j]);
    }
  }
  total = join_threads(Sum{}, total, shared, blockDim.x);
  product = join_threads(Sum{}, product, shared, blockDim.x);
  if (threadIdx.y > 0 || part.c >= chunks.C) return;
  Vector<float, V>* to = sums + part.index * 2 * chunks.C + part.c;
  to[0] = total;
  to[chunks.C] = product;
}

// All as above.
template <class T, class P>
void forward_rows(const char* name, const GroupNorm& p, const T* x, const P* weight, const P* bias, T* y, P* mean,
                  P* invstd) {
  const Softmax rows{p.N * p.G, p.C / p.G, 1};
  for_rows(rows, [&]<class Team>(std::int64_t blocks, dim3 block) {
    launch(name, forward_rows_kernel<Team, T, P>, dim3(static_cast<unsigned>(blocks)), block, 0, rows, p, x, weight,
           bias, y, mean, invstd);
  });
}
template <class T, class P>
void backward_rows(const char* name, const GroupNorm& p, const T* dy, const T* x, const P* weight, const P* mean,
                   const P* invstd, T* dx) {
  const Softmax rows{p.N * p.G, p.C / p.G, 1};
  for_rows(rows, [&]<class Team>(std::int64_t blocks, dim3 block) {
    launch(name, backward_rows_kernel<Team, T, P>, dim3(static_cast<unsigned>(blocks)), block, 0, rows, p, dy, x,
           weight, mean, invstd, dx);
  });
}

}  // namespace
}  // namespace convolith::CONVOLITH_DEVICE
