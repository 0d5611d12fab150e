// Max and min pooling: R S comparisons per output.  Backward reads the indices twice.
#include "pool2d_forward.hpp"
#include "positions.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

template <bool minimum, class T>
void extreme_pool(const char* name, const Pool2d& p, const T* x, T* y, std::int64_t* indices) {
  by_width<float>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const Extreme<T, V, minimum> extreme{in_channels<V>(y), in_channels<V>(indices)};
    reduce_windows(name, p.N, p.C / V, rows_of(p), columns_of(p), in_channels<V>(x), extreme);
  });
}

// Backward knows no windows, but the indices tell how far they reach.  Along an axis, output o lies at o in / out; if
// it has taken position i, then low <= i out - o in <= high.
struct Reach {
  std::int64_t low, high;
};
struct Reaches {
  Reach rows, columns;
};
__device__ __forceinline__ Reaches no_reach() {
  return {{INT64_MAX, INT64_MIN}, {INT64_MAX, INT64_MIN}};
}
struct Wider {
  __device__ __forceinline__ Reach operator()(const Reach& a, const Reach& b) const {
    return {min(a.low, b.low), max(a.high, b.high)};
  }
  __device__ __forceinline__ Reaches operator()(const Reaches& a, const Reaches& b) const {
    return {(*this)(a.rows, b.rows), (*this)(a.columns, b.columns)};
  }
};

