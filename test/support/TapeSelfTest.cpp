// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tape's functions one by one against their derivatives in closed form.
#include "test/support/Tape.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

using namespace chimera::test;

namespace {

using Real = std::function<double(double)>;

struct Unary {
  const char *name;
  std::function<Var(const Var &)> function;
  Real value, derivative;
  std::vector<double> points;
};

double logistic(double x) {
  return 0.5 + 0.5 * std::tanh(x / 2);
}

TEST(Tape, FunctionsOfOneArgument) {
  const std::vector<double> all = {-3.0, -0.7, 0.0, 0.4, 2.5}, positive = {0.1, 1.0, 7.0};
  auto one = [](double) { return 1.0; };
  const Unary table[] = {
      {"negation", [](const Var &x) { return -x; }, [](double x) { return -x; }, [](double) { return -1.0; }, all},
      {"exp", [](const Var &x) { return exp(x); }, [](double x) { return std::exp(x); },
       [](double x) { return std::exp(x); }, all},
      {"log", [](const Var &x) { return log(x); }, [](double x) { return std::log(x); }, [](double x) { return 1 / x; },
       positive},
      {"sqrt", [](const Var &x) { return sqrt(x); }, [](double x) { return std::sqrt(x); },
       [](double x) { return 1 / (2 * std::sqrt(x)); }, positive},
      {"tanh", [](const Var &x) { return tanh(x); }, [](double x) { return 2 * logistic(2 * x) - 1; },
       [](double x) { return 4 * logistic(2 * x) * (1 - logistic(2 * x)); }, all},
      {"sigmoid", [](const Var &x) { return sigmoid(x); }, logistic,
       [](double x) { return logistic(x) * (1 - logistic(x)); }, all},
      {"silu", [](const Var &x) { return silu(x); }, [](double x) { return x * logistic(x); },
       [](double x) { return logistic(x) + x * logistic(x) * (1 - logistic(x)); }, all},
      {"softplus", [](const Var &x) { return softplus(x); }, [](double x) { return std::log(1 + std::exp(x)); },
       logistic, all},
      {"a constant more", [](const Var &x) { return x + 2.0; }, [](double x) { return x + 2; }, one, all},
      {"a constant less", [](const Var &x) { return x - 2.0; }, [](double x) { return x - 2; }, one, all},
      {"less than a constant", [](const Var &x) { return 2.0 - x; }, [](double x) { return 2 - x; },
       [](double) { return -1.0; }, all},
      {"a constant over", [](const Var &x) { return 2.0 / x; }, [](double x) { return 2 / x; },
       [](double x) { return -2 / (x * x); }, positive},
      {"the square", [](const Var &x) { return x * x; }, [](double x) { return x * x; }, [](double x) { return 2 * x; },
       all},
      {"a number over itself", [](const Var &x) { return x / x; }, [](double) { return 1.0; },
       [](double) { return 0.0; }, positive},
  };
  for (const Unary &row : table)
    for (double point : row.points) {
      Tape tape;
      Var x = tape.variable(point), y = row.function(x);
      EXPECT_NEAR(y.value(), row.value(point), 1e-15 * (1 + std::abs(y.value()))) << row.name << " at " << point;
      double derivative = Gradient(y).by(x);
      EXPECT_NEAR(derivative, row.derivative(point), 4e-15 * (1 + std::abs(derivative))) << row.name << " at " << point;
    }
}

TEST(Tape, FunctionsOfTwoArguments) {
  struct Binary {
    const char *name;
    std::function<Var(const Var &, const Var &)> function;
    double value, byFirst, bySecond; // at (3, -4)
  };
  const Binary table[] = {
      {"+", [](const Var &a, const Var &b) { return a + b; }, -1, 1, 1},
      {"-", [](const Var &a, const Var &b) { return a - b; }, 7, 1, -1},
      {"*", [](const Var &a, const Var &b) { return a * b; }, -12, -4, 3},
      {"/", [](const Var &a, const Var &b) { return a / b; }, -0.75, -0.25, -3.0 / 16},
      {"+=", [](Var a, const Var &b) { return a += b; }, -1, 1, 1},
      {"*=", [](Var a, const Var &b) { return a *= b; }, -12, -4, 3},
  };
  for (const Binary &row : table) {
    Tape tape;
    Var a = tape.variable(3), b = tape.variable(-4), y = row.function(a, b);
    Gradient gradient(y);
    EXPECT_EQ(y.value(), row.value) << row.name;
    EXPECT_EQ(gradient.by(a), row.byFirst) << row.name;
    EXPECT_EQ(gradient.by(b), row.bySecond) << row.name;
  }
}

TEST(Tape, FunctionsAreStableFarOut) {
  Tape tape;
  Var low = tape.variable(-800), high = tape.variable(800);
  for (const Var &x : {low, high}) {
    double one = x.value() > 0;
    EXPECT_EQ(Gradient(softplus(x)).by(x), one);
    EXPECT_EQ(Gradient(silu(x)).by(x), one);
    EXPECT_EQ(Gradient(sigmoid(x)).by(x), 0);
    EXPECT_EQ(softplus(x).value(), one * 800);
  }
}

TEST(Tape, ClampPassesDerivativesWithinAndAtTheBounds) {
  const double infinity = std::numeric_limits<double>::infinity();
  struct Case {
    double x, value, derivative;
  };
  for (const Case &each : {Case{0.5, 1, 0}, Case{1, 1, 1}, Case{1.5, 1.5, 1}, Case{2, 2, 1}, Case{2.5, 2, 0}}) {
    Tape tape;
    Var x = tape.variable(each.x), y = clamp(x, 1, 2);
    EXPECT_EQ(y.value(), each.value);
    EXPECT_EQ(Gradient(y).by(x), each.derivative) << each.x;
    EXPECT_EQ(Gradient(clamp(x, 0, infinity)).by(x), 1);
  }
}

TEST(Tape, DotProductsOfVariablesAndConstants) {
  Tape tape;
  std::vector<Var> a = {tape.variable(2), 3.0, tape.variable(5)}, b = {tape.variable(7), tape.variable(11), 13.0};
  Var y = dot(a.data(), b.data(), 3);
  Gradient gradient(y);
  EXPECT_EQ(y.value(), 14 + 33 + 65);
  EXPECT_EQ(gradient.by(a[0]), 7);
  EXPECT_EQ(gradient.by(b[0]), 2);
  EXPECT_EQ(gradient.by(b[1]), 3);
  EXPECT_EQ(gradient.by(a[2]), 13);
  EXPECT_EQ(gradient.by(a[1]), 0);
  // With itself every factor counts twice.
  EXPECT_EQ(Gradient(dot(a.data(), a.data(), 3)).by(a[2]), 10);
}

TEST(Tape, StraightThroughHasTheValueOfOneAndTheDerivativesOfTheOther) {
  Tape tape;
  Var x = tape.variable(0.3), y = straightThrough(2.0 * x, 1.0);
  EXPECT_EQ(y.value(), 1);
  EXPECT_EQ(Gradient(y * y).by(x), 4);
}

TEST(Tape, EveryPathFromAVariableCounts) {
  Tape tape;
  Var x = tape.variable(0.6), y = tape.variable(-1.3);
  // f = exp(x y) + x / (x + y): used along four paths by x and three by y.
  Var f = exp(x * y) + x / (x + y);
  double e = std::exp(0.6 * -1.3), sum = 0.6 - 1.3;
  Gradient gradient(f);
  EXPECT_NEAR(gradient.by(x), -1.3 * e + -1.3 / (sum * sum), 1e-14);
  EXPECT_NEAR(gradient.by(y), 0.6 * e - 0.6 / (sum * sum), 1e-14);
}

TEST(Tape, WhatTheOutputDoesNotDependOnHasNoInfluence) {
  Tape tape;
  Var x = tape.variable(0), unused = tape.variable(4), y = tape.variable(3);
  Var f = y + 0.0 * sqrt(x); // whose own derivative is infinite
  Gradient gradient(f);
  EXPECT_EQ(f.value(), 3);
  EXPECT_EQ(gradient.by(y), 1);
  EXPECT_EQ(gradient.by(x), 0);
  EXPECT_EQ(gradient.by(unused), 0);
  EXPECT_EQ(gradient.by(tape.variable(1)), 0); // later than the output
  EXPECT_EQ(gradient.by(Var(7)), 0);
  EXPECT_EQ(Gradient(Var(7)).by(y), 0);
}

TEST(Tape, ConstantsStayConstants) {
  Tape tape;
  Var x = tape.variable(2), seven = Var(3) + 4.0;
  EXPECT_EQ(seven.value(), 7);
  EXPECT_EQ(Gradient(exp(seven)).by(x), 0);
  EXPECT_EQ(Gradient(x * seven).by(seven), 0);
  EXPECT_EQ(Gradient(x * seven).by(x), 7);
}

} // namespace
