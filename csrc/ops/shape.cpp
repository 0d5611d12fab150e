#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

void copy_rows(const CopyRows& p, const Array& from, std::int64_t from_offset, const Array& to,
               std::int64_t to_offset) {
  if (p.rows == 0 || p.width == 0) return;
  by_dtype(from.dtype, [&]<class T>(T) {
    kernels<T>(from.device).copy_rows(p, from.ptr<T>() + from_offset, to.ptr<T>() + to_offset);
  });
}

// x in another shape: the same memory, or a copy in `out` or where the new shape has channels in another order.
Array reshaped(const Check& check, const Array& x, const Shape& shape, const MaybeTarget& out) {
  // A device, whose channels lie last, sees no difference between (N, C, L) and (N, C, H, W).
  const bool same_channels = x.shape.rank >= 3 && shape.rank >= 3 && x.shape[0] == shape[0] && x.shape[1] == shape[1];
  Array view = same_channels ? x : row_major(x);
  view.shape = shape;
  const bool same_order = same_channels || is_row_major(view);
  if (!out && same_order) return view;
  const Array y = check.output(out, shape, x, {&x}, same_order);
  if (!same_order)
    from_row_major(view, y);
  else if (y.data != view.data)
    copy_rows({1, x.size(), x.size(), x.size()}, view, 0, y, 0);
  return y;
}

Shape with(Shape shape, int axis, std::int64_t extent) {
  shape[axis] = extent;
  return shape;
}

// What is joined along an axis: `outer` times a run of the axis' extent times `inner`, in the order of memory.
struct Pieces {
  std::int64_t outer, inner;
};
Pieces pieces_along(const Array& whole, int axis) {
  const Shape shape = memory_shape(whole);
  const int at = memory_axis(whole, axis);
  return {shape.size(0, at), shape.size(at + 1, shape.rank)};
}

}  // namespace

Array flatten_forward(const Array& x, const Int& start_dim, const Int& end_dim, const MaybeTarget& out) {
  const Check check("flatten");
  check.floating(x, "x");
  const int rank = x.shape.rank == 0 ? 1 : x.shape.rank;
  const int start = static_cast<int>(check.axis(start_dim, "start_dim", rank));
  const int end = static_cast<int>(check.axis(end_dim, "end_dim", rank));
  check.require(start <= end, "start_dim ", start, " is after end_dim ", end);
  Shape shape;
  for (int i = 0; i < start; ++i) shape.dim[shape.rank++] = x.shape[i];
  shape.dim[shape.rank++] = x.shape.rank == 0 ? 1 : x.shape.size(start, end + 1);
  for (int i = end + 1; i < x.shape.rank; ++i) shape.dim[shape.rank++] = x.shape[i];
  return reshaped(check, x, shape, out);
}

Array flatten_backward(const Array& dy, const ShapeArg& input_shape, const MaybeTarget& out) {
  const Check check("flatten");
  if (dy.dtype != DType::i64) check.floating(dy, "dy");
  const Shape& shape = check.shape(input_shape, "input_shape");
  bool fits = true;
  for (int i = 0; i < shape.rank; ++i) fits = fits && shape[i] >= 0;
  check.require(fits && shape.size() == dy.size(), "dy is ", text(dy.shape),
                ", which cannot be reshaped to input_shape ", text(shape));
  return reshaped(check, dy, shape, out);
}

Array concat_forward(const Arrays& xs, const Int& dim, const MaybeTarget& out) {
  const Check check("concat");
  if (!xs.unfit.empty()) check.type_error("xs must be a list or tuple of arrays, got ", xs.unfit);
  check.require(!xs.items.empty(), "xs is empty; at least one array is needed");
  const Array& first = xs.items[0];
  check.floating(first, "xs[0]");
  const int axis = static_cast<int>(check.axis(dim, "dim", first.shape.rank));
  std::int64_t extent = 0;
  for (std::size_t i = 0; i < xs.items.size(); ++i) {
    const Array& x = xs.items[i];
    const std::string name = "xs[" + std::to_string(i) + "]";
    check.floating(x, name.c_str());
    check.alike(first, "xs[0]", x, name.c_str());
    check.require(x.shape.rank == first.shape.rank && with(x.shape, axis, 0) == with(first.shape, axis, 0), "xs[0] is ",
                  text(first.shape), " but ", name, " is ", text(x.shape), "; all axes but ", axis, " must be equal");
    extent += x.shape[axis];
  }
  const Array y = check.output(out, with(first.shape, axis, extent), first, {});
  const Pieces p = pieces_along(y, axis);
  std::int64_t at = 0;
  if (out)
    for (const Array& x : xs.items) check.apart(y, "out", x, "an input");
  for (const Array& x : xs.items) {
    const std::int64_t width = x.shape[axis] * p.inner;
    copy_rows({p.outer, width, width, extent * p.inner}, x, 0, y, at);
    at += width;
  }
  return y;
}

Arrays concat_backward(const Array& dy, const IntsArg& sizes, const Int& dim, const MaybeTargets& out) {
  const Check check("concat");
  check.floating(dy, "dy");
  const int axis = static_cast<int>(check.axis(dim, "dim", dy.shape.rank));
  const std::vector<std::int64_t>& extents = check.value(sizes, "sizes", "a list or tuple of ints");
  std::int64_t total = 0;
  std::vector<Check::Wanted> wanted;
  for (std::int64_t extent : extents) {
    check.require(extent >= 0 && extent <= INT64_MAX - total, "sizes must be at least 0 and add up to the ",
                  dy.shape[axis], " of dy along axis ", axis, ", got ", extent);
    total += extent;
    wanted.push_back({with(dy.shape, axis, extent), dy.dtype});
  }
  check.require(total == dy.shape[axis], "sizes add up to ", total, " but dy has ", dy.shape[axis], " along axis ",
                axis, " (dy is ", text(dy.shape), ")");
  Arrays pieces = check.outputs(out, wanted, dy, {&dy});
  pieces.list = true;
  const Pieces p = pieces_along(dy, axis);
  std::int64_t at = 0;
  for (const Array& piece : pieces.items) {
    const std::int64_t width = piece.shape[axis] * p.inner;
    copy_rows({p.outer, width, dy.shape[axis] * p.inner, width}, dy, at, piece, 0);
    at += width;
  }
  return pieces;
}

}  // namespace convolith::ops
