// Activations made of exponentials, up to some 80 FLOPs an element.  Each goes to its limits at infinity.
#include "activation.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// e^-|x|
template <class V>
CONVOLITH_INLINE V decay(V x) {
  return exp_of_negative(copy_sign(x, V(-1)));
}
// x s, and 0 where s is 0, though x may be infinite.
template <class V>
CONVOLITH_INLINE V weighted(V x, V s) {
  return where(equal(s, V(0)), s, x * s);
}
// x, but no further from 0 than a limit beyond which nothing changes: infinity times 0 would be NaN.
template <class V>
CONVOLITH_INLINE V bounded(V x, V limit) {
  return min(limit, max(V(0) - limit, x));
}

struct Sigmoid {
  template <class V>
  static CONVOLITH_INLINE V value(V x, auto...) {
    return sigmoid(x);
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V y, auto...) {
    return dy * y * (V(1) - y);
  }
};

struct Tanh {
  template <class V>
  static CONVOLITH_INLINE V value(V x, auto...) {
    return tanh(x);
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V y, auto...) {  // 1 - y is exact where y is near 1
    return dy * ((V(1) - y) * (V(1) + y));
  }
};

// x / (1 + |x|)
struct Softsign {
  template <class V>
  static CONVOLITH_INLINE V value(V x, auto...) {
    const V b = bounded(x, V(1e30f));
    return b / (V(1) + copy_sign(b, V(1)));
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V x, auto...) {
    const V inverse = V(1) / (V(1) + copy_sign(x, V(1)));
    return dy * (inverse * inverse);
  }
};

// log(1 + e^x)
template <class V>
CONVOLITH_INLINE V log_one_plus_exp(V x) {
  return relu(x) + log1p(decay(x));
}

// log(1 + e^(beta x)) / beta, and x where beta x > threshold
struct Softplus {
  template <class V>
  static CONVOLITH_INLINE V value(V x, V beta, V threshold) {
    const V z = beta * x;
    return where_greater(z, threshold, x, log_one_plus_exp(z) * (V(1) / beta));
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V x, V beta, V threshold) {
    const V z = beta * x;
    return where_greater(z, threshold, dy, dy * sigmoid(z));
  }
};

// -log(1 + e^-x)
struct Logsigmoid {
  template <class V>
  static CONVOLITH_INLINE V value(V x, auto...) {
    return V(0) - log_one_plus_exp(V(0) - x);
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V x, auto...) {
    return dy * sigmoid(V(0) - x);
  }
};

// d/dx x sigmoid(z) = s + x dz/dx s (1 - s), the latter two from e = e^-|z|: neither loses digits to the other.
template <class V>
CONVOLITH_INLINE V weighted_sigmoid_slope(V z, V x_slope) {
  const V e = decay(z), inverse = V(1) / (V(1) + e);
  return fma(x_slope, e * inverse * inverse, where_greater(z, V(0), inverse, e * inverse));
}

// x sigmoid(beta x)
struct Silu {
  template <class V>
  static CONVOLITH_INLINE V value(V x, V beta, auto...) {
    return weighted(x, sigmoid(beta * x));
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V x, V beta, auto...) {
    const V z = bounded(beta * x, V(800));
    return dy * weighted_sigmoid_slope(z, z);
  }
};

// x t with t = tanh(log(1 + e^x)) = ((1 + e^x)^2 - 1) / ((1 + e^x)^2 + 1), by e = e^-|x| so that nothing overflows
struct Mish {
  template <class V>
  static CONVOLITH_INLINE V value(V x, auto...) {
    const V e = decay(x), top = numerator(x, e);
    return weighted(x, top / denominator(x, e, top));
  }
  // t + x dt/dx, with dt/dx = 4 e^x (1 + e^x) / ((1 + e^x)^2 + 1)^2
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V x, auto...) {
    const V b = bounded(x, V(800)), e = decay(b), top = numerator(b, e), inverse = V(1) / denominator(b, e, top);
    const V slope = V(4) * where_greater(b, V(0), e * e, e) * (V(1) + e) * (inverse * inverse);
    return dy * fma(b, slope, top * inverse);
  }

  // Of t, both times e^-2x where x > 0.
  template <class V>
  static CONVOLITH_INLINE V numerator(V x, V e) {
    return where_greater(x, V(0), fma(V(2), e, V(1)), e * (V(2) + e));
  }
  template <class V>
  static CONVOLITH_INLINE V denominator(V x, V e, V numerator) {
    return fma(V(2), where_greater(x, V(0), e * e, V(1)), numerator);
  }
};

// x P(X <= x) of a normal X: Hendrycks & Gimpel 2016
struct Gelu {
  template <class V>
  static CONVOLITH_INLINE V value(V x, auto...) {
    return weighted(x, normal(x).probability);
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V x, auto...) {
    const auto at = normal(x);
    return dy * fma(bounded(x, V(40)), at.density, at.probability);
  }
};

// The same paper's x (1 + tanh(z / 2)) / 2 = x sigmoid(z), z = 2 sqrt(2 / pi) (x + 0.044715 x^3)
struct GeluByTanh {
  static constexpr double first = 1.5957691216057307117, third = 0.044715 * first;

  template <class V>
  static CONVOLITH_INLINE V value(V x, auto...) {
    return weighted(x, sigmoid(x * fma(V(third), x * x, V(first))));
  }
  template <class V>
  static CONVOLITH_INLINE V gradient(V dy, V x, auto...) {
    const V b = bounded(x, V(40)), square = b * b;
    const V z = b * fma(V(third), square, V(first)), x_slope = b * fma(V(3 * third), square, V(first));
    return dy * weighted_sigmoid_slope(z, x_slope);
  }
};

}  // namespace

CONVOLITH_ACTIVATION(sigmoid, Sigmoid)
CONVOLITH_ACTIVATION(tanh, Tanh)
CONVOLITH_ACTIVATION(softsign, Softsign)
CONVOLITH_ACTIVATION(softplus, Softplus)
CONVOLITH_ACTIVATION(logsigmoid, Logsigmoid)
CONVOLITH_ACTIVATION(silu, Silu)
CONVOLITH_ACTIVATION(mish, Mish)

// a: whether it is tanh's.
template <class T>
void gelu_forward(const ActivationMap& p, const T* x, T* y) {
  p.a == 0 ? activation_forward<Gelu>(p, x, y) : activation_forward<GeluByTanh>(p, x, y);
}
INSTANTIATE(gelu_forward)

template <class T>
void gelu_backward(const ActivationMap& p, const T* dy, const T* x, T* dx) {
  p.a == 0 ? activation_backward<Gelu>(p, dy, x, dx) : activation_backward<GeluByTanh>(p, dy, x, dx);
}
INSTANTIATE(gelu_backward)

}  // namespace convolith::CONVOLITH_ISA
