// conv2d weight gradient: dw[k, tap] is the sum, over all positions, of dy[k] times the input as tap (c, r, s) sees it.
// Vectors hold filters: dy is transposed a piece at a time, and the micro-kernel broadcasts inputs, eight taps at once,
// each at its own offset.  So no column is wasted, whatever the size, stride or dilation.
//
// Transposing costs a quarter of a shuffle per element of dy, which then meets (C/G) R S FMAs.
#include "conv2d_direct.hpp"
#include "conv2d_pieces.hpp"
#include "gemm.hpp"
#include "kernels.hpp"
#include "pack.hpp"
#include "transpose.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// Where the inputs of a piece are: in x itself, or in a padded copy of the rows that it needs.
struct Inputs {
  bool copied;
  std::int64_t rows, pitch, plane, image;  // rows of a padded piece; distances of rows, channels, images

  Inputs(const Conv2d& p, const Pieces& pieces)
      : copied(p.pad_top + p.pad_bottom + p.pad_left + p.pad_right > 0),
        rows((pieces.rows - 1) * p.stride_h + (p.R - 1) * p.dilation_h + 1),
        pitch(copied ? (p.Q - 1) * p.stride_w + (p.S - 1) * p.dilation_w + 1 : p.W),
        plane(copied ? rows * pitch : p.H * p.W),
        image((copied ? p.C / p.G : p.C) * plane) {}
};

}  // namespace

