// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs launch tables on a device.
#ifndef CHIMERA_RUNTIME_CORE_EXECUTOR_H
#define CHIMERA_RUNTIME_CORE_EXECUTOR_H

#include "runtime/cache/Cache.h"
#include "runtime/core/Model.h"
#include "runtime/core/Profile.h"
#include "runtime/core/StepBatch.h"
#include "runtime/core/Weights.h"
#include "runtime/device/Device.h"

#include <array>
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

  /// Runs one step, whose caches have pages for it. Cannot fail. Copies its logits, [R][vocab], to `logits` and its
  /// routing, [N][layers], to `routing` unless null.
  void run(const StepBatch &batch, void *logits, int8_t *routing);

  /// Times each launch of the steps to come into `profile`, until it is replaced; null: no launch is timed.
  void setProfile(Profile *to) { profile = to; }

private:
  /// A phase with every buffer resolved.
  struct BoundPhase {
    struct TablePointer {
      size_t pointer; ///< Into `pointers`.
      size_t table;
    };
    const Phase *phase = nullptr;
    const std::vector<chimera_kernel> *kernels = nullptr;
    std::vector<void *> pointers;
    std::vector<size_t> firstPointer; ///< Of each launch.
    std::vector<int64_t> args;
    std::vector<size_t> firstArg;
    std::vector<const int32_t *> starts; ///< Of each launch, the array that counts its rows; null: all of the step.
    std::vector<TablePointer> tables;    ///< These move when the cache grows.
  };

  Executor(Device &device, const Model &model, const Weights *weights, const Cache &cache, bool poison)
      : device(device), model(model), weights(weights), cache(cache), poison(poison) {}
  Failure allocate();
  void bind(const Phase &phase, const std::vector<chimera_kernel> &kernels, BoundPhase &bound);
  void *resolve(const Buffer &buffer);
  BoundPhase &phaseFor(const StepBatch &batch);
  void uploadStep(const StepBatch &batch);
  void refresh(BoundPhase &bound, const StepBatch &batch);
  int64_t blocksOf(const BoundPhase &bound, size_t launch, const StepBatch &batch) const;
  void runLaunch(const BoundPhase &bound, size_t launch, int64_t blocks);

  Device &device;
  const Model &model;
  const Weights *weights;
  const Cache &cache;
  bool poison;
  Profile *profile = nullptr;
  OwnedRegion arena;
  std::array<OwnedRegion, stepBufferCount> stepBuffers;
  BoundPhase prefill, decode;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_EXECUTOR_H
