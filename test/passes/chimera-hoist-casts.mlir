// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A cast of gathered rows becomes a gather of cast rows; the slices of a batch share one cast.
// RUN: chimera-opt %s --chimera-hoist-casts | FileCheck %s

// CHECK-LABEL: func.func @two_slices
// CHECK-SAME: %[[H:[a-z0-9]+]]: tensor<?x8xf32>, %[[ROWS:[a-z0-9]+]]: !chimera.rows{{.*}}, %[[A:[a-z0-9]+]]: !chimera.rows, %[[B:[a-z0-9]+]]: !chimera.rows
// CHECK-NEXT: %[[H16:.*]] = chimera.cast %[[H]] : tensor<?x8xf32> to tensor<?x8xbf16>
// CHECK-NEXT: %[[TA:.*]] = chimera.gather %[[H16]] from %[[ROWS]] to %[[A]]
// CHECK-NEXT: %[[TB:.*]] = chimera.gather %[[H16]] from %[[ROWS]] to %[[B]]
// CHECK-NEXT: return %[[TA]], %[[TB]]
func.func @two_slices(%h: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %a: !chimera.rows, %b: !chimera.rows)
    -> (tensor<?x8xbf16>, tensor<?x8xbf16>) {
  %ga = chimera.gather %h from %rows to %a : tensor<?x8xf32> to tensor<?x8xf32>
  %ta = chimera.cast %ga : tensor<?x8xf32> to tensor<?x8xbf16>
  %gb = chimera.gather %h from %rows to %b : tensor<?x8xf32> to tensor<?x8xf32>
  %tb = chimera.cast %gb : tensor<?x8xf32> to tensor<?x8xbf16>
  return %ta, %tb : tensor<?x8xbf16>, tensor<?x8xbf16>
}

// A gather that has other uses stays for them.
// CHECK-LABEL: func.func @both_wanted
// CHECK: chimera.gather {{.*}} : tensor<?x8xbf16> to tensor<?x8xbf16>
// CHECK: chimera.gather {{.*}} : tensor<?x8xf32> to tensor<?x8xf32>
func.func @both_wanted(%h: tensor<?x8xf32>, %rows: !chimera.rows {chimera.step = "rows"}, %a: !chimera.rows)
    -> (tensor<?x8xf32>, tensor<?x8xbf16>) {
  %g = chimera.gather %h from %rows to %a : tensor<?x8xf32> to tensor<?x8xf32>
  %t = chimera.cast %g : tensor<?x8xf32> to tensor<?x8xbf16>
  return %g, %t : tensor<?x8xf32>, tensor<?x8xbf16>
}
