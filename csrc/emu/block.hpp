// One thread block at a time: its threads are fibers, which run until they wait for one another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace convolith::emu {

class Observer;  // observer.hpp

struct Index {
  unsigned x, y, z;
};
std::string text(Index i);  // "(x, y, z)"

// Who the running thread is; `linear` is its number in the block.
struct Position {
  Index thread, block, block_size, grid_size;
  int linear;
};
// Constant between two waits of a thread, so the compiler may keep what it has read until it meets one.
const Position& position() __attribute__((const));

// How many blocks this host thread has begun: who keeps something for a block knows by it that another one runs.
std::uint64_t block_number();

// The order in which threads and blocks get their turns.  A kernel's results must not depend on it.
enum class Order { forward, backward, random };
void set_order(Order order, std::uint64_t seed);

// Runs body(arguments) for every thread of every block; `observer` may be null.  Throws std::runtime_error, naming the
// kernel, where threads wait for ever, or where one of them called fail().
void run_grid(const char* name, Index grid, Index block, std::size_t shared_bytes, void (*body)(const void*),
              const void* arguments, Observer* observer);
// The same, or if this thread captures a graph, at each replay: then the `bytes` at `arguments` are kept (graph.cpp).
void launch_grid(const char* name, Index grid, Index block, std::size_t shared_bytes, void (*body)(const void*),
                 const void* arguments, std::size_t bytes, Observer* observer);
Observer* observer();  // the plain build's: null

// --- What a running thread can ask for -------------------------------------------------------------------------------

// Gives the whole grid up.
[[noreturn]] void fail(std::string why);

// Waits for all threads of the block, which have to come to the same barrier, the one of source line `line`.
// How many of them came with `vote`, and how many there are.
struct Votes {
  int yes, all;
};
Votes wait_for_block(int line, bool vote);

// Waits for the lanes of `mask`, all of which call with the same `what`; the last one to come calls complete, with
// what each of them gave (null for lanes that are not in the mask).
using Complete = void (*)(void* const (&given)[32], unsigned mask);
void meet_warp(unsigned mask, int what, void* given, Complete complete);

// The same of the 128 threads of a warpgroup.
using CompleteGroup = void (*)(void* const (&given)[128]);
void meet_warpgroup(int what, void* given, CompleteGroup complete);

// Waits, in source line `line`, until true_of(it), which is asked when no other thread of the block can go on.
using Condition = bool (*)(void* it);
void wait_until(Condition true_of, void* it, int line);

// Waits until the grid's observer lets the thread go on, which it does when no thread of the block can.
void pause_thread();

// Shared memory: the same for all threads of a block that pass the same name, which is told apart by its address; all
// bits are 1 at first (NaN, -1).
void* shared_memory(const char* name, std::size_t bytes, std::size_t alignment);
void* dynamic_shared_memory();

}  // namespace convolith::emu
