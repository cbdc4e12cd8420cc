// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/support/Tape.h"

#include "test/support/OracleMath.h"

#include <cassert>
#include <cmath>

namespace chimera::test {

//===-- The tape ------------------------------------------------------------------------------------------------===//

Var Tape::variable(double value) {
  return Var::close(value, this);
}

Var Var::close(double value, Tape *tape) {
  Var result(value);
  if (!tape)
    return result;
  assert(tape->ends.size() < UINT32_MAX && "a tape of so many nodes needs wider indices");
  result.tape = tape;
  result.node = static_cast<uint32_t>(tape->ends.size());
  tape->ends.push_back(tape->parents.size());
  return result;
}

void Var::addEdge(Tape *&target, double partial) const {
  if (!tape)
    return;
  assert((!target || target == tape) && "variables of different tapes do not mix");
  target = tape;
  tape->parents.push_back(node);
  tape->partials.push_back(partial);
}

Var Var::function(double value, std::initializer_list<std::pair<const Var *, double>> arguments) {
  Tape *tape = nullptr;
  for (const auto &[argument, partial] : arguments)
    argument->addEdge(tape, partial);
  return close(value, tape);
}

Gradient::Gradient(const Var &output) {
  if (!output.tape)
    return;
  const Tape &tape = *output.tape;
  adjoints.assign(output.node + size_t(1), 0.0);
  adjoints[output.node] = 1.0;
  for (size_t node = adjoints.size(); node-- > 0;)
    // A node without influence has none on its arguments either, even where a partial derivative is infinite.
    if (adjoints[node] != 0.0)
      for (size_t edge = node == 0 ? 0 : tape.ends[node - 1]; edge < tape.ends[node]; ++edge)
        adjoints[tape.parents[edge]] += adjoints[node] * tape.partials[edge];
}

double Gradient::by(const Var &input) const {
  return input.tape && input.node < adjoints.size() ? adjoints[input.node] : 0.0;
}

//===-- Functions and their partial derivatives -----------------------------------------------------------------===//

Var operator+(const Var &a, const Var &b) {
  return Var::function(a.value() + b.value(), {{&a, 1.0}, {&b, 1.0}});
}

Var operator-(const Var &a, const Var &b) {
  return Var::function(a.value() - b.value(), {{&a, 1.0}, {&b, -1.0}});
}

Var operator*(const Var &a, const Var &b) {
  return Var::function(a.value() * b.value(), {{&a, b.value()}, {&b, a.value()}});
}

Var operator/(const Var &a, const Var &b) {
  double quotient = a.value() / b.value();
  return Var::function(quotient, {{&a, 1.0 / b.value()}, {&b, -quotient / b.value()}});
}

Var operator-(const Var &a) {
  return Var::function(-a.value(), {{&a, -1.0}});
}

Var &Var::operator+=(const Var &other) {
  return *this = *this + other;
}

Var &Var::operator*=(const Var &other) {
  return *this = *this * other;
}

Var exp(const Var &x) {
  double y = std::exp(x.value());
  return Var::function(y, {{&x, y}});
}

Var log(const Var &x) {
  return Var::function(std::log(x.value()), {{&x, 1.0 / x.value()}});
}

Var sqrt(const Var &x) {
  double y = std::sqrt(x.value());
  return Var::function(y, {{&x, 0.5 / y}});
}

Var tanh(const Var &x) {
  double y = std::tanh(x.value());
  return Var::function(y, {{&x, 1.0 - y * y}});
}

Var sigmoid(const Var &x) {
  double y = oracle::sigmoid(x.value());
  return Var::function(y, {{&x, y * oracle::sigmoid(-x.value())}});
}

Var silu(const Var &x) {
  double s = oracle::sigmoid(x.value());
  return Var::function(oracle::silu(x.value()), {{&x, s + x.value() * s * oracle::sigmoid(-x.value())}});
}

Var softplus(const Var &x) {
  return Var::function(oracle::softplus(x.value()), {{&x, oracle::sigmoid(x.value())}});
}

Var clamp(const Var &x, double low, double high) {
  bool within = x.value() >= low && x.value() <= high;
  return Var::function(oracle::clamp(x.value(), low, high), {{&x, within ? 1.0 : 0.0}});
}

Var dot(const Var *a, const Var *b, size_t count) {
  Tape *tape = nullptr;
  double sum = 0.0;
  for (size_t i = 0; i < count; ++i) {
    sum += a[i].value() * b[i].value();
    a[i].addEdge(tape, b[i].value());
    b[i].addEdge(tape, a[i].value());
  }
  return Var::close(sum, tape);
}

Var straightThrough(const Var &x, double value) {
  return Var::function(value, {{&x, 1.0}});
}

} // namespace chimera::test
