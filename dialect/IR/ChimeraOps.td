// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The whole dialect. How a model is written in it (what the frontend builds and the passes expect):
//
//   module attributes {chimera.model = {dtype = "f32", vocab_size = 256 : i64, hidden_size = 64 : i64, window = 512 : i64,
//       head_dim = 16 : i64, num_attention_heads = 4 : i64, num_key_value_heads = 2 : i64,
//       bos_token_id = 1 : i64 (absent: none), eos_token_ids = array<i64: 2, 7> (absent: none),
//       max_position_embeddings = 4096 : i64 (absent: unknown), sampling = {temperature = 0.7 : f64, top_k = 50 : i64, top_p = 0.9 : f64}
//       (absent: the largest logit), layers = [["ssm", "full"], ...],
//       targets = [array<f64: 0.75, 0.25>, ...] (shares of each layer's modes, their sum 1; absent: equal shares)}} {
//     func.func @model(%tokens: tensor<?xi32> {chimera.step = "tokens"}, %rows: !chimera.rows {chimera.step = "rows"},
//         %outputs: !chimera.rows {chimera.step = "outputs"}, %forced: tensor<?xLxi8> {chimera.step = "forced"},
//         %c0: !chimera.tail<...> {chimera.cache = {layer = 0 : i64, mode = "token_conv", name = "layers.0.token_conv.tail"}}, ...)
//         -> (tensor<?xVxT> logits of the output rows, tensor<?xLxi8> routing of all rows, the caches' new versions in order)
//   }
//
// The caches of a layer, where it has them, in this order: token_conv tail ("token_conv"), counts ("route"), SSM tail and state
// ("ssm"; an lti SSM has only the state), ring ("swa"), list ("full"). Ops have an attribute `layer` where
// they need it; for profiles, every op of layer I has chimera.layer = I.

#ifndef CHIMERA_DIALECT_IR_OPS_TD
#define CHIMERA_DIALECT_IR_OPS_TD

include "dialect/IR/ModelOps.td"
include "dialect/IR/RoutingOps.td"
include "dialect/IR/MixerOps.td"
include "dialect/IR/FusedOps.td"
include "dialect/IR/OptimizerOps.td"
include "dialect/IR/ProgramOps.td"
include "dialect/IR/TrainingMixerOps.td"
include "dialect/IR/TrainingOps.td"

#endif // CHIMERA_DIALECT_IR_OPS_TD
