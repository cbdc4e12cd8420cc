// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A list takes this step's entries before attention reads it; a ring only where a sequence has one row.
// RUN: chimera-opt %s --chimera-fuse-attention | FileCheck %s

!list = !chimera.list<heads = 2, dim = 4, element = bf16, weights = f32>
!ring = !chimera.ring<window = 8, heads = 2, dim = 4, element = f32, weights = none>

// CHECK-LABEL: func.func @list
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<?x8xbf16>
// CHECK-NEXT: %[[LIST1:.*]] = chimera.append
// CHECK-NEXT: %[[O:.*]] = chimera.fused_attend %[[Q]] cache %[[LIST1]] own %[[ROWS:.*]] rows %[[ROWS]] {scale = 5.000000e-01 : f64, soft_cap = 3.000000e+00 : f64} : {{.*}} -> tensor<?x8xbf16>
// CHECK-NEXT: return %[[O]], %[[LIST1]]
func.func @list(%q: tensor<?x8xbf16>, %w: tensor<?xf32>, %list: !list, %rows: !chimera.rows) -> (tensor<?x8xbf16>, !list) {
  %o = chimera.attend %q, %q, %q write %w cache %list own %rows rows %rows {scale = 0.5 : f64, soft_cap = 3.0 : f64}
      : tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16> write tensor<?xf32> cache !list -> tensor<?x8xf32>
  %t = chimera.cast %o : tensor<?x8xf32> to tensor<?x8xbf16>
  %list1 = chimera.append %q, %q write %w cache %list rows %rows : tensor<?x8xbf16>, tensor<?x8xbf16> write tensor<?xf32> cache !list
  return %t, %list1 : tensor<?x8xbf16>, !list
}

// CHECK-LABEL: func.func @ring_of_many_rows
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<?x8xf32>, %[[RING:[a-z0-9]+]]: !chimera.ring
// CHECK-NEXT: chimera.fused_attend %[[Q]], %[[Q]], %[[Q]] cache %[[RING]]
// CHECK-SAME: {scale = 5.000000e-01 : f64} :
// CHECK-NEXT: chimera.append
func.func @ring_of_many_rows(%q: tensor<?x8xf32>, %ring: !ring, %rows: !chimera.rows) -> (tensor<?x8xf32>, !ring) {
  %o = chimera.attend %q, %q, %q cache %ring own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !ring -> tensor<?x8xf32>
  %ring1 = chimera.append %q, %q cache %ring rows %rows : tensor<?x8xf32>, tensor<?x8xf32> cache !ring
  return %o, %ring1 : tensor<?x8xf32>, !ring
}

// CHECK-LABEL: func.func @ring_of_single_rows
// CHECK-NEXT: %[[RING1:.*]] = chimera.append
// CHECK-NEXT: chimera.fused_attend %{{.*}} cache %[[RING1]]
func.func @ring_of_single_rows(%q: tensor<?x8xf32>, %ring: !ring, %rows: !chimera.rows) -> (tensor<?x8xf32>, !ring)
    attributes {chimera.single_rows} {
  %o = chimera.attend %q, %q, %q cache %ring own %rows rows %rows {scale = 0.5 : f64}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32> cache !ring -> tensor<?x8xf32>
  %ring1 = chimera.append %q, %q cache %ring rows %rows : tensor<?x8xf32>, tensor<?x8xf32> cache !ring
  return %o, %ring1 : tensor<?x8xf32>, !ring
}
