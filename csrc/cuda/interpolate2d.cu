// Resizing, nearest and bilinear: bound by memory.  A first kernel writes down, axis by axis, what each output reads
// and who reads each position, so that the gradient gathers, too.
#include "positions.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// An output of an axis: (1 - weight) x[low] + weight x[high].
struct Tap {
  int low, high;
  float weight;
};
// The outputs [begin, end) read a position.
struct Readers {
  int begin, end;
};

__device__ __forceinline__ Tap tap_of(Ratio axis, bool linear, int in, int o) {
  const double at = (o + axis.offset) * axis.in / axis.out - axis.offset;
  const int low = at < 0 ? 0 : min(static_cast<int>(at), in - 1);
  if (!linear) return {low, low, 0};
  return {low, min(low + 1, in - 1), at < 0 ? 0.0f : static_cast<float>(at - low)};
}

// How many of `out` taps, whose positions never fall, end before i or, `beyond`, begin before it.
__device__ __forceinline__ int taps_before(Ratio axis, bool linear, int in, int out, int i, bool beyond) {
  int least = 0, most = out;
  while (least < most) {
    const int middle = least + (most - least) / 2;
    const Tap tap = tap_of(axis, linear, in, middle);
    if ((beyond ? tap.low : tap.high) < i)
      least = middle + 1;
    else
      most = middle;
  }
  return least;
}

// taps (out), readers (in)
__global__ void axis_kernel(Ratio axis, bool linear, int in, int out, Tap* taps, Readers* readers) {
  const int step = static_cast<int>(gridDim.x * blockDim.x);
  for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < max(in, out); i += step) {
    if (i < out) taps[i] = tap_of(axis, linear, in, i);
    if (i < in)
      readers[i] = {taps_before(axis, linear, in, out, i, false), taps_before(axis, linear, in, out, i + 1, true)};
  }
}

struct Axis {
  std::int64_t in, out;
  Scratch<Tap> taps;
  Scratch<Readers> readers;

  Axis(Ratio ratio, bool linear, std::int64_t in, std::int64_t out) : in(in), out(out), taps(out), readers(in) {
    launch("interpolate2d", axis_kernel, dim3(grid_for(max(in, out), 128)), dim3(128), 0, ratio, linear, in, out,
           taps.get(), readers.get());
  }
};

// x (N, H, W, C), y (N, P, Q, C)
template <class T, int V, bool linear>
struct Resize {
  std::int64_t H, W, P, Q, C;
  const Tap *rows, *columns;
  const Vector<T, V>* x;
  Vector<T, V>* y;

  __device__ __forceinline__ void operator()(std::int64_t n, int p, int q, std::int64_t c) const {
    const Tap down = rows[p], across = columns[q];
    const Vector<T, V>* image = x + n * H * W * C + c;
    const std::int64_t output = ((n * P + p) * Q + q) * C + c;
    if constexpr (!linear) {
      y[output] = image[(down.low * W + across.low) * C];
      return;
    }
    Total<V> total;
    total.add(image[(down.low * W + across.low) * C], (1 - down.weight) * (1 - across.weight));
    total.add(image[(down.low * W + across.high) * C], (1 - down.weight) * across.weight);
    total.add(image[(down.high * W + across.low) * C], down.weight * (1 - across.weight));
    total.add(image[(down.high * W + across.high) * C], down.weight * across.weight);
    y[output] = total.as(T{});
  }
};

// dy (N, P, Q, C), dx (N, H, W, C)
template <class T, int V>
struct ResizeGradient {
  std::int64_t H, W, P, Q, C;
  const Tap *rows, *columns;
  const Readers *down, *across;
  const Vector<T, V>* dy;
  Vector<T, V>* dx;

  static __device__ __forceinline__ float weight(const Tap& tap, int i) {
    return (tap.low == i ? 1 - tap.weight : 0) + (tap.high == i ? tap.weight : 0);
  }
  __device__ __forceinline__ void operator()(std::int64_t n, int h, int w, std::int64_t c) const {
    const Readers over = down[h], along = across[w];
    Total<V> total;
    for (int p = over.begin; p < over.end; ++p) {
      const float share = weight(rows[p], h);
      for (int q = along.begin; q < along.end; ++q)
        total.add(dy[((n * P + p) * Q + q) * C + c], share * weight(columns[q], w));
    }
    dx[((n * H + h) * W + w) * C + c] = total.as(T{});
  }
};

}  // namespace

// x (N, H, W, C), y (N, P, Q, C)
template <class T>
void interpolate2d_forward(const Interpolate2d& p, const T* x, T* y) {
  const Axis rows(p.rows, p.linear, p.H, p.P), columns(p.columns, p.linear, p.W, p.Q);
  by_width<T>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const auto run = [&](auto resize) { at_positions("interpolate2d_forward", p.N, p.P, p.Q, p.C / V, resize); };
    const auto* from = in_channels<V>(x);
    auto* to = in_channels<V>(y);
    if (p.linear)
      run(Resize<T, V, true>{p.H, p.W, p.P, p.Q, p.C / V, rows.taps.get(), columns.taps.get(), from, to});
    else
      run(Resize<T, V, false>{p.H, p.W, p.P, p.Q, p.C / V, rows.taps.get(), columns.taps.get(), from, to});
  });
}
INSTANTIATE(interpolate2d_forward)

// dy (N, P, Q, C), dx (N, H, W, C)
template <class T>
void interpolate2d_backward(const Interpolate2d& p, const T* dy, T* dx) {
  const Axis rows(p.rows, p.linear, p.H, p.P), columns(p.columns, p.linear, p.W, p.Q);
  by_width<T>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const ResizeGradient<T, V> gradient{p.H,
                                        p.W,
                                        p.P,
                                        p.Q,
                                        p.C / V,
                                        rows.taps.get(),
                                        columns.taps.get(),
                                        rows.readers.get(),
                                        columns.readers.get(),
                                        in_channels<V>(dy),
                                        in_channels<V>(dx)};
    at_positions("interpolate2d_backward", p.N, p.H, p.W, p.C / V, gradient);
  });
}
INSTANTIATE(interpolate2d_backward)

}  // namespace convolith::CONVOLITH_DEVICE
