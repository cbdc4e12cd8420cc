// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Model level: parameters, row-wise arithmetic, rows.
//
// Notation: [R, C] is a tensor<?xC> with one entry a row of some !chimera.rows value. T is the accumulator type (f64 or
// f32), U the operand type (f64, f32 or bf16).

#ifndef CHIMERA_DIALECT_IR_MODEL_OPS_TD
#define CHIMERA_DIALECT_IR_MODEL_OPS_TD

include "dialect/IR/ChimeraTypes.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Chimera_Op<string mnemonic, list<Trait> traits = []> : Op<ChimeraDialect, mnemonic, traits>;

/// A row of the results depends on the same row of the operands alone.
def RowLocal : NativeOpTrait<"RowLocal"> {
  let cppNamespace = "::chimera::ir";
}

/// An op with one entry a row: its rows are those of its first operand unless it says otherwise.
class Chimera_RaggedOp<string mnemonic, list<Trait> traits = []>
    : Chimera_Op<mnemonic, !listconcat(traits, [Pure, DeclareOpInterfaceMethods<RaggedOpInterface>])>;

/// One of which each row is computed alone.
class Chimera_RowOp<string mnemonic, list<Trait> traits = []>
    : Chimera_RaggedOp<mnemonic, !listconcat(traits, [RowLocal])>;

/// One of which rows look back on other rows of their sequence. `methods`: those of LooksBackOpInterface that it has.
class Chimera_LookBackOp<string mnemonic, list<Trait> traits = [], list<string> methods = []>
    : Chimera_RaggedOp<mnemonic, !listconcat(traits, [DeclareOpInterfaceMethods<LooksBackOpInterface, methods>])>;

