// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/kernel/KernelBuilder.h"
#include "test/codegen-support/KernelJit.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

template <typename T> class RefRowwise : public testing::Test {};
using AccumulatorTypes = testing::Types<double, float>;
TYPED_TEST_SUITE(RefRowwise, AccumulatorTypes);

/// What the bits of silu are compared with: within an ulp or so of T.
template <typename T> double tolerance() {
  return sizeof(T) == 8 ? 1e-14 : 1e-6;
}

template <typename T> T plainly(Activation activation, T x) {
  long double wide = x;
  if (activation == Activation::Silu)
    return static_cast<T>(wide / (1 + expl(-wide)));
  if (activation == Activation::Relu2)
    return static_cast<T>(std::isnan(x) ? x : std::max(x, T(0)) * std::max(x, T(0)));
  long double inner = sqrtl(2 / acosl(-1.0L)) * (wide + 0.044715L * wide * wide * wide);
  // tanhl loses the digits of 1 + tanh far below zero.
  return static_cast<T>(wide * expl(inner) / (expl(inner) + expl(-inner)));
}
const Activation activations[] = {Activation::Silu, Activation::GeluTanh, Activation::Relu2};

/// Four sequences of which one has no rows in this rows value; the slice starts inside a longer index.
const std::vector<int32_t> start = {5, 7, 7, 8, 11};
constexpr size_t rows = 6;
const StepSizes sizes{9, 4}; // more tokens in the step than rows here

TYPED_TEST(RefRowwise, AddAddsAndStopsAtTheCountOfRows) {
  auto a = randomVector<TypeParam>(rows * 5, 1), b = randomVector<TypeParam>(rows * 5, 2);
  Launch launch;
  launch.add(start);
  launch.add(a);
  launch.add(b);
  size_t out = launch.add(std::vector<TypeParam>(rows * 5));
  runKernel(AddSpec{5, scalarOf<TypeParam>}, launch, sizes);
  for (size_t i = 0; i < a.size(); ++i)
    a[i] += b[i];
  EXPECT_EQ(launch.get<TypeParam>(out), a);
}

TYPED_TEST(RefRowwise, AnEmptyRowsValueWritesNothing) {
  Launch launch;
  launch.add(std::vector<int32_t>{3, 3, 3});
  launch.add(std::vector<TypeParam>());
  launch.add(std::vector<TypeParam>());
  launch.add(std::vector<TypeParam>());
  runKernel(AddSpec{5, scalarOf<TypeParam>}, launch, {7, 2});
}

TYPED_TEST(RefRowwise, ActivationsAreTheirFormulas) {
  for (Activation activation : activations) {
    auto x = randomVector<TypeParam>(rows * 7, 3);
    x[0] = 20, x[1] = -20, x[2] = 0, x[3] = -4;
    x[4] = std::numeric_limits<TypeParam>::quiet_NaN();
    Launch launch;
    launch.add(start);
    launch.add(x);
    size_t out = launch.add(x);
    runKernel(ActivateSpec{7, activation, scalarOf<TypeParam>}, launch, sizes);
    for (TypeParam &v : x)
      v = plainly(activation, v);
    SCOPED_TRACE(nameOf(activation));
    expectNear(launch.get<TypeParam>(out), x, tolerance<TypeParam>());
  }
}

TYPED_TEST(RefRowwise, ActivationsOfWhatIsLarge) {
  auto infinity = std::numeric_limits<TypeParam>::infinity();
  for (Activation activation : activations) {
    Launch launch;
    launch.add(std::vector<int32_t>{0, 1});
    launch.add(std::vector<TypeParam>{100, -100, infinity});
    size_t out = launch.add(std::vector<TypeParam>(3));
    runKernel(ActivateSpec{3, activation, scalarOf<TypeParam>}, launch, {1, 1});
    std::vector<TypeParam> y = launch.get<TypeParam>(out);
    EXPECT_EQ(y[0], activation == Activation::Relu2 ? 10000 : 100) << nameOf(activation);
    EXPECT_NEAR(y[1], 0, 1e-40) << nameOf(activation);
    EXPECT_EQ(y[2], infinity) << nameOf(activation);
  }
}

