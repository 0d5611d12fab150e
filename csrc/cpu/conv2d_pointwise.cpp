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
  std::int64_t image, inside, length, before;  // offset within a plane; positions of its panel before this run
};

// y (N, rows, P, Q) = w (rows, taps) x, where x (N, taps, H, W) is read at every stride-th row and column, or, if
// `scatter`, y (N, rows, H, W) is written there, x being (N, taps, P, Q).
template <class T>
class Product {
 public:
  Product(const Conv2d& p, bool scatter, std::int64_t rows, std::int64_t taps, Matrix<T> w, const T* x, const T* bias,
          const Epilogue<T>& epilogue, T* y)
      : p_(p),
        scatter_(scatter),
        whole_(p.stride_h == 1 && p.stride_w == 1),
        rows_(rows),
        taps_(taps),
        P_(whole_ ? 1 : p.P),
        Q_(whole_ ? p.P * p.Q : p.Q),
        positions_(p.N * P_ * Q_),
        x_plane_(scatter ? P_ * Q_ : p.H * p.W),
        y_plane_(scatter ? p.H * p.W : P_ * Q_),
        blocks_(rows),
        panel_(blocks_.vectors() * width<T>),
        chunks_(ceil_div(positions_, panels * panel_)),
        chunk_(ceil_div(ceil_div(positions_, width<T>), chunks_) * width<T>),
        left_(blocks_, taps, w),
        x_(x),
        bias_(bias),
        epilogue_(epilogue),
        y_(y) {}

  void compute() const {
    constexpr std::int64_t enough = 16;
    const std::int64_t shares = min_of(blocks_.blocks, ceil_div(enough, chunks_));
    const std::int64_t packed_size = taps_ * panels * panel_, buffer_size = packed_size + max_rows * panel_;
    Scratch<T> buffers(max_threads() * buffer_size);
    Held packed_chunk;
    parallel_for(chunks_ * shares, chunk_ * rows_ * taps_ / (16 * shares), [&](std::int64_t task, int thread) {
      T* packed = buffers.get() + thread * buffer_size;  // (panel, tap, position)
      T* tile = packed + packed_size;                    // (row, position)
      const std::int64_t index = task / shares, share = task % shares;
      const Chunk chunk = find_runs(index);
      if (packed_chunk.changes(thread, index)) pack(chunk, packed);
      multiply(chunk, blocks_.blocks * share / shares, blocks_.blocks * (share + 1) / shares, packed, tile);
    });
  }

 private:
  static constexpr std::int64_t panels = 4;

  // The positions of a chunk, in runs that do not reach across its panels.
  struct Chunk {
    std::int64_t begin, end;
    std::int64_t first_run[panels + 1];
    Run runs[panels * max_vectors * width<T>];
  };
  Chunk find_runs(std::int64_t index) const {
    Chunk c;
    c.begin = index * chunk_, c.end = min_of(c.begin + chunk_, positions_);
    c.first_run[0] = 0;
    std::int64_t n = 0;
    for (std::int64_t i = 0; i < panels; ++i) {
      const std::int64_t first = c.begin + i * panel_, last = min_of(first + panel_, c.end);
      for (std::int64_t at = first; at < last; ++n) {
        c.runs[n] = {at / (P_ * Q_), at % (P_ * Q_), min_of(last - at, Q_ - at % Q_), at - first};
        at += c.runs[n].length;
      }
      c.first_run[i + 1] = n;
    }
    return c;
  }
  // Where position `inside` of an image is in the plane that has the strides, and in x.
  CONVOLITH_INLINE std::int64_t strided(std::int64_t inside) const {
    return whole_ ? inside : inside / Q_ * p_.stride_h * p_.W + inside % Q_ * p_.stride_w;
  }
  CONVOLITH_INLINE const T* source_of(std::int64_t image, std::int64_t inside) const {
    return x_ + image * taps_ * x_plane_ + (scatter_ ? inside : strided(inside));
  }

  // packed (panel, tap, position)
  void pack(const Chunk& c, T* packed) const {
    for (std::int64_t i = 0; i < panels; ++i)
      for (const Run* run = c.runs + c.first_run[i]; run < c.runs + c.first_run[i + 1]; ++run) {
        const T* from = source_of(run->image, run->inside);
        T* to = packed + i * taps_ * panel_ + run->before;
        for (std::int64_t t = 0; t < taps_; ++t)
          copy_every(scatter_ ? 1 : p_.stride_w, from + t * x_plane_, run->length, to + t * panel_);
      }
  }

