// Direct convolution with filters in vectors: forward and input gradient.
//
// A piece, some rows of an image or several small images, is copied with its padding and multiplied by one panel of
// filters after the other.  Inputs are broadcast, six positions at once, each tap at its own offset: so no lane is
// spent on row ends, and a stride or a dilation costs nothing.
//
// Per tap of 6 positions and 64 filters (AVX-512): 24 FMAs, 6 broadcasts, 4 loads.  Panels stream from L2, some ten
// bytes a cycle where it gives 32 or more; the copy stays in L2, the cells that neighbours share in L1.  Transposing
// the sums is a quarter of a shuffle per output, against C/G * R * S / 16 FMAs.
#include "conv2d_direct.hpp"
#include "conv2d_pieces.hpp"
#include "conv2d_residues.hpp"
#include "epilogue.hpp"
#include "gemm.hpp"
#include "kernels.hpp"
#include "pack.hpp"
#include "transpose.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// y (N, G * filters, plane) = a correlation of x (N, G * channels, H, W) with filters.  A forward has one set of
// outputs, an input gradient those of its residues.
struct Correlation {
  std::int64_t N, G, channels, H, W, filters, plane;
  std::int64_t stride_h, stride_w;
  std::int64_t top, left;      // the row and the column of x where the padded copy starts
  std::int64_t span_h, pitch;  // rows that one output row sees; columns of the copy
  PaddingMode padding_mode;
  std::int64_t sets, columns_apart;  // of the sets, so many in turn share their rows
  std::int64_t taps;                 // of all sets
};

// A correlation's filters: (group, panel, tap, filter), with room for a vector of taps behind each set's.
template <class T>
struct FilterPanels : Panels<T> {
  std::int64_t depth;  // taps, and that room

  FilterPanels(std::int64_t filters, std::int64_t taps, std::int64_t sets)
      : Panels<T>(filters), depth(taps + sets * width<T>) {}
  CONVOLITH_INLINE std::int64_t size(std::int64_t groups) const { return groups * this->padded * depth; }
  CONVOLITH_INLINE std::int64_t at(std::int64_t g, std::int64_t panel, std::int64_t set, std::int64_t first_tap) const {
    return (g * this->padded + panel * this->wide) * depth + (first_tap + set * width<T>)*this->width_of(panel);
  }
};

// How a correlation is cut: pieces of some 200 positions whose copy fits half of an L2 of 1 MiB, smaller ones where
// that leaves less than eight tasks; then shares of the panels, for sixteen of them.
template <class T>
struct Tasks {
  Pieces pieces;
  std::int64_t rows, plane, image;  // of the copy; distances of channels and images
  std::int64_t shares;

  Tasks(const Correlation& p, const OutputSet& largest, std::int64_t panels)
      : pieces(p.N, largest.rows, largest.columns, positions(p, largest.rows * largest.columns * panels), most_rows(p)),
        rows((pieces.rows - 1) * p.stride_h + p.span_h),
        plane(rows * p.pitch),
        image(p.channels * plane),
        shares(min_of(panels, ceil_div(2 * enough, pieces.count * p.G))) {}

 private:
  static constexpr std::int64_t enough = 8;
  static std::int64_t positions(const Correlation& p, std::int64_t outputs) {
    constexpr std::int64_t least = 48, most = 224;
    return max_of(least, min_of(most, p.N * p.G * outputs / enough));
  }
  static std::int64_t most_rows(const Correlation& p) {
    constexpr std::int64_t budget = 512 * 1024;
    const std::int64_t fitting = budget / (p.channels * p.pitch * std::int64_t{sizeof(T)});
    return max_of<std::int64_t>(0, fitting - p.span_h) / p.stride_h + 1;
  }
};

constexpr std::int64_t slice = 512;  // taps at a time: at most 128 KiB of a panel
CONVOLITH_INLINE std::int64_t slices_of(std::int64_t taps) {
  return max_of<std::int64_t>(1, ceil_div(taps, slice));
}

