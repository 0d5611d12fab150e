// conv2d weight gradient: dw[k, tap] is the sum, over all positions, of dy[k] times the input as tap (c, r, s) sees it.
// Vectors hold filters: dy is transposed a piece at a time, and the micro-kernel broadcasts inputs, eight taps at once,
// each at its own offset.  So no column is wasted, whatever the size, stride or dilation.
// Padding is added beforehand: once, for all filters.
//
// Transposing costs a quarter of a shuffle per element of dy, which then meets (C/G) R S FMAs.  Reading dy and x is the
// bound of layers with few of either, so what comes next is fetched while the micro-kernel multiplies.
#include "conv2d_direct.hpp"
#include "conv2d_pieces.hpp"
#include "gemm.hpp"
#include "kernels.hpp"
#include "pack.hpp"
#include "transpose.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// Tasks: panels of filters, blocks of taps whose sums fit a quarter of L2, fewer taps where that makes eight tasks.
template <class T>
struct Cut {
  std::int64_t panels, panel;       // filters of a panel: whole vectors
  std::int64_t block_taps, blocks;  // of taps

  Cut(std::int64_t G, std::int64_t filters, std::int64_t taps)
      : panels(ceil_div(filters, std::int64_t{256 / sizeof(T)})), panel(round_up(ceil_div(filters, panels), width<T>)) {
    constexpr std::int64_t sum_bytes = 256 * 1024, enough = 8, least_taps = 128;
    const std::int64_t needed = ceil_div(taps * panel * std::int64_t{sizeof(T)}, sum_bytes);
    const std::int64_t wanted = min_of(round_up(ceil_div(enough, G * panels), 2), taps / least_taps);
    block_taps = ceil_div(taps, max_of(needed, wanted));
    blocks = ceil_div(taps, block_taps);
  }
};

// Of a convolution without padding.
template <class T>
class WeightGradient {
 public:
  // dy (N, K, P, Q), x (N, C, H, W)
  WeightGradient(const Conv2d& p, const T* dy, const T* x)
      : p_(p),
        dy_(dy),
        x_(x),
        CG_(p.C / p.G),
        KG_(p.K / p.G),
        taps_(CG_ * p.R * p.S),
        pieces_(p.N, p.P, p.Q, positions, p.P),
        cut_(p.G, KG_, taps_),
        tasks_(p.G * cut_.panels * cut_.blocks),
        parts_(p.N, pieces_.images, tasks_, p.K * taps_ * std::int64_t{sizeof(T)}),
        step_(min_of(cut_.panel / width<T>, panel_vectors)),
        several_(pieces_.images > 1),
        whole_(pieces_.images >= p.N && pieces_.rows >= p.P),
        tap_(taps_),
        position_(pieces_.positions),
        nothing_ahead_(pieces_.positions, 0, 0),
        inputs_ahead_(pieces_.positions, several_ ? 2 * max_rows * p.H * p.W : pieces_.rows * p.stride_h * p.W,
                      several_ ? p.C * p.H * p.W : p.H * p.W),
        dy_ahead_(pieces_.positions, several_ ? cut_.panel * p.P * p.Q : pieces_.rows * p.Q,
                  several_ ? p.K * p.P * p.Q : p.P * p.Q) {
    for (std::int64_t t = 0; t < taps_; ++t) tap_.get()[t] = tap_offset(p, t, p.H * p.W, p.W);
    for (std::int64_t t = 0; t < pieces_.positions; ++t)
      position_.get()[t] =
          t / (pieces_.rows * p.Q) * p.C * p.H * p.W + t / p.Q % pieces_.rows * p.stride_h * p.W + t % p.Q * p.stride_w;
  }

