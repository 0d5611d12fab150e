// Arguments as a caller gave them.  Conversion never fails half-way: what does not fit is kept as text, and the
// check that knows the argument's name complains.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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

struct RealPair {
  double h = 0, w = 0;
};
using RealPairArg = Arg<RealPair>;  // a number, or (vertical, horizontal)

struct Padding {
  std::int64_t top = 0, bottom = 0, left = 0, right = 0;
  std::string name;  // where a name was given instead of numbers
};
using PaddingArg = Arg<Padding>;  // int, (vertical, horizontal), (top, bottom, left, right), 'valid' or 'same'

struct OutputSize {
  std::int64_t h = 0, w = 0;
  bool same_h = false, same_w = false;
};
using OutputSizeArg = Arg<OutputSize>;           // int, or a pair of which each is an int or None: the input's size
using IntsArg = Arg<std::vector<std::int64_t>>;  // a tuple or list of ints, of any length

struct Dims {
  std::vector<std::int64_t> axes;
};
using DimsArg = Arg<Dims>;  // int, or a tuple or list of ints

// An array, or a number that stands for an array of it.
struct Operand {
  std::optional<Array> array;
  Real number;
};

// Which step of an optimizer it is: a number, or an array that counts them.
struct StepArg {
  Int number;
  std::optional<Target> counter;
};

// Several arrays, given or returned.  A result that went into a given out= goes back as that object.
struct Arrays {
  std::vector<Array> items;
  std::string unfit;  // what came instead of a tuple or list
  void* object = nullptr;
  bool list = false;  // returned as a list, not as a tuple
};

// out= of several results; an item may be None.
struct Targets {
  std::vector<MaybeTarget> items;
  std::string unfit;
  void* object = nullptr;
};
using MaybeTargets = std::optional<Targets>;

}  // namespace convolith
