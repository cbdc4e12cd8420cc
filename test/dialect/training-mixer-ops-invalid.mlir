// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is wrong with attention, a convolution or a scan over whole sequences, or with a gradient of one, is said where it is.
// RUN: chimera-opt %s --split-input-file --verify-diagnostics

func.func @attend_kv_heads(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %own: !chimera.rows,
                           %keys: !chimera.rows) {
  // expected-error @+1 {{'chimera.seq_attend' op kv_heads and head_dim must be at least 1, got 0 and 4}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v own %own keys %keys
      {kv_heads = 0 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @attend_head_dim(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %own: !chimera.rows,
                           %keys: !chimera.rows) {
  // expected-error @+1 {{kv_heads and head_dim must be at least 1, got 2 and -4}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v own %own keys %keys
      {kv_heads = 2 : i64, head_dim = -4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @attend_window(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %own: !chimera.rows,
                         %keys: !chimera.rows) {
  // expected-error @+1 {{window must be at least 1, or -1 for none, got 0}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = 0 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @attend_soft_cap(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %own: !chimera.rows,
                           %keys: !chimera.rows) {
  // expected-error @+1 {{soft_cap must be finite and above 0}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = 1 : i64, scale = 0.5 : f64, soft_cap = 0.0 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @attend_query(%q: tensor<?x12xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %own: !chimera.rows,
                        %keys: !chimera.rows) {
  // expected-error @+1 {{query must have a multiple of 2 heads of 4 columns, got 12 columns}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x12xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x12xf32>, tensor<?x3xf32>)
  return
}

// -----

func.func @attend_huge_heads(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %own: !chimera.rows,
                             %keys: !chimera.rows) {
  // expected-error @+1 {{query must have a multiple of 2 heads of 4611686018427387904 columns, got 16 columns}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4611686018427387904 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @attend_unknown_query(%q: tensor<?x?xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %own: !chimera.rows,
                                %keys: !chimera.rows) {
  // expected-error @+1 {{query must have a multiple of 2 heads of 4 columns}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x?xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @attend_key(%q: tensor<?x16xbf16>, %k: tensor<?x4xbf16>, %v: tensor<?x8xbf16>, %own: !chimera.rows,
                      %keys: !chimera.rows) {
  // expected-error @+1 {{key must have 8 columns, got 4}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x4xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @attend_value_type(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xf32>, %own: !chimera.rows,
                             %keys: !chimera.rows) {
  // expected-error @+1 {{query and value must have one element type, got 'bf16' and 'f32'}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @attend_write(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %w: tensor<?xf64>,
                        %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{write must accumulate in 'f32', got 'f64'}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v write %w own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?xf64>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @attend_one_entry(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %ek: tensor<?x8xbf16>,
                            %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{own_entry must be a key and a value of type 'tensor<?x8xbf16>'}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v own_entry %ek own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @attend_entry_type(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %ek: tensor<?x8xbf16>,
                             %ev: tensor<?x4xbf16>, %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{own_entry must be a key and a value of type 'tensor<?x8xbf16>'}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v own_entry %ek, %ev own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x4xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @attend_entry_and_write(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>,
                                  %w: tensor<?xf32>, %ek: tensor<?x8xbf16>, %ev: tensor<?x8xbf16>,
                                  %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{with write weights every row keeps its entry, so that none has one of its own}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v write %w own_entry %ek, %ev own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?xf32>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @attend_result(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %own: !chimera.rows,
                         %keys: !chimera.rows) {
  // expected-error @+1 {{result must have 16 columns, got 8}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @attend_result_type(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %own: !chimera.rows,
                              %keys: !chimera.rows) {
  // expected-error @+1 {{result must accumulate in 'f32', got 'f64'}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf64>, tensor<?x4xf32>)
  return
}

// -----

func.func @attend_lse(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %own: !chimera.rows,
                      %keys: !chimera.rows) {
  // expected-error @+1 {{lse must have 4 columns, got 2}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @attend_lse_type(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %own: !chimera.rows,
                           %keys: !chimera.rows) {
  // expected-error @+1 {{lse must accumulate in 'f32', got 'f64'}}
  %r0, %r1 = chimera.seq_attend %q, %k, %v own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf64>)
  return
}

// -----

func.func @query_grad_window(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %o: tensor<?x16xf32>,
                             %lse: tensor<?x4xf32>, %d: tensor<?x16xf32>, %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{'chimera.seq_attend_query_grad' op window must be at least 1, or -1 for none, got -2}}
  %r0, %r1 = chimera.seq_attend_query_grad %q, %k, %v result %o, %lse, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -2 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @query_grad_entry(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %ek: tensor<?x8xf32>,
                            %ev: tensor<?x8xbf16>, %o: tensor<?x16xf32>, %lse: tensor<?x4xf32>, %d: tensor<?x16xf32>,
                            %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{own_entry must be a key and a value of type}}
  %r0, %r1 = chimera.seq_attend_query_grad %q, %k, %v own_entry %ek, %ev result %o, %lse, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xf32>, tensor<?x8xbf16>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @query_grad_result(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %o: tensor<?x8xf32>,
                             %lse: tensor<?x4xf32>, %d: tensor<?x16xf32>, %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{result must have 16 columns, got 8}}
  %r0, %r1 = chimera.seq_attend_query_grad %q, %k, %v result %o, %lse, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @query_grad_result_type(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>,
                                  %o: tensor<?x16xf64>, %lse: tensor<?x4xf32>, %d: tensor<?x16xf32>,
                                  %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{result must accumulate in 'f32', got 'f64'}}
  %r0, %r1 = chimera.seq_attend_query_grad %q, %k, %v result %o, %lse, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x16xf64>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @query_grad_lse(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %o: tensor<?x16xf32>,
                          %lse: tensor<?x1xf32>, %d: tensor<?x16xf32>, %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{lse must have 4 columns, got 1}}
  %r0, %r1 = chimera.seq_attend_query_grad %q, %k, %v result %o, %lse, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x16xf32>, tensor<?x1xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @query_grad_dresult(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %o: tensor<?x16xf32>,
                              %lse: tensor<?x4xf32>, %d: tensor<?x4xf32>, %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{dresult must have 16 columns, got 4}}
  %r0, %r1 = chimera.seq_attend_query_grad %q, %k, %v result %o, %lse, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x4xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @query_grad_dquery(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %o: tensor<?x16xf32>,
                             %lse: tensor<?x4xf32>, %d: tensor<?x16xf32>, %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{dquery must have 16 columns, got 8}}
  %r0, %r1 = chimera.seq_attend_query_grad %q, %k, %v result %o, %lse, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @query_grad_dquery_type(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>,
                                  %o: tensor<?x16xf32>, %lse: tensor<?x4xf32>, %d: tensor<?x16xf32>,
                                  %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{dquery must accumulate in 'f32', got 'f64'}}
  %r0, %r1 = chimera.seq_attend_query_grad %q, %k, %v result %o, %lse, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf64>, tensor<?x4xf32>)
  return
}

// -----

func.func @query_grad_delta(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %o: tensor<?x16xf32>,
                            %lse: tensor<?x4xf32>, %d: tensor<?x16xf32>, %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{delta must have 4 columns, got 16}}
  %r0, %r1 = chimera.seq_attend_query_grad %q, %k, %v result %o, %lse, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x16xf32>)
  return
}

// -----

func.func @query_grad_no_entries(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>,
                                 %ek: tensor<?x8xbf16>, %ev: tensor<?x8xbf16>, %o: tensor<?x16xf32>,
                                 %lse: tensor<?x4xf32>, %d: tensor<?x16xf32>, %own: !chimera.rows,
                                 %keys: !chimera.rows) {
  // expected-error @+1 {{needs a gradient of each tensor of own_entry}}
  %r0, %r1 = chimera.seq_attend_query_grad %q, %k, %v own_entry %ek, %ev result %o, %lse, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @query_grad_entries(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>,
                              %ek: tensor<?x8xbf16>, %ev: tensor<?x8xbf16>, %o: tensor<?x16xf32>,
                              %lse: tensor<?x4xf32>, %d: tensor<?x16xf32>, %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{down_entry must have 8 columns, got 4}}
  %r0, %r1, %r2, %r3 = chimera.seq_attend_query_grad %q, %k, %v own_entry %ek, %ev result %o, %lse, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x8xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @query_grad_entries_type(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>,
                                   %ek: tensor<?x8xbf16>, %ev: tensor<?x8xbf16>, %o: tensor<?x16xf32>,
                                   %lse: tensor<?x4xf32>, %d: tensor<?x16xf32>, %own: !chimera.rows,
                                   %keys: !chimera.rows) {
  // expected-error @+1 {{down_entry must have elements in 'f32', got 'f64'}}
  %r0, %r1, %r2, %r3 = chimera.seq_attend_query_grad %q, %k, %v own_entry %ek, %ev result %o, %lse, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x4xf32>, tensor<?x8xf32>, tensor<?x8xf64>)
  return
}

// -----

func.func @key_grad_heads(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %lse: tensor<?x4xf32>,
                          %delta: tensor<?x4xf32>, %d: tensor<?x16xf32>, %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{'chimera.seq_attend_key_grad' op query must have a multiple of 3 heads of 4 columns, got 16 columns}}
  %r0, %r1 = chimera.seq_attend_key_grad %q, %k, %v result %lse, %delta, %d own %own keys %keys
      {kv_heads = 3 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x8xf32>)
  return
}

// -----

func.func @key_grad_lse(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %lse: tensor<?x8xf32>,
                        %delta: tensor<?x4xf32>, %d: tensor<?x16xf32>, %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{lse must have 4 columns, got 8}}
  %r0, %r1 = chimera.seq_attend_key_grad %q, %k, %v result %lse, %delta, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x8xf32>)
  return
}

