// The counted build: what a GPU's profiler would say of a kernel's accesses, counted exactly on the emulator.
//
// The lanes of a warp run in lockstep: each stops at every access and every basic block, and when all have, those of
// the innermost call at the lowest address go on together, so that lanes that parted meet again where their ways do.
// There are no times and no caches here: what is counted is what the kernel asks for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "observer.hpp"

namespace convolith::emu {

// All that one line of a kernel asked for, one kind of access to one kind of memory.
struct LineCount {
  std::string kernel, line;
  Access what;  // `pending`: the way into shared memory of an asynchronous copy
  bool shared;
  std::int64_t requests, lanes, bytes;  // a request is an instruction of a warp, for some of its lanes
  // Sectors of 32 bytes in global memory, passes over the 32 banks of shared memory; and the fewest that would do for
  // as many bytes.
  std::int64_t transactions, least_transactions;
};

struct KernelCount {
  std::string kernel;
  std::int64_t grids, blocks, threads;
  std::int64_t barriers, warp_barriers;
  std::int64_t steps, step_lanes;  // basic blocks that warps went through, and lanes that took part
  std::int64_t tensor_flops;       // of matrix instructions
};

struct Counts {
  std::vector<KernelCount> kernels;
  std::vector<LineCount> lines;  // of one kernel after the other, in the order of their code
};

// From start to stop the kernels of emu_counted are counted, one grid at a time in the process; else they run plainly.
void start_counting();
Counts stop_counting();

}  // namespace convolith::emu
