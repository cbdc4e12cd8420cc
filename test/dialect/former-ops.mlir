// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops that had other names are still read by them, and not in the generic form.
// RUN: chimera-opt %s --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @former
// CHECK-NEXT: %[[S:.*]] = chimera.activate <silu>, %{{.*}} : tensor<?x8xf32>
// CHECK-NEXT: %[[G:.*]] = chimera.glu <silu>, %[[S]], %{{.*}} {chimera.layer = 1 : i64} : tensor<?x8xf32>
// CHECK-NEXT: return %[[G]]
func.func @former(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %s = chimera.silu %x : tensor<?x8xf32>
  %g = chimera.swiglu %s, %x {chimera.layer = 1 : i64} : tensor<?x8xf32>
  return %g : tensor<?x8xf32>
}

// -----

func.func @generic(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'chimera.swiglu' op is called chimera.glu now}}
  %g = "chimera.swiglu"(%x, %x) : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @operands(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'chimera.glu' op expected 2 operands, but found 1}}
  %g = chimera.swiglu %x : tensor<?x8xf32>
  return
}

// -----

func.func @generic_silu(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'chimera.silu' op is called chimera.activate now}}
  %g = "chimera.silu"(%x) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}
