// How many threads kernels use.
#pragma once

namespace convolith {

// At most this many threads for the next kernel; 1 inside a parallel region and in a forked child, where the
// OpenMP runtime's pool does not exist any more and waiting for it would hang.
int max_threads() noexcept;
int get_num_threads() noexcept;
void set_num_threads(int threads) noexcept;

}  // namespace convolith
