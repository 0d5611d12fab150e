#include "wgmma.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "../half.hpp"
#include "block.hpp"
#include "mbarrier.hpp"
#include "observer.hpp"
#include "of_block.hpp"

namespace convolith::emu {
namespace {

constexpr int threads = 128, rows = 64, depth = 16;
// Meetings of a warpgroup.
enum { fence, product, commit, wait };

// 16 terms of `extent` rows of A or columns of B, in rows of 128 bytes that are swizzled (PTX ISA, "Shared Memory
// Matrix Layout", 128-byte swizzling): each row holds terms, or where they lie across, 64 of `extent`.
class Operand {
 public:
  Operand(std::uint64_t descriptor, int extent, bool across) : extent_(extent), across_(across) {
    const auto field = [&](int bit) { return static_cast<std::uint32_t>(descriptor >> bit & 0x3fff) << 4; };
    start_ = field(0), leading_ = field(16), stride_ = field(32);
    constexpr std::uint64_t known = 0x3fff | 0x3fffull << 16 | 0x3fffull << 32 | 3ull << 62;
    if ((descriptor & ~known) != 0 || descriptor >> 62 != 1) fail("only a swizzle over 128 bytes is emulated");
  }

  // Calls f(pointer, first row, first term) for its pieces of 16 bytes.
  template <class F>
  void each_chunk(F f) const {
    char* base = static_cast<char*>(dynamic_shared_memory()) + start_;
    if (across_) {
      for (int k = 0; k < depth; ++k)
        for (int i = 0; i < extent_; i += 8)
          f(swizzled(base + i / 64 * leading_ + k / 8 * stride_ + k % 8 * 128 + i % 64 * 2), i, k);
    } else {
      for (int i = 0; i < extent_; ++i)
        for (int k = 0; k < depth; k += 8) f(swizzled(base + i / 8 * stride_ + i % 8 * 128 + k * 2), i, k);
    }
  }

  // (depth, extent)
  std::vector<std::uint16_t> values() const {
    std::vector<std::uint16_t> all(static_cast<std::size_t>(depth * extent_));
    each_chunk([&](const char* p, int i, int k) {
      std::uint16_t chunk[8];
      std::memcpy(chunk, p, sizeof chunk);
      for (int j = 0; j < 8; ++j)
        all[static_cast<std::size_t>(across_ ? k * extent_ + i + j : (k + j) * extent_ + i)] = chunk[j];
    });
    return all;
  }

  void tell(const void* code) const {
    each_chunk([&](const char* p, int, int) { watching->operand(p, chunk_bytes, code); });
  }

 private:
  int extent_;
  bool across_;
  std::uint32_t start_, leading_, stride_;
};

std::vector<float> floats(const std::vector<std::uint16_t>& bits, bool brain) {
  std::vector<float> values(bits.size());
  std::transform(bits.begin(), bits.end(), values.begin(), [&](std::uint16_t word) {
    bfloat16 b;
    float16 h;
    b.bits = h.bits = word;
    return brain ? static_cast<float>(b) : static_cast<float>(h);
  });
  return values;
}

// Sums of products under way, which threads hold in pieces; `value` is (rows, columns).
struct Sums {
  float* of[threads];
  int columns;
  std::vector<float> value;
  int products;  // that have not been waited for

  // Element i of a thread's piece.
  float& at(int thread, int i) {
    const int lane = thread % 32, row = thread / 32 * 16 + lane / 4 + i / 2 % 2 * 8;
    return value[static_cast<std::size_t>(row * columns + i / 4 * 8 + lane % 4 * 2 + i % 2)];
  }
  int each() const { return columns / 2; }
};

struct Job {
  WarpgroupProduct what;
  std::vector<std::uint16_t> a, b;  // as they were at the beginning
  int group;                        // of those committed, or -1

  Operand left() const { return {what.a, rows, what.a_across}; }
  Operand right() const { return {what.b, what.columns, what.b_across}; }
  void tell(const void* code) const {
    left().tell(code);
    right().tell(code);
  }
};

struct Warpgroup {
  bool fenced = false;
  int groups = 0;
  std::vector<Job> jobs;
  std::map<float*, Sums> sums;  // by the first thread's

