// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A mix becomes one permutation of the rows, each mixer on its slice, and a combination.
// RUN: chimera-opt %s --split-input-file --chimera-dispatch-mix --verify-diagnostics | FileCheck %s

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>
!tail = !chimera.tail<rows = 2, channels = 8, element = f32>

// Under the policy "routed" a mode sees its own rows. An identity that skips has no output to combine.
// CHECK-LABEL: func.func @routed
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>, %[[H:[a-z0-9]+]]: tensor<?x8xf32>, %[[MODE:[a-z0-9]+]]: tensor<?xi8>, %[[GATE:[a-z0-9]+]]: tensor<?xf32>
// CHECK-SAME: %[[TAIL:[a-z0-9]+]]: !chimera.tail<{{[^>]*}}>, %[[LIST:[a-z0-9]+]]: !chimera.list<{{[^>]*}}>, %[[ROWS:[a-z0-9]+]]: !chimera.rows
func.func @routed(%x: tensor<?x8xf32>, %h: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %tail: !tail, %list: !list,
                  %rows: !chimera.rows {chimera.step = "rows"}) -> (tensor<?x8xf32>, !tail, !list) {
  // CHECK-NEXT: %[[INVERSE:.*]], %[[SLICES:.*]]:3 = chimera.dispatch [ssm, full, identity] %[[MODE]] rows %[[ROWS]]
  // CHECK-NEXT: %[[T0:.*]] = chimera.gather %[[H]] from %[[ROWS]] to %[[SLICES]]#0
  // CHECK-NEXT: %[[O0:.*]] = chimera.activate <silu>, %[[T0]]
  // CHECK-NEXT: %[[TAIL1:.*]] = chimera.shift_tail %[[T0]] tail %[[TAIL]] rows %[[SLICES]]#0
  // CHECK-NEXT: %[[T1:.*]] = chimera.gather %[[H]] from %[[ROWS]] to %[[SLICES]]#1
  // CHECK-NEXT: %[[O1:.*]] = chimera.attend %[[T1]], %[[T1]], %[[T1]] cache %[[LIST]] own %[[SLICES]]#1 rows %[[SLICES]]#1
  // CHECK-NEXT: %[[LIST1:.*]] = chimera.append %[[T1]], %[[T1]] cache %[[LIST]] rows %[[SLICES]]#1
  // CHECK-NEXT: chimera.gather %[[H]] from %[[ROWS]] to %[[SLICES]]#2
  // CHECK-NEXT: %[[Z:.*]] = chimera.combine [ssm, full] %[[X]], %[[MODE]], %[[INVERSE]], %[[GATE]], %[[O0]], %[[O1]]
  // CHECK-NEXT: return %[[Z]], %[[TAIL1]], %[[LIST1]]
  %z, %tail1, %list1 = chimera.mix [ssm, full, identity] routed %x, %h by %mode gate %gate rows %rows caches %tail, %list
      {cache_counts = array<i64: 1, 1, 0>} : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !tail, !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %c: !tail):
    %o = chimera.activate <silu>, %t : tensor<?x8xf32>
    %d = chimera.shift_tail %t tail %c rows %seen : tensor<?x8xf32>, !tail
    chimera.yield %o, %d : tensor<?x8xf32>, !tail
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %c: !list):
    %o = chimera.attend %t, %t, %t cache %c own %own rows %seen {scale = 0.5 : f64}
        : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !list -> tensor<?x8xf32>
    %d = chimera.append %t, %t cache %c rows %seen : tensor<?x8xf32>, tensor<?x8xf32> cache !list
    chimera.yield %o, %d : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return %z, %tail1, %list1 : tensor<?x8xf32>, !tail, !list
}

// -----

!ring = !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>
!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

// Under the policy "all" swa sees the whole batch, with nothing to gather, and answers for its own rows; full sees its own.
// CHECK-LABEL: func.func @all
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>, %[[MODE:[a-z0-9]+]]: tensor<?xi8>, %[[GATE:[a-z0-9]+]]: tensor<?xf32>
// CHECK-SAME: %[[RING:[a-z0-9]+]]: !chimera.ring<{{[^>]*}}>, %[[LIST:[a-z0-9]+]]: !chimera.list<{{[^>]*}}>, %[[ROWS:[a-z0-9]+]]: !chimera.rows
func.func @all(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %ring: !ring, %list: !list,
               %rows: !chimera.rows {chimera.step = "rows"}) -> (tensor<?x8xf32>, !ring, !list) {
  // CHECK-NEXT: %[[INVERSE:.*]], %[[SLICES:.*]]:2 = chimera.dispatch [swa, full] %[[MODE]] rows %[[ROWS]]
  // CHECK-NEXT: %[[Q:.*]] = chimera.gather %[[X]] from %[[ROWS]] to %[[SLICES]]#0
  // CHECK-NEXT: %[[O0:.*]] = chimera.attend %[[Q]], %[[X]], %[[X]] cache %[[RING]] own %[[SLICES]]#0 rows %[[ROWS]]
  // CHECK-NEXT: %[[RING1:.*]] = chimera.append %[[X]], %[[X]] cache %[[RING]] rows %[[ROWS]]
  // CHECK-NEXT: %[[T1:.*]] = chimera.gather %[[X]] from %[[ROWS]] to %[[SLICES]]#1
  // CHECK-NEXT: %[[LIST1:.*]] = chimera.append %[[T1]], %[[T1]] cache %[[LIST]] rows %[[SLICES]]#1
  // CHECK-NEXT: %[[Z:.*]] = chimera.combine [swa, full] %[[X]], %[[MODE]], %[[INVERSE]], %[[GATE]], %[[O0]], %[[T1]]
  // CHECK-NEXT: return %[[Z]], %[[RING1]], %[[LIST1]]
  %z, %ring1, %list1 = chimera.mix [swa, full] all %x, %x by %mode gate %gate rows %rows caches %ring, %list
      {cache_counts = array<i64: 1, 1>} : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !ring, !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %c: !ring):
    %q = chimera.gather %t from %seen to %own : tensor<?x8xf32> to tensor<?x8xf32>
    %o = chimera.attend %q, %t, %t cache %c own %own rows %seen {scale = 0.5 : f64}
        : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !ring -> tensor<?x8xf32>
    %d = chimera.append %t, %t cache %c rows %seen : tensor<?x8xf32>, tensor<?x8xf32> cache !ring
    chimera.yield %o, %d : tensor<?x8xf32>, !ring
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %c: !list):
    %d = chimera.append %t, %t cache %c rows %seen : tensor<?x8xf32>, tensor<?x8xf32> cache !list
    chimera.yield %t, %d : tensor<?x8xf32>, !list
  }
  return %z, %ring1, %list1 : tensor<?x8xf32>, !ring, !list
}

