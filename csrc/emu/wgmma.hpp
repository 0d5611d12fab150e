// The instructions of cuda/wgmma.hpp: the 128 threads of a warpgroup meet, and the last one to come acts for all.
// Operands are read twice, when the product begins and when it is waited for, and it is no number if they differ; sums
// are garbage in between.
#pragma once

#include <cstdint>

namespace convolith::emu {

struct WarpgroupProduct {
  float* sums;  // of this thread
  int columns;
  std::uint64_t a, b;  // descriptors
  bool a_across, b_across;
  bool bfloat16;  // or float16

  bool operator==(const WarpgroupProduct& other) const = default;
};
void begin_product(const WarpgroupProduct& product);
void fence_products();
void commit_products();
void wait_for_products(int most);  // returns when no more than `most` groups of this warpgroup are under way

std::uint32_t shared_address(const void* shared);  // as a GPU counts them

}  // namespace convolith::emu