def ParamOp : Chimera_Op<"param", [Pure]> {
  let summary = "a parameter of the model";
  let description = [{
    The tensor named `name` of the checkpoint, rounded to the result's element type (to nearest, ties to even) when it is
    loaded. `source` is the name of its tensor on disk and `source_shape` that tensor's shape, where they differ; row i is row
    `row_permutation[i]` of the tensor on disk; an `optional` parameter that the checkpoint lacks is all zeros.

    A checkpoint may keep several parameters in one tensor. `source_row` says that the parameter is the rows from that one on of a
    tensor of shape `source_shape`, whose rows have as many elements as its own. Where the tensor has more dimensions, several of its first
    ones together may count its rows: of a tensor [8, 192, 64], which has 8 matrices of experts, they are 1536.

    Example:
    ```mlir
    %w = chimera.param "layers.0.attn.q_proj.weight" : tensor<64x64xbf16>
    %b = chimera.param "layers.0.router.bias" {optional} : tensor<4xf32>
    %u = chimera.param "layers.0.ffn.up_proj.weight" {source = "input_linear.weight", source_row = 96 : i64, source_shape = array<i64: 192, 64>}
         : tensor<96x64xbf16>
    ```
  }];
  let arguments = (ins StrAttr:$name, OptionalAttr<StrAttr>:$source,
                       OptionalAttr<DenseI64ArrayAttr>:$source_shape, OptionalAttr<I64Attr>:$source_row,
                       OptionalAttr<DenseI64ArrayAttr>:$row_permutation,
                       UnitAttr:$optional);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def EmbedOp : Chimera_RowOp<"embed", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "embedding lookup";
  let description = [{
    `result[r] = table[tokens[r]]`, widened to the result's element type. tokens i32 [R], table [V, D], result [R, D].

    Example:
    ```mlir
    %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<256x64xbf16> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins IndexVector:$tokens, WeightMatrix:$table, RowsType:$rows);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = [{
    $tokens `,` $table `rows` $rows attr-dict `:` type($tokens) `,` type($table) `->` type($result)
  }];
  let hasVerifier = 1;
}

def NormOp : Chimera_RowOp<"norm", [SameOperandsAndResultElementType, AllTypesMatch<["input", "result"]>,
                                    DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "RMSNorm or LayerNorm";
  let description = [{
    `rms`: x / sqrt(mean(x^2) + eps) * weight (Zhang and Sennrich 2019). `layer`: (x - mean) / sqrt(var + eps) * weight + bias
    with the population variance (Ba et al. 2016). input and result [R, C] in T, weight and bias [C] in T.

    With `groups`, rms alone, each of that many equal parts of a row is normalised for itself, and all have one weight
    [C / groups]: the norm of query and key heads (Henry et al. 2020). With `unit_offset`, rms alone, 1 + weight takes the
    place of weight, the sum rounded to T, so that weights of zero change nothing.

    Example:
    ```mlir
    %h = chimera.norm rms %x, %w {eps = 1.0e-05 : f64} : tensor<?x64xf32>, tensor<64xf32>
    %q = chimera.norm rms %heads, %wq {groups = 4 : i64, eps = 1.0e-05 : f64} : tensor<?x64xf32>, tensor<16xf32>
    %u = chimera.norm rms %x, %w {eps = 1.0e-06 : f64, unit_offset} : tensor<?x64xf32>, tensor<64xf32>
    %g = chimera.norm layer %x, %w, %b {eps = 1.0e-05 : f64} : tensor<?x64xf32>, tensor<64xf32>, tensor<64xf32>
    ```
  }];
  let arguments = (ins NormKindAttr:$kind, AccMatrix:$input, WeightVector:$weight, Optional<WeightVector>:$bias,
                       F64Attr:$eps, DefaultValuedAttr<I64Attr, "1">:$groups, UnitAttr:$unit_offset);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = [{
    $kind $input `,` $weight (`,` $bias^)? attr-dict `:` type($input) `,` type($weight) (`,` type($bias)^)?
  }];
  let hasVerifier = 1;
}

def LinearOp : Chimera_RowOp<"linear", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "matrix product with a weight matrix";
  let description = [{
    `result[r, n] = sum_k input[r, k] * weight[n, k]`, accumulated in the result's element type with k ascending.
    input [R, K] in U, weight [N, K] in U, result [R, N] in T.

    Example:
    ```mlir
    %q = chimera.linear %h, %w : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xf32>
    ```
  }];
  let arguments = (ins RowMatrix:$input, WeightMatrix:$weight);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = "$input `,` $weight attr-dict `:` type($input) `,` type($weight) `->` type($result)";
  let hasVerifier = 1;
}

def CastOp : Chimera_RowOp<"cast", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "rounding to, or widening from, another element type";
  let description = [{
    Rounds to nearest, ties to even. [R, C] to [R, C].

    Example:
    ```mlir
    %q16 = chimera.cast %q : tensor<?x64xf32> to tensor<?x64xbf16>
    ```
  }];
  let arguments = (ins RowMatrix:$input);
  let results = (outs RowMatrix:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def AddOp : Chimera_RowOp<"add", [SameOperandsAndResultType, Commutative, DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "elementwise sum";
  let description = [{
    `result = lhs + rhs`, both [R, C] over the same rows.

    Example:
    ```mlir
    %z = chimera.add %x, %o : tensor<?x64xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$lhs, AccMatrix:$rhs);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($result)";
}

def AddBiasOp : Chimera_RowOp<"add_bias", [SameOperandsAndResultElementType, AllTypesMatch<["input", "result"]>,
                                           DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "a vector added to every row";
  let description = [{
    `result[r, c] = input[r, c] + bias[c]`: the bias of a linear layer. input and result [R, C] in T, bias [C] in T.

    Example:
    ```mlir
    %q = chimera.add_bias %p, %b : tensor<?x64xf32>, tensor<64xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$input, WeightVector:$bias);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = "$input `,` $bias attr-dict `:` type($input) `,` type($bias)";
  let hasVerifier = 1;
}

def ScaleOp : Chimera_RowOp<"scale", [SameOperandsAndResultType, DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "product with a constant";
  let description = [{
    `result = input * factor`, the factor rounded to T. [R, C] to [R, C]. The factor is finite and not zero.

    Example:
    ```mlir
    %x = chimera.scale %e by 12.0 : tensor<?x64xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$input, F64Attr:$factor);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = "$input `by` $factor attr-dict `:` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def ScaleColumnsOp : Chimera_RowOp<"scale_columns", [SameOperandsAndResultType, DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "product of each range of columns with a constant";
  let description = [{
    The columns of `input` lie in ranges next to each other, `widths[i]` columns in the i-th, which is multiplied by `factors[i]`,
    rounded to T. [R, C] to [R, C]; the widths sum to C. The factors are finite and not zero. So maximal update parametrisation
    scales what one matrix puts out for several uses (Yang et al. 2022).

    Example:
    ```mlir
    %p = chimera.scale_columns %zxbcdt by [0.25, 1.0, 0.5] widths [64, 96, 4] : tensor<?x164xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$input, DenseF64ArrayAttr:$factors, DenseI64ArrayAttr:$widths);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = "$input `by` $factors `widths` $widths attr-dict `:` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def SoftCapOp : Chimera_RowOp<"soft_cap", [SameOperandsAndResultType, DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "a soft bound of magnitudes";
  let description = [{
    `result = cap * tanh(input / cap)`: about the input where it is small against the cap, never beyond the cap (Gemma Team 2024,
    "Gemma 2"). [R, C] to [R, C] in T. The cap is finite and above 0.

    Example:
    ```mlir
    %l = chimera.soft_cap %logits by 30.0 : tensor<?x256xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$input, F64Attr:$cap);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = "$input `by` $cap attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def ActivateOp : Chimera_RowOp<"activate", [SameOperandsAndResultType, DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "an elementwise function";
  let description = [{
    `result = f(input)`, [R, C] to [R, C], with f one of

        silu       x sigmoid(x)                                             (Elfwing et al. 2017)
        gelu_tanh  x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))            (Hendrycks and Gimpel 2016)
        relu2      max(x, 0)^2                                              (So et al. 2021)

    Example:
    ```mlir
    %a = chimera.activate <silu>, %u : tensor<?x64xf32>
    ```
  }];
  let arguments = (ins SomeActivationAttr:$activation, AccMatrix:$input);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = "$activation `,` $input attr-dict `:` type($result)";
}

def GluOp : Chimera_RowOp<"glu", [SameOperandsAndResultType, DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "f(gate) * up, a gated linear unit";
  let description = [{
    Elementwise, [R, C] to [R, C], with f as of `chimera.activate`: SwiGLU with silu, GEGLU with gelu_tanh (Shazeer 2020).

    Example:
    ```mlir
    %a = chimera.glu <silu>, %gate, %up : tensor<?x128xf32>
    ```
  }];
  let arguments = (ins SomeActivationAttr:$activation, AccMatrix:$gate, AccMatrix:$up);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = "$activation `,` $gate `,` $up attr-dict `:` type($result)";
}

def ColumnsOp : Chimera_RowOp<"columns", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "a range of columns";
  let description = [{
    `result[r, c] = input[r, offset + c]`; the result's type says how many.

    Example:
    ```mlir
    %z = chimera.columns %zxbcdt at 0 : tensor<?x300xf32> to tensor<?x128xf32>
    ```
  }];
  let arguments = (ins RowMatrix:$input, I64Attr:$offset);
  let results = (outs RowMatrix:$result);
  let assemblyFormat = "$input `at` $offset attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def GatherOp : Chimera_RowOp<"gather", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "the rows of a subset";
  let description = [{
    `result` holds the entries of `input` (one a row of `from`) for the rows of `to`, in `to`'s order. `to` must be a subset of
    `from`. Folds away when they are the same value.

    Example:
    ```mlir
    %c = chimera.gather %h from %rows to %own : tensor<?x64xf32> to tensor<?x64xf32>
    ```
  }];
  let arguments = (ins RowMatrix:$input, RowsType:$from, RowsType:$to);
  let results = (outs RowMatrix:$result);
  let assemblyFormat = "$input `from` $from `to` $to attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

#endif // CHIMERA_DIALECT_IR_MODEL_OPS_TD
