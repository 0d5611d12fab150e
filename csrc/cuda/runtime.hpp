// What the two halves of the GPU's runtime know of each other: memory, copies and streams (runtime.cu), graphs
// (graph.cu).
#pragma once

#include <cuda_runtime.h>

#include <functional>

#include "../runtime.hpp"

namespace convolith::cuda {

// Throws std::runtime_error, saying what failed.
void check(cudaError_t error, const char* what);
[[noreturn]] void throw_out_of_memory(std::int64_t bytes);

cudaStream_t current_stream();  // of this thread
void use_stream(void* stream) noexcept;

extern const Graphs graphs;

// Memory of the graph that this thread captures; null if there is none.
void* acquire_captured(std::int64_t bytes);
bool release_captured(void* block);  // whether it was a graph's

// Does it now or, while any thread captures, afterwards: what frees memory would spoil the capture, or be a part of it.
void outside_captures(std::function<void()> free) noexcept;

// For as long as it lives, this thread may do what a capture forbids it because a stream could be meant that captures.
class Relaxed {
 public:
  Relaxed() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  ~Relaxed() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  Relaxed(const Relaxed&) = delete;
  Relaxed& operator=(const Relaxed&) = delete;

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

}  // namespace convolith::cuda
