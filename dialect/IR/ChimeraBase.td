// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The dialect itself, its enums, and the type constraints its ops share.

#ifndef CHIMERA_DIALECT_IR_BASE_TD
#define CHIMERA_DIALECT_IR_BASE_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def ChimeraDialect : Dialect {
  let name = "chimera";
  let cppNamespace = "::chimera::ir";
  let summary = "routed token mixers and multi-mode caches";
  let description = [{
    A language model in which every token, at every layer, is routed to the
    cheapest sufficient way of looking back: a recurrent state (`ssm`), a
    sliding window (`swa`), exact attention over a routed subset (`full`), or
    nothing (`identity`).

    The dialect has five levels.

    1. **Model level**: tensors, caches as SSA values, and `chimera.mix` with
       one region a mode. One function, `@model`, says what the model computes.
    2. **Dispatched**: regions are gone; `chimera.dispatch` sorts the rows by
       mode once, each mode's ops run on its slice, `chimera.combine` puts
       the results back.
    3. **Fused**: one op per launch, for targets with such kernels.
    4. **Programs**: `chimera.call` is one launch of a kernel on tensors;
       `chimera.program` and `chimera.launch` are the same with every tensor
       mapped to a slice of the arena: the launch table of a model binary.
    5. **Kernels**: functions in MLIR's own dialects.

    **Ragged batches.** A step works on N rows (tokens) of S sequences. A tensor
    whose first dimension is dynamic has one entry a row of some
    `!chimera.rows` value: the whole batch, or the slice of a mode.

    **Caches** are values, threaded linearly: an op reads a cache, or consumes it
    and returns the next version. A version has at most one consuming use, and
    every read comes before it.

    **Discardable attributes** (`dialect/IR/Attributes.h` names each) say what a
    module holds and what a function, its arguments and results are for. The
    dialect verifies them; one that it does not know is an error.
    `chimera.layer` says which layer an op belongs to. Passes hand it on to the
    ops that they make, and a launch has it from the op that it came from.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let extraClassDeclaration = [{
    void registerTypes();
  }];
}

//===----------------------------------------------------------------------===//
// Enums
//===----------------------------------------------------------------------===//

def Mode : I32EnumAttr<"Mode", "a way of looking back, in canonical order", [
    I32EnumAttrCase<"SSM", 0, "ssm">, I32EnumAttrCase<"SWA", 1, "swa">,
    I32EnumAttrCase<"Full", 2, "full">, I32EnumAttrCase<"Identity", 3, "identity">]> {
  let cppNamespace = "::chimera::ir";
  let genSpecializedAttr = 0;
}
def ModeAttr : EnumAttr<ChimeraDialect, Mode, "mode">;
def ModeArrayAttr : TypedArrayAttrBase<ModeAttr, "modes, ascending in canonical order">;

def NormKind : I32EnumAttr<"NormKind", "a normalisation", [
    I32EnumAttrCase<"RMS", 0, "rms">, I32EnumAttrCase<"Layer", 1, "layer">]> {
  let cppNamespace = "::chimera::ir";
  let genSpecializedAttr = 0;
}
def NormKindAttr : EnumAttr<ChimeraDialect, NormKind, "norm_kind">;

def GateKind : I32EnumAttr<"GateKind", "how a mixer's output is gated", [
    I32EnumAttrCase<"One", 0, "one">, I32EnumAttrCase<"Prob", 1, "prob">]> {
  let cppNamespace = "::chimera::ir";
  let genSpecializedAttr = 0;
}
def GateKindAttr : EnumAttr<ChimeraDialect, GateKind, "gate_kind"> {
  let assemblyFormat = "`<` $value `>`";
}

/// silu: x sigmoid(x) (Elfwing et al. 2017). gelu_tanh: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel
/// 2016). relu2: max(x, 0)^2 (So et al. 2021).
def Activation : I32EnumAttr<"Activation", "an elementwise function", [
    I32EnumAttrCase<"None", 0, "none">, I32EnumAttrCase<"SiLU", 1, "silu">, I32EnumAttrCase<"GELUTanh", 2, "gelu_tanh">,
    I32EnumAttrCase<"ReLU2", 3, "relu2">]> {
  let cppNamespace = "::chimera::ir";
  let genSpecializedAttr = 0;
}
def ActivationAttr : EnumAttr<ChimeraDialect, Activation, "activation"> {
  let assemblyFormat = "`<` $value `>`";
}

/// Of convolutions.
def ConvActivationAttr : ConfinedAttr<ActivationAttr, [AttrConstraint<
    CPred<"::llvm::cast<::chimera::ir::ActivationAttr>($_self).getValue() <= ::chimera::ir::Activation::SiLU">,
    "none or silu">]>;
/// Of ops that apply one.
def SomeActivationAttr : ConfinedAttr<ActivationAttr, [AttrConstraint<
    CPred<"::llvm::cast<::chimera::ir::ActivationAttr>($_self).getValue() != ::chimera::ir::Activation::None">,
    "not none">]>;

/// What a router of experts makes of its logits: softmax over all experts, or the sigmoid of each.
def ExpertScore : I32EnumAttr<"ExpertScore", "the scores of experts", [
    I32EnumAttrCase<"Softmax", 0, "softmax">, I32EnumAttrCase<"Sigmoid", 1, "sigmoid">]> {
  let cppNamespace = "::chimera::ir";
  let genSpecializedAttr = 0;
}
def ExpertScoreAttr : EnumAttr<ChimeraDialect, ExpertScore, "expert_score"> {
  let assemblyFormat = "`<` $value `>`";
}

def CachePolicy : I32EnumAttr<"CachePolicy", "which tokens write into a mode's cache", [
    I32EnumAttrCase<"Routed", 0, "routed">, I32EnumAttrCase<"All", 1, "all">]> {
  let cppNamespace = "::chimera::ir";
  let genSpecializedAttr = 0;
}
def CachePolicyAttr : EnumAttr<ChimeraDialect, CachePolicy, "cache_policy">;

def BufferKind : I32EnumAttr<"BufferKind", "buffer kind", [
    I32EnumAttrCase<"Arena", 0, "arena">, I32EnumAttrCase<"Param", 1, "param">,
    I32EnumAttrCase<"Pool", 2, "pool">, I32EnumAttrCase<"Pages", 3, "pages">,
    I32EnumAttrCase<"Table", 4, "table">, I32EnumAttrCase<"Step", 5, "step">,
    I32EnumAttrCase<"Packed", 6, "packed">, I32EnumAttrCase<"Grad", 7, "grad">,
    I32EnumAttrCase<"Total", 8, "total">, I32EnumAttrCase<"Moment1", 9, "moment1">,
    I32EnumAttrCase<"Moment2", 10, "moment2">]> {
  let cppNamespace = "::chimera::ir";
  let genSpecializedAttr = 0;
}

//===----------------------------------------------------------------------===//
// Type constraints
//===----------------------------------------------------------------------===//

/// What residual stream, norms, router, softmax, states and accumulators have.
def AccumulatorType : AnyTypeOf<[F64, F32]>;
/// What matrix operands have.
def OperandType : AnyTypeOf<[F64, F32, BF16]>;

def RowMatrix : 2DTensorOf<[F64, F32, BF16]>;
def AccMatrix : 2DTensorOf<[F64, F32]>;
def RowVector : 1DTensorOf<[F64, F32]>;
def WeightMatrix : 2DTensorOf<[F64, F32, BF16]>;
def WeightVector : 1DTensorOf<[F64, F32]>;
def ModeVector : 1DTensorOf<[I8]>;
def ModeMatrix : 2DTensorOf<[I8]>;
def ChoiceMatrix : 2DTensorOf<[I8]>;
def IndexVector : 1DTensorOf<[I32]>;
def IndexArray : AnyTypeOf<[1DTensorOf<[I32]>, 2DTensorOf<[I32]>]>;

#endif // CHIMERA_DIALECT_IR_BASE_TD
