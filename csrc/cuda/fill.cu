// Arrays of one value: one write an element, which bounds it.
#include "elementwise.hpp"
#include "layout.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

template <class T>
struct Constant {
  T value;
  __device__ T operator()() const { return value; }
};

template <class T>
void run(std::int64_t n, double value, void* x) {
  map("fill", n, Constant<T>{static_cast<T>(value)}, static_cast<T*>(x));
}

}  // namespace

void fill_memory(std::int64_t n, DType dtype, double value, void* x) {
  if (dtype == DType::f32) return run<float>(n, value, x);
  if (dtype == DType::f16) return run<float16>(n, value, x);
  if (dtype == DType::bf16) return run<bfloat16>(n, value, x);
  if (dtype == DType::f64) return run<double>(n, value, x);
  run<std::int64_t>(n, value, x);
}

}  // namespace convolith::CONVOLITH_DEVICE
