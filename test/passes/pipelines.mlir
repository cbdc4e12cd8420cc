// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pipelines take a whole model, with a routed layer and one of a single mode, to each level; each starts where the one before it stops.
// RUN: chimera-compile %S/Inputs/routed.json --emit=chimera -o %t.mlir
// RUN: FileCheck %s --check-prefix=MODEL < %t.mlir
// RUN: chimera-opt %t.mlir --chimera-to-dispatched="max-tokens=32 max-seqs=4" -o %t.dispatched.mlir
// RUN: FileCheck %s --check-prefix=DISPATCHED < %t.dispatched.mlir
// RUN: chimera-opt %t.mlir --chimera-to-ref-calls="max-tokens=32 max-seqs=4" -o %t.calls.mlir
// RUN: FileCheck %s --check-prefix=CALLS < %t.calls.mlir
// RUN: chimera-opt %t.mlir --chimera-to-ref-programs="max-tokens=32 max-seqs=4" -o %t.programs.mlir
// RUN: FileCheck %s --check-prefix=PROGRAMS < %t.programs.mlir
// RUN: chimera-opt %t.dispatched.mlir --chimera-lower-to-ref --chimera-plan-arena | diff %t.programs.mlir -
// RUN: chimera-opt %t.programs.mlir | diff %t.programs.mlir -
// RUN: chimera-opt %t.mlir --chimera-to-fused="max-tokens=32 max-seqs=4" | chimera-opt --chimera-lower-to-cpu --chimera-plan-arena -o %t.cpu.mlir
// RUN: chimera-opt %t.mlir --chimera-to-cpu-programs="max-tokens=32 max-seqs=4" | diff %t.cpu.mlir -
// RUN: FileCheck %s --check-prefix=LAYERS < %t.cpu.mlir
// RUN: chimera-opt %t.mlir --chimera-to-dispatched | FileCheck %s --check-prefix=DEFAULT
// RUN: chimera-opt %t.mlir --chimera-to-training="max-tokens=32 max-seqs=4" -o %t.training.mlir
// RUN: FileCheck %s --check-prefix=TRAINING < %t.training.mlir
// RUN: chimera-opt %t.training.mlir | diff %t.training.mlir -
// RUN: chimera-opt %t.training.mlir --chimera-lower-to-ref --chimera-plan-arena -o %t.steps.mlir
// RUN: FileCheck %s --check-prefix=STEPS < %t.steps.mlir
// RUN: chimera-opt %t.steps.mlir | diff %t.steps.mlir -
// RUN: chimera-opt %t.mlir --chimera-specialize-training=keep-model --chimera-to-dispatched -o %t.both.mlir
// RUN: FileCheck %s --check-prefix=BOTH < %t.both.mlir

// Model level: one function, both layers as a mix, each cache given back in its place.
// MODEL: module attributes {chimera.model =
// MODEL-COUNT-1: func.func @model(
// MODEL: chimera.route [ssm, swa, full, identity]
// MODEL: chimera.mix [ssm, swa, full, identity] routed
// MODEL-COUNT-4: chimera.yield
// MODEL: chimera.mix [swa] routed
// MODEL: chimera.yield
// MODEL: chimera.stack_modes
// MODEL: return

// Dispatched: one function a phase, no regions; the lone mixer stands by itself.
// DISPATCHED-NOT: @model
// DISPATCHED-LABEL: func.func @prefill(
// DISPATCHED-SAME: chimera.limits = array<i64: 32, 4>
// DISPATCHED: %{{.*}}, %[[SLICES:.*]]:4 = chimera.dispatch [ssm, swa, full, identity]
// DISPATCHED: chimera.write_weight %{{.*}} at 0 to %[[SLICES]]#0
// DISPATCHED: chimera.ssm_scan
// DISPATCHED: chimera.attend {{.*}} own %[[SLICES]]#1 rows %[[SLICES]]#1
// DISPATCHED: chimera.append {{.*}} rows %[[SLICES]]#2
// DISPATCHED: chimera.combine [ssm, swa, full]
// DISPATCHED: chimera.constant_mode swa rows %[[ROWS:.*]] :
// DISPATCHED: chimera.attend {{.*}} own %[[ROWS]] rows %[[ROWS]]
// DISPATCHED-NOT: chimera.mix
// DISPATCHED-LABEL: func.func @decode(
// DISPATCHED-SAME: chimera.limits = array<i64: 4, 4>
// DISPATCHED: chimera.dispatch
// DISPATCHED-NOT: chimera.mix

