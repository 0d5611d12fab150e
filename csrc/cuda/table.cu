// Fills this device's table.
#include "../kernels.hpp"
#include "launch.hpp"

#define CONVOLITH_TEXT_(x) #x
#define CONVOLITH_TEXT(x) CONVOLITH_TEXT_(x)

namespace convolith::CONVOLITH_DEVICE {

void fill(Tables& tables) {
#define KERNEL(name, Problem, ...)                                                        \
  tables.f32.name = {#name, CONVOLITH_TEXT(CONVOLITH_DEVICE), &name<float>};              \
  tables.f64.name = {#name, CONVOLITH_TEXT(CONVOLITH_DEVICE) " float64", nullptr};        \
  tables.f16.name = {#name, CONVOLITH_TEXT(CONVOLITH_DEVICE) " float16", &name<float16>}; \
  tables.bf16.name = {#name, CONVOLITH_TEXT(CONVOLITH_DEVICE) " bfloat16", &name<bfloat16>};
#define CPU_KERNEL(name, Problem, ...)                                  \
  tables.f32.name = {#name, CONVOLITH_TEXT(CONVOLITH_DEVICE), nullptr}; \
  tables.f64.name = {#name, CONVOLITH_TEXT(CONVOLITH_DEVICE), nullptr}; \
  tables.f16.name = {#name, CONVOLITH_TEXT(CONVOLITH_DEVICE), nullptr}; \
  tables.bf16.name = {#name, CONVOLITH_TEXT(CONVOLITH_DEVICE), nullptr};
#include "../kernels.inc"
#undef KERNEL
}

}  // namespace convolith::CONVOLITH_DEVICE