// -----

func.func @key_grad_delta(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %lse: tensor<?x4xf32>,
                          %delta: tensor<?x4xf64>, %d: tensor<?x16xf32>, %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{delta must accumulate in 'f32', got 'f64'}}
  %r0, %r1 = chimera.seq_attend_key_grad %q, %k, %v result %lse, %delta, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x4xf32>, tensor<?x4xf64>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x8xf32>)
  return
}

// -----

func.func @key_grad_dresult(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %lse: tensor<?x4xf32>,
                            %delta: tensor<?x4xf32>, %d: tensor<?x8xf32>, %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{dresult must have 16 columns, got 8}}
  %r0, %r1 = chimera.seq_attend_key_grad %q, %k, %v result %lse, %delta, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x8xf32>)
  return
}

// -----

func.func @key_grad_dkey(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %lse: tensor<?x4xf32>,
                         %delta: tensor<?x4xf32>, %d: tensor<?x16xf32>, %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{dkey must have 8 columns, got 16}}
  %r0, %r1 = chimera.seq_attend_key_grad %q, %k, %v result %lse, %delta, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x16xf32>, tensor<?x8xf32>)
  return
}

// -----

func.func @key_grad_dvalue(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %lse: tensor<?x4xf32>,
                           %delta: tensor<?x4xf32>, %d: tensor<?x16xf32>, %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{dvalue must have 8 columns, got 16}}
  %r0, %r1 = chimera.seq_attend_key_grad %q, %k, %v result %lse, %delta, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x16xf32>)
  return
}

