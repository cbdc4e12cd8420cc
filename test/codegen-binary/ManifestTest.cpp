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
  variant.phases = {{"prefill", {16, 4}, 256, {0, 64}, {192, 16}, {launch, launch}},
                    {"decode", {4, 4}, 256, {0, 64}, {192, 16}, {}}};
  manifest.variants = {variant};
  return manifest;
}

TEST(Manifest, JsonIsAsDocumented) {
  const char *expected =
      R"({"format":"chimera-model","version":6,"producer":"chimera-compile 0.1.0","target":"ref",)"
      R"("dtype":"bf16","numerics":"invariant",)"
      R"("limits":{"max_tokens":16,"max_seqs":4},)"
      R"("model":{"vocab_size":256,"hidden_size":32,"window":8,"head_dim":16,"num_attention_heads":2,)"
      R"("num_key_value_heads":1,"bos_token_id":null,"eos_token_ids":[3,7],)"
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
      R"("phases":{"prefill":{"max_tokens":16,"max_seqs":4,"arena_bytes":256,"logits":[0,64],"routing":[192,16],)"
      R"("launches":[LAUNCH,LAUNCH]},)"
      R"("decode":{"max_tokens":4,"max_seqs":4,"arena_bytes":256,"logits":[0,64],"routing":[192,16],"launches":[]}}}]})";
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
  const std::string launch = "manifest: phase update, launch 0 (chimera_adam_w), ";
  EXPECT_EQ(message([&](Manifest &m) { update(m).launches[0].buffers[0] = Buffer::grad(0); }),
            launch + "buffer 0: parameter 0 is not trainable");
  EXPECT_EQ(message([&](Manifest &m) { update(m).launches[0].buffers[1] = Buffer::pool(0); }),
            launch + "buffer 1: a training program has neither caches nor packed weights");
  EXPECT_EQ(message([&](Manifest &m) { update(m).launches[0].buffers[1] = Buffer::packed(0); }),
            launch + "buffer 1: a training program has neither caches nor packed weights");
  EXPECT_EQ(message([&](Manifest &m) { update(m).name = "updates"; }),
            "manifest: phase updates: there is no program of that name");
  EXPECT_EQ(message([&](Manifest &m) { update(m).results.push_back(update(m).results[0]); }),
            "manifest: phase update, result norm: named twice");
  EXPECT_EQ(message([&](Manifest &m) { update(m).results[0].second = {128, 8}; }),
            "manifest: phase update, result norm: bytes 128 + 8 lie outside of the arena of 128");
  EXPECT_EQ(message([&](Manifest &m) { m.trainable = {2}; }), "manifest: trainable: parameter 2 of 2");
  EXPECT_EQ(message([&](Manifest &m) { m.trainable = {1, 1}; }), "manifest: trainable: parameters must ascend");
  const std::string inference = "manifest: phase prefill, launch 0 (chimera_attend), ";
  EXPECT_EQ(message([&](Manifest &m) { m.variants[0].phases[0].launches[0].buffers[1] = Buffer::moment1(1); }),
            inference + "buffer 1: only training programs have gradients and moments");
  EXPECT_EQ(message([&](Manifest &m) { m.variants[0].phases[0].launches[0].buffers[5].step = "leaves"; }),
            inference + "buffer 5: unknown step buffer 'leaves'");
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

TEST(Manifest, PackedBytesAreThoseOfWholePanelsAndGroups) {
  std::vector<Parameter> parameters = {{"a", {10, 30}, "f32", false, "", {}, {}},
                                       {"b", {7, 30}, "f32", false, "", {}, {}},
                                       {"c", {10, 30}, "f32", false, "", {}, {}}};
  auto bytes = [&](std::vector<int64_t> which, const char *format, int64_t panel, int64_t group, bool interleaved) {
    return packedBytes({std::move(which), format, panel, group, interleaved, 0}, parameters).value_or(-1);
  };
  EXPECT_EQ(bytes({0, 1}, "f32", 8, 1, false), 24 * 30 * 4);
  EXPECT_EQ(bytes({0}, "bf16", 8, 4, false), 16 * 32 * 2);
  EXPECT_EQ(bytes({0, 2}, "bf16", 8, 2, true), 2 * 16 * 30 * 2);
  EXPECT_EQ(bytes({1}, "i8", 8, 4, false), 8 * (32 + 1));
  EXPECT_EQ(bytes({0, 1}, "f32", 8, 1, true), -1);
  EXPECT_EQ(bytes({0}, "i8", 8, 3, false), -1);
  EXPECT_EQ(bytes({}, "f32", 8, 1, false), -1);
  EXPECT_EQ(bytes({3}, "f32", 8, 1, false), -1);
  EXPECT_EQ(bytes({0}, "f16", 8, 1, false), -1);
  EXPECT_EQ(bytes({0}, "f32", 0, 1, false), -1);
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

const Fault faults[] = {
    {"ParameterOutOfRange", [](Manifest &m) { launchOf(m).buffers[1].index = 2; },
     "manifest: phase prefill, launch 0 (chimera_attend), buffer 1: parameter 2 of 2"},
    {"NegativePool", [](Manifest &m) { launchOf(m).buffers[2].index = -1; },
     "manifest: phase prefill, launch 0 (chimera_attend), buffer 2: pool -1 of 2"},
    {"PageTableOutOfRange", [](Manifest &m) { launchOf(m).buffers[4].index = 1; },
     "manifest: phase prefill, launch 0 (chimera_attend), buffer 4: page table 1 of 1"},
    {"PagesWithoutAny", [](Manifest &m) { m.pages.bytes = 0; },
     "manifest: phase prefill, launch 0 (chimera_attend), buffer 3: pages, but the model has none"},
    {"UnknownStepBuffer", [](Manifest &m) { launchOf(m).buffers[5].step = "row"; },
     "manifest: phase prefill, launch 0 (chimera_attend), buffer 5: unknown step buffer 'row'"},
    {"SlicePastTheArena", [](Manifest &m) { launchOf(m).buffers[0].slice = {192, 65}; },
     "manifest: phase prefill, launch 0 (chimera_attend), buffer 0: bytes 192 + 65 lie outside of the arena of 256"},
    {"SliceUnaligned", [](Manifest &m) { launchOf(m).buffers[0].slice = {32, 8}; },
     "manifest: phase prefill, launch 0 (chimera_attend), buffer 0: arena offset 32 is not a multiple of 64"},
    {"ZeroDivisor", [](Manifest &m) { launchOf(m).grid.divisor = 0; },
     "manifest: phase prefill, launch 0 (chimera_attend): a grid needs a positive divisor and no negative terms"},
    {"LaunchOfNoLayer", [](Manifest &m) { launchOf(m).layer = 1; },
     "manifest: phase prefill, launch 0 (chimera_attend): layer 1 does not exist"},
    {"LogitsPastTheArena", [](Manifest &m) { m.variants[0].phases[1].logits = {256, 1}; },
     "manifest: phase decode, logits: bytes 256 + 1 lie outside of the arena of 256"},
    {"PhaseLargerThanTheModel", [](Manifest &m) { m.variants[0].phases[0].limits.maxTokens = 17; },
     "manifest: phase prefill: limits must be positive and at most the model's"},
    {"PackedOutOfRange", [](Manifest &m) { launchOf(m).buffers[6].index = 1; },
     "manifest: phase prefill, launch 0 (chimera_attend), buffer 6: packed weights 1 of 1"},
    {"CountOutOfRange", [](Manifest &m) { launchOf(m).count = 7; },
     "manifest: phase prefill, launch 0 (chimera_attend): count: buffer 7 of 7"},
    {"CountOfAParameter", [](Manifest &m) { launchOf(m).count = 1; },
     "manifest: phase prefill, launch 0 (chimera_attend): count: buffer 1 is no array of starts"},
    {"CountOfTooFewStarts", [](Manifest &m) { launchOf(m).buffers[0].slice.bytes = 16; },
     "manifest: phase prefill, launch 0 (chimera_attend): count: buffer 0 is no array of starts"},
    {"PackedOfOtherBytes", [](Manifest &m) { m.variants[0].packed[0].bytes += 64; },
     "manifest: variant x86-64-v3, packed weights 0: 17472 bytes, the layout has 17408"},
    {"PackedWithoutLayout", [](Manifest &m) { m.variants[0].packed[0].interleaved = true; },
     "manifest: variant x86-64-v3, packed weights 0: no layout for these parameters"},
    {"NoVariant", [](Manifest &m) { m.variants.clear(); }, "manifest: variants: there are none"},
    {"VariantTwice", [](Manifest &m) { m.variants.push_back(m.variants[0]); },
     "manifest: variant x86-64-v3: named twice"},
    {"PhaseTwice", [](Manifest &m) { m.variants[0].phases[1].name = "prefill"; },
     "manifest: phase prefill: named twice"},
    {"ParameterTwice", [](Manifest &m) { m.parameters[1].name = m.parameters[0].name; },
     "manifest: parameter embed_tokens.weight: named twice"},
    {"NoPermutation", [](Manifest &m) { m.parameters[1].rowPermutation = {1, 1}; },
     "manifest: parameter layers.0.router.proj.weight: row_permutation is not a permutation of its rows"},
    {"SourceOfAnotherSize", [](Manifest &m) { m.parameters[1].sourceShape = {2, 31}; },
     "manifest: parameter layers.0.router.proj.weight: source_shape has another number of elements"},
    {"EndTokenOutsideTheVocabulary", [](Manifest &m) { m.model.eosTokenIds = {3, 256}; },
     "manifest: model: end token 256 is not a token"},
    {"BosTokenOutsideTheVocabulary", [](Manifest &m) { m.model.bosTokenId = -1; },
     "manifest: model: bos_token_id -1 is not a token"},
    {"TargetOfTooFewModes", [](Manifest &m) { m.model.layers[0].target = {1.0}; },
     "manifest: layer 0: target must be a share for each mode, their sum 1"},
    {"TargetThatIsNoShare", [](Manifest &m) { m.model.layers[0].target = {1.5, -0.5}; },
     "manifest: layer 0: target must be a share for each mode, their sum 1"},
    {"ListWithoutTable", [](Manifest &m) { m.caches[1].table.reset(); },
     "manifest: cache 1: a list has a page table, and nothing else has"},
    {"RoomOutsideOfARing", [](Manifest &m) { m.caches[1].room = 64; },
     "manifest: cache 1: a ring has room for the window at least, and nothing else has room"},
    {"RingWithoutRoom", [](Manifest &m) { m.caches[0].kind = "ring"; },
     "manifest: cache 0: a ring has room for the window at least, and nothing else has room"},
    {"CachePoolOutOfRange", [](Manifest &m) { m.caches[0].pools = {5}; }, "manifest: cache 0: pool 5 of 2"},
    {"EmptyPool", [](Manifest &m) { m.pools[0].bytesPerSlot = 0; },
     "manifest: pool layers.0.ssm.state: bytes_per_slot must be positive"},
};

INSTANTIATE_TEST_SUITE_P(All, ManifestFault, testing::ValuesIn(faults),
                         [](const testing::TestParamInfo<Fault> &info) { return std::string(info.param.name); });

} // namespace
