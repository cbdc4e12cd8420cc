// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a tokenizer cuts a text into the pieces that its model works on one by one.
#ifndef CHIMERA_RUNTIME_TEXT_PRETOKENIZER_H
#define CHIMERA_RUNTIME_TEXT_PRETOKENIZER_H

#include "runtime/io/Result.h"
#include "runtime/text/Normalizer.h"
#include "runtime/text/Regex.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace chimera::text {

/// A section in pieces: spans of `text`, in order, none empty. What no span has is dropped.
struct Pieces {
  explicit Pieces(Section section);

  std::string_view at(size_t index) const {
    return std::string_view(text).substr(spans[index].begin, spans[index].end - spans[index].begin);
  }

  std::string text;
  std::vector<Span> spans;
  bool atStart; ///< The first piece begins at the start of the whole text.
};

/// One step of cutting.
class PreTokenizer {
public:
  /// Reads the object at `where` of a tokenizer.json. The error names what is not supported and where.
  static io::Result<std::unique_ptr<PreTokenizer>> read(const nlohmann::json &object, const std::string &where);

  virtual ~PreTokenizer() = default;
  /// Cuts each piece, and may change what is in it. The error: a regular expression takes too long.
  virtual io::Status apply(Pieces &pieces) const = 0;
};

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_PRETOKENIZER_H
