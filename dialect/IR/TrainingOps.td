// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Training, row by row: routing of whole sequences, the loss, and the vector-Jacobian products of the model's ops.
//
// The training form of a model has no caches: a run holds whole sequences, so what a token may look back on is among the
// rows. "d" before a name is the gradient of the loss by it. Gradients have the accumulators' type T, whatever the value's.
//
// Gradients of parameters are sums over rows, taken *by leaves*: `leaves` (i32 [18]: their number, a power of two, then the
// first sequence of each, then S) cuts the step's sequences; the rows of a leaf are added in order from +0, then neighbouring
// leaves pairwise. So ranks that hold aligned halves of the leaves add up to the bits of one that holds all.

#ifndef CHIMERA_DIALECT_IR_TRAINING_OPS_TD
#define CHIMERA_DIALECT_IR_TRAINING_OPS_TD

include "dialect/IR/RoutingOps.td"

//===----------------------------------------------------------------------===//
// Routing
//===----------------------------------------------------------------------===//

def SeqRouteOp : Chimera_LookBackOp<"seq_route", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "routing of whole sequences, for training";
  let description = [{
    As `chimera.route` with counts that start at 0, except that

        wanted = argmax_k (s_k + temperature * noise_k)                       (noise: of layer `layer` and the k-th mode)

    that the temperature is hyper[0], and that with `soft` nothing is admitted: mode = wanted. Without `soft` p does not contain the
    noise: Gumbel noise draws the mode from p (the Gumbel-max trick, Maddison et al. 2014). With `soft` it does:

        p = softmax(q + noise),   q being what it is the softmax of without noise

    With Gumbel noise p is a sample of the concrete distribution (Maddison et al. 2017; Jang et al. 2017, "Gumbel-softmax"). The
    gradient by the logits comes through `gate` (for `one` the straight-through estimate, Bengio et al. 2013) and `log_p`, and from
    the prices of the modes.

    logits and log_p [R, K], bias [K], gate [R] in T; noise f64 [R, 4 L]; hyper f64 [16]; mode and wanted i8 [R] (canonical index).

    Example:
    ```mlir
    %mode, %wanted, %gate, %log_p = chimera.seq_route [ssm, full] %logits, %bias noise %noise hyper %hyper rows %rows
        {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>}
        : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x4xf64>, tensor<16xf64>, !chimera.rows) -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
    ```
  }];
  let arguments = (ins ModeArrayAttr:$modes, AccMatrix:$logits, WeightVector:$bias, AccMatrix:$noise, WeightVector:$hyper,
                       RowsType:$rows, I64Attr:$layer, GateKindAttr:$gate_kind, UnitAttr:$bias_in_gate, UnitAttr:$soft,
                       OptionalAttr<DenseF64ArrayAttr>:$capacity, OptionalAttr<DenseI64ArrayAttr>:$max_tokens);
  let results = (outs ModeVector:$mode, ModeVector:$wanted, RowVector:$gate, AccMatrix:$log_p);
  let assemblyFormat = [{
    custom<Modes>($modes) $logits `,` $bias `noise` $noise `hyper` $hyper `rows` $rows attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def SeqRouteGradOp : Chimera_RowOp<"seq_route_grad", [AttrSizedOperandSegments, AllTypesMatch<["logits", "result"]>]> {
  let summary = "gradient of a routing by its logits";
  let description = [{
    With p = softmax of the logits as `chimera.seq_route` has it (with `noise`: of a soft one), tau = hyper[0], and from
    prices[layer] a price, a push and a pull of each mode and the coefficient of the entropy:

        e_k = dlog_p_k + [k = mode] p_k dgate + p_k price_k + p_k / (1 - p_k) push_k - pull_k - entropy p_k (ln p_k + 1)
        dlogits_j = (e_j - p_j sum_k e_k) / tau

    which adds the loss sum_rows (sum_k (price_k p_k - push_k ln(1 - p_k) - pull_k ln p_k) + entropy H(p)). The gradient of a
    price vanishes where p_k is near 0 or 1; a push is as strong on a row that is sure of its mode, and a pull calls one back.
    prices f64 [L, 13]: price, push and pull by canonical mode, then the entropy's coefficient.

    Example:
    ```mlir
    %d = chimera.seq_route_grad [ssm, full] %logits, %bias hyper %hyper prices %prices mode %mode gate %dgate {layer = 0 : i64}
        : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<1x13xf64>, tensor<?xi8>, tensor<?xf32>) -> tensor<?x2xf32>
    ```
  }];
  let arguments = (ins ModeArrayAttr:$modes, AccMatrix:$logits, WeightVector:$bias, WeightVector:$hyper, AccMatrix:$prices,
                       ModeVector:$mode, Optional<RowVector>:$dgate, Optional<AccMatrix>:$dlog_p,
                       Optional<AccMatrix>:$noise, I64Attr:$layer,
                       UnitAttr:$bias_in_gate);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = [{
    custom<Modes>($modes) $logits `,` $bias `hyper` $hyper `prices` $prices `mode` $mode (`gate` $dgate^)? (`log_p` $dlog_p^)?
    (`noise` $noise^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def RouteStatisticsOp : Chimera_RowOp<"route_statistics"> {
  let summary = "what a routing says of each row, for logs and the balancer";
  let description = [{
    f64 [R, 14]: wanted (one-hot over the four canonical modes), admitted (alike), p (alike; 0 for modes that the layer lacks), the
    entropy of p, and 1 if the row was refused by the mode that it wanted. Summed over rows by `chimera.column_sum`.

    Example:
    ```mlir
    %s = chimera.route_statistics [ssm, full] %mode, %wanted, %log_p
        : (tensor<?xi8>, tensor<?xi8>, tensor<?x2xf32>) -> tensor<?x14xf64>
    ```
  }];
  let arguments = (ins ModeArrayAttr:$modes, ModeVector:$mode, ModeVector:$wanted, AccMatrix:$log_p);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = [{
    custom<Modes>($modes) $mode `,` $wanted `,` $log_p attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def SoftCombineOp : Chimera_RowOp<"soft_combine", [AllTypesMatch<["residual", "result"]>,
                                                  DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "mixer outputs, weighted by the routing's probabilities, onto the residual stream";
  let description = [{
    `result = residual + sum_k p_k outputs_k`, in the order of `output_modes`, each product rounded before its sum, p = exp(log_p), whose
    columns are named by `modes`. A mode that is not among `output_modes` skips. All [R, .] over the whole batch, in T.

    Example:
    ```mlir
    %z = chimera.soft_combine [ssm] %x, %log_p of [ssm, identity], %o : (tensor<?x64xf32>, tensor<?x2xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins ModeArrayAttr:$output_modes, AccMatrix:$residual, AccMatrix:$log_p, ModeArrayAttr:$modes,
                       Variadic<AccMatrix>:$outputs);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = [{
    custom<Modes>($output_modes) $residual `,` $log_p `of` custom<Modes>($modes) (`,` $outputs^)? attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def SoftCombineGradOp : Chimera_RowOp<"soft_combine_grad", [AllTypesMatch<["log_p", "dlog_p"]>]> {
  let summary = "gradients of a soft combination";
  let description = [{
    `doutputs_k = p_k dresult`, `dlog_p_k = p_k (dresult . outputs_k)`, 0 for modes without an output. The gradient by the residual is
    dresult itself.

    Example:
    ```mlir
    %dlog_p, %do = chimera.soft_combine_grad [ssm] %log_p of [ssm, identity], %dz, %o
        : (tensor<?x2xf32>, tensor<?x64xf32>, tensor<?x64xf32>) -> (tensor<?x2xf32>, tensor<?x64xf32>)
    ```
  }];
  let arguments = (ins ModeArrayAttr:$output_modes, AccMatrix:$log_p, ModeArrayAttr:$modes, AccMatrix:$dresult,
                       Variadic<AccMatrix>:$outputs);
  let results = (outs AccMatrix:$dlog_p, Variadic<AccMatrix>:$doutputs);
  let assemblyFormat = [{
    custom<Modes>($output_modes) $log_p `of` custom<Modes>($modes) `,` $dresult (`,` $outputs^)? attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def CombineGradOp : Chimera_Op<"combine_grad", [Pure, DeclareOpInterfaceMethods<RaggedOpInterface, ["getRowSourceOf"]>]> {
  let summary = "gradients of a combination";
  let description = [{
    Of `chimera.combine`: for a row r of mode k, `doutputs_k[inverse[r]] = gate[r] dresult[r]` and `dgate[r] = dresult[r] .
    outputs_k[inverse[r]]`; dgate is 0 for rows of modes without an output. The gradient by the residual is dresult itself.

    Example:
    ```mlir
    %dgate, %do = chimera.combine_grad [ssm] %mode, %inverse, %gate, %dz, %o
        : (tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x64xf32>, tensor<?x64xf32>) -> (tensor<?xf32>, tensor<?x64xf32>)
    ```
  }];
  let arguments = (ins ModeArrayAttr:$modes, ModeVector:$mode, IndexVector:$inverse, RowVector:$gate, AccMatrix:$dresult,
                       Variadic<AccMatrix>:$outputs);
  let results = (outs RowVector:$dgate, Variadic<AccMatrix>:$doutputs);
  let assemblyFormat = [{
    custom<Modes>($modes) $mode `,` $inverse `,` $gate `,` $dresult (`,` $outputs^)? attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def ScatterOp : Chimera_RowOp<"scatter", [SameVariadicOperandSize]> {
  let summary = "rows of subsets, added up in the batch's order";
  let description = [{
    `result[r]` is the sum, from +0 and in order, of those pieces whose rows contain row r: the gradient of `chimera.gather`. Piece i
    has one entry a row of `from[i]`; all [., C] in T.

    Example:
    ```mlir
    %d = chimera.scatter %a, %b from %ssm, %full to %rows
        : (tensor<?x64xf32>, tensor<?x64xf32>, !chimera.rows, !chimera.rows, !chimera.rows) -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins Variadic<AccMatrix>:$pieces, Variadic<RowsType>:$from, RowsType:$to);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = "$pieces `from` $from `to` $to attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def ScatterColumnsOp : Chimera_RowOp<"scatter_columns", [SameVariadicOperandSize]> {
  let summary = "row vectors of subsets, put into columns in the batch's order";
  let description = [{
    `result[r, columns[i]]` is the sum, from +0, of piece i's entry for row r; 0 elsewhere: the gradient of `chimera.write_weight`, and of weights
    of experts. Piece i
    [.] has one entry a row of `from[i]`, result [R, K], in T.

    Example:
    ```mlir
    %d = chimera.scatter_columns %a, %b at [0, 2] from %ssm, %full to %rows
        : (tensor<?xf32>, tensor<?xf32>, !chimera.rows, !chimera.rows, !chimera.rows) -> tensor<?x4xf32>
    ```
  }];
  let arguments = (ins Variadic<RowVector>:$pieces, DenseI64ArrayAttr:$columns, Variadic<RowsType>:$from, RowsType:$to);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = "$pieces `at` $columns `from` $from `to` $to attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def RouteExpertsGradOp : Chimera_RowOp<"route_experts_grad", [AllTypesMatch<["logits", "dweights", "dlogits"]>]> {
  let summary = "gradient of a router of experts by its logits";
  let description = [{
    Of `chimera.route_experts`, through its weights, the choice being what it is. With g_e = scale * dweights_e for a chosen expert, else 0:

        softmax              dlogits_e = p_e (g_e - sum_i g_i p_i)                                   p over all experts
        softmax, normalized  the same with p over the chosen ones; 0 for any other
        sigmoid              dlogits_e = g_e s_e (1 - s_e)
        sigmoid, normalized  dlogits_e = (g_e - sum_i g_i s_i / S) / S s_e (1 - s_e)                 S the sum of s over the chosen ones

    logits, dweights and dlogits [R, E] in T, chosen i8 [R, E].

    Example:
    ```mlir
    %dl = chimera.route_experts_grad <softmax> %logits, %chosen, %dw {normalized} : tensor<?x8xf32>, tensor<?x8xi8>
    ```
  }];
  let arguments = (ins ExpertScoreAttr:$score, AccMatrix:$logits, ChoiceMatrix:$chosen, AccMatrix:$dweights, UnitAttr:$normalized,
                       DefaultValuedAttr<F64Attr, "::llvm::APFloat(1.0)">:$scale);
  let results = (outs AccMatrix:$dlogits);
  let assemblyFormat = "$score $logits `,` $chosen `,` $dweights attr-dict `:` type($logits) `,` type($chosen)";
  let hasVerifier = 1;
}

def AddExpertGradOp : Chimera_RowOp<"add_expert_grad", [AllTypesMatch<["dresult", "output", "doutput"]>]> {
  let summary = "gradients of the addition of an expert";
  let description = [{
    Of `chimera.add_expert`: for the i-th row r of `from`, `doutput[i] = weights[r, expert] dresult[r]` and `dweight[i] = dresult[r] .
    output[i]`. The gradient by the input is dresult itself.

    dresult [R, D], weights [R, E], output and doutput [from, D], dweight [from] in T.

    Example:
    ```mlir
    %do, %dw = chimera.add_expert_grad %dy, %o weights %w at 2 from %third : tensor<?x64xf32>, tensor<?x8xf32> -> tensor<?xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$dresult, AccMatrix:$output, AccMatrix:$weights, I64Attr:$expert, RowsType:$from);
  let results = (outs AccMatrix:$doutput, RowVector:$dweight);
  let assemblyFormat = [{
    $dresult `,` $output `weights` $weights `at` $expert `from` $from attr-dict `:` type($dresult) `,` type($weights) `->` type($dweight)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Row by row
//===----------------------------------------------------------------------===//

def NormGradOp : Chimera_RowOp<"norm_grad", [AllTypesMatch<["input", "dresult", "dinput"]>]> {
  let summary = "gradients of a norm";
  let description = [{
    With n the normalised input and g = weight * dresult: `dinput = (g - n mean(g n)) / root` (rms), `(g - mean(g) - n mean(g n)) / root`
    (layer); `dweight_rows = n dresult`, whose sum over rows is dweight; dbias is the sum of dresult. All [R, C] in T. With
    `groups`, as `chimera.norm` has them, dweight_rows [R, C / groups] is the sum over the groups, in their order. With
    `unit_offset`, g = (1 + weight) * dresult.

    Example:
    ```mlir
    %dx, %dw = chimera.norm_grad rms %x, %w, %dy {eps = 1.0e-05 : f64} : tensor<?x64xf32>, tensor<64xf32> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins NormKindAttr:$kind, AccMatrix:$input, WeightVector:$weight, AccMatrix:$dresult, F64Attr:$eps,
                       DefaultValuedAttr<I64Attr, "1">:$groups, UnitAttr:$unit_offset);
  let results = (outs AccMatrix:$dinput, AccMatrix:$dweight_rows);
  let assemblyFormat = [{
    $kind $input `,` $weight `,` $dresult attr-dict `:` type($input) `,` type($weight) `->` type($dweight_rows)
  }];
  let hasVerifier = 1;
}

def GatedNormGradOp
    : Chimera_RowOp<"gated_norm_grad", [AllTypesMatch<["input", "gate", "dresult", "dinput", "dgate", "dweight_rows"]>]> {
  let summary = "gradients of a gated norm";
  let description = [{
    Of `chimera.gated_norm`, by the input, the gate, and, summed over rows, the weight. All [R, C] in T.

    Example:
    ```mlir
    %dy, %dz, %dw = chimera.gated_norm_grad %y, %z, %w, %do {groups = 1 : i64, eps = 1.0e-05 : f64} : tensor<?x64xf32>, tensor<64xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$input, AccMatrix:$gate, WeightVector:$weight, AccMatrix:$dresult, I64Attr:$groups, F64Attr:$eps);
  let results = (outs AccMatrix:$dinput, AccMatrix:$dgate, AccMatrix:$dweight_rows);
  let assemblyFormat = "$input `,` $gate `,` $weight `,` $dresult attr-dict `:` type($input) `,` type($weight)";
  let hasVerifier = 1;
}

def SoftCapGradOp : Chimera_RowOp<"soft_cap_grad", [SameOperandsAndResultType]> {
  let summary = "gradient of a soft cap";
  let description = [{
    `dinput = dresult * (1 - (capped / cap)^2)`, capped being the result of `chimera.soft_cap`. [R, C] in T.

    Example:
    ```mlir
    %dx = chimera.soft_cap_grad %y, %dy by 30.0 : tensor<?x64xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$capped, AccMatrix:$dresult, F64Attr:$cap);
  let results = (outs AccMatrix:$dinput);
  let assemblyFormat = "$capped `,` $dresult `by` $cap attr-dict `:` type($dinput)";
  let hasVerifier = 1;
}

def ActivateGradOp : Chimera_RowOp<"activate_grad", [SameOperandsAndResultType]> {
  let summary = "gradient of an elementwise function";
  let description = [{
    `dinput = dresult * f'(input)`, f as of `chimera.activate`. With s = sigmoid(x): f' is s + x s (1 - s) of silu; of gelu_tanh, where
    s = sigmoid(v) and v = 2 sqrt(2/pi) (x + 0.044715 x^3), s + x s (1 - s) v'; of relu2 2 max(x, 0). [R, C] in T.

    Example:
    ```mlir
    %dx = chimera.activate_grad <silu>, %x, %dy : tensor<?x64xf32>
    ```
  }];
  let arguments = (ins SomeActivationAttr:$activation, AccMatrix:$input, AccMatrix:$dresult);
  let results = (outs AccMatrix:$dinput);
  let assemblyFormat = "$activation `,` $input `,` $dresult attr-dict `:` type($dinput)";
}

def GluGradOp : Chimera_RowOp<"glu_grad", [SameOperandsAndResultType]> {
  let summary = "gradients of f(gate) * up";
  let description = [{
    `dgate = dresult up f'(gate)`, `dup = dresult f(gate)`, f as of `chimera.activate`. [R, C] in T.

    Example:
    ```mlir
    %dgate, %dup = chimera.glu_grad <silu>, %gate, %up, %dy : tensor<?x64xf32>
    ```
  }];
  let arguments = (ins SomeActivationAttr:$activation, AccMatrix:$gate, AccMatrix:$up, AccMatrix:$dresult);
  let results = (outs AccMatrix:$dgate, AccMatrix:$dup);
  let assemblyFormat = "$activation `,` $gate `,` $up `,` $dresult attr-dict `:` type($gate)";
}

def JoinColumnsOp : Chimera_RowOp<"join_columns"> {
  let summary = "pieces side by side, zeros elsewhere";
  let description = [{
    `result[r, offsets[i] + c] = pieces[i][r, c]`; columns that no piece covers are 0: the gradient of `chimera.columns`. Pieces
    do not overlap. [R, .] in T.

    Example:
    ```mlir
    %d = chimera.join_columns %dz, %dx at [0, 128] : (tensor<?x128xf32>, tensor<?x64xf32>) -> tensor<?x200xf32>
    ```
  }];
  let arguments = (ins Variadic<AccMatrix>:$pieces, DenseI64ArrayAttr:$offsets);
  let results = (outs AccMatrix:$result);
  let assemblyFormat = "$pieces `at` $offsets attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Gradients of parameters
//===----------------------------------------------------------------------===//

def ColumnSumOp : Chimera_Op<"column_sum", [Pure]> {
  let summary = "sum over rows, by leaves";
  let description = [{
    `result[c] = sum_r input[r, c]`, by leaves, added in the result's type. input [R, C], result [C].

    Example:
    ```mlir
    %db = chimera.column_sum %dy leaves %leaves : (tensor<?x64xf32>, tensor<18xi32>) -> tensor<64xf32>
    ```
  }];
  let arguments = (ins AccMatrix:$input, IndexVector:$leaves);
  let results = (outs WeightVector:$result);
  let assemblyFormat = "$input `leaves` $leaves attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def LinearInputGradOp : Chimera_RowOp<"linear_input_grad"> {
  let summary = "gradient of a matrix product by its input";
  let description = [{
    `dinput[r, k] = sum_n dresult[r, n] weight[n, k]`, n ascending. dresult [R, N] and weight [N, K] in U, dinput [R, K] in T.

    Example:
    ```mlir
    %dx = chimera.linear_input_grad %dy, %w : (tensor<?x128xf32>, tensor<128x64xf32>) -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins RowMatrix:$dresult, WeightMatrix:$weight);
  let results = (outs AccMatrix:$dinput);
  let assemblyFormat = "$dresult `,` $weight attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def LinearWeightGradOp : Chimera_Op<"linear_weight_grad", [Pure]> {
  let summary = "gradient of a matrix product by its weights";
  let description = [{
    `dweight[n, k] = sum_r dresult[r, n] input[r, k]`, by leaves. dresult [R, N] and input [R, K] in U, dweight [N, K] in T.

    Example:
    ```mlir
    %dw = chimera.linear_weight_grad %dy, %x leaves %leaves : (tensor<?x128xf32>, tensor<?x64xf32>, tensor<18xi32>) -> tensor<128x64xf32>
    ```
  }];
  let arguments = (ins RowMatrix:$dresult, RowMatrix:$input, IndexVector:$leaves);
  let results = (outs AccMatrix:$dweight);
  let assemblyFormat = "$dresult `,` $input `leaves` $leaves attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def EmbedGradOp : Chimera_Op<"embed_grad", [Pure]> {
  let summary = "gradient of an embedding lookup by its table";
  let description = [{
    `dtable[v]` is the sum, by leaves, of `dresult[r]` over the rows with tokens[r] = v. tokens i32 [R], dresult [R, D] and dtable [V, D]
    in T.

    Example:
    ```mlir
    %dt = chimera.embed_grad %tokens, %dx leaves %leaves : (tensor<?xi32>, tensor<?x64xf32>, tensor<18xi32>) -> tensor<256x64xf32>
    ```
  }];
  let arguments = (ins IndexVector:$tokens, AccMatrix:$dresult, IndexVector:$leaves);
  let results = (outs AccMatrix:$dtable);
  let assemblyFormat = "$tokens `,` $dresult `leaves` $leaves attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def SumOp : Chimera_Op<"sum", [Pure, SameOperandsAndResultType]> {
  let summary = "elementwise sum of gradients of one parameter";
  let description = [{
    `result = lhs + rhs`, of a parameter's shape, in T.

    Example:
    ```mlir
    %dw = chimera.sum %a, %b : tensor<128x64xf32>
    ```
  }];
  let arguments = (ins AnyStaticShapeTensor:$lhs, AnyStaticShapeTensor:$rhs);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def RoundParamOp : Chimera_Op<"round_param", [Pure, DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "a parameter rounded to the operands' type";
  let description = [{
    Of a master in f32, what the products of a bf16 model multiply with: rounded to nearest, ties to even. The gradient passes
    through (straight-through).

    Example:
    ```mlir
    %w16 = chimera.round_param %w : tensor<128x64xf32> to tensor<128x64xbf16>
    ```
  }];
  let arguments = (ins AnyStaticShapeTensor:$input);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// The loss
//===----------------------------------------------------------------------===//

def CrossEntropyOp : Chimera_RowOp<"cross_entropy", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "cross entropy of linear logits, without a matrix of them";
  let description = [{
    With l_v = input . weight_v, or with a `soft_cap` (finite and above 0) soft_cap * tanh(input . weight_v / soft_cap): `lse = ln sum_v
    exp(l_v)`, `scores = (lse - l_target, 1 if the target is the greatest logit (the lowest v of equals) else 0)`. The targets are those of
    the whole batch, by row. input [R, K] and weight [V, K] in U, targets i32 [N], lse [R, 1] in T, scores f64 [R, 2]. It is the loss that is differentiated: the sum of scores[:, 0] times hyper[1].

    Example:
    ```mlir
    %lse, %scores = chimera.cross_entropy %x, %w targets %targets rows %outputs
        : (tensor<?x64xf32>, tensor<256x64xf32>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
    ```
  }];
  let arguments = (ins RowMatrix:$input, WeightMatrix:$weight, IndexVector:$targets, RowsType:$rows, OptionalAttr<F64Attr>:$soft_cap);
  let results = (outs AccMatrix:$lse, AccMatrix:$scores);
  let assemblyFormat = "$input `,` $weight `targets` $targets `rows` $rows attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def CrossEntropyInputGradOp : Chimera_RowOp<"cross_entropy_input_grad"> {
  let summary = "gradient of the cross entropy by the input of the logits";
  let description = [{
    With g_v = (exp(l_v - lse) - [v = target]) * hyper[1], with a `soft_cap` times 1 - (l_v / soft_cap)^2, rounded to U, the logits computed
    again: `dinput = sum_v g_v weight_v`. dinput [R, K] in T.

    Example:
    ```mlir
    %dx = chimera.cross_entropy_input_grad %x, %w, %lse targets %targets hyper %hyper rows %outputs
        : (tensor<?x64xf32>, tensor<256x64xf32>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, !chimera.rows) -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins RowMatrix:$input, WeightMatrix:$weight, AccMatrix:$lse, IndexVector:$targets, WeightVector:$hyper, RowsType:$rows,
                       OptionalAttr<F64Attr>:$soft_cap);
  let results = (outs AccMatrix:$dinput);
  let assemblyFormat = [{
    $input `,` $weight `,` $lse `targets` $targets `hyper` $hyper `rows` $rows attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def CrossEntropyWeightGradOp : Chimera_Op<"cross_entropy_weight_grad", [Pure]> {
  let summary = "gradient of the cross entropy by the weights of the logits";
  let description = [{
    `dweight_v = sum_r g_v[r] input[r]`, by leaves, g as in `chimera.cross_entropy_input_grad`. dweight [V, K] in T.

    Example:
    ```mlir
    %dw = chimera.cross_entropy_weight_grad %x, %w, %lse targets %targets hyper %hyper leaves %leaves rows %outputs
        : (tensor<?x64xf32>, tensor<256x64xf32>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, tensor<18xi32>, !chimera.rows) -> tensor<256x64xf32>
    ```
  }];
  let arguments = (ins RowMatrix:$input, WeightMatrix:$weight, AccMatrix:$lse, IndexVector:$targets, WeightVector:$hyper,
                       IndexVector:$leaves, RowsType:$rows, OptionalAttr<F64Attr>:$soft_cap);
  let results = (outs AccMatrix:$dweight);
  let assemblyFormat = [{
    $input `,` $weight `,` $lse `targets` $targets `hyper` $hyper `leaves` $leaves `rows` $rows attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // CHIMERA_DIALECT_IR_TRAINING_OPS_TD
