// Activations in straight pieces, and those with an exponential below zero.  What a comparison does with NaN, which is
// neither below nor above, is PyTorch's.
#include "activation.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// NaN stays.
__device__ __forceinline__ float clamp(float x, float least, float most) {
  return x < least ? least : x > most ? most : x;
}

// max(x, 0); of y <= 0 no gradient comes, of NaN it does.
struct Relu {
  static __device__ float value(float x, auto...) { return x < 0 ? 0 : x; }
  static __device__ float gradient(float dy, float y, auto...) { return y <= 0 ? 0 : dy; }
};
struct Relu6 {
  static __device__ float value(float x, auto...) { return clamp(x, 0, 6); }
  static __device__ float gradient(float dy, float y, auto...) { return y > 0 && y < 6 ? dy : 0; }
};
struct LeakyRelu {
  static __device__ float value(float x, float slope, auto...) { return x > 0 ? x : slope * x; }
  static __device__ float gradient(float dy, float x, float slope, auto...) { return x > 0 ? dy : slope * dy; }
};
struct Hardtanh {
  static __device__ float value(float x, float least, float most) { return clamp(x, least, most); }
  static __device__ float gradient(float dy, float x, float least, float most) {
    return x > least && x < most ? dy : 0;
  }
};
struct Hardsigmoid {
  static __device__ float value(float x, auto...) { return clamp(x + 3, 0, 6) / 6; }
  static __device__ float gradient(float dy, float x, auto...) { return x > -3 && x < 3 ? dy / 6 : 0; }
};
struct Hardswish {  // -infinity counts as -3
  static __device__ float value(float x, auto...) { return (x < -3 ? -3 : x) * Hardsigmoid::value(x); }
  static __device__ float gradient(float dy, float x, auto...) {
    return x <= -3 ? 0 : x >= 3 ? dy : dy * (x / 3 + 0.5f);
  }
};
struct Step {
  static __device__ float value(float x, float at_zero, auto...) { return x == 0 ? at_zero : x > 0 ? 1 : 0; }
  static __device__ float gradient(float, float, auto...) { return 0; }
};
struct Elu {
  static __device__ float value(float x, float alpha, auto...) { return x > 0 ? x : alpha * expm1f(x); }
  static __device__ float gradient(float dy, float x, float alpha, auto...) {
    return x > 0 ? dy : dy * alpha * expf(x);
  }
};
struct Selu {  // Klambauer et al. 2017, equation 14
  static constexpr float scale = 1.0507009873554804934f, alpha = 1.6732632423543772848f;
  static __device__ float value(float x, auto...) { return scale * Elu::value(x, alpha); }
  static __device__ float gradient(float dy, float x, auto...) { return Elu::gradient(scale * dy, x, alpha); }
};

}  // namespace

ACTIVATION(relu, Relu)
ACTIVATION(relu6, Relu6)
ACTIVATION(leaky_relu, LeakyRelu)
ACTIVATION(hardtanh, Hardtanh)
ACTIVATION(hardsigmoid, Hardsigmoid)
ACTIVATION(hardswish, Hardswish)
ACTIVATION(step, Step)
ACTIVATION(elu, Elu)
ACTIVATION(selu, Selu)

}  // namespace convolith::CONVOLITH_DEVICE
