// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Folders of the model level, and the canonical forms of a mix.
// RUN: chimera-opt %s --canonicalize --split-input-file | FileCheck %s

//===----------------------------------------------------------------------===//
// Folders
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func.func @cast_to_itself
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>
// CHECK-NEXT: return %[[X]]
func.func @cast_to_itself(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = chimera.cast %x : tensor<?x8xf32> to tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @scale_by_one
// CHECK-SAME: %[[X:.*]]: tensor
// CHECK-NEXT: return %[[X]]
func.func @scale_by_one(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = chimera.scale %x by 1.0 : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @scale_columns_by_one
// CHECK-SAME: %[[X:.*]]: tensor
// CHECK-NEXT: return %[[X]]
func.func @scale_columns_by_one(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = chimera.scale_columns %x by [1.0, 1.0] widths [3, 5] : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// A round trip through bf16 rounds: it must stay.
// CHECK-LABEL: func.func @cast_there_and_back
// CHECK: chimera.cast
// CHECK: chimera.cast
func.func @cast_there_and_back(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = chimera.cast %x : tensor<?x8xf32> to tensor<?x8xbf16>
  %z = chimera.cast %y : tensor<?x8xbf16> to tensor<?x8xf32>
  return %z : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @all_columns
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>
// CHECK-NEXT: return %[[X]]
func.func @all_columns(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = chimera.columns %x at 0 : tensor<?x8xf32> to tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @some_columns
// CHECK: chimera.columns
func.func @some_columns(%x: tensor<?x8xf32>) -> tensor<?x4xf32> {
  %y = chimera.columns %x at 0 : tensor<?x8xf32> to tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// CHECK-LABEL: func.func @gather_all
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>
// CHECK-NEXT: return %[[X]]
func.func @gather_all(%x: tensor<?x8xf32>, %rows: !chimera.rows) -> tensor<?x8xf32> {
  %y = chimera.gather %x from %rows to %rows : tensor<?x8xf32> to tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @gather_part
// CHECK: chimera.gather
func.func @gather_part(%x: tensor<?x8xf32>, %rows: !chimera.rows, %part: !chimera.rows) -> tensor<?x8xf32> {
  %y = chimera.gather %x from %rows to %part : tensor<?x8xf32> to tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

//===----------------------------------------------------------------------===//
// A lone mixer
//===----------------------------------------------------------------------===//

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

// CHECK-LABEL: func.func @lone_output
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>, %[[H:.*]]: tensor<?x8xf32>, %[[LIST:.*]]: !chimera.list<{{.*}}>, %[[ROWS:.*]]: !chimera.rows
func.func @lone_output(%x: tensor<?x8xf32>, %h: tensor<?x8xf32>, %list: !list, %rows: !chimera.rows) -> (tensor<?x8xf32>, !list) {
  // CHECK-NOT: chimera.mix
  // CHECK: %[[O:.*]] = chimera.attend %[[H]], %[[H]], %[[H]] cache %[[LIST]] own %[[ROWS]] rows %[[ROWS]]
  // CHECK: %[[LIST1:.*]] = chimera.append %[[H]], %[[H]] cache %[[LIST]] rows %[[ROWS]]
  // CHECK: %[[Z:.*]] = chimera.add %[[X]], %[[O]] : tensor<?x8xf32>
  // CHECK: return %[[Z]], %[[LIST1]]
  %z, %list1 = chimera.mix [full] routed %x, %h rows %rows caches %list {cache_counts = array<i64: 1>}
      : tensor<?x8xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    %o = chimera.attend %t, %t, %t cache %l own %own rows %seen {scale = 0.5 : f64}
        : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !list -> tensor<?x8xf32>
    %m = chimera.append %t, %t cache %l rows %seen : tensor<?x8xf32>, tensor<?x8xf32> cache !list
    chimera.yield %o, %m : tensor<?x8xf32>, !list
  }
  return %z, %list1 : tensor<?x8xf32>, !list
}

// An identity that skips adds nothing: the residual stream is passed on bit for bit.
// CHECK-LABEL: func.func @lone_skip
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>, %[[H:.*]]: tensor<?x8xf32>
// CHECK-NEXT: return %[[X]]
func.func @lone_skip(%x: tensor<?x8xf32>, %h: tensor<?x8xf32>, %rows: !chimera.rows) -> tensor<?x8xf32> {
  %z = chimera.mix [identity] routed %x, %h rows %rows {cache_counts = array<i64: 0>} : tensor<?x8xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return %z : tensor<?x8xf32>
}

// An identity that hands on its input adds it.
// CHECK-LABEL: func.func @lone_identity
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>, %[[H:.*]]: tensor<?x8xf32>
// CHECK-NEXT: %[[Z:.*]] = chimera.add %[[X]], %[[H]]
// CHECK-NEXT: return %[[Z]]
func.func @lone_identity(%x: tensor<?x8xf32>, %h: tensor<?x8xf32>, %rows: !chimera.rows) -> tensor<?x8xf32> {
  %z = chimera.mix [identity] all %x, %h rows %rows {cache_counts = array<i64: 0>} : tensor<?x8xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield %t : tensor<?x8xf32>
  }
  return %z : tensor<?x8xf32>
}

// One mode and a router's word for each row: rows of other modes keep their residual, so the mix stays.
// CHECK-LABEL: func.func @lone_routed
// CHECK: chimera.mix [identity]
func.func @lone_routed(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %rows: !chimera.rows) -> tensor<?x8xf32> {
  %z = chimera.mix [identity] routed %x, %x by %mode gate %gate rows %rows {cache_counts = array<i64: 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield %t : tensor<?x8xf32>
  }
  return %z : tensor<?x8xf32>
}

// -----

//===----------------------------------------------------------------------===//
// Unreachable modes
//===----------------------------------------------------------------------===//

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>
!counts = !chimera.counts<modes = 2>

// No token fits into full and nobody can force one there: its mixer goes, its cache stays as it came.
// CHECK-LABEL: func.func @no_tokens
// CHECK-SAME: %[[COUNTS:[a-z0-9]+]]: !chimera.counts<modes = 2>, %[[LIST:[a-z0-9]+]]: !chimera.list
func.func @no_tokens(%x: tensor<?x8xf32>, %l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !counts, %list: !list,
                     %rows: !chimera.rows) -> (tensor<?x8xf32>, !counts, !list) {
  // CHECK: %[[MODE:.*]], %[[GATE:.*]], %{{.*}}, %[[COUNTS1:.*]] = chimera.route [full, identity]
  %mode, %gate, %p, %counts1 = chimera.route [full, identity] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, temperature = 1.0 : f64, max_tokens = array<i64: 0, -1>}
      : tensor<?x2xf32>, tensor<2xf32> counts !counts -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  // CHECK: %[[Z:.*]] = chimera.mix [identity] routed %{{.*}}, %{{.*}} by %[[MODE]] gate %[[GATE]] rows %{{.*}} {cache_counts = array<i64: 0>}
  // CHECK-NOT: chimera.append
  // CHECK: chimera.yield %{{.*}} : tensor<?x8xf32>
  // CHECK: return %[[Z]], %[[COUNTS1]], %[[LIST]]
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate rows %rows caches %list
      {cache_counts = array<i64: 1, 0>} : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %c: !list):
    %d = chimera.append %t, %t cache %c rows %seen : tensor<?x8xf32>, tensor<?x8xf32> cache !list
    chimera.yield %t, %d : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield %t : tensor<?x8xf32>
  }
  return %z, %counts1, %list1 : tensor<?x8xf32>, !counts, !list
}

// A capacity of zero is no room either.
// CHECK-LABEL: func.func @no_capacity
// CHECK: chimera.mix [identity]
func.func @no_capacity(%x: tensor<?x8xf32>, %l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !counts, %list: !list,
                       %rows: !chimera.rows) -> (tensor<?x8xf32>, !counts, !list) {
  %mode, %gate, %p, %counts1 = chimera.route [full, identity] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, temperature = 1.0 : f64, capacity = array<f64: 0.0, 0.5>}
      : tensor<?x2xf32>, tensor<2xf32> counts !counts -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate rows %rows caches %list
      {cache_counts = array<i64: 1, 0>} : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %c: !list):
    chimera.yield %t, %c : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return %z, %counts1, %list1 : tensor<?x8xf32>, !counts, !list
}

// Where modes can be forced, a row can be put into any of them.
// CHECK-LABEL: func.func @forced
// CHECK: chimera.mix [full, identity]
func.func @forced(%x: tensor<?x8xf32>, %l: tensor<?x2xf32>, %b: tensor<2xf32>, %forced: tensor<?x1xi8>, %counts: !counts, %list: !list,
                  %rows: !chimera.rows) -> (tensor<?x8xf32>, !counts, !list) {
  %mode, %gate, %p, %counts1 = chimera.route [full, identity] %l, %b forced %forced counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, temperature = 1.0 : f64, max_tokens = array<i64: 0, -1>}
      : tensor<?x2xf32>, tensor<2xf32> forced tensor<?x1xi8> counts !counts -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate rows %rows caches %list
      {cache_counts = array<i64: 1, 0>} : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %c: !list):
    chimera.yield %t, %c : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return %z, %counts1, %list1 : tensor<?x8xf32>, !counts, !list
}

