#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

// Along each axis, by how many elements of memory neighbours are apart: 0 along axes of one element, where an array
// may be repeated.
Shape steps(const Array& x) {
  const Shape memory = memory_shape(x);
  Shape result = x.shape;
  for (int i = 0; i < x.shape.rank; ++i)
    result[i] = x.shape[i] > 1 ? memory.size(memory_axis(x, i) + 1, memory.rank) : 0;
  return result;
}

// The same under the axes of a larger array: the last ones belong together (NumPy's rule).
Shape steps(const Array& x, int rank) {
  const Shape own = steps(x);
  Shape result;
  result.rank = rank;
  for (int i = 0; i < own.rank; ++i) result.dim[rank - own.rank + i] = own[i];
  return result;
}

// Another axis, or more of the last one.
void append(Broadcast& p, int first, std::int64_t extent, std::int64_t a, std::int64_t b, std::int64_t y) {
  const int last = p.rank - 1;
  const bool joins = last >= first && p.a[last] == a * extent && p.b[last] == b * extent && p.y[last] == y * extent;
  const int at = joins ? last : p.rank++;
  p.extent[at] = joins ? p.extent[last] * extent : extent;
  p.a[at] = a;
  p.b[at] = b;
  p.y[at] = y;
}

// The axes of x in the order of its memory: those that y has, then those that are summed over.
Broadcast walk(const Array& x, const Shape& a, const Shape& b, const Shape& y, double number) {
  int order[Shape::max_rank];
  for (int i = 0; i < x.shape.rank; ++i) order[memory_axis(x, i)] = i;
  Broadcast p{};
  p.number = number;
  for (const bool summed : {false, true}) {
    for (int at = 0; at < x.shape.rank; ++at) {
      const int i = order[at];
      if (x.shape[i] != 1 && (y[i] == 0) == summed) append(p, p.kept, x.shape[i], a[i], b[i], y[i]);
    }
    if (!summed) p.kept = p.rank;
  }
  if (p.rank == 0) append(p, 0, 1, 1, 1, 1), p.kept = 1;
  return p;
}

Shape no_steps(int rank) {
  Shape shape;
  shape.rank = rank;
  return shape;
}

void check_operand(const Check& check, const Operand& x, const char* name) {
  if (x.array)
    check.floating(*x.array, name);
  else
    check.value(x.number, name, "an array or a number");
}

Shape broadcast(const Check& check, const Shape& a, const Shape& b) {
  Shape shape = a.rank > b.rank ? a : b;
  for (int back = 1; back <= shape.rank; ++back) {
    const std::int64_t m = back <= a.rank ? a[-back] : 1, n = back <= b.rank ? b[-back] : 1;
    check.require(m == n || m == 1 || n == 1, "shapes ", text(a), " and ", text(b), " do not broadcast");
    shape[-back] = m == 1 ? n : m;
  }
  return shape;
}

Shape shape_of(const Operand& x) {
  return x.array ? x.array->shape : Shape{};
}
Shape steps(const Operand& x, int rank) {
  return x.array ? steps(*x.array, rank) : no_steps(rank);
}
template <class T>
const T* pointer(const Operand& x) {
  return x.array ? x.array->ptr<T>() : nullptr;
}

// y = run(a, b), element by element.
template <class Run>
Array elementwise(const char* name, const Operand& a, const Operand& b, const MaybeTarget& out, const Run& run) {
  const Check check(name);
  check_operand(check, a, "a");
  check_operand(check, b, "b");
  if (!a.array && !b.array) check.type_error("a and b are numbers; one of them must be an array");
  if (a.array && b.array) check.alike(*a.array, "a", *b.array, "b");
  const Array& like = a.array ? *a.array : *b.array;
  const Shape shape = broadcast(check, shape_of(a), shape_of(b));
  const Array y = check.output(out, shape, like, {});
  for (const Operand* x : {&a, &b})
    if (out && x->array && !(x->array->shape == shape && x->array->data == y.data))
      check.apart(y, "out", *x->array, "an input");
  if (y.size() == 0) return y;
  const Broadcast p = walk(y, steps(a, shape.rank), steps(b, shape.rank), steps(y),
                           a.array && b.array ? 0 : (a.array ? b : a).number.value);
  by_dtype(y.dtype, [&]<class T>(T) { run(kernels<T>(y.device), p, pointer<T>(a), pointer<T>(b), y.ptr<T>()); });
  return y;
}

