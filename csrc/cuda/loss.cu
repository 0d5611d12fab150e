// Softmax cross entropy of logits x (N, L, C), channels last: N L rows of C classes, shared out as in softmax.hpp.
// Bound by memory: forward reads x and writes probs, backward reads probs and writes dx, beside labels or target.
// Blocks stride over the rows, so that a sum over all rows has few parts.
#include "softmax.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

struct Label {
  std::int64_t index;
  bool ignored, wrong;  // wrong: not a class
};

// labels (rows) or target (rows, C), the other null.  q = sharp * target + smooth / C
template <class T>
struct Target {
  const std::int64_t* labels;
  const T* target;
  std::int64_t C, ignore_index;
  float sharp, smooth;

  Target(const CrossEntropy& p, const std::int64_t* labels, const T* target)
      : labels(labels),
        target(target),
        C(p.C),
        ignore_index(p.ignore_index),
        sharp(static_cast<float>(1 - p.label_smoothing)),
        smooth(static_cast<float>(p.label_smoothing)) {}
  template <class Team>
  __device__ Label label(const Team& team) const {
    if (!labels || team.L == 0) return {-1, false, false};
    const std::int64_t label = labels[team.row];
    return {label, label == ignore_index, label < 0 || label >= C};
  }
};

// Of some rows: the sum of their losses, and how many were not ignored.
struct Part {
  float loss;
  std::int64_t count;
};
__device__ Part sum_of_block(Part part) {
  SHARED(losses, float[32]);
  SHARED(counts, std::int64_t[32]);
  return {block_sum(part.loss, losses), block_sum(part.count, counts)};
}

// x, probs (rows, C); losses (rows), or null and parts (gridDim.x)
template <class Team, class T>
__global__ void __launch_bounds__(Team::threads)
    forward_kernel(Softmax p, Target<T> q, const T* x, T* probs, T* losses, Part* parts) {
  Part part{0, 0};  // each row is in that of its team's first thread
  for (std::int64_t block = blockIdx.x; block * Team::rows < p.outer; block += gridDim.x) {
    const Team team(p, block);
    const Elements logits(team, -INFINITY, [=](std::int64_t i) { return static_cast<float>(x[i]); });
    const Label label = q.label(team);
    const float picked = label.index < 0 || label.wrong ? NAN : static_cast<float>(x[team.first + label.index]);
    const auto [max, sum] = normaliser(team, logits);
    const float log_sum = logf(sum), scale = 1 / sum;
    float loss = log_sum - (picked - max);
    if (q.target) {
      float weighted = 0, weight = 0;  // sums of target d, d = x - max, and of target
      logits.each([&](float v, std::int64_t i) {
        const auto t = static_cast<float>(q.target[i]);
        weighted += t * (v - max), weight += t;
      });
      loss = log_sum * team.reduce(Sum{}, weight) - team.reduce(Sum{}, weighted);
    }
    if (q.smooth != 0) {  // not multiplied by 0: a logit of -inf has an infinite loss
      float even = 0;
      logits.each([&](float v, std::int64_t) { even += v - max; });
      loss = q.sharp * loss + q.smooth * (log_sum - team.reduce(Sum{}, even) / static_cast<float>(q.C));
    }
    logits.each([&](float v, std::int64_t i) { probs[i] = static_cast<T>(expf(v - max) * scale); });

    if (team.part != 0 || team.L == 0) continue;
    if (label.ignored) loss = 0;
    if (losses) losses[team.row] = static_cast<T>(loss);
    part.loss += loss, part.count += !label.ignored;
  }
  if (losses) return;
  part = sum_of_block(part);
  if (threadIdx.x == 0) parts[blockIdx.x] = part;
}

// parts (n), loss (1): the sum or the mean, which over nothing is NaN; one block
template <class T>
__global__ void finish_kernel(int n, bool mean, const Part* parts, T* loss) {
  Part all{0, 0};
  for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x))
    all.loss += parts[i].loss, all.count += parts[i].count;
  all = sum_of_block(all);
  if (threadIdx.x == 0) loss[0] = static_cast<T>(mean ? all.loss / static_cast<float>(all.count) : all.loss);
}

// labels (rows), counts (gridDim.x): how many labels are not ignored
__global__ void count_kernel(std::int64_t rows, std::int64_t ignore_index, const std::int64_t* labels,
                             std::int64_t* counts) {
  std::int64_t count = 0;
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t row = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; row < rows; row += step)
    count += labels[row] != ignore_index;
  SHARED(shared, std::int64_t[32]);
  count = block_sum(count, shared);
  if (threadIdx.x == 0) counts[blockIdx.x] = count;
}