// Identity never refuses, with whatever limit.
// CHECK-LABEL: func.func @identity_last
// CHECK: chimera.mix [full, identity]
func.func @identity_last(%x: tensor<?x8xf32>, %l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !counts, %list: !list,
                         %rows: !chimera.rows) -> (tensor<?x8xf32>, !counts, !list) {
  %mode, %gate, %p, %counts1 = chimera.route [full, identity] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, temperature = 1.0 : f64, max_tokens = array<i64: -1, 0>}
      : tensor<?x2xf32>, tensor<2xf32> counts !counts -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate rows %rows caches %list
      {cache_counts = array<i64: 1, 0>} : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %c: !list):
    chimera.yield %t, %c : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return %z, %counts1, %list1 : tensor<?x8xf32>, !counts, !list
}

// -----

!ring = !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = f32>
!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = f32>
!counts = !chimera.counts<modes = 2>

// Without identity the last of the chain is swa, which takes all that full has no room for; the chain's end never goes. The
// write weights keep their columns, which are named.
// CHECK-LABEL: func.func @swa_last
// CHECK-SAME: %[[RING:[a-z0-9]+]]: !chimera.ring<{{[^>]*}}>, %[[LIST:[a-z0-9]+]]: !chimera.list
func.func @swa_last(%x: tensor<?x8xf32>, %l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !counts, %ring: !ring, %list: !list,
                    %rows: !chimera.rows) -> (tensor<?x8xf32>, !counts, !ring, !list) {
  %mode, %gate, %p, %counts1 = chimera.route [swa, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, temperature = 1.0 : f64, max_tokens = array<i64: 0, 0>}
      : tensor<?x2xf32>, tensor<2xf32> counts !counts -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  // CHECK: %[[Z:.*]], %[[RING1:.*]] = chimera.mix [swa] all {{.*}} weights %{{.*}} caches %[[RING]]
  // CHECK-SAME: {cache_counts = array<i64: 1>, log_p_modes = [#chimera<mode swa>, #chimera<mode full>]}
  // CHECK: chimera.append
  // CHECK: return %[[Z]], %{{.*}}, %[[RING1]], %[[LIST]]
  %z, %ring1, %list1 = chimera.mix [swa, full] all %x, %x by %mode gate %gate weights %p rows %rows caches %ring, %list
      {cache_counts = array<i64: 1, 1>, log_p_modes = [#chimera<mode swa>, #chimera<mode full>]}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> weights tensor<?x2xf32> caches !ring, !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %w: tensor<?xf32>, %c: !ring):
    %d = chimera.append %t, %t write %w cache %c rows %seen : tensor<?x8xf32>, tensor<?x8xf32> write tensor<?xf32> cache !ring
    %o = chimera.gather %t from %seen to %own : tensor<?x8xf32> to tensor<?x8xf32>
    chimera.yield %o, %d : tensor<?x8xf32>, !ring
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %w: tensor<?xf32>, %c: !list):
    %d = chimera.append %t, %t write %w cache %c rows %seen : tensor<?x8xf32>, tensor<?x8xf32> write tensor<?xf32> cache !list
    chimera.yield %t, %d : tensor<?x8xf32>, !list
  }
  return %z, %counts1, %ring1, %list1 : tensor<?x8xf32>, !counts, !ring, !list
}

