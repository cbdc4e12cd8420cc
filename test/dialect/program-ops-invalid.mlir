// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is wrong with a call, a program or a launch is said where it is.
// RUN: chimera-opt %s --split-input-file --verify-diagnostics

func.func @call_order(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'chimera.call' op order names value 2 of 2}}
  %y = chimera.call @k(%x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "chimera.activate", layer = 0 : i64, order = array<i64: 0, 2>} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @call_negative_order(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{order names value -1 of 2}}
  %y = chimera.call @k(%x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "chimera.activate", layer = 0 : i64, order = array<i64: -1>} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @call_updated(%r: !chimera.rows) {
  // expected-error @+1 {{updated names input 0, which is not a cache or a tensor}}
  %y = chimera.call @k(%r) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "chimera.activate", layer = 0 : i64, order = array<i64: 0>, updated = array<i64: 0>} : (!chimera.rows) -> tensor<?x8xf32>
  return
}

// -----

func.func @call_cache_result(%c: !chimera.counts<modes = 2>) {
  // expected-error @+1 {{its cache results must be the new versions of its updated inputs}}
  %c1 = chimera.call @k(%c) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "chimera.route", layer = 0 : i64, order = array<i64: 0>} : (!chimera.counts<modes = 2>) -> !chimera.counts<modes = 2>
  return
}

// -----

chimera.program @launch_count arena 64 limits 4, 4 logits [0, 4] routing [0, 4] {
  // expected-error @+1 {{count names buffer 1 of 1}}
  chimera.launch @k grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      [#chimera.buffer<step, 0, 0, "seq_start">] {op = "a", layer = 0 : i64, count = 1 : i64}
}

// -----

func.func @call_updated_range(%c: !chimera.counts<modes = 2>) {
  // expected-error @+1 {{updated names input 1, which is not a cache or a tensor}}
  %y = chimera.call @k(%c) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "chimera.route", layer = 0 : i64, order = array<i64: 0>, updated = array<i64: 1>}
      : (!chimera.counts<modes = 2>) -> !chimera.counts<modes = 2>
  return
}

// -----

func.func @call_version_missing(%c: !chimera.counts<modes = 2>) {
  // expected-error @+1 {{its last results must be the new versions of its updated inputs}}
  chimera.call @k(%c) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "chimera.route", layer = 0 : i64, order = array<i64: 0>, updated = array<i64: 0>} : (!chimera.counts<modes = 2>) -> ()
  return
}

// -----

func.func @call_version_type(%c: !chimera.counts<modes = 2>) {
  // expected-error @+1 {{its last results must be the new versions of its updated inputs}}
  %c1 = chimera.call @k(%c) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "chimera.route", layer = 0 : i64, order = array<i64: 0>, updated = array<i64: 0>}
      : (!chimera.counts<modes = 2>) -> !chimera.counts<modes = 3>
  return
}

// -----

