// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading of our own config.json, "model_type": "chimera".
#include "dialect/frontend/ConfigFields.h"

#include <algorithm>

namespace chimera {

namespace {

/// One layer's list of mode names, sorted into canonical order.
std::vector<Mode> readModeList(const JsonValue &list, const std::string &path, ErrorSink &errors) {
  std::vector<Mode> modes;
  if (list.kind != JsonValue::Kind::Array || list.items.empty()) {
    errors.atKey(path, "must be a list of mode names with at least one, got " + list.describe());
    return {Mode::Identity};
  }
  for (size_t i = 0; i < list.items.size(); ++i) {
    const JsonValue &item = list.items[i];
    std::string itemPath = path + "[" + std::to_string(i) + "]";
    std::optional<Mode> mode = item.kind == JsonValue::Kind::String ? modeFromName(item.text) : std::nullopt;
    if (!mode)
      errors.atKey(itemPath, "must be one of \"ssm\", \"swa\", \"full\", \"identity\", got " + item.describe());
    else if (std::find(modes.begin(), modes.end(), *mode) != modes.end())
      errors.atKey(itemPath, "the mode " + item.describe() + " is given twice");
    else
      modes.push_back(*mode);
    if (errors.failed())
      return {Mode::Identity};
  }
  std::sort(modes.begin(), modes.end());
  return modes;
}

void readModes(ObjectReader &reader, ErrorSink &errors, Config &config) {
  std::vector<Mode> everyMode(allModes.begin(), allModes.end());
  config.layerModes.assign(config.numLayers, everyMode);
  const JsonValue *modes = reader.find("modes");
  if (!modes)
    return;
  bool perLayer = modes->kind == JsonValue::Kind::Array && !modes->items.empty() &&
                  modes->items.front().kind == JsonValue::Kind::Array;
  if (!perLayer) {
    config.layerModes.assign(config.numLayers, readModeList(*modes, "modes", errors));
    return;
  }
  if (static_cast<int64_t>(modes->items.size()) != config.numLayers) {
    errors.atKey("modes", "must have one list for each of the " + std::to_string(config.numLayers) + " layers, got " +
                              std::to_string(modes->items.size()));
    return;
  }
  for (size_t layer = 0; layer < modes->items.size(); ++layer)
    config.layerModes[layer] = readModeList(modes->items[layer], "modes[" + std::to_string(layer) + "]", errors);
}

/// parallel_modes: of each layer a mode beside those that are routed to, with weights of its own, or null.
void readParallelModes(ObjectReader &reader, Config &config) {
  config.parallelModes.assign(static_cast<size_t>(config.numLayers), std::nullopt);
  bool given = readPerLayer(
      reader, "parallel_modes", config, R"("ssm", "swa", "full" or null)", [&](size_t layer, const JsonValue &entry) {
        if (entry.kind == JsonValue::Kind::String)
          config.parallelModes[layer] = modeFromName(entry.text);
        return entry.kind == JsonValue::Kind::Null || (config.parallelModes[layer] && !isText(entry, "identity"));
      });
  if (!given)
    config.parallelModes.clear();
  auto attends = [](Mode mode) { return mode == Mode::Swa || mode == Mode::Full; };
  for (size_t layer = 0; layer < config.parallelModes.size(); ++layer)
    for (Mode mode : config.layerModes[layer])
      if (config.parallelModes[layer] &&
          (mode == *config.parallelModes[layer] || (attends(mode) && attends(*config.parallelModes[layer]))))
        reader.error("parallel_modes[" + std::to_string(layer) + "]",
                     "\"" + std::string(modeName(*config.parallelModes[layer])) +
                         "\" would have the weights of the layer's mode \"" + std::string(modeName(mode)) + "\"");
}

/// A list of one boolean for each layer; empty, which stands for all, where the key is absent.
std::vector<bool> readLayerSwitches(ObjectReader &reader, std::string_view key, const Config &config) {
  std::vector<bool> layers(static_cast<size_t>(config.numLayers), true);
  bool given = readPerLayer(reader, key, config, "true or false", [&](size_t layer, const JsonValue &entry) {
    layers[layer] = entry.boolean;
    return entry.kind == JsonValue::Kind::Bool;
  });
  return given ? layers : std::vector<bool>();
}

/// The attention keys: needed with swa or full, checked whenever they are there.
void readAttention(ObjectReader &reader, Config &config) {
  std::optional<int64_t> absent = config.usesAttention() ? std::nullopt : std::optional<int64_t>(0);
  config.numAttentionHeads = reader.integer("num_attention_heads", absent, 1, largestSize);
  config.headDim = reader.integer("head_dim", absent, 1, largestSize);
  if (config.headDim % 2 != 0)
    reader.error("head_dim", "must be even, got " + std::to_string(config.headDim));
  config.numKeyValueHeads = reader.integer("num_key_value_heads", config.numAttentionHeads, 1, largestSize);
  config.ropeTheta = reader.number("rope_theta", 10000.0, NumberRange::positive());
  config.partialRotaryFactor = reader.number("partial_rotary_factor", 1.0, {0.0, 1.0, true});
  readRopeScaling(reader, "rope_scaling", config.ropeScaling);
  config.ropeLayers = readLayerSwitches(reader, "rope_layers", config);
  if (reader.has("swa_rope_theta"))
    config.swaRopeTheta = reader.number("swa_rope_theta", std::nullopt, NumberRange::positive());
  config.qkvBias = reader.boolean("qkv_bias", false);
  config.attentionOutBias = reader.boolean("attention_out_bias", false);
  config.qkNorm = reader.boolean("qk_norm", false);
  config.attentionConvKernel = reader.integer("attention_conv_kernel", 0, 0, 16);
  for (int64_t layer = 0; config.attentionConvKernel > 0 && layer < config.numLayers; ++layer)
    for (Mode mode : config.layerModes[static_cast<size_t>(layer)])
      if (config.hasRouter(layer) && (mode == Mode::Swa || mode == Mode::Full))
        reader.error("attention_conv_kernel",
                     "is for layers without a router; layer " + std::to_string(layer) + " routes to attention");
  if (reader.has("attention_multiplier"))
    config.attentionMultiplier = reader.number("attention_multiplier", std::nullopt, NumberRange::positive());
  config.attentionSoftCap = readSoftCap(reader, "attention_soft_cap");
  config.attentionInputMultiplier = readMultiplier(reader, "attention_input_multiplier");
  config.attentionOutputMultiplier = readMultiplier(reader, "attention_output_multiplier");
  config.window = reader.integer("window", 512, 1, largestWindow);
}

void readSsm(ObjectReader &parent, Config &config) {
  bool needed = config.uses(Mode::Ssm);
  if (needed && !parent.has("ssm"))
    parent.error("ssm", "missing");
  ObjectReader reader = parent.child("ssm");
  reader.allowOnly({"kind", "state_size", "head_dim", "num_heads", "expand", "n_groups", "conv_kernel",
                    "time_step_limit", "proj_bias", "gated_norm", "input_multiplier", "projection_multipliers",
                    "output_multiplier"});
  SsmConfig &ssm = config.ssm;
  ssm.kind = reader.choice<SsmKind>("kind", SsmKind::Mamba2, {{"mamba2", SsmKind::Mamba2}, {"lti", SsmKind::Lti}});
  ssm.stateSize = reader.integer("state_size", needed ? std::nullopt : std::optional<int64_t>(0), 1, largestSize);
  ssm.headDim = reader.integer("head_dim", 64, 1, largestSize);
  ssm.expand = reader.integer("expand", 2, 1, largestSize);
  if (reader.has("num_heads")) {
    ssm.heads = reader.integer("num_heads", std::nullopt, 1, largestSize);
    if (reader.has("expand") && ssm.heads * ssm.headDim != ssm.expand * config.hiddenSize)
      reader.error("num_heads", "times head_dim (" + std::to_string(ssm.headDim) + ") must be expand * hidden_size (" +
                                    std::to_string(ssm.expand * config.hiddenSize) + "), or leave out expand; got " +
                                    std::to_string(ssm.heads));
  }
  ssm.groups = reader.integer("n_groups", 1, 1, largestSize);
  ssm.convKernel = reader.integer("conv_kernel", 4, 1, 16);
  ssm.projBias = reader.boolean("proj_bias", false);
  ssm.gatedNorm = reader.boolean("gated_norm", true);
  ssm.inputMultiplier = readMultiplier(reader, "input_multiplier");
  ssm.outputMultiplier = readMultiplier(reader, "output_multiplier");
  readMultiplierList(reader, "projection_multipliers", ssm.projectionMultipliers.data(),
                     ssm.projectionMultipliers.size());
  readTimeStepLimit(reader, "time_step_limit", ssm);
}

void readTargets(ObjectReader &router, RouterConfig &config) {
  if (!router.has("target"))
    return;
  ObjectReader reader = router.child("target");
  reader.allowOnly({"ssm", "swa", "full", "identity"});
  double sum = 0.0;
  for (Mode mode : allModes) {
    double target = reader.number(modeName(mode), 0.0, {0.0, 1.0, false});
    config.target[static_cast<size_t>(mode)] = target;
    sum += target;
  }
  if (sum > 1.0 + 1e-9) // a sum of decimal fractions may exceed 1 by some roundings
    router.error("target", "the targets must sum to at most 1, got " + std::to_string(sum));
}

void readCapacity(ObjectReader &router, RouterConfig &config) {
  if (router.hasValue("capacity_factor"))
    config.capacityFactor = router.number("capacity_factor", std::nullopt, NumberRange::positive());
  if (!router.hasValue("max_tokens"))
    return;
  ObjectReader reader = router.child("max_tokens");
  reader.allowOnly({"ssm", "swa", "full", "identity"});
  for (Mode mode : allModes)
    if (reader.hasValue(modeName(mode)))
      config.maxTokens[static_cast<size_t>(mode)] = reader.integer(modeName(mode), std::nullopt, 0, largestCount);
}

/// The experts of the feed-forward network, and the network beside them.
void readExperts(ObjectReader &parent, Config &config) {
  if (!parent.has("experts"))
    return;
  ObjectReader reader = parent.child("experts");
  reader.allowOnly({"count", "active", "intermediate_size", "score", "normalized", "scale", "bias",
                    "shared_intermediate_size", "shared_gate", "layers"});
  ExpertConfig &experts = config.experts;
  experts.count = reader.integer("count", std::nullopt, 1, mostExperts);
  experts.active = reader.integer("active", std::nullopt, 1, mostExperts);
  experts.intermediateSize = reader.integer("intermediate_size", std::nullopt, 1, largestSize);
  experts.score = reader.choice<ExpertScore>("score", ExpertScore::Softmax,
                                             {{"softmax", ExpertScore::Softmax}, {"sigmoid", ExpertScore::Sigmoid}});
  experts.normalized = reader.boolean("normalized", false);
  experts.scale = readMultiplier(reader, "scale");
  experts.bias = reader.boolean("bias", false);
  experts.sharedIntermediateSize = reader.integer("shared_intermediate_size", 0, 0, largestSize);
  experts.sharedGate = reader.boolean("shared_gate", false);
  if (experts.sharedGate && experts.sharedIntermediateSize == 0)
    reader.error("shared_gate", "needs a network to gate, of a shared_intermediate_size above 0");
  experts.layers = readLayerSwitches(reader, "layers", config);
}

void readRouter(ObjectReader &parent, Config &config) {
  ObjectReader reader = parent.child("router");
  reader.allowOnly({"kind", "hidden_size", "input_norm", "temperature", "gate", "bias_in_gate", "write_gate", "target",
                    "capacity_factor", "max_tokens", "balancer"});
  RouterConfig &router = config.router;
  router.kind =
      reader.choice<RouterKind>("kind", RouterKind::Linear, {{"linear", RouterKind::Linear}, {"mlp", RouterKind::Mlp}});
  int64_t hidden = reader.integer("hidden_size", config.hiddenSize, 1, largestSize);
  if (router.kind == RouterKind::Mlp)
    router.hiddenSize = hidden;
  else if (reader.has("hidden_size"))
    reader.error("hidden_size", "only a router of kind \"mlp\" has one");
  router.inputNorm = reader.choice<NormKind>(
      "input_norm", NormKind::None, {{"none", NormKind::None}, {"rms", NormKind::Rms}, {"layer", NormKind::Layer}});
  router.temperature = reader.number("temperature", 1.0, NumberRange::positive());
  router.gate = reader.choice<GateKind>("gate", GateKind::Prob, {{"one", GateKind::One}, {"prob", GateKind::Prob}});
  router.biasInGate = reader.boolean("bias_in_gate", false);
  router.writeGate = reader.boolean("write_gate", false);
  readTargets(reader, router);
  readCapacity(reader, router);

  ObjectReader balancer = reader.child("balancer");
  balancer.allowOnly({"ema", "step", "clip"});
  router.balancerEma = balancer.number("ema", 0.95, {0.0, 1.0, false});
  router.balancerStep = balancer.number("step", 1e-3, NumberRange::atLeast(0.0));
  router.balancerClip = balancer.number("clip", 4.0, NumberRange::atLeast(0.0));
}

} // namespace

void readChimeraConfig(ObjectReader &reader, Config &config) {
  reader.allowOnly({"model_type",
                    "vocab_size",
                    "hidden_size",
                    "num_hidden_layers",
                    "num_attention_heads",
                    "head_dim",
                    "num_key_value_heads",
                    "intermediate_size",
                    "rope_theta",
                    "partial_rotary_factor",
                    "rope_scaling",
                    "rope_layers",
                    "swa_rope_theta",
                    "qkv_bias",
                    "attention_out_bias",
                    "mlp_bias",
                    "mlp_activation",
                    "mlp_gated",
                    "ffn_layers",
                    "post_norms",
                    "qk_norm",
                    "attention_conv_kernel",
                    "attention_multiplier",
                    "attention_soft_cap",
                    "attention_input_multiplier",
                    "attention_output_multiplier",
                    "mlp_gate_multiplier",
                    "mlp_output_multiplier",
                    "embedding_multiplier",
                    "residual_multiplier",
                    "logits_scaling",
                    "logits_soft_cap",
                    "norm",
                    "norm_eps",
                    "norm_unit_offset",
                    "token_conv_kernel",
                    "tie_word_embeddings",
                    "bos_token_id",
                    "eos_token_id",
                    "max_position_embeddings",
                    "window",
                    "cache_write",
                    "identity_output",
                    "modes",
                    "parallel_modes",
                    "ssm",
                    "router",
                    "experts"},
                   {"training"});
  readSizes(reader, config);
  readMaxPositions(reader, config);
  readModes(reader, reader.sink(), config);
  readParallelModes(reader, config);
  config.intermediateSize = reader.integer("intermediate_size", std::nullopt, 0, largestSize);
  config.mlpBias = reader.boolean("mlp_bias", false);
  config.mlpGated = reader.boolean("mlp_gated", true);
  config.mlpActivation = reader.choice<ActivationKind>(
      "mlp_activation", ActivationKind::Silu,
      {{"silu", ActivationKind::Silu}, {"gelu_tanh", ActivationKind::GeluTanh}, {"relu2", ActivationKind::Relu2}});
  config.mlpGateMultiplier = readMultiplier(reader, "mlp_gate_multiplier");
  if (!config.mlpGated && config.mlpGateMultiplier != 1.0)
    reader.error("mlp_gate_multiplier", "only a network with mlp_gated has a gate");
  config.mlpOutputMultiplier = readMultiplier(reader, "mlp_output_multiplier");
  config.ffnLayers = readLayerSwitches(reader, "ffn_layers", config);
  config.postNorms = reader.boolean("post_norms", false);
  readMultipliers(reader, config);
  config.logitsSoftCap = readSoftCap(reader, "logits_soft_cap");
  config.norm = reader.choice<NormKind>("norm", NormKind::Rms, {{"rms", NormKind::Rms}, {"layer", NormKind::Layer}});
  config.normEps = reader.number("norm_eps", 1e-5, NumberRange::positive());
  config.normUnitOffset = reader.boolean("norm_unit_offset", false);
  if (config.normUnitOffset && config.norm != NormKind::Rms)
    reader.error("norm_unit_offset", "only norms of kind \"rms\" have one");
  config.tokenConvKernel = reader.integer("token_conv_kernel", 0, 0, 16);
  config.tieWordEmbeddings = reader.boolean("tie_word_embeddings", false);
  config.cacheWrite = reader.choice<CacheWrite>("cache_write", CacheWrite::Routed,
                                                {{"routed", CacheWrite::Routed}, {"all", CacheWrite::All}});
  config.identityOutput =
      reader.choice<IdentityOutput>("identity_output", IdentityOutput::Zero,
                                    {{"zero", IdentityOutput::Zero}, {"normed_input", IdentityOutput::NormedInput}});
  readAttention(reader, config);
  readSsm(reader, config);
  readRouter(reader, config);
  readExperts(reader, config);
}

} // namespace chimera
