// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fused ops print as they are read.
// RUN: chimera-opt %s | chimera-opt | FileCheck %s

!list = !chimera.list<heads = 2, dim = 4, element = bf16, weights = none>
!ring = !chimera.ring<window = 8, heads = 2, dim = 4, element = bf16, weights = f32, room = 64>
!tail = !chimera.tail<rows = 2, channels = 8, element = f32>

// CHECK-LABEL: func.func @linear
func.func @linear(%h: tensor<?x8xbf16>, %w: tensor<4x8xbf16>, %u: tensor<6x8xbf16>, %x: tensor<?x4xf32>, %g: tensor<?xf32>, %own: !chimera.rows) {
  // CHECK: chimera.fused_linear %{{.*}}, [%{{.*}}, %{{.*}}] gather %{{.*}} {epilogue = #chimera.epilogue<none>} : tensor<?x8xbf16>, (tensor<4x8xbf16>, tensor<6x8xbf16>) -> tensor<?x10xf32>
  %a = chimera.fused_linear %h, [%w, %u] gather %own {epilogue = #chimera.epilogue<none>} : tensor<?x8xbf16>, (tensor<4x8xbf16>, tensor<6x8xbf16>) -> tensor<?x10xf32>
  // CHECK: chimera.fused_linear %{{.*}}, [%{{.*}}] onto %{{.*}} gate %{{.*}} {epilogue = #chimera.epilogue<residual>} : tensor<?x8xbf16>, (tensor<4x8xbf16>) onto tensor<?x4xf32> gate tensor<?xf32> -> tensor<?x4xf32>
  %b = chimera.fused_linear %h, [%w] onto %x gate %g {epilogue = #chimera.epilogue<residual>} : tensor<?x8xbf16>, (tensor<4x8xbf16>) onto tensor<?x4xf32> gate tensor<?xf32> -> tensor<?x4xf32>
  // CHECK: chimera.pack %{{.*}}, %{{.*}} {format = "bf16", group = 2 : i64, panel = 48 : i64} : tensor<4x8xbf16>, tensor<6x8xbf16>
  %p = chimera.pack %w, %u {format = "bf16", panel = 48 : i64, group = 2 : i64} : tensor<4x8xbf16>, tensor<6x8xbf16>
  return
}

// CHECK-LABEL: func.func @norms
func.func @norms(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // CHECK: %{{.*}}:2 = chimera.fused_norm rms %{{.*}} -> tensor<?x8xf32>, tensor<?x8xbf16>
  %h:2 = chimera.fused_norm rms %x, %w {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>, tensor<?x8xbf16>
  // CHECK: chimera.fused_gated_norm {{.*}} -> tensor<?x8xbf16>
  %n = chimera.fused_gated_norm %x, %x, %w {groups = 1 : i64, eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xbf16>
  return
}

// CHECK-LABEL: func.func @attention
func.func @attention(%q: tensor<?x8xf32>, %k: tensor<?x8xbf16>, %w: tensor<?xf32>, %list: !list, %ring: !ring, %rows: !chimera.rows) {
  // CHECK: %[[TABLE:.*]] = chimera.rope_table rows %{{.*}} {frequencies = array<f64: 1.000000e+00>} : tensor<?x2xf32>
  %t = chimera.rope_table rows %rows {frequencies = array<f64: 1.0>} : tensor<?x2xf32>
  // CHECK: chimera.fused_rope %{{.*}}, %{{.*}}, %{{.*}} by %[[TABLE]] rows %{{.*}} {heads = 2 : i64, kv_heads = 2 : i64}
  %r:3 = chimera.fused_rope %q, %q, %q by %t rows %rows {heads = 2 : i64, kv_heads = 2 : i64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> by tensor<?x2xf32> -> tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>
  // CHECK: chimera.fused_attend %{{.*}} cache %{{.*}} own %{{.*}} rows %{{.*}} {scale = 5.000000e-01 : f64, soft_cap = 2.500000e+00 : f64} : tensor<?x8xbf16> cache !chimera.list<{{.*}}> -> tensor<?x8xbf16>
  %a = chimera.fused_attend %k cache %list own %rows rows %rows {scale = 0.5 : f64, soft_cap = 2.5 : f64} : tensor<?x8xbf16> cache !list -> tensor<?x8xbf16>
  // CHECK: chimera.fused_attend %{{.*}}, %{{.*}}, %{{.*}} write %{{.*}} cache %{{.*}} : tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16> write tensor<?xf32> cache !chimera.ring<window = 8, heads = 2, dim = 4, element = bf16, weights = f32, room = 64> -> tensor<?x8xf32>
  %b = chimera.fused_attend %k, %k, %k write %w cache %ring own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16> write tensor<?xf32> cache !ring -> tensor<?x8xf32>
  return
}

// CHECK-LABEL: func.func @conv
func.func @conv(%x: tensor<?x8xf32>, %w: tensor<8x3xf32>, %w1: tensor<8x1xf32>, %b: tensor<8xf32>, %tail: !tail, %rows: !chimera.rows) {
  // CHECK: %{{.*}}, %{{.*}} = chimera.fused_conv %{{.*}}, %{{.*}}, %{{.*}} tail %{{.*}} rows %{{.*}} {activation = #chimera.activation<none>, add_input}
  %y, %t = chimera.fused_conv %x, %w, %b tail %tail rows %rows {activation = #chimera.activation<none>, add_input}
      : tensor<?x8xf32>, tensor<8x3xf32>, tensor<8xf32>, !tail
  // CHECK: %{{.*}} = chimera.fused_conv %{{.*}}, %{{.*}}, %{{.*}} rows %{{.*}} {activation = #chimera.activation<silu>}
  %z = chimera.fused_conv %x, %w1, %b rows %rows {activation = #chimera.activation<silu>} : tensor<?x8xf32>, tensor<8x1xf32>, tensor<8xf32>
  return
}
