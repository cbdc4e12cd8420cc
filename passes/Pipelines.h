// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pipelines, one readable list each. Every one starts where the one before it stops.

#ifndef CHIMERA_PASSES_PIPELINES_H
#define CHIMERA_PASSES_PIPELINES_H

#include <cstdint>
#include <string>

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace chimera {

/// What one step of a binary holds at most.
struct StepLimits {
  int64_t maxTokens = 1024;
  int64_t maxSeqs = 64;
};

/// Model level → dispatched: canonical form, one function a phase, no regions. (`--emit=dispatched`)
void buildDispatchedPipeline(mlir::OpPassManager &manager, const StepLimits &limits);

/// Model level → the training programs (train and evaluate, hard and soft, accumulate, update), dispatched and
/// differentiated. With `keepModel` the model stays, for buildDispatchedPipeline.
struct TrainingOptions {
  StepLimits limits;       ///< of a run
  int64_t memoryLimit = 0; ///< bytes of tensors that may be live at once; 0: any number
  bool keepModel = false;
};
void buildTrainingPipeline(mlir::OpPassManager &manager, const TrainingOptions &options);

/// What the cpu target's kernels are made for.
struct CpuOptions {
  std::string isa;              ///< as the pass chimera-lower-to-cpu names it
  std::string weights = "same"; ///< "same", "int8" or "int4"
};

/// Dispatched → fused ops. For models whose accumulators are f32. (`--emit=fused`)
void buildFusionPipeline(mlir::OpPassManager &manager);

/// Dispatched → fused → one call a launch, for the cpu target.
void buildCpuCallsPipeline(mlir::OpPassManager &manager, const CpuOptions &options);

/// Dispatched → one call a launch, for the ref target, which fuses nothing. (`--emit=fused`)
void buildRefCallsPipeline(mlir::OpPassManager &manager);

/// One op a launch → programs over an arena, beside the kernels in `@kernels`. (`--emit=kernels`)
void buildProgramsPipeline(mlir::OpPassManager &manager);

} // namespace chimera

#endif // CHIMERA_PASSES_PIPELINES_H