  // Blocks [b0, b1) of rows with the packed chunk; tile (row, position)
  void multiply(const Chunk& c, std::int64_t b0, std::int64_t b1, const T* packed, T* tile) const {
    // Meanwhile the next chunk is fetched, a line of positions with each call.
    const std::int64_t line = max_of<std::int64_t>(1, Lanes<T>::count / (scatter_ ? 1 : p_.stride_w));
    const std::int64_t calls = ceil_div(c.end - c.begin, panel_);  // for a block of rows
    std::int64_t ahead = c.end + b0 * calls * line;
    const auto next = [&](std::int64_t at) -> Step {
      if (at >= c.end + chunk_ || at >= positions_) return {panel_, packed, 0};
      return {panel_, source_of(at / (P_ * Q_), at % (P_ * Q_)), x_plane_ * std::int64_t{sizeof(T)}};
    };
    for (std::int64_t b = b0; b < b1; ++b)
      for (std::int64_t i = 0; i < calls; ++i, ahead += line) {
        const std::int64_t height = blocks_.height_of(b), k0 = b * blocks_.height;
        const std::int64_t vectors = ceil_div(min_of(panel_, c.end - c.begin - i * panel_), width<T>);
        const auto micro = find_micro<T, Biased<T>, Step>(height, vectors);
        const auto multiply_to = [&](T* to, std::int64_t pitch) {
          micro(taps_, {left_.block(b), bias_ ? bias_ + k0 : nullptr}, packed + i * taps_ * panel_, next(ahead), false,
                to, pitch);
        };
        const auto index = [&](const Run& run, std::int64_t k) {
          return (run.image * rows_ + k0 + k) * y_plane_ + (scatter_ ? strided(run.inside) : run.inside);
        };
        const Run *run = c.runs + c.first_run[i], *last = c.runs + c.first_run[i + 1];
        // What will be stored to is on its way while it is computed.
        for (const Run* r = run; r < last; ++r)
          for (std::int64_t k = 0; k < height; ++k)
            for (std::int64_t j = 0; j < r->length; j += Lanes<T>::count) fetch(y_ + index(*r, k) + j);

        if (run->length == vectors * width<T> && !scatter_) {
          multiply_to(y_ + index(*run, 0), y_plane_);
          for (std::int64_t k = 0; k < height; ++k) epilogue_.finish(y_, index(*run, k), run->length);
          continue;
        }
        multiply_to(tile, panel_);
        for (; run < last; ++run)
          for (std::int64_t k = 0; k < height; ++k) {
            const T* from = tile + k * panel_ + run->before;
            T* to = y_ + index(*run, k);
            if (scatter_) {
              for (std::int64_t j = 0; j < run->length; ++j) to[j * p_.stride_w] = from[j];
            } else {
              copy_vectors(from, run->length, to);
              epilogue_.finish(y_, to - y_, run->length);
            }
          }
      }
  }

  const Conv2d& p_;
  const bool scatter_, whole_;  // whole: no stride parts the rows of an image, they are one
  const std::int64_t rows_, taps_, P_, Q_, positions_, x_plane_, y_plane_;
  const RowBlocks blocks_;
  const std::int64_t panel_, chunks_, chunk_;  // positions of a panel; chunks, and positions of one: equal ones
  const LeftOperand<T> left_;
  const T *x_, *bias_;
  const Epilogue<T> epilogue_;
  T* y_;
};

}  // namespace

// x (N, C, H, W), w (K, C, 1, 1), bias (K) or null, residual and y (N, K, P, Q)
template <class T>
void pointwise_forward(const Conv2d& p, const T* x, const T* w, const T* bias, const T* residual, T* y) {
  Product<T>(p, false, p.K, p.C, {w, p.C, 1}, x, bias, {residual, p.activation}, y).compute();
}
INSTANTIATE(pointwise_forward)

// dy (N, K, P, Q), w (K, C, 1, 1), dx (N, C, H, W)
template <class T>
void pointwise_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  const bool scatter = p.stride_h != 1 || p.stride_w != 1;
  if (scatter)
    parallel_ranges(p.N * p.C * p.H * p.W, elementwise_grain,
                    [&](std::int64_t begin, std::int64_t end) { fill_zero(dx + begin, end - begin); });
  Product<T>(p, scatter, p.C, p.K, {w, 1, p.C}, dy, nullptr, {nullptr, Activation::identity}, dx).compute();
}
INSTANTIATE(pointwise_backward_input)

}  // namespace convolith::CONVOLITH_ISA
