// conv2d forward and input gradient for 3x3 filters at stride 1, by Winograd's F(4x4, 3x3): a quarter of the products
// (winograd.hpp), at the price of transforms and about one decimal digit.
//
// Vectors hold channels.  A chunk of 4 x 4 output tiles goes through three stages while its data is in L2:
//   1. 16 channels of image rows are transposed in registers, each 6 x 6 tile is transformed: V (point, tile, channel);
//   2. per point one matrix product, M (point, tile, filter) = V (point) U (point), U the transformed filter;
//   3. each tile of M is transformed back, transposed, and stored in rows of y.
// Per tile and channel: 36 K FMAs in stage 2 against some 150 vector operations / 16 in stages 1 and 3 together, so
// from 32 channels on most of the time is matrix product.
#include "conv2d_winograd.hpp"

#include "epilogue.hpp"
#include "gemm.hpp"
#include "kernels.hpp"
#include "winograd_tiles.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// Tiles that go through the three stages together.
constexpr std::int64_t chunk_tiles = 24;

// Filter element (k, c, r, s) is data[k * k_pitch + c * c_pitch + r * 3 + s], or of the filter turned by 180 degrees.
template <class T>
struct Filter {
  const T* data;
  std::int64_t k_pitch, c_pitch;
  bool turned;
};

// Transformed filters: (point, panel, channel, filter).
template <class T>
struct TransformedFilter : Panels<T> {
  std::int64_t point;  // distance of points, no power of two: those fall into one set of a cache

  TransformedFilter(std::int64_t K, std::int64_t C) : Panels<T>(K), point(plane_pitch<T>(C * this->padded)) {}
  CONVOLITH_INLINE std::int64_t size() const { return points * point; }
};

// Channels whose transformed filters go to memory together: fewer and longer writes to each of the 36 places.
constexpr std::int64_t together = 8;
template <class T>
constexpr std::int64_t block_size = together * panel_vectors * width<T>;

// Panel `panel` of the filter: u (point, channel, filter), points `point` apart
template <class T>
void transform_panel(const Conv2d& p, const Filter<T>& filter, const Panels<T>& panels, std::int64_t panel,
                     std::int64_t point, T* u) {
  const std::int64_t wide = panels.width_of(panel);
  for (std::int64_t c0 = 0; c0 < p.C; c0 += together) {
    const std::int64_t channels = min_of(together, p.C - c0);
    alignas(64) T block[points][block_size<T>];
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t k0 = 0; k0 < wide; k0 += width<T>) {
        const std::int64_t k = panel * panels.wide + k0, filters = min_of(width<T>, p.K - k);
        const Stack<T> stack{filter.data + k * filter.k_pitch, filter.k_pitch, filters, filter.data + p.K * p.C * 9};
        alignas(64) T g[9 + width<T>][width<T>];
        for (std::int64_t tap = 0; tap < 9; tap += width<T>)
          stack.transpose_to((c0 + c) * filter.c_pitch + tap, g[tap], width<T>);
        T* to = block[0] + c * wide + k0;
        transform<T, FilterTransform>(
            [&](int i, int j) CONVOLITH_INLINED { return load(g[filter.turned ? 8 - (3 * i + j) : 3 * i + j]); },
            [=](int i, int j, Vec<T> v) CONVOLITH_INLINED { store(to + (i * 6 + j) * block_size<T>, v); });
      }
    for (int e = 0; e < points; ++e)
      std::memcpy(u + e * point + c0 * wide, block[e], static_cast<std::size_t>(channels * wide) * sizeof(T));
  }
}

// u (point, panel, channel, filter)
template <class T>
void transform_filter(const Conv2d& p, const Filter<T>& filter, const TransformedFilter<T>& panels, T* u) {
  parallel_for(panels.count, 40 * p.C * panels.wide / width<T>, [&](std::int64_t panel, int) {
    transform_panel<T>(p, filter, panels, panel, panels.point, u + panel * panels.wide * p.C);
  });
}

