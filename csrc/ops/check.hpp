// The checks that every operator shares.  ops/ is the only place that checks arguments and the only one that throws;
// a message is one sentence: the primitive, what came, what was expected.
#pragma once

#include <cmath>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "../runtime.hpp"
#include "arguments.hpp"

namespace convolith {

// Becomes Python's TypeError; std::invalid_argument becomes ValueError.
struct TypeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string text(const Shape& shape);  // "(8, 3, 32, 32)"
const char* name_of(DType dtype);
std::string dtype_text(const Array& x);  // of any array, one of ours or not
const char* name_of(Device device);

// Calls f(T{}) with the C++ type of a floating dtype.
template <class F>
void by_dtype(DType dtype, const F& f) {
  if (dtype == DType::f32)
    f(float{});
  else if (dtype == DType::f16)
    f(float16{});
  else if (dtype == DType::bf16)
    f(bfloat16{});
  else
    f(double{});
}

class Check {
 public:
  explicit Check(const char* primitive) : primitive_(primitive) {}

  template <class... Parts>
  [[noreturn]] void value_error(const Parts&... parts) const {
    throw std::invalid_argument(sentence(parts...));
  }
  template <class... Parts>
  [[noreturn]] void type_error(const Parts&... parts) const {
    throw TypeError(sentence(parts...));
  }
  template <class... Parts>
  void require(bool holds, const Parts&... parts) const {
    if (!holds) value_error(parts...);
  }

  // Scalars
  template <class T>
  const T& value(const Arg<T>& arg, const char* name, const char* expected) const {
    if (!arg.unfit.empty()) type_error(name, " must be ", expected, ", got ", arg.unfit);
    return arg.value;
  }
  std::int64_t integer(const Int& arg, const char* name) const { return value(arg, name, "an int"); }
  std::uint64_t uint64(const Unsigned& arg, const char* name) const { return value(arg, name, "an int in [0, 2**64)"); }
  bool flag(const Flag& arg, const char* name) const { return value(arg, name, "a bool"); }
  const std::string& string(const Text& arg, const char* name) const { return value(arg, name, "a str"); }
  const Shape& shape(const ShapeArg& arg, const char* name) const { return value(arg, name, "a tuple of ints"); }
  Activation activation(const Text& arg) const;
  PaddingMode padding_mode(const Text& arg) const;
  Device device(const Text& arg) const;
  DType dtype(const Text& arg, std::initializer_list<DType> known) const;  // by its name
  double finite(const Real& arg, const char* name) const;
  double at_least_zero(const Real& arg, const char* name) const;
  double within(const Real& arg, const char* name, double least, double most) const;
  // Both numbers of an int-or-pair, each >= least.
  Pair pair(const PairArg& arg, const char* name, std::int64_t least) const;
  // A padding by numbers, of any sign.
  const Padding& sides(const PaddingArg& arg, const char* name) const;
  std::int64_t axis(const Int& arg, const char* name, int rank) const;
  Reduction reduction(const Text& arg) const;

  // Arrays
  void array(const Array& x, const char* name) const;     // an array, of some dtype we know
  void floating(const Array& x, const char* name) const;  // float32 or float64, on a device a half
  void floating(const Array& x, const char* name, int rank, const char* axes) const;
  void same_device(const Array& x, const char* x_name, const Array& y, const char* y_name) const;
  void alike(const Array& x, const char* x_name, const Array& y, const char* y_name) const;  // dtype and device
  void same_shape(const Array& x, const char* x_name, const Array& y, const char* y_name) const;
  void has_shape(const Array& x, const char* name, const Shape& expected) const;
  void int64(const Array& x, const char* name) const;
  void nchw(const Array& x, const char* name) const;  // floating, rank 4, no empty axis but N
  const Shape& input_nchw(const ShapeArg& arg, const char* name = "input_shape") const;  // the same of a shape
  // A vector of C values of x's dtype.
  void channels(const Array& v, const char* name, const Array& x, std::int64_t channels) const;
  // Beside x of a half float32, else of x's dtype, and of that shape: what a kernel takes as Parameter<T>.
  void parameter(const Array& v, const char* name, const Array& x, const Shape& shape) const;
  // What is updated in place: contiguous, writeable, of that shape, like x in dtype and device.
  void in_place(const Target& target, const char* name, const Shape& shape, const Array& x, const char* x_name) const;

  // Does not share memory with y.
  void apart(const Array& x, const char* x_name, const Array& y, const char* y_name) const;

  // The result, where `like` lives: `out` where it is given and fits, else fresh memory.  `out` may not share memory
  // with `inputs`, except that an element-wise operator may write exactly over its own input.
  struct Wanted {
    Shape shape;
    DType dtype;
  };
  Array output(const MaybeTarget& out, const Wanted& wanted, const Array& like,
               std::initializer_list<const Array*> inputs, bool elementwise = false, const char* name = "out") const;
  Array output(const MaybeTarget& out, const Shape& shape, const Array& like,
               std::initializer_list<const Array*> inputs, bool elementwise = false) const {
    return output(out, Wanted{shape, like.dtype}, like, inputs, elementwise);
  }
  // Several results, none of which may share memory with another; `elementwise` is about the first one.
  Arrays outputs(const MaybeTargets& out, const std::vector<Wanted>& wanted, const Array& like,
                 std::initializer_list<const Array*> inputs, bool elementwise = false) const;

 private:
  template <class... Parts>
  std::string sentence(const Parts&... parts) const {
    std::ostringstream s;
    s << primitive_ << ": ";
    (s << ... << parts);
    return s.str();
  }

  const char* primitive_;
};

}  // namespace convolith
