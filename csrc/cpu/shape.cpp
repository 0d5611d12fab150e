// What joins arrays: the pieces of concat.
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {

// from (rows, from_pitch), to (rows, to_pitch): the first `width` elements of each row.  One read, one write.
template <class T>
void copy_rows(const CopyRows& p, const T* from, T* to) {
  const std::int64_t pieces = ceil_div(p.width, elementwise_grain);  // of long rows; short ones go together
  const std::int64_t rows_per_task = max_of<std::int64_t>(1, elementwise_grain / max_of<std::int64_t>(1, p.width));
  parallel_ranges(p.rows * pieces, rows_per_task, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t row = task / pieces, at = task % pieces * elementwise_grain;
      const std::int64_t count = min_of(elementwise_grain, p.width - at);
      std::memcpy(to + row * p.to_pitch + at, from + row * p.from_pitch + at,
                  static_cast<std::size_t>(count) * sizeof(T));
    }
  });
}
INSTANTIATE(copy_rows)

}  // namespace convolith::CONVOLITH_ISA
