// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls become launches on slices of one arena; parameters, pools and page tables are numbered for all phases alike.
// RUN: chimera-opt %s --split-input-file --chimera-plan-arena --verify-diagnostics | FileCheck %s

!counts = !chimera.counts<modes = 2>
!ring = !chimera.ring<window = 4, heads = 1, dim = 2, element = bf16, weights = f32>
!listA = !chimera.list<heads = 1, dim = 2, element = f32, weights = none>
!listB = !chimera.list<heads = 2, dim = 2, element = f32, weights = none>

// Every buffer kind, in the order that the call asks for. Rows are five arrays, or their starts alone; a slice's arrays are in
// the arena; counts are pool 0, the ring pools 1 to 4, the lists tables 0 and 1 with pools 5 and 6 for their lengths. The new version of a
// cache is the cache.
// CHECK: module attributes {chimera.caches = [{layer = 0 : i64, mode = "route", name = "c", type = !chimera.counts<modes = 2>},
// CHECK-SAME: {layer = 0 : i64, mode = "swa", name = "r", type = !chimera.ring<
// CHECK-SAME: chimera.parameters = [{name = "w", optional, row_permutation = array<i64: 1, 0>, source = "disk.w", source_shape = array<i64: 4>, type = tensor<2x2xf32>}, {name = "v", source_row = 5 : i64, source_shape = array<i64: 13>, type = tensor<8xf32>}]
// CHECK-NOT: func.func
// CHECK-LABEL: chimera.program @prefill arena 832 limits 64, 4 logits [0, 512] routing [512, 64]
// CHECK-NEXT: chimera.launch @first grid <tokens = 1, seqs = 2, outputs = 3, constant = 4, divisor = 5>
// CHECK-SAME: [#chimera.buffer<step, 0, 0, "row_index">, #chimera.buffer<step, 0, 0, "seq_start">, #chimera.buffer<step, 0, 0, "row_position">, #chimera.buffer<step, 0, 0, "row_sequence">, #chimera.buffer<step, 0, 0, "seq_slot">, #chimera.buffer<step, 0, 0, "tokens">, #chimera.buffer<param, 0, 0, "">, #chimera.buffer<pool, 0, 0, "">, #chimera.buffer<arena, 512, 256, "">, #chimera.buffer<arena, 768, 20, "">]
// CHECK-SAME: {constants = array<i64: 7>, layer = 0 : i64, op = "a"}
// CHECK-NEXT: chimera.launch @second
// CHECK-SAME: [#chimera.buffer<arena, 768, 20, "">, #chimera.buffer<arena, 512, 256, "">, #chimera.buffer<arena, 768, 20, "">, #chimera.buffer<step, 0, 0, "row_position">, #chimera.buffer<step, 0, 0, "row_sequence">, #chimera.buffer<step, 0, 0, "seq_slot">, #chimera.buffer<pool, 0, 0, "">, #chimera.buffer<pool, 1, 0, "">, #chimera.buffer<pool, 2, 0, "">, #chimera.buffer<pool, 3, 0, "">, #chimera.buffer<pool, 4, 0, "">, #chimera.buffer<arena, 0, 512, "">] {count = 0 : i64, layer = -1 : i64, op = "b"}
// CHECK-NEXT: chimera.launch @third
// CHECK-SAME: [#chimera.buffer<step, 0, 0, "out_index">, #chimera.buffer<step, 0, 0, "out_start">, #chimera.buffer<step, 0, 0, "row_position">, #chimera.buffer<step, 0, 0, "row_sequence">, #chimera.buffer<step, 0, 0, "seq_slot">, #chimera.buffer<pages, 0, 0, "">, #chimera.buffer<table, 1, 0, "">, #chimera.buffer<pool, 6, 0, "">, #chimera.buffer<pages, 0, 0, "">, #chimera.buffer<table, 0, 0, "">, #chimera.buffer<pool, 5, 0, "">, #chimera.buffer<param, 1, 0, "">, #chimera.buffer<arena, 512, 64, "">] {layer = -1 : i64, op = "c"}
// CHECK-NEXT: }
func.func @prefill(%tokens: tensor<?xi32> {chimera.step = "tokens"}, %rows: !chimera.rows {chimera.step = "rows"}, %outputs: !chimera.rows {chimera.step = "outputs"},
                   %counts: !counts {chimera.cache = {layer = 0 : i64, mode = "route", name = "c"}},
                   %ring: !ring {chimera.cache = {layer = 0 : i64, mode = "swa", name = "r"}},
                   %listA: !listA {chimera.cache = {layer = 0 : i64, mode = "full", name = "a"}},
                   %listB: !listB {chimera.cache = {layer = 1 : i64, mode = "full", name = "b"}})
    -> (tensor<?x2xf32>, tensor<?x1xi8>, !counts, !ring, !listA, !listB) attributes {chimera.limits = array<i64: 64, 4>} {
  %w = chimera.param "w" {optional, source = "disk.w", source_shape = array<i64: 4>, row_permutation = array<i64: 1, 0>} : tensor<2x2xf32>
  %index, %start, %counts1 = chimera.call @first(%rows, %tokens, %w, %counts) grid <tokens = 1, seqs = 2, outputs = 3, constant = 4, divisor = 5>
      {op = "a", layer = 0 : i64, order = array<i64: 0, 1, 2, 3, 4, 5>, updated = array<i64: 3>, constants = array<i64: 7>, starts = array<i64: 5>}
      : (!chimera.rows, tensor<?xi32>, tensor<2x2xf32>, !counts) -> (tensor<?xi32>, tensor<?xi32>, !counts)
  %part = chimera.slice_rows %index, %start of %rows : tensor<?xi32>, tensor<?xi32>
  %x, %ring1 = chimera.call @second(%part, %part, %counts1, %ring) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "b", layer = -1 : i64, order = array<i64: 0, 1, 2, 3, 4>, updated = array<i64: 3>, starts = array<i64: 0>}
      : (!chimera.rows, !chimera.rows, !counts, !ring) -> (tensor<?x2xf32>, !ring)
  %v = chimera.param "v" {source_row = 5 : i64, source_shape = array<i64: 13>} : tensor<8xf32>
  %m, %listB1, %listA1 = chimera.call @third(%outputs, %listB, %listA, %v) grid <tokens = 0, seqs = 0, outputs = 1, constant = 0, divisor = 1>
      {op = "c", layer = -1 : i64, order = array<i64: 0, 1, 2, 3, 4>, updated = array<i64: 1, 2>}
      : (!chimera.rows, !listB, !listA, tensor<8xf32>) -> (tensor<?x1xi8>, !listB, !listA)
  return %x, %m, %counts1, %ring1, %listA1, %listB1 : tensor<?x2xf32>, tensor<?x1xi8>, !counts, !ring, !listA, !listB
}

