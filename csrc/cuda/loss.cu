// Losses of one number and its target each, or their sum: one read of every array, and one write where each element has
// a result, which bound them.
#include "elementwise.hpp"
#include "reduce.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// --- The members: the loss of x with target t, and its derivative by x.  p is the weight of positive targets.
// ---------

struct Squared {
  float parameter;
  __device__ float loss(float x, float t, float) const { return (x - t) * (x - t); }
  __device__ float slope(float x, float t, float) const { return 2 * (x - t); }
};

struct Absolute {
  float parameter;
  __device__ float loss(float x, float t, float) const { return fabsf(x - t); }
  __device__ float slope(float x, float t, float) const { return x > t ? 1.0f : x < t ? -1.0f : 0.0f; }
};

struct Huber {
  float delta;
  __device__ float loss(float x, float t, float) const {
    const float d = fabsf(x - t);
    return d > delta ? delta * (d - 0.5f * delta) : 0.5f * d * d;
  }
  __device__ float slope(float x, float t, float) const {
    const float d = x - t;
    return d > delta ? delta : d < -delta ? -delta : d;
  }
};

struct SmoothL1 {
  float beta;
  __device__ float loss(float x, float t, float) const {
    const float d = fabsf(x - t);
    return d < beta ? 0.5f * d * d / beta : d - 0.5f * beta;
  }
  __device__ float slope(float x, float t, float) const {
    const float d = (x - t) / beta;
    return d > 1 ? 1.0f : d < -1 ? -1.0f : d;
  }
};

// An x that is no probability has a loss of NaN.
struct BinaryCrossEntropy {
  float parameter;
  static __device__ float at_least_minus_100(float log) { return log < -100 ? -100.0f : log; }
  __device__ float loss(float x, float t, float) const {
    return (t - 1) * at_least_minus_100(log1pf(-x)) - t * at_least_minus_100(logf(x));
  }
  __device__ float slope(float x, float t, float) const {
    const float variance = (1 - x) * x;
    return (x - t) / (variance < 1e-12f ? 1e-12f : variance);
  }
};

// With softplus(x) = log(1 + e^x): (1 - t) softplus(x) + p t softplus(-x), no term of which cancels another.
struct BinaryCrossEntropyWithLogits {
  float parameter;
  __device__ float loss(float x, float t, float p) const {
    const float rest = log1pf(expf(-fabsf(x)));
    return (1 - t) * ((x > 0 ? x : 0) + rest) + p * t * ((x < 0 ? -x : 0) + rest);
  }
  __device__ float slope(float x, float t, float p) const {
    const float e = expf(-fabsf(x)), large = 1 / (1 + e), small = e * large;
    return (1 - t) * (x < 0 ? small : large) - p * t * (x < 0 ? large : small);
  }
};

struct KlDiv {
  float parameter;
  __device__ float loss(float x, float t, float) const { return (t == 0 ? 0 : t * logf(t)) - t * x; }
  __device__ float slope(float, float t, float) const { return -t; }
};

struct KlDivLogTarget {
  float parameter;
  __device__ float loss(float x, float t, float) const { return expf(t) * (t - x); }
  __device__ float slope(float, float t, float) const { return -expf(t); }
};

struct Hinge {
  float parameter;
  __device__ float loss(float x, float t, float) const {
    const float missing = 1 - t * x;
    return missing < 0 ? 0 : missing;
  }
  __device__ float slope(float x, float t, float) const { return 1 - t * x <= 0 ? 0 : -t; }
};

struct SquaredHinge {
  float parameter;
  __device__ float loss(float x, float t, float) const {
    const float missing = 1 - t * x;
    return missing < 0 ? 0 : missing * missing;
  }
  __device__ float slope(float x, float t, float) const {
    const float missing = 1 - t * x;
    return missing < 0 ? 0 : -2 * t * missing;
  }
};

// A target of 1 asks for a small x, one of -1 for a large one; any other for both, as in PyTorch.
struct HingeEmbedding {
  float margin;
  __device__ float loss(float x, float t, float) const {
    const float missing = margin - x;
    return (t == 1 || missing < 0 ? 0 : missing) + (t == -1 ? 0 : x);
  }
  __device__ float slope(float x, float t, float) const {
    return (t != 1 && margin - x >= 0 ? -1.0f : 0.0f) + (t == -1 ? 0.0f : 1.0f);
  }
};

