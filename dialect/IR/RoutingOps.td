// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Routing: who goes where (route), what each mode does (mix), and their dispatched form (dispatch, combine). The same of a feed-forward
// network's experts, which is written dispatched at once: an expert's rows do not look back, so nothing is cached.

#ifndef CHIMERA_DIALECT_IR_ROUTING_OPS_TD
#define CHIMERA_DIALECT_IR_ROUTING_OPS_TD

include "dialect/IR/ModelOps.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

def RouteOp : Chimera_LookBackOp<"route", [AllTypesMatch<["counts", "counts_out"]>,
                                     DeclareOpInterfaceMethods<CacheOpInterface>]> {
  let summary = "hard routing with causal capacity";
  let description = [{
    For each row, with K the number of `modes`, in canonical order:

        s = logits + bias
        wanted = argmax_k s_k                                 (a tie: the first)
        log_p  = q - logsumexp(q),  q = (bias_in_gate ? s : logits) / temperature
        mode   = forced, if that is not negative; else wanted, if it admits the row; else the next of
                 full -> swa -> ssm -> identity that is among `modes` and admits it
        gate   = 1 (`one`) or p of the admitted mode (`prob`)

    The row at position t may enter mode m while `n_m < min(ceil(capacity_m * (t + 1)), max_tokens_m)`, n_m counting the
    sequence's earlier rows in that mode; identity, and the last of the chain among `modes`, never refuse. A capacity of infinity and a max_tokens of
    -1 mean no limit. Only the past decides, so any cut of a sequence routes alike.

    logits and log_p [R, K] in T, bias [K] in T, forced i8 [R, L] (column `layer` is read), mode i8 [R] (canonical index), gate [R] in T.
    Without `forced`, nothing is forced.

    Example:
    ```mlir
    %mode, %gate, %log_p, %counts1 = chimera.route [ssm, full] %logits, %bias forced %forced counts %counts rows %rows
        {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64}
        : tensor<?x2xf32>, tensor<2xf32> forced tensor<?x4xi8> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
    ```
  }];
  let arguments = (ins ModeArrayAttr:$modes, AccMatrix:$logits, WeightVector:$bias, Optional<ModeMatrix>:$forced,
                       CountsType:$counts, RowsType:$rows, I64Attr:$layer, GateKindAttr:$gate_kind,
                       F64Attr:$temperature, UnitAttr:$bias_in_gate, OptionalAttr<DenseF64ArrayAttr>:$capacity,
                       OptionalAttr<DenseI64ArrayAttr>:$max_tokens);
  let results = (outs ModeVector:$mode, RowVector:$gate, AccMatrix:$log_p, CountsType:$counts_out);
  let assemblyFormat = [{
    custom<Modes>($modes) $logits `,` $bias (`forced` $forced^)? `counts` $counts `rows` $rows attr-dict `:`
    type($logits) `,` type($bias) (`forced` type($forced)^)? `counts` qualified(type($counts)) `->` type($mode) `,` type($gate) `,`
    type($log_p)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// True if no row can be admitted to the k-th mode, whatever the logits: it has no room and always refuses.
    bool neverAdmits(unsigned k);
  }];
}

def ConstantModeOp : Chimera_RowOp<"constant_mode"> {
  let summary = "the mode of a layer that has only one";
  let description = [{
    i8 [R], all `mode`.

    Example:
    ```mlir
    %m = chimera.constant_mode full rows %rows : tensor<?xi8>
    ```
  }];
  let arguments = (ins ModeAttr:$mode, RowsType:$rows);
  let results = (outs ModeVector:$result);
  let assemblyFormat = "$mode `rows` $rows attr-dict `:` type($result)";
}

def StackModesOp : Chimera_RowOp<"stack_modes"> {
  let summary = "the routing of all layers, side by side";
  let description = [{
    L times i8 [R] to i8 [R, L].

    Example:
    ```mlir
    %routing = chimera.stack_modes %m0, %m1 : tensor<?xi8>, tensor<?xi8> -> tensor<?x2xi8>
    ```
  }];
  let arguments = (ins Variadic<ModeVector>:$inputs);
  let results = (outs ModeMatrix:$result);
  let assemblyFormat = "$inputs attr-dict `:` type($inputs) `->` type($result)";
  let hasVerifier = 1;
}