// -----

func.func @key_grad_dkey_type(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>,
                              %lse: tensor<?x4xf32>, %delta: tensor<?x4xf32>, %d: tensor<?x16xf32>,
                              %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{dkey must accumulate in 'f32', got 'f64'}}
  %r0, %r1 = chimera.seq_attend_key_grad %q, %k, %v result %lse, %delta, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf64>, tensor<?x8xf32>)
  return
}

// -----

func.func @key_grad_dvalue_type(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>,
                                %lse: tensor<?x4xf32>, %delta: tensor<?x4xf32>, %d: tensor<?x16xf32>,
                                %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{dvalue must have elements in 'f32', got 'f64'}}
  %r0, %r1 = chimera.seq_attend_key_grad %q, %k, %v result %lse, %delta, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x8xf64>)
  return
}

// -----

func.func @key_grad_no_dwrite(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %w: tensor<?xf32>,
                              %lse: tensor<?x4xf32>, %delta: tensor<?x4xf32>, %d: tensor<?x16xf32>,
                              %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{gives dwrite exactly where there are write weights}}
  %r0, %r1 = chimera.seq_attend_key_grad %q, %k, %v write %w result %lse, %delta, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x8xf32>)
  return
}

// -----

func.func @key_grad_dwrite(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %lse: tensor<?x4xf32>,
                           %delta: tensor<?x4xf32>, %d: tensor<?x16xf32>, %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{gives dwrite exactly where there are write weights}}
  %r0, %r1, %r2 = chimera.seq_attend_key_grad %q, %k, %v result %lse, %delta, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xf32>)
  return
}

// -----

func.func @key_grad_dwrite_type(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %w: tensor<?xf32>,
                                %lse: tensor<?x4xf32>, %delta: tensor<?x4xf32>, %d: tensor<?x16xf32>,
                                %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{dwrite must have elements in 'f32', got 'f64'}}
  %r0, %r1, %r2 = chimera.seq_attend_key_grad %q, %k, %v write %w result %lse, %delta, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xf64>)
  return
}

// -----

func.func @key_grad_tentative(%q: tensor<?x16xbf16>, %k: tensor<?x8xbf16>, %v: tensor<?x8xbf16>, %w: tensor<?xf32>,
                              %lse: tensor<?x4xf32>, %delta: tensor<?x4xf32>, %d: tensor<?x16xf32>,
                              %own: !chimera.rows, %keys: !chimera.rows) {
  // expected-error @+1 {{with write weights every row keeps its entry, so that none has one of its own}}
  %r0, %r1, %r2 = chimera.seq_attend_key_grad %q, %k, %v write %w result %lse, %delta, %d own %own keys %keys
      {kv_heads = 2 : i64, head_dim = 4 : i64, window = -1 : i64, scale = 0.5 : f64, tentative}
      : (tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x16xf32>, !chimera.rows, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xf32>)
  return
}

// -----

func.func @conv_taps(%x: tensor<?x8xf32>, %w: tensor<8x0xf32>, %b: tensor<8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.seq_conv' op a convolution needs at least one tap, got 0}}
  %r0 = chimera.seq_conv %x, %w, %b rows %rows {activation = #chimera.activation<silu>}
      : (tensor<?x8xf32>, tensor<8x0xf32>, tensor<8xf32>, !chimera.rows) -> tensor<?x8xf32>
  return
}

// -----

func.func @conv_weight(%x: tensor<?x8xf32>, %w: tensor<4x4xf32>, %b: tensor<8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{weight must be 8x4, got 'tensor<4x4xf32>'}}
  %r0 = chimera.seq_conv %x, %w, %b rows %rows {activation = #chimera.activation<silu>}
      : (tensor<?x8xf32>, tensor<4x4xf32>, tensor<8xf32>, !chimera.rows) -> tensor<?x8xf32>
  return
}

// -----

func.func @conv_weight_type(%x: tensor<?x8xf32>, %w: tensor<8x4xf64>, %b: tensor<8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{input and weight must have one element type, got 'f32' and 'f64'}}
  %r0 = chimera.seq_conv %x, %w, %b rows %rows {activation = #chimera.activation<silu>}
      : (tensor<?x8xf32>, tensor<8x4xf64>, tensor<8xf32>, !chimera.rows) -> tensor<?x8xf32>
  return
}

// -----

func.func @conv_bias(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %b: tensor<4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{bias must have 8 elements, got 4}}
  %r0 = chimera.seq_conv %x, %w, %b rows %rows {activation = #chimera.activation<silu>}
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<4xf32>, !chimera.rows) -> tensor<?x8xf32>
  return
}

