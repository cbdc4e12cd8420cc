// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One function a phase from @model, each with its limits; the model itself goes.
// RUN: chimera-opt %s --split-input-file --chimera-specialize-phases="max-tokens=32 max-seqs=4" --verify-diagnostics | FileCheck %s
// RUN: chimera-opt %s --split-input-file --chimera-specialize-phases --verify-diagnostics | FileCheck %s --check-prefix=DEFAULT
// RUN: not chimera-opt %s --split-input-file --chimera-specialize-phases="max-tokens=4 max-seqs=5" 2>&1 | FileCheck %s --check-prefix=SEQS
// RUN: not chimera-opt %s --split-input-file --chimera-specialize-phases="max-tokens=0 max-seqs=0" 2>&1 | FileCheck %s --check-prefix=NONE

// SEQS: error: a step must hold at least one sequence, and a row for each: got max-tokens 4 and max-seqs 5
// NONE: error: a step must hold at least one sequence, and a row for each: got max-tokens 0 and max-seqs 0

// CHECK: module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = {{\[\[}}"ssm", "full"{{\]\]}}, num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}}
// CHECK-NOT: @model
// CHECK: func.func @prefill(%[[TOKENS:.*]]: tensor<?xi32> {chimera.step = "tokens"}, %[[ROWS:.*]]: !chimera.rows {chimera.step = "rows"}, %[[COUNTS:.*]]: !chimera.counts<modes = 2> {chimera.cache = {layer = 0 : i64, mode = "route", name = "counts"}}
// CHECK-SAME: attributes {chimera.limits = array<i64: 32, 4>} {
// CHECK-NEXT: %[[TABLE:.*]] = chimera.param "embed_tokens.weight"
// CHECK-NEXT: %[[X:.*]] = chimera.embed %[[TOKENS]], %[[TABLE]] rows %[[ROWS]]
// CHECK-NEXT: return %[[X]], %[[COUNTS]]
// CHECK: func.func @decode(
// CHECK-SAME: attributes {chimera.limits = array<i64: 4, 4>, chimera.single_rows} {
// CHECK: chimera.embed
// CHECK-NOT: @model

// DEFAULT: func.func @prefill
// DEFAULT-SAME: chimera.limits = array<i64: 1024, 64>
// DEFAULT: func.func @decode
// DEFAULT-SAME: chimera.limits = array<i64: 64, 64>
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {
  func.func @model(%tokens: tensor<?xi32> {chimera.step = "tokens"}, %rows: !chimera.rows {chimera.step = "rows"},
                   %counts: !chimera.counts<modes = 2> {chimera.cache = {layer = 0 : i64, mode = "route", name = "counts"}})
      -> (tensor<?x8xf32>, !chimera.counts<modes = 2>) {
    %table = chimera.param "embed_tokens.weight" : tensor<16x8xf32>
    %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<16x8xf32> -> tensor<?x8xf32>
    return %x, %counts : tensor<?x8xf32>, !chimera.counts<modes = 2>
  }
}

// -----

// expected-error @+1 {{has no function @model to specialise}}
module {
  func.func @other() {
    return
  }
}

// -----

// expected-error @+1 {{has no function @model to specialise}}
module {
  func.func @prefill() attributes {chimera.limits = array<i64: 32, 4>} {
    return
  }
}

// -----

// expected-error @+1 {{has no function @model to specialise}}
module {
  func.func private @model(!chimera.rows)
}