def MixOp : Chimera_Op<"mix", [AttrSizedOperandSegments, IsolatedFromAbove, SingleBlock, Pure,
                               AllTypesMatch<["residual", "tokens", "result"]>,
                               DeclareOpInterfaceMethods<RaggedOpInterface>,
                               DeclareOpInterfaceMethods<CacheOpInterface>]> {
  let summary = "every token through the mixer of its mode, gated, added to the residual stream";
  let description = [{
    One region a mode of `modes`. For a row r admitted to mode m:

        result[r] = residual[r] + gate[r] * mixer_m(tokens)[r]

    and `result[r] = residual[r]` if m's region yields no output (an identity that skips). With one mode, `mode` and
    `gate` may both be absent: every row takes it, with gate 1; such a mix folds into its surroundings.

    A region is isolated, has one block, and this signature, in which `seen` are the rows whose tokens the mixer gets, `own`
    those admitted to it (its outputs), and `write` is ln p of the mode for the seen rows (only if `log_p` is given):

        (tokens: [seen, D], seen: rows, own: rows, [write: [seen],] caches...) -> ([output: [own, D],] caches...)

    `policy` says what is seen: with `routed`, a mode sees its own rows; with `all`, ssm and swa see every row (so that every
    token advances the state and enters the ring), full and identity still their own. `cache_counts` says how many of
    `caches` belong to each region, in order; the results' caches are their new versions.

    residual and result [R, D] in T, tokens [R, D] in T, mode i8 [R], gate [R], log_p [R, K] whose columns are named by
    `log_p_modes`.

    Example: an SSM-less layer that attends or skips.
    ```mlir
    %z, %list1 = chimera.mix [full, identity] routed %x, %h by %mode gate %gate rows %rows caches %list
        {cache_counts = array<i64: 1, 0>}
        : tensor<?x64xf32> by tensor<?xi8> gate tensor<?xf32> caches !chimera.list<heads = 4, dim = 16, element = f32, weights = none> {
    ^bb0(%tokens: tensor<?x64xf32>, %seen: !chimera.rows, %own: !chimera.rows, %list0: !chimera.list<...>):
      ...
      chimera.yield %o, %list2 : tensor<?x64xf32>, !chimera.list<...>
    }, {
    ^bb0(%tokens: tensor<?x64xf32>, %seen: !chimera.rows, %own: !chimera.rows):
      chimera.yield
    }
    ```
  }];
  let arguments = (ins ModeArrayAttr:$modes, CachePolicyAttr:$policy, AccMatrix:$residual, AccMatrix:$tokens,
                       Optional<ModeVector>:$mode, Optional<RowVector>:$gate, Optional<AccMatrix>:$log_p,
                       RowsType:$rows, Variadic<AnyCache>:$caches, OptionalAttr<ModeArrayAttr>:$log_p_modes,
                       DenseI64ArrayAttr:$cache_counts);
  let results = (outs AccMatrix:$result, Variadic<AnyCache>:$caches_out);
  let regions = (region VariadicRegion<SizedRegion<1>>:$mixers);
  let assemblyFormat = [{
    custom<Modes>($modes) $policy $residual `,` $tokens (`by` $mode^)? (`gate` $gate^)? (`weights` $log_p^)?
    `rows` $rows (`caches` $caches^)? attr-dict `:` type($residual) (`by` type($mode)^)? (`gate` type($gate)^)? (`weights` type($log_p)^)?
    (`caches` type($caches)^)? custom<SameTypes>(ref(type($caches)), type($caches_out)) $mixers
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    /// Index in `caches` of the k-th region's first cache.
    unsigned cacheBegin(unsigned k);
    /// True if the k-th mode's mixer sees every row, not only its own.
    bool seesAllRows(unsigned k);
    /// Block arguments before the caches: tokens, seen, own, and write if there are write weights.
    unsigned leadingArguments() { return getLogP() ? 4 : 3; }
  }];
}

