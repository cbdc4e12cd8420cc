// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The passes, in the order in which a compilation runs them.

#ifndef CHIMERA_PASSES_PASSES_TD
#define CHIMERA_PASSES_PASSES_TD

include "mlir/Pass/PassBase.td"

def SpecializePhases : Pass<"chimera-specialize-phases", "::mlir::ModuleOp"> {
  let summary = "one function a phase from the model";
  let description = [{
    Replaces `@model` by one function for each kind of step: `@prefill`, for any ragged batch, and `@decode`, for
    steps in which every sequence has one row. Each says what it holds at most in `chimera.limits` (rows, sequences), from which
    all sizes of its arena follow.

    Before:
    ```mlir
    func.func @model(%tokens: tensor<?xi32> {chimera.step = "tokens"}, ...)
    ```
    After `chimera-specialize-phases{max-tokens=1024 max-seqs=64}`:
    ```mlir
    func.func @prefill(%tokens: tensor<?xi32> ...) attributes {chimera.limits = array<i64: 1024, 64>}
    func.func @decode(%tokens: tensor<?xi32> ...) attributes {chimera.limits = array<i64: 64, 64>}
    ```
  }];
  let options = [
    Option<"maxTokens", "max-tokens", "int64_t", "1024", "the most rows in a step">,
    Option<"maxSeqs", "max-seqs", "int64_t", "64", "the most sequences in a step">
  ];
}

def DispatchMix : Pass<"chimera-dispatch-mix", "::mlir::func::FuncOp"> {
  let summary = "mixers on slices of the batch, sorted by mode once";
  let description = [{
    Replaces `chimera.mix` by `chimera.dispatch` (one permutation of the rows), each region's ops on the slice of
    its mode, and `chimera.combine`. Under the policy `all`, ssm and swa see the whole batch and only their outputs are of
    their slice.

    Before:
    ```mlir
    %z = chimera.mix [full, identity] routed %x, %h by %mode gate %gate rows %rows ... {
    ^bb0(%t: tensor<?x64xf32>, %seen: !chimera.rows, %own: !chimera.rows):
      %o = chimera.silu %t : tensor<?x64xf32>
      chimera.yield %o : tensor<?x64xf32>
    }, { ... chimera.yield }
    ```
    After:
    ```mlir
    %inverse, %full, %identity = chimera.dispatch [full, identity] %mode rows %rows ...
    %t = chimera.gather %h from %rows to %full ...
    %o = chimera.silu %t : tensor<?x64xf32>
    %z = chimera.combine [full] %x, %mode, %inverse, %gate, %o ...
    ```
  }];
  let dependentDialects = ["::chimera::ir::ChimeraDialect"];
}

def LowerToRef : Pass<"chimera-lower-to-ref", "::mlir::ModuleOp"> {
  let summary = "every op becomes a launch of a ref kernel";
  let description = [{
    Replaces each op of the phases by a `chimera.call` of a kernel, and puts the kernels, plain loops over
    memory, into the nested module `@kernels`. Equal ops share a kernel.

    Before:
    ```mlir
    %a = chimera.silu %u : tensor<?x64xf32>
    ```
    After:
    ```mlir
    %a = chimera.call @chimera_silu_f32_64(%rows, %u) grid <tokens = 1, ...> {op = "chimera.silu", ...}
      : (!chimera.rows, tensor<?x64xf32>) -> tensor<?x64xf32>
    module @kernels { func.func @chimera_silu_f32_64(...) { scf.for ... } }
    ```
  }];
  let dependentDialects = ["::chimera::ir::ChimeraDialect", "::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect", "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect"];
}

def PlanArena : Pass<"chimera-plan-arena", "::mlir::ModuleOp"> {
  let summary = "tensors become slices of one arena, functions launch tables";
  let description = [{
    Gives each tensor of a phase a slice of the phase's arena for as long as it is live (largest first, each at the lowest
    offset that is free throughout its life), and replaces the function by a `chimera.program`. The module gets the lists that
    launches refer to: `chimera.parameters` and `chimera.caches`.

    Before:
    ```mlir
    func.func @decode(...) attributes {chimera.limits = array<i64: 64, 64>} {
      %a = chimera.call @chimera_silu_f32_64(%rows, %u) grid <...> {...}
    ```
    After:
    ```mlir
    chimera.program @decode arena 32768 limits 64, 64 logits [...] routing [...] {
      chimera.launch @chimera_silu_f32_64 grid <...>
          [#chimera.buffer<step, 0, 0, "seq_start">, #chimera.buffer<arena, 0, 16384, "">, #chimera.buffer<arena, 16384, 16384, "">] {...}
    ```
  }];
  let dependentDialects = ["::chimera::ir::ChimeraDialect"];
}

#endif // CHIMERA_PASSES_PASSES_TD