  // dw (K, C/G, R, S)
  void compute(T* dw) const {
    const std::int64_t dw_size = p_.K * taps_;
    const std::int64_t sums_size = cut_.block_taps * cut_.panel, dy_size = (pieces_.positions + width<T>)*cut_.panel;
    const std::int64_t buffer_size = round_up(sums_size + dy_size, Lanes<T>::count);
    Scratch<T> buffers(max_threads() * buffer_size), partial(parts_.count > 1 ? parts_.count * dw_size : 0);
    Held held;
    const std::int64_t cost = p_.N * p_.P * p_.Q * dw_size / (16 * parts_.count * tasks_);
    parallel_for(parts_.count * tasks_, cost, [&](std::int64_t index, int thread) {
      T* sums = buffers.get() + thread * buffer_size;  // (tap, filter)
      T* turned = sums + sums_size;                    // (position, filter)
      const Task task(*this, index);
      for (std::int64_t n = task.n_begin; n < task.n_end; n += pieces_.images)
        for (std::int64_t row = 0; row < p_.P; row += pieces_.rows) {
          const Piece piece(*this, task, n, row);
          const T* inputs = x_ + (n * p_.C + task.group * CG_) * p_.H * p_.W + row * p_.stride_h * p_.W;
          // Tasks that differ in their taps only share what is transposed.
          const std::int64_t first_filter = task.group * p_.K + task.filter;
          if (held.changes(thread, (n * p_.P + row) * p_.G * p_.K + first_filter)) turn(task, piece, turned);
          multiply(task, piece, inputs, turned, n == task.n_begin && row == 0, sums);
        }
      T* to = parts_.count > 1 ? partial.get() + task.part * dw_size : dw;
      store_transposed<T>(sums, cut_.panel, task.taps, task.filters, nullptr,
                          to + (task.group * KG_ + task.filter) * taps_ + task.tap, taps_);
    });
    if (parts_.count > 1) add_partial_sums(parts_.count, dw_size, partial.get(), dw);
  }

 private:
  static constexpr std::int64_t positions = 400;  // of a piece: their share of dy, transposed, takes 100 KiB of L2

  // Sums of `filters` x `taps` over some images.
  struct Task {
    std::int64_t part, group, filter, filters, tap, taps, n_begin, n_end;

    // All panels of some taps come together: the last panel may be narrow, and so threads get equal shares of it.  Or
    // all taps of a panel, which then share what is transposed, if that is but one piece.
    Task(const WeightGradient& a, std::int64_t index)
        : part(index / a.tasks_),
          group(index / (a.cut_.panels * a.cut_.blocks) % a.p_.G),
          filter((a.whole_ ? index / a.cut_.blocks : index) % a.cut_.panels * a.cut_.panel),
          filters(min_of(a.cut_.panel, a.KG_ - filter)),
          tap((a.whole_ ? index : index / a.cut_.panels) % a.cut_.blocks * a.cut_.block_taps),
          taps(min_of(a.cut_.block_taps, a.taps_ - tap)),
          n_begin(part * a.parts_.size),
          n_end(min_of(a.p_.N, n_begin + a.parts_.size)) {}
  };
  // Rows of an image, or several images.
  struct Piece {
    std::int64_t n, images, row, rows, positions;  // positions: of one image
    bool last;                                     // of its images
    const T* dy;

    Piece(const WeightGradient& a, const Task& task, std::int64_t n, std::int64_t row)
        : n(n),
          images(min_of(a.pieces_.images, task.n_end - n)),
          row(row),
          rows(min_of(a.pieces_.rows, a.p_.P - row)),
          positions(rows * a.p_.Q),
          last(row + rows == a.p_.P),
          dy(a.dy_ + ((n * a.p_.K + task.group * a.KG_ + task.filter) * a.p_.P + row) * a.p_.Q) {}
  };
  // How far the next piece's dy and inputs are.
  std::int64_t to_next_dy(const Piece& piece) const {
    return piece.last ? (piece.images * p_.K * p_.P - piece.row) * p_.Q : piece.positions;
  }
  std::int64_t to_next_inputs(const Piece& piece) const {
    return (piece.last ? piece.images * p_.C * p_.H - piece.row * p_.stride_h : piece.rows * p_.stride_h) * p_.W;
  }
  RowBlocks tap_blocks(const Task& task) const { return RowBlocks(task.taps, step_); }

  // dy to turned (position, filter)
  void turn(const Task& task, const Piece& piece, T* turned) const {
    // The filters whose next dy there will be no time to fetch while this one is multiplied.
    const std::int64_t too_many = several_ ? task.filters : tap_blocks(task).blocks * dy_ahead_.rows;
    const std::int64_t plane = p_.P * p_.Q, next = to_next_dy(piece);
    for (std::int64_t m = 0; m < piece.images; ++m)
      for (std::int64_t k = 0; k < task.filters; k += width<T>) {
        const Stack<T> stack{piece.dy + (m * p_.K + k) * plane, plane, min_of(width<T>, task.filters - k),
                             dy_ + p_.N * p_.K * plane};
        for (std::int64_t f = 0; f < piece.positions; f += width<T>) {
          if (k >= too_many && f % Lanes<T>::count == 0) stack.fetch(next + f);
          stack.transpose_to(f, turned + (m * piece.positions + f) * cut_.panel + k, cut_.panel);
        }
      }
  }

