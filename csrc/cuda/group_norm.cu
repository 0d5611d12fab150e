// Group normalisation of x (N, L, C): each of N G rows, C / G channels of an image, gets mean 0 and variance 1, and
// then every channel its scale and shift.  Instance norm is the case G = C; layer norm, L = 1 and G = 1, whose rows are
// contiguous and have kernels of their own, is in group_norm_rows.hpp.
//
// Where L > 1 a group's channels lie beside those of others.  So sums are taken per channel over chunks of an image,
// coalesced whatever the size of a group, and joined to those of rows by a second kernel; a third one makes the result.
// Bytes bound the outer two: forward reads x twice and writes y; backward reads dy and x twice and writes dx.
#include "group_norm_rows.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// What the channels of a Vector in image n are normalised with: mean, invstd (N, G), weight, bias (C) or null.
template <int V>
struct Affine {
  float mean[V], scale[V], shift[V];

  template <class P>
  __device__ __forceinline__ Affine(const GroupNorm& p, const Norm<P>& norm, std::int64_t n, std::int64_t c) {
    const auto channels = static_cast<unsigned>(p.C / p.G), first = static_cast<unsigned>(c * V);
#pragma unroll
    for (int j = 0; j < V; ++j) {
      const std::int64_t row = n * p.G + (first + j) / channels;
      mean[j] = norm.mean[row];
      scale[j] = norm.invstd[row] * (norm.weight ? norm.weight[first + j] : 1);
      shift[j] = norm.bias ? norm.bias[first + j] : 0;
    }
  }
};

// The sums that make a row: f(i, c, n), i being where in sums (N, chunks, `kinds`, C) the first kind is, of channel c
// and n positions.  Thread threadIdx.y takes every joiners-th.
template <class F>
__device__ __forceinline__ void each_sum(const GroupNorm& p, const Chunks& chunks, int kinds, std::int64_t row,
                                         const F& f) {
  const auto channels = static_cast<int>(p.C / p.G);
  const std::int64_t n = row / p.G, first = row % p.G * channels;
  for (auto item = static_cast<int>(threadIdx.y); item < chunks.count * channels; item += joiners) {
    const int chunk = item / channels;
    const std::int64_t c = first + item % channels;
    f((n * chunks.count + chunk) * kinds * p.C + c, c, min(chunks.size, p.L - chunk * chunks.size));
  }
}

// sums (N, chunks, 3, C), mean, invstd (N, G)
template <class P>
__global__ void __launch_bounds__(block_threads, 4)
    statistics_kernel(GroupNorm p, Chunks chunks, const float* sums, P* mean, P* invstd) {
  SHARED(shared, double[block_threads]);
  const std::int64_t row = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const bool exists = row < p.N * p.G;
  const double m = static_cast<double>(p.C / p.G * p.L);
  double total = 0, squares = 0;
  if (exists)
    each_sum(p, chunks, 3, row, [&](std::int64_t i, std::int64_t, std::int64_t n) {
      total += static_cast<double>(sums[i]) * static_cast<double>(n) + sums[i + p.C];
    });
  const double middle = join_threads(Sum{}, total, shared, blockDim.x) / m;
  if (exists)
    each_sum(p, chunks, 3, row, [&](std::int64_t i, std::int64_t, std::int64_t n) {
      const double size = static_cast<double>(n), rest = sums[i + p.C];
      const double within = sums[i + 2 * p.C] - rest * rest / size, d = sums[i] + rest / size - middle;
      squares += fmax(within, 0.0) + size * d * d;
    });
  squares = join_threads(Sum{}, squares, shared, blockDim.x);
  if (threadIdx.y > 0 || !exists) return;
  mean[row] = static_cast<P>(middle);
  invstd[row] = static_cast<P>(1 / sqrt(squares / m + p.eps));
}

// x, y (N, L, C)
template <int V, class T>
__global__ void __launch_bounds__(block_threads, 8)
    normalise_kernel(GroupNorm p, Chunks chunks, Norm<Parameter<T>> norm, const Vector<T, V>* x, Vector<T, V>* y) {
  const Part part(chunks);
  if (part.c >= chunks.C) return;
  const Affine<V> affine(p, norm, part.image, part.c);
  for (std::int64_t row = part.end - 1 - threadIdx.y; row >= part.begin; row -= blockDim.y) {
    const std::int64_t i = row * chunks.C + part.c;
    const Vector<T, V> v = x[i];
    Vector<T, V> out;
#pragma unroll
    for (int j = 0; j < V; ++j)
      out.v[j] = static_cast<T>(fmaf(static_cast<float>(v.v[j]) - affine.mean[j], affine.scale[j], affine.shift[j]));
    y[i] = out;
  }
}

// --- Backward -----------------------------------------------------------------------------------------------------

