// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is wrong with a routing op is said where it is.
// RUN: chimera-opt %s --split-input-file --verify-diagnostics

func.func @route_order(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.route' op modes must be listed once each in the order ssm, swa, full, identity, but ssm comes after full}}
  %m, %g, %p, %c = chimera.route [full, ssm] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64}
      : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @route_twice(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{modes must be listed once each in the order ssm, swa, full, identity, but full comes after full}}
  %m, %g, %p, %c = chimera.route [full, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64}
      : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @route_one(%l: tensor<?x1xf32>, %b: tensor<1xf32>, %counts: !chimera.counts<modes = 1>, %rows: !chimera.rows) {
  // expected-error @+1 {{routes between at least 2 modes, got 1}}
  %m, %g, %p, %c = chimera.route [full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64}
      : tensor<?x1xf32>, tensor<1xf32> counts !chimera.counts<modes = 1> -> tensor<?xi8>, tensor<?xf32>, tensor<?x1xf32>
  return
}

// -----

func.func @route_none(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 1>, %rows: !chimera.rows) {
  // expected-error @+1 {{routes between at least 2 modes, got 0}}
  %m, %g, %p, %c = chimera.route [] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64}
      : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 1> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @route_unknown_mode(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{'sparse' is not a mode (ssm, swa, full, identity)}}
  %m, %g, %p, %c = chimera.route [ssm, sparse] %l, %b counts %counts rows %rows
}

// -----

func.func @route_logits(%l: tensor<?x3xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{logits must have 2 columns, got 3}}
  %m, %g, %p, %c = chimera.route [ssm, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64}
      : tensor<?x3xf32>, tensor<2xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @route_log_p(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{log_p must have 2 columns, got 4}}
  %m, %g, %p, %c = chimera.route [ssm, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64}
      : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x4xf32>
  return
}

// -----

