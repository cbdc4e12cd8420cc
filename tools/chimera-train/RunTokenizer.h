// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tokenizer of a run's texts.
#ifndef CHIMERA_TOOLS_CHIMERATRAIN_RUNTOKENIZER_H
#define CHIMERA_TOOLS_CHIMERATRAIN_RUNTOKENIZER_H

#include "dialect/frontend/Config.h"
#include "runtime/core/Error.h"
#include "tools/chimera-train/Options.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace chimera::train {

/// What a trained model's folder has of its tokenizer: one of the first two, or both, and those of the others that
/// exist.
inline constexpr const char *filesOfTokenizer[] = {"tokenizer.json", "tokenizer.model", "tokenizer_config.json",
                                                   "special_tokens_map.json", "chat_template.jinja"};

/// Encodes texts, and keeps their ids in --out as `tokens-DIGEST.bin`, so that they are encoded once.
class RunTokenizer {
public:
  /// The tokenizer that the command line names, or that lies beside the model; nothing where there is none, or bytes
  /// are to be tokens. It is not opened yet. Errors: a named one is not there; files beside it cannot be read.
  static runtime::Result<std::optional<RunTokenizer>> find(const Options &options, const Config &model);

  /// A digest of all that decides which ids a text has.
  const std::string &digest() const { return content; }

  /// The file of ids of these texts. It is made when it is not there, or not whole; `say` is told that,
  /// and when it takes long.
  runtime::Result<std::string> encode(const std::vector<std::string> &texts,
                                      const std::function<void(const std::string &)> &say) const;

  /// Fails when --out holds another tokenizer, which copyFiles would replace.
  runtime::Failure checkOutput() const;
  /// Copies the tokenizer's files into --out.
  runtime::Failure copyFiles() const;

private:
  explicit RunTokenizer(const Options &options) : options(options) {}
  runtime::Failure describe();
  std::string nameOfCopy() const;

  const Options &options;
  int64_t vocabulary = 0;
  std::optional<int32_t> end; ///< The token that ends a text.
  std::string path, content;
};

} // namespace chimera::train

#endif // CHIMERA_TOOLS_CHIMERATRAIN_RUNTOKENIZER_H