// The inputs of the next piece, which are fetched channel by channel while a panel is multiplied.
template <class T>
class Upcoming {
 public:
  // used: taps of the shortest slice
  Upcoming(const Correlation& p, std::int64_t rows, std::int64_t used)
      : p_(p), inputs_(slice, used, min_of(rows, p.H) * p.W, p.H * p.W) {}
  // Where a thread is.
  struct Place {
    const T* x;             // the first row of a group's channels
    std::int64_t left = 0;  // channels of that piece that are still to be fetched
  };
  CONVOLITH_INLINE Place inputs(const T* x, std::int64_t n, std::int64_t g, std::int64_t row,
                                std::int64_t images) const {
    return {x + ((n * p_.G + g) * p_.channels * p_.H + max_of<std::int64_t>(0, row)) * p_.W, images * p_.channels};
  }
  CONVOLITH_INLINE ListedStep step(std::int64_t pitch, Place& place) const {
    const T* from = place.x;
    place.x += inputs_.rows * p_.H * p_.W;
    place.left -= inputs_.rows;
    return {pitch, from, inputs_.lines()};
  }

 private:
  const Correlation& p_;
  const Ahead<T> inputs_;
};

// sums (position, filter) = the sum over taps of inputs[position + tap] * panel (tap, filter), `wide` filters.
//   upcoming, place: what to fetch besides the panel's next slice
//   begin(i, n), end(i, n): called for positions [i, i + n), a vector of them at most, around their last slice of taps
template <class T, class Begin, class End>
CONVOLITH_INLINE void multiply_panel(std::int64_t positions, const std::int64_t* position, std::int64_t taps,
                                     const std::int64_t* tap, const T* inputs, const T* panel, std::int64_t wide,
                                     T* sums, const Upcoming<T>& upcoming, typename Upcoming<T>::Place& place,
                                     const Begin& begin, const End& end) {
  const std::int64_t slices = slices_of(taps), depth = ceil_div(taps, slices);
  const std::int64_t vectors = wide / width<T>, lines = ceil_div(wide, Lanes<T>::count);
  const std::int64_t group = ceil_div(positions, ceil_div(positions, width<T>));
  for (std::int64_t s = 0; s < slices; ++s) {
    const std::int64_t t = s * depth, count = min_of(depth, taps - t);
    std::int64_t fetched = 0;  // parts of the next slice: the first blocks fetch one each, a line per tap
    for (std::int64_t g = 0; g < positions; g += group) {
      const RowBlocks blocks(min_of(group, positions - g), vectors);
      if (s + 1 == slices) begin(g, blocks.rows);
      for (std::int64_t b = 0; b < blocks.blocks; ++b, ++fetched) {
        const std::int64_t first = g + b * blocks.height;
        const T* slice_start = panel + t * wide;
        const Scattered<T> left{inputs, position + first, tap + t};
        T* to = sums + first * wide;
        if (fetched >= lines && place.left > 0) {
          find_micro<T, Scattered<T>, ListedStep>(blocks.height_of(b), vectors)(
              count, left, slice_start, upcoming.step(wide, place), s > 0, to, wide);
          continue;
        }
        const T* next = slice_start + (fetched < lines ? depth * (wide + fetched * Lanes<T>::count) : 0);
        find_micro<T, Scattered<T>, Step>(blocks.height_of(b), vectors)(count, left, slice_start, {wide, next}, s > 0,
                                                                        to, wide);
      }
      if (s + 1 == slices) end(g, blocks.rows);
    }
  }
}

// Row i of the sets that share rows, to where it belongs in plane y.
//   turned (set, position), sets `pitch` apart, whose row i is row `from` of theirs
template <class T>
CONVOLITH_INLINE void interleave_rows(const Correlation& p, const OutputSet* set, std::int64_t i, const T* turned,
                                      std::int64_t pitch, std::int64_t from, T* y) {
  T* row = y + set[0].origin + i * set[0].row;
  const T* first = turned + from * set[0].columns;
  if (p.columns_apart == 1) return copy_vectors(first, set[0].columns, row);
  if (p.columns_apart == 2 && set[0].column == 2)
    return copy_zipped(first, turned + pitch + from * set[1].columns, set[0].columns + set[1].columns, row);
  for (std::int64_t b = 0; b < p.columns_apart; ++b)
    for (std::int64_t j = 0; j < set[b].columns; ++j)
      row[b + j * set[b].column] = turned[b * pitch + from * set[b].columns + j];
}

