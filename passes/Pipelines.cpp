// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pipelines, and their registration.

#include "passes/Pipelines.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void chimera::buildDispatchedPipeline(OpPassManager &manager, const StepLimits &limits) {
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createSpecializePhases({limits.maxTokens, limits.maxSeqs}));
  manager.addNestedPass<func::FuncOp>(createDispatchMix());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

void chimera::buildTrainingPipeline(OpPassManager &manager, const TrainingOptions &options) {
  manager.addPass(createSpecializeTraining({options.limits.maxTokens, options.limits.maxSeqs, options.keepModel}));
  manager.addPass(createCanonicalizerPass());
  OpPassManager &program = manager.nest<func::FuncOp>();
  program.addPass(createSoftenMix());
  program.addPass(createDispatchMix());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  manager.addNestedPass<func::FuncOp>(createDifferentiate());
  manager.addPass(createAddOptimizer());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  manager.addNestedPass<func::FuncOp>(createRematerialize({options.memoryLimit}));
}

void chimera::buildFusionPipeline(OpPassManager &manager) {
  OpPassManager &phase = manager.nest<func::FuncOp>();
  phase.addPass(createHoistCasts());
  phase.addPass(createCSEPass());
  phase.addPass(createFuseConv());
  phase.addPass(createFuseNorms());
  phase.addPass(createFuseLinears());
  phase.addPass(createFuseRope());
  phase.addPass(createFuseAttention());
  phase.addPass(createCanonicalizerPass());
}

void chimera::buildCpuCallsPipeline(OpPassManager &manager, const CpuOptions &options) {
  buildFusionPipeline(manager);
  manager.addPass(createLowerToCpu({options.isa, options.weights}));
}

void chimera::buildRefCallsPipeline(OpPassManager &manager) {
  manager.addPass(createLowerToRef());
}

void chimera::buildProgramsPipeline(OpPassManager &manager) {
  manager.addPass(createPlanArena());
}

namespace {
struct LimitOptions : PassPipelineOptions<LimitOptions> {
  Option<int64_t> maxTokens{*this, "max-tokens", llvm::cl::desc("the most rows in a step"), llvm::cl::init(1024)};
  Option<int64_t> maxSeqs{*this, "max-seqs", llvm::cl::desc("the most sequences in a step"), llvm::cl::init(64)};

  chimera::StepLimits limits() const { return {maxTokens, maxSeqs}; }
};

struct CpuPipelineOptions : LimitOptions {
  Option<std::string> isa{*this, "isa", llvm::cl::desc("avx2, avx512, avx512-bf16 or amx-bf16"),
                          llvm::cl::init("avx2")};
  Option<std::string> weights{*this, "weights", llvm::cl::desc("same, int8 or int4"), llvm::cl::init("same")};
};
} // namespace

namespace chimera {
#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"
} // namespace chimera

void chimera::registerPasses() {
  registerChimeraPasses();
  PassPipelineRegistration<LimitOptions>(
      "chimera-to-dispatched", "model level to dispatched",
      [](OpPassManager &manager, const LimitOptions &options) { buildDispatchedPipeline(manager, options.limits()); });
  PassPipelineRegistration<LimitOptions>(
      "chimera-to-training", "model level to training programs, dispatched",
      [](OpPassManager &manager, const LimitOptions &options) { buildTrainingPipeline(manager, {options.limits()}); });
  PassPipelineRegistration<LimitOptions>("chimera-to-ref-calls", "model level to one op a launch, for the ref target",
                                         [](OpPassManager &manager, const LimitOptions &options) {
                                           buildDispatchedPipeline(manager, options.limits());
                                           buildRefCallsPipeline(manager);
                                         });
  PassPipelineRegistration<LimitOptions>("chimera-to-fused", "model level to fused ops",
                                         [](OpPassManager &manager, const LimitOptions &options) {
                                           buildDispatchedPipeline(manager, options.limits());
                                           buildFusionPipeline(manager);
                                         });
  PassPipelineRegistration<CpuPipelineOptions>("chimera-to-cpu-programs",
                                               "model level to launch tables, for the cpu target",
                                               [](OpPassManager &manager, const CpuPipelineOptions &options) {
                                                 buildDispatchedPipeline(manager, options.limits());
                                                 buildCpuCallsPipeline(manager, {options.isa, options.weights});
                                                 buildProgramsPipeline(manager);
                                               });
  PassPipelineRegistration<LimitOptions>("chimera-to-ref-programs", "model level to launch tables, for the ref target",
                                         [](OpPassManager &manager, const LimitOptions &options) {
                                           buildDispatchedPipeline(manager, options.limits());
                                           buildRefCallsPipeline(manager);
                                           buildProgramsPipeline(manager);
                                         });
}