// Stage 2, for panels [first, last): m (point, tile, filter) = v (point, tile, channel) u (point, panel, channel,
// filter)
template <class T>
void multiply_points(std::int64_t tiles, std::int64_t C, const T* v, std::int64_t v_pitch, std::int64_t v_point,
                     const Panels<T>& panels, std::int64_t first, std::int64_t last, const T* u, std::int64_t u_point,
                     T* m, std::int64_t m_pitch, std::int64_t m_point) {
  const RowBlocks blocks(tiles, panels.wide / width<T>);
  for (int e = 0; e < points; ++e)
    for (std::int64_t panel = first; panel < last; ++panel) {
      const std::int64_t wide = panels.width_of(panel);
      const T* u_panel = u + e * u_point + (panel - first) * panels.wide * C;
      const T* next = panel + 1 < last ? u_panel + wide * C : u + (e + 1) * u_point;
      for (std::int64_t block = 0; block < blocks.blocks; ++block) {
        const std::int64_t t = block * blocks.height;
        find_micro<T, Matrix<T>, Step>(blocks.height_of(block), wide / width<T>)(
            C, {v + e * v_point + t * v_pitch, v_pitch, 1}, u_panel, {wide, next + block * C * Lanes<T>::count}, false,
            m + e * m_point + t * m_pitch + (panel - first) * panels.wide, m_pitch);
      }
    }
}

// Stage 3: m (point, tile of the chunk, padded filter) for filters [k0, k1), whole vectors of them
template <class T>
void transform_output(const Conv2d& p, const Tiles& tiles, std::int64_t begin, std::int64_t end, std::int64_t k0,
                      std::int64_t k1, const T* m, std::int64_t m_pitch, std::int64_t m_point, const T* bias,
                      const Epilogue<T>& epilogue, std::int64_t row_size, T* rows, T* y) {
  for (std::int64_t k = k0; k < min_of(k1, p.K); k += width<T>) {
    const std::int64_t filters = min_of(width<T>, p.K - k);
    const Vec<T> add = bias ? load(bias + k, filters) : Vec<T>{};
    for_runs(tiles, begin, end,
             [&](std::int64_t n, std::int64_t ty, std::int64_t x0, std::int64_t x1, std::int64_t at) {
               for (std::int64_t tile = 0; tile < x1 - x0; ++tile) {
                 const T* from = m + (at + tile) * m_pitch + k - k0;
                 T* to = rows + tile * tile_out * width<T>;
                 transform<T, OutputTransform>(
                     [=](int i, int j) CONVOLITH_INLINED { return load(from + (i * 6 + j) * m_point); },
                     [=](int i, int j, Vec<T> value)
                         CONVOLITH_INLINED { store(to + i * row_size + j * width<T>, value + add); });
               }
               const std::int64_t q0 = x0 * tile_out, stored = min_of((x1 - x0) * tile_out, p.Q - q0);
               for (std::int64_t i = 0; i < min_of<std::int64_t>(tile_out, p.P - ty * tile_out); ++i) {
                 T* out = y + ((n * p.K + k) * p.P + ty * tile_out + i) * p.Q + q0;
                 for (std::int64_t j0 = 0; j0 < stored; j0 += width<T>) {
                   // The last block starts early rather than to store a part.
                   const std::int64_t j = max_of<std::int64_t>(0, min_of(j0, stored - width<T>)), columns = stored - j;
                   Vec<T> v[width<T>];
                   load_transposed(rows + i * row_size + j * width<T>, width<T>, v);
#pragma GCC unroll 16
                   for (int c = 0; c < width<T>; ++c)
                     if (c < filters) store(out + c * p.P * p.Q + j, v[c], columns);
                   for (std::int64_t c = 0; c < filters; ++c)
                     epilogue.finish(y, out + c * p.P * p.Q + j - y, min_of(columns, width<T>));
                 }
               }
             });
  }
}