// -----

// Two phases share the numbers; each has its own limits and arena. A chain needs two slices, whatever its length; what
// comes after it reuses the one that is free.
// CHECK-LABEL: chimera.program @prefill arena 2048 limits 64, 4 logits [1024, 1024] routing [0, 64]
// CHECK: chimera.launch @k {{.*}} [#chimera.buffer<param, 0, 0, "">, #chimera.buffer<arena, 0, 1024, "">]
// CHECK: chimera.launch @k {{.*}} [#chimera.buffer<arena, 0, 1024, "">, #chimera.buffer<arena, 1024, 1024, "">]
// CHECK: chimera.launch @k {{.*}} [#chimera.buffer<arena, 1024, 1024, "">, #chimera.buffer<arena, 0, 1024, "">]
// CHECK: chimera.launch @k {{.*}} [#chimera.buffer<arena, 0, 1024, "">, #chimera.buffer<arena, 1024, 1024, "">]
// CHECK: chimera.launch @m {{.*}} [#chimera.buffer<arena, 0, 64, "">]
// CHECK-LABEL: chimera.program @decode arena 128 limits 4, 4 logits [64, 64] routing [0, 4]
// CHECK: chimera.launch @k {{.*}} [#chimera.buffer<param, 1, 0, "">, #chimera.buffer<arena, 0, 64, "">]
// CHECK: chimera.launch @k {{.*}} [#chimera.buffer<arena, 0, 64, "">, #chimera.buffer<arena, 64, 64, "">]
// CHECK: chimera.launch @m {{.*}} [#chimera.buffer<arena, 0, 4, "">]
func.func @prefill() -> (tensor<?x4xf32>, tensor<?x1xi8>) attributes {chimera.limits = array<i64: 64, 4>} {
  %w = chimera.param "w" : tensor<4x4xf32>
  %a = chimera.call @k(%w) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1>} : (tensor<4x4xf32>) -> tensor<?x4xf32>
  %b = chimera.call @k(%a) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1>} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %c = chimera.call @k(%b) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1>} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %d = chimera.call @k(%c) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1>} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %m = chimera.call @m() grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "m", layer = -1 : i64, order = array<i64: 0>} : () -> tensor<?x1xi8>
  return %d, %m : tensor<?x4xf32>, tensor<?x1xi8>
}
func.func @decode() -> (tensor<?x4xf32>, tensor<?x1xi8>) attributes {chimera.limits = array<i64: 4, 4>} {
  %v = chimera.param "v" : tensor<4x4xf32>
  %a = chimera.call @k(%v) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1>} : (tensor<4x4xf32>) -> tensor<?x4xf32>
  %b = chimera.call @k(%a) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1>} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %m = chimera.call @m() grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "m", layer = -1 : i64, order = array<i64: 0>} : () -> tensor<?x1xi8>
  return %b, %m : tensor<?x4xf32>, tensor<?x1xi8>
}

