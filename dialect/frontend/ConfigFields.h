// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parts of config reading that our own configs and foreign ones share.
#ifndef CHIMERA_DIALECT_FRONTEND_CONFIGFIELDS_H
#define CHIMERA_DIALECT_FRONTEND_CONFIGFIELDS_H

#include "dialect/frontend/Config.h"
#include "dialect/frontend/ObjectReader.h"

#include <functional>

namespace chimera {

inline constexpr int64_t largestSize = int64_t{1} << 20; ///< of a hidden size, a vocabulary, a number of heads, ...
inline constexpr int64_t mostLayers = 1024;
inline constexpr int64_t mostExperts = 1024;
inline constexpr int64_t largestWindow = int64_t{1} << 30;
inline constexpr int64_t largestCount = int64_t{1} << 53; ///< of tokens

/// bos_token_id and eos_token_id, an id or a list (null and absent: none). config.vocabSize is known.
void readTokenIds(ObjectReader &reader, Config &config);

/// max_position_embeddings, which any config may have (null and absent: none).
void readMaxPositions(ObjectReader &reader, Config &config);

/// A generation_config.json: see readGenerationConfig.
void readGeneration(ObjectReader &reader, Config &config);

/// vocab_size, hidden_size, num_hidden_layers and the token ids.
void readSizes(ObjectReader &reader, Config &config);

/// The object at `key`: {"type" or "rope_type": "none", "linear", "llama3", "yarn", ...}; null and absent: none.
/// `others`: keys that the object may have besides those of its type. Without `typeIsNeeded` an object without a type
/// is unscaled.
void readRopeScaling(ObjectReader &reader, std::string_view key, RopeScaling &scaling,
                     const std::vector<std::string_view> &others = {}, bool typeIsNeeded = true);

/// Gives `take` the entry of each layer in the list at `key`, which has as many as there are layers. One that it
/// refuses is an error: it must be `what`. False, and nothing taken, where the key is absent.
bool readPerLayer(ObjectReader &reader, std::string_view key, const Config &config, std::string_view what,
                  const std::function<bool(size_t layer, const JsonValue &entry)> &take);

/// The layers that are listed by number at `key`; none where the key is absent.
std::vector<int64_t> readLayerList(ObjectReader &reader, std::string_view key, const Config &config);

/// Whether `entry` is that text.
bool isText(const JsonValue &entry, std::string_view text);

/// A number > 0, 1 where the key is absent.
double readMultiplier(ObjectReader &reader, std::string_view key);
/// A list of `count` such numbers, all 1 where the key is absent.
void readMultiplierList(ObjectReader &reader, std::string_view key, double *values, size_t count);
/// embedding_multiplier, residual_multiplier and logits_scaling.
void readMultipliers(ObjectReader &reader, Config &config);

/// A number > 0 that caps scores or logits; null: none. `byDefault`: what an absent key stands for.
std::optional<double> readSoftCap(ObjectReader &reader, std::string_view key,
                                  std::optional<double> byDefault = std::nullopt);

/// The pair at `key`: [low, high]; high may be `Infinity`, null or {"__float__": "Infinity"}. Default [0, infinity].
void readTimeStepLimit(ObjectReader &reader, std::string_view key, SsmConfig &ssm);

/// What no single key says: heads that divide, whole rotary dimensions, sizes whose products stay representable.
void checkConfig(const Config &config, ErrorSink &errors);

/// Reads a config of our own, "model_type": "chimera".
void readChimeraConfig(ObjectReader &reader, Config &config);

/// Reads the config of a checkpoint that another program wrote; `config.style` says whose. The result's parameters()
/// carry that program's tensor names.
void readForeignConfig(ObjectReader &reader, Config &config);

/// Fills in where each parameter comes from (source, sourceShape, ...) for the checkpoint style of `config`.
void nameSources(const Config &config, std::vector<ParameterSpec> &parameters);

} // namespace chimera

#endif // CHIMERA_DIALECT_FRONTEND_CONFIGFIELDS_H