TYPED_TEST(RefRowwise, ASoftCapBoundsWithoutAnEdge) {
  auto x = randomVector<TypeParam>(rows * 7, 3);
  x[0] = 20, x[1] = -1e30, x[2] = 0, x[3] = std::numeric_limits<TypeParam>::infinity();
  x[4] = std::numeric_limits<TypeParam>::quiet_NaN();
  Launch launch;
  launch.add(start);
  launch.add(x);
  size_t out = launch.add(x);
  runKernel(SoftCapSpec{7, 1.5, scalarOf<TypeParam>}, launch, sizes);
  for (TypeParam &v : x)
    v = static_cast<TypeParam>(1.5L * tanhl(static_cast<long double>(v) / 1.5L));
  expectNear(launch.get<TypeParam>(out), x, tolerance<TypeParam>());
}

TYPED_TEST(RefRowwise, AGatedUnitIsTheActivatedGateTimesUp) {
  for (Activation activation : activations) {
    auto gate = randomVector<TypeParam>(rows * 3, 4), up = randomVector<TypeParam>(rows * 3, 5);
    Launch launch;
    launch.add(start);
    launch.add(gate);
    launch.add(up);
    size_t out = launch.add(gate);
    runKernel(GluSpec{3, activation, scalarOf<TypeParam>}, launch, sizes);
    for (size_t i = 0; i < gate.size(); ++i)
      gate[i] = plainly(activation, gate[i]) * up[i];
    expectNear(launch.get<TypeParam>(out), gate, tolerance<TypeParam>());
  }
}

TYPED_TEST(RefRowwise, RMSNormDividesByTheRootMeanSquareOfTheRow) {
  constexpr size_t width = 13;
  auto x = randomVector<TypeParam>(rows * width, 6), w = randomVector<TypeParam>(width, 7), expected = x;
  Launch launch;
  launch.add(start);
  launch.add(x);
  launch.add(w);
  size_t out = launch.add(x);
  runKernel(NormSpec{width, NormKind::RMS, 1e-5, scalarOf<TypeParam>}, launch, sizes);
  for (size_t r = 0; r < rows; ++r) {
    TypeParam sum = 0;
    for (size_t c = 0; c < width; ++c)
      sum = std::fma(x[r * width + c], x[r * width + c], sum);
    TypeParam root = std::sqrt(sum / TypeParam(width) + TypeParam(1e-5));
    for (size_t c = 0; c < width; ++c)
      expected[r * width + c] = x[r * width + c] / root * w[c];
  }
  EXPECT_EQ(launch.get<TypeParam>(out), expected);
}

TYPED_TEST(RefRowwise, NormsOfGroupsAreNormsOfTheGroupsAsRows) {
  constexpr int64_t width = 12, groups = 3, size = width / groups;
  auto x = randomVector<TypeParam>(rows * width, 6), w = randomVector<TypeParam>(size, 7);
  std::vector<TypeParam> results[2];
  for (int grouped : {0, 1}) {
    Launch launch;
    launch.add(grouped ? start : std::vector<int32_t>{0, int32_t(rows * groups)});
    launch.add(x);
    launch.add(w);
    size_t out = launch.add(std::vector<TypeParam>(x.size()));
    NormSpec spec{grouped ? width : size, NormKind::RMS, 1e-5, scalarOf<TypeParam>};
    spec.groups = grouped ? groups : 1;
    runKernel(spec, launch, grouped ? sizes : StepSizes{rows * groups, 1});
    results[grouped] = launch.get<TypeParam>(out);
  }
  EXPECT_EQ(results[1], results[0]);
}

TYPED_TEST(RefRowwise, AUnitOffsetOfANormIsAddedToItsWeight) {
  constexpr int64_t width = 13;
  auto x = randomVector<TypeParam>(rows * width, 6), w = randomVector<TypeParam>(width, 7), shifted = w;
  for (TypeParam &weight : shifted)
    weight += TypeParam(1);
  std::vector<TypeParam> results[2];
  for (bool offset : {false, true}) {
    Launch launch;
    launch.add(start);
    launch.add(x);
    launch.add(offset ? w : shifted);
    size_t out = launch.add(std::vector<TypeParam>(x.size()));
    NormSpec spec{width, NormKind::RMS, 1e-5, scalarOf<TypeParam>};
    spec.unitOffset = offset;
    runKernel(spec, launch, sizes);
    results[offset] = launch.get<TypeParam>(out);
  }
  EXPECT_EQ(results[1], results[0]);
}

