// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model that has the bytes of a text as its tokens, and what it makes of them.
#ifndef CHIMERA_TEST_CHIMERARUN_BYTEMODEL_H
#define CHIMERA_TEST_CHIMERARUN_BYTEMODEL_H

#include "runtime/core/Sampler.h"
#include "test/chimera-run/ToyTool.h"

namespace chimera::test {

/// The toy model with more tokens than bytes, as m.chm with its weights.
class ByteModelTest : public ToolTest {
protected:
  static constexpr int64_t vocab = 300;

  ByteModelTest();

  /// Writes m.chm for a vocabulary of `vocabulary` tokens with these start and end tokens. `more`: other keys
  /// of the manifest's model.
  void writeModel(const nlohmann::json &bos, const nlohmann::json &eos, int64_t vocabulary = vocab,
                  const nlohmann::json &more = nlohmann::json::object()) const;
  /// Writes weights for it as model.safetensors: letters are likelier than the rest, or only the first `letters` of
  /// them. The logits of `nanToken` are NaN.
  void writeWeights(int64_t vocabulary = vocab, int64_t nanToken = -1, int letters = 26) const;

  /// A tokenizer.json: bytes have their own values as ids, th is 256. Special tokens have these ids; <s>, which is 257
  /// among them, begins a text.
  static std::string tokenizerJson(const std::vector<std::pair<std::string, int64_t>> &specials);

  /// The `count` tokens that are chosen, by the toy's definition, after `tokens`, the beginning of sequence `number`.
  /// `forced`: the modes of those tokens, or none. `letters`: as the weights were written with.
  static std::vector<int32_t> chosen(std::vector<int32_t> tokens, size_t count, const SamplerOptions &options,
                                     uint64_t number = 0, std::vector<int8_t> forced = {}, int letters = 26);

  /// Tokens as chimera-run prints them.
  static std::string textOf(const std::vector<int32_t> &tokens);
  static std::string continuation(const std::vector<int32_t> &tokens, size_t count, const SamplerOptions &options) {
    return textOf(chosen(tokens, count, options));
  }
  static std::vector<int32_t> bytesOf(const std::string &text) { return {text.begin(), text.end()}; }
};

} // namespace chimera::test

#endif // CHIMERA_TEST_CHIMERARUN_BYTEMODEL_H
