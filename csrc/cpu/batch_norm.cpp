// Batch normalisation of x (N, C, L) over N and L, and what may follow it: y = act(norm(x) + residual).
//
// Two passes: statistics, then the result.  The N * L values of a channel are cut into blocks of some thousand, whose
// statistics are merged in block order: the same bits for any thread count and in whichever order blocks are walked.
// A channel is done from end to end before the next one, so that the second pass finds in cache what the first has
// read. In large arrays that is some KiB at a time, from all over memory: each block fetches the next.
//
// Moved, in arrays of x's size, where a channel stays in L2: forward reads x (and residual) and writes y; backward
// reads dy and x (and y) and writes dx (and dresidual).  Where it does not, the second pass reads x (and dy) again.
#include "kernels.hpp"
#include "moments.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

constexpr std::int64_t block_size = 4096;

// What is walked together: one channel, or where L == 1 as many as there are lanes, side by side.  It is cut into
// `count` blocks: several images where rows are short, else pieces of one row.
struct Blocks {
  std::int64_t lanes, groups, images, pieces, count;
  std::int64_t next;  // elements from one block to the next

  template <class T>
  static CONVOLITH_INLINE Blocks of(const BatchNorm& p, T) {
    const std::int64_t images = p.L == 1 ? block_size / 16 : max_of<std::int64_t>(1, block_size / p.L);
    return of(p, images, T{});
  }
  template <class T>
  static CONVOLITH_INLINE Blocks of(const BatchNorm& p, std::int64_t images, T) {
    Blocks b;
    b.lanes = p.L == 1 ? Lanes<T>::count : 1;
    b.groups = ceil_div(p.C, b.lanes);
    b.images = images;
    b.pieces = ceil_div(p.L, block_size);
    b.count = ceil_div(p.N, b.images) * b.pieces;
    b.next = b.pieces > 1 ? block_size : b.images * p.C * p.L;
    return b;
  }
};

// Block b of group g: channels from `channel` on; images [first, last), of each `length` elements from `at` on.
struct Block {
  std::int64_t channel, first, last, at, length, lanes;

  CONVOLITH_INLINE Block(const BatchNorm& p, const Blocks& blocks, std::int64_t g, std::int64_t b)
      : channel(g * blocks.lanes),
        first(b / blocks.pieces * blocks.images),
        last(min_of(p.N, first + blocks.images)),
        at(b % blocks.pieces * block_size),
        length(blocks.lanes > 1 ? min_of(blocks.lanes, p.C - channel) : min_of(block_size, p.L - at)),
        lanes(blocks.lanes) {}

  // Values of each channel.
  CONVOLITH_INLINE std::int64_t size() const { return (last - first) * (lanes > 1 ? 1 : length); }
  // A sixteenth of it, or a little more.
  CONVOLITH_INLINE Block head() const {
    Block h = *this;
    if (last - first > 1)
      h.last = first + ceil_div(last - first, 16);
    else if (lanes == 1)
      h.length = ceil_div(length, 16);
    return h;
  }
};

// Calls f(begin, end) for the elements of each image in a block.
template <class F>
CONVOLITH_INLINE void for_images(const BatchNorm& p, const Block& block, const F& f) {
  for (std::int64_t image = block.first; image < block.last; ++image) {
    const std::int64_t begin = (image * p.C + block.channel) * p.L + block.at;
    f(begin, begin + block.length);
  }
}
// Calls f(i, n) for all n lanes at i of a block.
template <class T, class F>
CONVOLITH_INLINE void walk(const BatchNorm& p, const Block& block, const F& f) {
  for_images(p, block, [&](std::int64_t begin, std::int64_t end) CONVOLITH_INLINED { for_lanes<T>(begin, end, f); });
}

// v (C): the value of a block's channel in all lanes, or where lanes are channels each its own.
template <class T>
CONVOLITH_INLINE Lanes<T> of_channel(const Block& block, const T* v) {
  return block.lanes == 1 ? Lanes<T>(v[block.channel]) : Lanes<T>::load(v + block.channel, block.length);
}
// The sum over lanes in all of them, or where lanes are channels each its own.
template <class T>
CONVOLITH_INLINE Lanes<T> of_channel(const Block& block, Lanes<T> v) {
  return block.lanes == 1 ? Lanes<T>(sum(v)) : v;
}
// to (channels of the block) = v
template <class T>
CONVOLITH_INLINE void keep(const Block& block, Lanes<T> v, T* to) {
  v.store(to + block.channel, block.lanes == 1 ? 1 : block.length);
}

