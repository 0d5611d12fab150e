// Fibers: many threads of control on one processor, which hand it to each other.  A switch saves the registers that a
// call preserves, some 15 ns; ucontext's swapcontext asks the kernel for the signal mask each time, some 250.
#pragma once

#include <cstddef>

namespace convolith::emu {

struct Fiber {
  void* stack_pointer = nullptr;
};

// Makes `fiber` one that begins with entry(), which never returns, on the stack [stack, stack + bytes).
void prepare(Fiber& fiber, char* stack, std::size_t bytes, void (*entry)());
// Leaves `from`, the fiber that runs, and goes on where `to` was left.
void switch_fiber(Fiber& from, Fiber& to);

}  // namespace convolith::emu
