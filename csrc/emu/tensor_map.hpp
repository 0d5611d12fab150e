// The copies of cuda/tensor_map.hpp: what the driver makes of an array's description, and the copy engine of that.
#pragma once

#include <cstdint>

namespace convolith::emu {

struct TensorMap {
  const char* data;
  int rank;                // 3: tiles, 4: windows
  std::int64_t extent[4];  // innermost first, packed
  int box[3];
  int lower[2], upper[2], stride[2], pixels;
};

// Throw std::invalid_argument where the driver would refuse.
TensorMap map_tiles(const void* data, const std::int64_t (&extent)[3], const int (&box)[3]);
TensorMap map_windows(const void* data, const std::int64_t (&extent)[4], const int (&lower)[2], const int (&upper)[2],
                      const int (&stride)[2], int pixels);

void begin_tile_copy(void* shared, const TensorMap& map, void* barrier, const int (&at)[3]);
void begin_window_copy(void* shared, const TensorMap& map, void* barrier, const int (&at)[4], const int (&offset)[2]);

}  // namespace convolith::emu
