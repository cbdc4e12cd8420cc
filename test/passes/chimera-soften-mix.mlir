// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A mix becomes all its mixers, each on every row, weighted by the routing's probabilities.
// RUN: chimera-opt %s --split-input-file --chimera-soften-mix --verify-diagnostics | FileCheck %s

// Under the policy "routed" a mode keeps the rows that want it: attention and a convolution look back on them alone (gathered from
// what every row computes, once the first op needs them), and on what each row has itself; a scan leaves its state as it was at the
// others. A convolution of one tap looks back on nothing. An identity that skips has no output.
// CHECK-LABEL: func.func @routed
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>, %[[H:[a-z0-9]+]]: tensor<?x8xf32>, %[[ROWS:[a-z0-9]+]]: !chimera.rows
func.func @routed(%x: tensor<?x8xf32>, %h: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %l: tensor<?x4xf32>, %b: tensor<4xf32>,
                  %noise: tensor<?x4xf64>, %hyper: tensor<16xf64>) -> tensor<?x8xf32> attributes {chimera.soft} {
  // CHECK: %[[MODE:.*]], %{{.*}}, %{{.*}}, %[[LOGP:.*]] = chimera.seq_route
  // CHECK-NEXT: %{{.*}}, %[[SLICES:.*]]:4 = chimera.dispatch [ssm, swa, full, identity] %[[MODE]] rows %[[ROWS]]
  // CHECK: %[[TAPS:.*]] = chimera.param "taps"
  // CHECK: %[[KEPT:.*]] = chimera.gather %[[H]] from %[[ROWS]] to %[[SLICES]]#0
  // CHECK-NEXT: %[[C:.*]] = chimera.seq_conv %[[H]], %[[TAPS]], %{{.*}} kept %[[KEPT]] of %[[SLICES]]#0 rows %[[ROWS]] {activation = #chimera.activation<silu>}
  // CHECK-NEXT: %[[ONE:.*]] = chimera.seq_conv %[[C]], %{{.*}}, %{{.*}} rows %[[ROWS]] {activation = #chimera.activation<none>}
  // CHECK-NEXT: %[[XBC:.*]] = chimera.join_columns %[[ONE]], %[[ONE]] at [0, 8]
  // CHECK-NEXT: %[[DT:.*]] = chimera.columns
  // CHECK-NEXT: %[[S:.*]], %{{.*}} = chimera.seq_ssm_scan %[[XBC]], %[[DT]], %{{.*}}, %{{.*}}, %{{.*}} mode %[[MODE]] rows %[[ROWS]] {dim = 4
  // CHECK-NEXT: %[[Y0:.*]] = chimera.seq_lti_scan %[[S]], %{{.*}} mode %[[MODE]] rows %[[ROWS]]
  // CHECK-NEXT: %[[V1:.*]] = chimera.activate <silu>, %[[H]]
  // CHECK-NEXT: %[[KEY:.*]] = chimera.gather %[[H]] from %[[ROWS]] to %[[SLICES]]#1
  // CHECK-NEXT: %[[VALUE:.*]] = chimera.gather %[[V1]] from %[[ROWS]] to %[[SLICES]]#1
  // CHECK-NEXT: %[[Y1:.*]], %{{.*}} = chimera.seq_attend %[[H]], %[[KEY]], %[[VALUE]] own_entry %[[H]], %[[V1]] own %[[ROWS]] keys %[[SLICES]]#1
  // CHECK-SAME: {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 5.000000e-01 : f64, window = 8 : i64}
  // CHECK: %[[Y2:.*]], %{{.*}} = chimera.seq_attend %[[H]], %{{.*}}, %{{.*}} own_entry %[[H]], %[[H]] own %[[ROWS]] keys %[[SLICES]]#2
  // CHECK-SAME: window = -1 : i64
  // CHECK-NEXT: %[[Z:.*]] = chimera.soft_combine [ssm, swa, full] %[[X]], %[[LOGP]] of [ssm, swa, full, identity], %[[Y0]], %[[Y1]], %[[Y2]]
  // CHECK-NEXT: return %[[Z]]
  %mode, %wanted, %gate, %log_p = chimera.seq_route [ssm, swa, full, identity] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, soft}
      : (tensor<?x4xf32>, tensor<4xf32>, tensor<?x4xf64>, tensor<16xf64>, !chimera.rows) -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x4xf32>)
  %z = chimera.mix [ssm, swa, full, identity] routed %x, %h by %mode gate %gate rows %rows {cache_counts = array<i64: 0, 0, 0, 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    %taps = chimera.param "taps" : tensor<8x4xf32>
    %tap = chimera.param "tap" : tensor<8x1xf32>
    %bias = chimera.param "bias" : tensor<8xf32>
    %a = chimera.param "a" : tensor<2xf32>
    %c = chimera.seq_conv %t, %taps, %bias rows %seen {activation = #chimera.activation<silu>}
        : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, !chimera.rows) -> tensor<?x8xf32>
    %d = chimera.seq_conv %c, %tap, %bias rows %seen {activation = #chimera.activation<none>}
        : (tensor<?x8xf32>, tensor<8x1xf32>, tensor<8xf32>, !chimera.rows) -> tensor<?x8xf32>
    %xbc = chimera.join_columns %d, %d at [0, 8] : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x16xf32>
    %dt = chimera.columns %d at 0 : tensor<?x8xf32> to tensor<?x2xf32>
    %s, %states = chimera.seq_ssm_scan %xbc, %dt, %a, %a, %a rows %seen
        {heads = 2 : i64, dim = 4 : i64, size = 4 : i64, groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
        : (tensor<?x16xf32>, tensor<?x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x1xf32>)
    %y = chimera.seq_lti_scan %s, %bias rows %seen : (tensor<?x8xf32>, tensor<8xf32>, !chimera.rows) -> tensor<?x8xf32>
    chimera.yield %y : tensor<?x8xf32>
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    %v = chimera.activate <silu>, %t : tensor<?x8xf32>
    %o, %lse = chimera.seq_attend %t, %t, %v own %own keys %seen {kv_heads = 2 : i64, head_dim = 4 : i64, window = 8 : i64, scale = 0.5 : f64}
        : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x2xf32>)
    chimera.yield %o : tensor<?x8xf32>
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    %o, %lse = chimera.seq_attend %t, %t, %t own %own keys %seen {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
        : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x2xf32>)
    chimera.yield %o : tensor<?x8xf32>
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return %z : tensor<?x8xf32>
}

// -----

// With write weights every row is kept, weighted: each mixer gets its column of ln p, found by name, for all rows; nothing is
// gathered and nothing is tentative.
// CHECK-LABEL: func.func @write_gate
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>, %[[ROWS:[a-z0-9]+]]: !chimera.rows
func.func @write_gate(%x: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %l: tensor<?x3xf32>, %b: tensor<3xf32>,
                      %noise: tensor<?x4xf64>, %hyper: tensor<16xf64>) -> tensor<?x8xf32> attributes {chimera.soft} {
  // CHECK-NEXT: %{{.*}}, %{{.*}}, %{{.*}}, %[[LOGP:.*]] = chimera.seq_route
  // CHECK-NOT: chimera.dispatch
  // CHECK: %[[W0:.*]] = chimera.write_weight %[[LOGP]] at 0 to %[[ROWS]] : tensor<?x3xf32> -> tensor<?xf32>
  // CHECK: %[[Y0:.*]] = chimera.seq_lti_scan %[[X]], %{{.*}} write %[[W0]] rows %[[ROWS]]
  // CHECK: %[[W2:.*]] = chimera.write_weight %[[LOGP]] at 2 to %[[ROWS]]
  // CHECK: %[[Y2:.*]], %{{.*}} = chimera.seq_attend %[[X]], %[[X]], %[[X]] write %[[W2]] own %[[ROWS]] keys %[[ROWS]]
  // CHECK-NEXT: chimera.soft_combine [ssm, full] %[[X]], %[[LOGP]] of [ssm, swa, full], %[[Y0]], %[[Y2]]
  %mode, %wanted, %gate, %log_p = chimera.seq_route [ssm, swa, full] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, soft}
      : (tensor<?x3xf32>, tensor<3xf32>, tensor<?x4xf64>, tensor<16xf64>, !chimera.rows) -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x3xf32>)
  %z = chimera.mix [ssm, full] routed %x, %x by %mode gate %gate weights %log_p rows %rows
      {cache_counts = array<i64: 0, 0>, log_p_modes = [#chimera<mode ssm>, #chimera<mode swa>, #chimera<mode full>]}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> weights tensor<?x3xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %w: tensor<?xf32>):
    %decay = chimera.param "decay" : tensor<8xf32>
    %y = chimera.seq_lti_scan %t, %decay write %w rows %seen : (tensor<?x8xf32>, tensor<8xf32>, tensor<?xf32>, !chimera.rows) -> tensor<?x8xf32>
    chimera.yield %y : tensor<?x8xf32>
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %w: tensor<?xf32>):
    %o, %lse = chimera.seq_attend %t, %t, %t write %w own %own keys %seen {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
        : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x2xf32>)
    chimera.yield %o : tensor<?x8xf32>
  }
  return %z : tensor<?x8xf32>
}

