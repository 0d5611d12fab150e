// Activations in straight pieces, and those with an exponential below zero.  What a comparison does with NaN, which is
// neither below nor above, is PyTorch's.
#include "activation.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

template <class V>
CONVOLITH_INLINE V clamp(V x, V least, V most) {
  return min(most, max(least, x));
}
// g where least < x < most, else 0.
template <class V>
CONVOLITH_INLINE V within(V g, V x, V least, V most) {
  return where_greater(x, least, where_greater(most, x, g, V(0)), V(0));
}

// max(x, 0); of y <= 0 no gradient comes, of NaN it does.
struct Relu {
  template <class V>
  static CONVOLITH_INLINE V value(V x, auto...) {
    return relu(x);
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V y, auto...) {
    return where(less_equal(y, V(0)), V(0), dy);
  }
};

// min(max(x, 0), 6)
struct Relu6 {
  template <class V>
  static CONVOLITH_INLINE V value(V x, auto...) {
    return clamp(x, V(0), V(6));
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V y, auto...) {
    return within(dy, y, V(0), V(6));
  }
};

// x where x > 0, else slope x
struct LeakyRelu {
  template <class V>
  static CONVOLITH_INLINE V value(V x, V slope, auto...) {
    return where_greater(x, V(0), x, slope * x);
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V x, V slope, auto...) {
    return where_greater(x, V(0), dy, slope * dy);
  }
};

// min(max(x, least), most)
struct Hardtanh {
  template <class V>
  static CONVOLITH_INLINE V value(V x, V least, V most) {
    return clamp(x, least, most);
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V x, V least, V most) {
    return within(dy, x, least, most);
  }
};

// min(max(x + 3, 0), 6) / 6
struct Hardsigmoid {
  template <class V>
  static CONVOLITH_INLINE V value(V x, auto...) {
    return clamp(x + V(3), V(0), V(6)) / V(6);
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V x, auto...) {
    return within(dy / V(6), x, V(-3), V(3));
  }
};

// x hardsigmoid(x), where -infinity counts as -3
struct Hardswish {
  template <class V>
  static CONVOLITH_INLINE V value(V x, auto...) {
    return max(V(-3), x) * Hardsigmoid::value(x);
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V x, auto...) {
    const V inner = dy * (x / V(3) + V(0.5f));
    return where(less_equal(x, V(-3)), V(0), where(less_equal(V(3), x), dy, inner));  // NaN stays
  }
};

// 1 where x > 0, `at_zero` where x = 0, else 0, of NaN, too
struct Step {
  template <class V>
  static CONVOLITH_INLINE V value(V x, V at_zero, auto...) {
    return where(equal(x, V(0)), at_zero, where_greater(x, V(0), V(1), V(0)));
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V, V, auto...) {
    return V(0);
  }
};

// x where x > 0, else alpha (e^x - 1)
struct Elu {
  template <class V>
  static CONVOLITH_INLINE V value(V x, V alpha, auto...) {
    return where_greater(x, V(0), x, alpha * expm1_of_negative(x));
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V x, V alpha, auto...) {
    return where_greater(x, V(0), dy, dy * alpha * exp_of_negative(min(V(0), x)));  // NaN stays
  }
};

// scale elu(x, alpha), whose outputs keep mean 0 and variance 1: Klambauer et al. 2017, equation 14
struct Selu {
  static constexpr double scale = 1.0507009873554804934, alpha = 1.6732632423543772848;

  template <class V>
  static CONVOLITH_INLINE V value(V x, auto...) {
    return V(scale) * Elu::value(x, V(alpha));
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V x, auto...) {
    return Elu::gradient(V(scale) * dy, x, V(alpha));
  }
};

}  // namespace

CONVOLITH_ACTIVATION(relu, Relu)
CONVOLITH_ACTIVATION(relu6, Relu6)
CONVOLITH_ACTIVATION(leaky_relu, LeakyRelu)
CONVOLITH_ACTIVATION(hardtanh, Hardtanh)
CONVOLITH_ACTIVATION(hardsigmoid, Hardsigmoid)
CONVOLITH_ACTIVATION(hardswish, Hardswish)
CONVOLITH_ACTIVATION(step, Step)
CONVOLITH_ACTIVATION(elu, Elu)
CONVOLITH_ACTIVATION(selu, Selu)

}  // namespace convolith::CONVOLITH_ISA
