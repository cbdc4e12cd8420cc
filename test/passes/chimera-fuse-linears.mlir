// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products with what comes before and after them.
// RUN: chimera-opt %s --chimera-fuse-linears | FileCheck %s

// Products of one input are stacked; each takes its columns. Gathered rows are read where they are.
// CHECK-LABEL: func.func @stack
// CHECK-SAME: %[[H:[a-z0-9]+]]: tensor<?x8xf32>, %[[ROWS:[a-z0-9]+]]: !chimera.rows{{.*}}, %[[OWN:[a-z0-9]+]]: !chimera.rows
// CHECK: %[[K:.*]] = chimera.param "k"
// CHECK: %[[V:.*]] = chimera.param "v"
// CHECK: %[[KV:.*]] = chimera.fused_linear %[[H]], [%[[K]], %[[V]]] gather %[[OWN]] {epilogue = #chimera.epilogue<none>} : tensor<?x8xf32>, (tensor<4x8xf32>, tensor<6x8xf32>) -> tensor<?x10xf32>
// CHECK: %[[KC:.*]] = chimera.columns %[[KV]] at 0 : tensor<?x10xf32> to tensor<?x4xf32>
// CHECK: %[[VC:.*]] = chimera.columns %[[KV]] at 4 : tensor<?x10xf32> to tensor<?x6xf32>
// CHECK: return %[[KC]], %[[VC]]
func.func @stack(%h: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %own: !chimera.rows) -> (tensor<?x4xf32>, tensor<?x6xf32>) {
  %t = chimera.gather %h from %rows to %own : tensor<?x8xf32> to tensor<?x8xf32>
  %wk = chimera.param "k" : tensor<4x8xf32>
  %k = chimera.linear %t, %wk : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32>
  %wv = chimera.param "v" : tensor<6x8xf32>
  %v = chimera.linear %t, %wv : tensor<?x8xf32>, tensor<6x8xf32> -> tensor<?x6xf32>
  return %k, %v : tensor<?x4xf32>, tensor<?x6xf32>
}

// CHECK-LABEL: func.func @glu
// CHECK: %[[A:.*]] = chimera.fused_linear %{{.*}}, [%{{.*}}, %{{.*}}] {activation = #chimera.activation<silu>, epilogue = #chimera.epilogue<glu>} : tensor<?x8xbf16>, (tensor<6x8xbf16>, tensor<6x8xbf16>) -> tensor<?x6xbf16>
// CHECK-NEXT: return %[[A]]
func.func @glu(%u: tensor<?x8xbf16>) -> tensor<?x6xbf16> {
  %wg = chimera.param "gate" : tensor<6x8xbf16>
  %g = chimera.linear %u, %wg : tensor<?x8xbf16>, tensor<6x8xbf16> -> tensor<?x6xf32>
  %wu = chimera.param "up" : tensor<6x8xbf16>
  %p = chimera.linear %u, %wu : tensor<?x8xbf16>, tensor<6x8xbf16> -> tensor<?x6xf32>
  %s = chimera.glu <silu>, %g, %p : tensor<?x6xf32>
  %a = chimera.cast %s : tensor<?x6xf32> to tensor<?x6xbf16>
  return %a : tensor<?x6xbf16>
}

// CHECK-LABEL: func.func @activate
// CHECK: chimera.fused_linear %{{.*}}, [%{{.*}}] {activation = #chimera.activation<silu>, epilogue = #chimera.epilogue<activate>}
// CHECK-NEXT: return
func.func @activate(%u: tensor<?x8xf32>) -> tensor<?x6xf32> {
  %w = chimera.param "w" : tensor<6x8xf32>
  %g = chimera.linear %u, %w : tensor<?x8xf32>, tensor<6x8xf32> -> tensor<?x6xf32>
  %s = chimera.activate <silu>, %g : tensor<?x6xf32>
  return %s : tensor<?x6xf32>
}

// The residual stream takes the sum in place at its last use.
// CHECK-LABEL: func.func @residual
// CHECK: %[[X:.*]] = chimera.activate
// CHECK: %[[Z:.*]] = chimera.fused_linear %{{.*}}, [%{{.*}}] onto %[[X]] {epilogue = #chimera.epilogue<residual>}
// CHECK-NEXT: return %[[Z]]
func.func @residual(%x0: tensor<?x8xf32>, %a: tensor<?x6xf32>) -> tensor<?x8xf32> {
  %x = chimera.activate <silu>, %x0 : tensor<?x8xf32>
  %w = chimera.param "down" : tensor<8x6xf32>
  %y = chimera.linear %a, %w : tensor<?x6xf32>, tensor<8x6xf32> -> tensor<?x8xf32>
  %z = chimera.add %x, %y : tensor<?x8xf32>
  return %z : tensor<?x8xf32>
}

