// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/data/Dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

namespace {

using namespace chimera;
using namespace chimera::train;

/// A sequence and its targets.
struct Sequence {
  std::vector<int32_t> tokens, targets;
  std::vector<PositionClass> classes;

  bool operator==(const Sequence &other) const {
    return tokens == other.tokens && targets == other.targets && classes == other.classes;
  }
  std::vector<int64_t> positions(PositionClass kind) const {
    std::vector<int64_t> list;
    for (size_t t = 0; t < classes.size(); ++t)
      if (classes[t] == kind)
        list.push_back(int64_t(t));
    return list;
  }
  int64_t targetCount() const {
    return int64_t(targets.size()) - std::count(targets.begin(), targets.end(), ignoredTarget);
  }
};

io::Result<std::unique_ptr<Dataset>> open(const std::string &spec, int64_t length, int64_t vocabulary,
                                          uint64_t seed = 5) {
  return openDataset({spec, length, vocabulary, seed, 0.05});
}

Sequence read(const Dataset &data, int64_t length, uint64_t index, Split split = Split::Train) {
  Sequence s;
  s.tokens.assign(length, -1);
  s.targets.assign(length, -1);
  s.classes.resize(length);
  EXPECT_TRUE(data.sequence(split, index, {s.tokens.data(), s.targets.data(), s.classes.data()}));
  return s;
}

std::unique_ptr<Dataset> mustOpen(const std::string &spec, int64_t length, int64_t vocabulary, uint64_t seed = 5) {
  io::Result<std::unique_ptr<Dataset>> data = open(spec, length, vocabulary, seed);
  EXPECT_TRUE(bool(data)) << data.error().message;
  return std::move(*data);
}

void expectError(const std::string &spec, int64_t length, int64_t vocabulary, const std::string &message) {
  io::Result<std::unique_ptr<Dataset>> data = open(spec, length, vocabulary);
  ASSERT_FALSE(bool(data)) << spec;
  EXPECT_EQ(data.error().message, message);
}

TEST(Generators, AreFunctionsOfSeedSplitAndIndex) {
  for (const char *spec : {"mqar:pairs=4", "copy:data=5", "needle:facts=3,answer=2"}) {
    auto data = mustOpen(spec, 32, 128), again = mustOpen(spec, 32, 128), other = mustOpen(spec, 32, 128, 6);
    for (uint64_t index : {uint64_t(0), uint64_t(1), uint64_t(1000), uint64_t(1) << 40}) {
      Sequence sequence = read(*data, 32, index);
      EXPECT_TRUE(sequence == read(*again, 32, index)) << spec;
      EXPECT_FALSE(sequence == read(*other, 32, index)) << spec << ": another seed";
      EXPECT_FALSE(sequence == read(*data, 32, index, Split::HeldOut)) << spec << ": held out";
      EXPECT_FALSE(sequence == read(*data, 32, index + 1)) << spec << ": the next";
    }
  }
}

TEST(Mqar, HasZoologysLayout) {
  constexpr int64_t length = 64, pairs = 8, queries = 6, keys = 20;
  auto data = mustOpen("mqar:pairs=8,queries=6,keys=20,vocab=100", length, 128);
  for (uint64_t index = 0; index < 300; ++index) {
    Sequence s = read(*data, length, index);
    std::map<int32_t, int32_t> valueOf;
    for (int64_t i = 0; i < pairs; ++i) {
      int32_t key = s.tokens[2 * i], value = s.tokens[2 * i + 1];
      EXPECT_TRUE(key >= 2 && key < 2 + keys) << key;
      EXPECT_TRUE(value >= 2 + keys && value < 2 + 2 * keys) << value;
      EXPECT_EQ(s.classes[2 * i], PositionClass::Key);
      EXPECT_EQ(s.classes[2 * i + 1], PositionClass::Value);
      EXPECT_TRUE(valueOf.emplace(key, value).second) << "a key twice";
    }
    std::set<int32_t> asked;
    for (int64_t t = 2 * pairs; t < length; ++t) {
      if (s.targets[t] == ignoredTarget) {
        EXPECT_TRUE(s.tokens[t] >= 2 + 2 * keys && s.tokens[t] < 100) << "a filler of its own range";
        EXPECT_EQ(s.classes[t], PositionClass::Filler);
        continue;
      }
      EXPECT_EQ(t % 2, 0) << "queries are at even offsets";
      EXPECT_EQ(s.classes[t], PositionClass::Query);
      ASSERT_TRUE(valueOf.count(s.tokens[t])) << "a question that can be answered";
      EXPECT_EQ(s.targets[t], valueOf[s.tokens[t]]);
      EXPECT_TRUE(asked.insert(s.tokens[t]).second);
    }
    EXPECT_EQ(int64_t(asked.size()), queries);
    EXPECT_EQ(s.targetCount(), queries);
  }
}

TEST(Mqar, UsesAllKeysValuesAndPlaces) {
  auto data = mustOpen("mqar:pairs=2,keys=4", 16, 14);
  std::set<int32_t> ids;
  std::set<int64_t> places;
  for (uint64_t index = 0; index < 400; ++index) {
    Sequence s = read(*data, 16, index);
    ids.insert(s.tokens.begin(), s.tokens.end());
    for (int64_t t : s.positions(PositionClass::Query))
      places.insert(t);
  }
  EXPECT_EQ(ids.size(), 12u) << "4 keys, 4 values, 4 fillers";
  EXPECT_EQ(places, (std::set<int64_t>{4, 6, 8, 10, 12, 14}));
}

TEST(Mqar, FillersMayBeZero) {
  auto data = mustOpen("mqar:pairs=2,keys=4,fillers=zero", 16, 10);
  Sequence s = read(*data, 16, 3);
  for (int64_t t : s.positions(PositionClass::Filler))
    EXPECT_EQ(s.tokens[t], 0);
  EXPECT_EQ(s.positions(PositionClass::Filler).size(), 10u);
}

TEST(Copy, ReproducesScatteredData) {
  constexpr int64_t length = 40, count = 6;
  auto data = mustOpen("copy:data=6,symbols=9", length, 32);
  std::set<int64_t> places;
  for (uint64_t index = 0; index < 300; ++index) {
    Sequence s = read(*data, length, index);
    std::vector<int64_t> at = s.positions(PositionClass::Value);
    ASSERT_EQ(int64_t(at.size()), count);
    EXPECT_EQ(s.targetCount(), count);
    for (int64_t i = 0; i < count; ++i) {
      places.insert(at[i]);
      EXPECT_TRUE(s.tokens[at[i]] >= 2 && s.tokens[at[i]] < 11);
      EXPECT_LT(at[i], length - count);
      EXPECT_EQ(s.tokens[length - count + i], 1);
      EXPECT_EQ(s.targets[length - count + i], s.tokens[at[i]]);
      EXPECT_EQ(s.classes[length - count + i], PositionClass::Query);
    }
    for (int64_t t : s.positions(PositionClass::Filler))
      EXPECT_GE(s.tokens[t], 11);
  }
  EXPECT_EQ(int64_t(places.size()), length - count) << "every place but the markers'";
}

TEST(Needle, AsksForAFactOfTheText) {
  constexpr int64_t length = 48, facts = 3, answer = 2;
  auto data = mustOpen("needle:facts=3,answer=2,keys=8", length, 64);
  std::set<int64_t> depths;
  for (uint64_t index = 0; index < 500; ++index) {
    Sequence s = read(*data, length, index);
    std::vector<int64_t> at = s.positions(PositionClass::Key);
    ASSERT_EQ(int64_t(at.size()), facts);
    EXPECT_EQ(int64_t(s.positions(PositionClass::Value).size()), facts * answer);
    std::set<int32_t> names;
    for (int64_t t : at)
      names.insert(s.tokens[t]);
    EXPECT_EQ(int64_t(names.size()), facts) << "no key twice";
    int64_t question = length - answer;
    EXPECT_EQ(s.tokens[question - 1], 1);
    auto fact = std::find_if(at.begin(), at.end(), [&](int64_t t) { return s.tokens[t] == s.tokens[question]; });
    ASSERT_NE(fact, at.end()) << "a question that can be answered";
    depths.insert(*fact);
    EXPECT_EQ(s.targets[question], s.tokens[*fact + 1]);
    EXPECT_EQ(s.tokens[question + 1], s.tokens[*fact + 1]);
    EXPECT_EQ(s.targets[question + 1], s.tokens[*fact + 2]);
    EXPECT_EQ(s.targetCount(), answer);
  }
  EXPECT_EQ(*depths.begin(), 0);
  EXPECT_EQ(*depths.rbegin(), length - 1 - answer - 1 - answer) << "up to right before the question";
}

TEST(Generators, FitTheShortestSequences) {
  EXPECT_EQ(read(*mustOpen("mqar:pairs=4", 16, 128), 16, 0).targetCount(), 4);
  EXPECT_EQ(read(*mustOpen("copy:data=4", 8, 32), 8, 0).targetCount(), 4);
  EXPECT_EQ(read(*mustOpen("needle:answer=3", 8, 128), 8, 0).targetCount(), 3);
}

TEST(Generators, RefuseWhatDoesNotFit) {
  expectError("mqar:pairs=4", 15, 128, "--data: mqar: needs sequences of at least 16 tokens, has 15");
  expectError("copy:data=4", 7, 32, "--data: copy: needs sequences of at least 8 tokens, has 7");
  expectError("needle:answer=3", 7, 128, "--data: needle: needs sequences of at least 8 tokens, has 7");
  expectError("mqar", 64, 83, "--data: mqar: needs a vocabulary of at least 84 ids, has 83");
  expectError("mqar:fillers=zero", 64, 81, "--data: mqar: needs a vocabulary of at least 82 ids, has 81");
  expectError("copy", 64, 19, "--data: copy: needs a vocabulary of at least 20 ids, has 19");
  expectError("needle:vocab=83", 64, 128, "--data: needle: needs a vocabulary of at least 84 ids, has 83");
}

TEST(Generators, NameWrongOptions) {
  expectError("mqar:pairs=0", 64, 128, "--data: mqar: pairs=0 must be a whole number from 1 to 4096");
  expectError("mqar:pairs=8x", 64, 128, "--data: mqar: pairs=8x must be a whole number from 1 to 4096");
  expectError("mqar:pairs=4,queries=5", 64, 128, "--data: mqar: queries=5 must be a whole number from 1 to 4");
  expectError("mqar:vocab=129", 64, 128, "--data: mqar: vocab=129 must be a whole number from 1 to 128");
  expectError("mqar:fillers=none", 64, 128, "--data: mqar: fillers=none must be one of random, zero");
  expectError("mqar:pears=4", 64, 128, "--data: mqar has no option 'pears'");
  expectError("mqar:pairs", 64, 128, "--data: 'pairs': options are written KEY=VALUE");
  expectError("mqar:pairs=4,pairs=4", 64, 128, "--data: option 'pairs' is given twice");
}

} // namespace
