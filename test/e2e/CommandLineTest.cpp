// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-run from arrays to arrays, against the oracle.
#include "test/e2e/CommandLine.h"
#include "runtime/io/Npy.h"
#include "test/support/Oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace chimera;
using namespace chimera::test;

namespace {

constexpr int kBatch = 4, kLength = 37;
const std::vector<int64_t> kLengths = {37, 9, 0, 1};

/// An array that chimera-run wrote. Fails the test and gives an empty one if it cannot be read.
io::NpyArray readArray(const std::string &path) {
  io::Result<io::NpyArray> array = io::readNpy(path);
  if (!array) {
    ADD_FAILURE() << array.error().message;
    return {};
  }
  return std::move(*array);
}

double real(const io::NpyArray &array, size_t index) {
  if (array.dtype == io::DType::F64) {
    double value;
    std::memcpy(&value, &array.data[index * sizeof value], sizeof value);
    return value;
  }
  float value;
  std::memcpy(&value, &array.data[index * sizeof value], sizeof value);
  return static_cast<double>(value);
}

class CommandLineTest : public testing::TestWithParam<Build> {
protected:
  CommandLineTest() : onDisk(GetParam()), tokens(randomTokens(kBatch * kLength, onDisk.model.config.vocabSize, 5)) {}

  std::vector<int> sequence(int b) const {
    return {tokens.begin() + b * kLength, tokens.begin() + b * kLength + kLengths[b]};
  }

  /// Compares arrays [B,T,V] and [B,T,L] with the oracle; what is past a length must be 0 and -1.
  void expectOracle(const std::string &logitsPath, const std::string &routingPath, const RoutingTable *forced) {
    io::NpyArray logits = readArray(logitsPath), routing = readArray(routingPath);
    const Config &config = onDisk.model.config;
    bool isDouble = GetParam().precision == Precision::F64;
    ASSERT_EQ(logits.dtype, isDouble ? io::DType::F64 : io::DType::F32);
    ASSERT_EQ(routing.dtype, io::DType::I8);
    ASSERT_EQ(logits.shape, (std::vector<int64_t>{kBatch, kLength, config.vocabSize}));
    ASSERT_EQ(routing.shape, (std::vector<int64_t>{kBatch, kLength, config.numLayers}));
    for (int b = 0; b < kBatch; ++b) {
      OracleResult expected = runOracle(config, onDisk.model.parameters, sequence(b), forced);
      double largest = 0, worst = 0;
      for (int64_t t = 0; t < kLength; ++t) {
        size_t row = static_cast<size_t>(b * kLength + t);
        bool past = t >= kLengths[b];
        for (int64_t v = 0; v < config.vocabSize; ++v) {
          double value = real(logits, row * config.vocabSize + v);
          double wanted = past ? 0 : expected.logits[t][v];
          largest = std::max(largest, std::abs(wanted));
          if (past)
            ASSERT_EQ(value, 0) << "sequence " << b << " position " << t;
          else
            worst = std::max(worst, std::abs(value - wanted));
        }
        for (int64_t layer = 0; layer < config.numLayers; ++layer)
          EXPECT_EQ(routing.integer(row * config.numLayers + layer), past ? -1 : expected.routing[t][layer])
              << "sequence " << b << " position " << t << " layer " << layer;
      }
      EXPECT_LE(worst, (isDouble ? 1e-11 : 1e-4) * largest) << "sequence " << b;
    }
  }

