// Losses of one number and its target each, or their sum: one read of every array, and one write where each element has
// a result.  Bound by memory, those with logarithms and exponentials (30 to 60 FLOPs an element) on one thread by both.
#include "kernels.hpp"
#include "math.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

template <class V>
CONVOLITH_INLINE V magnitude(V x) {
  return copy_sign(x, V(1));
}
// x between -bound and bound; NaN stays.
template <class V>
CONVOLITH_INLINE V clamp(V x, V bound) {
  return min(bound, max(V(0) - bound, x));
}

// The logarithm of any number: subnormal ones are lifted to normal numbers, 0 gives -inf and what is below it NaN.
template <class T>
CONVOLITH_INLINE Lanes<T> log_of_any(Lanes<T> x) {
  constexpr bool single = sizeof(T) == 4;
  constexpr T infinity = static_cast<T>(__builtin_inf()), nan = static_cast<T>(__builtin_nan(""));
  const Lanes<T> zero(T(0)), smallest(T(single ? 0x1p-126 : 0x1p-1022)), lift(T(single ? 0x1p24 : 0x1p54));
  const Lanes<T> log_of_lift(T((single ? 24 : 54) * 0.69314718055994530942));
  const Lanes<T> y = where_greater(smallest, x, log(x * lift) - log_of_lift, log(x));
  const Lanes<T> of_least = where(equal(x, zero), Lanes<T>(-infinity), Lanes<T>(nan));
  return where(less_equal(x, zero), of_least, where(equal(x, Lanes<T>(infinity)), x, y));
}
// log(1 - x): what rounding 1 - x has lost is added.
template <class T>
CONVOLITH_INLINE Lanes<T> log_of_rest(Lanes<T> x) {
  const Lanes<T> zero(T(0)), one(T(1)), u = one - x, lost = ((one - u) - x) / u;
  return log_of_any(u) + where(equal(u, zero), zero, lost);
}

// --- The members: the loss of x with target t, and its derivative by x.  p is the weight of positive targets.
// ---------

template <class V>
struct Squared {
  V parameter;
  CONVOLITH_INLINE V loss(V x, V t, V) const { return (x - t) * (x - t); }
  CONVOLITH_INLINE V slope(V x, V t, V) const { return (x - t) + (x - t); }
};

template <class V>
struct Absolute {
  V parameter;
  CONVOLITH_INLINE V loss(V x, V t, V) const { return magnitude(x - t); }
  CONVOLITH_INLINE V slope(V x, V t, V) const { return where_greater(x, t, V(1), where_greater(t, x, V(-1), V(0))); }
};

template <class V>
struct Huber {
  V delta;
  CONVOLITH_INLINE V loss(V x, V t, V) const {
    const V d = magnitude(x - t);
    return where_greater(d, delta, delta * (d - V(0.5) * delta), V(0.5) * d * d);
  }
  CONVOLITH_INLINE V slope(V x, V t, V) const { return clamp(x - t, delta); }
};

template <class V>
struct SmoothL1 {
  V beta;
  CONVOLITH_INLINE V loss(V x, V t, V) const {
    const V d = magnitude(x - t);
    return where_greater(beta, d, V(0.5) * d * d / beta, d - V(0.5) * beta);
  }
  CONVOLITH_INLINE V slope(V x, V t, V) const { return clamp((x - t) / beta, V(1)); }
};

template <class V>
struct BinaryCrossEntropy {
  V parameter;
  CONVOLITH_INLINE V loss(V x, V t, V) const {
    const V yes = max(V(-100), log_of_any(x)), no = max(V(-100), log_of_rest(x));
    return fma(t - V(1), no, (V(0) - t) * yes);
  }
  CONVOLITH_INLINE V slope(V x, V t, V) const { return (x - t) / max(V(1e-12), (V(1) - x) * x); }
};

// With softplus(x) = log(1 + e^x): (1 - t) softplus(x) + p t softplus(-x), no term of which cancels another.
template <class V>
struct BinaryCrossEntropyWithLogits {
  V parameter;
  CONVOLITH_INLINE V loss(V x, V t, V p) const {
    const V rest = log1p(exp_of_negative(V(0) - magnitude(x)));
    return fma(V(1) - t, relu(x) + rest, p * t * (relu(V(0) - x) + rest));
  }
  CONVOLITH_INLINE V slope(V x, V t, V p) const {
    const V e = exp_of_negative(V(0) - magnitude(x)), large = V(1) / (V(1) + e), small = e * large;
    const V yes = where_greater(V(0), x, small, large), no = where_greater(V(0), x, large, small);
    return fma(V(1) - t, yes, (V(0) - p) * t * no);
  }
};

