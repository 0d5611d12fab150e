// Group normalisation of x (N, C, L): each of N G rows of C / G channels gets mean 0 and variance 1, and then every
// channel its scale and shift.  Instance norm is the case G = C, layer norm (N, C, 1) with G = 1: its positions are
// channels of one element.
//
// Rows are cut into blocks, whose statistics and sums are joined in block order: the same bits for any thread count.
// Bytes bound it: forward reads x and writes y, backward reads dy and x and writes dx, and the second pass over a row
// finds in cache what the first has read.
#include "kernels.hpp"
#include "moments.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

constexpr std::int64_t block_size = 4096;

struct Rows {
  std::int64_t count, channels, size, blocks;  // channels, elements and blocks of a row

  CONVOLITH_INLINE explicit Rows(const GroupNorm& p)
      : count(p.N * p.G), channels(p.C / p.G), size(channels * p.L), blocks(ceil_div(size, block_size)) {}
  CONVOLITH_INLINE std::int64_t end(std::int64_t b) const { return min_of(size, (b + 1) * block_size); }
  // Of a row: its first channel.
  CONVOLITH_INLINE std::int64_t channel(const GroupNorm& p, std::int64_t row) const { return row % p.G * channels; }
};

// Calls f(begin, end, c) for block b of a row in pieces that belong to one channel each, or where L == 1, for its
// positions are channels, as a whole: elements [begin, end) of x, the first one of channel c.
template <bool by_position, class F>
CONVOLITH_INLINE void for_segments(const GroupNorm& p, const Rows& rows, std::int64_t row, std::int64_t b, const F& f) {
  const std::int64_t base = row * rows.size, channel = rows.channel(p, row), end = rows.end(b);
  std::int64_t at = b * block_size;
  if (by_position) return f(base + at, base + end, channel + at);
  while (at < end) {
    const std::int64_t c = at / p.L, last = min_of(end, (c + 1) * p.L);
    f(base + at, base + last, channel + c);
    at = last;
  }
}

// A vector (C), or null for `otherwise` everywhere, over a segment that begins at `begin` in channel c.
template <bool by_position, class T>
class OverSegment {
 public:
  CONVOLITH_INLINE OverSegment(const T* v, T otherwise, std::int64_t begin, std::int64_t c)
      : from_(v ? v + c - begin : nullptr), value_(by_position || !v ? otherwise : v[c]) {}
  template <class N>
  CONVOLITH_INLINE Lanes<T> at(std::int64_t i, N n) const {
    return by_position && from_ ? Lanes<T>::load(from_ + i, n) : value_;
  }

 private:
  const T* from_;
  Lanes<T> value_;
};

// first(row, b) for all blocks, between(row) for all rows, second(row, b) for all blocks: row by row where there are
// enough of them to share out, else pass by pass.
template <class First, class Between, class Second>
CONVOLITH_INLINE void two_passes(const Rows& rows, const First& first, const Between& between, const Second& second) {
  constexpr std::int64_t enough = 16;
  if (rows.count < enough) {
    const auto for_blocks = [&](const auto& run) CONVOLITH_INLINED {
      const std::int64_t grain = max_of<std::int64_t>(1, elementwise_grain / min_of(rows.size, block_size));
      parallel_ranges(rows.count * rows.blocks, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t task = begin; task < end; ++task) run(task / rows.blocks, task % rows.blocks);
      });
    };
    for_blocks(first);
    for (std::int64_t row = 0; row < rows.count; ++row) between(row);
    for_blocks(second);
    return;
  }
  const std::int64_t grain = max_of<std::int64_t>(1, elementwise_grain / rows.size);
  parallel_ranges(rows.count, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::int64_t b = 0; b < rows.blocks; ++b) first(row, b);
      between(row);
      for (std::int64_t b = rows.blocks; b-- > 0;) second(row, b);  // from the end, which was read last
    }
  });
}

