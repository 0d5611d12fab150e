#include "tensor_map.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "block.hpp"
#include "mbarrier.hpp"
#include "observer.hpp"

namespace convolith::emu {
namespace {

constexpr std::int64_t item = 2, row_bytes = 128, chunks_per_row = row_bytes / chunk_bytes;

// What cuTensorMapEncode... returns CUDA_ERROR_INVALID_VALUE for.
void require(bool holds, const char* what) {
  if (!holds) throw std::invalid_argument(std::string("a tensor map needs ") + what);
}

void check_array(const TensorMap& map) {
  require(reinterpret_cast<std::uintptr_t>(map.data) % 16 == 0, "an address of a multiple of 16");
  std::int64_t pitch = item;
  for (int i = 0; i < map.rank; ++i) {
    require(map.extent[i] >= 1 && map.extent[i] <= std::int64_t{1} << 32, "extents of 1 to 2^32");
    if (i > 0) require(pitch % 16 == 0 && pitch < std::int64_t{1} << 40, "pitches of multiples of 16, below 2^40");
    pitch *= map.extent[i];
  }
}

// The rows of one copy: 128 bytes each, one after the other in shared memory.
class Rows {
 public:
  Rows(void* shared, const TensorMap& map, const void* code) : to_(static_cast<char*>(shared)), map_(map), code_(code) {
    if (reinterpret_cast<std::uintptr_t>(shared) % 1024 != 0)
      fail("a copy whose rows are swizzled over 128 bytes needs an address of a multiple of 1024");
  }

  // The row from element (c, i, j, k) of the map; zeros beyond the array.
  void add(std::int64_t c, std::int64_t i, std::int64_t j, std::int64_t k) {
    const auto& e = map_.extent;
    const bool exists = i >= 0 && i < e[1] && j >= 0 && j < e[2] && k >= 0 && k < (map_.rank > 3 ? e[3] : 1);
    const char* from = map_.data + (((k * e[2] + j) * e[1] + i) * e[0] + c) * item;
    const std::int64_t bytes = exists && c >= 0 ? std::clamp((e[0] - c) * item, std::int64_t{0}, row_bytes) : 0;
    if (c < 0) fail("a copy begins before the first element of a row");
    tell(Access::read, from, bytes);
    tell(Access::pending, to_, row_bytes);
    for (std::int64_t at = 0; at < row_bytes; at += chunk_bytes) {
      const auto valid = std::clamp(bytes - at, std::int64_t{0}, static_cast<std::int64_t>(chunk_bytes));
      chunks_.push_back({swizzled(to_ + at), from + at, static_cast<std::size_t>(valid)});
    }
    to_ += row_bytes;
  }

  void begin_copy(void* barrier) { begin_bulk_copy(std::move(chunks_), barrier); }

 private:
  void tell(Access what, const char* p, std::int64_t bytes) {
    if (watching && bytes > 0) watching->access(what, p, static_cast<std::size_t>(bytes), chunk_bytes, code_);
  }

  char* to_;
  const TensorMap& map_;
  const void* code_;
  std::vector<Chunk> chunks_;
};

}  // namespace

TensorMap map_tiles(const void* data, const std::int64_t (&extent)[3], const int (&box)[3]) {
  const TensorMap map{
      static_cast<const char*>(data), 3, {extent[0], extent[1], extent[2], 1}, {box[0], box[1], box[2]}, {}, {}, {}, 0};
  check_array(map);
  for (const int n : box) require(n >= 1 && n <= 256, "boxes of 1 to 256");
  require(box[0] * item == row_bytes, "rows of 128 bytes, as the swizzle");
  return map;
}

TensorMap map_windows(const void* data, const std::int64_t (&extent)[4], const int (&lower)[2], const int (&upper)[2],
                      const int (&stride)[2], int pixels) {
  const TensorMap map{static_cast<const char*>(data),
                      4,
                      {extent[0], extent[1], extent[2], extent[3]},
                      {},
                      {lower[0], lower[1]},
                      {upper[0], upper[1]},
                      {stride[0], stride[1]},
                      pixels};
  check_array(map);
  for (int i = 0; i < 2; ++i) {
    require(std::min(lower[i], upper[i]) >= -128 && std::max(lower[i], upper[i]) <= 127, "corners of -128 to 127");
    require(lower[i] <= extent[1 + i] - 1 + upper[i], "a bounding box that is not empty");
    require(stride[i] >= 1 && stride[i] <= 8, "strides of 1 to 8");
  }
  require(pixels >= 1 && pixels <= 1024, "1 to 1024 pixels");
  return map;
}

void begin_tile_copy(void* shared, const TensorMap& map, void* barrier, const int (&at)[3]) {
  Rows rows(shared, map, __builtin_return_address(0));
  if (map.rank != 3) fail("a map of windows is read as one of tiles");
  for (int j = 0; j < map.box[2]; ++j)
    for (int i = 0; i < map.box[1]; ++i) rows.add(at[0], at[1] + i, at[2] + j, 0);
  rows.begin_copy(barrier);
}

// The base of a window walks through the bounding box, row by row and image by image; offsets lead from it to what is
// read.
void begin_window_copy(void* shared, const TensorMap& map, void* barrier, const int (&at)[4], const int (&offset)[2]) {
  Rows rows(shared, map, __builtin_return_address(0));
  if (map.rank != 4) fail("a map of tiles is read as one of windows");
  std::int64_t base[2] = {at[1], at[2]}, last[2], n = at[3];
  for (int i = 0; i < 2; ++i) {
    last[i] = map.extent[1 + i] - 1 + map.upper[i];
    if (base[i] < map.lower[i] || base[i] > last[i]) fail("a copy of windows begins outside of their bounding box");
    if (offset[i] < 0 || offset[i] > 255) fail("an offset in a window is none of 0 to 255");
  }
  for (int pixel = 0; pixel < map.pixels; ++pixel) {
    rows.add(at[0], base[0] + offset[0], base[1] + offset[1], n);
    if ((base[0] += map.stride[0]) <= last[0]) continue;
    base[0] = map.lower[0];
    if ((base[1] += map.stride[1]) <= last[1]) continue;
    base[1] = map.lower[1], ++n;
  }
  rows.begin_copy(barrier);
}

}  // namespace convolith::emu
