// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-ref/TrainingCheck.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

constexpr int64_t layers = 3, layer = 1;
const Batch batch = wholeSequences({30, 1, 17});

/// What a routing reads. `hyper` holds the temperature.
struct RouteCase {
  SeqRouteSpec spec;
  Tensor logits, bias, noise;
  double temperature = 0.7;

  int64_t modes() const { return static_cast<int64_t>(spec.modes.size()); }
  Tensor hyper() const {
    Tensor values(16, 99);
    values[static_cast<size_t>(Hyper::Temperature)] = temperature;
    return values;
  }
};

RouteCase makeCase(std::vector<int> modes, Scalar type, uint64_t seed) {
  RouteCase c;
  c.spec.modes = std::move(modes);
  c.spec.type = type;
  c.logits = exactTensor(batch.tokens() * c.modes(), seed);
  c.bias = exactTensor(c.modes(), seed + 1);
  c.noise.assign(batch.tokens() * layers * 4, 0);
  return c;
}

struct RouteResult {
  std::vector<int8_t> mode, wanted;
  Tensor gate, logp;
};

RouteResult runRoute(const RouteCase &c, const Tensor &logits) {
  Launch launch;
  allRows(batch).addTo(launch, batch);
  add(launch, c.spec.type, logits);
  add(launch, c.spec.type, c.bias);
  launch.add(c.noise);
  launch.add(c.hyper());
  size_t mode = launch.add(std::vector<int8_t>(batch.tokens(), 77));
  size_t wanted = launch.add(std::vector<int8_t>(batch.tokens(), 77));
  size_t gate = addResult(launch, c.spec.type, batch.tokens());
  size_t logp = addResult(launch, c.spec.type, batch.tokens() * c.modes());
  compiled(c.spec).run(launch, batch.sizes(), {layer, layers});
  return {launch.get<int8_t>(mode), launch.get<int8_t>(wanted), get(launch, c.spec.type, gate),
          get(launch, c.spec.type, logp)};
}

/// The same by the kernel of inference, at a temperature that its type holds.
RouteResult runInference(const RouteCase &c) {
  RouteSpec spec{c.spec.modes, c.temperature, c.spec.gate, c.spec.biasInGate, c.spec.capacity, c.spec.type};
  Launch launch;
  allRows(batch).addTo(launch, batch);
  add(launch, spec.type, c.logits);
  add(launch, spec.type, c.bias);
  launch.add(std::vector<int8_t>(batch.tokens() * layers, -1));
  launch.add(std::vector<int64_t>(batch.seqs() * c.modes(), 0));
  size_t mode = launch.add(std::vector<int8_t>(batch.tokens()));
  size_t gate = addResult(launch, spec.type, batch.tokens());
  size_t logp = addResult(launch, spec.type, batch.tokens() * c.modes());
  compiled(spec).run(launch, batch.sizes(), {layer, layers});
  return {launch.get<int8_t>(mode), {}, get(launch, spec.type, gate), get(launch, spec.type, logp)};
}

std::vector<std::vector<int>> allModeSets() {
  std::vector<std::vector<int>> sets;
  for (int set = 1; set < 16; ++set) {
    sets.emplace_back();
    for (int m = 0; m < 4; ++m)
      if (set >> m & 1)
        sets.back().push_back(m);
  }
  return sets;
}

TEST(RefTrainingRouting, WithoutNoiseItIsTheRoutingOfInference) {
  uint64_t seed = 0;
  for (const std::vector<int> &modes : allModeSets())
    for (Scalar type : {Scalar::F64, Scalar::F32}) {
      RouteCase c = makeCase(modes, type, ++seed);
      c.temperature = 0.75;
      c.spec.biasInGate = seed % 2;
      c.spec.gate = seed % 3 == 0 ? GateKind::One : GateKind::Prob;
      if (seed % 4)
        for (int64_t m = 0; m < c.modes(); ++m)
          c.spec.capacity.push_back({0.1 + 0.13 * static_cast<double>(m), {}});
      RouteResult got = runRoute(c, c.logits), expected = runInference(c);
      EXPECT_EQ(got.mode, expected.mode);
      EXPECT_EQ(got.gate, expected.gate);
      EXPECT_EQ(got.logp, expected.logp);
      c.spec.capacity.clear();
      EXPECT_EQ(got.wanted, runInference(c).mode);
    }
}

