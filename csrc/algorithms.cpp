#include "algorithms.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace convolith {
namespace {

std::atomic<bool>& exact() {
  static std::atomic<bool> value = [] {
    const char* wish = std::getenv("CONVOLITH_EXACT");
    return wish && *wish && std::strcmp(wish, "0") != 0;
  }();
  return value;
}

}  // namespace

bool exact_only() noexcept {
  return exact().load(std::memory_order_relaxed);
}
void set_exact_only(bool value) noexcept {
  exact() = value;
}

}  // namespace convolith
