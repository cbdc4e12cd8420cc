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
// CHECK-SAME: chimera.parameters = [{name = "w", optional, row_permutation = array<i64: 1, 0>, source = "disk.w", source_shape = array<i64: 4>, type = tensor<2x2xf32>}, {name = "v", type = tensor<8xf32>}]
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
  %v = chimera.param "v" : tensor<8xf32>
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

// expected-error @+1 {{'func.func' op is not a phase: it needs chimera.limits, and logits and routing as its first results}}
func.func @no_results() attributes {chimera.limits = array<i64: 4, 4>} {
  return
}

// -----

// expected-error @+1 {{is not a phase: it needs chimera.limits, and logits and routing as its first results}}
func.func @limits(%x: tensor<?x4xf32>, %m: tensor<?x1xi8>) -> (tensor<?x4xf32>, tensor<?x1xi8>) attributes {chimera.limits = array<i64: 4>} {
  return %x, %m : tensor<?x4xf32>, tensor<?x1xi8>
}

// -----

func.func @no_launch_result(%x: tensor<?x4xf32>, %m: tensor<?x1xi8>) -> (tensor<?x4xf32>, tensor<?x1xi8>) attributes {chimera.limits = array<i64: 4, 4>} {
  // expected-error @+1 {{logits and routing must be results of launches}}
  return %x, %m : tensor<?x4xf32>, tensor<?x1xi8>
}

// -----

func.func @not_lowered(%x: tensor<?x4xf32>, %m: tensor<?x1xi8>) -> (tensor<?x4xf32>, tensor<?x1xi8>) attributes {chimera.limits = array<i64: 4, 4>} {
  // expected-error @+1 {{'chimera.silu' op is not a launch: lower to a target's kernels first}}
  %y = chimera.silu %x : tensor<?x4xf32>
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

// expected-error @+1 {{argument #0 is a cache without chimera.cache = {layer, mode, name}}}
func.func @half_described(%c: !chimera.counts<modes = 2> {chimera.cache = {layer = 0 : i64}}) attributes {chimera.limits = array<i64: 4, 4>} {
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

// expected-error @+1 {{is not a phase: it needs chimera.limits, and logits and routing as its first results}}
func.func private @declared() attributes {chimera.limits = array<i64: 4, 4>}

// -----

// expected-error @+1 {{is not a phase: it needs chimera.limits, and logits and routing as its first results}}
func.func @limits_type() attributes {chimera.limits = 3 : i64} {
  return
}

// -----

// expected-error @+1 {{is not a phase: it needs chimera.limits, and logits and routing as its first results}}
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