// -----

!tail = !chimera.tail<rows = 2, channels = 8, element = f32>
!state = !chimera.state<heads = 1, dim = 1, size = 8, element = f32>
!counts = !chimera.counts<modes = 3>

// A middle mode goes: the caches of the others keep their places.
// CHECK-LABEL: func.func @middle
// CHECK-SAME: %[[STATE:[a-z0-9]+]]: !chimera.state<{{[^>]*}}>, %[[RING:[a-z0-9]+]]: !chimera.ring<{{[^>]*}}>, %[[LIST:[a-z0-9]+]]: !chimera.list
func.func @middle(%x: tensor<?x8xf32>, %l: tensor<?x3xf32>, %b: tensor<3xf32>, %counts: !counts, %state: !state,
                  %ring: !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>,
                  %list: !chimera.list<heads = 2, dim = 4, element = f32, weights = none>, %rows: !chimera.rows)
    -> (tensor<?x8xf32>, !counts, !state, !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>,
        !chimera.list<heads = 2, dim = 4, element = f32, weights = none>) {
  %mode, %gate, %p, %counts1 = chimera.route [ssm, swa, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, temperature = 1.0 : f64, max_tokens = array<i64: -1, 0, 5>}
      : tensor<?x3xf32>, tensor<3xf32> counts !counts -> tensor<?xi8>, tensor<?xf32>, tensor<?x3xf32>
  // CHECK: %[[Z:.*]], %[[NEW:.*]]:2 = chimera.mix [ssm, full] routed {{.*}} caches %[[STATE]], %[[LIST]] {cache_counts = array<i64: 1, 1>}
  // CHECK: return %[[Z]], %{{.*}}, %[[NEW]]#0, %[[RING]], %[[NEW]]#1
  %z, %state1, %ring1, %list1 = chimera.mix [ssm, swa, full] routed %x, %x by %mode gate %gate rows %rows caches %state, %ring, %list
      {cache_counts = array<i64: 1, 1, 1>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !state, !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>,
        !chimera.list<heads = 2, dim = 4, element = f32, weights = none> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %c: !state):
    chimera.yield %t, %c : tensor<?x8xf32>, !state
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %c: !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>):
    chimera.yield %t, %c : tensor<?x8xf32>, !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %c: !chimera.list<heads = 2, dim = 4, element = f32, weights = none>):
    chimera.yield %t, %c : tensor<?x8xf32>, !chimera.list<heads = 2, dim = 4, element = f32, weights = none>
  }
  return %z, %counts1, %state1, %ring1, %list1 : tensor<?x8xf32>, !counts, !state,
      !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>, !chimera.list<heads = 2, dim = 4, element = f32, weights = none>
}

