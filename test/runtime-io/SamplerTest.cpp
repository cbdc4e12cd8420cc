// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

using namespace chimera;

constexpr double infinity = std::numeric_limits<double>::infinity();

static SamplerOptions warm(double temperature, int64_t topK = 0, double topP = 1, uint64_t seed = 1) {
  return {temperature, topK, topP, seed};
}

static std::vector<int> countTokens(const SamplerOptions &options, const std::vector<double> &logits, int draws) {
  Sampler sampler(options);
  std::vector<int> counts(logits.size());
  for (int i = 0; i < draws; ++i) {
    auto token = sampler.sample(logits.data(), int64_t(logits.size()), 3, uint64_t(i));
    EXPECT_TRUE(token);
    ++counts[size_t(*token)];
  }
  return counts;
}

// The known answers that the authors publish with their generator.
TEST(Philox, KnownAnswers) {
  constexpr uint32_t ones = 0xFFFFFFFF;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (std::array<uint32_t, 4>{0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8}));
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (std::array<uint32_t, 4>{0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD}));
  EXPECT_EQ(philox4x32({0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344}, {0xA4093822, 0x299F31D0}),
            (std::array<uint32_t, 4>{0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1}));
}

TEST(Sampler, UniformNumbersDependOnEachKey) {
  std::set<double> seen;
  for (uint64_t key : {uint64_t(1), uint64_t(1) << 32, uint64_t(1) << 63}) {
    seen.insert(uniformAt(key, 0, 0));
    seen.insert(uniformAt(0, key, 0));
    seen.insert(uniformAt(0, 0, key));
  }
  seen.insert(uniformAt(0, 0, 0));
  EXPECT_EQ(seen.size(), 10u);
  for (double value : seen) {
    EXPECT_GE(value, 0);
    EXPECT_LT(value, 1);
  }
}

TEST(Sampler, TemperatureZeroTakesTheLowestIdOfTheLargest) {
  Sampler sampler({});
  std::vector<float> logits = {1, 3, -2, 3};
  EXPECT_EQ(*sampler.sample(logits.data(), 4, 0, 0), 1);
  std::vector<double> special = {-infinity, 1, infinity, infinity};
  EXPECT_EQ(*sampler.sample(special.data(), 4, 0, 0), 2);
}

