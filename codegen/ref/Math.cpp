// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/ref/Math.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;

namespace chimera::ref {

// ln 2, as the nearest double and the nearest double to what that leaves.
static constexpr double ln2High = 0x1.62e42fefa39efp-1, ln2Low = 0x1.abc9e3b39803fp-56;
static constexpr double log2OfE = 0x1.71547652b82fep+0;
// pi/2 likewise.
static constexpr double halfPiHigh = 0x1.921fb54442d18p+0, halfPiLow = 0x1.1a62633145c07p-54;
static constexpr double twoOverPi = 0x1.45f306dc9c883p-1;
static constexpr double infinity = std::numeric_limits<double>::infinity();

/// The internal function `name` of one f64, built by `body` the first time it is asked for.
static func::FuncOp getOrEmitFunction(ModuleOp module, StringRef name, unsigned results,
                                      function_ref<SmallVector<Val>(KernelBuilder &, Val)> body) {
  if (auto function = module.lookupSymbol<func::FuncOp>(name))
    return function;
  Builder types(module.getContext());
  SmallVector<Type> resultTypes(results, types.getF64Type());
  KernelBuilder k(module, name, types.getFunctionType({types.getF64Type()}, resultTypes));
  k.setInternal();
  k.finish(body(k, k.parameter(0)));
  return module.lookupSymbol<func::FuncOp>(name);
}

/// Applies a function of one f64 to an f32 or f64.
static Val apply(Val x, StringRef name, function_ref<Val(KernelBuilder &, Val)> body) {
  KernelBuilder &k = *x.builder;
  func::FuncOp function = getOrEmitFunction(
      k.module, name, 1, [&](KernelBuilder &inner, Val operand) { return SmallVector<Val>{body(inner, operand)}; });
  return toFloat(k.call(function, {toFloat(x, k.f64Type())})[0], x.value.getType());
}

/// c[0] + c[1] x + c[2] x^2 + ..., by Horner's rule with fma.
static Val polynomial(Val x, ArrayRef<double> coefficients) {
  KernelBuilder &k = *x.builder;
  Val sum = k.real(coefficients.back(), k.f64Type());
  for (double c : llvm::reverse(coefficients.drop_back()))
    sum = fma(sum, x, k.real(c, k.f64Type()));
  return sum;
}

static Val magnitude(Val x) {
  Val zero = x.builder->real(0, x.value.getType());
  return select(x < zero, -x, x);
}

/// 2^n for -1022 <= n <= 1023.
static Val powerOfTwo(Val n) {
  KernelBuilder &k = *n.builder;
  Val shift = k.integer(52);
  Val bits = {&k, k.ops.create<arith::ShLIOp>(k.loc, (n + 1023).value, shift.value)};
  return bitcast(bits, k.f64Type());
}

/// The float as an integer; 0 for a NaN, whose conversion would be undefined.
static Val toIntOrZero(Val x) {
  return floatToInt(select(x == x, x, x.builder->real(0, x.value.getType())));
}

// x = n ln 2 + r with |r| <= ln 2 / 2: the difference from the upper part is exact, for it is a multiple of 2^-53 below
// 0.35. The Taylor series of e^r to r^13 leaves less than 5e-18. 2^n is applied in two factors, so that both stay in
// range and the result overflows, or goes under, as one product would.
static Val emitExp(KernelBuilder &k, Val x) {
  Type f64 = k.f64Type();
  Val high = k.real(710, f64), low = k.real(-746, f64);
  Val clamped = select(x > high, high, select(x < low, low, x));
  Val n = roundEven(clamped * k.real(log2OfE, f64));
  Val r = fma(-n, k.real(ln2Low, f64), fma(-n, k.real(ln2High, f64), clamped));
  SmallVector<double> inverseFactorials;
  double factorial = 1;
  for (int i = 0; i <= 13; ++i, factorial *= i)
    inverseFactorials.push_back(1 / factorial);
  Val power = polynomial(r, inverseFactorials);
  Val exponent = toIntOrZero(n);
  Val half = exponent / 2;
  return power * powerOfTwo(half) * powerOfTwo(exponent - half);
}

Val exp(Val x) {
  return apply(x, "chimera_math_exp", emitExp);
}

/// log(1 + f) for sqrt(1/2) - 1 <= f <= sqrt(2) - 1. With s = f / (2 + f): log(1 + f) = 2 atanh(s) = f - s (f - t),
/// where t = 2 (s^2/3 + s^4/5 + ...); the series to s^22 leaves less than 1e-19.
static Val logNearOne(Val f) {
  KernelBuilder &k = *f.builder;
  Val s = f / (f + k.real(2, k.f64Type()));
  Val z = s * s;
  SmallVector<double> coefficients;
  for (int i = 1; i <= 11; ++i)
    coefficients.push_back(2.0 / (2 * i + 1));
  return f - s * (f - z * polynomial(z, coefficients));
}

// x = 2^e m with m in [sqrt(1/2), sqrt(2)): log x = e ln 2 + log m.
static Val emitLog(KernelBuilder &k, Val x) {
  Type f64 = k.f64Type();
  Val smallest = k.real(std::numeric_limits<double>::min(), f64);
  Val isSmall = x < smallest;
  Val scaled = select(isSmall, x * k.real(0x1p54, f64), x);
  Val bits = bitcast(scaled, k.i64Type());
  // Adding the distance from sqrt(1/2) to 1 carries into the exponent exactly when the mantissa is sqrt(2) or more.
  Val shifted = bits + (0x3ff0000000000000 - 0x3fe6a09e667f3bcd);
  Val shift = k.integer(52);
  Val biased = {&k, k.ops.create<arith::ShRUIOp>(k.loc, shifted.value, shift.value)};
  Val e = intToFloat(biased - 1023, f64) - select(isSmall, k.real(54, f64), k.real(0, f64));
  Val mantissa = (shifted & k.integer(0x000fffffffffffff)) + 0x3fe6a09e667f3bcd;
  Val logMantissa = logNearOne(bitcast(mantissa, f64) - k.real(1, f64));
  Val finite = fma(e, k.real(ln2High, f64), fma(e, k.real(ln2Low, f64), logMantissa));
  Val zero = k.real(0, f64), nan = k.real(std::numeric_limits<double>::quiet_NaN(), f64);
  Val inside = select(x == zero, k.real(-infinity, f64), select(x == k.real(infinity, f64), x, finite));
  return select(x == x, select(x < zero, nan, inside), x);
}

Val log(Val x) {
  return apply(x, "chimera_math_log", emitLog);
}

// max(x, 0) + log(1 + u), u = e^-|x| in [0, 1]. w = 1 + u is rounded; what that lost, u - (w - 1), is exact, and adds
// (u - (w - 1)) / w to the logarithm of w to first order.
static Val emitSoftplus(KernelBuilder &k, Val x) {
  Type f64 = k.f64Type();
  Val one = k.real(1, f64), zero = k.real(0, f64);
  Val u = exp(-magnitude(x));
  Val w = one + u;
  Val correction = (u - (w - one)) / w;
  return select(x > zero, x, zero) + (log(w) + correction);
}

Val softplus(Val x) {
  return apply(x, "chimera_math_softplus", emitSoftplus);
}

// 1 / (1 + u) or u / (1 + u), u = e^-|x|: nothing overflows. One step of Newton's method on the quotient takes back
// what rounding 1 + u (exactly known, as for softplus) and the division cost.
static Val emitSigmoid(KernelBuilder &k, Val x) {
  Type f64 = k.f64Type();
  Val one = k.real(1, f64);
  Val u = exp(-magnitude(x));
  Val numerator = select(x < k.real(0, f64), u, one);
  Val w = one + u;
  Val lost = u - (w - one);
  Val quotient = numerator / w;
  return quotient + (fma(-quotient, w, numerator) - quotient * lost) / w;
}

Val sigmoid(Val x) {
  return apply(x, "chimera_math_sigmoid", emitSigmoid);
}

Val silu(Val x) {
  return apply(x, "chimera_math_silu", [](KernelBuilder &, Val operand) { return operand * sigmoid(operand); });
}

std::pair<Val, Val> geluArgument(Val x) {
  auto real = [&](double value) { return x.builder->real(value, x.value.getType()); };
  constexpr double linear = 1.5957691216057307, cubic = 0.07135481627260025; // 2 sqrt(2/pi), 0.044715 times that
  Val square = x * x, argument = x * fma(square, real(cubic), real(linear));
  // From 32 on the sigmoid is 0 or 1: the derivative multiplies a zero and must not be infinite.
  Val bounded = select(x < real(-32), real(-32), select(real(32) < x, real(32), x));
  return {argument, fma(bounded * bounded, real(3 * cubic), real(linear))};
}

Val activate(Activation activation, Val x) {
  switch (activation) {
  case Activation::None:
    break;
  case Activation::Silu:
    return silu(x);
  case Activation::GeluTanh:
    return apply(x, "chimera_math_gelu_tanh",
                 [](KernelBuilder &, Val operand) { return operand * sigmoid(geluArgument(operand).first); });
  case Activation::Relu2: {
    Val zero = x.builder->real(0, x.value.getType());
    return select(x < zero, zero, x * x);
  }
  }
  llvm_unreachable("there is something to apply");
}

// x = n pi/2 + r, |r| <= pi/4: n times the upper part is taken away without rounding (fma, and the difference is a
// multiple of 2^-52 below 1), the lower part with one rounding; the third part would be below 2^31 1.5e-33. The Taylor
// series to r^17 and r^16 leave less than 3e-18. The quadrant n mod 4 swaps and negates.
static SmallVector<Val> emitSinCos(KernelBuilder &k, Val x) {
  Type f64 = k.f64Type();
  Val n = roundEven(x * k.real(twoOverPi, f64));
  Val r = fma(-n, k.real(halfPiLow, f64), fma(-n, k.real(halfPiHigh, f64), x));
  Val z = r * r;
  SmallVector<double> sineCoefficients, cosineCoefficients;
  double factorial = 1;
  for (int i = 0; i <= 17; ++i, factorial *= i)
    (i % 2 ? sineCoefficients : cosineCoefficients).push_back((i / 2 % 2 ? -1 : 1) / factorial);
  // r + r z (...) keeps the last bits of r.
  Val sine = fma(r * z, polynomial(z, ArrayRef<double>(sineCoefficients).drop_front()), r);
  Val cosine = polynomial(z, cosineCoefficients);
  Val quadrant = toIntOrZero(n) & k.integer(3);
  Val swap = (quadrant & k.integer(1)) == 1;
  Val upper = (quadrant & k.integer(2)) == 2;
  Val minusCosine = ((quadrant + 1) & k.integer(2)) == 2;
  Val s = select(swap, cosine, sine), c = select(swap, sine, cosine);
  return {select(upper, -s, s), select(minusCosine, -c, c)};
}

SinCos sinCos(Val x) {
  func::FuncOp function = getOrEmitFunction(x.builder->module, "chimera_math_sincos", 2, emitSinCos);
  SmallVector<Val> results = x.builder->call(function, {x});
  return {results[0], results[1]};
}

} // namespace chimera::ref