TYPED_TEST(RefRowwise, ABiasIsAddedToEveryRowAndAScaleMultiplies) {
  constexpr size_t width = 7;
  auto x = randomVector<TypeParam>(rows * width, 21), b = randomVector<TypeParam>(width, 22);
  Launch biased, scaled;
  for (Launch *launch : {&biased, &scaled}) {
    launch->add(start);
    launch->add(x);
  }
  biased.add(b);
  size_t sum = biased.add(x), product = scaled.add(x);
  runKernel(AddBiasSpec{width, scalarOf<TypeParam>}, biased, sizes);
  runKernel(ScaleSpec{width, -0.22, scalarOf<TypeParam>}, scaled, sizes);
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(biased.get<TypeParam>(sum)[i], x[i] + b[i % width]);
    EXPECT_EQ(scaled.get<TypeParam>(product)[i], x[i] * TypeParam(-0.22));
  }
}

TYPED_TEST(RefRowwise, RangesOfColumnsHaveScalesOfTheirOwn) {
  const std::vector<double> factors = {-0.22, 1.0, 3.7};
  const std::vector<int64_t> widths = {4, 1, 9};
  constexpr size_t width = 14;
  auto x = randomVector<TypeParam>(rows * width, 23);
  Launch launch;
  launch.add(start);
  launch.add(x);
  size_t out = launch.add(x);
  runKernel(ScaleColumnsSpec{factors, widths, scalarOf<TypeParam>}, launch, sizes);
  std::vector<TypeParam> scaled = launch.get<TypeParam>(out);
  for (size_t i = 0; i < x.size(); ++i) {
    size_t column = i % width;
    EXPECT_EQ(scaled[i], x[i] * TypeParam(factors[column < 4 ? 0 : column < 5 ? 1 : 2])) << i;
  }
}

TYPED_TEST(RefRowwise, LayerNormCentresAndDividesByTheDeviationOfTheRow) {
  constexpr size_t width = 13;
  auto x = randomVector<TypeParam>(rows * width, 8), expected = x;
  auto w = randomVector<TypeParam>(width, 9), b = randomVector<TypeParam>(width, 10);
  Launch launch;
  launch.add(start);
  launch.add(x);
  launch.add(w);
  launch.add(b);
  size_t out = launch.add(x);
  runKernel(NormSpec{width, NormKind::Layer, 1e-3, scalarOf<TypeParam>}, launch, sizes);
  for (size_t r = 0; r < rows; ++r) {
    TypeParam sum = 0, squares = 0;
    for (size_t c = 0; c < width; ++c)
      sum += x[r * width + c];
    TypeParam mean = sum / TypeParam(width);
    for (size_t c = 0; c < width; ++c)
      squares = std::fma(x[r * width + c] - mean, x[r * width + c] - mean, squares);
    TypeParam root = std::sqrt(squares / TypeParam(width) + TypeParam(1e-3));
    for (size_t c = 0; c < width; ++c)
      expected[r * width + c] = (x[r * width + c] - mean) / root * w[c] + b[c];
  }
  EXPECT_EQ(launch.get<TypeParam>(out), expected);
}

TYPED_TEST(RefRowwise, ANaNRowLeavesTheOtherRowsAsTheyWere) {
  constexpr size_t width = 8;
  auto w = randomVector<TypeParam>(width, 11), clean = randomVector<TypeParam>(rows * width, 12), dirty = clean;
  for (size_t c = 0; c < width; ++c)
    dirty[2 * width + c] = std::numeric_limits<TypeParam>::quiet_NaN();
  std::vector<TypeParam> results[2];
  for (int i : {0, 1}) {
    Launch launch;
    launch.add(start);
    launch.add(i ? dirty : clean);
    launch.add(w);
    size_t out = launch.add(clean);
    runKernel(NormSpec{width, NormKind::RMS, 1e-5, scalarOf<TypeParam>}, launch, sizes);
    results[i] = launch.get<TypeParam>(out);
  }
  for (size_t i = 0; i < rows * width; ++i) {
    if (i / width == 2)
      EXPECT_TRUE(std::isnan(results[1][i]));
    else
      EXPECT_EQ(results[0][i], results[1][i]);
  }
}

