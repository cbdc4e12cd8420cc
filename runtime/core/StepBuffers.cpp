// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/StepBuffers.h"

namespace chimera::runtime {

Result<OwnedRegion> allocate(Device &device, size_t bytes, const char *what, bool large) {
  Result<Region> region = device.reserve(bytes, what, large);
  if (!region)
    return region.error();
  OwnedRegion owned(device, *region);
  if (Failure failure = device.commit(*owned, bytes))
    return *failure;
  return owned;
}

/// The bytes of a step buffer at the binary's limits.
static size_t bytesOf(const Manifest &manifest, StepBuffer buffer) {
  size_t tokens = size_t(manifest.maxTokens), seqs = size_t(manifest.maxSeqs), layers = size_t(manifest.layers());
  switch (buffer) {
  case StepBuffer::Tokens:
  case StepBuffer::RowIndex:
  case StepBuffer::RowSequence:
  case StepBuffer::OutIndex:
  case StepBuffer::Targets:
    return tokens * sizeof(int32_t);
  case StepBuffer::RowPosition:
    return tokens * sizeof(int64_t);
  case StepBuffer::SeqStart:
  case StepBuffer::OutStart:
    return (seqs + 1) * sizeof(int32_t);
  case StepBuffer::SeqSlot:
    return seqs * sizeof(int32_t);
  case StepBuffer::Forced:
    return tokens * layers;
  case StepBuffer::Noise:
    return tokens * layers * CHIMERA_MODE_COUNT * sizeof(double);
  case StepBuffer::Hyper:
    return size_t(abi::hyperLength) * sizeof(double);
  case StepBuffer::Prices:
    return layers * size_t(abi::pricesPerLayer) * sizeof(double);
  case StepBuffer::Leaves:
    return size_t(abi::leavesLength) * sizeof(int32_t);
  }
  return 0;
}

Failure StepBuffers::create(Device &on, const Manifest &manifest, int count) {
  device = &on;
  for (int i = 0; i < count; ++i) {
    Result<OwnedRegion> region = allocate(on, bytesOf(manifest, StepBuffer(i)), "a step buffer", false);
    if (!region)
      return region.error();
    regions[size_t(i)] = std::move(*region);
  }
  return std::nullopt;
}

void StepBuffers::upload(const StepBatch &batch) {
  upload(StepBuffer::Tokens, batch.tokens);
  upload(StepBuffer::RowIndex, batch.rowIndex);
  upload(StepBuffer::RowPosition, batch.rowPosition);
  upload(StepBuffer::RowSequence, batch.rowSequence);
  upload(StepBuffer::SeqStart, batch.seqStart);
  upload(StepBuffer::SeqSlot, batch.seqSlot);
  upload(StepBuffer::OutIndex, batch.outIndex);
  upload(StepBuffer::OutStart, batch.outStart);
  upload(StepBuffer::Forced, batch.forced);
}

} // namespace chimera::runtime
