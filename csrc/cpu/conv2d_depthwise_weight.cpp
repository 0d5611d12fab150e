// Depthwise weight gradient: dw[c, r, s] is the dot product of dy's plane with the input's, shifted.  With channels in
// vectors all R S of them stay in registers, or as many filter rows as do, and need no sum over lanes.
#include "conv2d_depthwise.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// How many of `left` filter rows of `size` sums the registers hold beside a vector of dy and one of x.
constexpr int filter_rows_for(int size, int left) {
  const int most = ((vector_bytes == 64 ? 32 : 16) - 2) / size;
  return left < most ? left : most;
}

// sums (R, S, channel) += dy (P, Q, channel) times x (row, column, channel), filter rows r0 and on
template <int size, int stride, int r0, class T>
void add_products(const T* x, std::int64_t pitch, const T* dy, std::int64_t P, std::int64_t Q, T* sums) {
  constexpr int rows = filter_rows_for(size, size - r0);
  Vec<T> sum[rows][size];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int s = 0; s < size; ++s) sum[r][s] = load(sums + ((r0 + r) * size + s) * width<T>);
  for (std::int64_t i = 0; i < P; ++i) {
    const T* xi = x + (i * stride + r0) * pitch * width<T>;
    for (std::int64_t j = 0; j < Q; ++j, xi += stride * width<T>, dy += width<T>) {
      const Vec<T> g = load(dy);
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
        for (int s = 0; s < size; ++s) sum[r][s] += g * load(xi + (r * pitch + s) * width<T>);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int s = 0; s < size; ++s) store(sums + ((r0 + r) * size + s) * width<T>, sum[r][s]);
  if constexpr (r0 + rows < size) add_products<size, stride, r0 + rows>(x, pitch, dy - P * Q * width<T>, P, Q, sums);
}

// dy (N, C, P, Q), x (N, C, H, W), dw (C, R, S)
template <int size, int stride, class T>
void multiply_all(const Conv2d& p, const T* dy, const T* x, T* dw) {
  const Bands bands(p.H, p.W, -p.pad_top, -p.pad_left, p.P, (p.Q - 1) * stride + size, stride, size);
  const std::int64_t groups = ceil_div(p.C, width<T>), cells = size * size, dw_size = p.C * cells;
  // Parts are those of the widest vectors, so that every instruction set adds up in the same order.
  const Parts parts(p.N, 1, ceil_div(p.C, Lanes<T>::count), dw_size * std::int64_t{sizeof(T)});
  Scratch<std::int64_t> at(bands.size);
  bands.plan<T>(at.get());

  const std::int64_t copy_size = bands.size * width<T>, dy_size = (bands.rows * p.Q + width<T>)*width<T>;
  const std::int64_t buffer_size = copy_size + dy_size + filters_size<T>;
  const ZeroedScratch<T> buffers(buffer_size);
  Scratch<T> partial(parts.count > 1 ? parts.count * dw_size : 0);
  const std::int64_t cost = parts.size * p.P * p.Q * (cells + 10);
  parallel_for(parts.count * groups, cost, [&](std::int64_t task, int thread) {
    T* copy = buffers.of(thread);  // (row, column, channel)
    T* turned = copy + copy_size;  // (position, channel)
    T* sums = turned + dy_size;    // (cell, channel)
    const std::int64_t part = task / groups, c0 = task % groups * width<T>;
    fill_zero(sums, cells * width<T>);
    for (std::int64_t n = part * parts.size; n < min_of(p.N, (part + 1) * parts.size); ++n)
      for (std::int64_t p0 = 0; p0 < p.P; p0 += bands.rows) {
        const std::int64_t rows = min_of(bands.rows, p.P - p0);
        bands.copy_in(planes_of(p, x, p.H * p.W, n, c0), at.get(), p0, rows, copy);
        const Stack<T> planes = planes_of(p, dy, p.P * p.Q, n, c0);
        for (std::int64_t f = 0; f < rows * p.Q; f += width<T>) {
          planes.fetch(p0 * p.Q + f + 8 * Lanes<T>::count);
          planes.transpose_to(p0 * p.Q + f, turned + f * width<T>, width<T>);
        }
        add_products<size, stride, 0>(copy, bands.pitch, turned, rows, p.Q, sums);
      }
    T* to = (parts.count > 1 ? partial.get() + part * dw_size : dw) + c0 * cells;
    store_transposed<T>(sums, width<T>, cells, min_of(width<T>, p.C - c0), nullptr, to, cells);
  });
  if (parts.count > 1) add_partial_sums(parts.count, dw_size, partial.get(), dw);
}

}  // namespace

template <class T>
void depthwise_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw) {
  if (p.R == 3) return p.stride_h == 1 ? multiply_all<3, 1>(p, dy, x, dw) : multiply_all<3, 2>(p, dy, x, dw);
  if (p.R == 5) return p.stride_h == 1 ? multiply_all<5, 1>(p, dy, x, dw) : multiply_all<5, 2>(p, dy, x, dw);
  return p.stride_h == 1 ? multiply_all<7, 1>(p, dy, x, dw) : multiply_all<7, 2>(p, dy, x, dw);
}
INSTANTIATE(depthwise_backward_weight)

}  // namespace convolith::CONVOLITH_ISA
