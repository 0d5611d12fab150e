#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

void movable(const Check& check, const Array& x) {
  check.array(x, "x");
  if (x.dtype == DType::other || x.dtype == DType::u8)
    check.type_error("arrays are float16, float32, float64 or int64, got ", dtype_text(x));
}

}  // namespace

Array to_device(const Array& x, const Text& device, const Flag& non_blocking) {
  const Check check("to_device");
  movable(check, x);
  // A copy that stands for x lives no longer than this call.
  const bool wait = !check.flag(non_blocking, "non_blocking") || x.copy;
  return convolith::to_device(x, check.device(device), wait);
}

Array to_pinned(const Array& x, const Text& device) {
  const Check check("pin_memory");
  movable(check, x);
  check.require(x.device == Device::cpu, "x is on ", name_of(x.device), "; memory of the CPU is pinned");
  const Device where = check.device(device);
  check.require(where != Device::cpu, "device must be 'cuda' or 'emu', got 'cpu'");
  return convolith::to_pinned(x, where);
}

Array cast(const Array& x, const Text& dtype) {
  const Check check("cast");
  check.array(x, "x");
  check.require(x.device != Device::cpu, "x is on the cpu, where .astype() casts");
  check.require(x.dtype == DType::f32 || is_half(x.dtype), "x must be float32, float16 or bfloat16, got ",
                name_of(x.dtype));
  return convolith::cast(x, check.dtype(dtype, {DType::f32, DType::f16, DType::bf16}));
}

Array full(const ShapeArg& shape, const Real& value, const Text& dtype, const Text& device) {
  const Check check("full");
  const Device where = check.device(device);
  check.require(where != Device::cpu, "device must be 'cuda' or 'emu', got 'cpu', where numpy.full() serves");
  const DType type = check.dtype(dtype, {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i64});
  return convolith::full(check.shape(shape, "shape"), check.finite(value, "value"), type, where);
}

void assign(const Array& x, const Array& values) {
  const Check check("assign");
  check.array(values, "values");
  check.has_shape(values, "values", x.shape);
  if (values.dtype != x.dtype)
    check.type_error("values are ", dtype_text(values), " but the array is ", name_of(x.dtype));
  if (values.data == x.data) return;
  const Array there = values.device == x.device ? values : convolith::to_device(values, x.device);
  runtime(x.device).copy(x.data, there.data, x.bytes());
}

}  // namespace convolith::ops