func.func @call_grid(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{a grid's divisor must be at least 1, got 0}}
  %y = chimera.call @k(%x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 0>
      {op = "chimera.activate", layer = 0 : i64, order = array<i64: 0, 1>} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @slice_rows(%index: tensor<?xi64>, %start: tensor<?xi32>, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.slice_rows' op operand #0 must be 1D tensor of 32-bit signless integer values}}
  %r = chimera.slice_rows %index, %start of %rows : tensor<?xi64>, tensor<?xi32>
  return
}

// -----

// expected-error @+1 {{'chimera.program' op must hold at least one row and one sequence}}
chimera.program @tokens arena 64 limits 0, 1 logits [0, 64] routing [0, 0] {
}

// -----

// expected-error @+1 {{logits must be an offset and a size within the arena's 64 bytes}}
chimera.program @logits arena 64 limits 1, 1 logits [32, 64] routing [0, 0] {
}

// -----

// expected-error @+1 {{logits must be an offset and a size within the arena's 64 bytes}}
chimera.program @logits_length arena 64 limits 1, 1 logits [32] routing [0, 0] {
}

// -----

// expected-error @+1 {{routing must be an offset and a size within the arena's 64 bytes}}
chimera.program @routing arena 64 limits 1, 1 logits [0, 64] routing [-1, 1] {
}

// -----

// expected-error @+1 {{routing must be an offset and a size within the arena's 64 bytes}}
chimera.program @routing_overflow arena 64 limits 1, 1 logits [0, 64] routing [64, 9223372036854775807] {
}

// -----

chimera.program @body arena 64 limits 1, 1 logits [0, 64] routing [0, 0] {
  // expected-error @+1 {{a program holds only launches}}
  %w = chimera.param "w" : tensor<4xf32>
}

// -----

func.func @launch_outside() {
  // expected-error @+1 {{'chimera.launch' op expects parent op 'chimera.program'}}
  chimera.launch @k grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1> [] {op = "chimera.activate", layer = 0 : i64}
  return
}

// -----

chimera.program @arena arena 64 limits 1, 1 logits [0, 64] routing [0, 0] {
  // expected-error @+1 {{'chimera.launch' op buffer #1 is not within the arena's 64 bytes}}
  chimera.launch @k grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      [#chimera.buffer<arena, 0, 64, "">, #chimera.buffer<arena, 32, 64, "">] {op = "chimera.activate", layer = 0 : i64}
}

// -----

chimera.program @arena_overflow arena 64 limits 1, 1 logits [0, 64] routing [0, 0] {
  // expected-error @+1 {{buffer #0 is not within the arena's 64 bytes}}
  chimera.launch @k grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      [#chimera.buffer<arena, 9223372036854775807, 9223372036854775807, "">] {op = "chimera.activate", layer = 0 : i64}
}

// -----

chimera.program @negative arena 64 limits 1, 1 logits [0, 64] routing [0, 0] {
  // expected-error @+1 {{buffer #0 is not within the arena's 64 bytes}}
  chimera.launch @k grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      [#chimera.buffer<param, -1, 0, "">] {op = "chimera.activate", layer = 0 : i64}
}

// -----

chimera.program @step_name arena 64 limits 1, 1 logits [0, 64] routing [0, 0] {
  // expected-error @+1 {{buffer #0: a step buffer has a name, and no other has}}
  chimera.launch @k grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      [#chimera.buffer<step, 0, 0, "">] {op = "chimera.activate", layer = 0 : i64}
}

// -----

chimera.program @param_name arena 64 limits 1, 1 logits [0, 64] routing [0, 0] {
  // expected-error @+1 {{buffer #0: a step buffer has a name, and no other has}}
  chimera.launch @k grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      [#chimera.buffer<param, 0, 0, "w">] {op = "chimera.activate", layer = 0 : i64}
}

// -----

// expected-error @+1 {{must hold at least one row and one sequence}}
chimera.program @seqs arena 64 limits 1, -1 logits [0, 64] routing [0, 0] {
}

// -----

func.func @call_scalar_result(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{result #0 must be a tensor of numbers with one entry a row, or a cache, got 'tensor<f32>'}}
  %y = chimera.call @k(%x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = 0 : i64, order = array<i64: 0, 1>} : (tensor<?x8xf32>) -> tensor<f32>
  return
}

// -----

func.func @call_unranked_result(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{result #0 must be a tensor of numbers with one entry a row, or a cache, got 'tensor<*xf32>'}}
  %y = chimera.call @k(%x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = 0 : i64, order = array<i64: 0, 1>} : (tensor<?x8xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @call_complex_result(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{result #0 must be a tensor of numbers with one entry a row, or a cache, got 'tensor<?x4xcomplex<f32>>'}}
  %y = chimera.call @k(%x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = 0 : i64, order = array<i64: 0, 1>} : (tensor<?x8xf32>) -> tensor<?x4xcomplex<f32>>
  return
}

// -----

func.func @call_rows_result(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{result #0 must be a tensor of numbers with one entry a row, or a cache, got '!chimera.rows'}}
  %y = chimera.call @k(%x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = 0 : i64, order = array<i64: 0, 1>} : (tensor<?x8xf32>) -> !chimera.rows
  return
}

// -----

func.func @call_input(%x: i32) {
  // expected-error @+1 {{input #0 must be a tensor, rows, packed weights or a cache, got 'i32'}}
  %y = chimera.call @k(%x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = 0 : i64, order = array<i64: 0, 1>} : (i32) -> tensor<?x8xf32>
  return
}

// -----

func.func @call_starts(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{starts names value 2 of 2}}
  %y = chimera.call @k(%x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = 0 : i64, order = array<i64: 0, 1>, starts = array<i64: 2>} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @call_updated_twice(%c: !chimera.counts<modes = 2>) {
  // expected-error @+1 {{updated names input 0 twice}}
  %c1, %c2 = chimera.call @k(%c) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = 0 : i64, order = array<i64: 0>, updated = array<i64: 0, 0>} : (!chimera.counts<modes = 2>) -> (!chimera.counts<modes = 2>, !chimera.counts<modes = 2>)
  return
}

// -----

// expected-error @+1 {{arena must not be negative, got -64}}
chimera.program @arena arena -64 limits 1, 1 logits [0, 0] routing [0, 0] {
}

// -----

// expected-error @+1 {{its body takes no arguments}}
"chimera.program"() <{sym_name = "p", arena_bytes = 64 : i64, max_tokens = 1 : i64, max_seqs = 1 : i64, logits = array<i64: 0, 0>, routing = array<i64: 0, 0>}> ({
^bb0(%a: i32):
}) : () -> ()

// -----

// expected-error @+1 {{'chimera.program' op needs logits and routing, or results by name}}
chimera.program @nothing arena 64 limits 1, 1 {
}

// -----

// expected-error @+1 {{needs logits and routing, or results by name}}
chimera.program @no_routing arena 64 limits 1, 1 logits [0, 64] {
}

// -----

// expected-error @+1 {{'chimera.program' op loss must be an offset and a size within the arena's 64 bytes}}
chimera.program @result arena 64 limits 1, 1 results {loss = array<i64: 60, 16>} {
}

// -----

// expected-error @+1 {{loss must be an offset and a size within the arena's 64 bytes}}
chimera.program @result_length arena 64 limits 1, 1 results {loss = array<i64: 0, 16, 0>} {
}

// -----

// expected-error @+1 {{loss must be an offset and a size within the arena's 64 bytes}}
chimera.program @result_negative arena 64 limits 1, 1 results {loss = array<i64: -8, 16>} {
}

// -----

// expected-error @+1 {{loss must be an offset and a size within the arena's 64 bytes}}
chimera.program @result_type arena 64 limits 1, 1 results {loss = "here"} {
}

// -----

chimera.program @buffer_kind arena 64 limits 1, 1 results {} {
  // expected-error @+2 {{invalid buffer kind specification: moment3}}
  // expected-error @+1 {{failed to parse}}
  chimera.launch @k grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1> [#chimera.buffer<moment3, 0, 0, "">] {op = "k", layer = 0 : i64}
}

// -----

chimera.program @grad_index arena 64 limits 1, 1 results {} {
  // expected-error @+1 {{buffer #0 is not within the arena's 64 bytes}}
  chimera.launch @k grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1> [#chimera.buffer<grad, -1, 0, "">] {op = "k", layer = 0 : i64}
}

// -----

// expected-error @+1 {{exchange must be pairs of an offset and a size, and say before which launch}}
chimera.program @exchange_pairs arena 64 limits 1, 1 results {} exchange [0, 16, 32] before 0 {
}

// -----

// expected-error @+1 {{exchange must be pairs of an offset and a size, and say before which launch}}
"chimera.program"() <{sym_name = "p", arena_bytes = 64 : i64, max_tokens = 1 : i64, max_seqs = 1 : i64, results = {}, exchange = array<i64: 0, 0>}> ({
^bb0:
}) : () -> ()

// -----

// expected-error @+1 {{exchange must be an offset and a size within the arena's 64 bytes}}
chimera.program @exchange_range arena 64 limits 1, 1 results {} exchange [0, 16, 32, 64] before 0 {
}

// -----

// expected-error @+1 {{'chimera.program' op exchanges before launch 2 of 1}}
chimera.program @exchange_before arena 64 limits 1, 1 results {} exchange [0, 16] before 2 {
  chimera.launch @k grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1> [] {op = "k", layer = -1 : i64}
}

// -----

// expected-error @+1 {{exchanges before launch -1 of 0}}
chimera.program @exchange_negative arena 64 limits 1, 1 results {} exchange [] before -1 {
}

// -----

chimera.program @launch_layer arena 64 limits 1, 1 results {} {
  // expected-error @+1 {{'chimera.launch' op layer must be in -1 .. 1023, got -2}}
  chimera.launch @k grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1> [] {op = "k", layer = -2 : i64}
}

// -----

func.func @call_layer() {
  // expected-error @+1 {{'chimera.call' op layer must be in -1 .. 1023, got 1024}}
  chimera.call @k() grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1> {op = "k", layer = 1024 : i64, order = array<i64>} : () -> ()
  return
}

// -----

chimera.program @unaligned arena 128 limits 1, 1 results {} {
  // expected-error @+1 {{'chimera.launch' op buffer #0 must be at a multiple of 64, is at 32}}
  chimera.launch @k grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1> [#chimera.buffer<arena, 32, 64, "">] {op = "k", layer = -1 : i64}
}

// -----

chimera.program @step_name arena 64 limits 1, 1 results {} {
  // expected-error @+1 {{'chimera.launch' op buffer #0: a step has no array 'rows'}}
  chimera.launch @k grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1> [#chimera.buffer<step, 0, 0, "rows">] {op = "k", layer = -1 : i64}
}

// -----

func.func @group_of_i4(%w: tensor<8x8xf32>) {
  // expected-error @+1 {{'chimera.pack' op group must be 8 for i4, got 4}}
  %p = chimera.pack %w {format = "i4", panel = 8 : i64, group = 4 : i64} : tensor<8x8xf32>
  return
}

// -----

func.func @group_of_i8(%w: tensor<8x8xf32>) {
  // expected-error @+1 {{'chimera.pack' op group must divide 32 for i8, got 3}}
  %p = chimera.pack %w {format = "i8", panel = 8 : i64, group = 3 : i64} : tensor<8x8xf32>
  return
}
