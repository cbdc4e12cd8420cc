// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A run's folder has one writer.
#ifndef CHIMERA_TOOLS_CHIMERATRAIN_FOLDERLOCK_H
#define CHIMERA_TOOLS_CHIMERATRAIN_FOLDERLOCK_H

#include "runtime/core/Error.h"

#include <functional>
#include <string>

namespace chimera::train {

/// The kernel's lock on the file `.lock` of a folder. It goes with the process, however that ends; the file stays, as
/// removing it would let two others hold two locks. Move-only.
class FolderLock {
public:
  /// Takes the lock. The error names the process that has it. A file system without locks is no error: `warn` is told.
  static runtime::Result<FolderLock> take(const std::string &folder,
                                          const std::function<void(const std::string &)> &warn);

  /// Fails when the folder is no longer the one whose lock was taken: it was removed, and may be another run's now.
  runtime::Failure check() const;

  FolderLock(FolderLock &&other) noexcept;
  FolderLock &operator=(FolderLock &&other) noexcept;
  ~FolderLock();

private:
  FolderLock(std::string folder, int descriptor) : folder(std::move(folder)), descriptor(descriptor) {}
  std::string path() const { return folder + "/.lock"; }
  runtime::Error heldByAnother() const;

  std::string folder;
  int descriptor;
};

} // namespace chimera::train

#endif // CHIMERA_TOOLS_CHIMERATRAIN_FOLDERLOCK_H
