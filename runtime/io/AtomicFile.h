// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writing a file so that a reader sees the old one or the whole new one.
#ifndef CHIMERA_RUNTIME_IO_ATOMICFILE_H
#define CHIMERA_RUNTIME_IO_ATOMICFILE_H

#include "runtime/io/Result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace chimera::io {

/// A file without a name in its target's folder, to which `commit` gives the target's. Without `commit` it is gone,
/// also when the process is killed, and the target left as it was. On a file system without such files (NFS) it has the
/// name TARGET.tmp-PROCESS-N, and a process that is killed leaves it. Move-only.
class AtomicFile {
public:
  /// Creates the temporary file. A symbolic link at `path` is followed; a
  /// target that exists and is not a regular file is an error.
  static Result<AtomicFile> create(const std::string &path);

  AtomicFile(AtomicFile &&other) noexcept;
  AtomicFile &operator=(AtomicFile &&other) noexcept;
  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;
  ~AtomicFile();

  /// Writes `size` bytes at `offset`. Bytes never written before the end of the
  /// file are 0. Any number of threads may.
  Status write(uint64_t offset, const void *data, size_t size);

  /// Makes the file `size` bytes long, with zeros at its end.
  Status resize(uint64_t size);

  /// Flushes to the disk and renames onto the target.
  Status commit();

private:
  AtomicFile() = default;
  template <typename Make> int takeName(const Make &make);
  Error failure(const char *what, int code) const;

  int descriptor = -1;
  std::string name;      ///< As given, for messages.
  std::string target;    ///< Links followed.
  std::string temporary; ///< Empty when there is none.
};

/// Creates or replaces a whole file: the bytes, flushed, or an error and what was there before.
Status writeWhole(const std::string &path, std::string_view bytes);

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_ATOMICFILE_H
