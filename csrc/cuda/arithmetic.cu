// Arithmetic, element by element: every operand read once and y written once, which bounds it.
#include "broadcast.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

struct Add {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Subtract {
  __device__ float operator()(float a, float b) const { return a - b; }
};
struct Multiply {
  __device__ float operator()(float a, float b) const { return a * b; }
};
struct Divide {
  __device__ float operator()(float a, float b) const { return a / b; }
};

// f with one operand the same everywhere: an element, or a number where there is none.
template <class F, class T>
struct WithA {
  const T* a;
  float number;
  __device__ float operator()(float b) const { return F{}(a ? static_cast<float>(*a) : number, b); }
};
template <class F, class T>
struct WithB {
  const T* b;
  float number;
  __device__ float operator()(float a) const { return F{}(a, b ? static_cast<float>(*b) : number); }
};

// y = f(a, b), y (rows, width in packs of V): a block (x, y) for y rows, x packs of each at a time; b may be null
template <int V, class F, class T>
__global__ void broadcast_kernel(Broadcast p, std::int64_t rows, const T* a, const T* b, T* y) {
  const int inner = p.rank - 1;
  const std::int64_t row = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y, width = p.extent[inner] / V;
  if (row >= rows) return;
  const Place at = place_of(p, 0, inner, row);
  for (std::int64_t i = std::int64_t{blockIdx.y} * blockDim.x + threadIdx.x; i < width; i += gridDim.y * blockDim.x) {
    const auto v = load<V>(a + at.a + i * V * p.a[inner], p.a[inner]);
    Vector<float, V> w;
    if (b) {
      w = load<V>(b + at.b + i * V * p.b[inner], p.b[inner]);
    } else {
#pragma unroll
      for (int j = 0; j < V; ++j) w.v[j] = static_cast<float>(p.number);
    }
    Vector<T, V> out;
#pragma unroll
    for (int j = 0; j < V; ++j) out.v[j] = static_cast<T>(F{}(v.v[j], w.v[j]));
    reinterpret_cast<Vector<T, V>*>(y)[row * width + i] = out;
  }
}

template <int V, class F, class T>
void map_rows(const char* name, const Broadcast& p, const T* a, const T* b, T* y) {
  std::int64_t rows = 1;
  for (int i = 0; i < p.rank - 1; ++i) rows *= p.extent[i];
  const auto extent = [](std::int64_t wanted, unsigned most) {
    return wanted < most ? static_cast<unsigned>(wanted) : most;
  };
  const std::int64_t width = p.extent[p.rank - 1] / V;
  const unsigned x = extent(width, 256), lines = extent(rows, 256 / x);
  const dim3 grid(static_cast<unsigned>(ceil_div(rows, lines)), extent(ceil_div(width, x), 65535));
  launch(name, broadcast_kernel<V, F, T>, grid, dim3(x, lines), 0, p, rows, a, b, y);
}

template <class F, class T>
void map_broadcast(const char* name, F, const Broadcast& p, const T* a, const T* b, T* y) {
  constexpr int V = Pack<T>::size;
  const int inner = p.rank - 1;
  const auto number = static_cast<float>(p.number);
  if (p.rank == 1 && p.a[0] == 1 && p.b[0] == 1 && a && b)
    map(name, p.extent[0], F{}, y, a, b);
  else if (p.rank == 1 && p.a[0] == 1 && a)
    map(name, p.extent[0], WithB<F, T>{b, number}, y, a);
  else if (p.rank == 1 && p.b[0] == 1)
    map(name, p.extent[0], WithA<F, T>{a, number}, y, b);
  else if (moves_packed(p, p.a, inner, V) && moves_packed(p, p.b, inner, V))
    map_rows<V, F>(name, p, a, b, y);
  else
    map_rows<1, F>(name, p, a, b, y);
}

// x^exponent, x^2 and its like without the general function
struct Raised {
  float exponent;
  __device__ float operator()(float x) const {
    if (exponent == 0) return 1;
    if (exponent == 1) return x;
    if (exponent == 2) return x * x;
    if (exponent == 3) return x * x * x;
    if (exponent == 0.5f) return sqrtf(x);
    if (exponent == -0.5f) return 1 / sqrtf(x);
    if (exponent == -1) return 1 / x;
    if (exponent == -2) return 1 / (x * x);
    return powf(x, exponent);
  }
};
struct RaisedGradient {
  float exponent, below;  // below = exponent - 1
  __device__ float operator()(float dy, float x) const {
    return exponent == 0 ? 0 : dy * (exponent * Raised{below}(x));
  }
};

}  // namespace

// a and b as p says, either null: p.number; y = a + b
template <class T>
void add_forward(const Broadcast& p, const T* a, const T* b, T* y) {
  map_broadcast("add_forward", Add{}, p, a, b, y);
}
INSTANTIATE(add_forward)

template <class T>
void subtract_forward(const Broadcast& p, const T* a, const T* b, T* y) {
  map_broadcast("subtract_forward", Subtract{}, p, a, b, y);
}
INSTANTIATE(subtract_forward)

template <class T>
void multiply_forward(const Broadcast& p, const T* a, const T* b, T* y) {
  map_broadcast("multiply_forward", Multiply{}, p, a, b, y);
}
INSTANTIATE(multiply_forward)

template <class T>
void divide_forward(const Broadcast& p, const T* a, const T* b, T* y) {
  map_broadcast("divide_forward", Divide{}, p, a, b, y);
}
INSTANTIATE(divide_forward)

// x, y (n): y = x^exponent
template <class T>
void power_forward(const Power& p, const T* x, T* y) {
  map("power_forward", p.n, Raised{static_cast<float>(p.exponent)}, y, x);
}
INSTANTIATE(power_forward)

// dy, x, dx (n): dx = dy exponent x^(exponent - 1)
template <class T>
void power_backward(const Power& p, const T* dy, const T* x, T* dx) {
  map("power_backward", p.n, RaisedGradient{static_cast<float>(p.exponent), static_cast<float>(p.exponent - 1)}, dx, dy,
      x);
}
INSTANTIATE(power_backward)

}  // namespace convolith::CONVOLITH_DEVICE
