// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model binary as a file: read once, its trailer and digest checked, its manifest text found. Maps and runs nothing.
#ifndef CHIMERA_RUNTIME_CORE_MODELFILE_H
#define CHIMERA_RUNTIME_CORE_MODELFILE_H

#include "runtime/core/Elf.h"
#include "runtime/core/Error.h"
#include "runtime/io/File.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace chimera::runtime {

/// An XXH3-128 in canonical form (big endian, the high half first).
using Digest = std::array<uint8_t, 16>;

/// The XXH3-128 of `bytes`.
Digest digestOf(ByteSpan bytes);
/// That of a whole file, read in pieces; fails when it cannot be read.
io::Result<Digest> digestOf(const io::File &file);

/// A model binary whose trailer is right.
struct ModelFile {
  static constexpr size_t trailerSize = 32;

  std::string name;           ///< The path, for messages.
  std::vector<uint8_t> bytes; ///< The ELF part; the trailer is cut off.
  Digest digest;              ///< Of the ELF part.
  size_t manifestOffset = 0;
  size_t manifestSize = 0;

  ByteSpan elf() const { return {bytes.data(), bytes.size()}; }
  /// The JSON text.
  std::string_view manifest() const {
    return {reinterpret_cast<const char *>(bytes.data()) + manifestOffset, manifestSize};
  }
};

/// Reads the file at `path`. Fails when it cannot be read or `checkModelFile` does.
Result<ModelFile> readModelFile(const std::string &path);

/// Takes the bytes of a whole file: checks the trailer (magic, length, digest) and finds the manifest's section.
Result<ModelFile> checkModelFile(std::string name, std::vector<uint8_t> bytes);

/// Appends the trailer to the bytes of an ELF file (docs/model-binary.md, "The file").
void appendTrailer(std::vector<uint8_t> &elf);

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_MODELFILE_H
