// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a command line says of a model that makes text.
#ifndef CHIMERA_TOOLS_GENERATION_MODELOPTIONS_H
#define CHIMERA_TOOLS_GENERATION_MODELOPTIONS_H

#include <cstdint>
#include <string>
#include <vector>

namespace chimera::run {

/// The model, where what belongs to it lies, and what it may use.
struct ModelOptions {
  std::string model; ///< "-": the standard input, as for `chatTemplate`.
  std::string weights;
  int64_t threads = 0;       ///< 0: as many as the process may use.
  int64_t memoryLimit = 0;   ///< Bytes of the caches; 0: what the process may use.
  std::string tokenizer;     ///< A file or folder, or "bytes". Empty: see run::Tokenizer::open.
  std::string chatTemplate;  ///< Empty: the model's own.
  bool parseSpecial = false; ///< Special tokens that are written in a text count as those tokens.
  /// What starts render-chat.py; empty: python3, with that program where the build and the installation put it.
  std::vector<std::string> renderChat;
};

/// What messages say of a text's origin.
struct TextSource {
  std::string prefix;    ///< In front of them: "--prompt: ".
  std::string otherwise; ///< Behind them, how to do without a tokenizer: " (--tokens FILE takes the ids)".
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_GENERATION_MODELOPTIONS_H
