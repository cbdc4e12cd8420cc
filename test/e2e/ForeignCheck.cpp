// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/e2e/ForeignCheck.h"

#include "test/e2e/Engine.h"
#include "test/support/Oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace chimera::test {

static std::vector<int> someTokens(int count, int64_t vocab) {
  Random random(5);
  std::vector<int> tokens(static_cast<size_t>(count));
  for (int &token : tokens)
    token = static_cast<int>(random.below(vocab));
  return tokens;
}

ProcessResult compileForeign(const std::string &directory, const std::string &output) {
  return runProcess({CHIMERA_COMPILE_PATH, directory, "-o", output, "--target=ref", "--dtype=f64", "--max-tokens=16",
                     "--max-seqs=2"});
}

static Config parsed(const std::string &text) {
  ConfigOrError config = parseConfig(text, "the equivalent config");
  if (auto *message = std::get_if<std::string>(&config))
    throw std::runtime_error(*message);
  return std::get<Config>(config);
}

std::set<int8_t> expectSameAsOracle(const ForeignModel &model, const std::string &equivalent, int length) {
  TemporaryDirectory directory;
  model.write(directory.path());
  ProcessResult compiled = compileForeign(directory.path(), directory.file("m.chm"));
  EXPECT_EQ(compiled.status, 0) << compiled.describe();
  if (compiled.status != 0)
    return {};

  Config config = parsed(equivalent);
  std::vector<int> tokens = someTokens(length, config.vocabSize);
  OracleResult expected = runOracle(config, model.ours, tokens);
  Engine engine(directory.file("m.chm"), directory.path());
  Session session(engine, 2, 1, true);
  StepResult actual = session.step({{session.add(), {tokens.begin(), tokens.end()}, {}, CHIMERA_LOGITS_ALL}}).front();

  EXPECT_EQ(actual.routing, expected.routing);
  EXPECT_EQ(actual.logits.size(), expected.logits.size());
  double largest = 0, worst = 0;
  for (size_t t = 0; t < expected.logits.size(); ++t)
    for (size_t v = 0; v < expected.logits[t].size(); ++v) {
      largest = std::max(largest, std::abs(expected.logits[t][v]));
      double difference = std::abs(actual.logits.at(t).at(v) - expected.logits[t][v]);
      worst = std::isnan(difference) ? INFINITY : std::max(worst, difference);
    }
  EXPECT_GT(largest, 0.1);
  EXPECT_LE(worst / largest, 1e-11);
  std::set<int8_t> modes;
  for (const std::vector<int8_t> &row : expected.routing)
    modes.insert(row.begin(), row.end());
  return modes;
}

void addAttention(ForeignModel &model, const std::string &prefix, const std::string &ours, int64_t width,
                  int64_t queries, int64_t keys) {
  model.add(prefix + "q_proj.weight", {queries, width}, ours + "q_proj.weight", Values::Matrix);
  model.add(prefix + "k_proj.weight", {keys, width}, ours + "k_proj.weight", Values::Matrix);
  model.add(prefix + "v_proj.weight", {keys, width}, ours + "v_proj.weight", Values::Matrix);
  model.add(prefix + "o_proj.weight", {width, queries}, ours + "o_proj.weight", Values::Matrix);
}

void addFeedForward(ForeignModel &model, const std::string &prefix, const std::string &ours, int64_t width,
                    int64_t inner) {
  model.add(prefix + "gate_proj.weight", {inner, width}, ours + "gate_proj.weight", Values::Matrix);
  model.add(prefix + "up_proj.weight", {inner, width}, ours + "up_proj.weight", Values::Matrix);
  model.add(prefix + "down_proj.weight", {width, inner}, ours + "down_proj.weight", Values::Matrix);
}

void addMamba2(ForeignModel &model, const std::string &prefix, const std::string &ours, int64_t width, int64_t heads,
               int64_t headDim, int64_t groups, int64_t state) {
  int64_t inner = heads * headDim, channels = inner + 2 * groups * state;
  model.add(prefix + "in_proj.weight", {inner + channels + heads, width}, ours + "in_proj.weight", Values::Matrix);
  model.add(prefix + "conv1d.weight", {channels, 1, 4}, ours + "conv.weight", Values::Taps, {channels, 4});
  model.add(prefix + "conv1d.bias", {channels}, ours + "conv.bias", Values::Shift);
  model.add(prefix + "dt_bias", {heads}, ours + "dt_bias", Values::StepBias);
  model.add(prefix + "A_log", {heads}, ours + "A_log", Values::LogDecay);
  model.add(prefix + "D", {heads}, ours + "D", Values::Scale);
  model.add(prefix + "norm.weight", {inner}, ours + "norm.weight", Values::Scale);
  model.add(prefix + "out_proj.weight", {width, inner}, ours + "out_proj.weight", Values::Matrix);
}

} // namespace chimera::test