// -----

//===----------------------------------------------------------------------===//
// Dead cache writes
//===----------------------------------------------------------------------===//

!tail = !chimera.tail<rows = 2, channels = 8, element = f32>
!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

// The new list is not used: nobody appends to it, and the old one is still read. The new tail is used, and written.
// CHECK-LABEL: func.func @dead_append
func.func @dead_append(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %tail: !tail, %list: !list,
                       %rows: !chimera.rows) -> (tensor<?x8xf32>, !tail) {
  // CHECK: ^bb0(%{{.*}}, %[[TAIL:.*]]: !chimera.tail<{{[^>]*}}>, %[[LIST:.*]]: !chimera.list<{{[^>]*}}>):
  // CHECK-NEXT: %[[O:.*]] = chimera.attend {{.*}} cache %[[LIST]]
  // CHECK-NEXT: %[[TAIL1:.*]] = chimera.shift_tail %{{.*}} tail %[[TAIL]]
  // CHECK-NEXT: chimera.yield %[[O]], %[[TAIL1]], %[[LIST]]
  %z, %tail1, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate rows %rows caches %tail, %list
      {cache_counts = array<i64: 2, 0>} : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !tail, !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %tail0: !tail, %list0: !list):
    %o = chimera.attend %t, %t, %t cache %list0 own %own rows %seen {scale = 0.5 : f64}
        : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !list -> tensor<?x8xf32>
    %list2 = chimera.append %t, %t cache %list0 rows %seen : tensor<?x8xf32>, tensor<?x8xf32> cache !list
    %tail2 = chimera.shift_tail %t tail %tail0 rows %seen : tensor<?x8xf32>, !tail
    chimera.yield %o, %tail2, %list2 : tensor<?x8xf32>, !tail, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return %z, %tail1 : tensor<?x8xf32>, !tail
}

