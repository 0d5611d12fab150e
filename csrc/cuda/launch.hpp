// The seam between kernels and what runs them: nvcc and a GPU, or the host compiler and emu/.  Kernels are written
// once, against the names of this file and of CUDA C++.
#pragma once

#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include "../emu/cuda.hpp"
#endif
#include "../half.hpp"
#include "../shapes.hpp"

namespace convolith::CONVOLITH_DEVICE {

// A build for float alone has some kernels for halves; the others are null.
#ifdef CONVOLITH_FLOAT_ONLY
#define OPTIONAL __attribute__((weak))
#else
#define OPTIONAL
#endif

// Declares the kernels of kernels.inc: arrays as in runtime.hpp, channels last.
#define KERNEL(name, Problem, ...) \
  template <class T>               \
  OPTIONAL void name(const Problem& p, __VA_ARGS__);
#define CPU_KERNEL(...)
#include "../kernels.inc"
#undef KERNEL

// Scratch memory for one launcher, from the device's pool.  What it held may go to the next kernel of the same stream.
void* acquire_scratch(std::int64_t bytes);
void release_scratch(void* block) noexcept;
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t n)
      : data_(n > 0 ? static_cast<T*>(acquire_scratch(n * static_cast<std::int64_t>(sizeof(T)))) : nullptr) {}
  ~Scratch() {
    if (data_) release_scratch(data_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* get() const { return data_; }

 private:
  T* data_;
};

// V values side by side, which move as one: 16 bytes at a time, or all of them where they are less.
template <class T, int V>
struct alignas(V * sizeof(T) < 16 ? V * sizeof(T) : 16) Vector {
  static constexpr int size = V;
  T v[V];
};

template <class A, class B>
__host__ __device__ constexpr auto ceil_div(A a, B b) {
  return (a + b - 1) / b;
}

template <class T>
using Same = T;  // lets an array type stand before a name: Same<float[32]> part

#ifdef __CUDACC__

cudaStream_t current_stream();  // that this thread's kernels go to
// Throws std::runtime_error, naming the kernel and its launch, if the launch failed.
void check_launch(const char* name, dim3 grid, dim3 block, std::size_t shared_bytes);
void allow_shared(const void* kernel, std::size_t bytes);  // more than 48 KiB
bool has_wgmma();  // whether the current device has compute capability 9.0, and with it wgmma.hpp's instructions

// Runs kernel(arguments...) on a grid.
template <class... P, class... A>
void launch(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared_bytes, A... arguments) {
  if (shared_bytes > 48 * 1024) allow_shared(reinterpret_cast<const void*>(kernel), shared_bytes);
  kernel<<<grid, block, shared_bytes, current_stream()>>>(static_cast<P>(arguments)...);
  check_launch(name, grid, block, shared_bytes);
}
#define SHARED(name, ...) __shared__ Same<__VA_ARGS__> name
#define DYNAMIC_SHARED(name, T)                               \
  extern __shared__ __align__(1024) unsigned char dynamic_[]; \
  T* name = reinterpret_cast<T*>(dynamic_)

#else

emu::Observer* observer();  // of this build's kernels: null, or what checks or counts their accesses
constexpr bool has_wgmma() {
  return true;
}

template <class... P, class... A>
void launch(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared_bytes, A... arguments) {
  const auto call = [=]() CONVOLITH_UNWATCHED { kernel(static_cast<P>(arguments)...); };
  static_assert(__is_trivially_copyable(decltype(call)) && alignof(decltype(call)) <= alignof(std::max_align_t));
  emu::launch_grid(
      name, {grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared_bytes,
      [](const void* it) { (*static_cast<const decltype(call)*>(it))(); }, &call, sizeof call, observer());
}
#define SHARED(name, ...)                        \
  static const char name_of_##name[] = #name;    \
  auto& name = *static_cast<Same<__VA_ARGS__>*>( \
      ::convolith::emu::shared_memory(name_of_##name, sizeof(Same<__VA_ARGS__>), alignof(Same<__VA_ARGS__>)))
#define DYNAMIC_SHARED(name, T) T* name = static_cast<T*>(::convolith::emu::dynamic_shared_memory())

#endif

// Blocks of `threads` that give each of n elements a thread, but no more than a GPU keeps busy: for kernels that
// stride over the grid.
inline unsigned grid_for(std::int64_t n, int threads) {
  const std::int64_t blocks = ceil_div(n, threads), most = 16 * 132;
  return static_cast<unsigned>(blocks < most ? blocks : most);
}

}  // namespace convolith::CONVOLITH_DEVICE

// Compiles a kernel for each type that it serves; one line after its definition.
#ifdef CONVOLITH_FLOAT_ONLY
#define INSTANTIATE(name) template decltype(name<float>) name<float>;
#else
#define INSTANTIATE(name)                         \
  template decltype(name<float>) name<float>;     \
  template decltype(name<float16>) name<float16>; \
  template decltype(name<bfloat16>) name<bfloat16>;
#endif
