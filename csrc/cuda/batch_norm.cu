// Batch normalisation of x (N, L, C) over N and L, and what may follow it: y = act(norm(x) + residual).
//
// Three kernels each way: sums over chunks of the M = N L rows, which are joined in double precision, then the result.
// Bytes bound the outer two: forward reads x twice (and residual) and writes y; backward reads dy and x twice (and y)
// and writes dx (and dresidual).  The last one walks each chunk from its end, the part that the first has left in L2.
#include "chunks.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// What a channel is normalised with: (C) each, the latter two or null.
template <class T, int V>
struct Norm {
  using P = Parameter<T>;
  const Vector<P, V>*mean, *invstd, *weight, *bias;

  Norm(const P* mean, const P* invstd, const P* weight, const P* bias)
      : mean(in_channels<V>(mean)),
        invstd(in_channels<V>(invstd)),
        weight(in_channels<V>(weight)),
        bias(in_channels<V>(bias)) {}
};
// The normalised value, scaled and shifted.  Backward finds where relu was at work by it: the same bits as in forward.
template <int V>
struct Affine {
  float mean[V], scale[V], shift[V];

  template <class T>
  __device__ __forceinline__ Affine(const Norm<T, V>& norm, std::int64_t c) {
    using P = Vector<Parameter<T>, V>;
    const P m = norm.mean[c], s = norm.invstd[c];
    const P w = norm.weight ? norm.weight[c] : P{};
    const P b = norm.bias ? norm.bias[c] : P{};
#pragma unroll
    for (int j = 0; j < V; ++j) {
      mean[j] = static_cast<float>(m.v[j]);
      scale[j] = norm.weight ? static_cast<float>(s.v[j]) * static_cast<float>(w.v[j]) : static_cast<float>(s.v[j]);
      shift[j] = static_cast<float>(b.v[j]);
    }
  }
  __device__ __forceinline__ float of(int j, float centered) const { return fmaf(centered, scale[j], shift[j]); }
};

// --- Forward ------------------------------------------------------------------------------------------------------

// sums (chunks, 3, C), running_mean, running_var (C) or null, mean, invstd (C)
template <class T>
__global__ void __launch_bounds__(block_threads, 4)
    statistics_kernel(BatchNorm p, std::int64_t size, int chunks, const float* sums, T* running_mean, T* running_var,
                      T* mean, T* invstd) {
  SHARED(shared, double[block_threads]);
  const std::int64_t c = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x, C = p.C;
  const int first = static_cast<int>(threadIdx.y), end = c < C ? chunks : 0;
  const double m = static_cast<double>(p.N * p.L), whole = static_cast<double>(size), tail = m - (chunks - 1) * whole;
  const double per_whole = 1 / whole, per_tail = 1 / tail;
  double total = 0, squares = 0;
#pragma unroll 4
  for (int i = first; i < end; i += blockDim.y) {
    const float* from = sums + i * 3 * C + c;
    total += static_cast<double>(from[0]) * (i + 1 < chunks ? whole : tail) + from[C];
  }
  const double middle = join_threads(Sum{}, total, shared, blockDim.x) / fmax(m, 1.0);
#pragma unroll 4
  for (int i = first; i < end; i += blockDim.y) {
    const float* from = sums + i * 3 * C + c;
    const double n = i + 1 < chunks ? whole : tail, per_n = i + 1 < chunks ? per_whole : per_tail;
    const double rest = from[C], within = from[2 * C] - rest * rest * per_n, d = from[0] + rest * per_n - middle;
    squares += fmax(within, 0.0) + n * d * d;
  }
  squares = join_threads(Sum{}, squares, shared, blockDim.x);
  if (threadIdx.y > 0 || c >= C) return;
  mean[c] = static_cast<T>(middle);
  invstd[c] = static_cast<T>(1 / sqrt(squares / fmax(m, 1.0) + p.eps));
  if (p.N == 0) return;
  if (running_mean) running_mean[c] = static_cast<T>((1 - p.momentum) * running_mean[c] + p.momentum * middle);
  if (running_var) running_var[c] = static_cast<T>((1 - p.momentum) * running_var[c] + p.momentum * squares / (m - 1));
}

// All (C).
template <class T>
__global__ void __launch_bounds__(block_threads, 4)
    running_kernel(BatchNorm p, const T* running_mean, const T* running_var, T* mean, T* invstd) {
  const std::int64_t c = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (c >= p.C) return;
  mean[c] = running_mean[c];
  invstd[c] = static_cast<T>(1 / sqrt(running_var[c] + p.eps));
}