  bool over(const Job& job, int most) const { return job.group >= 0 && job.group < groups - most; }
};

thread_local OfBlock<std::map<int, Warpgroup>> warpgroups;

Warpgroup& my_warpgroup() {
  return (*warpgroups)[position().linear / threads];
}

bool first_lane() {
  return position().linear % 32 == 0;
}

// From here on the threads' own sums are garbage.
void take(void* const (&given)[threads], int columns, Sums& sums) {
  sums.columns = columns;
  sums.value.resize(static_cast<std::size_t>(rows * columns));
  for (int t = 0; t < threads; ++t) {
    sums.of[t] = static_cast<const WarpgroupProduct*>(given[t])->sums;
    for (int i = 0; i < sums.each(); ++i) sums.at(t, i) = std::exchange(sums.of[t][i], NAN);
  }
}

void give_back(Sums& sums) {
  for (int t = 0; t < threads; ++t)
    for (int i = 0; i < sums.each(); ++i) sums.of[t][i] = sums.at(t, i);
}

void begin(void* const (&given)[threads]) {
  Warpgroup& group = my_warpgroup();
  const auto& first = *static_cast<const WarpgroupProduct*>(given[0]);
  for (void* thread : given) {
    auto other = *static_cast<const WarpgroupProduct*>(thread);
    other.sums = first.sums;
    if (!(other == first)) fail("the threads of a warpgroup do not multiply the same");
  }
  if (!group.fenced) fail("no wgmma_fence() stands between the last wgmma_wait() and a product");
  const auto [sums, fresh] = group.sums.try_emplace(first.sums);
  if (fresh) take(given, first.columns, sums->second);
  ++sums->second.products;
  Job job{first, {}, {}, -1};
  job.a = job.left().values(), job.b = job.right().values();
  group.jobs.push_back(std::move(job));
  announce_multiply_add(std::int64_t{rows} * first.columns * depth);
}

void finish(const Job& job, Sums& sums) {
  const std::vector<std::uint16_t> a_now = job.left().values(), b_now = job.right().values();
  const std::vector<float> a = floats(a_now, job.what.bfloat16), b = floats(b_now, job.what.bfloat16);
  const auto columns = static_cast<std::size_t>(sums.columns);
  for (std::size_t i = 0; i < rows; ++i) {
    float* sum = sums.value.data() + i * columns;
    for (std::size_t k = 0; k < depth; ++k)
      for (std::size_t j = 0; j < columns; ++j) sum[j] += a[k * rows + i] * b[k * columns + j];
  }
  if (a_now != job.a || b_now != job.b) std::fill(sums.value.begin(), sums.value.end(), NAN);
}

void finish_all(void* const (&given)[threads]) {
  Warpgroup& group = my_warpgroup();
  const int most = *static_cast<const int*>(given[0]);
  for (const Job& job : group.jobs) {
    if (!group.over(job, most)) continue;
    const auto entry = group.sums.find(job.what.sums);
    finish(job, entry->second);
    if (--entry->second.products > 0) continue;
    give_back(entry->second);
    group.sums.erase(entry);
  }
  std::erase_if(group.jobs, [&](const Job& job) { return group.over(job, most); });
  group.fenced = false;
}

}  // namespace

void begin_product(const WarpgroupProduct& given) {
  WarpgroupProduct mine = given;
  if (watching && first_lane()) Job{mine, {}, {}, -1}.tell(__builtin_return_address(0));
  meet_warpgroup(product, &mine, begin);
}

void fence_products() {
  meet_warpgroup(fence, nullptr, [](void* const(&)[threads]) { my_warpgroup().fenced = true; });
}

void commit_products() {
  meet_warpgroup(commit, nullptr, [](void* const(&)[threads]) {
    Warpgroup& group = my_warpgroup();
    for (Job& job : group.jobs)
      if (job.group < 0) job.group = group.groups;
    ++group.groups;
  });
}

void wait_for_products(int most) {
  if (watching && first_lane()) {
    const Warpgroup& group = my_warpgroup();
    for (const Job& job : group.jobs)
      if (group.over(job, most)) job.tell(__builtin_return_address(0));
  }
  meet_warpgroup(wait, &most, finish_all);
}

std::uint32_t shared_address(const void* shared) {
  const auto* base = static_cast<const char*>(dynamic_shared_memory());
  return static_cast<std::uint32_t>(static_cast<const char*>(shared) - base);
}

}  // namespace convolith::emu
