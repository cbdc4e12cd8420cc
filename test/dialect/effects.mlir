// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Clean-up removes what only makes tensors that nobody reads, and joins what is equal; what changes a buffer that outlives the step stays.
// RUN: chimera-opt %s --canonicalize --cse | FileCheck %s
// RUN: chimera-opt %s --chimera-lower-to-ref --canonicalize --cse | FileCheck %s --check-prefix=CALLS

// A state is a name: one is enough, and none if nothing uses it. Between two norms of one gradient it is changed, so neither replaces
// the other; a norm that nobody reads goes.
// CHECK-LABEL: func.func @update
// CHECK-NEXT: %[[G:.*]] = chimera.training_state gradient "w"
// CHECK-NEXT: %[[T:.*]] = chimera.training_state total "w"
// CHECK-NEXT: %[[W:.*]] = chimera.training_state master "w"
// CHECK-NEXT: %[[M:.*]] = chimera.training_state moment1 "w"
// CHECK-NEXT: %[[V:.*]] = chimera.training_state moment2 "w"
// CHECK-NEXT: %[[N0:.*]] = chimera.squared_norm %[[G]]
// CHECK-NEXT: chimera.accumulate %[[G]], %[[T]]
// CHECK-NEXT: %[[N1:.*]] = chimera.squared_norm %[[G]]
// CHECK-NEXT: chimera.adamw %[[G]], %[[W]], %[[M]], %[[V]] norm %[[N0]]
// CHECK-NEXT: return %[[N1]]

// The same of their launches: no launch that overwrites a buffer goes, though nothing reads what it gives.
// CALLS-LABEL: func.func @update
// CALLS-COUNT-5: chimera.training_state
// CALLS-NOT: chimera.training_state
// CALLS: %[[S0:.*]] = chimera.call @chimera_sum_squares_f32(
// CALLS-NEXT: %[[N0:.*]] = chimera.call @chimera_sum_partials(%[[S0]])
// CALLS-NEXT: chimera.call @chimera_accumulate_f32(
// CALLS-NEXT: %[[S1:.*]] = chimera.call @chimera_sum_squares_f32(
// CALLS-NEXT: %[[N1:.*]] = chimera.call @chimera_sum_partials(%[[S1]])
// CALLS-NEXT: chimera.call @chimera_adamw_f32(%{{.*}}, %[[N0]],
// CALLS-NEXT: return %[[N1]]
func.func @update(%hyper: tensor<16xf64> {chimera.step = "hyper"}) -> (tensor<1xf64> {chimera.result = "norm"})
    attributes {chimera.limits = array<i64: 1, 1>, chimera.training} {
  %g = chimera.training_state gradient "w" : tensor<4xf32>
  %again = chimera.training_state gradient "w" : tensor<4xf32>
  %unused = chimera.training_state total "v" : tensor<4xf32>
  %t = chimera.training_state total "w" : tensor<4xf32>
  %w = chimera.training_state master "w" : tensor<4xf32>
  %m = chimera.training_state moment1 "w" : tensor<4xf32>
  %v = chimera.training_state moment2 "w" : tensor<4xf32>
  %n0 = chimera.squared_norm %g : (tensor<4xf32>) -> tensor<1xf64>
  %dead = chimera.squared_norm %again : (tensor<4xf32>) -> tensor<1xf64>
  chimera.accumulate %g, %t : tensor<4xf32>
  %n1 = chimera.squared_norm %again : (tensor<4xf32>) -> tensor<1xf64>
  chimera.adamw %g, %w, %m, %v norm %n0 hyper %hyper : tensor<4xf32>, tensor<1xf64>, tensor<16xf64>
  return %n1 : tensor<1xf64>
}

// A call that only makes tensors is removed if nobody reads them, and one of two equal ones is enough; one that brings a cache up to
// date stays, whether or not its new version is read, and a read of a cache that it overwrites is not moved past it.
// CHECK-LABEL: func.func @calls
// CHECK-SAME: %[[ROWS:.*]]: !chimera.rows, %[[X:.*]]: tensor<?x8xf32>, %[[C:.*]]: !chimera.counts<modes = 2>)
// CHECK-NEXT: %[[A:.*]] = chimera.call @silu(%[[ROWS]], %[[X]])
// CHECK-NEXT: chimera.call @count(%[[ROWS]], %[[C]])
// CHECK-NEXT: %[[Y:.*]] = chimera.call @add(%[[ROWS]], %[[A]], %[[A]])
// CHECK-NEXT: return %[[Y]]
func.func @calls(%rows: !chimera.rows, %x: tensor<?x8xf32>, %counts: !chimera.counts<modes = 2>) -> tensor<?x8xf32> {
  %a = chimera.call @silu(%rows, %x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "chimera.activate", layer = 0 : i64, order = array<i64: 0, 1, 2>} : (!chimera.rows, tensor<?x8xf32>) -> tensor<?x8xf32>
  %b = chimera.call @silu(%rows, %x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "chimera.activate", layer = 0 : i64, order = array<i64: 0, 1, 2>} : (!chimera.rows, tensor<?x8xf32>) -> tensor<?x8xf32>
  %dead = chimera.call @neg(%rows, %x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "chimera.activate", layer = 0 : i64, order = array<i64: 0, 1, 2>} : (!chimera.rows, tensor<?x8xf32>) -> tensor<?x8xf32>
  %peek = chimera.call @peek(%rows, %counts) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "chimera.route", layer = 0 : i64, order = array<i64: 0, 1, 2>} : (!chimera.rows, !chimera.counts<modes = 2>) -> tensor<?x8xf32>
  %new = chimera.call @count(%rows, %counts) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "chimera.route", layer = 0 : i64, order = array<i64: 0, 1>, updated = array<i64: 1>}
      : (!chimera.rows, !chimera.counts<modes = 2>) -> !chimera.counts<modes = 2>
  %y = chimera.call @add(%rows, %a, %b) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "chimera.add", layer = 0 : i64, order = array<i64: 0, 1, 2, 3>} : (!chimera.rows, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