// -----

// Under the policy "all" ssm and swa keep every row; full still keeps its own. The identity with a mixer is a mode like the others.
// CHECK-LABEL: func.func @all
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>, %[[ROWS:[a-z0-9]+]]: !chimera.rows
func.func @all(%x: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %l: tensor<?x4xf32>, %b: tensor<4xf32>,
               %noise: tensor<?x4xf64>, %hyper: tensor<16xf64>) -> tensor<?x8xf32> attributes {chimera.soft} {
  // CHECK: %[[MODE:.*]], %{{.*}}, %{{.*}}, %[[LOGP:.*]] = chimera.seq_route
  // CHECK-NEXT: %{{.*}}, %[[SLICES:.*]]:4 = chimera.dispatch
  // CHECK: %[[Y0:.*]] = chimera.seq_lti_scan %[[X]], %{{.*}} rows %[[ROWS]]
  // CHECK-NEXT: %[[Q:.*]] = chimera.gather %[[X]] from %[[ROWS]] to %[[ROWS]]
  // CHECK-NEXT: %[[Y1:.*]], %{{.*}} = chimera.seq_attend %[[Q]], %[[X]], %[[X]] own %[[ROWS]] keys %[[ROWS]]
  // CHECK: %[[Y2:.*]], %{{.*}} = chimera.seq_attend %[[X]], %{{.*}}, %{{.*}} own_entry %[[X]], %[[X]] own %[[ROWS]] keys %[[SLICES]]#2
  // CHECK-NEXT: %[[Y3:.*]] = chimera.activate <silu>, %[[X]]
  // CHECK-NEXT: chimera.soft_combine [ssm, swa, full, identity] %[[X]], %[[LOGP]] of [ssm, swa, full, identity], %[[Y0]], %[[Y1]], %[[Y2]], %[[Y3]]
  %mode, %wanted, %gate, %log_p = chimera.seq_route [ssm, swa, full, identity] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, soft}
      : (tensor<?x4xf32>, tensor<4xf32>, tensor<?x4xf64>, tensor<16xf64>, !chimera.rows) -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x4xf32>)
  %z = chimera.mix [ssm, swa, full, identity] all %x, %x by %mode gate %gate rows %rows {cache_counts = array<i64: 0, 0, 0, 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    %decay = chimera.param "decay" : tensor<8xf32>
    %y = chimera.seq_lti_scan %t, %decay rows %seen : (tensor<?x8xf32>, tensor<8xf32>, !chimera.rows) -> tensor<?x8xf32>
    chimera.yield %y : tensor<?x8xf32>
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    %q = chimera.gather %t from %seen to %own : tensor<?x8xf32> to tensor<?x8xf32>
    %o, %lse = chimera.seq_attend %q, %t, %t own %own keys %seen {kv_heads = 2 : i64, head_dim = 4 : i64, window = 8 : i64, scale = 0.5 : f64}
        : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x2xf32>)
    chimera.yield %o : tensor<?x8xf32>
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    %o, %lse = chimera.seq_attend %t, %t, %t own %own keys %seen {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
        : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x2xf32>)
    chimera.yield %o : tensor<?x8xf32>
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    %o = chimera.activate <silu>, %t : tensor<?x8xf32>
    chimera.yield %o : tensor<?x8xf32>
  }
  return %z : tensor<?x8xf32>
}

