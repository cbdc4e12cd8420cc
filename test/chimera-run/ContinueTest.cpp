// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Continuing arrays of token ids.
#include "test/chimera-run/ByteModel.h"

#include <algorithm>
#include <filesystem>

using namespace chimera;
using namespace chimera::test;
namespace toy = chimera::runtime::toy;
using io::DType;
using io::quote;

class ContinueTest : public ByteModelTest {
protected:
  ContinueTest() {
    options.temperature = 3000;
    options.topK = 40;
    options.topP = 0.9;
    options.seed = 7;
    for (int32_t b = 0; b < int32_t(lengths.size()); ++b) {
      std::vector<int32_t> row(size_t(width), -100); // What lies past a length is no token.
      for (int64_t t = 0; t < lengths[size_t(b)]; ++t)
        row[size_t(t)] = int32_t('a' + (b * 5 + int32_t(t) * 3) % 26);
      rows.push_back(std::move(row));
    }
  }

  std::vector<int32_t> beginning(size_t b) const { return {rows[b].begin(), rows[b].begin() + lengths[b]}; }

  /// The arrays as options, and those of sampling.
  std::vector<std::string> arguments(const std::vector<std::string> &more) const {
    std::vector<int32_t> flat;
    for (const std::vector<int32_t> &row : rows)
      flat.insert(flat.end(), row.begin(), row.end());
    int64_t batch = int64_t(rows.size());
    std::vector<std::string> all = {"--tokens",      npy("t.npy", DType::I32, {batch, width}, flat),
                                    "--lengths",     npy("n.npy", DType::I64, {batch}, lengths),
                                    "--temperature", "3000",
                                    "--top-k",       "40",
                                    "--top-p",       "0.9",
                                    "--seed",        "7"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  /// The new tokens of every sequence, by the toy's definition: up to the first of `ends`.
  std::vector<std::vector<int32_t>> expected(size_t count, const std::vector<int32_t> &ends = {}) const {
    std::vector<std::vector<int32_t>> all;
    for (size_t b = 0; b < rows.size(); ++b) {
      std::vector<int32_t> made = chosen(beginning(b), count, options, b);
      made.erase(std::find_first_of(made.begin(), made.end(), ends.begin(), ends.end()), made.end());
      all.push_back(std::move(made));
    }
    return all;
  }

  static std::string lines(const std::vector<std::vector<int32_t>> &sequences) {
    std::string text;
    for (const std::vector<int32_t> &sequence : sequences) {
      for (size_t i = 0; i < sequence.size(); ++i)
        text += (i ? " " : "") + std::to_string(sequence[i]);
      text += "\n";
    }
    return text;
  }

  static std::vector<int32_t> padded(const std::vector<std::vector<int32_t>> &sequences, size_t width) {
    std::vector<int32_t> flat;
    for (std::vector<int32_t> sequence : sequences) {
      sequence.resize(width, -1);
      flat.insert(flat.end(), sequence.begin(), sequence.end());
    }
    return flat;
  }

  static constexpr int64_t width = 20;
  std::vector<int64_t> lengths = {20, 1, 9, 13, 2, 20};
  std::vector<std::vector<int32_t>> rows;
  SamplerOptions options;
};

TEST_F(ContinueTest, EachSequenceFollowsTheDefinitionHoweverTheWorkIsCut) {
  std::string wanted = lines(expected(15));
  for (const std::vector<std::string> &how : std::vector<std::vector<std::string>>{
           {},
           {"--schedule", "decode", "--threads", "2"},
           {"--schedule", "chunks:5,7,1"},
           {"--max-sequences", "1"},
           {"--max-sequences", "2", "--schedule", "chunks:4"},
           {"--max-sequences", "6"},
           {"--max-sequences", "1000"},
       }) {
    std::vector<std::string> more = {"--max-new-tokens", "15"};
    more.insert(more.end(), how.begin(), how.end());
    ProcessResult result = run(arguments(more));
    expectSuccess(result);
    EXPECT_EQ(result.out, wanted) << testing::PrintToString(how);
  }
}

TEST_F(ContinueTest, EndTokensEndASequenceAndAnotherTakesItsPlace) {
  std::vector<std::vector<int32_t>> whole = expected(15);
  std::vector<int32_t> ends = {whole[0][4], whole[2][0], whole[3][9]};
  writeModel(nullptr, ends);
  std::vector<std::vector<int32_t>> wanted = expected(15, ends);
  EXPECT_TRUE(wanted[2].empty());
  for (const char *most : {"1", "2", "6"}) {
    ProcessResult result = run(arguments({"--max-new-tokens", "15", "--max-sequences", most}));
    expectSuccess(result);
    EXPECT_EQ(result.out, lines(wanted)) << most;
    expectSuccess(
        run(arguments({"--max-new-tokens", "15", "--max-sequences", most, "--output-tokens", file("o.npy")})));
    EXPECT_EQ(load<int32_t>("o.npy", DType::I32, {6, 15}), padded(wanted, 15)) << most;
  }
}

TEST_F(ContinueTest, WithAFileNothingIsPrinted) {
  ProcessResult result = run(arguments({"--output-tokens", file("o.npy")}));
  expectSuccess(result);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(load<int32_t>("o.npy", DType::I32, {6, 64}), padded(expected(64), 64)) << "64 tokens without a number";
}

TEST_F(ContinueTest, ASequenceDoesNotDependOnTheOthers) {
  std::string before = run(arguments({"--max-new-tokens", "9"})).out;
  std::fill(rows[1].begin(), rows[1].begin() + 3, 'q');
  lengths[1] = 3;
  std::string after = run(arguments({"--max-new-tokens", "9"})).out;
  EXPECT_NE(after, before);
  auto line = [](const std::string &text, int index) {
    size_t at = 0;
    for (int i = 0; i < index; ++i)
      at = text.find('\n', at) + 1;
    return text.substr(at, text.find('\n', at) - at);
  };
  for (int b : {0, 2, 3, 4, 5})
    EXPECT_EQ(line(after, b), line(before, b)) << b;
}

/// A text and the ids of the same text, the start token in front, are one sequence.
TEST_F(ContinueTest, IdsContinueAsTheTextOfTheSameIds) {
  writeModel(299, nlohmann::json{298});
  std::string text = "the long way in";
  std::vector<int32_t> ids = bytesOf(text);
  ids.insert(ids.begin(), 299);
  std::vector<std::string> sampling = {"--max-new-tokens", "40", "--temperature", "2500", "--seed", "11"};
  auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), sampling.begin(), sampling.end());
    return more;
  };
  ProcessResult ofText = run(with({"--prompt", text, "--output-tokens", file("text.npy")}));
  expectSuccess(ofText);
  std::string tokens = npy("t.npy", DType::I64, {int64_t(ids.size())}, std::vector<int64_t>(ids.begin(), ids.end()));
  expectSuccess(run(with({"--tokens", tokens, "--output-tokens", file("ids.npy")})));
  EXPECT_EQ(readFile(file("text.npy")), readFile(file("ids.npy")));
  std::vector<int32_t> made = load<int32_t>("ids.npy", DType::I32, {1, 40});
  made.erase(std::find(made.begin(), made.end(), -1), made.end());
  EXPECT_GT(made.size(), 5u);
  EXPECT_EQ(ofText.out, text + textOf(made) + "\n");
}

