// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What chimera-rematerialize asks of a function that is marked, when there is a limit to hold.
// RUN: chimera-opt %s --split-input-file --chimera-rematerialize="memory-limit=1000" --verify-diagnostics

// expected-error @+1 {{'func.func' op is not a phase: it needs chimera.limits, the most rows and the most sequences of a step}}
func.func @no_limits(%x: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {chimera.differentiate} {
  return %x : tensor<?x8xf32>
}

// -----

// expected-error @+1 {{chimera.limits must be array<i64: rows, sequences>, both at least 1}}
func.func @empty(%x: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {chimera.differentiate, chimera.limits = array<i64>} {
  return %x : tensor<?x8xf32>
}

// -----

// expected-error @+1 {{is not a phase: it must have a body of one block, which ends in a return}}
func.func private @declared() attributes {chimera.differentiate, chimera.limits = array<i64: 4, 4>}

// -----

// expected-error @+1 {{is not a phase: it must have a body of one block, which ends in a return}}
func.func @blocks() attributes {chimera.differentiate, chimera.limits = array<i64: 4, 4>} {
  cf.br ^bb1
^bb1:
  return
}

// -----

func.func @huge(%x: tensor<?x4611686018427387904xf32>) attributes {chimera.differentiate, chimera.limits = array<i64: 4, 4>} {
  // expected-error @+1 {{'chimera.activate' op result #0 is too large at 4 rows a step}}
  %y = chimera.activate <silu>, %x : tensor<?x4611686018427387904xf32>
  return
}

// -----

func.func @unknown(%x: tensor<?x?xf32>) attributes {chimera.differentiate, chimera.limits = array<i64: 4, 4>} {
  // expected-error @+1 {{'chimera.activate' op result #0 must be of numbers, and of a known size in all but its rows, got 'tensor<?x?xf32>'}}
  %y = chimera.activate <silu>, %x : tensor<?x?xf32>
  return
}

// -----

func.func @complex() attributes {chimera.differentiate, chimera.limits = array<i64: 4, 4>} {
  // expected-error @+1 {{result #0 must be of numbers, and of a known size in all but its rows, got 'tensor<4xcomplex<f32>>'}}
  %y = tensor.empty() : tensor<4xcomplex<f32>>
  return
}