  // sums (tap, filter) (+)= inputs times turned (position, filter)
  void multiply(const Task& task, const Piece& piece, const T* inputs, const T* turned, bool first, T* sums) const {
    const RowBlocks blocks = tap_blocks(task);
    const std::int64_t* tap = tap_.get() + task.tap;
    // The next blocks' inputs and the next piece's dy are fetched in turns, only dy where there are few blocks.
    const std::int64_t dy_rows = several_ ? piece.images : task.filters;
    const bool in_turns = blocks.blocks * dy_ahead_.rows >= 2 * dy_rows;
    std::int64_t fetched = 0;
    for (std::int64_t b = 0; b < blocks.blocks; ++b)
      for (std::int64_t k = 0; k < task.filters; k += step_ * width<T>) {
        const std::int64_t t = b * blocks.height, vectors = min_of(step_, ceil_div(task.filters - k, width<T>));
        ListedStep where{cut_.panel, turned, nothing_ahead_.lines()};
        if (in_turns && b % 2 == 0) {
          const bool more = b + 1 < blocks.blocks;
          where = {cut_.panel, more ? inputs + tap[t + blocks.height] : inputs + to_next_inputs(piece) + tap[0],
                   inputs_ahead_.lines()};
        } else if (fetched < dy_rows) {
          where = {cut_.panel, piece.dy + to_next_dy(piece) + fetched * (several_ ? p_.K : 1) * p_.P * p_.Q,
                   dy_ahead_.lines()};
          fetched += dy_ahead_.rows;
        }
        find_micro<T, Scattered<T>, ListedStep>(blocks.height_of(b), vectors)(
            piece.images * piece.positions, {inputs, tap + t, position_.get()}, turned + k, where, !first,
            sums + t * cut_.panel + k, cut_.panel);
      }
  }

  const Conv2d& p_;
  const T *dy_, *x_;
  const std::int64_t CG_, KG_, taps_;
  const Pieces pieces_;
  const Cut<T> cut_;
  const std::int64_t tasks_;  // of each part of the batch
  const Parts parts_;
  const std::int64_t step_;  // vectors that the micro-kernel takes at once
  const bool several_;       // images in a piece: then lines are fetched of all channels of an image together
  const bool whole_;         // one piece is all there is
  const Scratch<std::int64_t> tap_, position_;
  const Ahead<T> nothing_ahead_, inputs_ahead_, dy_ahead_;
};

// The same convolution of images that have their padding.
Conv2d without_padding(Conv2d p) {
  p.pad_top = p.pad_bottom = p.pad_left = p.pad_right = 0;
  p.H = (p.P - 1) * p.stride_h + (p.R - 1) * p.dilation_h + 1;
  p.W = (p.Q - 1) * p.stride_w + (p.S - 1) * p.dilation_w + 1;
  return p;
}
// x (N, C, H, W) to out (N, C, rows, columns), which starts with p's padding
template <class T>
void pad(const Conv2d& p, const T* x, std::int64_t rows, std::int64_t columns, T* out) {
  Scratch<std::int64_t> from(columns);
  const Columns seen = plan_columns(from.get(), columns, -p.pad_left, 1, p.W, p.padding_mode);
  parallel_for(p.N * p.C, rows * columns / 4, [&](std::int64_t plane, int) {
    copy_rows(x + plane * p.H * p.W, 1, p.H, p.W, seen, p.padding_mode, -p.pad_top, rows, out + plane * rows * columns,
              rows * columns);
  });
}

}  // namespace

// dy (N, K, P, Q), x (N, C, H, W), dw (K, C/G, R, S)
template <class T>
void panels_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw) {
  if (p.pad_top + p.pad_bottom + p.pad_left + p.pad_right == 0) return WeightGradient<T>(p, dy, x).compute(dw);
  const Conv2d q = without_padding(p);
  Scratch<T> padded(q.N * q.C * q.H * q.W);
  pad(p, x, q.H, q.W, padded.get());
  WeightGradient<T>(q, dy, padded.get()).compute(dw);
}
INSTANTIATE(panels_backward_weight)

}  // namespace convolith::CONVOLITH_ISA