// -----

// A function without limits is no phase and stays.
// CHECK-LABEL: func.func @no_phase
func.func @no_phase() {
  return
}

// -----

// expected-error @+1 {{'func.func' op is not a phase: it must return logits and routing as its first results}}
func.func @no_results() attributes {chimera.limits = array<i64: 4, 4>} {
  return
}

// -----

// expected-error @+1 {{'func.func' op its result 'logits' must be the result of a launch}}
func.func @no_launch_result(%x: tensor<?x4xf32>, %m: tensor<?x1xi8>) -> (tensor<?x4xf32>, tensor<?x1xi8>) attributes {chimera.limits = array<i64: 4, 4>} {
  return %x, %m : tensor<?x4xf32>, tensor<?x1xi8>
}

// -----

func.func @not_lowered(%x: tensor<?x4xf32>, %m: tensor<?x1xi8>) -> (tensor<?x4xf32>, tensor<?x1xi8>) attributes {chimera.limits = array<i64: 4, 4>} {
  // expected-error @+1 {{'chimera.activate' op is not a launch: lower to a target's kernels first}}
  %y = chimera.activate <silu>, %x : tensor<?x4xf32>
  return %y, %m : tensor<?x4xf32>, tensor<?x1xi8>
}

// -----

func.func @too_large() -> (tensor<?x4611686018427387904xf32>, tensor<?x1xi8>) attributes {chimera.limits = array<i64: 4, 4>} {
  // expected-error @+1 {{'chimera.call' op result #0 is too large at 4 rows a step}}
  %x, %m = chimera.call @k() grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1>} : () -> (tensor<?x4611686018427387904xf32>, tensor<?x1xi8>)
  return %x, %m : tensor<?x4611686018427387904xf32>, tensor<?x1xi8>
}

// -----

// expected-error @+1 {{argument #0 is a cache without chimera.cache = {layer, mode, name}}}
func.func @undescribed(%c: !chimera.counts<modes = 2>) attributes {chimera.limits = array<i64: 4, 4>} {
  return
}

// -----

func.func @one(%c: !chimera.counts<modes = 2> {chimera.cache = {layer = 0 : i64, mode = "route", name = "c"}}) attributes {chimera.limits = array<i64: 4, 4>} {
  return
}
// expected-error @+1 {{its caches are not those of the other phases}}
func.func @two(%c: !chimera.counts<modes = 3> {chimera.cache = {layer = 0 : i64, mode = "route", name = "c"}}) attributes {chimera.limits = array<i64: 4, 4>} {
  return
}

// -----

func.func @two_ways() attributes {chimera.limits = array<i64: 4, 4>} {
  %w = chimera.param "w" : tensor<4xf32>
  // expected-error @+1 {{'chimera.param' op parameter 'w' is used in two ways}}
  %v = chimera.param "w" : tensor<5xf32>
  return
}

// -----

func.func @unnamed(%x: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x1xi8>) attributes {chimera.limits = array<i64: 4, 4>} {
  // expected-error @+1 {{argument #0 has no chimera.step}}
  %y, %m = chimera.call @k(%x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1, 2>} : (tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x1xi8>)
  return %y, %m : tensor<?x4xf32>, tensor<?x1xi8>
}

// -----

// expected-error @+1 {{argument #0 is rows but not "rows" or "outputs"}}
func.func @unnamed_rows(%rows: !chimera.rows) -> (tensor<?x4xf32>, tensor<?x1xi8>) attributes {chimera.limits = array<i64: 4, 4>} {
  %y, %m = chimera.call @k(%rows) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1, 2>} : (!chimera.rows) -> (tensor<?x4xf32>, tensor<?x1xi8>)
  return %y, %m : tensor<?x4xf32>, tensor<?x1xi8>
}

// -----

// expected-error @+1 {{is not a phase: it must have a body of one block, which ends in a return}}
func.func private @declared() attributes {chimera.limits = array<i64: 4, 4>}

// -----

// expected-error @+1 {{is not a phase: it must have a body of one block, which ends in a return}}
func.func @blocks(%x: tensor<?x4xf32>, %m: tensor<?x1xi8>) attributes {chimera.limits = array<i64: 4, 4>} {
  cf.br ^bb1(%x, %m : tensor<?x4xf32>, tensor<?x1xi8>)
^bb1(%y: tensor<?x4xf32>, %n: tensor<?x1xi8>):
  return
}

// -----