def YieldOp : Chimera_Op<"yield", [Pure, Terminator, ReturnLike, HasParent<"MixOp">,
                                   DeclareOpInterfaceMethods<CacheOpInterface>]> {
  let summary = "what a mixer gives back";
  let description = [{
    The output for the own rows (absent: the mode skips), then the new version of each of its caches.

    Example:
    ```mlir
    chimera.yield %o, %state1 : tensor<?x64xf32>, !chimera.state<heads = 4, dim = 16, size = 8, element = f32>
    ```
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange{}); }]>];
}

def DispatchOp : Chimera_Op<"dispatch", [Pure]> {
  let summary = "one permutation of the rows, sorted by mode";
  let description = [{
    `slices[k]` is the rows of `rows` with mode `modes[k]`; all of them share one permutation of the batch, stable within a
    mode. `inverse[r]` is row r's place in its mode's slice. mode i8 [R], inverse i32 [R]. Every row's mode must be among
    `modes`.

    Example:
    ```mlir
    %inverse, %ssm, %full = chimera.dispatch [ssm, full] %mode rows %rows : tensor<?xi8> -> tensor<?xi32>, !chimera.rows, !chimera.rows
    ```
  }];
  let arguments = (ins ModeArrayAttr:$modes, ModeVector:$mode, RowsType:$rows);
  let results = (outs IndexVector:$inverse, Variadic<RowsType>:$slices);
  let assemblyFormat = [{
    custom<Modes>($modes) $mode `rows` $rows attr-dict `:` type($mode) `->` type($inverse) `,` type($slices)
  }];
  let hasVerifier = 1;
}

