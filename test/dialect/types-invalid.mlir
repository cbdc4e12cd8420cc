// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A type or attribute that means nothing is refused where it is written.
// RUN: chimera-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{a layer has 1 to 4 modes, got 5}}
func.func private @counts_many(!chimera.counts<modes = 5>)

// -----

// expected-error @+1 {{a layer has 1 to 4 modes, got 0}}
func.func private @counts_none(!chimera.counts<modes = 0>)

// -----

// expected-error @+1 {{rows must be at least 1, got 0}}
func.func private @tail_rows(!chimera.tail<rows = 0, channels = 64, element = f32>)

// -----

// expected-error @+1 {{channels must be at least 1, got -1}}
func.func private @tail_channels(!chimera.tail<rows = 1, channels = -1, element = f32>)

// -----

// expected-error @+1 {{the element type must be f32 or f64, got 'bf16'}}
func.func private @tail_element(!chimera.tail<rows = 1, channels = 1, element = bf16>)

// -----

// expected-error @+1 {{heads must be at least 1, got 0}}
func.func private @state_heads(!chimera.state<heads = 0, dim = 64, size = 128, element = f32>)

// -----

// expected-error @+1 {{dim must be at least 1, got 0}}
func.func private @state_dim(!chimera.state<heads = 1, dim = 0, size = 128, element = f32>)

// -----

// expected-error @+1 {{size must be at least 1, got 0}}
func.func private @state_size(!chimera.state<heads = 1, dim = 1, size = 0, element = f32>)

// -----

// expected-error @+1 {{the element type must be f32 or f64, got 'i32'}}
func.func private @state_element(!chimera.state<heads = 1, dim = 1, size = 1, element = i32>)

// -----

// expected-error @+1 {{window must be at least 1, got 0}}
func.func private @ring_window(!chimera.ring<window = 0, heads = 4, dim = 64, element = bf16, weights = none>)

// -----

// expected-error @+1 {{heads must be at least 1, got 0}}
func.func private @ring_heads(!chimera.ring<window = 1, heads = 0, dim = 64, element = bf16, weights = none>)

// -----

// expected-error @+1 {{dim must be at least 1, got 0}}
func.func private @list_dim(!chimera.list<heads = 1, dim = 0, element = bf16, weights = none>)

// -----

// expected-error @+1 {{the element type must be f64, f32 or bf16, got 'f16'}}
func.func private @list_element(!chimera.list<heads = 1, dim = 1, element = f16, weights = none>)

// -----

// expected-error @+1 {{the weights' type must be f64, f32 or none, got 'bf16'}}
func.func private @list_weights(!chimera.list<heads = 1, dim = 1, element = f32, weights = bf16>)

// -----

// expected-error @+1 {{expected ','}}
func.func private @list_missing(!chimera.list<heads = 1, dim = 1, weights = none>)

// -----

// expected-error @+1 {{unknown  type `cache` in dialect `chimera`}}
func.func private @unknown_type(!chimera.cache)

// -----

// expected-error @+1 {{a grid's factors must not be negative}}
func.func private @grid_factor() attributes {grid = #chimera.grid<tokens = -1, seqs = 0, outputs = 0, constant = 0, divisor = 1>}

// -----

// expected-error @+1 {{a grid's divisor must be at least 1, got 0}}
func.func private @grid_divisor() attributes {grid = #chimera.grid<tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 0>}

// -----

// expected-error @+2 {{specification: heap}}
// expected-error @+1 {{failed to parse BufferAttr parameter 'kind'}}
func.func private @buffer_kind() attributes {buffer = #chimera.buffer<heap, 0, 0, "">}

// -----

// expected-error @+2 {{expected ::chimera::ir::Mode to be one of: ssm, swa, full, identity}}
// expected-error @+1 {{failed to parse ModeAttr parameter 'value'}}
func.func private @mode() attributes {mode = #chimera<mode sparse>}

// -----

// expected-error @+1 {{a cache of one sequence must have at most 2^50 elements}}
func.func private @tail_size(!chimera.tail<rows = 4611686018427387904, channels = 4611686018427387904, element = f32>)

// -----

// expected-error @+1 {{a cache of one sequence must have at most 2^50 elements}}
func.func private @state_size_total(!chimera.state<heads = 1048576, dim = 1048576, size = 1048576, element = f32>)

// -----

// expected-error @+1 {{a cache of one sequence must have at most 2^50 elements}}
func.func private @ring_size(!chimera.ring<window = 4611686018427387904, heads = 4, dim = 1, element = f32, weights = none>)

// -----

// expected-error @+1 {{a cache of one sequence must have at most 2^50 elements}}
func.func private @list_size(!chimera.list<heads = 4611686018427387904, dim = 4, element = f32, weights = none>)
