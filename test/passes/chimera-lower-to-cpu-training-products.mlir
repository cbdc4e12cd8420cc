// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products, the loss and the embedding of training become launches of cpu kernels; masters are packed by launches too.
// RUN: chimera-opt %s --chimera-lower-to-cpu=isa=avx512-bf16 | FileCheck %s

// Two products of one master share its packed form, which the first of them is preceded by; the gradient of the input
// takes it transposed.
// CHECK-LABEL: func.func @train_hard
// CHECK: %[[W:.*]] = chimera.param "w"
// CHECK: %[[P:.*]] = chimera.call @chimera_cpu_pack_f32_16x8_by16(%[[W]]) {{.*}}-> tensor<128xf32>
// CHECK: chimera.call @chimera_cpu_linear_f32_f32_f32_8x16_of8at0(%{{.*}}, %{{.*}}, %[[P]])
// CHECK-NOT: chimera_cpu_pack
// CHECK: chimera.call @chimera_cpu_linear_f32_f32_f32_8x16_of8at0(%{{.*}}, %{{.*}}, %[[P]])
// The parameter is rounded while it is packed, so no launch rounds it.
// CHECK-NOT: chimera_round
// CHECK: %[[OUT:.*]] = chimera.call @chimera_cpu_pack_bf16_32x16_by32(%[[HEAD:[a-z0-9]+]])
// CHECK: %[[LOSS:.*]]:2 = chimera.call @chimera_cpu_cross_entropy_bf16_16x32(%{{.*}}, %{{.*}}, %{{.*}}, %[[OUT]])
// One launch has both gradients of the loss; what it has of the input is parts, which another one adds.
// CHECK: %[[GRAD:.*]]:2 = chimera.call @chimera_cpu_cross_entropy_grad_bf16_16x32({{.*}}, %[[HEAD]], %[[LOSS]]#0)
// CHECK: %[[DX:.*]] = chimera.call @chimera_cpu_cross_entropy_grad_sum_16x32(%{{.*}}, %[[GRAD]]#1)
// CHECK-NOT: chimera.call @chimera_cross_entropy
// CHECK: %[[T:.*]] = chimera.call @chimera_cpu_pack_f32_16x8_transposed_by16(%[[W]])
// CHECK: %[[DE:.*]] = chimera.call @chimera_cpu_linear_f32_f32_f32_16x8_of16at0(%{{.*}}, %[[DX]], %[[T]])
// CHECK: %[[DW:.*]] = chimera.call @chimera_cpu_linear_weight_grad_f32_8x16(%{{.*}}, %{{.*}}, %[[DX]], %{{.*}})
// CHECK: %[[ORDER:.*]]:2 = chimera.call @chimera_cpu_embed_order_32(
// CHECK: %[[DT:.*]] = chimera.call @chimera_cpu_embed_grad_32x8(%{{.*}}, %[[ORDER]]#0, %[[ORDER]]#1, %[[DE]])
// CHECK: return %[[DT]], %[[DW]], %[[GRAD]]#0
func.func @train_hard(%tokens: tensor<?xi32> {chimera.step = "tokens"}, %rows: !chimera.rows {chimera.step = "rows"},
                      %targets: tensor<?xi32> {chimera.step = "targets"}, %hyper: tensor<16xf64> {chimera.step = "hyper"},
                      %leaves: tensor<18xi32> {chimera.step = "leaves"})
    -> (tensor<32x8xf32>, tensor<16x8xf32>, tensor<32x16xf32>)
    attributes {chimera.limits = array<i64: 64, 4>, chimera.training} {
  %table = chimera.param "table" : tensor<32x8xf32>
  %w = chimera.param "w" : tensor<16x8xf32>
  %head = chimera.param "head" : tensor<32x16xf32>
  %head16 = chimera.round_param %head : tensor<32x16xf32> to tensor<32x16xbf16>
  %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<32x8xf32> -> tensor<?x8xf32>
  %y = chimera.linear %x, %w : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
  %s = chimera.activate <silu>, %y : tensor<?x16xf32>
  %z = chimera.linear %x, %w : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
  %h = chimera.add %s, %z : tensor<?x16xf32>
  %h16 = chimera.cast %h : tensor<?x16xf32> to tensor<?x16xbf16>
  %lse, %scores = chimera.cross_entropy %h16, %head16 targets %targets rows %rows
      : (tensor<?x16xbf16>, tensor<32x16xbf16>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  %dh = chimera.cross_entropy_input_grad %h16, %head16, %lse targets %targets hyper %hyper rows %rows
      : (tensor<?x16xbf16>, tensor<32x16xbf16>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, !chimera.rows) -> tensor<?x16xf32>
  %dhead = chimera.cross_entropy_weight_grad %h16, %head16, %lse targets %targets hyper %hyper leaves %leaves rows %rows
      : (tensor<?x16xbf16>, tensor<32x16xbf16>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, tensor<18xi32>, !chimera.rows) -> tensor<32x16xf32>
  %dx = chimera.linear_input_grad %dh, %w : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  %dw = chimera.linear_weight_grad %dh, %x leaves %leaves : (tensor<?x16xf32>, tensor<?x8xf32>, tensor<18xi32>) -> tensor<16x8xf32>
  %dt = chimera.embed_grad %tokens, %dx leaves %leaves : (tensor<?xi32>, tensor<?x8xf32>, tensor<18xi32>) -> tensor<32x8xf32>
  return %dt, %dw, %dhead : tensor<32x8xf32>, tensor<16x8xf32>, tensor<32x16xf32>
}
