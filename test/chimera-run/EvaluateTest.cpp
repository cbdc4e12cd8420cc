// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Safetensors.h"
#include "test/chimera-run/ToyTool.h"

using namespace chimera;
using namespace chimera::test;
namespace toy = chimera::runtime::toy;
using io::DType;

class EvaluateTest : public ToolTest {
protected:
  /// Runs sequences of these lengths with the arguments and compares every logit and mode with the toy's definition.
  void check(const std::vector<int64_t> &lengths, int64_t width, const std::vector<std::string> &arguments,
             bool forced = false) {
    int64_t batch = int64_t(lengths.size());
    // What lies past a length is no token, and must not be looked at.
    std::vector<int64_t> tokens(size_t(batch * width), -100);
    std::vector<int8_t> modes(size_t(batch * width * toy::layers), 99);
    std::vector<float> logits(size_t(batch * width * toy::vocab), 0);
    std::vector<int8_t> routing(modes.size(), -1);
    for (int64_t b = 0; b < batch; ++b) {
      std::vector<int32_t> sequence = toy::randomTokens(uint32_t(b + 1), lengths[size_t(b)]);
      std::vector<int8_t> sequenceModes;
      for (int64_t i = 0; i < lengths[size_t(b)] * toy::layers; ++i)
        sequenceModes.push_back(std::array<int8_t, 3>{0, 2, -1}[size_t(i * 7 + b) % 3]);
      std::copy(sequence.begin(), sequence.end(), tokens.begin() + b * width);
      std::copy(sequenceModes.begin(), sequenceModes.end(), modes.begin() + b * width * toy::layers);
      toy::Expected expected = toy::expected(sequence, forced ? sequenceModes : std::vector<int8_t>());
      for (size_t t = 0; t < sequence.size(); ++t)
        std::copy(expected.logits[t].begin(), expected.logits[t].end(),
                  logits.begin() + (b * width + int64_t(t)) * toy::vocab);
      std::copy(expected.routing.begin(), expected.routing.end(), routing.begin() + b * width * toy::layers);
    }
    std::vector<std::string> all = {"--tokens",  npy("tokens.npy", DType::I64, {batch, width}, tokens),
                                    "--lengths", npy("lengths.npy", DType::I64, {batch}, lengths),
                                    "--logits",  file("logits.npy"),
                                    "--routing", file("routing.npy")};
    all.insert(all.end(), arguments.begin(), arguments.end());
    if (forced) {
      all.push_back("--force-routing");
      all.push_back(npy("forced.npy", DType::I8, {batch, width, toy::layers}, modes));
    }
    ProcessResult result = run(all);
    expectSuccess(result);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(load<float>("logits.npy", DType::F32, {batch, width, toy::vocab}), logits);
    EXPECT_EQ(load<int8_t>("routing.npy", DType::I8, {batch, width, toy::layers}), routing);
  }
};

TEST_F(EvaluateTest, EveryScheduleGivesTheDefinitionsLogitsAndRouting) {
  for (const char *schedule : {"prefill", "decode", "chunks:5,7,1", "chunks:1,30", "chunks:4"})
    check({23, 0, 9, 1, 30}, 30, {std::string("--schedule=") + schedule, "--threads", "2"});
}

TEST_F(EvaluateTest, SequencesThatWaitForAPlaceGiveTheSame) {
  for (const char *most : {"1", "2", "3", "100"})
    for (const char *schedule : {"prefill", "chunks:5,7,1"})
      check({23, 0, 9, 1, 30, 0}, 30, {"--max-sequences", most, "--schedule", schedule});
  check({12, 5, 0, 7}, 12, {"--max-sequences", "2", "--schedule=chunks:3"}, true);
}

TEST_F(EvaluateTest, FewerSequencesAtOnceFitAMemoryLimit) {
  std::string tokens = npy("t.npy", DType::I32, {40, 9}, std::vector<int32_t>(360, 2));
  std::vector<std::string> arguments = {"--tokens", tokens, "--memory-limit", "2K"};
  expectError(run(arguments), 1, "; --max-sequences with a number below 40 holds fewer caches at once");
  arguments.insert(arguments.end(), {"--max-sequences", "2"});
  expectSuccess(run(arguments));
}

