// The multi-class hinge of scores x (N, C): one read of them each way, and backward one write, which bound it.  Rows
// are shared out as in softmax.hpp.
#include "class_weights.hpp"
#include "softmax.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// labels (N), and what a row is measured by.
template <class T>
struct Margins {
  const std::int64_t* labels;
  ClassWeights<T> weights;
  std::int64_t p;
  float margin;

  Margins(const MultiMarginLoss& p, const std::int64_t* labels, const T* weight)
      : labels(labels), weights{weight, p.C, -1}, p(p.p), margin(static_cast<float>(p.margin)) {}
};

// What a team knows of its row; a label that is no class makes everything NaN.
template <class T>
struct Row {
  std::int64_t hot;   // where the label's score is
  float base, share;  // margin - x_label, and weight / C
  template <class Team>
  __device__ Row(const Team& team, const Margins<T>& m, const T* x) : hot(-1), base(NAN), share(NAN) {
    const std::int64_t label = team.L > 0 ? m.labels[team.row] : -1;
    if (!m.weights.has(label)) return;
    hot = team.first + label;
    base = m.margin - static_cast<float>(x[hot]);
    share = m.weights[label] / static_cast<float>(m.weights.C);
  }
  // What the score x at i lacks to the margin below the label's; 0 where that is NaN.
  __device__ float missing(float x, std::int64_t i) const { return i != hot && base + x > 0 ? base + x : 0; }
};

// x (N, C); losses (N), or null and parts (gridDim.x)
template <class Team, class T>
__global__ void __launch_bounds__(Team::threads)
    forward_kernel(Softmax p, Margins<T> m, const T* x, T* losses, Part* parts) {
  Part part{0, 0};  // each row is in that of its team's first thread
  for (std::int64_t block = blockIdx.x; block * Team::rows < p.outer; block += gridDim.x) {
    const Team team(p, block);
    const Row<T> row(team, m, x);
    const Elements scores(team, -INFINITY, [=](std::int64_t i) { return static_cast<float>(x[i]); });
    float total = 0;
    scores.fold_at([&](float x, std::int64_t i) {
      const float z = row.missing(x, i);
      total += m.p == 1 ? z : z * z;
    });
    const float loss = row.share * team.reduce(Sum{}, total);
    if (team.part != 0 || team.L == 0) continue;
    if (losses) losses[team.row] = static_cast<T>(loss);
    part.loss += loss, part.weight += 1;
  }
  if (losses) return;
  part = sum_of_block(part);
  if (threadIdx.x == 0) parts[blockIdx.x] = part;
}

// dloss (N), or one value and dloss_step 0, to be divided by `divisor`; x, dx (N, C), dx may be x.  What goes up at the
// other classes goes down at the label.
template <class Team, class T>
__global__ void __launch_bounds__(Team::threads)
    backward_kernel(Softmax p, Margins<T> m, int dloss_step, float divisor, const T* dloss, const T* x, T* dx) {
  for (std::int64_t block = blockIdx.x; block * Team::rows < p.outer; block += gridDim.x) {
    const Team team(p, block);
    const Row<T> row(team, m, x);
    const Elements scores(team, -INFINITY, [=](std::int64_t i) { return static_cast<float>(x[i]); });
    const float g = team.L > 0 ? row.share * static_cast<float>(dloss[team.row * dloss_step]) / divisor : 0;
    const auto slope = [&](float x, std::int64_t i) {
      const float z = row.missing(x, i);
      return g * (m.p == 1 ? static_cast<float>(z > 0) : 2 * z);
    };
    float total = 0;
    scores.each([&](float x, std::int64_t i) { total += slope(x, i); });
    total = team.reduce(Sum{}, total);
    scores.each([&](float x, std::int64_t i) { dx[i] = static_cast<T>(i == row.hot ? -total : slope(x, i)); });
  }
}

}  // namespace

// x (N, C), labels (N), weight (C) or null; loss (N) for none, else one value
template <class T>
void multi_margin_loss_forward(const MultiMarginLoss& p, const T* x, const std::int64_t* labels, const T* weight,
                               T* loss) {
  const Softmax rows{p.N, p.C, 1};
  const bool none = p.reduction == Reduction::none;
  const Scratch<Part> parts(none || p.N == 0 ? 0 : grid_for(p.N, 1));
  unsigned n = 0;
  if (p.N > 0)
    for_rows(rows, [&]<class Team>(std::int64_t blocks, dim3 block) {
      n = grid_for(blocks, 1);
      launch("multi_margin_loss_forward", forward_kernel<Team, T>, dim3(n), block, 0, rows,
             Margins<T>(p, labels, weight), x, none ? loss : nullptr, parts.get());
    });
  if (!none)
    launch("multi_margin_loss_forward: reduction", finish_kernel<T>, dim3(1), dim3(256), 0, n,
           p.reduction == Reduction::mean, parts.get(), loss);
}
INSTANTIATE(multi_margin_loss_forward)

// dloss (N) for none, else one value; x (N, C), labels (N), weight (C) or null; dx (N, C), which may be x
template <class T>
void multi_margin_loss_backward(const MultiMarginLoss& p, const T* dloss, const T* x, const std::int64_t* labels,
                                const T* weight, T* dx) {
  const Softmax rows{p.N, p.C, 1};
  if (p.N == 0) return;
  for_rows(rows, [&]<class Team>(std::int64_t blocks, dim3 block) {
    launch("multi_margin_loss_backward", backward_kernel<Team, T>, dim3(grid_for(blocks, 1)), block, 0, rows,
           Margins<T>(p, labels, weight), p.reduction == Reduction::none ? 1 : 0,
           p.reduction == Reduction::mean ? static_cast<float>(p.N) : 1.0f, dloss, x, dx);
  });
}
INSTANTIATE(multi_margin_loss_backward)

}  // namespace convolith::CONVOLITH_DEVICE
