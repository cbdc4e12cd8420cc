// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One function a training program from @model, in the training form: no caches, routing with noise, the loss in place of the logits.
// RUN: chimera-opt %s --split-input-file --chimera-specialize-training="max-tokens=32 max-seqs=4" --verify-diagnostics | FileCheck %s
// RUN: chimera-opt %s --split-input-file --chimera-specialize-training="keep-model" --verify-diagnostics | FileCheck %s --check-prefix=KEEP
// RUN: not chimera-opt %s --split-input-file --chimera-specialize-training="max-tokens=4 max-seqs=5" 2>&1 | FileCheck %s --check-prefix=SEQS
// RUN: not chimera-opt %s --split-input-file --chimera-specialize-training="max-tokens=-1 max-seqs=-1" 2>&1 | FileCheck %s --check-prefix=NONE

// SEQS: error: a run must hold at least one sequence, and a row for each: got max-tokens 4 and max-seqs 5
// NONE: error: a run must hold at least one sequence, and a row for each: got max-tokens -1 and max-seqs -1

!counts = !chimera.counts<modes = 2>
!state = !chimera.state<heads = 1, dim = 1, size = 8, element = f32>

// The arrays of inference stay, but for the caches and the forced modes; those of training follow. A model with a router has four
// programs.
// All parameters are listed, once each, those of the mixers too.
// CHECK: module attributes {chimera.parameters = [{name = "embed", type = tensor<16x8xf32>}, {name = "router.weight", type = tensor<2x8xf32>}, {name = "router.bias", optional, type = tensor<2xf32>}, {name = "decay", type = tensor<8xf32>}]}
// CHECK-NOT: func.func @model
// CHECK-LABEL: func.func @train_hard(
// CHECK-SAME: %[[TOKENS:[a-z0-9]+]]: tensor<?xi32> {chimera.step = "tokens"}, %[[ROWS:[a-z0-9]+]]: !chimera.rows {chimera.step = "rows"}, %[[OUTPUTS:[a-z0-9]+]]: !chimera.rows {chimera.step = "outputs"}
// CHECK-SAME: %[[TARGETS:[a-z0-9]+]]: tensor<?xi32> {chimera.step = "targets"}, %[[NOISE:[a-z0-9]+]]: tensor<?x8xf64> {chimera.step = "noise"}, %[[HYPER:[a-z0-9]+]]: tensor<16xf64> {chimera.step = "hyper"}
// CHECK-SAME: %[[PRICES:[a-z0-9]+]]: tensor<2x13xf64> {chimera.step = "prices"}, %[[LEAVES:[a-z0-9]+]]: tensor<18xi32> {chimera.step = "leaves"}
// CHECK-SAME: -> (tensor<2xf64> {chimera.result = "loss"}, tensor<14xf64> {chimera.result = "statistics.1"})
// CHECK-SAME: attributes {chimera.differentiate, chimera.limits = array<i64: 32, 4>, chimera.training} {
// CHECK: %[[MODE:.*]], %[[WANTED:.*]], %[[GATE:.*]], %[[LOGP:.*]] = chimera.seq_route [ssm, identity] %[[LOGITS:.*]], %[[BIAS:.*]] noise %[[NOISE]] hyper %[[HYPER]] rows %[[ROWS]]
// CHECK-SAME: {bias_in_gate, capacity = array<f64: 5.000000e-01, 1.000000e+00>, gate_kind = #chimera.gate_kind<prob>, layer = 1 : i64, max_tokens = array<i64: 3, -1>}
// The mix keeps its mixers, but not their caches.
// CHECK: %[[Z:.*]] = chimera.mix [ssm, identity] routed %[[X:.*]], %[[X]] by %[[MODE]] gate %[[GATE]] weights %[[LOGP]] rows %[[ROWS]] {cache_counts = array<i64: 0, 0>
// CHECK-NEXT: ^bb0(%[[T:[a-z0-9]+]]: tensor<?x8xf32>, %[[SEEN:[a-z0-9]+]]: !chimera.rows, %{{[a-z0-9]+}}: !chimera.rows, %[[W:[a-z0-9]+]]: tensor<?xf32>):
// CHECK-NEXT: %[[DECAY:.*]] = chimera.param "decay"
// CHECK-NEXT: %[[Y:.*]] = chimera.seq_lti_scan %[[T]], %[[DECAY]] write %[[W]] rows %[[SEEN]]
// CHECK-NEXT: chimera.yield %[[Y]] : tensor<?x8xf32>
// CHECK: chimera.yield{{$}}
// The loss, by leaves, and the statistics of the router.
// CHECK: %[[G:.*]] = chimera.gather %[[Z]] from %[[ROWS]] to %[[OUTPUTS]]
// CHECK: %[[LSE:.*]], %[[SCORES:.*]] = chimera.cross_entropy %[[G]], %[[HEAD:.*]] targets %[[TARGETS]] rows %[[OUTPUTS]]
// CHECK-NEXT: %[[LOSS:.*]] = chimera.column_sum %[[SCORES]] leaves %[[LEAVES]] : (tensor<?x2xf64>, tensor<18xi32>) -> tensor<2xf64>
// CHECK-NEXT: %[[S:.*]] = chimera.route_statistics [ssm, identity] %[[MODE]], %[[WANTED]], %[[LOGP]]
// CHECK-NEXT: %[[STATISTICS:.*]] = chimera.column_sum %[[S]] leaves %[[LEAVES]] : (tensor<?x14xf64>, tensor<18xi32>) -> tensor<14xf64>
// CHECK-NEXT: return %[[LOSS]], %[[STATISTICS]] : tensor<2xf64>, tensor<14xf64>

