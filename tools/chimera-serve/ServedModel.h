// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The model that is served, with its tokenizer and chat template.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_SERVEDMODEL_H
#define CHIMERA_TOOLS_CHIMERASERVE_SERVEDMODEL_H

#include "tools/chimera-serve/MemoryPlan.h"
#include "tools/generation/ChatTemplate.h"
#include "tools/generation/Engine.h"
#include "tools/generation/ModelOptions.h"
#include "tools/generation/Tokenizer.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace chimera::serve {

/// What threads that answer requests may use at once: everything but the session, which is the scheduler's.
class ServedModel {
public:
  /// Loads the model and what belongs to it. A tokenizer or template that is missing is an error of the requests that
  /// need it; one that was named, or is damaged, is an error here.
  static io::Result<std::unique_ptr<ServedModel>> open(const run::ModelOptions &options);

  /// The engine, whose session only the scheduler uses.
  run::Engine engine;
  int64_t memoryLimit = 0; ///< Bytes of the caches.

  const runtime::Manifest &manifest() const { return *about; }
  /// The digest of binary, variant and weights, in hexadecimal.
  const std::string &digest() const { return hexDigest; }

  /// The tokens of a text, with those around it.
  io::Result<std::vector<int32_t>> encode(const std::string &text) const;
  /// The tokens of messages and of the beginning of an answer.
  io::Result<std::vector<int32_t>> encodeMessages(const nlohmann::json &messages);
  /// The token that ends an answer as the model's end tokens do.
  std::optional<int32_t> endOfAnswer() const;
  /// The text of some tokens.
  io::Result<std::string> decode(const std::vector<int32_t> &tokens) const;
  /// Begins a text; null where tokens have none.
  std::unique_ptr<text::StreamDecoder> stream() const { return tokenizer ? tokenizer->stream() : nullptr; }
  bool hasText() const { return tokenizer != nullptr; }
  bool hasTemplate() const { return chatTemplate.has_value(); }
  /// Why tokens have no text.
  const std::string &noText() const { return tokenizerError; }

  /// A token as it stands within a text; its name in the tokenizer's file where it is no text of its own. Not unique.
  std::string textOf(int32_t token) const;

private:
  explicit ServedModel(run::Engine engine) : engine(std::move(engine)) {}
  io::Status openText(const run::ModelOptions &options);
  int64_t defaultMemoryLimit() const;

  std::optional<runtime::Manifest> about;
  std::string hexDigest;
  bool parseSpecial = false;
  std::unique_ptr<run::Tokenizer> tokenizer; ///< Null: none, and why.
  std::string tokenizerError;
  std::optional<int32_t> plainToken; ///< Stands in front of a token so that it does not begin the text.
  std::mutex rendering;              ///< Guards the template: one process renders one conversation at a time.
  std::optional<run::ChatTemplate> chatTemplate;
  std::string templateError;
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_SERVEDMODEL_H
