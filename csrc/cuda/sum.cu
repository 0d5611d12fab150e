// Sums over any axes: one read of what is summed, which bounds them.  Lanes of a block add up every lanes-th term of a
// chunk, then one half of the lanes is added to the other until one is left; where that leaves blocks too few, there
// are several chunks, and their sums are summed by the same kernel.
#include "broadcast.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

constexpr int threads = 256;

// A term of a sum: of v of a and w of b.
struct First {
  __device__ float operator()(float v, float) const { return v; }
};
struct Product {
  __device__ float operator()(float v, float w) const { return v * w; }
};
struct Quotient {
  __device__ float operator()(float v, float w) const { return v / w; }
};

// How threads share the work.  Rows: the last axis in memory is summed over, and a block (lanes, outputs) takes V
// neighbouring terms at a time.  Columns: it stays, and a block (outputs, lanes) takes V neighbouring outputs.
template <bool rows, int V>
struct Team {
  static constexpr int inner_terms = rows ? V : 1, inner_outputs = rows ? 1 : V;
  int axis;                     // the last in memory
  std::int64_t terms, outputs;  // in units of the former two
  unsigned lanes, side;         // side by side in a block

  explicit Team(const Broadcast& p) : axis((rows ? p.rank : p.kept) - 1), terms(1), outputs(1) {
    for (int i = 0; i < p.kept; ++i) outputs *= p.extent[i];
    for (int i = p.kept; i < p.rank; ++i) terms *= p.extent[i];
    terms /= inner_terms;
    outputs /= inner_outputs;
    const auto power = [](std::int64_t least, unsigned most) {
      unsigned n = 1;
      while (n < least && n < most) n *= 2;
      return n;
    };
    if (rows) {
      lanes = power(ceil_div(terms, 2), threads);
      side = power(outputs, threads / lanes);
    } else {
      side = power(outputs, V == 1 ? 32 : 8);  // 128 bytes
      lanes = power(ceil_div(terms, 2), threads / side);
    }
  }
  dim3 block() const { return rows ? dim3(lanes, side) : dim3(side, lanes); }
  // So many that each multiprocessor has four blocks, but no fewer than 16 terms for a lane.
  std::int64_t chunks() const {
    const std::int64_t blocks = ceil_div(outputs, side), wanted = 4 * 132 / blocks, most = terms / (16 * lanes);
    const std::int64_t n = wanted < most ? wanted : most;
    return n < 1 ? 1 : n;
  }
};

// y = factor times the sums of f(a, b), divided by `by` where it is not null; in chunks (gridDim.y) sums follow each
// other, chunk by chunk, and neither is done.
template <bool rows, int V, class F, class S, class T>
__global__ void __launch_bounds__(threads)
    sum_kernel(Broadcast p, Team<rows, V> team, std::int64_t chunk, const S* a, const S* b, const T* by, T* y) {
  const int axis = team.axis;
  const unsigned lane = rows ? threadIdx.x : threadIdx.y, side = rows ? threadIdx.y : threadIdx.x;
  const std::int64_t output = std::int64_t{blockIdx.x} * team.side + side, begin = blockIdx.y * chunk;
  const std::int64_t end = begin + chunk < team.terms ? begin + chunk : team.terms;
  const bool inside = output < team.outputs;
  const Place at = place_of(p, 0, p.kept, inside ? output * team.inner_outputs : 0);
  float sum[V] = {};
  if (inside) {
#pragma unroll 4
    for (std::int64_t term = begin + lane; term < end; term += team.lanes) {
      const Place of = place_of(p, p.kept, p.rank, term * team.inner_terms);
      const auto v = load<V>(a + at.a + of.a, p.a[axis]), w = load<V>(b + at.b + of.b, p.b[axis]);
#pragma unroll
      for (int j = 0; j < V; ++j) sum[j] += F{}(v.v[j], w.v[j]);
    }
  }
  constexpr int results = rows ? 1 : V;
  if (rows) {
#pragma unroll
    for (int j = 1; j < V; ++j) sum[0] += sum[j];
  }
  SHARED(shared, float[results][threads]);
  const unsigned mine = threadIdx.y * blockDim.x + threadIdx.x, step = rows ? 1 : blockDim.x;
#pragma unroll
  for (int j = 0; j < results; ++j) shared[j][mine] = sum[j];
  for (unsigned half = team.lanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (lane >= half) continue;
#pragma unroll
    for (int j = 0; j < results; ++j) shared[j][mine] += shared[j][mine + half * step];
  }
  if (lane != 0 || !inside) return;
#pragma unroll
  for (int j = 0; j < results; ++j) {
    if (gridDim.y > 1) {
      y[(blockIdx.y * team.outputs + output) * results + j] = static_cast<T>(shared[j][mine]);
    } else {
      const std::int64_t to = at.y + j * p.y[axis];
      const float total = static_cast<float>(p.number) * shared[j][mine];
      y[to] = static_cast<T>(by ? total / static_cast<float>(by[to]) : total);
    }
  }
}