// -----

func.func @conv_bias_type(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf64>, %rows: !chimera.rows) {
  // expected-error @+1 {{input and bias must have one element type, got 'f32' and 'f64'}}
  %r0 = chimera.seq_conv %x, %w, %b rows %rows {activation = #chimera.activation<silu>}
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf64>, !chimera.rows) -> tensor<?x8xf32>
  return
}

// -----

func.func @conv_kept_rows(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{kept entries and their rows come together}}
  %y = "chimera.seq_conv"(%x, %w, %b, %x, %rows)
      {activation = #chimera.activation<none>, operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 1>}
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, tensor<?x8xf32>, !chimera.rows) -> tensor<?x8xf32>
  return
}

// -----

func.func @conv_kept(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>, %e: tensor<?x4xf32>,
                     %part: !chimera.rows, %rows: !chimera.rows) {
  // expected-error @+1 {{kept entries must have the input's type 'tensor<?x8xf32>', got 'tensor<?x4xf32>'}}
  %r0 = chimera.seq_conv %x, %w, %b kept %e of %part rows %rows {activation = #chimera.activation<silu>}
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, tensor<?x4xf32>, !chimera.rows, !chimera.rows)
      -> tensor<?x8xf32>
  return
}

// -----

func.func @conv_result(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{result must have 8 columns, got 4}}
  %r0 = chimera.seq_conv %x, %w, %b rows %rows {activation = #chimera.activation<silu>}
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, !chimera.rows) -> tensor<?x4xf32>
  return
}

// -----

func.func @conv_result_type(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{result must have elements in 'f32', got 'f64'}}
  %r0 = chimera.seq_conv %x, %w, %b rows %rows {activation = #chimera.activation<silu>}
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, !chimera.rows) -> tensor<?x8xf64>
  return
}

// -----

func.func @conv_activation_weight(%x: tensor<?x8xf32>, %w: tensor<4x4xf32>, %b: tensor<8xf32>, %d: tensor<?x8xf32>,
                                  %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.seq_conv_activation_grad' op weight must be 8x4, got 'tensor<4x4xf32>'}}
  %r0 = chimera.seq_conv_activation_grad %x, %w, %b gradient %d rows %rows
      : (tensor<?x8xf32>, tensor<4x4xf32>, tensor<8xf32>, tensor<?x8xf32>, !chimera.rows) -> tensor<?x8xf32>
  return
}

// -----

func.func @conv_activation_kept(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>, %e: tensor<?x8xf64>,
                                %part: !chimera.rows, %d: tensor<?x8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{kept entries must have the input's type}}
  %r0 = chimera.seq_conv_activation_grad %x, %w, %b kept %e of %part gradient %d rows %rows
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, tensor<?x8xf64>, !chimera.rows, tensor<?x8xf32>, !chimera.rows)
      -> tensor<?x8xf32>
  return
}

// -----

func.func @conv_activation_result(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>, %d: tensor<?x8xf32>,
                                  %rows: !chimera.rows) {
  // expected-error @+1 {{result must have 8 columns, got 4}}
  %r0 = chimera.seq_conv_activation_grad %x, %w, %b gradient %d rows %rows
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, tensor<?x8xf32>, !chimera.rows) -> tensor<?x4xf32>
  return
}

// -----

func.func @conv_activation_gradient(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>, %d: tensor<?x4xf32>,
                                    %rows: !chimera.rows) {
  // expected-error @+1 {{gradient must have 8 columns, got 4}}
  %r0 = chimera.seq_conv_activation_grad %x, %w, %b gradient %d rows %rows
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, tensor<?x4xf32>, !chimera.rows) -> tensor<?x8xf32>
  return
}

// -----

func.func @conv_activation_type(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>, %d: tensor<?x8xf64>,
                                %rows: !chimera.rows) {
  // expected-error @+1 {{gradient must have elements in 'f32', got 'f64'}}
  %r0 = chimera.seq_conv_activation_grad %x, %w, %b gradient %d rows %rows
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<8xf32>, tensor<?x8xf64>, !chimera.rows) -> tensor<?x8xf32>
  return
}

// -----

func.func @conv_input_dkept(%d: tensor<?x8xf32>, %w: tensor<8x4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.seq_conv_input_grad' op gives dkept exactly where rows are kept}}
  %r0, %r1 = chimera.seq_conv_input_grad %d, %w rows %rows
      : (tensor<?x8xf32>, tensor<8x4xf32>, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x8xf32>)
  return
}