  ModelOnDisk onDisk;
  std::vector<int> tokens;
};

TEST_P(CommandLineTest, EveryScheduleAgreesWithTheOracleAndInEveryBit) {
  std::string tokensFile = onDisk.writeArray<int32_t>("tokens.npy", {kBatch, kLength}, {tokens.begin(), tokens.end()});
  std::string lengthsFile = onDisk.writeArray("lengths.npy", {kBatch}, kLengths);
  std::string firstLogits, firstRouting;
  for (const char *schedule : {"prefill", "decode", "chunks:5,7,1", "chunks:40"}) {
    SCOPED_TRACE(schedule);
    std::string logits = onDisk.directory.file("logits.npy"), routing = onDisk.directory.file("routing.npy");
    ProcessResult result =
        onDisk.run({"--tokens", tokensFile, "--lengths", lengthsFile, std::string("--schedule=") + schedule, "--logits",
                    logits, "--routing", routing, "--threads", "2"});
    ASSERT_EQ(result.status, 0) << result.describe();
    expectOracle(logits, routing, nullptr);
    if (firstLogits.empty()) {
      firstLogits = readFile(logits);
      firstRouting = readFile(routing);
    }
    EXPECT_TRUE(readFile(logits) == firstLogits) << "logits are not those of one prefill, bit by bit";
    EXPECT_TRUE(readFile(routing) == firstRouting);
  }
}

TEST_P(CommandLineTest, ForcedRoutingIsFollowed) {
  const Config &config = onDisk.model.config;
  RoutingTable forced(kLength, std::vector<int8_t>(config.numLayers));
  std::vector<int> choices = randomTokens(kLength * static_cast<int>(config.numLayers), 5, 6);
  for (int64_t t = 0; t < kLength; ++t)
    for (int64_t layer = 0; layer < config.numLayers; ++layer) {
      int choice = choices[t * config.numLayers + layer] - 1; // -1: not forced
      forced[t][layer] = static_cast<int8_t>(choice >= 0 && !config.hasRouter(layer) ? kFull : choice);
    }
  std::vector<int8_t> flat;
  for (int b = 0; b < kBatch; ++b)
    for (const std::vector<int8_t> &row : forced)
      flat.insert(flat.end(), row.begin(), row.end());

  std::string logits = onDisk.directory.file("logits.npy"), routing = onDisk.directory.file("routing.npy");
  ProcessResult result = onDisk.run(
      {"--tokens", onDisk.writeArray<int64_t>("tokens.npy", {kBatch, kLength}, {tokens.begin(), tokens.end()}),
       "--lengths", onDisk.writeArray("lengths.npy", {kBatch}, kLengths), "--schedule", "chunks:3,11",
       "--force-routing", onDisk.writeArray("forced.npy", {kBatch, kLength, config.numLayers}, flat), "--logits",
       logits, "--routing", routing});
  ASSERT_EQ(result.status, 0) << result.describe();
  expectOracle(logits, routing, &forced);
}

TEST_P(CommandLineTest, OneDimensionalTokensAreABatchOfOne) {
  std::vector<int> line = sequence(0);
  std::string logits = onDisk.directory.file("logits.npy");
  ProcessResult result = onDisk.run(
      {"--tokens", onDisk.writeArray<int32_t>("line.npy", {kLength}, {line.begin(), line.end()}), "--logits", logits});
  ASSERT_EQ(result.status, 0) << result.describe();
  io::NpyArray array = readArray(logits);
  ASSERT_EQ(array.shape, (std::vector<int64_t>{1, kLength, onDisk.model.config.vocabSize}));
  OracleResult expected = runOracle(onDisk.model.config, onDisk.model.parameters, line);
  size_t last = (kLength - 1) * onDisk.model.config.vocabSize;
  EXPECT_NEAR(real(array, last), expected.logits.back()[0], GetParam().precision == Precision::F64 ? 1e-10 : 1e-4);
}

/// Continued greedily, each token is the one with the largest logit when all of them are evaluated; and whatever the
/// batch and its cuts, they are the same.
TEST_P(CommandLineTest, ContinuedTokensAreThoseOfTheLogits) {
  constexpr int64_t kNew = 12;
  const std::vector<int64_t> lengths = {37, 9, 20, 1};
  std::string tokensFile = onDisk.writeArray<int32_t>("tokens.npy", {kBatch, kLength}, {tokens.begin(), tokens.end()});
  std::string lengthsFile = onDisk.writeArray("lengths.npy", {kBatch}, lengths);
  std::string newFile = onDisk.directory.file("new.npy"), logitsFile = onDisk.directory.file("logits.npy");
  std::string first;
  for (const std::vector<std::string> &how : std::vector<std::vector<std::string>>{
           {}, {"--schedule", "chunks:5,7,1", "--threads", "2"}, {"--max-sequences", "1"}, {"--max-sequences", "3"}}) {
    std::vector<std::string> arguments = {"--tokens",         tokensFile,           "--lengths",       lengthsFile,
                                          "--max-new-tokens", std::to_string(kNew), "--output-tokens", newFile};
    arguments.insert(arguments.end(), how.begin(), how.end());
    ProcessResult result = onDisk.run(arguments);
    ASSERT_EQ(result.status, 0) << result.describe();
    first = first.empty() ? readFile(newFile) : first;
    EXPECT_TRUE(readFile(newFile) == first) << testing::PrintToString(how);
  }
  io::NpyArray made = readArray(newFile);
  ASSERT_EQ(made.dtype, io::DType::I32);
  ASSERT_EQ(made.shape, (std::vector<int64_t>{kBatch, kNew}));

  constexpr int64_t kWidth = kLength + kNew;
  std::vector<int32_t> whole(kBatch * kWidth, 0);
  std::vector<int64_t> wholeLengths;
  for (int64_t b = 0; b < kBatch; ++b) {
    std::copy_n(tokens.begin() + b * kLength, lengths[b], whole.begin() + b * kWidth);
    for (int64_t i = 0; i < kNew; ++i)
      whole[b * kWidth + lengths[b] + i] = static_cast<int32_t>(made.integer(b * kNew + i));
    wholeLengths.push_back(lengths[b] + kNew);
  }
  ProcessResult result =
      onDisk.run({"--tokens", onDisk.writeArray("whole.npy", {kBatch, kWidth}, whole), "--lengths",
                  onDisk.writeArray("wholeLengths.npy", {kBatch}, wholeLengths), "--logits", logitsFile});
  ASSERT_EQ(result.status, 0) << result.describe();
  io::NpyArray logits = readArray(logitsFile);
  int64_t vocabulary = onDisk.model.config.vocabSize;
  ASSERT_EQ(logits.shape, (std::vector<int64_t>{kBatch, kWidth, vocabulary}));
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t i = 0; i < kNew; ++i) {
      size_t row = static_cast<size_t>(b * kWidth + lengths[b] + i - 1) * vocabulary;
      int64_t best = 0;
      for (int64_t v = 1; v < vocabulary; ++v)
        best = real(logits, row + v) > real(logits, row + best) ? v : best;
      EXPECT_EQ(made.integer(b * kNew + i), best) << "sequence " << b << " new token " << i;
    }
}

