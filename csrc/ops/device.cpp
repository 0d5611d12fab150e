#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {

Array to_device(const Array& x, const Text& device) {
  const Check check("to_device");
  check.array(x, "x");
  if (x.dtype == DType::other) check.type_error("arrays are float32, float64 or int64, got ", x.unfit);
  return convolith::to_device(x, check.device(device));
}

void assign(const Array& x, const Array& values) {
  const Check check("assign");
  check.array(values, "values");
  check.has_shape(values, "values", x.shape);
  if (values.dtype != x.dtype)
    check.type_error("values are ", values.dtype == DType::other ? values.unfit : name_of(values.dtype),
                     " but the array is ", name_of(x.dtype));
  const Array there = convolith::to_device(values, x.device);
  runtime(x.device).copy(x.data, there.data, x.bytes());
}

}  // namespace convolith::ops
