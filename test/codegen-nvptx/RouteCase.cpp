// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-nvptx/RouteCase.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::nvptx::test {

namespace {

constexpr double roundoff = 0x1p-24;
constexpr float unset = std::numeric_limits<float>::quiet_NaN();

std::vector<float> aroundOne(size_t size, uint64_t seed) {
  auto values = randomFloats(size, seed);
  for (float &value : values)
    value = 1 + value / 4;
  return values;
}

struct NormedRow {
  std::vector<double> values;
};

NormedRow plainNorm(NormKind kind, double epsilon, const std::vector<double> &row, const std::vector<float> &weight,
                    const std::vector<float> &bias) {
  double mean = 0, squares = 0, width = static_cast<double>(row.size());
  if (kind == NormKind::Layer) {
    for (double value : row)
      mean += value;
    mean /= width;
  }
  for (double value : row)
    squares += (value - mean) * (value - mean);
  double root = std::sqrt(squares / width + static_cast<float>(epsilon));
  NormedRow out;
  for (size_t i = 0; i < row.size(); ++i)
    out.values.push_back((row[i] - mean) / root * weight[i] + (kind == NormKind::Layer ? bias[i] : 0));
  return out;
}

/// Whether mode k may take the token at this position.
bool mayEnter(const ModeLimit &limit, int64_t admitted, int64_t position) {
  if (limit.rate && !(static_cast<double>(admitted) < std::ceil(*limit.rate * static_cast<double>(position + 1))))
    return false;
  return !limit.most || admitted < *limit.most;
}

/// The place of the mode that takes a token which wants the mode at place `wanted`.
size_t admit(const RouteSpec &spec, size_t wanted, const int64_t *counts, int64_t position) {
  std::vector<size_t> chain;
  for (int64_t id : {2, 1, 0, 3}) {
    auto at = std::find(spec.modes.begin(), spec.modes.end(), id);
    if (at != spec.modes.end())
      chain.push_back(static_cast<size_t>(at - spec.modes.begin()));
  }
  auto at = std::find(chain.begin(), chain.end(), wanted);
  while (at + 1 != chain.end() && spec.modes[*at] != 3 && !mayEnter(spec.limits[*at], counts[*at], position))
    ++at;
  return *at;
}

void dispatch(const RouteSpec &spec, const RouteInput &input, RouteOutput &out) {
  out.inverse.assign(out.mode.size(), -1);
  for (int64_t id : spec.modes) {
    std::vector<int32_t> start;
    int32_t rank = 0;
    for (int64_t s = 0; s < input.sequences(); ++s) {
      start.push_back(static_cast<int32_t>(out.index.size()));
      for (int32_t row = input.start[s]; row < input.start[s + 1]; ++row)
        if (out.mode[row] == id) {
          out.index.push_back(row);
          out.inverse[row] = rank++;
        }
    }
    start.push_back(static_cast<int32_t>(out.index.size()));
    out.start.push_back(start);
  }
}

bool sameBits(float a, float b) {
  return std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(a) && std::isnan(b));
}

} // namespace

RouteInput makeRouteInput(const RouteSpec &spec, const std::vector<int64_t> &lengths, uint64_t seed,
                          int64_t forcedEvery, int64_t admitted) {
  RouteInput input;
  auto sequences = static_cast<int64_t>(lengths.size());
  auto modes = static_cast<int64_t>(spec.modes.size());
  for (int64_t s = 0; s < sequences; ++s) {
    for (int64_t i = 0; i < lengths[s]; ++i) {
      input.index.push_back(static_cast<int32_t>(input.index.size()));
      input.sequence.push_back(static_cast<int32_t>(s));
      input.position.push_back(3 * s + i);
    }
    input.start.push_back(static_cast<int32_t>(input.index.size()));
    input.slot.push_back(static_cast<int32_t>(sequences - 1 - s));
  }
  int64_t rows = input.rows();
  input.x = randomFloats(rows * spec.width, seed);
  input.normWeight = aroundOne(spec.width, seed + 1);
  input.normBias = randomFloats(spec.width, seed + 2);
  input.routerNormWeight = aroundOne(spec.width, seed + 3);
  input.routerNormBias = randomFloats(spec.width, seed + 4);
  input.routerWeight = randomFloats(modes * spec.width, seed + 5);
  input.bias = randomFloats(modes, seed + 6);
  input.forced.assign(rows * input.layers, 2); // other layers' columns: never read
  for (int64_t row = 0; row < rows; ++row) {
    bool forced = forcedEvery > 0 && row % forcedEvery == forcedEvery - 1;
    auto choice = static_cast<int8_t>(spec.modes[(row / std::max<int64_t>(forcedEvery, 1)) % modes]);
    input.forced[row * input.layers + input.layer] = forced ? choice : int8_t(-1);
  }
  input.counts.assign(sequences * modes, admitted);
  return input;
}

