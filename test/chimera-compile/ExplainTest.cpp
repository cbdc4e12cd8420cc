// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// --explain: how a config is understood, and what lies beside it.
#include "test/chimera-compile/Compile.h"

using namespace chimera::test;

namespace {

using Explain = CompileTest;

const char *const llama = R"({
  "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 33, "hidden_size": 16,
  "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24, "rope_scaling": null
})";

TEST_F(Explain, PrintsAlignedKeysInTheFilesOrderAndWhatLiesBesideThem) {
  std::string config = write("config.json", llama);
  std::string generation = write("generation_config.json", R"({"do_sample": true, "repetition_penalty": 1.1})");
  write("pytorch_model.bin", "x");
  std::string expected = config + R"(
  architectures        ["LlamaForCausalLM"]  no effect: names a file or a program
  model_type           "llama"               read
  vocab_size           33                    read
  hidden_size          16                    read
  num_hidden_layers    1                     read
  num_attention_heads  2                     read
  intermediate_size    24                    read
  rope_scaling         null                  not set
)" + generation + R"(
  do_sample           true  read
  repetition_penalty  1.1   ignored: a binary's defaults of sampling have no such thing
beside it
  weights    none that is read (model.safetensors or its index), but pytorch_model.bin
  tokenizer  none
)";
  EXPECT_EQ(output({folder.path(), "--explain"}), expected);
  EXPECT_EQ(output({"--explain", config}), expected);
}

TEST_F(Explain, ARefusedModelIsExplainedBeforeItsError) {
  std::string text = llama;
  text.insert(1, R"("logits_scaling": 8, "model_parallel": true, )");
  ProcessResult result = compile({write("config.json", text), "--explain"});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err, "error: " + folder.file("config.json") +
                            ": key 'logits_scaling': only 1 is supported for this model_type\n");
  for (const char *part : {"refused: only 1 is supported for this model_type\n",
                           "refused: not supported for this model_type\n", "\nbeside it\n"})
    EXPECT_NE(result.out.find(part), std::string::npos) << part << result.out;
}

TEST_F(Explain, WeightsAreLookedAt) {
  write("config.json", llama);
  auto explained = [&](const std::string &header) {
    std::string size(8, '\0');
    for (size_t i = 0; i < 8; ++i)
      size[i] = char(header.size() >> (8 * i));
    write("model.safetensors", size + header + std::string(16, 'x'));
    return output({folder.path(), "--explain"});
  };
  std::string text = explained(R"({"model.embed_tokens.qweight":{"dtype":"I32","shape":[4],"data_offsets":[0,16]}})");
  EXPECT_NE(text.find("  weights    model.safetensors, 1 tensor: 1 i32; refused: tensor 'model.embed_tokens.weight' is "
                      "quantised (GPTQ or AWQ: 'model.embed_tokens.qweight')"),
            std::string::npos)
      << text;
  text = explained(R"({"model.norm.weight":{"dtype":"BF16","shape":[8],"data_offsets":[0,16]}})");
  EXPECT_NE(text.find("model.safetensors, 1 tensor: 1 bf16; refused: tensor 'model.embed_tokens.weight' is missing"),
            std::string::npos)
      << text;
  text = explained(R"({"x":{"dtype":"F4","shape":[8],"data_offsets":[0,16]}})");
  EXPECT_NE(text.find("model.safetensors: refused: "), std::string::npos) << text;
}

TEST_F(Explain, IRAndMissingFilesAreOneLineOfError) {
  for (const std::string &name : {write("model.mlir", "module {}"), folder.file("nothing.json")}) {
    ProcessResult result = compile({name, "--explain"});
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
}

} // namespace
