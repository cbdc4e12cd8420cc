// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The passes, in the order in which a compilation runs them. Each description ends with what the pass asks for, and the error that
// it gives otherwise.

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
    func.func @decode(%tokens: tensor<?xi32> ...) attributes {chimera.limits = array<i64: 64, 64>, chimera.single_rows}
    ```

    Asks for a function `@model` with a body ("has no function @model to specialise"), for no `@prefill` or `@decode` beside it ("there is a
    symbol @prefill already"), and for limits that hold a sequence and a row for each ("a step must hold at least one sequence").
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
      %o = chimera.activate <silu>, %t : tensor<?x64xf32>
      chimera.yield %o : tensor<?x64xf32>
    }, { ... chimera.yield }
    ```
    After:
    ```mlir
    %inverse, %full, %identity = chimera.dispatch [full, identity] %mode rows %rows ...
    %t = chimera.gather %h from %rows to %full ...
    %o = chimera.activate <silu>, %t : tensor<?x64xf32>
    %z = chimera.combine [full] %x, %mode, %inverse, %gate, %o ...
    ```

    Asks for routed mixes: one without modes is folded away by canonicalize first ("has one mode"). Other functions stay as they are.
  }];
  let dependentDialects = ["::chimera::ir::ChimeraDialect"];
}