// What either order of the stages needs to know.
template <class T>
struct Plan {
  Tiles tiles;
  TransformedFilter<T> panels;
  std::int64_t c_padded, chunk, chunks;  // tiles of a chunk, equal ones; chunks
  std::int64_t row_size;                 // of the rows that stages 1 and 3 work with

  explicit Plan(const Conv2d& p) : tiles(p), panels(p.K, p.C), c_padded(round_up(p.C, width<T>)) {
    chunk = ceil_div(tiles.count, ceil_div(tiles.count, chunk_tiles));
    chunks = ceil_div(tiles.count, chunk);
    row_size = (min_of(tiles.columns, chunk) * tile_out + 2 + width<T>)*width<T>;
  }
};

// Chunk by chunk: the filter is transformed once, into u, and read by every chunk.
// x (N, C, H, W), u (TransformedFilter), y (N, K, P, Q), bias (K) or null
template <class T>
void correlate_by_chunks(const Conv2d& p, const Plan<T>& plan, const T* x, const T* u, const T* bias,
                         const Epilogue<T>& epilogue, T* y) {
  const TransformedFilter<T>& panels = plan.panels;
  const std::int64_t shares = min_of(panels.count, ceil_div(std::int64_t{16}, plan.chunks));
  const std::int64_t share_width = ceil_div(panels.count, shares) * panels.wide;
  const std::int64_t v_point = plane_pitch<T>(plan.chunk * plan.c_padded);
  const std::int64_t m_point = plane_pitch<T>(plan.chunk * share_width);
  const std::int64_t buffer_size = points * (v_point + m_point) + tile_in * plan.row_size;
  Scratch<T> buffers(max_threads() * buffer_size);
  Held transformed;

  const std::int64_t cost = plan.chunk * points * p.C * (share_width + 200) / 16;
  parallel_for(plan.chunks * shares, cost, [&](std::int64_t task, int thread) {
    T* v = buffers.get() + thread * buffer_size;
    T* m = v + points * v_point;
    T* rows = m + points * m_point;
    const std::int64_t begin = task / shares * plan.chunk, end = min_of(begin + plan.chunk, plan.tiles.count);
    const std::int64_t first = panels.count * (task % shares) / shares,
                       last = panels.count * (task % shares + 1) / shares;
    if (transformed.changes(thread, begin))
      transform_tiles<InputTransform>(p, plan.tiles, begin, end, x, 0, p.C, plan.c_padded, v_point, plan.row_size, rows,
                                      v);
    multiply_points<T>(end - begin, p.C, v, plan.c_padded, v_point, panels, first, last, u + first * panels.wide * p.C,
                       panels.point, m, share_width, m_point);
    transform_output(p, plan.tiles, begin, end, first * panels.wide, last * panels.wide, m, share_width, m_point, bias,
                     epilogue, plan.row_size, rows, y);
  });
}