struct ClampedLogarithm {
  float least;
  __device__ float operator()(float x) const { return logf(x < least ? least : x); }
};
struct ClampedLogarithmGradient {
  float least;
  __device__ float operator()(float dy, float x) const { return x <= least ? 0 : dy / x; }
};

// Calls run(member) with the member that p asks for.
template <class Run>
void with_member(const PointwiseLoss& p, const Run& run) {
  const auto parameter = static_cast<float>(p.parameter);
  switch (p.kind) {
    case Pointwise::squared:
      return run(Squared{parameter});
    case Pointwise::absolute:
      return run(Absolute{parameter});
    case Pointwise::huber:
      return run(Huber{parameter});
    case Pointwise::smooth_l1:
      return run(SmoothL1{parameter});
    case Pointwise::binary_cross_entropy:
      return run(BinaryCrossEntropy{parameter});
    case Pointwise::binary_cross_entropy_with_logits:
      return run(BinaryCrossEntropyWithLogits{parameter});
    case Pointwise::kl_div:
      return run(KlDiv{parameter});
    case Pointwise::kl_div_log_target:
      return run(KlDivLogTarget{parameter});
    case Pointwise::hinge:
      return run(Hinge{parameter});
    case Pointwise::squared_hinge:
      return run(SquaredHinge{parameter});
    case Pointwise::hinge_embedding:
      return run(HingeEmbedding{parameter});
  }
}

// --- What all members share
// -------------------------------------------------------------------------------------------

// V numbers at V i; ones where there is no array
template <int V, class T>
__device__ __forceinline__ Vector<float, V> load(const T* p, std::int64_t i) {
  Vector<float, V> out;
  const auto* in = reinterpret_cast<const Vector<T, V>*>(p);
#pragma unroll
  for (int j = 0; j < V; ++j) out.v[j] = p ? static_cast<float>(in[i].v[j]) : 1.0f;
  return out;
}

// All (n); the weights may be null.
template <class T>
struct Inputs {
  const T *x, *target, *weight, *pos_weight;

  // f(x, target, pos_weight) weight, V of them at V i
  template <int V, class F>
  __device__ __forceinline__ Vector<float, V> at(std::int64_t i, F f) const {
    const auto xs = load<V>(x, i), ts = load<V>(target, i), ws = load<V>(weight, i), ps = load<V>(pos_weight, i);
    Vector<float, V> out;
#pragma unroll
    for (int j = 0; j < V; ++j) out.v[j] = ws.v[j] * f(xs.v[j], ts.v[j], ps.v[j]);
    return out;
  }
};

// Calls run<V>(i) for this thread's share of n elements: V of them at V i.
template <int widest, class F>
__device__ __forceinline__ void for_vectors(std::int64_t n, F run) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x, whole = n / widest;
  const std::int64_t first = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  for (std::int64_t i = first; i < whole; i += step) run.template operator()<widest>(i);
  for (std::int64_t i = whole * widest + first; i < n; i += step) run.template operator()<1>(i);
}

constexpr int threads = 256;

template <class T>
unsigned blocks_for(std::int64_t n) {
  return n > 0 ? grid_for(ceil_div(n, Pack<T>::size), threads) : 0;
}

// losses (n), or null and parts (gridDim.x)
template <class Member, class T>
__global__ void forward_kernel(std::int64_t n, Member member, Inputs<T> inputs, T* losses, double* parts) {
  double sum = 0;
  for_vectors<Pack<T>::size>(n, [&]<int V>(std::int64_t i) {
    const auto loss = inputs.template at<V>(i, [&](float x, float t, float p) { return member.loss(x, t, p); });
    float part = 0;
    Vector<T, V> out;
#pragma unroll
    for (int j = 0; j < V; ++j) part += loss.v[j], out.v[j] = static_cast<T>(loss.v[j]);
    sum += part;
    if (losses) reinterpret_cast<Vector<T, V>*>(losses)[i] = out;
  });
  if (losses) return;
  SHARED(shared, double[32]);
  sum = block_sum(sum, shared);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// parts (n), loss (1); one block
template <class T>
__global__ void finish_kernel(int n, double divisor, bool root, const double* parts, T* loss) {
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) sum += parts[i];
  SHARED(shared, double[32]);
  const auto value = static_cast<float>(block_sum(sum, shared) / divisor);
  if (threadIdx.x == 0) loss[0] = static_cast<T>(root ? sqrtf(value) : value);
}

