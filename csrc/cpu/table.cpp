// Fills this instruction set's table.
#include "../kernels.hpp"
#include "kernels.hpp"

#define CONVOLITH_TEXT_(x) #x
#define CONVOLITH_TEXT(x) CONVOLITH_TEXT_(x)

namespace convolith::CONVOLITH_ISA {

void fill(Tables& tables) {
#define KERNEL(name, Problem, ...)                                                     \
  tables.f32.name = {#name, "cpu " CONVOLITH_TEXT(CONVOLITH_ISA), &name<float>};       \
  tables.f64.name = {#name, "cpu " CONVOLITH_TEXT(CONVOLITH_ISA), &name<double>};      \
  tables.f16.name = {#name, "cpu " CONVOLITH_TEXT(CONVOLITH_ISA) " float16", nullptr}; \
  tables.bf16.name = {#name, "cpu " CONVOLITH_TEXT(CONVOLITH_ISA) " bfloat16", nullptr};
#include "../kernels.inc"
#undef KERNEL
}

}  // namespace convolith::CONVOLITH_ISA
