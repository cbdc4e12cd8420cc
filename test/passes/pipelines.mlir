// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pipelines take a whole model, with a routed layer and one of a single mode, to each level; each starts where the one before it stops.
// RUN: chimera-compile %S/Inputs/routed.json --emit=chimera -o %t.mlir
// RUN: FileCheck %s --check-prefix=MODEL < %t.mlir
// RUN: chimera-opt %t.mlir --chimera-to-dispatched="max-tokens=32 max-seqs=4" --mlir-print-debuginfo -o %t.dispatched.mlir
// RUN: FileCheck %s --check-prefix=DISPATCHED < %t.dispatched.mlir
// RUN: chimera-opt %t.mlir --chimera-to-ref-calls="max-tokens=32 max-seqs=4" -o %t.calls.mlir
// RUN: FileCheck %s --check-prefix=CALLS < %t.calls.mlir
// RUN: chimera-opt %t.mlir --chimera-to-ref-programs="max-tokens=32 max-seqs=4" -o %t.programs.mlir
// RUN: FileCheck %s --check-prefix=PROGRAMS < %t.programs.mlir
// RUN: chimera-opt %t.dispatched.mlir --chimera-lower-to-ref --chimera-plan-arena | diff %t.programs.mlir -
// RUN: chimera-opt %t.programs.mlir | diff %t.programs.mlir -
// RUN: chimera-opt %t.mlir --chimera-to-dispatched | FileCheck %s --check-prefix=DEFAULT

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
// CALLS-NOT: chimera.{{(embed|norm|linear|route|dispatch|gather|combine|attend|append|ssm_scan|swiglu|add|stack_modes)}} %
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
