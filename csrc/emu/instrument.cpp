// What kernels compiled with -fsanitize=thread call before each access, and with -fsanitize-coverage=trace-pc at each
// basic block.  The entry points are those of the sanitizers' runtimes, which are not linked: these tell whoever
// watches the grid, and outside of a grid do nothing.
#include "observer.hpp"

using convolith::emu::Access;
using convolith::emu::watching;

#define ENTRY extern "C" __attribute__((visibility("hidden"))) void
#define ACCESS(name, what, bytes, alignment)                                                        \
  ENTRY __tsan_##name(const void* p) {                                                              \
    if (watching) watching->access(Access::what, p, bytes, alignment, __builtin_return_address(0)); \
  }
#define ACCESSES(bytes)                                  \
  ACCESS(read##bytes, read, bytes, bytes)                \
  ACCESS(write##bytes, write, bytes, bytes)              \
  ACCESS(unaligned_read##bytes, read, bytes, 1)          \
  ACCESS(unaligned_write##bytes, write, bytes, 1)        \
  ACCESS(volatile_read##bytes, read, bytes, bytes)       \
  ACCESS(volatile_write##bytes, write, bytes, bytes)     \
  ACCESS(unaligned_volatile_read##bytes, read, bytes, 1) \
  ACCESS(unaligned_volatile_write##bytes, write, bytes, 1)
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

ENTRY __tsan_read_range(const void* p, std::size_t bytes) {
  if (watching) watching->access(Access::read, p, bytes, 1, __builtin_return_address(0));
}
ENTRY __tsan_write_range(const void* p, std::size_t bytes) {
  if (watching) watching->access(Access::write, p, bytes, 1, __builtin_return_address(0));
}

ENTRY __tsan_init() {}
ENTRY __tsan_func_entry(const void*) {
  if (watching) watching->enter_function();
}
ENTRY __tsan_func_exit() {
  if (watching) watching->leave_function();
}
ENTRY __sanitizer_cov_trace_pc() {
  if (watching) watching->step(__builtin_return_address(0));
}
