// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs launch tables on a device.
#ifndef CHIMERA_RUNTIME_CORE_EXECUTOR_H
#define CHIMERA_RUNTIME_CORE_EXECUTOR_H

#include "runtime/cache/Cache.h"
#include "runtime/core/LaunchTable.h"
#include "runtime/core/Model.h"
#include "runtime/core/Profile.h"
#include "runtime/core/StepBatch.h"
#include "runtime/core/StepBuffers.h"
#include "runtime/core/Weights.h"
#include "runtime/device/Device.h"

#include <memory>
#include <vector>

namespace chimera::runtime {

/// The arena, the step buffers and the bound launch tables of one session.
class Executor {
public:
  /// `weights` may be null for a model without parameters. All arguments must outlive the executor. `poison`: see
  /// CHIMERA_SESSION_POISON.
  static Result<std::unique_ptr<Executor>> create(Device &device, const Model &model, const Weights *weights,
                                                  const Cache &cache, bool poison);

  /// To be called once the caches are prepared for a step: makes room for what of them changes place. Changes nothing
  /// else.
  Failure prepare();
  /// Runs one step, whose caches have pages for it. Only the device can fail (Device::failure). Copies its logits,
  /// [R][vocab], to `logits` and its routing, [N][layers], to `routing` unless null.
  void run(const StepBatch &batch, void *logits, int8_t *routing);

  /// Times each launch of the steps to come into `profile`, until it is replaced; null: no launch is timed.
  void setProfile(Profile *to) { profile = to; }

private:
  Executor(Device &device, const Model &model, const Weights *weights, const Cache &cache, bool poison)
      : device(device), model(model), weights(weights), cache(cache), poison(poison) {}
  Failure allocateBuffers();
  Failure bind(const Phase &phase, const std::vector<chimera_kernel> &own, LaunchTable &table);
  Result<void *> resolve(const Buffer &buffer);
  void *pageTable(size_t index);
  LaunchTable &tableFor(const StepBatch &batch);
  void begin(LaunchTable &table, const StepBatch &batch);
  void runLaunch(const LaunchTable &table, size_t launch, int64_t blocks);

  Device &device;
  const Model &model;
  const Weights *weights;
  const Cache &cache;
  bool poison;
  Profile *profile = nullptr;
  OwnedRegion arena;
  StepBuffers stepBuffers;
  /// Of a device that does not read the host's memory, its copy of each page table.
  std::vector<OwnedRegion> pageTables;
  LaunchTable prefill, decode;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_EXECUTOR_H