// x (N, G * channels, H, W), y (N, G * filters, plane), bias (G * filters) or null
//   set: the first has the most rows and columns
//   plan_taps(plane, tap): where each tap sees position 0 of a copy with that distance of channels
template <class T, class PlanTaps>
void correlate(const Correlation& p, const OutputSet* set, const PlanTaps& plan_taps, const T* x,
               const FilterPanels<T>& panels, const T* filter, const T* bias, const Epilogue<T>& epilogue, T* y) {
  const Tasks<T> tasks(p, set[0], panels.count);
  const Pieces& pieces = tasks.pieces;
  const std::int64_t most = pieces.rows * set[0].columns;  // positions of one image
  Scratch<std::int64_t> tap(p.taps), from(p.pitch);
  Scratch<std::int64_t> input(p.sets * most), output(p.sets * most);  // of each set: where positions are read, stored
  plan_taps(tasks.plane, tap.get());
  for (std::int64_t s = 0; s < p.sets; ++s)
    for (std::int64_t f = 0; f < pieces.rows * set[s].columns; ++f) {
      const std::int64_t i = f / set[s].columns, j = f % set[s].columns;
      input.get()[s * most + f] = i * p.stride_h * p.pitch + j * p.stride_w;
      output.get()[s * most + f] = i * set[s].row + j * set[s].column;
    }
  const Columns columns = plan_columns(from.get(), p.pitch, p.left, 1, p.W, p.padding_mode);

  // Sets that share rows but not columns are turned first, and then interleaved.
  const bool whole = p.sets == 1;
  const std::int64_t copy_size = pieces.images * tasks.image, sums_size = most * panels.wide;
  const std::int64_t turned_size = (whole ? width<T> : p.columns_apart * most) * panels.wide;  // and room behind sums
  const std::int64_t buffer_size = round_up(sums_size + turned_size + copy_size, Lanes<T>::count);
  Scratch<T> buffers(max_threads() * buffer_size);
  Held copied;
  std::int64_t used = slice;
  for (std::int64_t s = 0; s < p.sets; ++s) used = min_of(used, ceil_div(set[s].taps, slices_of(set[s].taps)));
  const Upcoming<T> upcoming(p, pieces.rows * p.stride_h, used);
  const std::int64_t cost = pieces.positions * panels.padded * p.taps / (16 * tasks.shares);
  parallel_for(pieces.count * p.G * tasks.shares, cost, [&](std::int64_t task, int thread) {
    T* sums = buffers.get() + thread * buffer_size;  // (position, filter)
    T* turned = sums + sums_size;                    // (set, filter, position)
    T* copy = turned + turned_size;                  // (image, channel, row, column)
    const std::int64_t share = task % tasks.shares, g = task / tasks.shares % p.G, piece = task / (tasks.shares * p.G);
    const auto first_image = [&](std::int64_t piece) { return piece / pieces.per_image * pieces.images; };
    const auto first_row = [&](std::int64_t piece) { return piece % pieces.per_image * pieces.rows; };
    const std::int64_t n0 = first_image(piece), i0 = first_row(piece);
    typename Upcoming<T>::Place place{x};
    if (const std::int64_t next = (task + 1) / tasks.shares / p.G; share + 1 == tasks.shares && next < pieces.count)
      place = upcoming.inputs(x, first_image(next), (g + 1) % p.G, p.top + first_row(next) * p.stride_h, pieces.images);
    const std::int64_t rows = min_of(pieces.rows, set[0].rows - i0);
    const bool anew = copied.changes(thread, task / tasks.shares);
    for (std::int64_t m = 0; anew && m < pieces.images; ++m)
      copy_rows(x + ((n0 + m) * p.G + g) * p.channels * p.H * p.W, p.channels, p.H, p.W, columns, p.padding_mode,
                p.top + i0 * p.stride_h, (rows - 1) * p.stride_h + p.span_h, copy + m * tasks.image, tasks.plane);

    const std::int64_t last = panels.count * (share + 1) / tasks.shares;
    for (std::int64_t panel = panels.count * share / tasks.shares; panel < last; ++panel)
      for (std::int64_t m = 0; m < pieces.images; ++m) {
        const std::int64_t wide = panels.width_of(panel), k0 = g * p.filters + panel * panels.wide;
        const std::int64_t filters = min_of(wide, p.filters - panel * panels.wide);
        const std::int64_t start = ((n0 + m) * p.G * p.filters + k0) * p.plane;
        for (std::int64_t s = 0; s < p.sets; ++s) {
          const OutputSet& out = set[s];
          const std::int64_t out_rows = min_of(rows, out.rows - i0), positions = out_rows * out.columns;
          if (positions <= 0) continue;
          const std::int64_t* to = output.get() + s * most;
          T* apart = turned + s % p.columns_apart * wide * most;  // (filter, position)
          multiply_panel(
              positions, input.get() + s * most, out.taps, tap.get() + out.first_tap, copy + m * tasks.image,
              filter + panels.at(g, panel, s, out.first_tap), wide, sums, upcoming, place,
              [&](std::int64_t i, std::int64_t n) {  // what will be stored to is on its way
                const std::int64_t of_line = max_of<std::int64_t>(1, Lanes<T>::count / out.column);
                for (std::int64_t k = 0; k < filters; ++k)
                  for (std::int64_t j = 0; j < n; j += of_line)
                    fetch(y + start + k * p.plane + out.origin + i0 * out.row + to[i + j]);
              },
              [&](std::int64_t i, std::int64_t n) {
                const T* tile = sums + i * wide;
                if (!whole) return store_transposed<T>(tile, wide, n, filters, nullptr, apart + i, most);
                const std::int64_t at = start + i0 * out.row + i;
                store_transposed(tile, wide, n, filters, bias ? bias + k0 : nullptr, y + at, p.plane);
                for (std::int64_t k = 0; k < filters; ++k) epilogue.finish(y, at + k * p.plane, n);
              });
          if (!whole && (s + 1) % p.columns_apart == 0)
            for (std::int64_t k = 0; k < filters; ++k)
              for (std::int64_t i = 0; i < out_rows; ++i)
                interleave_rows(p, set + s + 1 - p.columns_apart, i0 + i, turned + k * most, wide * most, i,
                                y + start + k * p.plane);
        }
      }
  });
}

