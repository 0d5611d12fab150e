// The names of convolution's algorithms, and whether those that round more than a plain sum may be chosen.
#pragma once

#include "shapes.hpp"

namespace convolith {

constexpr const char* algorithm_names[] = {"auto",     "direct",      "gemm", "depthwise",
                                           "winograd", "tensor_core", "mma",  "wgmma"};  // as in Algorithm

constexpr const char* name_of(Algorithm algorithm) {
  return algorithm_names[static_cast<int>(algorithm)];
}

// Exact: every output is one sum of products, rounded as such.  Winograd is not.
bool exact_only() noexcept;  // at first, whether CONVOLITH_EXACT is set to something but 0
void set_exact_only(bool exact) noexcept;

}  // namespace convolith
