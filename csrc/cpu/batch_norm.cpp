// Batch normalisation of x (N, C, L) over N and L.
//
// The N * L values of a channel are cut into blocks of some thousand, whose statistics are computed in cache and
// merged in block order: parallel work for many channels and for few, and the same bits for any thread count.
// Forward in training reads x twice from memory and writes y; backward reads dy and x twice and writes dx.
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

constexpr std::int64_t block_size = 4096;

// A channel is cut into `count` blocks: several images where rows are short, else pieces of one row.  Where L == 1
// each lane sums a channel of its own, so there are fewer images to a block.
struct Blocks {
  std::int64_t images, pieces, count;

  CONVOLITH_INLINE explicit Blocks(const BatchNorm& p)
      : images(p.L == 1 ? block_size / 16 : max_of<std::int64_t>(1, block_size / p.L)),
        pieces(ceil_div(p.L, block_size)),
        count(ceil_div(p.N, images) * pieces) {}
};

// Block b of every channel: images [first, last), positions [at, at + length).
struct Block {
  std::int64_t first, last, at, length;

  CONVOLITH_INLINE Block(const BatchNorm& p, const Blocks& blocks, std::int64_t b)
      : first(b / blocks.pieces * blocks.images),
        last(min_of(p.N, first + blocks.images)),
        at(b % blocks.pieces * block_size),
        length(min_of(block_size, p.L - at)) {}
  CONVOLITH_INLINE std::int64_t size() const { return (last - first) * length; }
};

// Calls run(block, b, c) for block b of channel c, or where L == 1 columns(block, b, c, n) for n channels from c on,
// which then lie side by side.
template <class T, class Run, class Columns>
CONVOLITH_INLINE void for_blocks(const BatchNorm& p, const Blocks& blocks, const Run& run, const Columns& columns) {
  const std::int64_t lanes = p.L == 1 ? Lanes<T>::count : 1, groups = ceil_div(p.C, lanes);
  const std::int64_t size = min_of(p.N, blocks.images) * min_of(p.L, block_size) * lanes;
  const std::int64_t grain = max_of<std::int64_t>(1, elementwise_grain / max_of<std::int64_t>(1, size));
  parallel_ranges(blocks.count * groups, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t b = task / groups, c = task % groups * lanes;
      const Block block(p, blocks, b);
      if (p.L > 1)
        run(block, b, c);
      else if (c + lanes <= p.C)
        columns(block, b, c, Whole{});
      else
        columns(block, b, c, p.C - c);
    }
  });
}

// Calls f(i, n) for all n lanes at i of a block of channel c.
template <class T, class F>
CONVOLITH_INLINE void for_run(const BatchNorm& p, const Block& block, std::int64_t c, const F& f) {
  for (std::int64_t image = block.first; image < block.last; ++image) {
    const std::int64_t begin = (image * p.C + c) * p.L + block.at;
    for_lanes<T>(begin, begin + block.length, f);
  }
}

// y[i] = f(lanes at i, coefficients of their channel); k (count, C): `count` coefficients of each channel.
template <class T, int count, class F>
CONVOLITH_INLINE void map_channels(const BatchNorm& p, const Blocks& blocks, const T* k, T* y, const F& f) {
  for_blocks<T>(
      p, blocks,
      [&](const Block& block, std::int64_t, std::int64_t c) {
        Lanes<T> own[count];
        for (int j = 0; j < count; ++j) own[j] = Lanes<T>(k[j * p.C + c]);
        for_run<T>(p, block, c, [&](std::int64_t i, auto n) CONVOLITH_INLINED { f(i, n, own).store(y + i, n); });
      },
      [&](const Block& block, std::int64_t, std::int64_t c, auto n) {
        Lanes<T> own[count];
        for (int j = 0; j < count; ++j) own[j] = Lanes<T>::load(k + j * p.C + c, n);
        for (std::int64_t image = block.first; image < block.last; ++image)
          f(image * p.C + c, n, own).store(y + image * p.C + c, n);
      });
}

struct Moments {
  double mean, squares;  // squares: sum of (x - mean)^2
};

// Of one block, in two passes over cached values: the second is about the first one's mean and corrects it
// (Chan, Golub & LeVeque 1983, eq. 1.7), so a large mean costs no digits.  5 FLOPs an element.
CONVOLITH_INLINE Moments corrected(double pivot, double size, double sum, double squares) {
  return {pivot + sum / size, squares - sum * sum / size};
}

