// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The GPU kernels on the simulator against the ref target's kernels, compiled in memory.
#include "test/codegen-nvptx/RouteCase.h"
#include "test/codegen-ref/KernelJit.h"

#include <cmath>
#include <gtest/gtest.h>

namespace chimera::nvptx::test {
namespace {

using RefLaunch = ref::test::Launch;

ref::test::StepSizes sizesOf(const RouteInput &input) {
  return {input.rows(), input.sequences(), 0, 0};
}

std::vector<float> refNorm(NormKind kind, const RouteSpec &spec, const RouteInput &input, const std::vector<float> &x,
                           const std::vector<float> &weight, const std::vector<float> &bias) {
  bool layer = kind == NormKind::Layer;
  RefLaunch launch;
  launch.add(input.start), launch.add(x), launch.add(weight);
  if (layer)
    launch.add(bias);
  size_t out = launch.add(std::vector<float>(x.size()));
  ref::NormSpec norm{spec.width, layer ? ref::NormKind::Layer : ref::NormKind::RMS, spec.epsilon, ref::Scalar::F32};
  ref::test::runKernel(norm, launch, sizesOf(input));
  return launch.get<float>(out);
}

void addRows(RefLaunch &launch, const RouteInput &input) {
  launch.add(input.index), launch.add(input.start), launch.add(input.position), launch.add(input.sequence);
  launch.add(input.slot);
}

void refRoute(const RouteSpec &spec, const RouteInput &input, RouteOutput &out) {
  ref::RouteSpec route;
  route.modes.assign(spec.modes.begin(), spec.modes.end());
  route.temperature = spec.temperature;
  route.gate = spec.gateIsProbability ? ref::GateKind::Prob : ref::GateKind::One;
  route.biasInGate = spec.biasInGate;
  for (size_t k = 0; k < spec.modes.size(); ++k)
    route.capacity.push_back({spec.limits[k].rate, spec.limits[k].most});
  route.type = ref::Scalar::F32;
  RefLaunch launch;
  addRows(launch, input);
  launch.add(out.logits), launch.add(input.bias), launch.add(input.forced);
  size_t counts = launch.add(input.counts), mode = launch.add(std::vector<int8_t>(input.rows()));
  size_t gate = launch.add(std::vector<float>(input.rows())), logp = launch.add(std::vector<float>(out.logits.size()));
  ref::test::runKernel(route, launch, sizesOf(input), {input.layer, input.layers});
  out.counts = launch.get<int64_t>(counts), out.mode = launch.get<int8_t>(mode);
  out.gate = launch.get<float>(gate), out.logp = launch.get<float>(logp);
}

void refDispatch(const RouteSpec &spec, const RouteInput &input, RouteOutput &out) {
  ref::DispatchSpec dispatch;
  dispatch.modes.assign(spec.modes.begin(), spec.modes.end());
  RefLaunch launch;
  addRows(launch, input);
  launch.add(out.mode);
  size_t index = launch.add(std::vector<int32_t>(input.rows())),
         inverse = launch.add(std::vector<int32_t>(input.rows()));
  std::vector<size_t> starts;
  for (size_t k = 0; k < spec.modes.size(); ++k)
    starts.push_back(launch.add(std::vector<int32_t>(input.start.size())));
  ref::test::runKernel(dispatch, launch, sizesOf(input));
  out.index = launch.get<int32_t>(index), out.inverse = launch.get<int32_t>(inverse);
  for (size_t start : starts)
    out.start.push_back(launch.get<int32_t>(start));
}

/// norm, router norm, linear, route, dispatch: five launches of the ref target.
RouteOutput runRef(const RouteSpec &spec, const RouteInput &input) {
  RouteOutput out;
  out.h = refNorm(spec.norm, spec, input, input.x, input.normWeight, input.normBias);
  std::vector<float> u = out.h;
  if (spec.routerNorm != NormKind::None)
    u = refNorm(spec.routerNorm, spec, input, out.h, input.routerNormWeight, input.routerNormBias);
  auto modes = static_cast<int64_t>(spec.modes.size());
  RefLaunch launch;
  launch.add(input.start), launch.add(u), launch.add(input.routerWeight);
  size_t logits = launch.add(std::vector<float>(input.rows() * modes));
  ref::test::runKernel(ref::LinearSpec{spec.width, modes, ref::Scalar::F32, ref::Scalar::F32, ref::Scalar::F32}, launch,
                       sizesOf(input));
  out.logits = launch.get<float>(logits);
  refRoute(spec, input, out);
  refDispatch(spec, input, out);
  return out;
}

/// Each target is within the bound of the exact logits, so two are within twice the bound of each other (ref adds D
/// terms in one chain, which has a bound of its own). Routing must be the same mode for mode.
void expectAgreement(const RouteSpec &spec, const RouteInput &input) {
  SimKernel kernel(emitOf(spec));
  ASSERT_EQ(kernel.error(), "");
  RouteOutput got = runRoute(kernel, spec, input), expected = runRef(spec, input);
  ASSERT_EQ(got.error, "");
  EXPECT_EQ(got.mode, expected.mode);
  EXPECT_EQ(got.counts, expected.counts);
  EXPECT_EQ(got.index, expected.index);
  EXPECT_EQ(got.inverse, expected.inverse);
  EXPECT_EQ(got.start, expected.start);
  PlainLogits plain = plainLogits(spec, input);
  double chains = (static_cast<double>(spec.width) + 21) / (static_cast<double>(spec.width) / 16 + 26);
  double most = 0;
  for (size_t i = 0; i < got.logits.size(); ++i) {
    double bound = plain.logitBound[i] * (1 + chains);
    EXPECT_LE(std::fabs(got.logits[i] - expected.logits[i]), bound) << "logit " << i;
    EXPECT_LE(std::fabs(got.logp[i] - expected.logp[i]), 3 * bound / spec.temperature + 0x1p-22) << "ln p " << i;
    most = std::max(most, bound);
  }
  for (size_t i = 0; i < got.gate.size(); ++i)
    EXPECT_LE(std::fabs(got.gate[i] - expected.gate[i]), 3 * most / spec.temperature + 0x1p-22) << "gate " << i;
  for (size_t i = 0; i < got.h.size(); ++i)
    EXPECT_LE(std::fabs(got.h[i] - expected.h[i]), 0x1p-20 * (std::fabs(expected.h[i]) + 1)) << "h " << i;
}

TEST(RouteAgainstRef, RmsNormFourModesWithCapacity) {
  RouteSpec spec;
  spec.width = 96;
  spec.modes = {0, 1, 2, 3};
  spec.limits = {ModeLimit{0.4, {}}, ModeLimit{0.2, 12}, ModeLimit{{}, 5}, ModeLimit{}};
  expectAgreement(spec, makeRouteInput(spec, {80, 1, 17, 40}, 200));
  expectAgreement(spec, makeRouteInput(spec, {50, 33}, 201, /*forcedEvery=*/9, /*admitted=*/6));
}

TEST(RouteAgainstRef, LayerNormsWarmTemperatureBiasInGate) {
  RouteSpec spec;
  spec.width = 70;
  spec.modes = {0, 2, 3};
  spec.norm = spec.routerNorm = NormKind::Layer;
  spec.temperature = 1.3;
  spec.biasInGate = true;
  spec.limits[1] = {0.3, {}};
  expectAgreement(spec, makeRouteInput(spec, {21, 64, 2}, 210));
}

TEST(RouteAgainstRef, RouterRmsNormGateOne) {
  RouteSpec spec;
  spec.width = 128;
  spec.modes = {1, 3};
  spec.routerNorm = NormKind::Rms;
  spec.gateIsProbability = false;
  expectAgreement(spec, makeRouteInput(spec, {5, 5, 5}, 220));
}

TEST(GemmAgainstRef, BitsAreTheSame) {
  GemmSpec spec;
  spec.outputs = 72, spec.inputs = 200;
  int64_t rows = 37;
  std::vector<uint16_t> x, w;
  for (float value : randomFloats(rows * spec.inputs, 230))
    x.push_back(toBF16(value));
  for (float value : randomFloats(spec.outputs * spec.inputs, 231))
    w.push_back(toBF16(value));
  SimKernel kernel(emitOf(spec));
  ASSERT_EQ(kernel.error(), "");
  SimLaunch launch;
  launch.add(x), launch.add(w);
  size_t y = launch.add(std::vector<float>(rows * spec.outputs));
  launch.addScalar(rows);
  ASSERT_EQ(launch.run(kernel, rows).error, "");
  RefLaunch reference;
  reference.add(std::vector<int32_t>{0, static_cast<int32_t>(rows)});
  reference.add(x), reference.add(w);
  size_t expected = reference.add(std::vector<float>(rows * spec.outputs));
  ref::test::runKernel(
      ref::LinearSpec{spec.inputs, spec.outputs, ref::Scalar::BF16, ref::Scalar::BF16, ref::Scalar::F32}, reference,
      {rows, 1, 0, 0});
  // The simulator's mma and the ref product are one chain of fused multiply-adds with k ascending, both from +0.
  EXPECT_EQ(launch.get<float>(y), reference.get<float>(expected));
}

} // namespace
} // namespace chimera::nvptx::test
