// Sums over chunks of the rows of channels, and their joining: what batch norm and group norm share.
#pragma once

#include "channels.hpp"
#include "reduce.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// `images` times `rows` rows of C Vectors, cut into `count` chunks of `size` rows and `tiles` of channels.
struct Chunks {
  std::int64_t images, rows, C, tiles, size, count;
  unsigned across, along;  // threads of a block: channels, rows

  // So many that a multiprocessor has `most` blocks, all at once, but no fewer than `least` rows for a thread.
  Chunks(std::int64_t images, std::int64_t rows, std::int64_t C, std::int64_t least, std::int64_t most)
      : images(images), rows(rows), C(C), size(1) {
    across = even_pieces(C, 32);
    along = even_pieces(rows, block_threads / across);
    tiles = ceil_div(C, across);
    const std::int64_t others = images * tiles > 0 ? images * tiles : 1;
    const std::int64_t wanted = max(min(rows / (least * along), most * 132 / others), std::int64_t{1});
    if (rows > 0) size = ceil_div(rows, wanted);
    count = ceil_div(rows, size);
  }
  dim3 grid() const { return static_cast<unsigned>(images * count * tiles); }
  dim3 block() const { return {across, along}; }
};
// What a thread has of it: Vector c of the rows first, first + blockDim.y, ... below end, which begins at `begin`, in
// chunk `index` of all, which is a part of `image`.
struct Part {
  std::int64_t c, index, image, begin, end, first;

  __device__ __forceinline__ explicit Part(const Chunks& chunks) {
    const auto tiles = static_cast<unsigned>(chunks.tiles), count = static_cast<unsigned>(chunks.count);
    const unsigned chunk = blockIdx.x / tiles;
    c = std::int64_t{blockIdx.x % tiles} * blockDim.x + threadIdx.x;
    index = chunk;
    image = chunk / count;
    begin = image * chunks.rows + chunk % count * chunks.size;
    end = min(begin + chunks.size, (image + 1) * chunks.rows);
    first = begin + threadIdx.y;
  }
};

// Where a few hundred sums are joined, 64 threads share a result.
constexpr unsigned joiners = 64;
const dim3 join_block(4, joiners);
dim3 join_grid(std::int64_t results) {
  return static_cast<unsigned>(ceil_div(results, join_block.x));
}

// x (images, rows, C).  sums (images, chunks, 3, C): of a chunk the mean of its first sixteenth as a pivot, and the
// sums of x - pivot, the rest, and of its square.  About the mean that is squares - rest^2 / n (Chan, Golub & LeVeque
// 1983, eq. 1.7), where at most a factor of 16 cancels: with d between the means of head and chunk, n d^2 goes and at
// least (n / 16) d^2 stays.
template <int V, class T>
__global__ void __launch_bounds__(block_threads, 4)
    moments_kernel(Chunks chunks, const Vector<T, V>* x, Vector<float, V>* sums) {
  SHARED(shared, Vector<float, V>[block_threads]);
  const Part part(chunks);
  const std::int64_t head = ceil_div(part.end - part.begin, 16), end = part.c < chunks.C ? part.end : part.first;
  Vector<float, V> pivot{}, rest{}, squares{};
#pragma unroll 4
  for (std::int64_t row = part.first; row < min(part.begin + head, end); row += blockDim.y) {
    const Vector<T, V> v = x[row * chunks.C + part.c];
#pragma unroll
    for (int j = 0; j < V; ++j) pivot.v[j] += static_cast<float>(v.v[j]);
  }
  pivot = join_threads(Sum{}, pivot, shared, blockDim.x);
#pragma unroll
  for (int j = 0; j < V; ++j) pivot.v[j] /= static_cast<float>(head);
#pragma unroll 4
  for (std::int64_t row = part.first; row < end; row += blockDim.y) {
    const Vector<T, V> v = x[row * chunks.C + part.c];
#pragma unroll
    for (int j = 0; j < V; ++j) {
      const float d = static_cast<float>(v.v[j]) - pivot.v[j];
      rest.v[j] += d;
      squares.v[j] = fmaf(d, d, squares.v[j]);
    }
  }
  rest = join_threads(Sum{}, rest, shared, blockDim.x);
  squares = join_threads(Sum{}, squares, shared, blockDim.x);
  if (threadIdx.y > 0 || part.c >= chunks.C) return;
  Vector<float, V>* to = sums + part.index * 3 * chunks.C + part.c;
  to[0] = pivot;
  to[chunks.C] = rest;
  to[2 * chunks.C] = squares;
}

}  // namespace
}  // namespace convolith::CONVOLITH_DEVICE