/// Pearson's statistic of `draws` draws against softmax(logits / temperature), for 7 degrees of freedom: below 24.3
/// with probability 0.999; the draws are the same in every run.
TEST(Sampler, FrequenciesFollowTheProbabilities) {
  std::vector<double> logits = {0.3, -1, 2, 1.5, 0, -0.5, 1, 0.7};
  for (double temperature : {0.5, 1.0, 2.0}) {
    constexpr int draws = 100000;
    std::vector<int> counts = countTokens(warm(temperature), logits, draws);
    double total = 0, statistic = 0;
    for (double logit : logits)
      total += std::exp(logit / temperature);
    for (size_t i = 0; i < logits.size(); ++i) {
      double expected = draws * std::exp(logits[i] / temperature) / total;
      statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    EXPECT_LT(statistic, 24.3) << temperature;
    EXPECT_GT(statistic, 0.5) << "too good to be random";
  }
}

TEST(Sampler, TopKKeepsTheLargestAndOfEqualsTheLowerIds) {
  std::vector<int> counts = countTokens(warm(1, 3), {1, 2, 1, 1, 0}, 2000);
  EXPECT_GT(counts[0], 0);
  EXPECT_GT(counts[1], 0);
  EXPECT_GT(counts[2], 0);
  EXPECT_EQ(counts[3], 0);
  EXPECT_EQ(counts[4], 0);
  EXPECT_EQ(countTokens(warm(5, 1), {1, 2, 1}, 100)[1], 100);
}

TEST(Sampler, TopPKeepsTheFewestThatReachIt) {
  // Probabilities 0.5, 0.3, 0.15, 0.05.
  std::vector<double> logits = {std::log(0.3), std::log(0.5), std::log(0.05), std::log(0.15)};
  auto kept = [&](double p, int64_t k = 0) {
    std::vector<int> counts = countTokens(warm(1, k, p), logits, 4000);
    std::string text;
    for (int count : counts)
      text += count ? "x" : ".";
    return text;
  };
  EXPECT_EQ(kept(0.01), ".x..");
  EXPECT_EQ(kept(0.49), ".x..");
  EXPECT_EQ(kept(0.6), "xx..");
  EXPECT_EQ(kept(0.9), "xx.x");
  EXPECT_EQ(kept(0.97), "xxxx");
  // After top-k 2 the probabilities are 0.625 and 0.375: top-k comes first.
  EXPECT_EQ(kept(0.6, 2), ".x..");
  EXPECT_EQ(kept(0.64, 2), "xx..");
}

TEST(Sampler, ATokenOfMinusInfinityIsNeverChosen) {
  std::vector<int> counts = countTokens(warm(3), {-infinity, 0, -infinity, 0, -infinity}, 2000);
  EXPECT_EQ(counts[0] + counts[2] + counts[4], 0);
  EXPECT_GT(counts[1], 0);
  EXPECT_GT(counts[3], 0);
  EXPECT_EQ(countTokens(warm(1e-300), {0, 1, 0}, 100)[1], 100) << "a tiny temperature";
}

TEST(Sampler, WhatElseIsSampledChangesNothing) {
  std::vector<double> logits = {0.1, 0.2, 0.3, 0.1, 0, 0.4};
  auto text = [&](uint64_t sequence, bool others) {
    Sampler sampler(warm(1, 4, 0.95, 42));
    std::vector<int32_t> tokens;
    for (uint64_t position = 0; position < 200; ++position) {
      if (others) // another sequence, with another vocabulary, between
        EXPECT_TRUE(sampler.sample(logits.data(), 3, sequence + 1, position));
      tokens.push_back(*sampler.sample(logits.data(), int64_t(logits.size()), sequence, position));
    }
    return tokens;
  };
  EXPECT_EQ(text(0, false), text(0, true));
  EXPECT_EQ(text(5, false), text(5, false));
  EXPECT_NE(text(0, false), text(1, false));
}

TEST(Sampler, SaysWhyNoTokenCanBeChosen) {
  auto error = [](double temperature, std::vector<float> logits) {
    Sampler sampler(warm(temperature));
    auto token = sampler.sample(logits.data(), int64_t(logits.size()), 0, 0);
    return token ? "no error" : token.error().message;
  };
  float inf = float(infinity), nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(error(0, {1, nan}), "the logit of token 1 is NaN");
  EXPECT_EQ(error(1, {nan, 1}), "the logit of token 0 is NaN");
  EXPECT_EQ(error(0, {-inf, -inf}), "every logit is -infinity");
  EXPECT_EQ(error(1, {-inf, -inf}), "every logit is -infinity");
  EXPECT_EQ(error(1, {0, inf}), "the logit of token 1 is infinity");
}

TEST(Sampler, OptionsOutOfRangeAreNamed) {
  auto error = [](SamplerOptions options) {
    io::Status status = checkSamplerOptions(options);
    return status ? "no error" : status.error().message;
  };
  EXPECT_EQ(error(warm(0, 0, 1)), "no error");
  EXPECT_EQ(error(warm(-1)), "temperature must be a finite number >= 0");
  EXPECT_EQ(error(warm(infinity)), "temperature must be a finite number >= 0");
  EXPECT_EQ(error(warm(NAN)), "temperature must be a finite number >= 0");
  EXPECT_EQ(error(warm(1, -1)), "top-k must be >= 0");
  EXPECT_EQ(error(warm(1, 0, 0)), "top-p must be > 0 and <= 1");
  EXPECT_EQ(error(warm(1, 0, 1.5)), "top-p must be > 0 and <= 1");
  EXPECT_EQ(error(warm(1, 0, NAN)), "top-p must be > 0 and <= 1");
}
