// What the direct kernels with filters in vectors share: the pieces that images are cut into, and their padded copies.
#pragma once

#include "pack.hpp"

namespace convolith::CONVOLITH_ISA {

// What goes through the micro-kernel together: at most some `most` positions, and `most_rows` rows, of one image of
// P x Q or of several.
struct Pieces {
  std::int64_t images, rows, positions;
  std::int64_t per_image, count;  // one of per_image and images is 1

  Pieces(std::int64_t N, std::int64_t P, std::int64_t Q, std::int64_t most, std::int64_t most_rows) {
    const std::int64_t fitting = max_of<std::int64_t>(1, min_of(min_of(most / Q, most_rows), P));
    per_image = ceil_div(P, fitting);
    rows = ceil_div(P, per_image);
    per_image = ceil_div(P, rows);
    images = per_image > 1 ? 1 : max_of<std::int64_t>(1, min_of(N, min_of(most / Q, most_rows) / P));
    while (N % images != 0) --images;  // equal pieces
    positions = images * rows * Q;
    count = per_image * ceil_div(N, images);
  }
};

// Rows [row, row + rows) of planes x (channels, H, W) with their padding, to out (channels, rows, columns.count).
template <class T>
CONVOLITH_INLINE void copy_rows(const T* x, std::int64_t channels, std::int64_t H, std::int64_t W,
                                const Columns& columns, PaddingMode mode, std::int64_t row, std::int64_t rows, T* out,
                                std::int64_t plane) {
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t h = source(row + i, H, mode);
      T* to = out + c * plane + i * columns.count;
      if (h < 0)
        fill_zero(to, columns.count);
      else
        pack_row(x + (c * H + h) * W, columns, to);
    }
}

}  // namespace convolith::CONVOLITH_ISA
