// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A norm writes what is rounded from it, and itself only if that is used.
// RUN: chimera-opt %s --chimera-fuse-norms | FileCheck %s

// CHECK-LABEL: func.func @rounded_only
// CHECK-NEXT: %[[N:.*]] = chimera.fused_norm rms %{{.*}}, %{{.*}} {eps = 1.000000e-05 : f64} : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xbf16>
// CHECK-NEXT: return %[[N]]
func.func @rounded_only(%x: tensor<?x8xf32>, %w: tensor<8xf32>) -> tensor<?x8xbf16> {
  %h = chimera.norm rms %x, %w {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>
  %t = chimera.cast %h : tensor<?x8xf32> to tensor<?x8xbf16>
  return %t : tensor<?x8xbf16>
}

// CHECK-LABEL: func.func @both
// CHECK-NEXT: %[[N:.*]]:2 = chimera.fused_norm layer %{{.*}}, %{{.*}}, %{{.*}} {eps = 1.000000e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32> -> tensor<?x8xf32>, tensor<?x8xbf16>
// CHECK-NEXT: return %[[N]]#0, %[[N]]#1, %[[N]]#1
func.func @both(%x: tensor<?x8xf32>, %w: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<?x8xf32>, tensor<?x8xbf16>, tensor<?x8xbf16>) {
  %h = chimera.norm layer %x, %w, %b {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>
  %t = chimera.cast %h : tensor<?x8xf32> to tensor<?x8xbf16>
  %u = chimera.cast %h : tensor<?x8xf32> to tensor<?x8xbf16>
  return %h, %t, %u : tensor<?x8xf32>, tensor<?x8xbf16>, tensor<?x8xbf16>
}

// Nothing is rounded: nothing changes.
// CHECK-LABEL: func.func @heads
// CHECK-NEXT: %[[N:.*]] = chimera.fused_norm rms %{{.*}}, %{{.*}} {eps = 1.000000e-05 : f64, groups = 2 : i64, unit_offset} : tensor<?x8xf32>, tensor<4xf32> -> tensor<?x8xbf16>
// CHECK-NEXT: return %[[N]]
func.func @heads(%x: tensor<?x8xf32>, %w: tensor<4xf32>) -> tensor<?x8xbf16> {
  %h = chimera.norm rms %x, %w {eps = 1.0e-05 : f64, groups = 2 : i64, unit_offset} : tensor<?x8xf32>, tensor<4xf32>
  %b = chimera.cast %h : tensor<?x8xf32> to tensor<?x8xbf16>
  return %b : tensor<?x8xbf16>
}

// CHECK-LABEL: func.func @exact
// CHECK-NEXT: chimera.norm
func.func @exact(%x: tensor<?x8xf32>, %w: tensor<8xf32>) -> tensor<?x8xf32> {
  %h = chimera.norm rms %x, %w {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>
  return %h : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @gated
// CHECK-NEXT: %[[N:.*]] = chimera.fused_gated_norm %{{.*}}, %{{.*}}, %{{.*}} {eps = 1.000000e-05 : f64, groups = 2 : i64} : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xbf16>
// CHECK-NEXT: return %[[N]]
func.func @gated(%y: tensor<?x8xf32>, %z: tensor<?x8xf32>, %w: tensor<8xf32>) -> tensor<?x8xbf16> {
  %n = chimera.gated_norm %y, %z, %w {groups = 2 : i64, eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>
  %t = chimera.cast %n : tensor<?x8xf32> to tensor<?x8xbf16>
  return %t : tensor<?x8xbf16>
}
