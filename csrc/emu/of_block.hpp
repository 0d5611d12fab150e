// What is kept for the block that runs, and forgotten when another one begins.
#pragma once

#include <cstdint>

#include "block.hpp"

namespace convolith::emu {

template <class State>
class OfBlock {
 public:
  State& operator*() {
    if (block_ != block_number()) state_ = {};
    block_ = block_number();
    return state_;
  }
  State* operator->() { return &**this; }

 private:
  State state_;
  std::uint64_t block_ = 0;
};

}  // namespace convolith::emu
