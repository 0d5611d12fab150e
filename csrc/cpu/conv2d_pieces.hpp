// The pieces that images are cut into where filters are in vectors.
#pragma once

#include "vec.hpp"

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

}  // namespace convolith::CONVOLITH_ISA