// Soft routing admits nothing, so that it needs no capacities.
// CHECK-LABEL: func.func @train_soft(
// CHECK-SAME: attributes {chimera.differentiate, chimera.limits = array<i64: 32, 4>, chimera.soft, chimera.training} {
// CHECK: chimera.seq_route {{.*}} {bias_in_gate, gate_kind = #chimera.gate_kind<prob>, layer = 1 : i64, soft}

// An evaluation gives the modes as well, and is not differentiated.
// CHECK-LABEL: func.func @evaluate_hard(
// CHECK-SAME: -> (tensor<2xf64> {chimera.result = "loss"}, tensor<14xf64> {chimera.result = "statistics.1"}, tensor<?x2xi8> {chimera.result = "modes"})
// CHECK-SAME: attributes {chimera.limits = array<i64: 32, 4>, chimera.training} {
// CHECK: %[[MODE:.*]], %{{.*}}, %{{.*}}, %{{.*}} = chimera.seq_route
// CHECK: %[[STACK:.*]] = chimera.stack_modes %{{.*}}, %[[MODE]]
// CHECK: return %{{.*}}, %{{.*}}, %[[STACK]]
// CHECK-LABEL: func.func @evaluate_soft(
// CHECK-SAME: attributes {chimera.limits = array<i64: 32, 4>, chimera.soft, chimera.training} {

