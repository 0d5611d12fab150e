// Convolution with one channel per filter.  Bound by memory: x and y, or dy and dx, once; a thread makes four
// neighbouring outputs, so that most of what neighbours read again comes from registers, the rest from L1.
#include "conv2d.hpp"
#include "gemm.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

constexpr int threads = 256, channels = 32, run = 4;  // channels of a block, outputs of a thread
constexpr std::int64_t most_taps = 48 * 1024 / (channels * sizeof(float));

struct Depthwise {
  int N, C;
  Axis v, h;  // of the forward pass
  bool backward;

  Depthwise(const Conv2d& p, bool backward)
      : N(static_cast<int>(p.N)), C(static_cast<int>(p.C)), v(vertical(p)), h(horizontal(p)), backward(backward) {}
  __host__ __device__ int taps() const { return v.taps * h.taps; }
};

template <int V>
__device__ void add_product(Vector<float, V>& sum, const Vector<float, V>& a, const Vector<float, V>& b) {
#pragma unroll
  for (int i = 0; i < V; ++i) sum.v[i] += a.v[i] * b.v[i];
}

// Forward: x (N, H, W, C) to y (N, P, Q, C); backward: dy (N, P, Q, C) to dx (N, H, W, C); w (C, R, S).
// S and stride: of the columns, where there is no dilation, so that the values of a row are read once; S = 0: any.
template <int V, int S, int stride, class T>
__global__ __launch_bounds__(threads, 2) void depthwise_kernel(Depthwise g, const T* x, const T* w, Output<T> out,
                                                               int chunks, int tiles) {
  constexpr int lanes = channels / V, slots = threads / lanes;
  DYNAMIC_SHARED(filters, float);  // (taps, channels)
  Digits digits{blockIdx.x};
  const int first_channel = digits.next(chunks) * channels, tile = digits.next(tiles);
  const int residue_h = g.backward ? digits.next(residues(g.h)) : 0, residue_v = static_cast<int>(digits.rest);
  const Axis v = g.backward ? transposed(g.v, residue_v) : g.v, h = g.backward ? transposed(g.h, residue_h) : g.h;
  const int taps = g.taps(), here = min(channels, g.C - first_channel) * taps;
  for (int i = static_cast<int>(threadIdx.x); i < here; i += threads)
    filters[i % taps * channels + i / taps] = static_cast<float>(w[std::int64_t{first_channel} * taps + i]);
  __syncthreads();

  const int lane = static_cast<int>(threadIdx.x) % lanes * V, channel = first_channel + lane;
  Digits slot{static_cast<unsigned>(tile) * slots + threadIdx.x / lanes};
  const int j = slot.next(ceil_div(h.outputs, run)) * run, i = slot.next(v.outputs), n = static_cast<int>(slot.rest);
  if (n >= g.N || channel >= g.C) return;

  Vector<float, V> sum[run] = {};
  const int left = h.start + j * h.stride;
  for (int r = 0; r < v.taps; ++r) {
    const int y = v.start + i * v.stride + r * v.step;
    if (y < 0 || y >= v.inputs) continue;
    const T* row = x + (std::int64_t{n} * v.inputs + y) * h.inputs * g.C + channel;
    const auto value = [&](int column) {
      return fetch<V>(column >= 0 && column < h.inputs, row + std::int64_t{column} * g.C);
    };
    const auto filter = [&](int s) {
      const int tap = (v.tap + r * v.next) * g.h.taps + h.tap + s * h.next;
      return *reinterpret_cast<const Vector<float, V>*>(filters + tap * channels + lane);
    };
    if constexpr (S > 0) {
      Vector<float, V> seen[(run - 1) * stride + S];
#pragma unroll
      for (int k = 0; k < (run - 1) * stride + S; ++k) seen[k] = value(left + k);
#pragma unroll
      for (int s = 0; s < S; ++s) {
        const auto f = filter(s);
#pragma unroll
        for (int k = 0; k < run; ++k) add_product(sum[k], seen[k * stride + s], f);
      }
    } else {
      for (int s = 0; s < h.taps; ++s) {
        const auto f = filter(s);
#pragma unroll
        for (int k = 0; k < run; ++k) add_product(sum[k], value(left + k * h.stride + s * h.step), f);
      }
    }
  }

  const int rows_out = g.backward ? g.v.inputs : g.v.outputs, columns_out = g.backward ? g.h.inputs : g.h.outputs;
  const std::int64_t row = (std::int64_t{n} * rows_out + v.first + i * v.every) * columns_out + h.first;
#pragma unroll
  for (int k = 0; k < run; ++k)
    if (j + k < h.outputs) out.template write<V>((row + (j + k) * h.every) * g.C + channel, channel, sum[k]);
}

