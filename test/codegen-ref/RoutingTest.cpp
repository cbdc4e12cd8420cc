// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-support/KernelJit.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

constexpr int64_t layers = 3, layer = 1;

/// What a route launch reads and what it leaves.
template <typename T> struct RouteCase {
  RouteSpec spec;
  Batch batch;
  std::vector<T> logits, bias;
  std::vector<int8_t> forced;  // [N][layers]
  std::vector<int64_t> counts; // [slots][K]
};

template <typename T> struct RouteResult {
  std::vector<int64_t> counts;
  std::vector<int8_t> mode;
  std::vector<T> gate, logp;
};

template <typename T> RouteCase<T> makeCase(std::vector<int> modes, uint64_t seed) {
  RouteCase<T> c{{}, Batch({40, 0, 25, 1}, {3, 0, 1, 4}, {0, 0, 17, 2}), {}, {}, {}, {}};
  size_t count = modes.size();
  c.spec.modes = std::move(modes);
  c.spec.type = scalarOf<T>;
  c.logits = randomVector<T>(c.batch.tokens() * count, seed);
  c.bias = randomVector<T>(count, seed + 1);
  c.forced.assign(c.batch.tokens() * layers, -1);
  c.counts.assign(5 * count, 0);
  for (size_t m = 0; m < count; ++m)
    c.counts[1 * count + m] = static_cast<int64_t>(m); // the sequence that is at position 17 already
  return c;
}

template <typename T> RouteResult<T> runRoute(const RouteCase<T> &c) {
  Launch launch;
  allRows(c.batch).addTo(launch, c.batch);
  launch.add(c.logits);
  launch.add(c.bias);
  launch.add(c.forced);
  size_t counts = launch.add(c.counts), mode = launch.add(std::vector<int8_t>(c.batch.tokens()));
  size_t gate = launch.add(std::vector<T>(c.batch.tokens())), logp = launch.add(c.logits);
  runKernel(c.spec, launch, c.batch.sizes(), {layer, layers});
  return {launch.get<int64_t>(counts), launch.get<int8_t>(mode), launch.get<T>(gate), launch.get<T>(logp)};
}

/// Where a token that wants `wanted` goes, by the definition: along full, swa, ssm, identity until one takes it.
size_t plainAdmit(const RouteSpec &spec, size_t wanted, const int64_t *counts, int64_t position) {
  std::vector<size_t> chain;
  for (int mode : {2, 1, 0, 3})
    for (size_t m = 0; m < spec.modes.size(); ++m)
      if (spec.modes[m] == mode)
        chain.push_back(m);
  size_t link = std::find(chain.begin(), chain.end(), wanted) - chain.begin();
  for (; link + 1 < chain.size() && !spec.capacity.empty(); ++link) {
    const Capacity &capacity = spec.capacity[chain[link]];
    double limit = std::numeric_limits<double>::infinity();
    if (capacity.rate)
      limit = std::ceil(*capacity.rate * static_cast<double>(position + 1));
    if (capacity.maxTokens)
      limit = std::min(limit, static_cast<double>(*capacity.maxTokens));
    if (static_cast<double>(counts[chain[link]]) < limit)
      break;
  }
  return chain[link];
}

template <typename T> void expectRouted(const RouteCase<T> &c) {
  RouteResult<T> got = runRoute(c);
  std::vector<int64_t> counts = c.counts;
  std::vector<T> gates, logps;
  size_t modes = c.spec.modes.size();
  for (int64_t r = 0; r < c.batch.tokens(); ++r) {
    const T *l = &c.logits[r * modes];
    int64_t *n = &counts[c.batch.slot[c.batch.sequence[r]] * modes];
    size_t wanted = 0;
    long double sum = 0;
    std::vector<long double> q;
    for (size_t m = 0; m < modes; ++m) {
      if (l[m] + c.bias[m] > l[wanted] + c.bias[wanted])
        wanted = m;
      q.push_back((c.spec.biasInGate ? l[m] + c.bias[m] : l[m]) / static_cast<T>(c.spec.temperature));
      sum += expl(q[m]);
    }
    size_t admitted = plainAdmit(c.spec, wanted, n, c.batch.position[r]);
    int8_t forced = c.forced[r * layers + layer];
    if (forced >= 0)
      admitted = std::find(c.spec.modes.begin(), c.spec.modes.end(), forced) - c.spec.modes.begin();
    ++n[admitted];
    for (size_t m = 0; m < modes; ++m)
      logps.push_back(static_cast<T>(q[m] - logl(sum)));
    gates.push_back(c.spec.gate == GateKind::One ? 1 : static_cast<T>(expl(q[admitted]) / sum));
    ASSERT_EQ(got.mode[r], c.spec.modes[admitted]) << "row " << r;
  }
  EXPECT_EQ(got.counts, counts);
  double tolerance = sizeof(T) == 8 ? 4e-15 : 1e-7;
  expectNear(got.gate, gates, tolerance);
  expectNear(got.logp, logps, tolerance);
}

