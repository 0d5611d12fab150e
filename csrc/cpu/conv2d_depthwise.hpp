// Depthwise convolution: each filter sees one channel, so there is nothing to share between channels and, at 2 R S
// FLOPs for two elements moved, memory and the load ports are the bounds.  A plane is copied once, padded, into a sheet
// in L1, where vectors run along rows and a block of rows shares its loads: S loads of an input row serve R output
// rows.
#pragma once

#include "kernels.hpp"
#include "pack.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {

// Keeps a loaded vector in its register: GCC would rather load it again for each use, and loads are what is scarce
// here.
template <class V>
CONVOLITH_INLINE void keep(V& v) {
#if defined(__x86_64__)
  asm volatile("" : "+v"(v));
#elif defined(__aarch64__)
  asm volatile("" : "+w"(v));
#else
  (void)v;
#endif
}

// What these kernels serve: the layers that networks have.  All others are grouped convolutions like any other.
CONVOLITH_INLINE bool is_depthwise(const Conv2d& p) {
  return p.G > 1 && p.C == p.G && p.K / p.G <= 2 && p.R == p.S && (p.R == 3 || p.R == 5 || p.R == 7) &&
         p.stride_h == p.stride_w && p.stride_h <= 2 && p.dilation_h == 1 && p.dilation_w == 1 && p.pad_top < p.R &&
         p.pad_left < p.S && p.padding_mode == PaddingMode::zeros;
}

// The same arguments as conv2d_forward ...; backward_input needs K = C.
template <class T>
void depthwise_forward(const Conv2d& p, const T* x, const T* w, const T* bias, const T* residual, T* y);
template <class T>
void depthwise_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx);
template <class T>
void depthwise_backward_input_dense(const Conv2d& p, const T* dy, const T* w, T* dx);  // stride 1
template <class T>
void depthwise_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw);

// A sheet holds what a band of output rows reads of one channel.  Rows narrower than Lanes stand side by side, one of
// each of several images; with stride 2 the even padded columns of a row come first, then the odd ones.  Position j of
// a row is output column j % step of image j / step, and reads columns j ... j + reach of either phase.
struct Sheet {
  std::int64_t images, step, positions;  // side by side, distance, positions of a row
  std::int64_t used;                     // columns of the input that any output reads
  std::int64_t phase, pitch, size;       // elements of a row's phase, of a row, of all rows
  std::int64_t band, bands, groups;      // output rows of a band, bands of a plane, groups of images

  template <class T>
  static CONVOLITH_INLINE Sheet of(const Conv2d& p, T) {
    constexpr std::int64_t count = Lanes<T>::count, cached = 16384 / std::int64_t{sizeof(T)};
    const std::int64_t reach = (p.S - 1) / p.stride_w;
    Sheet f;
    f.used = min_of(p.W, (p.Q - 1) * p.stride_w + p.S - p.pad_left);
    // Neighbours share their padding where they can.
    const std::int64_t gap = p.stride_w > 1 ? reach : max_of(reach - p.pad_left, p.pad_left + f.used - p.Q);
    f.step = p.Q + gap;
    f.images = max_of<std::int64_t>(1, min_of(p.N, (count + gap) / f.step));
    f.positions = f.images * f.step - gap;
    f.phase = round_up(f.positions, count) + round_up(reach, count);
    f.pitch = f.phase * p.stride_w;
    f.bands = ceil_div(p.P, max_of<std::int64_t>(14, cached / (f.pitch * p.stride_h)));
    f.band = ceil_div(p.P, f.bands);
    f.bands = ceil_div(p.P, f.band);
    f.size = ((f.band - 1) * p.stride_h + p.R) * f.pitch;
    f.groups = ceil_div(p.N, f.images);
    return f;
  }
};

// Calls f(j) for pieces of `size` elements of a row of n: from left to right, the last one overlapping the one before.
// Of a size below that of Lanes there are two, as n < 2 * size.
template <class T, int size, class F>
CONVOLITH_INLINE void for_pieces(std::int64_t n, const F& f) {
  if constexpr (size == Lanes<T>::count)
    for (std::int64_t j = 0; j < n - size; j += size) f(j);
  else
    f(0);
  f(n - size);
}

// Rows of n elements.  from (rows, from_pitch), to (rows, to_pitch)
template <class T, int size = Lanes<T>::count>
CONVOLITH_INLINE void copy_rows(std::int64_t rows, std::int64_t n, const T* from, std::int64_t from_pitch, T* to,
                                std::int64_t to_pitch) {
  if (n <= 0) return;
  if constexpr (size > 1)
    if (n < size) return copy_rows<T, size / 2>(rows, n, from, from_pitch, to, to_pitch);
  for (; rows > 0; --rows, from += from_pitch, to += to_pitch)
    for_pieces<T, size>(n, [&](std::int64_t j) CONVOLITH_INLINED { std::memcpy(to + j, from + j, size * sizeof(T)); });
}