// x (n).  moments (3): the mean, and the sums of x - mean, which is rounding, and of its square.  The second pass finds
// the block in L1.
template <class T>
CONVOLITH_INLINE void block_moments(std::int64_t n, const T* x, T* moments) {
  Lanes<T> total(T(0)), rest(T(0)), squares(T(0));
  for_lanes<T>(0, n, [&](std::int64_t i, auto lanes) CONVOLITH_INLINED { total += Lanes<T>::load(x + i, lanes); });
  const T mean = sum(total) / static_cast<T>(n);
  for_lanes<T>(0, n, [&](std::int64_t i, auto lanes) CONVOLITH_INLINED {
    const Lanes<T> d = Lanes<T>::load(x + i, lanes, mean) - Lanes<T>(mean);
    rest += d;
    squares = fma(d, d, squares);
  });
  moments[0] = mean;
  moments[1] = sum(rest);
  moments[2] = sum(squares);
}

template <bool by_position, class T>
void forward(const GroupNorm& p, const T* x, const T* weight, const T* bias, T* y, T* mean, T* invstd) {
  const Rows rows(p);
  const Output<T> out(y, p.N * p.C * p.L);
  const Scratch<T> moments(rows.count * rows.blocks * 3);
  two_passes(
      rows,
      [&](std::int64_t row, std::int64_t b) {
        const std::int64_t begin = b * block_size;
        block_moments(rows.end(b) - begin, x + row * rows.size + begin, moments.get() + (row * rows.blocks + b) * 3);
      },
      [&](std::int64_t row) {
        Statistics all;
        const T* of = moments.get() + row * rows.blocks * 3;
        for (std::int64_t b = 0; b < rows.blocks; ++b, of += 3)
          all.join(static_cast<double>(rows.end(b) - b * block_size), of[0], of[1], of[2]);
        mean[row] = static_cast<T>(all.mean);
        invstd[row] = static_cast<T>(1 / __builtin_sqrt(all.squares / all.n + p.eps));
      },
      [&](std::int64_t row, std::int64_t b) {
        const Lanes<T> middle(mean[row]), inverse(invstd[row]);
        for_segments<by_position>(p, rows, row, b, [&](std::int64_t begin, std::int64_t end, std::int64_t c) {
          const OverSegment<by_position, T> scale(weight, 1, begin, c), shift(bias, 0, begin, c);
          out.fill(begin, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
            return fma(Lanes<T>::load(x + i, n) - middle, inverse * scale.at(i, n), shift.at(i, n));
          });
        });
      });
}

}  // namespace

// x, y (N, C, L); weight, bias (C) or null; mean, invstd (N, G).  y may be x.
template <class T>
void group_norm_forward(const GroupNorm& p, const T* x, const Parameter<T>* weight, const Parameter<T>* bias, T* y,
                        Parameter<T>* mean, Parameter<T>* invstd) {
  (p.L == 1 ? forward<true, T> : forward<false, T>)(p, x, weight, bias, y, mean, invstd);
}
INSTANTIATE(group_norm_forward)

namespace {

// What goes back through the statistics of a row of m values: dx = g invstd + ((x - mean) slope + level).
template <class T>
struct Through {
  Lanes<T> slope, level;

