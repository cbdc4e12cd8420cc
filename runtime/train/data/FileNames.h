// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_TRAIN_DATA_FILENAMES_H
#define CHIMERA_RUNTIME_TRAIN_DATA_FILENAMES_H

#include "runtime/io/Result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace chimera::train {

/// How the tokens of a file are written.
enum class FileForm : uint8_t {
  ByName, ///< As its name and its first bytes say.
  U16,    ///< Ids of two bytes each, little endian.
  U32,    ///< Of four bytes.
};

struct DataFile {
  std::string path;
  FileForm form;
};

/// The files that a list of names and patterns (`a.txt,books/*.txt,u16:train.bin`) stands for: in the order of the
/// list, those of a pattern sorted by name. Errors: an empty name, a pattern without files.
io::Result<std::vector<DataFile>> expandFileNames(const std::string &list);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_DATA_FILENAMES_H
