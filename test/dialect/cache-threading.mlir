// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The linear rule of caches: a version is consumed once, and every read of it comes before that.
// RUN: chimera-opt %s --split-input-file --verify-diagnostics

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

// Reads before the one consuming use, one version after the other.
func.func @threaded(%k: tensor<?x8xf32>, %list: !list, %rows: !chimera.rows) -> (tensor<?x8xf32>, tensor<?x8xf32>, !list) {
  %o = chimera.attend %k, %k, %k cache %list own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !list -> tensor<?x8xf32>
  %p = chimera.attend %o, %k, %k cache %list own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !list -> tensor<?x8xf32>
  %list1 = chimera.append %k, %k cache %list rows %rows : tensor<?x8xf32>, tensor<?x8xf32> cache !list
  %list2 = chimera.append %k, %k cache %list1 rows %rows : tensor<?x8xf32>, tensor<?x8xf32> cache !list
  return %o, %p, %list2 : tensor<?x8xf32>, tensor<?x8xf32>, !list
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @two_appends(%k: tensor<?x8xf32>, %list: !list, %rows: !chimera.rows) -> (!list, !list) {
  // expected-error @+1 {{'chimera.append' op consumes a cache that has another consuming use (operand #2)}}
  %list1 = chimera.append %k, %k cache %list rows %rows : tensor<?x8xf32>, tensor<?x8xf32> cache !list
  // expected-note @+1 {{the other use is here}}
  %list2 = chimera.append %k, %k cache %list rows %rows : tensor<?x8xf32>, tensor<?x8xf32> cache !list
  return %list1, %list2 : !list, !list
}

// -----

!tail = !chimera.tail<rows = 2, channels = 8, element = f32>

func.func @handed_on(%x: tensor<?x8xf32>, %tail: !tail, %rows: !chimera.rows) -> (!tail, !tail) {
  // expected-error @+1 {{'chimera.shift_tail' op consumes a cache that has another consuming use (operand #1)}}
  %tail1 = chimera.shift_tail %x tail %tail rows %rows : tensor<?x8xf32>, !tail
  // expected-note @+1 {{the other use is here}}
  return %tail, %tail1 : !tail, !tail
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @read_late(%k: tensor<?x8xf32>, %list: !list, %rows: !chimera.rows) -> (tensor<?x8xf32>, !list) {
  // expected-note @+1 {{consumed here}}
  %list1 = chimera.append %k, %k cache %list rows %rows : tensor<?x8xf32>, tensor<?x8xf32> cache !list
  // expected-error @+1 {{'chimera.attend' op reads a cache after it was consumed (operand #3)}}
  %o = chimera.attend %k, %k, %k cache %list own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !list -> tensor<?x8xf32>
  return %o, %list1 : tensor<?x8xf32>, !list
}

// -----

!tail = !chimera.tail<rows = 3, channels = 8, element = f32>

func.func @tail_read_late(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>, %tail: !tail, %rows: !chimera.rows) {
  // expected-note @+1 {{consumed here}}
  %tail1 = chimera.shift_tail %x tail %tail rows %rows : tensor<?x8xf32>, !tail
  // expected-error @+1 {{'chimera.causal_conv' op reads a cache after it was consumed (operand #3)}}
  %y = chimera.causal_conv %x, %w, %b tail %tail rows %rows {activation = #chimera.activation<none>}
      : tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, !tail
  return
}

// -----

!state = !chimera.state<heads = 1, dim = 1, size = 8, element = f32>

func.func @two_scans(%u: tensor<?x8xf32>, %d: tensor<8xf32>, %state: !state, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.lti_scan' op consumes a cache that has another consuming use (operand #2)}}
  %y, %s1 = chimera.lti_scan %u, %d state %state rows %rows : tensor<?x8xf32>, tensor<8xf32> state !state
  // expected-note @+1 {{the other use is here}}
  %z, %s2 = chimera.lti_scan %u, %d state %state rows %rows : tensor<?x8xf32>, tensor<8xf32> state !state
  return
}

// -----

!state = !chimera.state<heads = 4, dim = 2, size = 3, element = f32>

func.func @two_ssm_scans(%xbc: tensor<?x14xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %state: !state, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.ssm_scan' op consumes a cache that has another consuming use (operand #5)}}
  %y, %s1 = chimera.ssm_scan %xbc, %dt, %a, %a, %a state %state rows %rows {groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : tensor<?x14xf32>, tensor<?x4xf32>, tensor<4xf32> state !state -> tensor<?x8xf32>
  // expected-note @+1 {{the other use is here}}
  %z, %s2 = chimera.ssm_scan %xbc, %dt, %a, %a, %a state %state rows %rows {groups = 1 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : tensor<?x14xf32>, tensor<?x4xf32>, tensor<4xf32> state !state -> tensor<?x8xf32>
  return
}

// -----

!counts = !chimera.counts<modes = 2>

func.func @two_routes(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !counts, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.route' op consumes a cache that has another consuming use (operand #2)}}
  %m, %g, %p, %c = chimera.route [ssm, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, temperature = 1.0 : f64}
      : tensor<?x2xf32>, tensor<2xf32> counts !counts -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  // expected-note @+1 {{the other use is here}}
  %m2, %g2, %p2, %c2 = chimera.route [ssm, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, temperature = 1.0 : f64}
      : tensor<?x2xf32>, tensor<2xf32> counts !counts -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

// A mix consumes its caches, and cannot take one twice.
func.func @mix_twice(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+2 {{'chimera.mix' op consumes a cache that has another consuming use (operand #5)}}
  // expected-note @+1 {{the other use is here}}
  %z, %list1, %list2 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate rows %rows caches %list, %list
      {cache_counts = array<i64: 1, 1>} : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list, !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %l : !list
  }
  return
}

// -----

!tail = !chimera.tail<rows = 2, channels = 8, element = f32>

// A mixer hands on the newest version, not the one that it consumed.
func.func @yield_consumed(%x: tensor<?x8xf32>, %tail: !tail, %rows: !chimera.rows) {
  %z, %tail1 = chimera.mix [ssm] routed %x, %x rows %rows caches %tail {cache_counts = array<i64: 1>} : tensor<?x8xf32> caches !tail {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %old: !tail):
    // expected-error @+1 {{'chimera.shift_tail' op consumes a cache that has another consuming use (operand #1)}}
    %new = chimera.shift_tail %t tail %old rows %seen : tensor<?x8xf32>, !tail
    // expected-note @+1 {{the other use is here}}
    chimera.yield %t, %old : tensor<?x8xf32>, !tail
  }
  return
}

// -----

!tail = !chimera.tail<rows = 2, channels = 8, element = f32>

// A mixer may not hand on one version twice.
func.func @yield_twice(%x: tensor<?x8xf32>, %a: !tail, %b: !tail, %rows: !chimera.rows) {
  %z, %a1, %b1 = chimera.mix [ssm] routed %x, %x rows %rows caches %a, %b {cache_counts = array<i64: 2>} : tensor<?x8xf32> caches !tail, !tail {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %a0: !tail, %b0: !tail):
    // expected-error @+2 {{'chimera.yield' op consumes a cache that has another consuming use (operand #1)}}
    // expected-note @+1 {{the other use is here}}
    chimera.yield %t, %a0, %a0 : tensor<?x8xf32>, !tail, !tail
  }
  return
}

// -----

!counts = !chimera.counts<modes = 2>

// A launch consumes what it updates and reads its other caches.
func.func @calls(%counts: !counts, %rows: !chimera.rows) -> !counts {
  // expected-note @+1 {{consumed here}}
  %c1 = chimera.call @k(%rows, %counts) grid <tokens = 0, seqs = 1, outputs = 0, constant = 0, divisor = 1>
      {op = "chimera.route", layer = 0 : i64, order = array<i64: 0, 1>, updated = array<i64: 1>} : (!chimera.rows, !counts) -> !counts
  // expected-error @+1 {{'chimera.call' op reads a cache after it was consumed (operand #1)}}
  chimera.call @k(%rows, %counts) grid <tokens = 0, seqs = 1, outputs = 0, constant = 0, divisor = 1>
      {op = "chimera.route", layer = 0 : i64, order = array<i64: 0, 1>} : (!chimera.rows, !counts) -> ()
  return %c1 : !counts
}

// -----

!counts = !chimera.counts<modes = 2>

// An op that is not of the dialect is taken to consume.
func.func @foreign(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !counts, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.route' op consumes a cache that has another consuming use (operand #2)}}
  %m, %g, %p, %c = chimera.route [ssm, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, temperature = 1.0 : f64}
      : tensor<?x2xf32>, tensor<2xf32> counts !counts -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  // expected-note @+1 {{the other use is here}}
  %n = builtin.unrealized_conversion_cast %counts : !counts to index
  return
}
