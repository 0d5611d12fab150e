// CUDA graphs: what a thread gives a stream is captured, and launched as a whole.
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "../private_pool.hpp"
#include "runtime.hpp"

namespace convolith::cuda {
namespace {

struct Captured {
  cudaStream_t before = nullptr;  // the thread's current stream when the capture began
  cudaStream_t own = nullptr;     // instead of the default stream, which cannot be captured
  cudaGraphExec_t work = nullptr;
  cudaEvent_t done = nullptr;  // behind the last replay

  cudaStream_t stream() const { return own ? own : before; }
  ~Captured() {
    if (work) cudaGraphExecDestroy(work);
    if (done) cudaEventDestroy(done);
    if (own) cudaStreamDestroy(own);
  }
};

thread_local Captured* capture = nullptr;

// How many captures there are, and what waits for their end.
struct Waiting {
  std::mutex mutex;
  int captures = 0;
  std::vector<std::function<void()>> frees;
};
Waiting& waiting() {
  static Waiting& instance = *new Waiting;  // never destroyed: arrays may outlive the module
  return instance;
}

void count_capture() {
  const std::lock_guard lock(waiting().mutex);
  ++waiting().captures;
}
void end_capture() {
  std::vector<std::function<void()>> frees;
  {
    const std::lock_guard lock(waiting().mutex);
    if (--waiting().captures == 0) frees.swap(waiting().frees);
  }
  for (const auto& free : frees) free();
}

// Not from the stream-ordered pool, whose memory belongs to a stream.
void* allocate(std::int64_t bytes) {
  const Relaxed relaxed;
  void* block = nullptr;
  const cudaError_t error = cudaMalloc(&block, static_cast<std::size_t>(bytes));
  if (error == cudaErrorMemoryAllocation) throw_out_of_memory(bytes);
  check(error, "cudaMalloc");
  return block;
}
PrivatePools& pools() {
  static PrivatePools& instance =
      *new PrivatePools(allocate, [](void* block) { outside_captures([=] { cudaFree(block); }); });
  return instance;
}

void* begin() {
  auto graph = std::make_unique<Captured>();
  graph->before = current_stream();
  // One that does not wait for the default stream: other threads may go on using that one.
  if (!graph->before) check(cudaStreamCreateWithFlags(&graph->own, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  check(cudaEventCreateWithFlags(&graph->done, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  check(cudaStreamBeginCapture(graph->stream(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  count_capture();
  use_stream(graph->stream());
  return capture = graph.release();
}

void end(void* handle) {
  auto* graph = static_cast<Captured*>(handle);
  capture = nullptr;
  use_stream(graph->before);
  cudaGraph_t recorded = nullptr;
  const cudaError_t error = cudaStreamEndCapture(graph->stream(), &recorded);
  end_capture();
  check(error, "what was captured is no graph");
  const cudaError_t made = cudaGraphInstantiateWithFlags(&graph->work, recorded, 0);
  cudaGraphDestroy(recorded);
  check(made, "cudaGraphInstantiate");
}

void replay(void* handle) {
  const auto* graph = static_cast<Captured*>(handle);
  check(cudaGraphLaunch(graph->work, current_stream()), "cudaGraphLaunch");
  check(cudaEventRecord(graph->done, current_stream()), "cudaEventRecord");
}

void destroy(void* handle) noexcept {
  outside_captures([graph = static_cast<Captured*>(handle)] {
    cudaEventSynchronize(graph->done);
    pools().drop(graph);
    delete graph;
  });
}

}  // namespace

const Graphs graphs{begin, end, replay, destroy,
                    [](const void* graph, const void* block) { return pools().owns(graph, block); }};

void* acquire_captured(std::int64_t bytes) {
  return capture ? pools().acquire(capture, bytes) : nullptr;
}
bool release_captured(void* block) {
  return pools().release(block);
}

void outside_captures(std::function<void()> free) noexcept {
  {
    const std::lock_guard lock(waiting().mutex);
    if (waiting().captures > 0) {
      waiting().frees.push_back(std::move(free));
      return;
    }
  }
  free();
}

}  // namespace convolith::cuda
