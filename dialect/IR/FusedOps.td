// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fused ops: each is one launch of a target that has such kernels. What each computes is defined by the ops it stands
// for; fusion never adds or removes a rounding.

#ifndef CHIMERA_DIALECT_IR_FUSED_OPS_TD
#define CHIMERA_DIALECT_IR_FUSED_OPS_TD

include "dialect/IR/ModelOps.td"

def Epilogue : I32EnumAttr<"Epilogue", "what happens to a product before it is stored", [
    I32EnumAttrCase<"None", 0, "none">, I32EnumAttrCase<"Activate", 1, "activate">, I32EnumAttrCase<"GLU", 2, "glu">,
    I32EnumAttrCase<"Residual", 3, "residual">]> {
  let cppNamespace = "::chimera::ir";
  let genSpecializedAttr = 0;
}
def EpilogueAttr : EnumAttr<ChimeraDialect, Epilogue, "epilogue"> {
  let assemblyFormat = "`<` $value `>`";
}

def FusedLinearOp : Chimera_RowOp<"fused_linear", [AttrSizedOperandSegments]> {
  let summary = "matrix product with what comes before and after it";
  let description = [{
    With W the weights' rows stacked, `y = x W^T` as in `chimera.linear`, where x is `input`, or with `gather` the rows of `input` (one a
    row of the batch) that it names. Then, by `epilogue`:

        none       result = y
        activate   result = f(y)                               f is `activation`, as of `chimera.activate`
        glu        result = f(y_0) * y_1                       two weights of equal shape: y_i is the product with the i-th
        residual   result = residual + gate * y                the product rounded first; without `gate`, residual + y

    each rounded to the result's element type at the end. For `residual`, the rows of y may be a part of those of `residual`: a row r of the
    batch that y has becomes residual[r] + gate[r] * y, any other keeps residual[r]; `gate` has one entry a row of `residual`, or with
    `gate_column` a row of weights, of which that column is meant. The result then takes the place of `residual`: this must be its last use.

    input [R, K] in U, weights [N_i, K] in U, residual and result [B, N] in T for `residual`; else result [R, sum of N_i] (glu: N_0) in T or U.

    Example: queries, keys and values of the rows that attend; an output projection scattered onto the residual stream.
    ```mlir
    %qkv = chimera.fused_linear %h, [%wq, %wk, %wv] gather %full {epilogue = #chimera.epilogue<none>}
        : tensor<?x64xf32>, (tensor<64x64xf32>, tensor<32x64xf32>, tensor<32x64xf32>) -> tensor<?x128xf32>
    %z = chimera.fused_linear %o, [%wo] onto %x gate %g {epilogue = #chimera.epilogue<residual>}
        : tensor<?x64xf32>, (tensor<64x64xf32>) onto tensor<?x64xf32> gate tensor<?xf32> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins RowMatrix:$input, Variadic<WeightMatrix>:$weights, Optional<RowsType>:$gather,
                       Optional<AccMatrix>:$residual, Optional<AnyTypeOf<[RowVector, AccMatrix]>>:$gate, EpilogueAttr:$epilogue,
                       OptionalAttr<SomeActivationAttr>:$activation, OptionalAttr<I64Attr>:$gate_column);
  let results = (outs RowMatrix:$result);
  let assemblyFormat = [{
    $input `,` `[` $weights `]` (`gather` $gather^)? (`onto` $residual^)? (`gate` $gate^)? attr-dict `:` type($input) `,`
    `(` type($weights) `)` (`onto` type($residual)^)? (`gate` type($gate)^)? `->` type($result)
  }];
  let hasVerifier = 1;
}

def FusedNormOp : Chimera_RowOp<"fused_norm"> {
  let summary = "a norm, and its result rounded";
  let description = [{
    `chimera.norm`, whose result is wanted in T, in bf16 (`chimera.cast` of it), or in both: one result each, in this order.
    input [R, C], weight [C / groups] and bias [C] in T.

    Example:
    ```mlir
    %h, %h16 = chimera.fused_norm rms %x, %w {eps = 1.0e-05 : f64} : tensor<?x64xf32>, tensor<64xf32> -> tensor<?x64xf32>, tensor<?x64xbf16>
    ```
  }];
  let arguments = (ins NormKindAttr:$kind, AccMatrix:$input, WeightVector:$weight, Optional<WeightVector>:$bias,
                       F64Attr:$eps, DefaultValuedAttr<I64Attr, "1">:$groups, UnitAttr:$unit_offset);
  let results = (outs Variadic<RowMatrix>:$results);
  let assemblyFormat = [{
    $kind $input `,` $weight (`,` $bias^)? attr-dict `:` type($input) `,` type($weight) (`,` type($bias)^)? `->` type($results)
  }];
  let hasVerifier = 1;
}

def FusedGatedNormOp : Chimera_RowOp<"fused_gated_norm", [AllTypesMatch<["input", "gate"]>]> {
  let summary = "a gated norm, rounded";
  let description = [{
    `chimera.gated_norm`, then `chimera.cast` to the result's element type.

    Example:
    ```mlir
    %n = chimera.fused_gated_norm %y, %z, %w {groups = 1 : i64, eps = 1.0e-05 : f64} : tensor<?x64xf32>, tensor<64xf32> -> tensor<?x64xbf16>
    ```
  }];
  let arguments = (ins AccMatrix:$input, AccMatrix:$gate, WeightVector:$weight, I64Attr:$groups, F64Attr:$eps);
  let results = (outs RowMatrix:$result);
  let assemblyFormat = [{
    $input `,` $gate `,` $weight attr-dict `:` type($input) `,` type($weight) `->` type($result)
  }];
  let hasVerifier = 1;
}

def RopeTableOp : Chimera_RowOp<"rope_table"> {
  let summary = "the cosines and sines of rotary embedding, once for all layers";
  let description = [{
    For each row of `rows` and each of the F `frequencies`: `result[r, j] = cos(position * frequencies[j])` and
    `result[r, F + j]` its sine, the angle in f64, rounded to T. `rows` is the whole batch. result [R, 2F].

    Example:
    ```mlir
    %t = chimera.rope_table rows %rows {frequencies = array<f64: 1.0, 0.01>} : tensor<?x4xf32>
    ```
  }];
  let arguments = (ins RowsType:$rows, DenseF64ArrayAttr:$frequencies);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = "`rows` $rows attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def FusedRopeOp : Chimera_RowOp<"fused_rope"> {
  let summary = "queries and keys turned, and rounded with the values";
  let description = [{
    `chimera.rope` of query and key by the angles of `table` ([B, 2F], one row a row of the batch), then `chimera.cast` of query, key and
    value to the results' element type U. query [R, heads * Dk], key and value [R, kv_heads * Dk] in T, R the rows of `rows`.

    Example:
    ```mlir
    %q1, %k1, %v1 = chimera.fused_rope %q, %k, %v by %table rows %rows {heads = 4 : i64, kv_heads = 2 : i64}
        : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32> by tensor<?x16xf32> -> tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x32xbf16>
    ```
  }];
  let arguments = (ins AccMatrix:$query, AccMatrix:$key, AccMatrix:$value, AccMatrix:$table, RowsType:$rows,
                       I64Attr:$heads, I64Attr:$kv_heads);
  let results = (outs RowMatrix:$query_out, RowMatrix:$key_out, RowMatrix:$value_out);
  let assemblyFormat = [{
    $query `,` $key `,` $value `by` $table `rows` $rows attr-dict `:` type($query) `,` type($key) `,` type($value) `by`
    type($table) `->` type($query_out) `,` type($key_out) `,` type($value_out)
  }];
  let hasVerifier = 1;
}

def FusedAttendOp : Chimera_LookBackOp<"fused_attend", [AttrSizedOperandSegments,
                                                  DeclareOpInterfaceMethods<CacheOpInterface>]> {
  let summary = "attention, rounded; over a cache that has this step's entries, or does not yet";
  let description = [{
    `chimera.attend`, then `chimera.cast` to the result's element type. With `key` and `value` (and `write`), the cache is the version
    before the step, as there. Without them, `cache` is the version after `chimera.append` of this step's rows, which holds all that is
    read: always so for a list; for a ring if no sequence has more than one row.
    query [own, H*Dk] in U, key and value [rows, Hkv*Dk] in U, write [rows] in T, result [own, H*Dk] in T or U.

    Example:
    ```mlir
    %o = chimera.fused_attend %q cache %list1 own %own rows %own {scale = 0.25 : f64}
        : tensor<?x64xbf16> cache !chimera.list<heads = 2, dim = 16, element = bf16, weights = none> -> tensor<?x64xbf16>
    ```
  }];
  let arguments = (ins RowMatrix:$query, Optional<RowMatrix>:$key, Optional<RowMatrix>:$value, Optional<RowVector>:$write,
                       KeyValueCache:$cache, RowsType:$own, RowsType:$rows, F64Attr:$scale, OptionalAttr<F64Attr>:$soft_cap);
  let results = (outs RowMatrix:$result);
  let assemblyFormat = [{
    $query (`,` $key^ `,` $value)? (`write` $write^)? `cache` $cache `own` $own `rows` $rows attr-dict `:` type($query)
    (`,` type($key)^ `,` type($value))? (`write` type($write)^)? `cache` type($cache) `->` type($result)
  }];
  let hasVerifier = 1;
}

def FusedConvOp : Chimera_LookBackOp<"fused_conv", [AllTypesMatch<["input", "result"]>,
                                              DeclareOpInterfaceMethods<CacheOpInterface>]> {
  let summary = "a causal convolution that brings its tail up to date";
  let description = [{
    `chimera.causal_conv` and `chimera.shift_tail` of the same rows; with `add_input`, the result is input + convolution. Operands as of
    `chimera.causal_conv`; `tail_out` is the tail's new version, absent without a tail.

    Example:
    ```mlir
    %y, %tail1 = chimera.fused_conv %x, %w, %b tail %tail rows %rows {activation = #chimera.activation<silu>}
        : tensor<?x64xf32>, tensor<64x4xf32>, tensor<64xf32>, !chimera.tail<rows = 3, channels = 64, element = f32>
    ```
  }];
  let arguments = (ins AccMatrix:$input, WeightMatrix:$weight, WeightVector:$bias, RowsType:$rows,
                       ConvActivationAttr:$activation, UnitAttr:$add_input, Optional<TailType>:$tail);
  let results = (outs AccMatrix:$result, Optional<TailType>:$tail_out);
  let assemblyFormat = [{
    $input `,` $weight `,` $bias (`tail` $tail^)? `rows` $rows attr-dict `:` type($input) `,` type($weight) `,`
    type($bias) (`,` qualified(type($tail))^)? custom<SameOptionalType>(ref(type($tail)), type($tail_out))
  }];
  let hasVerifier = 1;
}

#endif // CHIMERA_DIALECT_IR_FUSED_OPS_TD