// x (N, C, L), moments (blocks, C)
template <class T>
void block_moments(const BatchNorm& p, const Blocks& blocks, const T* x, Moments* moments) {
  for_blocks<T>(
      p, blocks,
      [&](const Block& block, std::int64_t b, std::int64_t c) {
        const double size = static_cast<double>(block.size());
        Lanes<T> total(T(0)), rest(T(0)), squares(T(0));
        for_run<T>(p, block, c, [&](std::int64_t i, auto n) CONVOLITH_INLINED { total += Lanes<T>::load(x + i, n); });
        const T mean = static_cast<T>(sum(total) / size);
        for_run<T>(p, block, c, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
          const Lanes<T> d = Lanes<T>::load(x + i, n, mean) - Lanes<T>(mean);
          rest += d;
          squares = fma(d, d, squares);
        });
        moments[b * p.C + c] = corrected(mean, size, sum(rest), sum(squares));
      },
      [&](const Block& block, std::int64_t b, std::int64_t c, auto n) {
        const double size = static_cast<double>(block.size());
        Lanes<T> total(T(0)), rest(T(0)), squares(T(0));
        for (std::int64_t i = block.first; i < block.last; ++i) total += Lanes<T>::load(x + i * p.C + c, n);
        const Lanes<T> mean = total * Lanes<T>(static_cast<T>(1 / size));
        for (std::int64_t i = block.first; i < block.last; ++i) {
          const Lanes<T> d = Lanes<T>::load(x + i * p.C + c, n) - mean;
          rest += d;
          squares = fma(d, d, squares);
        }
        T lane[3][Lanes<T>::count];
        mean.store(lane[0]);
        rest.store(lane[1]);
        squares.store(lane[2]);
        for (std::int64_t j = 0; j < Lanes<T>::count && c + j < p.C; ++j)
          moments[b * p.C + c + j] = corrected(lane[0][j], size, lane[1][j], lane[2][j]);
      });
}

// Channel c of moments (blocks, C), joined in block order (Chan, Golub & LeVeque 1983, eq. 2.1).
CONVOLITH_INLINE Moments join(const BatchNorm& p, const Blocks& blocks, const Moments* moments, std::int64_t c) {
  Moments all{0, 0};
  double n = 0;
  for (std::int64_t b = 0; b < blocks.count; ++b) {
    const Moments& m = moments[b * p.C + c];
    const double size = static_cast<double>(Block(p, blocks, b).size()), both = n + size, delta = m.mean - all.mean;
    all = {all.mean + delta * (size / both), all.squares + m.squares + delta * delta * (n / both * size)};
    n = both;
  }
  return all;
}

struct Sums {
  double dy, dy_x;  // sum of dy, of dy (x - mean)
};

// dy, x (N, C, L), mean (C), sums (blocks, C).  4 FLOPs an element.
template <class T>
void block_sums(const BatchNorm& p, const Blocks& blocks, const T* dy, const T* x, const T* mean, Sums* sums) {
  for_blocks<T>(
      p, blocks,
      [&](const Block& block, std::int64_t b, std::int64_t c) {
        const Lanes<T> middle(mean[c]);
        Lanes<T> total(T(0)), product(T(0));
        for_run<T>(p, block, c, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
          const Lanes<T> g = Lanes<T>::load(dy + i, n);
          total += g;
          product = fma(g, Lanes<T>::load(x + i, n) - middle, product);
        });
        sums[b * p.C + c] = {sum(total), sum(product)};
      },
      [&](const Block& block, std::int64_t b, std::int64_t c, auto n) {
        const Lanes<T> middle = Lanes<T>::load(mean + c, n);
        Lanes<T> total(T(0)), product(T(0));
        for (std::int64_t i = block.first; i < block.last; ++i) {
          const Lanes<T> g = Lanes<T>::load(dy + i * p.C + c, n);
          total += g;
          product = fma(g, Lanes<T>::load(x + i * p.C + c, n) - middle, product);
        }
        T lane[2][Lanes<T>::count];
        total.store(lane[0]);
        product.store(lane[1]);
        for (std::int64_t j = 0; j < Lanes<T>::count && c + j < p.C; ++j)
          sums[b * p.C + c + j] = {lane[0][j], lane[1][j]};
      });
}

}  // namespace