// -----

func.func @conv_input_no_dkept(%d: tensor<?x8xf32>, %w: tensor<8x4xf32>, %part: !chimera.rows, %rows: !chimera.rows) {
  // expected-error @+1 {{gives dkept exactly where rows are kept}}
  %r0 = chimera.seq_conv_input_grad %d, %w kept %part rows %rows
      : (tensor<?x8xf32>, tensor<8x4xf32>, !chimera.rows, !chimera.rows) -> tensor<?x8xf32>
  return
}

// -----

func.func @conv_input_dinput(%d: tensor<?x8xf32>, %w: tensor<8x4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{dinput must have 8 columns, got 4}}
  %r0 = chimera.seq_conv_input_grad %d, %w rows %rows
      : (tensor<?x8xf32>, tensor<8x4xf32>, !chimera.rows) -> tensor<?x4xf32>
  return
}

// -----

func.func @conv_input_dkept_type(%d: tensor<?x8xf32>, %w: tensor<8x4xf32>, %part: !chimera.rows, %rows: !chimera.rows) {
  // expected-error @+1 {{dkept must have elements in 'f32', got 'f64'}}
  %r0, %r1 = chimera.seq_conv_input_grad %d, %w kept %part rows %rows
      : (tensor<?x8xf32>, tensor<8x4xf32>, !chimera.rows, !chimera.rows) -> (tensor<?x8xf32>, tensor<?x8xf64>)
  return
}

// -----

func.func @conv_input_weight(%d: tensor<?x8xf32>, %w: tensor<9x4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{weight must be 8x4, got 'tensor<9x4xf32>'}}
  %r0 = chimera.seq_conv_input_grad %d, %w rows %rows
      : (tensor<?x8xf32>, tensor<9x4xf32>, !chimera.rows) -> tensor<?x8xf32>
  return
}

// -----

func.func @conv_weight_kept(%d: tensor<?x8xf32>, %x: tensor<?x8xf32>, %e: tensor<?x4xf32>, %part: !chimera.rows,
                            %rows: !chimera.rows, %leaves: tensor<18xi32>) {
  // expected-error @+1 {{'chimera.seq_conv_weight_grad' op kept entries must have the input's type}}
  %r0, %r1 = chimera.seq_conv_weight_grad %d, %x kept %e of %part rows %rows leaves %leaves
      : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x4xf32>, !chimera.rows, !chimera.rows, tensor<18xi32>)
      -> (tensor<8x4xf32>, tensor<8xf32>)
  return
}

// -----

func.func @conv_weight_dweight(%d: tensor<?x8xf32>, %x: tensor<?x8xf32>, %rows: !chimera.rows, %leaves: tensor<18xi32>) {
  // expected-error @+1 {{weight must be 8x4, got 'tensor<4x4xf32>'}}
  %r0, %r1 = chimera.seq_conv_weight_grad %d, %x rows %rows leaves %leaves
      : (tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows, tensor<18xi32>) -> (tensor<4x4xf32>, tensor<8xf32>)
  return
}

// -----

func.func @conv_weight_dbias(%d: tensor<?x8xf32>, %x: tensor<?x8xf32>, %rows: !chimera.rows, %leaves: tensor<18xi32>) {
  // expected-error @+1 {{bias must have 8 elements, got 4}}
  %r0, %r1 = chimera.seq_conv_weight_grad %d, %x rows %rows leaves %leaves
      : (tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows, tensor<18xi32>) -> (tensor<8x4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @conv_weight_dresult(%d: tensor<?x4xf32>, %x: tensor<?x8xf32>, %rows: !chimera.rows, %leaves: tensor<18xi32>) {
  // expected-error @+1 {{dresult must have 8 columns, got 4}}
  %r0, %r1 = chimera.seq_conv_weight_grad %d, %x rows %rows leaves %leaves
      : (tensor<?x4xf32>, tensor<?x8xf32>, !chimera.rows, tensor<18xi32>) -> (tensor<8x4xf32>, tensor<8xf32>)
  return
}

// -----

func.func @conv_weight_leaves(%d: tensor<?x8xf32>, %x: tensor<?x8xf32>, %rows: !chimera.rows, %leaves: tensor<2xi32>) {
  // expected-error @+1 {{leaves must have 18 elements, got 2}}
  %r0, %r1 = chimera.seq_conv_weight_grad %d, %x rows %rows leaves %leaves
      : (tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows, tensor<2xi32>) -> (tensor<8x4xf32>, tensor<8xf32>)
  return
}

// -----

func.func @ssm_heads(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                     %bias: tensor<4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.seq_ssm_scan' op heads, dim and size must be in 1 .. 1048576}}
  %r0, %r1 = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %bias rows %rows
      {heads = 0 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x1xf32>)
  return
}

// -----

func.func @ssm_dim(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                   %bias: tensor<4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{heads, dim and size must be in 1 .. 1048576}}
  %r0, %r1 = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %bias rows %rows
      {heads = 4 : i64, dim = -2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x1xf32>)
  return
}

// -----

func.func @ssm_size(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                    %bias: tensor<4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{heads, dim and size must be in 1 .. 1048576}}
  %r0, %r1 = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %bias rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 4611686018427387904 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x1xf32>)
  return
}

