// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What training keeps between steps, and the ops of the optimizer, survive printing and parsing, in both forms.
// RUN: chimera-opt %s | chimera-opt | FileCheck %s
// RUN: chimera-opt %s --mlir-print-op-generic | chimera-opt | FileCheck %s

// CHECK-LABEL: func.func @update
// CHECK-SAME: %[[HYPER:[a-z0-9]+]]: tensor<16xf64>
func.func @update(%hyper: tensor<16xf64>) {
  // CHECK: %[[W:.*]] = chimera.training_state master "a.weight" : tensor<8x4xf32>
  %w = chimera.training_state master "a.weight" : tensor<8x4xf32>
  // CHECK: %[[G:.*]] = chimera.training_state gradient "a.weight" : tensor<8x4xf32>
  %g = chimera.training_state gradient "a.weight" : tensor<8x4xf32>
  // CHECK: %[[T:.*]] = chimera.training_state total "a.weight" : tensor<8x4xf32>
  %t = chimera.training_state total "a.weight" : tensor<8x4xf32>
  // CHECK: %[[M:.*]] = chimera.training_state moment1 "a.weight" : tensor<8x4xf32>
  %m = chimera.training_state moment1 "a.weight" : tensor<8x4xf32>
  // CHECK: %[[V:.*]] = chimera.training_state moment2 "a.weight" : tensor<8x4xf32>
  %v = chimera.training_state moment2 "a.weight" : tensor<8x4xf32>
  // CHECK: %[[GB:.*]] = chimera.training_state gradient "a.bias" : tensor<8xf64>
  %gb = chimera.training_state gradient "a.bias" : tensor<8xf64>
  // CHECK: %[[WB:.*]] = chimera.training_state master "a.bias" : tensor<8xf64>
  %wb = chimera.training_state master "a.bias" : tensor<8xf64>
  // CHECK: %[[MB:.*]] = chimera.training_state moment1 "a.bias" : tensor<8xf64>
  %mb = chimera.training_state moment1 "a.bias" : tensor<8xf64>
  // CHECK: %[[VB:.*]] = chimera.training_state moment2 "a.bias" : tensor<8xf64>
  %vb = chimera.training_state moment2 "a.bias" : tensor<8xf64>
  // CHECK: chimera.accumulate %[[G]], %[[T]] : tensor<8x4xf32>
  chimera.accumulate %g, %t : tensor<8x4xf32>
  // CHECK: %[[ONE:.*]] = chimera.squared_norm %[[G]] : (tensor<8x4xf32>) -> tensor<1xf64>
  %one = chimera.squared_norm %g : (tensor<8x4xf32>) -> tensor<1xf64>
  // CHECK: %[[N:.*]] = chimera.squared_norm %[[G]], %[[GB]] : (tensor<8x4xf32>, tensor<8xf64>) -> tensor<1xf64>
  %n = chimera.squared_norm %g, %gb : (tensor<8x4xf32>, tensor<8xf64>) -> tensor<1xf64>
  // CHECK: chimera.adamw %[[G]], %[[W]], %[[M]], %[[V]] norm %[[N]] hyper %[[HYPER]] {decays, router}
  // CHECK-SAME: : tensor<8x4xf32>, tensor<1xf64>, tensor<16xf64>
  chimera.adamw %g, %w, %m, %v norm %n hyper %hyper {decays, router} : tensor<8x4xf32>, tensor<1xf64>, tensor<16xf64>
  // CHECK: chimera.adamw %[[GB]], %[[WB]], %[[MB]], %[[VB]] norm %[[ONE]] hyper %[[HYPER]]
  // CHECK-SAME: : tensor<8xf64>, tensor<1xf64>, tensor<16xf64>
  chimera.adamw %gb, %wb, %mb, %vb norm %one hyper %hyper : tensor<8xf64>, tensor<1xf64>, tensor<16xf64>
  return
}
