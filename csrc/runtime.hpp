// A device that is not the CPU: its kernels, and what it does beside them.
//
// Its arrays are packed, 256-byte aligned, and have their channels last: an array of rank 3 and more keeps axis 1, the
// channels, innermost.  x (N, C, H, W) lies there as (N, H, W, C), a filter (K, C/G, R, S) as (K, R, S, C/G), what is
// (N, C, L) in shapes.hpp as (N, L, C).  Shapes stay logical everywhere else.
#pragma once

#include <new>

#include "kernels.hpp"

namespace convolith {

// x (batch, rows, columns) to y (batch, columns, rows)
struct Transpose {
  std::int64_t batch, rows, columns;
};

// Becomes Python's MemoryError.
struct OutOfMemory : std::bad_alloc {
  std::string text;
  OutOfMemory(const char* device, std::int64_t wanted, std::int64_t free, std::int64_t total)
      : text(std::string(device) + ": out of memory: " + mebibytes(wanted) + " were asked for, " + mebibytes(free) +
             " of " + mebibytes(total) + " are free") {}
  const char* what() const noexcept override { return text.c_str(); }

 private:
  static std::string mebibytes(std::int64_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }
};

// Streams: what is given to one goes in order, different ones go side by side.  Null is the default stream.  Each
// thread of the host has a current one, which its kernels and copies go to.
struct Streams {
  void* (*create)();
  void (*destroy)(void* stream) noexcept;
  void* (*current)() noexcept;
  void (*use)(void* stream) noexcept;
  void (*synchronize)(void* stream);  // the host waits
  void (*adopt)(void* block);         // what is done with it after its release waits for the current stream

  void* (*create_event)();
  void (*destroy_event)(void* event) noexcept;
  void (*record)(void* event);                     // a mark in the current stream
  void (*wait)(void* event);                       // the current stream goes on behind the mark
  void (*synchronize_event)(void* event);          // the host waits for it
  double (*milliseconds)(void* begin, void* end);  // between two marks that have been reached
};

// Graphs: what a thread gives its current stream between `begin` and `end` is recorded, not done, and done at each
// replay.  Memory that it acquires meanwhile is the graph's (private_pool.hpp).
struct Graphs {
  void* (*begin)();
  void (*end)(void* graph);     // throws if the work cannot be replayed
  void (*replay)(void* graph);  // in the current stream
  void (*destroy)(void* graph) noexcept;
  bool (*owns)(const void* graph, const void* block);
};

struct Runtime {
  Tables tables;                         // of float64 nothing
  void* (*acquire)(std::int64_t bytes);  // from the device's pool; throws OutOfMemory
  void (*release)(void* block) noexcept;
  void* (*acquire_pinned)(std::int64_t bytes);  // memory of the host that copies reach without its processor
  void (*release_pinned)(void* block) noexcept;
  // `wait`: returns when host may be written to again.
  void (*upload)(void* device, const void* host, std::int64_t bytes, bool wait);
  void (*download)(void* host, const void* device, std::int64_t bytes);
  void (*copy)(void* to, const void* from, std::int64_t bytes);
  void (*transpose)(const Transpose& p, std::int64_t item_size, const void* x, void* y);
  void (*cast)(std::int64_t n, DType from, DType to, const void* x, void* y);  // between float32 and the halves
  void (*fill)(std::int64_t n, DType dtype, double value, void* x);
  void (*synchronize)();  // waits for all kernels; throws what went wrong in one
  Streams streams;
  Graphs graphs;
};

// Throws std::runtime_error, saying what is missing.
const Runtime& runtime(Device device);
bool has_runtime(Device device) noexcept;

// --- Arrays of any device (device.cpp) -------------------------------------------------------------------------------

// Undefined contents, from the device's pool.
Array allocate(const Shape& shape, DType dtype, Device device);
// A copy of x on that device; bfloat16 is float32 on the CPU.  Where it need not wait, x has to stay as it is until the
// stream has come so far.
Array to_device(const Array& x, Device device, bool wait = true);
// A copy of x, which is on the CPU, in pinned memory of that device.
Array to_pinned(const Array& x, Device device);
// A copy of x, which is on a device, as float32, float16 or bfloat16.
Array cast(const Array& x, DType dtype);
// An array on a device, with that value everywhere.
Array full(const Shape& shape, double value, DType dtype, Device device);

// The extents of x in the order of its memory, and where its axis `axis` stands there.
Shape memory_shape(const Array& x);
int memory_axis(const Array& x, int axis);

// For operators that mix axes: x row by row, which is x itself or a copy; memory in which to put y row by row, which is
// y itself or scratch; and y from what was put there.
bool is_row_major(const Array& x);
Array row_major(const Array& x);
Array row_major_for(const Array& y);
void from_row_major(const Array& rows, const Array& y);

}  // namespace convolith