// A scan also gives the mixer's output: it stays although its new state is not used.
// CHECK-LABEL: func.func @live_scan
// CHECK: %[[Y:.*]], %[[STATE:.*]] = chimera.lti_scan
// CHECK-NEXT: chimera.yield %[[Y]], %[[STATE]]
func.func @live_scan(%x: tensor<?x8xf32>, %d: tensor<8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>,
                     %state: !chimera.state<heads = 1, dim = 1, size = 8, element = f32>, %rows: !chimera.rows) -> tensor<?x8xf32> {
  %z, %state1 = chimera.mix [ssm, identity] routed %x, %x by %mode gate %gate rows %rows caches %state
      {cache_counts = array<i64: 1, 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !chimera.state<heads = 1, dim = 1, size = 8, element = f32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %s: !chimera.state<heads = 1, dim = 1, size = 8, element = f32>):
    %w = chimera.param "decay" : tensor<8xf32>
    %y, %s1 = chimera.lti_scan %t, %w state %s rows %seen
        : tensor<?x8xf32>, tensor<8xf32> state !chimera.state<heads = 1, dim = 1, size = 8, element = f32>
    chimera.yield %y, %s1 : tensor<?x8xf32>, !chimera.state<heads = 1, dim = 1, size = 8, element = f32>
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return %z : tensor<?x8xf32>
}

// A mix of which nothing is used goes as a whole.
// CHECK-LABEL: func.func @dead_mix
// CHECK-NEXT: return
func.func @dead_mix(%x: tensor<?x8xf32>, %rows: !chimera.rows) {
  %z = chimera.mix [identity] routed %x, %x rows %rows {cache_counts = array<i64: 0>} : tensor<?x8xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield %t : tensor<?x8xf32>
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

// Only the last write is dead: the version before it is still read, and is what the mixer gives back.
// CHECK-LABEL: func.func @dead_last_write
// CHECK: %[[LIST:.*]] = chimera.append
// CHECK-NEXT: %[[O:.*]] = chimera.attend {{.*}} cache %[[LIST]]
// CHECK-NEXT: chimera.yield %[[O]], %[[LIST]]
func.func @dead_last_write(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %list: !list, %rows: !chimera.rows)
    -> tensor<?x8xf32> {
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate rows %rows caches %list
      {cache_counts = array<i64: 1, 0>} : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %list0: !list):
    %list2 = chimera.append %t, %t cache %list0 rows %seen : tensor<?x8xf32>, tensor<?x8xf32> cache !list
    %o = chimera.attend %t, %t, %t cache %list2 own %own rows %seen {scale = 0.5 : f64}
        : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !list -> tensor<?x8xf32>
    %list3 = chimera.append %t, %t cache %list2 rows %seen : tensor<?x8xf32>, tensor<?x8xf32> cache !list
    chimera.yield %o, %list3 : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return %z : tensor<?x8xf32>
}
