// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a model says of its sampling and of the length of its sequences, and what the command line makes of it.
#include "test/chimera-run/ByteModel.h"

using namespace chimera;
using namespace chimera::test;

namespace {

class ModelDefaultsTest : public ByteModelTest {
protected:
  static constexpr const char *warning =
      "chimera-run: warning: a sequence is longer than the 12 tokens that the model was made for "
      "(max_position_embeddings); what it makes of the rest may be poor\n";

  void writeModelThat(const nlohmann::json &says) const { writeModel(nullptr, nlohmann::json::array(), vocab, says); }

  /// What is printed after "ab" with these options.
  std::string continued(std::vector<std::string> options) {
    options.insert(options.begin(), {"--prompt", "ab", "--max-new-tokens", "30"});
    ProcessResult result = run(options);
    EXPECT_EQ(result.status, 0) << result.err;
    return result.out;
  }
  static std::string expected(const SamplerOptions &options) {
    return "ab" + continuation(bytesOf("ab"), 30, options) + "\n";
  }
};

TEST_F(ModelDefaultsTest, WithoutOptionsTheModelSaysHowToSample) {
  writeModelThat({{"sampling", {{"temperature", 3000}, {"top_k", 40}, {"top_p", 0.9}}}});
  SamplerOptions models{3000, 40, 0.9, 0};
  EXPECT_EQ(continued({}), expected(models));
  EXPECT_NE(continued({}), expected({}));
  models.seed = 7;
  EXPECT_EQ(continued({"--seed", "7"}), expected(models));
}

TEST_F(ModelDefaultsTest, AnOptionWinsOverTheModelAndLeavesItTheRest) {
  writeModelThat({{"sampling", {{"temperature", 3000}, {"top_k", 40}, {"top_p", 0.9}}}});
  EXPECT_EQ(continued({"--temperature", "0"}), expected({}));
  EXPECT_EQ(continued({"--temperature", "9000"}), expected({9000, 40, 0.9, 0}));
  EXPECT_EQ(continued({"--top-k", "0"}), expected({3000, 0, 0.9, 0}));
  EXPECT_EQ(continued({"--top-p", "1"}), expected({3000, 40, 1, 0}));
}

TEST_F(ModelDefaultsTest, AModelThatSaysNothingTakesTheLargestLogit) {
  EXPECT_EQ(continued({}), expected({}));
  EXPECT_EQ(continued({"--temperature", "3000"}), expected({3000, 0, 1, 0}));
}

TEST_F(ModelDefaultsTest, ASequenceThatIsTooLongIsWarnedOfOnce) {
  writeModelThat({{"max_position_embeddings", 12}});
  // The last new token is not fed.
  ProcessResult result = run({"--prompt", "abc", "--max-new-tokens", "10"});
  expectSuccess(result);
  EXPECT_EQ(result.err, "");
  for (const char *count : {"11", "60"}) {
    result = run({"--prompt", "abc", "--max-new-tokens", count});
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.err, warning) << count;
  }
  result = run({"--prompt", "abcdefghijklm", "--max-new-tokens", "0", "--schedule=chunks:5,1"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, "abcdefghijklm\n");
  EXPECT_EQ(result.err, warning);
}

} // namespace
