// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is wrong with an op that works inside a mixer is said where it is.
// RUN: chimera-opt %s --split-input-file --verify-diagnostics

func.func @rope_heads(%q: tensor<?x16xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.rope' op heads must divide the 16 columns, got 3}}
  %r = chimera.rope %q rows %rows {heads = 3 : i64, frequencies = array<f64: 1.0>} : tensor<?x16xf32>
  return
}

// -----

func.func @rope_negative_heads(%q: tensor<?x16xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{heads must divide the 16 columns, got -4}}
  %r = chimera.rope %q rows %rows {heads = -4 : i64, frequencies = array<f64: 1.0>} : tensor<?x16xf32>
  return
}

// -----

func.func @rope_nothing(%q: tensor<?x16xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{rotates 0 dimensions of heads that have 4}}
  %r = chimera.rope %q rows %rows {heads = 4 : i64, frequencies = array<f64>} : tensor<?x16xf32>
  return
}

// -----

func.func @rope_too_much(%q: tensor<?x16xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{rotates 6 dimensions of heads that have 4}}
  %r = chimera.rope %q rows %rows {heads = 4 : i64, frequencies = array<f64: 1.0, 0.1, 0.01>} : tensor<?x16xf32>
  return
}

// -----

!ring = !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>

func.func @attend_key(%q: tensor<?x8xf32>, %k: tensor<?x4xf32>, %v: tensor<?x8xf32>, %ring: !ring, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.attend' op key must have 8 columns, got 4}}
  %o = chimera.attend %q, %k, %v cache %ring own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x8xf32> cache !ring -> tensor<?x8xf32>
  return
}

// -----

!ring = !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>

func.func @attend_value(%q: tensor<?x8xf32>, %v: tensor<?x8xbf16>, %ring: !ring, %rows: !chimera.rows) {
  // expected-error @+1 {{value must have the cache's element type 'f32', got 'bf16'}}
  %o = chimera.attend %q, %q, %v cache %ring own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xbf16> cache !ring -> tensor<?x8xf32>
  return
}

// -----

!ring = !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>

func.func @attend_weights(%q: tensor<?x8xf32>, %w: tensor<?xf32>, %ring: !ring, %rows: !chimera.rows) {
  // expected-error @+1 {{the cache keeps no write weights, but there are some}}
  %o = chimera.attend %q, %q, %q write %w cache %ring own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> write tensor<?xf32> cache !ring -> tensor<?x8xf32>
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = f32>

func.func @attend_no_weights(%q: tensor<?x8xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{the cache keeps write weights, but there are none}}
  %o = chimera.attend %q, %q, %q cache %list own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !list -> tensor<?x8xf32>
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = f32>

func.func @attend_weights_type(%q: tensor<?x8xf32>, %w: tensor<?xf64>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{write must have the cache's weights' type 'f32', got 'f64'}}
  %o = chimera.attend %q, %q, %q write %w cache %list own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> write tensor<?xf64> cache !list -> tensor<?x8xf32>
  return
}

// -----

!ring = !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>

func.func @attend_query(%q: tensor<?x12xf32>, %k: tensor<?x8xf32>, %ring: !ring, %rows: !chimera.rows) {
  // expected-error @+1 {{query must have a multiple of 2 heads of 4 columns, got 12 columns}}
  %o = chimera.attend %q, %k, %k cache %ring own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x12xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !ring -> tensor<?x12xf32>
  return
}

// -----

!ring = !chimera.ring<window = 8, heads = 2, dim = 4, element = bf16, weights = none>

func.func @attend_query_type(%q: tensor<?x8xf32>, %k: tensor<?x8xbf16>, %ring: !ring, %rows: !chimera.rows) {
  // expected-error @+1 {{query and key must have one element type, got 'f32' and 'bf16'}}
  %o = chimera.attend %q, %k, %k cache %ring own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xf32>, tensor<?x8xbf16>, tensor<?x8xbf16> cache !ring -> tensor<?x8xf32>
  return
}

// -----

!ring = !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>

