// Arguments as a caller gave them.  Conversion never fails half-way: what does not fit is kept as text, and the
// check that knows the argument's name complains.
#pragma once

#include <cstdint>
#include <string>

#include "../array.hpp"

namespace convolith {

template <class T>
struct Arg {
  T value{};
  std::string unfit;  // what came instead, e.g. "'a'"; empty for a good one
};
using Int = Arg<std::int64_t>;
using Unsigned = Arg<std::uint64_t>;
using Real = Arg<double>;
using Flag = Arg<bool>;
using Text = Arg<std::string>;
using ShapeArg = Arg<Shape>;  // a tuple or list of ints

struct Pair {
  std::int64_t h = 0, w = 0;
};
using PairArg = Arg<Pair>;  // int, or (vertical, horizontal)

struct Padding {
  std::int64_t top = 0, bottom = 0, left = 0, right = 0;
  std::string name;  // where a name was given instead of numbers
};
using PaddingArg = Arg<Padding>;  // int, (vertical, horizontal), (top, bottom, left, right), 'valid' or 'same'

}  // namespace convolith
