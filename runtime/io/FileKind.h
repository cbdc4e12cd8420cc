// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What people have in hand where a file of another format is wanted: told by the first bytes.
#ifndef CHIMERA_RUNTIME_IO_FILEKIND_H
#define CHIMERA_RUNTIME_IO_FILEKIND_H

#include "runtime/io/File.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace chimera::io {

/// What was to be read: what can be done about another file depends on it.
enum class Wanted {
  Checkpoint, ///< safetensors
  Index,      ///< of a checkpoint's shards
  Array,      ///< .npy
  Config,     ///< config.json, or a model as MLIR text
  Model,      ///< a model binary
  Data,       ///< text, or other bytes, to train on
};

/// As many bytes of a file as `mistakenFile` looks at.
inline constexpr size_t kindBytes = 512;

/// What the file with these first bytes is, in the place of the one wanted, and what to do: "is a Git LFS pointer, not
/// the file itself: run 'git lfs pull'". Empty when it is nothing that is known, or when it may be what was wanted.
std::string mistakenFile(Wanted wanted, const void *start, size_t size);

/// An error about the file at `path`: what it was mistaken for, or if that is not known `otherwise`.
Error mistaken(Wanted wanted, const std::string &path, const void *start, size_t size, const std::string &otherwise);

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_FILEKIND_H
