// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is wrong with an op that training has row by row, or with a sum over rows, is said where it is.
// RUN: chimera-opt %s --split-input-file --verify-diagnostics

func.func @route_modes(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %noise: tensor<?x8xf64>, %hyper: tensor<16xf64>,
                       %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.seq_route' op modes must be listed once each in the order ssm, swa, full, identity, but ssm comes after full}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [full, ssm] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route_hyper_type(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %noise: tensor<?x8xf64>, %hyper: tensor<16xf32>,
                            %rows: !chimera.rows) {
  // expected-error @+1 {{hyper must be f64, got 'tensor<16xf32>'}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [ssm, full] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf32>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route_hyper(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %noise: tensor<?x8xf64>, %hyper: tensor<15xf64>,
                       %rows: !chimera.rows) {
  // expected-error @+1 {{hyper must have 16 elements, got 15}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [ssm, full] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<15xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route_one_mode(%l: tensor<?x1xf32>, %b: tensor<1xf32>, %noise: tensor<?x8xf64>, %hyper: tensor<16xf64>,
                          %rows: !chimera.rows) {
  // expected-error @+1 {{routes between at least 2 modes, got 1}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [ssm] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>}
      : (tensor<?x1xf32>, tensor<1xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x1xf32>)
  return
}

// -----

