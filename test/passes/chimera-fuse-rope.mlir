// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Queries and keys are turned, and rounded with the values, in one op; the angles are computed once.
// RUN: chimera-opt %s --chimera-fuse-rope --canonicalize | FileCheck %s

!list = !chimera.list<heads = 1, dim = 4, element = bf16, weights = none>

// CHECK-LABEL: func.func @two_layers
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<?x8xf32>, %[[K:[a-z0-9]+]]: tensor<?x4xf32>
// CHECK-SAME: %[[ROWS:[a-z0-9]+]]: !chimera.rows
// CHECK-NEXT: %[[TABLE:.*]] = chimera.rope_table rows %[[ROWS]] {frequencies = array<f64: 1.000000e+00, 1.000000e-02>} : tensor<?x4xf32>
// CHECK-NEXT: %[[Q0:.*]] = chimera.activate <silu>, %[[Q]]
// CHECK-NEXT: %[[K0:.*]] = chimera.activate <silu>, %[[K]]
// CHECK-NEXT: %[[V0:.*]] = chimera.activate <silu>, %[[K0]]
// CHECK-DAG: %[[Q1:.*]], %[[K1:.*]], %[[V1:.*]] = chimera.fused_rope %[[Q0]], %[[K0]], %[[V0]] by %[[TABLE]] rows %[[ROWS]] {heads = 2 : i64, kv_heads = 1 : i64}
// CHECK-DAG: %[[Q2:.*]], %[[K2:.*]], %[[V2:.*]] = chimera.fused_rope %[[Q0]], %[[V0]], %[[V0]] by %[[TABLE]]
// CHECK: chimera.attend %[[Q1]], %[[K1]], %[[V1]]
// CHECK-NEXT: chimera.attend %[[Q2]], %[[K2]], %[[V2]]
// CHECK-NOT: chimera.rope %
func.func @two_layers(%q: tensor<?x8xf32>, %k: tensor<?x4xf32>, %list: !list, %rows: !chimera.rows {chimera.step = "rows"})
    -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %q0 = chimera.activate <silu>, %q : tensor<?x8xf32>
  %k0 = chimera.activate <silu>, %k : tensor<?x4xf32>
  %v0 = chimera.activate <silu>, %k0 : tensor<?x4xf32>
  %q1 = chimera.rope %q0 rows %rows {heads = 2 : i64, frequencies = array<f64: 1.0, 0.01>} : tensor<?x8xf32>
  %q2 = chimera.cast %q1 : tensor<?x8xf32> to tensor<?x8xbf16>
  %k1 = chimera.rope %k0 rows %rows {heads = 1 : i64, frequencies = array<f64: 1.0, 0.01>} : tensor<?x4xf32>
  %k2 = chimera.cast %k1 : tensor<?x4xf32> to tensor<?x4xbf16>
  %v2 = chimera.cast %v0 : tensor<?x4xf32> to tensor<?x4xbf16>
  %o = chimera.attend %q2, %k2, %v2 cache %list own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xbf16>, tensor<?x4xbf16>, tensor<?x4xbf16> cache !list -> tensor<?x8xf32>
  %q3 = chimera.cast %q1 : tensor<?x8xf32> to tensor<?x8xbf16>
  %k3 = chimera.rope %v0 rows %rows {heads = 1 : i64, frequencies = array<f64: 1.0, 0.01>} : tensor<?x4xf32>
  %k4 = chimera.cast %k3 : tensor<?x4xf32> to tensor<?x4xbf16>
  %v3 = chimera.cast %v0 : tensor<?x4xf32> to tensor<?x4xbf16>
  %p = chimera.attend %q3, %k4, %v3 cache %list own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xbf16>, tensor<?x4xbf16>, tensor<?x4xbf16> cache !list -> tensor<?x8xf32>
  return %o, %p : tensor<?x8xf32>, tensor<?x8xf32>
}

// Queries of fewer rows than the keys are left alone.
// CHECK-LABEL: func.func @other_rows
// CHECK-NOT: chimera.fused_rope
func.func @other_rows(%q: tensor<?x8xf32>, %k: tensor<?x4xf32>, %list: !list, %rows: !chimera.rows {chimera.step = "rows"}, %own: !chimera.rows)
    -> tensor<?x8xf32> {
  %g = chimera.gather %q from %rows to %own : tensor<?x8xf32> to tensor<?x8xf32>
  %k0 = chimera.activate <silu>, %k : tensor<?x4xf32>
  %q1 = chimera.rope %g rows %own {heads = 2 : i64, frequencies = array<f64: 1.0, 0.01>} : tensor<?x8xf32>
  %q2 = chimera.cast %q1 : tensor<?x8xf32> to tensor<?x8xbf16>
  %k1 = chimera.rope %k0 rows %rows {heads = 1 : i64, frequencies = array<f64: 1.0, 0.01>} : tensor<?x4xf32>
  %k2 = chimera.cast %k1 : tensor<?x4xf32> to tensor<?x4xbf16>
  %v2 = chimera.cast %k0 : tensor<?x4xf32> to tensor<?x4xbf16>
  %o = chimera.attend %q2, %k2, %v2 cache %list own %own rows %rows {scale = 0.5 : f64}
      : tensor<?x8xbf16>, tensor<?x4xbf16>, tensor<?x4xbf16> cache !list -> tensor<?x8xf32>
  return %o : tensor<?x8xf32>
}