// -----

!ring = !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = f32>

// The write gate: each mixer gets its own column of ln p, found by name, for the rows that it sees.
// CHECK-LABEL: func.func @write_gate
// CHECK-SAME: %[[LOGP:[a-z0-9]+]]: tensor<?x3xf32>, %[[RING:[a-z0-9]+]]: !chimera.ring<{{[^>]*}}>, %[[ROWS:[a-z0-9]+]]: !chimera.rows
func.func @write_gate(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x3xf32>, %ring: !ring,
                      %rows: !chimera.rows {chimera.step = "rows"}) -> (tensor<?x8xf32>, !ring) {
  // CHECK: %{{.*}}, %[[SLICES:.*]]:2 = chimera.dispatch [swa, identity]
  // CHECK: %[[W:.*]] = chimera.write_weight %[[LOGP]] at 1 to %[[SLICES]]#0 : tensor<?x3xf32> -> tensor<?xf32>
  // CHECK: chimera.append %{{.*}}, %{{.*}} write %[[W]] cache %[[RING]] rows %[[SLICES]]#0
  // CHECK: chimera.write_weight %[[LOGP]] at 2 to %[[SLICES]]#1 : tensor<?x3xf32> -> tensor<?xf32>
  // CHECK: chimera.combine [swa, identity]
  %z, %ring1 = chimera.mix [swa, identity] routed %x, %x by %mode gate %gate weights %log_p rows %rows caches %ring
      {cache_counts = array<i64: 1, 0>, log_p_modes = [#chimera<mode ssm>, #chimera<mode swa>, #chimera<mode identity>]}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> weights tensor<?x3xf32> caches !ring {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %w: tensor<?xf32>, %c: !ring):
    %d = chimera.append %t, %t write %w cache %c rows %seen : tensor<?x8xf32>, tensor<?x8xf32> write tensor<?xf32> cache !ring
    chimera.yield %t, %d : tensor<?x8xf32>, !ring
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %w: tensor<?xf32>):
    chimera.yield %t : tensor<?x8xf32>
  }
  return %z, %ring1 : tensor<?x8xf32>, !ring
}

// -----

// With the policy "all" the write weights, too, are of all rows.
// CHECK-LABEL: func.func @write_gate_all
// CHECK-SAME: %[[LOGP:[a-z0-9]+]]: tensor<?x2xf32>, %[[ROWS:[a-z0-9]+]]: !chimera.rows
// CHECK: chimera.write_weight %[[LOGP]] at 0 to %[[ROWS]]
func.func @write_gate_all(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>,
                          %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x8xf32> {
  %z = chimera.mix [ssm, identity] all %x, %x by %mode gate %gate weights %log_p rows %rows
      {cache_counts = array<i64: 0, 0>, log_p_modes = [#chimera<mode ssm>, #chimera<mode identity>]}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> weights tensor<?x2xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %w: tensor<?xf32>):
    %o = chimera.gather %t from %seen to %own : tensor<?x8xf32> to tensor<?x8xf32>
    chimera.yield %o : tensor<?x8xf32>
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %w: tensor<?xf32>):
    chimera.yield
  }
  return %z : tensor<?x8xf32>
}

// -----

// Where every mode skips, the residual stream is the result.
// CHECK-LABEL: func.func @only_skips
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>
// CHECK-NOT: chimera.combine
// CHECK: return %[[X]]
func.func @only_skips(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %rows: !chimera.rows {chimera.step = "rows"})
    -> tensor<?x8xf32> {
  %z = chimera.mix [identity] routed %x, %x by %mode gate %gate rows %rows {cache_counts = array<i64: 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return %z : tensor<?x8xf32>
}

// -----

func.func @lone(%x: tensor<?x8xf32>, %rows: !chimera.rows) -> tensor<?x8xf32> {
  // expected-error @+1 {{'chimera.mix' op has one mode: canonicalize folds it away before dispatch}}
  %z = chimera.mix [identity] routed %x, %x rows %rows {cache_counts = array<i64: 0>} : tensor<?x8xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield %t : tensor<?x8xf32>
  }
  return %z : tensor<?x8xf32>
}
