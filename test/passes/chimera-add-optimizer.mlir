// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The programs that turn gradients into a step: sums of several runs, and AdamW.
// RUN: chimera-opt %s --split-input-file --chimera-add-optimizer --verify-diagnostics | FileCheck %s

// What @train_hard has gradients of is trained, in that order. Matrices decay, vectors do not; the routers' parameters have their rate.
// CHECK: module attributes {chimera.trainable = ["embed", "layers.0.norm.weight", "layers.0.router.weight", "layers.0.router.norm"]}
// CHECK-LABEL: func.func @train_hard
// CHECK-LABEL: func.func @accumulate() attributes {chimera.limits = array<i64: 1, 1>, chimera.training} {
// CHECK-NEXT: %[[G0:.*]] = chimera.training_state gradient "embed" : tensor<16x8xf32>
// CHECK-NEXT: %[[T0:.*]] = chimera.training_state total "embed" : tensor<16x8xf32>
// CHECK-NEXT: chimera.accumulate %[[G0]], %[[T0]] : tensor<16x8xf32>
// CHECK-NEXT: %[[G1:.*]] = chimera.training_state gradient "layers.0.norm.weight" : tensor<8xf32>
// CHECK-NEXT: %[[T1:.*]] = chimera.training_state total "layers.0.norm.weight" : tensor<8xf32>
// CHECK-NEXT: chimera.accumulate %[[G1]], %[[T1]] : tensor<8xf32>
// CHECK-COUNT-2: chimera.accumulate
// CHECK-NEXT: return
// CHECK-LABEL: func.func @update(
// CHECK-SAME: %[[HYPER:[a-z0-9]+]]: tensor<16xf64> {chimera.step = "hyper"}) -> (tensor<1xf64> {chimera.result = "norm"})
// CHECK-SAME: attributes {chimera.limits = array<i64: 1, 1>, chimera.training} {
// CHECK-NEXT: %[[G0:.*]] = chimera.training_state gradient "embed"
// CHECK-NEXT: %[[G1:.*]] = chimera.training_state gradient "layers.0.norm.weight"
// CHECK-NEXT: %[[G2:.*]] = chimera.training_state gradient "layers.0.router.weight"
// CHECK-NEXT: %[[G3:.*]] = chimera.training_state gradient "layers.0.router.norm"
// CHECK-NEXT: %[[N:.*]] = chimera.squared_norm %[[G0]], %[[G1]], %[[G2]], %[[G3]] : (tensor<16x8xf32>, tensor<8xf32>, tensor<2x8xf32>, tensor<8xf32>) -> tensor<1xf64>
// CHECK-NEXT: %[[W0:.*]] = chimera.training_state master "embed"
// CHECK-NEXT: %[[M0:.*]] = chimera.training_state moment1 "embed"
// CHECK-NEXT: %[[V0:.*]] = chimera.training_state moment2 "embed"
// CHECK-NEXT: chimera.adamw %[[G0]], %[[W0]], %[[M0]], %[[V0]] norm %[[N]] hyper %[[HYPER]] {decays} : tensor<16x8xf32>, tensor<1xf64>, tensor<16xf64>
// CHECK: chimera.adamw %[[G1]], %{{.*}} hyper %[[HYPER]] : tensor<8xf32>
// CHECK: chimera.adamw %[[G2]], %{{.*}} hyper %[[HYPER]] {decays, router} : tensor<2x8xf32>
// CHECK: chimera.adamw %[[G3]], %{{.*}} hyper %[[HYPER]] {router} : tensor<8xf32>
// CHECK-NEXT: return %[[N]] : tensor<1xf64>
func.func @train_hard(%a: tensor<16x8xf32>, %b: tensor<8xf32>, %c: tensor<2x8xf32>, %loss: tensor<2xf64>)
    -> (tensor<2xf64> {chimera.result = "loss"}, tensor<16x8xf32> {chimera.gradient = "embed"}, tensor<8xf32> {chimera.gradient = "layers.0.norm.weight"},
        tensor<2x8xf32> {chimera.gradient = "layers.0.router.weight"}, tensor<8xf32> {chimera.gradient = "layers.0.router.norm"}) {
  return %loss, %a, %b, %c, %b : tensor<2xf64>, tensor<16x8xf32>, tensor<8xf32>, tensor<2x8xf32>, tensor<8xf32>
}

// -----

// In f64 everything that is kept is f64.
// CHECK: chimera.training_state total "w" : tensor<4xf64>
// CHECK: chimera.squared_norm %{{.*}} : (tensor<4xf64>) -> tensor<1xf64>
// CHECK: chimera.adamw {{.*}} : tensor<4xf64>, tensor<1xf64>, tensor<16xf64>
func.func @train_hard(%a: tensor<4xf64>) -> (tensor<4xf64> {chimera.gradient = "w"}) {
  return %a : tensor<4xf64>
}

// -----

// expected-error @+1 {{has no function @train_hard with gradients}}
module {
  func.func @train_soft(%a: tensor<4xf64>) -> (tensor<4xf64> {chimera.gradient = "w"}) {
    return %a : tensor<4xf64>
  }
}

// -----

// expected-error @+1 {{has no function @train_hard with gradients}}
module {
  func.func @train_hard(%a: tensor<2xf64>) -> (tensor<2xf64> {chimera.result = "loss"}) {
    return %a : tensor<2xf64>
  }
}

// -----

// expected-error @+1 {{'func.func' op the gradient of 'w' must have a static shape, got '!chimera.rows'}}
func.func @train_hard(%a: !chimera.rows) -> (!chimera.rows {chimera.gradient = "w"}) {
  return %a : !chimera.rows
}

// -----

// expected-error @+1 {{the gradient of 'w' must have a static shape, got 'tensor<?xf64>'}}
func.func @train_hard(%a: tensor<?xf64>) -> (tensor<?xf64> {chimera.gradient = "w"}) {
  return %a : tensor<?xf64>
}