// run(g, b) for all blocks, in the order of memory.
template <class Run>
CONVOLITH_INLINE void for_blocks(const BatchNorm& p, const Blocks& blocks, const Run& run) {
  const std::int64_t size = min_of(p.N, blocks.images) * min_of(p.L, block_size) * blocks.lanes;
  const std::int64_t grain = max_of<std::int64_t>(1, elementwise_grain / max_of<std::int64_t>(1, size));
  parallel_ranges(blocks.count * blocks.groups, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) run(task % blocks.groups, task / blocks.groups);
  });
}

// first(g, b) for all blocks, between(g) for all groups, second(g, b) for all blocks: group by group where there are
// enough of them to share out, else pass by pass.
template <class First, class Between, class Second>
CONVOLITH_INLINE void two_passes(const BatchNorm& p, const Blocks& blocks, const First& first, const Between& between,
                                 const Second& second) {
  constexpr std::int64_t enough = 16;
  if (blocks.groups < enough) {
    for_blocks(p, blocks, first);
    for (std::int64_t g = 0; g < blocks.groups; ++g) between(g);
    for_blocks(p, blocks, second);
    return;
  }
  const std::int64_t size = p.N * p.L * blocks.lanes;
  const std::int64_t grain = max_of<std::int64_t>(1, elementwise_grain / max_of<std::int64_t>(1, size));
  parallel_ranges(blocks.groups, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t g = begin; g < end; ++g) {
      for (std::int64_t b = 0; b < blocks.count; ++b) first(g, b);
      between(g);
      for (std::int64_t b = blocks.count; b-- > 0;) second(g, b);  // from the end, which was read last
    }
  });
}

// Whether arrays are so large that their blocks come from the last-level cache, or from behind it.
template <class T>
bool far(const BatchNorm& p) {
  return p.N * p.C * p.L * static_cast<std::int64_t>(sizeof(T)) > last_level_cache() / 8;
}

// The normalised value, scaled and shifted.  Backward finds where relu was at work by it: the same bits as in forward.
template <class T>
struct Affine {
  Lanes<T> mean, scale, shift;

  CONVOLITH_INLINE Affine(const Block& block, const T* mean, const T* invstd, const T* weight, const T* bias)
      : mean(of_channel(block, mean)), scale(of_channel(block, invstd)), shift(T(0)) {
    if (weight) scale = scale * of_channel(block, weight);
    if (bias) shift = of_channel(block, bias);
  }
  CONVOLITH_INLINE Lanes<T> of(Lanes<T> centered) const { return fma(centered, scale, shift); }
};

// Of one block of x (N, C, L), in one pass: the mean of its head as a pivot, and the sums of x - pivot, the rest, and
// of its square, all (C).  About the mean that is squares - rest^2 / n (Chan, Golub & LeVeque 1983, eq. 1.7), where at
// most a factor of 16 cancels: with d between the means of head and block, n d^2 goes and at least (n / 16) d^2 stays.
// 4 FLOPs an element.
template <bool fetches, class T>
void moments(const BatchNorm& p, const Block& block, std::int64_t next, const T* x, T* pivot, T* rest, T* squares) {
  Lanes<T> total(T(0)), first(T(0)), second(T(0));
  const Block head = block.head();
  walk<T>(p, head, [&](std::int64_t i, auto n) CONVOLITH_INLINED { total += Lanes<T>::load(x + i, n); });
  const Lanes<T> middle = of_channel(block, total) * Lanes<T>(T(1) / static_cast<T>(head.size()));
  const T fill = sum(total) * (T(1) / static_cast<T>(head.size()));
  walk<T>(p, block, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
    if (fetches) fetch(x + i + next);
    const Lanes<T> d = Lanes<T>::load(x + i, n, fill) - middle;
    first += d;
    second = fma(d, d, second);
  });
  keep(block, middle, pivot);
  keep(block, of_channel(block, first), rest);
  keep(block, of_channel(block, second), squares);
}