func.func @route_bias(%l: tensor<?x2xf32>, %b: tensor<3xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{bias must have 2 elements, got 3}}
  %m, %g, %p, %c = chimera.route [ssm, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64}
      : tensor<?x2xf32>, tensor<3xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @route_counts(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 3>, %rows: !chimera.rows) {
  // expected-error @+1 {{counts must be for 2 modes, got '!chimera.counts<modes = 3>'}}
  %m, %g, %p, %c = chimera.route [ssm, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64}
      : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 3> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @route_type(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{bias, gate and log_p must have the logits' element type 'f32', got 'tensor<?xf64>'}}
  %m, %g, %p, %c = chimera.route [ssm, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64}
      : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf64>, tensor<?x2xf32>
  return
}

// -----

func.func @route_capacity(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{capacity must have one number a mode, got 1}}
  %m, %g, %p, %c = chimera.route [ssm, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64,
       capacity = array<f64: 0.5>}
      : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @route_max_tokens(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{max_tokens must have one number a mode, got 3}}
  %m, %g, %p, %c = chimera.route [ssm, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64,
       max_tokens = array<i64: 1, 2, 3>}
      : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @route_layer(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %forced: tensor<?x3xi8>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{layer 3 is not a column of forced, which has 3}}
  %m, %g, %p, %c = chimera.route [ssm, full] %l, %b forced %forced counts %counts rows %rows
      {layer = 3 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64}
      : tensor<?x2xf32>, tensor<2xf32> forced tensor<?x3xi8> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @route_temperature(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{temperature must be finite and above 0}}
  %m, %g, %p, %c = chimera.route [ssm, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 0.0 : f64}
      : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @route_infinite_temperature(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{temperature must be finite and above 0}}
  %m, %g, %p, %c = chimera.route [ssm, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 0x7FF0000000000000 : f64}
      : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @stack_nothing() {
  // expected-error @+1 {{'chimera.stack_modes' op needs at least one layer}}
  %r = "chimera.stack_modes"() : () -> tensor<?x0xi8>
  return
}

// -----

func.func @stack_columns(%m: tensor<?xi8>) {
  // expected-error @+1 {{result must have 2 columns, got 3}}
  %r = chimera.stack_modes %m, %m : tensor<?xi8>, tensor<?xi8> -> tensor<?x3xi8>
  return
}

// -----

func.func @constant_mode(%rows: !chimera.rows) {
  // expected-error @+1 {{result #0 must be 1D tensor of 8-bit signless integer values}}
  %m = chimera.constant_mode full rows %rows : tensor<?xi32>
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_order(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.mix' op modes must be listed once each in the order ssm, swa, full, identity, but full comes after identity}}
  %z, %list1 = chimera.mix [identity, full] routed %x, %x by %mode gate %gate rows %rows caches %list {cache_counts = array<i64: 1, 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_regions(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{needs one region and one cache count for each of its 3 modes, got 2 and 2}}
  %z, %list1 = chimera.mix [swa, full, identity] routed %x, %x by %mode gate %gate rows %rows caches %list {cache_counts = array<i64: 1, 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_counts(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{needs one region and one cache count for each of its 2 modes, got 2 and 1}}
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate rows %rows caches %list {cache_counts = array<i64: 1>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_no_modes(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{needs one region and one cache count for each of its 0 modes, got 2 and 2}}
  %z, %list1 = chimera.mix [] routed %x, %x by %mode gate %gate rows %rows caches %list {cache_counts = array<i64: 1, 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_negative_count(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{a cache count must not be negative}}
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate rows %rows caches %list {cache_counts = array<i64: -1, 2>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_count_sum(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{cache_counts add up to more than the 1 caches}}
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate rows %rows caches %list {cache_counts = array<i64: 1, 1>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_no_gate(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{mode and gate come together}}
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode rows %rows caches %list {cache_counts = array<i64: 1, 0>}
      : tensor<?x8xf32> by tensor<?xi8> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_no_mode(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{needs a mode for each row to choose between 2 mixers}}
  %z, %list1 = chimera.mix [full, identity] routed %x, %x rows %rows caches %list {cache_counts = array<i64: 1, 0>}
      : tensor<?x8xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_no_log_p_modes(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{log_p and log_p_modes come together}}
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate weights %log_p rows %rows caches %list {cache_counts = array<i64: 1, 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> weights tensor<?x2xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_no_log_p(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{log_p and log_p_modes come together}}
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate rows %rows caches %list {cache_counts = array<i64: 1, 0>, log_p_modes = [#chimera<mode full>, #chimera<mode identity>]}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_log_p_columns(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{log_p must have 3 columns, got 2}}
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate weights %log_p rows %rows caches %list {cache_counts = array<i64: 1, 0>, log_p_modes = [#chimera<mode swa>, #chimera<mode full>, #chimera<mode identity>]}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> weights tensor<?x2xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_log_p_names(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{log_p has no column for full}}
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate weights %log_p rows %rows caches %list {cache_counts = array<i64: 1, 0>, log_p_modes = [#chimera<mode swa>, #chimera<mode identity>]}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> weights tensor<?x2xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_arguments(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{the mixer of full must take ('tensor<?x8xf32>', '!chimera.rows', '!chimera.rows', '!chimera.list<heads = 2, dim = 4, element = f32, weights = none>'), but takes ('tensor<?x8xf32>', '!chimera.rows', '!chimera.list<heads = 2, dim = 4, element = f32, weights = none>')}}
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate rows %rows caches %list {cache_counts = array<i64: 1, 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_write_argument(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{the mixer of full must take ('tensor<?x8xf32>', '!chimera.rows', '!chimera.rows', 'tensor<?xf32>', '!chimera.list<heads = 2, dim = 4, element = f32, weights = none>')}}
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate weights %log_p rows %rows caches %list {cache_counts = array<i64: 1, 0>, log_p_modes = [#chimera<mode full>, #chimera<mode identity>]}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> weights tensor<?x2xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_terminator(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{the mixer of identity must end in chimera.yield}}
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate rows %rows caches %list {cache_counts = array<i64: 1, 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    "func.return"() : () -> ()
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_yield_skip(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate rows %rows caches %list {cache_counts = array<i64: 1, 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    // expected-error @+1 {{'chimera.yield' op the mixer of full must yield ('tensor<?x8xf32>', '!chimera.list<heads = 2, dim = 4, element = f32, weights = none>'), but yields ('!chimera.list<heads = 2, dim = 4, element = f32, weights = none>')}}
    chimera.yield %l : !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_yield_rows(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %list: !list, %rows: !chimera.rows) {
  %z, %list1 = chimera.mix [full, identity] routed %x, %x by %mode gate %gate rows %rows caches %list {cache_counts = array<i64: 1, 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }, {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    // expected-error @+1 {{the mixer of identity must yield ('tensor<?x8xf32>'), but yields ('!chimera.rows')}}
    chimera.yield %own : !chimera.rows
  }
  return
}

// -----

func.func @mix_region(%x: tensor<?x8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{region #0 ('mixers') failed to verify constraint: region with 1 blocks}}
  %z = "chimera.mix"(%x, %x, %rows) <{modes = [#chimera<mode full>], policy = #chimera<cache_policy routed>, cache_counts = array<i64: 0>,
      operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 1, 0>}> ({}) : (tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows) -> tensor<?x8xf32>
  return
}

// -----

func.func @mix_isolated(%x: tensor<?x8xf32>, %rows: !chimera.rows) {
  // expected-note @+1 {{required by region isolation constraints}}
  %z = chimera.mix [full] routed %x, %x rows %rows {cache_counts = array<i64: 0>} : tensor<?x8xf32> {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    // expected-error @+1 {{using value defined outside the region}}
    chimera.yield %x : tensor<?x8xf32>
  }
  return
}

// -----

func.func @mix_caches(%x: tensor<?x8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{operand #3 must be variadic of a cache}}
  %z, %c = chimera.mix [full] routed %x, %x rows %rows caches %rows {cache_counts = array<i64: 1>} : tensor<?x8xf32> caches !chimera.rows {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %c0: !chimera.rows):
    chimera.yield %t, %c0 : tensor<?x8xf32>, !chimera.rows
  }
  return
}

// -----

func.func @yield_outside(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'chimera.yield' op expects parent op 'chimera.mix'}}
  chimera.yield %x : tensor<?x8xf32>
}

// -----

func.func @dispatch_order(%mode: tensor<?xi8>, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.dispatch' op modes must be listed once each in the order ssm, swa, full, identity, but ssm comes after swa}}
  %i, %a, %b = chimera.dispatch [swa, ssm] %mode rows %rows : tensor<?xi8> -> tensor<?xi32>, !chimera.rows, !chimera.rows
  return
}

// -----

func.func @dispatch_slices(%mode: tensor<?xi8>, %rows: !chimera.rows) {
  // expected-error @+1 {{needs one slice for each of its 2 modes, got 1}}
  %i, %a = chimera.dispatch [ssm, swa] %mode rows %rows : tensor<?xi8> -> tensor<?xi32>, !chimera.rows
  return
}

// -----

func.func @dispatch_nothing(%mode: tensor<?xi8>, %rows: !chimera.rows) {
  // expected-error @+1 {{needs one slice for each of its 0 modes, got 0}}
  %i = "chimera.dispatch"(%mode, %rows) {modes = []} : (tensor<?xi8>, !chimera.rows) -> tensor<?xi32>
  return
}

// -----

func.func @write_weight_column(%log_p: tensor<?x2xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.write_weight' op column 2 is not one of log_p's 2}}
  %w = chimera.write_weight %log_p at 2 to %rows : tensor<?x2xf32> -> tensor<?xf32>
  return
}

// -----

func.func @write_weight_type(%log_p: tensor<?x2xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{log_p and result must have one element type, got 'f32' and 'f64'}}
  %w = chimera.write_weight %log_p at 1 to %rows : tensor<?x2xf32> -> tensor<?xf64>
  return
}

// -----

func.func @combine_order(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %inverse: tensor<?xi32>, %gate: tensor<?xf32>, %o0: tensor<?x8xf32>, %o1: tensor<?x8xf32>) {
  // expected-error @+1 {{'chimera.combine' op modes must be listed once each in the order ssm, swa, full, identity, but swa comes after full}}
  %z = chimera.combine [full, swa] %x, %mode, %inverse, %gate, %o0, %o1 : tensor<?x8xf32>, tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----

func.func @combine_outputs(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %inverse: tensor<?xi32>, %gate: tensor<?xf32>, %o0: tensor<?x8xf32>) {
  // expected-error @+1 {{needs one output for each of its 2 modes, got 1}}
  %z = chimera.combine [ssm, swa] %x, %mode, %inverse, %gate, %o0 : tensor<?x8xf32>, tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>
  return
}

// -----

func.func @combine_output_type(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %inverse: tensor<?xi32>, %gate: tensor<?xf32>, %o0: tensor<?x4xf32>) {
  // expected-error @+1 {{outputs must have the residual's type 'tensor<?x8xf32>', got 'tensor<?x4xf32>'}}
  %z = chimera.combine [ssm] %x, %mode, %inverse, %gate, %o0 : tensor<?x8xf32>, tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x4xf32>
  return
}

// -----

func.func @combine_gate(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %inverse: tensor<?xi32>, %gate: tensor<?xf64>, %o0: tensor<?x8xf32>) {
  // expected-error @+1 {{gate and residual must have one element type, got 'f64' and 'f32'}}
  %z = chimera.combine [ssm] %x, %mode, %inverse, %gate, %o0 : tensor<?x8xf32>, tensor<?xi8>, tensor<?xi32>, tensor<?xf64>, tensor<?x8xf32>
  return
}

// -----

func.func @route_negative_layer(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %forced: tensor<?x3xi8>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{layer -1 is not a column of forced, which has 3}}
  %m, %g, %p, %c = chimera.route [ssm, full] %l, %b forced %forced counts %counts rows %rows
      {layer = -1 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64}
      : tensor<?x2xf32>, tensor<2xf32> forced tensor<?x3xi8> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @write_weight_negative(%log_p: tensor<?x2xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{column -1 is not one of log_p's 2}}
  %w = chimera.write_weight %log_p at -1 to %rows : tensor<?x2xf32> -> tensor<?xf32>
  return
}

// -----

func.func @route_negative_capacity(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{capacity must not be negative}}
  %m, %g, %p, %c = chimera.route [ssm, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64, capacity = array<f64: 0.5, -0.5>}
      : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @route_nan_capacity(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{capacity must not be negative}}
  %m, %g, %p, %c = chimera.route [ssm, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64, capacity = array<f64: 0.5, 0x7FF8000000000000>}
      : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @route_negative_max_tokens(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %counts: !chimera.counts<modes = 2>, %rows: !chimera.rows) {
  // expected-error @+1 {{max_tokens must not be negative, other than -1 for no limit}}
  %m, %g, %p, %c = chimera.route [ssm, full] %l, %b counts %counts rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, temperature = 1.0 : f64, max_tokens = array<i64: -1, -2>}
      : tensor<?x2xf32>, tensor<2xf32> counts !chimera.counts<modes = 2> -> tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_count_low(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %wide: tensor<?x2xf64>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{cache_counts add up to 0, but there are 1}}
  %z, %list1 = chimera.mix [full] routed %x, %x by %mode gate %gate rows %rows caches %list {cache_counts = array<i64: 0>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_count_wraps(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %wide: tensor<?x2xf64>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{cache_counts add up to more than the 1 caches}}
  %z, %list1 = chimera.mix [full] routed %x, %x by %mode gate %gate rows %rows caches %list {cache_counts = array<i64: 4294967297>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_gate_type(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf64>, %log_p: tensor<?x2xf32>, %wide: tensor<?x2xf64>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{gate and residual must have one element type, got 'f64' and 'f32'}}
  %z, %list1 = chimera.mix [full] routed %x, %x by %mode gate %gate rows %rows caches %list {cache_counts = array<i64: 1>}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf64> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_weights_without_mode(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %wide: tensor<?x2xf64>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{has write weights, but no mode for each row}}
  %z, %list1 = chimera.mix [full] routed %x, %x weights %log_p rows %rows caches %list {cache_counts = array<i64: 1>, log_p_modes = [#chimera<mode full>, #chimera<mode identity>]}
      : tensor<?x8xf32> weights tensor<?x2xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %w: tensor<?xf32>, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_weights_type(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %wide: tensor<?x2xf64>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{log_p and residual must have one element type, got 'f64' and 'f32'}}
  %z, %list1 = chimera.mix [full] routed %x, %x by %mode gate %gate weights %wide rows %rows caches %list {cache_counts = array<i64: 1>, log_p_modes = [#chimera<mode full>, #chimera<mode identity>]}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> weights tensor<?x2xf64> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %w: tensor<?xf64>, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }
  return
}

// -----

!list = !chimera.list<heads = 2, dim = 4, element = f32, weights = none>

func.func @mix_weights_order(%x: tensor<?x8xf32>, %mode: tensor<?xi8>, %gate: tensor<?xf32>, %log_p: tensor<?x2xf32>, %wide: tensor<?x2xf64>, %list: !list, %rows: !chimera.rows) {
  // expected-error @+1 {{modes must be listed once each in the order ssm, swa, full, identity, but full comes after identity}}
  %z, %list1 = chimera.mix [full] routed %x, %x by %mode gate %gate weights %log_p rows %rows caches %list {cache_counts = array<i64: 1>, log_p_modes = [#chimera<mode identity>, #chimera<mode full>]}
      : tensor<?x8xf32> by tensor<?xi8> gate tensor<?xf32> weights tensor<?x2xf32> caches !list {
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows, %w: tensor<?xf32>, %l: !list):
    chimera.yield %t, %l : tensor<?x8xf32>, !list
  }
  return
}

// -----

func.func @mix_versions(%x: tensor<?x8xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{must give back a new version of each cache}}
  %z:2 = "chimera.mix"(%x, %x, %rows) <{modes = [#chimera<mode full>], policy = #chimera<cache_policy routed>, cache_counts = array<i64: 0>,
      operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 1, 0>}> ({
  ^bb0(%t: tensor<?x8xf32>, %seen: !chimera.rows, %own: !chimera.rows):
    chimera.yield %t : tensor<?x8xf32>
  }) : (tensor<?x8xf32>, tensor<?x8xf32>, !chimera.rows) -> (tensor<?x8xf32>, !chimera.counts<modes = 2>)
  return
}