// -----

func.func @ssm_groups(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                      %bias: tensor<4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{groups must divide the 4 heads, got 3}}
  %r0, %r1 = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %bias rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 3 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x1xf32>)
  return
}

// -----

func.func @ssm_no_groups(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                         %bias: tensor<4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{groups must divide the 4 heads, got 0}}
  %r0, %r1 = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %bias rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 0 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x1xf32>)
  return
}

// -----

func.func @ssm_xbc(%xbc: tensor<?x14xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                   %bias: tensor<4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{xbc must have 20 columns, got 14}}
  %r0, %r1 = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %bias rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x14xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x1xf32>)
  return
}

// -----

func.func @ssm_dt(%xbc: tensor<?x20xf32>, %dt: tensor<?x2xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                  %bias: tensor<4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{dt must have 4 columns, got 2}}
  %r0, %r1 = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %bias rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x2xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x1xf32>)
  return
}

// -----

func.func @ssm_a_log(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<2xf32>, %skip: tensor<2xf32>,
                     %bias: tensor<2xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{a_log must have 4 elements, got 2}}
  %r0, %r1 = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %bias rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x1xf32>)
  return
}

// -----

func.func @ssm_skip(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<2xf32>,
                    %bias: tensor<4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{failed to verify that all of {a_log, skip, dt_bias} have same type}}
  %r0, %r1 = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %bias rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<2xf32>, tensor<4xf32>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x1xf32>)
  return
}

// -----

func.func @ssm_states(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                      %bias: tensor<4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{states must have 1 columns, got 2}}
  %r0, %r1 = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %bias rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @ssm_dt_type(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf64>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                       %bias: tensor<4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{dt must have elements in 'f32', got 'f64'}}
  %r0, %r1 = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %bias rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf64>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x1xf32>)
  return
}

// -----

func.func @ssm_write(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                     %bias: tensor<4xf32>, %w: tensor<?xf64>, %rows: !chimera.rows) {
  // expected-error @+1 {{write must have elements in 'f32', got 'f64'}}
  %r0, %r1 = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %bias write %w rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?xf64>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x1xf32>)
  return
}

// -----

func.func @ssm_clamp(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                     %bias: tensor<4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{dt_min must not be above dt_max}}
  %r0, %r1 = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %bias rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 2.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x1xf32>)
  return
}

// -----

func.func @ssm_clamp_nan(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                         %bias: tensor<4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{dt_min must not be above dt_max}}
  %r0, %r1 = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %bias rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 0x7FF8000000000000 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x1xf32>)
  return
}

// -----

func.func @ssm_result(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                      %bias: tensor<4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{result must have 8 columns, got 4}}
  %r0, %r1 = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %bias rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, !chimera.rows)
      -> (tensor<?x4xf32>, tensor<?x1xf32>)
  return
}

// -----

func.func @ssm_result_type(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                           %bias: tensor<4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{result must have elements in 'f32', got 'f64'}}
  %r0, %r1 = chimera.seq_ssm_scan %xbc, %dt, %a, %skip, %bias rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, !chimera.rows)
      -> (tensor<?x8xf64>, tensor<?x1xf32>)
  return
}

// -----

func.func @ssm_grad_heads(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                          %bias: tensor<4xf32>, %states: tensor<?x1xf32>, %d: tensor<?x8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.seq_ssm_scan_grad' op heads, dim and size must be in 1 .. 1048576}}
  %r0, %r1, %r2, %r3 = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %skip, %bias states %states gradient %d rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 0 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows)
      -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @ssm_grad_skip(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<2xf32>,
                         %bias: tensor<4xf32>, %states: tensor<?x1xf32>, %d: tensor<?x8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{skip must have 4 elements, got 2}}
  %r0, %r1, %r2, %r3 = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %skip, %bias states %states gradient %d rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<2xf32>, tensor<4xf32>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows)
      -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @ssm_grad_bias(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                         %bias: tensor<8xf32>, %states: tensor<?x1xf32>, %d: tensor<?x8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{dt_bias must have 4 elements, got 8}}
  %r0, %r1, %r2, %r3 = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %skip, %bias states %states gradient %d rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<8xf32>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows)
      -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @ssm_grad_bias_type(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                              %bias: tensor<4xf64>, %states: tensor<?x1xf32>, %d: tensor<?x8xf32>,
                              %rows: !chimera.rows) {
  // expected-error @+1 {{dt_bias must have elements in 'f32', got 'f64'}}
  %r0, %r1, %r2, %r3 = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %skip, %bias states %states gradient %d rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf64>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows)
      -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @ssm_grad_states(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                           %bias: tensor<4xf32>, %states: tensor<?x3xf32>, %d: tensor<?x8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{states must have 1 columns, got 3}}
  %r0, %r1, %r2, %r3 = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %skip, %bias states %states gradient %d rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x3xf32>, tensor<?x8xf32>, !chimera.rows)
      -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @ssm_grad_gradient(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                             %bias: tensor<4xf32>, %states: tensor<?x1xf32>, %d: tensor<?x4xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{gradient must have 8 columns, got 4}}
  %r0, %r1, %r2, %r3 = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %skip, %bias states %states gradient %d rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x1xf32>, tensor<?x4xf32>, !chimera.rows)
      -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @ssm_grad_ddt(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                        %bias: tensor<4xf32>, %states: tensor<?x1xf32>, %d: tensor<?x8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{ddt must have 4 columns, got 2}}
  %r0, %r1, %r2, %r3 = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %skip, %bias states %states gradient %d rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows)
      -> (tensor<?x20xf32>, tensor<?x2xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @ssm_grad_drate(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                          %bias: tensor<4xf32>, %states: tensor<?x1xf32>, %d: tensor<?x8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{drate must have 4 columns, got 2}}
  %r0, %r1, %r2, %r3 = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %skip, %bias states %states gradient %d rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows)
      -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x2xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @ssm_grad_dskip(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                          %bias: tensor<4xf32>, %states: tensor<?x1xf32>, %d: tensor<?x8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{dskip must have elements in 'f32', got 'f64'}}
  %r0, %r1, %r2, %r3 = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %skip, %bias states %states gradient %d rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows)
      -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf64>)
  return
}

