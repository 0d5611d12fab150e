// Activations made of exponentials.  Each goes to its limits at infinity.
#include "activation.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// x s, and 0 where s is 0, though x may be infinite.
__device__ __forceinline__ float weighted(float x, float s) {
  return s == 0 ? s : x * s;
}
// x, but no further from 0 than a limit beyond which nothing changes: infinity times 0 would be NaN.
__device__ __forceinline__ float bounded(float x, float limit) {
  return x < -limit ? -limit : x > limit ? limit : x;
}
__device__ __forceinline__ float sigmoid(float x) {
  return 1 / (1 + expf(-x));
}
// log(1 + e^x)
__device__ __forceinline__ float log_one_plus_exp(float x) {
  return (x < 0 ? 0 : x) + log1pf(expf(-fabsf(x)));
}
// d/dx x sigmoid(z) = s + x dz/dx s (1 - s), the latter two from e = e^-|z|: neither loses digits to the other.
__device__ __forceinline__ float weighted_sigmoid_slope(float z, float x_slope) {
  const float e = expf(-fabsf(z)), inverse = 1 / (1 + e);
  return x_slope * (e * inverse * inverse) + (z > 0 ? inverse : e * inverse);
}

struct Sigmoid {
  static __device__ float value(float x, auto...) { return sigmoid(x); }
  static __device__ float gradient(float dy, float y, auto...) { return dy * y * (1 - y); }
};
struct Tanh {
  static __device__ float value(float x, auto...) { return tanhf(x); }
  // (1 - y) (1 + y): 1 - y is exact where y is near 1
  static __device__ float gradient(float dy, float y, auto...) { return dy * ((1 - y) * (1 + y)); }
};
struct Softsign {  // x / (1 + |x|)
  static __device__ float value(float x, auto...) {
    const float b = bounded(x, 1e30f);
    return b / (1 + fabsf(b));
  }
  static __device__ float gradient(float dy, float x, auto...) {
    const float inverse = 1 / (1 + fabsf(x));
    return dy * (inverse * inverse);
  }
};
struct Softplus {  // log(1 + e^(beta x)) / beta, and x where beta x > threshold
  static __device__ float value(float x, float beta, float threshold) {
    return beta * x > threshold ? x : log_one_plus_exp(beta * x) / beta;
  }
  static __device__ float gradient(float dy, float x, float beta, float threshold) {
    return beta * x > threshold ? dy : dy * sigmoid(beta * x);
  }
};
struct Logsigmoid {
  static __device__ float value(float x, auto...) { return -log_one_plus_exp(-x); }
  static __device__ float gradient(float dy, float x, auto...) { return dy * sigmoid(-x); }
};
struct Silu {  // x sigmoid(beta x)
  static __device__ float value(float x, float beta, auto...) { return weighted(x, sigmoid(beta * x)); }
  static __device__ float gradient(float dy, float x, float beta, auto...) {
    const float z = bounded(beta * x, 800);
    return dy * weighted_sigmoid_slope(z, z);
  }
};

// x t with t = tanh(log(1 + e^x)) = ((1 + e^x)^2 - 1) / ((1 + e^x)^2 + 1), by e = e^-|x| so that nothing overflows
struct Mish {
  static __device__ float value(float x, auto...) {
    const float e = expf(-fabsf(x)), top = numerator(x, e);
    return weighted(x, top / denominator(x, e, top));
  }
  // t + x dt/dx, with dt/dx = 4 e^x (1 + e^x) / ((1 + e^x)^2 + 1)^2
  static __device__ float gradient(float dy, float x, auto...) {
    const float b = bounded(x, 800), e = expf(-fabsf(b)), top = numerator(b, e), inverse = 1 / denominator(b, e, top);
    return dy * (top * inverse + b * (4 * (b > 0 ? e * e : e) * (1 + e) * (inverse * inverse)));
  }
  // Of t, both times e^-2x where x > 0.
  static __device__ float numerator(float x, float e) { return x > 0 ? 1 + 2 * e : e * (2 + e); }
  static __device__ float denominator(float x, float e, float numerator) {
    return numerator + 2 * (x > 0 ? e * e : 1.0f);
  }
};

// x P(X <= x) of a normal X: Hendrycks & Gimpel 2016
struct Gelu {
  static __device__ float value(float x, auto...) { return weighted(x, probability(x)); }
  static __device__ float gradient(float dy, float x, auto...) {
    const float b = bounded(x, 40);
    return dy * (probability(x) + b * (0.39894228040143268f * expf(-0.5f * b * b)));
  }
  static __device__ float probability(float x) { return 0.5f * erfcf(-0.70710678118654752f * x); }
};
// The same paper's x (1 + tanh(z / 2)) / 2 = x sigmoid(z), z = 2 sqrt(2 / pi) (x + 0.044715 x^3)
struct GeluByTanh {
  static constexpr float first = 1.5957691216057307f, third = 0.044715f * first;
  static __device__ float value(float x, auto...) { return weighted(x, sigmoid(x * (first + third * x * x))); }
  static __device__ float gradient(float dy, float x, auto...) {
    const float b = bounded(x, 40), square = b * b;
    return dy * weighted_sigmoid_slope(b * (first + third * square), b * (first + 3 * third * square));
  }
};

}  // namespace

ACTIVATION(sigmoid, Sigmoid)
ACTIVATION(tanh, Tanh)
ACTIVATION(softsign, Softsign)
ACTIVATION(softplus, Softplus)
ACTIVATION(logsigmoid, Logsigmoid)
ACTIVATION(silu, Silu)
ACTIVATION(mish, Mish)

// a: whether it is tanh's.
template <class T>
void gelu_forward(const ActivationMap& p, const T* x, T* y) {
  constexpr const char* name = "gelu_forward";
  p.a == 0 ? activation_forward<Gelu>(name, p, x, y) : activation_forward<GeluByTanh>(name, p, x, y);
}
INSTANTIATE(gelu_forward)

template <class T>
void gelu_backward(const ActivationMap& p, const T* dy, const T* x, T* dx) {
  constexpr const char* name = "gelu_backward";
  p.a == 0 ? activation_backward<Gelu>(name, p, dy, x, dx) : activation_backward<GeluByTanh>(name, p, dy, x, dx);
}
INSTANTIATE(gelu_backward)

}  // namespace convolith::CONVOLITH_DEVICE