// Not its last use: the sum is an op of its own.
// CHECK-LABEL: func.func @still_needed
// CHECK: chimera.fused_linear {{.*}}epilogue<none>
// CHECK: chimera.add
func.func @still_needed(%x0: tensor<?x8xf32>, %a: tensor<?x6xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %x = chimera.activate <silu>, %x0 : tensor<?x8xf32>
  %w = chimera.param "down" : tensor<8x6xf32>
  %y = chimera.linear %a, %w : tensor<?x6xf32>, tensor<8x6xf32> -> tensor<?x8xf32>
  %z = chimera.add %x, %y : tensor<?x8xf32>
  return %z, %x : tensor<?x8xf32>, tensor<?x8xf32>
}

// Each mode's product lands on the stream; a mode whose output is no product keeps a combine.
// CHECK-LABEL: func.func @combine
// CHECK-SAME: %[[GATE:[a-z0-9]+]]: tensor<?xf32>
// CHECK: %[[X:.*]] = chimera.activate
// CHECK: %[[Z0:.*]] = chimera.fused_linear %{{.*}}, [%{{.*}}] onto %[[X]] gate %[[GATE]] {epilogue = #chimera.epilogue<residual>}
// CHECK: %[[Z1:.*]] = chimera.combine [identity] %[[Z0]], %{{.*}}, %{{.*}}, %[[GATE]], %{{.*}}
// CHECK: return %[[Z1]]
func.func @combine(%x0: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x8xf32> {
  %x = chimera.activate <silu>, %x0 : tensor<?x8xf32>
  %inverse, %ssm, %identity = chimera.dispatch [ssm, identity] %mode rows %rows : tensor<?xi8> -> tensor<?xi32>, !chimera.rows, !chimera.rows
  %t = chimera.gather %x0 from %rows to %ssm : tensor<?x8xf32> to tensor<?x8xf32>
  %s = chimera.activate <silu>, %t : tensor<?x8xf32>
  %w = chimera.param "out" : tensor<8x8xf32>
  %o = chimera.linear %s, %w : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %i = chimera.gather %x0 from %rows to %identity : tensor<?x8xf32> to tensor<?x8xf32>
  %z = chimera.combine [ssm, identity] %x, %mode, %inverse, %gate, %o, %i
      : tensor<?x8xf32>, tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>
  return %z : tensor<?x8xf32>
}

// What an expert puts out is weighted and added to the rows that took it, in place, by its last product.
// CHECK-LABEL: func.func @expert
// CHECK-SAME: %[[U:[a-z0-9]+]]: tensor<?x8xf32>, %[[C:[a-z0-9]+]]: tensor<?x2xi8>, %[[W:[a-z0-9]+]]: tensor<?x2xf32>, %[[ROWS:[a-z0-9]+]]: !chimera.rows
// CHECK: %[[S:.*]]:2 = chimera.dispatch_experts %[[C]] rows %[[ROWS]]
// CHECK: %[[Z:.*]] = chimera.zeros rows %[[ROWS]]
// CHECK: %[[A:.*]] = chimera.fused_linear %[[U]], [%{{.*}}] gather %[[S]]#0 {activation = #chimera.activation<relu2>, epilogue = #chimera.epilogue<activate>}
// CHECK: %[[Y:.*]] = chimera.fused_linear %[[A]], [%{{.*}}] onto %[[Z]] gate %[[W]] {epilogue = #chimera.epilogue<residual>, gate_column = 0 : i64}
// CHECK-NEXT: return %[[Y]]
func.func @expert(%u: tensor<?x8xf32>, %chosen: tensor<?x2xi8>, %w: tensor<?x2xf32>, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x8xf32> {
  %s:2 = chimera.dispatch_experts %chosen rows %rows {count = 1 : i64} : tensor<?x2xi8> -> !chimera.rows, !chimera.rows
  %z = chimera.zeros rows %rows : tensor<?x8xf32>
  %t = chimera.gather %u from %rows to %s#0 : tensor<?x8xf32> to tensor<?x8xf32>
  %wu = chimera.param "up" : tensor<6x8xf32>
  %h = chimera.linear %t, %wu : tensor<?x8xf32>, tensor<6x8xf32> -> tensor<?x6xf32>
  %a = chimera.activate <relu2>, %h : tensor<?x6xf32>
  %wd = chimera.param "down" : tensor<8x6xf32>
  %o = chimera.linear %a, %wd : tensor<?x6xf32>, tensor<8x6xf32> -> tensor<?x8xf32>
  %y = chimera.add_expert %z, %o weights %w at 0 from %s#0 : tensor<?x8xf32>, tensor<?x2xf32>
  return %y : tensor<?x8xf32>
}

// Not where what it is added to is needed later.
// CHECK-LABEL: func.func @expert_beside
// CHECK: chimera.add_expert
func.func @expert_beside(%a: tensor<?x6xf32>, %w: tensor<?x2xf32>, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x8xf32> {
  %z = chimera.zeros rows %rows : tensor<?x8xf32>
  %wd = chimera.param "down" : tensor<8x6xf32>
  %o = chimera.linear %a, %wd : tensor<?x6xf32>, tensor<8x6xf32> -> tensor<?x8xf32>
  %y = chimera.add_expert %z, %o weights %w at 0 from %rows : tensor<?x8xf32>, tensor<?x2xf32>
  %r = chimera.add %y, %z : tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}