// dy, x (N, L, C).  sums (N, chunks, 2, C): of a chunk the sums of dy and of dy xhat.
template <int V, class T>
__global__ void __launch_bounds__(block_threads, 4)
    sums_kernel(GroupNorm p, Chunks chunks, Norm<Parameter<T>> norm, const Vector<T, V>* dy, const Vector<T, V>* x,
                Vector<float, V>* sums) {
  SHARED(shared, Vector<float, V>[block_threads]);
  const Part part(chunks);
  Vector<float, V> total{}, product{};
  if (part.c < chunks.C) {
    norm.weight = norm.bias = nullptr;
    const Affine<V> affine(p, norm, part.image, part.c);
#pragma unroll 2
    for (std::int64_t row = part.first; row < part.end; row += blockDim.y) {
      const Vector<T, V> v = x[row * chunks.C + part.c], g = dy[row * chunks.C + part.c];
#pragma unroll
      for (int j = 0; j < V; ++j) {
        total.v[j] += static_cast<float>(g.v[j]);
        product.v[j] = fmaf(static_cast<float>(g.v[j]), static_cast<float>(v.v[j]) - affine.mean[j], product.v[j]);
      }
    }
#pragma unroll
    for (int j = 0; j < V; ++j) product.v[j] *= affine.scale[j];
  }
  total = join_threads(Sum{}, total, shared, blockDim.x);
  product = join_threads(Sum{}, product, shared, blockDim.x);
  if (threadIdx.y > 0 || part.c >= chunks.C) return;
  Vector<float, V>* to = sums + part.index * 2 * chunks.C + part.c;
  to[0] = total;
  to[chunks.C] = product;
}

// sums (N, chunks, 2, C), weight (C) or null, invstd (N, G), coefficients (N, G, 2): of xhat and 1 in dx.
template <class P>
__global__ void __launch_bounds__(block_threads, 4)
    coefficients_kernel(GroupNorm p, Chunks chunks, const float* sums, const P* weight, const P* invstd,
                        float* coefficients) {
  SHARED(shared, double[block_threads]);
  const std::int64_t row = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const bool exists = row < p.N * p.G;
  double total = 0, product = 0;
  if (exists)
    each_sum(p, chunks, 2, row, [&](std::int64_t i, std::int64_t c, std::int64_t) {
      const double scale = weight ? weight[c] : 1;
      total += scale * sums[i];
      product += scale * sums[i + p.C];
    });
  total = join_threads(Sum{}, total, shared, blockDim.x);
  product = join_threads(Sum{}, product, shared, blockDim.x);
  if (threadIdx.y > 0 || !exists) return;
  const double share = -static_cast<double>(invstd[row]) / static_cast<double>(p.C / p.G * p.L);
  coefficients[2 * row] = static_cast<float>(share * product);
  coefficients[2 * row + 1] = static_cast<float>(share * total);
}

// sums (chunks, 2, C), dweight, dbias (C)
template <class P>
__global__ void __launch_bounds__(block_threads, 4)
    parameters_kernel(std::int64_t C, std::int64_t chunks, const float* sums, P* dweight, P* dbias) {
  SHARED(shared, double[block_threads]);
  const std::int64_t c = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  double total = 0, product = 0;
#pragma unroll 4
  for (std::int64_t i = threadIdx.y; i < (c < C ? chunks : 0); i += blockDim.y) {
    total += sums[i * 2 * C + c];
    product += sums[(i * 2 + 1) * C + c];
  }
  total = join_threads(Sum{}, total, shared, blockDim.x);
  product = join_threads(Sum{}, product, shared, blockDim.x);
  if (threadIdx.y > 0 || c >= C) return;
  dbias[c] = static_cast<P>(total);
  dweight[c] = static_cast<P>(product);
}

// dy, x, dx (N, L, C), coefficients (N, G, 2)
template <int V, class T>
__global__ void __launch_bounds__(block_threads, 4)
    gradient_kernel(GroupNorm p, Chunks chunks, Norm<Parameter<T>> norm, const float* coefficients,
                    const Vector<T, V>* dy, const Vector<T, V>* x, Vector<T, V>* dx) {
  const Part part(chunks);
  if (part.c >= chunks.C) return;
  const Affine<V> affine(p, norm, part.image, part.c);
  const auto channels = static_cast<unsigned>(p.C / p.G), first = static_cast<unsigned>(part.c * V);
  float slope[V], level[V];
#pragma unroll
  for (int j = 0; j < V; ++j) {
    const std::int64_t row = part.image * p.G + (first + j) / channels;
    slope[j] = coefficients[2 * row] * norm.invstd[row];
    level[j] = coefficients[2 * row + 1];
  }
  for (std::int64_t row = part.end - 1 - threadIdx.y; row >= part.begin; row -= blockDim.y) {
    const std::int64_t i = row * chunks.C + part.c;
    const Vector<T, V> v = x[i], g = dy[i];
    Vector<T, V> out;
#pragma unroll
    for (int j = 0; j < V; ++j) {
      const float through = fmaf(static_cast<float>(v.v[j]) - affine.mean[j], slope[j], level[j]);
      out.v[j] = static_cast<T>(fmaf(static_cast<float>(g.v[j]), affine.scale[j], through));
    }
    dx[i] = out;
  }
}

}  // namespace

