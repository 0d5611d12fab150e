#pragma once

#include "../runtime.hpp"

namespace convolith::CONVOLITH_DEVICE {
// x (batch, rows, columns) to y (batch, columns, rows), elements of 4 or 8 bytes
void transpose(const Transpose& p, std::int64_t item_size, const void* x, void* y);
}  // namespace convolith::CONVOLITH_DEVICE
