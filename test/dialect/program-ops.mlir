// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls, slices, programs and launches survive printing and parsing, in both forms.
// RUN: chimera-opt %s | chimera-opt | FileCheck %s
// RUN: chimera-opt %s --mlir-print-op-generic | chimera-opt | FileCheck %s

!counts = !chimera.counts<modes = 2>

// CHECK-LABEL: func.func @calls
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>, %[[COUNTS:.*]]: !chimera.counts<modes = 2>, %[[ROWS:.*]]: !chimera.rows
func.func @calls(%x: tensor<?x8xf32>, %counts: !counts, %rows: !chimera.rows) -> (tensor<?x8xf32>, !counts) {
  // CHECK: %[[A:.*]] = chimera.call @silu(%[[ROWS]], %[[X]]) grid <tokens = 1, seqs = 0, outputs = 0, constant = 7, divisor = 8>
  // CHECK-SAME: {layer = -1 : i64, op = "chimera.activate", order = array<i64: 0, 1, 2>, starts = array<i64: 0>} : (!chimera.rows, tensor<?x8xf32>) -> tensor<?x8xf32>
  %a = chimera.call @silu(%rows, %x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 7, divisor = 8>
      {op = "chimera.activate", layer = -1 : i64, order = array<i64: 0, 1, 2>, starts = array<i64: 0>}
      : (!chimera.rows, tensor<?x8xf32>) -> tensor<?x8xf32>
  // CHECK: %[[R:.*]]:3 = chimera.call @route(%[[ROWS]], %[[COUNTS]], %[[A]]) grid <tokens = 0, seqs = 1, outputs = 0, constant = 0, divisor = 1>
  // CHECK-SAME: constants = array<i64: 3, 4>
  // CHECK-SAME: starts = array<i64: 4>, updated = array<i64: 1>
  // CHECK-SAME: (!chimera.rows, !chimera.counts<modes = 2>, tensor<?x8xf32>) -> (tensor<?xi32>, tensor<?xi32>, !chimera.counts<modes = 2>)
  %index, %start, %counts1 = chimera.call @route(%rows, %counts, %a) grid <tokens = 0, seqs = 1, outputs = 0, constant = 0, divisor = 1>
      {op = "chimera.route", layer = 0 : i64, order = array<i64: 0, 2, 1, 3, 4>, updated = array<i64: 1>, constants = array<i64: 3, 4>, starts = array<i64: 4>}
      : (!chimera.rows, !counts, tensor<?x8xf32>) -> (tensor<?xi32>, tensor<?xi32>, !counts)
  // CHECK: %[[PART:.*]] = chimera.slice_rows %[[R]]#0, %[[R]]#1 of %[[ROWS]] : tensor<?xi32>, tensor<?xi32>
  %part = chimera.slice_rows %index, %start of %rows : tensor<?xi32>, tensor<?xi32>
  // CHECK: chimera.gather %[[A]] from %[[ROWS]] to %[[PART]]
  %b = chimera.gather %a from %rows to %part : tensor<?x8xf32> to tensor<?x8xf32>
  return %b, %counts1 : tensor<?x8xf32>, !counts
}

// CHECK: chimera.program @decode arena 8192 limits 64, 32 logits [0, 4096] routing [4096, 64] attributes {note = "empty"} {
// CHECK-NEXT: }
chimera.program @decode arena 8192 limits 64, 32 logits [0, 4096] routing [4096, 64] attributes {note = "empty"} {
}

// CHECK: chimera.program @prefill arena 512 limits 16, 1 logits [0, 0] routing [512, 0] {
chimera.program @prefill arena 512 limits 16, 1 logits [0, 0] routing [512, 0] {
  // CHECK-NEXT: chimera.launch @silu grid <tokens = 1, seqs = 0, outputs = 2, constant = 0, divisor = 1>
  // CHECK-SAME: [#chimera.buffer<step, 0, 0, "seq_start">, #chimera.buffer<arena, 0, 256, "">, #chimera.buffer<arena, 256, 256, "">] {constants = array<i64: 3>, layer = 0 : i64, op = "chimera.activate"}
  chimera.launch @silu grid <tokens = 1, seqs = 0, outputs = 2, constant = 0, divisor = 1>
      [#chimera.buffer<step, 0, 0, "seq_start">, #chimera.buffer<arena, 0, 256, "">, #chimera.buffer<arena, 256, 256, "">]
      {op = "chimera.activate", layer = 0 : i64, constants = array<i64: 3>}
  // CHECK-NEXT: chimera.launch @nothing grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1> [] {layer = -1 : i64, op = "chimera.nothing"}
  chimera.launch @nothing grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1> [] {op = "chimera.nothing", layer = -1 : i64}
}

// A training program has results by name, in any number, and buffers of what training keeps.
// CHECK: chimera.program @train_hard arena 1024 limits 16, 2 results {loss = array<i64: 0, 16>, modes = array<i64: 1024, 0>} {
chimera.program @train_hard arena 1024 limits 16, 2 results {loss = array<i64: 0, 16>, modes = array<i64: 1024, 0>} {
  // CHECK-NEXT: chimera.launch @backward {{.*}} [#chimera.buffer<arena, 0, 16, "">, #chimera.buffer<param, 2, 0, "">, #chimera.buffer<grad, 2, 0, "">] {layer = -1 : i64, op = "chimera.column_sum"}
  chimera.launch @backward grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1>
      [#chimera.buffer<arena, 0, 16, "">, #chimera.buffer<param, 2, 0, "">, #chimera.buffer<grad, 2, 0, "">] {op = "chimera.column_sum", layer = -1 : i64}
}

// CHECK: chimera.program @accumulate arena 0 limits 1, 1 results {} {
chimera.program @accumulate arena 0 limits 1, 1 results {} {
  // CHECK-NEXT: chimera.launch @keep {{.*}} [#chimera.buffer<packed, 0, 0, "">, #chimera.buffer<total, 0, 0, "">, #chimera.buffer<moment1, 1, 0, "">, #chimera.buffer<moment2, 1, 0, "">]
  chimera.launch @keep grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1>
      [#chimera.buffer<packed, 0, 0, "">, #chimera.buffer<total, 0, 0, "">, #chimera.buffer<moment1, 1, 0, "">, #chimera.buffer<moment2, 1, 0, "">]
      {op = "chimera.accumulate", layer = -1 : i64}
}

// CHECK-LABEL: func.func @in_place
func.func @in_place(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK: chimera.call @k(%{{.*}}) {{.*}} {layer = 0 : i64, op = "k", order = array<i64: 0>, updated = array<i64: 0>} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = chimera.call @k(%x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = 0 : i64, order = array<i64: 0>, updated = array<i64: 0>} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// What ranks sum before a launch.
// CHECK: chimera.program @train_soft arena 256 limits 1, 1 results {loss = array<i64: 0, 16>} exchange [64, 128, 192, 64] before 0 {
// CHECK-NEXT: }
chimera.program @train_soft arena 256 limits 1, 1 results {loss = array<i64: 0, 16>} exchange [64, 128, 192, 64] before 0 {
}
