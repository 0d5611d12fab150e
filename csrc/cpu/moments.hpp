// Mean and squared deviations of blocks, joined to those of all: what batch_norm.cpp and group_norm.cpp share.
#pragma once

#include "vec.hpp"

namespace convolith::CONVOLITH_ISA {

struct Statistics {
  double n = 0, mean = 0, squares = 0;  // squares: sum of (x - mean)^2

  // Joins a block of `size` values, of which pivot is about the mean, rest the sum of x - pivot and square that of
  // (x - pivot)^2 (Chan, Golub & LeVeque 1983, eq. 1.7 and 2.1).
  CONVOLITH_INLINE void join(double size, double pivot, double rest, double square) {
    const double both = n + size, delta = pivot + rest / size - mean;
    mean += delta * (size / both);
    const double within = square - rest * rest / size;
    squares += (within < 0 ? 0 : within) + delta * delta * (n / both * size);
    n = both;
  }
};

}  // namespace convolith::CONVOLITH_ISA
