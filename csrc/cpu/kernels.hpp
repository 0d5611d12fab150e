// Declares every kernel of kernels.inc in this instruction set's namespace.
#pragma once

#include "../half.hpp"
#include "../shapes.hpp"
#include "vec.hpp"

namespace convolith::CONVOLITH_ISA {
#define KERNEL(name, Problem, ...) \
  template <class T>               \
  void name(const Problem& p, __VA_ARGS__);
#include "../kernels.inc"
#undef KERNEL
}  // namespace convolith::CONVOLITH_ISA

// Compiles a kernel for both types; one line after its definition.
#define INSTANTIATE(name)                     \
  template decltype(name<float>) name<float>; \
  template decltype(name<double>) name<double>;