template <class V>
struct KlDiv {
  V parameter;
  CONVOLITH_INLINE V loss(V x, V t, V) const {
    const V entropy = where(equal(t, V(0)), V(0), t * log_of_any(t));
    return entropy - t * x;
  }
  CONVOLITH_INLINE V slope(V, V t, V) const { return V(0) - t; }
};

template <class V>
struct KlDivLogTarget {
  V parameter;
  // As a product of its own, which is not fused with what it is added to.
  CONVOLITH_INLINE V loss(V x, V t, V) const { return in_register(exp(t) * (t - x)); }
  CONVOLITH_INLINE V slope(V, V t, V) const { return V(0) - exp(t); }
};

template <class V>
struct Hinge {
  V parameter;
  CONVOLITH_INLINE V loss(V x, V t, V) const { return relu(V(1) - t * x); }
  CONVOLITH_INLINE V slope(V x, V t, V) const { return where(less_equal(V(1) - t * x, V(0)), V(0), V(0) - t); }
};

template <class V>
struct SquaredHinge {
  V parameter;
  CONVOLITH_INLINE V loss(V x, V t, V) const {
    const V missing = relu(V(1) - t * x);
    return missing * missing;
  }
  CONVOLITH_INLINE V slope(V x, V t, V) const { return V(-2) * t * relu(V(1) - t * x); }
};

// A target of 1 asks for a small x, one of -1 for a large one; any other for both, as in PyTorch.
template <class V>
struct HingeEmbedding {
  V margin;
  CONVOLITH_INLINE V loss(V x, V t, V) const {
    return where(equal(t, V(1)), V(0), relu(margin - x)) + where(equal(t, V(-1)), V(0), x);
  }
  CONVOLITH_INLINE V slope(V x, V t, V) const {
    const V far = where(less_equal(V(0), margin - x), V(-1), V(0));
    return where(equal(t, V(1)), V(0), far) + where(equal(t, V(-1)), V(0), V(1));
  }
};

// Calls run(member) with the member that p asks for.
template <class T, class Run>
void with_member(const PointwiseLoss& p, const Run& run) {
  using V = Lanes<T>;
  const V parameter(static_cast<T>(p.parameter));
  switch (p.kind) {
    case Pointwise::squared:
      return run(Squared<V>{parameter});
    case Pointwise::absolute:
      return run(Absolute<V>{parameter});
    case Pointwise::huber:
      return run(Huber<V>{parameter});
    case Pointwise::smooth_l1:
      return run(SmoothL1<V>{parameter});
    case Pointwise::binary_cross_entropy:
      return run(BinaryCrossEntropy<V>{parameter});
    case Pointwise::binary_cross_entropy_with_logits:
      return run(BinaryCrossEntropyWithLogits<V>{parameter});
    case Pointwise::kl_div:
      return run(KlDiv<V>{parameter});
    case Pointwise::kl_div_log_target:
      return run(KlDivLogTarget<V>{parameter});
    case Pointwise::hinge:
      return run(Hinge<V>{parameter});
    case Pointwise::squared_hinge:
      return run(SquaredHinge<V>{parameter});
    case Pointwise::hinge_embedding:
      return run(HingeEmbedding<V>{parameter});
  }
}

// --- What all members share
// -------------------------------------------------------------------------------------------

// All (n); the weights may be null, which stands for ones.
template <class T>
struct Inputs {
  const T *x, *target, *weight, *pos_weight;

  // f(x, target, pos_weight) weight, n lanes at i
  template <class N, class F>
  CONVOLITH_INLINE Lanes<T> at(std::int64_t i, N n, const F& f) const {
    const Lanes<T> p = pos_weight ? Lanes<T>::load(pos_weight + i, n) : Lanes<T>(T(1));
    const Lanes<T> v = f(Lanes<T>::load(x + i, n), Lanes<T>::load(target + i, n), p);
    return weight ? Lanes<T>::load(weight + i, n) * v : v;
  }
};

