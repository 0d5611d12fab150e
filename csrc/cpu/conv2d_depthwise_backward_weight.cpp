// Depthwise weight gradient: R S dot products of dy's plane with the input's, shifted.  Both are packed into sheets, dy
// with zeros between its rows, and the sums of one channel over all images stay in registers or in L1.
#include "conv2d_depthwise.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// How many of `left` filter rows of `size` sums the registers hold beside four rows of dy.
constexpr int filter_rows_for(int size, int left) {
  const int free = (vector_bytes == 64 ? 32 : 16) - 4 - 2, most = free / size > 1 ? free / size : 1;
  return left < most ? left : most;
}

template <int size>
struct Size {
  constexpr int operator()() const { return size; }
};

// sums[r][s] += dy row b * x row (b * stride + r), shifted by s, for `rows` rows of dy and one vector of positions.
template <int size, int stride, int some, int rows, class T>
CONVOLITH_INLINE void add_rows(const T* x, std::int64_t phase, std::int64_t pitch, const T* dy, std::int64_t dy_pitch,
                               Vec<T> (*sums)[size]) {
  Vec<T> g[rows];
#pragma GCC unroll 8
  for (int b = 0; b < rows; ++b) g[b] = load(dy + b * dy_pitch);
#pragma GCC unroll 32
  for (int i = 0; i < (rows - 1) * stride + some; ++i)
#pragma GCC unroll 8
    for (int s = 0; s < size; ++s) {
      Vec<T> v = load(x + i * pitch + s % stride * phase + s / stride);
      keep(v);
#pragma GCC unroll 8
      for (int b = 0; b < rows; ++b) {
        const int r = i - b * stride;
        if (r >= 0 && r < some) sums[r][s] += g[b] * v;
      }
    }
}

// Filter rows r0 and on, of `count` sheets: lanes (R, S, Lanes)
template <int size, int stride, int r0, class T>
void add_sheets(const Sheet& f, const Sheet& g, std::int64_t count, std::int64_t rows, const T* x, const T* dy,
                T* lanes) {
  constexpr int some = filter_rows_for(size, size - r0);
  for (std::int64_t part = 0; part < Lanes<T>::count; part += width<T>) {
    Vec<T> sums[some][size];
#pragma GCC unroll 8
    for (int r = 0; r < some; ++r)
#pragma GCC unroll 8
      for (int s = 0; s < size; ++s) sums[r][s] = load(lanes + ((r0 + r) * size + s) * Lanes<T>::count + part);
    for (std::int64_t sheet = 0; sheet < count; ++sheet)
      for (std::int64_t j = part; j < g.pitch; j += Lanes<T>::count) {
        const T* xj = x + sheet * f.size + r0 * f.pitch + j;
        const T* dyj = dy + sheet * g.size + j;
        std::int64_t i = 0;
        const auto blocks_of = [&](auto rows_at_once) CONVOLITH_INLINED {
          constexpr int block = rows_at_once();
          for (; i + block <= rows; i += block)
            add_rows<size, stride, some, block>(xj + i * stride * f.pitch, f.phase, f.pitch, dyj + i * g.pitch, g.pitch,
                                                sums);
        };
        if constexpr (size == 3 && stride == 1) blocks_of(Size<7>{});
        blocks_of(Size<4>{});
        blocks_of(Size<2>{});
        blocks_of(Size<1>{});
      }
#pragma GCC unroll 8
    for (int r = 0; r < some; ++r)
#pragma GCC unroll 8
      for (int s = 0; s < size; ++s) store(lanes + ((r0 + r) * size + s) * Lanes<T>::count + part, sums[r][s]);
  }
  if constexpr (r0 + some < size) add_sheets<size, stride, r0 + some>(f, g, count, rows, x, dy, lanes);
}

// dy (N, K, P, Q), x (N, C, H, W), dw (K, R, S): a task is a channel
template <int size, int stride, class T>
void multiply_all(const Conv2d& p, const T* dy, const T* x, T* dw) {
  const Sheet f = Sheet::of(p, T{});
  Conv2d out = p;  // dy as the input of a convolution that copies it, its sheets as wide as x's
  out.C = p.K, out.H = p.P, out.W = p.Q, out.R = out.S = 1, out.stride_h = out.stride_w = 1;
  out.pad_top = out.pad_left = 0;
  Sheet g = f;
  g.used = p.Q, g.phase = g.pitch = round_up(f.positions, Lanes<T>::count), g.size = g.band * g.pitch;

  constexpr std::int64_t count = Lanes<T>::count, budget = 32768;
  const std::int64_t together =
      min_of(f.groups, max_of<std::int64_t>(1, budget / ((f.size + g.size) * std::int64_t{sizeof(T)})));
  const std::int64_t all = round_up(together * (f.size + g.size) + read_slack<T>, count);
  const Scratch<T> buffers(max_threads() * all);
  fill_zero(buffers.get(), max_threads() * all);
  const std::int64_t multiplier = p.K / p.G, cost = p.N * p.P * p.Q * multiplier * (size * size + 8) / 16;
  parallel_for(p.K, cost, [&](std::int64_t k, int thread) {
    T* dy_sheets = buffers.get() + thread * all;
    T* x_sheets = dy_sheets + together * g.size;
    alignas(64) T lanes[size * size * count];
    fill_zero(lanes, size * size * count);
    for (std::int64_t band = 0; band < f.bands; ++band)
      for (std::int64_t first = 0; first < f.groups; first += together) {
        const std::int64_t sheets = min_of(together, f.groups - first);
        for (std::int64_t i = 0; i < sheets; ++i) {
          const std::int64_t n0 = (first + i) * f.images;
          if (p.N - n0 < f.images) {  // what an earlier image left beside the last ones
            fill_zero(x_sheets + i * f.size, f.size);
            fill_zero(dy_sheets + i * g.size, g.size);
          }
          pack_sheet<stride>(p, f, x, n0, k / multiplier, band, x_sheets + i * f.size);
          pack_sheet<1>(out, g, dy, n0, k, band, dy_sheets + i * g.size);
        }
        add_sheets<size, stride, 0>(f, g, sheets, min_of(f.band, p.P - band * f.band), x_sheets, dy_sheets, lanes);
      }
    for (std::int64_t t = 0; t < size * size; ++t) dw[k * size * size + t] = sum(Lanes<T>::load(lanes + t * count));
  });
}

}  // namespace

template <class T>
void depthwise_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw) {
  if (p.N == 0) return fill_zero(dw, p.K * p.R * p.S);
  if (p.R == 3) return p.stride_h == 1 ? multiply_all<3, 1>(p, dy, x, dw) : multiply_all<3, 2>(p, dy, x, dw);
  if (p.R == 5) return p.stride_h == 1 ? multiply_all<5, 1>(p, dy, x, dw) : multiply_all<5, 2>(p, dy, x, dw);
  return p.stride_h == 1 ? multiply_all<7, 1>(p, dy, x, dw) : multiply_all<7, 2>(p, dy, x, dw);
}
INSTANTIATE(depthwise_backward_weight)

}  // namespace convolith::CONVOLITH_ISA
