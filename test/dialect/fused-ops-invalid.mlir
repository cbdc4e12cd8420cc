// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the verifiers of fused ops say.
// RUN: chimera-opt %s --split-input-file --verify-diagnostics

func.func @columns(%h: tensor<?x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{result must have 4 columns, got 5}}
  %a = chimera.fused_linear %h, [%w] {epilogue = #chimera.epilogue<none>} : tensor<?x8xf32>, (tensor<4x8xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @inputs(%h: tensor<?x8xf32>, %w: tensor<4x7xf32>) {
  // expected-error @+1 {{weight #0 must have 8 columns, got 7}}
  %a = chimera.fused_linear %h, [%w] {epilogue = #chimera.epilogue<none>} : tensor<?x8xf32>, (tensor<4x7xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @activation(%h: tensor<?x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{needs an activation}}
  %a = chimera.fused_linear %h, [%w] {epilogue = #chimera.epilogue<activate>} : tensor<?x8xf32>, (tensor<4x8xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @no_activation(%h: tensor<?x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{has an activation only with the epilogues activate and glu}}
  %a = chimera.fused_linear %h, [%w] {activation = #chimera.activation<silu>, epilogue = #chimera.epilogue<none>} : tensor<?x8xf32>, (tensor<4x8xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @glu(%h: tensor<?x8xf32>, %w: tensor<4x8xf32>, %u: tensor<6x8xf32>) {
  // expected-error @+1 {{glu takes two weight matrices of one type}}
  %a = chimera.fused_linear %h, [%w, %u] {activation = #chimera.activation<silu>, epilogue = #chimera.epilogue<glu>} : tensor<?x8xf32>, (tensor<4x8xf32>, tensor<6x8xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @no_residual(%h: tensor<?x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{needs what its product is added to}}
  %a = chimera.fused_linear %h, [%w] {epilogue = #chimera.epilogue<residual>} : tensor<?x8xf32>, (tensor<4x8xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @gate_without_residual(%h: tensor<?x8xf32>, %w: tensor<4x8xf32>, %g: tensor<?xf32>) {
  // expected-error @+1 {{has a gate but no residual}}
  %a = chimera.fused_linear %h, [%w] gate %g {epilogue = #chimera.epilogue<none>} : tensor<?x8xf32>, (tensor<4x8xf32>) gate tensor<?xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @widened(%h: tensor<?x8xbf16>, %w: tensor<4x8xbf16>) {
  // expected-error @+1 {{result must be in 'f32' or rounded from it, got 'f64'}}
  %a = chimera.fused_linear %h, [%w] {epilogue = #chimera.epilogue<none>} : tensor<?x8xbf16>, (tensor<4x8xbf16>) -> tensor<?x4xf64>
  return
}

// -----

func.func @norm_bias(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{a layer norm needs a bias}}
  %h = chimera.fused_norm layer %x, %w {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xbf16>
  return
}

// -----

func.func @norm_results(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{its two results are the norm, then the norm in bf16}}
  %h:2 = chimera.fused_norm rms %x, %w {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xbf16>, tensor<?x8xf32>
  return
}

// -----

func.func @gated_groups(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{groups must divide the 8 columns, got 3}}
  %n = chimera.fused_gated_norm %x, %x, %w {groups = 3 : i64, eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xbf16>
  return
}

// -----

func.func @table(%rows: !chimera.rows) {
  // expected-error @+1 {{result must have 4 columns, got 3}}
  %t = chimera.rope_table rows %rows {frequencies = array<f64: 1.0, 0.1>} : tensor<?x3xf32>
  return
}

// -----

func.func @rope(%q: tensor<?x8xf32>, %t: tensor<?x6xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{the table turns 6 dimensions of heads that have 4}}
  %r:3 = chimera.fused_rope %q, %q, %q by %t rows %rows {heads = 2 : i64, kv_heads = 2 : i64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> by tensor<?x6xf32> -> tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>
func.func @attend_soft_cap(%q: tensor<?x8xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.fused_attend' op soft_cap must be finite and above 0}}
  %a = chimera.fused_attend %q cache %list own %rows rows %rows {scale = 0.5 : f64, soft_cap = -1.0 : f64} : tensor<?x8xf32> cache !list -> tensor<?x8xf32>
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>
func.func @attend(%q: tensor<?x12xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{query must have a multiple of 2 heads of 4 columns, got 12 columns}}
  %a = chimera.fused_attend %q cache %list own %rows rows %rows {scale = 0.5 : f64} : tensor<?x12xf32> cache !list -> tensor<?x12xf32>
  return
}

// -----

!tail = !chimera.tail<rows = 3, channels = 8, element = f32>
func.func @conv(%x: tensor<?x8xf32>, %w: tensor<8x3xf32>, %b: tensor<8xf32>, %tail: !tail, %rows: !chimera.rows) {
  // expected-error @+1 {{tail must be 2 rows of 8 channels in 'f32'}}
  %y, %t = chimera.fused_conv %x, %w, %b tail %tail rows %rows {activation = #chimera.activation<none>}
      : tensor<?x8xf32>, tensor<8x3xf32>, tensor<8xf32>, !tail
  return
}

// -----

func.func @pack(%w: tensor<4x8xf32>, %u: tensor<4x6xf32>) {
  // expected-error @+1 {{its matrices must have static shapes with as many columns as the first}}
  %p = chimera.pack %w, %u {format = "f32", panel = 48 : i64, group = 1 : i64} : tensor<4x8xf32>, tensor<4x6xf32>
  return
}

// -----

func.func @pack_format(%w: tensor<4x8xf32>) {
  // expected-error @+1 {{format must be f32, bf16, i8 or i4, got 'f16'}}
  %p = chimera.pack %w {format = "f16", panel = 48 : i64, group = 1 : i64} : tensor<4x8xf32>
  return
}

// -----

// expected-error @+1 {{room must be at least the window, 8, got 4}}
func.func @room(%ring: !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none, room = 4>) {
  return
}
