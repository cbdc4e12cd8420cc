// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokenizers in tokenizer.model, by libsentencepiece.
#ifndef CHIMERA_RUNTIME_TEXT_SENTENCEPIECE_H
#define CHIMERA_RUNTIME_TEXT_SENTENCEPIECE_H

#include "runtime/text/SpecialTokens.h"
#include "runtime/text/Tokenizer.h"

namespace chimera::text {

/// Makes a tokenizer of the `size` bytes of a tokenizer.model; `special` comes from the files beside it: without them
/// the model's token that begins a text is added, as Llama's and Gemma's tokenizers do. The error does not name the
/// file.
io::Result<std::unique_ptr<Tokenizer>> makeSentencePiece(const void *bytes, size_t size, const SpecialTokens &special);

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_SENTENCEPIECE_H