template <typename T> class RefRoute : public testing::Test {};
using AccumulatorTypes = testing::Types<double, float>;
TYPED_TEST_SUITE(RefRoute, AccumulatorTypes);

TYPED_TEST(RefRoute, EverySetOfModesWithoutCapacityTakesTheGreatest) {
  for (int set = 1; set < 16; ++set) {
    std::vector<int> modes;
    for (int m = 0; m < 4; ++m)
      if (set >> m & 1)
        modes.push_back(m);
    expectRouted(makeCase<TypeParam>(modes, set));
  }
}

TYPED_TEST(RefRoute, EverySetOfModesWithCapacityRefusesAlongTheChain) {
  for (int set = 1; set < 16; ++set) {
    std::vector<int> modes;
    for (int m = 0; m < 4; ++m)
      if (set >> m & 1)
        modes.push_back(m);
    RouteCase<TypeParam> c = makeCase<TypeParam>(modes, set + 100);
    for (size_t m = 0; m < modes.size(); ++m)
      c.spec.capacity.push_back({0.05 + 0.11 * static_cast<double>(m), {}});
    expectRouted(c);
    c.spec.capacity[0].maxTokens = 3;
    c.spec.capacity.back() = {};
    expectRouted(c);
  }
}

TYPED_TEST(RefRoute, ZeroRateAndZeroMaxTokensAdmitNobody) {
  RouteCase<TypeParam> c = makeCase<TypeParam>({0, 1, 2}, 7);
  c.spec.capacity = {{}, {{}, 0}, {0.0, {}}};
  expectRouted(c);
  for (int8_t mode : runRoute(c).mode)
    EXPECT_EQ(mode, 0);
}

TYPED_TEST(RefRoute, ARateBelowTheNormalNumbersStillAdmitsOneToken) {
  RouteCase<TypeParam> c = makeCase<TypeParam>({0, 2}, 8);
  c.bias = {-100, 100};
  c.spec.capacity = {{}, {1e-310, {}}};
  std::vector<int8_t> mode = runRoute(c).mode;
  for (int64_t r = 0; r < 40; ++r)
    EXPECT_EQ(mode[r], r == 0 ? 2 : 0);
}

TYPED_TEST(RefRoute, ATieGoesToTheFirstMode) {
  RouteCase<TypeParam> c = makeCase<TypeParam>({0, 1, 3}, 9);
  c.bias = {0, 0, 0};
  for (size_t i = 0; i < c.logits.size(); ++i)
    c.logits[i] = i % 3 == 0 ? TypeParam(0.25) : TypeParam(0.5); // swa and identity tie
  expectRouted(c);
  EXPECT_EQ(runRoute(c).mode[0], 1);
}

TYPED_TEST(RefRoute, GateTemperatureAndBiasChangeWhatTheyShould) {
  for (GateKind gate : {GateKind::One, GateKind::Prob})
    for (bool biased : {false, true}) {
      RouteCase<TypeParam> c = makeCase<TypeParam>({0, 1, 2, 3}, 10);
      c.spec.gate = gate;
      c.spec.biasInGate = biased;
      c.spec.temperature = 0.3;
      expectRouted(c);
    }
}

TYPED_TEST(RefRoute, ForcedModesOverrideCapacityAndAreCounted) {
  RouteCase<TypeParam> c = makeCase<TypeParam>({0, 2, 3}, 11);
  c.spec.capacity = {{0.2, {}}, {0.1, {}}, {}};
  for (int64_t r = 0; r < c.batch.tokens(); ++r) {
    c.forced[r * layers + 0] = 3; // another layer's
    if (r % 3)
      c.forced[r * layers + layer] = r % 2 ? 2 : 0;
  }
  expectRouted(c);
}

