// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Two equal layers and two phases share their kernels: each is made once, and the launches of all of them name it.
// RUN: chimera-compile %S/Inputs/equal-layers.json --emit=chimera -o - | chimera-opt --chimera-to-ref-programs -o %t.mlir
// RUN: FileCheck %s --check-prefix=KERNELS < %t.mlir
// RUN: grep -c "launch @chimera_ssm_scan" %t.mlir | FileCheck %s --check-prefix=FOUR
// RUN: grep -c "launch @chimera_attend_ring4" %t.mlir | FileCheck %s --check-prefix=FOUR
// RUN: grep -c "launch @chimera_dispatch" %t.mlir | FileCheck %s --check-prefix=FOUR
// RUN: grep "func.func @" %t.mlir | sort > %t.names
// RUN: sort -u %t.names | diff %t.names -
// RUN: grep -c "func.func @chimera_ssm_scan" %t.mlir | FileCheck %s --check-prefix=ONE
// RUN: grep -c "func.func @chimera_attend_ring4" %t.mlir | FileCheck %s --check-prefix=ONE
// RUN: grep -c "func.func @chimera_dispatch" %t.mlir | FileCheck %s --check-prefix=ONE
// RUN: grep -c "func.func @chimera_linear_f32_f32_f32_8x12" %t.mlir | FileCheck %s --check-prefix=ONE

// Two layers in prefill, two in decode.
// FOUR: {{^4$}}
// ONE: {{^1$}}

// Nor does a kernel call another: what they share is private to the module.
// KERNELS-LABEL: module @kernels {
// KERNELS-NOT: call @chimera_{{(ssm_scan|attend|dispatch|linear)}}
