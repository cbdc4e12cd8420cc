// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/chimera-run/ByteModel.h"

#include "runtime/io/Safetensors.h"
#include "runtime/text/Normalizer.h"
#include "runtime/text/Utf8.h"

#include <cmath>

namespace chimera::test {

namespace toy = runtime::toy;
using nlohmann::json;

static std::vector<float> scales(int64_t vocabulary, int letters = 26) {
  std::vector<float> scale(size_t(vocabulary), 0.25f);
  for (int64_t id = 'a'; id < 'a' + letters && id < vocabulary; ++id)
    scale[size_t(id)] = 1.0f + 0.0001f * float((id * 7) % 26);
  if (vocabulary > 280 && letters == 26)
    scale[280] = 1.001f;
  return scale;
}

ByteModelTest::ByteModelTest() {
  writeModel(nullptr, nlohmann::json::array());
  writeWeights();
}

void ByteModelTest::writeWeights(int64_t vocabulary, int64_t nanToken, int letters) const {
  std::vector<float> scale = scales(vocabulary, letters);
  if (nanToken >= 0)
    scale[size_t(nanToken)] = std::nanf("");
  io::TensorView view;
  view.name = "scale";
  view.shape = {vocabulary};
  view.data = reinterpret_cast<const uint8_t *>(scale.data());
  view.bytes = scale.size() * sizeof(float);
  ASSERT_TRUE(io::writeSafetensors(file("model.safetensors"), {view}));
}

void ByteModelTest::writeModel(const nlohmann::json &bos, const nlohmann::json &eos, int64_t vocabulary,
                               const nlohmann::json &more) const {
  nlohmann::json manifest = toy::manifest();
  int64_t bytes = toy::maxTokens * vocabulary * 4;
  manifest["model"]["vocab_size"] = vocabulary;
  manifest["model"]["bos_token_id"] = bos;
  manifest["model"]["eos_token_ids"] = eos;
  manifest["model"].update(more);
  for (nlohmann::json &parameter : manifest["parameters"])
    parameter["shape"] = {vocabulary};
  for (nlohmann::json &phase : manifest["variants"][0]["phases"]) {
    phase["arena_bytes"] = 192 + (bytes + 63) / 64 * 64;
    phase["logits"] = {192, bytes};
    nlohmann::json &launch = phase["launches"].back();
    launch["grid"]["outputs"] = vocabulary;
    launch["constants"] = {vocabulary};
    launch["buffers"].back()[2] = bytes;
  }
  std::vector<uint8_t> binary = toy::binary(manifest.dump());
  writeFile(file("m.chm"), std::string(binary.begin(), binary.end()));
}

/// The logits after `tokens`: the toy's logit of token 0 is its hash times 1.
static std::vector<float> logitsAfter(const std::vector<int32_t> &tokens, const std::vector<int8_t> &forced,
                                      int64_t vocabulary, int letters) {
  auto hash = uint32_t(toy::expected(tokens, forced).logits.back()[0]);
  std::vector<float> scale = scales(vocabulary, letters), logits;
  for (int64_t v = 0; v < vocabulary; ++v)
    logits.push_back(float((hash ^ uint32_t(v)) & 0xFFFF) * scale[size_t(v)]);
  return logits;
}

std::vector<int32_t> ByteModelTest::chosen(std::vector<int32_t> tokens, size_t count, const SamplerOptions &options,
                                           uint64_t number, std::vector<int8_t> forced, int letters) {
  Sampler sampler(options);
  size_t first = tokens.size();
  while (tokens.size() < first + count) {
    std::vector<float> logits = logitsAfter(tokens, forced, vocab, letters);
    tokens.push_back(*sampler.sample(logits.data(), vocab, number, tokens.size()));
    if (!forced.empty())
      forced.resize(tokens.size() * toy::layers, -1);
  }
  return {tokens.begin() + std::ptrdiff_t(first), tokens.end()};
}

std::string ByteModelTest::textOf(const std::vector<int32_t> &tokens) {
  std::string text;
  for (int32_t token : tokens)
    text += token < 256 ? std::string(1, char(token)) : "<" + std::to_string(token) + ">";
  return text;
}

std::string ByteModelTest::tokenizerJson(const std::vector<std::pair<std::string, int64_t>> &specials) {
  json vocab, added = json::array();
  for (int byte = 0; byte < 256; ++byte) {
    std::string character;
    text::append(character, text::byteCharacter(uint8_t(byte)));
    vocab[character] = byte;
  }
  vocab["th"] = 256;
  for (const auto &[content, id] : specials)
    added.push_back({{"id", id},
                     {"content", content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  json begin = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}}, a = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  return json{{"version", "1.0"},
              {"added_tokens", added},
              {"pre_tokenizer", bytes},
              {"decoder", bytes},
              {"post_processor",
               {{"type", "TemplateProcessing"},
                {"single", json::array({begin, a})},
                {"pair", json::array()},
                {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {257}}, {"tokens", {"<s>"}}}}}}}},
              {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"t h"}}}}}
      .dump();
}

} // namespace chimera::test
