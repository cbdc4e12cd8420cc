// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is wrong with an op of the optimizer is said where it is.
// RUN: chimera-opt %s --split-input-file --verify-diagnostics

func.func @state_shape() {
  // expected-error @+1 {{'chimera.training_state' op result #0 must be statically shaped tensor of any type values, but got 'tensor<?xf32>'}}
  %s = chimera.training_state master "w" : tensor<?xf32>
  return
}

// -----

func.func @norm_of_nothing() {
  // expected-error @+1 {{'chimera.squared_norm' op needs at least one gradient}}
  %n = "chimera.squared_norm"() : () -> tensor<1xf64>
  return
}

// -----

func.func @norm_type(%g: tensor<4xf32>) {
  // expected-error @+1 {{result must be f64, got 'tensor<1xf32>'}}
  %n = chimera.squared_norm %g : (tensor<4xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @norm_length(%g: tensor<4xf32>) {
  // expected-error @+1 {{result must have 1 elements, got 2}}
  %n = chimera.squared_norm %g : (tensor<4xf32>) -> tensor<2xf64>
  return
}

// -----

func.func @norm_gradient(%g: tensor<4xf32>, %r: tensor<?xf32>) {
  // expected-error @+1 {{operand #1 must be variadic of statically shaped tensor of any type values, but got 'tensor<?xf32>'}}
  %n = chimera.squared_norm %g, %r : (tensor<4xf32>, tensor<?xf32>) -> tensor<1xf64>
  return
}

// -----

func.func @adamw_types(%g: tensor<4xf32>, %w: tensor<5xf32>, %n: tensor<1xf64>, %h: tensor<16xf64>) {
  // expected-error @+1 {{'chimera.adamw' op failed to verify that all of {gradient, master, moment1, moment2} have same type}}
  "chimera.adamw"(%g, %w, %g, %g, %n, %h)
      : (tensor<4xf32>, tensor<5xf32>, tensor<4xf32>, tensor<4xf32>, tensor<1xf64>, tensor<16xf64>) -> ()
  return
}

// -----

func.func @adamw_hyper(%g: tensor<4xf32>, %n: tensor<1xf64>, %h: tensor<16xi32>) {
  // expected-error @+1 {{operand #5 must be 1D tensor of 64-bit float or 32-bit float values, but got 'tensor<16xi32>'}}
  chimera.adamw %g, %g, %g, %g norm %n hyper %h : tensor<4xf32>, tensor<1xf64>, tensor<16xi32>
  return
}

// -----

func.func @accumulate_types(%g: tensor<4xf32>, %t: tensor<4xf64>) {
  // expected-error @+1 {{'chimera.accumulate' op failed to verify that all of {gradient, total} have same type}}
  "chimera.accumulate"(%g, %t) : (tensor<4xf32>, tensor<4xf64>) -> ()
  return
}