// -----

// Where every mode skips there is nothing to add, but the routing is still asked.
// CHECK-LABEL: func.func @only_skips
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>
// CHECK: %[[Z:.*]] = chimera.soft_combine [] %[[X]], %{{.*}} of [ssm, identity] : (tensor<?x8xf32>, tensor<?x2xf32>) -> tensor<?x8xf32>
// CHECK-NEXT: return %[[Z]]
func.func @only_skips(%x: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %l: tensor<?x2xf32>, %b: tensor<2xf32>,
                      %noise: tensor<?x4xf64>, %hyper: tensor<16xf64>) -> tensor<?x8xf32> attributes {chimera.soft} {
  %mode, %wanted, %gate, %log_p = chimera.seq_route [ssm, identity] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, soft}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x4xf64>, tensor<16xf64>, !chimera.rows) -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  %z = chimera.mix [identity] routed %x, %x by %mode gate %gate rows %rows {cache_counts = array<i64: 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return %z : tensor<?x8xf32>
}

// -----

// Only functions marked chimera.soft are softened.
// CHECK-LABEL: func.func @hard
// CHECK: chimera.mix [identity]
func.func @hard(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %rows: !chimera.rows) -> tensor<?x8xf32> {
  %z = chimera.mix [identity] routed %x, %x by %mode gate %gate rows %rows {cache_counts = array<i64: 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return %z : tensor<?x8xf32>
}

// -----

// CHECK: func.func private @declared() attributes {chimera.soft}
func.func private @declared() attributes {chimera.soft}

// -----

func.func @not_routed(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %rows: !chimera.rows) -> tensor<?x8xf32> attributes {chimera.soft} {
  // expected-error @+1 {{'chimera.mix' op is not in its training form: it must be routed by chimera.seq_route and have no caches}}
  %z = chimera.mix [identity] routed %x, %x by %mode gate %gate rows %rows {cache_counts = array<i64: 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return %z : tensor<?x8xf32>
}

// -----

func.func @lone(%x: tensor<?x8xf32>, %rows: !chimera.rows) -> tensor<?x8xf32> attributes {chimera.soft} {
  // expected-error @+1 {{'chimera.mix' op is not in its training form}}
  %z = chimera.mix [identity] routed %x, %x rows %rows {cache_counts = array<i64: 0>} : tensor<?x8xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return %z : tensor<?x8xf32>
}

// -----

!state = !chimera.state<heads = 1, dim = 1, size = 8, element = f32>

func.func @caches(%x: tensor<?x8xf32>, %state: !state, %rows: !chimera.rows {chimera.step = "rows"}, %l: tensor<?x2xf32>, %b: tensor<2xf32>,
                  %noise: tensor<?x4xf64>, %hyper: tensor<16xf64>) -> (tensor<?x8xf32>, !state) attributes {chimera.soft} {
  %mode, %wanted, %gate, %log_p = chimera.seq_route [ssm, identity] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, soft}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x4xf64>, tensor<16xf64>, !chimera.rows) -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  // expected-error @+1 {{'chimera.mix' op is not in its training form}}
  %z, %s = chimera.mix [ssm] routed %x, %x by %mode gate %gate rows %rows caches %state {cache_counts = array<i64: 1>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !state {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %c: !state):
    chimera.yield %t, %c : tensor<?x8xf32>, !state
  }
  return %z, %s : tensor<?x8xf32>, !state
}