// DEFAULT: func.func @prefill({{.*}}chimera.limits = array<i64: 1024, 64>
// DEFAULT: func.func @decode({{.*}}chimera.limits = array<i64: 64, 64>

// Calls: what is left of the dialect in a phase is parameters, slices and calls.
// CALLS-LABEL: func.func @prefill(
// CALLS-NOT: chimera.{{(embed|norm|linear|route|dispatch|gather|combine|attend|append|ssm_scan|glu|add|stack_modes)}} %
// CALLS: chimera.call @chimera_embed_f32_f32_8
// CALLS: chimera.slice_rows
// CALLS: chimera.call @chimera_stack_modes_2
// CALLS-NEXT: return
// CALLS-LABEL: func.func @decode(
// CALLS: module @kernels {
// CALLS-NOT: chimera.call

// Programs: the launch tables, and what they number.
// PROGRAMS: module attributes {chimera.caches = [{layer = 0 : i64, mode = "token_conv", name = "layers.0.token_conv.tail",
// PROGRAMS-SAME: chimera.parameters = [{name = "embed_tokens.weight", type = tensor<16x8xf32>}
// PROGRAMS-SAME: {name = "layers.0.router.bias", optional, type = tensor<4xf32>}
// PROGRAMS: chimera.program @prefill arena [[PREFILL:[0-9]+]] limits 32, 4 logits [{{[0-9]+}}, 2048] routing [{{[0-9]+}}, 64] {
// PROGRAMS-NEXT: chimera.launch @chimera_embed_f32_f32_8
// PROGRAMS-NOT: func.func
// PROGRAMS: chimera.program @decode arena [[DECODE:[0-9]+]] limits 4, 4 logits [{{[0-9]+}}, 256] routing [{{[0-9]+}}, 8] {
// PROGRAMS-NOT: chimera.call
// PROGRAMS: module @kernels {
// PROGRAMS: func.func @chimera_embed_f32_f32_8(

// A launch has the layer of the op that it came from, whatever text it went through; the embedding, the angles and the logits have none.
// LAYERS: chimera.program @prefill
// LAYERS: {layer = -1 : i64, op = "chimera.embed"}
// LAYERS: layer = 0 : i64, op = "chimera.route"
// LAYERS: layer = 0 : i64, op = "chimera.fused_attend"
// LAYERS: layer = 1 : i64, op = "chimera.fused_attend"
// LAYERS: layer = 1 : i64, op = "chimera.fused_linear"
// LAYERS: layer = -1 : i64, op = "chimera.stack_modes"

// LAYERS: chimera.program @decode

