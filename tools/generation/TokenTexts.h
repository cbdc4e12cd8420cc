// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of a text that belongs to each of its tokens.
#ifndef CHIMERA_TOOLS_GENERATION_TOKENTEXTS_H
#define CHIMERA_TOOLS_GENERATION_TOKENTEXTS_H

#include "runtime/text/Tokenizer.h"
#include "runtime/text/Utf8.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace chimera::run {

/// Gives each token its part of the text, in whole characters: one that several tokens make is the last one's.
class TokenTexts {
public:
  /// `decoder` as Tokenizer::stream gives it.
  explicit TokenTexts(std::unique_ptr<text::StreamDecoder> decoder) : decoder(std::move(decoder)) {}

  /// The next token's part, well-formed UTF-8; "" also where it cannot be decoded.
  std::string push(int32_t token) {
    std::string text;
    if (io::Result<std::string> part = decoder->push(token))
      characters.push(*part, text);
    return text;
  }

  /// Ends the text: what is left of it.
  std::string end() {
    std::string rest;
    if (io::Result<std::string> part = decoder->flush())
      characters.push(*part, rest);
    characters.finish(rest);
    return rest;
  }

private:
  std::unique_ptr<text::StreamDecoder> decoder;
  text::LossyDecoder characters;
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_GENERATION_TOKENTEXTS_H