// x, residual (or null), y (M, C)
template <int V, class T>
__global__ void __launch_bounds__(block_threads, 8)
    normalise_kernel(Chunks chunks, bool rectified, Norm<T, V> norm, const Vector<T, V>* x,
                     const Vector<T, V>* residual, Vector<T, V>* y) {
  const Part part(chunks);
  if (part.c >= chunks.C) return;
  const Affine<V> affine(norm, part.c);
  for (std::int64_t row = part.end - 1 - threadIdx.y; row >= part.begin; row -= blockDim.y) {
    const std::int64_t i = row * chunks.C + part.c;
    const Vector<T, V> v = x[i], r = residual ? residual[i] : Vector<T, V>{};
    Vector<T, V> out;
#pragma unroll
    for (int j = 0; j < V; ++j) {
      const float sum = affine.of(j, static_cast<float>(v.v[j]) - affine.mean[j]) + static_cast<float>(r.v[j]);
      out.v[j] = static_cast<T>(rectified && sum < 0 ? 0 : sum);
    }
    y[i] = out;
  }
}

// --- Backward -----------------------------------------------------------------------------------------------------

// What tells where relu was at work.
enum class Gate { open, from_x, from_y };

// dy, x (M, C), y, dresidual (M, C) or null.  sums (chunks, 2, C): of a chunk the sums of g, which is dy where relu let
// it pass, and of g (x - mean).
template <Gate gate, int V, class T>
__global__ void __launch_bounds__(block_threads, 4)
    sums_kernel(Chunks chunks, Norm<T, V> norm, const Vector<T, V>* dy, const Vector<T, V>* x, const Vector<T, V>* y,
                Vector<T, V>* dresidual, Vector<float, V>* sums) {
  SHARED(shared, Vector<float, V>[block_threads]);
  const Part part(chunks);
  Vector<float, V> total{}, product{};
  if (part.c < chunks.C) {
    const Affine<V> affine(norm, part.c);
#pragma unroll 2
    for (std::int64_t row = part.first; row < part.end; row += blockDim.y) {
      const std::int64_t i = row * chunks.C + part.c;
      const Vector<T, V> v = x[i], out = gate == Gate::from_y ? y[i] : v;
      Vector<T, V> g = dy[i];
#pragma unroll
      for (int j = 0; j < V; ++j) {
        const float d = static_cast<float>(v.v[j]) - affine.mean[j];
        if (gate == Gate::from_x && affine.of(j, d) <= 0) g.v[j] = T(0);
        if (gate == Gate::from_y && static_cast<float>(out.v[j]) <= 0) g.v[j] = T(0);
        total.v[j] += static_cast<float>(g.v[j]);
        product.v[j] = fmaf(static_cast<float>(g.v[j]), d, product.v[j]);
      }
      if (gate == Gate::from_y) dresidual[i] = g;
    }
  }
  total = join_threads(Sum{}, total, shared, blockDim.x);
  product = join_threads(Sum{}, product, shared, blockDim.x);
  if (threadIdx.y > 0 || part.c >= chunks.C) return;
  Vector<float, V>* to = sums + part.index * 2 * chunks.C + part.c;
  to[0] = total;
  to[chunks.C] = product;
}

// sums (chunks, 2, C), weight (C) or null, invstd, dweight, dbias (C), coefficients (2, C): in training
// dx = g scale + (x - mean) coefficients[0] + coefficients[1].
template <class T>
__global__ void __launch_bounds__(block_threads, 4)
    coefficients_kernel(BatchNorm p, int chunks, const float* sums, const T* weight, const T* invstd, T* dweight,
                        T* dbias, float* coefficients) {
  SHARED(shared, double[block_threads]);
  const std::int64_t c = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x, C = p.C;
  double total = 0, product = 0;
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.y); i < (c < C ? chunks : 0); i += blockDim.y) {
    total += sums[i * 2 * C + c];
    product += sums[(i * 2 + 1) * C + c];
  }
  total = join_threads(Sum{}, total, shared, blockDim.x);
  product = join_threads(Sum{}, product, shared, blockDim.x);
  if (threadIdx.y > 0 || c >= C) return;
  const double inverse = invstd[c], scale = weight ? weight[c] * inverse : inverse;
  const double share = scale / fmax(static_cast<double>(p.N * p.L), 1.0);
  dbias[c] = static_cast<T>(total);
  dweight[c] = static_cast<T>(product * inverse);
  coefficients[c] = static_cast<float>(-share * inverse * inverse * product);
  coefficients[C + c] = static_cast<float>(-share * total);
}

// As above, and dx (M, C); gated: dy is not g yet.
template <bool gated, int V, class T>
__global__ void __launch_bounds__(block_threads, 5)
    gradient_kernel(Chunks chunks, bool training, Norm<T, V> norm, const Vector<T, V>* dy, const Vector<T, V>* x,
                    const Vector<float, V>* coefficients, Vector<T, V>* dx) {
  const Part part(chunks);
  if (part.c >= chunks.C) return;
  const Affine<V> affine(norm, part.c);
  const Vector<float, V> slope = coefficients[part.c], level = coefficients[chunks.C + part.c];
  for (std::int64_t row = part.end - 1 - threadIdx.y; row >= part.begin; row -= blockDim.y) {
    const std::int64_t i = row * chunks.C + part.c;
    const Vector<T, V> v = x[i], g = dy[i];
    Vector<T, V> out;
#pragma unroll
    for (int j = 0; j < V; ++j) {
      const float d = static_cast<float>(v.v[j]) - affine.mean[j];
      const bool closed = gated && affine.of(j, d) <= 0;
      const float through = training ? fmaf(d, slope.v[j], level.v[j]) : 0;
      out.v[j] = static_cast<T>(fmaf(closed ? 0 : static_cast<float>(g.v[j]), affine.scale[j], through));
    }
    dx[i] = out;
  }
}