func.func @foreign_slice(%i: tensor<?xi32>, %rows: !chimera.rows {chimera.step = "rows"}) -> (tensor<?x4xf32>, tensor<?x1xi8>)
    attributes {chimera.limits = array<i64: 4, 4>} {
  // expected-error @+1 {{'chimera.slice_rows' op its arrays must be results of launches}}
  %part = chimera.slice_rows %i, %i of %rows : tensor<?xi32>, tensor<?xi32>
  %y, %m = chimera.call @k(%part) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1, 2>} : (!chimera.rows) -> (tensor<?x4xf32>, tensor<?x1xi8>)
  return %y, %m : tensor<?x4xf32>, tensor<?x1xi8>
}

// -----

func.func @with_cache(%c: !chimera.counts<modes = 2> {chimera.cache = {layer = 0 : i64, mode = "route", name = "c"}}) attributes {chimera.limits = array<i64: 4, 4>} {
  return
}
// expected-error @+1 {{its caches are not those of the other phases}}
func.func @without_cache() attributes {chimera.limits = array<i64: 4, 4>} {
  return
}

// -----

func.func @without_cache_first() attributes {chimera.limits = array<i64: 4, 4>} {
  return
}
// expected-error @+1 {{its caches are not those of the other phases}}
func.func @with_cache_later(%c: !chimera.counts<modes = 2> {chimera.cache = {layer = 0 : i64, mode = "route", name = "c"}}) attributes {chimera.limits = array<i64: 4, 4>} {
  return
}

// -----

// A call that overwrites a tensor gives its bytes a new name; packed weights are numbered, equal ones once.
// CHECK: chimera.packed = [{bytes = 1024 : i64, format = "f32", group = 1 : i64, panel = 16 : i64, parameters = array<i64: 0, 1>}]
// CHECK-LABEL: chimera.program @in_place arena 192 limits 4, 4 logits [0, 128] routing [128, 4]
// CHECK-NEXT: chimera.launch @first {{.*}}#chimera.buffer<arena, 0, 128, "">, #chimera.buffer<arena, 128, 4, "">]
// CHECK-NEXT: chimera.launch @second {{.*}}[#chimera.buffer<packed, 0, 0, "">, #chimera.buffer<arena, 0, 128, "">]
// CHECK-NEXT: chimera.launch @second {{.*}}[#chimera.buffer<packed, 0, 0, "">, #chimera.buffer<arena, 0, 128, "">]
func.func @in_place(%rows: !chimera.rows {chimera.step = "rows"}) -> (tensor<?x8xf32>, tensor<?x1xi8>) attributes {chimera.limits = array<i64: 4, 4>} {
  %a = chimera.param "a" : tensor<4x8xf32>
  %b = chimera.param "b" : tensor<20x8xf32>
  %w = chimera.pack %a, %b {format = "f32", panel = 16 : i64, group = 1 : i64} : tensor<4x8xf32>, tensor<20x8xf32>
  %v = chimera.pack %a, %b {format = "f32", panel = 16 : i64, group = 1 : i64} : tensor<4x8xf32>, tensor<20x8xf32>
  %x, %m = chimera.call @first(%rows) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "a", layer = -1 : i64, order = array<i64: 0, 1, 2>} : (!chimera.rows) -> (tensor<?x8xf32>, tensor<?x1xi8>)
  %y = chimera.call @second(%w, %x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "b", layer = -1 : i64, order = array<i64: 0, 1>, updated = array<i64: 1>} : (!chimera.packed, tensor<?x8xf32>) -> tensor<?x8xf32>
  %z = chimera.call @second(%v, %y) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "b", layer = -1 : i64, order = array<i64: 0, 1>, updated = array<i64: 1>} : (!chimera.packed, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %z, %m : tensor<?x8xf32>, tensor<?x1xi8>
}

// -----

func.func @overwritten_too_early(%rows: !chimera.rows {chimera.step = "rows"}) -> (tensor<?x8xf32>, tensor<?x1xi8>) attributes {chimera.limits = array<i64: 4, 4>} {
  %x, %m = chimera.call @first(%rows) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "a", layer = -1 : i64, order = array<i64: 0, 1, 2>} : (!chimera.rows) -> (tensor<?x8xf32>, tensor<?x1xi8>)
  // expected-error @+1 {{overwrites a tensor that is still needed}}
  %y = chimera.call @second(%x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "b", layer = -1 : i64, order = array<i64: 0>, updated = array<i64: 0>} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  // expected-note @+1 {{here}}
  return %x, %m : tensor<?x8xf32>, tensor<?x1xi8>
}

// -----

