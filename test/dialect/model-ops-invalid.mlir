// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is wrong with an op of the model level is said where it is.
// RUN: chimera-opt %s --split-input-file --verify-diagnostics

func.func @param_dynamic() {
  // expected-error @+1 {{'chimera.param' op parameter 'w' must have a static shape, got 'tensor<?x4xf32>'}}
  %w = chimera.param "w" : tensor<?x4xf32>
  return
}

// -----

func.func @param_name() {
  // expected-error @+1 {{must have a name}}
  %w = chimera.param "" : tensor<4xf32>
  return
}

// -----

func.func @param_permutation() {
  // expected-error @+1 {{row_permutation of 'w' must be a permutation of its rows}}
  %w = chimera.param "w" {row_permutation = array<i64: 0, 2>} : tensor<2x4xf32>
  return
}

// -----

func.func @param_source_shape() {
  // expected-error @+1 {{source_shape of 'w' must have as many elements as 'tensor<2x4xf32>'}}
  %w = chimera.param "w" {source_shape = array<i64: 2, 3>} : tensor<2x4xf32>
  return
}

// -----

func.func @embed(%tokens: tensor<?xi32>, %rows: !chimera.rows, %table: tensor<16x8xf32>) {
  // expected-error @+1 {{result must have 8 columns, got 4}}
  %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<16x8xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @norm_weight(%x: tensor<?x8xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{weight must have 8 elements, got 4}}
  %y = chimera.norm rms %x, %w {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<4xf32>
  return
}

// -----

func.func @norm_bias(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{layer norm needs a bias}}
  %y = chimera.norm layer %x, %w {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @norm_no_bias(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{rms norm takes no bias}}
  %y = chimera.norm rms %x, %w, %w {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>
  return
}

// -----

func.func @norm_eps(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{eps must be finite and above 0}}
  %y = chimera.norm rms %x, %w {eps = 0.0 : f64} : tensor<?x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @linear_columns(%x: tensor<?x8xf32>, %w: tensor<16x4xf32>) {
  // expected-error @+1 {{input has 8 columns, but weight 4}}
  %y = chimera.linear %x, %w : tensor<?x8xf32>, tensor<16x4xf32> -> tensor<?x16xf32>
  return
}

// -----

func.func @linear_result(%x: tensor<?x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @+1 {{result must have 16 columns, got 8}}
  %y = chimera.linear %x, %w : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_operands(%x: tensor<?x8xf32>, %w: tensor<16x8xbf16>) {
  // expected-error @+1 {{input and weight must have one element type, got 'f32' and 'bf16'}}
  %y = chimera.linear %x, %w : tensor<?x8xf32>, tensor<16x8xbf16> -> tensor<?x16xf32>
  return
}

// -----

func.func @linear_accumulator(%x: tensor<?x8xf64>, %w: tensor<16x8xf64>) {
  // expected-error @+1 {{result must accumulate in 'f64', got 'f32'}}
  %y = chimera.linear %x, %w : tensor<?x8xf64>, tensor<16x8xf64> -> tensor<?x16xf32>
  return
}

// -----

func.func @cast(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{result must have 8 columns, got 4}}
  %y = chimera.cast %x : tensor<?x8xf32> to tensor<?x4xbf16>
  return
}

// -----

func.func @add(%x: tensor<?x8xf32>, %y: tensor<?x4xf32>) {
  // expected-error @+1 {{requires the same type for all operands and results}}
  %z = "chimera.add"(%x, %y) : (tensor<?x8xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @norm_groups(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{groups must divide the 8 columns, got 3}}
  %y = chimera.norm rms %x, %w {eps = 1.0e-05 : f64, groups = 3 : i64} : tensor<?x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @norm_no_groups(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{groups must divide the 8 columns, got 0}}
  %y = chimera.norm rms %x, %w {eps = 1.0e-05 : f64, groups = 0 : i64} : tensor<?x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @norm_group_weight(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{weight must have 4 elements, got 8}}
  %y = chimera.norm rms %x, %w {eps = 1.0e-05 : f64, groups = 2 : i64} : tensor<?x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @layer_norm_offset(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{layer norm has no unit_offset}}
  %y = chimera.norm layer %x, %w, %w {eps = 1.0e-05 : f64, unit_offset} : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>
  return
}

// -----

func.func @layer_norm_groups(%x: tensor<?x8xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{layer norm has no groups}}
  %y = chimera.norm layer %x, %w, %w {eps = 1.0e-05 : f64, groups = 2 : i64} : tensor<?x8xf32>, tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func @add_bias(%x: tensor<?x8xf32>, %b: tensor<4xf32>) {
  // expected-error @+1 {{bias must have 8 elements, got 4}}
  %y = chimera.add_bias %x, %b : tensor<?x8xf32>, tensor<4xf32>
  return
}

// -----

func.func @add_bias_type(%x: tensor<?x8xf32>, %b: tensor<8xf64>) {
  // expected-error @+1 {{op requires the same element type for all operands and results}}
  %y = chimera.add_bias %x, %b : tensor<?x8xf32>, tensor<8xf64>
  return
}

// -----

func.func @scale_by_zero(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{factor must be finite and not zero}}
  %y = chimera.scale %x by 0.0 : tensor<?x8xf32>
  return
}

// -----

func.func @scale_by_infinity(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{factor must be finite and not zero}}
  %y = chimera.scale %x by 0x7FF0000000000000 : tensor<?x8xf32>
  return
}

// -----

func.func @scale_columns_without_width(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{has 2 factors, but 1 widths}}
  %y = chimera.scale_columns %x by [1.0, 2.0] widths [8] : tensor<?x8xf32>
  return
}

