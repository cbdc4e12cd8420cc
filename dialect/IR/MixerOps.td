// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What happens inside a mixer: attention over rings and lists, causal convolution, recurrent scans.

#ifndef CHIMERA_DIALECT_IR_MIXER_OPS_TD
#define CHIMERA_DIALECT_IR_MIXER_OPS_TD

include "dialect/IR/ModelOps.td"

def RopeOp : Chimera_RowOp<"rope", [AllTypesMatch<["input", "result"]>, DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "rotary position embedding, rotate-half form";
  let description = [{
    For each of `heads` heads of size C / heads, with r = 2 * |frequencies| rotated dimensions and a_j = position * frequencies[j]
    (in f64, its cosine and sine rounded to T):

        out[j]         = x[j] cos(a_j) - x[j + r/2] sin(a_j)
        out[j + r/2]   = x[j + r/2] cos(a_j) + x[j] sin(a_j)            0 <= j < r/2

    and the rest unchanged (Su et al. 2021). Positions are those of `rows`. With `inverse` the angles are negated, which is
    the gradient. [R, C] in T.

    Example:
    ```mlir
    %q1 = chimera.rope %q rows %rows {heads = 4 : i64, frequencies = array<f64: 1.0, 0.01>} : tensor<?x64xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$input, RowsType:$rows, I64Attr:$heads, DenseF64ArrayAttr:$frequencies,
                       UnitAttr:$inverse);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = "$input `rows` $rows attr-dict `:` type($input)";
  let hasVerifier = 1;
}

def AttendOp : Chimera_LookBackOp<"attend", [DeclareOpInterfaceMethods<CacheOpInterface>]> {
  let summary = "attention over the entries of a cache and of this step";
  let description = [{
    Reads two sources by absolute entry index: the cache as it was before the step, and this step's keys and values (one entry a row of
    `rows`, in order, after those of the cache). The query of an own row whose entry has index e attends

        ring:  entries max(0, e - window + 1) .. e            list:  entries 0 .. e

        result = sum_a softmax_a(scale * q . k_a + w_a) v_a

    with w_a the write weight of entry a (0 without `write`). Query head i reads key/value head floor(i * kv_heads / heads).
    The cache is only read: `chimera.append` commits the step afterwards, so that a long step evicts nothing its own queries still need.
    q [own, H*Dk], k and v [rows, Hkv*Dk] in U, write [rows] in T, result [own, H*Dk] in T.

    Example:
    ```mlir
    %o = chimera.attend %q, %k, %v cache %ring own %own rows %seen {scale = 0.25 : f64}
        : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32> cache !chimera.ring<window = 8, heads = 2, dim = 16, element = f32, weights = none> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins RowMatrix:$query, RowMatrix:$key, RowMatrix:$value, Optional<RowVector>:$write,
                       KeyValueCache:$cache, RowsType:$own, RowsType:$rows, F64Attr:$scale);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`write` $write^)? `cache` $cache `own` $own `rows` $rows attr-dict `:` type($query) `,`
    type($key) `,` type($value) (`write` type($write)^)? `cache` type($cache) `->` type($result)
  }];
  let hasVerifier = 1;
}

def AppendOp : Chimera_Op<"append", [Pure, AllTypesMatch<["cache", "result"]>,
                                     DeclareOpInterfaceMethods<CacheOpInterface>]> {
  let summary = "commits keys and values to a cache";
  let description = [{
    Appends one entry a row of `rows`, in order, and advances the cache's count. key and value [rows, Hkv*Dk] in the
    cache's element type, write [rows] in its weights' type.

    Example:
    ```mlir
    %ring1 = chimera.append %k, %v cache %ring rows %seen
        : tensor<?x32xf32>, tensor<?x32xf32> cache !chimera.ring<window = 8, heads = 2, dim = 16, element = f32, weights = none>
    ```
  }];
  let arguments = (ins RowMatrix:$key, RowMatrix:$value, KeyValueCache:$cache, RowsType:$rows,
                       Optional<RowVector>:$write);
  let results = (outs KeyValueCache:$result);
  let assemblyFormat = [{
    $key `,` $value (`write` $write^)? `cache` $cache `rows` $rows attr-dict `:` type($key) `,` type($value)
    (`write` type($write)^)? `cache` type($cache)
  }];
  let hasVerifier = 1;
}

def CausalConvOp : Chimera_LookBackOp<"causal_conv", [AllTypesMatch<["input", "result"]>,
                                                DeclareOpInterfaceMethods<CacheOpInterface>]> {
  let summary = "causal depthwise convolution over the rows of each sequence";
  let description = [{
    `result[t, c] = f(bias[c] + sum_k weight[c, k] * x[t - (K-1-k), c])`, where x continues from this step's rows into `tail` for earlier
    ones, and f is `activation`. Only reads the tail; `chimera.shift_tail` commits. K = 1 has no tail.
    input and result [rows, C], weight [C, K], bias [C], all in T.

    Example:
    ```mlir
    %y = chimera.causal_conv %x, %w, %b tail %tail rows %rows {activation = #chimera.activation<silu>}
        : tensor<?x64xf32>, tensor<64x4xf32>, tensor<64xf32>, !chimera.tail<rows = 3, channels = 64, element = f32>
    ```
  }];
  let arguments = (ins AccMatrix:$input, WeightMatrix:$weight, WeightVector:$bias, Optional<TailType>:$tail,
                       RowsType:$rows, ConvActivationAttr:$activation);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = [{
    $input `,` $weight `,` $bias (`tail` $tail^)? `rows` $rows attr-dict `:` type($input) `,` type($weight) `,`
    type($bias) (`,` type($tail)^)?
  }];
  let hasVerifier = 1;
}

