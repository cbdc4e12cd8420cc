// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops of experts survive printing and parsing, in both forms.
// RUN: chimera-opt %s | chimera-opt | FileCheck %s
// RUN: chimera-opt %s --mlir-print-op-generic | chimera-opt | FileCheck %s

// CHECK-LABEL: func.func @experts
// CHECK-SAME: %[[U:[a-z0-9]+]]: tensor<?x8xf32>, %[[L:[a-z0-9]+]]: tensor<?x3xf32>, %[[B:[a-z0-9]+]]: tensor<3xf32>, %[[ROWS:[a-z0-9]+]]: !chimera.rows
func.func @experts(%u: tensor<?x8xf32>, %l: tensor<?x3xf32>, %b: tensor<3xf32>, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x8xf32> {
  // CHECK: %[[CHOSEN:.*]], %[[W:.*]] = chimera.route_experts <softmax> %[[L]] {count = 2 : i64, normalized} : tensor<?x3xf32> -> tensor<?x3xi8>
  %chosen, %w = chimera.route_experts <softmax> %l {count = 2 : i64, normalized} : tensor<?x3xf32> -> tensor<?x3xi8>
  // CHECK: chimera.route_experts <sigmoid> %[[L]] bias %[[B]] {count = 1 : i64, scale = 2.500000e+00 : f64} : tensor<?x3xf32> bias tensor<3xf32> -> tensor<?x3xi8>
  %other, %v = chimera.route_experts <sigmoid> %l bias %b {count = 1 : i64, scale = 2.5 : f64} : tensor<?x3xf32> bias tensor<3xf32> -> tensor<?x3xi8>
  // CHECK: %[[SLICES:.*]]:3 = chimera.dispatch_experts %[[CHOSEN]] rows %[[ROWS]] {count = 2 : i64} : tensor<?x3xi8> -> !chimera.rows, !chimera.rows, !chimera.rows
  %slices:3 = chimera.dispatch_experts %chosen rows %rows {count = 2 : i64} : tensor<?x3xi8> -> !chimera.rows, !chimera.rows, !chimera.rows
  // CHECK: %[[Z:.*]] = chimera.zeros rows %[[ROWS]] : tensor<?x8xf32>
  %zeros = chimera.zeros rows %rows : tensor<?x8xf32>
  // CHECK: %[[T:.*]] = chimera.gather %[[U]] from %[[ROWS]] to %[[SLICES]]#1
  %t = chimera.gather %u from %rows to %slices#1 : tensor<?x8xf32> to tensor<?x8xf32>
  // CHECK: %[[Y:.*]] = chimera.add_expert %[[Z]], %[[T]] weights %[[W]] at 1 from %[[SLICES]]#1 : tensor<?x8xf32>, tensor<?x3xf32>
  %y = chimera.add_expert %zeros, %t weights %w at 1 from %slices#1 : tensor<?x8xf32>, tensor<?x3xf32>
  // CHECK: %[[DO:.*]], %[[DW:.*]] = chimera.add_expert_grad %[[Y]], %[[T]] weights %[[W]] at 1 from %[[SLICES]]#1 : tensor<?x8xf32>, tensor<?x3xf32> -> tensor<?xf32>
  %do, %dw = chimera.add_expert_grad %y, %t weights %w at 1 from %slices#1 : tensor<?x8xf32>, tensor<?x3xf32> -> tensor<?xf32>
  // CHECK: chimera.route_experts_grad <softmax> %[[L]], %[[CHOSEN]], %[[W]] {normalized} : tensor<?x3xf32>, tensor<?x3xi8>
  %dl = chimera.route_experts_grad <softmax> %l, %chosen, %w {normalized} : tensor<?x3xf32>, tensor<?x3xi8>
  return %y : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @fused
func.func @fused(%h: tensor<?x8xf32>, %w: tensor<4x8xf32>, %x: tensor<?x4xf32>, %g: tensor<?x3xf32>) {
  // CHECK: chimera.fused_linear %{{.*}}, [%{{.*}}] onto %{{.*}} gate %{{.*}} {epilogue = #chimera.epilogue<residual>, gate_column = 2 : i64} : tensor<?x8xf32>, (tensor<4x8xf32>) onto tensor<?x4xf32> gate tensor<?x3xf32> -> tensor<?x4xf32>
  %b = chimera.fused_linear %h, [%w] onto %x gate %g {epilogue = #chimera.epilogue<residual>, gate_column = 2 : i64} : tensor<?x8xf32>, (tensor<4x8xf32>) onto tensor<?x4xf32> gate tensor<?x3xf32> -> tensor<?x4xf32>
  // Rows of a tensor of matrices.
  // CHECK: chimera.param "up" {source = "both", source_row = 12 : i64, source_shape = array<i64: 3, 8, 4>} : tensor<4x4xf32>
  %q = chimera.param "up" {source = "both", source_row = 12 : i64, source_shape = array<i64: 3, 8, 4>} : tensor<4x4xf32>
  return
}
