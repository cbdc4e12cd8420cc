// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is wrong with a discardable attribute is said where it stands, and names it.
// RUN: chimera-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{chimera.parameters must be an array of dictionaries, got {}}}
module attributes {chimera.parameters = {}} {}

// -----

// expected-error @+1 {{chimera.parameters[1] must be a dictionary, got "w"}}
module attributes {chimera.parameters = [{name = "v", type = tensor<4xf32>}, "w"]} {}

// -----

// expected-error @+1 {{chimera.parameters[0]: 'name' is missing}}
module attributes {chimera.parameters = [{type = tensor<4xf32>}]} {}

// -----

// expected-error @+1 {{chimera.parameters[0]: 'name' must be a string of at least one character and no control characters, got ""}}
module attributes {chimera.parameters = [{name = "", type = tensor<4xf32>}]} {}

// -----

// expected-error @+1 {{chimera.parameters[0]: 'type' must be a tensor of static shape in f64, f32 or bf16}}
module attributes {chimera.parameters = [{name = "w", type = tensor<?xf32>}]} {}

// -----

// expected-error @+1 {{chimera.parameters[0]: 'optional' must be without a value, got true}}
module attributes {chimera.parameters = [{name = "w", type = tensor<4xf32>, optional = true}]} {}

// -----

// expected-error @+1 {{chimera.parameters[0]: 'source_row' must be in 0 .. 2199023255552, got -1}}
module attributes {chimera.parameters = [{name = "w", type = tensor<4xf32>, source_row = -1 : i64}]} {}

// -----

// expected-error @+1 {{chimera.parameters[0]: 'shape' is not one of its keys}}
module attributes {chimera.parameters = [{name = "w", type = tensor<4xf32>, shape = 4 : i64}]} {}

// -----

// expected-error @+1 {{chimera.caches[0]: 'type' must be the type of a cache}}
module attributes {chimera.caches = [{layer = 0 : i64, mode = "ssm", name = "c", type = f32}]} {}

// -----

// expected-error @+1 {{chimera.caches[0]: 'layer' must be in 0 .. 1023, got 1024}}
module attributes {chimera.caches = [{layer = 1024 : i64, mode = "route", name = "c", type = !chimera.counts<modes = 2>}]} {}

// -----

// expected-error @+1 {{chimera.packed[0]: 'format' must be one of f32, bf16, i8, i4, got "i2"}}
module attributes {chimera.packed = [{parameters = array<i64: 0>, format = "i2", panel = 8 : i64, group = 1 : i64, bytes = 8 : i64}]} {}

// -----

// expected-error @+1 {{chimera.packed[0]: 'panel' must be in 1 .. 4096, got 0}}
module attributes {chimera.packed = [{parameters = array<i64: 0>, format = "i8", panel = 0 : i64, group = 1 : i64, bytes = 8 : i64}]} {}

// -----

// expected-error @+1 {{chimera.trainable must be an array, got "w"}}
module attributes {chimera.trainable = "w"} {}

// -----

// expected-error @+1 {{chimera.trainable[0] must be a string of at least one character and no control characters, got 1 : i64}}
module attributes {chimera.trainable = [1]} {}

// -----

// expected-error @+1 {{chimera.unforced_layers[0] must be in 0 .. 1023, got -1}}
module attributes {chimera.unforced_layers = [-1]} {}

// -----

// expected-error @+1 {{chimera.cache_block must be in 1 .. 1048576, got 0}}
module attributes {chimera.cache_block = 0 : i64} {}

// -----

// expected-error @+1 {{'builtin.module' op chimera.limits belongs to a function}}
module attributes {chimera.limits = array<i64: 1, 1>} {}

// -----

// expected-error @+1 {{'builtin.module' op chimera.step belongs to an argument or result of a function}}
module attributes {chimera.step = "rows"} {}

// -----

// expected-error @+1 {{'builtin.module' op chimera.modle is no attribute of the dialect}}
module attributes {chimera.modle = {}} {}

// -----