// Of channel c in group g: sums (count, 3, C) as `moments` left them, joined in block order.
template <class T>
CONVOLITH_INLINE Statistics join(const BatchNorm& p, const Blocks& blocks, const T* sums, std::int64_t g,
                                 std::int64_t c) {
  Statistics all;
  for (std::int64_t b = 0; b < blocks.count; ++b, sums += 3 * p.C)
    all.join(static_cast<double>(Block(p, blocks, g, b).size()), sums[c], sums[p.C + c], sums[2 * p.C + c]);
  return all;
}

}  // namespace

// x, residual (or null), y (N, C, L); weight, bias (C) or null; running_mean, running_var (C), null or updated in
// training; mean, invstd (C): what was used.  y may be x or residual.
template <class T>
void batch_norm_forward(const BatchNorm& p, const T* x, const Parameter<T>* weight, const Parameter<T>* bias,
                        const T* residual, Parameter<T>* running_mean, Parameter<T>* running_var, T* y,
                        Parameter<T>* mean, Parameter<T>* invstd) {
  const Blocks blocks = Blocks::of(p, T{});
  const bool rectified = p.activation == Activation::relu;
  const Output<T> out(y, p.N * p.C * p.L, blocks.lanes == 1);
  const auto apply = [&](const Block& block) {
    const Affine<T> affine(block, mean, invstd, weight, bias);
    for_images(p, block, [&](std::int64_t begin, std::int64_t end) CONVOLITH_INLINED {
      out.fill(begin, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
        Lanes<T> v = affine.of(Lanes<T>::load(x + i, n) - affine.mean);
        if (residual) v += Lanes<T>::load(residual + i, n);
        return rectified ? relu(v) : v;
      });
    });
  };
  if (!p.training) {
    for (std::int64_t c = 0; c < p.C; ++c) {
      mean[c] = running_mean[c];
      invstd[c] = static_cast<T>(1 / __builtin_sqrt(running_var[c] + p.eps));
    }
    Blocks rows = blocks;  // in the order of memory, unless they are so short that blocks of them do better
    if (p.L >= Lanes<T>::count) rows = Blocks::of(p, 1, T{});
    for_blocks(p, rows, [&](std::int64_t g, std::int64_t b) { apply(Block(p, rows, g, b)); });
    return;
  }
  const Scratch<T> sums(blocks.count * 3 * p.C);
  const auto statistics = far<T>(p) ? moments<true, T> : moments<false, T>;
  const double m = static_cast<double>(p.N * p.L), fresh = p.momentum;
  two_passes(
      p, blocks,
      [&](std::int64_t g, std::int64_t b) {
        T* to = sums.get() + b * 3 * p.C;
        statistics(p, Block(p, blocks, g, b), blocks.next, x, to, to + p.C, to + 2 * p.C);
      },
      [&](std::int64_t g) {
        for (std::int64_t c = g * blocks.lanes; c < min_of(p.C, (g + 1) * blocks.lanes); ++c) {
          const Statistics all = join(p, blocks, sums.get(), g, c);
          const double variance = p.N > 0 ? all.squares / m : 0;
          mean[c] = static_cast<T>(all.mean);
          invstd[c] = static_cast<T>(1 / __builtin_sqrt(variance + p.eps));
          if (p.N == 0) continue;
          if (running_mean) running_mean[c] = static_cast<T>((1 - fresh) * running_mean[c] + fresh * all.mean);
          if (running_var)
            running_var[c] = static_cast<T>((1 - fresh) * running_var[c] + fresh * (all.squares / (m - 1)));
        }
      },
      [&](std::int64_t g, std::int64_t b) { apply(Block(p, blocks, g, b)); });
}
INSTANTIATE(batch_norm_forward)