def WriteWeightOp : Chimera_RowOp<"write_weight", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "ln p of one mode, for the rows that write into it";
  let description = [{
    `result[i] = log_p[r_i, column]` for the rows r_i of `to`. log_p [batch, K], result [to].

    Example:
    ```mlir
    %w = chimera.write_weight %log_p at 1 to %swa : tensor<?x4xf32> -> tensor<?xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$log_p, I64Attr:$column, RowsType:$to);
  let results = (outs RowVector:$result);
  let assemblyFormat = "$log_p `at` $column `to` $to attr-dict `:` type($log_p) `->` type($result)";
  let hasVerifier = 1;
}

def CombineOp : Chimera_RowOp<"combine", [AllTypesMatch<["residual", "result"]>, DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "mixer outputs, gated, back onto the residual stream";
  let description = [{
    For a row r whose mode is `modes[k]`: `result[r] = residual[r] + gate[r] * outputs[k][inverse[r]]`, the product rounded before the
    sum; a row of any other mode keeps `residual[r]`, bit for bit. residual and result [R, D] in T, mode i8 [R], inverse i32 [R], gate [R] in T,
    outputs[k] [slice k, D] in T.

    Example:
    ```mlir
    %z = chimera.combine [ssm] %x, %mode, %inverse, %gate, %o
        : tensor<?x64xf32>, tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x64xf32>
    ```
  }];
  let arguments = (ins ModeArrayAttr:$modes, AccMatrix:$residual, ModeVector:$mode, IndexVector:$inverse,
                       RowVector:$gate, Variadic<AccMatrix>:$outputs);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = [{
    custom<Modes>($modes) $residual `,` $mode `,` $inverse `,` $gate (`,` $outputs^)? attr-dict `:`
    type($residual) `,` type($mode) `,` type($inverse) `,` type($gate) (`,` type($outputs)^)?
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Experts of a feed-forward network
//===----------------------------------------------------------------------===//

def RouteExpertsOp : Chimera_RowOp<"route_experts", [AllTypesMatch<["logits", "weights"]>,
                                                    DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "which experts each row takes, and how much of each";
  let description = [{
    For each row, with E experts and their scores s, by `score` the softmax of the logits over all E or the sigmoid of each:

        chosen  = the `count` experts with the greatest s + bias, or without a bias the greatest logits  (a tie: the lower index)
        w_e     = scale * s_e                                                 for a chosen expert, else 0
        w_e     = scale * s_e / sum of s over the chosen ones                 with `normalized`

    so the softmax is over the chosen experts alone where it is normalized. (Shazeer et al. 2017; Fedus et al. 2021; sigmoids with a bias
    that only chooses: DeepSeek-AI 2024, "DeepSeek-V3".) To the sum of sigmoids 1e-20 is added. Of logits that are NaN exactly `count` are
    chosen, too. A row depends on its own logits alone. The gradient comes through the weights; the choice and the bias have none.

    logits and weights [R, E], bias [E] in T, chosen i8 [R, E], 1 for a chosen expert and 0 for any other.

    Example: two experts of eight, weighted by the softmax over these two.
    ```mlir
    %chosen, %weights = chimera.route_experts <softmax> %logits {count = 2 : i64, normalized} : tensor<?x8xf32> -> tensor<?x8xi8>
    ```
  }];
  let arguments = (ins ExpertScoreAttr:$score, AccMatrix:$logits, Optional<WeightVector>:$bias, I64Attr:$count,
                       UnitAttr:$normalized, DefaultValuedAttr<F64Attr, "::llvm::APFloat(1.0)">:$scale);
  let results = (outs ChoiceMatrix:$chosen, AccMatrix:$weights);
  let assemblyFormat = [{
    $score $logits (`bias` $bias^)? attr-dict `:` type($logits) (`bias` type($bias)^)? `->` type($chosen)
  }];
  let hasVerifier = 1;
}

def DispatchExpertsOp : Chimera_Op<"dispatch_experts", [Pure]> {
  let summary = "the rows of each expert";
  let description = [{
    `slices[e]` is the rows of `rows` that chose expert e, in their order. A row is in as many slices as it chose experts, which are `count` at
    most, so that all slices together have memory for `count` times the rows. chosen i8 [R, E], as `chimera.route_experts` gives it.

    Example:
    ```mlir
    %first, %second, %third = chimera.dispatch_experts %chosen rows %rows {count = 2 : i64} : tensor<?x3xi8> -> !chimera.rows, !chimera.rows, !chimera.rows
    ```
  }];
  let arguments = (ins ChoiceMatrix:$chosen, RowsType:$rows, I64Attr:$count);
  let results = (outs Variadic<RowsType>:$slices);
  let assemblyFormat = "$chosen `rows` $rows attr-dict `:` type($chosen) `->` type($slices)";
  let hasVerifier = 1;
}

def AddExpertOp : Chimera_RowOp<"add_expert", [AllTypesMatch<["input", "output", "result"]>,
                                              DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "what one expert puts out, weighted, added to the rows that took it";
  let description = [{
    `result[r] = input[r] + weights[r, expert] * output[i]` for the i-th row r of `from`, the product rounded before the sum; any other row
    keeps `input[r]`, bit for bit. Experts that are added one after the other, in the order of their indices, give each row a sum
    that does not depend on the rows beside it.

    input and result [R, D], weights [R, E], output [from, D] in T.

    Example:
    ```mlir
    %y1 = chimera.add_expert %y0, %o weights %w at 2 from %third : tensor<?x64xf32>, tensor<?x8xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$input, AccMatrix:$output, AccMatrix:$weights, I64Attr:$expert, RowsType:$from);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = [{
    $input `,` $output `weights` $weights `at` $expert `from` $from attr-dict `:` type($input) `,` type($weights)
  }];
  let hasVerifier = 1;
}

def ZerosOp : Chimera_RowOp<"zeros", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "rows of +0";
  let description = [{
    What experts are added to where nothing else is. [R, C] in T.

    Example:
    ```mlir
    %y = chimera.zeros rows %rows : tensor<?x64xf32>
    ```
  }];
  let arguments = (ins RowsType:$rows);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = "`rows` $rows attr-dict `:` type($result)";
}

#endif // CHIMERA_DIALECT_IR_ROUTING_OPS_TD