TEST_F(EvaluateTest, ArraysAndTheModelComeFromStreams) {
  std::vector<int32_t> tokens = toy::randomTokens(3, 4);
  npy("t.npy", DType::I32, {4}, tokens);
  npy("n.npy", DType::I32, {1}, std::vector<int32_t>{3});
  expectSuccess(run({"--tokens", file("t.npy"), "--lengths", file("n.npy"), "--logits", file("expected.npy")}));
  for (auto [script, array] : {std::pair("\"$@\" < t.npy", "-"), std::pair("cat t.npy | \"$@\"", "-"),
                               std::pair("cat t.npy | \"$@\"", "/dev/stdin")}) {
    SCOPED_TRACE(script);
    expectSuccess(shell(script, {"--tokens", array, "--lengths", file("n.npy"), "--logits", file("l.npy")}));
    EXPECT_EQ(readFile(file("l.npy")), readFile(file("expected.npy")));
  }
  expectSuccess(shell("shift 2; cat m.chm | " CHIMERA_RUN " - \"$@\"",
                      {"--tokens", file("t.npy"), "--lengths", file("n.npy"), "--logits", file("l.npy")}));
  EXPECT_EQ(readFile(file("l.npy")), readFile(file("expected.npy")));
  expectError(shell("echo no | \"$@\"", {"--tokens", "-"}), 1, "<stdin>: is text, not an array");
  expectError(shell("\"$@\" <&-", {"--tokens", "-"}), 1, "<stdin>: cannot read: Bad file descriptor");
}

TEST_F(EvaluateTest, ForcedRoutingIsTaken) {
  check({12, 5, 0}, 12, {"--schedule=chunks:3"}, true);
  check({12, 5, 0}, 12, {}, true);
}

TEST_F(EvaluateTest, NoTokensNoSequences) {
  check({}, 0, {});
  check({}, 5, {});
  check({0, 0, 0}, 0, {});
  check({0, 0}, 3, {}, true);
}

TEST_F(EvaluateTest, OneDimensionIsOneSequence) {
  std::vector<int32_t> tokens = toy::randomTokens(3, 4);
  ProcessResult result =
      run({"--tokens", npy("t.npy", DType::I32, {4}, tokens), "--logits", file("l.npy"), "--routing", file("r.npy")});
  expectSuccess(result);
  toy::Expected expected = toy::expected(tokens);
  std::vector<float> logits = load<float>("l.npy", DType::F32, {1, 4, toy::vocab});
  ASSERT_EQ(logits.size(), size_t(4 * toy::vocab));
  for (size_t t = 0; t < 4; ++t)
    EXPECT_EQ(
        std::vector<float>(logits.begin() + int64_t(t) * toy::vocab, logits.begin() + int64_t(t + 1) * toy::vocab),
        expected.logits[t]);
  EXPECT_EQ(load<int8_t>("r.npy", DType::I8, {1, 4, toy::layers}), expected.routing);
}

TEST_F(EvaluateTest, ManyEmptySequencesTakeNoMemory) {
  // 2^40 sequences of no tokens.
  std::string tokens = npy("t.npy", DType::I32, {int64_t(1) << 40, 0}, std::vector<int32_t>());
  expectSuccess(run({"--tokens", tokens, "--routing", file("r.npy")}));
  EXPECT_TRUE(load<int8_t>("r.npy", DType::I8, {int64_t(1) << 40, 0, toy::layers}).empty());
}

TEST_F(EvaluateTest, StatsSayTokensAndCacheBytes) {
  std::string tokens = npy("t.npy", DType::I32, {2, 9}, toy::randomTokens(1, 18));
  ProcessResult result = run({"--tokens", tokens, "--schedule=chunks:8,1", "--stats"});
  EXPECT_EQ(result.status, 0);
  EXPECT_NE(result.err.find("prefill: 16 tokens in "), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("decode: 2 tokens in "), std::string::npos) << result.err;
  for (const char *text : {"cache bytes", "ssm", "swa", "full", "token_conv", "route", "total",
                           "tensors of the checkpoint that the model does not use: 1"})
    EXPECT_NE(result.err.find(text), std::string::npos) << text << "\n" << result.err;
}

TEST_F(EvaluateTest, WeightsComeFromAFileAnIndexOrAFolder) {
  std::string tokens = npy("t.npy", DType::I32, {3}, std::vector<int32_t>{1, 2, 3});
  writeFile(file("i.json"), "{\"weight_map\": {\"scale\": \"model.safetensors\"}}");
  for (const std::string &weights : {folder.path(), file("model.safetensors"), file("i.json")})
    expectSuccess(runBare({file("m.chm"), "--weights", weights, "--tokens", tokens}));
}
