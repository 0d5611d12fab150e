// A backend is a table: one function pointer per line of kernels.inc.
#pragma once

#include <stdexcept>
#include <string>
#include <type_traits>

#include "array.hpp"
#include "half.hpp"
#include "shapes.hpp"
#include "threads.hpp"

namespace convolith {

// One entry.  A kernel that a backend lacks is null, and calling it says so; there is no silent slow path.
template <class Signature>
struct Kernel;
template <class... Args>
struct Kernel<void(Args...)> {
  const char* name = "";
  const char* backend = "";
  void (*function)(Args...) = nullptr;

  void require() const {
    if (!function) throw std::invalid_argument(std::string(name) + ": there is no " + backend + " kernel");
  }
  void operator()(Args... args) const {
    require();
    const ThreadScope threads;
    function(args...);
  }
};

template <class T>
struct Kernels {
#define KERNEL(name, Problem, ...) Kernel<void(const Problem&, __VA_ARGS__)> name;
#include "kernels.inc"
#undef KERNEL
};

struct Tables {
  Kernels<float> f32;
  Kernels<double> f64;
  Kernels<float16> f16;
  Kernels<bfloat16> bf16;
};

// dispatch.cpp
const Tables& tables(Device device);

template <class T>
const Kernels<T>& kernels(Device device) {
  if constexpr (std::is_same_v<T, float>)
    return tables(device).f32;
  else if constexpr (std::is_same_v<T, double>)
    return tables(device).f64;
  else if constexpr (std::is_same_v<T, float16>)
    return tables(device).f16;
  else
    return tables(device).bf16;
}

}  // namespace convolith