TEST_F(ContinueTest, TheBeginningTakesForcedModes) {
  std::vector<int8_t> modes;
  for (int64_t i = 0; i < int64_t(rows.size()) * width * toy::layers; ++i)
    modes.push_back(std::array<int8_t, 3>{0, 2, -1}[size_t(i) % 3]);
  std::vector<std::vector<int32_t>> wanted;
  for (size_t b = 0; b < rows.size(); ++b) {
    auto first = modes.begin() + std::ptrdiff_t(int64_t(b) * width * toy::layers);
    wanted.push_back(chosen(beginning(b), 8, options, b, {first, first + lengths[b] * toy::layers}));
  }
  std::string forced = npy("f.npy", DType::I8, {int64_t(rows.size()), width, toy::layers}, modes);
  ProcessResult result = run(
      arguments({"--max-new-tokens", "8", "--force-routing", forced, "--schedule=chunks:3", "--max-sequences", "4"}));
  expectSuccess(result);
  EXPECT_EQ(result.out, lines(wanted));
  EXPECT_NE(result.out, lines(expected(8)));
}

TEST_F(ContinueTest, NothingToDo) {
  ProcessResult result = run(arguments({"--max-new-tokens", "0"}));
  expectSuccess(result);
  EXPECT_EQ(result.out, "\n\n\n\n\n\n");
  expectSuccess(run(arguments({"--max-new-tokens", "0", "--output-tokens", file("o.npy")})));
  EXPECT_TRUE(load<int32_t>("o.npy", DType::I32, {6, 0}).empty());
  std::string none = npy("t.npy", DType::I32, {0, 5}, std::vector<int32_t>());
  expectSuccess(run({"--tokens", none, "--output-tokens", file("o.npy"), "--max-new-tokens", "4"}));
  EXPECT_TRUE(load<int32_t>("o.npy", DType::I32, {0, 4}).empty());
}

TEST_F(ContinueTest, AnEmptySequenceIsAnError) {
  const std::string why = ": the sequence is empty, so there is nothing to continue";
  lengths[3] = 0;
  expectError(run(arguments({"--max-new-tokens", "4", "--output-tokens", file("o.npy")})), 1,
              quote(file("n.npy")) + ": [3]" + why);
  EXPECT_FALSE(std::filesystem::exists(file("o.npy")));
  for (const std::vector<int64_t> &shape : std::vector<std::vector<int64_t>>{{2, 0}, {0}})
    expectError(run({"--tokens", npy("t.npy", DType::I32, shape, std::vector<int32_t>()), "--max-new-tokens", "4"}), 1,
                quote(file("t.npy")) + ": [0]" + why);
}

TEST_F(ContinueTest, AChoiceThatCannotBeMadeNamesTheSequence) {
  writeWeights(vocab, 5);
  ProcessResult result = run(arguments({"--max-new-tokens", "4", "--output-tokens", file("o.npy")}));
  expectError(result, 1, "chimera-run: [0]: position 20: the logit of token 5 is NaN\n");
  EXPECT_FALSE(std::filesystem::exists(file("o.npy")));
}