// Training: phases of inference come first and have the parameters' lower numbers, wherever they stand. Results are slices by
// name; gradients live in buffers of their own, by the parameters' numbers, and may be read by launches; what is kept of a
// parameter has its kind's buffer, and a new version is the same one. The master of "w" is wider than what inference reads.
// CHECK: module attributes {chimera.caches = [{layer = 0 : i64, mode = "route", name = "c"
// CHECK-SAME: chimera.parameters = [{name = "w", type = tensor<4x4xbf16>}, {name = "v", type = tensor<4xf32>}]
// CHECK-LABEL: chimera.program @train_hard arena 256 limits 8, 2 results {loss = array<i64: 128, 16>, modes = array<i64: 192, 8>} {
// CHECK-NEXT: chimera.launch @forward {{.*}} [#chimera.buffer<step, 0, 0, "targets">, #chimera.buffer<param, 1, 0, "">, #chimera.buffer<param, 0, 0, "">, #chimera.buffer<arena, 0, 128, "">, #chimera.buffer<arena, 192, 8, "">]
// CHECK-NEXT: chimera.launch @backward {{.*}} [#chimera.buffer<arena, 0, 128, "">, #chimera.buffer<grad, 1, 0, "">, #chimera.buffer<grad, 0, 0, "">, #chimera.buffer<arena, 128, 16, "">]
// CHECK-NEXT: chimera.launch @more {{.*}} [#chimera.buffer<grad, 1, 0, "">, #chimera.buffer<arena, 0, 64, "">]
// CHECK-NEXT: {{^ *[}]$}}
// CHECK-LABEL: chimera.program @update arena 64 limits 1, 1 results {norm = array<i64: 0, 8>} {
// CHECK-NEXT: chimera.launch @sum {{.*}} [#chimera.buffer<grad, 0, 0, "">, #chimera.buffer<grad, 1, 0, "">, #chimera.buffer<arena, 0, 8, "">]
// CHECK-NEXT: chimera.launch @adamw {{.*}} [#chimera.buffer<step, 0, 0, "hyper">, #chimera.buffer<arena, 0, 8, "">, #chimera.buffer<param, 0, 0, "">, #chimera.buffer<moment1, 0, 0, "">, #chimera.buffer<moment2, 0, 0, "">]
// CHECK-NEXT: chimera.launch @again {{.*}} [#chimera.buffer<moment1, 0, 0, "">]
// CHECK-NEXT: {{^ *[}]$}}
// CHECK-LABEL: chimera.program @accumulate arena 0 limits 1, 1 results {} {
// CHECK-NEXT: chimera.launch @accumulate {{.*}} [#chimera.buffer<grad, 1, 0, "">, #chimera.buffer<total, 1, 0, "">]
// CHECK-NEXT: {{^ *[}]$}}
// CHECK-LABEL: chimera.program @decode
// CHECK-SAME: logits [
// CHECK-NOT: func.func
func.func @train_hard(%targets: tensor<?xi32> {chimera.step = "targets"}, %rows: !chimera.rows {chimera.step = "rows"})
    -> (tensor<2xf64> {chimera.result = "loss"}, tensor<?x1xi8> {chimera.result = "modes"}, tensor<4xf32> {chimera.gradient = "v"}, tensor<4x4xf32> {chimera.gradient = "w"})
    attributes {chimera.limits = array<i64: 8, 2>, chimera.training} {
  %v = chimera.param "v" : tensor<4xf32>
  %w = chimera.param "w" : tensor<4x4xf32>
  %x, %m = chimera.call @forward(%targets, %v, %w) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "f", layer = -1 : i64, order = array<i64: 0, 1, 2, 3, 4>} : (tensor<?xi32>, tensor<4xf32>, tensor<4x4xf32>) -> (tensor<?x4xf32>, tensor<?x1xi8>)
  %dv, %dw, %loss = chimera.call @backward(%x) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "b", layer = -1 : i64, order = array<i64: 0, 1, 2, 3>} : (tensor<?x4xf32>) -> (tensor<4xf32>, tensor<4x4xf32>, tensor<2xf64>)
  %y = chimera.call @more(%dv) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "m", layer = -1 : i64, order = array<i64: 0, 1>} : (tensor<4xf32>) -> tensor<4x4xf32>
  return %loss, %m, %dv, %dw : tensor<2xf64>, tensor<?x1xi8>, tensor<4xf32>, tensor<4x4xf32>
}
func.func @update(%hyper: tensor<16xf64> {chimera.step = "hyper"}) -> (tensor<1xf64> {chimera.result = "norm"})
    attributes {chimera.limits = array<i64: 1, 1>, chimera.training} {
  %gw = chimera.training_state gradient "w" : tensor<4x4xf32>
  %gv = chimera.training_state gradient "v" : tensor<4xf32>
  %w = chimera.training_state master "w" : tensor<4x4xf32>
  %m = chimera.training_state moment1 "w" : tensor<4x4xf32>
  %u = chimera.training_state moment2 "w" : tensor<4x4xf32>
  %n = chimera.call @sum(%gw, %gv) grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1>
      {op = "s", layer = -1 : i64, order = array<i64: 0, 1, 2>} : (tensor<4x4xf32>, tensor<4xf32>) -> tensor<1xf64>
  %w1, %m1, %u1 = chimera.call @adamw(%hyper, %n, %w, %m, %u) grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1>
      {op = "a", layer = -1 : i64, order = array<i64: 0, 1, 2, 3, 4>, updated = array<i64: 2, 3, 4>}
      : (tensor<16xf64>, tensor<1xf64>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>)
  %m2 = chimera.call @again(%m1) grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1>
      {op = "a", layer = -1 : i64, order = array<i64: 0>, updated = array<i64: 0>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  return %n : tensor<1xf64>
}
func.func @accumulate() attributes {chimera.limits = array<i64: 1, 1>, chimera.training} {
  %g = chimera.training_state gradient "v" : tensor<4xf32>
  %t = chimera.training_state total "v" : tensor<4xf32>
  %g1, %t1 = chimera.call @accumulate(%g, %t) grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1>
      {op = "a", layer = -1 : i64, order = array<i64: 0, 1>, updated = array<i64: 0, 1>} : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return
}
func.func @decode(%rows: !chimera.rows {chimera.step = "rows"}, %c: !chimera.counts<modes = 2> {chimera.cache = {layer = 0 : i64, mode = "route", name = "c"}})
    -> (tensor<?x4xf32>, tensor<?x1xi8>, !chimera.counts<modes = 2>) attributes {chimera.limits = array<i64: 4, 4>} {
  %w = chimera.param "w" : tensor<4x4xbf16>
  %x, %m, %c1 = chimera.call @k(%rows, %w, %c) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1, 2, 3, 4>, updated = array<i64: 2>}
      : (!chimera.rows, tensor<4x4xbf16>, !chimera.counts<modes = 2>) -> (tensor<?x4xf32>, tensor<?x1xi8>, !chimera.counts<modes = 2>)
  return %x, %m, %c1 : tensor<?x4xf32>, tensor<?x1xi8>, !chimera.counts<modes = 2>
}

