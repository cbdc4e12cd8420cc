// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/runtime/ToyModel.h"

#include "runtime/core/ModelFile.h"
#include "runtime/io/Safetensors.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace chimera::runtime::toy {

using nlohmann::json;

[[noreturn]] static void stop(const std::string &what) {
  std::fprintf(stderr, "toy model: %s\n", what.c_str());
  std::abort();
}

static json layerLaunch(int64_t layer) {
  int64_t pool = layer * 6;
  return {{"kernel", "toy_layer"},
          {"op", "toy.layer"},
          {"layer", layer},
          {"grid", {{"tokens", 0}, {"seqs", 1}, {"outputs", 0}, {"constant", 0}, {"divisor", 1}}},
          {"buffers",
           {{"step", "tokens"},
            {"step", "row_position"},
            {"step", "seq_start"},
            {"step", "seq_slot"},
            {"step", "forced"},
            {"pool", pool},
            {"pool", pool + 1},
            {"pool", pool + 2},
            {"pool", pool + 3},
            json::array({"pages"}),
            {"table", layer},
            {"pool", pool + 4},
            {"arena", 64 * layer, maxTokens * 4},
            {"arena", 128, maxTokens * layers}}},
          {"constants", {layer, layers}}};
}

static json phase(int64_t tokens) {
  json logits = {{"kernel", "toy_logits"},
                 {"op", "toy.logits"},
                 {"layer", -1},
                 {"grid", {{"tokens", 0}, {"seqs", 0}, {"outputs", vocab}, {"constant", 0}, {"divisor", 1}}},
                 {"buffers",
                  {{"step", "out_index"},
                   {"arena", 0, maxTokens * 4},
                   {"arena", 64, maxTokens * 4},
                   {"param", 0},
                   {"param", 1},
                   {"arena", 192, maxTokens * vocab * 4}}},
                 {"constants", json::array({vocab})}};
  return {{"max_tokens", tokens},
          {"max_seqs", maxSeqs},
          {"arena_bytes", 512},
          {"logits", {192, maxTokens * vocab * 4}},
          {"routing", {128, maxTokens * layers}},
          {"launches", {layerLaunch(0), layerLaunch(1), logits}}};
}

json manifest() {
  json pools = json::array(), caches = json::array();
  for (int64_t layer = 0; layer < layers; ++layer) {
    std::string prefix = "layers." + std::to_string(layer) + ".";
    auto pool = [&](const char *name, const char *mode, int64_t bytes) {
      pools.push_back({{"name", prefix + name}, {"layer", layer}, {"mode", mode}, {"bytes_per_slot", bytes}});
    };
    pool("counts", "route", 16);
    pool("state", "ssm", 4);
    pool("ring", "swa", window * 4);
    pool("ring_count", "swa", 8);
    pool("length", "full", 8);
    // The format's rings have keys and values; here one half holds tokens and the other is the empty pool.
    pool("ring_values", "swa", 0);
    int64_t base = layer * 6;
    caches.push_back({{"layer", layer}, {"mode", "route"}, {"kind", "counts"}, {"pools", json::array({base})}});
    caches.push_back({{"layer", layer}, {"mode", "ssm"}, {"kind", "state"}, {"pools", json::array({base + 1})}});
    caches.push_back({{"layer", layer},
                      {"mode", "swa"},
                      {"kind", "ring"},
                      {"pools", {base + 2, base + 5, base + 3}},
                      {"room", window}});
    caches.push_back(
        {{"layer", layer}, {"mode", "full"}, {"kind", "list"}, {"pools", json::array({base + 4})}, {"table", layer}});
  }
  json modes = {{"modes", {"ssm", "full"}}, {"forceable", {"ssm", "full"}}, {"target", {0.75, 0.25}}};
  return {{"format", "chimera-model"},
          {"version", chimera::abi::formatVersion},
          {"producer", "toy"},
          {"target", "ref"},
          {"dtype", "f32"},
          {"numerics", "invariant"},
          {"limits", {{"max_tokens", maxTokens}, {"max_seqs", maxSeqs}}},
          {"model",
           {{"vocab_size", vocab},
            {"hidden_size", 1},
            {"window", window},
            {"head_dim", 0},
            {"num_attention_heads", 0},
            {"num_key_value_heads", 0},
            {"bos_token_id", 1},
            {"eos_token_ids", {2, 9}},
            {"max_position_embeddings", nullptr},
            {"layers", {modes, modes}}}},
          {"parameters",
           {{{"name", "scale"}, {"shape", json::array({vocab})}, {"dtype", "f32"}, {"optional", false}},
            {{"name", "bias"}, {"shape", json::array({vocab})}, {"dtype", "f32"}, {"optional", true}}}},
          {"pools", pools},
          {"caches", caches},
          {"pages", {{"entries", 64}, {"bytes", 256}, {"tables", layers}}},
          {"variants", json::array({{{"name", "x86-64"},
                                     {"features", json::array({"sse2"})},
                                     {"packed", json::array()},
                                     {"stack_bytes", 4096},
                                     {"phases", {{"prefill", phase(maxTokens)}, {"decode", phase(maxSeqs)}}}}})}};
}

