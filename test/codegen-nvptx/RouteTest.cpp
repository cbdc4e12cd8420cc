// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The fused norm, router, admission and sort on the simulator.
#include "test/codegen-nvptx/RouteCase.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::nvptx::test {
namespace {

RouteSpec specOf(int64_t width, std::vector<int64_t> modes) {
  RouteSpec spec;
  spec.width = width;
  spec.modes = std::move(modes);
  return spec;
}

RouteSpec capped(RouteSpec spec) {
  // Places of ssm, swa, full (and identity, whose limit means nothing).
  spec.limits[0] = {0.45, std::nullopt};
  spec.limits[1] = {0.2, 9};
  spec.limits[2] = {std::nullopt, 4};
  spec.limits[3] = {0.0, 0};
  return spec;
}

void expectRight(const RouteSpec &spec, const RouteInput &input, const RouteOutput &got) {
  ASSERT_EQ(got.error, "");
  PlainLogits plain = plainLogits(spec, input);
  for (size_t i = 0; i < plain.h.size(); ++i)
    ASSERT_LE(std::fabs(got.h[i] - plain.h[i]), 0x1p-20 * (std::fabs(plain.h[i]) + 1)) << "h " << i;
  for (size_t i = 0; i < plain.logits.size(); ++i)
    ASSERT_LE(std::fabs(got.logits[i] - plain.logits[i]), plain.logitBound[i]) << "logit " << i;
  expectSameRouting(got, plainRoute(spec, input, got.logits));
  EXPECT_EQ(got.ticket, 0u);
}

struct Named {
  const char *name;
  RouteSpec spec;
};

/// How a failing test, and a list of tests, shows its parameter.
void PrintTo(const Named &named, std::ostream *stream) {
  *stream << named.name;
}

std::vector<Named> variants() {
  std::vector<Named> all;
  all.push_back({"RmsFourModes", specOf(64, {0, 1, 2, 3})});
  all.push_back({"CappedFourModes", capped(specOf(48, {0, 1, 2, 3}))});
  RouteSpec layer = specOf(33, {1, 2}); // not a multiple of four: scalar loads, lanes without elements
  layer.norm = NormKind::Layer;
  layer.gateIsProbability = false;
  layer.limits[1] = {0.25, std::nullopt};
  all.push_back({"LayerNormTwoModesOddWidth", layer});
  RouteSpec routerLayer = specOf(160, {0, 1, 2});
  routerLayer.norm = routerLayer.routerNorm = NormKind::Layer;
  routerLayer.temperature = 0.7;
  routerLayer.biasInGate = true;
  routerLayer.limits[0] = {0.1, std::nullopt}; // the last of the chain here: never refuses
  routerLayer.limits[2] = {0.3, std::nullopt};
  all.push_back({"RouterLayerNormWarm", routerLayer});
  RouteSpec routerRms = capped(specOf(132, {0, 2, 3}));
  routerRms.routerNorm = NormKind::Rms;
  routerRms.epsilon = 1e-3;
  all.push_back({"RouterRmsNorm", routerRms});
  return all;
}

class RouteVariants : public testing::TestWithParam<Named> {};

TEST_P(RouteVariants, AgreeWithPlainStatementOnARaggedBatch) {
  const RouteSpec &spec = GetParam().spec;
  SimKernel kernel(emitOf(spec));
  ASSERT_EQ(kernel.error(), "");
  RouteInput input = makeRouteInput(spec, {1, 70, 0, 5, 33, 0}, 20);
  expectRight(spec, input, runRoute(kernel, spec, input));
}

TEST_P(RouteVariants, AgreeUnderForcedRoutingAndEarlierAdmissions) {
  const RouteSpec &spec = GetParam().spec;
  SimKernel kernel(emitOf(spec));
  ASSERT_EQ(kernel.error(), "");
  for (int64_t admitted : {0, 3, 20}) {
    RouteInput input = makeRouteInput(spec, {66, 3, 40}, 30, /*forcedEvery=*/11, admitted);
    for (int64_t row = 32; row < 64; ++row) // a chunk without forced tokens after one with
      input.forced[row * input.layers + input.layer] = -1;
    expectRight(spec, input, runRoute(kernel, spec, input));
  }
}

TEST_P(RouteVariants, SequencesHaveTheSameBitsAloneAndTogether) {
  const RouteSpec &spec = GetParam().spec;
  SimKernel kernel(emitOf(spec));
  ASSERT_EQ(kernel.error(), "");
  RouteInput input = makeRouteInput(spec, {9, 1, 37, 4}, 40);
  RouteOutput whole = runRoute(kernel, spec, input);
  for (int64_t s = 0; s < input.sequences(); ++s) {
    RouteOutput alone = runRoute(kernel, spec, onlySequence(input, spec, s));
    ASSERT_EQ(alone.error, "");
    expectSameBits(spec, alone, whole, input.start[s]);
  }
}

TEST_P(RouteVariants, NaNInOneSequenceChangesNoBitOfAnother) {
  const RouteSpec &spec = GetParam().spec;
  SimKernel kernel(emitOf(spec));
  ASSERT_EQ(kernel.error(), "");
  RouteInput input = makeRouteInput(spec, {6, 20, 6}, 50);
  RouteOutput clean = runRoute(kernel, spec, input);
  for (int64_t row = 6; row < 26; ++row)
    input.x[row * spec.width + row] =
        row % 2 ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
  RouteOutput dirty = runRoute(kernel, spec, input);
  ASSERT_EQ(dirty.error, "");
  EXPECT_TRUE(std::isnan(dirty.logits[10 * spec.modes.size()]));
  for (int64_t s : {0, 2}) {
    RouteOutput alone = runRoute(kernel, spec, onlySequence(input, spec, s));
    expectSameBits(spec, alone, clean, input.start[s]);
    expectSameBits(spec, alone, dirty, input.start[s]);
  }
}

INSTANTIATE_TEST_SUITE_P(All, RouteVariants, testing::ValuesIn(variants()),
                         [](const auto &info) { return std::string(info.param.name); });

TEST(Route, BlockAndThreadOrderChangeNoBit) {
  RouteSpec spec = capped(specOf(64, {0, 1, 2, 3}));
  SimKernel kernel(emitOf(spec));
  ASSERT_EQ(kernel.error(), "");
  RouteInput input = makeRouteInput(spec, {50, 2, 40}, 60, 13);
  RouteOutput expected = runRoute(kernel, spec, input);
  for (uint64_t seed : {1, 2, 3}) { // another block is the last one each time
    RouteOutput got = runRoute(kernel, spec, input, seed);
    ASSERT_EQ(got.error, "");
    expectSameBits(spec, got, expected, 0);
    expectSameRouting(got, expected);
  }
}

TEST(Route, PrefillInOneStepEqualsSteppingInChunks) {
  RouteSpec spec = capped(specOf(64, {0, 1, 2, 3}));
  SimKernel kernel(emitOf(spec));
  ASSERT_EQ(kernel.error(), "");
  RouteInput input = makeRouteInput(spec, {90}, 70);
  RouteOutput whole = runRoute(kernel, spec, input);
  std::vector<int64_t> counts = input.counts;
  int64_t done = 0;
  for (int64_t size : {1, 1, 31, 32, 7, 18}) {
    RouteInput chunk = makeRouteInput(spec, {size}, 70);
    chunk.routerWeight = input.routerWeight;
    chunk.x.assign(input.x.begin() + done * spec.width, input.x.begin() + (done + size) * spec.width);
    for (int64_t i = 0; i < size; ++i)
      chunk.position[i] = done + i;
    chunk.counts = counts;
    RouteOutput got = runRoute(kernel, spec, chunk);
    ASSERT_EQ(got.error, "");
    expectSameBits(spec, got, whole, done);
    counts = got.counts;
    done += size;
  }
  EXPECT_EQ(done, 90);
  EXPECT_EQ(counts, whole.counts);
}

TEST(Route, MoreRowsThanThreadsAreSorted) {
  RouteSpec spec = capped(specOf(4, {0, 1, 2, 3}));
  SimKernel kernel(emitOf(spec));
  ASSERT_EQ(kernel.error(), "");
  RouteInput input = makeRouteInput(spec, {200, 1, 70, 5}, 80);
  expectRight(spec, input, runRoute(kernel, spec, input));
}

TEST(Route, NoRowsGiveEmptySlices) {
  RouteSpec spec = specOf(8, {0, 3});
  SimKernel kernel(emitOf(spec));
  ASSERT_EQ(kernel.error(), "");
  for (const std::vector<int64_t> &lengths : {std::vector<int64_t>{}, std::vector<int64_t>{0, 0}}) {
    RouteInput input = makeRouteInput(spec, lengths, 90);
    RouteOutput got = runRoute(kernel, spec, input);
    ASSERT_EQ(got.error, "");
    for (const auto &start : got.start)
      EXPECT_EQ(start, std::vector<int32_t>(lengths.size() + 1, 0));
  }
}

TEST(Route, TiesGoToTheFirstMode) {
  RouteSpec spec = specOf(16, {0, 1, 2, 3});
  SimKernel kernel(emitOf(spec));
  ASSERT_EQ(kernel.error(), "");
  RouteInput input = makeRouteInput(spec, {12}, 100);
  std::fill(input.routerWeight.begin(), input.routerWeight.end(), 0.0f);
  input.bias = {-1, 0.5f, 0.5f, 0.5f};
  RouteOutput got = runRoute(kernel, spec, input);
  ASSERT_EQ(got.error, "");
  EXPECT_EQ(got.mode, std::vector<int8_t>(12, 1));
}

// What the simulator sees when the kernel is broken: the broken rule at once; and without the rules, a wrong result in
// one of a few orders of the threads.

bool someOrderIsWrong(const SimKernel &kernel, const RouteSpec &spec, const RouteInput &input,
                      const RouteOutput &expected) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    RouteOutput got = runRoute(kernel, spec, input, seed, /*checkRaces=*/false);
    if (!got.error.empty() || got.index != expected.index || got.counts != expected.counts)
      return true;
  }
  return false;
}

