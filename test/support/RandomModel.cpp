// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/support/RandomModel.h"

#include "runtime/io/Affixes.h"
#include "runtime/io/DType.h"
#include "runtime/io/Safetensors.h"
#include "test/support/Random.h"

#include <cstring>
#include <fstream>
#include <limits>
#include <stdexcept>

namespace chimera::test {
namespace {

using io::endsWith;
using Shape = std::vector<int64_t>;
using Shapes = std::vector<std::pair<std::string, Shape>>;

void addNorm(Shapes &shapes, const std::string &name, NormKind kind, int64_t width) {
  if (kind != NormKind::None)
    shapes.emplace_back(name + ".weight", Shape{width});
  if (kind == NormKind::Layer)
    shapes.emplace_back(name + ".bias", Shape{width});
}

void addLinear(Shapes &shapes, const std::string &name, int64_t outputs, int64_t inputs, bool hasBias) {
  shapes.emplace_back(name + ".weight", Shape{outputs, inputs});
  if (hasBias)
    shapes.emplace_back(name + ".bias", Shape{outputs});
}

void addRouter(Shapes &shapes, const std::string &prefix, const Config &config, int64_t modes) {
  int64_t width = config.hiddenSize;
  addNorm(shapes, prefix + "norm", config.router.inputNorm, width);
  if (config.router.kind == RouterKind::Linear) {
    shapes.emplace_back(prefix + "proj.weight", Shape{modes, width});
  } else {
    shapes.emplace_back(prefix + "fc1.weight", Shape{config.router.hiddenSize, width});
    shapes.emplace_back(prefix + "fc2.weight", Shape{modes, config.router.hiddenSize});
  }
  shapes.emplace_back(prefix + "bias", Shape{modes});
}

void addAttention(Shapes &shapes, const std::string &prefix, const Config &config) {
  int64_t width = config.hiddenSize, queries = config.numAttentionHeads * config.headDim,
          keys = config.numKeyValueHeads * config.headDim;
  addLinear(shapes, prefix + "q_proj", queries, width, config.qkvBias);
  addLinear(shapes, prefix + "k_proj", keys, width, config.qkvBias);
  addLinear(shapes, prefix + "v_proj", keys, width, config.qkvBias);
  for (auto [name, channels] : {std::pair("q_conv", queries), {"k_conv", keys}, {"v_conv", keys}})
    if (config.attentionConvKernel > 0) {
      shapes.emplace_back(prefix + name + ".weight", Shape{channels, config.attentionConvKernel});
      shapes.emplace_back(prefix + name + ".bias", Shape{channels});
    }
  addLinear(shapes, prefix + "o_proj", width, queries, config.attentionOutBias);
  for (const char *name : {"q_norm", "k_norm"})
    if (config.qkNorm)
      shapes.emplace_back(prefix + name + ".weight", Shape{config.headDim});
}

void addStateSpace(Shapes &shapes, const std::string &prefix, const Config &config) {
  int64_t width = config.hiddenSize, state = config.ssm.stateSize;
  if (config.ssm.kind == SsmKind::Lti) {
    shapes.emplace_back(prefix + "decay", Shape{state});
    shapes.emplace_back(prefix + "in_proj.weight", Shape{state, width});
    shapes.emplace_back(prefix + "out_proj.weight", Shape{width, state});
    return;
  }
  int64_t heads = config.ssm.heads > 0 ? config.ssm.heads : config.ssm.expand * width / config.ssm.headDim;
  int64_t inner = heads * config.ssm.headDim;
  int64_t convolved = inner + 2 * config.ssm.groups * state;
  addLinear(shapes, prefix + "in_proj", inner + convolved + heads, width, config.ssm.projBias);
  shapes.emplace_back(prefix + "conv.weight", Shape{convolved, config.ssm.convKernel});
  shapes.emplace_back(prefix + "conv.bias", Shape{convolved});
  for (const char *name : {"dt_bias", "A_log", "D"})
    shapes.emplace_back(prefix + name, Shape{heads});
  if (config.ssm.gatedNorm)
    shapes.emplace_back(prefix + "norm.weight", Shape{inner});
  addLinear(shapes, prefix + "out_proj", width, inner, config.ssm.projBias);
}

void addNetwork(Shapes &shapes, const std::string &prefix, const Config &config, int64_t inner) {
  for (const char *name : {"gate_proj", "up_proj"})
    if (config.mlpGated || std::string(name) == "up_proj")
      addLinear(shapes, prefix + name, inner, config.hiddenSize, config.mlpBias);
  addLinear(shapes, prefix + "down_proj", config.hiddenSize, inner, config.mlpBias);
}

/// Returns the width of the network beside the experts.
int64_t addExperts(Shapes &shapes, const std::string &prefix, const Config &config) {
  const ExpertConfig &experts = config.experts;
  shapes.emplace_back(prefix + "router.weight", Shape{experts.count, config.hiddenSize});
  if (experts.bias)
    shapes.emplace_back(prefix + "router.bias", Shape{experts.count});
  if (experts.sharedGate)
    shapes.emplace_back(prefix + "router.shared.weight", Shape{1, config.hiddenSize});
  for (int64_t e = 0; e < experts.count; ++e)
    addNetwork(shapes, prefix + "experts." + std::to_string(e) + ".", config, experts.intermediateSize);
  return experts.sharedIntermediateSize;
}

void addFeedForward(Shapes &shapes, const std::string &layer, const Config &config, bool hasExperts) {
  int64_t width = config.hiddenSize, inner = config.intermediateSize;
  addNorm(shapes, layer + "ffn_norm", config.norm, width);
  if (hasExperts)
    inner = addExperts(shapes, layer + "ffn.", config);
  if (inner > 0)
    addNetwork(shapes, layer + "ffn.", config, inner);
  if (config.postNorms)
    addNorm(shapes, layer + "post_ffn_norm", config.norm, width);
}

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

/// One element of the named tensor of a model of `config`.
double drawElement(const std::string &name, const Shape &shape, const Config &config, Random &random) {
  if (endsWith(name, "A_log")) // A in [1, 16], as Mamba-2 starts it
    return std::log(random.uniform(1.0, 16.0));
  if (endsWith(name, "dt_bias")) { // the inverse softplus of a step of 0.01 .. 1
    double step = std::exp(random.uniform(std::log(0.01), 0.0));
    return step + std::log(-std::expm1(-step));
  }
  // What is added to the residual stream, as in GPT-2.
  double residual = 1.0 / std::sqrt(2.0 * static_cast<double>(config.numLayers));
  if (contains(name, "norm") && endsWith(name, "weight")) {
    bool offset = config.normUnitOffset && !contains(name, "router.") && !endsWith(name, "ssm.norm.weight");
    double scale = contains(name, ".post_") ? residual : 1.0;
    return scale * (1.0 + 0.2 * random.normal()) - (offset ? 1.0 : 0.0);
  }
  if (endsWith(name, "ssm.D"))
    return 1.0 + 0.2 * random.normal();
  if (endsWith(name, "decay"))
    return 2.0 * random.normal();
  if (endsWith(name, "router.bias"))
    return 0.4 * random.normal();
  if (endsWith(name, "bias"))
    return 0.1 * random.normal();
  if (endsWith(name, "embed_tokens.weight"))
    return random.normal();
  double gain = contains(name, "router.") ? 1.5 : 1.0;
  if (endsWith(name, ".o_proj.weight") || endsWith(name, "out_proj.weight") || endsWith(name, "down_proj.weight"))
    gain = residual;
  return gain * random.normal() / std::sqrt(static_cast<double>(shape.back()));
}

double roundTo(Precision precision, double value) {
  if (precision == Precision::F64)
    return value;
  if (precision == Precision::F32)
    return static_cast<double>(static_cast<float>(value));
  return static_cast<double>(io::bf16ToF32(io::f64ToBf16(value)));
}

io::DType fileType(Precision precision) {
  switch (precision) {
  case Precision::F64:
    return io::DType::F64;
  case Precision::F32:
    return io::DType::F32;
  case Precision::BF16:
    return io::DType::BF16;
  }
  return io::DType::F64;
}

} // namespace

const char *precisionName(Precision precision) {
  switch (precision) {
  case Precision::F64:
    return "f64";
  case Precision::F32:
    return "f32";
  case Precision::BF16:
    return "bf16";
  }
  return "";
}

std::vector<std::pair<std::string, std::vector<int64_t>>> tensorShapes(const Config &config) {
  Shapes shapes;
  shapes.emplace_back("embed_tokens.weight", Shape{config.vocabSize, config.hiddenSize});
  for (int64_t layer = 0; layer < config.numLayers; ++layer) {
    std::string prefix = "layers." + std::to_string(layer) + ".";
    auto modes = static_cast<int64_t>(config.layerModes[layer].size());
    bool mixes = config.layerModes[layer] != std::vector<Mode>{Mode::Identity} ||
                 config.identityOutput == IdentityOutput::NormedInput || config.parallelMode(layer);
    if (mixes)
      addNorm(shapes, prefix + "input_norm", config.norm, config.hiddenSize);
    if (mixes && config.tokenConvKernel > 0) {
      shapes.emplace_back(prefix + "token_conv.weight", Shape{config.hiddenSize, config.tokenConvKernel});
      shapes.emplace_back(prefix + "token_conv.bias", Shape{config.hiddenSize});
    }
    if (modes > 1)
      addRouter(shapes, prefix + "router.", config, modes);
    if (config.layerHas(layer, Mode::Swa) || config.layerHas(layer, Mode::Full))
      addAttention(shapes, prefix + "attn.", config);
    if (config.layerHas(layer, Mode::Ssm))
      addStateSpace(shapes, prefix + "ssm.", config);
    if (mixes && config.postNorms)
      addNorm(shapes, prefix + "post_mixer_norm", config.norm, config.hiddenSize);
    bool hasExperts = config.experts.count > 0 && (config.experts.layers.empty() || config.experts.layers[layer]);
    if ((config.intermediateSize > 0 || hasExperts) && (config.ffnLayers.empty() || config.ffnLayers[layer]))
      addFeedForward(shapes, prefix, config, hasExperts);
  }
  addNorm(shapes, "norm", config.norm, config.hiddenSize);
  if (!config.tieWordEmbeddings)
    shapes.emplace_back("lm_head.weight", Shape{config.vocabSize, config.hiddenSize});
  return shapes;
}

RandomModel makeModel(const std::string &configText, Precision precision, uint64_t seed) {
  ConfigOrError parsed = parseConfig(configText, "config.json");
  if (const std::string *message = std::get_if<std::string>(&parsed))
    throw std::runtime_error(*message);
  RandomModel model{configText, std::get<Config>(parsed), {}, precision};
  Random random(seed);
  for (const auto &[name, shape] : tensorShapes(model.config)) {
    if (endsWith(name, "router.bias") && random.chance(0.25))
      continue; // it may be absent, and is zero then
    Tensor tensor{shape, {}};
    for (int64_t i = 0; i < elementCount(shape); ++i)
      tensor.values.push_back(roundTo(precision, drawElement(name, shape, model.config, random)));
    model.parameters[name] = std::move(tensor);
  }
  return model;
}

std::vector<int> poisonTokens(const Config &config) {
  int last = static_cast<int>(config.vocabSize) - 1;
  return {last, last - 1, last - 2};
}

void poisonEmbedding(RandomModel &model) {
  std::vector<int> tokens = poisonTokens(model.config);
  double huge = model.precision == Precision::F64 ? 1e200 : roundTo(model.precision, 1e30);
  const double poisons[3] = {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), huge};
  Tensor &embedding = model.parameters.at("embed_tokens.weight");
  for (int i = 0; i < 3; ++i)
    for (int64_t column = 0; column < model.config.hiddenSize; ++column)
      embedding.values[static_cast<size_t>(tokens[i] * model.config.hiddenSize + column)] = poisons[i];
}

void writeModel(const RandomModel &model, const std::string &directory) {
  std::ofstream file(directory + "/config.json", std::ios::binary);
  file << model.configText;
  file.close();
  if (!file)
    throw std::runtime_error("cannot write " + directory + "/config.json");

  io::DType type = fileType(model.precision);
  std::vector<io::TensorView> views;
  std::vector<std::vector<uint8_t>> storage;
  for (const auto &[name, tensor] : model.parameters) {
    auto count = static_cast<int64_t>(tensor.values.size());
    storage.emplace_back(static_cast<size_t>(count * io::sizeOf(type)));
    io::convertElements(io::DType::F64, tensor.values.data(), type, storage.back().data(), count);
    views.push_back({name, type, tensor.shape, storage.back().data(), storage.back().size()});
  }
  io::Status status = io::writeSafetensors(directory + "/model.safetensors", views);
  if (!status)
    throw std::runtime_error(status.error().message);
}

} // namespace chimera::test
