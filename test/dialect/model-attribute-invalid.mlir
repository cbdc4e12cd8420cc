// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A chimera.model that no runtime would take, or that the model's ops do not agree with, is an error that names the key.
// RUN: chimera-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{chimera.model must be a dictionary, got unit}}
module attributes {chimera.model} {}

// -----

// expected-error @+1 {{chimera.model: 'dtype' is missing}}
module attributes {chimera.model = {head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'head_dim' is missing}}
module attributes {chimera.model = {dtype = "f32", hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'hidden_size' is missing}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'layers' is missing}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'num_attention_heads' is missing}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'num_key_value_heads' is missing}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'vocab_size' is missing}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'window' is missing}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'heads' is not one of its keys}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, heads = 2 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'dtype' must be one of f32, bf16, f64, got "i64"}}
module attributes {chimera.model = {dtype = "i64", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'vocab_size' must be an i64, got "16"}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = "16", window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'vocab_size' must be an i64, got 16 : i32}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i32, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'vocab_size' must be in 1 .. 1048576, got 0}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 0 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'hidden_size' must be in 1 .. 1048576, got 1048577}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 1048577 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'window' must be in 0 .. 2147483648, got -1}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = -1 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'window' must be at least 1 in a model with swa, got 0}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 0 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'num_attention_heads' must be in 0 .. 1048576, got -5}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = -5 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'num_attention_heads' must be at least 1 in a model with attention, got 0}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 0 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'head_dim' must be at least 1 in a model with attention, got 0}}
module attributes {chimera.model = {dtype = "f32", head_dim = 0 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'num_key_value_heads' must divide the 2 attention heads, got 3}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 3 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'bos_token_id' must be in 0 .. 15, got 16}}
module attributes {chimera.model = {bos_token_id = 16 : i64, dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'eos_token_ids' must be an array<i64>, got 3 : i64}}
module attributes {chimera.model = {dtype = "f32", eos_token_ids = 3 : i64, head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'eos_token_ids' must be in 0 .. 15, got 16}}
module attributes {chimera.model = {dtype = "f32", eos_token_ids = array<i64: 3, 16>, head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'layers' must hold 1 .. 1024 lists of modes, got 0}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'layers'[0] must list modes, once each in the order ssm, swa, full, identity, got []}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [[]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'layers'[0] must list modes, once each in the order ssm, swa, full, identity, got "ssm"}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = ["ssm"], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'layers'[0] must list modes, once each in the order ssm, swa, full, identity, got ["foo"]}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["foo"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'layers'[0] must list modes, once each in the order ssm, swa, full, identity, got ["full", "ssm"]}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["full", "ssm"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'layers'[0] must list modes, once each in the order ssm, swa, full, identity, got ["ssm", "ssm"]}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "ssm"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'targets' must hold one list of shares for each of the 2 layers, got 1}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, targets = [array<f64: 0.5, 0.5>], vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'targets'[0] must be a share in 0 .. 1 for each of the layer's 2 modes, their sum 1}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, targets = [array<f64: 1.0>, array<f64: 1.0>], vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'targets'[0] must be a share in 0 .. 1 for each of the layer's 2 modes, their sum 1}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, targets = [array<f64: 0.5, 0.25>, array<f64: 1.0>], vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'targets'[0] must be a share in 0 .. 1 for each of the layer's 2 modes, their sum 1}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, targets = [array<f64: 1.5, -0.5>, array<f64: 1.0>], vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'targets'[0] must be a share in 0 .. 1 for each of the layer's 2 modes, their sum 1}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, targets = [array<f64: 0x7FF8000000000000, 0.5>, array<f64: 1.0>], vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

// expected-error @+1 {{chimera.model: 'targets'[0] must be a share in 0 .. 1 for each of the layer's 2 modes, their sum 1}}
module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, targets = ["half", array<f64: 1.0>], vocab_size = 16 : i64, window = 4 : i64}} {}

// -----

module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 17 : i64, window = 4 : i64}} {
  func.func @f(%tokens: tensor<?xi32>, %rows: !chimera.rows) {
    %table = chimera.param "embed" : tensor<16x8xf32>
    // expected-error @+1 {{'chimera.embed' op the number of rows of its table is 16, but chimera.model's vocab_size is 17}}
    %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<16x8xf32> -> tensor<?x8xf32>
    return
  }
}

// -----

module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 9 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {
  func.func @f(%tokens: tensor<?xi32>, %rows: !chimera.rows) {
    %table = chimera.param "embed" : tensor<16x8xf32>
    // expected-error @+1 {{'chimera.embed' op the number of columns of its table is 8, but chimera.model's hidden_size is 9}}
    %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<16x8xf32> -> tensor<?x8xf32>
    return
  }
}

// -----

module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {
  func.func @f(%tokens: tensor<?xi32>, %rows: !chimera.rows) {
    %table = chimera.param "embed" : tensor<16x8xbf16>
    // expected-error @+1 {{'chimera.embed' op its table's element type is 'bf16', but chimera.model's dtype is f32}}
    %x = chimera.embed %tokens, %table rows %rows : tensor<?xi32>, tensor<16x8xbf16> -> tensor<?x8xf32>
    return
  }
}