TYPED_TEST(RefRowwise, GatedNormNormsEachGroupOfYTimesSiluZ) {
  constexpr size_t width = 12, groups = 3, size = width / groups;
  auto y = randomVector<TypeParam>(rows * width, 13), z = randomVector<TypeParam>(rows * width, 14), expected = y;
  auto w = randomVector<TypeParam>(width, 15);
  Launch launch;
  launch.add(start);
  launch.add(y);
  launch.add(z);
  launch.add(w);
  size_t out = launch.add(y);
  runKernel(GatedNormSpec{width, groups, 1e-5, scalarOf<TypeParam>}, launch, sizes);
  for (size_t first = 0; first < rows * width; first += size) {
    TypeParam sum = 0;
    for (size_t i = first; i < first + size; ++i) {
      expected[i] = y[i] * plainly(Activation::Silu, z[i]);
      sum = std::fma(expected[i], expected[i], sum);
    }
    for (size_t i = first; i < first + size; ++i)
      expected[i] = expected[i] / std::sqrt(sum / TypeParam(size) + TypeParam(1e-5)) * w[i % width];
  }
  expectNear(launch.get<TypeParam>(out), expected, tolerance<TypeParam>());
}

TYPED_TEST(RefRowwise, ColumnsTakesASpanOfEachRow) {
  auto x = randomVector<TypeParam>(rows * 10, 16);
  Launch launch;
  launch.add(start);
  launch.add(x);
  size_t out = launch.add(std::vector<TypeParam>(rows * 3));
  runKernel(ColumnsSpec{10, 4, 3, scalarOf<TypeParam>}, launch, sizes);
  auto y = launch.get<TypeParam>(out);
  for (size_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < 3; ++c)
      EXPECT_EQ(y[r * 3 + c], x[r * 10 + 4 + c]);
}

TYPED_TEST(RefRowwise, RopeTurnsPairsByThePositionAndCopiesTheRest) {
  Batch batch({3, 0, 2}, {1, 0, 2}, {100000, 0, 2147483640});
  RowSet set = someRows(batch, {true, false, true, true, true}, 2);
  constexpr size_t heads = 2, size = 10, half = 3;
  std::vector<double> frequencies = {1.0, 0.31, 1e-4};
  auto x = randomVector<TypeParam>(4 * heads * size, 17), expected = x;
  Launch launch;
  set.addTo(launch, batch);
  launch.add(x);
  size_t out = launch.add(std::vector<TypeParam>(x.size()));
  runKernel(RopeSpec{heads, size, 2 * half, frequencies, scalarOf<TypeParam>}, launch, batch.sizes());
  for (size_t i = 0; i < 4; ++i) {
    double position = static_cast<double>(batch.position[set.index[set.start[0] + i]]);
    for (size_t h = 0; h < heads; ++h)
      for (size_t d = 0; d < half; ++d) {
        double angle = position * frequencies[d];
        auto c = static_cast<TypeParam>(cosl(angle)), s = static_cast<TypeParam>(sinl(angle));
        size_t low = (i * heads + h) * size + d, high = low + half;
        expected[low] = x[low] * c - x[high] * s;
        expected[high] = x[high] * c + x[low] * s;
      }
  }
  auto y = launch.get<TypeParam>(out);
  expectNear(y, expected, sizeof(TypeParam) == 8 ? 1e-15 : 1e-7);
  for (size_t i = 0; i < x.size(); ++i)
    if (i % size >= 2 * half)
      EXPECT_EQ(y[i], x[i]);
}

TEST(RefRowwiseTypes, EmbedWidensTheRowsOfATable) {
  constexpr size_t vocab = 9, width = 6;
  std::vector<uint16_t> table;
  for (float v : randomVector<float>(vocab * width, 18))
    table.push_back(toBF16(v));
  std::vector<int32_t> tokens = {8, 0, 3, 3};
  Launch launch;
  launch.add(std::vector<int32_t>{0, 1, 4});
  launch.add(tokens);
  launch.add(table);
  size_t out = launch.add(std::vector<float>(tokens.size() * width));
  runKernel(EmbedSpec{width, Scalar::BF16, Scalar::F32}, launch, {4, 2});
  auto x = launch.get<float>(out);
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(x[i], fromBF16(table[tokens[i / width] * width + i % width]));
}