// dy is the gradient of a result that input_shape and the shape of the other operand broadcast to.
void check_gradient(const Check& check, const Array& dy, const Shape& input_shape, const Shape& other) {
  check.require(broadcast(check, input_shape, other) == dy.shape, "dy is ", text(dy.shape), " but ", text(input_shape),
                " and ", text(other), " broadcast to ", text(broadcast(check, input_shape, other)));
}

// The sums of run(dy, other) over the axes along which an operand of that shape was repeated.
template <class Run>
Array summed_to(const Check& check, const Shape& shape, const Array& dy, const Operand& other, double factor,
                const MaybeTarget& out, const Run& run) {
  const Array dx = check.output(out, shape, dy, {&dy});
  if (out && other.array) check.apart(dx, "out", *other.array, "an input");
  if (dx.size() == 0) return dx;
  const int rank = dy.shape.rank;
  const Broadcast p = walk(dy, steps(dy), steps(other, rank), steps(dx, rank), factor);
  by_dtype(dy.dtype, [&]<class T>(T) { run(kernels<T>(dy.device), p, dy.ptr<T>(), pointer<T>(other), dx.ptr<T>()); });
  return dx;
}

Array summed_to(const Check& check, const ShapeArg& input_shape, const Array& dy, double factor,
                const MaybeTarget& out) {
  check.floating(dy, "dy");
  const Shape& shape = check.shape(input_shape, "input_shape");
  check_gradient(check, dy, shape, dy.shape);
  if (factor == 1 && !out && shape == dy.shape) return dy;
  return summed_to(
      check, shape, dy, Operand{}, factor, out,
      [](const auto& table, const Broadcast& p, const auto* a, const auto*, auto* y) { table.sum_forward(p, a, y); });
}

// What a sum over axes of x leaves: its shape, and for every axis of x where it stands there, -1 if it was summed over.
struct Remaining {
  Shape shape;
  int axis[Shape::max_rank];
  std::int64_t count;  // elements of x for one sum

  Remaining(const Check& check, const Shape& x, const std::optional<DimsArg>& dim, const Flag& keepdim) : count(1) {
    const bool keep = check.flag(keepdim, "keepdim");
    bool summed[Shape::max_rank] = {};
    mark(check, x.rank, dim, summed);
    for (int i = 0; i < x.rank; ++i) {
      axis[i] = summed[i] ? -1 : shape.rank;
      if (summed[i]) count *= x[i];
      if (keep || !summed[i]) shape.dim[shape.rank++] = summed[i] ? 1 : x[i];
    }
  }
  // The steps of y, which has that shape, under the axes of x.
  Shape under(const Shape& x, const Array& y) const {
    const Shape own = steps(y);
    Shape result = no_steps(x.rank);
    for (int i = 0; i < x.rank; ++i)
      if (axis[i] >= 0) result[i] = own[axis[i]];
    return result;
  }

 private:
  static void mark(const Check& check, int rank, const std::optional<DimsArg>& dim, bool* summed) {
    const std::vector<std::int64_t> none;
    const auto& axes = dim ? check.value(*dim, "dim", "an int or a tuple of ints").axes : none;
    for (const std::int64_t axis : axes) {
      bool& mark = summed[check.axis(Int{axis, {}}, "dim", rank == 0 ? 1 : rank)];
      check.require(!mark, "dim names axis ", axis, " twice");
      mark = true;
    }
    for (int i = 0; axes.empty() && i < rank; ++i) summed[i] = true;
  }
};