def ShiftTailOp : Chimera_Op<"shift_tail", [Pure, AllTypesMatch<["tail", "result"]>,
                                            DeclareOpInterfaceMethods<CacheOpInterface>]> {
  let summary = "commits the newest rows to a convolution's tail";
  let description = [{
    The last rows of (tail, then this step's rows of the sequence). input [rows, C] in the tail's element type.

    Example:
    ```mlir
    %tail1 = chimera.shift_tail %x tail %tail rows %rows
        : tensor<?x64xf32>, !chimera.tail<rows = 3, channels = 64, element = f32>
    ```
  }];
  let arguments = (ins AccMatrix:$input, TailType:$tail, RowsType:$rows);
  let results = (outs TailType:$result);
  let assemblyFormat = "$input `tail` $tail `rows` $rows attr-dict `:` type($input) `,` qualified(type($tail))";
  let hasVerifier = 1;
}

def SsmScanOp : Chimera_LookBackOp<"ssm_scan", [AllTypesMatch<["state", "state_out"]>, AllTypesMatch<["a_log", "skip", "dt_bias"]>,
                                          DeclareOpInterfaceMethods<CacheOpInterface>]> {
  let summary = "the selective state-space recurrence of Mamba-2";
  let description = [{
    For each sequence and head, over its rows in order (Dao and Gu 2024), with xbc = x | B | C, and group g = floor(head * groups / heads):

        d = clamp(softplus(dt + dt_bias), dt_min, dt_max) * exp(write)          (exp(write) only with `write`)
        S = exp(-exp(a_log) d) S + d x (outer) B_g
        y = S C_g + skip * x

    xbc [rows, heads*dim + 2*groups*size], dt [rows, heads], a_log, skip (D in the paper) and dt_bias [heads], write [rows], y [rows, heads*dim],
    all in T.

    Example:
    ```mlir
    %y, %state1 = chimera.ssm_scan %xbc, %dt, %a_log, %skip, %dt_bias state %state rows %rows
        {groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 0x7FF0000000000000 : f64}
        : tensor<?x80xf32>, tensor<?x4xf32>, tensor<4xf32> state !chimera.state<heads = 4, dim = 16, size = 8, element = f32> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$xbc, AccMatrix:$dt, WeightVector:$a_log, WeightVector:$skip, WeightVector:$dt_bias,
                       Optional<RowVector>:$write, StateType:$state, RowsType:$rows, I64Attr:$groups, F64Attr:$dt_min,
                       F64Attr:$dt_max);
  let results = (outs AccMatrix:$result, StateType:$state_out);
  let assemblyFormat = [{
    $xbc `,` $dt `,` $a_log `,` $skip `,` $dt_bias (`write` $write^)? `state` $state `rows` $rows attr-dict `:`
    type($xbc) `,` type($dt) `,` type($a_log) (`write` type($write)^)? `state` qualified(type($state)) `->` type($result)
  }];
  let hasVerifier = 1;
}

def LtiScanOp : Chimera_LookBackOp<"lti_scan", [AllTypesMatch<["state", "state_out"]>, AllTypesMatch<["input", "result"]>,
                                          DeclareOpInterfaceMethods<CacheOpInterface>]> {
  let summary = "a linear time-invariant recurrence";
  let description = [{
    For each sequence, over its rows in order: `S = sigmoid(decay) * S + u` (u * exp(write) with `write`); the result is S after each
    row. input and result [rows, N], decay [N], write [rows], all in T.

    Example:
    ```mlir
    %y, %state1 = chimera.lti_scan %u, %decay state %state rows %rows
        : tensor<?x16xf32>, tensor<16xf32> state !chimera.state<heads = 1, dim = 1, size = 16, element = f32>
    ```
  }];
  let arguments = (ins AccMatrix:$input, WeightVector:$decay, StateType:$state, RowsType:$rows,
                       Optional<RowVector>:$write);
  let results = (outs AccMatrix:$result, StateType:$state_out);
  let assemblyFormat = [{
    $input `,` $decay (`write` $write^)? `state` $state `rows` $rows attr-dict `:` type($input) `,` type($decay)
    (`write` type($write)^)? `state` qualified(type($state))
  }];
  let hasVerifier = 1;
}

def GatedNormOp : Chimera_RowOp<"gated_norm", [SameOperandsAndResultElementType, AllTypesMatch<["input", "gate", "result"]>,
                                                DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "RMSNorm per group of a gated input";
  let description = [{
    u = input * silu(gate); result = u / sqrt(mean over its group(u^2) + eps) * weight, with C / groups columns a group: the output
    norm of Mamba-2. [R, C] in T, weight [C].

    Example:
    ```mlir
    %n = chimera.gated_norm %y, %z, %w {groups = 1 : i64, eps = 1.0e-05 : f64} : tensor<?x64xf32>, tensor<64xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$input, AccMatrix:$gate, WeightVector:$weight, I64Attr:$groups, F64Attr:$eps);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = "$input `,` $gate `,` $weight attr-dict `:` type($input) `,` type($weight)";
  let hasVerifier = 1;
}

#endif // CHIMERA_DIALECT_IR_MIXER_OPS_TD
