// The copies of cuda/async_copy.hpp.  What they will write is garbage from the moment they begin until the latest
// moment that the model allows, so that a missing wait or barrier shows, before them and after.
#pragma once

#include <cstddef>

namespace convolith::emu {

void begin_copy(void* shared, const void* global, std::size_t bytes, bool valid);
void close_copy_group();
void wait_for_copies(int most);  // returns when no more than `most` groups of this thread are under way

}  // namespace convolith::emu
