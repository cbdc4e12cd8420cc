// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TOOLS_CHIMERABENCH_TEMPORARYFOLDER_H
#define CHIMERA_TOOLS_CHIMERABENCH_TEMPORARYFOLDER_H

#include "runtime/io/Result.h"

#include <string>

namespace chimera::bench {

/// A new empty folder in TMPDIR (/tmp without it), removed with all it holds at the end of its life, and when SIGINT,
/// SIGTERM or SIGHUP ends the process. One at a time. Move-only.
class TemporaryFolder {
public:
  /// `name`: of the one file that is going to be in it.
  static io::Result<TemporaryFolder> create(const std::string &name);
  TemporaryFolder(TemporaryFolder &&other) noexcept : folder(std::move(other.folder)), name(std::move(other.name)) {
    other.folder.clear();
  }
  TemporaryFolder &operator=(TemporaryFolder &&other) noexcept {
    std::swap(folder, other.folder);
    std::swap(name, other.name);
    return *this;
  }
  ~TemporaryFolder();

  /// The path of its one file.
  std::string file() const { return folder + "/" + name; }

private:
  TemporaryFolder(std::string folder, std::string name) : folder(std::move(folder)), name(std::move(name)) {}

  std::string folder, name;
};

} // namespace chimera::bench

#endif // CHIMERA_TOOLS_CHIMERABENCH_TEMPORARYFOLDER_H
