// Atomics: threads of a block take turns, and blocks too, so what remains is to tell of the access.
#include "cuda.hpp"
#include "observer.hpp"

namespace {

// *p becomes next(*p); what it was before.
template <class T, class Next>
T update(T* p, Next next, const void* code) {
  convolith::emu::announce(convolith::emu::Access::atomic, p, sizeof(T), code);
  const T before = *p;
  *p = next(before);
  return before;
}
template <class T>
T add(T* p, T value, const void* code) {
  return update(p, [=](T before) { return before + value; }, code);
}

}  // namespace

int atomicAdd(int* p, int value) {
  return add(p, value, __builtin_return_address(0));
}
unsigned atomicAdd(unsigned* p, unsigned value) {
  return add(p, value, __builtin_return_address(0));
}
unsigned long long atomicAdd(unsigned long long* p, unsigned long long value) {
  return add(p, value, __builtin_return_address(0));
}
float atomicAdd(float* p, float value) {
  return add(p, value, __builtin_return_address(0));
}
float atomicExch(float* p, float value) {
  return update(p, [=](float) { return value; }, __builtin_return_address(0));
}
