#pragma once

#include "../runtime.hpp"

namespace convolith::CONVOLITH_DEVICE {
// x (batch, rows, columns) to y (batch, columns, rows), elements of 2, 4 or 8 bytes
void transpose(const Transpose& p, std::int64_t item_size, const void* x, void* y);
// x (n) to y (n), both float32, float16 or bfloat16
void cast(std::int64_t n, DType from, DType to, const void* x, void* y);
// x (n), any dtype
void fill_memory(std::int64_t n, DType dtype, double value, void* x);
}  // namespace convolith::CONVOLITH_DEVICE