// expected-error @+1 {{'func.func' op chimera.limits must be array<i64: rows, sequences>, both at least 1, got array<i64>}}
func.func private @f() attributes {chimera.limits = array<i64>}

// -----

// expected-error @+1 {{'func.func' op chimera.limits must be array<i64: rows, sequences>, both at least 1, got array<i64: 4>}}
func.func private @f() attributes {chimera.limits = array<i64: 4>}

// -----

// expected-error @+1 {{'func.func' op chimera.limits must be array<i64: rows, sequences>, both at least 1, got array<i64: 4, 4, 4>}}
func.func private @f() attributes {chimera.limits = array<i64: 4, 4, 4>}

// -----

// expected-error @+1 {{'func.func' op chimera.limits must be array<i64: rows, sequences>, both at least 1, got array<i64: 4, 0>}}
func.func private @f() attributes {chimera.limits = array<i64: 4, 0>}

// -----

// expected-error @+1 {{'func.func' op chimera.limits must be array<i64: rows, sequences>, both at least 1, got array<i64: -1, 4>}}
func.func private @f() attributes {chimera.limits = array<i64: -1, 4>}

// -----

// expected-error @+1 {{'func.func' op chimera.limits must be array<i64: rows, sequences>, both at least 1, got [4, 4]}}
func.func private @f() attributes {chimera.limits = [4, 4]}

// -----

// expected-error @+1 {{'func.func' op chimera.training must be without a value, got true}}
func.func private @f() attributes {chimera.training = true}

// -----

// expected-error @+1 {{'func.func' op chimera.differentiate must be without a value, got true}}
func.func private @f() attributes {chimera.differentiate = true}

// -----

// expected-error @+1 {{'func.func' op chimera.soft must be without a value, got true}}
func.func private @f() attributes {chimera.soft = true}

// -----

// expected-error @+1 {{'func.func' op chimera.single_rows must be without a value, got true}}
func.func private @f() attributes {chimera.single_rows = true}

// -----

// expected-error @+1 {{'func.func' op chimera.model belongs to a module}}
func.func private @f() attributes {chimera.model = {}}

// -----

// expected-error @+1 {{'func.func' op chimera.limit is no attribute of the dialect}}
func.func private @f() attributes {chimera.limit}

// -----

// expected-error @+1 {{'func.func' op chimera.step of argument #0 must be one of tokens, rows, outputs, forced, targets, noise, hyper, prices, leaves, got "dt"}}
func.func private @f(tensor<?xf32> {chimera.step = "dt"})

// -----

// expected-error @+1 {{'func.func' op chimera.step of argument #1 must be one of}}
func.func private @f(i1, tensor<?xf32> {chimera.step = 1})

// -----

// expected-error @+1 {{'func.func' op its argument 'tokens' (chimera.step) must be tensor<?xi32>, got 'tensor<?xi64>'}}
func.func private @f(tensor<?xi64> {chimera.step = "tokens"})

// -----

// expected-error @+1 {{'func.func' op its argument 'tokens' (chimera.step) must be tensor<?xi32>, got 'tensor<4xi32>'}}
func.func private @f(tensor<4xi32> {chimera.step = "tokens"})

// -----

// expected-error @+1 {{'func.func' op its argument 'targets' (chimera.step) must be tensor<?xi32>, got 'tensor<?x1xi32>'}}
func.func private @f(tensor<?x1xi32> {chimera.step = "targets"})

// -----

// expected-error @+1 {{'func.func' op its argument 'rows' (chimera.step) must be !chimera.rows, got 'tensor<?xi32>'}}
func.func private @f(tensor<?xi32> {chimera.step = "rows"})

// -----

// expected-error @+1 {{'func.func' op its argument 'outputs' (chimera.step) must be !chimera.rows, got 'i32'}}
func.func private @f(i32 {chimera.step = "outputs"})

// -----

// expected-error @+1 {{'func.func' op its argument 'forced' (chimera.step) must be i8 [rows, layers], got 'tensor<?xi8>'}}
func.func private @f(tensor<?xi8> {chimera.step = "forced"})

// -----

