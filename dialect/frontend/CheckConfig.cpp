// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The conditions on a config that tie several keys together.
#include "dialect/frontend/ConfigFields.h"

#include <cmath>

namespace chimera {

namespace {

constexpr int64_t widestRow = (int64_t{1} << 31) - 1; ///< of an activation, in elements
constexpr int64_t mostExpertsOfModel = int64_t{1} << 16;
constexpr double mostElements = 9007199254740992.0;      ///< 2^53, of all parameters
constexpr double mostCacheElements = 1125899906842624.0; ///< 2^50, of one sequence's fixed part of the cache

std::string text(int64_t value) {
  return std::to_string(value);
}

/// What one of our keys of the ssm mode is called in the config that was read.
std::string_view keyOf(const Config &config, std::string_view ours) {
  struct Names {
    std::string_view ours, mamba2, bamba, mambaSsm, nemotron;
  };
  static constexpr Names names[] = {{"ssm", "expand", "mamba_expand", "ssm_cfg.expand", "mamba_num_heads"},
                                    {"ssm.head_dim", "head_dim", "mamba_d_head", "ssm_cfg.headdim", "mamba_head_dim"},
                                    {"ssm.n_groups", "n_groups", "mamba_n_groups", "ssm_cfg.ngroups", "n_groups"}};
  for (const Names &row : names)
    if (row.ours == ours)
      switch (config.style) {
      case CheckpointStyle::Mamba2:
        return row.mamba2;
      case CheckpointStyle::Bamba:
      case CheckpointStyle::FalconH1:
      case CheckpointStyle::GraniteMoeHybrid:
        return row.bamba;
      case CheckpointStyle::MambaSsm:
        return row.mambaSsm;
      case CheckpointStyle::NemotronH:
        return row.nemotron;
      default:
        break;
      }
  return ours;
}

void checkAttention(const Config &config, ErrorSink &errors) {
  if (config.numAttentionHeads % config.numKeyValueHeads != 0)
    errors.atKey("num_key_value_heads", "must divide num_attention_heads (" + text(config.numAttentionHeads) +
                                            "), got " + text(config.numKeyValueHeads));
  double exact = config.partialRotaryFactor * static_cast<double>(config.headDim);
  int64_t dims = config.rotaryDims();
  if (std::fabs(exact - static_cast<double>(dims)) > 1e-9 * exact || dims < 2 || dims % 2 != 0)
    errors.atKey("partial_rotary_factor", "times head_dim (" + text(config.headDim) +
                                              ") must be an even whole number of at least 2, got " +
                                              std::to_string(exact));
  if (config.ropeScaling.kind == RopeScalingKind::Yarn && config.ropeScaling.attentionFactor != 1.0 &&
      dims != config.headDim)
    errors.atKey("rope_scaling", "of type \"yarn\" is supported for heads that are rotated as a whole, or with an "
                                 "attention_factor of 1");
  if (config.ropeScaling.kind == RopeScalingKind::Yarn && config.ropeTheta <= 1.0)
    errors.atKey("rope_theta",
                 "must be above 1 with a rope_scaling of type \"yarn\", got " + std::to_string(config.ropeTheta));
  if (config.numAttentionHeads * config.headDim > widestRow)
    errors.atKey("num_attention_heads", "times head_dim must be at most " + text(widestRow) + ", got " +
                                            text(config.numAttentionHeads * config.headDim));
}

void checkMamba2(const Config &config, ErrorSink &errors) {
  const SsmConfig &ssm = config.ssm;
  int64_t inner = config.ssmInner(); // at most 2^40
  if (inner % ssm.headDim != 0) {
    errors.atKey(keyOf(config, "ssm.head_dim"), "must divide the inner size, expand times the hidden size (" +
                                                    text(inner) + "), got " + text(ssm.headDim));
    return;
  }
  if (config.ssmHeads() % ssm.groups != 0)
    errors.atKey(keyOf(config, "ssm.n_groups"),
                 "must divide the number of heads (" + text(config.ssmHeads()) + "), got " + text(ssm.groups));
  if (config.ssmProjection() > widestRow)
    errors.atKey(keyOf(config, "ssm"), "in_proj would have " + text(config.ssmProjection()) + " rows; at most " +
                                           text(widestRow) + " are supported");
}

void checkExperts(const Config &config, ErrorSink &errors) {
  if (config.experts.count == 0)
    return;
  if (config.experts.active > config.experts.count)
    errors.atKey(config.style == CheckpointStyle::Chimera ? "experts.active" : "num_experts_per_tok",
                 "must be at most the number of experts (" + text(config.experts.count) + "), got " +
                     text(config.experts.active));
  int64_t all = 0;
  for (int64_t layer = 0; layer < config.numLayers; ++layer)
    all += config.hasExperts(layer) ? config.experts.count : 0;
  if (all > mostExpertsOfModel)
    errors.plain("all layers together would have " + text(all) + " experts; at most " + text(mostExpertsOfModel) +
                 " are supported");
}

/// The elements of all slot-wise parts of one sequence's cache (lists grow and are not counted).
double cacheElements(const Config &config) {
  double tail = static_cast<double>(config.tokenConvKernel) * config.hiddenSize;
  double attentionTail = static_cast<double>(config.attentionConvKernel) *
                         (config.numAttentionHeads + 2 * config.numKeyValueHeads) * config.headDim;
  double ring = attentionTail + 2.0 * config.window * config.numKeyValueHeads * config.headDim;
  double state = config.ssm.kind == SsmKind::Lti
                     ? static_cast<double>(config.ssm.stateSize)
                     : static_cast<double>(config.ssmInner()) * config.ssm.stateSize +
                           static_cast<double>(config.ssm.convKernel) * config.ssmConvChannels();
  double sum = 0.0;
  for (int64_t layer = 0; layer < config.numLayers; ++layer)
    sum += tail + (config.layerHas(layer, Mode::Swa) ? ring : 0.0) +
           (config.layerHas(layer, Mode::Full) ? attentionTail : 0.0) +
           (config.layerHas(layer, Mode::Ssm) ? state : 0.0);
  return sum;
}

} // namespace

void checkConfig(const Config &config, ErrorSink &errors) {
  if (config.usesAttention())
    checkAttention(config, errors);
  if (config.uses(Mode::Ssm) && config.ssm.kind == SsmKind::Mamba2)
    checkMamba2(config, errors);
  checkExperts(config, errors);
  if (errors.failed())
    return;
  double elements = 0.0;
  for (const ParameterSpec &parameter : parameters(config)) {
    double size = 1.0;
    for (int64_t extent : parameter.shape)
      size *= static_cast<double>(extent);
    elements += size;
  }
  if (elements > mostElements)
    errors.plain("the parameters would have " + std::to_string(elements) + " elements; at most 2^53 are supported");
  if (cacheElements(config) > mostCacheElements)
    errors.plain("one sequence's cache would have " + std::to_string(cacheElements(config)) +
                 " elements; at most 2^50 are supported");
}

} // namespace chimera
