// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Executor.h"

#include "runtime/core/DeviceKernels.h"

#include <algorithm>

namespace chimera::runtime {

Result<std::unique_ptr<Executor>> Executor::create(Device &device, const Model &model, const Weights *weights,
                                                   const Cache &cache, bool poison) {
  std::unique_ptr<Executor> executor(new Executor(device, model, weights, cache, poison));
  if (Failure failure = executor->allocateBuffers())
    return *failure;
  if (Failure failure = loadImage(device, model))
    return *failure;
  const Variant &variant = model.variant();
  if (Failure failure = executor->bind(variant.prefill, model.prefillKernels(), executor->prefill))
    return *failure;
  if (variant.decode)
    if (Failure failure = executor->bind(*variant.decode, model.decodeKernels(), executor->decode))
      return *failure;
  return executor;
}

Failure Executor::allocateBuffers() {
  const Variant &variant = model.variant();
  int64_t bytes = std::max(variant.prefill.arenaBytes, variant.decode ? variant.decode->arenaBytes : 0);
  Result<OwnedRegion> region = allocate(device, size_t(bytes), "the arena", true);
  if (!region)
    return region.error();
  arena = std::move(*region);
  return stepBuffers.create(device, model.manifest(), inferenceStepBuffers);
}

Result<void *> Executor::resolve(const Buffer &buffer) {
  switch (buffer.kind) {
  case Buffer::Kind::Arena:
    return static_cast<void *>(arena->base + buffer.index);
  case Buffer::Kind::Param: {
    size_t bytes = size_t(model.manifest().parameters[size_t(buffer.index)].bytes);
    return device.constant(weights->data(size_t(buffer.index)), bytes);
  }
  case Buffer::Kind::Packed: {
    size_t bytes = size_t(model.variant().packed[size_t(buffer.index)].bytes);
    return device.constant(weights->packed(size_t(buffer.index)), bytes);
  }
  case Buffer::Kind::Pool:
    return static_cast<void *>(cache.slots().base(size_t(buffer.index)));
  case Buffer::Kind::Pages:
    return static_cast<void *>(cache.pages().base());
  case Buffer::Kind::Step:
    return static_cast<void *>(stepBuffers.base(StepBuffer(buffer.index)));
  case Buffer::Kind::Table: // Set before each step.
  case Buffer::Kind::Grad:  // The others are not there in inference.
  case Buffer::Kind::Total:
  case Buffer::Kind::Moment1:
  case Buffer::Kind::Moment2:
    break;
  }
  return static_cast<void *>(nullptr);
}

Failure Executor::bind(const Phase &phase, const std::vector<chimera_kernel> &own, LaunchTable &table) {
  Result<std::vector<chimera_kernel>> kernels = deviceKernels(device, model, phase, own);
  if (!kernels)
    return kernels.error();
  Failure refused;
  table.bind(device, phase, std::move(*kernels), [&](const Buffer &buffer) -> void * {
    Result<void *> address = resolve(buffer);
    if (!address && !refused)
      refused = address.error();
    return address ? *address : nullptr;
  });
  return refused;
}

Failure Executor::prepare() {
  pageTables.resize(cache.listCount());
  for (size_t l = 0; l < pageTables.size(); ++l) {
    const std::vector<int32_t> &entries = cache.table(l);
    size_t bytes = entries.size() * sizeof(int32_t);
    if (device.addressOf(entries.data()) || bytes <= pageTables[l]->committed)
      continue;
    Result<OwnedRegion> region = allocate(device, bytes, "a page table", false);
    if (!region)
      return region.error();
    pageTables[l] = std::move(*region);
  }
  return std::nullopt;
}

/// The device's address of a page table as it is now.
void *Executor::pageTable(size_t index) {
  const std::vector<int32_t> &entries = cache.table(index);
  if (void *address = device.addressOf(entries.data()))
    return address;
  device.upload(pageTables[index]->base, entries.data(), entries.size() * sizeof(int32_t));
  return pageTables[index]->base;
}

LaunchTable &Executor::tableFor(const StepBatch &batch) {
  bool single = batch.rows() == batch.seqs();
  if (single && decode.phase() && batch.seqs() <= std::min(decode.phase()->maxSeqs, decode.phase()->maxTokens))
    return decode;
  return prefill;
}

void Executor::begin(LaunchTable &table, const StepBatch &batch) {
  stepBuffers.upload(batch);
  table.setTables([&](size_t index) { return pageTable(index); });
  table.begin({batch.rows(), batch.seqs(), batch.outputs(), cache.stride()});
}

void Executor::runLaunch(const LaunchTable &table, size_t launch, int64_t blocks) {
  BoundLaunch ready = table.launch(launch, blocks);
  if (!profile)
    return device.launch(ready);
  Profile::Clock::time_point begin = Profile::Clock::now();
  device.launch(ready);
  device.finish();
  profile->record(&table == &decode ? CHIMERA_PHASE_DECODE : CHIMERA_PHASE_PREFILL, launch, begin,
                  Profile::Clock::now());
}

void Executor::run(const StepBatch &batch, void *logits, int8_t *routing) {
  LaunchTable &table = tableFor(batch);
  begin(table, batch);
  const Phase &phase = *table.phase();
  if (poison)
    device.fill(arena->base, 0xFF, size_t(phase.arenaBytes));
  launchTogether(device, [&] {
    for (size_t l = 0; l < phase.launches.size(); ++l)
      if (int64_t blocks = table.blocks(l); blocks > 0)
        runLaunch(table, l, blocks);
  });
  const Manifest &manifest = model.manifest();
  size_t rowBytes = size_t(manifest.model.vocabSize * io::sizeOf(manifest.logitsType()));
  if (batch.outputs() > 0)
    device.download(logits, arena->base + phase.logits.offset, size_t(batch.outputs()) * rowBytes);
  if (routing)
    device.download(routing, arena->base + phase.routing.offset, size_t(batch.rows() * manifest.layers()));
}

} // namespace chimera::runtime
