// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-bench/TemporaryFolder.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace chimera::bench {

io::Result<TemporaryFolder> TemporaryFolder::create() {
  const char *parent = std::getenv("TMPDIR");
  std::string path = std::string(parent && *parent ? parent : "/tmp") + "/chimera-bench-XXXXXX";
  if (!mkdtemp(path.data()))
    return io::Error{"creating a folder " + io::quote(path) + ": " + std::strerror(errno)};
  return TemporaryFolder(path);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored; // What cannot be removed stays in the folder for temporary files.
  if (!folder.empty())
    std::filesystem::remove_all(folder, ignored);
}

} // namespace chimera::bench
