// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the verifiers of ops of experts say.
// RUN: chimera-opt %s --split-input-file --verify-diagnostics

func.func @too_many(%l: tensor<?x3xf32>) {
  // expected-error @+1 {{count must be in 1 .. 3, the number of experts, got 4}}
  %c, %w = chimera.route_experts <softmax> %l {count = 4 : i64} : tensor<?x3xf32> -> tensor<?x3xi8>
  return
}

// -----

func.func @none(%l: tensor<?x3xf32>) {
  // expected-error @+1 {{count must be in 1 .. 3, the number of experts, got 0}}
  %c, %w = chimera.route_experts <softmax> %l {count = 0 : i64} : tensor<?x3xf32> -> tensor<?x3xi8>
  return
}

// -----

func.func @choice(%l: tensor<?x3xf32>) {
  // expected-error @+1 {{chosen must have 3 columns, got 2}}
  %c, %w = chimera.route_experts <softmax> %l {count = 1 : i64} : tensor<?x3xf32> -> tensor<?x2xi8>
  return
}

// -----

func.func @bias(%l: tensor<?x3xf32>, %b: tensor<2xf32>) {
  // expected-error @+1 {{bias must have 3 elements, got 2}}
  %c, %w = chimera.route_experts <sigmoid> %l bias %b {count = 1 : i64} : tensor<?x3xf32> bias tensor<2xf32> -> tensor<?x3xi8>
  return
}

// -----

func.func @scale(%l: tensor<?x3xf32>) {
  // expected-error @+1 {{scale must be finite and above 0}}
  %c, %w = chimera.route_experts <softmax> %l {count = 1 : i64, scale = 0.0 : f64} : tensor<?x3xf32> -> tensor<?x3xi8>
  return
}

// -----

func.func @slices(%c: tensor<?x3xi8>, %rows: !chimera.rows) {
  // expected-error @+1 {{needs one slice for each of the 3 experts, got 2}}
  %s:2 = chimera.dispatch_experts %c rows %rows {count = 2 : i64} : tensor<?x3xi8> -> !chimera.rows, !chimera.rows
  return
}

// -----

func.func @slice_count(%c: tensor<?x2xi8>, %rows: !chimera.rows) {
  // expected-error @+1 {{count must be in 1 .. 2, the number of experts, got 3}}
  %s:2 = chimera.dispatch_experts %c rows %rows {count = 3 : i64} : tensor<?x2xi8> -> !chimera.rows, !chimera.rows
  return
}

// -----

func.func @expert(%x: tensor<?x8xf32>, %w: tensor<?x3xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{expert 3 is not one of the 3 that have weights}}
  %y = chimera.add_expert %x, %x weights %w at 3 from %rows : tensor<?x8xf32>, tensor<?x3xf32>
  return
}

// -----

func.func @weights(%x: tensor<?x8xf32>, %w: tensor<?x3xf64>, %rows: !chimera.rows) {
  // expected-error @+1 {{weights and input must have one element type, got 'f64' and 'f32'}}
  %y = chimera.add_expert %x, %x weights %w at 1 from %rows : tensor<?x8xf32>, tensor<?x3xf64>
  return
}

// -----

func.func @grad_expert(%x: tensor<?x8xf32>, %w: tensor<?x3xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{expert -1 is not one of the 3 that have weights}}
  %a, %b = chimera.add_expert_grad %x, %x weights %w at -1 from %rows : tensor<?x8xf32>, tensor<?x3xf32> -> tensor<?xf32>
  return
}

// -----

func.func @grad_weight(%x: tensor<?x8xf32>, %w: tensor<?x3xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{dresult and dweight must have one element type, got 'f32' and 'f64'}}
  %a, %b = chimera.add_expert_grad %x, %x weights %w at 1 from %rows : tensor<?x8xf32>, tensor<?x3xf32> -> tensor<?xf64>
  return
}

// -----

func.func @grad_choice(%l: tensor<?x3xf32>, %c: tensor<?x2xi8>) {
  // expected-error @+1 {{chosen must have 3 columns, got 2}}
  %d = chimera.route_experts_grad <softmax> %l, %c, %l {normalized} : tensor<?x3xf32>, tensor<?x2xi8>
  return
}

// -----

func.func @no_column(%h: tensor<?x8xf32>, %w: tensor<4x8xf32>, %x: tensor<?x4xf32>, %g: tensor<?x3xf32>) {
  // expected-error @+1 {{needs the column of its gate}}
  %b = chimera.fused_linear %h, [%w] onto %x gate %g {epilogue = #chimera.epilogue<residual>} : tensor<?x8xf32>, (tensor<4x8xf32>) onto tensor<?x4xf32> gate tensor<?x3xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @no_columns(%h: tensor<?x8xf32>, %w: tensor<4x8xf32>, %x: tensor<?x4xf32>, %g: tensor<?xf32>) {
  // expected-error @+1 {{has a gate_column, but no gate with columns}}
  %b = chimera.fused_linear %h, [%w] onto %x gate %g {epilogue = #chimera.epilogue<residual>, gate_column = 0 : i64} : tensor<?x8xf32>, (tensor<4x8xf32>) onto tensor<?x4xf32> gate tensor<?xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @other_column(%h: tensor<?x8xf32>, %w: tensor<4x8xf32>, %x: tensor<?x4xf32>, %g: tensor<?x3xf32>) {
  // expected-error @+1 {{expert 3 is not one of the 3 that have weights}}
  %b = chimera.fused_linear %h, [%w] onto %x gate %g {epilogue = #chimera.epilogue<residual>, gate_column = 3 : i64} : tensor<?x8xf32>, (tensor<4x8xf32>) onto tensor<?x4xf32> gate tensor<?x3xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @row_of_matrices() {
  // expected-error @+1 {{source_row of 'w' must be in 0 .. 20, got 21}}
  %w = chimera.param "w" {source_row = 21 : i64, source_shape = array<i64: 3, 8, 4>} : tensor<4x4xf32>
  return
}
