// 1x1 convolution without padding, a matrix product per image: y (K, P Q) = w (K, C) x (C, P Q), and the input gradient
// with the transposed filter.  Positions are numbered across images, so that small images share vectors.
//
// A chunk of positions is packed once, C x 192 of them, and met by all filters: K FMAs for each element that is moved.
// With few channels the bound is memory: 16 to 96 channels at 112 x 112 is 27 FLOPs per byte moved.
#include "conv2d_pointwise.hpp"

#include "epilogue.hpp"
#include "gemm.hpp"
#include "pack.hpp"
#include "transpose.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// Positions [begin, end) of all images as runs within a row of P x Q: calls f(image, row, column, length, before).
template <class F>
CONVOLITH_INLINE void for_runs(std::int64_t begin, std::int64_t end, std::int64_t P, std::int64_t Q, const F& f) {
  for (std::int64_t at = begin; at < end;) {
    const std::int64_t n = at / (P * Q), p = at / Q % P, q = at % Q, length = min_of(end - at, Q - q);
    f(n, p, q, length, at - begin);
    at += length;
  }
}

// to[j] = from[j * stride]
template <class T>
CONVOLITH_INLINE void gather(const T* from, std::int64_t stride, std::int64_t n, T* to) {
  if (stride == 1) return map_vectors(from, n, to, [](auto v) CONVOLITH_INLINED { return v; });
  for (std::int64_t j = 0; j < n; ++j) to[j] = from[j * stride];
}

