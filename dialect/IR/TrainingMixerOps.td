// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Training inside a mixer: attention, convolution and scans over whole sequences, and their gradients.
//
// Without caches, what a row looks back on is among the rows of its sequence. In soft routing a mode computes every row, but
// keeps only some (unless the write gate keeps all, weighted): an op is then *tentative*: each row sees what was kept before
// it and itself, as if it had been kept.

#ifndef CHIMERA_DIALECT_IR_TRAINING_MIXER_OPS_TD
#define CHIMERA_DIALECT_IR_TRAINING_MIXER_OPS_TD

include "dialect/IR/ModelOps.td"

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

def SeqAttendOp : Chimera_LookBackOp<"seq_attend", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<DifferentiableOpInterface>],
    ["makeTentative"]> {
  let summary = "attention inside whole sequences";
  let description = [{
    Queries are the rows `own`, entries the rows `keys`, both subsets of the batch. With n the number of key rows of the sequence that
    come before the own row, it attends to the entries e with n - window < e <= n, the n-th being its own if it is a key row (else e <
    n); window = -1: no lower bound. With `own_entry` (its key and value), to n - window < e < n and to that. As in `chimera.attend`,

        result = sum_e softmax_e(scale * q . k_e + write_e) v_e,   lse = ln sum_e exp(scale * q . k_e + write_e)   of each head

    query [own, H*Dk], key and value [keys, Hkv*Dk], own_entry [own, Hkv*Dk] in U, write [keys], result [own, H*Dk], lse [own, H] in T. A row
    that attends to nothing has 0 and 0.

    Example:
    ```mlir
    %o, %lse = chimera.seq_attend %q, %k, %v own %full keys %full {kv_heads = 2 : i64, head_dim = 16 : i64, window = -1 : i64, scale = 0.25 : f64}
        : (tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x64xf32>, tensor<?x4xf32>)
    ```
  }];
  let arguments = (ins RowMatrix:$query, RowMatrix:$key, RowMatrix:$value, Optional<RowVector>:$write, Variadic<RowMatrix>:$own_entry,
                       RowsType:$own, RowsType:$keys, I64Attr:$kv_heads, I64Attr:$head_dim, I64Attr:$window, F64Attr:$scale);
  let results = (outs AccMatrix:$result, AccMatrix:$lse);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`write` $write^)? (`own_entry` $own_entry^)? `own` $own `keys` $keys attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def SeqAttendQueryGradOp : Chimera_LookBackOp<"seq_attend_query_grad", [AttrSizedOperandSegments]> {
  let summary = "gradients of attention by queries";
  let description = [{
    With P_e = exp(score_e - lse) computed again, delta = dresult . result of a head (Dao et al. 2022), and dscore_e = P_e (dresult .
    v_e - delta): `dquery = scale sum_e dscore_e k_e`; with `own_entry` also its gradients. dresult, result and dquery [own, H*Dk], delta [own,
    H], in T.

    Example:
    ```mlir
    %dq, %delta = chimera.seq_attend_query_grad %q, %k, %v result %o, %lse, %do own %full keys %full
        {kv_heads = 2 : i64, head_dim = 16 : i64, window = -1 : i64, scale = 0.25 : f64}
        : (tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x64xf32>, tensor<?x4xf32>, tensor<?x64xf32>, !chimera.rows, !chimera.rows)
        -> (tensor<?x64xf32>, tensor<?x4xf32>)
    ```
  }];
  let arguments = (ins RowMatrix:$query, RowMatrix:$key, RowMatrix:$value, Optional<RowVector>:$write, Variadic<RowMatrix>:$own_entry,
                       AccMatrix:$result, AccMatrix:$lse, AccMatrix:$dresult, RowsType:$own, RowsType:$keys, I64Attr:$kv_heads,
                       I64Attr:$head_dim, I64Attr:$window, F64Attr:$scale);
  let results = (outs AccMatrix:$dquery, AccMatrix:$delta, Variadic<AccMatrix>:$down_entry);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`write` $write^)? (`own_entry` $own_entry^)? `result` $result `,` $lse `,` $dresult `own` $own `keys` $keys
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def SeqAttendKeyGradOp : Chimera_LookBackOp<"seq_attend_key_grad"> {
  let summary = "gradients of attention by entries";
  let description = [{
    `dkey_e = scale sum dscore_e q`, `dvalue_e = sum P_e dresult`, `dwrite_e = sum dscore_e` (only with `write`), over the own rows that attend
    to e, with dscore as in `chimera.seq_attend_query_grad`. `tentative`: the own rows had an entry of their own beside these. [keys, .] in T.

    Example:
    ```mlir
    %dk, %dv = chimera.seq_attend_key_grad %q, %k, %v result %lse, %delta, %do own %full keys %full
        {kv_heads = 2 : i64, head_dim = 16 : i64, window = -1 : i64, scale = 0.25 : f64}
        : (tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x64xf32>, !chimera.rows, !chimera.rows)
        -> (tensor<?x32xf32>, tensor<?x32xf32>)
    ```
  }];
  let arguments = (ins RowMatrix:$query, RowMatrix:$key, RowMatrix:$value, Optional<RowVector>:$write, AccMatrix:$lse,
                       AccMatrix:$delta, AccMatrix:$dresult, RowsType:$own, RowsType:$keys, I64Attr:$kv_heads, I64Attr:$head_dim,
                       I64Attr:$window, F64Attr:$scale, UnitAttr:$tentative);
  let results = (outs AccMatrix:$dkey, AccMatrix:$dvalue, Optional<RowVector>:$dwrite);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`write` $write^)? `result` $lse `,` $delta `,` $dresult `own` $own `keys` $keys attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Causal convolution