// x, y (N, C, L); weight, bias (C) or null; running_mean, running_var (C), null or updated in training;
// mean, invstd (C): what was used.  y may be x.
template <class T>
void batch_norm_forward(const BatchNorm& p, const T* x, const T* weight, const T* bias, T* running_mean, T* running_var,
                        T* y, T* mean, T* invstd) {
  const Blocks blocks(p);
  const Scratch<Moments> moments(p.training ? blocks.count * p.C : 1);
  if (p.training) block_moments(p, blocks, x, moments.get());
  const Scratch<T> coefficients(3 * p.C);  // y = (x - k0) k1 + k2
  T* k = coefficients.get();
  const double m = static_cast<double>(p.N * p.L), fresh = p.momentum;
  for (std::int64_t c = 0; c < p.C; ++c) {
    double center = 0, variance = 0;
    if (!p.training) {
      center = running_mean[c];
      variance = running_var[c];
    } else if (p.N > 0) {
      const Moments all = join(p, blocks, moments.get(), c);
      center = all.mean;
      variance = all.squares / m;
      if (running_mean) running_mean[c] = static_cast<T>((1 - fresh) * running_mean[c] + fresh * center);
      if (running_var) running_var[c] = static_cast<T>((1 - fresh) * running_var[c] + fresh * (all.squares / (m - 1)));
    }
    const double inverse = 1 / __builtin_sqrt(variance + p.eps), scale = weight ? weight[c] * inverse : inverse;
    k[c] = mean[c] = static_cast<T>(center);
    k[p.C + c] = static_cast<T>(scale);
    k[2 * p.C + c] = static_cast<T>((bias ? bias[c] : 0) - (center - mean[c]) * scale);  // what rounding the mean lost
    invstd[c] = static_cast<T>(inverse);
  }
  map_channels<T, 3>(p, blocks, k, y, [&](std::int64_t i, auto n, const Lanes<T>(&own)[3]) CONVOLITH_INLINED {
    return fma(Lanes<T>::load(x + i, n) - own[0], own[1], own[2]);
  });
}
INSTANTIATE(batch_norm_forward)

// dy, x, dx (N, C, L); weight (C) or null; mean, invstd, dweight, dbias (C).
// dx = weight invstd (dy - dbias / m - xhat dweight / m) in training, weight invstd dy in evaluation.
template <class T>
void batch_norm_backward(const BatchNorm& p, const T* dy, const T* x, const T* weight, const T* mean, const T* invstd,
                         T* dx, T* dweight, T* dbias) {
  const Blocks blocks(p);
  const Scratch<Sums> sums(blocks.count * p.C);
  block_sums(p, blocks, dy, x, mean, sums.get());
  const Scratch<T> coefficients(4 * p.C);  // dx = dy k0 + ((x - k1) k2 + k3)
  T* k = coefficients.get();
  const double m = static_cast<double>(p.N * p.L);
  for (std::int64_t c = 0; c < p.C; ++c) {
    Sums all{0, 0};
    for (std::int64_t b = 0; b < blocks.count; ++b) {
      all.dy += sums.get()[b * p.C + c].dy;
      all.dy_x += sums.get()[b * p.C + c].dy_x;
    }
    const double inverse = invstd[c], scale = weight ? weight[c] * inverse : inverse;
    dbias[c] = static_cast<T>(all.dy);
    dweight[c] = static_cast<T>(all.dy_x * inverse);
    k[c] = static_cast<T>(scale);
    k[p.C + c] = mean[c];
    k[2 * p.C + c] = static_cast<T>(-scale * inverse * inverse * all.dy_x / m);
    k[3 * p.C + c] = static_cast<T>(-scale * all.dy / m);
  }
  if (p.training) {
    map_channels<T, 4>(p, blocks, k, dx, [&](std::int64_t i, auto n, const Lanes<T>(&own)[4]) CONVOLITH_INLINED {
      return fma(Lanes<T>::load(dy + i, n), own[0], fma(Lanes<T>::load(x + i, n) - own[1], own[2], own[3]));
    });
  } else {
    map_channels<T, 1>(p, blocks, k, dx, [&](std::int64_t i, auto n, const Lanes<T>(&own)[1]) CONVOLITH_INLINED {
      return Lanes<T>::load(dy + i, n) * own[0];
    });
  }
}
INSTANTIATE(batch_norm_backward)

}  // namespace convolith::CONVOLITH_ISA