def SpecializeTraining : Pass<"chimera-specialize-training", "::mlir::ModuleOp"> {
  let summary = "one function a training program from the model";
  let description = [{
    Makes, from `@model`, `@train_hard` and `@evaluate_hard`, and, for a model with routers, `@train_soft` and `@evaluate_soft`. They are
    in the *training form*: whole sequences and no caches, routing with noise and the step's temperature, and in the place of the
    logits their cross entropy with the targets, which has their cap, if they have one. Results are named by `chimera.result`: the sums of
    the loss, the statistics of each routed layer, and of an evaluation the admitted modes. Functions to be differentiated are marked
    `chimera.differentiate`, those with soft routing `chimera.soft`. Parameters in bf16 become masters in f32, rounded where they are used. The module's
    `chimera.parameters` lists all of them, also those that nothing reads and a clean-up removes: training keeps them as they
    are. `@model` goes, unless `keep-model`.

    Before:
    ```mlir
    func.func @model(..., %c0: !chimera.state<...>) -> (tensor<?x256xf32>, ...) {
      %y, %c1 = chimera.lti_scan %u, %decay state %c0 rows %rows ...
      %logits = chimera.linear %x, %head ...
    ```
    After:
    ```mlir
    func.func @train_hard(..., %targets: tensor<?xi32> {chimera.step = "targets"}, ...) -> (tensor<2xf64> {chimera.result = "loss"}) {
      %y = chimera.seq_lti_scan %u, %decay rows %rows ...
      %lse, %scores = chimera.cross_entropy %x, %head targets %targets rows %outputs ...
      %loss = chimera.column_sum %scores leaves %leaves ...
    ```

    Asks for a function `@model` of one block that returns two results or more ("has no function @model to specialise"), arguments that are
    rows, outputs and forced modes, a `chimera.linear`, or its `chimera.soft_cap`, that gives the logits and nothing else ("its logits must be a
    chimera.linear"), ops that have a training form ("has no form for training"), and free names ("there is a symbol @train_hard already").
  }];
  let options = [
    Option<"maxTokens", "max-tokens", "int64_t", "1024", "the most rows in a run">,
    Option<"maxSeqs", "max-seqs", "int64_t", "64", "the most sequences in a run">,
    Option<"keepModel", "keep-model", "bool", "false", "leave @model for the phases of inference">
  ];
  let dependentDialects = ["::chimera::ir::ChimeraDialect"];
}

def SoftenMix : Pass<"chimera-soften-mix", "::mlir::func::FuncOp"> {
  let summary = "every row through every mixer, weighted by its probabilities";
  let description = [{
    In functions marked `chimera.soft`: replaces `chimera.mix` by all its mixers, each on all rows, and `chimera.soft_combine`. What a mixer
    keeps is every row where entries carry write weights, and where the policy `all` lets it see them; else the rows that want its mode,
    and its ops become tentative: each row sees the kept ones before it and itself.

    Before:
    ```mlir
    %z = chimera.mix [ssm, identity] routed %x, %h by %mode gate %gate rows %rows ... {
      %y = chimera.seq_lti_scan %t, %decay rows %seen ...
    ```
    After:
    ```mlir
    %y = chimera.seq_lti_scan %h, %decay mode %mode rows %rows ...
    %z = chimera.soft_combine [ssm] %x, %log_p of [ssm, identity], %y ...
    ```

    Asks for mixes in their training form, routed by `chimera.seq_route` and without caches ("is not in its training form").
  }];
  let dependentDialects = ["::chimera::ir::ChimeraDialect"];
}

def Differentiate : Pass<"chimera-differentiate", "::mlir::func::FuncOp"> {
  let summary = "the gradients of the loss by every parameter";
  let description = [{
    Reverse mode, in functions marked `chimera.differentiate`, on the dispatched level: from the cross entropy back to the
    parameters, each op builds its vector-Jacobian product, and what several uses contribute is added up. The gradients become
    results, named by `chimera.gradient`. A parameter without influence on the loss is an error.

    Before:
    ```mlir
    %y = chimera.linear %x, %w ...
    %lse, %scores = chimera.cross_entropy %y, %head ...
    return %loss
    ```
    After:
    ```mlir
    ...
    %dy = chimera.cross_entropy_input_grad %y, %head, %lse ...
    %dhead = chimera.cross_entropy_weight_grad %y, %head, %lse ...
    %dw = chimera.linear_weight_grad %dy, %x leaves %leaves ...
    return %loss, %dw, %dhead
    ```

    Asks for a body of one block that ends in a return, for the step's arrays leaves, hyper and prices ("is not in its training form"), and for
    no gradients among the results ("gives gradients already"). An op without a gradient that the loss depends on is an error ("has no
    gradient").
  }];
  let dependentDialects = ["::chimera::ir::ChimeraDialect"];
}

def Rematerialize : Pass<"chimera-rematerialize", "::mlir::func::FuncOp"> {
  let summary = "computes again what would take too much memory to keep";
  let description = [{
    In functions marked `chimera.differentiate`: while the tensors that are live at once take more than `memory-limit` bytes, the op of the
    forward half that frees most bytes there for its cost is computed again before its first use in the backward half (Chen et al.
    2016 choose layers; this chooses ops). Routing is never repeated. Repeated ops are marked `chimera.recomputed`. A limit that cannot
    be met is an error that says what is needed.

    Before:
    ```mlir
    %a = chimera.glu <silu>, %gate, %up ...
    ...
    %dw = chimera.linear_weight_grad %dy, %a leaves %leaves ...
    ```
    After:
    ```mlir
    %a = chimera.glu <silu>, %gate, %up ...
    ...
    %b = chimera.glu <silu>, %gate, %up {chimera.recomputed = 0 : i64} ...
    %dw = chimera.linear_weight_grad %dy, %b leaves %leaves ...
    ```

    With a limit it asks for `chimera.limits` and a body of one block that ends in a return ("is not a phase"), and for tensors whose size is
    known at the limits ("is too large").
  }];
  let options = [Option<"memoryLimit", "memory-limit", "int64_t", "0", "bytes that are live at once; 0: no limit">];
  let dependentDialects = ["::chimera::ir::ChimeraDialect"];
}

def AddOptimizer : Pass<"chimera-add-optimizer", "::mlir::ModuleOp"> {
  let summary = "the programs that turn gradients into a step";
  let description = [{
    Adds `@accumulate`, which adds a run's gradients to the step's, and `@update`, AdamW with clipping by the global norm, for the parameters
    of which `@train_hard` gives gradients. Matrices decay, vectors (norms, biases, A_log, D, dt_bias) do not.

    After:
    ```mlir
    func.func @update(%hyper: tensor<16xf64> {chimera.step = "hyper"}) -> (tensor<1xf64> {chimera.result = "norm"}) {
      %g = chimera.training_state gradient "norm.weight" : tensor<64xf32>
      %n = chimera.squared_norm %g, ...
      chimera.adamw %g, %w, %m, %v norm %n hyper %hyper ...
    ```

    Asks for a function `@train_hard` with gradients of static shapes ("has no function @train_hard with gradients"), and for no `@accumulate` or
    `@update` ("there is a symbol @update already").
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
    %a = chimera.activate <silu>, %u : tensor<?x64xf32>
    ```
    After:
    ```mlir
    %a = chimera.call @chimera_silu_f32_64(%rows, %u) grid <tokens = 1, ...> {op = "chimera.activate", ...}
      : (!chimera.rows, tensor<?x64xf32>) -> tensor<?x64xf32>
    module @kernels { func.func @chimera_silu_f32_64(...) { scf.for ... } }
    ```

    Phases are the functions with `chimera.limits`; others stay as they are. Asks of each for one block that ends in a return ("is not a
    phase") and an argument that is the step's rows; of each op for a kernel ("has no kernel on the ref target"), known rows ("nothing says
    which rows its result has") and sizes ("needs a known number of columns"); and for no symbol `@kernels` ("there is a symbol @kernels
    already", as when the pass runs twice). Ops of other dialects stay.
  }];
  let dependentDialects = ["::chimera::ir::ChimeraDialect", "::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect", "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def HoistCasts : Pass<"chimera-hoist-casts", "::mlir::func::FuncOp"> {
  let summary = "rounded once for the batch, not once a slice";
  let description = [{
    The first of the passes that fuse. Rows are rounded alone, so a cast of gathered rows is a gather of cast rows; the
    modes of a layer then share one.

    Before:
    ```mlir
    %t = chimera.gather %h from %rows to %full : tensor<?x64xf32> to tensor<?x64xf32>
    %t16 = chimera.cast %t : tensor<?x64xf32> to tensor<?x64xbf16>
    ```
    After:
    ```mlir
    %h16 = chimera.cast %h : tensor<?x64xf32> to tensor<?x64xbf16>
    %t16 = chimera.gather %h16 from %rows to %full : tensor<?x64xbf16> to tensor<?x64xbf16>
    ```

    Takes any function; those marked `chimera.training` stay as they are.
  }];
  let dependentDialects = ["::chimera::ir::ChimeraDialect"];
}

def FuseNorms : Pass<"chimera-fuse-norms", "::mlir::func::FuncOp"> {
  let summary = "norms that write what is rounded from them";
  let description = [{
    A norm and the casts of it become `chimera.fused_norm`, with a result for each type that is used; a gated norm and its cast
    `chimera.fused_gated_norm`.

    Before:
    ```mlir
    %h = chimera.norm rms %x, %w {eps = 1.0e-05 : f64} : tensor<?x64xf32>, tensor<64xf32>
    %h16 = chimera.cast %h : tensor<?x64xf32> to tensor<?x64xbf16>
    ```
    After, if only %h16 is used:
    ```mlir
    %h16 = chimera.fused_norm rms %x, %w {eps = 1.0e-05 : f64} : tensor<?x64xf32>, tensor<64xf32> -> tensor<?x64xbf16>
    ```

    Takes any function; those marked `chimera.training`, and norms in f64, stay as they are.
  }];
  let dependentDialects = ["::chimera::ir::ChimeraDialect"];
}

def FuseLinears : Pass<"chimera-fuse-linears", "::mlir::func::FuncOp"> {
  let summary = "matrix products with what comes before and after them";
  let description = [{
    Every `chimera.linear` becomes a `chimera.fused_linear`, or a part of one: gate and up projections with their SwiGLU;
    products of one input, up to the next routing, with stacked weights, each then some `chimera.columns` of the result; gathered rows,
    read where they are; a silu or a rounding at the end; the sum with the residual stream, or the scatter of a mode's rows onto it that
    `chimera.combine` stands for, or of an expert's that `chimera.add_expert` does, in place, where this is the stream's last use.

    Before:
    ```mlir
    %t = chimera.gather %h from %rows to %full : tensor<?x64xf32> to tensor<?x64xf32>
    %k = chimera.linear %t, %wk : tensor<?x64xf32>, tensor<32x64xf32> -> tensor<?x32xf32>
    %v = chimera.linear %t, %wv : tensor<?x64xf32>, tensor<32x64xf32> -> tensor<?x32xf32>
    ...
    %o = chimera.linear %a, %wo : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
    %z = chimera.combine [full] %x, %mode, %inverse, %gate, %o : ...
    ```
    After:
    ```mlir
    %kv = chimera.fused_linear %h, [%wk, %wv] gather %full {epilogue = #chimera.epilogue<none>} : ... -> tensor<?x64xf32>
    %k = chimera.columns %kv at 0 : tensor<?x64xf32> to tensor<?x32xf32>
    %v = chimera.columns %kv at 32 : tensor<?x64xf32> to tensor<?x32xf32>
    ...
    %z = chimera.fused_linear %a, [%wo] onto %x gate %gate {epilogue = #chimera.epilogue<residual>} : ... -> tensor<?x64xf32>
    ```

    Takes any function; those marked `chimera.training` stay as they are.
  }];
  let dependentDialects = ["::chimera::ir::ChimeraDialect"];
}

def FuseRope : Pass<"chimera-fuse-rope", "::mlir::func::FuncOp"> {
  let summary = "angles once a step; queries, keys and values turned and rounded together";
  let description = [{
    The rotary embeddings of an attention's queries and keys, and the casts of both and of the values, become one
    `chimera.fused_rope`, which takes cosines and sines from a `chimera.rope_table` that all layers share. Needs queries and keys of the
    same rows.

    Before:
    ```mlir
    %q1 = chimera.rope %q rows %rows {heads = 4 : i64, frequencies = ...} : tensor<?x64xf32>
    %q2 = chimera.cast %q1 : tensor<?x64xf32> to tensor<?x64xbf16>
    (keys alike)
    %v2 = chimera.cast %v : tensor<?x32xf32> to tensor<?x32xbf16>
    %o = chimera.attend %q2, %k2, %v2 ...
    ```
    After:
    ```mlir
    %table = chimera.rope_table rows %rows {frequencies = ...} : tensor<?x16xf32>
    %q2, %k2, %v2 = chimera.fused_rope %q, %k, %v by %table rows %rows {heads = 4 : i64, kv_heads = 2 : i64} : ...
    %o = chimera.attend %q2, %k2, %v2 ...
    ```

    Takes any function; one without an argument that is the step's rows stays as it is.
  }];
  let dependentDialects = ["::chimera::ir::ChimeraDialect"];
}

def FuseAttention : Pass<"chimera-fuse-attention", "::mlir::func::FuncOp"> {
  let summary = "entries committed first where attention loses none by it; outputs rounded";
  let description = [{
    `chimera.attend` becomes `chimera.fused_attend`, with the cast of its result. Where the cache after this step still has every
    entry that is read (a list always; a ring in a phase with one row a sequence), `chimera.append` moves before it and attention reads
    the cache alone.

    Before:
    ```mlir
    %o = chimera.attend %q, %k, %v cache %list0 own %rows rows %rows {scale = 0.25 : f64} : ...
    %list1 = chimera.append %k, %v cache %list0 rows %rows : ...
    ```
    After:
    ```mlir
    %list1 = chimera.append %k, %v cache %list0 rows %rows : ...
    %o = chimera.fused_attend %q cache %list1 own %rows rows %rows {scale = 0.25 : f64} : ...
    ```

    Takes any function.
  }];
  let dependentDialects = ["::chimera::ir::ChimeraDialect"];
}

def FuseConv : Pass<"chimera-fuse-conv", "::mlir::func::FuncOp"> {
  let summary = "convolutions that bring their tails up to date";
  let description = [{
    A causal convolution, the commit of its tail, and the sum with its input where that is all it is for, become
    `chimera.fused_conv`.

    Before:
    ```mlir
    %c = chimera.causal_conv %x, %w, %b tail %tail0 rows %rows {activation = #chimera.activation<none>} : ...
    %tail1 = chimera.shift_tail %x tail %tail0 rows %rows : ...
    %h = chimera.add %x, %c : tensor<?x64xf32>
    ```
    After:
    ```mlir
    %h, %tail1 = chimera.fused_conv %x, %w, %b tail %tail0 rows %rows {activation = #chimera.activation<none>, add_input} : ...
    ```

    Takes any function.
  }];
  let dependentDialects = ["::chimera::ir::ChimeraDialect"];
}

def LowerToCpu : Pass<"chimera-lower-to-cpu", "::mlir::ModuleOp"> {
  let summary = "every op becomes a launch of a cpu kernel, or of a ref kernel where there is none";
  let description = [{
    As `chimera-lower-to-ref`, with the vectorised kernels of one ISA (avx2, avx512, avx512-bf16, amx-bf16). Weights of matrix products become
    `chimera.pack`; `weights=int8` or `int4` packs them so, those of routers excepted. Columns of a wider matrix are read where they are. Caches lie
    in blocks of 64 entries: the module gets `chimera.cache_block`.

    Before:
    ```mlir
    %y = chimera.fused_linear %h, [%wk, %wv] gather %full {epilogue = #chimera.epilogue<none>} : ...
    ```
    After `chimera-lower-to-cpu{isa=avx512}`:
    ```mlir
    %w = chimera.pack %wk, %wv {format = "f32", panel = 64 : i64, group = 1 : i64} : tensor<32x64xf32>, tensor<32x64xf32>
    %y = chimera.call @chimera_cpu_linear_... (%full, %h, %w) grid <...> {op = "chimera.fused_linear", ...} : ...
    ```

    Asks for what `chimera-lower-to-ref` asks for, with the same errors; for attention that is fused and reads lists after they are appended to
    ("must be fused", "reads a list before"); for fused ops and caches in f32 or bf16 ("is in f64"), where other ops in f64 take ref kernels;
    and for an ISA and weights of the lists above ("unknown ISA", "weights must be").
  }];
  let options = [
    Option<"isa", "isa", "std::string", "\"avx2\"", "the instruction set that kernels are made for">,
    Option<"weights", "weights", "std::string", "\"same\"", "same (as the model has them), int8 or int4">
  ];
  let dependentDialects = ["::chimera::ir::ChimeraDialect", "::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect", "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def PlanArena : Pass<"chimera-plan-arena", "::mlir::ModuleOp"> {
  let summary = "tensors become slices of one arena, functions launch tables";
  let description = [{
    Gives each tensor of a phase a slice of the phase's arena for as long as it is live (largest first, each at the lowest
    offset that is free throughout its life), and replaces the function by a `chimera.program`. The module gets the lists that
    launches refer to: `chimera.parameters` (those that the phases use, then the others that the attribute listed) and
    `chimera.caches`.

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

    Phases are the functions with `chimera.limits`; others stay as they are. Asks of each for one block that ends in a return, of logits and
    routing first unless it is marked `chimera.training` ("is not a phase"); for launches alone ("is not a launch"), whose results have a known
    size, at most 2^50 bytes at the limits ("is too large"); for results and gradients that launches give; for caches that
    `chimera.cache` describes, the same in every phase, and none in training programs.
  }];
  let dependentDialects = ["::chimera::ir::ChimeraDialect"];
}

#endif // CHIMERA_PASSES_PASSES_TD
