// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is wrong with an op of the optimizer is said where it is.
// RUN: chimera-opt %s --split-input-file --verify-diagnostics

func.func @state_shape() {
  // expected-error @+1 {{'chimera.training_state' op result #0 must be statically shaped tensor of any type values, but got 'tensor<?xf32>'}}
  %s = chimera.training_state master "w" : tensor<?xf32>
  return
}

// -----

func.func @state_element() {
  // expected-error @+1 {{'chimera.training_state' op result must have elements in f64 or f32, got 'tensor<4xbf16>'}}
  %s = chimera.training_state master "w" : tensor<4xbf16>
  return
}

// -----

func.func @state_name() {
  // expected-error @+1 {{'chimera.training_state' op needs the name of a parameter}}
  %s = chimera.training_state moment2 "" : tensor<4xf32>
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

func.func @norm_element(%g: tensor<4xf32>, %r: tensor<4xbf16>) {
  // expected-error @+1 {{'chimera.squared_norm' op gradient must have elements in f64 or f32, got 'tensor<4xbf16>'}}
  %n = chimera.squared_norm %g, %r : (tensor<4xf32>, tensor<4xbf16>) -> tensor<1xf64>
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

func.func @adamw_element(%g: tensor<4xbf16>, %w: tensor<4xbf16>, %m: tensor<4xbf16>, %v: tensor<4xbf16>, %n: tensor<1xf64>, %h: tensor<16xf64>) {
  // expected-error @+1 {{'chimera.adamw' op master must have elements in f64 or f32, got 'tensor<4xbf16>'}}
  chimera.adamw %g, %w, %m, %v norm %n hyper %h : tensor<4xbf16>, tensor<1xf64>, tensor<16xf64>
  return
}

// -----

func.func @adamw_norm_type(%g: tensor<4xf32>, %w: tensor<4xf32>, %m: tensor<4xf32>, %v: tensor<4xf32>, %n: tensor<1xf32>, %h: tensor<16xf64>) {
  // expected-error @+1 {{'chimera.adamw' op norm must be f64, got 'tensor<1xf32>'}}
  chimera.adamw %g, %w, %m, %v norm %n hyper %h : tensor<4xf32>, tensor<1xf32>, tensor<16xf64>
  return
}

// -----

func.func @adamw_norm_length(%g: tensor<4xf32>, %w: tensor<4xf32>, %m: tensor<4xf32>, %v: tensor<4xf32>, %n: tensor<2xf64>, %h: tensor<16xf64>) {
  // expected-error @+1 {{'chimera.adamw' op norm must have 1 elements, got 2}}
  chimera.adamw %g, %w, %m, %v norm %n hyper %h : tensor<4xf32>, tensor<2xf64>, tensor<16xf64>
  return
}

// -----

func.func @adamw_hyper_type(%g: tensor<4xf32>, %w: tensor<4xf32>, %m: tensor<4xf32>, %v: tensor<4xf32>, %n: tensor<1xf64>, %h: tensor<16xf32>) {
  // expected-error @+1 {{'chimera.adamw' op hyper must be f64, got 'tensor<16xf32>'}}
  chimera.adamw %g, %w, %m, %v norm %n hyper %h : tensor<4xf32>, tensor<1xf64>, tensor<16xf32>
  return
}

// -----

func.func @adamw_hyper_length(%g: tensor<4xf32>, %w: tensor<4xf32>, %m: tensor<4xf32>, %v: tensor<4xf32>, %n: tensor<1xf64>, %h: tensor<11xf64>) {
  // expected-error @+1 {{'chimera.adamw' op hyper must have 16 elements, got 11}}
  chimera.adamw %g, %w, %m, %v norm %n hyper %h : tensor<4xf32>, tensor<1xf64>, tensor<11xf64>
  return
}

// -----

func.func @adamw_master_is_gradient(%g: tensor<4xf32>, %m: tensor<4xf32>, %v: tensor<4xf32>, %n: tensor<1xf64>, %h: tensor<16xf64>) {
  // expected-error @+1 {{'chimera.adamw' op gradient and master must be two buffers, got one}}
  chimera.adamw %g, %g, %m, %v norm %n hyper %h : tensor<4xf32>, tensor<1xf64>, tensor<16xf64>
  return
}

// -----

func.func @adamw_one_moment(%g: tensor<4xf32>, %w: tensor<4xf32>, %m: tensor<4xf32>, %n: tensor<1xf64>, %h: tensor<16xf64>) {
  // expected-error @+1 {{'chimera.adamw' op moment1 and moment2 must be two buffers, got one}}
  chimera.adamw %g, %w, %m, %m norm %n hyper %h : tensor<4xf32>, tensor<1xf64>, tensor<16xf64>
  return
}

// -----

func.func @accumulate_types(%g: tensor<4xf32>, %t: tensor<4xf64>) {
  // expected-error @+1 {{'chimera.accumulate' op failed to verify that all of {gradient, total} have same type}}
  "chimera.accumulate"(%g, %t) : (tensor<4xf32>, tensor<4xf64>) -> ()
  return
}

// -----

func.func @accumulate_element(%g: tensor<4xi32>, %t: tensor<4xi32>) {
  // expected-error @+1 {{'chimera.accumulate' op gradient must have elements in f64 or f32, got 'tensor<4xi32>'}}
  chimera.accumulate %g, %t : tensor<4xi32>
  return
}

// -----

func.func @accumulate_itself(%g: tensor<4xf32>) {
  // expected-error @+1 {{'chimera.accumulate' op gradient and total must be two buffers, got one}}
  chimera.accumulate %g, %g : tensor<4xf32>
  return
}