TEST(RefTrainingRouting, NoiseOfItsLayerMovesWhatIsWantedAlone) {
  for (Scalar type : {Scalar::F64, Scalar::F32}) {
    RouteCase c = makeCase({0, 2, 3}, type, 5);
    RouteResult quiet = runRoute(c, c.logits);
    c.noise = randomVector<double>(c.noise.size(), 6);
    RouteResult noisy = runRoute(c, c.logits);
    EXPECT_EQ(noisy.logp, quiet.logp);
    EXPECT_NE(noisy.wanted, quiet.wanted);
    for (int64_t r = 0; r < batch.tokens(); ++r) {
      size_t best = 0;
      std::vector<double> scores;
      for (int64_t m = 0; m < 3; ++m) {
        double jolt = c.temperature * c.noise[(r * layers + layer) * 4 + c.spec.modes[m]];
        scores.push_back(c.logits[r * 3 + m] + c.bias[m] + jolt);
        best = scores[m] > scores[best] ? m : best;
      }
      EXPECT_EQ(noisy.wanted[r], c.spec.modes[best]);
    }
  }
}

TEST(RefTrainingRouting, SoftProbabilitiesHaveTheNoise) {
  for (Scalar type : {Scalar::F64, Scalar::F32}) {
    RouteCase c = makeCase({0, 2, 3}, type, 12);
    c.spec.admits = false;
    c.noise = randomVector<double>(c.noise.size(), 13);
    RouteResult noisy = runRoute(c, c.logits);
    Tensor jolted = c.logits;
    for (int64_t r = 0; r < batch.tokens(); ++r)
      for (int64_t m = 0; m < 3; ++m)
        jolted[r * 3 + m] += c.temperature * c.noise[(r * layers + layer) * 4 + c.spec.modes[m]];
    std::fill(c.noise.begin(), c.noise.end(), 0);
    RouteResult expected = runRoute(c, jolted);
    EXPECT_EQ(noisy.wanted, expected.wanted);
    expectNear(noisy.logp, expected.logp, type == Scalar::F64 ? 1e-14 : 1e-5);
  }
}

TEST(RefTrainingRouting, WithoutAdmissionTheModeIsTheWantedOne) {
  RouteCase c = makeCase({0, 1, 2, 3}, Scalar::F64, 8);
  c.spec.capacity.assign(4, {0.01, 1});
  RouteResult limited = runRoute(c, c.logits);
  EXPECT_NE(limited.mode, limited.wanted);
  c.spec.admits = false;
  RouteResult free = runRoute(c, c.logits);
  EXPECT_EQ(free.mode, free.wanted);
  EXPECT_EQ(free.wanted, limited.wanted);
  for (int64_t r = 0; r < batch.tokens(); ++r)
    EXPECT_NEAR(free.gate[r], std::exp(free.logp[r * 4 + free.mode[r]]), 1e-15);
}

struct Upstream {
  Tensor dgate, dlogp, prices;
  std::vector<int8_t> mode;
};

Tensor runGrad(const RouteCase &c, const Upstream &up, bool gate, bool logp) {
  Launch launch;
  launch.add(batch.start);
  add(launch, c.spec.type, c.logits);
  add(launch, c.spec.type, c.bias);
  launch.add(c.hyper());
  launch.add(up.prices);
  launch.add(up.mode);
  if (gate)
    add(launch, c.spec.type, up.dgate);
  if (logp)
    add(launch, c.spec.type, up.dlogp);
  if (!c.spec.admits)
    launch.add(c.noise);
  size_t out = addResult(launch, c.spec.type, c.logits.size());
  compiled(SeqRouteGradSpec{c.spec.modes, c.spec.biasInGate, gate, logp, !c.spec.admits, c.spec.type})
      .run(launch, batch.sizes(), {layer, layers});
  return get(launch, c.spec.type, out);
}

/// What the gradients belong to: <dlogp, ln p> + <dgate, p of the mode> + prices . p - pushes . ln(1 - p)
/// - pulls . ln p + coefficient * entropy.
double objective(const RouteCase &c, const Upstream &up, const Tensor &logp, bool gate, bool useLogp) {
  double sum = 0;
  const double *prices = &up.prices[layer * chimera::ir::pricesPerLayer];
  for (int64_t r = 0; r < batch.tokens(); ++r)
    for (int64_t m = 0; m < c.modes(); ++m) {
      double l = logp[r * c.modes() + m], p = std::exp(l);
      sum += useLogp ? up.dlogp[r * c.modes() + m] * l : 0;
      sum += gate && c.spec.modes[m] == up.mode[r] ? up.dgate[r] * p : 0;
      int mode = c.spec.modes[m];
      sum += prices[mode] * p - prices[12] * p * l - prices[8 + mode] * l;
      sum -= c.modes() > 1 ? prices[4 + mode] * std::log1p(-p) : 0;
    }
  return sum;
}