RouteInput onlySequence(const RouteInput &input, const RouteSpec &spec, int64_t sequence) {
  RouteInput part = input;
  int32_t begin = input.start[sequence], end = input.start[sequence + 1];
  auto cut = [&](auto &values, int64_t perRow) {
    values = std::decay_t<decltype(values)>(values.begin() + begin * perRow, values.begin() + end * perRow);
  };
  cut(part.position, 1);
  cut(part.x, spec.width);
  cut(part.forced, input.layers);
  part.index.clear();
  for (int32_t row = begin; row < end; ++row)
    part.index.push_back(row - begin);
  part.sequence.assign(end - begin, 0);
  part.start = {0, end - begin};
  part.slot = {input.slot[sequence]};
  return part;
}

RouteOutput runRoute(const SimKernel &kernel, const RouteSpec &spec, const RouteInput &input, uint64_t seed,
                     bool checkRaces) {
  int64_t rows = input.rows(), modes = static_cast<int64_t>(spec.modes.size());
  SimLaunch launch;
  launch.add(input.index), launch.add(input.start), launch.add(input.position), launch.add(input.sequence);
  launch.add(input.slot), launch.add(input.x), launch.add(input.normWeight);
  if (spec.norm == NormKind::Layer)
    launch.add(input.normBias);
  size_t h = launch.add(std::vector<float>(rows * spec.width, unset));
  if (spec.routerNorm != NormKind::None)
    launch.add(input.routerNormWeight);
  if (spec.routerNorm == NormKind::Layer)
    launch.add(input.routerNormBias);
  launch.add(input.routerWeight);
  size_t logits = launch.add(std::vector<float>(rows * modes, unset));
  launch.add(input.bias), launch.add(input.forced);
  size_t counts = launch.add(input.counts);
  size_t mode = launch.add(std::vector<int8_t>(rows, -1));
  size_t gate = launch.add(std::vector<float>(rows, unset));
  size_t logp = launch.add(std::vector<float>(rows * modes, unset));
  if (spec.gateIsProbability)
    launch.add(std::vector<float>(rows * modes, unset));
  size_t index = launch.add(std::vector<int32_t>(rows, -1)), inverse = launch.add(std::vector<int32_t>(rows, -1));
  std::vector<size_t> starts;
  for (int64_t k = 0; k < modes; ++k)
    starts.push_back(launch.add(std::vector<int32_t>(input.start.size(), -1)));
  size_t ticket = launch.add(std::vector<uint32_t>{0});
  for (int64_t scalar : {rows, input.sequences(), input.layer, input.layers})
    launch.addScalar(scalar);
  sim::Outcome outcome = launch.run(kernel, rows, seed, checkRaces);
  RouteOutput out;
  out.error = outcome.error;
  out.statistics = outcome.statistics;
  out.h = launch.get<float>(h), out.logits = launch.get<float>(logits);
  out.gate = launch.get<float>(gate), out.logp = launch.get<float>(logp);
  out.mode = launch.get<int8_t>(mode), out.counts = launch.get<int64_t>(counts);
  out.index = launch.get<int32_t>(index), out.inverse = launch.get<int32_t>(inverse);
  for (size_t start : starts)
    out.start.push_back(launch.get<int32_t>(start));
  out.ticket = launch.get<uint32_t>(ticket)[0];
  return out;
}