  // total: sum of g, product: of g (x - mean)
  CONVOLITH_INLINE Through(double total, double product, double invstd, double m)
      : slope(static_cast<T>(-invstd * invstd * invstd * product / m)), level(static_cast<T>(-invstd * total / m)) {}
};

// L > 1.  Sums of segments are joined to those of channels, and these, once weighted, to those of rows.
template <class T>
void backward_by_channel(const GroupNorm& p, const T* dy, const T* x, const T* weight, const T* mean, const T* invstd,
                         T* dx, T* dweight, T* dbias) {
  const Rows rows(p);
  const Output<T> out(dx, p.N * p.C * p.L);
  // Segment c of block b of a row is number c + b: a step goes to the next channel or to the next block.
  const std::int64_t segments = rows.channels + rows.blocks;
  const Scratch<T> segment_sums(rows.count * segments * 2), channel_sums(p.N * p.C * 2), row_sums(rows.count * 2);
  T *totals = channel_sums.get(), *products = totals + p.N * p.C;  // (N, C), of dy and of dy xhat
  const auto sums_of = [&](std::int64_t row, std::int64_t b, std::int64_t c) {
    return segment_sums.get() + (row * segments + b + c - rows.channel(p, row)) * 2;
  };
  two_passes(
      rows,
      [&](std::int64_t row, std::int64_t b) {
        const Lanes<T> middle(mean[row]);
        for_segments<false>(p, rows, row, b, [&](std::int64_t begin, std::int64_t end, std::int64_t c) {
          Lanes<T> total(T(0)), product(T(0));
          for_lanes<T>(begin, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
            const Lanes<T> g = Lanes<T>::load(dy + i, n);
            total += g;
            product = fma(g, Lanes<T>::load(x + i, n) - middle, product);
          });
          T* sums = sums_of(row, b, c);
          sums[0] = sum(total);
          sums[1] = sum(product);
        });
      },
      [&](std::int64_t row) {
        T *of_totals = totals + row * rows.channels, *of_products = products + row * rows.channels;
        for (std::int64_t c = 0; c < rows.channels; ++c) of_totals[c] = of_products[c] = 0;
        double total = 0, product = 0;
        for (std::int64_t b = 0; b < rows.blocks; ++b)
          for_segments<false>(p, rows, row, b, [&](std::int64_t, std::int64_t, std::int64_t c) {
            const T* sums = sums_of(row, b, c);
            const double scale = weight ? weight[c] : T(1);
            total += scale * sums[0];
            product += scale * sums[1];
            of_totals[c - rows.channel(p, row)] += sums[0];
            of_products[c - rows.channel(p, row)] += sums[1] * invstd[row];
          });
        row_sums.get()[row * 2] = static_cast<T>(total);
        row_sums.get()[row * 2 + 1] = static_cast<T>(product);
      },
      [&](std::int64_t row, std::int64_t b) {
        const Lanes<T> middle(mean[row]), inverse(invstd[row]);
        const T* sums = row_sums.get() + row * 2;
        const Through<T> through(sums[0], sums[1], invstd[row], static_cast<double>(rows.size));
        for_segments<false>(p, rows, row, b, [&](std::int64_t begin, std::int64_t end, std::int64_t c) {
          const Lanes<T> scale = inverse * Lanes<T>(weight ? weight[c] : T(1));
          out.fill(begin, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
            const Lanes<T> d = Lanes<T>::load(x + i, n) - middle;
            return fma(Lanes<T>::load(dy + i, n), scale, fma(d, through.slope, through.level));
          });
        });
      });
  add_partial_sums(p.N, p.C, products, dweight);
  add_partial_sums(p.N, p.C, totals, dbias);
}

