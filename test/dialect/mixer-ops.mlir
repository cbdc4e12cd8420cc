// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every op that works inside a mixer survives printing and parsing, in both forms, with and without write weights.
// RUN: chimera-opt %s | chimera-opt | FileCheck %s
// RUN: chimera-opt %s --mlir-print-op-generic | chimera-opt | FileCheck %s

!ring = !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>
!list = !chimera.list<heads = 2, dim = 4, element = bf16, weights = f32>
!tail = !chimera.tail<rows = 3, channels = 8, element = f32>
!state = !chimera.state<heads = 4, dim = 2, size = 3, element = f32>
!lti = !chimera.state<heads = 1, dim = 1, size = 6, element = f64>

// CHECK-LABEL: func.func @rope
// CHECK-SAME: %[[Q:.*]]: tensor<?x16xf32>, %[[ROWS:.*]]: !chimera.rows
func.func @rope(%q: tensor<?x16xf32>, %rows: !chimera.rows) -> tensor<?x16xf32> {
  // CHECK: chimera.rope %[[Q]] rows %[[ROWS]] {frequencies = array<f64: 1.000000e+00, 1.000000e-02>, heads = 4 : i64} : tensor<?x16xf32>
  %r = chimera.rope %q rows %rows {heads = 4 : i64, frequencies = array<f64: 1.0, 0.01>} : tensor<?x16xf32>
  return %r : tensor<?x16xf32>
}

// CHECK-LABEL: func.func @ring
// CHECK-SAME: %[[Q:.*]]: tensor<?x16xf32>, %[[K:.*]]: tensor<?x8xf32>, %[[RING:.*]]: !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>
// CHECK-SAME: %[[ROWS:.*]]: !chimera.rows, %[[OWN:.*]]: !chimera.rows
func.func @ring(%q: tensor<?x16xf32>, %k: tensor<?x8xf32>, %ring: !ring, %rows: !chimera.rows, %own: !chimera.rows)
    -> (tensor<?x16xf32>, !ring) {
  // CHECK: chimera.attend %[[Q]], %[[K]], %[[K]] cache %[[RING]] own %[[OWN]] rows %[[ROWS]] {scale = 2.500000e-01 : f64}
  // CHECK-SAME: : tensor<?x16xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !chimera.ring<{{.*}}> -> tensor<?x16xf32>
  %o = chimera.attend %q, %k, %k cache %ring own %own rows %rows {scale = 0.25 : f64}
      : tensor<?x16xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !ring -> tensor<?x16xf32>
  // CHECK: chimera.append %[[K]], %[[K]] cache %[[RING]] rows %[[ROWS]] : tensor<?x8xf32>, tensor<?x8xf32> cache !chimera.ring
  %ring1 = chimera.append %k, %k cache %ring rows %rows : tensor<?x8xf32>, tensor<?x8xf32> cache !ring
  return %o, %ring1 : tensor<?x16xf32>, !ring
}

// CHECK-LABEL: func.func @weighted_list
// CHECK-SAME: %[[Q:.*]]: tensor<?x8xbf16>, %[[W:.*]]: tensor<?xf32>, %[[LIST:.*]]: !chimera.list<heads = 2, dim = 4, element = bf16, weights = f32>, %[[ROWS:.*]]: !chimera.rows
func.func @weighted_list(%q: tensor<?x8xbf16>, %w: tensor<?xf32>, %list: !list, %rows: !chimera.rows)
    -> (tensor<?x8xf32>, !list) {
  // CHECK: chimera.attend %[[Q]], %[[Q]], %[[Q]] write %[[W]] cache %[[LIST]] own %[[ROWS]] rows %[[ROWS]] {scale = 5.000000e-01 : f64, soft_cap = 5.000000e+01 : f64}
  // CHECK-SAME: : tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16> write tensor<?xf32> cache !chimera.list<{{.*}}> -> tensor<?x8xf32>
  %o = chimera.attend %q, %q, %q write %w cache %list own %rows rows %rows {scale = 0.5 : f64, soft_cap = 50.0 : f64}
      : tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16> write tensor<?xf32> cache !list -> tensor<?x8xf32>
  // CHECK: chimera.append %[[Q]], %[[Q]] write %[[W]] cache %[[LIST]] rows %[[ROWS]] : tensor<?x8xbf16>, tensor<?x8xbf16> write tensor<?xf32> cache !chimera.list
  %list1 = chimera.append %q, %q write %w cache %list rows %rows
      : tensor<?x8xbf16>, tensor<?x8xbf16> write tensor<?xf32> cache !list
  return %o, %list1 : tensor<?x8xf32>, !list
}