// -----

// expected-error @+1 {{'func.func' op its result 'loss' must be the result of a launch}}
func.func @foreign_result(%x: tensor<16xf64> {chimera.step = "hyper"}) -> (tensor<16xf64> {chimera.result = "loss"})
    attributes {chimera.limits = array<i64: 4, 4>, chimera.training} {
  return %x : tensor<16xf64>
}

// -----

// expected-error @+1 {{its result 'norm' must be the result of a launch}}
func.func @state_result() -> (tensor<4xf32> {chimera.result = "norm"}) attributes {chimera.limits = array<i64: 1, 1>, chimera.training} {
  %w = chimera.param "w" : tensor<4xf32>
  %m = chimera.training_state moment1 "w" : tensor<4xf32>
  return %m : tensor<4xf32>
}

// -----

// expected-error @+1 {{the gradient of 'w' must be the result of a launch of its own}}
func.func @foreign_gradient() -> (tensor<4xf32> {chimera.gradient = "w"}) attributes {chimera.limits = array<i64: 4, 4>, chimera.training} {
  %w = chimera.param "w" : tensor<4xf32>
  return %w : tensor<4xf32>
}

// -----

// Equal gradients of two parameters are one value: the launch is repeated, so that each has its own.
// CHECK-LABEL: chimera.program @shared_gradient
// CHECK-NEXT: chimera.launch @k {{.*}} #chimera.buffer<grad, 0, 0, "">]
// CHECK-NEXT: chimera.launch @k {{.*}} #chimera.buffer<grad, 1, 0, "">]
// CHECK-NEXT: {{^ *[}]$}}
func.func @shared_gradient() -> (tensor<4xf32> {chimera.gradient = "w"}, tensor<4xf32> {chimera.gradient = "v"})
    attributes {chimera.limits = array<i64: 4, 4>, chimera.training} {
  %w = chimera.param "w" : tensor<4xf32>
  %v = chimera.param "v" : tensor<4xf32>
  %d = chimera.call @k(%w, %v) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1, 2>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %d, %d : tensor<4xf32>, tensor<4xf32>
}

// -----

