// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A regular file open for reading, which others may change meanwhile.
#ifndef CHIMERA_RUNTIME_IO_FILE_H
#define CHIMERA_RUNTIME_IO_FILE_H

#include "runtime/io/Result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace chimera::io {

/// Reads by copying (pread), never by mapping: a file that somebody cuts while it is read is an error with a name,
/// where a mapping would end the process by a signal. Move-only. Any number of threads may read.
class File {
public:
  /// Of many files these are kept open, the others released: a process may have only so many.
  static constexpr size_t mostHeld = 64;

  /// Fails when `path` cannot be opened or is no regular file.
  static Result<File> open(const std::string &path);

  File(File &&other) noexcept;
  File &operator=(File &&other) noexcept;
  File(const File &) = delete;
  File &operator=(const File &) = delete;
  ~File();

  const std::string &path() const { return name; }
  /// In bytes, when it was opened.
  uint64_t size() const { return identity.size; }

  /// Reads `size` bytes from `offset` on. Fails when they are not there: "'data.txt': was cut while it was read".
  Status readAt(uint64_t offset, void *to, size_t size) const;
  /// As many of the first `most` bytes as there are.
  Result<std::vector<uint8_t>> start(size_t most) const;

  /// Closes the file. Later reads open it for their time, and fail if another file has taken its name.
  void release();

  /// Fails if somebody wrote to the file since it was opened, so that what was read may be of both.
  Status unchanged() const;

private:
  /// Which file it is, and when it was written.
  struct Identity {
    uint64_t device = 0, node = 0, size = 0;
    int64_t seconds = 0, nanoseconds = 0;
  };

  File() = default;
  Error failure(const std::string &what) const { return Error{quote(name) + ": " + what}; }
  Result<Identity> identityOf(int handle) const;
  Result<int> reopen() const;

  std::string name;
  int descriptor = -1; ///< -1: released.
  Identity identity;
};

/// All bytes of a small file, or of what comes through a pipe. Fails for a folder, and for more than `most` bytes.
Result<std::string> readWhole(const std::string &path, uint64_t most = uint64_t(1) << 40);

/// What messages call the standard input.
inline constexpr char standardInputName[] = "<stdin>";

/// All bytes of the standard input, from where it is; likewise.
Result<std::string> readStandardInput(uint64_t most = uint64_t(1) << 40);

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_FILE_H