// CHECK-LABEL: func.func @conv
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>, %[[TAPS:.*]]: tensor<8x4xf32>, %[[ONE:.*]]: tensor<8x1xf32>, %[[B:.*]]: tensor<8xf32>
// CHECK-SAME: %[[TAIL:.*]]: !chimera.tail<rows = 3, channels = 8, element = f32>, %[[ROWS:.*]]: !chimera.rows
func.func @conv(%x: tensor<?x8xf32>, %taps: tensor<8x4xf32>, %one: tensor<8x1xf32>, %b: tensor<8xf32>, %tail: !tail,
                %rows: !chimera.rows) -> (tensor<?x8xf32>, !tail) {
  // CHECK: %[[Y:.*]] = chimera.causal_conv %[[X]], %[[TAPS]], %[[B]] tail %[[TAIL]] rows %[[ROWS]] {activation = #chimera.activation<silu>}
  // CHECK-SAME: : tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, !chimera.tail
  %y = chimera.causal_conv %x, %taps, %b tail %tail rows %rows {activation = #chimera.activation<silu>}
      : tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, !tail
  // CHECK: chimera.causal_conv %[[Y]], %[[ONE]], %[[B]] rows %[[ROWS]] {activation = #chimera.activation<none>} : tensor<?x8xf32>, tensor<8x1xf32>, tensor<8xf32>{{$}}
  %z = chimera.causal_conv %y, %one, %b rows %rows {activation = #chimera.activation<none>}
      : tensor<?x8xf32>, tensor<8x1xf32>, tensor<8xf32>
  // CHECK: chimera.shift_tail %[[X]] tail %[[TAIL]] rows %[[ROWS]] : tensor<?x8xf32>, {{.*}}<rows = 3, channels = 8, element = f32>
  %tail1 = chimera.shift_tail %x tail %tail rows %rows : tensor<?x8xf32>, !tail
  return %z, %tail1 : tensor<?x8xf32>, !tail
}

// CHECK-LABEL: func.func @ssm
// CHECK-SAME: %[[XBC:.*]]: tensor<?x20xf32>, %[[DT:.*]]: tensor<?x4xf32>, %[[A:.*]]: tensor<4xf32>, %[[W:.*]]: tensor<?xf32>, %[[Z:.*]]: tensor<?x8xf32>
// CHECK-SAME: %[[NORM:.*]]: tensor<8xf32>, %[[STATE:.*]]: !chimera.state<heads = 4, dim = 2, size = 3, element = f32>, %[[ROWS:.*]]: !chimera.rows
func.func @ssm(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %w: tensor<?xf32>, %z: tensor<?x8xf32>,
               %norm: tensor<8xf32>, %state: !state, %rows: !chimera.rows) -> (tensor<?x8xf32>, !state) {
  // CHECK: %[[Y:.*]], %[[STATE1:.*]] = chimera.ssm_scan %[[XBC]], %[[DT]], %[[A]], %[[A]], %[[A]] state %[[STATE]] rows %[[ROWS]]
  // CHECK-SAME: {dt_max = 0x7FF0000000000000 : f64, dt_min = 0.000000e+00 : f64, groups = 2 : i64}
  // CHECK-SAME: : tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32> state {{.*}}<heads = 4, dim = 2, size = 3, element = f32> -> tensor<?x8xf32>
  %y, %state1 = chimera.ssm_scan %xbc, %dt, %a, %a, %a state %state rows %rows
      {groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 0x7FF0000000000000 : f64}
      : tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32> state !state -> tensor<?x8xf32>
  // CHECK: chimera.ssm_scan %[[XBC]], %[[DT]], %[[A]], %[[A]], %[[A]] write %[[W]] state %[[STATE1]] rows %[[ROWS]]
  // CHECK-SAME: tensor<4xf32> write tensor<?xf32> state {{.*}}<heads = 4, dim = 2, size = 3, element = f32> -> tensor<?x8xf32>
  %y2, %state2 = chimera.ssm_scan %xbc, %dt, %a, %a, %a write %w state %state1 rows %rows
      {groups = 2 : i64, dt_min = 1.0e-03 : f64, dt_max = 1.0e-01 : f64}
      : tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32> write tensor<?xf32> state !state -> tensor<?x8xf32>
  // CHECK: chimera.gated_norm %[[Y]], %[[Z]], %[[NORM]] {eps = 1.000000e-05 : f64, groups = 2 : i64} : tensor<?x8xf32>, tensor<8xf32>
  %n = chimera.gated_norm %y, %z, %norm {groups = 2 : i64, eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>
  return %n, %state2 : tensor<?x8xf32>, !state
}

// CHECK-LABEL: func.func @lti
// CHECK-SAME: %[[U:.*]]: tensor<?x6xf64>, %[[D:.*]]: tensor<6xf64>, %[[W:.*]]: tensor<?xf64>, %[[STATE:.*]]: !chimera.state<heads = 1, dim = 1, size = 6, element = f64>, %[[ROWS:.*]]: !chimera.rows
func.func @lti(%u: tensor<?x6xf64>, %d: tensor<6xf64>, %w: tensor<?xf64>, %state: !lti, %rows: !chimera.rows)
    -> (tensor<?x6xf64>, !lti) {
  // CHECK: %[[Y:.*]], %[[STATE1:.*]] = chimera.lti_scan %[[U]], %[[D]] state %[[STATE]] rows %[[ROWS]] : tensor<?x6xf64>, tensor<6xf64> state {{.*}}<heads = 1, dim = 1, size = 6, element = f64>
  %y, %state1 = chimera.lti_scan %u, %d state %state rows %rows : tensor<?x6xf64>, tensor<6xf64> state !lti
  // CHECK: chimera.lti_scan %[[Y]], %[[D]] write %[[W]] state %[[STATE1]] rows %[[ROWS]] : tensor<?x6xf64>, tensor<6xf64> write tensor<?xf64> state {{.*}}<heads = 1, dim = 1, size = 6, element = f64>
  %y2, %state2 = chimera.lti_scan %y, %d write %w state %state1 rows %rows
      : tensor<?x6xf64>, tensor<6xf64> write tensor<?xf64> state !lti
  return %y2, %state2 : tensor<?x6xf64>, !lti
}