// expected-error @+1 {{gives the gradient of 'v', which is no parameter}}
func.func @unknown_gradient() -> (tensor<4xf32> {chimera.gradient = "v"}) attributes {chimera.limits = array<i64: 4, 4>, chimera.training} {
  %w = chimera.param "w" : tensor<4xf32>
  %d = chimera.call @k(%w) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1>} : (tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// -----

func.func @unknown_state() attributes {chimera.limits = array<i64: 1, 1>, chimera.training} {
  // expected-error @+1 {{'chimera.training_state' op there is no parameter 'w'}}
  %g = chimera.training_state gradient "w" : tensor<4xf32>
  return
}

// -----

func.func @overwritten_gradient() -> (tensor<4xf32> {chimera.gradient = "w"}) attributes {chimera.limits = array<i64: 4, 4>, chimera.training} {
  %w = chimera.param "w" : tensor<4xf32>
  %d = chimera.call @k(%w) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1>} : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{overwrites input #0, which is not the result of a launch}}
  %e = chimera.call @k(%d) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0>, updated = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// -----

// expected-error @+1 {{is not a phase}}
func.func private @training_declared() attributes {chimera.limits = array<i64: 1, 1>, chimera.training}

// -----

// Parts of gradients are summed over ranks before the first launch that adds some up; a sum of sums has no part of its own.
// CHECK-LABEL: chimera.program @parts arena 256 limits 4, 4 results {} exchange [0, 16, 64, 16, 128, 16] before 1 {
// CHECK-NEXT: chimera.launch @k {{.*}} [#chimera.buffer<param, 0, 0, "">, #chimera.buffer<arena, 0, 16, "">, #chimera.buffer<arena, 64, 16, "">, #chimera.buffer<arena, 128, 16, "">]
// CHECK-NEXT: chimera.launch @sum {{.*}} [#chimera.buffer<arena, 0, 16, "">, #chimera.buffer<arena, 64, 16, "">, #chimera.buffer<arena, 192, 16, "">]
// CHECK-NEXT: chimera.launch @sum {{.*}} [#chimera.buffer<arena, 192, 16, "">, #chimera.buffer<arena, 128, 16, "">, #chimera.buffer<grad, 0, 0, "">]
func.func @parts() -> (tensor<4xf32> {chimera.gradient = "w"}) attributes {chimera.limits = array<i64: 4, 4>, chimera.training} {
  %w = chimera.param "w" : tensor<4xf32>
  %a, %b, %c = chimera.call @k(%w) grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1, 2, 3>} : (tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  %s = chimera.call @sum(%a, %b) grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1>
      {op = "chimera.sum", layer = -1 : i64, order = array<i64: 0, 1, 2>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %t = chimera.call @sum(%s, %c) grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1>
      {op = "chimera.sum", layer = -1 : i64, order = array<i64: 0, 1, 2>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %t : tensor<4xf32>
}

// -----

func.func @after_sums() -> (tensor<4xf32> {chimera.gradient = "w"}) attributes {chimera.limits = array<i64: 4, 4>, chimera.training} {
  %w = chimera.param "w" : tensor<4xf32>
  %a, %b = chimera.call @k(%w) grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1, 2>} : (tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  %s = chimera.call @sum(%a, %b) grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1>
      {op = "chimera.sum", layer = -1 : i64, order = array<i64: 0, 1, 2>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{'chimera.call' op comes after gradients were added up, which must come last}}
  %t = chimera.call @k(%s) grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1>} : (tensor<4xf32>) -> tensor<4xf32>
  return %t : tensor<4xf32>
}

// -----

func.func @sum_of_parameter() -> (tensor<4xf32> {chimera.gradient = "w"}) attributes {chimera.limits = array<i64: 4, 4>, chimera.training} {
  %w = chimera.param "w" : tensor<4xf32>
  // expected-error @+1 {{'chimera.call' op adds up what is not the result of a launch alone}}
  %s = chimera.call @sum(%w, %w) grid <tokens = 0, seqs = 0, outputs = 0, constant = 1, divisor = 1>
      {op = "chimera.sum", layer = -1 : i64, order = array<i64: 0, 1, 2>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %s : tensor<4xf32>
}

// -----

// What the attribute lists and no phase uses is numbered last; what a phase uses is as it is there.
// CHECK: module attributes {{.*}}chimera.parameters = [{name = "v", type = tensor<4xf32>}, {name = "w", type = tensor<4xbf16>}, {name = "a", source = "disk.a", type = tensor<2x3xf32>}, {name = "b", type = tensor<1xf32>}]
// CHECK: chimera.program @decode
// CHECK: chimera.launch @k {{.*}} [#chimera.buffer<param, 0, 0, "">, #chimera.buffer<param, 1, 0, "">,
module attributes {chimera.parameters = [{name = "a", source = "disk.a", type = tensor<2x3xf32>}, {name = "w", type = tensor<4xf32>}, {name = "b", type = tensor<1xf32>}]} {
  func.func @decode() -> (tensor<?x4xf32>, tensor<?x1xi8>) attributes {chimera.limits = array<i64: 4, 4>} {
    %v = chimera.param "v" : tensor<4xf32>
    %w = chimera.param "w" : tensor<4xbf16>
    %l, %r = chimera.call @k(%v, %w) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
        {op = "k", layer = -1 : i64, order = array<i64: 0, 1, 2, 3>} : (tensor<4xf32>, tensor<4xbf16>) -> (tensor<?x4xf32>, tensor<?x1xi8>)
    return %l, %r : tensor<?x4xf32>, tensor<?x1xi8>
  }
}

// -----

// expected-error @+1 {{chimera.parameters[0]: 'name' is missing}}
module attributes {chimera.parameters = [{type = tensor<4xf32>}]} {
}

// -----

// expected-error @+1 {{chimera.parameters[0] must be a dictionary, got "w"}}
module attributes {chimera.parameters = ["w"]} {
}

// -----

// expected-error @+1 {{chimera.limits must be array<i64: rows, sequences>, both at least 1}}
func.func @no_rows() attributes {chimera.limits = array<i64: 0, 4>, chimera.training} {
  return
}

// -----

// expected-error @+1 {{'func.func' op is a training program, which has no caches}}
func.func @training_cache(%c: !chimera.counts<modes = 2>) attributes {chimera.limits = array<i64: 4, 4>, chimera.training} {
  %d = chimera.call @k(%c) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0>, updated = array<i64: 0>} : (!chimera.counts<modes = 2>) -> !chimera.counts<modes = 2>
  return
}

// -----

func.func @slice_of_gradient(%rows: !chimera.rows {chimera.step = "rows"}) -> (tensor<4xi32> {chimera.gradient = "w"})
    attributes {chimera.limits = array<i64: 4, 4>, chimera.training} {
  %w = chimera.param "w" : tensor<4xf32>
  %g, %s = chimera.call @k() grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1>} : () -> (tensor<4xi32>, tensor<4xi32>)
  // expected-error @+1 {{'chimera.slice_rows' op its arrays must be results of launches}}
  %r = chimera.slice_rows %g, %s of %rows : tensor<4xi32>, tensor<4xi32>
  return %g : tensor<4xi32>
}

// -----

func.func @unknown_columns() -> (tensor<?x?xf32>, tensor<?x1xi8>) attributes {chimera.limits = array<i64: 4, 4>} {
  // expected-error @+1 {{'chimera.call' op result #0 must be of numbers, and of a known size in all but its rows, got 'tensor<?x?xf32>'}}
  %x, %m = chimera.call @k() grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1>} : () -> (tensor<?x?xf32>, tensor<?x1xi8>)
  return %x, %m : tensor<?x?xf32>, tensor<?x1xi8>
}

// -----

func.func @region(%x: tensor<?x4xf32>, %c: i1) attributes {chimera.limits = array<i64: 4, 4>, chimera.training} {
  %y = chimera.call @k() grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0>} : () -> tensor<?x4xf32>
  %z = chimera.call @k(%y) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0>, updated = array<i64: 0>} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  // expected-error @+1 {{'scf.if' op is not a launch: lower to a target's kernels first}}
  scf.if %c {
    %u = chimera.activate <silu>, %y : tensor<?x4xf32>
  }
  return
}

