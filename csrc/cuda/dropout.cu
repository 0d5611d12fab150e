// Dropout with a counter-based generator: what happens to element i, or slice i, depends on (seed, offset, i) alone, so
// forward and backward are the same function and nothing has to be kept.  One read and one write an element; 20 wide
// multiplications give the random words of four.
#include "elementwise.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

struct Words {
  std::uint32_t v[4];
};

// Philox4x32-10 (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, 3.3) for the
// counter with `block` in its low 64 bits and `offset` in its high ones.
__device__ __forceinline__ Words philox(std::uint64_t seed, std::uint64_t offset, std::uint64_t block) {
  auto c0 = static_cast<std::uint32_t>(block), c1 = static_cast<std::uint32_t>(block >> 32);
  auto c2 = static_cast<std::uint32_t>(offset), c3 = static_cast<std::uint32_t>(offset >> 32);
  auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * c0, b = std::uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<std::uint32_t>(b >> 32) ^ c1 ^ key0;
    c1 = static_cast<std::uint32_t>(b);
    c2 = static_cast<std::uint32_t>(a >> 32) ^ c3 ^ key1;
    c3 = static_cast<std::uint32_t>(a);
    key0 += 0x9E3779B9;  // the golden ratio
    key1 += 0xBB67AE85;  // sqrt(3) - 1
  }
  return {{c0, c1, c2, c3}};
}

// u >= p, with u = (word >> 8) * 2^-24 and both times 2^24: exact.
struct Mask {
  std::uint64_t seed, offset;
  std::uint32_t threshold;
  float scale, shift, dropped;

  explicit Mask(const Dropout& p)
      : seed(p.seed),
        offset(p.offset),
        threshold(static_cast<std::uint32_t>(ceil(p.p * 16777216.0))),
        scale(static_cast<float>(p.scale)),
        shift(static_cast<float>(p.shift)),
        dropped(static_cast<float>(p.dropped)) {}
  __device__ __forceinline__ bool keeps(std::uint32_t word) const { return word >> 8 >= threshold; }
  __device__ __forceinline__ float operator()(std::uint32_t word, float x) const {
    return keeps(word) ? fmaf(x, scale, shift) : dropped;
  }
};

// x, y (N, L, C): a thread (c, slot) for four elements with neighbouring logical indices (n C + c) L + l, as far as
// they lie in the plane (n, c), which need not begin at a multiple of four; y may be x
template <class T>
__global__ void dropout_kernel(std::int64_t N, std::int64_t C, std::int64_t L, Mask mask, const T* x, T* y) {
  const std::int64_t slot = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  for (std::int64_t n = blockIdx.z; n < N; n += gridDim.z)
    for (std::int64_t c = blockIdx.y * blockDim.x + threadIdx.x; c < C; c += gridDim.y * blockDim.x) {
      const std::int64_t plane = (n * C + c) * L, block = plane / 4 + slot;
      const std::int64_t l = 4 * block - plane, first = (n * L + l) * C + c;
      if (l >= L) continue;
      const auto inside = [=](int j) { return l + j >= 0 && l + j < L; };
      const bool packed = C == 1 && inside(0) && inside(3);
      Vector<T, 4> four{};
      if (packed) four = reinterpret_cast<const Vector<T, 4>*>(x)[first / 4];
#pragma unroll
      for (int j = 0; j < 4; ++j)
        if (!packed && inside(j)) four.v[j] = x[first + j * C];
      const Words words = philox(mask.seed, mask.offset, static_cast<std::uint64_t>(block));
#pragma unroll
      for (int j = 0; j < 4; ++j) four.v[j] = static_cast<T>(mask(words.v[j], static_cast<float>(four.v[j])));
      if (packed) reinterpret_cast<Vector<T, 4>*>(y)[first / 4] = four;
#pragma unroll
      for (int j = 0; j < 4; ++j)
        if (!packed && inside(j)) y[first + j * C] = four.v[j];
    }
}

// kept (slices): whether slice i is.  A thread for the four of a block of words.
__global__ void keep_kernel(std::int64_t slices, Mask mask, bool* kept) {
  const std::int64_t block = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (4 * block >= slices) return;
  const Words words = philox(mask.seed, mask.offset, static_cast<std::uint64_t>(block));
#pragma unroll
  for (int j = 0; j < 4; ++j)
    if (4 * block + j < slices) kept[4 * block + j] = mask.keeps(words.v[j]);
}

// x, y (N, L, C), kept (N, C): a block (channels, elements of a slice) that strides over all three axes; y may be x
template <class T>
__global__ void slices_kernel(std::int64_t N, std::int64_t C, std::int64_t L, Mask mask, const bool* kept, const T* x,
                              T* y) {
  for (std::int64_t n = blockIdx.z; n < N; n += gridDim.z)
    for (std::int64_t c = blockIdx.y * blockDim.x + threadIdx.x; c < C; c += gridDim.y * blockDim.x) {
      const bool keeps = kept[n * C + c];
      for (std::int64_t l = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y; l < L; l += gridDim.x * blockDim.y) {
        const std::int64_t i = (n * L + l) * C + c;
        y[i] = static_cast<T>(keeps ? fmaf(static_cast<float>(x[i]), mask.scale, mask.shift) : mask.dropped);
      }
    }
}

unsigned extent(std::int64_t wanted, unsigned most) {
  return wanted < most ? static_cast<unsigned>(wanted) : most;
}

}  // namespace

// x, y (n / (C L), L, C): y = scale x + shift where u >= p, else `dropped`; y may be x.
template <class T>
void dropout(const Dropout& p, const T* x, T* y) {
  if (p.n == 0) return;
  const bool flat = p.C == 1 || p.L == 1;  // memory is in logical order
  const std::int64_t C = flat ? 1 : p.C, L = flat ? p.n : p.L, N = p.n / (C * L);
  const std::int64_t slots = (L + 6) / 4;  // that a plane may need
  const unsigned across = extent(C, 256), along = extent(slots, 256 / across);
  const dim3 grid(static_cast<unsigned>(ceil_div(slots, along)), extent(ceil_div(C, across), 65535), extent(N, 65535));
  launch("dropout", dropout_kernel<T>, grid, dim3(across, along), 0, N, C, L, Mask(p), x, y);
}
INSTANTIATE(dropout)

// x, y (n / (C L), L, C): the same for slices (n, c), each with one word; y may be x.
template <class T>
void dropout_slices(const Dropout& p, const T* x, T* y) {
  if (p.n == 0) return;
  const std::int64_t slices = p.n / p.L, N = slices / p.C;
  const Scratch<bool> kept(slices);
  const Mask mask(p);
  const unsigned across = extent(p.C, 256), along = extent(p.L, 256 / across);
  const dim3 grid(extent(ceil_div(p.L, 4 * along), 8 * 132), extent(ceil_div(p.C, across), 65535), extent(N, 65535));
  launch("dropout_slices", keep_kernel, dim3(static_cast<unsigned>(ceil_div(slices, 4 * 128))), dim3(128), 0, slices,
         mask, kept.get());
  launch("dropout_slices", slices_kernel<T>, grid, dim3(across, along), 0, N, p.C, p.L, mask, kept.get(), x, y);
}
INSTANTIATE(dropout_slices)

}  // namespace convolith::CONVOLITH_DEVICE
