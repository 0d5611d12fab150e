// 1x1 convolution without padding, a matrix product per image: y (K, P Q) = w (K, C) x (C, P Q), and the input gradient
// with the transposed filter.  Positions are numbered across images, so that small images share vectors.
//
// A chunk of positions is packed once, C x 192 of them, and met by all filters: K FMAs for each element that is moved.
// The first filters pack it while they are multiplied, which hides the stores.  With few channels the bound is memory:
// 16 to 96 channels at 112 x 112 is 27 FLOPs per byte moved.
//
// A stride takes a pass of its own, between the image and one of what it leaves.
#include "conv2d_pointwise.hpp"

#include "conv2d_direct.hpp"
#include "epilogue.hpp"
#include "gemm.hpp"
#include "kernels.hpp"
#include "pack.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// Consecutive positions of one image, and where they are.
struct Run {
  std::int64_t image, inside, length, before;  // position within the image; positions of its panel before this run
};

// y (N, rows, plane) = w (rows, taps) x + bias, where x is (N, taps, plane)
template <class T>
class Product {
 public:
  Product(std::int64_t N, std::int64_t plane, std::int64_t rows, std::int64_t taps, Matrix<T> w, const T* x,
          const T* bias, const Epilogue<T>& epilogue, T* y)
      : plane_(plane),
        rows_(rows),
        taps_(taps),
        positions_(N * plane),
        blocks_(rows),
        panel_(blocks_.vectors() * width<T>),
        vectors_(ceil_div(positions_, width<T>)),
        chunks_(even(ceil_div(positions_, panels * panel_))),
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
    parallel_for(chunks_ * shares, vectors_ / chunks_ * rows_ * taps_ / shares, [&](std::int64_t task, int thread) {
      T* packed = buffers.get() + thread * buffer_size;  // (panel, tap, position)
      T* tile = packed + packed_size;                    // (row, position)
      const std::int64_t index = task / shares, share = task % shares;
      const Chunk chunk(*this, index);
      bool pack = packed_chunk.changes(thread, index);
      const std::int64_t last = blocks_.blocks * (share + 1) / shares;
      for (std::int64_t b = blocks_.blocks * share / shares; b < last; ++b, pack = false)
        multiply(chunk, b, pack, packed, tile);
    });
  }

 private:
  static constexpr std::int64_t panels = 4;

  // The positions of a chunk, in panels that are equal but for a vector, and in runs that do not reach across those,
  // nor across images.
  struct Chunk {
    std::int64_t begin, end;
    std::int64_t count;            // of panels
    std::int64_t vectors[panels];  // of each panel
    std::int64_t first_run[panels + 1];
    Run runs[panels * max_vectors * width<T>];

    Chunk(const Product& a, std::int64_t index) : begin(a.begin_of(index)), end(a.begin_of(index + 1)) {
      const std::int64_t all = ceil_div(end - begin, width<T>);
      count = ceil_div(end - begin, a.panel_);
      std::int64_t n = 0;
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t before = all * i / count;
        const std::int64_t first = begin + before * width<T>;
        vectors[i] = all * (i + 1) / count - before;
        const std::int64_t last = min_of(first + vectors[i] * width<T>, end);
        first_run[i] = n;
        for (std::int64_t at = first; at < last; at += runs[n++].length)
          runs[n] = {at / a.plane_, at % a.plane_, min_of(last - at, a.plane_ - at % a.plane_), at - first};
      }
      first_run[count] = n;
    }
  };
  // Chunks are equal but for a vector, and an even number where there are several: so two threads share none.
  static std::int64_t even(std::int64_t chunks) { return chunks > 1 ? round_up(chunks, 2) : chunks; }
  std::int64_t begin_of(std::int64_t chunk) const { return min_of(vectors_ * chunk / chunks_ * width<T>, positions_); }
  CONVOLITH_INLINE const T* source_of(std::int64_t image, std::int64_t inside) const {
    return x_ + image * taps_ * plane_ + inside;
  }
  CONVOLITH_INLINE std::int64_t index_of(const Run& run, std::int64_t k) const {
    return (run.image * rows_ + k) * plane_ + run.inside;
  }

  // A block of rows with the chunk, which the first packs; packed (panel, tap, position), tile (row, position)
  void multiply(const Chunk& c, std::int64_t b, bool pack, T* packed, T* tile) const {
    const std::int64_t height = blocks_.height_of(b), k0 = b * blocks_.height;
    const Biased<T> w{left_.block(b), bias_ ? bias_ + k0 : nullptr};
    for (std::int64_t i = 0; i < c.count; ++i, packed += taps_ * panel_) {
      const std::int64_t vectors = c.vectors[i];
      const Run *first = c.runs + c.first_run[i], *last = c.runs + c.first_run[i + 1];
      // What will be stored to is on its way while it is computed.
      for (const Run* run = first; run < last; ++run) {
        const T* row = y_ + index_of(*run, k0);
        for (std::int64_t k = 0; k < height; ++k, row += plane_)
          for (std::int64_t j = 0; j < run->length; j += Lanes<T>::count) fetch(row + j);
      }

      // So is the next chunk: a line of positions with each call.
      const std::int64_t ahead = c.end + (b * c.count + i) * Lanes<T>::count;
      Step step{panel_, packed, 0};
      if (ahead < min_of(2 * c.end - c.begin, positions_))
        step = {panel_, source_of(ahead / plane_, ahead % plane_), plane_ * std::int64_t{sizeof(T)}};

      const bool whole = first->length == vectors * width<T>;  // one run: read where it is, stored where it belongs
      T* to = whole ? y_ + index_of(*first, k0) : tile;
      const std::int64_t pitch = whole ? plane_ : panel_;
      if (pack && whole) {
        const PackingStep<T> packing{{plane_, step.next, step.next_pitch}, packed, panel_};
        find_micro<T, Biased<T>, PackingStep<T>>(height, vectors)(taps_, w, source_of(first->image, first->inside),
                                                                  packing, false, to, pitch);
      } else {
        if (pack) pack_runs(first, last, packed);
        find_micro<T, Biased<T>, Step>(height, vectors)(taps_, w, packed, step, false, to, pitch);
      }

      if (whole && epilogue_.is_identity()) continue;
      for (const Run* run = first; run < last; ++run)
        for (std::int64_t k = 0; k < height; ++k) {
          const std::int64_t at = index_of(*run, k0 + k);
          if (!whole) copy_vectors(tile + k * panel_ + run->before, run->length, y_ + at);
          epilogue_.finish(y_, at, run->length);
        }
    }
  }
  // packed (tap, position)
  void pack_runs(const Run* run, const Run* last, T* packed) const {
    for (; run < last; ++run) {
      const T* from = source_of(run->image, run->inside);
      for (std::int64_t t = 0; t < taps_; ++t)
        copy_vectors(from + t * plane_, run->length, packed + t * panel_ + run->before);
    }
  }

  const std::int64_t plane_, rows_, taps_, positions_;
  const RowBlocks blocks_;
  const std::int64_t panel_, vectors_, chunks_;  // positions of a panel; vectors of all positions
  const LeftOperand<T> left_;
  const T *x_, *bias_;
  const Epilogue<T> epilogue_;
  T* y_;
};

