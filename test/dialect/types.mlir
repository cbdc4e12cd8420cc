// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every type and attribute survives printing and parsing, also as bytecode.
// RUN: chimera-opt %s | chimera-opt | FileCheck %s
// RUN: chimera-opt %s --emit-bytecode | chimera-opt | FileCheck %s

// CHECK: func.func private @rows(!chimera.rows)
func.func private @rows(!chimera.rows)
// CHECK: func.func private @counts(!chimera.counts<modes = 4>)
func.func private @counts(!chimera.counts<modes = 4>)
// CHECK: func.func private @tail(!chimera.tail<rows = 3, channels = 64, element = f32>)
func.func private @tail(!chimera.tail<rows = 3, channels = 64, element = f32>)
// CHECK: func.func private @state(!chimera.state<heads = 24, dim = 64, size = 128, element = f64>)
func.func private @state(!chimera.state<heads = 24, dim = 64, size = 128, element = f64>)
// CHECK: func.func private @ring(!chimera.ring<window = 512, heads = 4, dim = 64, element = bf16, weights = none>)
func.func private @ring(!chimera.ring<window = 512, heads = 4, dim = 64, element = bf16, weights = none>)
// CHECK: func.func private @list(!chimera.list<heads = 4, dim = 64, element = bf16, weights = f32>)
func.func private @list(!chimera.list<heads = 4, dim = 64, element = bf16, weights = f32>)

// CHECK: func.func private @attributes()
// CHECK-SAME: activations = [#chimera.activation<none>, #chimera.activation<silu>]
// CHECK-SAME: buffers = [#chimera.buffer<arena, 64, 256, "">, #chimera.buffer<param, 0, 0, "">, #chimera.buffer<pool, 1, 0, "">, #chimera.buffer<pages, 0, 0, "">, #chimera.buffer<table, 2, 0, "">, #chimera.buffer<step, 0, 0, "tokens">]
// CHECK-SAME: gates = [#chimera.gate_kind<one>, #chimera.gate_kind<prob>]
// CHECK-SAME: grid = #chimera.grid<tokens = 8, seqs = 1, outputs = 2, constant = 3, divisor = 4>
// CHECK-SAME: modes = [#chimera<mode ssm>, #chimera<mode swa>, #chimera<mode full>, #chimera<mode identity>]
// CHECK-SAME: norms = [#chimera<norm_kind rms>, #chimera<norm_kind layer>]
// CHECK-SAME: policies = [#chimera<cache_policy routed>, #chimera<cache_policy all>]
func.func private @attributes() attributes {
  activations = [#chimera.activation<none>, #chimera.activation<silu>],
  buffers = [#chimera.buffer<arena, 64, 256, "">, #chimera.buffer<param, 0, 0, "">, #chimera.buffer<pool, 1, 0, "">,
             #chimera.buffer<pages, 0, 0, "">, #chimera.buffer<table, 2, 0, "">, #chimera.buffer<step, 0, 0, "tokens">],
  gates = [#chimera.gate_kind<one>, #chimera.gate_kind<prob>],
  grid = #chimera.grid<tokens = 8, seqs = 1, outputs = 2, constant = 3, divisor = 4>,
  modes = [#chimera<mode ssm>, #chimera<mode swa>, #chimera<mode full>, #chimera<mode identity>],
  norms = [#chimera<norm_kind rms>, #chimera<norm_kind layer>],
  policies = [#chimera<cache_policy routed>, #chimera<cache_policy all>]
}