// L == 1.  Some images at a time, row by row: what the gradients of weight and bias take from them are partial sums.
template <class T>
void backward_by_position(const GroupNorm& p, const T* dy, const T* x, const T* weight, const T* mean, const T* invstd,
                          T* dx, T* dweight, T* dbias) {
  const Rows rows(p);
  const Output<T> out(dx, p.N * p.C);
  const std::int64_t most = p.C > 32768 ? 8 : 64, wanted = min_of(most, ceil_div(p.N * p.C, elementwise_grain));
  const std::int64_t images = ceil_div(p.N, wanted), parts = ceil_div(p.N, images);
  const Scratch<T> partial(parts * p.C * 2);  // (2, parts, C)
  parallel_for(parts, images * p.C / 4, [&](std::int64_t part, int) {
    T *of_weight = partial.get() + part * p.C, *of_bias = of_weight + parts * p.C;
    for (std::int64_t c = 0; c < p.C; ++c) of_weight[c] = of_bias[c] = 0;
    for (std::int64_t row = part * images * p.G; row < min_of(p.N, (part + 1) * images) * p.G; ++row) {
      const Lanes<T> middle(mean[row]), inverse(invstd[row]);
      double total = 0, product = 0;
      for (std::int64_t b = 0; b < rows.blocks; ++b)
        for_segments<true>(p, rows, row, b, [&](std::int64_t begin, std::int64_t end, std::int64_t c) {
          const OverSegment<true, T> scale(weight, 1, begin, c);
          Lanes<T> sums(T(0)), products(T(0));
          for_lanes<T>(begin, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
            const Lanes<T> g = Lanes<T>::load(dy + i, n) * scale.at(i, n);
            sums += g;
            products = fma(g, Lanes<T>::load(x + i, n) - middle, products);
          });
          total += sum(sums);
          product += sum(products);
        });
      const Through<T> through(total, product, invstd[row], static_cast<double>(rows.size));
      for (std::int64_t b = rows.blocks; b-- > 0;)
        for_segments<true>(p, rows, row, b, [&](std::int64_t begin, std::int64_t end, std::int64_t c) {
          const OverSegment<true, T> scale(weight, 1, begin, c);
          T *to_weight = of_weight + c - begin, *to_bias = of_bias + c - begin;
          out.fill(begin, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
            const Lanes<T> g = Lanes<T>::load(dy + i, n), d = Lanes<T>::load(x + i, n) - middle;
            fma(g, d * inverse, Lanes<T>::load(to_weight + i, n)).store(to_weight + i, n);
            (g + Lanes<T>::load(to_bias + i, n)).store(to_bias + i, n);
            return fma(g, scale.at(i, n) * inverse, fma(d, through.slope, through.level));
          });
        });
    }
  });
  add_partial_sums(parts, p.C, partial.get(), dweight);
  add_partial_sums(parts, p.C, partial.get() + parts * p.C, dbias);
}

}  // namespace

// dy, x, dx (N, C, L); weight (C) or null; mean, invstd (N, G); dweight, dbias (C).  dx may be dy or x.
// With g = dy weight, m = C L / G: dx = invstd (g - sum g / m - xhat sum(g xhat) / m), sums over a row.
template <class T>
void group_norm_backward(const GroupNorm& p, const T* dy, const T* x, const Parameter<T>* weight,
                         const Parameter<T>* mean, const Parameter<T>* invstd, T* dx, Parameter<T>* dweight,
                         Parameter<T>* dbias) {
  if (p.N == 0) {
    for (std::int64_t c = 0; c < p.C; ++c) dweight[c] = dbias[c] = 0;
    return;
  }
  (p.L == 1 ? backward_by_position<T> : backward_by_channel<T>)(p, dy, x, weight, mean, invstd, dx, dweight, dbias);
}
INSTANTIATE(group_norm_backward)

// mean, invstd (N, C): of instances; running_mean, running_var (C): updated, or null.  The variance is found from
// invstd, to the digits that count where eps is added to it again.
template <class T>
void instance_norm_running(const GroupNorm& p, const Parameter<T>* mean, const Parameter<T>* invstd,
                           Parameter<T>* running_mean, Parameter<T>* running_var) {
  const double fresh = p.momentum, m = static_cast<double>(p.L), images = static_cast<double>(p.N);
  for (std::int64_t c = 0; c < p.C; ++c) {
    double middle = 0, variance = 0;
    for (std::int64_t i = c; i < p.N * p.C; i += p.C) {
      const double inverse = invstd[i];
      middle += mean[i];
      const double v = 1 / (inverse * inverse) - p.eps;
      variance += v < 0 ? 0 : v;
    }
    if (running_mean) running_mean[c] = static_cast<T>((1 - fresh) * running_mean[c] + fresh * middle / images);
    if (running_var)
      running_var[c] = static_cast<T>((1 - fresh) * running_var[c] + fresh * variance / images * m / (m - 1));
  }
}
INSTANTIATE(instance_norm_running)

}  // namespace convolith::CONVOLITH_ISA
