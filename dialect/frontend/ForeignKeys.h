// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the configs of other programs have in common: which keys may be there, and the fields that several model types
// share.
#ifndef CHIMERA_DIALECT_FRONTEND_FOREIGNKEYS_H
#define CHIMERA_DIALECT_FRONTEND_FOREIGNKEYS_H

#include "dialect/frontend/ConfigFields.h"

namespace chimera {

/// Reports the first key that would change what the model computes and is not `read` by its family. These pass:
/// - `ignored`: keys of the family that change nothing in inference, whatever their value;
/// - what any config of the transformers library may hold without effect on the logits (names, versions, defaults of
///   text generation, settings of training);
/// - a key whose value is the neutral one, such as `"sliding_window": null` or `"final_logit_softcapping": null`: any
///   key that is null, which means that it is not set, and those of a table of switches, multipliers and lists that
///   say "as usual".
void checkForeignKeys(ObjectReader &reader, const std::vector<std::string_view> &read,
                      const std::vector<std::string_view> &ignored);

/// A switch that must have the only supported value, where it is given.
void requireBoolean(ObjectReader &reader, std::string_view key, bool supported);

/// hidden_act must be SiLU, by one of its names.
void requireSilu(ObjectReader &reader);

/// rope_theta, rope_scaling and rope_parameters, which the library's fifth version has in their place; what stands in
/// two places must agree. `factor`: the only partial_rotary_factor; `thetaByDefault`: the library's rope_theta.
void readRope(ObjectReader &reader, Config &config, double factor, double thetaByDefault = 10000.0);

/// The attention of llama, its relatives and bamba; attention_bias is about all four matrices. `heads`,
/// `keyValueHeads`, `headDim`: the library's defaults; without the second there are as many as heads, without the last
/// a head's size is hidden_size / num_attention_heads.
void readAttention(ObjectReader &reader, Config &config, std::optional<int64_t> heads,
                   std::optional<int64_t> keyValueHeads, std::optional<int64_t> headDim = std::nullopt);

/// Granite's four multipliers; that of the scores is 1 where it is absent.
void readGraniteMultipliers(ObjectReader &reader, Config &config);

/// The number of experts, which is num_experts or num_local_experts; 0: there are none.
int64_t readExpertCount(ObjectReader &reader, int64_t byDefault, int64_t least);

/// `count` experts in every layer, of which each token takes num_experts_per_tok.
void readExperts(ObjectReader &reader, Config &config, int64_t count, int64_t activeByDefault);

/// The keys that readSizes, readAttention, readRope and requireSilu read, rms_norm_eps and tie_word_embeddings, which
/// all families of attention have, and `others`.
std::vector<std::string_view> attentionKeys(std::initializer_list<std::string_view> others);

/// The configs of mamba2, bamba, falcon_h1, granitemoehybrid and nemotron_h in the transformers library, and of
/// mamba_ssm.
void readMamba2(ObjectReader &reader, Config &config);
void readBamba(ObjectReader &reader, Config &config);
void readFalconH1(ObjectReader &reader, Config &config);
void readGraniteMoeHybrid(ObjectReader &reader, Config &config);
void readNemotronH(ObjectReader &reader, Config &config);
void readMambaSsm(ObjectReader &reader, Config &config);

} // namespace chimera

#endif // CHIMERA_DIALECT_FRONTEND_FOREIGNKEYS_H
