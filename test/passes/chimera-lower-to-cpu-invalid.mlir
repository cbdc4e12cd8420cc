// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the cpu target has no kernels for is an error, as on the ref target, or a ref kernel.
// RUN: chimera-opt %s --split-input-file --chimera-lower-to-cpu=isa=avx2 --verify-diagnostics | FileCheck %s
// RUN: chimera-opt %s --split-input-file --chimera-lower-to-cpu=isa=avx512 --verify-diagnostics | FileCheck %s

func.func @sum_of_no_rows(%leaves: tensor<18xi32> {chimera.step = "leaves"}) -> tensor<8xf32> attributes {chimera.limits = array<i64: 64, 64>, chimera.training} {
  %w = chimera.param "w" : tensor<16x8xf32>
  // expected-error @+1 {{'chimera.column_sum' op nothing says which rows it adds up}}
  %s = chimera.column_sum %w leaves %leaves : (tensor<16x8xf32>, tensor<18xi32>) -> tensor<8xf32>
  return %s : tensor<8xf32>
}

// -----

func.func @product_of_no_rows(%x: tensor<?x4xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %leaves: tensor<18xi32> {chimera.step = "leaves"}) -> tensor<4x8xf32>
    attributes {chimera.limits = array<i64: 64, 64>, chimera.training} {
  %w = chimera.param "w" : tensor<16x8xf32>
  // expected-error @+1 {{'chimera.linear_weight_grad' op nothing says which rows it adds up}}
  %s = chimera.linear_weight_grad %x, %w leaves %leaves : (tensor<?x4xf32>, tensor<16x8xf32>, tensor<18xi32>) -> tensor<4x8xf32>
  return %s : tensor<4x8xf32>
}

// -----

func.func @norm_of_no_rows(%rows: !chimera.rows {chimera.step = "rows"}) attributes {chimera.limits = array<i64: 64, 64>} {
  %x = chimera.param "x" : tensor<16x8xf32>
  %w = chimera.param "w" : tensor<8xf32>
  // expected-error @+1 {{'chimera.norm' op nothing says which rows its result has}}
  %y = chimera.norm rms %x, %w {eps = 1.0e-05 : f64} : tensor<16x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @unknown_columns(%x: tensor<?x?xf32>, %rows: !chimera.rows {chimera.step = "rows"}) attributes {chimera.limits = array<i64: 64, 64>} {
  %w = chimera.param "w" : tensor<8x8xf32>
  // expected-error @+1 {{'chimera.activate' op needs a known number of columns, at least one, but has 'tensor<?x?xf32>'}}
  %y = chimera.activate <silu>, %x : tensor<?x?xf32>
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>
func.func @unfused(%x: tensor<?x8xf32>, %list: !list, %rows: !chimera.rows {chimera.step = "rows"}) attributes {chimera.limits = array<i64: 64, 64>} {
  // expected-error @+1 {{'chimera.attend' op must be fused (chimera-fuse-attention) before cpu kernels are chosen, which keep caches in blocks}}
  %o = chimera.attend %x, %x, %x cache %list own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !list -> tensor<?x8xf32>
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>
func.func @uncommitted(%x: tensor<?x8xf32>, %list: !list, %rows: !chimera.rows {chimera.step = "rows"}) attributes {chimera.limits = array<i64: 64, 64>} {
  // expected-error @+1 {{'chimera.fused_attend' op reads a list before the step's entries are appended to it, for which the cpu target has no kernel}}
  %o = chimera.fused_attend %x, %x, %x cache %list own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !list -> tensor<?x8xf32>
  return
}

// -----

func.func @fused_f64(%x: tensor<?x8xf64>, %rows: !chimera.rows {chimera.step = "rows"}) attributes {chimera.limits = array<i64: 64, 64>} {
  %w = chimera.param "w" : tensor<8x8xf64>
  // expected-error @+1 {{'chimera.fused_linear' op is in f64, for which the cpu target has no kernel}}
  %y = chimera.fused_linear %x, [%w] {epilogue = #chimera.epilogue<none>} : tensor<?x8xf64>, (tensor<8x8xf64>) -> tensor<?x8xf64>
  return
}

// -----

// In f64 the ref kernels, not those for f32.
// CHECK-LABEL: func.func @f64(
// CHECK: chimera.call @chimera_norm_rms_f64
// CHECK: chimera.call @chimera_rope_f64
func.func @f64(%x: tensor<?x8xf64>, %rows: !chimera.rows {chimera.step = "rows"}) attributes {chimera.limits = array<i64: 64, 64>} {
  %w = chimera.param "w" : tensor<8xf64>
  %y = chimera.norm rms %x, %w {eps = 1.0e-05 : f64} : tensor<?x8xf64>, tensor<8xf64>
  %z = chimera.rope %y rows %rows {heads = 2 : i64, frequencies = array<f64: 1.0>} : tensor<?x8xf64>
  return
}

// -----

// CHECK-LABEL: func.func @training_f64(
// CHECK: chimera.call @chimera_silu_f64
// CHECK: chimera.call @chimera_adamw_f64
func.func @training_f64(%x: tensor<?x8xf64>, %rows: !chimera.rows {chimera.step = "rows"}, %hyper: tensor<16xf64> {chimera.step = "hyper"})
    attributes {chimera.limits = array<i64: 64, 64>, chimera.training} {
  %y = chimera.activate <silu>, %x : tensor<?x8xf64>
  %g = chimera.training_state gradient "w" : tensor<8xf64>
  %w = chimera.training_state master "w" : tensor<8xf64>
  %m = chimera.training_state moment1 "w" : tensor<8xf64>
  %v = chimera.training_state moment2 "w" : tensor<8xf64>
  %n = chimera.squared_norm %g : (tensor<8xf64>) -> tensor<1xf64>
  chimera.adamw %g, %w, %m, %v norm %n hyper %hyper : tensor<8xf64>, tensor<1xf64>, tensor<16xf64>
  return
}

// -----

// Angles are of positions in the step's rows: where a program has none, the ref kernel takes those of the op.
// CHECK-LABEL: func.func @rope_of_other_rows(
// CHECK: chimera.call @chimera_rope_f32
func.func @rope_of_other_rows(%x: tensor<?x8xf32>, %rows: !chimera.rows) attributes {chimera.limits = array<i64: 64, 64>, chimera.training} {
  %z = chimera.rope %x rows %rows {heads = 2 : i64, frequencies = array<f64: 1.0>} : tensor<?x8xf32>
  return
}
