// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/binary/Manifest.h"
#include "test/codegen-binary/Kernels.h"
#include "llvm/Support/JSON.h"
#include <functional>
#include <gtest/gtest.h>

using namespace chimera;
using namespace chimera::binary;

namespace {

/// A manifest that uses every part of the format.
Manifest fullManifest() {
  Manifest manifest;
  manifest.dtype = "bf16";
  manifest.limits = {16, 4};
  manifest.model.vocabSize = 256;
  manifest.model.hiddenSize = 32;
  manifest.model.window = 8;
  manifest.model.headDim = 16;
  manifest.model.numAttentionHeads = 2;
  manifest.model.numKeyValueHeads = 1;
  manifest.model.eosTokenIds = {3, 7};
  manifest.model.maxPositionEmbeddings = 4096;
  manifest.model.sampling = chimera::abi::SamplingDefaults{0.5, 40, 0.75};
  manifest.model.layers = {{{"ssm", "full"}, {"ssm"}, {0.75, 0.25}}};
  manifest.parameters = {
      {"embed_tokens.weight", {256, 32}, "bf16", false, "", {}, {}},
      {"layers.0.router.proj.weight", {2, 32}, "f32", true, "blocks.0.router.weight", {2, 1, 32}, {1, 0}}};
  manifest.pools = {{"layers.0.ssm.state", 0, "ssm", 512}, {"layers.0.full.length", 0, "full", 8}};
  manifest.caches = {{0, "ssm", "state", {0}, std::nullopt, std::nullopt}, {0, "full", "list", {1}, 0, std::nullopt}};
  manifest.pages = {64, 8192, 1};
  Launch launch;
  launch.kernel = "chimera_attend";
  launch.op = "chimera.attend";
  launch.layer = 0;
  launch.grid = {2, 3, 4, 5, 6};
  launch.buffers = {Buffer::arena(64, 100),       Buffer::param(1), Buffer::pool(0), Buffer::pages(), Buffer::table(0),
                    Buffer::stepBuffer("tokens"), Buffer::packed(0)};
  launch.constants = {-7};
  launch.count = 0;
  Variant variant{"x86-64-v3", {"avx2", "fma"}, {}, {}};
  variant.packed = {{{0, 1}, "bf16", 16, 2, false, 272 * 32 * 2}};
  variant.stackBytes = 4096;
  variant.phases = {{"prefill", {16, 4}, 16960, {0, 16384}, {16384, 16}, {launch, launch}},
                    {"decode", {4, 4}, 4160, {0, 4096}, {4096, 4}, {}}};
  manifest.variants = {variant};
  return manifest;
}

TEST(Manifest, JsonIsAsDocumented) {
  const char *expected =
      R"({"format":"chimera-model","version":9,"producer":"chimera-compile 0.1.0","target":"ref",)"
      R"("dtype":"bf16","numerics":"invariant",)"
      R"("limits":{"max_tokens":16,"max_seqs":4},)"
      R"("model":{"vocab_size":256,"hidden_size":32,"window":8,"head_dim":16,"num_attention_heads":2,)"
      R"("num_key_value_heads":1,"bos_token_id":null,"eos_token_ids":[3,7],"max_position_embeddings":4096,)"
      R"("sampling":{"temperature":0.5,"top_k":40,"top_p":0.75},)"
      R"("layers":[{"modes":["ssm","full"],"forceable":["ssm"],"target":[0.75,0.25]}]},)"
      R"("parameters":[{"name":"embed_tokens.weight","shape":[256,32],"dtype":"bf16","optional":false},)"
      R"({"name":"layers.0.router.proj.weight","shape":[2,32],"dtype":"f32","optional":true,)"
      R"("source":"blocks.0.router.weight","source_shape":[2,1,32],"row_permutation":[1,0]}],)"
      R"("pools":[{"name":"layers.0.ssm.state","layer":0,"mode":"ssm","bytes_per_slot":512},)"
      R"({"name":"layers.0.full.length","layer":0,"mode":"full","bytes_per_slot":8}],)"
      R"("caches":[{"layer":0,"mode":"ssm","kind":"state","pools":[0]},)"
      R"({"layer":0,"mode":"full","kind":"list","pools":[1],"table":0}],)"
      R"("pages":{"entries":64,"bytes":8192,"tables":1},)"
      R"("variants":[{"name":"x86-64-v3","features":["avx2","fma"],)"
      R"("packed":[{"parameters":[0,1],"format":"bf16","panel":16,"group":2,"interleaved":false,"bytes":17408}],"stack_bytes":4096,)"
      R"("phases":{"prefill":{"max_tokens":16,"max_seqs":4,"arena_bytes":16960,"logits":[0,16384],"routing":[16384,16],)"
      R"("launches":[LAUNCH,LAUNCH]},)"
      R"("decode":{"max_tokens":4,"max_seqs":4,"arena_bytes":4160,"logits":[0,4096],"routing":[4096,4],"launches":[]}}}]})";
  const char *launch =
      R"({"kernel":"chimera_attend","op":"chimera.attend","layer":0,)"
      R"("grid":{"tokens":2,"seqs":3,"outputs":4,"constant":5,"divisor":6},)"
      R"("buffers":[["arena",64,100],["param",1],["pool",0],["pages"],["table",0],["step","tokens"],["packed",0]],)"
      R"("constants":[-7],"count":0})";
  std::string text = expected;
  for (size_t at; (at = text.find("LAUNCH")) != std::string::npos;)
    text.replace(at, 6, launch);
  EXPECT_EQ(toJson(fullManifest()), text);
}

/// The full manifest with a training program.
Manifest trainingManifest() {
  Manifest manifest = fullManifest();
  manifest.trainable = {1};
  Launch launch;
  launch.kernel = "chimera_adam_w";
  launch.op = "chimera.adam_w";
  launch.buffers = {Buffer::grad(1), Buffer::total(1), Buffer::moment1(1), Buffer::moment2(1),
                    Buffer::stepBuffer("hyper")};
  manifest.variants[0].phases.push_back({"update", {16, 4}, 128, {}, {}, {launch}, {{"norm", {64, 8}}}});
  return manifest;
}

TEST(Manifest, TrainingProgramsHaveAPlaceOfTheirOwn) {
  std::string text = toJson(trainingManifest());
  EXPECT_NE(text.find(R"("pages":{"entries":64,"bytes":8192,"tables":1},"trainable":[1],"variants":)"),
            std::string::npos);
  EXPECT_NE(text.find(R"("launches":[]}},"training":{"update":{"max_tokens":16,"max_seqs":4,"arena_bytes":128,)"
                      R"("results":{"norm":[64,8]},"launches":[{"kernel":"chimera_adam_w","op":"chimera.adam_w",)"
                      R"("layer":-1,"grid":{"tokens":0,"seqs":0,"outputs":0,"constant":0,"divisor":1},)"
                      R"("buffers":[["grad",1],["total",1],["moment1",1],["moment2",1],["step","hyper"]],)"
                      R"("constants":[]}]}}}]})"),
            std::string::npos)
      << text;
  EXPECT_EQ(test::messageOf(validate(trainingManifest())), "");
}

TEST(Manifest, AFaultOfATrainingProgramIsNamed) {
  auto message = [](const std::function<void(Manifest &)> &make) {
    Manifest manifest = trainingManifest();
    make(manifest);
    return test::messageOf(validate(manifest));
  };
  auto update = [](Manifest &m) -> Phase & { return m.variants[0].phases[2]; };
  const std::string program = "manifest: variants[0].training.update", buffer = program + ".launches[0].buffers";
  EXPECT_EQ(message([&](Manifest &m) { update(m).launches[0].buffers[0] = Buffer::grad(0); }),
            buffer + "[0]: parameter 0 is not trainable");
  EXPECT_EQ(message([&](Manifest &m) { update(m).launches[0].buffers[1] = Buffer::packed(0); }),
            buffer + "[1]: a training program has neither caches nor packed weights");
  EXPECT_EQ(message([&](Manifest &m) { update(m).name = "updates"; }),
            "manifest: variants[0].training.updates: is no training program");
  EXPECT_EQ(message([&](Manifest &m) { update(m).results.push_back(update(m).results[0]); }),
            "manifest: the key 'norm' occurs twice");
  EXPECT_EQ(message([&](Manifest &m) { update(m).results[0].second = {128, 8}; }),
            program + ".results.norm: lies outside the arena, or not at a multiple of 64");
  EXPECT_EQ(message([&](Manifest &m) { m.trainable = {2}; }), "manifest: trainable[0]: must be in 0 .. 1, is 2");
  EXPECT_EQ(message([&](Manifest &m) { m.trainable = {1, 1}; }), "manifest: trainable: parameters must ascend");
  const std::string inference = "manifest: variants[0].phases.prefill.launches[0].buffers";
  EXPECT_EQ(message([&](Manifest &m) { m.variants[0].phases[0].launches[0].buffers[1] = Buffer::moment1(1); }),
            inference + "[1]: only training programs have gradients and moments");
  EXPECT_EQ(message([&](Manifest &m) { m.variants[0].phases[0].launches[0].buffers[5].step = "leaves"; }),
            inference + "[5][1]: must be one of tokens, row_index, row_position, row_sequence, seq_start, seq_slot, "
                        "out_index, out_start, forced, is 'leaves'");
}

TEST(Manifest, RowsOfATensorAreWritten) {
  Manifest manifest = fullManifest();
  manifest.parameters[0].sourceShape = {300, 32};
  manifest.parameters[0].sourceRow = 44;
  EXPECT_NE(toJson(manifest).find(R"({"name":"embed_tokens.weight","shape":[256,32],"dtype":"bf16","optional":false,)"
                                  R"("source_shape":[300,32],"source_row":44})"),
            std::string::npos)
      << toJson(manifest);
  EXPECT_EQ(test::messageOf(validate(manifest)), "");
  manifest.parameters[0].sourceRow = 45;
  EXPECT_EQ(test::messageOf(validate(manifest)), "manifest: parameters[0].source_row: must be in 0 .. 44, is 45");
  // Row 0 of a tensor without more rows is all of it.
  manifest.parameters[0].sourceShape.clear();
  manifest.parameters[0].sourceRow = 0;
  EXPECT_EQ(test::messageOf(validate(manifest)), "");
}

TEST(Manifest, JsonParsesWhateverTheNames) {
  Manifest manifest = fullManifest();
  manifest.parameters[0].name = "a \"quoted\"\n\\ name";
  auto value = llvm::json::parse(toJson(manifest));
  ASSERT_TRUE(static_cast<bool>(value)) << llvm::toString(value.takeError());
  EXPECT_EQ((*value->getAsObject()->getArray("parameters"))[0].getAsObject()->getString("name"),
            llvm::StringRef(manifest.parameters[0].name));
}

TEST(Manifest, KernelSymbolsAreSortedAndUnique) {
  Manifest manifest = fullManifest();
  Variant &variant = manifest.variants[0];
  variant.phases[1].launches = variant.phases[0].launches;
  variant.phases[1].launches[1].kernel = "a_kernel";
  EXPECT_EQ(kernelSymbols(variant), (std::vector<std::string>{"a_kernel", "chimera_attend"}));
  suffixKernels(variant, ".isa");
  EXPECT_EQ(kernelSymbols(variant), (std::vector<std::string>{"a_kernel.isa", "chimera_attend.isa"}));
}

TEST(Manifest, VariantsOfOneModelAreMergedInOrder) {
  Manifest merged = fullManifest(), other = fullManifest();
  other.variants[0].name = "x86-64-v2";
  other.variants[0].phases.pop_back();
  EXPECT_EQ(test::messageOf(appendVariant(merged, other)), "");
  ASSERT_EQ(merged.variants.size(), 2u);
  EXPECT_EQ(merged.variants[0].name, "x86-64-v3");
  EXPECT_EQ(merged.variants[0].phases.size(), 2u);
  EXPECT_EQ(merged.variants[1].name, "x86-64-v2");
  EXPECT_EQ(merged.variants[1].phases.size(), 1u);
  EXPECT_EQ(test::messageOf(validate(merged)), "");
  EXPECT_EQ(test::messageOf(appendVariant(merged, other)), "manifest: variant x86-64-v2: named twice");
  EXPECT_EQ(merged.variants.size(), 2u);
}

TEST(Manifest, VariantsOfDifferentModelsAreNotMerged) {
  Manifest merged = fullManifest(), other = fullManifest();
  other.variants[0].name = "x86-64-v2";
  other.pools[0].bytesPerSlot = 1024;
  EXPECT_EQ(test::messageOf(appendVariant(merged, other)), "manifest: the variants differ in 'pools'");
  EXPECT_EQ(merged.variants.size(), 1u);
}

TEST(Manifest, AValidOneHasNoError) {
  EXPECT_EQ(test::messageOf(validate(fullManifest())), "");
}

struct Fault {
  const char *name;
  std::function<void(Manifest &)> make;
  const char *message;
};

class ManifestFault : public testing::TestWithParam<Fault> {};

TEST_P(ManifestFault, IsNamed) {
  Manifest manifest = fullManifest();
  GetParam().make(manifest);
  EXPECT_EQ(test::messageOf(validate(manifest)), GetParam().message);
}

Launch &launchOf(Manifest &manifest) {
  return manifest.variants[0].phases[0].launches[0];
}

// The reader of the runtime finds them: its own tests say more (test/runtime/ManifestTest.cpp). Here are those that
// only a compiler makes, and one of each part.
const Fault faults[] = {
    {"ParameterOutOfRange", [](Manifest &m) { launchOf(m).buffers[1].index = 2; },
     "manifest: variants[0].phases.prefill.launches[0].buffers[1]: parameter 2 of 2"},
    {"NegativePool", [](Manifest &m) { launchOf(m).buffers[2].index = -1; },
     "manifest: variants[0].phases.prefill.launches[0].buffers[2][1]: must be in 0 .. 1048576, is -1"},
    {"UnknownStepBuffer", [](Manifest &m) { launchOf(m).buffers[5].step = "row"; },
     "manifest: variants[0].phases.prefill.launches[0].buffers[5][1]: must be one of tokens, row_index, row_position, "
     "row_sequence, seq_start, seq_slot, out_index, out_start, forced, is 'row'"},
    {"SlicePastTheArena", [](Manifest &m) { launchOf(m).buffers[0].slice = {16384, 577}; },
     "manifest: variants[0].phases.prefill.launches[0].buffers[0]: lies outside the arena"},
    {"LogitsTooSmall", [](Manifest &m) { m.variants[0].phases[1].logits.bytes = 4095; },
     "manifest: variants[0].phases.decode.logits: has 4095 bytes, needs 4096"},
    {"PhaseLargerThanTheModel", [](Manifest &m) { m.variants[0].phases[0].limits.maxTokens = 17; },
     "manifest: variants[0].phases.prefill.max_tokens or max_seqs: more than the binary's limits"},
    {"NoKernel", [](Manifest &m) { launchOf(m).kernel.clear(); },
     "manifest: variants[0].phases.prefill.launches[0].kernel: must have 1 .. 65536 bytes"},
    {"CountOfTooFewStarts", [](Manifest &m) { launchOf(m).buffers[0].slice.bytes = 16; },
     "manifest: variants[0].phases.prefill.launches[0].count: buffer 0 is no array of starts"},
    {"PackedOfOtherBytes", [](Manifest &m) { m.variants[0].packed[0].bytes += 64; },
     "manifest: variants[0].packed[0]: has 17472 bytes, its layout 17408"},
    {"NoVariant", [](Manifest &m) { m.variants.clear(); }, "manifest: variants: must not be empty"},
    {"VariantTwice", [](Manifest &m) { m.variants.push_back(m.variants[0]); },
     "manifest: variants: two are called 'x86-64-v3'"},
    {"PhaseTwice", [](Manifest &m) { m.variants[0].phases[1].name = "prefill"; },
     "manifest: the key 'prefill' occurs twice"},
    {"ParameterTwice", [](Manifest &m) { m.parameters[1].name = m.parameters[0].name; },
     "manifest: parameters: two are called 'embed_tokens.weight'"},
    {"ParameterWithoutElements", [](Manifest &m) { m.parameters[0].shape = {0, 32}; },
     "manifest: parameters[0].shape[0]: must be in 1 .. 2199023255552, is 0"},
    {"NameOfTwoLines", [](Manifest &m) { m.parameters[0].name = "a\nb"; },
     "manifest: parameters[0].name: must not hold control characters"},
    {"NegativeHeads", [](Manifest &m) { m.model.numAttentionHeads = -5; },
     "manifest: model.num_attention_heads: must be in 0 .. 1048576, is -5"},
    {"UnknownDtype", [](Manifest &m) { m.dtype = "i64"; }, "manifest: dtype: must be one of f32, bf16, f64, is 'i64'"},
    {"UnknownCacheMode", [](Manifest &m) { m.pools[0].mode = "foo"; },
     "manifest: pools[0].mode: must be one of ssm, swa, full, token_conv, route, is 'foo'"},
    {"BosTokenOutsideTheVocabulary", [](Manifest &m) { m.model.bosTokenId = -1; },
     "manifest: model.bos_token_id: must be in 0 .. 255, is -1"},
    {"TargetThatIsNoShare", [](Manifest &m) { m.model.layers[0].target = {1.5, -0.5}; },
     "manifest: model.layers[0].target[0]: must be a number in 0 .. 1"},
    {"RingWithoutRoom", [](Manifest &m) { m.caches[0].kind = "ring"; },
     "manifest: caches[0]: has 1 pools, which its kind does not"},
    {"CachePoolOutOfRange", [](Manifest &m) { m.caches[0].pools = {5}; },
     "manifest: caches[0].pools[0]: must be in 0 .. 1, is 5"},
    {"EmptyPool", [](Manifest &m) { m.pools[0].bytesPerSlot = 0; },
     "manifest: caches[0]: pool 0 has 0 bytes a slot, which its kind does not"},
};

INSTANTIATE_TEST_SUITE_P(All, ManifestFault, testing::ValuesIn(faults),
                         [](const testing::TestParamInfo<Fault> &info) { return std::string(info.param.name); });

} // namespace
