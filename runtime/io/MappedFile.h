// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A regular file mapped for reading.
#ifndef CHIMERA_RUNTIME_IO_MAPPEDFILE_H
#define CHIMERA_RUNTIME_IO_MAPPEDFILE_H

#include "runtime/io/Result.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace chimera::io {

/// A read-only private mapping of a whole regular file. Move-only. The mapping
/// follows the file: one that is cut short while mapped must not be read.
class MappedFile {
public:
  /// Maps `path`. Fails when it cannot be opened or is not a regular file. An
  /// empty file gives an empty span.
  static Result<MappedFile> open(const std::string &path);

  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;
  ~MappedFile();

  const uint8_t *data() const { return base; }
  size_t size() const { return length; }
  const std::string &path() const { return name; }

private:
  MappedFile() = default;

  const uint8_t *base = nullptr;
  size_t length = 0;
  std::string name;
};

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_MAPPEDFILE_H