TYPED_TEST(RefRoute, HugeLogitsDoNotOverflow) {
  RouteCase<TypeParam> c = makeCase<TypeParam>({0, 1}, 12);
  for (size_t i = 0; i < c.logits.size(); ++i)
    c.logits[i] = i % 2 ? TypeParam(1e30) : TypeParam(-1e30);
  RouteResult<TypeParam> got = runRoute(c);
  for (size_t r = 0; r < got.mode.size(); ++r) {
    EXPECT_EQ(got.mode[r], 1);
    EXPECT_EQ(got.gate[r], 1);
    EXPECT_EQ(got.logp[2 * r + 1], 0);
    EXPECT_EQ(got.logp[2 * r], TypeParam(-2e30));
  }
}

TYPED_TEST(RefRoute, ANaNSequenceLeavesTheOthersAsTheyWere) {
  RouteCase<TypeParam> c = makeCase<TypeParam>({0, 1, 2}, 13), dirty = c;
  c.spec.capacity = dirty.spec.capacity = {{0.4, {}}, {0.3, {}}, {0.2, {}}};
  std::fill(dirty.logits.begin(), dirty.logits.begin() + 40 * 3, std::numeric_limits<TypeParam>::quiet_NaN());
  RouteResult<TypeParam> a = runRoute(c), b = runRoute(dirty);
  for (size_t r = 40; r < a.mode.size(); ++r) {
    EXPECT_EQ(a.mode[r], b.mode[r]);
    EXPECT_EQ(a.gate[r], b.gate[r]);
  }
  for (size_t r = 0; r < 40; ++r)
    EXPECT_TRUE(b.mode[r] >= 0 && b.mode[r] <= 2); // still a mode of the layer
}

TEST(RefDispatch, SortsRowsByModeAndKeepsTheirOrder) {
  Batch batch({5, 0, 3, 4}, {0, 1, 2, 3}, {0, 0, 0, 0});
  std::vector<int8_t> mode = {2, 0, 0, 3, 2, /**/ 0, 3, 0, /**/ 3, 3, 2, 0};
  std::vector<int> modes = {0, 1, 2, 3}; // nobody takes 1
  Launch launch;
  allRows(batch).addTo(launch, batch);
  launch.add(mode);
  size_t index = launch.add(std::vector<int32_t>(12, -1)), inverse = launch.add(std::vector<int32_t>(12, -1));
  size_t starts = index + 2;
  for (size_t m = 0; m < modes.size(); ++m)
    launch.add(std::vector<int32_t>(5, -1));
  runKernel(DispatchSpec{modes}, launch, batch.sizes());
  EXPECT_EQ(launch.get<int32_t>(index), (std::vector<int32_t>{1, 2, 5, 7, 11, 0, 4, 10, 3, 6, 8, 9}));
  EXPECT_EQ(launch.get<int32_t>(inverse), (std::vector<int32_t>{0, 0, 1, 0, 1, 2, 1, 3, 2, 3, 2, 4}));
  EXPECT_EQ(launch.get<int32_t>(starts + 0), (std::vector<int32_t>{0, 2, 2, 4, 5}));
  EXPECT_EQ(launch.get<int32_t>(starts + 1), (std::vector<int32_t>{5, 5, 5, 5, 5}));
  EXPECT_EQ(launch.get<int32_t>(starts + 2), (std::vector<int32_t>{5, 7, 7, 7, 8}));
  EXPECT_EQ(launch.get<int32_t>(starts + 3), (std::vector<int32_t>{8, 9, 9, 10, 12}));
}