template <int V, class T>
void depthwise(const char* name, const Depthwise& g, const T* x, const T* w, const Output<T>& out) {
  const Axis v = g.backward ? transposed(g.v, 0) : g.v, h = g.backward ? transposed(g.h, 0) : g.h;
  const std::int64_t slots = threads * V / channels;
  const std::int64_t classes = g.backward ? std::int64_t{residues(g.v)} * residues(g.h) : 1;
  const std::int64_t runs = std::int64_t{g.N} * v.outputs * ceil_div(h.outputs, run);
  const std::int64_t tiles = ceil_div(runs, slots), chunks = ceil_div(g.C, channels);
  if (runs == 0) return;
  const bool dense = h.step == 1 && h.taps == g.h.taps && (!g.backward || g.h.stride == 1);  // in all classes
  const auto is = [&](int S, int stride) { return dense && h.taps == S && h.stride == stride; };
  const auto kernel = is(3, 1)   ? depthwise_kernel<V, 3, 1, T>
                      : is(5, 1) ? depthwise_kernel<V, 5, 1, T>
                      : is(7, 1) ? depthwise_kernel<V, 7, 1, T>
                      : is(3, 2) ? depthwise_kernel<V, 3, 2, T>
                      : is(5, 2) ? depthwise_kernel<V, 5, 2, T>
                                 : depthwise_kernel<V, 0, 0, T>;
  launch(name, kernel, dim3(static_cast<unsigned>(chunks * tiles * classes)), dim3(threads),
         static_cast<std::size_t>(g.taps()) * channels * sizeof(float), g, x, w, out, chunks, tiles);
}

template <class T>
void depthwise(const char* name, const Depthwise& g, const T* x, const T* w, const Output<T>& out) {
  return g.C % 4 == 0 ? depthwise<4>(name, g, x, w, out) : depthwise<1>(name, g, x, w, out);
}

// dw (C, R, S) or its parts (slices, C, R, S), E x E taps of it: each warp adds up every eighth position of a slice.
template <int E, class T, class U>
__global__ __launch_bounds__(threads) void depthwise_weight_kernel(Depthwise g, const T* dy, const T* x, U* dw,
                                                                   int chunks, std::int64_t per_slice) {
  constexpr int warps = threads / channels;
  SHARED(parts, float[warps][E][channels]);
  Digits digits{blockIdx.x};
  const int lane = static_cast<int>(threadIdx.x) % channels, warp = static_cast<int>(threadIdx.x) / channels;
  const int channel = digits.next(chunks) * channels + lane;
  const int s0 = digits.next(ceil_div(g.h.taps, E)) * E, r0 = digits.next(ceil_div(g.v.taps, E)) * E;
  const int slice = static_cast<int>(digits.rest);

  float sum[E][E] = {};
  const std::int64_t positions = std::int64_t{g.N} * g.v.outputs * g.h.outputs, first = slice * per_slice;
  const std::int64_t last = channel < g.C ? min(first + per_slice, positions) : 0;
  Counter<warps> at(first + warp, g.v.outputs, g.h.outputs);
  for (std::int64_t position = first + warp; position < last; position += warps, at.advance()) {
    const auto gradient = static_cast<float>(dy[position * g.C + channel]);
    const int top = g.v.start + at.b * g.v.stride + r0 * g.v.step, left = g.h.start + at.c * g.h.stride + s0 * g.h.step;
    const T* image = x + std::int64_t{at.a} * g.v.inputs * g.h.inputs * g.C + channel;
#pragma unroll
    for (int r = 0; r < E; ++r) {
      const int y = top + r * g.v.step;
      const T* row = image + std::int64_t{y} * g.h.inputs * g.C;
      const bool exists = y >= 0 && y < g.v.inputs && r0 + r < g.v.taps;
#pragma unroll
      for (int s = 0; s < E; ++s) {
        const int column = left + s * g.h.step;
        const bool inside = exists && column >= 0 && column < g.h.inputs && s0 + s < g.h.taps;
        sum[r][s] += gradient * fetch<1>(inside, row + std::int64_t{column} * g.C).v[0];
      }
    }
  }

#pragma unroll
  for (int r = 0; r < E; ++r) {
    __syncthreads();
#pragma unroll
    for (int s = 0; s < E; ++s) parts[warp][s][lane] = sum[r][s];
    __syncthreads();
    for (int s = warp; s < E; s += warps) {
      if (channel >= g.C || r0 + r >= g.v.taps || s0 + s >= g.h.taps) continue;
      float total = 0;
      for (int i = 0; i < warps; ++i) total += parts[i][s][lane];
      dw[(std::int64_t{slice} * g.C + channel) * g.taps() + (r0 + r) * g.h.taps + s0 + s] = static_cast<U>(total);
    }
  }
}