//===----------------------------------------------------------------------===//

def SeqConvOp : Chimera_LookBackOp<"seq_conv", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<DifferentiableOpInterface>],
    ["makeTentative"]> {
  let summary = "causal depthwise convolution of whole sequences";
  let description = [{
    As `chimera.causal_conv` with zeros before a sequence's first row. With `kept` (entries [kept, C] of the rows `kept_rows`, a subset
    of `rows`) the taps before the current row are on the newest kept rows before it.

    Example:
    ```mlir
    %y = chimera.seq_conv %x, %w, %b rows %rows {activation = #chimera.activation<silu>}
        : (tensor<?x64xf32>, tensor<64x4xf32>, tensor<64xf32>, !chimera.rows) -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$input, WeightMatrix:$weight, WeightVector:$bias, Optional<AccMatrix>:$kept,
                       Optional<RowsType>:$kept_rows, RowsType:$rows, ConvActivationAttr:$activation);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = [{
    $input `,` $weight `,` $bias (`kept` $kept^ `of` $kept_rows)? `rows` $rows attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def SeqConvActivationGradOp : Chimera_LookBackOp<"seq_conv_activation_grad", [AttrSizedOperandSegments]> {
  let summary = "gradient of a convolution by what its activation sees";
  let description = [{
    `result = dresult silu'(convolution)`, the convolution computed again. [rows, C] in T.

    Example:
    ```mlir
    %dp = chimera.seq_conv_activation_grad %x, %w, %b gradient %dy rows %rows
        : (tensor<?x64xf32>, tensor<64x4xf32>, tensor<64xf32>, tensor<?x64xf32>, !chimera.rows) -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$input, WeightMatrix:$weight, WeightVector:$bias, Optional<AccMatrix>:$kept,
                       Optional<RowsType>:$kept_rows, AccMatrix:$dresult, RowsType:$rows);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = [{
    $input `,` $weight `,` $bias (`kept` $kept^ `of` $kept_rows)? `gradient` $dresult `rows` $rows attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def SeqConvInputGradOp
    : Chimera_Op<"seq_conv_input_grad", [Pure, DeclareOpInterfaceMethods<RaggedOpInterface, ["getRowSourceOf"]>,
                                           LooksBackOpInterface]> {
  let summary = "gradient of a convolution by its input";
  let description = [{
    `dinput[t] = sum_j weight[., K-1-j] dresult[t + j]` over the rows of the sequence; with `kept_rows`, dinput has the tap on the current
    row alone, and `dkept`, one entry a row of `kept_rows`, the others. dresult is by the convolution before its activation. In T.

    Example:
    ```mlir
    %dx = chimera.seq_conv_input_grad %dp, %w rows %rows : (tensor<?x64xf32>, tensor<64x4xf32>, !chimera.rows) -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$dresult, WeightMatrix:$weight, Optional<RowsType>:$kept_rows, RowsType:$rows);
  let results = (outs AccMatrix:$dinput, Optional<AccMatrix>:$dkept);
  let assemblyFormat = [{
    $dresult `,` $weight (`kept` $kept_rows^)? `rows` $rows attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def SeqConvWeightGradOp : Chimera_Op<"seq_conv_weight_grad", [Pure, AttrSizedOperandSegments]> {
  let summary = "gradients of a convolution by its weights and bias";
  let description = [{
    `dweight[c, K-1-j] = sum_t dresult[t, c] x[t - j, c]`, `dbias[c] = sum_t dresult[t, c]`, by leaves. dresult as in
    `chimera.seq_conv_input_grad`. dweight [C, K], dbias [C] in T.

    Example:
    ```mlir
    %dw, %db = chimera.seq_conv_weight_grad %dp, %x rows %rows leaves %leaves
        : (tensor<?x64xf32>, tensor<?x64xf32>, !chimera.rows, tensor<18xi32>) -> (tensor<64x4xf32>, tensor<64xf32>)
    ```
  }];
  let arguments = (ins AccMatrix:$dresult, AccMatrix:$input, Optional<AccMatrix>:$kept, Optional<RowsType>:$kept_rows, RowsType:$rows,
                       IndexVector:$leaves);
  let results = (outs AccMatrix:$dweight, WeightVector:$dbias);
  let assemblyFormat = [{
    $dresult `,` $input (`kept` $kept^ `of` $kept_rows)? `rows` $rows `leaves` $leaves attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Scans
//===----------------------------------------------------------------------===//

def SeqSsmScanOp : Chimera_LookBackOp<"seq_ssm_scan", [AttrSizedOperandSegments, AllTypesMatch<["a_log", "skip", "dt_bias"]>,
                                                 DeclareOpInterfaceMethods<DifferentiableOpInterface>],
    ["makeTentative"]> {
  let summary = "the recurrence of Mamba-2 over whole sequences";
  let description = [{
    As `chimera.ssm_scan` from a zero state. With `mode` (i8 [N], of the whole batch), a row whose mode is not ssm has its output but leaves
    the state as it was. `states` keeps the state before every 32nd row for the gradient, ceil(heads*dim*size / 32) elements a row of
    room.

    Example:
    ```mlir
    %y, %states = chimera.seq_ssm_scan %xbc, %dt, %a_log, %skip, %dt_bias rows %rows
        {heads = 4 : i64, dim = 16 : i64, size = 8 : i64, groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 0x7FF0000000000000 : f64}
        : (tensor<?x80xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, !chimera.rows) -> (tensor<?x64xf32>, tensor<?x16xf32>)
    ```
  }];
  let arguments = (ins AccMatrix:$xbc, AccMatrix:$dt, WeightVector:$a_log, WeightVector:$skip, WeightVector:$dt_bias,
                       Optional<RowVector>:$write, Optional<ModeVector>:$mode, RowsType:$rows, I64Attr:$heads, I64Attr:$dim,
                       I64Attr:$size, I64Attr:$groups, F64Attr:$dt_min, F64Attr:$dt_max);
  let results = (outs AccMatrix:$result, AccMatrix:$states);
  let assemblyFormat = [{
    $xbc `,` $dt `,` $a_log `,` $skip `,` $dt_bias (`write` $write^)? (`mode` $mode^)? `rows` $rows attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def SeqSsmScanGradOp : Chimera_LookBackOp<"seq_ssm_scan_grad", [AttrSizedOperandSegments]> {
  let summary = "gradients of the recurrence of Mamba-2";
  let description = [{
    Gradients by xbc, dt and, summed over rows, dt_bias (`ddt`), a_log (`drate`) and skip (`dskip`), all [rows, heads]; and by `write`. The clamp
    of the step size passes the gradient inside its bounds and on them. The states between the kept ones are computed again.

    Example:
    ```mlir
    %dxbc, %ddt, %drate, %dskip = chimera.seq_ssm_scan_grad %xbc, %dt, %a_log, %skip, %dt_bias states %states gradient %dy rows %rows
        {heads = 4 : i64, dim = 16 : i64, size = 8 : i64, groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 0x7FF0000000000000 : f64}
        : (tensor<?x80xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x16xf32>, tensor<?x64xf32>, !chimera.rows)
        -> (tensor<?x80xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
    ```
  }];
  let arguments = (ins AccMatrix:$xbc, AccMatrix:$dt, WeightVector:$a_log, WeightVector:$skip, WeightVector:$dt_bias,
                       Optional<RowVector>:$write, Optional<ModeVector>:$mode, AccMatrix:$states, AccMatrix:$dresult, RowsType:$rows,
                       I64Attr:$heads, I64Attr:$dim, I64Attr:$size, I64Attr:$groups, F64Attr:$dt_min, F64Attr:$dt_max);
  let results = (outs AccMatrix:$dxbc, AccMatrix:$ddt, AccMatrix:$drate, AccMatrix:$dskip, Optional<RowVector>:$dwrite);
  let assemblyFormat = [{
    $xbc `,` $dt `,` $a_log `,` $skip `,` $dt_bias (`write` $write^)? (`mode` $mode^)? `states` $states `gradient` $dresult `rows` $rows
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def SeqLtiScanOp : Chimera_LookBackOp<"seq_lti_scan", [AttrSizedOperandSegments, AllTypesMatch<["input", "result"]>,
                                                 DeclareOpInterfaceMethods<DifferentiableOpInterface>],
    ["makeTentative"]> {
  let summary = "a linear time-invariant recurrence over whole sequences";
  let description = [{
    As `chimera.lti_scan` from a zero state; `mode` as in `chimera.seq_ssm_scan`. The result is the state that each row sees.

    Example:
    ```mlir
    %y = chimera.seq_lti_scan %u, %decay rows %rows : (tensor<?x16xf32>, tensor<16xf32>, !chimera.rows) -> tensor<?x16xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$input, WeightVector:$decay, Optional<RowVector>:$write, Optional<ModeVector>:$mode, RowsType:$rows);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = [{
    $input `,` $decay (`write` $write^)? (`mode` $mode^)? `rows` $rows attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def SeqLtiScanGradOp : Chimera_LookBackOp<"seq_lti_scan_grad", [AttrSizedOperandSegments]> {
  let summary = "gradients of a linear time-invariant recurrence";
  let description = [{
    Gradients by the input, by the decay (summed over `ddecay_rows` [rows, N]), and by `write`.

    Example:
    ```mlir
    %du, %ddecay = chimera.seq_lti_scan_grad %u, %decay result %y, %dy rows %rows
        : (tensor<?x16xf32>, tensor<16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, !chimera.rows) -> (tensor<?x16xf32>, tensor<?x16xf32>)
    ```
  }];
  let arguments = (ins AccMatrix:$input, WeightVector:$decay, Optional<RowVector>:$write, Optional<ModeVector>:$mode, AccMatrix:$result,
                       AccMatrix:$dresult, RowsType:$rows);
  let results = (outs AccMatrix:$dinput, AccMatrix:$ddecay_rows, Optional<RowVector>:$dwrite);
  let assemblyFormat = [{
    $input `,` $decay (`write` $write^)? (`mode` $mode^)? `result` $result `,` $dresult `rows` $rows attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // CHIMERA_DIALECT_IR_TRAINING_MIXER_OPS_TD
