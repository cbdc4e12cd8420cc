// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/VariantChoice.h"
#include "test/runtime/Runner.h"

#include <gtest/gtest.h>

namespace chimera::runtime::toy {
namespace {

Variant needing(const char *name, std::vector<std::string> features) {
  Variant variant;
  variant.name = name;
  variant.features = std::move(features);
  return variant;
}

const std::vector<Variant> threeVariants = {needing("tiles", {"wide", "amx_tile"}), needing("wide", {"base", "wide"}),
                                            needing("base", {"base"})};

size_t choice(const std::set<std::string> &flags, bool permitted) {
  Result<size_t> chosen = chooseVariant(threeVariants, flags, [&] { return permitted; });
  EXPECT_TRUE(bool(chosen));
  return chosen ? *chosen : 99;
}

TEST(Variant, TheFirstWhoseFeaturesAreThereIsTaken) {
  EXPECT_EQ(choice({"base", "wide", "amx_tile"}, true), 0u);
  EXPECT_EQ(choice({"base", "wide", "other"}, true), 1u);
  EXPECT_EQ(choice({"base"}, true), 2u);
}

TEST(Variant, TilesThatTheSystemDoesNotPermitAreNotUsed) {
  EXPECT_EQ(choice({"base", "wide", "amx_tile"}, false), 1u);
  Result<size_t> chosen = chooseVariant({threeVariants[0]}, {"wide", "amx_tile"}, [] { return false; });
  ASSERT_FALSE(bool(chosen));
  EXPECT_EQ(chosen.error().message,
            "needs CPU features that this machine lacks: tiles: the system's permission for AMX tiles");
}

TEST(Variant, PermissionForTilesIsOnlyAskedForWhereTheyAreThere) {
  int asked = 0;
  auto permit = [&] { return ++asked > 0; };
  EXPECT_EQ(*chooseVariant(threeVariants, {"base", "wide"}, permit), 1u);
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(*chooseVariant(threeVariants, {"amx_tile", "wide"}, permit), 0u);
  EXPECT_EQ(asked, 1);
}

TEST(Variant, WhatEachLacksIsListed) {
  Result<size_t> chosen = chooseVariant(threeVariants, {"amx_tile"}, [] { return true; });
  ASSERT_FALSE(bool(chosen));
  EXPECT_EQ(chosen.error().message,
            "needs CPU features that this machine lacks: tiles: wide; wide: base, wide; base: base");
}

/// The toy model with a better variant before the one that runs: it needs `feature` and has another first kernel.
nlohmann::json twoVariants(const char *feature) {
  nlohmann::json changed = manifest();
  nlohmann::json better = changed["variants"][0];
  better["name"] = "better";
  better["features"] = {feature};
  better["phases"].erase("decode");
  changed["variants"].insert(changed["variants"].begin(), better);
  return changed;
}

TEST(Variant, ABinaryOfSeveralRunsTheChosenOne) {
  std::shared_ptr<const Model> better = must(Model::load("m", binary(twoVariants("sse2").dump())));
  EXPECT_EQ(better->variant().name, "better");
  EXPECT_TRUE(better->decodeKernels().empty());
  std::shared_ptr<const Model> other = must(Model::load("m", binary(twoVariants("avx9000").dump())));
  EXPECT_EQ(other->variant().name, "x86-64");
  EXPECT_EQ(other->decodeKernels().size(), 3u);
  TemporaryFolder folder;
  for (const std::shared_ptr<const Model> &model : {better, other}) {
    std::shared_ptr<const Weights> weights = must(Weights::load(model, writeWeights(folder.path())));
    std::unique_ptr<Session> runner = must(Session::create(model, weights, {}));
    std::vector<int32_t> tokens = randomTokens(3, 20);
    expectRows(feed(*runner, must(runner->add()), tokens), 0, expected(tokens), 0, tokens.size());
  }
}

TEST(Variant, TheInterfaceNamesTheChosenOne) {
  std::vector<uint8_t> bytes = binary(twoVariants("avx9000").dump());
  chimera_model *model = nullptr;
  ASSERT_EQ(chimera_model_load_bytes(bytes.data(), bytes.size(), "m", &model, nullptr), CHIMERA_OK);
  EXPECT_STREQ(chimera_model_variant(model), "x86-64");
  EXPECT_STREQ(chimera_model_variant(nullptr), "");
  chimera_model_free(model);
}

/// The toy model whose logits read packed weights and take their rows from a count.
nlohmann::json packedAndCounted() {
  nlohmann::json changed = manifest();
  // One column in panels of one row: packed and row-major are the same numbers.
  changed["parameters"][0]["shape"] = {vocab, 1};
  changed["parameters"][0]["source_shape"] = nlohmann::json::array({vocab});
  nlohmann::json &variant = changed["variants"][0];
  variant["packed"] = {{{"parameters", nlohmann::json::array({0})},
                        {"format", "f32"},
                        {"panel", 1},
                        {"group", 1},
                        {"interleaved", false},
                        {"bytes", vocab * 4}}};
  for (nlohmann::json &phase : variant["phases"]) {
    nlohmann::json &launch = phase["launches"][2];
    launch["buffers"][3] = {"packed", 0};
    launch["buffers"].push_back({"step", "out_start"});
    launch["count"] = 6;
    launch["grid"] = {{"tokens", vocab}, {"seqs", 0}, {"outputs", 0}, {"constant", 0}, {"divisor", 1}};
  }
  return changed;
}

TEST(Variant, LaunchesReadPackedWeightsAndCountTheirRows) {
  std::shared_ptr<const Model> model = must(Model::load("m", binary(packedAndCounted().dump())));
  TemporaryFolder folder;
  std::shared_ptr<const Weights> weights = must(Weights::load(model, writeWeights(folder.path())));
  EXPECT_EQ(weights->data(0), nullptr); // No launch names it.
  EXPECT_NE(weights->data(1), nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(weights->packed(0)) % 64, 0u);
  std::unique_ptr<Session> runner = must(Session::create(model, weights, {}));
  ASSERT_FALSE(runner->beginProfile(0));
  int64_t sequence = must(runner->add());
  std::vector<int32_t> tokens = randomTokens(4, 20);
  expectRows(feed(*runner, sequence, tokens), 0, expected(tokens), 0, tokens.size());
  int64_t steps = runner->profile()->entries()[0].calls;
  EXPECT_EQ(runner->profile()->entries()[2].calls, steps);
  // No row of logits: nothing to launch.
  ASSERT_FALSE(run(*runner, {{sequence, tokens.data(), 3, nullptr, CHIMERA_LOGITS_NONE}}).failure);
  EXPECT_EQ(runner->profile()->entries()[0].calls, steps + 1);
  EXPECT_EQ(runner->profile()->entries()[2].calls, steps);
}

} // namespace
} // namespace chimera::runtime::toy
