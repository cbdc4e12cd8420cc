// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gradients of the loss by every parameter, back from the cross entropy; what several uses contribute is added up.
// RUN: chimera-opt %s --split-input-file --chimera-differentiate --verify-diagnostics | FileCheck %s

// A parameter with two uses gets a sum, at the very end; two ops with its name are one. What was gathered is scattered. The gradients
// follow the results that are there, in the order of the parameters.
// CHECK-LABEL: func.func @shared(
// CHECK-SAME: %[[TOKENS:[a-z0-9]+]]: tensor<?xi32> {chimera.step = "tokens"}, %[[ROWS:[a-z0-9]+]]: !chimera.rows {chimera.step = "rows"}, %[[OUTPUTS:[a-z0-9]+]]: !chimera.rows {chimera.step = "outputs"}
// CHECK-SAME: %[[TARGETS:[a-z0-9]+]]: tensor<?xi32> {chimera.step = "targets"}, %[[HYPER:[a-z0-9]+]]: tensor<16xf64> {chimera.step = "hyper"}, %{{[a-z0-9]+}}: tensor<1x13xf64> {chimera.step = "prices"}, %[[LEAVES:[a-z0-9]+]]: tensor<18xi32>
// CHECK-SAME: -> (tensor<2xf64> {chimera.result = "loss"}, tensor<16x8xf32> {chimera.gradient = "embed"}, tensor<8xf32> {chimera.gradient = "norm"}, tensor<8xf32> {chimera.gradient = "bias"})
// CHECK-NEXT: %[[TABLE:.*]] = chimera.param "embed"
// CHECK-NEXT: %[[W:.*]] = chimera.param "norm"
// CHECK-NEXT: %[[B:.*]] = chimera.param "bias"
// CHECK-NEXT: %[[X:.*]] = chimera.embed %[[TOKENS]], %[[TABLE]]
// CHECK-NEXT: %[[H:.*]] = chimera.norm layer %[[X]], %[[W]], %[[B]]
// CHECK-NEXT: %[[G:.*]] = chimera.gather %[[H]]
// CHECK-NEXT: %[[LSE:.*]], %[[SCORES:.*]] = chimera.cross_entropy %[[G]], %[[TABLE]]
// CHECK-NEXT: %[[LOSS:.*]] = chimera.column_sum %[[SCORES]]
// CHECK-NEXT: %[[DG:.*]] = chimera.cross_entropy_input_grad %[[G]], %[[TABLE]], %[[LSE]] targets %[[TARGETS]] hyper %[[HYPER]] rows %[[OUTPUTS]]
// CHECK-NEXT: %[[D0:.*]] = chimera.cross_entropy_weight_grad %[[G]], %[[TABLE]], %[[LSE]] targets %[[TARGETS]] hyper %[[HYPER]] leaves %[[LEAVES]] rows %[[OUTPUTS]]
// CHECK-NEXT: %[[DH:.*]] = chimera.scatter %[[DG]] from %[[OUTPUTS]] to %[[ROWS]]
// CHECK-NEXT: %[[DX:.*]], %[[DWR:.*]] = chimera.norm_grad layer %[[X]], %[[W]], %[[DH]] {eps = 1.000000e-05 : f64}
// CHECK-NEXT: %[[DW:.*]] = chimera.column_sum %[[DWR]] leaves %[[LEAVES]] : (tensor<?x8xf32>, tensor<18xi32>) -> tensor<8xf32>
// CHECK-NEXT: %[[DB:.*]] = chimera.column_sum %[[DH]] leaves %[[LEAVES]]
// CHECK-NEXT: %[[D1:.*]] = chimera.embed_grad %[[TOKENS]], %[[DX]] leaves %[[LEAVES]] : (tensor<?xi32>, tensor<?x8xf32>, tensor<18xi32>) -> tensor<16x8xf32>
// CHECK-NEXT: %[[D:.*]] = chimera.sum %[[D0]], %[[D1]] : tensor<16x8xf32>
// CHECK-NEXT: return %[[LOSS]], %[[D]], %[[DW]], %[[DB]]
func.func @shared(%tokens: tensor<?xi32> {chimera.step = "tokens"}, %rows: !chimera.rows {chimera.step = "rows"}, %outputs: !chimera.rows {chimera.step = "outputs"},
                  %targets: tensor<?xi32> {chimera.step = "targets"}, %hyper: tensor<16xf64> {chimera.step = "hyper"},
                  %prices: tensor<1x13xf64> {chimera.step = "prices"}, %leaves: tensor<18xi32> {chimera.step = "leaves"})
    -> (tensor<2xf64> {chimera.result = "loss"}) attributes {chimera.differentiate} {
  %table = chimera.param "embed" : tensor<16x8xf32>
  %w = chimera.param "norm" : tensor<8xf32>
  %b = chimera.param "bias" : tensor<8xf32>
  %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<16x8xf32> -> tensor<?x8xf32>
  %h = chimera.norm layer %x, %w, %b {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>
  %g = chimera.gather %h from %rows to %outputs : tensor<?x8xf32> to tensor<?x8xf32>
  %head = chimera.param "embed" : tensor<16x8xf32>
  %lse, %scores = chimera.cross_entropy %g, %head targets %targets rows %outputs
      : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  %loss = chimera.column_sum %scores leaves %leaves : (tensor<?x2xf64>, tensor<18xi32>) -> tensor<2xf64>
  return %loss : tensor<2xf64>
}

// -----

// Row by row: columns are joined again, those that overlap added; two uses of a value are added; a rotation is turned back.
// CHECK-LABEL: func.func @rowwise(
// CHECK: %[[L:.*]] = chimera.linear %[[X:.*]], %[[U:.*]] : tensor<?x8xf32>, tensor<20x8xf32>
// CHECK: %[[A:.*]] = chimera.columns %[[L]] at 0
// CHECK-NEXT: %[[B:.*]] = chimera.columns %[[L]] at 8
// CHECK-NEXT: %[[C:.*]] = chimera.columns %[[L]] at 12
// CHECK-NEXT: %[[S:.*]] = chimera.activate <silu>, %[[A]]
// CHECK-NEXT: %[[G:.*]] = chimera.glu <silu>, %[[S]], %[[B]]
// CHECK-NEXT: %[[N:.*]] = chimera.gated_norm %[[G]], %[[C]], %[[W:.*]] {
// CHECK-NEXT: %[[R:.*]] = chimera.rope %[[N]] rows %[[ROWS:.*]] {
// CHECK-NEXT: %[[Y:.*]] = chimera.add %[[R]], %[[X]]
// CHECK: %[[DY:.*]] = chimera.cross_entropy_input_grad %[[Y]]
// CHECK-NEXT: %[[DHEAD:.*]] = chimera.cross_entropy_weight_grad
// CHECK-NEXT: %[[DN:.*]] = chimera.rope %[[DY]] rows %[[ROWS]] {frequencies = array<f64: 1.000000e+00>, heads = 2 : i64, inverse}
// CHECK-NEXT: %[[DG:.*]], %[[DC:.*]], %[[DWR:.*]] = chimera.gated_norm_grad %[[G]], %[[C]], %[[W]], %[[DN]] {eps = 1.000000e-05 : f64, groups = 2 : i64}
// CHECK-NEXT: %[[DW:.*]] = chimera.column_sum %[[DWR]]
// CHECK-NEXT: %[[DS:.*]], %[[DB:.*]] = chimera.glu_grad <silu>, %[[S]], %[[B]], %[[DG]]
// CHECK-NEXT: %[[DA:.*]] = chimera.activate_grad <silu>, %[[A]], %[[DS]]
// CHECK-NEXT: %[[J0:.*]] = chimera.join_columns %[[DA]], %[[DB]] at [0, 8] : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x20xf32>
// CHECK-NEXT: %[[J1:.*]] = chimera.join_columns %[[DC]] at [12] : (tensor<?x8xf32>) -> tensor<?x20xf32>
// CHECK-NEXT: %[[DL:.*]] = chimera.add %[[J0]], %[[J1]] : tensor<?x20xf32>
// CHECK-NEXT: %[[DX1:.*]] = chimera.linear_input_grad %[[DL]], %[[U]] : (tensor<?x20xf32>, tensor<20x8xf32>) -> tensor<?x8xf32>
// CHECK-NEXT: %[[DU:.*]] = chimera.linear_weight_grad %[[DL]], %[[X]] leaves %{{.*}} -> tensor<20x8xf32>
// CHECK-NEXT: %[[DX:.*]] = chimera.add %[[DY]], %[[DX1]]
// CHECK-NEXT: %[[DHEAD2:.*]] = chimera.embed_grad %{{.*}}, %[[DX]]
// CHECK-NEXT: %[[DTABLE:.*]] = chimera.sum %[[DHEAD]], %[[DHEAD2]]
// CHECK-NEXT: return %{{.*}}, %[[DTABLE]], %[[DU]], %[[DW]] : tensor<2xf64>, tensor<16x8xf32>, tensor<20x8xf32>, tensor<8xf32>
func.func @rowwise(%tokens: tensor<?xi32> {chimera.step = "tokens"}, %rows: !chimera.rows {chimera.step = "rows"},
                   %targets: tensor<?xi32> {chimera.step = "targets"}, %hyper: tensor<16xf64> {chimera.step = "hyper"},
                   %prices: tensor<1x13xf64> {chimera.step = "prices"}, %leaves: tensor<18xi32> {chimera.step = "leaves"})
    -> (tensor<2xf64> {chimera.result = "loss"}) attributes {chimera.differentiate} {
  %table = chimera.param "embed" : tensor<16x8xf32>
  %u = chimera.param "u" : tensor<20x8xf32>
  %w = chimera.param "w" : tensor<8xf32>
  %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<16x8xf32> -> tensor<?x8xf32>
  %l = chimera.linear %x, %u : tensor<?x8xf32>, tensor<20x8xf32> -> tensor<?x20xf32>
  %a = chimera.columns %l at 0 : tensor<?x20xf32> to tensor<?x8xf32>
  %b = chimera.columns %l at 8 : tensor<?x20xf32> to tensor<?x8xf32>
  %c = chimera.columns %l at 12 : tensor<?x20xf32> to tensor<?x8xf32>
  %s = chimera.activate <silu>, %a : tensor<?x8xf32>
  %g = chimera.glu <silu>, %s, %b : tensor<?x8xf32>
  %n = chimera.gated_norm %g, %c, %w {groups = 2 : i64, eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>
  %r = chimera.rope %n rows %rows {heads = 2 : i64, frequencies = array<f64: 1.0>} : tensor<?x8xf32>
  %y = chimera.add %r, %x : tensor<?x8xf32>
  %lse, %scores = chimera.cross_entropy %y, %table targets %targets rows %rows
      : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  %loss = chimera.column_sum %scores leaves %leaves : (tensor<?x2xf64>, tensor<18xi32>) -> tensor<2xf64>
  return %loss : tensor<2xf64>
}

// -----

// A bias has the sum of the rows, a scale scales the gradient (all of it or its columns), a cap has its slope by its result, and the weight of a norm of groups is
// the sum of the groups, then of the rows. The cap of the logits is that of their gradients.
// CHECK-LABEL: func.func @biased(
// CHECK: %[[N:.*]] = chimera.norm rms %[[X:.*]], %[[W:.*]] {
// CHECK-NEXT: %[[A:.*]] = chimera.add_bias %[[N]], %[[B:.*]] :
// CHECK-NEXT: %[[S:.*]] = chimera.scale %[[A]] by 2.500000e-01
// CHECK-NEXT: %[[SC:.*]] = chimera.scale_columns %[[S]] by [3.000000e+00, 5.000000e-01] widths [6, 2]
// CHECK-NEXT: %[[Y:.*]] = chimera.soft_cap %[[SC]] by 4.000000e+00
// CHECK: %[[DY:.*]] = chimera.cross_entropy_input_grad %[[Y]]
// CHECK-SAME: {soft_cap = 3.000000e+01 : f64}
// CHECK-NEXT: chimera.cross_entropy_weight_grad
// CHECK-SAME: {soft_cap = 3.000000e+01 : f64}
// CHECK-NEXT: %[[DSC:.*]] = chimera.soft_cap_grad %[[Y]], %[[DY]] by 4.000000e+00 : tensor<?x8xf32>
// CHECK-NEXT: %[[DS:.*]] = chimera.scale_columns %[[DSC]] by [3.000000e+00, 5.000000e-01] widths [6, 2] : tensor<?x8xf32>
// CHECK-NEXT: %[[DA:.*]] = chimera.scale %[[DS]] by 2.500000e-01 : tensor<?x8xf32>
// CHECK-NEXT: %[[DB:.*]] = chimera.column_sum %[[DA]] leaves %{{.*}} -> tensor<8xf32>
// CHECK-NEXT: %[[DX:.*]], %[[DWR:.*]] = chimera.norm_grad rms %[[X]], %[[W]], %[[DA]] {eps = 1.000000e-05 : f64, groups = 2 : i64} : tensor<?x8xf32>, tensor<4xf32> -> tensor<?x4xf32>
// CHECK-NEXT: %[[DW:.*]] = chimera.column_sum %[[DWR]] leaves %{{.*}} -> tensor<4xf32>
// CHECK: return %{{.*}}, %{{.*}}, %[[DW]], %[[DB]] : tensor<2xf64>, tensor<16x8xf32>, tensor<4xf32>, tensor<8xf32>
func.func @biased(%tokens: tensor<?xi32> {chimera.step = "tokens"}, %rows: !chimera.rows {chimera.step = "rows"},
                  %targets: tensor<?xi32> {chimera.step = "targets"}, %hyper: tensor<16xf64> {chimera.step = "hyper"},
                  %prices: tensor<1x13xf64> {chimera.step = "prices"}, %leaves: tensor<18xi32> {chimera.step = "leaves"})
    -> (tensor<2xf64> {chimera.result = "loss"}) attributes {chimera.differentiate} {
  %table = chimera.param "embed" : tensor<16x8xf32>
  %w = chimera.param "w" : tensor<4xf32>
  %b = chimera.param "b" : tensor<8xf32>
  %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<16x8xf32> -> tensor<?x8xf32>
  %n = chimera.norm rms %x, %w {groups = 2 : i64, eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<4xf32>
  %a = chimera.add_bias %n, %b : tensor<?x8xf32>, tensor<8xf32>
  %s = chimera.scale %a by 0.25 : tensor<?x8xf32>
  %c = chimera.scale_columns %s by [3.0, 0.5] widths [6, 2] : tensor<?x8xf32>
  %y = chimera.soft_cap %c by 4.0 : tensor<?x8xf32>
  %lse, %scores = chimera.cross_entropy %y, %table targets %targets rows %rows {soft_cap = 30.0 : f64}
      : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  %loss = chimera.column_sum %scores leaves %leaves : (tensor<?x2xf64>, tensor<18xi32>) -> tensor<2xf64>
  return %loss : tensor<2xf64>
}

// -----

// Products in bf16 multiply with the gradient rounded to bf16 and add up in f32; casts and rounded masters pass it on as it is. An
// optional parameter without influence has no gradient.
// CHECK-LABEL: func.func @bf16(
// CHECK-SAME: -> (tensor<2xf64> {chimera.result = "loss"}, tensor<4x8xf32> {chimera.gradient = "w"}, tensor<16x4xf32> {chimera.gradient = "head"})
// CHECK: %[[W16:.*]] = chimera.round_param %[[W:.*]] : tensor<4x8xf32> to tensor<4x8xbf16>
// CHECK: %[[H16:.*]] = chimera.cast %[[H:.*]] : tensor<?x4xf32> to tensor<?x4xbf16>
// CHECK: %[[DH:.*]] = chimera.cross_entropy_input_grad %[[H16]], %{{.*}} -> tensor<?x4xf32>
// CHECK-NEXT: %[[DHEAD:.*]] = chimera.cross_entropy_weight_grad %[[H16]], %{{.*}} -> tensor<16x4xf32>
// CHECK-NEXT: %[[D16:.*]] = chimera.cast %[[DH]] : tensor<?x4xf32> to tensor<?x4xbf16>
// CHECK-NEXT: chimera.linear_input_grad %[[D16]], %[[W16]] : (tensor<?x4xbf16>, tensor<4x8xbf16>) -> tensor<?x8xf32>
// CHECK-NEXT: %[[DW:.*]] = chimera.linear_weight_grad %[[D16]], %{{.*}} : (tensor<?x4xbf16>, tensor<?x8xbf16>, tensor<18xi32>) -> tensor<4x8xf32>
// CHECK-NEXT: return %{{.*}}, %[[DW]], %[[DHEAD]]
func.func @bf16(%x: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"},
                %targets: tensor<?xi32> {chimera.step = "targets"}, %hyper: tensor<16xf64> {chimera.step = "hyper"},
                %prices: tensor<1x13xf64> {chimera.step = "prices"}, %leaves: tensor<18xi32> {chimera.step = "leaves"})
    -> (tensor<2xf64> {chimera.result = "loss"}) attributes {chimera.differentiate} {
  %w = chimera.param "w" : tensor<4x8xf32>
  %bias = chimera.param "router.bias" {optional} : tensor<2xf32>
  %head = chimera.param "head" : tensor<16x4xf32>
  %w16 = chimera.round_param %w : tensor<4x8xf32> to tensor<4x8xbf16>
  %head16 = chimera.round_param %head : tensor<16x4xf32> to tensor<16x4xbf16>
  %x16 = chimera.cast %x : tensor<?x8xf32> to tensor<?x8xbf16>
  %h = chimera.linear %x16, %w16 : tensor<?x8xbf16>, tensor<4x8xbf16> -> tensor<?x4xf32>
  %h16 = chimera.cast %h : tensor<?x4xf32> to tensor<?x4xbf16>
  %lse, %scores = chimera.cross_entropy %h16, %head16 targets %targets rows %rows
      : (tensor<?x4xbf16>, tensor<16x4xbf16>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  %loss = chimera.column_sum %scores leaves %leaves : (tensor<?x2xf64>, tensor<18xi32>) -> tensor<2xf64>
  return %loss : tensor<2xf64>
}

// -----

// Hard routing: what the mixers' slices contribute to tokens is scattered, in the program's order, what their write weights do put
// into its columns; the route hears of its gate and of ln p.
// CHECK-LABEL: func.func @hard(
// CHECK: %[[MODE:.*]], %{{.*}}, %[[GATE:.*]], %[[LOGP:.*]] = chimera.seq_route [ssm, full] %[[L:.*]], %[[B:.*]] noise
// CHECK: %[[INVERSE:.*]], %[[SLICES:.*]]:2 = chimera.dispatch
// CHECK: %[[W0:.*]] = chimera.write_weight %[[LOGP]] at 0
// CHECK: %[[Y0:.*]] = chimera.seq_lti_scan %[[T0:.*]], %[[DECAY:.*]] write %[[W0]]
// CHECK: %[[Y1:.*]] = chimera.seq_lti_scan %[[T1:.*]], %{{.*}} write %[[W1:.*]] rows
// CHECK: %[[DZ:.*]] = chimera.cross_entropy_input_grad
// CHECK: %[[DGATE:.*]], %[[DY:.*]]:2 = chimera.combine_grad [ssm, full] %[[MODE]], %[[INVERSE]], %[[GATE]], %[[DZ]], %[[Y0]], %[[Y1]]
// CHECK-SAME: -> (tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
// CHECK-NEXT: %[[DT1:.*]], %[[DD1:.*]], %[[DW1:.*]] = chimera.seq_lti_scan_grad %[[T1]], %[[DECAY]] write %[[W1]] result %[[Y1]], %[[DY]]#1 rows %[[SLICES]]#1
// CHECK-NEXT: %[[DDECAY1:.*]] = chimera.column_sum %[[DD1]]
// CHECK-NEXT: %[[DT0:.*]], %[[DD0:.*]], %[[DW0:.*]] = chimera.seq_lti_scan_grad %[[T0]], %[[DECAY]] write %[[W0]] result %[[Y0]], %[[DY]]#0 rows %[[SLICES]]#0
// CHECK-NEXT: %[[DDECAY0:.*]] = chimera.column_sum %[[DD0]]
// CHECK-NEXT: %[[DLOGP:.*]] = chimera.scatter_columns %[[DW0]], %[[DW1]] at [0, 1] from %[[SLICES]]#0, %[[SLICES]]#1 to %[[ROWS:.*]] : (tensor<?xf32>, tensor<?xf32>, {{.*}} -> tensor<?x2xf32>
// CHECK-NEXT: %[[DL:.*]] = chimera.seq_route_grad [ssm, full] %[[L]], %[[B]] hyper %{{.*}} prices %{{.*}} mode %[[MODE]] gate %[[DGATE]] log_p %[[DLOGP]] {layer = 0 : i64}
// CHECK-NEXT: %[[DX1:.*]] = chimera.linear_input_grad %[[DL]]
// CHECK-NEXT: chimera.linear_weight_grad %[[DL]]
// CHECK-NEXT: %[[DX2:.*]] = chimera.scatter %[[DT0]], %[[DT1]] from %[[SLICES]]#0, %[[SLICES]]#1 to %[[ROWS]]
// CHECK-NEXT: %[[SUM:.*]] = chimera.add %[[DZ]], %[[DX1]]
// CHECK-NEXT: %[[DX:.*]] = chimera.add %[[SUM]], %[[DX2]]
// CHECK-NEXT: chimera.embed_grad %{{.*}}, %[[DX]]
// CHECK: chimera.sum %[[DDECAY1]], %[[DDECAY0]] : tensor<8xf32>
// CHECK-NEXT: return
func.func @hard(%tokens: tensor<?xi32> {chimera.step = "tokens"}, %rows: !chimera.rows {chimera.step = "rows"}, %noise: tensor<?x4xf64> {chimera.step = "noise"},
                %targets: tensor<?xi32> {chimera.step = "targets"}, %hyper: tensor<16xf64> {chimera.step = "hyper"},
                %prices: tensor<1x13xf64> {chimera.step = "prices"}, %leaves: tensor<18xi32> {chimera.step = "leaves"})
    -> (tensor<2xf64> {chimera.result = "loss"}) attributes {chimera.differentiate} {
  %table = chimera.param "embed" : tensor<16x8xf32>
  %router = chimera.param "router" : tensor<2x8xf32>
  %bias = chimera.param "bias" {optional} : tensor<2xf32>
  %decay = chimera.param "decay" : tensor<8xf32>
  %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<16x8xf32> -> tensor<?x8xf32>
  %l = chimera.linear %x, %router : tensor<?x8xf32>, tensor<2x8xf32> -> tensor<?x2xf32>
  %mode, %wanted, %gate, %log_p = chimera.seq_route [ssm, full] %l, %bias noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x4xf64>, tensor<16xf64>, !chimera.rows) -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  %inverse, %ssm, %full = chimera.dispatch [ssm, full] %mode rows %rows : tensor<?xi8> -> tensor<?xi32>, !chimera.rows, !chimera.rows
  %t0 = chimera.gather %x from %rows to %ssm : tensor<?x8xf32> to tensor<?x8xf32>
  %w0 = chimera.write_weight %log_p at 0 to %ssm : tensor<?x2xf32> -> tensor<?xf32>
  %y0 = chimera.seq_lti_scan %t0, %decay write %w0 rows %ssm : (tensor<?x8xf32>, tensor<8xf32>, tensor<?xf32>, !chimera.rows) -> tensor<?x8xf32>
  %t1 = chimera.gather %x from %rows to %full : tensor<?x8xf32> to tensor<?x8xf32>
  %w1 = chimera.write_weight %log_p at 1 to %full : tensor<?x2xf32> -> tensor<?xf32>
  %y1 = chimera.seq_lti_scan %t1, %decay write %w1 rows %full : (tensor<?x8xf32>, tensor<8xf32>, tensor<?xf32>, !chimera.rows) -> tensor<?x8xf32>
  %z = chimera.combine [ssm, full] %x, %mode, %inverse, %gate, %y0, %y1
      : tensor<?x8xf32>, tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>
  %lse, %scores = chimera.cross_entropy %z, %table targets %targets rows %rows
      : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  %loss = chimera.column_sum %scores leaves %leaves : (tensor<?x2xf64>, tensor<18xi32>) -> tensor<2xf64>
  return %loss : tensor<2xf64>
}

// -----

// Soft routing: the gradient comes through ln p, which has the noise; the residual stream passes it on as it is. The second route decides over nothing, but
// its prices do: it always has a gradient.
// CHECK-LABEL: func.func @soft(
// CHECK: %[[MODE:.*]], %{{.*}}, %{{.*}}, %[[LOGP:.*]] = chimera.seq_route [ssm, identity] %[[L:.*]], %[[B:.*]] noise %[[NOISE:[a-z0-9]+]]
// CHECK: %[[MODE1:.*]], %{{.*}}, %{{.*}}, %{{.*}} = chimera.seq_route [swa, full]
// CHECK: %[[S:.*]] = chimera.activate <silu>, %[[X:.*]] :
// CHECK: %[[DZ:.*]] = chimera.cross_entropy_input_grad
// CHECK: %[[DLOGP:.*]], %[[DS:.*]] = chimera.soft_combine_grad [ssm] %[[LOGP]] of [ssm, identity], %[[DZ]], %[[S]]
// CHECK-NEXT: %[[DX0:.*]] = chimera.activate_grad <silu>, %[[X]], %[[DS]]
// CHECK-NEXT: %[[DL1:.*]] = chimera.seq_route_grad [swa, full] %[[L]], %[[B]] hyper %[[HYPER:.*]] prices %[[PRICES:.*]] mode %[[MODE1]] noise %[[NOISE]] {bias_in_gate, layer = 1 : i64}
// CHECK-NEXT: %[[DL0:.*]] = chimera.seq_route_grad [ssm, identity] %[[L]], %[[B]] hyper %[[HYPER]] prices %[[PRICES]] mode %[[MODE]] log_p %[[DLOGP]] noise %[[NOISE]] {layer = 0 : i64}
// CHECK-NEXT: %[[DL:.*]] = chimera.add %[[DL1]], %[[DL0]]
// CHECK-NEXT: %[[DX1:.*]] = chimera.linear_input_grad %[[DL]]
// CHECK: %[[SUM:.*]] = chimera.add %[[DZ]], %[[DX0]]
// CHECK-NEXT: chimera.add %[[SUM]], %[[DX1]]
func.func @soft(%tokens: tensor<?xi32> {chimera.step = "tokens"}, %rows: !chimera.rows {chimera.step = "rows"}, %noise: tensor<?x8xf64> {chimera.step = "noise"},
                %targets: tensor<?xi32> {chimera.step = "targets"}, %hyper: tensor<16xf64> {chimera.step = "hyper"},
                %prices: tensor<2x13xf64> {chimera.step = "prices"}, %leaves: tensor<18xi32> {chimera.step = "leaves"})
    -> (tensor<2xf64> {chimera.result = "loss"}) attributes {chimera.differentiate, chimera.soft} {
  %table = chimera.param "embed" : tensor<16x8xf32>
  %router = chimera.param "router" : tensor<2x8xf32>
  %bias = chimera.param "bias" {optional} : tensor<2xf32>
  %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<16x8xf32> -> tensor<?x8xf32>
  %l = chimera.linear %x, %router : tensor<?x8xf32>, tensor<2x8xf32> -> tensor<?x2xf32>
  %mode, %wanted, %gate, %log_p = chimera.seq_route [ssm, identity] %l, %bias noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, soft}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows) -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  %mode1, %wanted1, %gate1, %log_p1 = chimera.seq_route [swa, full] %l, %bias noise %noise hyper %hyper rows %rows
      {layer = 1 : i64, gate_kind = #chimera.gate_kind<one>, soft, bias_in_gate}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows) -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  %s = chimera.activate <silu>, %x : tensor<?x8xf32>
  %z = chimera.soft_combine [ssm] %x, %log_p of [ssm, identity], %s : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %lse, %scores = chimera.cross_entropy %z, %table targets %targets rows %rows
      : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  %loss = chimera.column_sum %scores leaves %leaves : (tensor<?x2xf64>, tensor<18xi32>) -> tensor<2xf64>
  return %loss : tensor<2xf64>
}

// -----

// Mixers: attention by its queries, then by its entries, with write weights or entries of its own; a convolution from before its
// activation, with kept rows; a scan's dt, rates and skips summed over rows.
// CHECK-LABEL: func.func @mixers(
// CHECK: %[[H:.*]] = chimera.linear
// CHECK: %[[C:.*]] = chimera.seq_conv %[[H]], %[[TAPS:.*]], %[[BIAS:.*]] kept %[[K:.*]] of %[[PART:.*]] rows %[[ROWS:.*]] {
// CHECK: %[[P:.*]] = chimera.seq_conv %[[C]], %[[TAPS]], %[[BIAS]] rows %[[ROWS]] {activation = #chimera.activation<none>}
// CHECK: %[[O:.*]], %[[LSE:.*]] = chimera.seq_attend %[[P]], %[[P]], %[[P]] write %[[WRITE:.*]] own
// CHECK: %[[T:.*]], %[[LSET:.*]] = chimera.seq_attend %[[O]], %[[K]], %[[K]] own_entry %[[O]], %[[P]] own
// CHECK: %[[DTS:.*]] = chimera.columns
// CHECK: %[[Y:.*]], %[[STATES:.*]] = chimera.seq_ssm_scan %[[XBC:.*]], %[[DTS]], %[[A:.*]], %[[SKIP:.*]], %[[DTB:.*]] mode %[[MODE:.*]] rows
// CHECK: %[[DY:.*]] = chimera.cross_entropy_input_grad
// CHECK: %[[DXBC:.*]], %[[DDT:.*]], %[[DRATE:.*]], %[[DSKIP:.*]] = chimera.seq_ssm_scan_grad %[[XBC]], %[[DTS]], %[[A]], %[[SKIP]], %[[DTB]] mode %[[MODE]] states %[[STATES]] gradient %[[DY]] rows %[[ROWS]]
// CHECK-NEXT: %[[GDTB:.*]] = chimera.column_sum %[[DDT]]
// CHECK-NEXT: %[[GA:.*]] = chimera.column_sum %[[DRATE]]
// CHECK-NEXT: %[[GSKIP:.*]] = chimera.column_sum %[[DSKIP]]
// CHECK: %[[DT:.*]] = chimera.join_columns %[[DDT]] at [0]
// CHECK-NEXT: %[[DQ:.*]], %[[DELTA:.*]], %[[DOWN:.*]]:2 = chimera.seq_attend_query_grad %[[O]], %[[K]], %[[K]] own_entry %[[O]], %[[P]] result %[[T]], %[[LSET]], %[[DT]] own %[[ROWS]] keys %[[PART]] {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 5.000000e-01 : f64, soft_cap = 6.000000e+00 : f64, window = 8 : i64}
// CHECK-NEXT: %[[DK:.*]], %[[DV:.*]] = chimera.seq_attend_key_grad %[[O]], %[[K]], %[[K]] result %[[LSET]], %[[DELTA]], %[[DT]] own %[[ROWS]] keys %[[PART]] {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 5.000000e-01 : f64, soft_cap = 6.000000e+00 : f64, tentative, window = 8 : i64}
// CHECK-NEXT: %[[DO:.*]] = chimera.add %[[DQ]], %[[DOWN]]#0
// CHECK-NEXT: %[[DQ1:.*]], %[[DELTA1:.*]] = chimera.seq_attend_query_grad %[[P]], %[[P]], %[[P]] write %[[WRITE]] result %[[O]], %[[LSE]], %[[DO]]
// CHECK-NEXT: %[[DK1:.*]], %[[DV1:.*]], %[[DWRITE:.*]] = chimera.seq_attend_key_grad %[[P]], %[[P]], %[[P]] write %[[WRITE]] result %[[LSE]], %[[DELTA1]], %[[DO]]
// CHECK-SAME: {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 5.000000e-01 : f64, window = -1 : i64}
// CHECK: %[[DP:.*]] = chimera.add %{{.*}}, %[[DV1]]
// CHECK-NEXT: %[[DC:.*]] = chimera.seq_conv_input_grad %[[DP]], %[[TAPS]] rows %[[ROWS]]
// CHECK-NEXT: %[[DTAPS1:.*]], %[[DBIAS1:.*]] = chimera.seq_conv_weight_grad %[[DP]], %[[C]] rows %[[ROWS]] leaves
// CHECK-NEXT: %[[DPRE:.*]] = chimera.seq_conv_activation_grad %[[H]], %[[TAPS]], %[[BIAS]] kept %[[K]] of %[[PART]] gradient %[[DC]] rows %[[ROWS]]
// CHECK-NEXT: %[[DH0:.*]], %[[DKEPT:.*]] = chimera.seq_conv_input_grad %[[DPRE]], %[[TAPS]] kept %[[PART]] rows %[[ROWS]]
// CHECK-NEXT: %[[DTAPS0:.*]], %[[DBIAS0:.*]] = chimera.seq_conv_weight_grad %[[DPRE]], %[[H]] kept %[[K]] of %[[PART]] rows %[[ROWS]] leaves
// CHECK: %[[DKS:.*]] = chimera.add %[[DK]], %[[DV]]
// CHECK-NEXT: %[[DKALL:.*]] = chimera.add %[[DKS]], %[[DKEPT]]
// CHECK-NEXT: chimera.scatter %[[DKALL]] from %[[PART]] to %[[ROWS]]
// CHECK: %[[GTAPS:.*]] = chimera.sum %[[DTAPS1]], %[[DTAPS0]]
// CHECK-NEXT: %[[GBIAS:.*]] = chimera.sum %[[DBIAS1]], %[[DBIAS0]]
// CHECK-NEXT: return %{{.*}}, %{{.*}}, %{{.*}}, %[[GTAPS]], %[[GBIAS]], %[[GA]], %[[GSKIP]], %[[GDTB]]
func.func @mixers(%x: tensor<?x8xf32>, %xbc: tensor<?x16xf32>, %mode: tensor<?xi8>, %write: tensor<?xf32>,
                  %rows: !chimera.rows {chimera.step = "rows"}, %targets: tensor<?xi32> {chimera.step = "targets"},
                  %hyper: tensor<16xf64> {chimera.step = "hyper"}, %prices: tensor<1x13xf64> {chimera.step = "prices"}, %leaves: tensor<18xi32> {chimera.step = "leaves"})
    -> (tensor<2xf64> {chimera.result = "loss"}) attributes {chimera.differentiate} {
  %u = chimera.param "u" : tensor<8x8xf32>
  %head = chimera.param "head" : tensor<16x8xf32>
  %taps = chimera.param "taps" : tensor<8x4xf32>
  %bias = chimera.param "bias" : tensor<8xf32>
  %a = chimera.param "a" : tensor<2xf32>
  %skip = chimera.param "skip" : tensor<2xf32>
  %dtb = chimera.param "dt_bias" : tensor<2xf32>
  %inverse, %ssm, %part = chimera.dispatch [ssm, full] %mode rows %rows : tensor<?xi8> -> tensor<?xi32>, !chimera.rows, !chimera.rows
  %h = chimera.linear %x, %u : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %k = chimera.gather %h from %rows to %part : tensor<?x8xf32> to tensor<?x8xf32>
  %c = chimera.seq_conv %h, %taps, %bias kept %k of %part rows %rows {activation = #chimera.activation<silu>}
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows) -> tensor<?x8xf32>
  %p = chimera.seq_conv %c, %taps, %bias rows %rows {activation = #chimera.activation<none>}
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, !chimera.rows) -> tensor<?x8xf32>
  %o, %olse = chimera.seq_attend %p, %p, %p write %write own %rows keys %rows {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x2xf32>)
  %t, %tlse = chimera.seq_attend %o, %k, %k own_entry %o, %p own %rows keys %part {kv_heads = 2 : i64, head_dim = 4 : i64, window = 8 : i64, scale = 0.5 : f64, soft_cap = 6.0 : f64}
      : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x2xf32>)
  %dt = chimera.columns %t at 0 : tensor<?x8xf32> to tensor<?x2xf32>
  %y, %states = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %dtb mode %mode rows %rows
      {heads = 2 : i64, dim = 4 : i64, size = 4 : i64, groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x16xf32>, tensor<?x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<?xi8>, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x1xf32>)
  %lse, %scores = chimera.cross_entropy %y, %head targets %targets rows %rows
      : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  %loss = chimera.column_sum %scores leaves %leaves : (tensor<?x2xf64>, tensor<18xi32>) -> tensor<2xf64>
  return %loss : tensor<2xf64>
}

// -----

// Columns of a parameter that is used whole as well are a part of its gradient like the others.
// CHECK-LABEL: func.func @parts(
// CHECK: %[[E:.*]] = chimera.cross_entropy_weight_grad %{{.*}} -> tensor<16x4xf32>
// CHECK: %[[D:.*]] = chimera.cross_entropy_weight_grad %{{.*}} -> tensor<16x8xf32>
// CHECK-NEXT: %[[J:.*]] = chimera.join_columns %[[E]] at [2] : (tensor<16x4xf32>) -> tensor<16x8xf32>
// CHECK-NEXT: %[[SUM:.*]] = chimera.sum %[[D]], %[[J]] : tensor<16x8xf32>
// CHECK-NEXT: return %{{.*}}, %[[SUM]]
func.func @parts(%x: tensor<?x4xf32>, %y: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"},
                 %targets: tensor<?xi32> {chimera.step = "targets"}, %hyper: tensor<16xf64> {chimera.step = "hyper"},
                 %prices: tensor<1x13xf64> {chimera.step = "prices"}, %leaves: tensor<18xi32> {chimera.step = "leaves"})
    -> (tensor<?x2xf64> {chimera.result = "loss"}) attributes {chimera.differentiate} {
  %w = chimera.param "w" : tensor<16x8xf32>
  %part = chimera.columns %w at 2 : tensor<16x8xf32> to tensor<16x4xf32>
  %lse, %scores = chimera.cross_entropy %y, %w targets %targets rows %rows
      : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  %lse1, %scores1 = chimera.cross_entropy %x, %part targets %targets rows %rows
      : (tensor<?x4xf32>, tensor<16x4xf32>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  return %scores : tensor<?x2xf64>
}

// -----

// A function that is not marked stays as it is.
// CHECK-LABEL: func.func @unmarked(
// CHECK-NOT: cross_entropy_input_grad
func.func @unmarked(%x: tensor<?x8xf32>, %targets: tensor<?xi32>, %rows: !chimera.rows) -> tensor<?x2xf64> {
  %head = chimera.param "head" : tensor<16x8xf32>
  %lse, %scores = chimera.cross_entropy %x, %head targets %targets rows %rows
      : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  return %scores : tensor<?x2xf64>
}

// -----

func.func @no_influence(%x: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %targets: tensor<?xi32> {chimera.step = "targets"},
                        %hyper: tensor<16xf64> {chimera.step = "hyper"}, %prices: tensor<1x13xf64> {chimera.step = "prices"}, %leaves: tensor<18xi32> {chimera.step = "leaves"})
    -> tensor<?x2xf64> attributes {chimera.differentiate} {
  %head = chimera.param "head" : tensor<16x8xf32>
  // expected-error @+1 {{'chimera.param' op parameter 'lost' has no influence on the loss}}
  %lost = chimera.param "lost" : tensor<16x8xf32>
  %l = chimera.linear %x, %lost : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
  %lse, %scores = chimera.cross_entropy %x, %head targets %targets rows %rows
      : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  return %scores : tensor<?x2xf64>
}

// -----

// Write weights of what has no rows have nothing to be put back into.
func.func @weights_of_parameter(%x: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %targets: tensor<?xi32> {chimera.step = "targets"},
                                %hyper: tensor<16xf64> {chimera.step = "hyper"}, %prices: tensor<1x13xf64> {chimera.step = "prices"}, %leaves: tensor<18xi32> {chimera.step = "leaves"})
    -> tensor<?x2xf64> attributes {chimera.differentiate} {
  %head = chimera.param "head" : tensor<16x8xf32>
  %decay = chimera.param "decay" : tensor<8xf32>
  // expected-error @+1 {{'chimera.param' op parameter 'p' has no influence on the loss}}
  %p = chimera.param "p" : tensor<4x2xf32>
  %w = chimera.write_weight %p at 1 to %rows : tensor<4x2xf32> -> tensor<?xf32>
  %y = chimera.seq_lti_scan %x, %decay write %w rows %rows : (tensor<?x8xf32>, tensor<8xf32>, tensor<?xf32>, !chimera.rows) -> tensor<?x8xf32>
  %lse, %scores = chimera.cross_entropy %y, %head targets %targets rows %rows
      : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  return %scores : tensor<?x2xf64>
}

// -----

func.func @no_gradient(%x: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %targets: tensor<?xi32> {chimera.step = "targets"},
                       %hyper: tensor<16xf64> {chimera.step = "hyper"}, %prices: tensor<1x13xf64> {chimera.step = "prices"}, %leaves: tensor<18xi32> {chimera.step = "leaves"})
    -> tensor<?x2xf64> attributes {chimera.differentiate} {
  %head = chimera.param "head" : tensor<16x8xf32>
  // expected-error @+1 {{'chimera.mix' op has no gradient}}
  %z = chimera.mix [identity] routed %x, %x rows %rows {cache_counts = array<i64: 0>} : tensor<?x8xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield %t : tensor<?x8xf32>
  }
  %lse, %scores = chimera.cross_entropy %z, %head targets %targets rows %rows
      : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  return %scores : tensor<?x2xf64>
}

// -----

// expected-error @+1 {{'func.func' op is not in its training form: it needs one block, and leaves, hyper and prices}}
func.func @no_leaves(%hyper: tensor<16xf64> {chimera.step = "hyper"}, %prices: tensor<1x13xf64> {chimera.step = "prices"}) attributes {chimera.differentiate} {
  return
}

// -----

// expected-error @+1 {{is not in its training form}}
func.func @blocks(%hyper: tensor<16xf64> {chimera.step = "hyper"}, %prices: tensor<1x13xf64> {chimera.step = "prices"},
                  %leaves: tensor<18xi32> {chimera.step = "leaves"}) attributes {chimera.differentiate} {
  cf.br ^bb1
^bb1:
  return
}

// -----

// expected-error @+1 {{is not in its training form}}
func.func private @declared(!chimera.rows) attributes {chimera.differentiate}

// -----

// expected-error @+1 {{its argument 'hyper' (chimera.step) must be tensor<16xf64>}}
func.func @hyper_type(%hyper: tensor<16xf32> {chimera.step = "hyper"}, %prices: tensor<1x13xf64> {chimera.step = "prices"},
                      %leaves: tensor<18xi32> {chimera.step = "leaves"}) attributes {chimera.differentiate} {
  return
}

// -----

func.func @two_types(%hyper: tensor<16xf64> {chimera.step = "hyper"}, %prices: tensor<1x13xf64> {chimera.step = "prices"},
                     %leaves: tensor<18xi32> {chimera.step = "leaves"}) attributes {chimera.differentiate} {
  %a = chimera.param "w" : tensor<8xf32>
  // expected-error @+1 {{'chimera.param' op parameter 'w' is used in two ways}}
  %b = chimera.param "w" : tensor<8x8xf32>
  return
}
