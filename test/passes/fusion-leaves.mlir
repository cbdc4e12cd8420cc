// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the fusing passes leave as it is: ops in f64, uses in other blocks, types that would change.
// RUN: chimera-opt %s --split-input-file --chimera-hoist-casts --chimera-fuse-conv --chimera-fuse-norms --chimera-fuse-linears --chimera-fuse-rope --chimera-fuse-attention | FileCheck %s

// A cast from f64 is not the rounding of an f32 result.
// CHECK-LABEL: func.func @f64
// CHECK: chimera.norm rms
// CHECK-NEXT: chimera.cast {{.*}} : tensor<?x8xf64> to tensor<?x8xbf16>
// CHECK: chimera.fused_linear {{.*}} -> tensor<?x8xf64>
// CHECK-NEXT: chimera.cast {{.*}} : tensor<?x8xf64> to tensor<?x8xbf16>
func.func @f64(%x: tensor<?x8xf64>) -> (tensor<?x8xbf16>, tensor<?x8xbf16>) {
  %w = chimera.param "w" : tensor<8xf64>
  %m = chimera.param "m" : tensor<8x8xf64>
  %n = chimera.norm rms %x, %w {eps = 1.0e-05 : f64} : tensor<?x8xf64>, tensor<8xf64>
  %n16 = chimera.cast %n : tensor<?x8xf64> to tensor<?x8xbf16>
  %y = chimera.linear %x, %m : tensor<?x8xf64>, tensor<8x8xf64> -> tensor<?x8xf64>
  %y16 = chimera.cast %y : tensor<?x8xf64> to tensor<?x8xbf16>
  return %n16, %y16 : tensor<?x8xbf16>, tensor<?x8xbf16>
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f64, weights = none>
// CHECK-LABEL: func.func @attention_f64
// CHECK: chimera.fused_attend {{.*}} -> tensor<?x8xf64>
// CHECK-NEXT: chimera.cast
func.func @attention_f64(%x: tensor<?x8xf64>, %list: !list, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x8xbf16> {
  %o = chimera.attend %x, %x, %x cache %list own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xf64>, tensor<?x8xf64>, tensor<?x8xf64> cache !list -> tensor<?x8xf64>
  %o16 = chimera.cast %o : tensor<?x8xf64> to tensor<?x8xbf16>
  return %o16 : tensor<?x8xbf16>
}

// -----

// A known number of rows stays known.
// CHECK-LABEL: func.func @rows
// CHECK: chimera.gather %{{.*}} : tensor<4x8xf32> to tensor<4x8xf32>
// CHECK: chimera.cast %{{.*}} : tensor<4x8xf32> to tensor<?x8xbf16>
// CHECK: chimera.fused_linear {{.*}} -> tensor<4x16xf32>
// CHECK: return {{.*}} : tensor<?x8xbf16>, tensor<4x16xf32>
func.func @rows(%x: tensor<4x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %some: !chimera.rows) -> (tensor<?x8xbf16>, tensor<4x16xf32>) {
  %m = chimera.param "m" : tensor<16x8xf32>
  %g = chimera.gather %x from %rows to %some : tensor<4x8xf32> to tensor<4x8xf32>
  %g16 = chimera.cast %g : tensor<4x8xf32> to tensor<?x8xbf16>
  %y = chimera.linear %x, %m : tensor<4x8xf32>, tensor<16x8xf32> -> tensor<4x16xf32>
  return %g16, %y : tensor<?x8xbf16>, tensor<4x16xf32>
}

// -----

// The second weight is made after the first product, so the two are not stacked.
// CHECK-LABEL: func.func @weights
// CHECK: chimera.fused_linear %{{.*}}, [%{{[a-z0-9_]+}}]
// CHECK: chimera.cast
// CHECK: chimera.fused_linear %{{.*}}, [%{{[a-z0-9_]+}}]
func.func @weights(%x: tensor<?x8xf32>, %v: tensor<8x8xbf16>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %m = chimera.param "m" : tensor<8x8xf32>
  %y = chimera.linear %x, %m : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %w = chimera.cast %v : tensor<8x8xbf16> to tensor<8x8xf32>
  %z = chimera.linear %x, %w : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  return %y, %z : tensor<?x8xf32>, tensor<?x8xf32>
}

// -----

!tail = !chimera.tail<rows = 1, channels = 8, element = f32>
// Another block's commit of the tail stays there.
// CHECK-LABEL: func.func @blocks
// CHECK: chimera.causal_conv
// CHECK: ^bb1:
// CHECK: chimera.shift_tail
func.func @blocks(%x: tensor<?x8xf32>, %tail: !tail, %rows: !chimera.rows {chimera.step = "rows"}) -> (tensor<?x8xf32>, !tail) {
  %w = chimera.param "w" : tensor<8x2xf32>
  %b = chimera.param "b" : tensor<8xf32>
  %y = chimera.causal_conv %x, %w, %b tail %tail rows %rows {activation = #chimera.activation<none>}
      : tensor<?x8xf32>, tensor<8x2xf32>, tensor<8xf32>, !tail
  cf.br ^bb1
^bb1:
  %next = chimera.shift_tail %x tail %tail rows %rows : tensor<?x8xf32>, !tail
  return %y, %next : tensor<?x8xf32>, !tail
}
