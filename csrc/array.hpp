// What an operator sees of an array: pointer, shape, dtype, device.  Nothing here knows Python.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>

namespace convolith {

enum class DType : std::uint8_t { f32, f64, f16, bf16, i64, u8, other };  // halves on devices only, u8 on the CPU
enum class Device : std::uint8_t { cpu, emu, cuda };

inline bool is_half(DType dtype) {
  return dtype == DType::f16 || dtype == DType::bf16;
}
// Of vectors that scale x or describe it: what a kernel of x's dtype takes as Parameter<T>.
inline DType parameter_dtype(DType x) {
  return is_half(x) ? DType::f32 : x;
}
inline std::int64_t item_size(DType dtype) {
  return dtype == DType::u8 ? 1 : dtype == DType::f32 ? 4 : is_half(dtype) ? 2 : 8;
}

struct Shape {
  static constexpr int max_rank = 16;
  std::int64_t dim[max_rank] = {};
  int rank = 0;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) {
    for (std::int64_t d : dims) dim[rank++] = d;
  }
  std::int64_t operator[](int i) const { return dim[i < 0 ? i + rank : i]; }
  std::int64_t& operator[](int i) { return dim[i < 0 ? i + rank : i]; }
  // Product of the extents of axes [begin, end).
  std::int64_t size(int begin, int end) const {
    std::int64_t n = 1;
    for (int i = begin; i < end; ++i) n *= dim[i];
    return n;
  }
  std::int64_t size() const { return size(0, rank); }
  bool operator==(const Shape& other) const {
    if (rank != other.rank) return false;
    for (int i = 0; i < rank; ++i)
      if (dim[i] != other.dim[i]) return false;
    return true;
  }
};

// A contiguous array: row by row on the CPU, channels last on a device (runtime.hpp).  `owner` holds memory that ops/
// allocated; `object` is the Python object that an argument came from, so that a result which is (or views) an argument
// can be handed back as such.
struct Array {
  void* data = nullptr;
  Shape shape;
  DType dtype = DType::other;
  Device device = Device::cpu;
  std::shared_ptr<void> owner;
  void* object = nullptr;
  std::shared_ptr<void> copy;  // the contiguous copy that stands for an argument which was not, while the call lasts
  std::string unfit;           // why it cannot be used: "a list", "int32", ...; empty for a good one

  std::int64_t size() const { return shape.size(); }
  std::int64_t bytes() const { return size() * item_size(dtype); }
  template <class T>
  T* ptr() const {
    return static_cast<T*>(data);
  }
};

// An array that is written to: `out=` and what an optimizer updates.  Never copied, so it has to be
// contiguous and writeable as it comes.
struct Target : Array {
  bool contiguous = true, writeable = true;
  void* readable = nullptr;  // its values in a contiguous copy, where it is not contiguous itself
};

using MaybeArray = std::optional<Array>;
using MaybeTarget = std::optional<Target>;

}  // namespace convolith