TEST(RefDispatch, GatherTakesTheRowsOfASliceBitForBit) {
  Batch batch({3, 2}, {0, 1}, {0, 0});
  RowSet rows = someRows(batch, {true, false, true, false, true}, 4);
  for (Scalar type : {Scalar::F64, Scalar::F32, Scalar::BF16}) {
    size_t bytes = byteSize(type) * 3;
    std::vector<uint8_t> x(5 * bytes);
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<uint8_t>(0xff - i * 37); // NaN payloads among them
    Launch launch;
    rows.addTo(launch, batch);
    launch.add(x);
    size_t out = launch.add(std::vector<uint8_t>(3 * bytes));
    runKernel(GatherSpec{3, type}, launch, batch.sizes());
    std::vector<uint8_t> expected;
    for (size_t r : {0, 2, 4})
      expected.insert(expected.end(), x.begin() + r * bytes, x.begin() + (r + 1) * bytes);
    EXPECT_EQ(launch.get<uint8_t>(out), expected);
  }
}

TEST(RefDispatch, WriteWeightTakesOneColumnOfTheSlicesRows) {
  Batch batch({3, 2}, {0, 1}, {0, 0});
  RowSet rows = someRows(batch, {false, true, true, false, true}, 1);
  auto logp = randomVector<float>(5 * 4, 1);
  Launch launch;
  rows.addTo(launch, batch);
  launch.add(logp);
  size_t out = launch.add(std::vector<float>(3));
  runKernel(WriteWeightSpec{4, 2, Scalar::F32}, launch, batch.sizes());
  EXPECT_EQ(launch.get<float>(out), (std::vector<float>{logp[1 * 4 + 2], logp[2 * 4 + 2], logp[4 * 4 + 2]}));
}

template <typename T> void expectCombined(bool gated) {
  constexpr size_t width = 3;
  std::vector<int8_t> mode = {0, 2, 3, 0, 2, 2};
  std::vector<int32_t> inverse = {0, 0, 0, 1, 1, 2};
  auto x = randomVector<T>(6 * width, 1), gate = randomVector<T>(6, 2);
  std::vector<T> outputs[2] = {randomVector<T>(2 * width, 3), randomVector<T>(3 * width, 4)};
  x[2 * width] = std::numeric_limits<T>::quiet_NaN(); // in the row that is copied
  Launch launch;
  launch.add(std::vector<int32_t>{0, 2, 6});
  launch.add(mode);
  launch.add(inverse);
  launch.add(x);
  if (gated)
    launch.add(gate);
  size_t out = launch.add(std::vector<T>(6 * width));
  launch.add(outputs[0]);
  launch.add(outputs[1]);
  runKernel(CombineSpec{width, {0, 2}, gated, scalarOf<T>}, launch, {6, 2});
  auto y = launch.get<T>(out);
  for (size_t r = 0; r < 6; ++r)
    for (size_t c = 0; c < width; ++c) {
      if (mode[r] == 3) {
        EXPECT_EQ(std::memcmp(&y[r * width + c], &x[r * width + c], sizeof(T)), 0);
        continue;
      }
      T o = outputs[mode[r] / 2][inverse[r] * width + c];
      T product = gated ? gate[r] * o : o;
      EXPECT_EQ(y[r * width + c], x[r * width + c] + product);
    }
}

TEST(RefDispatch, CombineAddsTheGatedOutputOfTheRowsMode) {
  for (bool gated : {false, true}) {
    expectCombined<double>(gated);
    expectCombined<float>(gated);
  }
}

TEST(RefDispatch, StackModesLaysTheLayersSideBySide) {
  Launch launch;
  launch.add(std::vector<int32_t>{0, 2, 4});
  size_t out = launch.add(std::vector<int8_t>(12));
  launch.add(std::vector<int8_t>{0, 1, 2, 3});
  launch.add(std::vector<int8_t>{3, 3, 0, 0});
  launch.add(std::vector<int8_t>{1, 0, 1, 0});
  runKernel(StackModesSpec{3}, launch, {4, 2});
  EXPECT_EQ(launch.get<int8_t>(out), (std::vector<int8_t>{0, 3, 1, 1, 3, 0, 2, 0, 1, 3, 0, 0}));
}

TEST(RefDispatch, ConstantModeFillsTheRows) {
  Launch launch;
  launch.add(std::vector<int32_t>{0, 2, 3});
  size_t out = launch.add(std::vector<int8_t>(5, -1));
  runKernel(ConstantModeSpec{}, launch, {5, 2}, {2});
  EXPECT_EQ(launch.get<int8_t>(out), (std::vector<int8_t>{2, 2, 2, -1, -1}));
}

} // namespace