// -----

module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 4 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {
  func.func @f(%q: tensor<?x8xf32>, %k: tensor<?x4xf32>, %list: !chimera.list<heads = 1, dim = 4, element = f32, weights = none>, %rows: !chimera.rows) {
    // expected-error @+1 {{'chimera.attend' op its number of heads is 2, but chimera.model's num_attention_heads is 4}}
    %o = chimera.attend %q, %k, %k cache %list own %rows rows %rows {scale = 0.5 : f64}
        : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32> cache !chimera.list<heads = 1, dim = 4, element = f32, weights = none> -> tensor<?x8xf32>
    return
  }
}

// -----

module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 2 : i64, vocab_size = 16 : i64, window = 4 : i64}} {
  func.func @f(%q: tensor<?x8xf32>, %k: tensor<?x4xf32>, %list: !chimera.list<heads = 1, dim = 4, element = f32, weights = none>, %rows: !chimera.rows) {
    // expected-error @+1 {{'chimera.attend' op its number of key/value heads is 1, but chimera.model's num_key_value_heads is 2}}
    %o = chimera.attend %q, %k, %k cache %list own %rows rows %rows {scale = 0.5 : f64}
        : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32> cache !chimera.list<heads = 1, dim = 4, element = f32, weights = none> -> tensor<?x8xf32>
    return
  }
}

// -----

module attributes {chimera.model = {dtype = "f32", head_dim = 8 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {
  func.func @f(%q: tensor<?x8xf32>, %k: tensor<?x4xf32>, %list: !chimera.list<heads = 1, dim = 4, element = f32, weights = none>, %rows: !chimera.rows) {
    // expected-error @+1 {{'chimera.attend' op the size of its heads is 4, but chimera.model's head_dim is 8}}
    %o = chimera.attend %q, %k, %k cache %list own %rows rows %rows {scale = 0.5 : f64}
        : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32> cache !chimera.list<heads = 1, dim = 4, element = f32, weights = none> -> tensor<?x8xf32>
    return
  }
}

// -----

module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {
  func.func @f(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
    // expected-error @+1 {{'chimera.route' op layer 2 is not one of the 2 of chimera.model}}
    %m:4 = chimera.route [ssm, swa] %l, %b counts %counts rows %rows
        {layer = 2 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64}
        : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
    return
  }
}

// -----

module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {
  func.func @f(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
    // expected-error @+1 {{'chimera.route' op its modes are not those of layer 1 in chimera.model, ["full"]}}
    %m:4 = chimera.route [ssm, swa] %l, %b counts %counts rows %rows
        {layer = 1 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64}
        : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
    return
  }
}

// -----

module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {
  func.func @f(%m: tensor<?xi8>) {
    // expected-error @+1 {{'chimera.stack_modes' op its number of layers must be 2, as chimera.model has 2 layers, got 1}}
    %r = chimera.stack_modes %m : tensor<?xi8> -> tensor<?x1xi8>
    return
  }
}

// -----

module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {
  func.func @f() {
    // expected-error @+1 {{'chimera.param' op layer 2 is not one of the 2 of chimera.model}}
    %w = chimera.param "w" {chimera.layer = 2 : i64} : tensor<4xf32>
    return
  }
}

// -----

module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {
  // expected-error @+1 {{'func.func' op the number of columns of its argument 'forced' must be 2, as chimera.model has 2 layers, got 3}}
  func.func private @f(tensor<?x3xi8> {chimera.step = "forced"})
}

// -----

module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {
  // expected-error @+1 {{'func.func' op the number of columns of its argument 'noise' must be 8, as chimera.model has 2 layers, got 4}}
  func.func private @f(tensor<?x4xf64> {chimera.step = "noise"})
}

// -----

module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {
  // expected-error @+1 {{'func.func' op the number of rows of its argument 'prices' must be 2, as chimera.model has 2 layers, got 1}}
  func.func private @f(tensor<1x13xf64> {chimera.step = "prices"})
}

// -----

module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {
  // expected-error @+1 {{'func.func' op the number of columns of its logits is 15, but chimera.model's vocab_size is 16}}
  func.func private @f(!chimera.rows {chimera.step = "outputs"}) -> tensor<?x15xf32>
}

// -----

module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {
  // expected-error @+1 {{'func.func' op layer 2 is not one of the 2 of chimera.model}}
  func.func private @f(!chimera.counts<modes = 2> {chimera.cache = {layer = 2 : i64, mode = "route", name = "c"}})
}

// -----

module attributes {chimera.model = {dtype = "f32", head_dim = 4 : i64, hidden_size = 8 : i64, layers = [["ssm", "swa"], ["full"]], num_attention_heads = 2 : i64, num_key_value_heads = 1 : i64, vocab_size = 16 : i64, window = 4 : i64}} {
  // expected-error @+1 {{'func.func' op the window of its argument #0 is 8, but chimera.model's window is 4}}
  func.func private @f(!chimera.ring<window = 8, heads = 1, dim = 4, element = f32, weights = none> {chimera.cache = {layer = 0 : i64, mode = "swa", name = "c"}})
}
