// The GPU: memory, copies and errors.  Compiled by nvcc only, into the module that dispatch.cpp opens when a GPU is
// asked for; the CUDA runtime is linked into it statically, so that nothing has to be installed where there is none.
#include <mutex>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "launch.hpp"
#include "layout.hpp"
#include "runtime.hpp"

namespace convolith::cuda {

void fill(Tables& tables);

namespace {

constexpr int least_major = 8;  // compute capability 8.0: cp.async and the tensor-core instructions in use

cudaMemPool_t pool() {
  int device = 0;
  cudaMemPool_t pool = nullptr;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetDefaultMemPool(&pool, device), "cudaDeviceGetDefaultMemPool");
  return pool;
}

// The stream that each block belongs to: it is reused in the order of that stream.
struct Owners {
  std::mutex mutex;
  std::unordered_map<void*, cudaStream_t> stream;
};
Owners& owners() {
  static Owners& instance = *new Owners;  // never destroyed: arrays may outlive the module
  return instance;
}

void* acquire(std::int64_t bytes) {
  if (void* block = acquire_captured(bytes)) return block;
  const auto size = static_cast<std::size_t>(bytes > 0 ? bytes : 1);
  const cudaStream_t stream = current_stream();
  void* block = nullptr;
  cudaError_t error = cudaMallocAsync(&block, size, stream);
  if (error == cudaErrorMemoryAllocation) {  // once more, with what the pool keeps given back
    cudaGetLastError();
    cudaStreamSynchronize(stream);
    cudaMemPoolTrimTo(pool(), 0);
    error = cudaMallocAsync(&block, size, stream);
  }
  if (error == cudaErrorMemoryAllocation) throw_out_of_memory(bytes);
  check(error, "cudaMallocAsync");
  Owners& o = owners();
  const std::lock_guard lock(o.mutex);
  o.stream[block] = stream;
  return block;
}

void release(void* block) noexcept {
  if (!block || release_captured(block)) return;
  Owners& o = owners();
  const std::lock_guard lock(o.mutex);
  const auto found = o.stream.find(block);
  if (found == o.stream.end()) return;
  outside_captures([block, stream = found->second] {
    cudaFreeAsync(block, stream);  // fails, harmlessly, when the driver is shutting down
  });
  o.stream.erase(found);
}

// The memory is used again in the order of the current stream.
void adopt(void* block) {
  Owners& o = owners();
  const std::lock_guard lock(o.mutex);
  if (const auto found = o.stream.find(block); found != o.stream.end()) found->second = current_stream();
}

void* acquire_pinned(std::int64_t bytes) {
  const Relaxed relaxed;
  void* block = nullptr;
  const cudaError_t error = cudaMallocHost(&block, static_cast<std::size_t>(bytes > 0 ? bytes : 1));
  if (error == cudaErrorMemoryAllocation) throw std::bad_alloc();
  check(error, "cudaMallocHost");
  return block;
}
void release_pinned(void* block) noexcept {
  outside_captures([=] { cudaFreeHost(block); });
}

void upload(void* device, const void* host, std::int64_t bytes, bool wait) {
  check(cudaMemcpyAsync(device, host, static_cast<std::size_t>(bytes), cudaMemcpyHostToDevice, current_stream()),
        "copy to the device");
  if (wait) check(cudaStreamSynchronize(current_stream()), "copy to the device");
}
void download(void* host, const void* device, std::int64_t bytes) {
  check(cudaMemcpyAsync(host, device, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToHost, current_stream()),
        "copy from the device");
  check(cudaStreamSynchronize(current_stream()), "copy from the device");
}
void copy(void* to, const void* from, std::int64_t bytes) {
  check(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToDevice, current_stream()),
        "copy on the device");
}

void synchronize() {
  check(cudaDeviceSynchronize(), "a kernel failed");
}

// --- Streams -------------------------------------------------------------------------------------------------------

thread_local cudaStream_t stream_in_use = nullptr;  // the default stream, which orders itself with everybody else's

// Streams are used again and never destroyed: memory that was made on one may come back to it at any time.
struct Idle {
  std::mutex mutex;
  std::vector<cudaStream_t> streams;
};
Idle& idle() {
  static Idle& instance = *new Idle;
  return instance;
}

void* create_stream() {
  const std::lock_guard lock(idle().mutex);
  cudaStream_t stream = nullptr;
  if (idle().streams.empty()) {
    check(cudaStreamCreate(&stream), "cudaStreamCreate");
  } else {
    stream = idle().streams.back();
    idle().streams.pop_back();
  }
  return stream;
}
void destroy_stream(void* stream) noexcept {
  const std::lock_guard lock(idle().mutex);
  idle().streams.push_back(static_cast<cudaStream_t>(stream));
}
void* stream_of_thread() noexcept {
  return stream_in_use;
}
void synchronize_stream(void* stream) {
  check(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)), "a kernel failed");
}

