// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The text of new tokens in parts that can be sent at once.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_TEXTSTREAM_H
#define CHIMERA_TOOLS_CHIMERASERVE_TEXTSTREAM_H

#include "runtime/text/Tokenizer.h"
#include "runtime/text/Utf8.h"
#include "tools/generation/StopStrings.h"

#include <memory>
#include <string>
#include <vector>

namespace chimera::serve {

/// Tokens to text that ends before the first of some strings.
class TextStream {
public:
  /// `decoder` null: tokens have no text.
  TextStream(std::unique_ptr<text::StreamDecoder> decoder, std::vector<std::string> stop)
      : decoder(std::move(decoder)), stop(std::move(stop)) {}

  /// What can be sent with this token, well-formed UTF-8; often nothing.
  io::Result<std::string> push(int32_t token);
  /// Ends the text: the rest of it.
  io::Result<std::string> end();
  /// Whether one of the strings was found: no more tokens are needed.
  bool stopped() const { return stop.found(); }

private:
  std::unique_ptr<text::StreamDecoder> decoder;
  run::StopStrings stop;
  text::LossyDecoder wellFormed; ///< Where bytes are tokens, the model may make any.
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_TEXTSTREAM_H
