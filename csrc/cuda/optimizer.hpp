// What the steps of all optimizers share: one pass over memory, which is what they cost.
#pragma once

#include "elementwise.hpp"

namespace convolith::CONVOLITH_DEVICE {

// A state that is missing (null) reads as 0; one that is const stays as it is.
template <class S, class T>
__device__ __forceinline__ S read_state(const T* state, std::int64_t i) {
  return state ? reinterpret_cast<const S*>(state)[i] : S{};
}
template <class S, class T>
__device__ __forceinline__ void write_state(T* state, std::int64_t i, const S& s) {
  if (state) reinterpret_cast<S*>(state)[i] = s;
}
template <class S, class T>
__device__ __forceinline__ void write_state(const T*, std::int64_t, const S&) {}

// f works on floats; what it makes of the states is stored in their own type.
template <class F, class T, class... State>
__device__ __forceinline__ void change(const F& f, T grad, State&... state) {
  [&](auto... s) {
    f(static_cast<float>(grad), s...);
    ((state = static_cast<State>(s)), ...);
  }(static_cast<float>(state)...);
}

// The grid's threads call f(grad[i], state[i]...), which changes the states; every array (n) and 16-byte aligned.
template <class F, class T, class... State>
__device__ __forceinline__ void each(std::int64_t n, const F& f, const T* grad, State*... state) {
  const std::int64_t packs = n / Pack<T>::size, step = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t first = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  for (std::int64_t i = first; i < packs; i += step) {
    const Pack<T> g = reinterpret_cast<const Pack<T>*>(grad)[i];
    [&](auto... s) {
#pragma unroll
      for (int j = 0; j < Pack<T>::size; ++j) change(f, g.v[j], s.v[j]...);
      (write_state(state, i, s), ...);
    }(read_state<Pack<T>>(state, i)...);
  }
  for (std::int64_t i = packs * Pack<T>::size + first; i < n; i += step) {
    [&](auto... s) {
      change(f, grad[i], s...);
      (write_state(state, i, s), ...);
    }(read_state<T>(state, i)...);
  }
}

// How a step is taken: the gradient that an optimizer sees is +-grad + decay w + l1 sign(w), and w becomes
// keep w - lr direction.
struct Rule {
  float lr, sign, decay, l1, keep;

  explicit Rule(const Descent& p)
      : lr(static_cast<float>(p.lr)),
        sign(p.maximize ? -1.0f : 1.0f),
        decay(static_cast<float>(p.decoupled ? 0 : p.weight_decay)),
        l1(static_cast<float>(p.l1)),
        keep(static_cast<float>(p.decoupled ? 1 - p.lr * p.weight_decay : 1)) {}
  __device__ float gradient(float grad, float w) const {
    const float penalty = w == 0 ? 0 : copysignf(l1, w);
    return sign * grad + (decay * w + penalty);
  }
  __device__ float step(float w, float direction) const { return keep * w - lr * direction; }
};

// f.direction(gradient, state...) changes the states.  What f and the rule owe to numbers in the memory of the device,
// f.look_up(rule) puts there first.
template <class F, class T, class... State>
__global__ void update_kernel(std::int64_t n, Rule rule, F f, const T* grad, T* param, State*... state) {
  f.look_up(rule);
  const auto change = [&](float g, float& w, auto&... s) { w = rule.step(w, f.direction(rule.gradient(g, w), s...)); };
  each(n, change, grad, param, state...);
}

constexpr int update_threads = 256;

template <class F, class T, class... State>
void update(const char* name, std::int64_t n, const Rule& rule, F f, const T* grad, T* param, State*... state) {
  if (n == 0) return;
  const dim3 grid(grid_for(ceil_div(n, Pack<T>::size), update_threads));
  launch(name, update_kernel<F, T, State...>, grid, dim3(update_threads), 0, n, rule, f, grad, param, state...);
}

// An optimizer of which the host knows every number.
struct Known {
  __device__ void look_up(const Rule&) const {}
};

// The running averages of g and of its square.  The host corrects their start at 0, in double: in float
// 1 - 0.999^step would lose its digits.
struct Moments : Known {
  float correction1, beta1, fresh1, beta2, fresh2, root_scale, eps;

  Moments(const AdamStep& p)
      : correction1(static_cast<float>(1 - pow(p.beta1, static_cast<double>(p.step)))),
        beta1(static_cast<float>(p.beta1)),
        fresh1(static_cast<float>(1 - p.beta1)),
        beta2(static_cast<float>(p.beta2)),
        fresh2(static_cast<float>(1 - p.beta2)),
        root_scale(static_cast<float>(1 / sqrt(1 - pow(p.beta2, static_cast<double>(p.step))))),
        eps(static_cast<float>(p.eps)) {}
  __device__ void follow(float g, float& m, float& v) const {
    m = beta1 * m + fresh1 * g;
    v = beta2 * v + fresh2 * g * g;
  }
  // sqrt(v / (1 - beta2^step)) + eps
  __device__ float root(float v) const { return sqrtf(v) * root_scale + eps; }
  // The step's length of a direction that is made of m alone.
  Rule corrected(Rule rule) const {
    rule.lr /= correction1;
    return rule;
  }
};

}  // namespace convolith::CONVOLITH_DEVICE
