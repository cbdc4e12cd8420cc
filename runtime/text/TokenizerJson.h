// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokenizers in tokenizer.json, as the Hugging Face tokenizers library writes them.
#ifndef CHIMERA_RUNTIME_TEXT_TOKENIZERJSON_H
#define CHIMERA_RUNTIME_TEXT_TOKENIZERJSON_H

#include "runtime/text/SpecialTokens.h"
#include "runtime/text/Tokenizer.h"

namespace chimera::text {

/// Makes a tokenizer of the `size` bytes of a tokenizer.json; `special` comes from the files beside it. The error does
/// not name the file.
io::Result<std::unique_ptr<Tokenizer>> makeTokenizer(const void *bytes, size_t size, const SpecialTokens &special);

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_TOKENIZERJSON_H
