// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verifiers look at other ops, which may come later and be broken themselves: they must neither crash nor go round in circles.
// RUN: chimera-opt %s --split-input-file --verify-diagnostics --allow-unregistered-dialect

// In a graph region ops may use each other in a circle; nothing says which rows they have.
module {
  %from, %to = "test.rows"() : () -> (!chimera.rows, !chimera.rows)
  %a = "chimera.activate"(%b) {activation = #chimera.activation<silu>} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %b = "chimera.activate"(%a) {activation = #chimera.activation<silu>} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %c = chimera.gather %a from %from to %to : tensor<?x8xf32> to tensor<?x8xf32>
}

// -----

func.func @circle(%from: !chimera.rows, %to: !chimera.rows) {
  // expected-error @+1 {{operand #0 does not dominate this use}}
  %a = "chimera.activate"(%b) {activation = #chimera.activation<silu>} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  // expected-note @+1 {{operand defined here}}
  %b = "chimera.activate"(%a) {activation = #chimera.activation<silu>} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %c = chimera.gather %a from %from to %to : tensor<?x8xf32> to tensor<?x8xf32>
  return
}

// -----

func.func @source_without_operands(%from: !chimera.rows, %to: !chimera.rows) {
  %c = chimera.gather %a from %from to %to : tensor<?x8xf32> to tensor<?x8xf32>
  // expected-error @+1 {{'chimera.rope' op expected 2 operands, but found 0}}
  %a = "chimera.rope"() {heads = 4 : i64, frequencies = array<f64: 1.0>} : () -> tensor<?x8xf32>
  return
}

// -----

!counts = !chimera.counts<modes = 2>

func.func @consumer_without_operands(%c: !counts, %l: tensor<?x2xf32>, %b: tensor<2xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.route' op consumes a cache that has another consuming use (operand #2)}}
  %m, %g, %p, %c1 = chimera.route [ssm, full] %l, %b counts %c rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<one>, temperature = 1.0 : f64}
      : tensor<?x2xf32>, tensor<2xf32> counts !counts -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  // expected-note @+1 {{the other use is here}}
  "chimera.append"(%c) : (!counts) -> ()
  return
}
