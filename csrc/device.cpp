// Arrays of any device: memory, copies, and the way between row-major and channels-last order.
#include <cstring>

#include "graph.hpp"
#include "memory.hpp"
#include "runtime.hpp"

namespace convolith {
namespace {

void transpose(const Array& from, const Array& to, std::int64_t rows, std::int64_t columns) {
  runtime(from.device).transpose({from.shape[0], rows, columns}, item_size(from.dtype), from.data, to.data);
}

}  // namespace

Array allocate(const Shape& shape, DType dtype, Device device) {
  Array x;
  x.shape = shape;
  x.dtype = dtype;
  x.device = device;
  if (device == Device::cpu) {
    x.owner = acquire_shared(x.bytes());
  } else {
    const Runtime& r = runtime(device);
    x.owner = {r.acquire(x.bytes()), r.release};
  }
  x.data = x.owner.get();
  return x;
}

Array to_pinned(const Array& x, Device device) {
  const Runtime& r = runtime(device);
  Array y = x;
  y.object = nullptr;
  y.owner = {r.acquire_pinned(x.bytes()), r.release_pinned};
  y.data = y.owner.get();
  std::memcpy(y.data, x.data, static_cast<std::size_t>(x.bytes()));
  return y;
}

Array to_device(const Array& x, Device device, bool wait) {
  if (x.dtype == DType::bf16 && x.device != device && device == Device::cpu)
    return to_device(cast(x, DType::f32), device, wait);
  Array y = allocate(x.shape, x.dtype, device);
  if (x.size() == 0) return y;
  if (x.device == device) {
    if (device == Device::cpu)
      std::memcpy(y.data, x.data, static_cast<std::size_t>(x.bytes()));
    else
      runtime(device).copy(y.data, x.data, x.bytes());
  } else if (device == Device::cpu) {
    refuse_capture(x.device, "reading values on the CPU");
    const Array rows = row_major(x);
    runtime(x.device).download(y.data, rows.data, x.bytes());
  } else if (x.device == Device::cpu) {
    refuse_capture(device, "a copy of an array of the CPU");
    const Array rows = row_major_for(y);
    runtime(device).upload(rows.data, x.data, x.bytes(), wait);
    from_row_major(rows, y);
  } else {
    const Array there = to_device(to_device(x, Device::cpu), device);
    return there.dtype == x.dtype ? there : cast(there, x.dtype);
  }
  return y;
}

Array cast(const Array& x, DType dtype) {
  if (x.dtype == dtype) return to_device(x, x.device);
  const Array y = allocate(x.shape, dtype, x.device);
  runtime(x.device).cast(x.size(), x.dtype, dtype, x.data, y.data);
  return y;
}

Array full(const Shape& shape, double value, DType dtype, Device device) {
  const Array y = allocate(shape, dtype, device);
  runtime(device).fill(y.size(), dtype, value, y.data);
  return y;
}

Shape memory_shape(const Array& x) {
  Shape shape = x.shape;
  if (x.device == Device::cpu) return shape;
  for (int i = 0; i < shape.rank; ++i) shape[memory_axis(x, i)] = x.shape[i];
  return shape;
}

int memory_axis(const Array& x, int axis) {
  if (x.device == Device::cpu || x.shape.rank < 3 || axis == 0) return axis;
  return axis == 1 ? x.shape.rank - 1 : axis - 1;
}

bool is_row_major(const Array& x) {
  return x.device == Device::cpu || x.shape.rank < 3 || x.size() == 0 || x.shape[1] == 1 ||
         x.shape.size(2, x.shape.rank) == 1;
}

Array row_major(const Array& x) {
  if (is_row_major(x)) return x;
  const Array rows = allocate(x.shape, x.dtype, x.device);
  transpose(x, rows, x.shape.size(2, x.shape.rank), x.shape[1]);
  return rows;
}

Array row_major_for(const Array& y) {
  return is_row_major(y) ? y : allocate(y.shape, y.dtype, y.device);
}

void from_row_major(const Array& rows, const Array& y) {
  if (rows.data != y.data) transpose(rows, y, y.shape[1], y.shape.size(2, y.shape.rank));
}

}  // namespace convolith
