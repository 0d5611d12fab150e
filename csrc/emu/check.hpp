// The checked build: stops a grid at the first access that a GPU would not forgive, or would forgive only sometimes.
//
// Looked for: accesses outside of every array or across the end of one; misaligned ones; reads of bytes that nobody has
// written; two accesses to a byte by different threads, one of them a write, that no barrier, no mbarrier and no
// __syncwarp orders (in shared memory, and in global memory between blocks too, where only atomics are forgiven).
// Copies and products that go on by themselves count as their thread's until somebody waits for them.  Of two waiting
// threads that never meet, block.cpp tells.
#pragma once

#include <cstdint>

namespace convolith::emu {

// An array in the device's memory; `written` if its bytes count as such already.
void register_memory(void* p, std::int64_t bytes, bool written);
void forget_memory(void* p) noexcept;
// Bytes of a registered array that the host has written.
void mark_written(const void* p, std::int64_t bytes);
// For when kernels run unwatched from here on.
void mark_everything_written();
// How many of these bytes nobody has written: 0 once a kernel has filled its outputs.
std::int64_t unwritten_bytes(const void* p, std::int64_t bytes);

}  // namespace convolith::emu