// KEEP-LABEL: func.func @train_hard(
// KEEP-SAME: chimera.limits = array<i64: 1024, 64>
// KEEP: func.func @evaluate_soft(
// KEEP: func.func @model(
// KEEP-SAME: !chimera.counts<modes = 2>
// KEEP: chimera.route [ssm, identity]
func.func @model(%tokens: tensor<?xi32> {chimera.step = "tokens"}, %rows: !chimera.rows {chimera.step = "rows"},
                 %outputs: !chimera.rows {chimera.step = "outputs"}, %forced: tensor<?x2xi8> {chimera.step = "forced"},
                 %counts: !counts {chimera.cache = {layer = 1 : i64, mode = "route", name = "c"}},
                 %state: !state {chimera.cache = {layer = 1 : i64, mode = "ssm", name = "s"}})
    -> (tensor<?x16xf32>, tensor<?x2xi8>, !counts, !state) {
  %table = chimera.param "embed" : tensor<16x8xf32>
  %router = chimera.param "router.weight" : tensor<2x8xf32>
  %bias = chimera.param "router.bias" {optional} : tensor<2xf32>
  %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<16x8xf32> -> tensor<?x8xf32>
  %lone = chimera.constant_mode identity rows %rows : tensor<?xi8>
  %l = chimera.linear %x, %router : tensor<?x8xf32>, tensor<2x8xf32> -> tensor<?x2xf32>
  %mode, %gate, %log_p, %counts1 = chimera.route [ssm, identity] %l, %bias forced %forced counts %counts rows %rows
      {layer = 1 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 2.0 : f64, bias_in_gate, capacity = array<f64: 0.5, 1.0>, max_tokens = array<i64: 3, -1>}
      : tensor<?x2xf32>, tensor<2xf32> forced tensor<?x2xi8> counts !counts -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  %z, %state1 = chimera.mix [ssm, identity] routed %x, %x by %mode gate %gate weights %log_p rows %rows caches %state
      {cache_counts = array<i64: 1, 0>, log_p_modes = [#chimera<mode ssm>, #chimera<mode identity>]}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> weights tensor<?x2xf32> caches !state {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %w: tensor<?xf32>, %c: !state):
    %decay = chimera.param "decay" : tensor<8xf32>
    %y, %d = chimera.lti_scan %t, %decay write %w state %c rows %seen : tensor<?x8xf32>, tensor<8xf32> write tensor<?xf32> state !state
    chimera.yield %y, %d : tensor<?x8xf32>, !state
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %w: tensor<?xf32>):
    chimera.yield
  }
  %g = chimera.gather %z from %rows to %outputs : tensor<?x8xf32> to tensor<?x8xf32>
  %logits = chimera.linear %g, %table : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
  %modes = chimera.stack_modes %lone, %mode : tensor<?xi8>, tensor<?xi8> -> tensor<?x2xi8>
  return %logits, %modes, %counts1, %state1 : tensor<?x16xf32>, tensor<?x2xi8>, !counts, !state
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = bf16, weights = none>
!ring = !chimera.ring<window = 5, heads = 1, dim = 8, element = bf16, weights = none>
!tail = !chimera.tail<rows = 3, channels = 8, element = f32>
!ssm = !chimera.state<heads = 2, dim = 4, size = 9, element = f32>

// Every op with a cache has its form for whole sequences. A ring's window becomes the attention's, a list has none; what the
// cache's type says of heads and sizes becomes attributes. Masters of bf16 parameters are f32, rounded where they are used. Without a
// router there are two programs.
// CHECK: module attributes {chimera.parameters = [{name = "head", type = tensor<16x8xf32>}, {name = "taps", row_permutation = array<i64: 1, 0, 2, 3, 4, 5, 6, 7>, source = "disk.taps", type = tensor<8x4xf32>},
// CHECK-SAME: {name = "b", type = tensor<8xf32>}, {name = "a", type = tensor<2xf32>}, {name = "unread", type = tensor<8xf32>}]}
// CHECK-LABEL: func.func @train_hard(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>, %[[XBC:[a-z0-9]+]]: tensor<?x26xf32>, %[[DT:[a-z0-9]+]]: tensor<?x2xf32>
// CHECK-SAME: %[[ROWS:[a-z0-9]+]]: !chimera.rows {chimera.step = "rows"}, %[[OUTPUTS:[a-z0-9]+]]: !chimera.rows {chimera.step = "outputs"}
// CHECK-SAME: tensor<?x0xf64> {chimera.step = "noise"}
// CHECK-SAME: -> (tensor<2xf64> {chimera.result = "loss"})
// CHECK: %[[MASTER:.*]] = chimera.param "head" : tensor<16x8xf32>
// CHECK-NEXT: %[[HEAD:.*]] = chimera.round_param %[[MASTER]] : tensor<16x8xf32> to tensor<16x8xbf16>
// CHECK: %[[Q:.*]] = chimera.cast %[[X]]
// CHECK-NEXT: %[[O:.*]], %{{.*}} = chimera.seq_attend %[[Q]], %[[Q]], %[[Q]] own %[[ROWS]] keys %[[ROWS]] {head_dim = 4 : i64, kv_heads = 2 : i64, scale = 5.000000e-01 : f64, window = -1 : i64}
// CHECK-SAME: -> (tensor<?x8xf32>, tensor<?x2xf32>)
// CHECK-NEXT: %[[R:.*]], %{{.*}} = chimera.seq_attend %[[Q]], %[[Q]], %[[Q]] own %[[OUTPUTS]] keys %[[ROWS]] {head_dim = 8 : i64, kv_heads = 1 : i64, scale = 5.000000e-01 : f64, window = 5 : i64}
// CHECK-NEXT: %[[C:.*]] = chimera.seq_conv %[[O]], %{{.*}}, %{{.*}} rows %[[ROWS]] {activation = #chimera.activation<silu>}
// CHECK-NEXT: %[[Y:.*]], %{{.*}} = chimera.seq_ssm_scan %[[XBC]], %[[DT]], %[[A:.*]], %[[A]], %[[A]] rows %[[ROWS]]
// CHECK-SAME: {dim = 4 : i64, dt_max = 1.000000e+00 : f64, dt_min = 0.000000e+00 : f64, groups = 1 : i64, heads = 2 : i64, size = 9 : i64}
// CHECK-SAME: -> (tensor<?x8xf32>, tensor<?x3xf32>)
// CHECK: %[[LSE:.*]], %[[SCORES:.*]] = chimera.cross_entropy %{{.*}}, %[[HEAD]] targets
// CHECK-SAME: -> (tensor<?x1xf32>, tensor<?x2xf64>)
// CHECK: return %{{[0-9]+}} : tensor<2xf64>
// CHECK-NOT: func.func @train_soft
// CHECK-LABEL: func.func @evaluate_hard(
// CHECK-NOT: func.func @evaluate_soft
func.func @model(%x: tensor<?x8xf32>, %xbc: tensor<?x26xf32>, %dt: tensor<?x2xf32>,
                 %rows: !chimera.rows {chimera.step = "rows"}, %outputs: !chimera.rows {chimera.step = "outputs"},
                 %list: !list, %ring: !ring, %tail: !tail, %state: !ssm) -> (tensor<?x16xf32>, tensor<?x1xi8>, !list, !ring, !tail, !ssm) {
  %head = chimera.param "head" : tensor<16x8xbf16>
  %w = chimera.param "taps" {source = "disk.taps", row_permutation = array<i64: 1, 0, 2, 3, 4, 5, 6, 7>} : tensor<8x4xf32>
  %b = chimera.param "b" : tensor<8xf32>
  %a = chimera.param "a" : tensor<2xf32>
  %unread = chimera.param "unread" : tensor<8xbf16>
  %q = chimera.cast %x : tensor<?x8xf32> to tensor<?x8xbf16>
  %o = chimera.attend %q, %q, %q cache %list own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16> cache !list -> tensor<?x8xf32>
  %list1 = chimera.append %q, %q cache %list rows %rows : tensor<?x8xbf16>, tensor<?x8xbf16> cache !list
  %r = chimera.attend %q, %q, %q cache %ring own %outputs rows %rows {scale = 0.5 : f64}
      : tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16> cache !ring -> tensor<?x8xf32>
  %ring1 = chimera.append %q, %q cache %ring rows %rows : tensor<?x8xbf16>, tensor<?x8xbf16> cache !ring
  %c = chimera.causal_conv %o, %w, %b tail %tail rows %rows {activation = #chimera.activation<silu>}
      : tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, !tail
  %tail1 = chimera.shift_tail %o tail %tail rows %rows : tensor<?x8xf32>, !tail
  %y, %state1 = chimera.ssm_scan %xbc, %dt, %a, %a, %a state %state rows %rows {groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : tensor<?x26xf32>, tensor<?x2xf32>, tensor<2xf32> state !ssm -> tensor<?x8xf32>
  %s = chimera.add %y, %c : tensor<?x8xf32>
  %g = chimera.gather %s from %rows to %outputs : tensor<?x8xf32> to tensor<?x8xf32>
  %t = chimera.add %g, %r : tensor<?x8xf32>
  %h = chimera.cast %t : tensor<?x8xf32> to tensor<?x8xbf16>
  %logits = chimera.linear %h, %head : tensor<?x8xbf16>, tensor<16x8xbf16> -> tensor<?x16xf32>
  %one = chimera.constant_mode full rows %rows : tensor<?xi8>
  %modes = chimera.stack_modes %one : tensor<?xi8> -> tensor<?x1xi8>
  return %logits, %modes, %list1, %ring1, %tail1, %state1 : tensor<?x16xf32>, tensor<?x1xi8>, !list, !ring, !tail, !ssm
}

// -----

// In f64 nothing is rounded, and the log of the sum is f64.
// CHECK-LABEL: func.func @train_hard(
// CHECK: chimera.param "head" : tensor<16x8xf64>
// CHECK-NEXT: chimera.cross_entropy
// CHECK-SAME: -> (tensor<?x1xf64>, tensor<?x2xf64>)
func.func @model(%x: tensor<?x8xf64>, %m: tensor<?x1xi8>, %rows: !chimera.rows {chimera.step = "rows"},
                 %outputs: !chimera.rows {chimera.step = "outputs"}) -> (tensor<?x16xf64>, tensor<?x1xi8>) {
  %head = chimera.param "head" : tensor<16x8xf64>
  %logits = chimera.linear %x, %head : tensor<?x8xf64>, tensor<16x8xf64> -> tensor<?x16xf64>
  return %logits, %m : tensor<?x16xf64>, tensor<?x1xi8>
}

// -----

// expected-error @+1 {{has no function @model to specialise}}
module {
  func.func @other() {
    return
  }
}

// -----

// expected-error @+1 {{has no function @model to specialise}}
module {
  func.func private @model(!chimera.rows) -> (tensor<?x4xf32>, tensor<?x1xi8>)
}

// -----

// expected-error @+1 {{has no function @model to specialise}}
module {
  func.func @model(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    return %x : tensor<?x4xf32>
  }
}

// -----

// expected-error @+1 {{has no function @model to specialise}}
module {
  func.func @model(%x: tensor<?x4xf32>, %m: tensor<?x1xi8>) -> (tensor<?x4xf32>, tensor<?x1xi8>) {
    cf.br ^bb1
  ^bb1:
    return %x, %m : tensor<?x4xf32>, tensor<?x1xi8>
  }
}

// -----

// expected-error @+1 {{'func.func' op has no arguments with chimera.step = "rows" and "outputs"}}
func.func @model(%x: tensor<?x4xf32>, %m: tensor<?x1xi8>, %rows: !chimera.rows {chimera.step = "rows"}) -> (tensor<?x4xf32>, tensor<?x1xi8>) {
  return %x, %m : tensor<?x4xf32>, tensor<?x1xi8>
}

// -----

// expected-error @+1 {{its logits must be a chimera.linear of no other use to be trained}}
func.func @model(%x: tensor<?x4xf32>, %m: tensor<?x1xi8>, %rows: !chimera.rows {chimera.step = "rows"},
                 %outputs: !chimera.rows {chimera.step = "outputs"}) -> (tensor<?x4xf32>, tensor<?x1xi8>) {
  return %x, %m : tensor<?x4xf32>, tensor<?x1xi8>
}

// -----

// expected-error @+1 {{its logits must be a chimera.linear of no other use to be trained}}
func.func @model(%x: tensor<?x8xf32>, %m: tensor<?x1xi8>, %rows: !chimera.rows {chimera.step = "rows"},
                 %outputs: !chimera.rows {chimera.step = "outputs"}) -> (tensor<?x16xf32>, tensor<?x1xi8>, tensor<?x16xf32>) {
  %head = chimera.param "head" : tensor<16x8xf32>
  %logits = chimera.linear %x, %head : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
  %again = chimera.activate <silu>, %logits : tensor<?x16xf32>
  return %logits, %m, %again : tensor<?x16xf32>, tensor<?x1xi8>, tensor<?x16xf32>
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

// A cache that an op without a training form uses, outside a mix and inside.
func.func @model(%x: tensor<?x8xf32>, %m: tensor<?x1xi8>, %rows: !chimera.rows {chimera.step = "rows"},
                 %outputs: !chimera.rows {chimera.step = "outputs"}, %list: !list) -> (tensor<?x16xf32>, tensor<?x1xi8>) {
  %head = chimera.param "head" : tensor<16x8xf32>
  // expected-error @+1 {{'chimera.call' op has no form for training}}
  %y = chimera.call @k(%x, %list) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1, 2>} : (tensor<?x8xf32>, !list) -> tensor<?x8xf32>
  %logits = chimera.linear %y, %head : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
  return %logits, %m : tensor<?x16xf32>, tensor<?x1xi8>
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @model(%x: tensor<?x8xf32>, %m: tensor<?x1xi8>, %rows: !chimera.rows {chimera.step = "rows"},
                 %outputs: !chimera.rows {chimera.step = "outputs"}, %list: !list) -> (tensor<?x16xf32>, tensor<?x1xi8>, !list) {
  %head = chimera.param "head" : tensor<16x8xf32>
  %z, %list1 = chimera.mix [full] routed %x, %x rows %rows caches %list {cache_counts = array<i64: 1>} : tensor<?x8xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %c: !list):
    // expected-error @+1 {{'chimera.call' op has no form for training}}
    %y = chimera.call @k(%t, %c) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
        {op = "k", layer = -1 : i64, order = array<i64: 0, 1, 2>} : (tensor<?x8xf32>, !list) -> tensor<?x8xf32>
    chimera.yield %y, %c : tensor<?x8xf32>, !list
  }
  %logits = chimera.linear %z, %head : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
  return %logits, %m, %list1 : tensor<?x16xf32>, tensor<?x1xi8>, !list
}
