// 1x1 convolution without padding, a matrix product per image: y (K, P Q) = w (K, C) x (C, P Q), and the input gradient
// with the transposed filter.  Positions are numbered across images, so that small images share vectors.
//
// A chunk of positions is packed once, C x 192 of them, and met by all filters: K FMAs for each element that is moved.
// With few channels the bound is memory: 16 to 96 channels at 112 x 112 is 27 FLOPs per byte moved.
#include "conv2d_pointwise.hpp"

#include "epilogue.hpp"
#include "gemm.hpp"
#include "kernels.hpp"
#include "pack.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// Consecutive positions of one image row, and where they are.
struct Run {
  std::int64_t image, inside, length, before;  // offset within a plane; positions of the chunk before this run
};

// y (N, rows, P, Q) = w (rows, taps) x, where x (N, taps, H, W) is read at every stride-th row and column, or, if
// `scatter`, y (N, rows, H, W) is written there, x being (N, taps, P, Q).
template <class T>
void multiply(const Conv2d& p, bool scatter, std::int64_t rows, std::int64_t taps, Matrix<T> w, const T* x,
              const T* bias, const Epilogue<T>& epilogue, T* y) {
  // Where a stride does not part them, the rows of an image are one.
  const bool whole = p.stride_h == 1 && p.stride_w == 1;
  const std::int64_t P = whole ? 1 : p.P, Q = whole ? p.P * p.Q : p.Q, positions = p.N * P * Q;
  const std::int64_t x_plane = scatter ? P * Q : p.H * p.W, y_plane = scatter ? p.H * p.W : P * Q;
  const RowBlocks blocks(rows);
  constexpr std::int64_t panels = 4, most = panels * max_vectors * width<T>;
  const std::int64_t panel = blocks.vectors() * width<T>, vectors_of_all = ceil_div(positions, width<T>);
  const std::int64_t chunks = ceil_div(positions, panels * panel);
  const std::int64_t chunk = ceil_div(vectors_of_all, chunks) * width<T>;  // equal ones: equal tasks
  const std::int64_t shares = min_of(blocks.blocks, ceil_div(wanted_tasks(8), chunks));
  const LeftOperand<T> left(blocks, taps, w);
  const std::int64_t line = max_of<std::int64_t>(1, Lanes<T>::count / (scatter ? 1 : p.stride_w));  // positions of one

  const std::int64_t packed_size = taps * panels * panel, buffer_size = packed_size + max_rows * panel;
  Scratch<T> buffers(max_threads() * buffer_size);
  const std::int64_t cost = chunk * rows * taps / (16 * shares);
  parallel_for(chunks * shares, cost, [&](std::int64_t task, int thread) {
    T* packed = buffers.get() + thread * buffer_size;  // (panel, tap, position)
    T* tile = packed + packed_size;                    // (row, position)
    const std::int64_t share = task % shares, begin = task / shares * chunk, end = min_of(begin + chunk, positions);

    // Runs do not reach across panels.
    Run runs[most];
    std::int64_t first_run[panels + 1] = {}, n_runs = 0;
    for (std::int64_t i = 0; i < panels; ++i) {
      for (std::int64_t at = begin + i * panel; at < min_of(begin + (i + 1) * panel, end); n_runs++) {
        const std::int64_t row = at / Q % P, column = at % Q;
        const std::int64_t length = min_of(min_of(begin + (i + 1) * panel, end) - at, Q - column);
        runs[n_runs] = {at / (P * Q), row * Q + column, length, at - begin - i * panel};
        at += length;
      }
      first_run[i + 1] = n_runs;
    }
    const auto strided = [&](const Run& run) {  // where a run's positions are in the plane that has the strides
      return whole ? run.inside : run.inside / Q * p.stride_h * p.W + run.inside % Q * p.stride_w;
    };

    const auto next = [&](std::int64_t at) -> Step {
      if (at >= end + chunk || at >= positions) return {panel, packed, 0};
      const std::int64_t row = at / Q % P, inside = row * Q + at % Q;
      const T* from = x + at / (P * Q) * taps * x_plane + (scatter ? inside : strided({0, inside, 0, 0}));
      return {panel, from, x_plane * std::int64_t{sizeof(T)}};
    };
    for (std::int64_t i = 0; i < panels; ++i)
      for (std::int64_t r = first_run[i]; r < first_run[i + 1]; ++r) {
        const T* from = x + runs[r].image * taps * x_plane + (scatter ? runs[r].inside : strided(runs[r]));
        T* to = packed + i * taps * panel + runs[r].before;
        for (std::int64_t t = 0; t < taps; ++t)
          copy_every(scatter ? 1 : p.stride_w, from + t * x_plane, runs[r].length, to + t * panel);
      }

    std::int64_t ahead = end;  // of the next chunk, which is fetched
    for (std::int64_t b = blocks.blocks * share / shares; b < blocks.blocks * (share + 1) / shares; ++b)
      for (std::int64_t i = 0; i < panels && begin + i * panel < end; ++i, ahead += line) {
        const std::int64_t height = blocks.height_of(b), k0 = b * blocks.height;
        const std::int64_t vectors = ceil_div(min_of(panel, end - begin - i * panel), width<T>);
        const auto micro = find_micro<T, Biased<T>, Step>(height, vectors);
        const auto multiply_to = [&](T* to, std::int64_t pitch) {
          micro(taps, {left.block(b), bias ? bias + k0 : nullptr}, packed + i * taps * panel, next(ahead), false, to,
                pitch);
        };
        const auto index = [&](const Run& run, std::int64_t k) {
          return (run.image * rows + k0 + k) * y_plane + (scatter ? strided(run) : run.inside);
        };
        const Run* run = runs + first_run[i];
        // What will be stored to is on its way while it is computed.
        for (const Run* r = run; r < runs + first_run[i + 1]; ++r)
          for (std::int64_t k = 0; k < height; ++k)
            for (std::int64_t j = 0; j < r->length; j += Lanes<T>::count) fetch(y + index(*r, k) + j);

        if (run->length == vectors * width<T> && !scatter) {
          multiply_to(y + index(*run, 0), y_plane);
          for (std::int64_t k = 0; k < height; ++k) epilogue.finish(y, index(*run, k), run->length);
          continue;
        }
        multiply_to(tile, panel);
        for (; run < runs + first_run[i + 1]; ++run)
          for (std::int64_t k = 0; k < height; ++k) {
            const T* from = tile + k * panel + run->before;
            T* to = y + index(*run, k);
            if (scatter) {
              for (std::int64_t j = 0; j < run->length; ++j) to[j * p.stride_w] = from[j];
            } else {
              map_vectors(from, run->length, to, [](auto v) CONVOLITH_INLINED { return v; });
              epilogue.finish(y, to - y, run->length);
            }
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
INSTANTIATE(pointwise_forward)

// dy (N, K, P, Q), w (K, C, 1, 1), dx (N, C, H, W)
template <class T>
void pointwise_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  const bool scatter = p.stride_h != 1 || p.stride_w != 1;
  if (scatter)
    parallel_ranges(p.N * p.C * p.H * p.W, elementwise_grain,
                    [&](std::int64_t begin, std::int64_t end) { fill_zero(dx + begin, end - begin); });
  multiply<T>(p, scatter, p.C, p.K, {w, 1, p.C}, dy, nullptr, {nullptr, Activation::identity}, dx);
}
INSTANTIATE(pointwise_backward_input)

}  // namespace convolith::CONVOLITH_ISA