// -----

func.func @scale_columns_by_zero(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{factor 1 must be finite and not zero}}
  %y = chimera.scale_columns %x by [1.0, 0.0] widths [4, 4] : tensor<?x8xf32>
  return
}

// -----

func.func @scale_columns_too_wide(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{width 1 must be in 1 .. 3, the columns that are left, got 4}}
  %y = chimera.scale_columns %x by [1.0, 2.0] widths [5, 4] : tensor<?x8xf32>
  return
}

// -----

func.func @scale_columns_too_narrow(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{the widths leave 2 of 8 columns}}
  %y = chimera.scale_columns %x by [1.0, 2.0] widths [2, 4] : tensor<?x8xf32>
  return
}

// -----

func.func @soft_cap_by_zero(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{cap must be finite and above 0}}
  %y = chimera.soft_cap %x by 0.0 : tensor<?x8xf32>
  return
}

// -----

func.func @soft_cap_by_infinity(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{cap must be finite and above 0}}
  %y = chimera.soft_cap %x by 0x7FF0000000000000 : tensor<?x8xf32>
  return
}

// -----

func.func @soft_cap_of_operands(%x: tensor<?x8xbf16>) {
  // expected-error @+1 {{operand #0 must be 2D tensor of 64-bit float or 32-bit float values}}
  %y = chimera.soft_cap %x by 30.0 : tensor<?x8xbf16>
  return
}

// -----

func.func @activate(%x: tensor<?x8xbf16>) {
  // expected-error @+1 {{operand #0 must be 2D tensor of 64-bit float or 32-bit float values}}
  %z = chimera.activate <silu>, %x : tensor<?x8xbf16>
  return
}

// -----

