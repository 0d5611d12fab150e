// DLPack's tensor, as its specification lays it out in memory (dmlc/dlpack, version 0.8).
#pragma once

#include <cstdint>

namespace convolith::bindings {

enum DLDeviceType : std::int32_t { dl_cpu = 1, dl_cuda = 2 };
enum DLTypeCode : std::uint8_t { dl_int = 0, dl_float = 2, dl_bfloat = 4 };

struct DLTensor {
  void* data;
  struct {
    std::int32_t type, id;
  } device;
  std::int32_t ndim;
  struct {
    std::uint8_t code, bits;
    std::uint16_t lanes;
  } dtype;
  std::int64_t* shape;
  std::int64_t* strides;  // in elements; null: row by row without gaps
  std::uint64_t byte_offset;
};

struct DLManagedTensor {
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
};

}  // namespace convolith::bindings