// expected-error @+1 {{'func.func' op its argument 'forced' (chimera.step) must be i8 [rows, layers], got 'tensor<?x?xi8>'}}
func.func private @f(tensor<?x?xi8> {chimera.step = "forced"})

// -----

// expected-error @+1 {{'func.func' op its argument 'forced' (chimera.step) must be i8 [rows, layers], got 'tensor<?x0xi8>'}}
func.func private @f(tensor<?x0xi8> {chimera.step = "forced"})

// -----

// expected-error @+1 {{'func.func' op its argument 'forced' (chimera.step) must be i8 [rows, layers], got '!chimera.rows'}}
func.func private @f(!chimera.rows {chimera.step = "forced"})

// -----

// expected-error @+1 {{'func.func' op its argument 'noise' (chimera.step) must be f64 [rows, 4 * layers], got 'tensor<?x6xf64>'}}
func.func private @f(tensor<?x6xf64> {chimera.step = "noise"})

// -----

// expected-error @+1 {{'func.func' op its argument 'noise' (chimera.step) must be f64 [rows, 4 * layers], got 'tensor<?x8xf32>'}}
func.func private @f(tensor<?x8xf32> {chimera.step = "noise"})

// -----

// expected-error @+1 {{'func.func' op its argument 'hyper' (chimera.step) must be tensor<16xf64>, got 'tensor<15xf64>'}}
func.func private @f(tensor<15xf64> {chimera.step = "hyper"})

// -----

// expected-error @+1 {{'func.func' op its argument 'prices' (chimera.step) must be f64 [layers, 13], got 'tensor<2x12xf64>'}}
func.func private @f(tensor<2x12xf64> {chimera.step = "prices"})

// -----

// expected-error @+1 {{'func.func' op its argument 'prices' (chimera.step) must be f64 [layers, 13], got 'tensor<?x13xf64>'}}
func.func private @f(tensor<?x13xf64> {chimera.step = "prices"})

// -----

// expected-error @+1 {{'func.func' op its argument 'leaves' (chimera.step) must be tensor<18xi32>, got 'tensor<18xi64>'}}
func.func private @f(tensor<18xi64> {chimera.step = "leaves"})

// -----

// expected-error @+1 {{'func.func' op the argument chimera.step "rows" is there twice, the second time as #2}}
func.func private @f(!chimera.rows {chimera.step = "rows"}, i1, !chimera.rows {chimera.step = "rows"})

// -----

// expected-error @+1 {{'func.func' op chimera.cache of argument #0: the argument must be a cache, is 'tensor<?xf32>'}}
func.func private @f(tensor<?xf32> {chimera.cache = {layer = 0 : i64, mode = "ssm", name = "c"}})

// -----

// expected-error @+1 {{'func.func' op chimera.cache of argument #0 must be a dictionary, got "c"}}
func.func private @f(!chimera.counts<modes = 2> {chimera.cache = "c"})

// -----

// expected-error @+1 {{'func.func' op chimera.cache of argument #0: 'layer' is missing}}
func.func private @f(!chimera.counts<modes = 2> {chimera.cache = {mode = "route", name = "c"}})

// -----

// expected-error @+1 {{'func.func' op chimera.cache of argument #0: 'layer' must be an i64, got 0 : i32}}
func.func private @f(!chimera.counts<modes = 2> {chimera.cache = {layer = 0 : i32, mode = "route", name = "c"}})

// -----

// expected-error @+1 {{'func.func' op chimera.cache of argument #0: 'layer' must be in 0 .. 1023, got -1}}
func.func private @f(!chimera.counts<modes = 2> {chimera.cache = {layer = -1 : i64, mode = "route", name = "c"}})

// -----

// expected-error @+1 {{'func.func' op chimera.cache of argument #0: 'mode' must be one of ssm, swa, full, token_conv, route, got "foo"}}
func.func private @f(!chimera.counts<modes = 2> {chimera.cache = {layer = 0 : i64, mode = "foo", name = "c"}})

// -----

