// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every op that training has row by row, and every sum over rows, survives printing and parsing, in both forms, with and
// without its optional operands.
// RUN: chimera-opt %s | chimera-opt | FileCheck %s
// RUN: chimera-opt %s --mlir-print-op-generic | chimera-opt | FileCheck %s

// CHECK-LABEL: func.func @route
// CHECK-SAME: %[[L:[a-z0-9]+]]: tensor<?x2xf32>, %[[B:[a-z0-9]+]]: tensor<2xf32>, %[[NOISE:[a-z0-9]+]]: tensor<?x8xf64>
// CHECK-SAME: %[[HYPER:[a-z0-9]+]]: tensor<16xf64>, %[[PRICES:[a-z0-9]+]]: tensor<2x13xf64>, %[[ROWS:[a-z0-9]+]]: !chimera.rows
func.func @route(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %noise: tensor<?x8xf64>, %hyper: tensor<16xf64>,
                 %prices: tensor<2x13xf64>, %rows: !chimera.rows) {
  // CHECK: %[[MODE:.*]], %[[WANTED:.*]], %[[GATE:.*]], %[[LOG_P:.*]] = chimera.seq_route [ssm, full] %[[L]], %[[B]] noise %[[NOISE]] hyper %[[HYPER]] rows %[[ROWS]] {gate_kind = #chimera.gate_kind<prob>, layer = 0 : i64}
  // CHECK-SAME: : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows) -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  %mode, %wanted, %gate, %log_p = chimera.seq_route [ssm, full] %l, %b noise %noise hyper %hyper rows %rows
      {gate_kind = #chimera.gate_kind<prob>, layer = 0 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  // CHECK: %[[MODE2:.*]], %[[WANTED2:.*]], %[[GATE2:.*]], %[[LOG_P2:.*]] = chimera.seq_route [swa, identity] %[[L]], %[[B]] noise %[[NOISE]] hyper %[[HYPER]] rows %[[ROWS]] {bias_in_gate, capacity = array<f64: 5.000000e-01, 0x7FF0000000000000>, gate_kind = #chimera.gate_kind<one>, layer = 1 : i64, max_tokens = array<i64: 3, -1>, soft}
  // CHECK-SAME: : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows) -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  %mode2, %wanted2, %gate2, %log_p2 = chimera.seq_route [swa, identity] %l, %b noise %noise hyper %hyper rows %rows
      {bias_in_gate, capacity = array<f64: 5.000000e-01, 0x7FF0000000000000>, gate_kind = #chimera.gate_kind<one>, layer = 1 : i64, max_tokens = array<i64: 3, -1>, soft}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  // CHECK: %[[D0:.*]] = chimera.seq_route_grad [ssm, full] %[[L]], %[[B]] hyper %[[HYPER]] prices %[[PRICES]] mode %[[MODE]] gate %[[GATE]] log_p %[[LOG_P]] {layer = 0 : i64}
  // CHECK-SAME: : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %d0 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode gate %gate log_p %log_p
      {layer = 0 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
      -> tensor<?x2xf32>
  // CHECK: %[[D1:.*]] = chimera.seq_route_grad [ssm, full] %[[L]], %[[B]] hyper %[[HYPER]] prices %[[PRICES]] mode %[[MODE]] gate %[[GATE]] {bias_in_gate, layer = 1 : i64}
  // CHECK-SAME: : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?xf32>) -> tensor<?x2xf32>
  %d1 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode gate %gate
      {bias_in_gate, layer = 1 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?xf32>)
      -> tensor<?x2xf32>
  // CHECK: %[[D2:.*]] = chimera.seq_route_grad [ssm, full] %[[L]], %[[B]] hyper %[[HYPER]] prices %[[PRICES]] mode %[[MODE]] log_p %[[LOG_P]] {layer = 0 : i64}
  // CHECK-SAME: : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %d2 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode log_p %log_p {layer = 0 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?x2xf32>)
      -> tensor<?x2xf32>
  // CHECK: %[[D3:.*]] = chimera.seq_route_grad [ssm, full] %[[L]], %[[B]] hyper %[[HYPER]] prices %[[PRICES]] mode %[[MODE]] {layer = 0 : i64}
  // CHECK-SAME: : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>) -> tensor<?x2xf32>
  %d3 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode {layer = 0 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>) -> tensor<?x2xf32>
  // CHECK: %[[D4:.*]] = chimera.seq_route_grad [ssm, full] %[[L]], %[[B]] hyper %[[HYPER]] prices %[[PRICES]] mode %[[MODE]] log_p %[[LOG_P]] noise %[[NOISE]] {layer = 1 : i64}
  // CHECK-SAME: : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?x2xf32>, tensor<?x8xf64>) -> tensor<?x2xf32>
  %d4 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode log_p %log_p noise %noise
      {layer = 1 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?x2xf32>, tensor<?x8xf64>)
      -> tensor<?x2xf32>
  // CHECK: %[[S:.*]] = chimera.route_statistics [ssm, full] %[[MODE]], %[[WANTED]], %[[LOG_P]]
  // CHECK-SAME: : (tensor<?xi8>, tensor<?xi8>, tensor<?x2xf32>) -> tensor<?x14xf64>
  %s = chimera.route_statistics [ssm, full] %mode, %wanted, %log_p
      : (tensor<?xi8>, tensor<?xi8>, tensor<?x2xf32>) -> tensor<?x14xf64>
  return
}

// CHECK-LABEL: func.func @combine
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>, %[[Y:[a-z0-9]+]]: tensor<?x8xf32>, %[[LOG_P:[a-z0-9]+]]: tensor<?x3xf32>
// CHECK-SAME: %[[MODE:[a-z0-9]+]]: tensor<?xi8>, %[[INVERSE:[a-z0-9]+]]: tensor<?xi32>, %[[GATE:[a-z0-9]+]]: tensor<?xf32>
func.func @combine(%x: tensor<?x8xf32>, %y: tensor<?x8xf32>, %log_p: tensor<?x3xf32>, %mode: tensor<?xi8>,
                   %inverse: tensor<?xi32>, %gate: tensor<?xf32>) {
  // CHECK: %[[Z:.*]] = chimera.soft_combine [ssm, full] %[[X]], %[[LOG_P]] of [ssm, full, identity], %[[X]], %[[Y]]
  // CHECK-SAME: : (tensor<?x8xf32>, tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %z = chimera.soft_combine [ssm, full] %x, %log_p of [ssm, full, identity], %x, %y
      : (tensor<?x8xf32>, tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  // CHECK: %[[NONE:.*]] = chimera.soft_combine [] %[[X]], %[[LOG_P]] of [ssm, full, identity]
  // CHECK-SAME: : (tensor<?x8xf32>, tensor<?x3xf32>) -> tensor<?x8xf32>
  %none = chimera.soft_combine [] %x, %log_p of [ssm, full, identity]
      : (tensor<?x8xf32>, tensor<?x3xf32>) -> tensor<?x8xf32>
  // CHECK: %[[DP:.*]], %[[DO:.*]]:2 = chimera.soft_combine_grad [ssm, full] %[[LOG_P]] of [ssm, full, identity], %[[Z]], %[[X]], %[[Y]]
  // CHECK-SAME: : (tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> (tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
  %dp, %do:2 = chimera.soft_combine_grad [ssm, full] %log_p of [ssm, full, identity], %z, %x, %y
      : (tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
      -> (tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
  // CHECK: %[[DNONE:.*]] = chimera.soft_combine_grad [] %[[LOG_P]] of [ssm, full, identity], %[[Z]]
  // CHECK-SAME: : (tensor<?x3xf32>, tensor<?x8xf32>) -> tensor<?x3xf32>
  %dnone = chimera.soft_combine_grad [] %log_p of [ssm, full, identity], %z
      : (tensor<?x3xf32>, tensor<?x8xf32>) -> tensor<?x3xf32>
  // CHECK: %[[DG:.*]], %[[DY:.*]]:2 = chimera.combine_grad [swa, full] %[[MODE]], %[[INVERSE]], %[[GATE]], %[[DO]]#0, %[[X]], %[[Y]]
  // CHECK-SAME: : (tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> (tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
  %dg, %dy:2 = chimera.combine_grad [swa, full] %mode, %inverse, %gate, %do#0, %x, %y
      : (tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
      -> (tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
  // CHECK: %[[SKIPPED:.*]] = chimera.combine_grad [] %[[MODE]], %[[INVERSE]], %[[GATE]], %[[DY]]#1
  // CHECK-SAME: : (tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>) -> tensor<?xf32>
  %skipped = chimera.combine_grad [] %mode, %inverse, %gate, %dy#1
      : (tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>) -> tensor<?xf32>
  return
}

// CHECK-LABEL: func.func @scatter
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf64>, %[[W:[a-z0-9]+]]: tensor<?xf64>, %[[SSM:[a-z0-9]+]]: !chimera.rows
// CHECK-SAME: %[[FULL:[a-z0-9]+]]: !chimera.rows, %[[ROWS:[a-z0-9]+]]: !chimera.rows
func.func @scatter(%x: tensor<?x8xf64>, %w: tensor<?xf64>, %ssm: !chimera.rows, %full: !chimera.rows,
                   %rows: !chimera.rows) {
  // CHECK: %[[ONE:.*]] = chimera.scatter %[[X]] from %[[SSM]] to %[[ROWS]]
  // CHECK-SAME: : (tensor<?x8xf64>, !chimera.rows, !chimera.rows) -> tensor<?x8xf64>
  %one = chimera.scatter %x from %ssm to %rows : (tensor<?x8xf64>, !chimera.rows, !chimera.rows) -> tensor<?x8xf64>
  // CHECK: %[[TWO:.*]] = chimera.scatter %[[ONE]], %[[X]] from %[[SSM]], %[[FULL]] to %[[ROWS]]
  // CHECK-SAME: : (tensor<?x8xf64>, tensor<?x8xf64>, !chimera.rows, !chimera.rows, !chimera.rows) -> tensor<?x8xf64>
  %two = chimera.scatter %one, %x from %ssm, %full to %rows
      : (tensor<?x8xf64>, tensor<?x8xf64>, !chimera.rows, !chimera.rows, !chimera.rows) -> tensor<?x8xf64>
  // CHECK: %[[COLUMN:.*]] = chimera.scatter_columns %[[W]] at [3] from %[[SSM]] to %[[ROWS]]
  // CHECK-SAME: : (tensor<?xf64>, !chimera.rows, !chimera.rows) -> tensor<?x4xf64>
  %column = chimera.scatter_columns %w at [3] from %ssm to %rows
      : (tensor<?xf64>, !chimera.rows, !chimera.rows) -> tensor<?x4xf64>
  // CHECK: %[[COLUMNS:.*]] = chimera.scatter_columns %[[W]], %[[W]] at [2, 0] from %[[SSM]], %[[FULL]] to %[[ROWS]]
  // CHECK-SAME: : (tensor<?xf64>, tensor<?xf64>, !chimera.rows, !chimera.rows, !chimera.rows) -> tensor<?x4xf64>
  %columns = chimera.scatter_columns %w, %w at [2, 0] from %ssm, %full to %rows
      : (tensor<?xf64>, tensor<?xf64>, !chimera.rows, !chimera.rows, !chimera.rows) -> tensor<?x4xf64>
  return
}

// CHECK-LABEL: func.func @rowwise
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>, %[[Y:[a-z0-9]+]]: tensor<?x4xf32>, %[[W:[a-z0-9]+]]: tensor<8xf32>
func.func @rowwise(%x: tensor<?x8xf32>, %y: tensor<?x4xf32>, %w: tensor<8xf32>) {
  // CHECK: %[[DX:.*]], %[[DW:.*]] = chimera.norm_grad rms %[[X]], %[[W]], %[[X]] {eps = 1.000000e-05 : f64}
  // CHECK-SAME: : tensor<?x8xf32>, tensor<8xf32>
  %dx, %dw = chimera.norm_grad rms %x, %w, %x {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
  // CHECK: %[[DX2:.*]], %[[DW2:.*]] = chimera.norm_grad layer %[[DX]], %[[W]], %[[DW]] {eps = 1.000000e-03 : f64}
  // CHECK-SAME: : tensor<?x8xf32>, tensor<8xf32>
  %dx2, %dw2 = chimera.norm_grad layer %dx, %w, %dw {eps = 1.0e-03 : f64} : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
  // CHECK: chimera.norm_grad rms %[[X]], %[[W]], %[[X]] {eps = 1.000000e-05 : f64, unit_offset} :
  %dxu, %dwu = chimera.norm_grad rms %x, %w, %x {eps = 1.0e-05 : f64, unit_offset} : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
  // CHECK: chimera.norm_grad rms %[[X]], %{{.*}}, %[[X]] {eps = 1.000000e-05 : f64, groups = 2 : i64} : tensor<?x8xf32>, tensor<4xf32> -> tensor<?x4xf32>
  %half = chimera.param "half" : tensor<4xf32>
  %dxh, %dwh = chimera.norm_grad rms %x, %half, %x {eps = 1.0e-05 : f64, groups = 2 : i64} : tensor<?x8xf32>, tensor<4xf32> -> tensor<?x4xf32>
  // CHECK: %[[DI:.*]], %[[DZ:.*]], %[[DW3:.*]] = chimera.gated_norm_grad %[[X]], %[[DX2]], %[[W]], %[[DW2]] {eps = 1.000000e-05 : f64, groups = 2 : i64}
  // CHECK-SAME: : tensor<?x8xf32>, tensor<8xf32>
  %di, %dz, %dw3 = chimera.gated_norm_grad %x, %dx2, %w, %dw2 {eps = 1.0e-05 : f64, groups = 2 : i64}
      : tensor<?x8xf32>, tensor<8xf32>
  // CHECK: %[[DS:.*]] = chimera.activate_grad <silu>, %[[DI]], %[[DZ]] : tensor<?x8xf32>
  %ds = chimera.activate_grad <silu>, %di, %dz : tensor<?x8xf32>
  // CHECK: %[[DGATE:.*]], %[[DUP:.*]] = chimera.glu_grad <silu>, %[[DW3]], %[[DS]], %[[X]] : tensor<?x8xf32>
  %dgate, %dup = chimera.glu_grad <silu>, %dw3, %ds, %x : tensor<?x8xf32>
  // CHECK: %[[J:.*]] = chimera.join_columns %[[Y]] at [3] : (tensor<?x4xf32>) -> tensor<?x9xf32>
  %j = chimera.join_columns %y at [3] : (tensor<?x4xf32>) -> tensor<?x9xf32>
  // CHECK: %[[K:.*]] = chimera.join_columns %[[Y]], %[[DGATE]], %[[Y]] at [0, 5, 13]
  // CHECK-SAME: : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<?x4xf32>) -> tensor<?x20xf32>
  %k = chimera.join_columns %y, %dgate, %y at [0, 5, 13]
      : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<?x4xf32>) -> tensor<?x20xf32>
  return
}

// CHECK-LABEL: func.func @sums
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>, %[[Y:[a-z0-9]+]]: tensor<?x4xbf16>, %[[X16:[a-z0-9]+]]: tensor<?x8xbf16>
// CHECK-SAME: %[[TOKENS:[a-z0-9]+]]: tensor<?xi32>, %[[LEAVES:[a-z0-9]+]]: tensor<18xi32>, %[[W:[a-z0-9]+]]: tensor<4x8xbf16>
// CHECK-SAME: %[[MASTER:[a-z0-9]+]]: tensor<4x8xf32>
func.func @sums(%x: tensor<?x8xf32>, %y: tensor<?x4xbf16>, %x16: tensor<?x8xbf16>, %tokens: tensor<?xi32>,
                %leaves: tensor<18xi32>, %w: tensor<4x8xbf16>, %master: tensor<4x8xf32>) {
  // CHECK: %[[C:.*]] = chimera.column_sum %[[X]] leaves %[[LEAVES]] : (tensor<?x8xf32>, tensor<18xi32>) -> tensor<8xf32>
  %c = chimera.column_sum %x leaves %leaves : (tensor<?x8xf32>, tensor<18xi32>) -> tensor<8xf32>
  // CHECK: %[[WIDE:.*]] = chimera.column_sum %[[X]] leaves %[[LEAVES]] : (tensor<?x8xf32>, tensor<18xi32>) -> tensor<8xf64>
  %wide = chimera.column_sum %x leaves %leaves : (tensor<?x8xf32>, tensor<18xi32>) -> tensor<8xf64>
  // CHECK: %[[DI:.*]] = chimera.linear_input_grad %[[Y]], %[[W]] : (tensor<?x4xbf16>, tensor<4x8xbf16>) -> tensor<?x8xf32>
  %di = chimera.linear_input_grad %y, %w : (tensor<?x4xbf16>, tensor<4x8xbf16>) -> tensor<?x8xf32>
  // CHECK: %[[DW:.*]] = chimera.linear_weight_grad %[[Y]], %[[X16]] leaves %[[LEAVES]]
  // CHECK-SAME: : (tensor<?x4xbf16>, tensor<?x8xbf16>, tensor<18xi32>) -> tensor<4x8xf32>
  %dw = chimera.linear_weight_grad %y, %x16 leaves %leaves
      : (tensor<?x4xbf16>, tensor<?x8xbf16>, tensor<18xi32>) -> tensor<4x8xf32>
  // CHECK: %[[DT:.*]] = chimera.embed_grad %[[TOKENS]], %[[DI]] leaves %[[LEAVES]]
  // CHECK-SAME: : (tensor<?xi32>, tensor<?x8xf32>, tensor<18xi32>) -> tensor<4x8xf32>
  %dt = chimera.embed_grad %tokens, %di leaves %leaves
      : (tensor<?xi32>, tensor<?x8xf32>, tensor<18xi32>) -> tensor<4x8xf32>
  // CHECK: %[[SUM:.*]] = chimera.sum %[[DW]], %[[DT]] : tensor<4x8xf32>
  %sum = chimera.sum %dw, %dt : tensor<4x8xf32>
  // CHECK: %[[R:.*]] = chimera.round_param %[[MASTER]] : tensor<4x8xf32> to tensor<4x8xbf16>
  %r = chimera.round_param %master : tensor<4x8xf32> to tensor<4x8xbf16>
  return
}

// CHECK-LABEL: func.func @loss
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xbf16>, %[[HEAD:[a-z0-9]+]]: tensor<16x8xbf16>, %[[TARGETS:[a-z0-9]+]]: tensor<?xi32>
// CHECK-SAME: %[[HYPER:[a-z0-9]+]]: tensor<16xf64>, %[[LEAVES:[a-z0-9]+]]: tensor<18xi32>, %[[OUTPUTS:[a-z0-9]+]]: !chimera.rows
func.func @loss(%x: tensor<?x8xbf16>, %head: tensor<16x8xbf16>, %targets: tensor<?xi32>, %hyper: tensor<16xf64>,
                %leaves: tensor<18xi32>, %outputs: !chimera.rows) {
  // CHECK: %[[LSE:.*]], %[[SCORES:.*]] = chimera.cross_entropy %[[X]], %[[HEAD]] targets %[[TARGETS]] rows %[[OUTPUTS]]
  // CHECK-SAME: : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  %lse, %scores = chimera.cross_entropy %x, %head targets %targets rows %outputs
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  // CHECK: %[[DX:.*]] = chimera.cross_entropy_input_grad %[[X]], %[[HEAD]], %[[LSE]] targets %[[TARGETS]] hyper %[[HYPER]] rows %[[OUTPUTS]]
  // CHECK-SAME: : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, !chimera.rows) -> tensor<?x8xf32>
  %dx = chimera.cross_entropy_input_grad %x, %head, %lse targets %targets hyper %hyper rows %outputs
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, !chimera.rows)
      -> tensor<?x8xf32>
  // CHECK: %[[DW:.*]] = chimera.cross_entropy_weight_grad %[[X]], %[[HEAD]], %[[LSE]] targets %[[TARGETS]] hyper %[[HYPER]] leaves %[[LEAVES]] rows %[[OUTPUTS]]
  // CHECK-SAME: : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, tensor<18xi32>, !chimera.rows) -> tensor<16x8xf32>
  %dw = chimera.cross_entropy_weight_grad %x, %head, %lse targets %targets hyper %hyper leaves %leaves rows %outputs
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, tensor<18xi32>, !chimera.rows)
      -> tensor<16x8xf32>
  // CHECK: %[[S:.*]] = chimera.column_sum %[[SCORES]] leaves %[[LEAVES]] : (tensor<?x2xf64>, tensor<18xi32>) -> tensor<2xf64>
  %s = chimera.column_sum %scores leaves %leaves : (tensor<?x2xf64>, tensor<18xi32>) -> tensor<2xf64>
  return
}
