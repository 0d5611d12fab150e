// Optimizers that scale the step of a parameter by its trust ratio, which takes two norms: a pass over memory leaves
// each block's sums of squares, one block makes the ratio of them, and a second pass takes the step.
#include "optimizer.hpp"
#include "reduce.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// Of w, and of what its step is measured by.
struct Squares {
  float w, u;
};

// f.measure(rule, grad, w, state..., squares) adds to the squares and changes the states; parts (gridDim.x).
template <class F, class T, class... State>
__global__ void measure_kernel(std::int64_t n, Rule rule, F f, Squares* parts, const T* grad, const T* param,
                               State*... state) {
  Squares sum{};
  each(n, [&](float g, float w, auto&... s) { f.measure(rule, sum, g, w, s...); }, grad, param, state...);
  SHARED(shared, float[32]);
  const float w = block_sum(sum.w, shared), u = block_sum(sum.u, shared);
  if (threadIdx.x == 0) parts[blockIdx.x] = {w, u};
}

// coefficient |w| / (|u| + decay |w|), and 1 where one norm is 0 and says nothing.  One block.
__global__ void ratio_kernel(int parts, float coefficient, float decay, const Squares* part, float* ratio) {
  Squares sum{};
  for (int i = static_cast<int>(threadIdx.x); i < parts; i += static_cast<int>(blockDim.x)) {
    sum.w += part[i].w;
    sum.u += part[i].u;
  }
  SHARED(shared, float[32]);
  const float w = sqrtf(block_sum(sum.w, shared)), u = sqrtf(block_sum(sum.u, shared));
  if (threadIdx.x == 0) *ratio = w == 0 || u == 0 ? 1 : coefficient * w / (u + decay * w);
}

template <class F, class T, class... State>
void find_ratio(const char* name, std::int64_t n, const Rule& rule, F f, float coefficient, float decay, float* ratio,
                const T* grad, const T* param, State*... state) {
  const unsigned blocks = grid_for(ceil_div(n, Pack<T>::size), update_threads);
  const Scratch<Squares> parts(blocks);
  launch(name, measure_kernel<F, T, State...>, dim3(blocks), dim3(update_threads), 0, n, rule, f, parts.get(), grad,
         param, state...);
  launch(name, ratio_kernel, dim3(1), dim3(update_threads), 0, blocks, coefficient, decay, parts.get(), ratio);
}

struct Lars {
  float momentum, ratio;
  const float* ratio_there;

  __device__ void measure(const Rule&, Squares& sum, float grad, float w) const {
    sum.w += w * w;
    sum.u += grad * grad;
  }
  __device__ void look_up(const Rule&) { ratio = *ratio_there; }
  __device__ float direction(float g, float& velocity) const { return velocity = momentum * velocity + ratio * g; }
};

// u = m' / (sqrt(v') + eps) + decay w, m' and v' being the corrected moments.
struct Lamb : Moments {
  float decay;
  const float* ratio;

  Lamb(const AdamStep& p, const float* ratio) : Moments(p), decay(static_cast<float>(p.weight_decay)), ratio(ratio) {}
  __device__ void measure(const Rule& rule, Squares& sum, float grad, float w, float& m, float& v) const {
    follow(rule.gradient(grad, w), m, v);
    const float u = m / (correction1 * root(v)) + decay * w;
    sum.w += w * w;
    sum.u += u * u;
  }
  __device__ void look_up(Rule& rule) const {
    rule.lr *= *ratio;
    rule.keep = 1 - rule.lr * decay;
    rule.lr /= correction1;
  }
  // Of the moments as the first pass left them; m stands in the gradient's place.
  __device__ float direction(float m, float v) const { return m / root(v); }
};

}  // namespace

// param, grad (n), velocity (n) or null: 2 reads for the norms, then as sgd_step
template <class T>
void lars_step(const LarsStep& p, T* param, const T* grad, T* velocity) {
  if (p.n == 0) return;
  const Rule rule(p);
  const Scratch<float> ratio(1);
  const Lars lars{static_cast<float>(p.momentum), 1, ratio.get()};
  find_ratio("lars_step", p.n, rule, lars, static_cast<float>(p.trust_coefficient), rule.decay, ratio.get(), grad,
             param);
  update("lars_step", p.n, rule, lars, grad, param, velocity);
}
INSTANTIATE(lars_step)

// param, grad, exp_avg, exp_avg_sq (n): 4 reads and 2 writes for moments and norms, then 3 reads and 1 write
template <class T>
void lamb_step(const AdamStep& p, T* param, const T* grad, T* exp_avg, T* exp_avg_sq) {
  if (p.n == 0) return;
  Rule rule(p);
  const Scratch<float> ratio(1);
  const Lamb lamb(p, ratio.get());
  find_ratio("lamb_step", p.n, rule, lamb, 1, 0, ratio.get(), grad, param, exp_avg, exp_avg_sq);
  rule.sign = 1;
  rule.l1 = 0;
  update("lamb_step", p.n, rule, lamb, static_cast<const T*>(exp_avg), param, static_cast<const T*>(exp_avg_sq));
}
INSTANTIATE(lamb_step)

}  // namespace convolith::CONVOLITH_DEVICE
