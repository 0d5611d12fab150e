// Tensor maps, which the driver encodes.  Compiled by nvcc only; the driver's functions are asked for by name, so that
// the module loads where there is no driver.
#include "tensor_map.hpp"

#include <cudaTypedefs.h>

#include <stdexcept>
#include <string>

namespace convolith::cuda {
namespace {

template <class Function>
Function driver_function(const char* name) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found{};
  const cudaError_t error = cudaGetDriverEntryPointByVersion(name, &function, 12000, cudaEnableDefault, &found);
  if (error != cudaSuccess || found != cudaDriverEntryPointSuccess)
    throw std::runtime_error(std::string("cuda: the driver has no ") + name);
  return reinterpret_cast<Function>(function);
}

void check(CUresult result, const char* name) {
  if (result != CUDA_SUCCESS)
    throw std::runtime_error(std::string("cuda: ") + name + " returns error " + std::to_string(result));
}

// Bytes from one element to the next, of every axis but the innermost.
template <int rank>
struct Pitches {
  cuuint64_t bytes[rank - 1];
  explicit Pitches(const std::int64_t (&extent)[rank]) {
    cuuint64_t pitch = 2;
    for (int i = 0; i + 1 < rank; ++i) bytes[i] = pitch *= static_cast<cuuint64_t>(extent[i]);
  }
};

}  // namespace

TensorMap map_tiles(const void* data, const std::int64_t (&extent)[3], const int (&box)[3]) {
  static const auto encode = driver_function<PFN_cuTensorMapEncodeTiled_v12000>("cuTensorMapEncodeTiled");
  const cuuint64_t extents[] = {static_cast<cuuint64_t>(extent[0]), static_cast<cuuint64_t>(extent[1]),
                                static_cast<cuuint64_t>(extent[2])};
  const cuuint32_t boxes[] = {static_cast<cuuint32_t>(box[0]), static_cast<cuuint32_t>(box[1]),
                              static_cast<cuuint32_t>(box[2])};
  const cuuint32_t ones[] = {1, 1, 1};
  TensorMap map;
  check(encode(&map, CU_TENSOR_MAP_DATA_TYPE_UINT16, 3, const_cast<void*>(data), extents, Pitches(extent).bytes, boxes,
               ones, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
               CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
        "cuTensorMapEncodeTiled");
  return map;
}

TensorMap map_windows(const void* data, const std::int64_t (&extent)[4], const int (&lower)[2], const int (&upper)[2],
                      const int (&stride)[2], int pixels) {
  static const auto encode = driver_function<PFN_cuTensorMapEncodeIm2col_v12000>("cuTensorMapEncodeIm2col");
  const cuuint64_t extents[] = {static_cast<cuuint64_t>(extent[0]), static_cast<cuuint64_t>(extent[1]),
                                static_cast<cuuint64_t>(extent[2]), static_cast<cuuint64_t>(extent[3])};
  const cuuint32_t strides[] = {1, static_cast<cuuint32_t>(stride[0]), static_cast<cuuint32_t>(stride[1]), 1};
  TensorMap map;
  check(encode(&map, CU_TENSOR_MAP_DATA_TYPE_UINT16, 4, const_cast<void*>(data), extents, Pitches(extent).bytes, lower,
               upper, row_elements, static_cast<cuuint32_t>(pixels), strides, CU_TENSOR_MAP_INTERLEAVE_NONE,
               CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
        "cuTensorMapEncodeIm2col");
  return map;
}

}  // namespace convolith::cuda
