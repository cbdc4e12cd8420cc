// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The discardable attributes of modules, functions, arguments, results and ops survive printing and parsing.
// RUN: chimera-opt %s | chimera-opt | FileCheck %s
// RUN: chimera-opt %s --mlir-print-op-generic | chimera-opt | FileCheck %s

!list = !chimera.list<heads = 1, dim = 4, element = f32, weights = none>
!ring = !chimera.ring<window = 4, heads = 1, dim = 4, element = f32, weights = none>
!state = !chimera.state<heads = 1, dim = 1, size = 8, element = f32>
!tail = !chimera.tail<rows = 3, channels = 8, element = f32>
!counts = !chimera.counts<modes = 3>

// CHECK: module attributes {
// CHECK-SAME: chimera.cache_block = 64 : i64
// CHECK-SAME: chimera.caches = [{layer = 0 : i64, mode = "full", name = "layers.0.full.list", type = !chimera.list<heads = 1, dim = 4, element = f32, weights = none>}]
// CHECK-SAME: chimera.model = {bos_token_id = 0 : i64, dtype = "f32", eos_token_ids = array<i64: 2, 15>, head_dim = 4 : i64, hidden_size = 8 : i64, layers = {{\[\[}}"ssm", "swa", "full"], ["identity"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, targets = [array<f64: 5.000000e-01, 2.500000e-01, 2.500000e-01>, array<f64: 1.000000e+00>], vocab_size = 16 : i64, window = 4 : i64}
// CHECK-SAME: chimera.packed = [{bytes = 256 : i64, format = "f32", group = 1 : i64, interleaved, panel = 8 : i64, parameters = array<i64: 0, 0>}]
// CHECK-SAME: chimera.parameters = [{name = "w", optional, row_permutation = array<i64: 1, 0>, source = "disk.w", source_shape = array<i64: 8>, type = tensor<2x4xf32>}, {name = "v", source_row = 3 : i64, source_shape = array<i64: 8>, type = tensor<4xf32>}]
// CHECK-SAME: chimera.trainable = ["w"]
// CHECK-SAME: chimera.unforced_layers = [1]
module attributes {
    chimera.model = {bos_token_id = 0 : i64, dtype = "f32", eos_token_ids = array<i64: 2, 15>, head_dim = 4 : i64, hidden_size = 8 : i64,
        layers = [["ssm", "swa", "full"], ["identity"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64,
        targets = [array<f64: 0.5, 0.25, 0.25>, array<f64: 1.0>], vocab_size = 16 : i64, window = 4 : i64},
    chimera.parameters = [{name = "w", type = tensor<2x4xf32>, optional, source = "disk.w", source_shape = array<i64: 8>, row_permutation = array<i64: 1, 0>},
        {name = "v", type = tensor<4xf32>, source_shape = array<i64: 8>, source_row = 3 : i64}],
    chimera.caches = [{layer = 0 : i64, mode = "full", name = "layers.0.full.list", type = !list}],
    chimera.packed = [{parameters = array<i64: 0, 0>, format = "f32", panel = 8 : i64, group = 1 : i64, interleaved, bytes = 256 : i64}],
    chimera.trainable = ["w"], chimera.unforced_layers = [1], chimera.cache_block = 64 : i64} {
  // CHECK: func.func @model(%{{.*}}: tensor<?xi32> {chimera.step = "tokens"}, %[[ROWS:.*]]: !chimera.rows {chimera.step = "rows"}, %{{.*}}: !chimera.rows {chimera.step = "outputs"}, %{{.*}}: tensor<?x2xi8> {chimera.step = "forced"}
  // CHECK-SAME: {chimera.cache = {layer = 0 : i64, mode = "token_conv", name = "a"}}
  // CHECK-SAME: {chimera.cache = {layer = 0 : i64, mode = "route", name = "b"}}
  // CHECK-SAME: {chimera.cache = {layer = 0 : i64, mode = "ssm", name = "c"}}
  // CHECK-SAME: {chimera.cache = {layer = 0 : i64, mode = "ssm", name = "d"}}
  // CHECK-SAME: {chimera.cache = {layer = 0 : i64, mode = "swa", name = "e"}}
  // CHECK-SAME: {chimera.cache = {layer = 0 : i64, mode = "full", name = "f"}}
  // CHECK-SAME: attributes {chimera.limits = array<i64: 32, 4>, chimera.single_rows}
  func.func @model(%tokens: tensor<?xi32> {chimera.step = "tokens"}, %rows: !chimera.rows {chimera.step = "rows"},
                   %outputs: !chimera.rows {chimera.step = "outputs"}, %forced: tensor<?x2xi8> {chimera.step = "forced"},
                   %a: !tail {chimera.cache = {layer = 0 : i64, mode = "token_conv", name = "a"}},
                   %b: !counts {chimera.cache = {layer = 0 : i64, mode = "route", name = "b"}},
                   %c: !tail {chimera.cache = {layer = 0 : i64, mode = "ssm", name = "c"}},
                   %d: !state {chimera.cache = {layer = 0 : i64, mode = "ssm", name = "d"}},
                   %e: !ring {chimera.cache = {layer = 0 : i64, mode = "swa", name = "e"}},
                   %f: !list {chimera.cache = {layer = 0 : i64, mode = "full", name = "f"}},
                   %logits: tensor<?x16xf32>) -> tensor<?x16xf32> attributes {chimera.limits = array<i64: 32, 4>, chimera.single_rows} {
    // CHECK: chimera.param "table" {chimera.layer = 1 : i64} : tensor<16x8xf32>
    %table = chimera.param "table" {chimera.layer = 1 : i64} : tensor<16x8xf32>
    // CHECK: chimera.embed {{.*}} {chimera.layer = 1 : i64, chimera.recomputed = 0 : i64}
    %x = chimera.embed %tokens, %table rows %rows {chimera.layer = 1 : i64, chimera.recomputed = 0 : i64} : tensor<?xi32>, tensor<16x8xf32> -> tensor<?x8xf32>
    return %logits : tensor<?x16xf32>
  }

  // CHECK: func.func private @train_soft(tensor<?xi32> {chimera.step = "targets"}, tensor<?x8xf64> {chimera.step = "noise"}, tensor<16xf64> {chimera.step = "hyper"}, tensor<2x13xf64> {chimera.step = "prices"}, tensor<18xi32> {chimera.step = "leaves"}
  // CHECK-SAME: (tensor<2xf64> {chimera.result = "loss"}, tensor<14xf64> {chimera.result = "statistics.1"}, tensor<?x2xi8> {chimera.result = "modes"}, tensor<1xf64> {chimera.result = "norm"}, tensor<2x4xf32> {chimera.gradient = "w"})
  // CHECK-SAME: chimera.differentiate, chimera.limits = array<i64: 1, 1>, chimera.soft, chimera.training
  func.func private @train_soft(tensor<?xi32> {chimera.step = "targets"}, tensor<?x8xf64> {chimera.step = "noise"}, tensor<16xf64> {chimera.step = "hyper"},
                                tensor<2x13xf64> {chimera.step = "prices"}, tensor<18xi32> {chimera.step = "leaves"})
      -> (tensor<2xf64> {chimera.result = "loss"}, tensor<14xf64> {chimera.result = "statistics.1"}, tensor<?x2xi8> {chimera.result = "modes"},
          tensor<1xf64> {chimera.result = "norm"}, tensor<2x4xf32> {chimera.gradient = "w"})
      attributes {chimera.limits = array<i64: 1, 1>, chimera.training, chimera.differentiate, chimera.soft}
}
