// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The code of a model binary, mapped from bytes in memory.
#ifndef CHIMERA_RUNTIME_CORE_LIBRARY_H
#define CHIMERA_RUNTIME_CORE_LIBRARY_H

#include "runtime/core/Elf.h"
#include "runtime/core/Error.h"

#include <memory>
#include <string>

namespace chimera::runtime {

/// A shared object mapped from memory; unmapped at the end of its life.
class Library {
public:
  /// Maps `elf` by way of a sealed memory file, so that what runs is what was checked, whatever happens to the file on
  /// disk. Where the system has no such files, or the loader cannot open one (there is no /proc), a private file in a
  /// temporary folder does: of TMPDIR, /dev/shm, /tmp and /var/tmp the first from which code may be mapped. `name`
  /// stands in front of messages.
  static Result<std::unique_ptr<Library>> map(ByteSpan elf, const std::string &name);
  /// The same by way of a file in `folder`, which is gone when this returns.
  static Result<std::unique_ptr<Library>> mapFromFolder(ByteSpan elf, const std::string &folder,
                                                        const std::string &name);
  ~Library();

  /// The exported function of that name, or null.
  chimera_kernel kernel(const std::string &symbol) const;

private:
  Library() = default;
  Failure mapMemoryFile(ByteSpan elf, const std::string &name);
  Failure mapFile(const std::string &path, const std::string &name);

  // Open as long as the library is mapped: the dynamic loader knows libraries by path, and the path is this number.
  int descriptor = -1;
  void *handle = nullptr;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_LIBRARY_H
