// conv2d weight gradient for 3x3 filters at stride 1, by the transpose of Winograd's F(4x4, 3x3):
//
//   dw = G^T [sum over tiles of (B^T x B) * (A dy A^T)] G,
//
// which is, point by point, a matrix product over tiles: S (filter, channel) = D^T (filter, tile) V (tile, channel).
// A task owns a block of filters x channels, whose sums stay in L2 while chunks of tiles go by.
#include "conv2d_winograd.hpp"
#include "gemm.hpp"
#include "kernels.hpp"
#include "winograd_tiles.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// Sums (point, filter, channel) of filters x channels, `pitch` and `point` apart, to dw (filter, channel, 3, 3).
template <class T>
void transform_weight(const T* sums, std::int64_t filters, std::int64_t channels, std::int64_t pitch,
                      std::int64_t point, T* dw, std::int64_t filter_pitch) {
  for (std::int64_t k = 0; k < filters; ++k)
    for (std::int64_t c = 0; c < channels; c += width<T>) {
      const T* from = sums + k * pitch + c;
      alignas(64) T block[9][width<T>];
      transform<T, WeightTransform>([=](int i, int j) CONVOLITH_INLINED { return load(from + (i * 6 + j) * point); },
                                    [&](int i, int j, Vec<T> value)
                                        CONVOLITH_INLINED { store(block[i * 3 + j], value); });
      T* to = dw + k * filter_pitch + c * 9;
      for (std::int64_t i = 0; i < min_of(width<T>, channels - c); ++i)
        for (int tap = 0; tap < 9; ++tap) to[i * 9 + tap] = block[tap][i];
    }
}

}  // namespace

// dy (N, K, P, Q), x (N, C, H, W), dw (K, C, 3, 3)
template <class T>
void winograd_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw) {
  const Tiles tiles(p);
  Conv2d gradient = p;  // dy as an image of its own, without padding
  gradient.C = p.K, gradient.H = p.P, gradient.W = p.Q, gradient.pad_top = gradient.pad_left = 0;
  gradient.padding_mode = PaddingMode::zeros;

  // Tasks: blocks of filters x channels, and parts of the tiles where those are too few.
  constexpr std::int64_t block = 64, chunk = 24;
  const std::int64_t dw_size = p.K * p.C * 9;
  const std::int64_t k_blocks = ceil_div(p.K, block), c_blocks = ceil_div(p.C, block), blocks = k_blocks * c_blocks;
  const Parts parts(tiles.count, chunk, blocks, dw_size * std::int64_t{sizeof(T)});

  const std::int64_t k_padded = round_up(min_of(block, p.K), width<T>);
  const std::int64_t c_padded = round_up(min_of(block, p.C), width<T>);
  const std::int64_t v_point = plane_pitch<T>(chunk * c_padded), d_point = plane_pitch<T>(chunk * k_padded);
  const std::int64_t s_point = plane_pitch<T>(k_padded * c_padded);
  const std::int64_t row_size = (min_of(tiles.columns, chunk) * tile_out + 2 + width<T>)*width<T>;
  const std::int64_t buffer_size = points * (v_point + d_point + s_point) + tile_in * row_size;
  Scratch<T> buffers(max_threads() * buffer_size), partial(parts.count > 1 ? parts.count * dw_size : 0);

  const std::int64_t cost = parts.size * points * k_padded * (c_padded + 200) / 16;
  parallel_for(parts.count * blocks, cost, [&](std::int64_t task, int thread) {
    T* v = buffers.get() + thread * buffer_size;
    T* d = v + points * v_point;
    T* s = d + points * d_point;
    T* rows = s + points * s_point;
    const std::int64_t part = task / blocks, k0 = task / c_blocks % k_blocks * block, c0 = task % c_blocks * block;
    const std::int64_t filters = min_of(block, p.K - k0), channels = min_of(block, p.C - c0);
    const std::int64_t last = min_of(tiles.count, (part + 1) * parts.size);
    const std::int64_t vectors = ceil_div(channels, width<T>), panel = min_of(vectors, panel_vectors);
    const RowBlocks row_blocks(filters, panel);
    for (std::int64_t begin = part * parts.size; begin < last; begin += chunk) {
      const std::int64_t end = min_of(begin + chunk, last);
      transform_tiles<InputTransform>(p, tiles, begin, end, x, c0, c0 + channels, c_padded, v_point, row_size, rows, v);
      transform_tiles<GradientTransform>(gradient, tiles, begin, end, dy, k0, k0 + filters, k_padded, d_point, row_size,
                                         rows, d);
      for (int e = 0; e < points; ++e)
        for (std::int64_t c = 0; c < vectors; c += panel)
          for (std::int64_t b = 0; b < row_blocks.blocks; ++b) {
            const std::int64_t k = b * row_blocks.height;
            T* to = s + e * s_point + k * c_padded + c * width<T>;
            find_micro<T, Matrix<T>, Step>(row_blocks.height_of(b), min_of(panel, vectors - c))(
                end - begin, {d + e * d_point + k, 1, k_padded}, v + e * v_point + c * width<T>,
                {c_padded, to + row_blocks.height * c_padded}, begin > part * parts.size, to, c_padded);
          }
    }
    T* to = (parts.count > 1 ? partial.get() + part * dw_size : dw) + (k0 * p.C + c0) * 9;
    transform_weight(s, filters, channels, c_padded, s_point, to, p.C * 9);
  });

  if (parts.count > 1) add_partial_sums(parts.count, dw_size, partial.get(), dw);
}
INSTANTIATE(winograd_backward_weight)

}  // namespace convolith::CONVOLITH_ISA
