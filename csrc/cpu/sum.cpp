// Sums over any axes: one read of what is summed, which bounds them.  Terms are added up in leaves of some thousand
// and those in pairs, so that rounding errors grow with the logarithm of their number (Higham 1993, "The accuracy of
// floating point summation").
#include "broadcast.hpp"
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

constexpr std::int64_t leaf = 4096;  // terms that go into the lanes of a Tile one after the other
constexpr std::int64_t leaf_rows = 64;

// Sums side by side.
template <class T, int count>
struct Tile {
  Lanes<T> v[count];
  friend CONVOLITH_INLINE Tile operator+(Tile s, const Tile& t) {
    for (int k = 0; k < count; ++k) s.v[k] += t.v[k];
    return s;
  }
};

// The Tile of units [begin, end), sum(begin, end) being that of up to `most` of them.
template <class F>
auto pairwise(std::int64_t begin, std::int64_t end, std::int64_t most, const F& sum) -> decltype(sum(begin, end)) {
  if (end - begin <= most) return sum(begin, end);
  const std::int64_t middle = begin + (end - begin) / 2;
  const auto first = pairwise(begin, middle, most, sum);
  return first + pairwise(middle, end, most, sum);
}

// load_of_row with ones behind the row, where a has zeros: a term there is 0 whatever the row holds.
template <int step, class T>
CONVOLITH_INLINE Lanes<T> load_or_one(const T* row, std::int64_t i, Whole n) {
  return load_of_row<step>(row, i, n);
}
template <int step, class T>
CONVOLITH_INLINE Lanes<T> load_or_one(const T* row, std::int64_t i, std::int64_t n) {
  T repeated[Lanes<T>::count];
  if constexpr (step == 0) load_of_row<0>(row, 0, n).store(repeated);
  return Lanes<T>::load(step == 0 ? repeated : row + i, n, T(1));
}

// total (outputs) where the last axis in memory is summed over: lanes lie along it.  Its rows are units, or pieces of
// `leaf` elements where they are longer.
template <int b_step, class T, class F>
void sum_rows(const Broadcast& p, const T* a, const T* b, T* total, const F& add) {
  const int last = p.rank - 1;
  const std::int64_t width = p.extent[last], pieces = ceil_div(width, leaf);
  const std::int64_t units = elements(p, p.kept, last) * pieces, outputs = elements(p, 0, p.kept);
  const std::int64_t most = max_of<std::int64_t>(1, leaf / width);
  const Parts parts(units, 4 * most, outputs, outputs * std::int64_t{sizeof(T)});
  const std::int64_t terms = parts.size * min_of(width, leaf);
  const Scratch<T> partial(parts.count > 1 ? parts.count * outputs : 0);
  T* sums = parts.count > 1 ? partial.get() : total;
  parallel_ranges(parts.count * outputs, max_of<std::int64_t>(1, elementwise_grain / terms),
                  [&](std::int64_t begin, std::int64_t end) {
                    Walk at(p, 0, p.kept, begin % outputs);
                    for (std::int64_t task = begin; task < end; ++task, at.next()) {
                      const T *from_a = a + at.a, *from_b = b + at.b;
                      const auto sum_units = [&](std::int64_t unit, std::int64_t end) {
                        Tile<T, 4> s;
                        for (auto& v : s.v) v = Lanes<T>(T(0));
                        Walk row(p, p.kept, last, unit / pieces);
                        for (; unit < end; ++unit) {
                          const std::int64_t piece = unit % pieces, to = min_of(width, (piece + 1) * leaf);
                          const T *row_a = from_a + row.a, *row_b = from_b + row.b;
                          std::int64_t i = piece * leaf;
                          for (; i + 4 * Lanes<T>::count <= to; i += 4 * Lanes<T>::count)
                            for (int k = 0; k < 4; ++k) {
                              const std::int64_t j = i + k * Lanes<T>::count;
                              s.v[k] = add(s.v[k], Lanes<T>::load(row_a + j), load_of_row<b_step>(row_b, j, Whole{}));
                            }
                          for_lanes<T>(i, to, [&](std::int64_t j, auto n) CONVOLITH_INLINED {
                            s.v[0] = add(s.v[0], Lanes<T>::load(row_a + j, n), load_or_one<b_step>(row_b, j, n));
                          });
                          if (piece + 1 == pieces) row.next();
                        }
                        return s;
                      };
                      const std::int64_t first = task / outputs * parts.size;
                      const Tile<T, 4> s = pairwise(first, min_of(units, first + parts.size), most, sum_units);
                      sums[task] = sum((s.v[0] + s.v[1]) + (s.v[2] + s.v[3]));
                    }
                  });
  if (parts.count > 1) add_partial_sums(parts.count, outputs, partial.get(), total);
}

