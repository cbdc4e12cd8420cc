// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A file in memory for those who take paths.
#ifndef CHIMERA_CODEGEN_BINARY_UNNAMEDFILE_H
#define CHIMERA_CODEGEN_BINARY_UNNAMEDFILE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <utility>

namespace chimera::binary {

/// A file that has no name in any folder: it is gone with its owner, and with the process, however that ends.
/// Move-only.
class UnnamedFile {
public:
  /// Makes a file with this content, to be read. `label` is for messages. An error is the system's.
  static llvm::Expected<UnnamedFile> create(llvm::StringRef label, llvm::StringRef content);

  UnnamedFile(UnnamedFile &&other) : descriptor(std::exchange(other.descriptor, -1)) {}
  UnnamedFile &operator=(UnnamedFile &&) = delete;
  ~UnnamedFile();

  /// A path under which this process can open it.
  std::string path() const;

private:
  explicit UnnamedFile(int descriptor) : descriptor(descriptor) {}

  int descriptor;
};

} // namespace chimera::binary

#endif // CHIMERA_CODEGEN_BINARY_UNNAMEDFILE_H
