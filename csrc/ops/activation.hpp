// The operators of activations.inc, and its kinds of parameters: each has a name, a default, and makes the number that
// a kernel gets of a value.
#pragma once

#include <array>

#include "check.hpp"

namespace convolith::ops {

struct Number {
  using Value = Real;
  const char* name;
  double initial;
  double checked(const Check& check, const Real& value) const { return check.finite(value, name); }
};

// What something is divided by.
struct Divisor {
  using Value = Real;
  const char* name;
  double initial;
  double checked(const Check& check, const Real& value) const {
    const double number = check.finite(value, name);
    check.require(number != 0, name, " must not be 0");
    return number;
  }
};

// One of two words, 0 or 1.
struct Choice {
  using Value = Text;
  const char *name, *initial, *other;
  double checked(const Check& check, const Text& value) const {
    const std::string& word = check.string(value, name);
    check.require(word == initial || word == other, name, " must be '", initial, "' or '", other, "', got '", word,
                  "'");
    return word == other;
  }
};

using Numbers = std::array<double, 2>;

// x, y, dy, kept, dx: any shape
#define ACTIVATION(name, kept, ...)                                                        \
  Array name##_forward(const Array& x, const Numbers& parameters, const MaybeTarget& out); \
  Array name##_backward(const Array& dy, const Array& kept, const Numbers& parameters, const MaybeTarget& out);
#include "../activations.inc"
#undef ACTIVATION

}  // namespace convolith::ops
