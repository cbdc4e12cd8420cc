// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the config says of tokens and targets arrives in the binary's manifest, and a module that says it wrongly is one
// line of error.
#include "test/chimera-compile/Compile.h"

using namespace chimera::test;

namespace {

class ModelAttribute : public CompileTest {
protected:
  std::string binary() const { return folder.file("model.chm"); }

  ProcessResult compileText(const std::string &name, const std::string &text) {
    return compile({write(name, text), "-o", binary(), "--max-tokens=4", "--max-seqs=1"});
  }
};

const char *const config = R"({
  "model_type": "chimera", "vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 1,
  "head_dim": 8, "intermediate_size": 0, "window": 4, "bos_token_id": 1, "eos_token_id": [7, 3],
  "max_position_embeddings": 4096, "ssm": {"kind": "lti", "state_size": 4},
  "modes": [["full", "ssm"], ["swa"], ["full", "identity"]],
  "router": {"target": {"ssm": 0.375, "swa": 0.25, "full": 0.125}}
})";

TEST_F(ModelAttribute, TokensAndTargetsArriveInTheManifest) {
  ProcessResult result = compileText("config.json", config);
  ASSERT_EQ(result.status, 0) << result.describe();
  std::string bytes = readFile(binary());
  EXPECT_EQ(bytes.find("\"sampling\""), std::string::npos);
  write("generation_config.json", R"({"do_sample": true, "temperature": 0.5, "top_p": 0.75})");
  ASSERT_EQ(compileText("config.json", config).status, 0);
  bytes = readFile(binary());
  // The shares of each layer's modes in canonical order, renormalised.
  for (const char *part : {R"("bos_token_id":1,"eos_token_ids":[7,3],"max_position_embeddings":4096,)"
                           R"("sampling":{"temperature":0.5,"top_k":50,"top_p":0.75},)",
                           R"({"modes":["ssm","full"],"forceable":["ssm","full"],"target":[0.75,0.25]})",
                           R"({"modes":["swa"],"forceable":["swa"],"target":[1]})",
                           R"({"modes":["full","identity"],"forceable":["full","identity"],"target":[1,0]})"})
    EXPECT_NE(bytes.find(part), std::string::npos) << part;
}

TEST_F(ModelAttribute, SharesAreEqualWhereTheTargetIsZeroForAll) {
  std::string text = config;
  std::string target = R"("ssm": 0.375, "swa": 0.25, "full": 0.125)";
  text.replace(text.find(target), target.size(), R"("swa": 1.0)");
  ProcessResult result = compileText("config.json", text);
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_NE(readFile(binary()).find(R"("forceable":["full","identity"],"target":[0.5,0.5]})"), std::string::npos);
}

TEST_F(ModelAttribute, AModuleThatSaysThemWronglyIsOneLineOfError) {
  write("generation_config.json", R"({"do_sample": true, "temperature": 0.5, "top_p": 0.75})");
  std::string good = output({write("config.json", config), "--emit=chimera"});
  const std::string sampling =
      "sampling = {temperature = 5.000000e-01 : f64, top_k = 50 : i64, top_p = 7.500000e-01 : f64}";
  auto with = [&](const std::string &from, const std::string &to) {
    std::string text = good;
    EXPECT_NE(text.find(from), std::string::npos) << from << " is missing in\n" << text.substr(0, 1000);
    return text.replace(text.find(from), from.size(), to);
  };
  const std::string first = "targets = [array<f64: 7.500000e-01, 2.500000e-01>";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {with(first, "targets = [array<f64: 1.0>"),
       "'targets'[0] must be a share in 0 .. 1 for each of the layer's 2 modes"},
      {with("targets = [", "targets = [array<f64: 1.0>, "),
       "'targets' must hold one list of shares for each of the 3 layers, got 4"},
      {with(first, "targets = [array<f64: 0.75, 0.5>"), "'targets'[0] must be a share in 0 .. 1"},
      {with(first, "targets = [array<f64: 1.75, -0.75>"), "'targets'[0] must be a share in 0 .. 1"},
      {with(first, "targets = [array<f64: 0x7FF8000000000000, 0.5>"), "'targets'[0] must be a share in 0 .. 1"},
      {with("eos_token_ids = array<i64: 7, 3>", "eos_token_ids = array<i64: 7, 20>"),
       "'eos_token_ids' must be in 0 .. 19, got 20"},
      {with("eos_token_ids = array<i64: 7, 3>", "eos_token_ids = 7 : i64"), "'eos_token_ids' must be an array<i64>"},
      {with("max_position_embeddings = 4096", "max_position_embeddings = 0"),
       "'max_position_embeddings' must be in 1 .. 9007199254740992, got 0"},
      {with(sampling, "sampling = {}"), "chimera.model: 'sampling': 'temperature' is missing"},
      {with(sampling, "sampling = []"), "'sampling' must be a dictionary, got []"},
      {with("temperature = 5.000000e-01 : f64", "temperature = 1 : i64"), "'temperature' must be an f64, got 1 : i64"},
      {with("temperature = 5.0", "temperature = -5.0"), "'temperature' must be in 0 .. 1e+06, got -5.000000e-01"},
      {with("top_p = 7.500000e-01", "top_p = 0.0"), "'top_p' must be above 0 and at most 1, got 0"},
      {with("bos_token_id = 1", "bos_token_id = -1"), "'bos_token_id' must be in 0 .. 1048576, got -1"},
      {with("num_attention_heads = 1", "num_attention_heads = -5"), "'num_attention_heads' must be in 0 .. 1048576"},
      {with("vocab_size = 20", "vocab_size = 21"), "chimera.model's vocab_size is 21"},
      {with("hidden_size = 8", "hidden_size = 9"), "chimera.model's hidden_size is 9"},
      {with("head_dim = 8", "head_dim = 4"), "chimera.model's head_dim is 4"},
      {with("window = 4 : i64}", "window = -1 : i64}"), "'window' must be in 0 .. 2147483648, got -1"},
      {with("dtype = \"f32\"", "dtype = \"i64\""), "'dtype' must be one of f32, bf16, f64, got \"i64\""},
      {with("mode = \"full\", name", "mode = \"foo\", name"),
       "'mode' must be one of ssm, swa, full, token_conv, route"},
  };
  for (const auto &[text, message] : cases) {
    ProcessResult result = compileText("model.mlir", text);
    EXPECT_EQ(result.status, 1) << message;
    EXPECT_EQ(countLines(result.err), 1) << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
  }
}

} // namespace
