// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a tokenizer.model says beside its pieces, and whether libsentencepiece can use it safely.
#ifndef CHIMERA_RUNTIME_TEXT_SENTENCEPIECEMODEL_H
#define CHIMERA_RUNTIME_TEXT_SENTENCEPIECEMODEL_H

#include "runtime/io/Result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace chimera::text {

/// The settings of a model that decoding needs (sentencepiece_model.proto).
struct SentencePieceModel {
  bool addDummyPrefix = true, removeExtraSpaces = true;
  std::string unknownSurface = " \xE2\x81\x87 ";

  /// Reads them, and checks the table of the normalizer: libsentencepiece follows its offsets wherever they lead. A
  /// denormalizer is not supported. The error does not name the file.
  static io::Result<SentencePieceModel> read(std::string_view bytes);
};

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_SENTENCEPIECEMODEL_H
