// The names of convolution's algorithms, and whether those that round more than a plain sum may be chosen.
#pragma once

#include "shapes.hpp"

namespace convolith {

constexpr Algorithm algorithms[] = {Algorithm::automatic, Algorithm::direct, Algorithm::gemm, Algorithm::depthwise,
                                    Algorithm::winograd};

constexpr const char* name_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::direct:
      return "direct";
    case Algorithm::gemm:
      return "gemm";
    case Algorithm::depthwise:
      return "depthwise";
    case Algorithm::winograd:
      return "winograd";
    case Algorithm::automatic:
      break;
  }
  return "auto";
}

// Exact: every output is one sum of products, rounded as such.  Winograd is not.
bool exact_only() noexcept;  // at first, whether CONVOLITH_EXACT is set to something but 0
void set_exact_only(bool exact) noexcept;

}  // namespace convolith