func.func @glu(%x: tensor<?x8xf32>, %y: tensor<?x4xf32>) {
  // expected-error @+1 {{requires the same type for all operands and results}}
  %z = "chimera.glu"(%x, %y) {activation = #chimera.activation<silu>} : (tensor<?x8xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @columns(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{4 columns at 6 are not within the input's 8}}
  %y = chimera.columns %x at 6 : tensor<?x8xf32> to tensor<?x4xf32>
  return
}

// -----

func.func @columns_negative(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{4 columns at -1 are not within the input's 8}}
  %y = chimera.columns %x at -1 : tensor<?x8xf32> to tensor<?x4xf32>
  return
}

// -----

func.func @gather(%x: tensor<?x8xf32> , %rows: !chimera.rows {chimera.step = "rows"}, %a: !chimera.rows, %b: !chimera.rows) {
  // expected-error @+1 {{the input does not have the rows that it is gathered from}}
  %y = chimera.gather %x from %a to %b : tensor<?x8xf32> to tensor<?x8xf32>
  return
}

// -----

func.func @gather_type(%x: tensor<?x8xf32>, %a: !chimera.rows, %b: !chimera.rows) {
  // expected-error @+1 {{input and result must have one type}}
  %y = chimera.gather %x from %a to %b : tensor<?x8xf32> to tensor<?x4xf32>
  return
}

// -----

func.func @param_negative_source_shape() {
  // expected-error @+1 {{source_shape of 'w' must have as many elements as 'tensor<8xf32>'}}
  %w = chimera.param "w" {source_shape = array<i64: -2, -4>} : tensor<8xf32>
  return
}

// -----

func.func @param_size() {
  // expected-error @+1 {{parameter 'w' must have at most 2^53 elements}}
  %w = chimera.param "w" {source_shape = array<i64: 4611686018427387904, 4, 0>} : tensor<4611686018427387904x4611686018427387904xf32>
  return
}

// -----

func.func @param_element() {
  // expected-error @+1 {{parameter 'w' must have elements in f64, f32 or bf16, got 'tensor<4x!chimera.rows>'}}
  %w = chimera.param "w" : tensor<4x!chimera.rows>
  return
}

// -----

func.func @param_short_permutation() {
  // expected-error @+1 {{row_permutation of 'w' must be a permutation of its rows}}
  %w = chimera.param "w" {row_permutation = array<i64>} : tensor<4xf32>
  return
}

// -----

func.func @param_scalar_permutation() {
  // expected-error @+1 {{row_permutation of 'w' must be a permutation of its rows}}
  %w = chimera.param "w" {row_permutation = array<i64: 0>} : tensor<f32>
  return
}

// -----

func.func @param_row_without_shape() {
  // expected-error @+1 {{source_row of 'w' needs the source_shape of the tensor it is a part of}}
  %w = chimera.param "w" {source_row = 0 : i64} : tensor<2x4xf32>
  return
}

// -----

func.func @param_row_and_permutation() {
  // expected-error @+1 {{source_row and row_permutation of 'w' exclude each other}}
  %w = chimera.param "w" {source_row = 0 : i64, source_shape = array<i64: 4, 4>, row_permutation = array<i64: 1, 0>} : tensor<2x4xf32>
  return
}

// -----

func.func @param_row_past_the_end() {
  // expected-error @+1 {{source_row of 'w' must be in 0 .. 2, got 3}}
  %w = chimera.param "w" {source_row = 3 : i64, source_shape = array<i64: 4, 4>} : tensor<2x4xf32>
  return
}

// -----

func.func @param_negative_row() {
  // expected-error @+1 {{source_row of 'w' must be in 0 .. 2, got -1}}
  %w = chimera.param "w" {source_row = -1 : i64, source_shape = array<i64: 4, 4>} : tensor<2x4xf32>
  return
}

// -----

func.func @param_too_few_rows() {
  // expected-error @+1 {{source_shape of 'w' must have at least as many rows as 'tensor<2x4xf32>'}}
  %w = chimera.param "w" {source_row = 0 : i64, source_shape = array<i64: 1, 4>} : tensor<2x4xf32>
  return
}

// -----

func.func @param_rows_of_other_length() {
  // expected-error @+1 {{the rows of source_shape of 'w' must have as many elements as those of 'tensor<2x4xf32>'}}
  %w = chimera.param "w" {source_row = 0 : i64, source_shape = array<i64: 4, 5>} : tensor<2x4xf32>
  return
}

// -----

func.func @param_rows_of_a_negative_shape() {
  // expected-error @+1 {{the rows of source_shape of 'w' must have as many elements as those of 'tensor<2x4xf32>'}}
  %w = chimera.param "w" {source_row = 0 : i64, source_shape = array<i64: -4, 4>} : tensor<2x4xf32>
  return
}

// -----

func.func @param_row_of_a_scalar() {
  // expected-error @+1 {{the rows of source_shape of 'w' must have as many elements as those of 'tensor<f32>'}}
  %w = chimera.param "w" {source_row = 0 : i64, source_shape = array<i64: 4>} : tensor<f32>
  return
}

// -----

func.func @embed_narrows(%tokens: tensor<?xi32>, %rows: !chimera.rows, %table: tensor<16x8xf64>) {
  // expected-error @+1 {{'chimera.embed' op result must accumulate in 'f64', got 'f32'}}
  %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<16x8xf64> -> tensor<?x8xf32>
  return
}

// -----

func.func @columns_far(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{4 columns at 9223372036854775807 are not within the input's 8}}
  %y = chimera.columns %x at 9223372036854775807 : tensor<?x8xf32> to tensor<?x4xf32>
  return
}

// -----

func.func @columns_unknown(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{columns at 0 are not within the input's 8}}
  %y = chimera.columns %x at 0 : tensor<?x8xf32> to tensor<?x?xf32>
  return
}

// -----

func.func @activate_none(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'chimera.activate' op attribute 'activation' failed to satisfy constraint: an elementwise function not none}}
  %y = chimera.activate <none>, %x : tensor<?x8xf32>
  return
}