std::vector<uint8_t> binary(const std::string &manifestText) {
  std::ifstream file(CHIMERA_TOY_LIBRARY, std::ios::binary);
  std::vector<uint8_t> elf((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  Result<ByteSpan> section = findSection({elf.data(), elf.size()}, ".chimera.manifest");
  if (!section)
    stop(section.error().message);
  if (manifestText.size() > section->size)
    stop("the manifest is too large for its section");
  uint8_t *text = elf.data() + (section->data - elf.data());
  std::memset(text, ' ', section->size);
  std::memcpy(text, manifestText.data(), manifestText.size());
  appendTrailer(elf);
  return elf;
}

std::string writeWeights(const std::string &folder, float factor) {
  std::vector<float> scale;
  for (int64_t i = 0; i < vocab; ++i)
    scale.push_back((1.0f + 0.25f * float(i)) * factor);
  io::TensorView view;
  view.name = "scale";
  view.shape = {vocab};
  view.data = reinterpret_cast<const uint8_t *>(scale.data());
  view.bytes = scale.size() * 4;
  io::TensorView unused = view;
  unused.name = "unused";
  std::string path = folder + "/model.safetensors";
  if (io::Status status = io::writeSafetensors(path, {view, unused}); !status)
    stop(status.error().message);
  return path;
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "chimera-test-XXXXXX").string();
  if (!mkdtemp(pattern.data()))
    stop("no temporary folder");
  folder = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

std::shared_ptr<const Model> model() {
  static std::shared_ptr<const Model> loaded = [] {
    Result<std::shared_ptr<const Model>> result = Model::load("toy.chm", binary());
    if (!result)
      stop(result.error().message);
    return *result;
  }();
  return loaded;
}

std::shared_ptr<const Weights> weights() {
  static std::shared_ptr<const Weights> loaded = [] {
    TemporaryFolder folder;
    Result<std::shared_ptr<const Weights>> result = Weights::load(model(), writeWeights(folder.path()));
    if (!result)
      stop(result.error().message);
    return *result;
  }();
  return loaded;
}

std::unique_ptr<Session> session(SessionOptions options) {
  options.poison = true;
  if (options.threads == 0)
    options.threads = 1;
  Result<std::unique_ptr<Session>> made = Session::create(model(), weights(), options);
  if (!made)
    stop(made.error().message);
  return std::move(*made);
}

Expected expected(const std::vector<int32_t> &tokens, const std::vector<int8_t> &forced) {
  Expected result;
  uint32_t hash[layers], state[layers] = {}, ssmTokens[layers] = {};
  std::vector<uint32_t> list[layers];
  for (size_t t = 0; t < tokens.size(); ++t) {
    uint32_t token = uint32_t(tokens[t]);
    for (int64_t l = 0; l < layers; ++l) {
      int mode = forced.empty() ? -1 : forced[t * layers + size_t(l)];
      if (mode < 0)
        mode = token % 2 ? CHIMERA_MODE_FULL : CHIMERA_MODE_SSM;
      result.routing.push_back(int8_t(mode));
      if (mode == CHIMERA_MODE_FULL) {
        list[l].push_back(token);
      } else {
        state[l] = state[l] * 31 + token + 1;
        ++ssmTokens[l];
      }
      uint32_t h = uint32_t(t) * 7 + token + uint32_t(l) + ssmTokens[l] * 3 + state[l];
      for (uint32_t entry : list[l])
        h = h * 33 + entry;
      for (size_t e = t + 1 < size_t(window) ? 0 : t + 1 - size_t(window); e <= t; ++e)
        h = h * 17 + uint32_t(tokens[e]);
      hash[l] = h;
    }
    std::vector<float> logits;
    for (int64_t v = 0; v < vocab; ++v)
      logits.push_back(float((hash[0] ^ (hash[1] >> 3) ^ uint32_t(v)) & 0xFFFF) * (1.0f + 0.25f * float(v)));
    result.logits.push_back(logits);
  }
  return result;
}

std::vector<int32_t> randomTokens(uint32_t seed, int64_t count) {
  std::mt19937 engine(seed);
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < count; ++i)
    tokens.push_back(int32_t(engine() % vocab));
  return tokens;
}

} // namespace chimera::runtime::toy