template <class T>
FilterPanels<T> forward_panels(const Conv2d& p) {
  return {p.K / p.G, p.C / p.G * p.R * p.S, 1};
}

}  // namespace

template <class T>
std::int64_t panels_prepared(const Conv2d& p) {
  const FilterPanels<T> panels = forward_panels<T>(p);
  return vectors_hold_filters<T>(p.K / p.G, p.C / p.G * p.R * p.S, p.Q, 1) ? panels.size(p.G) : 0;
}
INSTANTIATE(panels_prepared)

// w (K, C/G, R, S), prepared (FilterPanels)
template <class T>
void panels_prepare_weight(const Conv2d& p, const T* w, T* prepared) {
  const std::int64_t KG = p.K / p.G, taps = p.C / p.G * p.R * p.S;
  const FilterPanels<T> panels = forward_panels<T>(p);
  parallel_for(p.G * panels.count, taps * panels.wide / 4, [&](std::int64_t task, int) {
    const std::int64_t g = task / panels.count, panel = task % panels.count, k0 = panel * panels.wide;
    pack_panel<T>({w + g * KG * taps, 1, taps}, taps, KG, 0, taps, k0, min_of(panels.wide, KG - k0),
                  panels.width_of(panel), prepared + panels.at(g, panel, 0, 0));
  });
}
INSTANTIATE(panels_prepare_weight)