template <int E, class T>
void depthwise_weight(const Depthwise& g, const T* dy, const T* x, T* dw) {
  const char* name = "conv2d_backward_weight";
  const std::int64_t chunks = ceil_div(g.C, channels), squares = ceil_div(g.v.taps, E) * ceil_div(g.h.taps, E);
  const std::int64_t positions = std::int64_t{g.N} * g.v.outputs * g.h.outputs;
  const std::int64_t slices = max(1L, min((positions + 63) / 64, 8 * 132 / (chunks * squares)));
  const std::int64_t per_slice = ceil_div(positions, slices);
  const dim3 grid(static_cast<unsigned>(chunks * squares * slices));
  if (slices == 1)
    return launch(name, depthwise_weight_kernel<E, T, T>, grid, dim3(threads), 0, g, dy, x, dw, chunks, per_slice);
  const Scratch<float> parts(slices * g.C * g.taps());
  launch(name, depthwise_weight_kernel<E, T, float>, grid, dim3(threads), 0, g, dy, x, parts.get(), chunks, per_slice);
  sum_parts(name, std::int64_t{g.C} * g.taps(), static_cast<int>(slices), g.taps(), parts.get(),
            Output<T>{dw, nullptr, nullptr, Activation::identity});
}

}  // namespace

const char* conv2d_depthwise_needs(const Conv2d& p) {
  if (p.G != p.C || p.K != p.C) return "one input channel and one filter per group";
  if (p.R * p.S > most_taps) return "at most 384 taps";
  return p.N * (p.H + p.pad_top + p.pad_bottom) * (p.W + p.pad_left + p.pad_right) < 1L << 31
             ? nullptr
             : "fewer than 2^31 positions";
}

// x (N, H, W, C), w (C, R, S), bias (C) or null, residual (N, P, Q, C) or null, y (N, P, Q, C)
template <class T>
void conv2d_depthwise_forward(const Conv2d& p, const T* x, const T* w, const T*, const T* bias, const T* residual,
                              T* y) {
  depthwise("conv2d_forward", Depthwise(p, false), x, w, Output<T>{y, bias, residual, p.activation});
}
INSTANTIATE(conv2d_depthwise_forward)

// dy (N, P, Q, C), w (C, R, S), dx (N, H, W, C)
template <class T>
void conv2d_depthwise_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  depthwise("conv2d_backward_input", Depthwise(p, true), dy, w, Output<T>{dx, nullptr, nullptr, Activation::identity});
}
INSTANTIATE(conv2d_depthwise_backward_input)

// dy (N, P, Q, C), x (N, H, W, C), dw (C, R, S)
template <class T>
void conv2d_depthwise_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw) {
  const std::int64_t longest = max(p.R, p.S);
  const auto run = longest <= 3   ? depthwise_weight<3, T>
                   : longest <= 5 ? depthwise_weight<5, T>
                                  : depthwise_weight<7, T>;
  run(Depthwise(p, false), dy, x, dw);
}
INSTANTIATE(conv2d_depthwise_backward_weight)

}  // namespace convolith::CONVOLITH_DEVICE
