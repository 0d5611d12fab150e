#include "graph.hpp"

#include <stdexcept>

#include "ops/check.hpp"

namespace convolith {
namespace {

thread_local Graph* current = nullptr;

}  // namespace

Graph* current_capture() noexcept {
  return current;
}

void refuse_capture(Device device, const char* what) {
  if (!current || current->device() != device) return;
  throw std::runtime_error(std::string(name_of(device)) + ": " + what +
                           " cannot be captured; do it before or after the graph block");
}

Graph::Graph(Device device) : device_(device), recorded_(nullptr, runtime(device).graphs.destroy) {}

Graph::~Graph() {
  reset();
}

void Graph::begin() {
  const Check check("graph");
  check.require(!current, "this thread captures another graph already");
  reset();
  recorded_.reset(runtime(device_).graphs.begin());
  current = this;
}

void Graph::end() {
  const Check check("graph");
  check.require(current == this, "this thread captures no such graph");
  current = nullptr;
  runtime(device_).graphs.end(recorded_.get());
}

void Graph::reset() {
  if (current == this) try {
      end();
    } catch (const std::runtime_error&) {  // what is given up may be broken
    }
  recorded_.reset();
  kept_.clear();
}

void Graph::replay() const {
  const Check check("graph");
  check.require(recorded_ && current != this, "nothing has been captured; use it in a graph block first");
  refuse_capture(device_, "replaying another graph");
  runtime(device_).graphs.replay(recorded_.get());
}

void Graph::keep(const Array& x) {
  if (x.device == device_ && !runtime(device_).graphs.owns(recorded_.get(), x.data)) kept_.emplace(x.data, x.owner);
}

}  // namespace convolith
