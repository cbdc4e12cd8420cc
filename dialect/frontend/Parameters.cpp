// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/frontend/ConfigFields.h"

#include <utility>

namespace chimera {

namespace {

class ParameterList {
public:
  explicit ParameterList(const Config &config) : config(config) {}

  std::vector<ParameterSpec> build() {
    operand("embed_tokens.weight", {config.vocabSize, config.hiddenSize});
    for (int64_t layer = 0; layer < config.numLayers; ++layer)
      addLayer(layer);
    norm("norm", config.norm);
    if (!config.tieWordEmbeddings)
      operand("lm_head.weight", {config.vocabSize, config.hiddenSize});
    return std::move(list);
  }

private:
  void addLayer(int64_t layer) {
    prefix = "layers." + std::to_string(layer) + ".";
    int64_t width = config.hiddenSize;
    if (config.hasMixer(layer))
      norm("input_norm", config.norm);
    if (config.hasMixer(layer) && config.tokenConvKernel > 0) {
      accumulator("token_conv.weight", {width, config.tokenConvKernel});
      accumulator("token_conv.bias", {width});
    }
    if (config.hasRouter(layer))
      addRouter(static_cast<int64_t>(config.layerModes[layer].size()));
    if (config.layerHas(layer, Mode::Swa) || config.layerHas(layer, Mode::Full))
      addAttention();
    if (config.layerHas(layer, Mode::Ssm))
      config.ssm.kind == SsmKind::Lti ? addLti() : addMamba2();
    if (config.hasMixer(layer) && config.postNorms)
      norm("post_mixer_norm", config.norm);
    if (config.hasFeedForward(layer)) {
      norm("ffn_norm", config.norm);
      if (config.hasExperts(layer))
        addExperts();
      if (int64_t size = config.networkSize(layer))
        addNetwork("ffn.", size);
      if (config.postNorms)
        norm("post_ffn_norm", config.norm);
    }
    prefix.clear();
  }

  void addExperts() {
    const ExpertConfig &experts = config.experts;
    accumulator("ffn.router.weight", {experts.count, config.hiddenSize});
    if (experts.bias)
      accumulator("ffn.router.bias", {experts.count}, /*optional=*/true);
    if (experts.sharedGate)
      accumulator("ffn.router.shared.weight", {1, config.hiddenSize});
    for (int64_t expert = 0; expert < experts.count; ++expert)
      addNetwork("ffn.experts." + std::to_string(expert) + ".", experts.intermediateSize);
  }

  void addNetwork(const std::string &name, int64_t size) {
    if (config.mlpGated)
      linear(name + "gate_proj", size, config.hiddenSize, config.mlpBias);
    linear(name + "up_proj", size, config.hiddenSize, config.mlpBias);
    linear(name + "down_proj", config.hiddenSize, size, config.mlpBias);
  }

  void addRouter(int64_t modes) {
    int64_t width = config.hiddenSize;
    norm("router.norm", config.router.inputNorm);
    if (config.router.kind == RouterKind::Linear) {
      accumulator("router.proj.weight", {modes, width});
    } else {
      accumulator("router.fc1.weight", {config.router.hiddenSize, width});
      accumulator("router.fc2.weight", {modes, config.router.hiddenSize});
    }
    accumulator("router.bias", {modes}, /*optional=*/true);
  }

  void addAttention() {
    int64_t width = config.hiddenSize;
    int64_t queries = config.numAttentionHeads * config.headDim, keys = config.numKeyValueHeads * config.headDim;
    linear("attn.q_proj", queries, width, config.qkvBias);
    linear("attn.k_proj", keys, width, config.qkvBias);
    linear("attn.v_proj", keys, width, config.qkvBias);
    if (config.attentionConvKernel > 0)
      for (auto [name, channels] : {std::pair("attn.q_conv", queries), {"attn.k_conv", keys}, {"attn.v_conv", keys}}) {
        accumulator(std::string(name) + ".weight", {channels, config.attentionConvKernel});
        accumulator(std::string(name) + ".bias", {channels});
      }
    if (config.qkNorm) {
      accumulator("attn.q_norm.weight", {config.headDim});
      accumulator("attn.k_norm.weight", {config.headDim});
    }
    linear("attn.o_proj", width, queries, config.attentionOutBias);
  }

  void addMamba2() {
    int64_t heads = config.ssmHeads(), channels = config.ssmConvChannels();
    linear("ssm.in_proj", config.ssmProjection(), config.hiddenSize, config.ssm.projBias);
    accumulator("ssm.conv.weight", {channels, config.ssm.convKernel});
    accumulator("ssm.conv.bias", {channels}, /*optional=*/!config.ssm.convBias);
    accumulator("ssm.dt_bias", {heads});
    accumulator("ssm.A_log", {heads});
    accumulator("ssm.D", {heads});
    if (config.ssm.gatedNorm)
      accumulator("ssm.norm.weight", {config.ssmInner()});
    linear("ssm.out_proj", config.hiddenSize, config.ssmInner(), config.ssm.projBias);
  }

  void addLti() {
    accumulator("ssm.decay", {config.ssm.stateSize});
    operand("ssm.in_proj.weight", {config.ssm.stateSize, config.hiddenSize});
    operand("ssm.out_proj.weight", {config.hiddenSize, config.ssm.stateSize});
  }

  void norm(const std::string &name, NormKind kind) {
    if (kind == NormKind::None)
      return;
    accumulator(name + ".weight", {config.hiddenSize});
    if (kind == NormKind::Layer)
      accumulator(name + ".bias", {config.hiddenSize});
  }
  void linear(const std::string &name, int64_t outputs, int64_t inputs, bool hasBias) {
    operand(name + ".weight", {outputs, inputs});
    if (hasBias)
      accumulator(name + ".bias", {outputs});
  }
  void operand(const std::string &name, std::vector<int64_t> shape) {
    add(name, std::move(shape), false, ParameterKind::Operand);
  }
  void accumulator(const std::string &name, std::vector<int64_t> shape, bool optional = false) {
    add(name, std::move(shape), optional, ParameterKind::Accumulator);
  }
  void add(const std::string &name, std::vector<int64_t> shape, bool optional, ParameterKind kind) {
    ParameterSpec spec;
    spec.name = prefix + name;
    spec.source = spec.name;
    spec.sourceShape = shape;
    spec.shape = std::move(shape);
    spec.optional = optional;
    spec.kind = kind;
    list.push_back(std::move(spec));
  }

  const Config &config;
  std::string prefix;
  std::vector<ParameterSpec> list;
};

} // namespace

std::vector<ParameterSpec> parameters(const Config &config) {
  std::vector<ParameterSpec> list = ParameterList(config).build();
  nameSources(config, list);
  return list;
}

} // namespace chimera