// -----

func.func @ssm_grad_no_dwrite(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                              %bias: tensor<4xf32>, %w: tensor<?xf32>, %states: tensor<?x1xf32>, %d: tensor<?x8xf32>,
                              %rows: !chimera.rows) {
  // expected-error @+1 {{gives dwrite exactly where there are write weights}}
  %r0, %r1, %r2, %r3 = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %skip, %bias write %w states %states gradient %d rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?xf32>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows)
      -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @ssm_grad_dwrite(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                           %bias: tensor<4xf32>, %states: tensor<?x1xf32>, %d: tensor<?x8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{gives dwrite exactly where there are write weights}}
  %r0, %r1, %r2, %r3, %r4 = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %skip, %bias states %states gradient %d rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows)
      -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xf32>)
  return
}

// -----

func.func @ssm_grad_dwrite_type(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                                %bias: tensor<4xf32>, %w: tensor<?xf32>, %states: tensor<?x1xf32>,
                                %d: tensor<?x8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{dwrite must have elements in 'f32', got 'f64'}}
  %r0, %r1, %r2, %r3, %r4 = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %skip, %bias write %w states %states gradient %d rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?xf32>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows)
      -> (tensor<?x20xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xf64>)
  return
}

// -----

func.func @ssm_grad_dxbc(%xbc: tensor<?x20xf32>, %dt: tensor<?x4xf32>, %a: tensor<4xf32>, %skip: tensor<4xf32>,
                         %bias: tensor<4xf32>, %states: tensor<?x1xf32>, %d: tensor<?x8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{dxbc must have 20 columns, got 8}}
  %r0, %r1, %r2, %r3 = chimera.seq_ssm_scan_grad %xbc, %dt, %a, %skip, %bias states %states gradient %d rows %rows
      {heads = 4 : i64, dim = 2 : i64, size = 3 : i64, groups = 2 : i64, dt_min = 0.0 : f64, dt_max = 1.0 : f64}
      : (tensor<?x20xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x1xf32>, tensor<?x8xf32>, !chimera.rows)
      -> (tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @lti_decay(%u: tensor<?x6xf64>, %decay: tensor<5xf64>, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.seq_lti_scan' op decay must have 6 elements, got 5}}
  %r0 = chimera.seq_lti_scan %u, %decay rows %rows
      : (tensor<?x6xf64>, tensor<5xf64>, !chimera.rows) -> tensor<?x6xf64>
  return
}

// -----

func.func @lti_decay_type(%u: tensor<?x6xf64>, %decay: tensor<6xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{decay must have elements in 'f64', got 'f32'}}
  %r0 = chimera.seq_lti_scan %u, %decay rows %rows
      : (tensor<?x6xf64>, tensor<6xf32>, !chimera.rows) -> tensor<?x6xf64>
  return
}

// -----

func.func @lti_write(%u: tensor<?x6xf64>, %decay: tensor<6xf64>, %w: tensor<?xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{write must have elements in 'f64', got 'f32'}}
  %r0 = chimera.seq_lti_scan %u, %decay write %w rows %rows
      : (tensor<?x6xf64>, tensor<6xf64>, tensor<?xf32>, !chimera.rows) -> tensor<?x6xf64>
  return
}

// -----

func.func @lti_result(%u: tensor<?x6xf64>, %decay: tensor<6xf64>, %rows: !chimera.rows) {
  // expected-error @+1 {{failed to verify that all of {input, result} have same type}}
  %r0 = chimera.seq_lti_scan %u, %decay rows %rows
      : (tensor<?x6xf64>, tensor<6xf64>, !chimera.rows) -> tensor<?x5xf64>
  return
}

// -----

