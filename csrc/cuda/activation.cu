// Activations: one read and one write per element (two reads backward).
#include "elementwise.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// max(x, 0); NaN passes through because NaN < 0 is false.
struct Relu {
  __device__ float operator()(float x) const { return x < 0 ? 0 : x; }
};
struct ReluGradient {
  __device__ float operator()(float dy, float y) const { return y <= 0 ? 0 : dy; }
};
struct Leaky {
  float slope;
  __device__ float operator()(float x) const { return x > 0 ? x : slope * x; }
};
struct LeakyGradient {
  float slope;
  __device__ float operator()(float dy, float x) const { return x > 0 ? dy : slope * dy; }
};
struct Sigmoid {
  __device__ float operator()(float x) const { return 1 / (1 + expf(-x)); }
};
struct SigmoidGradient {
  __device__ float operator()(float dy, float y) const { return dy * y * (1 - y); }
};
struct Tanh {
  __device__ float operator()(float x) const { return tanhf(x); }
};
struct TanhGradient {  // (1 - y) (1 + y): 1 - y is exact where y is near 1
  __device__ float operator()(float dy, float y) const { return dy * ((1 - y) * (1 + y)); }
};

}  // namespace

// x, y, dy, dx (n)
template <class T>
void relu_forward(const Map& p, const T* x, T* y) {
  map("relu_forward", p.n, Relu{}, y, x);
}
INSTANTIATE(relu_forward)

template <class T>
void relu_backward(const Map& p, const T* dy, const T* y, T* dx) {
  map("relu_backward", p.n, ReluGradient{}, dx, dy, y);
}
INSTANTIATE(relu_backward)

template <class T>
void leaky_relu_forward(const LeakyRelu& p, const T* x, T* y) {
  map("leaky_relu_forward", p.n, Leaky{static_cast<float>(p.negative_slope)}, y, x);
}
INSTANTIATE(leaky_relu_forward)

template <class T>
void leaky_relu_backward(const LeakyRelu& p, const T* dy, const T* x, T* dx) {
  map("leaky_relu_backward", p.n, LeakyGradient{static_cast<float>(p.negative_slope)}, dx, dy, x);
}
INSTANTIATE(leaky_relu_backward)

template <class T>
void sigmoid_forward(const Map& p, const T* x, T* y) {
  map("sigmoid_forward", p.n, Sigmoid{}, y, x);
}
INSTANTIATE(sigmoid_forward)

template <class T>
void sigmoid_backward(const Map& p, const T* dy, const T* y, T* dx) {
  map("sigmoid_backward", p.n, SigmoidGradient{}, dx, dy, y);
}
INSTANTIATE(sigmoid_backward)

template <class T>
void tanh_forward(const Map& p, const T* x, T* y) {
  map("tanh_forward", p.n, Tanh{}, y, x);
}
INSTANTIATE(tanh_forward)

template <class T>
void tanh_backward(const Map& p, const T* dy, const T* y, T* dx) {
  map("tanh_backward", p.n, TanhGradient{}, dx, dy, y);
}
INSTANTIATE(tanh_backward)

}  // namespace convolith::CONVOLITH_DEVICE
