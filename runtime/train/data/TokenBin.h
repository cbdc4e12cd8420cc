// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files of token ids of two or four bytes each: raw, as nanoGPT writes them, or behind the header of llm.c.
#ifndef CHIMERA_RUNTIME_TRAIN_DATA_TOKENBIN_H
#define CHIMERA_RUNTIME_TRAIN_DATA_TOKENBIN_H

#include "runtime/io/Npy.h"
#include "runtime/train/data/FileNames.h"

#include <optional>

namespace chimera::train {

/// The ids in `file` as an array. `form` says how wide they are, or, ByName, leaves that to the header: then a file
/// without one gives nothing. Errors: a version of the header that is not known, a form that contradicts the header, a
/// size that does not match, ids too narrow for the model's vocabulary.
io::Result<std::optional<io::NpyFile>> openTokenBin(io::File &file, FileForm form, int64_t vocabulary);

/// Whether ids of two bytes each look like ids of four: every second one of the first is 0.
io::Result<bool> looksTwiceAsWide(const io::NpyFile &ids);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_DATA_TOKENBIN_H