namespace {

// What tells where relu was at work.
enum class Gate { open, from_x, from_y };

template <Gate gate, bool fetches, class T>
void backward(const BatchNorm& p, const T* dy, const T* x, const T* weight, const T* bias, const T* y, const T* mean,
              const T* invstd, T* dx, T* dweight, T* dbias, T* dresidual) {
  const Blocks blocks = Blocks::of(p, T{});
  const Output<T> out(dx, p.N * p.C * p.L, blocks.lanes == 1);
  const Lanes<T> zero(T(0));
  const Scratch<T> sums(blocks.count * 2 * p.C),
      coefficients(2 * p.C);  // training: dx = g scale + ((x - mean) k0 + k1)
  T *k0 = coefficients.get(), *k1 = k0 + p.C;
  const double m = static_cast<double>(p.N * p.L);
  two_passes(
      p, blocks,
      [&](std::int64_t group, std::int64_t b) {
        const Block block(p, blocks, group, b);
        const Affine<T> affine(block, mean, invstd, weight, bias);
        Lanes<T> total(zero), product(zero);
        walk<T>(p, block, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
          if (fetches) {
            fetch(x + i + blocks.next);
            fetch(dy + i + blocks.next);
            if (gate == Gate::from_y) fetch(y + i + blocks.next);
          }
          const Lanes<T> d = Lanes<T>::load(x + i, n) - affine.mean;
          Lanes<T> g = Lanes<T>::load(dy + i, n);
          if constexpr (gate == Gate::from_x) g = where(less_equal(affine.of(d), zero), zero, g);
          if constexpr (gate == Gate::from_y) {
            g = where(less_equal(Lanes<T>::load(y + i, n), zero), zero, g);
            g.store(dresidual + i, n);
          }
          total += g;
          product = fma(g, d, product);
        });
        T* to = sums.get() + b * 2 * p.C;
        keep(block, of_channel(block, total), to);
        keep(block, of_channel(block, product), to + p.C);
      },
      [&](std::int64_t group) {
        for (std::int64_t c = group * blocks.lanes; c < min_of(p.C, (group + 1) * blocks.lanes); ++c) {
          double total = 0, product = 0;
          for (const T* from = sums.get() + c; from < sums.get() + blocks.count * 2 * p.C; from += 2 * p.C) {
            total += from[0];
            product += from[p.C];
          }
          const double inverse = invstd[c], scale = weight ? weight[c] * inverse : inverse;
          dbias[c] = static_cast<T>(total);
          dweight[c] = static_cast<T>(product * inverse);
          k0[c] = static_cast<T>(-scale * inverse * inverse * product / m);
          k1[c] = static_cast<T>(-scale * total / m);
        }
      },
      [&](std::int64_t group, std::int64_t b) {
        const Block block(p, blocks, group, b);
        const Affine<T> affine(block, mean, invstd, weight, bias);
        const Lanes<T> slope = of_channel(block, k0), level = of_channel(block, k1);
        const T* from = gate == Gate::from_y ? dresidual : dy;
        const Mask<T> training(IntOf<T>(p.training ? -1 : 0));
        for_images(p, block, [&](std::int64_t begin, std::int64_t end) CONVOLITH_INLINED {
          out.fill(begin, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
            if (fetches) {
              fetch(x + i - blocks.next);
              fetch(from + i - blocks.next);
            }
            const Lanes<T> d = Lanes<T>::load(x + i, n) - affine.mean;
            Lanes<T> g = Lanes<T>::load(from + i, n);
            if constexpr (gate == Gate::from_x) g = where(less_equal(affine.of(d), zero), zero, g);
            return fma(g, affine.scale, where(training, fma(d, slope, level), zero));
          });
        });
      });
}

}  // namespace

// dy, x, y (or null), dx, dresidual (or null) (N, C, L); weight, bias (C) or null; mean, invstd, dweight, dbias (C).
// g = dy, but 0 where relu was at work: by y where there is one, else by x.
// dx = weight invstd (g - dbias / m - xhat dweight / m) in training, weight invstd g in evaluation; dresidual = g.
template <class T>
void batch_norm_backward(const BatchNorm& p, const T* dy, const T* x, const Parameter<T>* weight,
                         const Parameter<T>* bias, const T* y, const Parameter<T>* mean, const Parameter<T>* invstd,
                         T* dx, Parameter<T>* dweight, Parameter<T>* dbias, T* dresidual) {
  const auto run = [&](auto fetches) {
    constexpr bool f = fetches.value;
    const auto backward_of = p.activation == Activation::identity ? backward<Gate::open, f, T>
                             : y                                  ? backward<Gate::from_y, f, T>
                                                                  : backward<Gate::from_x, f, T>;
    backward_of(p, dy, x, weight, bias, y, mean, invstd, dx, dweight, dbias, dresidual);
  };
  far<T>(p) ? run(Number<true>{}) : run(Number<false>{});
}
INSTANTIATE(batch_norm_backward)

}  // namespace convolith::CONVOLITH_ISA