// x, y (N, L, C); weight, bias (C) or null; mean, invstd (N, G).  y may be x.
template <class T>
void group_norm_forward(const GroupNorm& p, const T* x, const Parameter<T>* weight, const Parameter<T>* bias, T* y,
                        Parameter<T>* mean, Parameter<T>* invstd) {
  const char* name = "group_norm_forward";
  const Norm<Parameter<T>> norm{mean, invstd, weight, bias};
  if (p.N == 0) return;
  if (p.L == 1) return forward_rows(name, p, x, weight, bias, y, mean, invstd);
  by_width<Parameter<T>>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const Chunks reduce(p.N, p.L, p.C / V, 16, 4), apply(p.N, p.L, p.C / V, 4, 8);
    const Scratch<float> sums(p.N * reduce.count * 3 * p.C);
    launch(name, moments_kernel<V, T>, reduce.grid(), reduce.block(), 0, reduce, in_channels<V>(x),
           in_channels<V>(sums.get()));
    launch(name, statistics_kernel<Parameter<T>>, join_grid(p.N * p.G), join_block, 0, p, reduce, sums.get(), mean,
           invstd);
    launch(name, normalise_kernel<V, T>, apply.grid(), apply.block(), 0, p, apply, norm, in_channels<V>(x),
           in_channels<V>(y));
  });
}
INSTANTIATE(group_norm_forward)

// dy, x, dx (N, L, C); weight (C) or null; mean, invstd (N, G); dweight, dbias (C).  dx may be dy or x.
// With g = dy weight, m = C L / G: dx = invstd (g - sum g / m - xhat sum(g xhat) / m), sums over a row.
template <class T>
void group_norm_backward(const GroupNorm& p, const T* dy, const T* x, const Parameter<T>* weight,
                         const Parameter<T>* mean, const Parameter<T>* invstd, T* dx, Parameter<T>* dweight,
                         Parameter<T>* dbias) {
  const char* name = "group_norm_backward";
  const Norm<Parameter<T>> norm{mean, invstd, weight, nullptr};
  by_width<Parameter<T>>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    // Rows are chunks of positions in each image, or where there is one position chunks of images.
    const bool by_position = p.L == 1;
    const Chunks reduce(by_position ? 1 : p.N, by_position ? p.N : p.L, p.C / V, 16, 4);
    const std::int64_t parts = reduce.images * reduce.count;
    const Scratch<float> sums(parts * 2 * p.C), coefficients(p.N * p.G * 2);
    if (parts > 0)
      launch(name, by_position ? row_sums_kernel<V, T> : sums_kernel<V, T>, reduce.grid(), reduce.block(), 0, p, reduce,
             norm, in_channels<V>(dy), in_channels<V>(x), in_channels<V>(sums.get()));
    launch(name, parameters_kernel<Parameter<T>>, join_grid(p.C), join_block, 0, p.C, parts, sums.get(), dweight,
           dbias);
    if (p.N == 0) return;
    if (by_position) return backward_rows(name, p, dy, x, weight, mean, invstd, dx);
    launch(name, coefficients_kernel<Parameter<T>>, join_grid(p.N * p.G), join_block, 0, p, reduce, sums.get(), weight,
           invstd, coefficients.get());
    const Chunks apply(p.N, p.L, p.C / V, 4, 4);
    launch(name, gradient_kernel<V, T>, apply.grid(), apply.block(), 0, p, apply, norm, coefficients.get(),
           in_channels<V>(dy), in_channels<V>(x), in_channels<V>(dx));
  });
}
INSTANTIATE(group_norm_backward)

namespace {

// mean, invstd (N, C), running_mean, running_var (C) or null
template <class P>
__global__ void running_kernel(GroupNorm p, const P* mean, const P* invstd, P* running_mean, P* running_var) {
  const std::int64_t c = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (c >= p.C) return;
  const double fresh = p.momentum, m = static_cast<double>(p.L), images = static_cast<double>(p.N);
  double middle = 0, variance = 0;
  for (std::int64_t i = c; i < p.N * p.C; i += p.C) {
    const double inverse = invstd[i];
    middle += mean[i];
    variance += fmax(1 / (inverse * inverse) - p.eps, 0.0);
  }
  if (running_mean) running_mean[c] = static_cast<P>((1 - fresh) * running_mean[c] + fresh * middle / images);
  if (running_var)
    running_var[c] = static_cast<P>((1 - fresh) * running_var[c] + fresh * variance / images * m / (m - 1));
}

}  // namespace

// mean, invstd (N, C): of instances; running_mean, running_var (C): updated, or null.  The variance is found from
// invstd, to the digits that count where eps is added to it again.
template <class T>
void instance_norm_running(const GroupNorm& p, const Parameter<T>* mean, const Parameter<T>* invstd,
                           Parameter<T>* running_mean, Parameter<T>* running_var) {
  launch("instance_norm_running", running_kernel<Parameter<T>>, dim3(static_cast<unsigned>(ceil_div(p.C, 128))),
         dim3(128), 0, p, mean, invstd, running_mean, running_var);
}
INSTANTIATE(instance_norm_running)

}  // namespace convolith::CONVOLITH_DEVICE
