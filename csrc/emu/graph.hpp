// Graphs of the emulated device: a list of what a thread gave it, which a replay goes through.
#pragma once

#include <cstddef>
#include <functional>

#include "../runtime.hpp"
#include "block.hpp"

namespace convolith::emu {

extern const Graphs graphs;

// Does `work`, or leaves it to the replays of the graph that this thread captures.
void submit(std::function<void()> work);

// Memory of the graph that this thread captures; null if there is none.
void* acquire_captured(std::int64_t bytes);
bool release_captured(void* block);  // whether it was a graph's
bool capturing() noexcept;           // this thread

}  // namespace convolith::emu
