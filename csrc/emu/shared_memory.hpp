// The shared memory of the block that runs: the dynamic array, and behind it the static ones, as kernels meet them.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace convolith::emu {

class Observer;  // observer.hpp

class SharedMemory {
 public:
  SharedMemory();

  // A new block has it; all bits are 1 (NaN, -1).  `observer` may be null.
  void begin(std::size_t dynamic_bytes, Observer* observer);
  // The same array for the same name, which is told apart by its address.
  void* array(const char* name, std::size_t bytes, std::size_t alignment);

  char* dynamic() { return pages_[0].bytes; }
  char* end();

 private:
  struct alignas(1024) Page {  // what the strictest instruction on shared memory asks for
    char bytes[1024];
  };
  struct Array {
    const char* name;
    std::size_t offset;
  };

  std::unique_ptr<Page[]> pages_;
  std::vector<Array> arrays_;
  std::size_t used_ = 0, bytes_ = 0;  // with and without gaps
  Observer* observer_ = nullptr;
};

constexpr std::size_t shared_capacity = 227 * 1024;  // what an H100 gives a block

}  // namespace convolith::emu