template <Gate gate, class T>
void backward(const BatchNorm& p, const T* dy, const T* x, const Parameter<T>* weight, const Parameter<T>* bias,
              const T* y, const Parameter<T>* mean, const Parameter<T>* invstd, T* dx, Parameter<T>* dweight,
              Parameter<T>* dbias, T* dresidual) {
  const char* name = "batch_norm_backward";
  by_width<Parameter<T>>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const Norm<T, V> norm(mean, invstd, weight, bias);
    const Chunks reduce(1, p.N * p.L, p.C / V, 16, 4), apply(1, p.N * p.L, p.C / V, 4, 5);
    const Scratch<float> sums(reduce.count * 2 * p.C), coefficients(2 * p.C);
    if (p.N > 0)
      launch(name, sums_kernel<gate, V, T>, reduce.grid(), reduce.block(), 0, reduce, norm, in_channels<V>(dy),
             in_channels<V>(x), in_channels<V>(y), in_channels<V>(dresidual), in_channels<V>(sums.get()));
    launch(name, coefficients_kernel<Parameter<T>>, join_grid(p.C), join_block, 0, p, reduce.count, sums.get(), weight,
           invstd, dweight, dbias, coefficients.get());
    if (p.N > 0)
      launch(name, gradient_kernel<gate == Gate::from_x, V, T>, apply.grid(), apply.block(), 0, apply, p.training, norm,
             in_channels<V>(gate == Gate::from_y ? dresidual : dy), in_channels<V>(x),
             in_channels<V>(coefficients.get()), in_channels<V>(dx));
  });
}

}  // namespace

// x, residual (or null), y (N, L, C); weight, bias (C) or null; running_mean, running_var (C), null or updated in
// training; mean, invstd (C): what was used.  y may be x or residual.
template <class T>
void batch_norm_forward(const BatchNorm& p, const T* x, const Parameter<T>* weight, const Parameter<T>* bias,
                        const T* residual, Parameter<T>* running_mean, Parameter<T>* running_var, T* y,
                        Parameter<T>* mean, Parameter<T>* invstd) {
  const char* name = "batch_norm_forward";
  by_width<Parameter<T>>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const Chunks reduce(1, p.N * p.L, p.C / V, 16, 4), apply(1, p.N * p.L, p.C / V, 4, 8);
    const Scratch<float> sums(p.training ? reduce.count * 3 * p.C : 0);
    if (p.training && p.N > 0)
      launch(name, moments_kernel<V, T>, reduce.grid(), reduce.block(), 0, reduce, in_channels<V>(x),
             in_channels<V>(sums.get()));
    if (p.training)
      launch(name, statistics_kernel<Parameter<T>>, join_grid(p.C), join_block, 0, p, reduce.size, reduce.count,
             sums.get(), running_mean, running_var, mean, invstd);
    else
      launch(name, running_kernel<Parameter<T>>, dim3(static_cast<unsigned>(ceil_div(p.C, block_threads))),
             dim3(block_threads), 0, p, running_mean, running_var, mean, invstd);
    if (p.N > 0)
      launch(name, normalise_kernel<V, T>, apply.grid(), apply.block(), 0, apply, p.activation == Activation::relu,
             Norm<T, V>(mean, invstd, weight, bias), in_channels<V>(x), in_channels<V>(residual), in_channels<V>(y));
  });
}
INSTANTIATE(batch_norm_forward)

// dy, x, y (or null), dx, dresidual (or null) (N, L, C); weight, bias (C) or null; mean, invstd, dweight, dbias (C).
// g = dy, but 0 where relu was at work: by y where there is one, else by x.
// dx = weight invstd (g - dbias / m - xhat dweight / m) in training, weight invstd g in evaluation; dresidual = g.
template <class T>
void batch_norm_backward(const BatchNorm& p, const T* dy, const T* x, const Parameter<T>* weight,
                         const Parameter<T>* bias, const T* y, const Parameter<T>* mean, const Parameter<T>* invstd,
                         T* dx, Parameter<T>* dweight, Parameter<T>* dbias, T* dresidual) {
  const auto run = p.activation == Activation::identity ? backward<Gate::open, T>
                   : y                                  ? backward<Gate::from_y, T>
                                                        : backward<Gate::from_x, T>;
  run(p, dy, x, weight, bias, y, mean, invstd, dx, dweight, dbias, dresidual);
}
INSTANTIATE(batch_norm_backward)

}  // namespace convolith::CONVOLITH_DEVICE