// -----

func.func @foreign_mode(%x: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %l: tensor<?x2xf32>, %b: tensor<2xf32>,
                        %noise: tensor<?x4xf64>, %hyper: tensor<16xf64>) -> tensor<?x8xf32> attributes {chimera.soft} {
  %mode, %wanted, %gate, %log_p = chimera.seq_route [ssm, identity] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, soft}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x4xf64>, tensor<16xf64>, !chimera.rows) -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  // expected-error @+1 {{'chimera.soft_combine' op has an output of full, which is not among the modes of log_p}}
  %z = chimera.mix [full] routed %x, %x by %mode gate %gate rows %rows {cache_counts = array<i64: 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield %t : tensor<?x8xf32>
  }
  return %z : tensor<?x8xf32>
}

// -----

func.func @no_tentative_form(%x: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %l: tensor<?x2xf32>, %b: tensor<2xf32>,
                             %noise: tensor<?x4xf64>, %hyper: tensor<16xf64>) -> tensor<?x8xf32> attributes {chimera.soft} {
  %mode, %wanted, %gate, %log_p = chimera.seq_route [full, identity] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, soft}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x4xf64>, tensor<16xf64>, !chimera.rows) -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  %z = chimera.mix [full] routed %x, %x by %mode gate %gate rows %rows {cache_counts = array<i64: 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    %taps = chimera.param "taps" : tensor<8x4xf32>
    %bias = chimera.param "bias" : tensor<8xf32>
    // expected-error @+1 {{'chimera.seq_conv_activation_grad' op looks back on other rows, and has no form for rows that are not kept}}
    %y = chimera.seq_conv_activation_grad %t, %taps, %bias gradient %t rows %seen
        : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, tensor<?x8xf32>, !chimera.rows) -> tensor<?x8xf32>
    chimera.yield %y : tensor<?x8xf32>
  }
  return %z : tensor<?x8xf32>
}

// -----

func.func @says_nothing(%x: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %l: tensor<?x2xf32>, %b: tensor<2xf32>,
                        %noise: tensor<?x4xf64>, %hyper: tensor<16xf64>) -> tensor<?x8xf32> attributes {chimera.soft} {
  %mode, %wanted, %gate, %log_p = chimera.seq_route [full, identity] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, soft}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x4xf64>, tensor<16xf64>, !chimera.rows) -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  %z = chimera.mix [full] routed %x, %x by %mode gate %gate rows %rows {cache_counts = array<i64: 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    %m = chimera.constant_mode full rows %seen : tensor<?xi8>
    // expected-error @+1 {{'chimera.dispatch' op does not say how it looks back on other rows, so it cannot be in a mixer of soft routing}}
    %inverse, %slice = chimera.dispatch [full] %m rows %seen : tensor<?xi8> -> tensor<?xi32>, !chimera.rows
    %y = chimera.gather %t from %seen to %slice : tensor<?x8xf32> to tensor<?x8xf32>
    chimera.yield %y : tensor<?x8xf32>
  }
  return %z : tensor<?x8xf32>
}
