// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Manifest.h"
#include "runtime/core/Model.h"
#include "test/runtime/ToyModel.h"

#include <gtest/gtest.h>

#include <random>

namespace chimera::runtime {
namespace {

using nlohmann::json;

std::string parseError(const std::string &text) {
  Result<Manifest> manifest = parseManifest(text, "m.chm");
  return manifest ? "" : manifest.error().message;
}

std::string errorWith(const std::string &pointer, const json &value) {
  json manifest = toy::manifest();
  manifest[json::json_pointer(pointer)] = value;
  return parseError(manifest.dump());
}

TEST(Manifest, FieldsArriveAsTheyAre) {
  Result<Manifest> parsed = parseManifest(toy::manifest().dump(), "m.chm");
  ASSERT_TRUE(bool(parsed));
  EXPECT_EQ(parsed->maxTokens, toy::maxTokens);
  EXPECT_EQ(parsed->model.layers[1].modes, 1u << CHIMERA_MODE_SSM | 1u << CHIMERA_MODE_FULL);
  EXPECT_EQ(parsed->model.bosTokenId, 1);
  EXPECT_EQ(parsed->model.eosTokenIds, (std::vector<int64_t>{2, 9}));
  EXPECT_EQ(parsed->model.maxPositions, -1);
  EXPECT_FALSE(parsed->model.sampling);
  EXPECT_EQ(parsed->model.layers[0].target, (std::array<double, 4>{0.75, 0, 0.25, 0}));
  EXPECT_EQ(parsed->caches[3].kind, CacheKind::List);
  EXPECT_EQ(parsed->caches[3].table, 0);
  EXPECT_EQ(parsed->parameters[0].source, "scale");
  EXPECT_EQ(parsed->variants[0].prefill.launches[2].grid.blocks(5, 2, 3), 3 * toy::vocab);
  EXPECT_EQ(parsed->variants[0].prefill.launches[0].buffers[9].kind, Buffer::Kind::Pages);
}

TEST(Manifest, PositionsAndSamplingAreKept) {
  json manifest = toy::manifest();
  manifest["model"]["max_position_embeddings"] = 8192;
  manifest["model"]["sampling"] = {{"temperature", 0.5}, {"top_k", 40}, {"top_p", 1}};
  Result<Manifest> parsed = parseManifest(manifest.dump(), "m.chm");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->model.maxPositions, 8192);
  EXPECT_EQ(parsed->model.sampling, (chimera::abi::SamplingDefaults{0.5, 40, 1}));
}

TEST(Manifest, AGridRoundsUp) {
  Grid grid{3, 5, 7, 1, 4};
  EXPECT_EQ(grid.blocks(1, 1, 1), 4);
  EXPECT_EQ(grid.blocks(2, 1, 1), 5);
  EXPECT_EQ(Grid().blocks(9, 9, 9), 0);
}

TEST(Manifest, AWrongFieldIsNamed) {
  const char *begin = "m.chm: bad manifest: ";
  std::vector<std::tuple<std::string, json, std::string>> cases = {
      {"/format", "other", "format: must be chimera-model"},
      {"/version", 1, "version: is 1; this runtime reads 9"},
      {"/dtype", "f16", "dtype: must be one of f32, bf16, f64, is 'f16'"},
      {"/limits/max_tokens", 0, "limits.max_tokens: must be in 1 .. 1048576, is 0"},
      {"/model/vocab_size", "11", "model.vocab_size: must be an integer"},
      {"/model/vocab_size", 11.0, "model.vocab_size: must be an integer"},
      {"/model/layers/1/modes", json::array(), "model.layers[1]: has no mode"},
      {"/model/layers/1/forceable", json::array({"swa"}),
       "model.layers[1]: a mode is forceable that the layer does not have"},
      {"/model/bos_token_id", 11, "model.bos_token_id: must be in 0 .. 10, is 11"},
      {"/model/eos_token_ids", 3, "model.eos_token_ids: must be an array"},
      {"/model/eos_token_ids/1", 11, "model.eos_token_ids[1]: must be in 0 .. 10, is 11"},
      {"/model/max_position_embeddings", 0, "model.max_position_embeddings: must be in 1 .. 9007199254740992, is 0"},
      {"/model/max_position_embeddings", "long", "model.max_position_embeddings: must be an integer"},
      {"/model/sampling", json::object(), "model.sampling: lacks 'temperature'"},
      {"/model/sampling", json::array(), "model.sampling: must be an object"},
      {"/model/sampling",
       {{"temperature", -0.5}, {"top_k", 0}, {"top_p", 1}},
       "model.sampling.temperature: must be a number in 0 .. 1e+06"},
      {"/model/sampling",
       {{"temperature", 1}, {"top_k", -1}, {"top_p", 1}},
       "model.sampling.top_k: must be in 0 .. 9007199254740992, is -1"},
      {"/model/sampling", {{"temperature", 1}, {"top_k", 0}, {"top_p", 0}}, "model.sampling.top_p: must be above 0"},
      {"/model/sampling",
       {{"temperature", 1}, {"top_k", 0}, {"top_p", 1.5}},
       "model.sampling.top_p: must be a number in 0 .. 1"},
      {"/model/layers/1/target", json::array({1}), "model.layers[1].target: must have a share for each of the modes"},
      {"/model/layers/1/target", json::array({0.75, 0.5}), "model.layers[1].target: the shares must sum to 1"},
      {"/model/layers/1/target/0", -0.25, "model.layers[1].target[0]: must be a number in 0 .. 1"},
      {"/model/layers/1/target/0", "x", "model.layers[1].target[0]: must be a number in 0 .. 1"},
      {"/parameters/1/name", "scale", "parameters: two are called 'scale'"},
      {"/parameters/0/shape", json::array({int64_t(1) << 30, int64_t(1) << 30}),
       "parameters[0].shape: has more than 2^41 elements"},
      {"/parameters/0/shape", json::array({11, 0}), "parameters[0].shape[1]: must be in 1 .. 2199023255552, is 0"},
      {"/parameters/0/row_permutation", json::array({0, 0}),
       "parameters[0].row_permutation: must be a permutation of the rows"},
      {"/parameters/0/source_shape", json::array({12}),
       "parameters[0].source_shape: must have as many elements as shape"},
      {"/pools/0/bytes_per_slot", -1, "pools[0].bytes_per_slot: must be in 0 .. 17592186044416, is -1"},
      {"/pools/0/bytes_per_slot", 0, "caches[0]: pool 0 has 0 bytes a slot, which its kind does not"},
      {"/pools/0/bytes_per_slot", 12, "caches[0]: pool 0 has 12 bytes a slot, which its kind does not"},
      {"/caches/0/pools", json::array({0, 1}), "caches[0]: has 2 pools, which its kind does not"},
      {"/caches/4/pools", json::array({0}), "caches[4]: shares pool 0 with another cache"},
      {"/caches/3/table", 1, "caches[7]: shares table 1 with another list"},
      {"/caches/0/room", 5, "caches[0]: a ring has room for the window at least, and nothing else has room"},
      {"/caches/2/room", 4, "caches[2]: a ring has room for the window at least, and nothing else has room"},
      {"/caches/2/room", 6, "caches[2]: pool 2 has 20 bytes a slot, which its kind does not"},
      {"/caches/0/table", 0, "caches[0]: a list has a table, and nothing else has"},
      {"/pages/tables", 3, "pages.tables: must be the number of lists, 2"},
      {"/pages/bytes", 0, "pages.bytes: must not be 0, as there are lists"},
      {"/variants/0/phases/decode/max_tokens", 8,
       "variants[0].phases.decode.max_tokens or max_seqs: more than the binary's limits"},
      {"/variants/0/phases/prefill/logits", json::array({192, 4}),
       "variants[0].phases.prefill.logits: has 4 bytes, needs 308"},
      {"/variants/0/phases/prefill/routing", json::array({129, 14}),
       "variants[0].phases.prefill.routing: lies outside the arena, or not at a multiple of 64"},
      {"/variants/0/phases/prefill/launches/2/grid/divisor", 0,
       "variants[0].phases.prefill.launches[2].grid.divisor: must be in 1 .. 1099511627776, is 0"},
      {"/variants/0/phases/prefill/launches/2/grid/tokens", int64_t(1) << 40,
       "variants[0].phases.prefill.launches[2].grid: has more than 2^40 blocks"},
      {"/variants/0/phases/prefill/launches/2/buffers/3", json::array({"param", 2}),
       "variants[0].phases.prefill.launches[2].buffers[3]: parameter 2 of 2"},
      {"/variants/0/phases/prefill/launches/2/buffers/5", json::array({"arena", 192, 321}),
       "variants[0].phases.prefill.launches[2].buffers[5]: lies outside the arena"},
      {"/variants/0/phases/prefill/launches/2/buffers/5", json::array({"arena", 190, 4}),
       "variants[0].phases.prefill.launches[2].buffers[5]: the arena offset 190 is not a multiple of 64"},
      {"/variants/0/phases/prefill/launches/0/buffers/0", json::array({"step", "no"}),
       "variants[0].phases.prefill.launches[0].buffers[0][1]: must be one of tokens, row_index, row_position, "
       "row_sequence, "
       "seq_start, seq_slot, out_index, out_start, forced, is 'no'"},
      {"/variants/0/stack_bytes", -1, "variants[0].stack_bytes: must be in 0 .. 4294967296, is -1"},
      {"/variants/0/phases/prefill/launches/0/layer", 2, "variants[0].phases.prefill.launches[0].layer: 2 of 2"},
  };
  for (const auto &[pointer, value, message] : cases)
    EXPECT_EQ(errorWith(pointer, value), begin + message) << pointer;
}

/// The toy's first parameter, of shape [11], with these fields.
json manifestWith(const json &fields) {
  json manifest = toy::manifest();
  manifest["parameters"][0].update(fields);
  return manifest;
}

TEST(Manifest, RowsOfATensorAreKept) {
  Result<Manifest> parsed =
      parseManifest(manifestWith({{"source_shape", json::array({30})}, {"source_row", 19}}).dump(), "m.chm");
  ASSERT_TRUE(bool(parsed)) << parsed.error().message;
  EXPECT_EQ(parsed->parameters[0].sourceShape, std::vector<int64_t>{30});
  EXPECT_EQ(parsed->parameters[0].sourceElements, 30);
  EXPECT_EQ(parsed->parameters[0].elements, 11);
  EXPECT_EQ(parsed->parameters[0].sourceRow, 19);
  EXPECT_EQ(parsed->parameters[1].sourceElements, 11);
  // A row may have another shape on disk, as long as it has as many elements.
  parsed = parseManifest(manifestWith({{"shape", {11, 6}}, {"source_shape", {20, 2, 3}}, {"source_row", 4}}).dump(),
                         "m.chm");
  ASSERT_TRUE(bool(parsed)) << parsed.error().message;
  EXPECT_EQ(parsed->parameters[0].sourceBegin(), 24);
  EXPECT_EQ(parsed->parameters[0].sourceRows(), 20);
  // A tensor of several matrices has the rows of all of them.
  parsed = parseManifest(manifestWith({{"shape", {11, 6}}, {"source_shape", {4, 22, 6}}, {"source_row", 77}}).dump(),
                         "m.chm");
  ASSERT_TRUE(bool(parsed)) << parsed.error().message;
  EXPECT_EQ(parsed->parameters[0].sourceBegin(), 462);
  EXPECT_EQ(parsed->parameters[0].sourceRows(), 88);
  parsed = parseManifest(manifestWith({{"shape", {11, 6}}, {"source_shape", {4, 22, 6}}, {"source_row", 78}}).dump(),
                         "m.chm");
  ASSERT_FALSE(bool(parsed));
  EXPECT_NE(parsed.error().message.find("source_row: must be in 0 .. 77, is 78"), std::string::npos)
      << parsed.error().message;
}

TEST(Manifest, AWrongRowIsNamed) {
  const int64_t most = int64_t(1) << 41;
  std::vector<std::pair<json, std::string>> cases = {
      {{{"source_row", 0}}, ""},
      {{{"source_row", 1}}, "parameters[0].source_row: must be in 0 .. 0, is 1"},
      {{{"source_shape", json::array({30})}, {"source_row", 19}}, ""},
      {{{"source_shape", json::array({30})}, {"source_row", 20}},
       "parameters[0].source_row: must be in 0 .. 19, is 20"},
      {{{"source_shape", json::array({30})}, {"source_row", -1}},
       "parameters[0].source_row: must be in 0 .. 19, is -1"},
      {{{"source_shape", json::array({30})}, {"source_row", INT64_MAX}},
       "parameters[0].source_row: must be in 0 .. 19, is 9223372036854775807"},
      {{{"source_shape", json::array({most})}, {"source_row", most - 11}}, ""},
      {{{"source_shape", json::array({most})}, {"source_row", most - 10}},
       "parameters[0].source_row: must be in 0 .. 2199023255541, is 2199023255542"},
      {{{"source_shape", {most, 2}}, {"source_row", 0}}, "parameters[0].source_shape: has more than 2^41 elements"},
      {{{"source_shape", json::array({10})}, {"source_row", 0}},
       "parameters[0]: source_shape must have at least as many rows as shape"},
      {{{"source_shape", {30, 2}}, {"source_row", 0}},
       "parameters[0]: the rows of source_shape must have as many elements as those of shape"},
      {{{"source_shape", json::array()}, {"source_row", 0}}, "parameters[0]: has a source_row but no rows"},
      {{{"shape", json::array()}, {"source_row", 0}}, "parameters[0]: has a source_row but no rows"},
      {{{"source_row", 0}, {"row_permutation", {1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10}}},
       "parameters[0]: has both a source_row and a row_permutation"},
      {{{"source_shape", json::array({30})}}, "parameters[0].source_shape: must have as many elements as shape"},
  };
  for (const auto &[fields, message] : cases)
    EXPECT_EQ(parseError(manifestWith(fields).dump()), message.empty() ? "" : "m.chm: bad manifest: " + message)
        << fields;
}

/// A manifest with a matrix that is packed twice: as it is, and interleaved with itself.
json packedManifest() {
  json manifest = toy::manifest();
  manifest["parameters"].push_back({{"name", "m"}, {"shape", {5, 10}}, {"dtype", "bf16"}, {"optional", false}});
  json packed = {{"parameters", json::array({2})}, {"format", "bf16"},   {"panel", 4}, {"group", 4},
                 {"interleaved", false},           {"bytes", 8 * 12 * 2}};
  json interleaved = {{"parameters", json::array({2, 2})},
                      {"format", "i8"},
                      {"panel", 4},
                      {"group", 8},
                      {"interleaved", true},
                      {"bytes", 16 * 33}};
  manifest["variants"][0]["packed"] = {packed, interleaved};
  manifest["variants"][0]["phases"]["prefill"]["launches"][2]["buffers"].push_back({"packed", 1});
  return manifest;
}

TEST(Manifest, AWrongPackedFormOrCountIsNamed) {
  Result<Manifest> parsed = parseManifest(packedManifest().dump(), "m.chm");
  ASSERT_TRUE(bool(parsed)) << parsed.error().message;
  EXPECT_EQ(parsed->variants[0].packed[1].format, WeightFormat::I8);
  EXPECT_EQ(parsed->variants[0].prefill.launches[2].buffers[6].kind, Buffer::Kind::Packed);
  EXPECT_EQ(parsed->variants[0].prefill.launches[2].count, -1);
  std::vector<std::tuple<std::string, json, std::string>> cases = {
      {"packed/0/bytes", 193, "packed[0]: has 193 bytes, its layout 192"},
      {"packed/0/panel", 0, "packed[0].panel: must be in 1 .. 4096, is 0"},
      {"packed/0/panel", 5, "packed[0]: has 192 bytes, its layout 120"},
      {"packed/0/group", 33, "packed[0].group: must be in 1 .. 32, is 33"},
      {"packed/0/format", "i2", "packed[0].format: must be one of f32, bf16, i8, i4, is 'i2'"},
      {"packed/0/format", "i4", "packed[0].group: must be 8"},
      {"packed/0/parameters/0", 0, "packed[0]: parameter 0 is no matrix of f32 or bf16"},
      {"packed/0/parameters/0", 3, "packed[0].parameters[0]: must be in 0 .. 2, is 3"},
      {"packed/0/parameters", json::array(), "packed[0].parameters: must not be empty"},
      {"packed/1/parameters", json::array({2}), "packed[1].parameters: must be two"},
      {"packed/1/group", 3, "packed[1].group: must divide 32"},
      {"phases/prefill/launches/2/buffers/6/1", 2, "phases.prefill.launches[2].buffers[6]: packed weights 2 of 2"},
      {"phases/prefill/launches/2/count", 7, "phases.prefill.launches[2].count: must be in 0 .. 6, is 7"},
      {"phases/prefill/launches/2/count", 3, "phases.prefill.launches[2].count: buffer 3 is no array of starts"},
      {"phases/prefill/launches/2/count", 0, "phases.prefill.launches[2].count: buffer 0 is no array of starts"},
  };
  for (const auto &[pointer, value, message] : cases) {
    json manifest = packedManifest();
    manifest[json::json_pointer("/variants/0/" + pointer)] = value;
    EXPECT_EQ(parseError(manifest.dump()), "m.chm: bad manifest: variants[0]." + message) << pointer;
  }
}

/// The toy's manifest as that of a GPU target, whose launches have threads.
json gpuManifest() {
  json manifest = toy::manifest();
  manifest["target"] = "sim";
  for (json &phase : manifest["variants"][0]["phases"])
    for (json &launch : phase["launches"])
      launch["threads"] = 128;
  return manifest;
}

TEST(Manifest, LaunchesOfGpuTargetsHaveThreads) {
  Result<Manifest> parsed = parseManifest(gpuManifest().dump(), "m.chm");
  ASSERT_TRUE(bool(parsed)) << parsed.error().message;
  EXPECT_EQ(parsed->variants[0].prefill.launches[0].threads, 128);
  const std::string launch = "phases.prefill.launches[0]", path = "/variants/0/phases/prefill/launches/0";
  std::vector<std::tuple<std::string, json, std::string>> cases = {
      {"/threads", 0, launch + ".threads: must be in 32 .. 1024, is 0"},
      {"/threads", 2048, launch + ".threads: must be in 32 .. 1024, is 2048"},
      {"/threads", 100, launch + ".threads: must be whole warps of 32, is 100"},
      {"/constants", json(std::vector<int64_t>(600)),
       launch + ": has " +
           std::to_string(8 *
                          (gpuManifest()["variants"][0]["phases"]["prefill"]["launches"][0]["buffers"].size() + 604)) +
           " bytes of buffers and arguments, a GPU kernel takes 4096"},
  };
  for (const auto &[pointer, value, message] : cases) {
    json manifest = gpuManifest();
    manifest[json::json_pointer(path + pointer)] = value;
    EXPECT_EQ(parseError(manifest.dump()).substr(std::string("m.chm: bad manifest: variants[0].").size()), message)
        << pointer;
  }
  json without = gpuManifest(), withThreads = gpuManifest();
  without["variants"][0]["phases"]["prefill"]["launches"][0].erase("threads");
  EXPECT_NE(parseError(without.dump()).find(".threads: must be whole warps of 32, is 0"), std::string::npos);
  withThreads["target"] = "ref";
  EXPECT_NE(parseError(withThreads.dump()).find(launch + ".threads: is for GPU targets"), std::string::npos);
}

TEST(Manifest, ThereIsAVariantAndNoTwoHaveOneName) {
  json manifest = toy::manifest();
  manifest["variants"].push_back(manifest["variants"][0]);
  EXPECT_EQ(parseError(manifest.dump()), "m.chm: bad manifest: variants: two are called 'x86-64'");
  manifest["variants"] = json::array();
  EXPECT_EQ(parseError(manifest.dump()), "m.chm: bad manifest: variants: must not be empty");
}

TEST(Manifest, AMissingFieldIsNamed) {
  json manifest = toy::manifest();
  manifest["variants"][0]["phases"]["prefill"].erase("arena_bytes");
  EXPECT_EQ(parseError(manifest.dump()), "m.chm: bad manifest: variants[0].phases.prefill: lacks 'arena_bytes'");
  EXPECT_EQ(parseError("[]"), "m.chm: bad manifest: must be an object");
}

TEST(Manifest, DecodeMayBeAbsent) {
  json manifest = toy::manifest();
  manifest["variants"][0]["phases"].erase("decode");
  EXPECT_EQ(parseError(manifest.dump()), "");
}

/// The toy's manifest with a training program, `edit` applied to it.
std::string trainingError(const std::string &pointer, const json &value) {
  json manifest = toy::manifest();
  json launch = manifest["variants"][0]["phases"]["prefill"]["launches"][2];
  launch["buffers"] = json::array();
  for (const char *kind : {"param", "grad", "total", "moment1", "moment2"})
    launch["buffers"].push_back({kind, 0});
  launch["buffers"].push_back({"step", "leaves"});
  manifest["trainable"] = json::array({0});
  manifest["variants"][0]["training"]["evaluate_hard"] = {
      {"max_tokens", 5},
      {"max_seqs", 2},
      {"arena_bytes", 512},
      {"results", {{"loss", {0, 16}}, {"statistics.1", {64, 112}}, {"modes", {192, 10}}}},
      {"launches", json::array({launch})}};
  if (!pointer.empty())
    manifest[json::json_pointer(pointer)] = value;
  return parseError(manifest.dump());
}

TEST(Manifest, AWrongTrainingProgramIsNamed) {
  EXPECT_EQ(trainingError("", nullptr), "");
  const std::string at = "/variants/0/training/evaluate_hard/";
  const std::string program = "variants[0].training.evaluate_hard.", buffer = program + "launches[0].buffers[0]";
  std::vector<std::tuple<std::string, json, std::string>> cases = {
      {"/trainable", json::array({2}), "trainable[0]: must be in 0 .. 1, is 2"},
      {"/trainable", json::array({1, 0}), "trainable: parameters must ascend"},
      {"/trainable", json::array(), program + "launches[0].buffers[1]: parameter 0 is not trainable"},
      {"/variants/0/training/evaluate", json::object(), "variants[0].training.evaluate: is no training program"},
      {"/variants/0/training", json::array(), "variants[0].training: must be an object"},
      {at + "max_tokens", 8, program + "max_tokens or max_seqs: more than the binary's limits"},
      {at + "results/loss", json::array({0, 8}), program + "results.loss: has 8 bytes, needs 16"},
      {at + "results/modes", json::array({192, 9}), program + "results.modes: has 9 bytes, needs 10"},
      {at + "results/statistics.1", json::array({64, 111}), program + "results.statistics: has 111 bytes, needs 112"},
      {at + "results/statistics.2", json::array({64, 112}), program + "results: statistics of layer 2 of 2"},
      {at + "results/statistics.01", json::array({64, 112}),
       program + "results.statistics.01: is no result of a program"},
      {at + "results/modes", json::array({512, 10}),
       program + "results.modes: lies outside the arena, or not at a multiple of 64"},
      {at + "results/other", json::array({0, 8}), program + "results.other: is no result of a program"},
      {at + "launches/0/buffers/0", json::array({"pages"}),
       buffer + ": a training program has neither caches nor packed weights"},
      {at + "launches/0/buffers/0", json::array({"grad", 1}), buffer + ": parameter 1 is not trainable"},
      {"/variants/0/phases/prefill/launches/2/buffers/3", json::array({"grad", 0}),
       "variants[0].phases.prefill.launches[2].buffers[3]: only training programs have gradients and moments"},
  };
  for (const auto &[pointer, value, message] : cases)
    EXPECT_EQ(trainingError(pointer, value), "m.chm: bad manifest: " + message) << pointer;
}

TEST(Manifest, OnlyABinaryForTrainingAloneHasNoPrefill) {
  json manifest = toy::manifest();
  manifest["variants"][0]["phases"] = json::object();
  EXPECT_EQ(parseError(manifest.dump()), "m.chm: bad manifest: variants[0].phases: lacks 'prefill'");
  manifest["variants"][0]["training"] = json::object();
  Result<Manifest> parsed = parseManifest(manifest.dump(), "m.chm");
  ASSERT_TRUE(bool(parsed)) << parsed.error().message;
  EXPECT_FALSE(parsed->variants[0].infers());
  Result<std::shared_ptr<const Model>> model = Model::load("m.chm", toy::binary(manifest.dump()));
  ASSERT_TRUE(bool(model));
  Result<std::unique_ptr<Session>> session = Session::create(*model, toy::weights(), {});
  ASSERT_FALSE(bool(session));
  EXPECT_EQ(session.error().message, "m.chm: has no programs of inference; it was compiled for training alone");
}

TEST(Manifest, WhatIsNotJsonIsAnError) {
  EXPECT_EQ(parseError(""), "m.chm: bad manifest: not valid JSON at byte 1");
  EXPECT_NE(parseError("{\"format\": 1e999}"), "");
  EXPECT_NE(parseError(std::string(100000, '[')), "");
  EXPECT_NE(parseError(std::string("{\"format\": \"\xFF\"}")), "");
}

TEST(Manifest, AKeyIsThereOnce) {
  std::string text = toy::manifest().dump();
  text.insert(1, "\"target\": \"ref\", ");
  EXPECT_EQ(parseError(text), "m.chm: bad manifest: the key 'target' occurs twice");
}

/// All places in a document.
void collect(const json &value, const json::json_pointer &at, std::vector<json::json_pointer> &places) {
  places.push_back(at);
  if (value.is_object())
    for (auto item = value.begin(); item != value.end(); ++item)
      collect(item.value(), at / item.key(), places);
  if (value.is_array())
    for (size_t i = 0; i < value.size(); ++i)
      collect(value[i], at / i, places);
}

json replacement(std::mt19937 &random) {
  switch (random() % 12) {
  case 0:
    return nullptr;
  case 1:
    return true;
  case 2:
    return -1;
  case 3:
    return INT64_MAX;
  case 4:
    return INT64_MIN;
  case 5:
    return UINT64_MAX;
  case 6:
    return 0.5;
  case 7:
    return "\n";
  case 8:
    return json::array();
  case 9:
    return json::object();
  case 10:
    return int64_t(random()) << 20;
  default:
    return random() % 70;
  }
}

// A manifest that is well-formed may still lie about its own kernels, so what loads is not run.
TEST(Manifest, EveryPlaceReplacedOrRemovedLoadsOrIsOneLineOfError) {
  const json good = manifestWith({{"source_shape", json::array({30})}, {"source_row", 19}});
  std::vector<json::json_pointer> places;
  collect(good, json::json_pointer(), places);
  std::mt19937 random(3);
  int refused = 0, rounds = 0;
  for (const json::json_pointer &at : places)
    for (int variant = 0; variant < 4; ++variant, ++rounds) {
      json bad = good;
      if (variant == 0 && !at.empty()) {
        json &parent = bad[at.parent_pointer()];
        parent.is_object() ? (void)parent.erase(at.back()) : parent.erase(std::stoul(at.back()));
      } else {
        bad[at] = replacement(random);
      }
      Result<std::shared_ptr<const Model>> model = Model::load("m.chm", toy::binary(bad.dump()));
      if (model)
        continue;
      ++refused;
      EXPECT_EQ(model.error().message.rfind("m.chm: ", 0), 0u);
      EXPECT_EQ(model.error().message.find('\n'), std::string::npos);
    }
  EXPECT_GT(refused, rounds / 2);
}

TEST(Manifest, EveryByteOfTheTextChangedIsParsedOrAnError) {
  const std::string good = manifestWith({{"source_shape", json::array({30})}, {"source_row", 19}}).dump();
  std::mt19937 random(4);
  int refused = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = char(random());
    refused += !parseError(bad).empty();
    bad = good.substr(0, at);
    EXPECT_NE(parseError(bad), "") << at;
  }
  EXPECT_GT(refused, int(good.size()) / 2);
}

} // namespace
} // namespace chimera::runtime