// -----

func.func @packed() attributes {chimera.limits = array<i64: 4, 4>, chimera.training} {
  %w = chimera.param "w" : tensor<1x9007199254740992xf32>
  // expected-error @+1 {{'chimera.pack' op its weights are too large: a matrix has more than 2^41 elements}}
  %p = chimera.pack %w {format = "f32", panel = 4096 : i64, group = 1 : i64} : tensor<1x9007199254740992xf32>
  return
}

// -----

// expected-error @+1 {{chimera.cache_block must be in 1 .. 1048576, got 0}}
module attributes {chimera.cache_block = 0 : i64} {
  func.func @prefill(%x: tensor<?x4xf32>, %m: tensor<?x1xi8>) -> (tensor<?x4xf32>, tensor<?x1xi8>) attributes {chimera.limits = array<i64: 4, 4>} {
    return %x, %m : tensor<?x4xf32>, tensor<?x1xi8>
  }
}

// -----

// The first results of a phase of inference are logits and routing, whatever else they are called.
// CHECK-LABEL: chimera.program @named arena 128 limits 4, 4 logits [0, 64] routing [64, 4]
func.func @named() -> (tensor<?x4xf32> {chimera.result = "loss"}, tensor<?x1xi8>) attributes {chimera.limits = array<i64: 4, 4>} {
  %x, %m = chimera.call @k() grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
      {op = "k", layer = -1 : i64, order = array<i64: 0, 1>} : () -> (tensor<?x4xf32>, tensor<?x1xi8>)
  return %x, %m : tensor<?x4xf32>, tensor<?x1xi8>
}
