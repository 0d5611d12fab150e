#include "shared_memory.hpp"

#include <cstring>

#include "block.hpp"
#include "observer.hpp"

namespace convolith::emu {
namespace {

constexpr std::size_t room = 1024 * 1024, gap = 4096;  // between arrays that are watched

}  // namespace

SharedMemory::SharedMemory() : pages_(new Page[room / sizeof(Page)]) {}

char* SharedMemory::end() {
  return dynamic() + room;
}

void SharedMemory::begin(std::size_t dynamic_bytes, Observer* observer) {
  observer_ = observer;
  arrays_.clear();
  bytes_ = dynamic_bytes;
  used_ = dynamic_bytes + (observer ? gap : 0);
  std::memset(dynamic(), 0xff, dynamic_bytes);
}

void* SharedMemory::array(const char* name, std::size_t bytes, std::size_t alignment) {
  for (const Array& a : arrays_)
    if (a.name == name) return dynamic() + a.offset;
  const std::size_t offset = (used_ + alignment - 1) / alignment * alignment;
  bytes_ += bytes;
  if (bytes_ > shared_capacity) fail("more shared memory than a block can have");
  used_ = offset + bytes + (observer_ ? gap : 0);
  if (used_ > room) fail("more arrays in shared memory than the emulator has room for");
  char* array = dynamic() + offset;
  std::memset(array, 0xff, bytes);
  arrays_.push_back({name, offset});
  if (observer_) observer_->shared_array(name, array, bytes);
  return array;
}

}  // namespace convolith::emu