/// Values whose rounding to bf16 is of every kind: ties both ways, carries, overflow, specials.
std::vector<float> roundingCases() {
  std::vector<float> x = {0.0f,
                          -0.0f,
                          1.0f,
                          3.3895314e38f,
                          3.39e38f,
                          std::numeric_limits<float>::max(),
                          std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()};
  for (uint32_t low : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})
    for (uint32_t high : {0x3f80u, 0x3f81u, 0x3fffu, 0x0100u, 0x7f7fu, 0xbf80u, 0xc2ffu}) {
      uint32_t bits = high << 16 | low;
      float v;
      std::memcpy(&v, &bits, sizeof v);
      x.push_back(v);
    }
  for (float v : randomVector<float>(400, 19))
    x.push_back(v * 1000);
  return x;
}

TEST(RefRowwiseTypes, CastToBF16RoundsToNearestEven) {
  std::vector<float> x = roundingCases();
  int64_t width = static_cast<int64_t>(x.size());
  Launch launch;
  launch.add(std::vector<int32_t>{0, 1});
  launch.add(x);
  size_t out = launch.add(std::vector<uint16_t>(x.size()));
  runKernel(CastSpec{width, Scalar::F32, Scalar::BF16}, launch, {1, 1});
  auto y = launch.get<uint16_t>(out);
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(y[i], toBF16(x[i])) << x[i];
}

TEST(RefRowwiseTypes, CastOfANaNToBF16StaysANaN) {
  std::vector<uint32_t> nans = {0x7f800001u, 0x7fc00000u, 0x7fffffffu, 0xff800001u, 0xffffffffu};
  Launch launch;
  launch.add(std::vector<int32_t>{0, 1});
  launch.add(nans);
  size_t out = launch.add(std::vector<uint16_t>(nans.size()));
  runKernel(CastSpec{5, Scalar::F32, Scalar::BF16}, launch, {1, 1});
  for (uint16_t bits : launch.get<uint16_t>(out))
    EXPECT_TRUE(std::isnan(fromBF16(bits))) << bits;
}

TEST(RefRowwiseTypes, CastFromF64ToBF16RoundsOnce) {
  // Just above a tie between two bf16 values, but so little that f32 cannot tell: rounding twice would go down.
  std::vector<double> x = {1 + 0x1p-8 + 0x1p-40,
                           1 + 0x1p-8 - 0x1p-40,
                           1 + 0x1p-8,
                           -(1 + 0x1p-8 + 0x1p-40),
                           1e300,
                           std::numeric_limits<double>::quiet_NaN()};
  Launch launch;
  launch.add(std::vector<int32_t>{0, 1});
  launch.add(x);
  size_t out = launch.add(std::vector<uint16_t>(x.size()));
  runKernel(CastSpec{6, Scalar::F64, Scalar::BF16}, launch, {1, 1});
  auto y = launch.get<uint16_t>(out);
  EXPECT_EQ(fromBF16(y[0]), 1.0078125f);
  EXPECT_EQ(fromBF16(y[1]), 1.0f);
  EXPECT_EQ(fromBF16(y[2]), 1.0f);
  EXPECT_EQ(fromBF16(y[3]), -1.0078125f);
  EXPECT_EQ(fromBF16(y[4]), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(fromBF16(y[5])));
}

TEST(RefRowwiseTypes, CastWidensExactly) {
  std::vector<uint16_t> x = {0x3f80, 0xbf81, 0x0000, 0x8000, 0x7f80, 0x0080};
  Launch launch;
  launch.add(std::vector<int32_t>{0, 1});
  launch.add(x);
  size_t out = launch.add(std::vector<double>(x.size()));
  runKernel(CastSpec{6, Scalar::BF16, Scalar::F64}, launch, {1, 1});
  auto y = launch.get<double>(out);
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(y[i], fromBF16(x[i]));
}

TEST(RefKernels, AnEqualSpecGivesTheSameKernelOnce) {
  KernelJit jit;
  Kernel a = jit.add(AddSpec{5, Scalar::F32}), b = jit.add(AddSpec{5, Scalar::F32}),
         c = jit.add(AddSpec{6, Scalar::F32});
  EXPECT_EQ(a.symbol, b.symbol);
  EXPECT_NE(a.symbol, c.symbol);
  EXPECT_EQ(std::distance(jit.module().begin(), jit.module().end()), 2);
  EXPECT_EQ(a.symbol, "chimera_add_f32_5");
}

} // namespace