// y (N, rows, P, Q) = w (rows, taps) x, where x (N, taps, H, W) is read at every stride-th row and column, or, if
// `scatter`, y (N, rows, H, W) is written there and zero elsewhere, x being (N, taps, P, Q).
template <class T>
void multiply(const Conv2d& p, bool scatter, std::int64_t rows, std::int64_t taps, Matrix<T> w, const T* x,
              const T* bias, const Epilogue<T>& epilogue, T* y) {
  // Where a stride does not part them, the rows of an image are one.
  const bool whole = p.stride_h == 1 && p.stride_w == 1;
  const std::int64_t P = whole ? 1 : p.P, Q = whole ? p.P * p.Q : p.Q, positions = p.N * P * Q;
  const std::int64_t large = p.H * p.W, small = p.P * p.Q;
  const RowBlocks blocks(rows);
  constexpr std::int64_t panels = 4, enough = 8;
  const std::int64_t panel = blocks.vectors() * width<T>, chunk = panels * panel;
  const std::int64_t chunks = ceil_div(positions, chunk), shares = min_of(blocks.blocks, ceil_div(enough, chunks));

  // Filter rows are read where they are; columns, a line apart, are packed: (block, tap, row).
  Scratch<T> filter(w.row == 1 ? rows * taps : 0);
  if (w.row == 1)
    parallel_for(blocks.blocks, 2 * taps, [&](std::int64_t b, int) {
      T* to = filter.get() + b * blocks.height * taps;
      for (std::int64_t t = 0; t < taps; ++t, to += blocks.height_of(b))
        gather(w.data + b * blocks.height + t * w.column, 1, blocks.height_of(b), to);
    });
  const auto block_of = [&](std::int64_t b) {
    const std::int64_t k0 = b * blocks.height;
    return w.row == 1 ? Matrix<T>{filter.get() + k0 * taps, 1, blocks.height_of(b)}
                      : Matrix<T>{w.data + k0 * w.row, w.row, w.column};
  };

  const std::int64_t tile_size = max_rows * panel, buffer_size = taps * chunk + tile_size;
  Scratch<T> buffers(max_threads() * buffer_size);
  const std::int64_t cost = chunk * rows * taps / (16 * shares);
  parallel_for(chunks * shares, cost, [&](std::int64_t task, int thread) {
    T* packed = buffers.get() + thread * buffer_size;  // (panel, tap, position)
    T* tile = packed + taps * chunk;                   // (row, position)
    const std::int64_t share = task % shares, begin = task / shares * chunk, end = min_of(begin + chunk, positions);
    for (std::int64_t at = begin; at < end; at += panel)
      for_runs(at, min_of(at + panel, end), P, Q,
               [&](std::int64_t n, std::int64_t i, std::int64_t j, std::int64_t length, std::int64_t before) {
                 const std::int64_t step = scatter ? 1 : p.stride_w, plane = scatter ? small : large;
                 const T* from = x + n * taps * plane + (scatter ? i * Q : i * p.stride_h * p.W) + j * step;
                 T* to = packed + (at - begin) * taps + before;
                 for (std::int64_t t = 0; t < taps; ++t) gather(from + t * plane, step, length, to + t * panel);
               });

    for (std::int64_t b = blocks.blocks * share / shares; b < blocks.blocks * (share + 1) / shares; ++b) {
      const std::int64_t height = blocks.height_of(b), k0 = b * blocks.height;
      for (std::int64_t at = begin; at < end; at += panel) {
        const std::int64_t count = min_of(panel, end - at), plane = scatter ? large : small;
        const auto store_runs = [&](const auto& store_run) {
          for_runs(at, at + count, P, Q,
                   [&](std::int64_t n, std::int64_t i, std::int64_t j, std::int64_t length, std::int64_t before) {
                     const std::int64_t inside = scatter ? i * p.stride_h * p.W + j * p.stride_w : i * Q + j;
                     for (std::int64_t k = 0; k < height; ++k)
                       store_run(k, (n * rows + k0 + k) * plane + inside, length, tile + k * panel + before);
                   });
        };
        store_runs([&](std::int64_t, std::int64_t index, std::int64_t length, const T*) {
          for (std::int64_t j = 0; j < length; j += Lanes<T>::count) __builtin_prefetch(y + index + j, 1);
        });
        find_micro<T, Matrix<T>, Step>(height, ceil_div(count, width<T>))(
            taps, block_of(b), packed + (at - begin) * taps, {panel, packed}, false, tile, panel);
        store_runs([&](std::int64_t k, std::int64_t index, std::int64_t length, const T* from) {
          const T add = bias ? bias[k0 + k] : T(0);
          if (scatter) {
            for (std::int64_t j = 0; j < length; ++j) y[index + j * p.stride_w] = from[j];
            return;
          }
          map_vectors(from, length, y + index, [&](auto v) CONVOLITH_INLINED { return v + add; });
          epilogue.finish(y, index, length);
        });
      }
    }
  });
}

}  // namespace

// x (N, C, H, W), w (K, C, 1, 1), bias (K) or null, residual and y (N, K, P, Q)
template <class T>
void pointwise_forward(const Conv2d& p, const T* x, const T* w, const T* bias, const T* residual, T* y) {
  multiply<T>(p, false, p.K, p.C, {w, p.C, 1}, x, bias, {residual, p.activation}, y);
}

// dy (N, K, P, Q), w (K, C, 1, 1), dx (N, C, H, W)
template <class T>
void pointwise_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  if (p.stride_h != 1 || p.stride_w != 1)
    parallel_ranges(p.N * p.C * p.H * p.W, elementwise_grain,
                    [&](std::int64_t begin, std::int64_t end) { fill_zero(dx + begin, end - begin); });
  const bool scatter = p.stride_h != 1 || p.stride_w != 1;
  multiply<T>(p, scatter, p.C, p.K, {w, 1, p.C}, dy, nullptr, {nullptr, Activation::identity}, dx);
}
template void pointwise_forward(const Conv2d&, const float*, const float*, const float*, const float*, float*);
template void pointwise_forward(const Conv2d&, const double*, const double*, const double*, const double*, double*);
template void pointwise_backward_input(const Conv2d&, const float*, const float*, float*);
template void pointwise_backward_input(const Conv2d&, const double*, const double*, double*);

}  // namespace convolith::CONVOLITH_ISA
