// Softmax cross entropy of logits x (N, L, C), channels last: N L rows of C classes, shared out as in softmax.hpp.
// Bound by memory: forward reads x and writes probs, backward reads probs and writes dx, beside labels or target.
// Blocks stride over the rows, so that a sum over all rows has few parts.
#include "class_weights.hpp"
#include "softmax.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

struct Label {
  std::int64_t index;
  bool ignored, wrong;  // wrong: not a class
};

// labels (rows) or target (rows, C), the other null; v (C).  q = sharp * target + smooth / C
template <class T>
struct Target {
  const std::int64_t* labels;
  const T* target;
  ClassWeights<T> v;
  float sharp, smooth;

  Target(const CrossEntropy& p, const std::int64_t* labels, const T* target, const T* weight)
      : labels(labels),
        target(target),
        v{weight, p.C, p.ignore_index},
        sharp(static_cast<float>(1 - p.label_smoothing)),
        smooth(static_cast<float>(p.label_smoothing)) {}
  template <class Team>
  __device__ Label label(const Team& team) const {
    if (!labels || team.L == 0) return {-1, false, false};
    const std::int64_t label = labels[team.row];
    return {label, label == v.ignore_index, !v.has(label)};
  }
};

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
    const float hot_weight = q.labels ? q.v.of(label.index) : 1;
    const auto [max, sum] = normaliser(team, logits);
    const float log_sum = logf(sum), scale = 1 / sum;
    float loss = hot_weight * (log_sum - (picked - max));
    if (q.target || q.smooth != 0) {
      // Sums of v t d, d = x - max, and of v t; and with t = 1, which is not multiplied by a smoothing of 0: a logit of
      // -inf has an infinite loss.
      float hot = 0, hot_sum = 0, even = 0, even_sum = 0;
      logits.each([&](float x, std::int64_t i) {
        const float v = q.v[i - team.first], t = q.target ? v * static_cast<float>(q.target[i]) : 0;
        hot += t * (x - max), hot_sum += t;
        even += v * (x - max), even_sum += v;
      });
      if (q.target) loss = log_sum * team.reduce(Sum{}, hot_sum) - team.reduce(Sum{}, hot);
      if (q.smooth != 0) {
        const float all = log_sum * team.reduce(Sum{}, even_sum) - team.reduce(Sum{}, even);
        loss = q.sharp * loss + q.smooth * (all / static_cast<float>(q.v.C));
      }
    }
    logits.each([&](float x, std::int64_t i) { probs[i] = static_cast<T>(expf(x - max) * scale); });

    if (team.part != 0 || team.L == 0) continue;
    if (label.ignored) loss = 0;
    if (losses) losses[team.row] = static_cast<T>(loss);
    part.loss += loss, part.weight += hot_weight;
  }
  if (losses) return;
  part = sum_of_block(part);
  if (threadIdx.x == 0) parts[blockIdx.x] = part;
}

struct Class {
  float prob, target;  // v q
};
// dloss (rows), or one value and dloss_step 0, to be divided by `divisor`, or by the sum of the weights of parts (n);
// probs, dx (rows, C); dx may be probs
template <class Team, class T>
__global__ void __launch_bounds__(Team::threads)
    backward_kernel(Softmax p, Target<T> q, int dloss_step, float divisor, unsigned n, const Part* parts,
                    const T* dloss, const T* probs, T* dx) {
  divisor = divisor_of(n, parts, divisor);
  const float even = q.smooth / static_cast<float>(q.v.C);
  for (std::int64_t block = blockIdx.x; block * Team::rows < p.outer; block += gridDim.x) {
    const Team team(p, block);
    const Label label = q.label(team);
    const std::int64_t hot = team.first + label.index;
    const Elements classes(team, Class{0, 0}, [=](std::int64_t i) {
      const float target = q.target ? static_cast<float>(q.target[i]) : (i == hot ? 1.0f : 0.0f);
      return Class{static_cast<float>(probs[i]), q.v[i - team.first] * (q.sharp * target + even)};
    });
    const float g = team.L == 0 || label.wrong ? NAN : static_cast<float>(dloss[team.row * dloss_step]) / divisor;
    float weight = 1;  // sum of v q
    if (q.target || q.v.weight) {
      weight = 0;
      classes.fold([&](Class c) { weight += c.target; });
      weight = team.reduce(Sum{}, weight);
    }
    classes.each(
        [&](Class c, std::int64_t i) { dx[i] = static_cast<T>(label.ignored ? 0 : g * (c.prob * weight - c.target)); });
  }
}

}  // namespace

// x, probs (N, L, C); labels (N, L) or target (N, L, C), the other null; weight (C) or null; loss (N, L) for none, else
// one value.
template <class T>
void softmax_cross_entropy_forward(const CrossEntropy& p, const T* x, const std::int64_t* labels, const T* target,
                                   const T* weight, T* loss, T* probs) {
  const Softmax rows{p.N * p.L, p.C, 1};
  const bool none = p.reduction == Reduction::none;
  const Scratch<Part> parts(none ? 0 : grid_for(rows.outer, 1));
  unsigned n = 0;
  if (rows.outer > 0)
    for_rows(rows, [&]<class Team>(std::int64_t blocks, dim3 block) {
      n = grid_for(blocks, 1);
      launch("softmax_cross_entropy_forward", forward_kernel<Team, T>, dim3(n), block, 0, rows,
             Target<T>(p, labels, target, weight), x, probs, none ? loss : nullptr, parts.get());
    });
  if (!none)
    launch("softmax_cross_entropy_forward: reduction", finish_kernel<T>, dim3(1), dim3(n > 32 ? 256 : 32), 0, n,
           p.reduction == Reduction::mean, parts.get(), loss);
}
INSTANTIATE(softmax_cross_entropy_forward)

// dloss (N, L) for none, else one value; probs, dx (N, L, C); labels (N, L) or target (N, L, C), the other null; weight
// (C) or null.  dx = dloss (probs sum(v q) - v q), q being the smoothed target, v the weights; dx may be probs.
template <class T>
void softmax_cross_entropy_backward(const CrossEntropy& p, const T* dloss, const T* probs, const std::int64_t* labels,
                                    const T* target, const T* weight, T* dx) {
  const Softmax rows{p.N * p.L, p.C, 1};
  if (rows.outer == 0) return;
  const Target<T> q(p, labels, target, weight);
  const WeightParts<T> parts("softmax_cross_entropy_backward: labels", p, q.v, labels);
  for_rows(rows, [&]<class Team>(std::int64_t blocks, dim3 block) {
    launch("softmax_cross_entropy_backward", backward_kernel<Team, T>, dim3(grid_for(blocks, 1)), block, 0, rows, q,
           p.reduction == Reduction::none ? 1 : 0,
           p.reduction == Reduction::mean ? static_cast<float>(rows.outer) : 1.0f, parts.n, parts.get(), dloss, probs,
           dx);
  });
}
INSTANTIATE(softmax_cross_entropy_backward)

}  // namespace convolith::CONVOLITH_DEVICE