template <bool rows, int V, class F, class S, class T>
void run(const char* name, const Broadcast& p, const Team<rows, V>& team, std::int64_t chunks, const S* a, const S* b,
         const T* by, T* y) {
  launch(name, sum_kernel<rows, V, F, S, T>,
         dim3(static_cast<unsigned>(ceil_div(team.outputs, team.side)), static_cast<unsigned>(chunks)), team.block(), 0,
         p, team, ceil_div(team.terms, chunks), a, b, by, y);
}

// Adds up sums (chunks, outputs) that the kernel has left.
Broadcast of_chunks(const Broadcast& p, std::int64_t chunks) {
  Broadcast q = p;
  std::int64_t outputs = 1;
  for (int i = p.kept - 1; i >= 0; --i) {
    q.a[i] = outputs;
    q.b[i] = 0;
    outputs *= p.extent[i];
  }
  q.rank = p.kept + 1;
  q.extent[p.kept] = chunks;
  q.a[p.kept] = outputs;
  q.b[p.kept] = q.y[p.kept] = 0;
  return q;
}

template <bool rows, int V, class F, class T>
void sum_in_chunks(const char* name, const Broadcast& p, const T* a, const T* b, const T* by, T* y) {
  const Team<rows, V> team(p);
  const std::int64_t chunks = team.chunks();
  if (chunks == 1) return run<rows, V, F>(name, p, team, 1, a, b, by, y);
  const Scratch<float> parts(chunks * team.outputs * team.inner_outputs);
  run<rows, V, F>(name, p, team, chunks, a, b, static_cast<const float*>(nullptr), parts.get());
  const Broadcast q = of_chunks(p, chunks);
  const float* part = parts.get();
  if (p.kept == 0)
    run<true, 1, First>(name, q, Team<true, 1>(q), 1, part, part, by, y);
  else
    run<false, 1, First>(name, q, Team<false, 1>(q), 1, part, part, by, y);
}

template <class F, class T>
void sum_terms(const char* name, F, const Broadcast& p, const T* a, const T* b, const T* by, T* y) {
  constexpr int V = Pack<T>::size;
  const bool columns = p.kept > 0 && (p.kept == p.rank || p.a[p.kept - 1] == 1);
  const int axis = (columns ? p.kept : p.rank) - 1;
  const bool packed = moves_packed(p, p.a, axis, V) && moves_packed(p, p.b, axis, V);
  if (columns && packed)
    sum_in_chunks<false, V, F>(name, p, a, b, by, y);
  else if (columns)
    sum_in_chunks<false, 1, F>(name, p, a, b, by, y);
  else if (packed)
    sum_in_chunks<true, V, F>(name, p, a, b, by, y);
  else
    sum_in_chunks<true, 1, F>(name, p, a, b, by, y);
}

}  // namespace

// a, b, y as p says: y = factor times the sums of a
template <class T>
void sum_forward(const Broadcast& p, const T* a, T* y) {
  sum_terms("sum_forward", First{}, p, a, a, static_cast<const T*>(nullptr), y);
}
INSTANTIATE(sum_forward)

// by: as y, or null; y = factor times the sums of a b, divided by `by`
template <class T>
void sum_products(const Broadcast& p, const T* a, const T* b, const T* by, T* y) {
  sum_terms("sum_products", Product{}, p, a, b, by, y);
}
INSTANTIATE(sum_products)

// y = factor times the sums of a / b
template <class T>
void sum_quotients(const Broadcast& p, const T* a, const T* b, T* y) {
  sum_terms("sum_quotients", Quotient{}, p, a, b, static_cast<const T*>(nullptr), y);
}
INSTANTIATE(sum_quotients)

}  // namespace convolith::CONVOLITH_DEVICE