// The same where the last axis in memory stays: lanes hold neighbouring outputs.
template <int b_step, class T, class F>
void sum_columns(const Broadcast& p, const T* a, const T* b, T* total, const F& add) {
  constexpr std::int64_t tile = 4 * Lanes<T>::count;
  const int last = p.kept - 1;
  const std::int64_t width = p.extent[last], outputs = elements(p, 0, p.kept), tiles = ceil_div(width, tile);
  const std::int64_t units = elements(p, p.kept, p.rank), tasks = outputs / width * tiles;
  const Parts parts(units, 4 * leaf_rows, tasks, outputs * std::int64_t{sizeof(T)});
  const Scratch<T> partial(parts.count > 1 ? parts.count * outputs : 0);
  T* sums = parts.count > 1 ? partial.get() : total;
  parallel_ranges(
      parts.count * tasks, ceil_div(elementwise_grain, tile * parts.size), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t task = begin; task < end; ++task) {
          const std::int64_t part = task / tasks, row = task % tasks / tiles, from = task % tiles * tile;
          const Walk at(p, 0, last, row);
          const std::int64_t first = part * parts.size, behind = min_of(units, first + parts.size);
          const auto sum_lanes = [&]<int count>(Number<count>, std::int64_t column, auto n) CONVOLITH_INLINED {
            const T *from_a = a + at.a + column, *from_b = b + at.b + b_step * column;
            const auto sum_units = [&](std::int64_t unit, std::int64_t end) {
              Tile<T, count> s;
              for (auto& v : s.v) v = Lanes<T>(T(0));
              for (Walk term(p, p.kept, p.rank, unit); unit < end; ++unit, term.next())
                for (int k = 0; k < count; ++k) {
                  const std::int64_t j = k * Lanes<T>::count;
                  s.v[k] =
                      add(s.v[k], Lanes<T>::load(from_a + term.a + j, n), load_of_row<b_step>(from_b + term.b, j, n));
                }
              return s;
            };
            const Tile<T, count> s = pairwise(first, behind, leaf_rows, sum_units);
            T* to = sums + part * outputs + row * width + column;
            for (int k = 0; k < count; ++k) s.v[k].store(to + k * Lanes<T>::count, n);
          };
          if (from + tile <= width)
            sum_lanes(Number<4>{}, from, Whole{});
          else
            for_lanes<T>(from, width, [&](std::int64_t i, auto n) CONVOLITH_INLINED { sum_lanes(Number<1>{}, i, n); });
        }
      });
  if (parts.count > 1) add_partial_sums(parts.count, outputs, partial.get(), total);
}

// y = factor total / by, in place; by may be null
template <class T>
void finish(std::int64_t n, double factor, const T* by, T* y) {
  const Lanes<T> f(static_cast<T>(factor));
  if (by)
    map(n, y, by, y, [=](Lanes<T> v, Lanes<T> w) CONVOLITH_INLINED { return f * v / w; });
  else if (factor != 1)
    map(n, y, y, [=](Lanes<T> v) CONVOLITH_INLINED { return f * v; });
}

// add(s, v, w): s and the term of v of a and w of b
template <class T, class F>
void sum_terms(const Broadcast& p, const T* a, const T* b, const T* by, T* y, const F& add) {
  const bool columns = p.kept > 0 && (p.kept == p.rank || p.a[p.kept - 1] == 1);
  const bool repeats = p.b[columns ? p.kept - 1 : p.rank - 1] == 0;
  const std::int64_t outputs = elements(p, 0, p.kept);
  if (elements(p, p.kept, p.rank) == 0)
    __builtin_memset(y, 0, static_cast<std::size_t>(outputs) * sizeof(T));
  else if (columns && repeats)
    sum_columns<0>(p, a, b, y, add);
  else if (columns)
    sum_columns<1>(p, a, b, y, add);
  else if (repeats)
    sum_rows<0>(p, a, b, y, add);
  else
    sum_rows<1>(p, a, b, y, add);
  finish(outputs, p.number, by, y);
}

}  // namespace

// a, b, y as p says: y = factor times the sums of a
template <class T>
void sum_forward(const Broadcast& p, const T* a, T* y) {
  sum_terms(p, a, a, static_cast<const T*>(nullptr), y,
            [](Lanes<T> s, Lanes<T> v, Lanes<T>) CONVOLITH_INLINED { return s + v; });
}
INSTANTIATE(sum_forward)

// by: as y, or null; y = factor times the sums of a b, divided by `by`
template <class T>
void sum_products(const Broadcast& p, const T* a, const T* b, const T* by, T* y) {
  sum_terms(p, a, b, by, y, [](Lanes<T> s, Lanes<T> v, Lanes<T> w) CONVOLITH_INLINED { return fma(v, w, s); });
}
INSTANTIATE(sum_products)

// y = factor times the sums of a / b
template <class T>
void sum_quotients(const Broadcast& p, const T* a, const T* b, T* y) {
  sum_terms(p, a, b, static_cast<const T*>(nullptr), y,
            [](Lanes<T> s, Lanes<T> v, Lanes<T> w) CONVOLITH_INLINED { return s + v / w; });
}
INSTANTIATE(sum_quotients)

}  // namespace convolith::CONVOLITH_ISA
