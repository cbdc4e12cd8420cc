// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reverse-mode automatic differentiation by operator overloading (Griewank and Walther 2008, chapters 3 and 6): a Var
// is a number that remembers on a tape from which others it came and with which partial derivatives.
#ifndef CHIMERA_TEST_SUPPORT_TAPE_H
#define CHIMERA_TEST_SUPPORT_TAPE_H

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

namespace chimera::test {

class Var;

/// The record of one computation. Lives longer than every Var on it, and stays where it is.
class Tape {
public:
  Tape() = default;
  Tape(const Tape &) = delete;
  Tape &operator=(const Tape &) = delete;

  /// A new independent variable.
  Var variable(double value);

private:
  friend class Var;
  friend class Gradient;

  /// Node i has the arguments parents[ends[i-1]] .. parents[ends[i]-1], each with its partial derivative.
  std::vector<size_t> ends;
  std::vector<uint32_t> parents;
  std::vector<double> partials;
};

/// A number that is constant or depends on the variables of a tape.
class Var {
public:
  /// A constant.
  Var(double value = 0.0) : number(value) {}

  /// A number whose derivatives are those of a function of `arguments`: each with d value / d argument. Constant if all
  /// of them are.
  static Var function(double value, std::initializer_list<std::pair<const Var *, double>> arguments);

  double value() const { return number; }

  Var &operator+=(const Var &other);
  Var &operator*=(const Var &other);

private:
  friend class Tape;
  friend class Gradient;
  friend Var dot(const Var *a, const Var *b, size_t count);

  /// A node for a number whose edges have just been put on `tape`; a constant without a tape.
  static Var close(double value, Tape *tape);
  /// Puts an edge from the node to be closed next to this one; `tape` becomes this one's, if it has one.
  void addEdge(Tape *&tape, double partial) const;

  double number;
  Tape *tape = nullptr; // none: a constant
  uint32_t node = 0;
};

/// All derivatives of one number, by a single sweep back over its tape.
class Gradient {
public:
  explicit Gradient(const Var &output);
  /// d output / d input; 0 for a constant, and for what the output does not depend on.
  double by(const Var &input) const;

private:
  std::vector<double> adjoints;
};

Var operator+(const Var &a, const Var &b);
Var operator-(const Var &a, const Var &b);
Var operator*(const Var &a, const Var &b);
Var operator/(const Var &a, const Var &b);
Var operator-(const Var &a);

Var exp(const Var &x);
Var log(const Var &x);
Var sqrt(const Var &x);
Var tanh(const Var &x);
/// 1 / (1 + exp(-x)).
Var sigmoid(const Var &x);
/// x * sigmoid(x).
Var silu(const Var &x);
/// ln(1 + exp(x)).
Var softplus(const Var &x);
/// min(max(x, low), high); the derivative is 1 within and at the bounds, 0 outside.
Var clamp(const Var &x, double low, double high);
/// sum a_i b_i, from i = 0 on; one node, however long.
Var dot(const Var *a, const Var *b, size_t count);
/// The number `value` with the derivatives of `x`: a straight-through estimate (Bengio et al. 2013).
Var straightThrough(const Var &x, double value);

inline double valueOf(const Var &x) {
  return x.value();
}

} // namespace chimera::test

#endif