// indices (N, P, Q, C of Vectors), parts (blocks)
template <int V>
__global__ void __launch_bounds__(block_threads, 4)
    reach_kernel(AdaptivePool2d p, std::int64_t C, unsigned tiles, const Vector<std::int64_t, V>* indices,
                 Reaches* parts) {
  SHARED(shared, Reaches[block_threads]);
  const Place place(tiles);
  Reaches all = no_reach();
  for (std::int64_t n = blockIdx.z; n < p.N && place.c < C; n += gridDim.z) {
    for (std::int64_t row = blockIdx.y; row < p.P; row += gridDim.y) {
      for (std::int64_t q = place.column; q < p.Q; q += place.every) {
        const Vector<std::int64_t, V> at = indices[((n * p.P + row) * p.Q + q) * C + place.c];
#pragma unroll
        for (int j = 0; j < V; ++j) {
          const std::int64_t h = at.v[j] / p.W, w = at.v[j] - h * p.W;
          const std::int64_t down = h * p.P - row * p.H, across = w * p.Q - q * p.W;
          all = Wider{}(all, {{down, down}, {across, across}});
        }
      }
    }
  }
  all = join_threads(Wider{}, all, shared, 1);
  if (threadIdx.x == 0 && threadIdx.y == 0)
    parts[(std::int64_t{blockIdx.z} * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = all;
}

// parts (n): the first becomes the widest.
__global__ void __launch_bounds__(block_threads, 4) widest_kernel(int n, Reaches* parts) {
  SHARED(shared, Reaches[block_threads]);
  Reaches all = no_reach();
  for (int i = static_cast<int>(threadIdx.x); i < n; i += block_threads) all = Wider{}(all, parts[i]);
  all = join_threads(Wider{}, all, shared, 1);
  if (threadIdx.x == 0) parts[0] = all;
}

// The outputs that may have taken a position, by the reach.  I: unsigned, for 2 in out and more.
template <class I>
struct Reached {
  int in, out;
  const Reach* reach;

  __device__ __forceinline__ Span outputs_of(int i) const {
    const std::int64_t at = std::int64_t{i} * out;
    const std::int64_t from = at - __ldg(&reach->high) + in - 1, to = at - __ldg(&reach->low);
    const int first = from < 0 ? 0 : static_cast<int>(static_cast<I>(from) / static_cast<I>(in));
    const int last = to < 0 ? -1 : static_cast<int>(static_cast<I>(to) / static_cast<I>(in));
    return {first, min(last, out - 1) - first + 1, 1};
  }
  __device__ __forceinline__ float extent(int) const { return 1; }
};

// dy, indices (N, P, Q, C)
template <class T, int V>
struct ExtremeGradient {
  const Vector<T, V>* dy;
  const Vector<std::int64_t, V>* indices;

  __device__ __forceinline__ void add(Vector<float, V>& sum, std::int64_t output, std::int64_t position, float) const {
    const Vector<T, V> v = dy[output];
    const Vector<std::int64_t, V> at = indices[output];
#pragma unroll
    for (int j = 0; j < V; ++j)
      if (at.v[j] == position) sum.v[j] += static_cast<float>(v.v[j]);
  }
};

// dy (N, H, W, C), indices, dx (N, P, Q, C)
template <class T>
struct Unpooled {
  AdaptivePool2d p;
  const T* dy;
  const std::int64_t* indices;
  T* dx;

  __device__ __forceinline__ void operator()(std::int64_t n, int row, int q, std::int64_t c) const {
    const std::int64_t output = ((n * p.P + row) * p.Q + q) * p.C + c, at = indices[output];
    dx[output] = at >= 0 && at < p.H * p.W ? dy[(n * p.H * p.W + at) * p.C + c] : T(0.0f);
  }
};

}  // namespace

// x (N, H, W, C), y, indices (N, P, Q, C)
template <class T>
void max_pool2d_forward(const Pool2d& p, const T* x, T* y, std::int64_t* indices) {
  extreme_pool<false>("max_pool2d_forward", p, x, y, indices);
}
INSTANTIATE(max_pool2d_forward)

template <class T>
void min_pool2d_forward(const Pool2d& p, const T* x, T* y, std::int64_t* indices) {
  extreme_pool<true>("min_pool2d_forward", p, x, y, indices);
}
INSTANTIATE(min_pool2d_forward)

// dy, indices (N, P, Q, C), dx (N, H, W, C): each dy is added where its maximum was, row by row of the outputs.
template <class T>
void max_pool2d_backward(const AdaptivePool2d& p, const T* dy, const std::int64_t* indices, T* dx) {
  const char* name = "max_pool2d_backward";
  if (p.N == 0) return;
  by_width<float>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const ExtremeGradient<T, V> gradient{in_channels<V>(dy), in_channels<V>(indices)};
    const Walk walk(p.N, p.C / V, static_cast<int>(p.P), static_cast<int>(p.Q), 4 * 132);
    const std::int64_t blocks = std::int64_t{walk.grid.x} * walk.grid.y * walk.grid.z;
    const Scratch<Reaches> reach(blocks);
    launch(name, reach_kernel<V>, walk.grid, walk.block, 0, p, p.C / V, walk.tiles, gradient.indices, reach.get());
    launch(name, widest_kernel, dim3(1), dim3(block_threads), 0, blocks, reach.get());
    const auto run = [&](auto index) {
      using Axis = Reached<decltype(index)>;
      const Axis rows{static_cast<int>(p.H), static_cast<int>(p.P), &reach.get()->rows};
      const Axis columns{static_cast<int>(p.W), static_cast<int>(p.Q), &reach.get()->columns};
      gather(name, p.N, p.C / V, rows, columns, gradient, in_channels<V>(dx));
    };
    max(p.H * p.P, p.W * p.Q) < 1 << 30 ? run(unsigned{}) : run(std::uint64_t{});
  });
}
INSTANTIATE(max_pool2d_backward)

// dy (N, H, W, C), indices, dx (N, P, Q, C): what lies where the indices say, nothing for those that lie outside.
template <class T>
void max_unpool2d_backward(const AdaptivePool2d& p, const T* dy, const std::int64_t* indices, T* dx) {
  at_positions("max_unpool2d_backward", p.N, p.P, p.Q, p.C, Unpooled<T>{p, dy, indices, dx});
}
INSTANTIATE(max_unpool2d_backward)

}  // namespace convolith::CONVOLITH_DEVICE