// y (n) = f(i, lanes)
template <class T, class F>
CONVOLITH_INLINE void generate(std::int64_t n, T* y, const F& f) {
  const Output<T> out(y, n);
  parallel_ranges(n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) { out.fill(begin, end, f); });
}

// v with zeros behind its first n lanes
template <class T>
CONVOLITH_INLINE Lanes<T> first_lanes(Lanes<T> v, Whole) {
  return v;
}
template <class T>
CONVOLITH_INLINE Lanes<T> first_lanes(Lanes<T> v, std::int64_t n) {
  T all[Lanes<T>::count];
  v.store(all);
  return Lanes<T>::load(all, n);
}

// The sum of f(i, lanes) over [0, n): of each thousand elements in T, from there on in double.
template <class T, class F>
CONVOLITH_INLINE double sum_of(std::int64_t n, const F& f) {
  constexpr std::int64_t block = 1024;
  const std::int64_t parts = ceil_div(n, elementwise_grain);
  const Scratch<double> sums(parts);
  parallel_ranges(n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    double part = 0;
    for (std::int64_t at = begin; at < end; at += block) {
      Lanes<T> lane_sums(T(0));
      for_lanes<T>(at, min_of(end, at + block),
                   [&](std::int64_t i, auto lanes) CONVOLITH_INLINED { lane_sums += first_lanes(f(i, lanes), lanes); });
      part += sum(lane_sums);
    }
    sums.get()[begin / elementwise_grain] = part;
  });
  double total = 0;
  for (std::int64_t i = 0; i < parts; ++i) total += sums.get()[i];
  return total;
}

}  // namespace

// x, target (n), weight and pos_weight (n) or null; loss (n), or one value if it is reduced
template <class T>
void pointwise_loss_forward(const PointwiseLoss& p, const T* x, const T* target, const T* weight, const T* pos_weight,
                            T* loss) {
  const Inputs<T> inputs{x, target, weight, pos_weight};
  with_member<T>(p, [&](const auto& member) {
    const auto at = [&](std::int64_t i, auto n) CONVOLITH_INLINED {
      return inputs.at(i, n, [&](auto... operands) CONVOLITH_INLINED { return member.loss(operands...); });
    };
    if (!p.reduced) return generate(p.n, loss, at);
    const double value = sum_of<T>(p.n, at) / p.divisor;
    loss[0] = static_cast<T>(p.root ? __builtin_sqrt(value) : value);
  });
}
INSTANTIATE(pointwise_loss_forward)

// dloss (n), or one value if the loss was reduced; loss: the root, where it was one; dx (n).  At a root of 0, where no
// element differs from its target, the gradient is 0.
template <class T>
void pointwise_loss_backward(const PointwiseLoss& p, const T* dloss, const T* loss, const T* x, const T* target,
                             const T* weight, const T* pos_weight, T* dx) {
  const Inputs<T> inputs{x, target, weight, pos_weight};
  double scale = p.reduced ? static_cast<double>(dloss[0]) / p.divisor : 1;
  if (p.root) scale = loss[0] == 0 ? 0 : scale / (2 * static_cast<double>(loss[0]));
  const Lanes<T> scales(static_cast<T>(scale));
  with_member<T>(p, [&](const auto& member) {
    generate(p.n, dx, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
      const Lanes<T> g = p.reduced ? scales : Lanes<T>::load(dloss + i, n);
      return g * inputs.at(i, n, [&](auto... operands) CONVOLITH_INLINED { return member.slope(operands...); });
    });
  });
}
INSTANTIATE(pointwise_loss_backward)

// x, y (n); NaN stays
template <class T>
void clamped_log_forward(const ClampedLog& p, const T* x, T* y) {
  const Lanes<T> least(static_cast<T>(p.least));
  map(p.n, x, y, [&](Lanes<T> v) CONVOLITH_INLINED { return log_of_any(max(least, v)); });
}
INSTANTIATE(clamped_log_forward)

// dx = dy / x, but 0 where x <= least
template <class T>
void clamped_log_backward(const ClampedLog& p, const T* dy, const T* x, T* dx) {
  const Lanes<T> zero(T(0)), least(static_cast<T>(p.least));
  map(p.n, dy, x, dx,
      [&](Lanes<T> g, Lanes<T> v) CONVOLITH_INLINED { return where(less_equal(v, least), zero, g / v); });
}
INSTANTIATE(clamped_log_backward)

}  // namespace convolith::CONVOLITH_ISA