bool is_strided(const Conv2d& p) {
  return p.stride_h != 1 || p.stride_w != 1;
}
// The same convolution of what its stride leaves of the images.
Conv2d without_stride(Conv2d p) {
  p.H = p.P, p.W = p.Q;
  p.stride_h = p.stride_w = 1;
  return p;
}
// x (N, C, H, W) at every stride-th row and column, to left (N, C, P, Q)
template <class T>
void take_strided(const Conv2d& p, const T* x, T* left) {
  parallel_for(p.N * p.C, p.P * p.Q, [&](std::int64_t plane, int) {
    for (std::int64_t i = 0; i < p.P; ++i) {
      const T* row = x + (plane * p.H + i * p.stride_h) * p.W;
      for (std::int64_t j = 0; j < p.W; j += Lanes<T>::count) fetch(row + p.H * p.W + j);  // of the next plane
      copy_every(p.stride_w, row, p.Q, left + (plane * p.P + i) * p.Q);
    }
  });
}
// The reverse, with zeros between.
template <class T>
void put_strided(const Conv2d& p, const T* left, T* x) {
  parallel_for(p.N * p.C, p.H * p.W / 8, [&](std::int64_t plane, int) {
    for (std::int64_t h = 0; h < p.H; ++h) {
      T* row = x + (plane * p.H + h) * p.W;
      fill_zero(row, p.W);
      if (h % p.stride_h != 0 || h / p.stride_h >= p.P) continue;
      const T* from = left + (plane * p.P + h / p.stride_h) * p.Q;
      for (std::int64_t j = 0; j < p.Q; ++j) row[j * p.stride_w] = from[j];
    }
  });
}

}  // namespace

// x (N, C, H, W), w (K, C, 1, 1), bias (K) or null, residual and y (N, K, P, Q)
template <class T>
void pointwise_forward(const Conv2d& p, const T* x, const T* w, const T* bias, const T* residual, T* y) {
  Scratch<T> left(is_strided(p) ? p.N * p.C * p.P * p.Q : 0);
  if (is_strided(p)) take_strided(p, x, left.get());
  const T* inputs = is_strided(p) ? left.get() : x;
  Product<T>(p.N, p.P * p.Q, p.K, p.C, {w, p.C, 1}, inputs, bias, {residual, p.activation}, y).compute();
}
INSTANTIATE(pointwise_forward)

// dy (N, K, P, Q), w (K, C, 1, 1), dx (N, C, H, W)
template <class T>
void pointwise_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  Scratch<T> left(is_strided(p) ? p.N * p.C * p.P * p.Q : 0);
  T* outputs = is_strided(p) ? left.get() : dx;
  Product<T>(p.N, p.P * p.Q, p.C, p.K, {w, 1, p.C}, dy, nullptr, {nullptr, Activation::identity}, outputs).compute();
  if (is_strided(p)) put_strided(p, left.get(), dx);
}
INSTANTIATE(pointwise_backward_input)

// dy (N, K, P, Q), x (N, C, H, W), dw (K, C, 1, 1)
template <class T>
void pointwise_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw) {
  // x is read once per 64 filters: from the fourth time on it pays to have left out what the stride leaves out.
  if (!is_strided(p) || p.K < 256) return panels_backward_weight(p, dy, x, dw);
  Scratch<T> left(p.N * p.C * p.P * p.Q);
  take_strided(p, x, left.get());
  panels_backward_weight(without_stride(p), dy, left.get(), dw);
}
INSTANTIATE(pointwise_backward_weight)

}  // namespace convolith::CONVOLITH_ISA