Array sum(const char* name, const Array& x, const std::optional<DimsArg>& dim, const Flag& keepdim, bool mean,
          const MaybeTarget& out) {
  const Check check(name);
  check.floating(x, "x");
  const Remaining rest(check, x.shape, dim, keepdim);
  const Array y = check.output(out, rest.shape, x, {&x});
  if (y.size() == 0) return y;
  const double factor = mean ? 1.0 / static_cast<double>(rest.count) : 1;
  const Broadcast p = walk(x, steps(x), no_steps(x.shape.rank), rest.under(x.shape, y), factor);
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).sum_forward(p, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

// dx = factor dy, repeated along what was summed over.
Array sum_gradient(const char* name, const Array& dy, const ShapeArg& input_shape, const std::optional<DimsArg>& dim,
                   const Flag& keepdim, bool mean, const MaybeTarget& out) {
  const Check check(name);
  check.floating(dy, "dy");
  const Shape& shape = check.shape(input_shape, "input_shape");
  const Remaining rest(check, shape, dim, keepdim);
  check.has_shape(dy, "dy", rest.shape);
  const Array dx = check.output(out, shape, dy, {&dy});
  if (dx.size() == 0) return dx;
  const double factor = mean ? 1.0 / static_cast<double>(rest.count) : 1;
  const Broadcast p = walk(dx, rest.under(shape, dy), no_steps(shape.rank), steps(dx), factor);
  by_dtype(dy.dtype, [&]<class T>(T) { kernels<T>(dy.device).multiply_forward(p, dy.ptr<T>(), nullptr, dx.ptr<T>()); });
  return dx;
}

}  // namespace

Array add_forward(const Operand& a, const Operand& b, const MaybeTarget& out) {
  return elementwise("add", a, b, out,
                     [](const auto& table, const auto&... arguments) { table.add_forward(arguments...); });
}

Array add_backward(const Array& dy, const ShapeArg& input_shape, const MaybeTarget& out) {
  return summed_to(Check("add"), input_shape, dy, 1, out);
}

Array subtract_forward(const Operand& a, const Operand& b, const MaybeTarget& out) {
  return elementwise("subtract", a, b, out,
                     [](const auto& table, const auto&... arguments) { table.subtract_forward(arguments...); });
}

Array subtract_backward_b(const Array& dy, const ShapeArg& input_shape, const MaybeTarget& out) {
  return summed_to(Check("subtract"), input_shape, dy, -1, out);
}

Array multiply_forward(const Operand& a, const Operand& b, const MaybeTarget& out) {
  return elementwise("multiply", a, b, out,
                     [](const auto& table, const auto&... arguments) { table.multiply_forward(arguments...); });
}

Array multiply_backward(const Array& dy, const Operand& other, const ShapeArg& input_shape, const MaybeTarget& out) {
  const Check check("multiply");
  check.floating(dy, "dy");
  check_operand(check, other, "other");
  if (other.array) check.alike(dy, "dy", *other.array, "other");
  const Shape& shape = check.shape(input_shape, "input_shape");
  check_gradient(check, dy, shape, shape_of(other));
  if (shape == dy.shape) return multiply_forward(Operand{dy, {}}, other, out);
  return summed_to(check, shape, dy, other, 1, out,
                   [](const auto& table, const Broadcast& p, const auto* a, const auto* b, auto* y) {
                     table.sum_products(p, a, b, nullptr, y);
                   });
}

Array divide_forward(const Operand& a, const Operand& b, const MaybeTarget& out) {
  return elementwise("divide", a, b, out,
                     [](const auto& table, const auto&... arguments) { table.divide_forward(arguments...); });
}

Array divide_backward_a(const Array& dy, const Operand& b, const ShapeArg& input_shape, const MaybeTarget& out) {
  const Check check("divide");
  check.floating(dy, "dy");
  check_operand(check, b, "b");
  if (b.array) check.alike(dy, "dy", *b.array, "b");
  const Shape& shape = check.shape(input_shape, "input_shape");
  check_gradient(check, dy, shape, shape_of(b));
  if (shape == dy.shape) return divide_forward(Operand{dy, {}}, b, out);
  return summed_to(check, shape, dy, b, 1, out,
                   [](const auto& table, const Broadcast& p, const auto* a, const auto* b, auto* y) {
                     table.sum_quotients(p, a, b, y);
                   });
}

