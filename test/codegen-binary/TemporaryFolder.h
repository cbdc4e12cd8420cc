// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A private folder that is gone when its owner is.
#ifndef CHIMERA_TEST_CODEGENBINARY_TEMPORARYFOLDER_H
#define CHIMERA_TEST_CODEGENBINARY_TEMPORARYFOLDER_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace chimera::binary {

class TemporaryFolder {
public:
  /// Makes a folder of mode 0700 under TMPDIR (or /tmp); an error says where it could not.
  static llvm::Expected<TemporaryFolder> create();

  TemporaryFolder(TemporaryFolder &&other) : path(std::move(other.path)), files(std::move(other.files)) {
    other.path.clear();
    other.files.clear();
  }
  TemporaryFolder &operator=(TemporaryFolder &&) = delete;
  ~TemporaryFolder();

  /// The path of a file that someone else will write; it is removed with the folder.
  std::string reserve(llvm::StringRef name);

  /// Writes a file and returns its path.
  llvm::Expected<std::string> add(llvm::StringRef name, llvm::StringRef content);

private:
  explicit TemporaryFolder(std::string path) : path(std::move(path)) {}

  std::string path;
  std::vector<std::string> files;
};

} // namespace chimera::binary

#endif // CHIMERA_TEST_CODEGENBINARY_TEMPORARYFOLDER_H
