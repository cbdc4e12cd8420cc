// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fused ops become launches of cpu kernels, other ops launches of ref kernels; weights are packed.
// RUN: chimera-opt %s --chimera-lower-to-cpu=isa=avx512 | FileCheck %s
// RUN: chimera-opt %s --chimera-lower-to-cpu="isa=avx2 weights=int8" | FileCheck %s --check-prefix=INT8
// RUN: chimera-opt %s --chimera-lower-to-cpu="isa=avx2 weights=int4" | FileCheck %s --check-prefix=INT4
// RUN: not chimera-opt %s --chimera-lower-to-cpu="isa=avx2 weights=int2" 2>&1 | FileCheck %s --check-prefix=WEIGHTS
// RUN: not chimera-opt %s --chimera-lower-to-cpu=isa=avx1024 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// UNKNOWN: error: unknown ISA 'avx1024'
// WEIGHTS: error: weights must be 'same', 'int8' or 'int4', got 'int2'

// CHECK: chimera.cache_block = 64 : i64
// CHECK-LABEL: func.func @prefill
// CHECK-SAME: %[[TOKENS:[a-z0-9]+]]: tensor<?xi32>{{.*}}, %[[ROWS:[a-z0-9]+]]: !chimera.rows{{.*}}, %[[OUT:[a-z0-9]+]]: !chimera.rows{{.*}}, %[[FORCED:[a-z0-9]+]]: tensor<?x1xi8>
// CHECK: %[[X:.*]] = chimera.call @chimera_embed_{{.*}}(%[[ROWS]], %[[TOKENS]], %{{.*}}) {{.*}}op = "chimera.embed"
// CHECK: %[[KV:.*]] = chimera.pack %{{.*}}, %{{.*}} {format = "f32", group = 1 : i64, panel = {{[0-9]+}} : i64} : tensor<4x8xf32>, tensor<8x8xf32>
// CHECK: %[[Y:.*]] = chimera.call @chimera_cpu_linear{{.*}}(%[[ROWS]], %[[X]], %[[KV]]) {{.*}}op = "chimera.fused_linear"{{.*}} -> tensor<?x12xf32>
// Columns of Y are read where they are: no launch copies them.
// CHECK-NOT: chimera.columns
// CHECK: %[[W:.*]] = chimera.pack
// The stream is overwritten: it is an updated input, and its new version the call's only result.
// CHECK: %[[Z:.*]] = chimera.call @chimera_cpu_linear{{.*}}(%[[ROWS]], %[[Y]], %[[W]], %[[X]]) {{.*}}updated = array<i64: 3>
// CHECK: return %[[Z]]
// A cap is in the names of the kernels that have it.
// CHECK-LABEL: func.func @capped
// CHECK: %[[O:.*]] = chimera.call @chimera_cpu_attend_{{.*}}_scale0p5_cap50_committed_f32(
// CHECK: %[[L:.*]] = chimera.call @chimera_cpu_soft_cap_30_8(%{{.*}}, %[[O]])
// CHECK: return %[[L]]
// CHECK: module @kernels

// INT8: chimera.pack %{{.*}}, %{{.*}} {format = "i8"
// INT4: chimera.pack %{{.*}}, %{{.*}} {format = "i4", group = 8 : i64
func.func @prefill(%tokens: tensor<?xi32> {chimera.step = "tokens"}, %rows: !chimera.rows {chimera.step = "rows"},
                   %outputs: !chimera.rows {chimera.step = "outputs"}, %forced: tensor<?x1xi8> {chimera.step = "forced"})
    -> tensor<?x8xf32> attributes {chimera.limits = array<i64: 16, 4>} {
  %e = chimera.param "embed" : tensor<32x8xf32>
  %x = chimera.embed %tokens, %e rows %rows : tensor<?xi32>, tensor<32x8xf32> -> tensor<?x8xf32>
  %k = chimera.param "k" : tensor<4x8xf32>
  %v = chimera.param "v" : tensor<8x8xf32>
  %y = chimera.fused_linear %x, [%k, %v] {epilogue = #chimera.epilogue<none>} : tensor<?x8xf32>, (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<?x12xf32>
  %c = chimera.columns %y at 4 : tensor<?x12xf32> to tensor<?x8xf32>
  %o = chimera.param "o" : tensor<8x8xf32>
  %z = chimera.fused_linear %c, [%o] onto %x {epilogue = #chimera.epilogue<residual>} : tensor<?x8xf32>, (tensor<8x8xf32>) onto tensor<?x8xf32> -> tensor<?x8xf32>
  return %z : tensor<?x8xf32>
}

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @capped(%q: tensor<?x8xf32>, %list: !list, %rows: !chimera.rows {chimera.step = "rows"}) -> tensor<?x8xf32>
    attributes {chimera.limits = array<i64: 16, 4>} {
  %o = chimera.fused_attend %q cache %list own %rows rows %rows {scale = 0.5 : f64, soft_cap = 50.0 : f64}
      : tensor<?x8xf32> cache !list -> tensor<?x8xf32>
  %l = chimera.soft_cap %o by 30.0 : tensor<?x8xf32>
  return %l : tensor<?x8xf32>
}
