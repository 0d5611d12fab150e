// What the machine can do at most: multiply-adds in registers, and copies.
//
//   peak fma THREADS              GFLOP/s of float32 (two for each multiply-add) with vectors of VECTOR bytes
//   peak copy THREADS MEGABYTES   GB/s read and written by copying an array of that size
//
// Best of several repetitions: a roof is what can be reached, not what usually is.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

typedef float Vector __attribute__((vector_size(VECTOR)));

constexpr int accumulators = 12;  // more than latency times throughput of any core, fewer than registers
constexpr long rounds = 4'000'000;
constexpr int repetitions = 30;  // threads may begin on one core, and part in the course of milliseconds

// Accumulators start apart, so that the compiler cannot compute them once.
static float multiply_add(float start) {
  Vector sum[accumulators], factor = {}, term = {};
  factor += 0.999f + start * 1e-6f;
  term += 1e-3f + start * 1e-6f;
  for (int i = 0; i < accumulators; i++) sum[i] = factor * float(i);
  for (long round = 0; round < rounds; round++)
    for (int i = 0; i < accumulators; i++) sum[i] = sum[i] * factor + term;
  for (int i = 1; i < accumulators; i++) sum[0] += sum[i];
  return sum[0][0];
}

// Seconds of the fastest repetition of work(thread) on all threads at once.
template <class Work>
static double fastest(int threads, Work work) {
  double best = 1e30;
  for (int repetition = 0; repetition <= repetitions; repetition++) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> others;
    for (int thread = 1; thread < threads; thread++) others.emplace_back(work, thread);
    work(0);
    for (auto& other : others) other.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (repetition > 0) best = std::min(best, took.count());  // the first one touches pages and wakes the units
  }
  return best;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const int threads = std::max(1, std::atoi(argv[2]));
  if (argv[1] == std::string("fma")) {
    std::vector<float> results(threads * 64);  // a cache line or more each
    const double seconds = fastest(threads, [&](int thread) { results[thread * 64] = multiply_add(float(thread)); });
    const double flops = 2.0 * (VECTOR / sizeof(float)) * accumulators * rounds * threads;
    std::printf("%.2f\n", results[0] == 12345.f ? 0.0 : flops / seconds * 1e-9);
    return 0;
  }
  if (argc < 4) return 2;
  const std::size_t slice = std::size_t(std::atof(argv[3]) * 1e6) / threads;
  std::vector<char> from(slice * threads, 1), to(slice * threads, 2);
  const int copies = int(std::max<std::size_t>(1, 200'000'000 / (slice * threads)));
  const double seconds = fastest(threads, [&](int thread) {
    for (int i = 0; i < copies; i++) std::memcpy(to.data() + thread * slice, from.data() + thread * slice, slice);
  });
  std::printf("%.2f\n", 2.0 * double(slice) * threads * copies / seconds * 1e-9);
  return to[slice / 2] == 1 ? 0 : 1;
}
