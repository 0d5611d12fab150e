// What joins arrays: the pieces of concat.  Bound by memory: one read and one write an element.
#include "elementwise.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// from (rows, from_pitch), to (rows, to_pitch), in units of V: a block (x, y) for y rows, x of each at a time
template <class V>
__global__ void copy_kernel(CopyRows p, const V* from, V* to) {
  const std::int64_t row = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  if (row >= p.rows) return;
  for (std::int64_t i = std::int64_t{blockIdx.y} * blockDim.x + threadIdx.x; i < p.width; i += gridDim.y * blockDim.x)
    to[row * p.to_pitch + i] = from[row * p.from_pitch + i];
}

template <class V>
void copy(const CopyRows& p, const V* from, V* to) {
  const auto extent = [](std::int64_t wanted, unsigned most) {
    return wanted < most ? static_cast<unsigned>(wanted) : most;
  };
  const unsigned x = extent(p.width, 256), y = extent(p.rows, 256 / x);
  const dim3 grid(static_cast<unsigned>(ceil_div(p.rows, y)), extent(ceil_div(p.width, x), 65535));
  launch("copy_rows", copy_kernel<V>, grid, dim3(x, y), 0, p, from, to);
}

}  // namespace

// from (rows, from_pitch), to (rows, to_pitch): the first `width` elements of each row
template <class T>
void copy_rows(const CopyRows& p, const T* from, T* to) {
  if (p.rows == 0 || p.width == 0) return;
  constexpr std::int64_t size = Pack<T>::size;
  const auto misaligned = reinterpret_cast<std::uintptr_t>(from) | reinterpret_cast<std::uintptr_t>(to);
  if ((p.width | p.from_pitch | p.to_pitch) % size == 0 && misaligned % sizeof(Pack<T>) == 0)
    copy(CopyRows{p.rows, p.width / size, p.from_pitch / size, p.to_pitch / size},
         reinterpret_cast<const Pack<T>*>(from), reinterpret_cast<Pack<T>*>(to));
  else
    copy(p, from, to);
}
INSTANTIATE(copy_rows)

}  // namespace convolith::CONVOLITH_DEVICE