PlainLogits plainLogits(const RouteSpec &spec, const RouteInput &input) {
  PlainLogits plain;
  for (int64_t row = 0; row < input.rows(); ++row) {
    std::vector<double> values(input.x.begin() + row * spec.width, input.x.begin() + (row + 1) * spec.width);
    values = plainNorm(spec.norm, spec.epsilon, values, input.normWeight, input.normBias).values;
    plain.h.insert(plain.h.end(), values.begin(), values.end());
    if (spec.routerNorm != NormKind::None)
      values = plainNorm(spec.routerNorm, spec.epsilon, values, input.routerNormWeight, input.routerNormBias).values;
    for (size_t k = 0; k < spec.modes.size(); ++k) {
      double sum = 0, magnitude = 0;
      for (int64_t i = 0; i < spec.width; ++i) {
        double term = values[i] * input.routerWeight[k * spec.width + i];
        sum += term;
        magnitude += std::fabs(term);
      }
      plain.logits.push_back(sum);
      double chain = static_cast<double>(spec.width) / 32 + 5; // additions behind one sum
      plain.logitBound.push_back((2 * chain + 16) * roundoff * magnitude);
    }
  }
  return plain;
}

RouteOutput plainRoute(const RouteSpec &spec, const RouteInput &input, const std::vector<float> &logits) {
  RouteOutput out;
  size_t modes = spec.modes.size();
  out.counts = input.counts;
  auto temperature = static_cast<float>(spec.temperature);
  for (int64_t s = 0; s < input.sequences(); ++s)
    for (int32_t row = input.start[s]; row < input.start[s + 1]; ++row) {
      size_t wanted = 0;
      std::vector<float> score, q;
      for (size_t k = 0; k < modes; ++k) {
        score.push_back(logits[row * modes + k] + input.bias[k]);
        q.push_back((spec.biasInGate ? score[k] : logits[row * modes + k]) / temperature);
        wanted = score[k] > score[wanted] ? k : wanted;
      }
      double most = *std::max_element(q.begin(), q.end()), sum = 0;
      for (float value : q)
        sum += std::exp(value - most);
      int64_t *counts = &out.counts[input.slot[s] * modes];
      size_t admitted = admit(spec, wanted, counts, input.position[row]);
      for (size_t k = 0; k < modes; ++k)
        admitted = input.forced[row * input.layers + input.layer] == spec.modes[k] ? k : admitted;
      ++counts[admitted];
      out.mode.push_back(static_cast<int8_t>(spec.modes[admitted]));
      for (float value : q)
        out.logp.push_back(static_cast<float>(value - most - std::log(sum)));
      double logp = q[admitted] - most - std::log(sum);
      out.gate.push_back(spec.gateIsProbability ? static_cast<float>(std::exp(logp)) : 1.0f);
    }
  dispatch(spec, input, out);
  return out;
}

void expectSameRouting(const RouteOutput &got, const RouteOutput &expected) {
  EXPECT_EQ(got.mode, expected.mode);
  EXPECT_EQ(got.counts, expected.counts);
  EXPECT_EQ(got.index, expected.index);
  EXPECT_EQ(got.inverse, expected.inverse);
  EXPECT_EQ(got.start, expected.start);
  ASSERT_EQ(got.gate.size(), expected.gate.size());
  ASSERT_EQ(got.logp.size(), expected.logp.size());
  // Both are made in f64 and rounded once, so that at most the last bit differs.
  for (size_t i = 0; i < got.gate.size(); ++i)
    EXPECT_LE(std::fabs(got.gate[i] - expected.gate[i]), 2 * roundoff * expected.gate[i]) << "gate of row " << i;
  for (size_t i = 0; i < got.logp.size(); ++i)
    EXPECT_LE(std::fabs(got.logp[i] - expected.logp[i]), 2 * roundoff * std::fabs(expected.logp[i])) << "ln p " << i;
}

void expectSameBits(const RouteSpec &spec, const RouteOutput &part, const RouteOutput &whole, int64_t firstRow) {
  auto compare = [&](const std::vector<float> &a, const std::vector<float> &b, size_t perRow, const char *what) {
    for (size_t i = 0; i < a.size(); ++i)
      ASSERT_TRUE(sameBits(a[i], b[firstRow * perRow + i])) << what << " " << i << " after row " << firstRow;
  };
  compare(part.h, whole.h, spec.width, "h");
  compare(part.logits, whole.logits, spec.modes.size(), "logit");
  compare(part.logp, whole.logp, spec.modes.size(), "ln p");
  compare(part.gate, whole.gate, 1, "gate");
  for (size_t i = 0; i < part.mode.size(); ++i)
    EXPECT_EQ(part.mode[i], whole.mode[firstRow + i]) << "row " << firstRow + i;
}

} // namespace chimera::nvptx::test