TEST_P(CommandLineTest, EmptyBatchesAndSequencesGiveEmptyArrays) {
  int64_t vocabulary = onDisk.model.config.vocabSize;
  for (const std::vector<int64_t> &shape : std::vector<std::vector<int64_t>>{{0, 5}, {3, 0}, {0}, {0, 0}}) {
    std::string logits = onDisk.directory.file("logits.npy");
    ProcessResult result =
        onDisk.run({"--tokens", onDisk.writeArray<int32_t>("empty.npy", shape, {}), "--logits", logits});
    ASSERT_EQ(result.status, 0) << result.describe();
    std::vector<int64_t> expected = shape;
    if (shape.size() == 1)
      expected.insert(expected.begin(), 1);
    expected.push_back(vocabulary);
    EXPECT_EQ(readArray(logits).shape, expected);
  }
}

/// Each of these is the user's error: one line, status 1.
TEST_P(CommandLineTest, WrongInputsAreOneLineAndStatusOne) {
  auto tokensOf = [&](std::vector<int64_t> shape, std::vector<int32_t> values) {
    return onDisk.writeArray<int32_t>("wrong.npy", shape, values);
  };
  std::string good = onDisk.writeArray<int32_t>("good.npy", {2}, {1, 2});
  std::string otherLengths = onDisk.writeArray<int64_t>("others.npy", {3}, {1, 1, 1});
  std::string tooLong = onDisk.writeArray<int64_t>("long.npy", {1}, {3});
  std::string badMode = onDisk.writeArray<int8_t>("mode.npy", {1, 2, 3}, {0, 2, 0, 0, 0, 0}); // layer 1 is full alone
  const std::vector<std::vector<std::string>> wrong = {
      {"--tokens", tokensOf({2}, {1, 41})},
      {"--tokens", good, "--lengths", otherLengths},
      {"--tokens", good, "--lengths", tooLong},
      {"--tokens", good, "--force-routing", badMode},
      {"--tokens", onDisk.directory.file("absent.npy")},
      {"--tokens", good, "--logits", onDisk.directory.file("absent/logits.npy")},
  };
  for (const std::vector<std::string> &arguments : wrong) {
    ProcessResult result = onDisk.run(arguments);
    EXPECT_EQ(result.status, 1) << testing::PrintToString(arguments) << ": " << result.describe();
    EXPECT_EQ(countLines(result.err), 1) << result.err;
  }
}

TEST_P(CommandLineTest, MisuseIsOneLineAndStatusTwo) {
  std::string good = onDisk.writeArray<int32_t>("good.npy", {2}, {1, 2});
  for (const std::vector<std::string> &arguments :
       std::vector<std::vector<std::string>>{{"--tokens", good, "--schedule", "chunks:0"},
                                             {"--tokens", good, "--schedule", "chunks:"},
                                             {"--tokens", good, "--no-such-option"},
                                             {"--tokens", good, "--threads", "many"}}) {
    ProcessResult result = onDisk.run(arguments);
    EXPECT_EQ(result.status, 2) << testing::PrintToString(arguments) << ": " << result.describe();
    EXPECT_EQ(countLines(result.err), 1) << result.err;
  }
}

/// The routers' choices of this model are far enough apart for f32 to make the oracle's.
INSTANTIATE_TEST_SUITE_P(All, CommandLineTest,
                         testing::Values(refBuild(Precision::F64), cpuBuild("native", Precision::F32)),
                         [](const auto &info) { return buildName(info.param); });

} // namespace
