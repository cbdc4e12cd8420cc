// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is said of each key of a config and of a generation_config.json.
#include "test/frontend/ConfigTestSupport.h"

#include <algorithm>

using namespace chimera;
using namespace chimera::test;

namespace {

/// "KEY: MEANING" of each key, in the order of the text.
std::vector<std::string> meanings(const KeyLog &log) {
  std::vector<std::string> lines;
  for (const KeyLog::Entry &entry : log.entries())
    lines.push_back(entry.key + ": " + describe(entry));
  return lines;
}

std::vector<std::string> explained(const std::string &text) {
  KeyLog log;
  parseConfig(text, "config.json", &log);
  return meanings(log);
}

const std::string sizes = R"("vocab_size": 33, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2)";

TEST(KeyLog, SaysOfEachKeyOfAForeignConfigWhatItIs) {
  EXPECT_EQ(explained(R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", )" + sizes +
                      R"(, "max_position_embeddings": 64, "rope_scaling": null, "use_cache": true,
                         "initializer_range": 0.02, "temperature": 0.5, "logits_scaling": 1, "sliding_window": null})"),
            (std::vector<std::string>{
                "architectures: no effect: names a file or a program", "model_type: read", "vocab_size: read",
                "hidden_size: read", "num_hidden_layers: read", "num_attention_heads: read",
                "max_position_embeddings: read", "rope_scaling: not set", "use_cache: no effect: how it is executed",
                "initializer_range: no effect: a setting of training",
                "temperature: no effect: a default of text generation, for which generation_config.json is read",
                "logits_scaling: neutral", "sliding_window: not set"}));
}

TEST(KeyLog, SaysOfEveryKeyThatItIsRefusedAndNotOnlyOfTheFirst) {
  EXPECT_EQ(explained(R"({"model_type": "llama", )" + sizes +
                      R"(, "logits_scaling": 2, "novel": 1, "rope_scaling": {"type": "yarn"}})"),
            (std::vector<std::string>{"model_type: read", "vocab_size: read", "hidden_size: read",
                                      "num_hidden_layers: read", "num_attention_heads: read",
                                      "logits_scaling: refused: only 1 is supported for this model_type",
                                      "novel: refused: not supported for this model_type", "rope_scaling: read"}));
  std::vector<std::string> nested =
      explained(R"({"model_type": "llama", )" + sizes + R"(, "rope_scaling": {"type": "linear", "factor": 0.5}})");
  EXPECT_EQ(nested.back(), "rope_scaling: refused: rope_scaling.factor: must be >= 1, got 0.5");
}

TEST(KeyLog, SaysOfAModelTypeThatIsNotReadThatNothingElseWasLookedAt) {
  std::vector<std::string> lines = explained(R"({"hidden_size": 4, "model_type": "gpt2"})");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], "hidden_size: not looked at");
  EXPECT_EQ(lines[1].rfind("model_type: refused: must be one of \"chimera\"", 0), 0U) << lines[1];
}

TEST(KeyLog, SaysItOfOurOwnConfigsToo) {
  std::vector<std::string> lines = explained(small(R"(, "training": {"steps": 3}, "router": {"kind": "no"}, "x": 1)"));
  EXPECT_EQ(
      std::vector<std::string>(lines.end() - 3, lines.end()),
      (std::vector<std::string>{"training: no effect: not for the compiler", "router: read", "x: refused: unknown"}));
}

TEST(KeyLog, SaysItOfAGenerationConfig) {
  KeyLog log;
  Config config = valid(R"({"model_type": "llama", )" + sizes + "}");
  EXPECT_EQ(readGenerationConfig(R"({"_from_model_config": true, "eos_token_id": [2, 3], "do_sample": true,
      "temperature": 0.6, "top_k": null, "min_p": 0.0, "repetition_penalty": 1.1, "num_beams": 1, "max_length": 4096})",
                                 "g.json", config, &log),
            "");
  const std::string ignored = ": ignored: a binary's defaults of sampling have no such thing";
  EXPECT_EQ(meanings(log), (std::vector<std::string>{"_from_model_config: no effect: not about how tokens are chosen",
                                                     "eos_token_id: read", "do_sample: read", "temperature: read",
                                                     "top_k: not set", "min_p: neutral", "repetition_penalty" + ignored,
                                                     "num_beams: neutral", "max_length" + ignored}));
  EXPECT_EQ(readGenerationConfig(R"({"temperature": 0.6, "top_p": 2})", "g.json", config, &log),
            "g.json: key 'top_p': must be > 0 and <= 1, got 2");
  EXPECT_EQ(meanings(log), (std::vector<std::string>{"temperature: no effect: do_sample is not true",
                                                     "top_p: refused: must be > 0 and <= 1, got 2"}));
}

TEST(KeyLog, ValuesAreShortAndOnOneLine) {
  KeyLog log;
  std::string many = "[1";
  for (int i = 0; i < 1000; ++i)
    many += ", 1";
  parseConfig(R"({"a": )" + many + R"(], "b": "x\ny", "c": {"d": [true, null]}, "e": 1.50, "f\n": []})", "c.json",
              &log);
  ASSERT_EQ(log.entries().size(), 5U);
  EXPECT_LE(log.entries()[0].value.size(), 50U);
  EXPECT_EQ(log.entries()[0].value.rfind("[1, 1, 1", 0), 0U);
  EXPECT_EQ(log.entries()[1].value.find('\n'), std::string::npos);
  EXPECT_EQ(log.entries()[2].value, "{\"d\": [true, null]}");
  EXPECT_EQ(log.entries()[3].value, "1.50");
  EXPECT_EQ(log.entries()[4].value, "[]");
}

} // namespace