// Panel by panel: the tiles are transformed once, and each thread transforms the filters of the panel that it is at.
// With few tiles that keeps out of memory what is largest, 36 / 9 times the filter.
// x (N, C, H, W), y (N, K, P, Q), bias (K) or null
template <class T>
void correlate_by_panels(const Conv2d& p, const Plan<T>& plan, const T* x, const Filter<T>& filter, const T* bias,
                         const Epilogue<T>& epilogue, T* y) {
  const TransformedFilter<T>& panels = plan.panels;
  const std::int64_t v_point = plane_pitch<T>(plan.tiles.count * plan.c_padded);
  const std::int64_t u_point = plane_pitch<T>(p.C * panels.wide), m_point = plane_pitch<T>(plan.chunk * panels.wide);
  const std::int64_t rows_size = tile_in * plan.row_size, buffer_size = points * (u_point + m_point) + rows_size;
  Scratch<T> v(points * v_point), buffers(max_threads() * buffer_size);

  parallel_for(plan.c_padded / width<T>, plan.tiles.count * 200, [&](std::int64_t task, int thread) {
    const std::int64_t c = task * width<T>;
    transform_tiles<InputTransform>(p, plan.tiles, 0, plan.tiles.count, x, c, min_of(c + width<T>, p.C), plan.c_padded,
                                    v_point, plan.row_size, buffers.get() + thread * buffer_size, v.get() + c);
  });
  // Parts of the tiles where panels are few, each with a transform of its own.
  const std::int64_t parts = min_of(plan.chunks, ceil_div(std::int64_t{4}, panels.count));
  const std::int64_t cost = (plan.tiles.count * points + 400) * p.C * panels.wide / 16;
  parallel_for(panels.count * parts, cost, [&](std::int64_t task, int thread) {
    const std::int64_t panel = task / parts, part = task % parts;
    T* rows = buffers.get() + thread * buffer_size;
    T* u = rows + rows_size;
    T* m = u + points * u_point;
    transform_panel<T>(p, filter, panels, panel, u_point, u);
    for (std::int64_t i = plan.chunks * part / parts; i < plan.chunks * (part + 1) / parts; ++i) {
      const std::int64_t begin = i * plan.chunk, end = min_of(begin + plan.chunk, plan.tiles.count);
      multiply_points<T>(end - begin, p.C, v.get() + begin * plan.c_padded, plan.c_padded, v_point, panels, panel,
                         panel + 1, u, u_point, m, panels.wide, m_point);
      transform_output(p, plan.tiles, begin, end, panel * panels.wide, panel * panels.wide + panels.width_of(panel), m,
                       panels.wide, m_point, bias, epilogue, plan.row_size, rows, y);
    }
  });
}

// x (N, C, H, W), prepared (TransformedFilter) or null, y (N, K, P, Q), bias (K) or null
template <class T>
void correlate_tiles(const Conv2d& p, const T* x, const Filter<T>& filter, const T* bias, const Epilogue<T>& epilogue,
                     const T* prepared, T* y) {
  const Plan<T> plan(p);
  if (prepared) return correlate_by_chunks(p, plan, x, prepared, bias, epilogue, y);
  if (plan.tiles.count <= p.K) return correlate_by_panels(p, plan, x, filter, bias, epilogue, y);
  const Scratch<T> u(plan.panels.size());
  transform_filter(p, filter, plan.panels, u.get());
  correlate_by_chunks<T>(p, plan, x, u.get(), bias, epilogue, y);
}

}  // namespace

// x (N, C, H, W), w (K, C, 3, 3), prepared or null, bias (K) or null, residual (N, K, P, Q) or null, y (N, K, P, Q)
template <class T>
void winograd_forward(const Conv2d& p, const T* x, const T* w, const T* prepared, const T* bias, const T* residual,
                      T* y) {
  correlate_tiles<T>(p, x, {w, p.C * 9, 9, false}, bias, {residual, p.activation}, prepared, y);
}
INSTANTIATE(winograd_forward)

// dy (N, K, P, Q), w (K, C, 3, 3), dx (N, C, H, W): a correlation of dy with the filters turned, padded with 2 -
// padding.
template <class T>
void winograd_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  Conv2d turned = p;
  turned.C = p.K, turned.K = p.C, turned.H = p.P, turned.W = p.Q, turned.P = p.H, turned.Q = p.W;
  turned.pad_top = 2 - p.pad_top, turned.pad_left = 2 - p.pad_left;
  correlate_tiles<T>(turned, dy, {w, 9, p.C * 9, true}, nullptr, {nullptr, Activation::identity}, nullptr, dx);
}
INSTANTIATE(winograd_backward_input)

template <class T>
std::int64_t winograd_prepared(const Conv2d& p) {
  return TransformedFilter<T>(p.K, p.C).size();
}
INSTANTIATE(winograd_prepared)

// w (K, C, 3, 3), prepared (TransformedFilter)
template <class T>
void winograd_prepare_weight(const Conv2d& p, const T* w, T* prepared) {
  transform_filter<T>(p, {w, p.C * 9, 9, false}, TransformedFilter<T>(p.K, p.C), prepared);
}
INSTANTIATE(winograd_prepare_weight)

}  // namespace convolith::CONVOLITH_ISA
