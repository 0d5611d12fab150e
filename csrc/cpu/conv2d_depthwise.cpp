// Depthwise forward, and the input gradient with stride 1, which is the forward with the filters turned around.
#include "conv2d_depthwise.hpp"

#include "epilogue.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// sums[b] = bias + the filter at output row b, for one vector of positions of the sheet x; w (R, S).  One filter column
// at a time: its weights and the sums fit in the registers together.
template <int size, int stride, int rows, class T>
CONVOLITH_INLINE void filter_rows(const T* x, std::int64_t phase, std::int64_t pitch, const T* w, T bias,
                                  Vec<T>* sums) {
  constexpr bool resident = size * size + rows + 2 <= (vector_bytes == 64 ? 32 : 16);
#pragma GCC unroll 8
  for (int b = 0; b < rows; ++b) sums[b] = bias - Vec<T>{};
#pragma GCC unroll 8
  for (int s = 0; s < size; ++s) {
    Vec<T> weight[size];
#pragma GCC unroll 8
    for (int r = 0; r < size; ++r) {
      weight[r] = w[r * size + s] - Vec<T>{};
      if constexpr (!resident) keep(weight[r]);
    }
#pragma GCC unroll 32
    for (int i = 0; i < (rows - 1) * stride + size; ++i) {
      Vec<T> v = load(x + i * pitch + s % stride * phase + s / stride);
      keep(v);
#pragma GCC unroll 8
      for (int b = 0; b < rows; ++b) {
        const int r = i - b * stride;
        if (r >= 0 && r < size) sums[b] += weight[r] * v;
      }
    }
  }
}

// sheet: `rows` output rows of it, w (R, S)
template <int size, int stride, int block, class T>
void filter_sheet(const Sheet& f, std::int64_t rows, const T* sheet, const T* w, T bias, const Rows<T>& out) {
  // Blocks and vectors at the end overlap the ones before.
  const std::int64_t last = out.images == 1 && out.columns >= width<T> ? out.columns - width<T> : f.positions;
  for (std::int64_t i0 = 0; i0 < rows; i0 += block) {
    const std::int64_t i = min_of(i0, rows - block);
    for (std::int64_t j0 = 0; j0 < f.positions; j0 += width<T>) {
      const std::int64_t j = min_of(j0, last);
      Vec<T> sums[block];
      filter_rows<size, stride, block>(sheet + i * stride * f.pitch + j, f.phase, f.pitch, w, bias, sums);
      out.template put<block, 1>(i, j, sums);
    }
  }
}

// x (N, C, H, W), w (K, R, S), bias (K) or null, y (N, K, P, Q)
template <int size, int stride, class T>
void filter_all(const Conv2d& p, const T* x, const T* w, const T* bias, const Epilogue<T>& epilogue, T* y) {
  constexpr int block = 7;  // images are 7 * 2^n high more often than not
  const Sheet f = Sheet::of(p, T{});
  const std::int64_t multiplier = p.K / p.G;
  for_sheets<stride>(
      p, f, multiplier * size * size, x,
      [&](std::int64_t n0, std::int64_t c, std::int64_t p0, std::int64_t rows, const T* sheet) {
        for (std::int64_t k = c * multiplier; k < (c + 1) * multiplier; ++k) {
          T* to = y + ((n0 * p.K + k) * p.P + p0) * p.Q;
          const Rows<T> out{to,  to + rows * p.Q,        min_of(f.images, p.N - n0), f.step, p.K * p.P * p.Q,
                            p.Q, f.positions <= width<T>};
          const auto filter = rows >= block ? filter_sheet<size, stride, block, T> : filter_sheet<size, stride, 1, T>;
          filter(f, rows, sheet, w + k * size * size, bias ? bias[k] : T(0), out);
          for (std::int64_t m = 0; m < out.images; ++m) epilogue.finish(y, to - y + m * out.image, rows * p.Q);
        }
      });
}

}  // namespace

template <class T>
void depthwise_forward(const Conv2d& p, const T* x, const T* w, const T* bias, const T* residual, T* y) {
  const bool dense = p.stride_h == 1;
  const auto filter = p.R == 3   ? dense ? filter_all<3, 1, T> : filter_all<3, 2, T>
                      : p.R == 5 ? dense ? filter_all<5, 1, T> : filter_all<5, 2, T>
                      : dense    ? filter_all<7, 1, T>
                                 : filter_all<7, 2, T>;
  filter(p, x, w, bias, {residual, p.activation}, y);
}
INSTANTIATE(depthwise_forward)

// dy (N, K, P, Q), w (K, R, S), dx (N, K, H, W); stride 1
template <class T>
void depthwise_backward_input_dense(const Conv2d& p, const T* dy, const T* w, T* dx) {
  Conv2d turned = p;
  turned.H = p.P, turned.W = p.Q, turned.P = p.H, turned.Q = p.W;
  turned.activation = Activation::identity;
  turned.pad_top = p.R - 1 - p.pad_top, turned.pad_left = p.S - 1 - p.pad_left;
  const std::int64_t cells = p.R * p.S;
  const Scratch<T> flipped(p.K * cells);
  for (std::int64_t k = 0; k < p.K; ++k)
    for (std::int64_t t = 0; t < cells; ++t) flipped.get()[k * cells + t] = w[k * cells + cells - 1 - t];
  depthwise_forward<T>(turned, dy, flipped.get(), nullptr, nullptr, dx);
}
INSTANTIATE(depthwise_backward_input_dense)

}  // namespace convolith::CONVOLITH_ISA
