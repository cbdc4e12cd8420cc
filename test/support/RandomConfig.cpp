// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From settings of options to the text of a config.json.
#include "test/support/Pairwise.h"
#include "test/support/Random.h"
#include "test/support/RandomModel.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace chimera::test {
namespace {

using nlohmann::json;

enum Option {
  HiddenSize,
  VocabSize,
  Layers,
  ModePattern,
  Norm,
  TokenConv,
  Tied,
  FeedForward,
  Window,
  CacheWriting,
  IdentityOutputs,
  Heads,
  HeadDim,
  Rotary,
  Scaling,
  StateSpace,
  StateSize,
  StateHeadDim,
  Expand,
  Groups,
  ConvKernel,
  TimeStepLimit,
  RouterType,
  RouterNorm,
  Temperature,
  Gate,
  BiasInGate,
  WriteGate,
  Capacity,
  Biases,
  HeadNorm,
  Rotates,
  Multipliers,
  Activations,
  PostNorms,
  NormOffset,
  NetworkLayers,
  SwaRotation,
  SoftCaps,
  ParallelModes,
  GatedNorm,
  AttentionConv,
  Experts,
  SharedNetwork,
  OptionCount
};

const std::array<int, 6> hiddenSizes = {8, 16, 24, 32, 48, 64};
const std::array<int, 4> vocabSizes = {17, 33, 64, 97};
const std::array<int, 5> windows = {1, 3, 8, 64, 512};
const std::array<std::array<int, 2>, 5> headCounts = {{{1, 1}, {2, 1}, {4, 2}, {3, 3}, {6, 2}}};
const std::array<int, 4> headDims = {2, 4, 8, 16};
const std::array<double, 3> rotaryFactors = {1.0, 0.5, 0.25};
const std::array<int, 4> stateSizes = {1, 4, 8, 16};
const std::array<int, 3> stateHeadDims = {2, 4, 8};
const std::array<int, 4> tokenConvs = {0, 1, 2, 4};
const std::array<int, 3> convKernels = {1, 2, 4};
const std::array<double, 3> temperatures = {0.7, 1.0, 2.0};
const std::array<const char *, 4> modeNames = {"ssm", "swa", "full", "identity"};

std::vector<int> levelsOfOptions() {
  std::vector<int> levels(OptionCount, 2);
  levels[HiddenSize] = hiddenSizes.size();
  levels[VocabSize] = vocabSizes.size();
  levels[Layers] = 4;
  levels[ModePattern] = 5;
  levels[TokenConv] = tokenConvs.size();
  levels[Window] = windows.size();
  levels[Heads] = headCounts.size();
  levels[HeadDim] = headDims.size();
  levels[Rotary] = rotaryFactors.size();
  levels[Scaling] = 4;
  levels[StateSize] = stateSizes.size();
  levels[StateHeadDim] = stateHeadDims.size();
  levels[Groups] = 3;
  levels[ConvKernel] = convKernels.size();
  levels[RouterNorm] = 3;
  levels[Temperature] = temperatures.size();
  levels[Capacity] = 4;
  levels[Biases] = 4;
  levels[Activations] = 6;
  levels[Rotates] = 3;
  levels[Experts] = 4;
  levels[SharedNetwork] = 3;
  return levels;
}

/// A list of `count` different modes in canonical order.
json randomModes(int count, Random &random) {
  std::vector<int> modes = {0, 1, 2, 3};
  while (static_cast<int>(modes.size()) > count)
    modes.erase(modes.begin() + random.below(static_cast<int64_t>(modes.size())));
  json names = json::array();
  for (int mode : modes)
    names.push_back(modeNames[mode]);
  return names;
}

/// One list for the model, or a list of lists, one a layer.
json makeModes(int pattern, int layers, Random &random) {
  if (pattern == 0)
    return json(modeNames);
  if (pattern == 1)
    return randomModes(static_cast<int>(random.between(2, 3)), random);
  json lists = json::array();
  for (int layer = 0; layer < layers; ++layer) {
    bool single = pattern == 3 || (pattern == 2 && layer % 2 == 1);
    lists.push_back(randomModes(single ? 1 : static_cast<int>(random.between(2, 4)), random));
  }
  return lists;
}

bool usesMode(const json &modes, const char *name) {
  return modes.dump().find('"' + std::string(name) + '"') != std::string::npos;
}

/// Whether no layer routes to attention.
bool attentionIsAlone(const json &modes) {
  json lists = modes[0].is_array() ? modes : json::array({modes});
  return std::all_of(lists.begin(), lists.end(), [](const json &own) {
    return own.size() == 1 || !(usesMode(own, "swa") || usesMode(own, "full"));
  });
}

/// For most layers a mode that has no weights in common with the layer's own ones in `modes`.
json makeParallelModes(const json &modes, int layers, Random &random) {
  json parallel = json::array();
  for (int layer = 0; layer < layers; ++layer) {
    const json &own = modes[0].is_array() ? modes[static_cast<size_t>(layer)] : modes;
    std::vector<const char *> choices;
    if (!usesMode(own, "ssm"))
      choices.push_back("ssm");
    if (!usesMode(own, "swa") && !usesMode(own, "full"))
      choices.insert(choices.end(), {"swa", "full"});
    parallel.push_back(choices.empty() || random.chance(0.2) ? json() : json(random.pick(choices)));
  }
  return parallel;
}

void addAttention(json &config, const std::vector<int> &row, Random &random) {
  auto [heads, kvHeads] = headCounts[row[Heads]];
  int headDim = headDims[row[HeadDim]];
  double factor = rotaryFactors[row[Rotary]];
  while (headDim * factor < 2) // at least one pair is rotated
    factor *= 2;
  config["num_attention_heads"] = heads;
  if (heads != kvHeads || random.chance(0.5))
    config["num_key_value_heads"] = kvHeads;
  config["head_dim"] = headDim;
  config["partial_rotary_factor"] = factor;
  config["rope_theta"] = random.chance(0.5) ? 10000.0 : 500.0;
  if (row[Scaling] == 1)
    config["rope_scaling"] = {{"type", "linear"}, {"factor", 2.5}};
  if (row[Scaling] == 2)
    config["rope_scaling"] = {{"type", "llama3"},
                              {"factor", 8.0},
                              {"low_freq_factor", 1.0},
                              {"high_freq_factor", 4.0},
                              {"original_max_position_embeddings", 128}};
  if (row[Scaling] == 3) {
    config["rope_scaling"] = {{"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 64}};
    if (factor != 1.0)
      config["rope_scaling"]["attention_factor"] = 1.0;
  }
  if (row[SwaRotation])
    config["swa_rope_theta"] = 50.0;
  config["qkv_bias"] = row[Biases] == 1 || row[Biases] == 3;
  config["attention_out_bias"] = row[Biases] >= 2;
  config["qk_norm"] = row[HeadNorm] == 1 && headDim >= 8; // a norm over fewer channels magnifies rounding
  for (int layer = 0; row[Rotates] > 0 && layer <= row[Layers]; ++layer)
    config["rope_layers"].push_back(row[Rotates] == 1 && random.chance(0.5));
  if (row[AttentionConv] && attentionIsAlone(config["modes"]))
    config["attention_conv_kernel"] = convKernels[row[ConvKernel]];
  if (row[Multipliers]) {
    config["attention_multiplier"] = random.uniform(0.2, 0.8) / std::sqrt(headDim);
    config["attention_input_multiplier"] = random.uniform(0.5, 1.5);
    config["attention_output_multiplier"] = random.uniform(0.5, 1.5);
  }
  if (row[SoftCaps])
    config["attention_soft_cap"] = random.uniform(0.8, 5.0);
}

void addMultipliers(json &config, Random &random) {
  config["embedding_multiplier"] = random.uniform(0.5, 3.0);
  config["residual_multiplier"] = random.uniform(0.3, 1.2);
  config["logits_scaling"] = random.uniform(0.5, 4.0);
  if (config["mlp_gated"] == true)
    config["mlp_gate_multiplier"] = random.uniform(0.5, 1.5);
  config["mlp_output_multiplier"] = random.uniform(0.5, 1.5);
}

/// Half of the models have experts, in all layers that have a network or in some. A token may take one of them, or all.
void addExperts(json &config, const std::vector<int> &row, int layers, Random &random) {
  if (row[Experts] < 2)
    return;
  int64_t count = random.between(2, 5);
  json &experts = config["experts"];
  experts = {{"count", count}, {"active", random.between(1, count)}, {"intermediate_size", random.between(4, 24)}};
  experts["score"] = row[Experts] == 2 ? "softmax" : "sigmoid";
  experts["normalized"] = random.chance(0.5);
  experts["bias"] = random.chance(row[Experts] == 2 ? 0.25 : 0.75);
  if (row[Multipliers])
    experts["scale"] = random.uniform(0.5, 2.0);
  if (row[SharedNetwork] > 0)
    experts["shared_intermediate_size"] = random.between(4, 40);
  experts["shared_gate"] = row[SharedNetwork] == 2;
  bool isPartial = config["intermediate_size"] > 0 && random.chance(0.5);
  for (int layer = 0; isPartial && layer < layers; ++layer)
    experts["layers"].push_back(random.chance(0.6));
}

void addStateSpaceMultipliers(json &ssm, Random &random) {
  ssm["input_multiplier"] = random.uniform(0.5, 1.5);
  ssm["output_multiplier"] = random.uniform(0.5, 1.5);
  for (int part = 0; part < 5; ++part)
    ssm["projection_multipliers"].push_back(random.uniform(0.5, 1.5));
}

void addStateSpace(json &config, const std::vector<int> &row, int hidden, Random &random) {
  json &ssm = config["ssm"];
  ssm["state_size"] = stateSizes[row[StateSize]];
  if (row[StateSpace] == 1) {
    ssm["kind"] = "lti";
    if (row[PostNorms] == 1) // a norm of what few numbers make magnifies rounding: of one, all is its sign
      ssm["state_size"] = std::max(8, stateSizes[row[StateSize]]);
    return;
  }
  int expand = row[Expand] + 1, headDim = stateHeadDims[row[StateHeadDim]];
  int heads = expand * hidden / headDim, groups = 1 << row[Groups];
  while (heads % groups != 0 || expand * hidden / groups < 8) // a norm over fewer channels magnifies rounding
    groups /= 2;
  ssm["kind"] = "mamba2";
  ssm["head_dim"] = headDim;
  if (random.chance(0.3))
    ssm["num_heads"] = groups == 1 ? heads + 1 : heads;
  else if (expand != 2 || random.chance(0.5))
    ssm["expand"] = expand;
  ssm["n_groups"] = groups;
  ssm["conv_kernel"] = convKernels[row[ConvKernel]];
  ssm["proj_bias"] = row[Biases] >= 2;
  ssm["gated_norm"] = row[GatedNorm] == 0;
  if (row[Multipliers])
    addStateSpaceMultipliers(ssm, random);
  if (row[TimeStepLimit] == 1)
    ssm["time_step_limit"] = {0.02, 0.5};
}

void addRouter(json &config, const std::vector<int> &row, Random &random) {
  json &router = config["router"];
  router["kind"] = row[RouterType] ? "mlp" : "linear";
  if (row[RouterType] && random.chance(0.7))
    router["hidden_size"] = random.between(3, 20);
  router["input_norm"] = std::array<const char *, 3>{"none", "rms", "layer"}[row[RouterNorm]];
  router["temperature"] = temperatures[row[Temperature]];
  router["gate"] = row[Gate] ? "one" : "prob";
  router["bias_in_gate"] = row[BiasInGate] == 1;
  router["write_gate"] = row[WriteGate] == 1;
  if (random.chance(0.6))
    router["target"] = {{"ssm", 0.3}, {"swa", 0.35}, {"full", 0.2}, {"identity", 0.1}};
  if (row[Capacity] & 1)
    router["capacity_factor"] = random.uniform(0.6, 1.6);
  if (row[Capacity] & 2)
    for (const char *mode : modeNames)
      if (random.chance(0.7))
        router["max_tokens"][mode] = random.between(0, 12);
}

std::string makeConfig(const std::vector<int> &row, Random random) {
  int hidden = hiddenSizes[row[HiddenSize]], layers = row[Layers] + 1;
  json config;
  config["model_type"] = "chimera";
  config["vocab_size"] = vocabSizes[row[VocabSize]];
  config["hidden_size"] = hidden;
  config["num_hidden_layers"] = layers;
  config["intermediate_size"] = row[FeedForward] ? random.between(8, 80) : 0;
  config["mlp_activation"] = std::array<const char *, 3>{"silu", "gelu_tanh", "relu2"}[row[Activations] % 3];
  config["mlp_gated"] = row[Activations] < 3;
  config["norm"] = row[Norm] ? "layer" : "rms";
  config["norm_unit_offset"] = row[NormOffset] == 1 && !row[Norm];
  config["norm_eps"] = random.chance(0.5) ? 1e-5 : 1e-3;
  config["token_conv_kernel"] = tokenConvs[row[TokenConv]];
  config["tie_word_embeddings"] = row[Tied] == 1;
  config["window"] = windows[row[Window]];
  config["cache_write"] = row[CacheWriting] ? "all" : "routed";
  config["identity_output"] = row[IdentityOutputs] ? "normed_input" : "zero";
  config["modes"] = makeModes(row[ModePattern], layers, random);
  json modes = config["modes"];
  if (row[ParallelModes]) {
    config["parallel_modes"] = makeParallelModes(config["modes"], layers, random);
    modes = {config["modes"], config["parallel_modes"]};
  }
  if (usesMode(modes, "swa") || usesMode(modes, "full"))
    addAttention(config, row, random);
  if (usesMode(modes, "ssm"))
    addStateSpace(config, row, hidden, random);
  addRouter(config, row, random);
  config["mlp_bias"] = row[Biases] >= 2;
  config["post_norms"] = row[PostNorms] == 1;
  for (int layer = 0; row[NetworkLayers] == 1 && layer < layers; ++layer)
    config["ffn_layers"].push_back(random.chance(0.5));
  addExperts(config, row, layers, random);
  if (row[Multipliers])
    addMultipliers(config, random);
  if (row[SoftCaps])
    config["logits_soft_cap"] = random.uniform(20.0, 60.0); // bends logits, and leaves the largest apart
  return config.dump(1) + "\n";
}

} // namespace

std::vector<std::string> pairwiseConfigs(uint64_t seed) {
  Random random(seed);
  std::vector<std::string> texts;
  for (const std::vector<int> &row : pairwiseRows(levelsOfOptions(), random.next()))
    texts.push_back(makeConfig(row, random.fork()));
  return texts;
}

std::string randomConfig(uint64_t seed) {
  Random random(seed);
  std::vector<int> row;
  for (int levels : levelsOfOptions())
    row.push_back(static_cast<int>(random.below(levels)));
  return makeConfig(row, random.fork());
}

} // namespace chimera::test
