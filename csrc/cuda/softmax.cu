// Softmax and its logarithm along the middle axis of (outer, L, inner).  Bound by memory: one read and one write an
// element, backward two reads; up to 8192 elements of a row, or 256 of a column, stay in registers between passes.
#include "softmax.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// Of d = x - max: y = exp(d) / sum, dx = y (dy - sum dy y)
struct Probability {
  static __device__ float norm(float sum) { return 1 / sum; }
  static __device__ float result(float d, float norm) { return expf(d) * norm; }
  static __device__ float term(float dy, float y) { return dy * y; }
  static __device__ float gradient(float dy, float y, float total) { return y * (dy - total); }
};
// y = d - log sum, dx = dy - exp(y) sum dy
struct Logarithm {
  static __device__ float norm(float sum) { return logf(sum); }
  static __device__ float result(float d, float norm) { return d - norm; }
  static __device__ float term(float dy, float) { return dy; }
  static __device__ float gradient(float dy, float y, float total) { return dy - expf(y) * total; }
};

// x, y (outer, L, inner); y may be x
template <class F, class Team, class T>
__global__ void __launch_bounds__(Team::threads) forward_kernel(Softmax p, const T* x, T* y) {
  const Team team(p, blockIdx.x);
  const Elements logits(team, -INFINITY, [=](std::int64_t i) { return static_cast<float>(x[i]); });
  const auto [max, sum] = normaliser(team, logits);
  const float norm = F::norm(sum);
  logits.each([&](float v, std::int64_t i) { y[i] = static_cast<T>(F::result(v - max, norm)); });
}

struct Gradient {
  float dy, y;
};
// dy, y, dx (outer, L, inner); dx may be dy or y
template <class F, class Team, class T>
__global__ void __launch_bounds__(Team::threads) backward_kernel(Softmax p, const T* dy, const T* y, T* dx) {
  const Team team(p, blockIdx.x);
  const Elements gradients(team, Gradient{0, 0}, [=](std::int64_t i) {
    return Gradient{static_cast<float>(dy[i]), static_cast<float>(y[i])};
  });
  float total = 0;
  gradients.fold([&](Gradient g) { total += F::term(g.dy, g.y); });
  total = team.reduce(Sum{}, total);
  gradients.each([&](Gradient g, std::int64_t i) { dx[i] = static_cast<T>(F::gradient(g.dy, g.y, total)); });
}

template <class Run>
void distribute(const Softmax& p, const Run& run) {
  if (p.outer == 0 || p.L == 0 || p.inner == 0) return;
  p.inner == 1 ? for_rows(p, run) : for_columns(p, run);
}

template <class F, class T>
void forward(const char* name, const Softmax& p, const T* x, T* y) {
  distribute(p, [&]<class Team>(std::int64_t blocks, dim3 block) {
    launch(name, forward_kernel<F, Team, T>, dim3(static_cast<unsigned>(blocks)), block, 0, p, x, y);
  });
}

template <class F, class T>
void backward(const char* name, const Softmax& p, const T* dy, const T* y, T* dx) {
  distribute(p, [&]<class Team>(std::int64_t blocks, dim3 block) {
    launch(name, backward_kernel<F, Team, T>, dim3(static_cast<unsigned>(blocks)), block, 0, p, dy, y, dx);
  });
}

}  // namespace

// x, y (outer, L, inner)
template <class T>
void softmax_forward(const Softmax& p, const T* x, T* y) {
  forward<Probability>("softmax_forward", p, x, y);
}
INSTANTIATE(softmax_forward)

// dy, y, dx (outer, L, inner)
template <class T>
void softmax_backward(const Softmax& p, const T* dy, const T* y, T* dx) {
  backward<Probability>("softmax_backward", p, dy, y, dx);
}
INSTANTIATE(softmax_backward)

// x, y (outer, L, inner)
template <class T>
void log_softmax_forward(const Softmax& p, const T* x, T* y) {
  forward<Logarithm>("log_softmax_forward", p, x, y);
}
INSTANTIATE(log_softmax_forward)

// dy, y (log-probabilities), dx (outer, L, inner)
template <class T>
void log_softmax_backward(const Softmax& p, const T* dy, const T* y, T* dx) {
  backward<Logarithm>("log_softmax_backward", p, dy, y, dx);
}
INSTANTIATE(log_softmax_backward)

}  // namespace convolith::CONVOLITH_DEVICE