Array divide_backward_b(const Array& dy, const Array& y, const Array& b, const MaybeTarget& out) {
  const Check check("divide");
  check.floating(dy, "dy");
  check.floating(y, "y");
  check.floating(b, "b");
  check.alike(dy, "dy", y, "y");
  check.alike(dy, "dy", b, "b");
  check.same_shape(dy, "dy", y, "y");
  check_gradient(check, dy, b.shape, dy.shape);
  if (out) check.apart(*out, "out", b, "an input");
  return summed_to(check, b.shape, dy, Operand{y, {}}, -1, out,
                   [&]<class T>(const auto& table, const Broadcast& p, const T* dy, const T* y, T* db) {
                     table.sum_products(p, dy, y, b.ptr<T>(), db);
                   });
}

Array power_forward(const Array& x, const Real& exponent, const MaybeTarget& out) {
  const Check check("power");
  check.floating(x, "x");
  const Power p{x.size(), check.value(exponent, "exponent", "a number")};
  const Array y = check.output(out, x.shape, x, {&x}, true);
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).power_forward(p, x.ptr<T>(), y.ptr<T>()); });
  return y;
}

Array power_backward(const Array& dy, const Array& x, const Real& exponent, const MaybeTarget& out) {
  const Check check("power");
  check.floating(dy, "dy");
  check.floating(x, "x");
  check.alike(dy, "dy", x, "x");
  check.same_shape(dy, "dy", x, "x");
  const Power p{x.size(), check.value(exponent, "exponent", "a number")};
  const Array dx = check.output(out, x.shape, x, {&dy, &x}, true);
  by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).power_backward(p, dy.ptr<T>(), x.ptr<T>(), dx.ptr<T>()); });
  return dx;
}

Array sum_forward(const Array& x, const std::optional<DimsArg>& dim, const Flag& keepdim, const MaybeTarget& out) {
  return sum("sum", x, dim, keepdim, false, out);
}

Array sum_backward(const Array& dy, const ShapeArg& input_shape, const std::optional<DimsArg>& dim, const Flag& keepdim,
                   const MaybeTarget& out) {
  return sum_gradient("sum", dy, input_shape, dim, keepdim, false, out);
}

Array mean_forward(const Array& x, const std::optional<DimsArg>& dim, const Flag& keepdim, const MaybeTarget& out) {
  return sum("mean", x, dim, keepdim, true, out);
}

Array mean_backward(const Array& dy, const ShapeArg& input_shape, const std::optional<DimsArg>& dim,
                    const Flag& keepdim, const MaybeTarget& out) {
  return sum_gradient("mean", dy, input_shape, dim, keepdim, true, out);
}

Array transpose(const Array& x, const Int& dim0, const Int& dim1) {
  const Check check("transpose");
  check.floating(x, "x");
  check.require(x.device != Device::cpu, "x is on the cpu, where .swapaxes() serves");
  const auto first = static_cast<int>(check.axis(dim0, "dim0", x.shape.rank));
  const auto second = static_cast<int>(check.axis(dim1, "dim1", x.shape.rank));
  const auto exchanged = [&](Shape shape) {
    std::swap(shape[first], shape[second]);
    return shape;
  };
  const Array y = allocate(exchanged(x.shape), x.dtype, x.device);
  if (y.size() == 0) return y;
  const Broadcast p = walk(y, exchanged(steps(x)), no_steps(y.shape.rank), steps(y), 1);
  const int last = p.rank - 1;
  const bool matrices = last >= 1 && last <= 2 && p.a[last - 1] == 1 && p.a[last] == p.extent[last - 1] &&
                        (last == 1 || p.a[0] == p.extent[1] * p.extent[2]);
  if (matrices)
    runtime(x.device).transpose({last == 1 ? 1 : p.extent[0], p.extent[last], p.extent[last - 1]}, item_size(x.dtype),
                                x.data, y.data);
  else
    by_dtype(x.dtype, [&]<class T>(T) { kernels<T>(x.device).multiply_forward(p, x.ptr<T>(), nullptr, y.ptr<T>()); });
  return y;
}

}  // namespace convolith::ops
