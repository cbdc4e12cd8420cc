// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every routing op survives printing and parsing, in both forms.
// RUN: chimera-opt %s | chimera-opt | FileCheck %s
// RUN: chimera-opt %s --mlir-print-op-generic | chimera-opt | FileCheck %s

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = f32>

// CHECK-LABEL: func.func @routing_ops
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>, %[[L:.*]]: tensor<?x2xf32>, %[[B:.*]]: tensor<2xf32>, %[[ROWS:.*]]: !chimera.rows
// CHECK-SAME: %[[FORCED:.*]]: tensor<?x3xi8>, %[[COUNTS:.*]]: !chimera.counts<modes = 2>, %[[LIST:.*]]: !chimera.list
func.func @routing_ops(%x: tensor<?x8xf32>, %l: tensor<?x2xf32>, %b: tensor<2xf32>, %rows: !chimera.rows {chimera.step = "rows"},
                       %forced: tensor<?x3xi8>, %counts: !chimera.counts<modes = 2>, %list: !list)
    -> (tensor<?x8xf32>, tensor<?x3xi8>, !chimera.counts<modes = 2>, !list) {
  // CHECK: %[[MODE:.*]], %[[GATE:.*]], %[[LOGP:.*]], %[[COUNTS1:.*]] = chimera.route [full, identity] %[[L]], %[[B]] forced %[[FORCED]] counts %[[COUNTS]] rows %[[ROWS]]
  // CHECK-SAME: bias_in_gate, capacity = array<f64: 5.000000e-01, 0x7FF0000000000000>
  // CHECK-SAME: max_tokens = array<i64: 3, -1>
  %mode, %gate, %log_p, %counts1 = chimera.route [full, identity] %l, %b forced %forced counts %counts rows %rows
      {layer = 1 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 0.5 : f64, bias_in_gate,
       capacity = array<f64: 0.5, 0x7FF0000000000000>, max_tokens = array<i64: 3, -1>}
      : tensor<?x2xf32>, tensor<2xf32> forced tensor<?x3xi8> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  // CHECK: %[[ONE:.*]] = chimera.constant_mode swa rows %[[ROWS]] : tensor<?xi8>
  %one = chimera.constant_mode swa rows %rows : tensor<?xi8>
  // CHECK: %[[STACK:.*]] = chimera.stack_modes %[[ONE]], %[[MODE]], %[[ONE]] : tensor<?xi8>, tensor<?xi8>, tensor<?xi8> -> tensor<?x3xi8>
  %stack = chimera.stack_modes %one, %mode, %one : tensor<?xi8>, tensor<?xi8>, tensor<?xi8> -> tensor<?x3xi8>
  // CHECK: %[[Z:.*]], %[[LIST1:.*]] = chimera.mix [full, identity] routed %[[X]], %[[X]] by %[[MODE]] gate %[[GATE]] weights %[[LOGP]] rows %[[ROWS]] caches %[[LIST]]
  // CHECK-SAME: tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> weights tensor<?x2xf32> caches !chimera.list
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate weights %log_p rows %rows caches %list
      {cache_counts = array<i64: 1, 0>, log_p_modes = [#chimera<mode full>, #chimera<mode identity>]}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> weights tensor<?x2xf32> caches !list {
  // CHECK: ^bb0(%[[T:.*]]: tensor<?x8xf32>, %[[SEEN:.*]]: !chimera.rows, %[[OWN:.*]]: !chimera.rows, %[[WRITE:.*]]: tensor<?xf32>, %{{.*}}: !chimera.list
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %write: tensor<?xf32>, %list0: !list):
    %o = chimera.attend %t, %t, %t write %write cache %list0 own %own rows %seen {scale = 0.5 : f64}
        : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> write tensor<?xf32> cache !list -> tensor<?x8xf32>
    %list2 = chimera.append %t, %t write %write cache %list0 rows %seen : tensor<?x8xf32>, tensor<?x8xf32> write tensor<?xf32> cache !list
    // CHECK: chimera.yield %{{.*}}, %{{.*}} : tensor<?x8xf32>, !chimera.list
    chimera.yield %o, %list2 : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %write: tensor<?xf32>):
    // CHECK: chimera.yield{{$}}
    chimera.yield
  }
  // CHECK: %[[INV:.*]], %[[SLICES:.*]]:2 = chimera.dispatch [full, identity] %[[MODE]] rows %[[ROWS]] : tensor<?xi8> -> tensor<?xi32>, !chimera.rows, !chimera.rows
  %inverse, %full, %identity = chimera.dispatch [full, identity] %mode rows %rows : tensor<?xi8> -> tensor<?xi32>, !chimera.rows, !chimera.rows
  // CHECK: chimera.write_weight %[[LOGP]] at 1 to %[[SLICES]]#0 : tensor<?x2xf32> -> tensor<?xf32>
  %w = chimera.write_weight %log_p at 1 to %full : tensor<?x2xf32> -> tensor<?xf32>
  %part = chimera.gather %x from %rows to %full : tensor<?x8xf32> to tensor<?x8xf32>
  // CHECK: chimera.combine [full] %[[Z]], %[[MODE]], %[[INV]], %[[GATE]], %{{.*}} : tensor<?x8xf32>, tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>
  %y = chimera.combine [full] %z, %mode, %inverse, %gate, %part : tensor<?x8xf32>, tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>
  return %y, %stack, %counts1, %list1 : tensor<?x8xf32>, tensor<?x3xi8>, !chimera.counts<modes = 2>, !list
}

// CHECK-LABEL: func.func @lone_mixer
func.func @lone_mixer(%x: tensor<?x8xf32>, %rows: !chimera.rows) -> tensor<?x8xf32> {
  // CHECK: chimera.mix [identity] all %{{.*}}, %{{.*}} rows %{{.*}} {cache_counts = array<i64: 0>} : tensor<?x8xf32> {
  %z = chimera.mix [identity] all %x, %x rows %rows {cache_counts = array<i64: 0>} : tensor<?x8xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield %t : tensor<?x8xf32>
  }
  return %z : tensor<?x8xf32>
}