// dloss (n), or one value if the loss was reduced; root (1) or null; dx (n)
template <class Member, class T>
__global__ void backward_kernel(std::int64_t n, Member member, Inputs<T> inputs, bool reduced, float divisor,
                                const T* dloss, const T* root, T* dx) {
  float scale = reduced ? static_cast<float>(dloss[0]) / divisor : 1;
  if (root) scale = static_cast<float>(*root) == 0 ? 0 : scale / (2 * static_cast<float>(*root));
  for_vectors<Pack<T>::size>(n, [&]<int V>(std::int64_t i) {
    const auto slope = inputs.template at<V>(i, [&](float x, float t, float p) { return member.slope(x, t, p); });
    const auto g = load<V>(reduced ? nullptr : dloss, i);
    Vector<T, V> out;
#pragma unroll
    for (int j = 0; j < V; ++j) out.v[j] = static_cast<T>(scale * g.v[j] * slope.v[j]);
    reinterpret_cast<Vector<T, V>*>(dx)[i] = out;
  });
}

}  // namespace

// x, target (n), weight and pos_weight (n) or null; loss (n), or one value if it is reduced
template <class T>
void pointwise_loss_forward(const PointwiseLoss& p, const T* x, const T* target, const T* weight, const T* pos_weight,
                            T* loss) {
  const unsigned blocks = blocks_for<T>(p.n);
  const Scratch<double> parts(p.reduced ? blocks : 0);
  if (blocks > 0)
    with_member(p, [&](auto member) {
      launch("pointwise_loss_forward", forward_kernel<decltype(member), T>, dim3(blocks), dim3(threads), 0, p.n, member,
             Inputs<T>{x, target, weight, pos_weight}, p.reduced ? nullptr : loss, parts.get());
    });
  if (p.reduced)
    launch("pointwise_loss_forward: sum", finish_kernel<T>, dim3(1), dim3(threads), 0, static_cast<int>(blocks),
           p.divisor, p.root, parts.get(), loss);
}
INSTANTIATE(pointwise_loss_forward)

// dloss (n), or one value if the loss was reduced; loss: the root, where it was one; dx (n).  At a root of 0, where no
// element differs from its target, the gradient is 0.
template <class T>
void pointwise_loss_backward(const PointwiseLoss& p, const T* dloss, const T* loss, const T* x, const T* target,
                             const T* weight, const T* pos_weight, T* dx) {
  const unsigned blocks = blocks_for<T>(p.n);
  if (blocks == 0) return;
  with_member(p, [&](auto member) {
    launch("pointwise_loss_backward", backward_kernel<decltype(member), T>, dim3(blocks), dim3(threads), 0, p.n, member,
           Inputs<T>{x, target, weight, pos_weight}, p.reduced, static_cast<float>(p.divisor), dloss,
           p.root ? loss : nullptr, dx);
  });
}
INSTANTIATE(pointwise_loss_backward)

// x, y (n); NaN stays
template <class T>
void clamped_log_forward(const ClampedLog& p, const T* x, T* y) {
  map("clamped_log_forward", p.n, ClampedLogarithm{static_cast<float>(p.least)}, y, x);
}
INSTANTIATE(clamped_log_forward)

// dx = dy / x, but 0 where x <= least
template <class T>
void clamped_log_backward(const ClampedLog& p, const T* dy, const T* x, T* dx) {
  map("clamped_log_backward", p.n, ClampedLogarithmGradient{static_cast<float>(p.least)}, dx, dy, x);
}
INSTANTIATE(clamped_log_backward)

}  // namespace convolith::CONVOLITH_DEVICE
