// The sum of dy (N, L, K) over N and L: one read of dy, which bounds it.  A block sums a chunk of rows for a tile of
// columns; where that leaves blocks too few, there are several chunks, and their sums are summed by the same kernel.
#include "elementwise.hpp"
#include "positions.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

constexpr int threads = 256;

// One column: what Pack is where K is no multiple of its size.
template <class T>
struct Single {
  static constexpr int size = 1;
  T v[size];
};

// x (rows, columns) of V, sums (gridDim.y, columns * V::size): block (columns of a tile, lanes).  A lane adds up every
// lanes-th row of a chunk, then one half of the lanes is added to the other until one is left.
template <class V, class T>
__global__ void __launch_bounds__(threads)
    sum_kernel(std::int64_t rows, std::int64_t columns, std::int64_t chunk, const V* x, T* sums) {
  const std::int64_t column = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x, begin = blockIdx.y * chunk;
  const std::int64_t end = begin + chunk < rows ? begin + chunk : rows;
  float sum[V::size] = {};
  if (column < columns) {
#pragma unroll 8
    for (std::int64_t row = begin + threadIdx.y; row < end; row += blockDim.y) {
      const V v = x[row * columns + column];
#pragma unroll
      for (int j = 0; j < V::size; ++j) sum[j] += static_cast<float>(v.v[j]);
    }
  }
  SHARED(shared, float[V::size][threads]);
  const unsigned at = threadIdx.y * blockDim.x + threadIdx.x;
#pragma unroll
  for (int j = 0; j < V::size; ++j) shared[j][at] = sum[j];
  for (unsigned lanes = blockDim.y, half; lanes > 1; lanes = half) {
    half = (lanes + 1) / 2;
    __syncthreads();
    if (threadIdx.y >= lanes - half) continue;
#pragma unroll
    for (int j = 0; j < V::size; ++j) shared[j][at] += shared[j][at + half * blockDim.x];
  }
  if (threadIdx.y != 0 || column >= columns) return;
#pragma unroll
  for (int j = 0; j < V::size; ++j) sums[(blockIdx.y * columns + column) * V::size + j] = static_cast<T>(shared[j][at]);
}

// How the rows are split: tiles of columns beside each other, chunks of rows one after the other.
template <class V>
struct Split {
  std::int64_t rows, columns, tiles;
  unsigned x, lanes;

  Split(std::int64_t rows, std::int64_t K) : rows(rows), columns(K / V::size) {
    constexpr unsigned widest = V::size == 1 ? 32 : 8;  // 128 bytes
    x = columns < widest ? static_cast<unsigned>(columns) : widest;
    lanes = rows < threads / x ? static_cast<unsigned>(rows < 1 ? 1 : rows) : threads / x;
    tiles = ceil_div(columns, x);
  }
  // So many that each multiprocessor has four blocks, but no fewer than 16 rows for a lane.
  std::int64_t chunks() const {
    const std::int64_t wanted = 4 * 132 / tiles, most = rows / (16 * lanes), n = wanted < most ? wanted : most;
    return n < 1 ? 1 : n;
  }
  template <class T>
  void run(std::int64_t chunks, const V* dy, T* sums) const {
    launch("bias_sum", sum_kernel<V, T>, dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(chunks)),
           dim3(x, lanes), 0, rows, columns, ceil_div(rows, chunks), dy, sums);
  }
};

template <class V, class Part, class T>
void sum(std::int64_t rows, std::int64_t K, const T* dy, T* dbias) {
  const Split<V> split(rows, K);
  const std::int64_t chunks = split.chunks();
  const V* x = reinterpret_cast<const V*>(dy);
  if (chunks == 1) return split.run(1, x, dbias);
  const Scratch<float> parts(chunks * K);
  split.run(chunks, x, parts.get());
  Split<Part>(chunks, K).run(1, reinterpret_cast<const Part*>(parts.get()), dbias);
}

// bias (K), y (N, L, K)
template <class T, int V>
struct AddBias {
  std::int64_t L, K;
  const Vector<T, V>* bias;
  Vector<T, V>* y;

  __device__ __forceinline__ void operator()(std::int64_t n, int, int l, std::int64_t k) const {
    Total<V> total;
    Vector<T, V>& at = y[(n * L + l) * K + k];
    total.add(at);
    total.add(bias[k]);
    at = total.as(T{});
  }
};

}  // namespace

// dy (N, L, K), dbias (K)
template <class T>
void bias_sum(const BiasSum& p, const T* dy, T* dbias) {
  if (p.K == 0) return;
  if (p.K % Pack<T>::size == 0)
    sum<Pack<T>, Pack<float>>(p.N * p.L, p.K, dy, dbias);
  else
    sum<Single<T>, Single<float>>(p.N * p.L, p.K, dy, dbias);
}
INSTANTIATE(bias_sum)

// bias (K), y (N, L, K): y += bias
template <class T>
void add_bias(const BiasSum& p, const T* bias, T* y) {
  by_width<T>(p.K, [&](auto width) {
    constexpr int V = decltype(width)::value;
    at_positions("add_bias", p.N, 1, p.L, p.K / V,
                 AddBias<T, V>{p.L, p.K / V, in_channels<V>(bias), in_channels<V>(y)});
  });
}
INSTANTIATE(add_bias)

}  // namespace convolith::CONVOLITH_DEVICE