func.func @attend_result(%q: tensor<?x16xf32>, %k: tensor<?x8xf32>, %ring: !ring, %rows: !chimera.rows) {
  // expected-error @+1 {{result must have 16 columns, got 8}}
  %o = chimera.attend %q, %k, %k cache %ring own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x16xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !ring -> tensor<?x8xf32>
  return
}

// -----

!ring = !chimera.ring<window = 8, heads = 2, dim = 4, element = bf16, weights = none>

func.func @attend_accumulator(%q: tensor<?x8xbf16>, %ring: !ring, %rows: !chimera.rows) {
  // expected-error @+1 {{result must accumulate in 'f32', got 'f64'}}
  %o = chimera.attend %q, %q, %q cache %ring own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16> cache !ring -> tensor<?x8xf64>
  return
}

// -----

func.func @attend_soft_cap(%q: tensor<?x8xf32>, %ring: !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>,
                           %rows: !chimera.rows) {
  // expected-error @+1 {{soft_cap must be finite and above 0}}
  %o = chimera.attend %q, %q, %q cache %ring own %rows rows %rows {scale = 0.5 : f64, soft_cap = 0.0 : f64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>
      -> tensor<?x8xf32>
  return
}

// -----

func.func @attend_cache(%q: tensor<?x8xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{operand #3 must be a ring or list of keys and values}}
  %o = chimera.attend %q, %q, %q cache %counts own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !chimera.counts<modes = 2> -> tensor<?x8xf32>
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @append_key(%k: tensor<?x6xf32>, %v: tensor<?x8xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.append' op key must have 8 columns, got 6}}
  %list1 = chimera.append %k, %v cache %list rows %rows : tensor<?x6xf32>, tensor<?x8xf32> cache !list
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @append_value(%k: tensor<?x8xf32>, %v: tensor<?x8xf64>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{value must have the cache's element type 'f32', got 'f64'}}
  %list1 = chimera.append %k, %v cache %list rows %rows : tensor<?x8xf32>, tensor<?x8xf64> cache !list
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = f32>

func.func @append_weights(%k: tensor<?x8xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{the cache keeps write weights, but there are none}}
  %list1 = chimera.append %k, %k cache %list rows %rows : tensor<?x8xf32>, tensor<?x8xf32> cache !list
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>
!other = !chimera.list<heads = 2, dim = 8, element = f32, weights = none>

func.func @append_version(%k: tensor<?x8xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{all of {cache, result} have same type}}
  %list1 = "chimera.append"(%k, %k, %list, %rows) : (tensor<?x8xf32>, tensor<?x8xf32>, !list, !chimera.rows) -> !other
  return
}

// -----

func.func @conv_weight(%x: tensor<?x8xf32>, %w: tensor<6x1xf32>, %b: tensor<8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.causal_conv' op weight must be 8x1, got 'tensor<6x1xf32>'}}
  %y = chimera.causal_conv %x, %w, %b rows %rows {activation = #chimera.activation<none>}
      : tensor<?x8xf32>, tensor<6x1xf32>, tensor<8xf32>
  return
}

// -----

func.func @conv_bias(%x: tensor<?x8xf32>, %w: tensor<8x1xf32>, %b: tensor<4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{bias must have 8 elements, got 4}}
  %y = chimera.causal_conv %x, %w, %b rows %rows {activation = #chimera.activation<none>}
      : tensor<?x8xf32>, tensor<8x1xf32>, tensor<4xf32>
  return
}

// -----

func.func @conv_type(%x: tensor<?x8xf32>, %w: tensor<8x1xbf16>, %b: tensor<8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{input and weight must have one element type, got 'f32' and 'bf16'}}
  %y = chimera.causal_conv %x, %w, %b rows %rows {activation = #chimera.activation<none>}
      : tensor<?x8xf32>, tensor<8x1xbf16>, tensor<8xf32>
  return
}

// -----

func.func @conv_no_tail(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{a convolution with 4 taps needs a tail}}
  %y = chimera.causal_conv %x, %w, %b rows %rows {activation = #chimera.activation<none>}
      : tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>
  return
}

// -----

!tail = !chimera.tail<rows = 1, channels = 8, element = f32>

func.func @conv_one_tap(%x: tensor<?x8xf32>, %w: tensor<8x1xf32>, %b: tensor<8xf32>, %tail: !tail, %rows: !chimera.rows) {
  // expected-error @+1 {{a convolution with 1 taps takes no tail}}
  %y = chimera.causal_conv %x, %w, %b tail %tail rows %rows {activation = #chimera.activation<none>}
      : tensor<?x8xf32>, tensor<8x1xf32>, tensor<8xf32>, !tail
  return
}

// -----

!tail = !chimera.tail<rows = 2, channels = 8, element = f32>

func.func @conv_tail(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>, %tail: !tail, %rows: !chimera.rows) {
  // expected-error @+1 {{tail must be 3 rows of 8 channels in 'f32', got '!chimera.tail<rows = 2, channels = 8, element = f32>'}}
  %y = chimera.causal_conv %x, %w, %b tail %tail rows %rows {activation = #chimera.activation<none>}
      : tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, !tail
  return
}

// -----

!tail = !chimera.tail<rows = 2, channels = 8, element = f32>

func.func @shift_tail(%x: tensor<?x4xf32>, %tail: !tail, %rows: !chimera.rows) {
  // expected-error @+1 {{input 'tensor<?x4xf32>' does not fit the tail '!chimera.tail<rows = 2, channels = 8, element = f32>'}}
  %tail1 = chimera.shift_tail %x tail %tail rows %rows : tensor<?x4xf32>, !tail
  return
}

// -----

!tail = !chimera.tail<rows = 2, channels = 8, element = f32>

func.func @shift_tail_type(%x: tensor<?x8xf64>, %tail: !tail, %rows: !chimera.rows) {
  // expected-error @+1 {{input 'tensor<?x8xf64>' does not fit the tail}}
  %tail1 = chimera.shift_tail %x tail %tail rows %rows : tensor<?x8xf64>, !tail
  return
}

// -----

!state = !chimera.state<heads = 4, dim = 2, size = 3, element = f32>

func.func @ssm_groups(%xbc: tensor<?x26xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %state: !state, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.ssm_scan' op groups must divide the 4 heads, got 3}}
  %y, %s = chimera.ssm_scan %xbc, %dt, %a, %a, %a state %state rows %rows {groups = 3 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : tensor<?x26xf32>, tensor<?x4xf32>, tensor<4xf32> state !state -> tensor<?x8xf32>
  return
}

// -----

!state = !chimera.state<heads = 4, dim = 2, size = 3, element = f32>

func.func @ssm_no_group(%xbc: tensor<?x8xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %state: !state, %rows: !chimera.rows) {
  // expected-error @+1 {{groups must divide the 4 heads, got 0}}
  %y, %s = chimera.ssm_scan %xbc, %dt, %a, %a, %a state %state rows %rows {groups = 0 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : tensor<?x8xf32>, tensor<?x4xf32>, tensor<4xf32> state !state -> tensor<?x8xf32>
  return
}

// -----

!state = !chimera.state<heads = 4, dim = 2, size = 3, element = f32>

func.func @ssm_input(%xbc: tensor<?x8xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %state: !state, %rows: !chimera.rows) {
  // expected-error @+1 {{xbc must have 14 columns, got 8}}
  %y, %s = chimera.ssm_scan %xbc, %dt, %a, %a, %a state %state rows %rows {groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : tensor<?x8xf32>, tensor<?x4xf32>, tensor<4xf32> state !state -> tensor<?x8xf32>
  return
}

// -----

!state = !chimera.state<heads = 4, dim = 2, size = 3, element = f32>

func.func @ssm_dt(%xbc: tensor<?x14xf32>, %dt: tensor<?x2xf32>, %a: tensor<4xf32>, %state: !state, %rows: !chimera.rows) {
  // expected-error @+1 {{dt must have 4 columns, got 2}}
  %y, %s = chimera.ssm_scan %xbc, %dt, %a, %a, %a state %state rows %rows {groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : tensor<?x14xf32>, tensor<?x2xf32>, tensor<4xf32> state !state -> tensor<?x8xf32>
  return
}

// -----

!state = !chimera.state<heads = 4, dim = 2, size = 3, element = f32>

func.func @ssm_result(%xbc: tensor<?x14xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %state: !state, %rows: !chimera.rows) {
  // expected-error @+1 {{result must have 8 columns, got 4}}
  %y, %s = chimera.ssm_scan %xbc, %dt, %a, %a, %a state %state rows %rows {groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : tensor<?x14xf32>, tensor<?x4xf32>, tensor<4xf32> state !state -> tensor<?x4xf32>
  return
}

// -----

!state = !chimera.state<heads = 4, dim = 2, size = 3, element = f32>

func.func @ssm_parameters(%xbc: tensor<?x14xf32>, %dt: tensor<?x4xf32>, %a: tensor<2xf32>, %state: !state, %rows: !chimera.rows) {
  // expected-error @+1 {{a_log must have 4 elements, got 2}}
  %y, %s = chimera.ssm_scan %xbc, %dt, %a, %a, %a state %state rows %rows {groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : tensor<?x14xf32>, tensor<?x4xf32>, tensor<2xf32> state !state -> tensor<?x8xf32>
  return
}

// -----

!state = !chimera.state<heads = 4, dim = 2, size = 3, element = f32>

func.func @ssm_parameters_alike(%xbc: tensor<?x14xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %b: tensor<2xf32>, %state: !state,
                                %rows: !chimera.rows) {
  // expected-error @+1 {{all of {a_log, skip, dt_bias} have same type}}
  %y, %s = "chimera.ssm_scan"(%xbc, %dt, %a, %a, %b, %state, %rows) {groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x14xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2xf32>, !state, !chimera.rows) -> (tensor<?x8xf32>, !state)
  return
}

// -----

!state = !chimera.state<heads = 4, dim = 2, size = 3, element = f32>

func.func @ssm_type(%xbc: tensor<?x14xf32>, %dt: tensor<?x4xf64>, %a: tensor<4xf32>, %state: !state, %rows: !chimera.rows) {
  // expected-error @+1 {{every tensor must have the state's element type 'f32', got 'tensor<?x4xf64>'}}
  %y, %s = chimera.ssm_scan %xbc, %dt, %a, %a, %a state %state rows %rows {groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : tensor<?x14xf32>, tensor<?x4xf64>, tensor<4xf32> state !state -> tensor<?x8xf32>
  return
}

// -----

!state = !chimera.state<heads = 4, dim = 2, size = 3, element = f32>

func.func @ssm_limits(%xbc: tensor<?x14xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %state: !state, %rows: !chimera.rows) {
  // expected-error @+1 {{dt_min must not be above dt_max}}
  %y, %s = chimera.ssm_scan %xbc, %dt, %a, %a, %a state %state rows %rows {groups = 1 : i64, dt_min = 1.0 : f64, dt_max = 0.5 : f64}
      : tensor<?x14xf32>, tensor<?x4xf32>, tensor<4xf32> state !state -> tensor<?x8xf32>
  return
}

// -----

!state = !chimera.state<heads = 4, dim = 2, size = 3, element = f32>

func.func @ssm_nan_limit(%xbc: tensor<?x14xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %state: !state, %rows: !chimera.rows) {
  // expected-error @+1 {{dt_min must not be above dt_max}}
  %y, %s = chimera.ssm_scan %xbc, %dt, %a, %a, %a state %state rows %rows
      {groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 0x7FF8000000000000 : f64}
      : tensor<?x14xf32>, tensor<?x4xf32>, tensor<4xf32> state !state -> tensor<?x8xf32>
  return
}

// -----

!state = !chimera.state<heads = 2, dim = 1, size = 6, element = f32>

func.func @lti_state(%u: tensor<?x6xf32>, %d: tensor<6xf32>, %state: !state, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.lti_scan' op the state must have one head of dim 1, got '!chimera.state<heads = 2, dim = 1, size = 6, element = f32>'}}
  %y, %s = chimera.lti_scan %u, %d state %state rows %rows : tensor<?x6xf32>, tensor<6xf32> state !state
  return
}

// -----

!state = !chimera.state<heads = 1, dim = 1, size = 6, element = f32>

func.func @lti_input(%u: tensor<?x4xf32>, %d: tensor<6xf32>, %state: !state, %rows: !chimera.rows) {
  // expected-error @+1 {{input must have 6 columns, got 4}}
  %y, %s = chimera.lti_scan %u, %d state %state rows %rows : tensor<?x4xf32>, tensor<6xf32> state !state
  return
}

// -----

!state = !chimera.state<heads = 1, dim = 1, size = 6, element = f32>

func.func @lti_decay(%u: tensor<?x6xf32>, %d: tensor<1xf32>, %state: !state, %rows: !chimera.rows) {
  // expected-error @+1 {{decay must have 6 elements, got 1}}
  %y, %s = chimera.lti_scan %u, %d state %state rows %rows : tensor<?x6xf32>, tensor<1xf32> state !state
  return
}

// -----

!state = !chimera.state<heads = 1, dim = 1, size = 6, element = f32>

func.func @lti_type(%u: tensor<?x6xf32>, %d: tensor<6xf32>, %w: tensor<?xf64>, %state: !state, %rows: !chimera.rows) {
  // expected-error @+1 {{every tensor must have the state's element type 'f32'}}
  %y, %s = chimera.lti_scan %u, %d write %w state %state rows %rows
      : tensor<?x6xf32>, tensor<6xf32> write tensor<?xf64> state !state
  return
}

// -----

func.func @gated_norm_groups(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{'chimera.gated_norm' op groups must divide the 8 columns, got 3}}
  %y = chimera.gated_norm %x, %x, %w {groups = 3 : i64, eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @gated_norm_no_group(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{groups must divide the 8 columns, got -1}}
  %y = chimera.gated_norm %x, %x, %w {groups = -1 : i64, eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @gated_norm_weight(%x: tensor<?x8xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{weight must have 8 elements, got 4}}
  %y = chimera.gated_norm %x, %x, %w {groups = 2 : i64, eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<4xf32>
  return
}

// -----

func.func @gated_norm_eps(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{eps must be finite and above 0}}
  %y = chimera.gated_norm %x, %x, %w {groups = 2 : i64, eps = -1.0 : f64} : tensor<?x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @gated_norm_type(%x: tensor<?x8xf32>, %w: tensor<8xf64>) {
  // expected-error @+1 {{requires the same element type for all operands and results}}
  %y = chimera.gated_norm %x, %x, %w {groups = 2 : i64, eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf64>
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @attend_nothing(%q: tensor<?x0xf32>, %k: tensor<?x8xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{query must have a multiple of 2 heads of 4 columns, got 0 columns}}
  %o = chimera.attend %q, %k, %k cache %list own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x0xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !list -> tensor<?x0xf32>
  return
}

// -----

func.func @conv_bias_type(%x: tensor<?x8xf32>, %w: tensor<8x1xf32>, %b: tensor<8xf64>, %rows: !chimera.rows) {
  // expected-error @+1 {{input and bias must have one element type, got 'f32' and 'f64'}}
  %y = chimera.causal_conv %x, %w, %b rows %rows {activation = #chimera.activation<none>}
      : tensor<?x8xf32>, tensor<8x1xf32>, tensor<8xf64>
  return
}

// -----

func.func @conv_no_tap(%x: tensor<?x8xf32>, %w: tensor<8x0xf32>, %b: tensor<8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{a convolution needs at least one tap, got 0}}
  %y = chimera.causal_conv %x, %w, %b rows %rows {activation = #chimera.activation<none>}
      : tensor<?x8xf32>, tensor<8x0xf32>, tensor<8xf32>
  return
}