struct Class {
  float prob, target;
};
// dloss (rows), or one value and dloss_step 0, to be divided by `divisor`, or by the sum of counts (parts);
// probs, dx (rows, C); dx may be probs
template <class Team, class T>
__global__ void __launch_bounds__(Team::threads)
    backward_kernel(Softmax p, Target<T> q, int dloss_step, float divisor, int parts, const std::int64_t* counts,
                    const T* dloss, const T* probs, T* dx) {
  if (parts > 0) {
    std::int64_t count = 0;
    for (int i = static_cast<int>(threadIdx.x); i < parts; i += static_cast<int>(blockDim.x)) count += counts[i];
    SHARED(shared, std::int64_t[32]);
    divisor = fmaxf(1, static_cast<float>(block_sum(count, shared)));
  }
  const float even = q.smooth / static_cast<float>(q.C);
  for (std::int64_t block = blockIdx.x; block * Team::rows < p.outer; block += gridDim.x) {
    const Team team(p, block);
    const Label label = q.label(team);
    const std::int64_t hot = team.first + label.index;
    const Elements classes(team, Class{0, 0}, [=](std::int64_t i) {
      return Class{static_cast<float>(probs[i]), q.target ? static_cast<float>(q.target[i]) : (i == hot ? 1.0f : 0.0f)};
    });
    const float g = team.L == 0 || label.wrong ? NAN : static_cast<float>(dloss[team.row * dloss_step]) / divisor;
    float weight = 1;  // sum of q
    if (q.target) {
      weight = 0;
      classes.fold([&](Class c) { weight += c.target; });
      weight = q.sharp * team.reduce(Sum{}, weight) + q.smooth;
    }
    classes.each([&](Class c, std::int64_t i) {
      dx[i] = static_cast<T>(label.ignored ? 0 : g * (c.prob * weight - (q.sharp * c.target + even)));
    });
  }
}

}  // namespace

// x, probs (N, L, C); labels (N, L) or target (N, L, C), the other null; loss (N, L) for none, else one value.
template <class T>
void softmax_cross_entropy_forward(const CrossEntropy& p, const T* x, const std::int64_t* labels, const T* target,
                                   T* loss, T* probs) {
  const Softmax rows{p.N * p.L, p.C, 1};
  const bool none = p.reduction == Reduction::none;
  const Scratch<Part> parts(none ? 0 : grid_for(rows.outer, 1));
  unsigned n = 0;
  if (rows.outer > 0)
    for_rows(rows, [&]<class Team>(std::int64_t blocks, dim3 block) {
      n = grid_for(blocks, 1);
      launch("softmax_cross_entropy_forward", forward_kernel<Team, T>, dim3(n), block, 0, rows,
             Target<T>(p, labels, target), x, probs, none ? loss : nullptr, parts.get());
    });
  if (!none)
    launch("softmax_cross_entropy_forward: reduction", finish_kernel<T>, dim3(1), dim3(n > 32 ? 256 : 32), 0, n,
           p.reduction == Reduction::mean, parts.get(), loss);
}
INSTANTIATE(softmax_cross_entropy_forward)

// dloss (N, L) for none, else one value; probs, dx (N, L, C); labels (N, L) or target (N, L, C), the other null.
// dx = dloss (probs sum(q) - q), q being the smoothed target; dx may be probs.
template <class T>
void softmax_cross_entropy_backward(const CrossEntropy& p, const T* dloss, const T* probs, const std::int64_t* labels,
                                    const T* target, T* dx) {
  const Softmax rows{p.N * p.L, p.C, 1};
  if (rows.outer == 0) return;
  const bool mean = p.reduction == Reduction::mean;
  constexpr unsigned most_parts = 2 * 132;  // every block reads them
  const unsigned blocks_of_labels = grid_for(rows.outer, 256);
  const unsigned parts = mean && labels ? (blocks_of_labels < most_parts ? blocks_of_labels : most_parts) : 0;
  const Scratch<std::int64_t> counts(parts);
  if (parts > 0)
    launch("softmax_cross_entropy_backward: labels", count_kernel, dim3(parts), dim3(256), 0, rows.outer,
           p.ignore_index, labels, counts.get());
  for_rows(rows, [&]<class Team>(std::int64_t blocks, dim3 block) {
    launch("softmax_cross_entropy_backward", backward_kernel<Team, T>, dim3(grid_for(blocks, 1)), block, 0, rows,
           Target<T>(p, labels, target), p.reduction == Reduction::none ? 1 : 0,
           mean ? static_cast<float>(rows.outer) : 1.0f, parts, counts.get(), dloss, probs, dx);
  });
}
INSTANTIATE(softmax_cross_entropy_backward)

}  // namespace convolith::CONVOLITH_DEVICE
