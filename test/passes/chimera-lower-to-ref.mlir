// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every op of a phase becomes a call of a kernel, with its buffers in the kernel's order.
// RUN: chimera-opt %s --split-input-file --chimera-lower-to-ref --verify-diagnostics | FileCheck %s
// RUN: chimera-opt %s --split-input-file --chimera-lower-to-ref --verify-diagnostics | FileCheck %s --check-prefix=KERNELS

// Row by row: of the rows only their starts are needed. The layer is the one that chimera.layer names.
// CHECK-LABEL: func.func @rowwise
// CHECK-SAME: %[[TOKENS:[a-z0-9]+]]: tensor<?xi32>{{.*}}, %[[ROWS:[a-z0-9]+]]: !chimera.rows
// CHECK-NEXT: %[[TABLE:.*]] = chimera.param "embed_tokens.weight" : tensor<16x8xf32>
// CHECK-NEXT: %[[W:.*]] = chimera.param "norm.weight"
// CHECK-NEXT: %[[X:.*]] = chimera.call @chimera_embed_f32_f32_8(%[[ROWS]], %[[TOKENS]], %[[TABLE]]) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
// CHECK-SAME: {layer = -1 : i64, op = "chimera.embed", order = array<i64: 0, 1, 2, 3>, starts = array<i64: 0>} : (!chimera.rows, tensor<?xi32>, tensor<16x8xf32>) -> tensor<?x8xf32>
// CHECK-NEXT: %[[H:.*]] = chimera.call @chimera_norm_rms_f32_8_{{.*}}(%[[ROWS]], %[[X]], %[[W]])
// CHECK-SAME: {layer = 3 : i64, op = "chimera.norm"
// CHECK-NEXT: %[[G:.*]] = chimera.call @chimera_norm_layer_f32_8_{{.*}}(%[[ROWS]], %[[H]], %[[W]], %[[W]])
// CHECK-SAME: order = array<i64: 0, 1, 2, 3, 4>
// CHECK-NEXT: %[[L:.*]] = chimera.call @chimera_linear_f32_f32_f32_8x16(%[[ROWS]], %[[G]], %[[TABLE]])
// CHECK-NEXT: %[[CAPPED:.*]] = chimera.call @chimera_soft_cap_30_f32_16(%[[ROWS]], %[[L]])
// CHECK-NEXT: %[[S:.*]] = chimera.call @chimera_silu_f32_16(%[[ROWS]], %[[CAPPED]])
// CHECK-NEXT: %[[U:.*]] = chimera.call @chimera_glu_silu_f32_16(%[[ROWS]], %[[S]], %[[L]])
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
  %h = chimera.norm rms %x, %w {eps = 1.0e-05 : f64, chimera.layer = 3 : i64} : tensor<?x8xf32>, tensor<8xf32>
  %g = chimera.norm layer %h, %w, %w {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>
  %l = chimera.linear %g, %table : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
  %capped = chimera.soft_cap %l by 30.0 : tensor<?x16xf32>
  %s = chimera.activate <silu>, %capped : tensor<?x16xf32>
  %u = chimera.glu <silu>, %s, %l : tensor<?x16xf32>
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
// CHECK-SAME: %[[L:[a-z0-9]+]]: tensor<?x2xf32>{{[^%]*}}%[[X:[a-z0-9]+]]: tensor<?x8xf32>{{[^%]*}}%[[ROWS:[a-z0-9]+]]: !chimera.rows {{.*}}, %[[FORCED:[a-z0-9]+]]: tensor<?x3xi8>{{.*}}, %[[COUNTS:[a-z0-9]+]]: !chimera.counts
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
func.func @routing(%l: tensor<?x2xf32>, %x: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"},
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
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>{{.*}}, %[[XBC:[a-z0-9]+]]: tensor<?x14xf32>{{.*}}, %[[DT:[a-z0-9]+]]: tensor<?x2xf32>{{.*}}, %[[WRITE:[a-z0-9]+]]: tensor<?xf32>{{.*}}, %[[ROWS:[a-z0-9]+]]: !chimera.rows
// CHECK-SAME: %[[LIST:[a-z0-9]+]]: !chimera.list<{{[^>]*}}>, %[[TAIL:[a-z0-9]+]]: !chimera.tail<{{[^>]*}}>, %[[STATE:[a-z0-9]+]]: !chimera.state<{{[^>]*}}>, %[[LTI:[a-z0-9]+]]: !chimera.state<{{[^>]*}}>)
// CHECK: %[[O:.*]] = chimera.call @chimera_attend_list_f32_f32_2x4_weighted_heads2_scale0p5_cap50(%[[ROWS]], %[[ROWS]], %[[X]], %[[X]], %[[X]], %[[WRITE]], %[[LIST]])
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
func.func @mixers(%x: tensor<?x8xf32>, %xbc: tensor<?x14xf32>, %dt: tensor<?x2xf32>,
                  %write: tensor<?xf32>, %rows: !chimera.rows {chimera.step = "rows"},
                  %list: !list, %tail: !tail, %state: !state, %lti: !lti)
    -> (tensor<?x8xf32>, tensor<?x8xf32>, !list, !tail, !state, !lti) attributes {chimera.limits = array<i64: 64, 64>} {
  %taps = chimera.param "taps" : tensor<8x4xf32>
  %b = chimera.param "b" : tensor<8xf32>
  %a = chimera.param "a" : tensor<2xf32>
  %o = chimera.attend %x, %x, %x write %write cache %list own %rows rows %rows {scale = 0.5 : f64, soft_cap = 50.0 : f64}
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
func.func @unforced(%l: tensor<?x2xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %forced: tensor<?x8xi8> {chimera.step = "forced"},
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
// CHECK: chimera.activate
func.func @no_phase(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = chimera.activate <silu>, %x : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// expected-error @+1 {{has no argument with chimera.step = "rows"}}
func.func @no_rows(%x: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {chimera.limits = array<i64: 64, 64>} {
  %y = chimera.activate <silu>, %x : tensor<?x8xf32>
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
  // expected-error @+1 {{'chimera.activate' op nothing says which rows its result has}}
  %y = chimera.activate <silu>, %w : tensor<16x8xf32>
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

// expected-error @+1 {{is not a phase: it must have a body of one block, which ends in a return}}
func.func private @declared(!chimera.rows) attributes {chimera.limits = array<i64: 64, 64>}

// -----

// expected-error @+1 {{is not a phase: it must have a body of one block, which ends in a return}}
func.func @blocks(%rows: !chimera.rows {chimera.step = "rows"}) attributes {chimera.limits = array<i64: 64, 64>} {
  cf.br ^bb1
^bb1:
  return
}

// -----

func.func @unknown_columns(%x: tensor<?x?xf32>, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x?xf32>
    attributes {chimera.limits = array<i64: 64, 64>} {
  // expected-error @+1 {{'chimera.activate' op needs a known number of columns, at least one, but has 'tensor<?x?xf32>'}}
  %y = chimera.activate <silu>, %x : tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

func.func @no_columns(%x: tensor<?x0xf32>, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x0xf32>
    attributes {chimera.limits = array<i64: 64, 64>} {
  // expected-error @+1 {{'chimera.activate' op needs a known number of columns, at least one, but has 'tensor<?x0xf32>'}}
  %y = chimera.activate <silu>, %x : tensor<?x0xf32>
  return %y : tensor<?x0xf32>
}

// -----

// Training. Routing reads the noise of its layer out of all of them; gradients take the rows of their logits; scatters take the batch's
// starts, then rows and entries of each piece.
// CHECK-LABEL: func.func @training_routing(
// CHECK-SAME: %[[L:[a-z0-9]+]]: tensor<?x2xf32>{{[^%]*}}%[[X:[a-z0-9]+]]: tensor<?x8xf32>{{[^%]*}}
// CHECK-SAME: %[[ROWS:[a-z0-9]+]]: !chimera.rows {{[^%]*}}%[[NOISE:[a-z0-9]+]]: tensor<?x8xf64>{{[^%]*}}
// CHECK-SAME: %[[HYPER:[a-z0-9]+]]: tensor<16xf64>{{[^%]*}}%[[PRICES:[a-z0-9]+]]: tensor<2x13xf64>
// CHECK-NEXT: %[[V0:.*]] = chimera.param "b"
// CHECK-NEXT: %[[V1:.*]]:4 = chimera.call @chimera_seq_route_f32_modes23_prob_admits(%[[ROWS]], %[[L]], %[[V0]], %[[NOISE]], %[[HYPER]])
// CHECK-SAME: {constants = array<i64: 1, 2>, layer = -1 : i64, op = "chimera.seq_route", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7, 8>}
// CHECK-NEXT: chimera.call @chimera_route_statistics_f32_modes23(%[[ROWS]], %[[V1]]#0, %[[V1]]#1, %[[V1]]#3)
// CHECK-SAME: {layer = -1 : i64, op = "chimera.route_statistics", order = array<i64: 0, 1, 2, 3, 4>, starts = array<i64: 0>}
// CHECK-NEXT: %[[V3:.*]]:4 = chimera.call @chimera_dispatch_modes23(%[[ROWS]], %[[V1]]#0)
// CHECK-SAME: {layer = -1 : i64, op = "chimera.dispatch", order = array<i64: 0, 1, 2, 3, 4, 5>, starts = array<i64: 4, 5>}
// CHECK-NEXT: %[[V4:.*]] = chimera.slice_rows %[[V3]]#0, %[[V3]]#2 of %[[ROWS]]
// CHECK-NEXT: chimera.slice_rows %[[V3]]#0, %[[V3]]#3 of %[[ROWS]]
// CHECK-NEXT: %[[V6:.*]] = chimera.call @chimera_gather_f32_8(%[[V4]], %[[X]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.gather", order = array<i64: 0, 1, 2>}
// CHECK-NEXT: %[[V7:.*]] = chimera.call @chimera_write_weight_f32_0of2(%[[V4]], %[[V1]]#3)
// CHECK-SAME: {layer = -1 : i64, op = "chimera.write_weight", order = array<i64: 0, 1, 2>}
// CHECK-NEXT: %[[V8:.*]] = chimera.call @chimera_soft_combine_f32_8_on(%[[ROWS]], %[[X]], %[[V1]]#3, %[[X]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.soft_combine", order = array<i64: 0, 1, 2, 3, 4>, starts = array<i64: 0>}
// CHECK-NEXT: %[[V9:.*]]:2 = chimera.call @chimera_soft_combine_grad_f32_8_on(%[[ROWS]], %[[V1]]#3, %[[V8]], %[[X]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.soft_combine_grad", order = array<i64: 0, 1, 2, 3, 4, 5>, starts = array<i64: 0>}
// CHECK-NEXT: %[[V10:.*]]:2 = chimera.call @chimera_combine_grad_f32_8_modes2(%[[ROWS]], %[[V1]]#0, %[[V3]]#1, %[[V1]]#2, %[[V9]]#1, %[[V6]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.combine_grad", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7>, starts = array<i64: 0>}
// CHECK-NEXT: chimera.call @chimera_scatter_f32_8_2(%[[ROWS]], %[[V4]], %[[V6]], %[[V4]], %[[V10]]#1)
// CHECK-SAME: {layer = -1 : i64, op = "chimera.scatter", order = array<i64: 0, 1, 2, 3, 4, 5>, starts = array<i64: 0>}
// CHECK-NEXT: %[[V12:.*]] = chimera.call @chimera_scatter_columns_f32_2_1(%[[ROWS]], %[[V4]], %[[V7]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.scatter_columns", order = array<i64: 0, 1, 2, 3>, starts = array<i64: 0>}
// CHECK-NEXT: %[[V13:.*]] = chimera.call @chimera_seq_route_grad_f32_modes23_gate_logp(%[[ROWS]], %[[L]], %[[V0]], %[[HYPER]], %[[PRICES]], %[[V1]]#0, %[[V10]]#0, %[[V12]])
// CHECK-SAME: {constants = array<i64: 1, 0>, layer = -1 : i64, op = "chimera.seq_route_grad", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7, 8>, starts = array<i64: 0>}
// CHECK-NEXT: chimera.call @chimera_seq_route_grad_f32_modes23_noise(%[[ROWS]], %[[V13]], %[[V0]], %[[HYPER]], %[[PRICES]], %[[V1]]#0, %[[NOISE]])
// CHECK-SAME: {constants = array<i64: 0, 2>, layer = -1 : i64, op = "chimera.seq_route_grad", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7>, starts = array<i64: 0>}
// CHECK-NEXT: return
func.func @training_routing(%l: tensor<?x2xf32>, %x: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"},
                            %noise: tensor<?x8xf64> {chimera.step = "noise"}, %hyper: tensor<16xf64> {chimera.step = "hyper"}, %prices: tensor<2x13xf64> {chimera.step = "prices"})
    attributes {chimera.limits = array<i64: 64, 64>, chimera.training} {
  %b = chimera.param "b" : tensor<2xf32>
  %mode, %wanted, %gate, %p = chimera.seq_route [full, identity] %l, %b noise %noise hyper %hyper rows %rows {layer = 1 : i64, gate_kind = #chimera.gate_kind<prob>}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows) -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  %s = chimera.route_statistics [full, identity] %mode, %wanted, %p : (tensor<?xi8>, tensor<?xi8>, tensor<?x2xf32>) -> tensor<?x14xf64>
  %inverse, %full, %identity = chimera.dispatch [full, identity] %mode rows %rows : tensor<?xi8> -> tensor<?xi32>, !chimera.rows, !chimera.rows
  %t = chimera.gather %x from %rows to %full : tensor<?x8xf32> to tensor<?x8xf32>
  %w = chimera.write_weight %p at 0 to %full : tensor<?x2xf32> -> tensor<?xf32>
  %z = chimera.soft_combine [full] %x, %p of [full, identity], %x : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %dp, %do = chimera.soft_combine_grad [full] %p of [full, identity], %z, %x
      : (tensor<?x2xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> (tensor<?x2xf32>, tensor<?x8xf32>)
  %dg, %dt = chimera.combine_grad [full] %mode, %inverse, %gate, %do, %t
      : (tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> (tensor<?xf32>, tensor<?x8xf32>)
  %dx = chimera.scatter %t, %dt from %full, %full to %rows : (tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows, !chimera.rows) -> tensor<?x8xf32>
  %dw = chimera.scatter_columns %w at [1] from %full to %rows : (tensor<?xf32>, !chimera.rows, !chimera.rows) -> tensor<?x2xf32>
  %d0 = chimera.seq_route_grad [full, identity] %l, %b hyper %hyper prices %prices mode %mode gate %dg log_p %dw {layer = 1 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %d1 = chimera.seq_route_grad [full, identity] %d0, %b hyper %hyper prices %prices mode %mode noise %noise {layer = 0 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?x8xf64>) -> tensor<?x2xf32>
  return
}

// -----

// Row by row, and sums over rows, whose first buffer is the leaves. The loss reads the targets by row.
// CHECK-LABEL: func.func @training_rowwise(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>{{[^%]*}}%[[Y:[a-z0-9]+]]: tensor<?x4xf32>{{[^%]*}}
// CHECK-SAME: %[[TOKENS:[a-z0-9]+]]: tensor<?xi32>{{[^%]*}}%[[ROWS:[a-z0-9]+]]: !chimera.rows {{[^%]*}}
// CHECK-SAME: %[[OUTPUTS:[a-z0-9]+]]: !chimera.rows {{[^%]*}}%[[TARGETS:[a-z0-9]+]]: tensor<?xi32>{{[^%]*}}
// CHECK-SAME: %[[HYPER:[a-z0-9]+]]: tensor<16xf64>{{[^%]*}}%[[LEAVES:[a-z0-9]+]]: tensor<18xi32>
// CHECK-NEXT: %[[V0:.*]] = chimera.param "w"
// CHECK-NEXT: %[[V1:.*]] = chimera.param "m"
// CHECK-NEXT: %[[V2:.*]] = chimera.param "head"
// CHECK-NEXT: chimera.call @chimera_round_f32_bf16(%[[V1]])
// CHECK-SAME: {constants = array<i64: 32>, layer = -1 : i64, op = "chimera.round_param", order = array<i64: 0, 1>}
// CHECK-NEXT: %[[V4:.*]]:2 = chimera.call @chimera_norm_grad_layer_f32_8_{{.*}}(%[[ROWS]], %[[X]], %[[V0]], %[[X]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.norm_grad", order = array<i64: 0, 1, 2, 3, 4, 5>, starts = array<i64: 0>}
// CHECK-NEXT: %[[V5:.*]]:3 = chimera.call @chimera_gated_norm_grad_f32_8_groups2_{{.*}}(%[[ROWS]], %[[V4]]#0, %[[V4]]#1, %[[V0]], %[[X]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.gated_norm_grad", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7>, starts = array<i64: 0>}
// CHECK-NEXT: %[[V6:.*]] = chimera.call @chimera_silu_grad_f32_8(%[[ROWS]], %[[V5]]#0, %[[V5]]#1)
// CHECK-SAME: {layer = -1 : i64, op = "chimera.activate_grad", order = array<i64: 0, 1, 2, 3>, starts = array<i64: 0>}
// CHECK-NEXT: %[[V7:.*]]:2 = chimera.call @chimera_glu_silu_grad_f32_8(%[[ROWS]], %[[V6]], %[[V5]]#2, %[[X]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.glu_grad", order = array<i64: 0, 1, 2, 3, 4, 5>, starts = array<i64: 0>}
// CHECK-NEXT: chimera.call @chimera_join_columns_f32_16_4at1_8at6(%[[ROWS]], %[[Y]], %[[V7]]#0)
// CHECK-SAME: {layer = -1 : i64, op = "chimera.join_columns", order = array<i64: 0, 1, 2, 3>, starts = array<i64: 0>}
// CHECK-NEXT: chimera.call @chimera_rope_inverse_f32_2x4_dims2_{{.*}}(%[[ROWS]], %[[V7]]#1)
// CHECK-SAME: {layer = -1 : i64, op = "chimera.rope", order = array<i64: 0, 1, 2>}
// CHECK-NEXT: %[[V10:.*]] = chimera.call @chimera_linear_input_grad_f32_f32_8x4(%[[ROWS]], %[[Y]], %[[V1]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.linear_input_grad", order = array<i64: 0, 1, 2, 3>, starts = array<i64: 0>}
// CHECK-NEXT: %[[V11:.*]] = chimera.call @chimera_linear_weight_grad_f32_f32_8x4(%[[LEAVES]], %[[ROWS]], %[[Y]], %[[V10]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.linear_weight_grad", order = array<i64: 0, 1, 2, 3, 4>, starts = array<i64: 1>}
// CHECK-NEXT: chimera.call @chimera_column_sum_f32_f32_8(%[[LEAVES]], %[[ROWS]], %[[V10]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.column_sum", order = array<i64: 0, 1, 2, 3>, starts = array<i64: 1>}
// CHECK-NEXT: %[[V13:.*]] = chimera.call @chimera_embed_grad_f32_4x8(%[[LEAVES]], %[[ROWS]], %[[TOKENS]], %[[V10]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.embed_grad", order = array<i64: 0, 1, 2, 3, 4>, starts = array<i64: 1>}
// CHECK-NEXT: %[[V14:.*]] = chimera.call @chimera_gather_f32_8(%[[OUTPUTS]], %[[V10]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.gather", order = array<i64: 0, 1, 2>}
// CHECK-NEXT: %[[V15:.*]]:2 = chimera.call @chimera_cross_entropy_f32_f32_8x16(%[[OUTPUTS]], %[[TARGETS]], %[[V14]], %[[V2]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.cross_entropy", order = array<i64: 0, 1, 2, 3, 4, 5>}
// CHECK-NEXT: chimera.call @chimera_column_sum_f64_f64_2(%[[LEAVES]], %[[OUTPUTS]], %[[V15]]#1)
// CHECK-SAME: {layer = -1 : i64, op = "chimera.column_sum", order = array<i64: 0, 1, 2, 3>, starts = array<i64: 1>}
// CHECK-NEXT: chimera.call @chimera_cross_entropy_input_grad_f32_f32_8x16(%[[OUTPUTS]], %[[TARGETS]], %[[HYPER]], %[[V14]], %[[V2]], %[[V15]]#0)
// CHECK-SAME: {layer = -1 : i64, op = "chimera.cross_entropy_input_grad", order = array<i64: 0, 1, 2, 3, 4, 5, 6>}
// CHECK-NEXT: chimera.call @chimera_cross_entropy_weight_grad_f32_f32_8x16(%[[LEAVES]], %[[OUTPUTS]], %[[TARGETS]], %[[HYPER]], %[[V14]], %[[V2]], %[[V15]]#0)
// CHECK-SAME: {layer = -1 : i64, op = "chimera.cross_entropy_weight_grad", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7>}
// CHECK-NEXT: chimera.call @chimera_sum_f32(%[[V11]], %[[V13]])
// CHECK-SAME: {constants = array<i64: 32>, layer = -1 : i64, op = "chimera.sum", order = array<i64: 0, 1, 2>}
// CHECK-NEXT: return
func.func @training_rowwise(%x: tensor<?x8xf32>, %y: tensor<?x4xf32>, %tokens: tensor<?xi32> {chimera.step = "tokens"},
                            %rows: !chimera.rows {chimera.step = "rows"}, %outputs: !chimera.rows {chimera.step = "outputs"}, %targets: tensor<?xi32> {chimera.step = "targets"},
                            %hyper: tensor<16xf64> {chimera.step = "hyper"}, %leaves: tensor<18xi32> {chimera.step = "leaves"})
    attributes {chimera.limits = array<i64: 64, 64>, chimera.training} {
  %w = chimera.param "w" : tensor<8xf32>
  %m = chimera.param "m" : tensor<4x8xf32>
  %head = chimera.param "head" : tensor<16x8xf32>
  %r = chimera.round_param %m : tensor<4x8xf32> to tensor<4x8xbf16>
  %dx, %dw = chimera.norm_grad layer %x, %w, %x {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
  %gx, %gz, %gw = chimera.gated_norm_grad %dx, %dw, %w, %x {groups = 2 : i64, eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32>
  %s = chimera.activate_grad <silu>, %gx, %gz : tensor<?x8xf32>
  %dgate, %dup = chimera.glu_grad <silu>, %s, %gw, %x : tensor<?x8xf32>
  %j = chimera.join_columns %y, %dgate at [1, 6] : (tensor<?x4xf32>, tensor<?x8xf32>) -> tensor<?x16xf32>
  %back = chimera.rope %dup rows %rows {heads = 2 : i64, frequencies = array<f64: 1.0>, inverse} : tensor<?x8xf32>
  %di = chimera.linear_input_grad %y, %m : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %dm = chimera.linear_weight_grad %y, %di leaves %leaves : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<18xi32>) -> tensor<4x8xf32>
  %db = chimera.column_sum %di leaves %leaves : (tensor<?x8xf32>, tensor<18xi32>) -> tensor<8xf32>
  %de = chimera.embed_grad %tokens, %di leaves %leaves : (tensor<?xi32>, tensor<?x8xf32>, tensor<18xi32>) -> tensor<4x8xf32>
  %g = chimera.gather %di from %rows to %outputs : tensor<?x8xf32> to tensor<?x8xf32>
  %lse, %scores = chimera.cross_entropy %g, %head targets %targets rows %outputs
      : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  %loss = chimera.column_sum %scores leaves %leaves : (tensor<?x2xf64>, tensor<18xi32>) -> tensor<2xf64>
  %dg = chimera.cross_entropy_input_grad %g, %head, %lse targets %targets hyper %hyper rows %outputs
      : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, !chimera.rows) -> tensor<?x8xf32>
  %dh = chimera.cross_entropy_weight_grad %g, %head, %lse targets %targets hyper %hyper leaves %leaves rows %outputs
      : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, tensor<18xi32>, !chimera.rows) -> tensor<16x8xf32>
  %sum = chimera.sum %dm, %de : tensor<4x8xf32>
  return
}

// -----

// Mixers: the gradient by entries walks the keys' rows; kept rows come after the weights; a masked scan is told which mode it keeps, and
// writes its states before its result.
// CHECK-LABEL: func.func @training_mixers(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>{{[^%]*}}%[[XBC:[a-z0-9]+]]: tensor<?x16xf32>{{[^%]*}}
// CHECK-SAME: %[[DT:[a-z0-9]+]]: tensor<?x2xf32>{{[^%]*}}%[[WRITE:[a-z0-9]+]]: tensor<?xf32>{{[^%]*}}
// CHECK-SAME: %[[MODE:[a-z0-9]+]]: tensor<?xi8>{{[^%]*}}%[[ROWS:[a-z0-9]+]]: !chimera.rows {{[^%]*}}
// CHECK-SAME: %[[LEAVES:[a-z0-9]+]]: tensor<18xi32>
// CHECK-NEXT: %[[V0:.*]] = chimera.param "taps"
// CHECK-NEXT: %[[V1:.*]] = chimera.param "b"
// CHECK-NEXT: %[[V2:.*]] = chimera.param "a"
// CHECK-NEXT: %[[V3:.*]]:4 = chimera.call @chimera_dispatch_modes02(%[[ROWS]], %[[MODE]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.dispatch", order = array<i64: 0, 1, 2, 3, 4, 5>, starts = array<i64: 4, 5>}
// CHECK-NEXT: chimera.slice_rows %[[V3]]#0, %[[V3]]#2 of %[[ROWS]]
// CHECK-NEXT: %[[V5:.*]] = chimera.slice_rows %[[V3]]#0, %[[V3]]#3 of %[[ROWS]]
// CHECK-NEXT: %[[V6:.*]] = chimera.call @chimera_gather_f32_8(%[[V5]], %[[X]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.gather", order = array<i64: 0, 1, 2>}
// CHECK-NEXT: %[[V7:.*]]:2 = chimera.call @chimera_seq_attend_f32_f32_2_2x4_window8_scale0p5_tentative_cap20(%[[ROWS]], %[[V5]], %[[X]], %[[V6]], %[[V6]], %[[X]], %[[X]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.seq_attend", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7, 8>}
// CHECK-NEXT: %[[V8:.*]]:4 = chimera.call @chimera_seq_attend_grad_queries_f32_f32_2_2x4_window8_scale0p5_tentative_cap20(%[[ROWS]], %[[V5]], %[[X]], %[[V6]], %[[V6]], %[[X]], %[[X]], %[[V7]]#0, %[[V7]]#1, %[[X]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.seq_attend_query_grad", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13>}
// CHECK-NEXT: chimera.call @chimera_seq_attend_grad_keys_f32_f32_2_2x4_window8_scale0p5_tentative_cap20(%[[V5]], %[[ROWS]], %[[X]], %[[V6]], %[[V6]], %[[V7]]#1, %[[V8]]#1, %[[V8]]#0)
// CHECK-SAME: {layer = -1 : i64, op = "chimera.seq_attend_key_grad", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9>}
// CHECK-NEXT: %[[V10:.*]]:2 = chimera.call @chimera_seq_attend_f32_f32_2_2x4_scale0p5_weighted(%[[ROWS]], %[[ROWS]], %[[X]], %[[X]], %[[X]], %[[WRITE]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.seq_attend", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7>}
// CHECK-NEXT: chimera.call @chimera_seq_attend_grad_keys_f32_f32_2_2x4_scale0p5_weighted(%[[ROWS]], %[[ROWS]], %[[X]], %[[X]], %[[X]], %[[WRITE]], %[[V10]]#1, %[[V10]]#1, %[[V10]]#0)
// CHECK-SAME: {layer = -1 : i64, op = "chimera.seq_attend_key_grad", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11>}
// CHECK-NEXT: %[[V12:.*]] = chimera.call @chimera_seq_conv_f32_8x4_silu_tentative(%[[ROWS]], %[[X]], %[[V0]], %[[V1]], %[[V5]], %[[V6]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.seq_conv", order = array<i64: 0, 1, 2, 3, 4, 5, 6>}
// CHECK-NEXT: %[[V13:.*]] = chimera.call @chimera_seq_conv_grad_activation_f32_8x4_silu_tentative(%[[ROWS]], %[[X]], %[[V0]], %[[V1]], %[[V5]], %[[V6]], %[[V12]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.seq_conv_activation_grad", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7>}
// CHECK-NEXT: chimera.call @chimera_seq_conv_grad_input_f32_8x4_tentative(%[[ROWS]], %[[V0]], %[[V5]], %[[V13]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.seq_conv_input_grad", order = array<i64: 0, 1, 2, 3, 4, 5>}
// CHECK-NEXT: chimera.call @chimera_seq_conv_grad_weight_f32_8x4_tentative(%[[LEAVES]], %[[ROWS]], %[[X]], %[[V5]], %[[V6]], %[[V13]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.seq_conv_weight_grad", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7>}
// CHECK-NEXT: %[[V16:.*]]:2 = chimera.call @chimera_seq_ssm_scan_f32_2x4x4_groups1_dt0to1_masked(%[[ROWS]], %[[XBC]], %[[DT]], %[[V2]], %[[V2]], %[[V2]], %[[MODE]])
// CHECK-SAME: {constants = array<i64: 0>, layer = -1 : i64, op = "chimera.seq_ssm_scan", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7, 8>}
// CHECK-NEXT: chimera.call @chimera_seq_ssm_scan_grad_f32_2x4x4_groups1_dt0to1_weighted(%[[ROWS]], %[[XBC]], %[[DT]], %[[V2]], %[[V2]], %[[V2]], %[[WRITE]], %[[V16]]#0, %[[V16]]#1)
// CHECK-SAME: {layer = -1 : i64, op = "chimera.seq_ssm_scan_grad", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13>}
// CHECK-NEXT: %[[V18:.*]] = chimera.call @chimera_seq_lti_scan_f32_8_weighted(%[[ROWS]], %[[X]], %[[V1]], %[[WRITE]])
// CHECK-SAME: {layer = -1 : i64, op = "chimera.seq_lti_scan", order = array<i64: 0, 1, 2, 3, 4>}
// CHECK-NEXT: chimera.call @chimera_seq_lti_scan_grad_f32_8_masked(%[[ROWS]], %[[X]], %[[V1]], %[[MODE]], %[[V18]], %[[V16]]#1)
// CHECK-SAME: {constants = array<i64: 0>, layer = -1 : i64, op = "chimera.seq_lti_scan_grad", order = array<i64: 0, 1, 2, 3, 4, 5, 6, 7>}
// CHECK-NEXT: return
func.func @training_mixers(%x: tensor<?x8xf32>, %xbc: tensor<?x16xf32>, %dt: tensor<?x2xf32>,
                           %write: tensor<?xf32>, %mode: tensor<?xi8>, %rows: !chimera.rows {chimera.step = "rows"},
                           %leaves: tensor<18xi32> {chimera.step = "leaves"}) attributes {chimera.limits = array<i64: 64, 64>, chimera.training} {
  %taps = chimera.param "taps" : tensor<8x4xf32>
  %b = chimera.param "b" : tensor<8xf32>
  %a = chimera.param "a" : tensor<2xf32>
  %inverse, %ssm, %full = chimera.dispatch [ssm, full] %mode rows %rows : tensor<?xi8> -> tensor<?xi32>, !chimera.rows, !chimera.rows
  %k = chimera.gather %x from %rows to %full : tensor<?x8xf32> to tensor<?x8xf32>
  %o, %olse = chimera.seq_attend %x, %k, %k own_entry %x, %x own %rows keys %full {kv_heads = 2 : i64, head_dim = 4 : i64, window = 8 : i64, scale = 0.5 : f64, soft_cap = 20.0 : f64}
      : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x2xf32>)
  %dq, %delta, %down:2 = chimera.seq_attend_query_grad %x, %k, %k own_entry %x, %x result %o, %olse, %x own %rows keys %full
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = 8 : i64, scale = 0.5 : f64, soft_cap = 20.0 : f64}
      : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
  %dk, %dv = chimera.seq_attend_key_grad %x, %k, %k result %olse, %delta, %dq own %rows keys %full
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = 8 : i64, scale = 0.5 : f64, soft_cap = 20.0 : f64, tentative}
      : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x8xf32>)
  %ow, %owlse = chimera.seq_attend %x, %x, %x write %write own %rows keys %rows {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x2xf32>)
  %dkw, %dvw, %dww = chimera.seq_attend_key_grad %x, %x, %x write %write result %owlse, %owlse, %ow own %rows keys %rows
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xf32>)
  %c = chimera.seq_conv %x, %taps, %b kept %k of %full rows %rows {activation = #chimera.activation<silu>}
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows) -> tensor<?x8xf32>
  %dpre = chimera.seq_conv_activation_grad %x, %taps, %b kept %k of %full gradient %c rows %rows
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, tensor<?x8xf32>, !chimera.rows, tensor<?x8xf32>, !chimera.rows) -> tensor<?x8xf32>
  %dc, %dkept = chimera.seq_conv_input_grad %dpre, %taps kept %full rows %rows
      : (tensor<?x8xf32>, tensor<8x4xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x8xf32>)
  %dtaps, %db = chimera.seq_conv_weight_grad %dpre, %x kept %k of %full rows %rows leaves %leaves
      : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows, tensor<18xi32>) -> (tensor<8x4xf32>, tensor<8xf32>)
  %y, %states = chimera.seq_ssm_scan %xbc, %dt, %a, %a, %a mode %mode rows %rows
      {heads = 2 : i64, dim = 4 : i64, size = 4 : i64, groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x16xf32>, tensor<?x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<?xi8>, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x1xf32>)
  %dxbc, %ddt, %drate, %dskip, %dws = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %a, %a write %write states %states gradient %y rows %rows
      {heads = 2 : i64, dim = 4 : i64, size = 4 : i64, groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x16xf32>, tensor<?x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<?xf32>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?xf32>)
  %u = chimera.seq_lti_scan %x, %b write %write rows %rows : (tensor<?x8xf32>, tensor<8xf32>, tensor<?xf32>, !chimera.rows) -> tensor<?x8xf32>
  %du, %dd = chimera.seq_lti_scan_grad %x, %b mode %mode result %u, %y rows %rows
      : (tensor<?x8xf32>, tensor<8xf32>, tensor<?xi8>, tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x8xf32>)
  return
}

// -----

// The optimizer needs no rows. Squares are summed in blocks; the sums of the second gradient are added to those of the first, in place.
// CHECK-LABEL: func.func @update(
// CHECK-SAME: %[[HYPER:[a-z0-9]+]]: tensor<16xf64>
// CHECK-NEXT: %[[V0:.*]] = chimera.training_state gradient "a"
// CHECK-NEXT: %[[V1:.*]] = chimera.training_state gradient "b"
// CHECK-NEXT: %[[V2:.*]] = chimera.training_state master "b"
// CHECK-NEXT: %[[V3:.*]] = chimera.training_state moment1 "b"
// CHECK-NEXT: %[[V4:.*]] = chimera.training_state moment2 "b"
// CHECK-NEXT: %[[V5:.*]] = chimera.training_state total "b"
// CHECK-NEXT: chimera.call @chimera_accumulate_f32(%[[V1]], %[[V5]])
// CHECK-SAME: {constants = array<i64: 16>, layer = -1 : i64, op = "chimera.accumulate", order = array<i64: 0, 1>, updated = array<i64: 0, 1>}
// CHECK-NEXT: %[[V7:.*]] = chimera.call @chimera_sum_squares_f32(%[[V0]])
// CHECK-SAME: {constants = array<i64: 4097>, layer = -1 : i64, op = "chimera.squared_norm", order = array<i64: 0, 1>}
// CHECK-NEXT: %[[V8:.*]] = chimera.call @chimera_sum_partials(%[[V7]])
// CHECK-SAME: {constants = array<i64: 2>, layer = -1 : i64, op = "chimera.squared_norm", order = array<i64: 0, 1>}
// CHECK-NEXT: %[[V9:.*]] = chimera.call @chimera_sum_squares_f32(%[[V1]])
// CHECK-SAME: {constants = array<i64: 16>, layer = -1 : i64, op = "chimera.squared_norm", order = array<i64: 0, 1>}
// CHECK-NEXT: %[[V10:.*]] = chimera.call @chimera_add_partials(%[[V9]], %[[V8]])
// CHECK-SAME: {constants = array<i64: 1>, layer = -1 : i64, op = "chimera.squared_norm", order = array<i64: 0, 1>, updated = array<i64: 1>}
// CHECK-NEXT: chimera.call @chimera_adamw_f32_decays(%[[HYPER]], %[[V10]], %[[V1]], %[[V2]], %[[V3]], %[[V4]])
// CHECK-SAME: {constants = array<i64: 16>, layer = -1 : i64, op = "chimera.adamw", order = array<i64: 0, 1, 2, 3, 4, 5>, updated = array<i64: 3, 4, 5>}
// CHECK-NEXT: return %[[V10]]
func.func @update(%hyper: tensor<16xf64> {chimera.step = "hyper"}) -> tensor<1xf64> attributes {chimera.limits = array<i64: 1, 1>, chimera.training} {
  %g = chimera.training_state gradient "a" : tensor<4097xf32>
  %h = chimera.training_state gradient "b" : tensor<2x8xf32>
  %w = chimera.training_state master "b" : tensor<2x8xf32>
  %m = chimera.training_state moment1 "b" : tensor<2x8xf32>
  %v = chimera.training_state moment2 "b" : tensor<2x8xf32>
  %t = chimera.training_state total "b" : tensor<2x8xf32>
  chimera.accumulate %h, %t : tensor<2x8xf32>
  %n = chimera.squared_norm %g, %h : (tensor<4097xf32>, tensor<2x8xf32>) -> tensor<1xf64>
  chimera.adamw %h, %w, %m, %v norm %n hyper %hyper {decays} : tensor<2x8xf32>, tensor<1xf64>, tensor<16xf64>
  return %n : tensor<1xf64>
}

// -----

func.func @sum_of_no_rows(%rows: !chimera.rows {chimera.step = "rows"}, %leaves: tensor<18xi32> {chimera.step = "leaves"}) -> tensor<8xf32>
    attributes {chimera.limits = array<i64: 64, 64>, chimera.training} {
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

func.func @join_of_no_rows(%rows: !chimera.rows {chimera.step = "rows"}) -> tensor<16x9xf32> attributes {chimera.limits = array<i64: 64, 64>, chimera.training} {
  %w = chimera.param "w" : tensor<16x8xf32>
  // expected-error @+1 {{'chimera.join_columns' op nothing says which rows its result has}}
  %s = chimera.join_columns %w at [1] : (tensor<16x8xf32>) -> tensor<16x9xf32>
  return %s : tensor<16x9xf32>
}

// -----

func.func @route_of_no_rows(%m: tensor<?xi8>, %hyper: tensor<16xf64>, %prices: tensor<1x13xf64>, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<16x2xf32>
    attributes {chimera.limits = array<i64: 64, 64>, chimera.training} {
  %l = chimera.param "l" : tensor<16x2xf32>
  %b = chimera.param "b" : tensor<2xf32>
  // expected-error @+1 {{'chimera.seq_route_grad' op nothing says which rows its result has}}
  %s = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %m {layer = 0 : i64}
      : (tensor<16x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<1x13xf64>, tensor<?xi8>) -> tensor<16x2xf32>
  return %s : tensor<16x2xf32>
}

// -----

func.func @join_unknown(%x: tensor<?x?xf32>, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x9xf32> attributes {chimera.limits = array<i64: 64, 64>, chimera.training} {
  // expected-error @+1 {{'chimera.join_columns' op needs a known number of columns, at least one, but has 'tensor<?x?xf32>'}}
  %s = chimera.join_columns %x at [1] : (tensor<?x?xf32>) -> tensor<?x9xf32>
  return %s : tensor<?x9xf32>
}

// -----

// expected-error @+1 {{chimera.limits must be array<i64: rows, sequences>, both at least 1}}
func.func @limits(%rows: !chimera.rows {chimera.step = "rows"}) attributes {chimera.limits = array<i64>} {
  return
}

// -----

func.func @fused(%x: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}) attributes {chimera.limits = array<i64: 64, 64>} {
  %w = chimera.param "w" : tensor<8xf32>
  // expected-error @+1 {{'chimera.fused_norm' op has no kernel on the ref target}}
  %y = chimera.fused_norm rms %x, %w {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xbf16>
  return
}

// -----

func.func @layer(%l: tensor<?x2xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows {chimera.step = "rows"},
                 %forced: tensor<?x1xi8> {chimera.step = "forced"}) attributes {chimera.limits = array<i64: 64, 64>} {
  %b = chimera.param "b" : tensor<2xf32>
  // expected-error @+1 {{'chimera.route' op layer 1 is not one of the 1 of the function's forced modes}}
  %mode, %gate, %log_p, %counts1 = chimera.route [ssm, full] %l, %b counts %counts rows %rows
      {layer = 1 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64}
      : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @huge(%x: tensor<?x8589934592xf32>, %rows: !chimera.rows {chimera.step = "rows"}) attributes {chimera.limits = array<i64: 64, 64>} {
  // expected-error @+1 {{'chimera.activate' op is too large for a kernel: it has 'tensor<?x8589934592xf32>'}}
  %y = chimera.activate <silu>, %x : tensor<?x8589934592xf32>
  return
}

// -----

// What a gradient stands beside may be of no rows itself: the launch takes those of the routing.
// CHECK-LABEL: func.func @gradients_of_parameters(
// CHECK-SAME: %[[ROWS:[a-z0-9]+]]: !chimera.rows
// CHECK: chimera.call @chimera_soft_combine_grad_f32_8_on(%[[ROWS]],
// CHECK: chimera.call @chimera_combine_grad_f32_8_modes2(%[[ROWS]],
func.func @gradients_of_parameters(%rows: !chimera.rows {chimera.step = "rows"}, %log_p: tensor<?x2xf32>, %mode: tensor<?xi8>, %inverse: tensor<?xi32>,
                                   %gate: tensor<?xf32>, %x: tensor<4x8xf32>) attributes {chimera.limits = array<i64: 64, 64>, chimera.training} {
  %w = chimera.param "w" : tensor<4x8xf32>
  %dl, %do = chimera.soft_combine_grad [full] %log_p of [full, identity], %w, %x : (tensor<?x2xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> (tensor<?x2xf32>, tensor<4x8xf32>)
  %dg, %dp = chimera.combine_grad [full] %mode, %inverse, %gate, %w, %x : (tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> (tensor<?xf32>, tensor<4x8xf32>)
  return
}

// -----

// expected-error @+1 {{there is a symbol @kernels already, which this pass would add: has it run before?}}
func.func private @kernels()

// -----

// Experts: one permutation with as many entries a row as it takes experts; sums grow in place, unless they are needed again.
// CHECK-LABEL: func.func @experts
// CHECK-SAME: %[[L:[a-z0-9]+]]: tensor<?x2xf32>, %[[X:[a-z0-9]+]]: tensor<?x8xf32>, %[[ROWS:[a-z0-9]+]]: !chimera.rows
// CHECK: %[[ROUTE:.*]]:2 = chimera.call @chimera_route_experts_f32_1of2_softmax_scale1(%[[ROWS]], %[[L]])
// CHECK-SAME: order = array<i64: 0, 1, 2, 3>, starts = array<i64: 0>}
// CHECK-NEXT: %[[SORT:.*]]:3 = chimera.call @chimera_dispatch_experts_2(%[[ROWS]], %[[ROUTE]]#0) grid <tokens = 0, seqs = 0, outputs = 0, constant = 1,
// CHECK-SAME: starts = array<i64: 3, 4>} : (!chimera.rows, tensor<?x2xi8>) -> (tensor<?x1xi32>, tensor<?xi32>, tensor<?xi32>)
// CHECK-NEXT: %[[S0:.*]] = chimera.slice_rows %[[SORT]]#0, %[[SORT]]#1 of %[[ROWS]]
// CHECK-NEXT: %[[S1:.*]] = chimera.slice_rows %[[SORT]]#0, %[[SORT]]#2 of %[[ROWS]]
// CHECK-NEXT: %[[T:.*]] = chimera.call @chimera_gather_f32_8(%[[S0]], %[[X]])
// CHECK-NEXT: %[[Z:.*]] = chimera.call @chimera_zeros_f32_8(%[[ROWS]])
// CHECK-NEXT: %[[Y:.*]] = chimera.call @chimera_add_expert_f32_8_of2(%[[S0]], %[[T]], %[[ROUTE]]#1, %[[Z]])
// CHECK-SAME: {constants = array<i64: 0>, layer = -1 : i64, op = "chimera.add_expert", order = array<i64: 0, 1, 2, 3>, updated = array<i64: 3>}
// CHECK-NEXT: %[[COPY:.*]] = chimera.call @chimera_columns_{{.*}}(%[[ROWS]], %[[Y]])
// CHECK-NEXT: %[[V:.*]] = chimera.call @chimera_add_expert_f32_8_of2(%[[S1]], %[[T]], %[[ROUTE]]#1, %[[COPY]])
// CHECK-SAME: constants = array<i64: 1>
// CHECK-NEXT: return %[[Y]], %[[V]]
func.func @experts(%l: tensor<?x2xf32>, %x: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %forced: tensor<?x3xi8> {chimera.step = "forced"})
    -> (tensor<?x8xf32>, tensor<?x8xf32>) attributes {chimera.limits = array<i64: 64, 64>} {
  %chosen, %w = chimera.route_experts <softmax> %l {count = 1 : i64} : tensor<?x2xf32> -> tensor<?x2xi8>
  %s:2 = chimera.dispatch_experts %chosen rows %rows {count = 1 : i64} : tensor<?x2xi8> -> !chimera.rows, !chimera.rows
  %t = chimera.gather %x from %rows to %s#0 : tensor<?x8xf32> to tensor<?x8xf32>
  %z = chimera.zeros rows %rows : tensor<?x8xf32>
  %y = chimera.add_expert %z, %t weights %w at 0 from %s#0 : tensor<?x8xf32>, tensor<?x2xf32>
  %v = chimera.add_expert %y, %t weights %w at 1 from %s#1 : tensor<?x8xf32>, tensor<?x2xf32>
  return %y, %v : tensor<?x8xf32>, tensor<?x8xf32>
}