// expected-error @+1 {{'func.func' op chimera.cache of argument #0: 'mode' is "full", which has no cache of type '!chimera.counts<modes = 2>'}}
func.func private @f(!chimera.counts<modes = 2> {chimera.cache = {layer = 0 : i64, mode = "full", name = "c"}})

// -----

// expected-error @+1 {{'func.func' op chimera.cache of argument #0: 'name' must be a string of at least one character and no control characters, got "a\0A"}}
func.func private @f(!chimera.counts<modes = 2> {chimera.cache = {layer = 0 : i64, mode = "route", name = "a\n"}})

// -----

// expected-error @+1 {{'func.func' op chimera.cache of argument #0: 'window' is not one of its keys}}
func.func private @f(!chimera.counts<modes = 2> {chimera.cache = {layer = 0 : i64, mode = "route", name = "c", window = 4 : i64}})

// -----

// expected-error @+1 {{'func.func' op chimera.cache: 'name' "c" is there twice, the second time as #1}}
func.func private @f(!chimera.counts<modes = 2> {chimera.cache = {layer = 0 : i64, mode = "route", name = "c"}}, !chimera.counts<modes = 2> {chimera.cache = {layer = 1 : i64, mode = "route", name = "c"}})

// -----

// expected-error @+1 {{'func.func' op chimera.layer is no attribute of an argument (#0)}}
func.func private @f(i1 {chimera.layer = 0 : i64})

// -----

// expected-error @+1 {{'func.func' op chimera.result of result #0 must be one of loss, modes, norm, got "lost"}}
func.func private @f() -> (tensor<2xf64> {chimera.result = "lost"})

// -----

// expected-error @+1 {{'func.func' op chimera.result of result #0 must be one of}}
func.func private @f() -> (tensor<14xf64> {chimera.result = "statistics."})

// -----

// expected-error @+1 {{'func.func' op chimera.result of result #0 must be one of}}
func.func private @f() -> (tensor<14xf64> {chimera.result = "statistics.01"})

// -----

// expected-error @+1 {{'func.func' op chimera.result of result #0 must be one of}}
func.func private @f() -> (tensor<14xf64> {chimera.result = "statistics.-1"})

// -----

// expected-error @+1 {{'func.func' op chimera.result of result #0 must be one of}}
func.func private @f() -> (tensor<14xf64> {chimera.result = "statistics.1024"})

// -----

// expected-error @+1 {{'func.func' op chimera.result "loss" is there twice, the second time as #1}}
func.func private @f() -> (tensor<2xf64> {chimera.result = "loss"}, tensor<2xf64> {chimera.result = "loss"})

// -----

// expected-error @+1 {{'func.func' op chimera.gradient of result #0 must be a string of at least one character and no control characters, got 3 : i64}}
func.func private @f() -> (tensor<2xf64> {chimera.gradient = 3})

// -----

// expected-error @+1 {{'func.func' op chimera.gradient "w" is there twice, the second time as #2}}
func.func private @f() -> (tensor<2xf64> {chimera.gradient = "w"}, i1, tensor<2xf64> {chimera.gradient = "w"})

// -----

// expected-error @+1 {{'func.func' op chimera.step is no attribute of a result (#0)}}
func.func private @f() -> (tensor<2xf64> {chimera.step = "loss"})

// -----

func.func @f() {
  // expected-error @+1 {{'chimera.param' op chimera.layer must be in 0 .. 1023, got -1}}
  %w = chimera.param "w" {chimera.layer = -1 : i64} : tensor<4xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'chimera.param' op chimera.layer must be an i64, got "0"}}
  %w = chimera.param "w" {chimera.layer = "0"} : tensor<4xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'chimera.param' op chimera.recomputed must be in 0 .. 9223372036854775807, got -1}}
  %w = chimera.param "w" {chimera.recomputed = -1 : i64} : tensor<4xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'chimera.param' op chimera.soft belongs to a function}}
  %w = chimera.param "w" {chimera.soft} : tensor<4xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'chimera.param' op chimera.note is no attribute of the dialect}}
  %w = chimera.param "w" {chimera.note} : tensor<4xf32>
  return
}
