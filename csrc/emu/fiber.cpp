#include "fiber.hpp"

#include <cstdint>

// save: where the stack pointer of the one that is left goes; load: that of the one that goes on.
extern "C" void convolith_emu_switch(void** save, void* load);

#if defined(__x86_64__)
asm(R"(
  .text
  .globl convolith_emu_switch
  .hidden convolith_emu_switch
  .type convolith_emu_switch, @function
convolith_emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size convolith_emu_switch, . - convolith_emu_switch
)");
#elif defined(__aarch64__)
asm(R"(
  .text
  .globl convolith_emu_switch
  .hidden convolith_emu_switch
  .type convolith_emu_switch, %function
convolith_emu_switch:
  sub sp, sp, #160
  stp x19, x20, [sp]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
  .size convolith_emu_switch, . - convolith_emu_switch
)");
#else
#error "fibers are written for x86-64 and aarch64"
#endif

namespace convolith::emu {

void prepare(Fiber& fiber, char* stack, std::size_t bytes, void (*entry)()) {
  const auto top = (reinterpret_cast<std::uintptr_t>(stack) + bytes) & ~std::uintptr_t{15};
  auto** frame = reinterpret_cast<void**>(top);
#if defined(__x86_64__)
  *--frame = nullptr;  // where a caller's return address would be: the stack is aligned as after a call
  *--frame = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--frame = nullptr;
#else
  frame -= 20;
  for (int i = 0; i < 20; ++i) frame[i] = nullptr;
  frame[11] = reinterpret_cast<void*>(entry);  // x30, where `ret` goes
#endif
  fiber.stack_pointer = frame;
}

void switch_fiber(Fiber& from, Fiber& to) {
  convolith_emu_switch(&from.stack_pointer, to.stack_pointer);
}

}  // namespace convolith::emu