void expectSeen(RouteSpec::Fault fault, const std::string &message) {
  RouteSpec spec = capped(specOf(32, {0, 1, 2, 3}));
  RouteInput input = makeRouteInput(spec, {20, 50}, 110);
  SimKernel right(emitOf(spec));
  ASSERT_EQ(right.error(), "");
  RouteOutput expected = runRoute(right, spec, input);
  ASSERT_EQ(expected.error, "");
  EXPECT_FALSE(someOrderIsWrong(right, spec, input, expected));
  spec.fault = fault;
  SimKernel broken(emitOf(spec));
  ASSERT_EQ(broken.error(), "");
  std::string error = runRoute(broken, spec, input).error;
  EXPECT_NE(error.find(message), std::string::npos) << error;
  EXPECT_TRUE(someOrderIsWrong(broken, spec, input, expected));
}

TEST(BrokenRoute, MissingBarrierOfTheScanIsSeen) {
  expectSeen(RouteSpec::Fault::NoScanBarrier, "reads 4 bytes at shared offset");
}

TEST(BrokenRoute, MissingBarrierOfTheTicketIsSeen) {
  expectSeen(RouteSpec::Fault::NoFlagBarrier, "reads 4 bytes at shared offset");
}

TEST(BrokenRoute, MissingBarrierAfterAdmissionIsSeen) {
  expectSeen(RouteSpec::Fault::NoAdmissionBarrier, "with no barrier between"); // in the modes, in global memory
}

TEST(RouteSpecs, ImpossibleOnesAreRefused) {
  auto refusal = [](const RouteSpec &spec) { return SimKernel(emitOf(spec)).error(); };
  EXPECT_EQ(refusal(specOf(0, {0, 1})), "a routing kernel for the GPU needs a width of at least 1, not 0");
  EXPECT_EQ(refusal(specOf(8, {0})), "a routing kernel for the GPU needs two to four modes, not 1");
  EXPECT_EQ(refusal(specOf(8, {1, 0})), "a routing kernel for the GPU needs its modes in canonical order, each once");
  RouteSpec cold = specOf(8, {0, 1});
  cold.temperature = 0;
  EXPECT_EQ(refusal(cold), "a routing kernel for the GPU needs a temperature above 0");
}

} // namespace
} // namespace chimera::nvptx::test
