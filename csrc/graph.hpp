// A graph: work of one thread that a device has recorded instead of doing it, and then does as often as it is asked to.
#pragma once

#include <memory>
#include <unordered_map>

#include "runtime.hpp"

namespace convolith {

class Graph {
 public:
  explicit Graph(Device device);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void begin();  // of the capture, by this thread
  void end();
  void reset();         // gives the capture up, or what was captured back
  void replay() const;  // in the current stream

  void keep(const Array& x);
  Device device() const { return device_; }

 private:
  Device device_;
  // Memory of arrays that were there before and that the work reads or writes: as long as there is a graph there are
  // they, whoever else lets go of them.
  std::unordered_map<void*, std::shared_ptr<void>> kept_;
  std::unique_ptr<void, void (*)(void*) noexcept> recorded_;
};

// The graph that this thread captures, or null.
Graph* current_capture() noexcept;

// Where this thread captures a graph of that device: throws std::runtime_error, because `what` cannot be a part of it.
void refuse_capture(Device device, const char* what);

}  // namespace convolith
