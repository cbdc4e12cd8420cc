// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A convolution, the commit of its tail and the sum with its input are one op.
// RUN: chimera-opt %s --chimera-fuse-conv | FileCheck %s

!tail = !chimera.tail<rows = 2, channels = 8, element = f32>

// CHECK-LABEL: func.func @token_conv
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>, %[[W:[a-z0-9]+]]: tensor<8x3xf32>, %[[B:[a-z0-9]+]]: tensor<8xf32>, %[[TAIL:[a-z0-9]+]]: !chimera.tail{{.*}}, %[[ROWS:[a-z0-9]+]]: !chimera.rows
// CHECK-NEXT: %[[Y:.*]], %[[TAIL1:.*]] = chimera.fused_conv %[[X]], %[[W]], %[[B]] tail %[[TAIL]] rows %[[ROWS]] {activation = #chimera.activation<none>, add_input}
// CHECK-NEXT: return %[[Y]], %[[TAIL1]]
func.func @token_conv(%x: tensor<?x8xf32>, %w: tensor<8x3xf32>, %b: tensor<8xf32>, %tail: !tail, %rows: !chimera.rows)
    -> (tensor<?x8xf32>, !tail) {
  %c = chimera.causal_conv %x, %w, %b tail %tail rows %rows {activation = #chimera.activation<none>}
      : tensor<?x8xf32>, tensor<8x3xf32>, tensor<8xf32>, !tail
  %t = chimera.shift_tail %x tail %tail rows %rows : tensor<?x8xf32>, !tail
  %h = chimera.add %x, %c : tensor<?x8xf32>
  return %h, %t : tensor<?x8xf32>, !tail
}

// With an activation between them, the sum stays.
// CHECK-LABEL: func.func @activated
// CHECK-NEXT: %[[Y:.*]], %{{.*}} = chimera.fused_conv {{.*}} {activation = #chimera.activation<silu>}
// CHECK-NEXT: chimera.add %{{.*}}, %[[Y]]
func.func @activated(%x: tensor<?x8xf32>, %w: tensor<8x3xf32>, %b: tensor<8xf32>, %tail: !tail, %rows: !chimera.rows)
    -> (tensor<?x8xf32>, !tail) {
  %c = chimera.causal_conv %x, %w, %b tail %tail rows %rows {activation = #chimera.activation<silu>}
      : tensor<?x8xf32>, tensor<8x3xf32>, tensor<8xf32>, !tail
  %t = chimera.shift_tail %x tail %tail rows %rows : tensor<?x8xf32>, !tail
  %h = chimera.add %x, %c : tensor<?x8xf32>
  return %h, %t : tensor<?x8xf32>, !tail
}

// One tap has no tail.
// CHECK-LABEL: func.func @one_tap
// CHECK-NEXT: %[[Y:.*]] = chimera.fused_conv %{{.*}}, %{{.*}}, %{{.*}} rows %{{.*}} {activation = #chimera.activation<silu>}
// CHECK-NEXT: return %[[Y]]
func.func @one_tap(%x: tensor<?x8xf32>, %w: tensor<8x1xf32>, %b: tensor<8xf32>, %rows: !chimera.rows) -> tensor<?x8xf32> {
  %c = chimera.causal_conv %x, %w, %b rows %rows {activation = #chimera.activation<silu>}
      : tensor<?x8xf32>, tensor<8x1xf32>, tensor<8xf32>
  return %c : tensor<?x8xf32>
}

// A tail that is never committed, or gets other rows, keeps its two ops.
// CHECK-LABEL: func.func @other_rows
// CHECK: chimera.causal_conv
// CHECK: chimera.shift_tail
func.func @other_rows(%x: tensor<?x8xf32>, %y: tensor<?x8xf32>, %w: tensor<8x3xf32>, %b: tensor<8xf32>, %tail: !tail, %rows: !chimera.rows)
    -> (tensor<?x8xf32>, !tail) {
  %c = chimera.causal_conv %x, %w, %b tail %tail rows %rows {activation = #chimera.activation<none>}
      : tensor<?x8xf32>, tensor<8x3xf32>, tensor<8xf32>, !tail
  %t = chimera.shift_tail %y tail %tail rows %rows : tensor<?x8xf32>, !tail
  return %c, %t : tensor<?x8xf32>, !tail
}