// Training: programs without caches and regions. Routing sends rows to slices if it is hard, and weighs what all rows get if it is
// soft; with the write gate there every row is kept. Each way ends in the same gradients, none of them of the balancer's bias.
// TRAINING: module attributes {{.*}}chimera.trainable = ["embed_tokens.weight",
// TRAINING-NOT: layers.0.router.bias
// TRAINING-SAME: "layers.0.router.proj.weight"
// TRAINING-NOT: layers.0.router.bias
// TRAINING-SAME: "lm_head.weight"]}
// TRAINING-NOT: @model
// TRAINING-LABEL: func.func @train_hard(
// TRAINING-NOT: {chimera.cache
// TRAINING-SAME: tensor<14xf64> {chimera.result = "statistics.0"}, tensor<16x8xf32> {chimera.gradient = "embed_tokens.weight"}
// TRAINING-SAME: tensor<16x8xf32> {chimera.gradient = "lm_head.weight"})
// TRAINING-SAME: chimera.limits = array<i64: 32, 4>
// TRAINING: %[[MODE:.*]], %{{.*}}, %[[GATE:.*]], %{{.*}} = chimera.seq_route [ssm, swa, full, identity] {{.*}} {capacity =
// TRAINING: %[[INVERSE:.*]], %[[SLICES:.*]]:4 = chimera.dispatch [ssm, swa, full, identity] %[[MODE]]
// TRAINING: chimera.seq_ssm_scan {{.*}} write %{{.*}} rows %[[SLICES]]#0
// TRAINING: chimera.seq_attend {{.*}} own %[[SLICES]]#1 keys %[[SLICES]]#1 {{.*}} window = 4
// TRAINING: chimera.seq_attend {{.*}} own %[[SLICES]]#2 keys %[[SLICES]]#2 {{.*}} window = -1
// TRAINING: chimera.combine [ssm, swa, full] %{{.*}}, %[[MODE]], %[[INVERSE]], %[[GATE]]
// TRAINING: chimera.cross_entropy %
// TRAINING: chimera.combine_grad [ssm, swa, full] %[[MODE]], %[[INVERSE]], %[[GATE]]
// TRAINING: %[[DLOGP:.*]] = chimera.scatter_columns {{.*}} at [0, 1, 2] from %[[SLICES]]#0, %[[SLICES]]#1, %[[SLICES]]#2
// TRAINING-NEXT: chimera.seq_route_grad {{.*}} log_p %[[DLOGP]]
// TRAINING: chimera.sum
// TRAINING-NEXT: chimera.sum
// TRAINING: return
// TRAINING-LABEL: func.func @train_soft(
// TRAINING-NOT: chimera.dispatch
// TRAINING: chimera.seq_route {{.*}} soft}
// TRAINING-NOT: chimera.dispatch
// TRAINING: chimera.soft_combine [ssm, swa, full] {{.*}} of [ssm, swa, full, identity]
// TRAINING: chimera.soft_combine_grad [ssm, swa, full]
// TRAINING-LABEL: func.func @evaluate_hard(
// TRAINING-SAME: -> (tensor<2xf64> {chimera.result = "loss"}, tensor<14xf64> {chimera.result = "statistics.0"}, tensor<?x2xi8> {chimera.result = "modes"})
// TRAINING-NOT: _grad
// TRAINING-LABEL: func.func @evaluate_soft(
// TRAINING-NOT: _grad
// TRAINING-LABEL: func.func @accumulate(
// TRAINING-LABEL: func.func @update(

// Launch tables of training: results by name, what ranks sum, no caches; the gradients are in no arena.
// STEPS: module attributes {chimera.caches = [],
// STEPS-SAME: chimera.parameters = [{name = "embed_tokens.weight", type = tensor<16x8xf32>}
// STEPS: chimera.program @train_hard arena {{[0-9]+}} limits 32, 4 results {loss = array<i64: {{[0-9]+}}, 16>, statistics.0 = array<i64: {{[0-9]+}}, 112>} exchange [{{[0-9, ]+}}] before {{[0-9]+}} {
// STEPS: chimera.launch @chimera_seq_route_f32_modes0123_prob_{{.*}}#chimera.buffer<step, 0, 0, "noise">, #chimera.buffer<step, 0, 0, "hyper">
// STEPS: chimera.launch @chimera_embed_grad_f32_16x8 {{.*}} #chimera.buffer<grad, 0, 0, "">]
// STEPS-NOT: chimera.buffer<pool
// STEPS: chimera.program @train_soft
// STEPS: chimera.program @evaluate_hard arena {{[0-9]+}} limits 32, 4 results {loss = array<i64: {{[0-9]+}}, 16>, modes = array<i64: {{[0-9]+}}, 64>, statistics.0 = array<i64: {{[0-9]+}}, 112>} {
// STEPS-NOT: chimera.buffer<grad
// STEPS: chimera.program @evaluate_soft
// STEPS-NOT: chimera.buffer<grad
// STEPS: chimera.program @accumulate arena 0 limits 1, 1 results {} {
// STEPS-NEXT: chimera.launch @chimera_accumulate_f32 {{.*}} [#chimera.buffer<grad, 0, 0, "">, #chimera.buffer<total, 0, 0, "">] {constants = array<i64: 128>
// STEPS: chimera.program @update arena 128 limits 1, 1 results {norm = array<i64: {{[0-9]+}}, 8>} {
// STEPS: chimera.launch @chimera_adamw_f32_decays {{.*}} [#chimera.buffer<step, 0, 0, "hyper">, #chimera.buffer<arena, {{[0-9]+}}, 8, "">, #chimera.buffer<grad, 0, 0, "">, #chimera.buffer<param, 0, 0, "">, #chimera.buffer<moment1, 0, 0, "">, #chimera.buffer<moment2, 0, 0, "">]
// STEPS: chimera.launch @chimera_adamw_f32_decays_router

// Both in one module: the model stays for the phases of inference.
// BOTH: func.func @train_hard(
// BOTH: func.func @evaluate_soft(
// BOTH: func.func @prefill(
// BOTH: func.func @decode(
