// Memory of the emulated device.  Nothing lies within 4 KiB of a block, so that an index gone astray meets no other
// array.
#pragma once

#include <cstdint>

namespace convolith::emu {

// At least `bytes`, at the start of a page, contents undefined.  Throws std::bad_alloc.
void* guarded_allocate(std::int64_t bytes);
void guarded_release(void* block) noexcept;

}  // namespace convolith::emu
