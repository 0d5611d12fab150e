// Copies of whole boxes from global to shared memory by the copy engine (TMA, compute capability 9.0), which one thread
// begins and a barrier counts.
//
// A tensor map describes an array of 16-bit elements and the boxes to be read from it.  A box becomes rows of 64
// elements, 128 bytes, one after the other; elements beyond the array are zeros.  In each 1024 bytes the pieces of 16
// are permuted so that no column of them meets a bank twice: bits 4 to 6 of an address are xor-ed with bits 7 to 9.
#pragma once

#include "mbarrier.hpp"
#ifdef __CUDACC__
#include <cuda.h>
#else
#include "../emu/tensor_map.hpp"
#endif

namespace convolith::CONVOLITH_DEVICE {

constexpr int row_elements = 64, row_bytes = 128;

#ifdef __CUDACC__

using TensorMap = CUtensorMap;

// Throw std::runtime_error where the driver refuses (tensor_map.cu).
//
// Boxes of a packed array, innermost first; box[0] is row_elements.
TensorMap map_tiles(const void* data, const std::int64_t (&extent)[3], const int (&box)[3]);
// Windows of images, extent (C, W, H, N): `pixels` rows.  The first position of a window, (W, H), goes from `lower` to
// the last pixel + `upper` in steps of `stride`, row by row and image by image.
TensorMap map_windows(const void* data, const std::int64_t (&extent)[4], const int (&lower)[2], const int (&upper)[2],
                      const int (&stride)[2], int pixels);

// The box from element (i, j, k), to an address of a multiple of 1024.
__device__ __forceinline__ void copy_tile(void* shared, const TensorMap& map, Barrier& b, int i, int j, int k) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], "
      "[%2];" ::"r"(shared_address(shared)),
      "l"(&map), "r"(shared_address(&b)), "r"(i), "r"(j), "r"(k)
      : "memory");
}
// The windows that begin at (w, h) of image n and those that follow it: of each, 64 channels from c on of the pixel
// (right, down) from its beginning.
__device__ __forceinline__ void copy_windows(void* shared, const TensorMap& map, Barrier& b, int c, int w, int h, int n,
                                             int right, int down) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], "
      "[%1, {%3, %4, %5, %6}], [%2], {%7, %8};" ::"r"(shared_address(shared)),
      "l"(&map), "r"(shared_address(&b)), "r"(c), "r"(w), "r"(h), "r"(n), "h"(static_cast<std::uint16_t>(right)),
      "h"(static_cast<std::uint16_t>(down))
      : "memory");
}

#else

using emu::map_tiles;
using emu::map_windows;
using emu::TensorMap;

CONVOLITH_INLINE void copy_tile(void* shared, const TensorMap& map, Barrier& b, int i, int j, int k) {
  const int at[3] = {i, j, k};
  emu::begin_tile_copy(shared, map, &b, at);
}
CONVOLITH_INLINE void copy_windows(void* shared, const TensorMap& map, Barrier& b, int c, int w, int h, int n,
                                   int right, int down) {
  const int at[4] = {c, w, h, n}, offset[2] = {right, down};
  emu::begin_window_copy(shared, map, &b, at, offset);
}

#endif

}  // namespace convolith::CONVOLITH_DEVICE
