// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A pass that has run already says so, rather than add what is there a second time.
// RUN: not chimera-opt %s --chimera-specialize-training=keep-model --chimera-specialize-training=keep-model 2>&1 | FileCheck %s --check-prefix=TRAINING
// RUN: not chimera-opt %s --chimera-to-training --chimera-differentiate 2>&1 | FileCheck %s --check-prefix=GRADIENTS
// RUN: not chimera-opt %s --chimera-to-training --chimera-add-optimizer 2>&1 | FileCheck %s --check-prefix=OPTIMIZER
// RUN: not chimera-opt %s --chimera-to-training --chimera-lower-to-ref --chimera-lower-to-cpu 2>&1 | FileCheck %s --check-prefix=KERNELS
// RUN: not chimera-opt %s --chimera-specialize-phases --chimera-specialize-phases 2>&1 | FileCheck %s --check-prefix=MODEL
// RUN: chimera-opt %s --chimera-to-training --chimera-lower-to-ref --chimera-plan-arena --chimera-plan-arena | FileCheck %s --check-prefix=PLANNED

// TRAINING: error: there is a symbol @train_hard already, which this pass would add: has it run before?
// GRADIENTS: error: 'func.func' op gives gradients already
// OPTIMIZER: error: there is a symbol @accumulate already, which this pass would add: has it run before?
// KERNELS: error: there is a symbol @kernels already, which this pass would add: has it run before?
// MODEL: error: has no function @model to specialise
// PLANNED-COUNT-1: chimera.program @train_hard
func.func @model(%tokens: tensor<?xi32> {chimera.step = "tokens"}, %rows: !chimera.rows {chimera.step = "rows"},
                 %outputs: !chimera.rows {chimera.step = "outputs"}, %forced: tensor<?x1xi8> {chimera.step = "forced"})
    -> (tensor<?x16xf32>, tensor<?x1xi8>) {
  %table = chimera.param "embed" : tensor<16x8xf32>
  %head = chimera.param "head" : tensor<16x8xf32>
  %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<16x8xf32> -> tensor<?x8xf32>
  %g = chimera.gather %x from %rows to %outputs : tensor<?x8xf32> to tensor<?x8xf32>
  %logits = chimera.linear %g, %head : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
  %m = chimera.constant_mode full rows %rows : tensor<?xi8>
  %routing = chimera.stack_modes %m : tensor<?xi8> -> tensor<?x1xi8>
  return %logits, %routing : tensor<?x16xf32>, tensor<?x1xi8>
}