TEST(RefTrainingRouting, LogitsHaveTheirGradient) {
  uint64_t seed = 20;
  for (std::vector<int> modes : {std::vector<int>{0, 1, 2, 3}, {1, 3}, {2}})
    for (int flags = 0; flags < 8; ++flags) {
      bool gate = flags & 1, logp = flags & 2;
      RouteCase c = makeCase(modes, Scalar::F64, seed += 3);
      c.spec.biasInGate = flags % 4 == 1 || flags % 4 == 2;
      if (flags & 4) {
        c.spec.admits = false;
        c.noise = randomVector<double>(c.noise.size(), seed);
      }
      Upstream up{exactTensor(batch.tokens(), seed + 1), exactTensor(batch.tokens() * c.modes(), seed + 2),
                  exactTensor(layers * chimera::ir::pricesPerLayer, seed + 3), runRoute(c, c.logits).mode};
      Tensor got = runGrad(c, up, gate, logp);
      expectGradients({c.logits}, {got},
                      [&](const Tensors &in) { return objective(c, up, runRoute(c, in[0]).logp, gate, logp); });
      c.spec.type = Scalar::F32;
      expectNear(runGrad(c, up, gate, logp), got, 1e-6);
    }
}

TEST(RefTrainingRouting, PushesActOnSureRowsAndPullsOnLostOnes) {
  RouteCase c = makeCase({0, 2}, Scalar::F64, 14);
  for (int64_t r = 0; r < batch.tokens(); ++r)
    c.logits[2 * r] = 0, c.logits[2 * r + 1] = r % 2 ? 3000 : -3000; // p of `full`: 1 or 0
  std::fill(c.bias.begin(), c.bias.end(), 0);
  Upstream up{
      Tensor(batch.tokens(), 0), {}, Tensor(layers * chimera::ir::pricesPerLayer, 0), runRoute(c, c.logits).mode};
  up.prices[layer * chimera::ir::pricesPerLayer + 4 + 2] = 7;
  up.prices[layer * chimera::ir::pricesPerLayer + 8 + 2] = 0.7;
  Tensor got = runGrad(c, up, /*gate=*/true, /*logp=*/false);
  for (int64_t r = 0; r < batch.tokens(); ++r) {
    EXPECT_DOUBLE_EQ(got[2 * r + 1] * c.temperature, r % 2 ? 7 : -0.7);
    EXPECT_DOUBLE_EQ(got[2 * r] * c.temperature, r % 2 ? 0 : 0.7);
  }
}

TEST(RefTrainingRouting, StatisticsSayWhereEachRowWentAndWhy) {
  for (Scalar type : {Scalar::F64, Scalar::F32}) {
    RouteCase c = makeCase({0, 2, 3}, type, 31);
    c.spec.capacity.assign(3, {0.2, {}});
    c.logits[0] = -std::numeric_limits<double>::infinity(); // p = 0 without a NaN in the entropy
    RouteResult route = runRoute(c, c.logits);
    Launch launch;
    launch.add(batch.start);
    launch.add(route.mode);
    launch.add(route.wanted);
    add(launch, type, route.logp);
    size_t out = addResult(launch, Scalar::F64, batch.tokens() * chimera::ir::routeStatistics);
    compiled(RouteStatisticsSpec{c.spec.modes, type}).run(launch, batch.sizes());
    Tensor expected;
    for (int64_t r = 0; r < batch.tokens(); ++r) {
      double row[chimera::ir::routeStatistics] = {};
      row[route.wanted[r]] = row[4 + route.mode[r]] = 1;
      for (int64_t m = 0; m < 3; ++m) {
        double l = route.logp[r * 3 + m], p = std::exp(l);
        row[8 + c.spec.modes[m]] = p;
        row[12] -= p > 0 ? p * l : 0;
      }
      row[13] = route.wanted[r] != route.mode[r];
      expected.insert(expected.end(), row, row + chimera::ir::routeStatistics);
    }
    expectNear(launch.get<double>(out), expected, 1e-15);
    EXPECT_EQ(launch.get<double>(out)[8], 0);
  }
}

} // namespace
