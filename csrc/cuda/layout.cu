// Row by row to channels last and back: a transposition of matrices, bound by memory.
#include "layout.hpp"

#include "launch.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

constexpr int tile = 32, rows_at_once = 8;  // a block's threads: 32 x 8

// x (batch, rows, columns) to y (batch, columns, rows).  A tile goes through shared memory, so that both sides are
// coalesced; its rows are one element longer, so that a column lies in 32 different banks.
template <class T>
__global__ void transpose_kernel(std::int64_t batch, std::int64_t rows, std::int64_t columns, const T* __restrict__ x,
                                 T* __restrict__ y) {
  SHARED(part, T[tile][tile + 1]);
  const std::int64_t down = ceil_div(rows, tile), across = ceil_div(columns, tile);
  for (std::int64_t at = blockIdx.x; at < batch * down * across; at += gridDim.x) {
    const std::int64_t n = at / (down * across), row = at / across % down * tile, column = at % across * tile;
    const T* from = x + n * rows * columns;
    T* to = y + n * rows * columns;
    for (int i = threadIdx.y; i < tile; i += rows_at_once)
      if (row + i < rows && column + threadIdx.x < columns)
        part[i][threadIdx.x] = from[(row + i) * columns + column + threadIdx.x];
    __syncthreads();
    for (int i = threadIdx.y; i < tile; i += rows_at_once)
      if (column + i < columns && row + threadIdx.x < rows)
        to[(column + i) * rows + row + threadIdx.x] = part[threadIdx.x][i];
    __syncthreads();  // before the next tile comes in
  }
}

template <class T>
void run(const Transpose& p, const void* x, void* y) {
  const std::int64_t tiles = p.batch * ceil_div(p.rows, tile) * ceil_div(p.columns, tile);
  launch("transpose", transpose_kernel<T>, dim3(grid_for(tiles, 1)), dim3(tile, rows_at_once), 0, p.batch, p.rows,
         p.columns, static_cast<const T*>(x), static_cast<T*>(y));
}

}  // namespace

void transpose(const Transpose& p, std::int64_t item_size, const void* x, void* y) {
  if (p.batch * p.rows * p.columns == 0) return;
  if (item_size == 2)
    run<std::uint16_t>(p, x, y);
  else if (item_size == 4)
    run<std::uint32_t>(p, x, y);
  else
    run<std::uint64_t>(p, x, y);
}

}  // namespace convolith::CONVOLITH_DEVICE
