// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whether the tokens of a model are the bytes of a text.
#ifndef CHIMERA_RUNTIME_IO_VOCABULARY_H
#define CHIMERA_RUNTIME_IO_VOCABULARY_H

#include "runtime/io/Result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace chimera::io {

/// The most ids of a vocabulary that may be bytes and some special tokens.
inline constexpr int64_t mostByteVocabulary = 512;

/// Whether a text may be given to a model byte by byte: token i is byte i. `places` are where its files lie: model
/// directories, or files (weights, a config.json), beside which is looked. An error when a tokenizer lies in one of
/// them, or when there are more than `mostByteVocabulary` ids: such a model would take the bytes for other tokens, and
/// nothing would tell. Not to be asked when the user says --tokenizer=bytes, which the error names.
Status bytesAreTokens(const std::vector<std::string> &places, int64_t vocabSize);

/// `place` if it is a folder, otherwise the folder of the file there.
std::string folderOf(const std::string &place);

/// The path of a tokenizer's file in the folder at `place`, or beside the file at `place`; empty when there is none.
std::string findTokenizer(const std::string &place);

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_VOCABULARY_H