// x (N, C, H, W), w (K, C/G, R, S), prepared (FilterPanels) or null, bias (K) or null, residual (N, K, P, Q) or null,
// y (N, K, P, Q)
template <class T>
void panels_forward(const Conv2d& p, const T* x, const T* w, const T* prepared, const T* bias, const T* residual,
                    T* y) {
  const std::int64_t CG = p.C / p.G, KG = p.K / p.G, taps = CG * p.R * p.S;
  const FilterPanels<T> panels = forward_panels<T>(p);
  const Scratch<T> own(prepared ? 0 : panels.size(p.G));
  if (!prepared) panels_prepare_weight(p, w, own.get());

  const OutputSet all{.rows = p.P, .columns = p.Q, .origin = 0, .row = p.Q, .column = 1, .first_tap = 0, .taps = taps};
  const Correlation c{.N = p.N,
                      .G = p.G,
                      .channels = CG,
                      .H = p.H,
                      .W = p.W,
                      .filters = KG,
                      .plane = p.P * p.Q,
                      .stride_h = p.stride_h,
                      .stride_w = p.stride_w,
                      .top = -p.pad_top,
                      .left = -p.pad_left,
                      .span_h = (p.R - 1) * p.dilation_h + 1,
                      .pitch = (p.Q - 1) * p.stride_w + (p.S - 1) * p.dilation_w + 1,
                      .padding_mode = p.padding_mode,
                      .sets = 1,
                      .columns_apart = 1,
                      .taps = taps};
  const auto plan_taps = [&](std::int64_t plane, std::int64_t* tap) {
    for (std::int64_t t = 0; t < taps; ++t) tap[t] = tap_offset(p, t, plane, c.pitch);
  };
  correlate<T>(c, &all, plan_taps, x, panels, prepared ? prepared : own.get(), bias, {residual, p.activation}, y);
}
INSTANTIATE(panels_forward)

// dy (N, K, P, Q), w (K, C/G, R, S), dx (N, C, H, W); zero padding
template <class T>
void panels_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  const std::int64_t CG = p.C / p.G, KG = p.K / p.G, cells = p.R * p.S;
  const Residues residues(p);
  const OutputSet* set = residues.set.get();
  const Correlation c{.N = p.N,
                      .G = p.G,
                      .channels = KG,
                      .H = p.P,
                      .W = p.Q,
                      .filters = CG,
                      .plane = p.H * p.W,
                      .stride_h = 1,
                      .stride_w = 1,
                      .top = residues.top,
                      .left = residues.left,
                      .span_h = residues.span_h,
                      .pitch = residues.pitch,
                      .padding_mode = PaddingMode::zeros,
                      .sets = residues.sets,
                      .columns_apart = min_of(p.stride_w, p.W),
                      .taps = residues.taps};

  const FilterPanels<T> panels(CG, c.taps, c.sets);
  Scratch<T> packed(panels.size(p.G));
  parallel_for(p.G * panels.count, c.taps * panels.wide / 4, [&](std::int64_t task, int) {
    const std::int64_t g = task / panels.count, panel = task % panels.count, wide = panels.width_of(panel);
    alignas(64) T turned[width<T>][width<T>];  // (cell, channel)
    for (std::int64_t k = 0; k < KG; ++k)
      for (std::int64_t v = 0; v < wide; v += width<T>) {
        const std::int64_t c0 = panel * panels.wide + v;
        const Stack<T> stack{w + ((g * KG + k) * CG + c0) * cells, cells, min_of(width<T>, CG - c0),
                             w + p.K * CG * cells};
        for (std::int64_t cell = 0; cell < cells; ++cell) {
          if (cell % width<T> == 0) stack.transpose_to(cell, turned[0], width<T>);
          const std::int64_t s = residues.set_of.get()[cell];
          if (s < 0) continue;
          T* to = packed.get() + panels.at(g, panel, s, set[s].first_tap) + residues.tap(k, cell) * wide;
          store(to + v, load(turned[cell % width<T>]));
        }
      }
  });

  const auto plan_taps = [&](std::int64_t plane, std::int64_t* tap) {
    residues.each_tap(
        [&](std::int64_t t, std::int64_t k, std::int64_t cell) { tap[t] = k * plane + residues.offset(p, cell); });
  };
  correlate<T>(c, set, plan_taps, dy, panels, packed.get(), nullptr, {nullptr, Activation::identity}, dx);
}
INSTANTIATE(panels_backward_input)

}  // namespace convolith::CONVOLITH_ISA
