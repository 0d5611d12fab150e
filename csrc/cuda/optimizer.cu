// Optimizer steps: one pass over memory, which is what they cost.
#include "elementwise.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// f works on floats; what it makes of them is stored as State.
template <class F, class T, class... State>
__device__ __forceinline__ void change(const F& f, T grad, State&... state) {
  [&](auto... s) {
    f(static_cast<float>(grad), s...);
    ((state = static_cast<State>(s)), ...);
  }(static_cast<float>(state)...);
}

// given.now()(grad[i], state[i]...) changes the state; every array (n) and 16-byte aligned.
template <class F, class T, class... State>
__global__ void update_kernel(std::int64_t n, F given, const T* grad, State*... state) {
  const auto f = given.now();
  const std::int64_t packs = n / Pack<T>::size, step = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t first = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  for (std::int64_t i = first; i < packs; i += step) {
    const Pack<T> g = reinterpret_cast<const Pack<T>*>(grad)[i];
    [&](Pack<State>... s) {
#pragma unroll
      for (int j = 0; j < Pack<T>::size; ++j) change(f, g.v[j], s.v[j]...);
      ((reinterpret_cast<Pack<State>*>(state)[i] = s), ...);
    }(reinterpret_cast<const Pack<State>*>(state)[i]...);
  }
  for (std::int64_t i = packs * Pack<T>::size + first; i < n; i += step) change(f, grad[i], state[i]...);
}

template <class F, class T, class... State>
void update(const char* name, std::int64_t n, F f, const T* grad, State*... state) {
  constexpr int threads = 256;
  if (n == 0) return;
  launch(name, update_kernel<F, T, State...>, dim3(grid_for(ceil_div(n, Pack<T>::size), threads)), dim3(threads), 0, n,
         f, grad, state...);
}

struct Sgd {
  float lr, weight_decay, momentum, fresh;
  bool nesterov, first;

  __device__ Sgd now() const { return *this; }
  __device__ void operator()(float grad, float& w) const { w -= lr * (grad + weight_decay * w); }
  __device__ void operator()(float grad, float& w, float& velocity) const {
    const float g = grad + weight_decay * w;
    velocity = first ? g : momentum * velocity + fresh * g;
    w -= lr * (nesterov ? g + momentum * velocity : velocity);
  }
};

struct Adam {
  float lr, weight_decay, beta1, fresh1, beta2, fresh2, root_scale, eps;

  __device__ Adam now() const { return *this; }
  __device__ void operator()(float grad, float& w, float& m, float& v) const {
    const float g = grad + weight_decay * w;
    m = beta1 * m + fresh1 * g;
    v = beta2 * v + fresh2 * g * g;
    w -= lr * (m / (sqrtf(v) * root_scale + eps));
  }
};

// Adam that looks up which step it is; expm1 keeps the digits of 1 - beta^step that a power of floats would lose.
struct CountedAdam {
  Adam adam;
  float log_beta1, log_beta2;
  const std::int64_t* steps;

  __device__ Adam now() const {
    const auto step = static_cast<float>(*steps);
    Adam now = adam;
    now.lr /= -expm1f(step * log_beta1);
    now.root_scale = 1 / sqrtf(-expm1f(step * log_beta2));
    return now;
  }
};

__global__ void count_kernel(std::int64_t* steps) {
  ++*steps;
}

}  // namespace

// param, grad (n), velocity (n) or null.  Without momentum 2 reads and 1 write an element, with it 3 and 2.
template <class T>
void sgd_step(const SgdStep& p, T* param, const T* grad, T* velocity) {
  const Sgd sgd{static_cast<float>(p.lr),
                static_cast<float>(p.weight_decay),
                static_cast<float>(p.momentum),
                static_cast<float>(1 - p.dampening),
                p.nesterov,
                p.first};
  if (velocity)
    update("sgd_step", p.n, sgd, grad, param, velocity);
  else
    update("sgd_step", p.n, sgd, grad, param);
}
INSTANTIATE(sgd_step)

// param, grad, exp_avg, exp_avg_sq (n), steps () or null, which counts: 4 reads and 3 writes, 14 FLOPs with a root and
// a division an element.
template <class T>
void adam_step(const AdamStep& p, T* param, const T* grad, T* exp_avg, T* exp_avg_sq, std::int64_t* steps) {
  const double step = static_cast<double>(p.step);
  const double correction1 = 1 - pow(p.beta1, step), correction2 = 1 - pow(p.beta2, step);
  Adam adam{
      static_cast<float>(p.lr / correction1),    static_cast<float>(p.weight_decay), static_cast<float>(p.beta1),
      static_cast<float>(1 - p.beta1),           static_cast<float>(p.beta2),        static_cast<float>(1 - p.beta2),
      static_cast<float>(1 / sqrt(correction2)), static_cast<float>(p.eps)};
  if (!steps) return update("adam_step", p.n, adam, grad, param, exp_avg, exp_avg_sq);
  adam.lr = static_cast<float>(p.lr);
  const CountedAdam counted{adam, static_cast<float>(log(p.beta1)), static_cast<float>(log(p.beta2)), steps};
  launch("count", count_kernel, dim3(1), dim3(1), 0, steps);
  update("adam_step", p.n, counted, grad, param, exp_avg, exp_avg_sq);
}
INSTANTIATE(adam_step)

}  // namespace convolith::CONVOLITH_DEVICE
