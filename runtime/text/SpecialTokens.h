// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the files beside a tokenizer say of the tokens that begin and end a text.
#ifndef CHIMERA_RUNTIME_TEXT_SPECIALTOKENS_H
#define CHIMERA_RUNTIME_TEXT_SPECIALTOKENS_H

#include "runtime/io/Result.h"
#include "runtime/text/PostProcessor.h"

#include <functional>
#include <optional>
#include <string>

namespace chimera::text {

/// From tokenizer_config.json (add_bos_token, add_eos_token, bos_token, eos_token), and, for the tokens alone, from
/// special_tokens_map.json. Other fields do not change how a text is encoded here.
struct SpecialTokens {
  std::optional<bool> addBegin, addEnd;
  std::optional<std::string> begin, end;

  /// Reads both files of `folder`, of which each may be missing. The error names the file.
  static io::Result<SpecialTokens> read(const std::string &folder);

  /// Puts the tokens that begin and end a text into `frame`, or takes them out, where the files say either. `idOf`
  /// finds a token's id.
  io::Status apply(Frame &frame, const std::function<std::optional<int32_t>(const std::string &)> &idOf) const;
};

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_SPECIALTOKENS_H