// dy (N, K, P, Q), x (N, C, H, W), dw (K, C/G, R, S)
template <class T>
void panels_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw) {
  const std::int64_t CG = p.C / p.G, KG = p.K / p.G, taps = CG * p.R * p.S, dw_size = p.K * taps;
  constexpr std::int64_t most = 400;  // positions: their share of dy, transposed, takes 100 KiB of L2
  const Pieces pieces(p.N, p.P, p.Q, most, p.P);
  const Inputs in(p, pieces);

  // Tasks: panels of filters, blocks of taps whose sums fit a quarter of L2, fewer taps where that makes eight tasks,
  // and parts of the batch where those are still too few.  Whole images that tasks share are transposed once per thread.
  constexpr std::int64_t sum_bytes = 256 * 1024, panel_bytes = 256, enough = 8, least_taps = 128;
  const std::int64_t panel = min_of(round_up(KG, width<T>), panel_bytes / std::int64_t{sizeof(T)});
  const std::int64_t panels = ceil_div(KG, panel);
  const std::int64_t needed = ceil_div(taps * panel * std::int64_t{sizeof(T)}, sum_bytes);
  const std::int64_t wanted = min_of(round_up(ceil_div(enough, p.G * panels), 2), taps / least_taps);
  const std::int64_t blocks = max_of(needed, wanted);
  const std::int64_t block_taps = ceil_div(taps, blocks), all = p.G * panels * blocks;
  const Parts parts(p.N, pieces.images, all, dw_size * std::int64_t{sizeof(T)});

  Scratch<std::int64_t> tap(taps), position(pieces.positions), from(in.pitch);
  for (std::int64_t t = 0; t < taps; ++t) tap.get()[t] = tap_offset(p, t, in.plane, in.pitch);
  for (std::int64_t t = 0; t < pieces.positions; ++t)
    position.get()[t] =
        t / (pieces.rows * p.Q) * in.image + t / p.Q % pieces.rows * p.stride_h * in.pitch + t % p.Q * p.stride_w;
  const Columns columns = plan_columns(from.get(), in.copied ? in.pitch : 0, -p.pad_left, 1, p.W, p.padding_mode);

  const std::int64_t sums_size = block_taps * panel, dy_size = (pieces.positions + width<T>)*panel;
  const std::int64_t copy_size = in.copied ? pieces.images * in.image : 0;
  const std::int64_t buffer_size = round_up(sums_size + dy_size + copy_size, Lanes<T>::count);
  Scratch<T> buffers(max_threads() * buffer_size), partial(parts.count > 1 ? parts.count * dw_size : 0);
  Held turned_piece;
  const std::int64_t cost = p.N * p.P * p.Q * dw_size / (16 * parts.count * all);
  parallel_for(parts.count * all, cost, [&](std::int64_t task, int thread) {
    T* sums = buffers.get() + thread * buffer_size;  // (tap, filter)
    T* turned = sums + sums_size;                    // (position, filter)
    T* copy = turned + dy_size;                      // (image, channel, row, column)
    const std::int64_t part = task / all, g = task / (panels * blocks) % p.G;
    const std::int64_t k0 = task / blocks % panels * panel, t0 = task % blocks * block_taps;
    const std::int64_t filters = min_of(panel, KG - k0), count = min_of(block_taps, taps - t0);
    const std::int64_t vectors = ceil_div(filters, width<T>), step = min_of(vectors, panel_vectors);
    const RowBlocks rows_of_taps(count, step);
    const std::int64_t c0 = t0 / (p.R * p.S), c1 = ceil_div(t0 + count, p.R * p.S);  // the channels of the block
    const std::int64_t n_end = min_of(p.N, (part + 1) * parts.size);

    bool first = true;
    for (std::int64_t n0 = part * parts.size; n0 < n_end; n0 += pieces.images)
      for (std::int64_t p0 = 0; p0 < p.P; p0 += pieces.rows) {
        const std::int64_t images = min_of(pieces.images, n_end - n0), rows = min_of(pieces.rows, p.P - p0);
        const T* inputs = x + (n0 * p.C + g * CG) * p.H * p.W + p0 * p.stride_h * p.W;
        for (std::int64_t m = 0; in.copied && m < images; ++m)
          copy_rows(x + ((n0 + m) * p.C + g * CG + c0) * p.H * p.W, c1 - c0, p.H, p.W, columns, p.padding_mode,
                    p0 * p.stride_h - p.pad_top, in.rows, copy + m * in.image + c0 * in.plane, in.plane);
        if (in.copied) inputs = copy;

        const std::int64_t row_positions = rows * p.Q;  // of one image
        // From a piece to the next one, which is fetched.
        const std::int64_t next = p0 + rows < p.P ? row_positions : images * p.K * p.P * p.Q - p0 * p.Q;
        const bool turn = turned_piece.changes(thread, (n0 * p.P + p0) * p.G * panels + task / blocks % (p.G * panels));
        for (std::int64_t m = 0; turn && m < images; ++m)
          for (std::int64_t k = 0; k < filters; k += width<T>) {
            const Stack<T> stack{dy + ((n0 + m) * p.K + g * KG + k0 + k) * p.P * p.Q, p.P * p.Q,
                                 min_of(width<T>, filters - k), dy + p.N * p.K * p.P * p.Q};
            for (std::int64_t f = 0; f < row_positions; f += width<T>) {
              if (f % Lanes<T>::count == 0) stack.fetch(p0 * p.Q + f + next);
              stack.transpose_to(p0 * p.Q + f, turned + (m * row_positions + f) * panel + k, panel);
            }
          }

        for (std::int64_t b = 0; b < rows_of_taps.blocks; ++b)
          for (std::int64_t v = 0; v < vectors; v += step) {
            const std::int64_t t = b * rows_of_taps.height;
            // The inputs of the next block are on their way to L2: short rows, which no hardware sees coming.
            for (std::int64_t i = t + rows_of_taps.height; !in.copied && i < min_of(t + 2 * rows_of_taps.height, count);
                 ++i)
              for (std::int64_t f = 0; f < row_positions; f += Lanes<T>::count)
                fetch(inputs + tap.get()[t0 + i] + position.get()[f]);
            find_micro<T, Scattered<T>, Step>(rows_of_taps.height_of(b), min_of(step, vectors - v))(
                images * row_positions, {inputs, tap.get() + t0 + t, position.get()}, turned + v * width<T>,
                {panel, turned}, !first, sums + t * panel + v * width<T>, panel);
          }
        first = false;
      }
    T* to = (parts.count > 1 ? partial.get() + part * dw_size : dw) + (g * KG + k0) * taps + t0;
    store_transposed<T>(sums, panel, count, filters, nullptr, to, taps);
  });

  if (parts.count > 1) add_partial_sums(parts.count, dw_size, partial.get(), dw);
}
INSTANTIATE(panels_backward_weight)

}  // namespace convolith::CONVOLITH_ISA