func.func @route_logits(%l: tensor<?x3xf32>, %b: tensor<2xf32>, %noise: tensor<?x8xf64>, %hyper: tensor<16xf64>,
                        %rows: !chimera.rows) {
  // expected-error @+1 {{logits must have 2 columns, got 3}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [ssm, full] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>}
      : (tensor<?x3xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route_log_p(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %noise: tensor<?x8xf64>, %hyper: tensor<16xf64>,
                       %rows: !chimera.rows) {
  // expected-error @+1 {{log_p must have 2 columns, got 3}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [ssm, full] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x3xf32>)
  return
}

// -----

func.func @route_bias(%l: tensor<?x2xf32>, %b: tensor<3xf32>, %noise: tensor<?x8xf64>, %hyper: tensor<16xf64>,
                      %rows: !chimera.rows) {
  // expected-error @+1 {{bias must have 2 elements, got 3}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [ssm, full] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>}
      : (tensor<?x2xf32>, tensor<3xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route_types(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %noise: tensor<?x8xf64>, %hyper: tensor<16xf64>,
                       %rows: !chimera.rows) {
  // expected-error @+1 {{bias, gate and log_p must have the logits' element type 'f32', got 'tensor<?xf64>'}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [ssm, full] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf64>, tensor<?x2xf32>)
  return
}

// -----

func.func @route_noise_type(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %noise: tensor<?x8xf32>, %hyper: tensor<16xf64>,
                            %rows: !chimera.rows) {
  // expected-error @+1 {{noise must be f64 with 4 columns for each layer up to layer 0, got 'tensor<?x8xf32>'}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [ssm, full] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf32>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route_noise(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %noise: tensor<?x8xf64>, %hyper: tensor<16xf64>,
                       %rows: !chimera.rows) {
  // expected-error @+1 {{noise must be f64 with 4 columns for each layer up to layer 2, got 'tensor<?x8xf64>'}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [ssm, full] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 2 : i64, gate_kind = #chimera.gate_kind<prob>}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route_noise_unknown(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %noise: tensor<?x?xf64>,
                               %hyper: tensor<16xf64>, %rows: !chimera.rows) {
  // expected-error @+1 {{noise must be f64 with 4 columns for each layer up to layer 0, got 'tensor<?x?xf64>'}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [ssm, full] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x?xf64>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route_layer(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %noise: tensor<?x8xf64>, %hyper: tensor<16xf64>,
                       %rows: !chimera.rows) {
  // expected-error @+1 {{noise must be f64 with 4 columns for each layer up to layer -1}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [ssm, full] %l, %b noise %noise hyper %hyper rows %rows
      {layer = -1 : i64, gate_kind = #chimera.gate_kind<prob>}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route_huge_layer(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %noise: tensor<?x8xf64>, %hyper: tensor<16xf64>,
                            %rows: !chimera.rows) {
  // expected-error @+1 {{noise must be f64 with 4 columns for each layer up to layer 9223372036854775807}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [ssm, full] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 9223372036854775807 : i64, gate_kind = #chimera.gate_kind<prob>}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route_capacity(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %noise: tensor<?x8xf64>, %hyper: tensor<16xf64>,
                          %rows: !chimera.rows) {
  // expected-error @+1 {{capacity and max_tokens must have one number a mode}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [ssm, full] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, capacity = array<f64: 1.0>}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route_max_tokens(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %noise: tensor<?x8xf64>, %hyper: tensor<16xf64>,
                            %rows: !chimera.rows) {
  // expected-error @+1 {{capacity and max_tokens must have one number a mode}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [ssm, full] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, max_tokens = array<i64: 1, 2, 3>}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route_negative_capacity(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %noise: tensor<?x8xf64>,
                                   %hyper: tensor<16xf64>, %rows: !chimera.rows) {
  // expected-error @+1 {{capacity and max_tokens must not be negative, other than -1 for no limit of tokens}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [ssm, full] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, capacity = array<f64: 1.0, -1.0>}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route_negative_max_tokens(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %noise: tensor<?x8xf64>,
                                     %hyper: tensor<16xf64>, %rows: !chimera.rows) {
  // expected-error @+1 {{capacity and max_tokens must not be negative, other than -1 for no limit of tokens}}
  %r0, %r1, %r2, %r3 = chimera.seq_route [ssm, full] %l, %b noise %noise hyper %hyper rows %rows
      {layer = 0 : i64, gate_kind = #chimera.gate_kind<prob>, max_tokens = array<i64: -1, -2>}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<?x8xf64>, tensor<16xf64>, !chimera.rows)
      -> (tensor<?xi8>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route_grad_modes(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %hyper: tensor<16xf64>, %prices: tensor<2x13xf64>,
                            %mode: tensor<?xi8>, %dgate: tensor<?xf32>, %dlp: tensor<?x2xf32>) {
  // expected-error @+1 {{'chimera.seq_route_grad' op modes must be listed once each}}
  %r0 = chimera.seq_route_grad [ssm, ssm] %l, %b hyper %hyper prices %prices mode %mode gate %dgate log_p %dlp
      {layer = 1 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
      -> tensor<?x2xf32>
  return
}

// -----

func.func @route_grad_hyper(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %hyper: tensor<17xf64>, %prices: tensor<2x13xf64>,
                            %mode: tensor<?xi8>, %dgate: tensor<?xf32>, %dlp: tensor<?x2xf32>) {
  // expected-error @+1 {{hyper must have 16 elements, got 17}}
  %r0 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode gate %dgate log_p %dlp
      {layer = 1 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<17xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
      -> tensor<?x2xf32>
  return
}

// -----

func.func @route_grad_logits(%l: tensor<?x4xf32>, %b: tensor<2xf32>, %hyper: tensor<16xf64>, %prices: tensor<2x13xf64>,
                             %mode: tensor<?xi8>, %dgate: tensor<?xf32>, %dlp: tensor<?x2xf32>) {
  // expected-error @+1 {{logits must have 2 columns, got 4}}
  %r0 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode gate %dgate log_p %dlp
      {layer = 1 : i64}
      : (tensor<?x4xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
      -> tensor<?x4xf32>
  return
}

// -----

func.func @route_grad_bias(%l: tensor<?x2xf32>, %b: tensor<4xf32>, %hyper: tensor<16xf64>, %prices: tensor<2x13xf64>,
                           %mode: tensor<?xi8>, %dgate: tensor<?xf32>, %dlp: tensor<?x2xf32>) {
  // expected-error @+1 {{bias must have 2 elements, got 4}}
  %r0 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode gate %dgate log_p %dlp
      {layer = 1 : i64}
      : (tensor<?x2xf32>, tensor<4xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
      -> tensor<?x2xf32>
  return
}

// -----

func.func @route_grad_bias_type(%l: tensor<?x2xf32>, %b: tensor<2xf64>, %hyper: tensor<16xf64>,
                                %prices: tensor<2x13xf64>, %mode: tensor<?xi8>, %dgate: tensor<?xf32>,
                                %dlp: tensor<?x2xf32>) {
  // expected-error @+1 {{logits and bias must have one element type, got 'f32' and 'f64'}}
  %r0 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode gate %dgate log_p %dlp
      {layer = 1 : i64}
      : (tensor<?x2xf32>, tensor<2xf64>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
      -> tensor<?x2xf32>
  return
}

// -----

func.func @route_grad_gate(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %hyper: tensor<16xf64>, %prices: tensor<2x13xf64>,
                           %mode: tensor<?xi8>, %dgate: tensor<?xf64>, %dlp: tensor<?x2xf32>) {
  // expected-error @+1 {{logits and gate's gradient must have one element type, got 'f32' and 'f64'}}
  %r0 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode gate %dgate log_p %dlp
      {layer = 1 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?xf64>, tensor<?x2xf32>)
      -> tensor<?x2xf32>
  return
}

// -----

func.func @route_grad_log_p(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %hyper: tensor<16xf64>, %prices: tensor<2x13xf64>,
                            %mode: tensor<?xi8>, %dgate: tensor<?xf32>, %dlp: tensor<?x3xf32>) {
  // expected-error @+1 {{log_p's gradient must have the logits' type 'tensor<?x2xf32>', got 'tensor<?x3xf32>'}}
  %r0 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode gate %dgate log_p %dlp
      {layer = 1 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?xf32>, tensor<?x3xf32>)
      -> tensor<?x2xf32>
  return
}

// -----

func.func @route_grad_result(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %hyper: tensor<16xf64>, %prices: tensor<2x13xf64>,
                             %mode: tensor<?xi8>, %dgate: tensor<?xf32>, %dlp: tensor<?x2xf32>) {
  // expected-error @+1 {{failed to verify that all of {logits, result} have same type}}
  %r0 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode gate %dgate log_p %dlp
      {layer = 1 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
      -> tensor<?x3xf32>
  return
}

// -----

func.func @route_grad_prices_type(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %hyper: tensor<16xf64>,
                                  %prices: tensor<2x5xf32>, %mode: tensor<?xi8>, %dgate: tensor<?xf32>,
                                  %dlp: tensor<?x2xf32>) {
  // expected-error @+1 {{prices must be f64 with 13 numbers for each layer up to layer 1, got 'tensor<2x5xf32>'}}
  %r0 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode gate %dgate log_p %dlp
      {layer = 1 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x5xf32>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
      -> tensor<?x2xf32>
  return
}

// -----

func.func @route_grad_prices_columns(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %hyper: tensor<16xf64>,
                                     %prices: tensor<2x4xf64>, %mode: tensor<?xi8>, %dgate: tensor<?xf32>,
                                     %dlp: tensor<?x2xf32>) {
  // expected-error @+1 {{prices must be f64 with 13 numbers for each layer up to layer 1, got 'tensor<2x4xf64>'}}
  %r0 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode gate %dgate log_p %dlp
      {layer = 1 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x4xf64>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
      -> tensor<?x2xf32>
  return
}

// -----

func.func @route_grad_prices(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %hyper: tensor<16xf64>, %prices: tensor<2x13xf64>,
                             %mode: tensor<?xi8>, %dgate: tensor<?xf32>, %dlp: tensor<?x2xf32>) {
  // expected-error @+1 {{prices must be f64 with 13 numbers for each layer up to layer 2, got 'tensor<2x13xf64>'}}
  %r0 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode gate %dgate log_p %dlp
      {layer = 2 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
      -> tensor<?x2xf32>
  return
}

// -----

func.func @route_grad_noise(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %hyper: tensor<16xf64>, %prices: tensor<2x13xf64>,
                            %mode: tensor<?xi8>, %noise: tensor<?x4xf64>) {
  // expected-error @+1 {{noise must be f64 with 4 columns for each layer up to layer 1, got 'tensor<?x4xf64>'}}
  %r0 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode noise %noise {layer = 1 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?x4xf64>) -> tensor<?x2xf32>
  return
}

// -----

func.func @route_grad_layer(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %hyper: tensor<16xf64>, %prices: tensor<2x13xf64>,
                            %mode: tensor<?xi8>, %dgate: tensor<?xf32>, %dlp: tensor<?x2xf32>) {
  // expected-error @+1 {{prices must be f64 with 13 numbers for each layer up to layer -1}}
  %r0 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode gate %dgate log_p %dlp
      {layer = -1 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<2x13xf64>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
      -> tensor<?x2xf32>
  return
}

// -----

func.func @route_grad_prices_unknown(%l: tensor<?x2xf32>, %b: tensor<2xf32>, %hyper: tensor<16xf64>,
                                     %prices: tensor<?x13xf64>, %mode: tensor<?xi8>, %dgate: tensor<?xf32>,
                                     %dlp: tensor<?x2xf32>) {
  // expected-error @+1 {{prices must be f64 with 13 numbers for each layer up to layer 1, got 'tensor<?x13xf64>'}}
  %r0 = chimera.seq_route_grad [ssm, full] %l, %b hyper %hyper prices %prices mode %mode gate %dgate log_p %dlp
      {layer = 1 : i64}
      : (tensor<?x2xf32>, tensor<2xf32>, tensor<16xf64>, tensor<?x13xf64>, tensor<?xi8>, tensor<?xf32>, tensor<?x2xf32>)
      -> tensor<?x2xf32>
  return
}

// -----

func.func @statistics_modes(%mode: tensor<?xi8>, %wanted: tensor<?xi8>, %lp: tensor<?x2xf32>) {
  // expected-error @+1 {{'chimera.route_statistics' op modes must be listed once each}}
  %r0 = chimera.route_statistics [full, swa] %mode, %wanted, %lp
      : (tensor<?xi8>, tensor<?xi8>, tensor<?x2xf32>) -> tensor<?x14xf64>
  return
}

// -----

func.func @statistics_log_p(%mode: tensor<?xi8>, %wanted: tensor<?xi8>, %lp: tensor<?x3xf32>) {
  // expected-error @+1 {{log_p must have 2 columns, got 3}}
  %r0 = chimera.route_statistics [ssm, full] %mode, %wanted, %lp
      : (tensor<?xi8>, tensor<?xi8>, tensor<?x3xf32>) -> tensor<?x14xf64>
  return
}

// -----

func.func @statistics_type(%mode: tensor<?xi8>, %wanted: tensor<?xi8>, %lp: tensor<?x2xf32>) {
  // expected-error @+1 {{result must be f64, got 'tensor<?x14xf32>'}}
  %r0 = chimera.route_statistics [ssm, full] %mode, %wanted, %lp
      : (tensor<?xi8>, tensor<?xi8>, tensor<?x2xf32>) -> tensor<?x14xf32>
  return
}

// -----

func.func @statistics_columns(%mode: tensor<?xi8>, %wanted: tensor<?xi8>, %lp: tensor<?x2xf32>) {
  // expected-error @+1 {{result must have 14 columns, got 13}}
  %r0 = chimera.route_statistics [ssm, full] %mode, %wanted, %lp
      : (tensor<?xi8>, tensor<?xi8>, tensor<?x2xf32>) -> tensor<?x13xf64>
  return
}

// -----

func.func @soft_output_modes(%x: tensor<?x8xf32>, %lp: tensor<?x3xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{'chimera.soft_combine' op modes must be listed once each}}
  %r0 = chimera.soft_combine [full, ssm] %x, %lp of [ssm, full, identity], %x, %y
      : (tensor<?x8xf32>, tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @soft_modes(%x: tensor<?x8xf32>, %lp: tensor<?x3xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{modes must be listed once each}}
  %r0 = chimera.soft_combine [ssm, full] %x, %lp of [ssm, identity, full], %x, %y
      : (tensor<?x8xf32>, tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @soft_log_p(%x: tensor<?x8xf32>, %lp: tensor<?x2xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{log_p must have 3 columns, got 2}}
  %r0 = chimera.soft_combine [ssm, full] %x, %lp of [ssm, full, identity], %x, %y
      : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @soft_log_p_type(%x: tensor<?x8xf32>, %lp: tensor<?x3xf64>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{log_p and residual must have one element type, got 'f64' and 'f32'}}
  %r0 = chimera.soft_combine [ssm, full] %x, %lp of [ssm, full, identity], %x, %y
      : (tensor<?x8xf32>, tensor<?x3xf64>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @soft_count(%x: tensor<?x8xf32>, %lp: tensor<?x3xf32>) {
  // expected-error @+1 {{needs one output for each of its 2 modes, got 1}}
  %r0 = chimera.soft_combine [ssm, full] %x, %lp of [ssm, full, identity], %x
      : (tensor<?x8xf32>, tensor<?x3xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @soft_missing(%x: tensor<?x8xf32>, %lp: tensor<?x3xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{has an output of swa, which is not among the modes of log_p}}
  %r0 = chimera.soft_combine [ssm, swa] %x, %lp of [ssm, full, identity], %x, %y
      : (tensor<?x8xf32>, tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @soft_output(%x: tensor<?x8xf32>, %lp: tensor<?x3xf32>, %y: tensor<?x4xf32>) {
  // expected-error @+1 {{outputs must have type 'tensor<?x8xf32>', got 'tensor<?x4xf32>'}}
  %r0 = chimera.soft_combine [ssm, full] %x, %lp of [ssm, full, identity], %x, %y
      : (tensor<?x8xf32>, tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @soft_result(%x: tensor<?x8xf32>, %lp: tensor<?x3xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{failed to verify that all of {residual, result} have same type}}
  %r0 = chimera.soft_combine [ssm, full] %x, %lp of [ssm, full, identity], %x, %y
      : (tensor<?x8xf32>, tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @soft_grad_count(%lp: tensor<?x3xf32>, %x: tensor<?x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{'chimera.soft_combine_grad' op needs a gradient of each output, of its type}}
  %r0, %r1 = chimera.soft_combine_grad [ssm, full] %lp of [ssm, full, identity], %x, %x, %y
      : (tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> (tensor<?x3xf32>, tensor<?x8xf32>)
  return
}

// -----

func.func @soft_grad_type(%lp: tensor<?x3xf32>, %x: tensor<?x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{needs a gradient of each output, of its type}}
  %r0, %r1, %r2 = chimera.soft_combine_grad [ssm, full] %lp of [ssm, full, identity], %x, %x, %y
      : (tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
      -> (tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @soft_grad_output(%lp: tensor<?x3xf32>, %x: tensor<?x8xf32>, %y: tensor<?x4xf32>) {
  // expected-error @+1 {{outputs must have type 'tensor<?x8xf32>', got 'tensor<?x4xf32>'}}
  %r0, %r1, %r2 = chimera.soft_combine_grad [ssm, full] %lp of [ssm, full, identity], %x, %x, %y
      : (tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x4xf32>)
      -> (tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @soft_grad_log_p(%lp: tensor<?x3xf64>, %x: tensor<?x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{log_p and dresult must have one element type, got 'f64' and 'f32'}}
  %r0, %r1, %r2 = chimera.soft_combine_grad [ssm, full] %lp of [ssm, full, identity], %x, %x, %y
      : (tensor<?x3xf64>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
      -> (tensor<?x3xf64>, tensor<?x8xf32>, tensor<?x8xf32>)
  return
}

// -----

func.func @soft_grad_dlog_p(%lp: tensor<?x3xf32>, %x: tensor<?x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{failed to verify that all of {log_p, dlog_p} have same type}}
  %r0, %r1, %r2 = chimera.soft_combine_grad [ssm, full] %lp of [ssm, full, identity], %x, %x, %y
      : (tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
      -> (tensor<?x2xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
  return
}

// -----

func.func @combine_grad_modes(%mode: tensor<?xi8>, %inverse: tensor<?xi32>, %gate: tensor<?xf32>, %x: tensor<?x8xf32>,
                              %y: tensor<?x8xf32>) {
  // expected-error @+1 {{'chimera.combine_grad' op modes must be listed once each}}
  %r0, %r1, %r2 = chimera.combine_grad [full, swa] %mode, %inverse, %gate, %x, %x, %y
      : (tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
      -> (tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
  return
}

// -----

func.func @combine_grad_count(%mode: tensor<?xi8>, %inverse: tensor<?xi32>, %gate: tensor<?xf32>, %x: tensor<?x8xf32>,
                              %y: tensor<?x8xf32>) {
  // expected-error @+1 {{needs one output, and a gradient of its type, for each of its 1 modes}}
  %r0, %r1, %r2 = chimera.combine_grad [swa] %mode, %inverse, %gate, %x, %x, %y
      : (tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
      -> (tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
  return
}

// -----

func.func @combine_grad_gradients(%mode: tensor<?xi8>, %inverse: tensor<?xi32>, %gate: tensor<?xf32>,
                                  %x: tensor<?x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{needs one output, and a gradient of its type, for each of its 2 modes}}
  %r0, %r1 = chimera.combine_grad [swa, full] %mode, %inverse, %gate, %x, %x, %y
      : (tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
      -> (tensor<?xf32>, tensor<?x8xf32>)
  return
}

// -----

func.func @combine_grad_type(%mode: tensor<?xi8>, %inverse: tensor<?xi32>, %gate: tensor<?xf32>, %x: tensor<?x8xf32>,
                             %y: tensor<?x8xf32>) {
  // expected-error @+1 {{needs one output, and a gradient of its type, for each of its 2 modes}}
  %r0, %r1, %r2 = chimera.combine_grad [swa, full] %mode, %inverse, %gate, %x, %x, %y
      : (tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
      -> (tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf64>)
  return
}

// -----

func.func @combine_grad_output(%mode: tensor<?xi8>, %inverse: tensor<?xi32>, %gate: tensor<?xf32>,
                               %x: tensor<?x8xf32>, %y: tensor<?x4xf32>) {
  // expected-error @+1 {{outputs must have type 'tensor<?x8xf32>', got 'tensor<?x4xf32>'}}
  %r0, %r1, %r2 = chimera.combine_grad [swa, full] %mode, %inverse, %gate, %x, %x, %y
      : (tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x4xf32>)
      -> (tensor<?xf32>, tensor<?x8xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @combine_grad_dgate(%mode: tensor<?xi8>, %inverse: tensor<?xi32>, %gate: tensor<?xf32>, %x: tensor<?x8xf32>,
                              %y: tensor<?x8xf32>) {
  // expected-error @+1 {{gate and dgate must have one element type, got 'f32' and 'f64'}}
  %r0, %r1, %r2 = chimera.combine_grad [swa, full] %mode, %inverse, %gate, %x, %x, %y
      : (tensor<?xi8>, tensor<?xi32>, tensor<?xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
      -> (tensor<?xf64>, tensor<?x8xf32>, tensor<?x8xf32>)
  return
}

// -----

func.func @combine_grad_gate(%mode: tensor<?xi8>, %inverse: tensor<?xi32>, %gate: tensor<?xf64>, %x: tensor<?x8xf32>,
                             %y: tensor<?x8xf32>) {
  // expected-error @+1 {{gate and dresult must have one element type, got 'f64' and 'f32'}}
  %r0, %r1, %r2 = chimera.combine_grad [swa, full] %mode, %inverse, %gate, %x, %x, %y
      : (tensor<?xi8>, tensor<?xi32>, tensor<?xf64>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
      -> (tensor<?xf64>, tensor<?x8xf32>, tensor<?x8xf32>)
  return
}

// -----

func.func @scatter_nothing(%rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.scatter' op needs at least one piece}}
  %r = "chimera.scatter"(%rows) : (!chimera.rows) -> tensor<?x8xf32>
  return
}

// -----

func.func @scatter_no_operands() {
  // expected-error @+1 {{'chimera.scatter' op expected 1 or more operands, but found 0}}
  %r = "chimera.scatter"() : () -> tensor<?x8xf32>
  return
}

// -----

func.func @scatter_rows(%x: tensor<?x8xf32>, %ssm: !chimera.rows, %full: !chimera.rows, %rows: !chimera.rows) {
  // expected-error @+1 {{needs the rows of each piece, and those of the result}}
  %r0 = chimera.scatter %x from %ssm, %full to %rows
      : (tensor<?x8xf32>, !chimera.rows, !chimera.rows, !chimera.rows) -> tensor<?x8xf32>
  return
}

// -----

func.func @scatter_type(%x: tensor<?x8xf32>, %y: tensor<?x4xf32>, %ssm: !chimera.rows, %full: !chimera.rows,
                        %rows: !chimera.rows) {
  // expected-error @+1 {{pieces must have the result's type 'tensor<?x8xf32>', got 'tensor<?x4xf32>'}}
  %r0 = chimera.scatter %x, %y from %ssm, %full to %rows
      : (tensor<?x8xf32>, tensor<?x4xf32>, !chimera.rows, !chimera.rows, !chimera.rows) -> tensor<?x8xf32>
  return
}

// -----

func.func @columns_nothing(%rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.scatter_columns' op needs at least one piece}}
  %r = "chimera.scatter_columns"(%rows) {columns = array<i64>} : (!chimera.rows) -> tensor<?x4xf32>
  return
}

// -----

func.func @columns_rows(%a: tensor<?xf32>, %ssm: !chimera.rows, %full: !chimera.rows, %rows: !chimera.rows) {
  // expected-error @+1 {{needs the rows of each piece, and those of the result}}
  %r0 = chimera.scatter_columns %a at [0] from %ssm, %full to %rows
      : (tensor<?xf32>, !chimera.rows, !chimera.rows, !chimera.rows) -> tensor<?x4xf32>
  return
}

// -----

func.func @columns_count(%a: tensor<?xf32>, %ssm: !chimera.rows, %rows: !chimera.rows) {
  // expected-error @+1 {{needs a column for each piece}}
  %r0 = chimera.scatter_columns %a at [0, 1] from %ssm to %rows
      : (tensor<?xf32>, !chimera.rows, !chimera.rows) -> tensor<?x4xf32>
  return
}

// -----

func.func @columns_range(%a: tensor<?xf32>, %ssm: !chimera.rows, %rows: !chimera.rows) {
  // expected-error @+1 {{column 4 is not one of the result's 4}}
  %r0 = chimera.scatter_columns %a at [4] from %ssm to %rows
      : (tensor<?xf32>, !chimera.rows, !chimera.rows) -> tensor<?x4xf32>
  return
}

// -----

func.func @columns_negative(%a: tensor<?xf32>, %ssm: !chimera.rows, %rows: !chimera.rows) {
  // expected-error @+1 {{column -1 is not one of the result's 4}}
  %r0 = chimera.scatter_columns %a at [-1] from %ssm to %rows
      : (tensor<?xf32>, !chimera.rows, !chimera.rows) -> tensor<?x4xf32>
  return
}

// -----

func.func @columns_type(%a: tensor<?xf32>, %ssm: !chimera.rows, %rows: !chimera.rows) {
  // expected-error @+1 {{piece and result must have one element type, got 'f32' and 'f64'}}
  %r0 = chimera.scatter_columns %a at [0] from %ssm to %rows
      : (tensor<?xf32>, !chimera.rows, !chimera.rows) -> tensor<?x4xf64>
  return
}

// -----

func.func @norm_grad_weight(%x: tensor<?x8xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{'chimera.norm_grad' op weight must have 8 elements, got 4}}
  %dx, %dw = chimera.norm_grad rms %x, %w, %x {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @norm_grad_type(%x: tensor<?x8xf32>, %w: tensor<8xf64>) {
  // expected-error @+1 {{input and weight must have one element type, got 'f32' and 'f64'}}
  %dx, %dw = chimera.norm_grad rms %x, %w, %x {eps = 1.0e-05 : f64} : tensor<?x8xf32>, tensor<8xf64> -> tensor<?x8xf32>
  return
}

// -----

func.func @norm_grad_eps(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{eps must be finite and above 0}}
  %dx, %dw = chimera.norm_grad layer %x, %w, %x {eps = 0.0 : f64} : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @norm_grad_result(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{dweight_rows must have 8 columns, got 4}}
  %dx, %dw = "chimera.norm_grad"(%x, %w, %x) {kind = #chimera<norm_kind rms>, eps = 1.0e-05 : f64}
      : (tensor<?x8xf32>, tensor<8xf32>, tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @gated_norm_grad_groups(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{'chimera.gated_norm_grad' op groups must divide the 8 columns, got 3}}
  %a, %b, %c = chimera.gated_norm_grad %x, %x, %w, %x {groups = 3 : i64, eps = 1.0e-05 : f64}
      : tensor<?x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @gated_norm_grad_no_groups(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{groups must divide the 8 columns, got 0}}
  %a, %b, %c = chimera.gated_norm_grad %x, %x, %w, %x {groups = 0 : i64, eps = 1.0e-05 : f64}
      : tensor<?x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @gated_norm_grad_weight(%x: tensor<?x8xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{weight must have 8 elements, got 4}}
  %a, %b, %c = chimera.gated_norm_grad %x, %x, %w, %x {groups = 2 : i64, eps = 1.0e-05 : f64}
      : tensor<?x8xf32>, tensor<4xf32>
  return
}

// -----

func.func @gated_norm_grad_type(%x: tensor<?x8xf32>, %w: tensor<8xf64>) {
  // expected-error @+1 {{input and weight must have one element type, got 'f32' and 'f64'}}
  %a, %b, %c = chimera.gated_norm_grad %x, %x, %w, %x {groups = 2 : i64, eps = 1.0e-05 : f64}
      : tensor<?x8xf32>, tensor<8xf64>
  return
}

// -----

func.func @gated_norm_grad_eps(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{eps must be finite and above 0}}
  %a, %b, %c = chimera.gated_norm_grad %x, %x, %w, %x {groups = 2 : i64, eps = -1.0e-05 : f64}
      : tensor<?x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @activate_grad(%x: tensor<?x8xf32>, %y: tensor<?x4xf32>) {
  // expected-error @+1 {{'chimera.activate_grad' op requires the same type for all operands and results}}
  %d = "chimera.activate_grad"(%x, %y) {activation = #chimera.activation<silu>} : (tensor<?x8xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @glu_grad(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'chimera.glu_grad' op requires the same type for all operands and results}}
  %d, %e = "chimera.glu_grad"(%x, %x, %x) {activation = #chimera.activation<silu>}
      : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @join_nothing() {
  // expected-error @+1 {{'chimera.join_columns' op needs an offset for each of at least one piece}}
  %r = "chimera.join_columns"() {offsets = array<i64>} : () -> tensor<?x8xf32>
  return
}

// -----

func.func @join_offsets(%x: tensor<?x4xf32>, %y: tensor<?x2xf32>) {
  // expected-error @+1 {{needs an offset for each of at least one piece}}
  %r0 = chimera.join_columns %x, %y at [0] : (tensor<?x4xf32>, tensor<?x2xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @join_overlap(%x: tensor<?x4xf32>, %y: tensor<?x2xf32>) {
  // expected-error @+1 {{pieces must follow each other without overlap, but one starts at 3 and the one before ends at 4}}
  %r0 = chimera.join_columns %x, %y at [0, 3] : (tensor<?x4xf32>, tensor<?x2xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @join_negative(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{pieces must follow each other without overlap, but one starts at -1 and the one before ends at 0}}
  %r0 = chimera.join_columns %x at [-1] : (tensor<?x4xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @join_end(%x: tensor<?x4xf32>, %y: tensor<?x2xf32>) {
  // expected-error @+1 {{2 columns at 7 are not within the result's 8}}
  %r0 = chimera.join_columns %x, %y at [0, 7] : (tensor<?x4xf32>, tensor<?x2xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @join_overflow(%x: tensor<?x4xf32>, %y: tensor<?x2xf32>) {
  // expected-error @+1 {{2 columns at 9223372036854775807 are not within the result's 8}}
  %r0 = chimera.join_columns %x, %y at [0, 9223372036854775807]
      : (tensor<?x4xf32>, tensor<?x2xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @join_type(%x: tensor<?x4xf32>, %y: tensor<?x2xf32>) {
  // expected-error @+1 {{piece and result must have one element type, got 'f32' and 'f64'}}
  %r0 = chimera.join_columns %x, %y at [0, 4] : (tensor<?x4xf32>, tensor<?x2xf32>) -> tensor<?x8xf64>
  return
}

// -----

func.func @sum_leaves(%x: tensor<?x8xf32>, %leaves: tensor<17xi32>) {
  // expected-error @+1 {{'chimera.column_sum' op leaves must have 18 elements, got 17}}
  %r0 = chimera.column_sum %x leaves %leaves : (tensor<?x8xf32>, tensor<17xi32>) -> tensor<8xf32>
  return
}

// -----

func.func @sum_result(%x: tensor<?x8xf32>, %leaves: tensor<18xi32>) {
  // expected-error @+1 {{result must have 8 elements, got 4}}
  %r0 = chimera.column_sum %x leaves %leaves : (tensor<?x8xf32>, tensor<18xi32>) -> tensor<4xf32>
  return
}

// -----

func.func @input_grad_types(%d16: tensor<?x4xbf16>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{'chimera.linear_input_grad' op dresult and weight must have one element type, got 'bf16' and 'f32'}}
  %r0 = chimera.linear_input_grad %d16, %w : (tensor<?x4xbf16>, tensor<4x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @input_grad_dresult(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{dresult must have 4 columns, got 8}}
  %r0 = chimera.linear_input_grad %x, %w : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @input_grad_dinput(%d: tensor<?x4xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{dinput must have 8 columns, got 4}}
  %r0 = chimera.linear_input_grad %d, %w : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @input_grad_accumulator(%d16: tensor<?x4xbf16>, %w16: tensor<4x8xbf16>) {
  // expected-error @+1 {{dinput must accumulate in 'f32', got 'f64'}}
  %r0 = chimera.linear_input_grad %d16, %w16 : (tensor<?x4xbf16>, tensor<4x8xbf16>) -> tensor<?x8xf64>
  return
}

// -----

func.func @weight_grad_types(%d: tensor<?x4xf32>, %x16: tensor<?x8xbf16>, %leaves: tensor<18xi32>) {
  // expected-error @+1 {{'chimera.linear_weight_grad' op dresult and input must have one element type, got 'f32' and 'bf16'}}
  %r0 = chimera.linear_weight_grad %d, %x16 leaves %leaves
      : (tensor<?x4xf32>, tensor<?x8xbf16>, tensor<18xi32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @weight_grad_shape(%d: tensor<?x4xf32>, %x: tensor<?x8xf32>, %leaves: tensor<18xi32>) {
  // expected-error @+1 {{dweight must be 4x8, got 'tensor<8x4xf32>'}}
  %r0 = chimera.linear_weight_grad %d, %x leaves %leaves
      : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<18xi32>) -> tensor<8x4xf32>
  return
}

// -----

func.func @weight_grad_unknown(%d: tensor<?x4xf32>, %x: tensor<?x8xf32>, %leaves: tensor<18xi32>) {
  // expected-error @+1 {{dweight must be 4x8, got 'tensor<?x8xf32>'}}
  %r0 = chimera.linear_weight_grad %d, %x leaves %leaves
      : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<18xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @weight_grad_leaves(%d: tensor<?x4xf32>, %x: tensor<?x8xf32>, %leaves: tensor<4xi32>) {
  // expected-error @+1 {{leaves must have 18 elements, got 4}}
  %r0 = chimera.linear_weight_grad %d, %x leaves %leaves
      : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<4xi32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @weight_grad_accumulator(%d16: tensor<?x4xbf16>, %x16: tensor<?x8xbf16>, %leaves: tensor<18xi32>) {
  // expected-error @+1 {{dweight must accumulate in 'f32', got 'f64'}}
  %r0 = chimera.linear_weight_grad %d16, %x16 leaves %leaves
      : (tensor<?x4xbf16>, tensor<?x8xbf16>, tensor<18xi32>) -> tensor<4x8xf64>
  return
}

// -----

func.func @embed_grad_static(%tokens: tensor<?xi32>, %x: tensor<?x8xf32>, %leaves: tensor<18xi32>) {
  // expected-error @+1 {{'chimera.embed_grad' op dtable must have a parameter's static shape, got 'tensor<?x8xf32>'}}
  %r0 = chimera.embed_grad %tokens, %x leaves %leaves
      : (tensor<?xi32>, tensor<?x8xf32>, tensor<18xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @embed_grad_leaves(%tokens: tensor<?xi32>, %x: tensor<?x8xf32>, %leaves: tensor<1xi32>) {
  // expected-error @+1 {{leaves must have 18 elements, got 1}}
  %r0 = chimera.embed_grad %tokens, %x leaves %leaves
      : (tensor<?xi32>, tensor<?x8xf32>, tensor<1xi32>) -> tensor<16x8xf32>
  return
}

// -----

func.func @embed_grad_columns(%tokens: tensor<?xi32>, %x: tensor<?x8xf32>, %leaves: tensor<18xi32>) {
  // expected-error @+1 {{dtable must have 8 columns, got 4}}
  %r0 = chimera.embed_grad %tokens, %x leaves %leaves
      : (tensor<?xi32>, tensor<?x8xf32>, tensor<18xi32>) -> tensor<16x4xf32>
  return
}

// -----

func.func @embed_grad_type(%tokens: tensor<?xi32>, %x: tensor<?x8xf32>, %leaves: tensor<18xi32>) {
  // expected-error @+1 {{dresult and dtable must have one element type, got 'f32' and 'f64'}}
  %r0 = chimera.embed_grad %tokens, %x leaves %leaves
      : (tensor<?xi32>, tensor<?x8xf32>, tensor<18xi32>) -> tensor<16x8xf64>
  return
}

// -----

func.func @sum(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'chimera.sum' op operand #0 must be statically shaped tensor of any type values, but got 'tensor<?x8xf32>'}}
  %s = chimera.sum %x, %x : tensor<?x8xf32>
  return
}

// -----

func.func @sum_element(%a: tensor<4x8xbf16>) {
  // expected-error @+1 {{'chimera.sum' op result must have elements in f64 or f32, got 'tensor<4x8xbf16>'}}
  %d = chimera.sum %a, %a : tensor<4x8xbf16>
  return
}

// -----

func.func @round_shape(%w: tensor<4x8xf32>) {
  // expected-error @+1 {{'chimera.round_param' op rounds f32 to bf16 of the same shape, got 'tensor<4x8xf32>' and 'tensor<8x4xbf16>'}}
  %r = chimera.round_param %w : tensor<4x8xf32> to tensor<8x4xbf16>
  return
}

// -----

func.func @round_from(%w: tensor<4x8xf64>) {
  // expected-error @+1 {{'chimera.round_param' op rounds f32 to bf16 of the same shape, got 'tensor<4x8xf64>' and 'tensor<4x8xbf16>'}}
  %r = chimera.round_param %w : tensor<4x8xf64> to tensor<4x8xbf16>
  return
}

// -----

func.func @round_to(%w: tensor<4x8xf32>) {
  // expected-error @+1 {{'chimera.round_param' op rounds f32 to bf16 of the same shape, got 'tensor<4x8xf32>' and 'tensor<4x8xf32>'}}
  %r = chimera.round_param %w : tensor<4x8xf32> to tensor<4x8xf32>
  return
}

// -----

func.func @loss_weight(%x: tensor<?x8xbf16>, %w: tensor<?x8xbf16>, %t: tensor<?xi32>, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.cross_entropy' op weight must have a parameter's static shape, got 'tensor<?x8xbf16>'}}
  %r0, %r1 = chimera.cross_entropy %x, %w targets %t rows %rows
      : (tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  return
}

// -----

func.func @loss_types(%x: tensor<?x8xbf16>, %w: tensor<16x8xf32>, %t: tensor<?xi32>, %rows: !chimera.rows) {
  // expected-error @+1 {{input and weight must have one element type, got 'bf16' and 'f32'}}
  %r0, %r1 = chimera.cross_entropy %x, %w targets %t rows %rows
      : (tensor<?x8xbf16>, tensor<16x8xf32>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  return
}

// -----

func.func @loss_input(%x: tensor<?x4xbf16>, %w: tensor<16x8xbf16>, %t: tensor<?xi32>, %rows: !chimera.rows) {
  // expected-error @+1 {{input must have 8 columns, got 4}}
  %r0, %r1 = chimera.cross_entropy %x, %w targets %t rows %rows
      : (tensor<?x4xbf16>, tensor<16x8xbf16>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf64>)
  return
}

// -----

func.func @loss_lse(%x: tensor<?x8xbf16>, %w: tensor<16x8xbf16>, %t: tensor<?xi32>, %rows: !chimera.rows) {
  // expected-error @+1 {{lse must have 1 columns, got 2}}
  %r0, %r1 = chimera.cross_entropy %x, %w targets %t rows %rows
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?xi32>, !chimera.rows) -> (tensor<?x2xf32>, tensor<?x2xf64>)
  return
}

// -----

func.func @loss_lse_type(%x: tensor<?x8xbf16>, %w: tensor<16x8xbf16>, %t: tensor<?xi32>, %rows: !chimera.rows) {
  // expected-error @+1 {{lse must accumulate in 'f32', got 'f64'}}
  %r0, %r1 = chimera.cross_entropy %x, %w targets %t rows %rows
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf64>, tensor<?x2xf64>)
  return
}

// -----

func.func @loss_scores(%x: tensor<?x8xbf16>, %w: tensor<16x8xbf16>, %t: tensor<?xi32>, %rows: !chimera.rows) {
  // expected-error @+1 {{scores must have 2 columns, got 1}}
  %r0, %r1 = chimera.cross_entropy %x, %w targets %t rows %rows
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x1xf64>)
  return
}

// -----

func.func @loss_scores_type(%x: tensor<?x8xbf16>, %w: tensor<16x8xbf16>, %t: tensor<?xi32>, %rows: !chimera.rows) {
  // expected-error @+1 {{scores must be f64, got 'tensor<?x2xf32>'}}
  %r0, %r1 = chimera.cross_entropy %x, %w targets %t rows %rows
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?xi32>, !chimera.rows) -> (tensor<?x1xf32>, tensor<?x2xf32>)
  return
}

// -----

func.func @loss_input_grad_weight(%x: tensor<?x8xbf16>, %w: tensor<?x8xbf16>, %lse: tensor<?x1xf32>,
                                  %t: tensor<?xi32>, %hyper: tensor<16xf64>, %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.cross_entropy_input_grad' op weight must have a parameter's static shape}}
  %r0 = chimera.cross_entropy_input_grad %x, %w, %lse targets %t hyper %hyper rows %rows
      : (tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, !chimera.rows)
      -> tensor<?x8xf32>
  return
}

// -----

func.func @loss_input_grad_hyper(%x: tensor<?x8xbf16>, %w: tensor<16x8xbf16>, %lse: tensor<?x1xf32>,
                                 %t: tensor<?xi32>, %hyper: tensor<16xf32>, %rows: !chimera.rows) {
  // expected-error @+1 {{hyper must be f64, got 'tensor<16xf32>'}}
  %r0 = chimera.cross_entropy_input_grad %x, %w, %lse targets %t hyper %hyper rows %rows
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf32>, !chimera.rows)
      -> tensor<?x8xf32>
  return
}

// -----

func.func @loss_input_grad_lse(%x: tensor<?x8xbf16>, %w: tensor<16x8xbf16>, %lse: tensor<?x8xf32>, %t: tensor<?xi32>,
                               %hyper: tensor<16xf64>, %rows: !chimera.rows) {
  // expected-error @+1 {{lse must have 1 columns, got 8}}
  %r0 = chimera.cross_entropy_input_grad %x, %w, %lse targets %t hyper %hyper rows %rows
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?x8xf32>, tensor<?xi32>, tensor<16xf64>, !chimera.rows)
      -> tensor<?x8xf32>
  return
}

// -----

func.func @loss_input_grad_lse_type(%x: tensor<?x8xbf16>, %w: tensor<16x8xbf16>, %lse: tensor<?x1xf64>,
                                    %t: tensor<?xi32>, %hyper: tensor<16xf64>, %rows: !chimera.rows) {
  // expected-error @+1 {{lse must accumulate in 'f32', got 'f64'}}
  %r0 = chimera.cross_entropy_input_grad %x, %w, %lse targets %t hyper %hyper rows %rows
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?x1xf64>, tensor<?xi32>, tensor<16xf64>, !chimera.rows)
      -> tensor<?x8xf32>
  return
}

// -----

func.func @loss_input_grad_columns(%x: tensor<?x8xbf16>, %w: tensor<16x8xbf16>, %lse: tensor<?x1xf32>,
                                   %t: tensor<?xi32>, %hyper: tensor<16xf64>, %rows: !chimera.rows) {
  // expected-error @+1 {{dinput must have 8 columns, got 16}}
  %r0 = chimera.cross_entropy_input_grad %x, %w, %lse targets %t hyper %hyper rows %rows
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, !chimera.rows)
      -> tensor<?x16xf32>
  return
}

// -----

func.func @loss_input_grad_type(%x: tensor<?x8xbf16>, %w: tensor<16x8xbf16>, %lse: tensor<?x1xf32>, %t: tensor<?xi32>,
                                %hyper: tensor<16xf64>, %rows: !chimera.rows) {
  // expected-error @+1 {{dinput must accumulate in 'f32', got 'f64'}}
  %r0 = chimera.cross_entropy_input_grad %x, %w, %lse targets %t hyper %hyper rows %rows
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, !chimera.rows)
      -> tensor<?x8xf64>
  return
}

// -----

func.func @loss_weight_grad_types(%x: tensor<?x8xf32>, %w: tensor<16x8xbf16>, %lse: tensor<?x1xf32>,
                                  %t: tensor<?xi32>, %hyper: tensor<16xf64>, %leaves: tensor<18xi32>,
                                  %rows: !chimera.rows) {
  // expected-error @+1 {{'chimera.cross_entropy_weight_grad' op input and weight must have one element type}}
  %r0 = chimera.cross_entropy_weight_grad %x, %w, %lse targets %t hyper %hyper leaves %leaves rows %rows
      : (tensor<?x8xf32>, tensor<16x8xbf16>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, tensor<18xi32>, !chimera.rows)
      -> tensor<16x8xf32>
  return
}

// -----

func.func @loss_weight_grad_hyper(%x: tensor<?x8xbf16>, %w: tensor<16x8xbf16>, %lse: tensor<?x1xf32>,
                                  %t: tensor<?xi32>, %hyper: tensor<8xf64>, %leaves: tensor<18xi32>,
                                  %rows: !chimera.rows) {
  // expected-error @+1 {{hyper must have 16 elements, got 8}}
  %r0 = chimera.cross_entropy_weight_grad %x, %w, %lse targets %t hyper %hyper leaves %leaves rows %rows
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?x1xf32>, tensor<?xi32>, tensor<8xf64>, tensor<18xi32>, !chimera.rows)
      -> tensor<16x8xf32>
  return
}

// -----

func.func @loss_weight_grad_lse(%x: tensor<?x8xbf16>, %w: tensor<16x8xbf16>, %lse: tensor<?x1xf64>, %t: tensor<?xi32>,
                                %hyper: tensor<16xf64>, %leaves: tensor<18xi32>, %rows: !chimera.rows) {
  // expected-error @+1 {{lse must accumulate in 'f32', got 'f64'}}
  %r0 = chimera.cross_entropy_weight_grad %x, %w, %lse targets %t hyper %hyper leaves %leaves rows %rows
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?x1xf64>, tensor<?xi32>, tensor<16xf64>, tensor<18xi32>, !chimera.rows)
      -> tensor<16x8xf32>
  return
}

// -----

func.func @loss_weight_grad_leaves(%x: tensor<?x8xbf16>, %w: tensor<16x8xbf16>, %lse: tensor<?x1xf32>,
                                   %t: tensor<?xi32>, %hyper: tensor<16xf64>, %leaves: tensor<16xi32>,
                                   %rows: !chimera.rows) {
  // expected-error @+1 {{leaves must have 18 elements, got 16}}
  %r0 = chimera.cross_entropy_weight_grad %x, %w, %lse targets %t hyper %hyper leaves %leaves rows %rows
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, tensor<16xi32>, !chimera.rows)
      -> tensor<16x8xf32>
  return
}

// -----

func.func @loss_weight_grad_shape(%x: tensor<?x8xbf16>, %w: tensor<16x8xbf16>, %lse: tensor<?x1xf32>,
                                  %t: tensor<?xi32>, %hyper: tensor<16xf64>, %leaves: tensor<18xi32>,
                                  %rows: !chimera.rows) {
  // expected-error @+1 {{dweight must be 16x8, got 'tensor<8x16xf32>'}}
  %r0 = chimera.cross_entropy_weight_grad %x, %w, %lse targets %t hyper %hyper leaves %leaves rows %rows
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, tensor<18xi32>, !chimera.rows)
      -> tensor<8x16xf32>
  return
}

// -----

func.func @loss_weight_grad_type(%x: tensor<?x8xbf16>, %w: tensor<16x8xbf16>, %lse: tensor<?x1xf32>,
                                 %t: tensor<?xi32>, %hyper: tensor<16xf64>, %leaves: tensor<18xi32>,
                                 %rows: !chimera.rows) {
  // expected-error @+1 {{dweight must accumulate in 'f32', got 'f64'}}
  %r0 = chimera.cross_entropy_weight_grad %x, %w, %lse targets %t hyper %hyper leaves %leaves rows %rows
      : (tensor<?x8xbf16>, tensor<16x8xbf16>, tensor<?x1xf32>, tensor<?xi32>, tensor<16xf64>, tensor<18xi32>, !chimera.rows)
      -> tensor<16x8xf64>
  return
}
