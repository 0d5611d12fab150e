#include "async_copy.hpp"

#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "block.hpp"
#include "observer.hpp"
#include "of_block.hpp"

namespace convolith::emu {
namespace {

struct Copy {
  void* to;
  const void* from;  // null: zeros
  std::size_t bytes;
  std::uint64_t group;
  const void* code;  // that began it
};

// What one thread has begun and not waited for yet.
struct Queue {
  std::vector<Copy> copies;
  std::uint64_t groups = 0;  // closed ones
};

// By thread; copies that nobody waited for end with their block.
thread_local OfBlock<std::unordered_map<int, Queue>> queues;

Queue& my_queue() {
  return (*queues)[position().linear];
}

}  // namespace

void begin_copy(void* shared, const void* global, std::size_t bytes, bool valid) {
  const void* code = __builtin_return_address(0);
  const auto misaligned = [bytes](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % bytes != 0; };
  if (misaligned(shared) || (valid && misaligned(global)))
    fail("an asynchronous copy of " + std::to_string(bytes) + " bytes is not aligned to them");
  if (valid) announce(Access::read, global, bytes, code);
  announce(Access::pending, shared, bytes, code);
  std::memset(shared, 0xff, bytes);
  Queue& queue = my_queue();
  queue.copies.push_back({shared, valid ? global : nullptr, bytes, queue.groups, code});
}

void close_copy_group() {
  ++my_queue().groups;
}

void wait_for_copies(int most) {
  Queue& queue = my_queue();
  auto copy = queue.copies.begin();
  for (; copy != queue.copies.end() && copy->group + static_cast<unsigned>(most) < queue.groups; ++copy) {
    announce(Access::write, copy->to, copy->bytes, copy->code);
    if (copy->from)
      std::memcpy(copy->to, copy->from, copy->bytes);
    else
      std::memset(copy->to, 0, copy->bytes);
  }
  queue.copies.erase(queue.copies.begin(), copy);
}

}  // namespace convolith::emu
