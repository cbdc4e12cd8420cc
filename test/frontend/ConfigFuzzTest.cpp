// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Any bytes are a config or one line of error; what is accepted is consistent enough to list its parameters.
#include "test/frontend/ConfigTestSupport.h"

#include <random>

using namespace chimera;

namespace {

const std::string everything = R"({
  "model_type": "chimera", "vocab_size": 17, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4,
  "head_dim": 6, "num_key_value_heads": 2, "intermediate_size": 12, "rope_theta": 5e5, "partial_rotary_factor": 1.0,
  "rope_scaling": {"type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64},
  "norm": "layer", "norm_eps": 1e-6, "token_conv_kernel": 3, "tie_word_embeddings": true, "bos_token_id": 1,
  "eos_token_id": null, "window": 7, "cache_write": "all", "identity_output": "normed_input",
  "modes": [["ssm", "swa", "full", "identity"], ["full"]],
  "ssm": {"kind": "mamba2", "state_size": 4, "head_dim": 4, "expand": 2, "n_groups": 2, "conv_kernel": 4,
    "time_step_limit": [0.0, Infinity]},
  "router": {"kind": "mlp", "hidden_size": 5, "input_norm": "rms", "temperature": 0.5, "gate": "one",
    "bias_in_gate": true, "write_gate": true, "target": {"ssm": 0.5, "swa": 0.25, "full": 0.125, "identity": 0.125},
    "capacity_factor": 1.5, "max_tokens": {"full": 9}, "balancer": {"ema": 0.9, "step": 0.01, "clip": 2}},
  "training": {"lr": 1e-3}
})";

/// Parses; returns whether it was accepted.
bool tryOne(const std::string &text) {
  ConfigOrError result = parseConfig(text, "config.json");
  if (const std::string *error = std::get_if<std::string>(&result)) {
    EXPECT_EQ(error->find('\n'), std::string::npos) << *error;
    EXPECT_LT(error->size(), 500U);
    for (char c : *error)
      EXPECT_TRUE(c >= ' ' && c <= '~') << *error;
    return false;
  }
  const Config &config = std::get<Config>(result);
  for (const ParameterSpec &spec : parameters(config)) {
    int64_t elements = 1;
    for (int64_t extent : spec.shape) {
      EXPECT_GT(extent, 0) << spec.name;
      EXPECT_FALSE(__builtin_mul_overflow(elements, extent, &elements)) << spec.name;
    }
  }
  if (config.usesAttention()) {
    EXPECT_EQ(static_cast<int64_t>(ropeFrequencies(config, Mode::Full).size()) * 2, config.rotaryDims());
  }
  return true;
}

TEST(ConfigFuzz, EveryByteChanged) {
  ASSERT_TRUE(tryOne(everything));
  int accepted = 0;
  const std::string bytes = std::string("\0\x01\x7f\x80\xff\"\\{}[],:0e-. I\n", 20);
  for (size_t i = 0; i < everything.size(); ++i)
    for (char c : bytes) {
      std::string text = everything;
      text[i] = c;
      accepted += tryOne(text);
    }
  EXPECT_GT(accepted, 0);
}

TEST(ConfigFuzz, EveryByteCutOrAdded) {
  for (size_t i = 0; i < everything.size(); ++i) {
    EXPECT_FALSE(tryOne(everything.substr(0, i))) << i;
    tryOne(everything.substr(0, i) + everything.substr(i + 1));
    for (char c : {'0', '9', '"', '[', '{', '}', 'e', '-', '\0', '\xc3'})
      tryOne(everything.substr(0, i) + c + everything.substr(i));
  }
}

TEST(ConfigFuzz, RandomEditsOfManyBytes) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 4000; ++round) {
    std::string text = everything;
    for (uint64_t edits = random() % 8 + 1; edits > 0; --edits) {
      size_t at = random() % text.size(), length = random() % 12;
      switch (random() % 3) {
      case 0:
        text[at] = static_cast<char>(random());
        break;
      case 1:
        text.erase(at, length);
        break;
      default:
        text.insert(at, text.substr(random() % text.size(), length));
        break;
      }
      if (text.empty())
        text = "{";
    }
    tryOne(text);
  }
}

TEST(ConfigFuzz, EveryNumberReplacedByExtremes) {
  for (size_t i = 0; i < everything.size(); ++i) {
    bool starts = std::isdigit(static_cast<unsigned char>(everything[i])) && i > 0 &&
                  (everything[i - 1] == ' ' || everything[i - 1] == '[');
    if (!starts)
      continue;
    size_t end = everything.find_first_of(",}] \n", i);
    for (std::string value : {"0",
                              "-1",
                              "1",
                              "2",
                              "3",
                              "1048576",
                              "1048577",
                              "2147483648",
                              "9223372036854775807",
                              "-9223372036854775808",
                              "18446744073709551615",
                              "1e308",
                              "1e-308",
                              "1e309",
                              "-0.0",
                              "0.1",
                              "null",
                              "Infinity",
                              "NaN",
                              "true",
                              "[]",
                              "{}",
                              "\"\""})
      tryOne(everything.substr(0, i) + value + everything.substr(end));
  }
}

} // namespace