void* create_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event), "cudaEventCreate");
  return event;
}
void destroy_event(void* event) noexcept {
  cudaEventDestroy(static_cast<cudaEvent_t>(event));
}
void record(void* event) {
  check(cudaEventRecord(static_cast<cudaEvent_t>(event), current_stream()), "cudaEventRecord");
}
void wait(void* event) {
  check(cudaStreamWaitEvent(current_stream(), static_cast<cudaEvent_t>(event)), "cudaStreamWaitEvent");
}
void synchronize_event(void* event) {
  check(cudaEventSynchronize(static_cast<cudaEvent_t>(event)), "a kernel failed");
}
double milliseconds(void* begin, void* end) {
  float time = 0;
  check(cudaEventElapsedTime(&time, static_cast<cudaEvent_t>(begin), static_cast<cudaEvent_t>(end)),
        "cudaEventElapsedTime");
  return time;
}

// Throws what keeps this machine from running the kernels.
void require_device() {
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  cudaGetLastError();
  if (error == cudaErrorInsufficientDriver)
    throw std::runtime_error("cuda: there is no NVIDIA driver, or one older than CUDA " +
                             std::to_string(CUDART_VERSION / 1000) + "." + std::to_string(CUDART_VERSION % 1000 / 10) +
                             ", which the kernels were built with");
  if (error == cudaErrorNoDevice || (error == cudaSuccess && devices == 0))
    throw std::runtime_error("cuda: there is a driver, but no GPU that this process may use");
  check(error, "cudaGetDeviceCount");
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  if (properties.major < least_major)
    throw std::runtime_error(std::string("cuda: the GPU, ") + properties.name + ", has compute capability " +
                             std::to_string(properties.major) + "." + std::to_string(properties.minor) +
                             " and the kernels need " + std::to_string(least_major) + ".0");
}

}  // namespace

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();
  throw std::runtime_error(std::string("cuda: ") + what + ": " + cudaGetErrorString(error) +
                           "; CUDA_LAUNCH_BLOCKING=1 makes the kernel that fails say so itself");
}

void throw_out_of_memory(std::int64_t bytes) {
  cudaGetLastError();
  std::size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  throw OutOfMemory("cuda", bytes, static_cast<std::int64_t>(free), static_cast<std::int64_t>(total));
}

cudaStream_t current_stream() {
  return stream_in_use;
}
void use_stream(void* stream) noexcept {
  stream_in_use = static_cast<cudaStream_t>(stream);
}

void check_launch(const char* name, dim3 grid, dim3 block, std::size_t shared_bytes) {
  const cudaError_t error = cudaGetLastError();
  if (error == cudaSuccess) return;
  const auto extents = [](dim3 d) {
    return std::to_string(d.x) + " x " + std::to_string(d.y) + " x " + std::to_string(d.z);
  };
  throw std::runtime_error(std::string(name) + ": " + cudaGetErrorString(error) + " (grid " + extents(grid) +
                           ", block " + extents(block) + ", " + std::to_string(shared_bytes) +
                           " bytes of shared memory)");
}

void allow_shared(const void* kernel, std::size_t bytes) {
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
        "cudaFuncSetAttribute");
}

bool has_wgmma() {
  int device = 0, major = 0, minor = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "cudaDeviceGetAttribute");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "cudaDeviceGetAttribute");
  return major == 9 && minor == 0;
}

void* acquire_scratch(std::int64_t bytes) {
  return acquire(bytes);
}
void release_scratch(void* block) noexcept {
  release(block);
}

const Runtime& runtime() {
  static const Runtime instance = [] {
    require_device();
    std::uint64_t everything = UINT64_MAX;  // freed blocks stay in the pool, which is what makes it quick
    check(cudaMemPoolSetAttribute(pool(), cudaMemPoolAttrReleaseThreshold, &everything), "cudaMemPoolSetAttribute");
    Runtime r{.tables = {},
              .acquire = acquire,
              .release = release,
              .acquire_pinned = acquire_pinned,
              .release_pinned = release_pinned,
              .upload = upload,
              .download = download,
              .copy = copy,
              .transpose = transpose,
              .cast = cast,
              .fill = fill_memory,
              .synchronize = synchronize,
              .streams = {.create = create_stream,
                          .destroy = destroy_stream,
                          .current = stream_of_thread,
                          .use = use_stream,
                          .synchronize = synchronize_stream,
                          .adopt = adopt,
                          .create_event = create_event,
                          .destroy_event = destroy_event,
                          .record = record,
                          .wait = wait,
                          .synchronize_event = synchronize_event,
                          .milliseconds = milliseconds},
              .graphs = graphs};
    fill(r.tables);
    return r;
  }();
  return instance;
}

}  // namespace convolith::cuda

// The only symbol that the module shows.  Throws std::runtime_error, saying what is missing.
extern "C" __attribute__((visibility("default"))) const convolith::Runtime* convolith_cuda_runtime() {
  return &convolith::cuda::runtime();
}
