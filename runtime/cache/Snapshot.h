// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What one sequence holds, as a byte string:
//
//     "CHIMSEQ2" | digest of the binary (16) | position i64 | variant | numerics | digest of the weights (16) | slots |
//     pages | checksum (8)
//
// variant and numerics are a u32 length and that many bytes; slots are the sequence's bytes in every pool, in the
// manifest's order; pages are, for each list in the order of the tables, the ceil(length / 64) pages it uses, their
// unused entries zero; the checksum is the XXH3-64 of all before it. Numbers are little endian. The layout of a page is
// the binary's own affair, so pages are kept whole.
//
// What a sequence holds was made by one variant of one binary with certain weights. Bits are the same between runs of
// those three alone, so a snapshot goes on with the same three or not at all: with others the next logits would belong
// to neither.
#ifndef CHIMERA_RUNTIME_CACHE_SNAPSHOT_H
#define CHIMERA_RUNTIME_CACHE_SNAPSHOT_H

#include "runtime/core/Elf.h"
#include "runtime/core/Error.h"
#include "runtime/core/Model.h"

#include <cstdint>
#include <vector>

namespace chimera::runtime {

class Cache;
class Device;

/// A checked snapshot; points into its bytes.
struct SnapshotView {
  struct List {
    int64_t length = 0;
    const uint8_t *pages = nullptr;
  };

  int64_t position = 0;
  std::vector<const uint8_t *> pools; ///< One a pool of the manifest.
  std::vector<List> lists;            ///< One a page table.
};

/// The snapshot of the sequence in `slot`. `weights` is the digest of those that made it.
std::vector<uint8_t> writeSnapshot(const Model &model, const Digest &weights, Device &device, const Cache &cache,
                                   int32_t slot, int64_t position);

/// Checks all of a snapshot: format, checksum, binary, variant, numerics, weights, size, and that every count is one
/// that a sequence of this position can have.
Result<SnapshotView> readSnapshot(const Model &model, const Digest &weights, ByteSpan bytes);

/// The most tokens that a sequence may have.
constexpr int64_t mostPosition = (int64_t(1) << 31) - 1;

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CACHE_SNAPSHOT_H
