// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A bounds-checked reader for the few parts of an ELF file that the loader looks at before it maps anything.
#ifndef CHIMERA_RUNTIME_CORE_ELF_H
#define CHIMERA_RUNTIME_CORE_ELF_H

#include "runtime/core/Error.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace chimera::runtime {

/// A span of bytes that somebody else owns.
struct ByteSpan {
  const uint8_t *data = nullptr;
  size_t size = 0;
};

/// Whether `elf` is a little-endian x86-64 shared object whose program headers lie inside the file, and which runs
/// nothing and pulls nothing in when it is mapped: no initialisers or finalisers, no needed library, no interpreter.
Failure checkFreestanding(ByteSpan elf);

/// The bytes of the only section called `name`, found through the section headers. Reads nothing outside `elf`,
/// whatever its bytes.
Result<ByteSpan> findSection(ByteSpan elf, std::string_view name);

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_ELF_H
