// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_TRAIN_DATA_FILENAMES_H
#define CHIMERA_RUNTIME_TRAIN_DATA_FILENAMES_H

#include "runtime/io/Result.h"

#include <string>
#include <vector>

namespace chimera::train {

/// The files that a list of names and patterns (`a.txt,books/*.txt`) stands for: in the order of the list, those of a
/// pattern sorted by name. Errors: an empty name, a pattern without files.
io::Result<std::vector<std::string>> expandFileNames(const std::string &list);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_DATA_FILENAMES_H
