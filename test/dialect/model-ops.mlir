// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every op of the model level survives printing and parsing, in both forms.
// RUN: chimera-opt %s | chimera-opt | FileCheck %s
// RUN: chimera-opt %s --mlir-print-op-generic | chimera-opt | FileCheck %s

// CHECK-LABEL: func.func @model_ops
// CHECK-SAME: %[[TOKENS:.*]]: tensor<?xi32>, %[[ROWS:.*]]: !chimera.rows, %[[PART:.*]]: !chimera.rows
func.func @model_ops(%tokens: tensor<?xi32>, %rows: !chimera.rows, %part: !chimera.rows) -> tensor<?x4xbf16> {
  // CHECK: %[[TABLE:.*]] = chimera.param "embed_tokens.weight" : tensor<16x8xbf16>
  %table = chimera.param "embed_tokens.weight" : tensor<16x8xbf16>
  // CHECK: %[[X:.*]] = chimera.embed %[[TOKENS]], %[[TABLE]] rows %[[ROWS]] : tensor<?xi32>, tensor<16x8xbf16> -> tensor<?x8xf32>
  %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<16x8xbf16> -> tensor<?x8xf32>
  // CHECK: %[[W:.*]] = chimera.param "norm.weight" {optional, source = "n.w", source_shape = array<i64: 8, 1>} : tensor<8xf32>
  %w = chimera.param "norm.weight" {optional, source = "n.w", source_shape = array<i64: 8, 1>} : tensor<8xf32>
  // CHECK: chimera.param "b" {row_permutation = array<i64: 1, 0>} : tensor<2xf32>
  %p = chimera.param "b" {row_permutation = array<i64: 1, 0>} : tensor<2xf32>
  // CHECK: chimera.param "up" {source = "both", source_row = 3 : i64, source_shape = array<i64: 5, 2, 4>} : tensor<2x8xf32>
  %q = chimera.param "up" {source = "both", source_row = 3 : i64, source_shape = array<i64: 5, 2, 4>} : tensor<2x8xf32>
  // CHECK: %[[H:.*]] = chimera.norm rms %[[X]], %[[W]] {eps = 1.000000e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>
  %h = chimera.norm rms %x, %w {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>
  // CHECK: chimera.norm rms %[[H]], %[[W]] {eps = 1.000000e-05 : f64, unit_offset} : tensor<?x8xf32>, tensor<8xf32>
  %offset = chimera.norm rms %h, %w {eps = 1.0e-05 : f64, unit_offset} : tensor<?x8xf32>, tensor<8xf32>
  // CHECK: chimera.norm layer %[[H]], %[[W]], %[[W]] {eps = 1.000000e-03 : f64} : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>
  %g = chimera.norm layer %h, %w, %w {eps = 1.0e-03 : f64} : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>
  // CHECK: %[[H16:.*]] = chimera.cast %{{.*}} : tensor<?x8xf32> to tensor<?x8xbf16>
  %h16 = chimera.cast %g : tensor<?x8xf32> to tensor<?x8xbf16>
  // CHECK: %[[Y:.*]] = chimera.linear %[[H16]], %[[TABLE]] : tensor<?x8xbf16>, tensor<16x8xbf16> -> tensor<?x16xf32>
  %y = chimera.linear %h16, %table : tensor<?x8xbf16>, tensor<16x8xbf16> -> tensor<?x16xf32>
  // CHECK: %[[N:.*]] = chimera.norm rms %[[Y]], %[[W]] {eps = 1.000000e-05 : f64, groups = 2 : i64} : tensor<?x16xf32>, tensor<8xf32>
  %n = chimera.norm rms %y, %w {eps = 1.0e-05 : f64, groups = 2 : i64} : tensor<?x16xf32>, tensor<8xf32>
  // CHECK: %[[V:.*]] = chimera.param "v" : tensor<16xf32>
  %v = chimera.param "v" : tensor<16xf32>
  // CHECK: %[[B:.*]] = chimera.add_bias %[[N]], %[[V]] : tensor<?x16xf32>, tensor<16xf32>
  %b = chimera.add_bias %n, %v : tensor<?x16xf32>, tensor<16xf32>
  // CHECK: %[[T:.*]] = chimera.scale %[[B]] by -2.500000e-01 : tensor<?x16xf32>
  %t = chimera.scale %b by -0.25 : tensor<?x16xf32>
  // CHECK: %[[TC:.*]] = chimera.scale_columns %[[T]] by [5.000000e-01, -2.000000e+00] widths [12, 4] : tensor<?x16xf32>
  %tc = chimera.scale_columns %t by [0.5, -2.0] widths [12, 4] : tensor<?x16xf32>
  // CHECK: %[[L:.*]] = chimera.soft_cap %[[TC]] by 3.000000e+01 : tensor<?x16xf32>
  %l = chimera.soft_cap %tc by 30.0 : tensor<?x16xf32>
  // CHECK: %[[S:.*]] = chimera.activate <silu>, %[[L]] : tensor<?x16xf32>
  %s = chimera.activate <silu>, %l : tensor<?x16xf32>
  // CHECK: %[[U:.*]] = chimera.glu <silu>, %[[S]], %[[Y]] : tensor<?x16xf32>
  %u = chimera.glu <silu>, %s, %y : tensor<?x16xf32>
  // CHECK: %[[A:.*]] = chimera.add %[[U]], %[[Y]] : tensor<?x16xf32>
  %a = chimera.add %u, %y : tensor<?x16xf32>
  // CHECK: %[[C:.*]] = chimera.columns %[[A]] at 3 : tensor<?x16xf32> to tensor<?x4xf32>
  %c = chimera.columns %a at 3 : tensor<?x16xf32> to tensor<?x4xf32>
  // CHECK: %[[C16:.*]] = chimera.cast
  %c16 = chimera.cast %c : tensor<?x4xf32> to tensor<?x4xbf16>
  // CHECK: chimera.gather %[[C16]] from %[[ROWS]] to %[[PART]] : tensor<?x4xbf16> to tensor<?x4xbf16>
  %o = chimera.gather %c16 from %rows to %part : tensor<?x4xbf16> to tensor<?x4xbf16>
  return %o : tensor<?x4xbf16>
}
