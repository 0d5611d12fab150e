// conv2d forward: 2 N K P Q (C/G) R S FLOPs.  Packing moves each input element once or twice, and every packed element
// meets K/G * R * S FMAs, so the micro-kernel (gemm.hpp) is where the time goes: near its peak from some ten
// filter rows on.
#include "conv2d_depthwise.hpp"
#include "conv2d_pointwise.hpp"
#include "conv2d_tile.hpp"
#include "conv2d_winograd.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// x (N, C, H, W), w (K, C/G, R, S), bias (K) or null, residual (N, K, P, Q) or null, y (N, K, P, Q)
template <class T>
void direct_forward(const Conv2d& p, const T* x, const T* w, const T* bias, const T* residual, T* y) {
  const std::int64_t CG = p.C / p.G, KG = p.K / p.G, taps = CG * p.R * p.S;
  const Axis vertical(p.R, p.stride_h, p.dilation_h), horizontal(p.S, p.stride_w, p.dilation_w);
  const std::int64_t pitch = p.Q + horizontal.reach(), phases = vertical.phases * horizontal.phases;
  const RowBlocks blocks(KG);
  const Cut cut(p.N * p.G, p.P, vertical.reach(), pitch, CG * phases * std::int64_t{sizeof(T)}, blocks.blocks);
  const std::int64_t plane = plane_pitch<T>((cut.band_rows + vertical.reach()) * pitch);

  Scratch<std::int64_t> offset(taps), from(horizontal.phases * pitch);
  Scratch<Columns> columns(horizontal.phases);
  plan_taps(p, vertical, horizontal, CG, pitch, plane, offset.get());
  plan_phases(p, horizontal, pitch, from.get(), columns.get());

  const std::int64_t planes_size = CG * phases * plane + read_slack<T>, tile_size = max_rows * max_vectors * width<T>;
  Scratch<T> buffers(max_threads() * (planes_size + tile_size));
  const std::int64_t tasks = p.N * p.G * cut.bands * cut.shares, cost = p.N * p.P * p.Q * p.K * taps / (16 * tasks);
  parallel_for(tasks, cost, [&](std::int64_t task, int thread) {
    const std::int64_t share = task % cut.shares, band = task / cut.shares % cut.bands;
    const std::int64_t image = task / (cut.shares * cut.bands), n = image / p.G, g = image % p.G;
    const std::int64_t p0 = band * cut.band_rows, rows = min_of(cut.band_rows, p.P - p0);
    T* planes = buffers.get() + thread * (planes_size + tile_size);
    T* tile = planes + planes_size;

    for (std::int64_t c = 0; c < CG; ++c)
      pack_channel(p, x + (n * p.C + g * CG + c) * p.H * p.W, vertical, horizontal, columns.get(), p0,
                   rows + vertical.reach(), pitch, plane, planes + c * phases * plane);
    const std::int64_t start = (n * p.K + g * KG) * p.P * p.Q;
    const Destination<T> to{y + start, p.P * p.Q, p0 * p.Q, p.Q, 1, 0, rows, 0, p.Q};
    correlate(
        blocks, blocks.blocks * share / cut.shares, blocks.blocks * (share + 1) / cut.shares, taps,
        [&](std::int64_t k0, std::int64_t) { return Matrix<T>{w + (g * KG + k0) * taps, taps, 1}; }, planes,
        offset.get(), pitch, bias ? bias + g * KG : nullptr, {residual ? residual + start : nullptr, p.activation}, to,
        tile);
  });
}

}  // namespace

// x (N, C, H, W), w (K, C/G, R, S), prepared (of conv2d_prepare_weight) or null, bias (K) or null,
// residual (N, K, P, Q) or null, y (N, K, P, Q)
template <class T>
void conv2d_forward(const Conv2d& p, const T* x, const T* w, const T* prepared, const T* bias, const T* residual,
                    T* y) {
  if (p.N == 0) return;
  switch (p.algorithm) {
    case Algorithm::depthwise:
      return depthwise_forward(p, x, w, bias, residual, y);
    case Algorithm::winograd:
      return winograd_forward(p, x, w, prepared, bias, residual, y);
    case Algorithm::gemm:
      if (!is_linear(p)) return pointwise_forward(p, x, w, bias, residual, y);
      linear_forward<T>(as_linear(p), x, w, bias, y);
      return parallel_ranges(p.N * p.K, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
        Epilogue<T>{residual, p.activation}.finish(y, begin, end - begin);
      });
    default:
      return direct_forward(p, x, w, bias, residual, y);
  }
}
INSTANTIATE(conv2d_forward)

}  // namespace convolith::CONVOLITH_ISA