func.func @lti_grad_no_dwrite(%u: tensor<?x6xf64>, %decay: tensor<6xf64>, %w: tensor<?xf64>, %y: tensor<?x6xf64>,
                              %d: tensor<?x6xf64>, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.seq_lti_scan_grad' op gives dwrite exactly where there are write weights}}
  %r0, %r1 = chimera.seq_lti_scan_grad %u, %decay write %w result %y, %d rows %rows
      : (tensor<?x6xf64>, tensor<6xf64>, tensor<?xf64>, tensor<?x6xf64>, tensor<?x6xf64>, !chimera.rows)
      -> (tensor<?x6xf64>, tensor<?x6xf64>)
  return
}

// -----

func.func @lti_grad_dwrite(%u: tensor<?x6xf64>, %decay: tensor<6xf64>, %y: tensor<?x6xf64>, %d: tensor<?x6xf64>,
                           %rows: !chimera.rows) {
  // expected-error @+1 {{gives dwrite exactly where there are write weights}}
  %r0, %r1, %r2 = chimera.seq_lti_scan_grad %u, %decay result %y, %d rows %rows
      : (tensor<?x6xf64>, tensor<6xf64>, tensor<?x6xf64>, tensor<?x6xf64>, !chimera.rows)
      -> (tensor<?x6xf64>, tensor<?x6xf64>, tensor<?xf64>)
  return
}

// -----

func.func @lti_grad_result(%u: tensor<?x6xf64>, %decay: tensor<6xf64>, %y: tensor<?x4xf64>, %d: tensor<?x6xf64>,
                           %rows: !chimera.rows) {
  // expected-error @+1 {{result must have 6 columns, got 4}}
  %r0, %r1 = chimera.seq_lti_scan_grad %u, %decay result %y, %d rows %rows
      : (tensor<?x6xf64>, tensor<6xf64>, tensor<?x4xf64>, tensor<?x6xf64>, !chimera.rows)
      -> (tensor<?x6xf64>, tensor<?x6xf64>)
  return
}

// -----

func.func @lti_grad_dresult(%u: tensor<?x6xf64>, %decay: tensor<6xf64>, %y: tensor<?x6xf64>, %d: tensor<?x6xf32>,
                            %rows: !chimera.rows) {
  // expected-error @+1 {{dresult must have elements in 'f64', got 'f32'}}
  %r0, %r1 = chimera.seq_lti_scan_grad %u, %decay result %y, %d rows %rows
      : (tensor<?x6xf64>, tensor<6xf64>, tensor<?x6xf64>, tensor<?x6xf32>, !chimera.rows)
      -> (tensor<?x6xf64>, tensor<?x6xf64>)
  return
}

// -----

func.func @lti_grad_dinput(%u: tensor<?x6xf64>, %decay: tensor<6xf64>, %y: tensor<?x6xf64>, %d: tensor<?x6xf64>,
                           %rows: !chimera.rows) {
  // expected-error @+1 {{dinput must have 6 columns, got 4}}
  %r0, %r1 = chimera.seq_lti_scan_grad %u, %decay result %y, %d rows %rows
      : (tensor<?x6xf64>, tensor<6xf64>, tensor<?x6xf64>, tensor<?x6xf64>, !chimera.rows)
      -> (tensor<?x4xf64>, tensor<?x6xf64>)
  return
}

// -----

func.func @lti_grad_ddecay(%u: tensor<?x6xf64>, %decay: tensor<6xf64>, %y: tensor<?x6xf64>, %d: tensor<?x6xf64>,
                           %rows: !chimera.rows) {
  // expected-error @+1 {{ddecay_rows must have 6 columns, got 4}}
  %r0, %r1 = chimera.seq_lti_scan_grad %u, %decay result %y, %d rows %rows
      : (tensor<?x6xf64>, tensor<6xf64>, tensor<?x6xf64>, tensor<?x6xf64>, !chimera.rows)
      -> (tensor<?x6xf64>, tensor<?x4xf64>)
  return
}

// -----

func.func @lti_grad_dwrite_type(%u: tensor<?x6xf64>, %decay: tensor<6xf64>, %w: tensor<?xf64>, %y: tensor<?x6xf64>,
                                %d: tensor<?x6xf64>, %rows: !chimera.rows) {
  // expected-error @+1 {{dwrite must have elements in 'f64', got 'f32'}}
  %r0, %r1, %r2 = chimera.seq_lti_scan_grad %u, %decay write %w result %y, %d rows %rows
      : (tensor<?x6xf64>, tensor<6xf64>, tensor<?xf64>, tensor<?x6xf64>, tensor<?x6xf64>, !chimera.rows)
      -> (tensor<?x6xf64>, tensor<?x6xf64>, tensor<?xf32>)
  return
}

// -----

func.func @lti_grad_decay(%u: tensor<?x6xf64>, %decay: tensor<1xf64>, %y: tensor<?x6xf64>, %d: tensor<?x6xf64>,
                          %rows: !chimera.rows) {
  // expected-error @+1 {{decay must have 6 elements, got 1}}
  %r0, %r1 = chimera.seq_lti_scan_grad %u, %decay result %y, %d rows %rows
      : (tensor<?x6xf64>, tensor<1xf64>, tensor<?x6xf64>, tensor<?x6xf64>, !chimera.rows)
      -> (tensor<?x6xf64>, tensor<?x6xf64>)
  return
}
