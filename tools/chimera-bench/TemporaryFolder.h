// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_CHIMERABENCH_TEMPORARYFOLDER_H
#define CHIMERA_TOOLS_CHIMERABENCH_TEMPORARYFOLDER_H

#include "runtime/io/Result.h"

#include <string>

namespace chimera::bench {

/// A new empty folder in TMPDIR (/tmp without it), removed with all it holds at the end of its life. Move-only.
class TemporaryFolder {
public:
  static io::Result<TemporaryFolder> create();
  TemporaryFolder(TemporaryFolder &&other) noexcept : folder(std::move(other.folder)) { other.folder.clear(); }
  TemporaryFolder &operator=(TemporaryFolder &&other) noexcept {
    std::swap(folder, other.folder);
    return *this;
  }
  ~TemporaryFolder();

  std::string file(const std::string &name) const { return folder + "/" + name; }

private:
  explicit TemporaryFolder(std::string folder) : folder(std::move(folder)) {}

  std::string folder;
};

} // namespace chimera::bench

#endif // CHIMERA_TOOLS_CHIMERABENCH_TEMPORARYFOLDER_H