// Rows of n pairs: element 2 j goes to even[j], 2 j + 1 to odd[j].  Not in line, where GCC forgets what does not
// overlap.
//   from (rows, from_pitch), even and odd (rows, to_pitch)
template <class T, int size = Lanes<T>::count>
__attribute__((noinline)) void split_rows(std::int64_t rows, std::int64_t n, const T* __restrict from,
                                          std::int64_t from_pitch, T* __restrict even, T* __restrict odd,
                                          std::int64_t to_pitch) {
  if (n <= 0) return;
  if constexpr (size > 1)
    if (n < size) return split_rows<T, size / 2>(rows, n, from, from_pitch, even, odd, to_pitch);
  for (; rows > 0; --rows, from += from_pitch, even += to_pitch, odd += to_pitch)
    for (std::int64_t j = 0; j < n; j += size) {
      const std::int64_t at = min_of(j, n - size);
      for (int i = 0; i < size; ++i) {
        even[at + i] = from[2 * (at + i)];
        odd[at + i] = from[2 * (at + i) + 1];
      }
    }
}

// Band `band` of channel c of images [n0, n0 + images): x (N, C, H, W) into a sheet whose padding is zero already.
template <int stride, class T>
CONVOLITH_INLINE void pack_sheet(const Conv2d& p, const Sheet& f, const T* x, std::int64_t n0, std::int64_t c,
                                 std::int64_t band, T* sheet) {
  const std::int64_t rows = (min_of(f.band, p.P - band * f.band) - 1) * stride + p.R;
  const std::int64_t top = band * f.band * stride - p.pad_top;
  for (std::int64_t i = 0; i < rows && f.bands > 1; ++i)
    if (top + i < 0 || top + i >= p.H) fill_zero(sheet + i * f.pitch, f.pitch);
  const std::int64_t first = max_of<std::int64_t>(0, -top), last = min_of(rows, p.H - top);
  for (std::int64_t m = 0; m < min_of(f.images, p.N - n0); ++m) {
    const T* from = x + (((n0 + m) * p.C + c) * p.H + top + first) * p.W;
    T* to = sheet + m * f.step + first * f.pitch;
    T* even = to + p.pad_left % stride * f.phase + p.pad_left / stride;  // where column 0 goes, and column 1
    T* odd = to + (p.pad_left + 1) % stride * f.phase + (p.pad_left + 1) / stride;
    if constexpr (stride == 1) {
      copy_rows(last - first, f.used, from, p.W, even, f.pitch);
    } else {
      split_rows(last - first, f.used / 2, from, p.W, even, odd, f.pitch);
      for (std::int64_t i = 0; i < last - first && f.used % 2; ++i)
        even[i * f.pitch + f.used / 2] = from[i * p.W + f.used - 1];
    }
  }
}

// Where the rows of a sheet's results go: column c of image m is y[m * image + row * columns + c].
template <class T>
struct Rows {
  T* y;
  const T* end;  // behind the last row
  std::int64_t images, step, image, columns;
  bool ascending;  // each row is put from left to right, and before the next: then vectors may run over its end

  // v (rows, vectors): positions c and on of rows row ... row + rows - 1
  template <int rows, int vectors>
  CONVOLITH_INLINE void put(std::int64_t row, std::int64_t c, const Vec<T>* v) const {
    constexpr std::int64_t wide = vectors * width<T>, count = Lanes<T>::count;
    T* to = y + row * columns;
    const bool over = ascending && to + (rows - 1) * columns + c + wide <= end;
    if (images == 1 && (c + wide <= columns || over)) {
#pragma GCC unroll 16
      for (int i = 0; i < rows * vectors; ++i) store(to + i / vectors * columns + c + i % vectors * width<T>, v[i]);
      return;
    }
    T values[rows * wide];
#pragma GCC unroll 16
    for (int i = 0; i < rows * vectors; ++i) store(values + i * width<T>, v[i]);
    for (std::int64_t m = 0; m < images; ++m) {
      const std::int64_t from = max_of(c, m * step), until = min_of(c + wide, m * step + columns);
      copy_rows < T, wide<count ? wide : count>(rows, until - from, values + (from - c), wide,
                                                to + m * image + (from - m * step), columns);
    }
  }
};

// Calls f(n0, c, p0, rows, sheet) for every sheet of x (N, C, H, W), `flops` being the FMAs per position.
template <int stride, class T, class F>
CONVOLITH_INLINE void for_sheets(const Conv2d& p, const Sheet& f, std::int64_t flops, const T* x, const F& work) {
  // Several sheets are packed before the first is read: a load from two stores that are still on their way waits.
  const std::int64_t units = f.groups * p.C * f.bands;
  const std::int64_t together = max_of<std::int64_t>(1, 16384 / (f.size * std::int64_t{sizeof(T)}));
  const std::int64_t all = together * f.size + read_slack<T>;
  Scratch<T> buffers(max_threads() * all);
  fill_zero(buffers.get(), max_threads() * all);
  const std::int64_t cost = together * f.band * f.positions * (flops + 8) / 16;
  parallel_for(ceil_div(units, together), cost, [&](std::int64_t task, int thread) {
    T* sheets = buffers.get() + thread * all;
    const std::int64_t first = task * together, last = min_of(units, first + together);
    for (std::int64_t u = first; u < last; ++u)
      pack_sheet<stride>(p, f, x, u / f.bands / p.C * f.images, u / f.bands % p.C, u % f.bands,
                         sheets + (u - first) * f.size);
    for (std::int64_t u = first; u < last; ++u) {
      const std::int64_t p0 = u % f.bands * f.band;
      work(u / f.bands / p.C * f.images, u / f.bands % p.C, p0, min_of(f.band, p.P - p0),
           sheets + (u - first) * f.size);
    }
  });
}

}  // namespace convolith::CONVOLITH_ISA
