// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Executor.h"

#include <algorithm>

namespace chimera::runtime {

Result<std::unique_ptr<Executor>> Executor::create(Device &device, const Model &model, const Weights *weights,
                                                   const Cache &cache, bool poison) {
  std::unique_ptr<Executor> executor(new Executor(device, model, weights, cache, poison));
  if (Failure failure = executor->allocate())
    return *failure;
  const Variant &variant = model.variant();
  executor->bind(variant.prefill, model.prefillKernels(), executor->prefill);
  if (variant.decode)
    executor->bind(*variant.decode, model.decodeKernels(), executor->decode);
  return executor;
}

/// The bytes of a step buffer at the binary's limits.
static size_t stepBytes(const Manifest &manifest, StepBuffer buffer) {
  size_t tokens = size_t(manifest.maxTokens), seqs = size_t(manifest.maxSeqs);
  switch (buffer) {
  case StepBuffer::Tokens:
  case StepBuffer::RowIndex:
  case StepBuffer::RowSequence:
  case StepBuffer::OutIndex:
    return tokens * sizeof(int32_t);
  case StepBuffer::RowPosition:
    return tokens * sizeof(int64_t);
  case StepBuffer::SeqStart:
  case StepBuffer::OutStart:
    return (seqs + 1) * sizeof(int32_t);
  case StepBuffer::SeqSlot:
    return seqs * sizeof(int32_t);
  case StepBuffer::Forced:
    return tokens * size_t(manifest.layers());
  }
  return 0;
}

Failure Executor::allocate() {
  const Manifest &manifest = model.manifest();
  auto get = [&](OwnedRegion &owned, size_t bytes, const char *what, bool large) -> Failure {
    Result<Region> region = device.reserve(bytes, what, large);
    if (!region)
      return region.error();
    owned = OwnedRegion(device, *region);
    return device.commit(*owned, bytes);
  };
  const Variant &variant = model.variant();
  int64_t arenaBytes = std::max(variant.prefill.arenaBytes, variant.decode ? variant.decode->arenaBytes : 0);
  if (Failure failure = get(arena, size_t(arenaBytes), "the arena", true))
    return failure;
  for (int i = 0; i < stepBufferCount; ++i)
    if (Failure failure = get(stepBuffers[size_t(i)], stepBytes(manifest, StepBuffer(i)), "a step buffer", false))
      return failure;
  return std::nullopt;
}

void *Executor::resolve(const Buffer &buffer) {
  switch (buffer.kind) {
  case Buffer::Kind::Arena:
    return arena->base + buffer.index;
  case Buffer::Kind::Param: {
    size_t bytes = size_t(model.manifest().parameters[size_t(buffer.index)].bytes);
    return device.addressOf(weights->data(size_t(buffer.index)), bytes);
  }
  case Buffer::Kind::Packed: {
    size_t bytes = size_t(model.variant().packed[size_t(buffer.index)].bytes);
    return device.addressOf(weights->packed(size_t(buffer.index)), bytes);
  }
  case Buffer::Kind::Pool:
    return cache.slots().base(size_t(buffer.index));
  case Buffer::Kind::Pages:
    return cache.pages().base();
  case Buffer::Kind::Step:
    return stepBuffers[size_t(buffer.index)]->base;
  case Buffer::Kind::Table:
    break; // Set before each step.
  }
  return nullptr;
}

void Executor::bind(const Phase &phase, const std::vector<chimera_kernel> &kernels, BoundPhase &bound) {
  bound.phase = &phase;
  bound.kernels = &kernels;
  for (const Launch &launch : phase.launches) {
    bound.firstPointer.push_back(bound.pointers.size());
    for (const Buffer &buffer : launch.buffers) {
      if (buffer.kind == Buffer::Kind::Table)
        bound.tables.push_back({bound.pointers.size(), size_t(buffer.index)});
      bound.pointers.push_back(resolve(buffer));
    }
    bound.firstArg.push_back(bound.args.size());
    bound.args.resize(bound.args.size() + CHIMERA_ARG_CONSTANTS);
    bound.args.insert(bound.args.end(), launch.constants.begin(), launch.constants.end());
    const void *starts = launch.count < 0 ? nullptr : bound.pointers[bound.firstPointer.back() + size_t(launch.count)];
    bound.starts.push_back(starts ? static_cast<const int32_t *>(device.hostView(starts)) : nullptr);
  }
}

Executor::BoundPhase &Executor::phaseFor(const StepBatch &batch) {
  bool single = batch.rows() == batch.seqs();
  if (single && decode.phase && batch.seqs() <= std::min(decode.phase->maxSeqs, decode.phase->maxTokens))
    return decode;
  return prefill;
}

void Executor::uploadStep(const StepBatch &batch) {
  auto upload = [&](StepBuffer buffer, const auto &array) {
    device.upload(stepBuffers[size_t(buffer)]->base, array.data(), array.size() * sizeof(array[0]));
  };
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

void Executor::refresh(BoundPhase &bound, const StepBatch &batch) {
  for (const BoundPhase::TablePointer &entry : bound.tables) {
    const std::vector<int32_t> &table = cache.table(entry.table);
    bound.pointers[entry.pointer] = device.addressOf(table.data(), table.size() * sizeof(int32_t));
  }
  for (size_t first : bound.firstArg) {
    bound.args[first + CHIMERA_ARG_TOKENS] = batch.rows();
    bound.args[first + CHIMERA_ARG_SEQS] = batch.seqs();
    bound.args[first + CHIMERA_ARG_OUTPUTS] = batch.outputs();
    bound.args[first + CHIMERA_ARG_STRIDE] = cache.stride();
  }
}

int64_t Executor::blocksOf(const BoundPhase &bound, size_t launch, const StepBatch &batch) const {
  int64_t rows = batch.rows();
  if (const int32_t *starts = bound.starts[launch]) {
    rows = std::clamp<int64_t>(int64_t(starts[batch.seqs()]) - starts[0], 0, rows);
    if (rows == 0)
      return 0;
  }
  return bound.phase->launches[launch].grid.blocks(rows, batch.seqs(), batch.outputs());
}

void Executor::runLaunch(const BoundPhase &bound, size_t launch, int64_t blocks) {
  BoundLaunch ready{(*bound.kernels)[launch], bound.pointers.data() + bound.firstPointer[launch],
                    bound.args.data() + bound.firstArg[launch], blocks};
  if (!profile)
    return device.launch(ready);
  Profile::Clock::time_point begin = Profile::Clock::now();
  device.launch(ready);
  profile->record(&bound == &decode ? CHIMERA_PHASE_DECODE : CHIMERA_PHASE_PREFILL, launch, begin,
                  Profile::Clock::now());
}

void Executor::run(const StepBatch &batch, void *logits, int8_t *routing) {
  BoundPhase &bound = phaseFor(batch);
  uploadStep(batch);
  refresh(bound, batch);
  const Phase &phase = *bound.phase;
  if (poison)
    device.fill(arena->base, 0xFF, size_t(phase.arenaBytes));
  for (size_t l = 0; l < phase.launches.size(); ++l)
    if (int64_t blocks = blocksOf(bound, l, batch); blocks > 0)
      runLaunch(bound, l, blocks);
  const Manifest &manifest = model.manifest();
  size_t rowBytes = size_t(manifest.model.vocabSize * io::sizeOf(manifest.logitsType()));
  if (batch.outputs() > 0)
    device.download(logits, arena->base + phase.logits.offset, size_t(batch.outputs()) * rowBytes);
  if (routing)
    device.download(routing, arena->base + phase.routing.offset, size_t(batch.rows() * manifest.layers()));
}

} // namespace chimera::runtime
