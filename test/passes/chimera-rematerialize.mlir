// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What does not fit the limit is computed again in the backward half, the cheapest first; routing never is.
// RUN: chimera-opt %s --split-input-file --chimera-rematerialize="memory-limit=6150" --verify-diagnostics | FileCheck %s
// RUN: chimera-opt %s --split-input-file --chimera-rematerialize | FileCheck %s --check-prefix=FREE
// RUN: not chimera-opt %s --split-input-file --chimera-rematerialize="memory-limit=5000" 2>&1 | FileCheck %s --check-prefix=SHORT
// RUN: chimera-opt %s --split-input-file --chimera-rematerialize="memory-limit=1000000" | FileCheck %s --check-prefix=FREE

// FREE-NOT: chimera.recomputed
// SHORT: error: program 'train' needs at least 6144 bytes for a run of 8 rows, more than the memory limit of 5000

// The input of the activation, 2048 bytes, does not fit beside its result, its gradient and the loss.
// CHECK-LABEL: func.func @train
// CHECK: %[[T:.*]] = chimera.param "table"
// CHECK: %[[X:.*]] = chimera.embed %{{.*}}, %[[T]]
// CHECK: chimera.activate
// CHECK: chimera.cross_entropy
// CHECK: chimera.cross_entropy_input_grad
// CHECK: chimera.embed %{{.*}} {chimera.recomputed = {{[0-9]+}} : i64}
// CHECK: chimera.activate_grad
func.func @train(%tokens: tensor<?xi32> {chimera.step = "tokens"}, %rows: !chimera.rows {chimera.step = "rows"},
                 %targets: tensor<?xi32> {chimera.step = "targets"}, %hyper: tensor<16xf64> {chimera.step = "hyper"},
                 %leaves: tensor<18xi32> {chimera.step = "leaves"})
    -> (tensor<16x64xf32> {chimera.gradient = "table"}) attributes {chimera.differentiate, chimera.limits = array<i64: 8, 2>, chimera.training} {
  %t = chimera.param "table" : tensor<16x64xf32>
  %w = chimera.param "head" : tensor<16x64xf32>
  %x = chimera.embed %tokens, %t rows %rows : tensor<?xi32>, tensor<16x64xf32> -> tensor<?x64xf32>
  %y = chimera.activate <silu>, %x : tensor<?x64xf32>
  %lse, %scores = chimera.cross_entropy %y, %w targets %targets rows %rows
      : (tensor<?x64xf32>, tensor<16x64xf32>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  %dy = chimera.cross_entropy_input_grad %y, %w, %lse targets %targets hyper %hyper rows %rows
      : (tensor<?x64xf32>, tensor<16x64xf32>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, !chimera.rows) -> tensor<?x64xf32>
  %dx = chimera.activate_grad <silu>, %x, %dy : tensor<?x64xf32>
  %dt = chimera.embed_grad %tokens, %dx leaves %leaves : (tensor<?xi32>, tensor<?x64xf32>, tensor<18xi32>) -> tensor<16x64xf32>
  return %dt : tensor<16x64xf32>
}

// -----

// A function that is not differentiated stays as it is, whatever it takes.
// CHECK-LABEL: func.func @evaluate
// CHECK-NOT: chimera.recomputed
func.func @evaluate(%x: tensor<?x4096xf32>, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x4096xf32>
    attributes {chimera.limits = array<i64: 8, 2>, chimera.training} {
  %y = chimera.activate <silu>, %x : tensor<?x4096xf32>
  return %y : tensor<?x4096xf32>
}
