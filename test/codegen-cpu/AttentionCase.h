// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Conversations of several sequences through a key/value cache, on the cpu kernels and beside them on the ref kernels.
#ifndef CHIMERA_TEST_CODEGENCPU_ATTENTIONCASE_H
#define CHIMERA_TEST_CODEGENCPU_ATTENTIONCASE_H

#include "test/codegen-cpu/CpuKernel.h"

namespace chimera::cpu::test {

/// Numbers of an operand type as kernels see them: bits of 2 or 4 bytes.
struct Operands {
  Scalar type = Scalar::F32;
  std::vector<float> numbers; ///< exact in `type`

  static Operands random(Scalar type, size_t count, uint64_t seed);
  size_t addTo(Launch &launch) const;
  /// Elements [first, first + count).
  Operands part(size_t first, size_t count) const;
};

/// What a step adds: queries of the own rows, keys, values and write weights of the key rows.
struct StepInputs {
  Operands q, k, v;
  std::vector<float> writes;

  static StepInputs random(const AttendSpec &spec, int64_t own, int64_t keys, uint64_t seed);
};

/// A cache in the cpu kernels' layout. All that was never written is NaN.
class CpuCache {
public:
  static constexpr int64_t slots = 3;

  /// Pages for `entries` entries a slot.
  explicit CpuCache(const CacheSpec &spec, int64_t entries = 256);

  int64_t stride() const { return pagesASlot; }
  /// Adds the cache's buffers; the place of the first.
  size_t addTo(Launch &launch) const;
  void takeFrom(const Launch &launch, size_t place);
  int64_t count(int64_t slot) const { return counts[slot]; }
  const std::vector<int64_t> &lengths() const { return counts; }

  float key(int64_t slot, int64_t entry, int64_t head, int64_t d) const;
  float value(int64_t slot, int64_t entry, int64_t head, int64_t d) const;
  float weight(int64_t slot, int64_t entry) const;

private:
  float number(const uint8_t *bytes, size_t index) const;
  /// The first byte of a block in its pool of keys, values or weights.
  const uint8_t *block(int which, int64_t slot, int64_t entry) const;
  int64_t blockBytes(int which) const;

  CacheSpec spec;
  int64_t pagesASlot;
  std::vector<uint8_t> pools[3]; // Ring: keys, values, weights. List: pages.
  std::vector<int32_t> table;
  std::vector<int64_t> counts;
};

/// The same in the ref kernels' layout.
class RefCache {
public:
  RefCache(const CacheSpec &spec, int64_t entries = 256);
  ref::CacheSpec spec;
  int64_t stride() const { return pagesASlot; }
  void addTo(Launch &launch) const;
  void takeFrom(const Launch &launch, size_t place);

private:
  int64_t pagesASlot;
  std::vector<uint8_t> pools[3];
  std::vector<int32_t> table;
  std::vector<int64_t> counts;
};

/// One step of the cpu kernels: append and attention in the order that the spec says. The outputs, widened.
std::vector<float> cpuStep(const Isa &isa, const AttendSpec &spec, CpuCache &cache, const Batch &batch,
                           const RowSet &own, const RowSet &keys, const StepInputs &inputs);
/// The attention of a committed List in two launches.
std::vector<float> splitAttention(const Isa &isa, const AttendSpec &spec, const CpuCache &cache, const Batch &batch,
                                  const RowSet &own, const RowSet &keys, const Operands &q);
/// The step of the ref kernels, in f32.
std::vector<float> refStep(const AttendSpec &spec, RefCache &cache, const Batch &batch, const RowSet &own,
                           const RowSet &keys, const StepInputs &inputs);

/// The bits, any NaN as one.
std::vector<uint32_t> bitsOf(const std::vector<float> &numbers);

} // namespace chimera::cpu::test

#endif // CHIMERA_TEST_CODEGENCPU_ATTENTIONCASE_H
