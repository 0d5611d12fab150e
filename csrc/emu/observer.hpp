// What watches a grid: check.cpp and count.cpp.  Kernels compiled with instrumentation tell of every access
// (instrument.cpp), emulated instructions of theirs by announce(), and block.cpp of what threads do together.
#pragma once

#include <cstddef>
#include <cstdint>

namespace convolith::emu {

// `pending`: a write under way, whose bytes are nobody's to read until a `write` by the same thread, or landed(), says
// that they are there.
enum class Access : std::uint8_t { read, write, atomic, pending };

struct Grid {
  const char* name;
  std::size_t dynamic_shared_bytes;
  const char *stacks, *stacks_end;  // where threads keep their local variables
  const char *shared, *shared_end;
};

// All but begin_grid and end_grid are called for the running thread or block: position() says which.
class Observer {
 public:
  virtual void begin_grid(const Grid& grid) = 0;
  virtual void end_grid() noexcept = 0;
  virtual void begin_block() {}
  // The block has a static array in shared memory, whose name lives as long as the program.
  virtual void shared_array(const char* name, const void* begin, std::size_t bytes) = 0;
  // The instruction before `code` needs p to be a multiple of `alignment`.
  virtual void access(Access what, const void* p, std::size_t bytes, std::size_t alignment, const void* code) = 0;
  virtual void enter_function() {}
  virtual void leave_function() {}
  virtual void step(const void* /*code*/) {}        // a basic block begins
  virtual void multiply_add(std::int64_t /*n*/) {}  // by one instruction of a warp
  virtual void barrier() {}                         // all threads of the block have met
  virtual void sync_warp(unsigned /*lanes*/) {}     // so have these lanes of the running thread's warp
  // An mbarrier (mbarrier.hpp).  What a thread did before it arrived, and the copies that it had begun for this
  // barrier, come before what others do once they have waited for the phase.
  virtual void arrive(const void* /*barrier*/) {}
  virtual void complete(const void* /*barrier*/) {}  // a phase of it
  virtual void wait(const void* /*barrier*/) {}
  virtual void landed(const void* /*p*/, std::size_t /*bytes*/) {}  // what was pending
  // A matrix instruction, which goes on after it was called, reads these bytes: told when it begins and when it ends.
  virtual void operand(const void* /*p*/, std::size_t /*bytes*/, const void* /*code*/) {}
  // No thread can go on: which lanes of this warp, of those that are paused (block.hpp), may do so?
  virtual std::uint32_t resume(int /*warp*/) { return 0; }

 protected:
  ~Observer() = default;
};

// Who watches the grid that this host thread runs.  Read at every access: a fixed offset from the thread pointer.
extern constinit thread_local Observer* watching __attribute__((tls_model("initial-exec")));

// For as long as a grid is watched.
class Watch {
 public:
  Watch(Observer* observer, const Grid& grid) : observer_(observer) {
    if (observer) observer->begin_grid(grid);
    watching = observer;
  }
  ~Watch() {
    watching = nullptr;
    if (observer_) observer_->end_grid();
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  Observer* observer_;
};

// Tells of an access by an instruction that is a function here, called from `code`.
inline void announce(Access what, const void* p, std::size_t bytes, const void* code) {
  if (watching) watching->access(what, p, bytes, bytes, code);
}

inline void announce_multiply_add(std::int64_t n) {
  if (watching) watching->multiply_add(n);
}

}  // namespace convolith::emu
