// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention, convolution and scans over whole sequences, and their gradients, survive printing and parsing, in both forms, with
// and without write weights, entries of their own, kept rows and modes.
// RUN: chimera-opt %s | chimera-opt | FileCheck %s
// RUN: chimera-opt %s --mlir-print-op-generic | chimera-opt | FileCheck %s

// CHECK-LABEL: func.func @attention
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<?x16xbf16>, %[[K:[a-z0-9]+]]: tensor<?x8xbf16>, %[[V:[a-z0-9]+]]: tensor<?x8xbf16>
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<?xf32>, %[[D:[a-z0-9]+]]: tensor<?x16xf32>, %[[OWN:[a-z0-9]+]]: !chimera.rows
// CHECK-SAME: %[[KEYS:[a-z0-9]+]]: !chimera.rows
func.func @attention(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %w: tensor<?xf32>,
                     %d: tensor<?x16xf32>, %own: !chimera.rows, %keys: !chimera.rows) {
  // CHECK: %[[O:.*]], %[[LSE:.*]] = chimera.seq_attend %[[Q]], %[[K]], %[[V]] own %[[OWN]] keys %[[KEYS]] {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 5.000000e-01 : f64, window = -1 : i64}
  // CHECK-SAME: : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows) -> (tensor<?x16xf32>, tensor<?x4xf32>)
  %o, %lse = chimera.seq_attend %q, %k, %v own %own keys %keys
      {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 0.5 : f64, window = -1 : i64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  // CHECK: %[[OW:.*]], %[[LSEW:.*]] = chimera.seq_attend %[[Q]], %[[K]], %[[V]] write %[[W]] own %[[OWN]] keys %[[KEYS]] {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 5.000000e-01 : f64, soft_cap = 2.000000e+01 : f64, window = 8 : i64}
  // CHECK-SAME: : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x16xf32>, tensor<?x4xf32>)
  %ow, %lsew = chimera.seq_attend %q, %k, %v write %w own %own keys %keys
      {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 0.5 : f64, soft_cap = 20.0 : f64, window = 8 : i64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  // CHECK: %[[OT:.*]], %[[LSET:.*]] = chimera.seq_attend %[[Q]], %[[K]], %[[V]] own_entry %[[V]], %[[K]] own %[[OWN]] keys %[[KEYS]] {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 5.000000e-01 : f64, window = 1 : i64}
  // CHECK-SAME: : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows) -> (tensor<?x16xf32>, tensor<?x4xf32>)
  %ot, %lset = chimera.seq_attend %q, %k, %v own_entry %v, %k own %own keys %keys
      {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 0.5 : f64, window = 1 : i64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  // CHECK: %[[DQ:.*]], %[[DELTA:.*]] = chimera.seq_attend_query_grad %[[Q]], %[[K]], %[[V]] result %[[O]], %[[LSE]], %[[D]] own %[[OWN]] keys %[[KEYS]] {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 5.000000e-01 : f64, window = -1 : i64}
  // CHECK-SAME: : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x16xf32>, tensor<?x4xf32>)
  %dq, %delta = chimera.seq_attend_query_grad %q, %k, %v result %o, %lse, %d own %own keys %keys
      {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 0.5 : f64, window = -1 : i64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  // CHECK: %[[DQW:.*]], %[[DELTAW:.*]] = chimera.seq_attend_query_grad %[[Q]], %[[K]], %[[V]] write %[[W]] result %[[OW]], %[[LSEW]], %[[D]] own %[[OWN]] keys %[[KEYS]] {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 5.000000e-01 : f64, soft_cap = 2.000000e+01 : f64, window = 8 : i64}
  // CHECK-SAME: : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?xf32>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x16xf32>, tensor<?x4xf32>)
  %dqw, %deltaw = chimera.seq_attend_query_grad %q, %k, %v write %w result %ow, %lsew, %d own %own keys %keys
      {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 0.5 : f64, soft_cap = 20.0 : f64, window = 8 : i64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?xf32>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  // CHECK: %[[DQT:.*]], %[[DELTAT:.*]], %[[DENTRY:.*]]:2 = chimera.seq_attend_query_grad %[[Q]], %[[K]], %[[V]] own_entry %[[V]], %[[K]] result %[[OT]], %[[LSET]], %[[D]] own %[[OWN]] keys %[[KEYS]] {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 5.000000e-01 : f64, window = 1 : i64}
  // CHECK-SAME: : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
  %dqt, %deltat, %dentry:2 = chimera.seq_attend_query_grad %q, %k, %v own_entry %v, %k result %ot, %lset, %d own %own keys %keys
      {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 0.5 : f64, window = 1 : i64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
  // CHECK: %[[DK:.*]], %[[DV:.*]] = chimera.seq_attend_key_grad %[[Q]], %[[K]], %[[V]] result %[[LSE]], %[[DELTA]], %[[D]] own %[[OWN]] keys %[[KEYS]] {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 5.000000e-01 : f64, window = -1 : i64}
  // CHECK-SAME: : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x8xf32>)
  %dk, %dv = chimera.seq_attend_key_grad %q, %k, %v result %lse, %delta, %d own %own keys %keys
      {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 0.5 : f64, window = -1 : i64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x8xf32>)
  // CHECK: %[[DKW:.*]], %[[DVW:.*]], %[[DW:.*]] = chimera.seq_attend_key_grad %[[Q]], %[[K]], %[[V]] write %[[W]] result %[[LSEW]], %[[DELTAW]], %[[D]] own %[[OWN]] keys %[[KEYS]] {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 5.000000e-01 : f64, soft_cap = 2.000000e+01 : f64, window = 8 : i64}
  // CHECK-SAME: : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xf32>)
  %dkw, %dvw, %dw = chimera.seq_attend_key_grad %q, %k, %v write %w result %lsew, %deltaw, %d own %own keys %keys
      {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 0.5 : f64, soft_cap = 20.0 : f64, window = 8 : i64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xf32>)
  // CHECK: %[[DKT:.*]], %[[DVT:.*]] = chimera.seq_attend_key_grad %[[Q]], %[[K]], %[[V]] result %[[LSET]], %[[DELTAT]], %[[D]] own %[[OWN]] keys %[[KEYS]] {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 5.000000e-01 : f64, tentative, window = 1 : i64}
  // CHECK-SAME: : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x8xf32>)
  %dkt, %dvt = chimera.seq_attend_key_grad %q, %k, %v result %lset, %deltat, %d own %own keys %keys
      {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 0.5 : f64, tentative, window = 1 : i64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x8xf32>)
  return
}

// CHECK-LABEL: func.func @conv
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>, %[[W:[a-z0-9]+]]: tensor<8x4xf32>, %[[B:[a-z0-9]+]]: tensor<8xf32>
// CHECK-SAME: %[[LEAVES:[a-z0-9]+]]: tensor<18xi32>, %[[PART:[a-z0-9]+]]: !chimera.rows, %[[ROWS:[a-z0-9]+]]: !chimera.rows
func.func @conv(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>, %leaves: tensor<18xi32>,
                %part: !chimera.rows, %rows: !chimera.rows) {
  // CHECK: %[[Y:.*]] = chimera.seq_conv %[[X]], %[[W]], %[[B]] rows %[[ROWS]] {activation = #chimera.activation<none>}
  // CHECK-SAME: : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, !chimera.rows) -> tensor<?x8xf32>
  %y = chimera.seq_conv %x, %w, %b rows %rows {activation = #chimera.activation<none>}
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, !chimera.rows) -> tensor<?x8xf32>
  // CHECK: %[[Z:.*]] = chimera.seq_conv %[[Y]], %[[W]], %[[B]] kept %[[X]] of %[[PART]] rows %[[ROWS]] {activation = #chimera.activation<silu>}
  // CHECK-SAME: : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows) -> tensor<?x8xf32>
  %z = chimera.seq_conv %y, %w, %b kept %x of %part rows %rows {activation = #chimera.activation<silu>}
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows)
      -> tensor<?x8xf32>
  // CHECK: %[[DP:.*]] = chimera.seq_conv_activation_grad %[[X]], %[[W]], %[[B]] gradient %[[Z]] rows %[[ROWS]]
  // CHECK-SAME: : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, tensor<?x8xf32>, !chimera.rows) -> tensor<?x8xf32>
  %dp = chimera.seq_conv_activation_grad %x, %w, %b gradient %z rows %rows
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, tensor<?x8xf32>, !chimera.rows) -> tensor<?x8xf32>
  // CHECK: %[[DPK:.*]] = chimera.seq_conv_activation_grad %[[Y]], %[[W]], %[[B]] kept %[[X]] of %[[PART]] gradient %[[Z]] rows %[[ROWS]]
  // CHECK-SAME: : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, tensor<?x8xf32>, !chimera.rows, tensor<?x8xf32>, !chimera.rows) -> tensor<?x8xf32>
  %dpk = chimera.seq_conv_activation_grad %y, %w, %b kept %x of %part gradient %z rows %rows
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, tensor<?x8xf32>, !chimera.rows, tensor<?x8xf32>, !chimera.rows)
      -> tensor<?x8xf32>
  // CHECK: %[[DX:.*]] = chimera.seq_conv_input_grad %[[DP]], %[[W]] rows %[[ROWS]]
  // CHECK-SAME: : (tensor<?x8xf32>, tensor<8x4xf32>, !chimera.rows) -> tensor<?x8xf32>
  %dx = chimera.seq_conv_input_grad %dp, %w rows %rows
      : (tensor<?x8xf32>, tensor<8x4xf32>, !chimera.rows) -> tensor<?x8xf32>
  // CHECK: %[[DXK:.*]], %[[DKEPT:.*]] = chimera.seq_conv_input_grad %[[DPK]], %[[W]] kept %[[PART]] rows %[[ROWS]]
  // CHECK-SAME: : (tensor<?x8xf32>, tensor<8x4xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x8xf32>)
  %dxk, %dkept = chimera.seq_conv_input_grad %dpk, %w kept %part rows %rows
      : (tensor<?x8xf32>, tensor<8x4xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x8xf32>)
  // CHECK: %[[DW:.*]], %[[DB:.*]] = chimera.seq_conv_weight_grad %[[DX]], %[[X]] rows %[[ROWS]] leaves %[[LEAVES]]
  // CHECK-SAME: : (tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows, tensor<18xi32>) -> (tensor<8x4xf32>, tensor<8xf32>)
  %dw, %db = chimera.seq_conv_weight_grad %dx, %x rows %rows leaves %leaves
      : (tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows, tensor<18xi32>) -> (tensor<8x4xf32>, tensor<8xf32>)
  // CHECK: %[[DWK:.*]], %[[DBK:.*]] = chimera.seq_conv_weight_grad %[[DXK]], %[[X]] kept %[[DKEPT]] of %[[PART]] rows %[[ROWS]] leaves %[[LEAVES]]
  // CHECK-SAME: : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows, tensor<18xi32>) -> (tensor<8x4xf32>, tensor<8xf32>)
  %dwk, %dbk = chimera.seq_conv_weight_grad %dxk, %x kept %dkept of %part rows %rows leaves %leaves
      : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows, tensor<18xi32>)
      -> (tensor<8x4xf32>, tensor<8xf32>)
  return
}

// CHECK-LABEL: func.func @ssm
// CHECK-SAME: %[[XBC:[a-z0-9]+]]: tensor<?x20xf32>, %[[DT:[a-z0-9]+]]: tensor<?x4xf32>, %[[A:[a-z0-9]+]]: tensor<4xf32>
// CHECK-SAME: %[[SKIP:[a-z0-9]+]]: tensor<4xf32>, %[[W:[a-z0-9]+]]: tensor<?xf32>, %[[MODE:[a-z0-9]+]]: tensor<?xi8>
// CHECK-SAME: %[[ROWS:[a-z0-9]+]]: !chimera.rows
func.func @ssm(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>, %w: tensor<?xf32>,
               %mode: tensor<?xi8>, %rows: !chimera.rows) {
  // CHECK: %[[Y:.*]], %[[STATES:.*]] = chimera.seq_ssm_scan %[[XBC]], %[[DT]], %[[A]], %[[SKIP]], %[[A]] rows %[[ROWS]] {dim = 2 : i64, dt_max = 0x7FF0000000000000 : f64, dt_min = 0.000000e+00 : f64, groups = 2 : i64, heads = 4 : i64, size = 3 : i64}
  // CHECK-SAME: : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x1xf32>)
  %y, %states = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %a rows %rows
      {dim = 2 : i64, dt_max = 0x7FF0000000000000 : f64, dt_min = 0.000000e+00 : f64, groups = 2 : i64, heads = 4 : i64, size = 3 : i64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x1xf32>)
  // CHECK: %[[YW:.*]], %[[STATESW:.*]] = chimera.seq_ssm_scan %[[XBC]], %[[DT]], %[[A]], %[[SKIP]], %[[A]] write %[[W]] rows %[[ROWS]] {dim = 2 : i64, dt_max = 1.000000e-01 : f64, dt_min = 1.000000e-03 : f64, groups = 2 : i64, heads = 4 : i64, size = 3 : i64}
  // CHECK-SAME: : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?xf32>, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x1xf32>)
  %yw, %statesw = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %a write %w rows %rows
      {dim = 2 : i64, dt_max = 0.1 : f64, dt_min = 0.001 : f64, groups = 2 : i64, heads = 4 : i64, size = 3 : i64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?xf32>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x1xf32>)
  // CHECK: %[[YM:.*]], %[[STATESM:.*]] = chimera.seq_ssm_scan %[[XBC]], %[[DT]], %[[A]], %[[SKIP]], %[[A]] mode %[[MODE]] rows %[[ROWS]] {dim = 2 : i64, dt_max = 1.000000e-01 : f64, dt_min = 1.000000e-03 : f64, groups = 1 : i64, heads = 4 : i64, size = 6 : i64}
  // CHECK-SAME: : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?xi8>, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x2xf32>)
  %ym, %statesm = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %a mode %mode rows %rows
      {dim = 2 : i64, dt_max = 0.1 : f64, dt_min = 0.001 : f64, groups = 1 : i64, heads = 4 : i64, size = 6 : i64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?xi8>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x2xf32>)
  // CHECK: %[[DXBC:.*]], %[[DDT:.*]], %[[DRATE:.*]], %[[DSKIP:.*]] = chimera.seq_ssm_scan_grad %[[XBC]], %[[DT]], %[[A]], %[[SKIP]], %[[A]] states %[[STATES]] gradient %[[Y]] rows %[[ROWS]] {dim = 2 : i64, dt_max = 1.000000e-01 : f64, dt_min = 1.000000e-03 : f64, groups = 2 : i64, heads = 4 : i64, size = 3 : i64}
  // CHECK-SAME: : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows) -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
  %dxbc, %ddt, %drate, %dskip = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %skip, %a states %states gradient %y rows %rows
      {dim = 2 : i64, dt_max = 0.1 : f64, dt_min = 0.001 : f64, groups = 2 : i64, heads = 4 : i64, size = 3 : i64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows)
      -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
  // CHECK: %[[DXBCW:.*]], %[[DDTW:.*]], %[[DRATEW:.*]], %[[DSKIPW:.*]], %[[DW:.*]] = chimera.seq_ssm_scan_grad %[[XBC]], %[[DT]], %[[A]], %[[SKIP]], %[[A]] write %[[W]] states %[[STATESW]] gradient %[[YW]] rows %[[ROWS]] {dim = 2 : i64, dt_max = 1.000000e-01 : f64, dt_min = 1.000000e-03 : f64, groups = 2 : i64, heads = 4 : i64, size = 3 : i64}
  // CHECK-SAME: : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?xf32>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows) -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xf32>)
  %dxbcw, %ddtw, %dratew, %dskipw, %dw = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %skip, %a write %w states %statesw gradient %yw rows %rows
      {dim = 2 : i64, dt_max = 0.1 : f64, dt_min = 0.001 : f64, groups = 2 : i64, heads = 4 : i64, size = 3 : i64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?xf32>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows)
      -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xf32>)
  // CHECK: %[[DXBCM:.*]], %[[DDTM:.*]], %[[DRATEM:.*]], %[[DSKIPM:.*]] = chimera.seq_ssm_scan_grad %[[XBC]], %[[DT]], %[[A]], %[[SKIP]], %[[A]] mode %[[MODE]] states %[[STATES]] gradient %[[YM]] rows %[[ROWS]] {dim = 2 : i64, dt_max = 1.000000e-01 : f64, dt_min = 1.000000e-03 : f64, groups = 2 : i64, heads = 4 : i64, size = 3 : i64}
  // CHECK-SAME: : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?xi8>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows) -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
  %dxbcm, %ddtm, %dratem, %dskipm = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %skip, %a mode %mode states %states gradient %ym rows %rows
      {dim = 2 : i64, dt_max = 0.1 : f64, dt_min = 0.001 : f64, groups = 2 : i64, heads = 4 : i64, size = 3 : i64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?xi8>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows)
      -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
  return
}

// CHECK-LABEL: func.func @lti
// CHECK-SAME: %[[U:[a-z0-9]+]]: tensor<?x6xf64>, %[[DECAY:[a-z0-9]+]]: tensor<6xf64>, %[[W:[a-z0-9]+]]: tensor<?xf64>
// CHECK-SAME: %[[MODE:[a-z0-9]+]]: tensor<?xi8>, %[[ROWS:[a-z0-9]+]]: !chimera.rows
func.func @lti(%u: tensor<?x6xf64>, %decay: tensor<6xf64>, %w: tensor<?xf64>, %mode: tensor<?xi8>,
               %rows: !chimera.rows) {
  // CHECK: %[[Y:.*]] = chimera.seq_lti_scan %[[U]], %[[DECAY]] rows %[[ROWS]]
  // CHECK-SAME: : (tensor<?x6xf64>, tensor<6xf64>, !chimera.rows) -> tensor<?x6xf64>
  %y = chimera.seq_lti_scan %u, %decay rows %rows : (tensor<?x6xf64>, tensor<6xf64>, !chimera.rows) -> tensor<?x6xf64>
  // CHECK: %[[YW:.*]] = chimera.seq_lti_scan %[[Y]], %[[DECAY]] write %[[W]] rows %[[ROWS]]
  // CHECK-SAME: : (tensor<?x6xf64>, tensor<6xf64>, tensor<?xf64>, !chimera.rows) -> tensor<?x6xf64>
  %yw = chimera.seq_lti_scan %y, %decay write %w rows %rows
      : (tensor<?x6xf64>, tensor<6xf64>, tensor<?xf64>, !chimera.rows) -> tensor<?x6xf64>
  // CHECK: %[[YM:.*]] = chimera.seq_lti_scan %[[YW]], %[[DECAY]] mode %[[MODE]] rows %[[ROWS]]
  // CHECK-SAME: : (tensor<?x6xf64>, tensor<6xf64>, tensor<?xi8>, !chimera.rows) -> tensor<?x6xf64>
  %ym = chimera.seq_lti_scan %yw, %decay mode %mode rows %rows
      : (tensor<?x6xf64>, tensor<6xf64>, tensor<?xi8>, !chimera.rows) -> tensor<?x6xf64>
  // CHECK: %[[DU:.*]], %[[DD:.*]] = chimera.seq_lti_scan_grad %[[U]], %[[DECAY]] result %[[Y]], %[[YM]] rows %[[ROWS]]
  // CHECK-SAME: : (tensor<?x6xf64>, tensor<6xf64>, tensor<?x6xf64>, tensor<?x6xf64>, !chimera.rows) -> (tensor<?x6xf64>, tensor<?x6xf64>)
  %du, %dd = chimera.seq_lti_scan_grad %u, %decay result %y, %ym rows %rows
      : (tensor<?x6xf64>, tensor<6xf64>, tensor<?x6xf64>, tensor<?x6xf64>, !chimera.rows)
      -> (tensor<?x6xf64>, tensor<?x6xf64>)
  // CHECK: %[[DUW:.*]], %[[DDW:.*]], %[[DW:.*]] = chimera.seq_lti_scan_grad %[[U]], %[[DECAY]] write %[[W]] result %[[YW]], %[[DU]] rows %[[ROWS]]
  // CHECK-SAME: : (tensor<?x6xf64>, tensor<6xf64>, tensor<?xf64>, tensor<?x6xf64>, tensor<?x6xf64>, !chimera.rows) -> (tensor<?x6xf64>, tensor<?x6xf64>, tensor<?xf64>)
  %duw, %ddw, %dw = chimera.seq_lti_scan_grad %u, %decay write %w result %yw, %du rows %rows
      : (tensor<?x6xf64>, tensor<6xf64>, tensor<?xf64>, tensor<?x6xf64>, tensor<?x6xf64>, !chimera.rows)
      -> (tensor<?x6xf64>, tensor<?x6xf64>, tensor<?xf64>)
  // CHECK: %[[DUM:.*]], %[[DDM:.*]] = chimera.seq_lti_scan_grad %[[U]], %[[DECAY]] mode %[[MODE]] result %[[YM]], %[[DD]] rows %[[ROWS]]
  // CHECK-SAME: : (tensor<?x6xf64>, tensor<6xf64>, tensor<?xi8>, tensor<?x6xf64>, tensor<?x6xf64>, !chimera.rows) -> (tensor<?x6xf64>, tensor<?x6xf64>)
  %dum, %ddm = chimera.seq_lti_scan_grad %u, %decay mode %mode result %ym, %dd rows %rows
      : (tensor<?x6xf64>, tensor<6xf64>, tensor<?xi8>, tensor<?x6xf64>, tensor<?x6xf64>, !chimera.rows)
      -> (tensor<?x6xf64>, tensor<?x6xf64>)
  return
}

// CHECK-LABEL: func.func @inverse_rope
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<?x16xf32>, %[[ROWS:[a-z0-9]+]]: !chimera.rows
func.func @inverse_rope(%q: tensor<?x16xf32>, %rows: !chimera.rows) {
  // CHECK: %[[R:.*]] = chimera.rope %[[Q]] rows %[[ROWS]] {frequencies = array<f64: 1.000000e+00, 1.000000e-02>, heads = 4 : i64, inverse}
  // CHECK-SAME: : tensor<?x16xf32>
  %r = chimera.rope %q rows %rows {frequencies = array<f64: 1.000000e+00, 1.000000e-02>, heads = 4 : i64, inverse}
      : tensor<?x16xf32>
  return
}
