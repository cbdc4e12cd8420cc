// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every op of a phase becomes a call of a kernel, with its buffers in the kernel's order.
// RUN: chimera-opt %s --split-input-file --chimera-lower-to-ref --verify-diagnostics | FileCheck %s
// RUN: chimera-opt %s --split-input-file --chimera-lower-to-ref --verify-diagnostics | FileCheck %s --check-prefix=KERNELS

// Row by row: of the rows only their starts are needed. The layer is the one that the location names.
// CHECK-LABEL: func.func @rowwise
// CHECK-SAME: %[[TOKENS:[a-z0-9]+]]: tensor<?xi32> {{.*}}, %[[ROWS:[a-z0-9]+]]: !chimera.rows
// CHECK-NEXT: %[[TABLE:.*]] = chimera.param "embed_tokens.weight" : tensor<16x8xf32>
// CHECK-NEXT: %[[W:.*]] = chimera.param "norm.weight"
// CHECK-NEXT: %[[X:.*]] = chimera.call @chimera_embed_f32_f32_8(%[[ROWS]], %[[TOKENS]], %[[TABLE]]) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
// CHECK-SAME: {layer = -1 : i64, op = "chimera.embed", order = array<i64: 0, 1, 2, 3>, starts = array<i64: 0>} : (!chimera.rows, tensor<?xi32>, tensor<16x8xf32>) -> tensor<?x8xf32>
// CHECK-NEXT: %[[H:.*]] = chimera.call @chimera_norm_rms_f32_8_{{.*}}(%[[ROWS]], %[[X]], %[[W]])
// CHECK-SAME: {layer = 3 : i64, op = "chimera.norm"
// CHECK-NEXT: %[[G:.*]] = chimera.call @chimera_norm_layer_f32_8_{{.*}}(%[[ROWS]], %[[H]], %[[W]], %[[W]])
// CHECK-SAME: order = array<i64: 0, 1, 2, 3, 4>
// CHECK-NEXT: %[[L:.*]] = chimera.call @chimera_linear_f32_f32_f32_8x16(%[[ROWS]], %[[G]], %[[TABLE]])
// CHECK-NEXT: %[[S:.*]] = chimera.call @chimera_silu_f32_16(%[[ROWS]], %[[L]])
// CHECK-NEXT: %[[U:.*]] = chimera.call @chimera_swiglu_f32_16(%[[ROWS]], %[[S]], %[[L]])
// CHECK-NEXT: %[[A:.*]] = chimera.call @chimera_add_f32_16(%[[ROWS]], %[[U]], %[[L]])
// CHECK-NEXT: %[[C:.*]] = chimera.call @chimera_columns_f32_16_from3_size8(%[[ROWS]], %[[A]])
// CHECK-NEXT: %[[N:.*]] = chimera.call @chimera_gated_norm_f32_8_groups2_{{.*}}(%[[ROWS]], %[[C]], %[[X]], %[[W]])
// CHECK-NEXT: %[[R:.*]] = chimera.call @chimera_rope_f32_2x4_dims2_{{.*}}(%[[ROWS]], %[[N]])
// CHECK-SAME: op = "chimera.rope", order = array<i64: 0, 1, 2>}
// CHECK-NEXT: chimera.call @chimera_cast_f32_bf16_8(%[[ROWS]], %[[R]])
// CHECK-SAME: -> tensor<?x8xbf16>
// CHECK-NEXT: return
func.func @rowwise(%tokens: tensor<?xi32> {chimera.step = "tokens"}, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x8xbf16>
    attributes {chimera.limits = array<i64: 64, 64>} {
  %table = chimera.param "embed_tokens.weight" : tensor<16x8xf32>
  %w = chimera.param "norm.weight" : tensor<8xf32>
  %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<16x8xf32> -> tensor<?x8xf32>
  %h = chimera.norm rms %x, %w {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32> loc("layers.3")
  %g = chimera.norm layer %h, %w, %w {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>
  %l = chimera.linear %g, %table : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
  %s = chimera.silu %l : tensor<?x16xf32>
  %u = chimera.swiglu %s, %l : tensor<?x16xf32>
  %a = chimera.add %u, %l : tensor<?x16xf32>
  %c = chimera.columns %a at 3 : tensor<?x16xf32> to tensor<?x8xf32>
  %n = chimera.gated_norm %c, %x, %w {groups = 2 : i64, eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>
  %r = chimera.rope %n rows %rows {heads = 2 : i64, frequencies = array<f64: 1.0>} : tensor<?x8xf32>
  %b = chimera.cast %r : tensor<?x8xf32> to tensor<?x8xbf16>
  return %b : tensor<?x8xbf16>
}

// The kernels are loops over memory; nothing of the dialect is left in them.
// KERNELS-LABEL: module @kernels {
// KERNELS: func.func @chimera_silu_f32_16(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64)
// KERNELS: scf.for
// KERNELS-NOT: chimera.{{[a-z]}}
// KERNELS-LABEL: func.func @routing

// -----

!counts = !chimera.counts<modes = 2>

// Routing: the new counts are a result without a buffer; dispatch gives the permutation, the inverse and a start a mode, and a
// slice of rows is put together from the first and one of the last.
// CHECK-LABEL: func.func @routing
// CHECK-SAME: %[[L:[a-z0-9]+]]: tensor<?x2xf32> {{[^%]*}}%[[X:[a-z0-9]+]]: tensor<?x8xf32> {{[^%]*}}%[[ROWS:[a-z0-9]+]]: !chimera.rows {{.*}}, %[[FORCED:[a-z0-9]+]]: tensor<?x3xi8> {{.*}}, %[[COUNTS:[a-z0-9]+]]: !chimera.counts
// CHECK: %[[B:.*]] = chimera.param "b"
// CHECK-NEXT: %[[ROUTE:.*]]:4 = chimera.call @chimera_route_f32_modes23_{{.*}}(%[[ROWS]], %[[L]], %[[B]], %[[FORCED]], %[[COUNTS]]) grid <tokens = 0, seqs = 1,
// CHECK-SAME: {constants = array<i64: 1, 3>, layer = -1 : i64, op = "chimera.route", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7>, updated = array<i64: 4>}
// CHECK-NEXT: %[[ONE:.*]] = chimera.call @chimera_constant_mode(%[[ROWS]]) {{.*}} {constants = array<i64: 1>, {{.*}}starts = array<i64: 0>}
// CHECK-NEXT: %[[STACK:.*]] = chimera.call @chimera_stack_modes_3(%[[ROWS]], %[[ONE]], %[[ROUTE]]#0, %[[ONE]])
// CHECK-SAME: order = array<i64: 0, 4, 1, 2, 3>
// CHECK-NEXT: %[[SORT:.*]]:4 = chimera.call @chimera_dispatch_modes23(%[[ROWS]], %[[ROUTE]]#0) grid <tokens = 0, seqs = 0, outputs = 0, constant = 1,
// CHECK-SAME: starts = array<i64: 4, 5>}
// CHECK-NEXT: %[[FULL:.*]] = chimera.slice_rows %[[SORT]]#0, %[[SORT]]#2 of %[[ROWS]]
// CHECK-NEXT: %[[IDENTITY:.*]] = chimera.slice_rows %[[SORT]]#0, %[[SORT]]#3 of %[[ROWS]]
// CHECK-NEXT: %[[T:.*]] = chimera.call @chimera_gather_f32_8(%[[FULL]], %[[X]])
// CHECK-NEXT: %[[WRITE:.*]] = chimera.call @chimera_write_weight_f32_1of2(%[[IDENTITY]], %[[ROUTE]]#2)
// CHECK-SAME: -> tensor<?xf32>
// CHECK-NEXT: %[[Z:.*]] = chimera.call @chimera_combine_f32_8_modes2_{{.*}}(%[[ROWS]], %[[ROUTE]]#0, %[[SORT]]#1, %[[X]], %[[ROUTE]]#1, %[[T]])
// CHECK-NEXT: return %[[Z]], %[[STACK]], %[[WRITE]], %[[ROUTE]]#3
func.func @routing(%l: tensor<?x2xf32> {chimera.step = "l"}, %x: tensor<?x8xf32> {chimera.step = "x"}, %rows: !chimera.rows {chimera.step = "rows"},
                   %forced: tensor<?x3xi8> {chimera.step = "forced"}, %counts: !counts)
    -> (tensor<?x8xf32>, tensor<?x3xi8>, tensor<?xf32>, !counts) attributes {chimera.limits = array<i64: 64, 64>} {
  %b = chimera.param "b" : tensor<2xf32>
  %mode, %gate, %p, %counts1 = chimera.route [full, identity] %l, %b forced %forced counts %counts rows %rows
      {layer = 1 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64, max_tokens = array<i64: 3, -1>}
      : tensor<?x2xf32>, tensor<2xf32> forced tensor<?x3xi8> counts !counts -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  %one = chimera.constant_mode swa rows %rows : tensor<?xi8>
  %stack = chimera.stack_modes %one, %mode, %one : tensor<?xi8>, tensor<?xi8>, tensor<?xi8> -> tensor<?x3xi8>
  %inverse, %full, %identity = chimera.dispatch [full, identity] %mode rows %rows : tensor<?xi8> -> tensor<?xi32>, !chimera.rows, !chimera.rows
  %t = chimera.gather %x from %rows to %full : tensor<?x8xf32> to tensor<?x8xf32>
  %w = chimera.write_weight %p at 1 to %identity : tensor<?x2xf32> -> tensor<?xf32>
  %z = chimera.combine [full] %x, %mode, %inverse, %gate, %t : tensor<?x8xf32>, tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>
  return %z, %stack, %w, %counts1 : tensor<?x8xf32>, tensor<?x3xi8>, tensor<?xf32>, !counts
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = f32>
!tail = !chimera.tail<rows = 3, channels = 8, element = f32>
!state = !chimera.state<heads = 2, dim = 4, size = 3, element = f32>
!lti = !chimera.state<heads = 1, dim = 1, size = 8, element = f32>

// Mixers: reads keep the cache, updates return its new version.
// CHECK-LABEL: func.func @mixers
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32> {{.*}}, %[[XBC:[a-z0-9]+]]: tensor<?x14xf32> {{.*}}, %[[DT:[a-z0-9]+]]: tensor<?x2xf32> {{.*}}, %[[WRITE:[a-z0-9]+]]: tensor<?xf32> {{.*}}, %[[ROWS:[a-z0-9]+]]: !chimera.rows
// CHECK-SAME: %[[LIST:[a-z0-9]+]]: !chimera.list<{{[^>]*}}>, %[[TAIL:[a-z0-9]+]]: !chimera.tail<{{[^>]*}}>, %[[STATE:[a-z0-9]+]]: !chimera.state<{{[^>]*}}>, %[[LTI:[a-z0-9]+]]: !chimera.state<{{[^>]*}}>)
// CHECK: %[[O:.*]] = chimera.call @chimera_attend_list_f32_f32_2x4_weighted_heads2_{{.*}}(%[[ROWS]], %[[ROWS]], %[[X]], %[[X]], %[[X]], %[[WRITE]], %[[LIST]])
// CHECK-SAME: op = "chimera.attend", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7>}
// CHECK-NEXT: %[[LIST1:.*]] = chimera.call @chimera_append_list_f32_f32_2x4_weighted(%[[ROWS]], %[[X]], %[[X]], %[[WRITE]], %[[LIST]])
// CHECK-SAME: order = array<i64: 0, 1, 2, 3, 4>, updated = array<i64: 4>}
// CHECK-NEXT: %[[C:.*]] = chimera.call @chimera_causal_conv_f32_8x4_silu(%[[ROWS]], %[[O]], %{{.*}}, %{{.*}}, %[[TAIL]])
// CHECK-NEXT: %[[TAIL1:.*]] = chimera.call @chimera_shift_tail_f32_3x8(%[[ROWS]], %[[O]], %[[TAIL]])
// CHECK-SAME: updated = array<i64: 2>
// CHECK-NEXT: %[[SCAN:.*]]:2 = chimera.call @chimera_ssm_scan_f32_2x4x3_groups1_{{.*}}(%[[ROWS]], %[[XBC]], %[[DT]], %{{.*}}, %{{.*}}, %{{.*}}, %[[STATE]])
// CHECK-SAME: order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7>, updated = array<i64: 6>}
// CHECK-NEXT: %[[LTI1:.*]]:2 = chimera.call @chimera_lti_scan_f32_8_weighted(%[[ROWS]], %[[C]], %{{.*}}, %[[WRITE]], %[[LTI]])
// CHECK-NEXT: return %[[SCAN]]#0, %[[LTI1]]#0, %[[LIST1]], %[[TAIL1]], %[[SCAN]]#1, %[[LTI1]]#1
func.func @mixers(%x: tensor<?x8xf32> {chimera.step = "x"}, %xbc: tensor<?x14xf32> {chimera.step = "xbc"}, %dt: tensor<?x2xf32> {chimera.step = "dt"},
                  %write: tensor<?xf32> {chimera.step = "write"}, %rows: !chimera.rows {chimera.step = "rows"},
                  %list: !list, %tail: !tail, %state: !state, %lti: !lti)
    -> (tensor<?x8xf32>, tensor<?x8xf32>, !list, !tail, !state, !lti) attributes {chimera.limits = array<i64: 64, 64>} {
  %taps = chimera.param "taps" : tensor<8x4xf32>
  %b = chimera.param "b" : tensor<8xf32>
  %a = chimera.param "a" : tensor<2xf32>
  %o = chimera.attend %x, %x, %x write %write cache %list own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> write tensor<?xf32> cache !list -> tensor<?x8xf32>
  %list1 = chimera.append %x, %x write %write cache %list rows %rows : tensor<?x8xf32>, tensor<?x8xf32> write tensor<?xf32> cache !list
  %c = chimera.causal_conv %o, %taps, %b tail %tail rows %rows {activation = #chimera.activation<silu>}
      : tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, !tail
  %tail1 = chimera.shift_tail %o tail %tail rows %rows : tensor<?x8xf32>, !tail
  %y, %state1 = chimera.ssm_scan %xbc, %dt, %a, %a, %a state %state rows %rows {groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : tensor<?x14xf32>, tensor<?x2xf32>, tensor<2xf32> state !state -> tensor<?x8xf32>
  %z, %lti1 = chimera.lti_scan %c, %b write %write state %lti rows %rows : tensor<?x8xf32>, tensor<8xf32> write tensor<?xf32> state !lti
  return %y, %z, %list1, %tail1, %state1, %lti1 : tensor<?x8xf32>, tensor<?x8xf32>, !list, !tail, !state, !lti
}

// -----

!counts = !chimera.counts<modes = 2>

// A router that nobody can force still reads the step's forced modes; its layer is recorded.
// CHECK: module attributes {chimera.unforced_layers = [7]}
// CHECK-LABEL: func.func @unforced
// CHECK-SAME: %[[FORCED:[a-z0-9]+]]: tensor<?x8xi8>
// CHECK: chimera.call @chimera_route_f32_modes23_{{[a-z0-9_]*}}(%{{[a-z0-9]*}}, %{{[a-z0-9]*}}, %{{[a-z0-9]*}}, %[[FORCED]], %{{[a-z0-9]*}}) {{.*}} {constants = array<i64: 7, 8>
func.func @unforced(%l: tensor<?x2xf32> {chimera.step = "l"}, %rows: !chimera.rows {chimera.step = "rows"}, %forced: tensor<?x8xi8> {chimera.step = "forced"},
                    %counts: !counts) -> (tensor<?xi8>, !counts) attributes {chimera.limits = array<i64: 64, 64>} {
  %b = chimera.param "b" : tensor<2xf32>
  %mode, %gate, %p, %counts1 = chimera.route [full, identity] %l, %b counts %counts rows %rows
      {layer = 7 : i64, gate_kind = #chimera.gate_kind<one>, temperature = 1.0 : f64}
      : tensor<?x2xf32>, tensor<2xf32> counts !counts -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return %mode, %counts1 : tensor<?xi8>, !counts
}

// -----

// A function without limits is no phase and stays as it is.
// CHECK-LABEL: func.func @no_phase
// CHECK: chimera.silu
func.func @no_phase(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = chimera.silu %x : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// expected-error @+1 {{has no argument with chimera.step = "rows"}}
func.func @no_rows(%x: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {chimera.limits = array<i64: 64, 64>} {
  %y = chimera.silu %x : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

func.func @mix(%x: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x8xf32> attributes {chimera.limits = array<i64: 64, 64>} {
  // expected-error @+1 {{'chimera.mix' op must be dispatched before kernels are chosen}}
  %z = chimera.mix [identity] routed %x, %x rows %rows {cache_counts = array<i64: 0>} : tensor<?x8xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield %t : tensor<?x8xf32>
  }
  return %z : tensor<?x8xf32>
}

// -----

func.func @no_source(%rows: !chimera.rows {chimera.step = "rows"}) -> tensor<16x8xf32> attributes {chimera.limits = array<i64: 64, 64>} {
  %w = chimera.param "w" : tensor<16x8xf32>
  // expected-error @+1 {{'chimera.silu' op nothing says which rows its result has}}
  %y = chimera.silu %w : tensor<16x8xf32>
  return %y : tensor<16x8xf32>
}

// -----

func.func @no_forced(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %counts: !chimera.counts<modes = 2>)
    attributes {chimera.limits = array<i64: 64, 64>} {
  // expected-error @+1 {{'chimera.route' op is in a function without an argument of forced modes}}
  %mode, %gate, %p, %counts1 = chimera.route [full, identity] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, temperature = 1.0 : f64}
      : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @part_of_part(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x8xf32>
    attributes {chimera.limits = array<i64: 64, 64>} {
  %i, %ssm, %full = chimera.dispatch [ssm, full] %mode rows %rows : tensor<?xi8> -> tensor<?xi32>, !chimera.rows, !chimera.rows
  %t = chimera.gather %x from %rows to %ssm : tensor<?x8xf32> to tensor<?x8xf32>
  // expected-error @+1 {{'chimera.gather' op gathers from a part of the batch, which the ref target cannot}}
  %u = chimera.gather %t from %ssm to %full : tensor<?x8xf32> to tensor<?x8xf32>
  return %u : tensor<?x8xf32>
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @own_of_part(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %list: !list, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x8xf32>
    attributes {chimera.limits = array<i64: 64, 64>} {
  %i, %ssm, %full = chimera.dispatch [ssm, full] %mode rows %rows : tensor<?xi8> -> tensor<?xi32>, !chimera.rows, !chimera.rows
  %t = chimera.gather %x from %rows to %ssm : tensor<?x8xf32> to tensor<?x8xf32>
  // expected-error @+1 {{'chimera.attend' op attends from a part of its keys' rows, which must then be the whole batch}}
  %o = chimera.attend %t, %t, %t cache %list own %full rows %ssm {scale = 0.5 : f64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !list -> tensor<?x8xf32>
  return %o : tensor<?x8xf32>
}

// -----

// expected-error @+1 {{is a phase: it must have a body of one block}}
func.func private @declared(!chimera.rows) attributes {chimera.limits = array<i64: 64, 64>}

// -----

// expected-error @+1 {{is a phase: it must have a body of one block}}
func.func @blocks(%rows: !chimera.rows {chimera.step = "rows"}) attributes {chimera.limits = array<i64: 64, 64>} {
  cf.br ^bb1
^bb1:
  return
}

// -----

// expected-error @+1 {{has no argument with chimera.step = "rows"}}
func.func @rows_type(%rows: tensor<?xi32> {chimera.step = "rows"}) attributes {chimera.limits = array<i64: 64, 64>} {
  return
}

// -----

// expected-error @+1 {{its forced modes must be i8 [rows, layers], got 'tensor<?xi8>'}}
func.func @forced_type(%rows: !chimera.rows {chimera.step = "rows"}, %forced: tensor<?xi8> {chimera.step = "forced"})
    attributes {chimera.limits = array<i64: 64, 64>} {
  return
}

// -----

func.func @unknown_columns(%x: tensor<?x?xf32>, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x?xf32>
    attributes {chimera.limits = array<i64: 64, 64>} {
  // expected-error @+1 {{'chimera.silu' op needs a known number of columns, at least one, but has 'tensor<?x?xf32>'}}
  %y = chimera.silu %x : tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

func.func @no_columns(%x: tensor<?x0xf32>, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x0xf32>
    attributes {chimera.limits = array<i64: 64, 64>} {
  // expected-error @+1 {{'chimera.silu' op needs a known number of columns, at least one, but has 'tensor<?x0xf32>'}}
  %y = chimera.silu %x : tensor<?x0xf32>
  return %y : tensor<?x0xf32>
}
