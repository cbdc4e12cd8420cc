// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Report.h"

#include "runtime/io/AtomicFile.h"
#include "runtime/io/HtmlPage.h"
#include "tools/generation/TokenTexts.h"
#include "tools/generation/Tokenizer.h"

#include <algorithm>

namespace chimera {

/// Of the folder page (cmake/Pages.cmake).
extern const io::HtmlTemplate runPage;

} // namespace chimera

namespace chimera::run {

using nlohmann::json;

/// What a browser still shows at once.
static constexpr size_t mostSequences = 64, mostTokens = 1 << 18, mostSamples = 1024;

void Report::begin(chimera_sequence sequence, int64_t first) {
  running[sequence] = sequences.size();
  sequences.push_back({first, {}, {}, {}});
}

void Report::end(chimera_sequence sequence) {
  running.erase(sequence);
}

void Report::thin(std::vector<Sample> &samples) {
  if (samples.size() <= mostSamples)
    return;
  size_t kept = 0;
  for (size_t i = 0; i < samples.size(); i += 2)
    samples[kept++] = samples[i];
  if (samples.size() % 2 == 0) // The last stays.
    samples[kept++] = samples.back();
  samples.resize(kept);
}

void Report::add(chimera_sequence sequence, const int32_t *tokens, int64_t count, const int8_t *modes,
                 const chimera_memory &memory) {
  auto found = running.find(sequence);
  if (found == running.end() || count == 0)
    return;
  Sequence &into = sequences[found->second];
  if (found->second >= mostSequences || into.tokens.size() + size_t(count) > mostTokens) {
    left += count;
    return;
  }
  into.tokens.insert(into.tokens.end(), tokens, tokens + count);
  into.modes.insert(into.modes.end(), modes, modes + count * layers);
  Sample sample{into.first + int64_t(into.tokens.size()), {}, {}};
  std::copy_n(memory.reserved, CHIMERA_MEMORY_COUNT, sample.reserved);
  std::copy_n(memory.used, CHIMERA_MEMORY_COUNT, sample.used);
  into.samples.push_back(sample);
  thin(into.samples);
}

/// The text of each token.
static json textsOf(const std::vector<int32_t> &tokens, const Tokenizer &tokenizer) {
  TokenTexts parts(tokenizer.stream());
  json texts = json::array();
  for (int32_t token : tokens)
    texts.push_back(parts.push(token));
  if (!texts.empty())
    texts.back() = texts.back().get<std::string>() + parts.end();
  return texts;
}

io::Status Report::write(const std::string &path, const std::string &name, const chimera_model *model,
                         const Tokenizer *tokenizer) const {
  json data = {{"model", name}, {"left", left}, {"layers", json::array()}, {"sequences", json::array()}};
  for (int64_t layer = 0; layer < layers; ++layer)
    data["layers"].push_back(chimera_model_layer_modes(model, layer));
  for (const Sequence &sequence : sequences) {
    if (sequence.tokens.empty())
      continue;
    json one = {{"first", sequence.first}, {"ids", sequence.tokens}};
    if (tokenizer)
      one["texts"] = textsOf(sequence.tokens, *tokenizer);
    for (int64_t layer = 0; layer < layers; ++layer) { // A digit for each token.
      std::string digits(sequence.tokens.size(), '-');
      for (size_t t = 0; t < digits.size(); ++t)
        if (int8_t mode = sequence.modes[t * size_t(layers) + size_t(layer)]; mode >= 0)
          digits[t] = char('0' + mode);
      one["modes"].push_back(std::move(digits));
    }
    for (const Sample &sample : sequence.samples)
      one["caches"].push_back({{"position", sample.position}, {"reserved", sample.reserved}, {"used", sample.used}});
    data["sequences"].push_back(std::move(one));
  }
  return io::writeWhole(path, io::htmlPage(runPage, data));
}

} // namespace chimera::run
