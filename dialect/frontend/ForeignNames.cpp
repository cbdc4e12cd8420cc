// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the tensors of other programs' checkpoints are called, and how they are laid out.
#include "dialect/frontend/ConfigFields.h"
#include "runtime/io/Affixes.h"

namespace chimera {

namespace {

/// One name, or the beginning of several names, of ours and theirs. Within layers both leave out the layer's prefix.
struct Rename {
  std::string_view ours, theirs;
};

struct NameTable {
  std::string_view layerPrefix; ///< theirs, up to the layer's number
  std::vector<Rename> global, inLayer;
  std::vector<Rename> inExpertLayer = {}; ///< come before inLayer where a layer has experts
};

NameTable llamaNames() {
  return {"model.layers.",
          {{"embed_tokens.", "model.embed_tokens."}, {"norm.", "model.norm."}, {"lm_head.", "lm_head."}},
          {{"input_norm.", "input_layernorm."},
           {"attn.", "self_attn."},
           {"ffn_norm.", "post_attention_layernorm."},
           {"ffn.", "mlp."}}};
}

NameTable gemma2Names() {
  NameTable table = llamaNames();
  table.inLayer = {{"input_norm.", "input_layernorm."},
                   {"attn.", "self_attn."},
                   {"post_mixer_norm.", "post_attention_layernorm."},
                   {"ffn_norm.", "pre_feedforward_layernorm."},
                   {"post_ffn_norm.", "post_feedforward_layernorm."},
                   {"ffn.", "mlp."}};
  return table;
}

NameTable mamba2Names() {
  return {"backbone.layers.",
          {{"embed_tokens.", "backbone.embeddings."}, {"norm.", "backbone.norm_f."}, {"lm_head.", "lm_head."}},
          {{"input_norm.", "norm."}, {"ssm.conv.", "mixer.conv1d."}, {"ssm.", "mixer."}}};
}

/// A layer has one part, with one norm before it.
NameTable nemotronNames() {
  NameTable table = mamba2Names();
  table.inLayer.push_back({"attn.", "mixer."});
  table.inLayer.push_back({"ffn_norm.", "norm."});
  table.inLayer.push_back({"ffn.", "mixer."});
  return table;
}

NameTable mambaSsmNames() {
  NameTable table = mamba2Names();
  table.global.front().theirs = "backbone.embedding.";
  table.inLayer.insert(table.inLayer.end(), {{"attn.q_proj.", "mixer.in_proj."},
                                             {"attn.k_proj.", "mixer.in_proj."},
                                             {"attn.v_proj.", "mixer.in_proj."},
                                             {"attn.q_conv.", "mixer.conv1d."},
                                             {"attn.k_conv.", "mixer.conv1d."},
                                             {"attn.v_conv.", "mixer.conv1d."},
                                             {"attn.o_proj.", "mixer.out_proj."},
                                             {"ffn_norm.", "norm2."},
                                             {"ffn.gate_proj.", "mlp.fc1."},
                                             {"ffn.up_proj.", "mlp.fc1."},
                                             {"ffn.down_proj.", "mlp.fc2."}});
  return table;
}

NameTable bambaNames() {
  return {"model.layers.",
          {{"embed_tokens.", "model.embed_tokens."}, {"norm.", "model.final_layernorm."}, {"lm_head.", "lm_head."}},
          {{"input_norm.", "input_layernorm."},
           {"attn.", "self_attn."},
           {"ssm.conv.", "mamba.conv1d."},
           {"ssm.", "mamba."},
           {"ffn_norm.", "pre_ff_layernorm."},
           {"ffn.", "feed_forward."}}};
}

NameTable graniteMoeHybridNames() {
  return {"model.layers.",
          {{"embed_tokens.", "model.embed_tokens."}, {"norm.", "model.norm."}, {"lm_head.", "lm_head."}},
          {{"input_norm.", "input_layernorm."},
           {"attn.", "self_attn."},
           {"ssm.conv.", "mamba.conv1d."},
           {"ssm.", "mamba."},
           {"ffn_norm.", "post_attention_layernorm."},
           {"ffn.gate_proj.", "shared_mlp.input_linear."},
           {"ffn.up_proj.", "shared_mlp.input_linear."},
           {"ffn.down_proj.", "shared_mlp.output_linear."},
           {"ffn.router.", "block_sparse_moe.router.layer."}}};
}

/// llama's names, and in layers with experts those of `experts` first.
NameTable withExperts(std::vector<Rename> experts) {
  NameTable table = llamaNames();
  table.inExpertLayer = std::move(experts);
  return table;
}

NameTable chimeraLmNames() {
  return {"layers.",
          {{"embed_tokens.", "tok_embed."}, {"norm.", "norm_final."}, {"lm_head.", "unembed."}},
          {{"input_norm.", "norm_in."},
           {"router.bias", "router.balancer.bias"},
           {"router.", "router."},
           {"attn.q_proj.", "proj_q."},
           {"attn.k_proj.", "proj_k."},
           {"attn.v_proj.", "proj_v."},
           {"attn.o_proj.", "proj_o."},
           {"ssm.", "ssm."},
           {"ffn_norm.", "norm_post."},
           {"ffn.gate_proj.", "ffn.w_gate."},
           {"ffn.up_proj.", "ffn.w_up."},
           {"ffn.down_proj.", "ffn.w_down."}}};
}

NameTable namesOf(CheckpointStyle style) {
  switch (style) {
  case CheckpointStyle::Llama:
  case CheckpointStyle::Mistral:
  case CheckpointStyle::Qwen2:
  case CheckpointStyle::Qwen3:
  case CheckpointStyle::Granite:
  case CheckpointStyle::SmolLM3:
  case CheckpointStyle::Gemma:
    return llamaNames();
  case CheckpointStyle::Gemma2:
  case CheckpointStyle::Gemma3:
    return gemma2Names();
  case CheckpointStyle::NemotronH:
    return nemotronNames();
  case CheckpointStyle::Mamba2:
    return mamba2Names();
  case CheckpointStyle::MambaSsm:
    return mambaSsmNames();
  case CheckpointStyle::Bamba:
  case CheckpointStyle::FalconH1:
    return bambaNames();
  case CheckpointStyle::GraniteMoeHybrid:
    return graniteMoeHybridNames();
  case CheckpointStyle::Qwen2Moe:
    return withExperts({{"ffn.router.shared.", "mlp.shared_expert_gate."},
                        {"ffn.router.", "mlp.gate."},
                        {"ffn.experts.", "mlp.experts."},
                        {"ffn.", "mlp.shared_expert."}});
  case CheckpointStyle::Qwen3Moe:
    return withExperts({{"ffn.router.", "mlp.gate."}});
  case CheckpointStyle::Mixtral:
    return withExperts({{"ffn.router.", "block_sparse_moe.gate."}});
  case CheckpointStyle::GraniteMoe: {
    NameTable table = llamaNames();
    table.inExpertLayer = graniteMoeHybridNames().inLayer;
    return table;
  }
  case CheckpointStyle::ChimeraLm:
    return chimeraLmNames();
  case CheckpointStyle::Chimera:
    break;
  }
  return {};
}

std::string rename(const std::vector<Rename> &table, std::string_view name) {
  for (const auto &[ours, theirs] : table)
    if (name.substr(0, ours.size()) == ours)
      return std::string(theirs) + std::string(name.substr(ours.size()));
  return std::string(name);
}

constexpr std::string_view layersPrefix = "layers.";

std::string sourceName(const Config &config, const NameTable &table, std::string_view name) {
  if (name.substr(0, layersPrefix.size()) != layersPrefix)
    return rename(table.global, name);
  size_t end = name.find('.', layersPrefix.size()) + 1; // past the layer's number
  std::string number(name.substr(layersPrefix.size(), end - layersPrefix.size()));
  std::vector<Rename> renames = config.hasExperts(std::stoll(number)) ? table.inExpertLayer : std::vector<Rename>();
  renames.insert(renames.end(), table.inLayer.begin(), table.inLayer.end());
  return std::string(table.layerPrefix) + number + rename(renames, name.substr(end));
}

/// Sets the source of a matrix of an expert where it is not called as ours is. Those of granite's experts are one below
/// the other in tensors [E, 2 F, D] and [E, D, F].
void nameExpert(const Config &config, ParameterSpec &spec) {
  constexpr std::string_view experts = ".ffn.experts.";
  size_t at = spec.name.find(experts);
  if (at == std::string::npos)
    return;
  size_t dot = spec.name.find('.', at + experts.size());
  int64_t expert = std::stoll(spec.name.substr(at + experts.size(), dot - at - experts.size()));
  bool isGate = io::endsWith(spec.name, ".gate_proj.weight"), isDown = io::endsWith(spec.name, ".down_proj.weight");
  std::string block = "model." + spec.name.substr(0, at) + ".block_sparse_moe.";
  if (config.style == CheckpointStyle::Mixtral)
    spec.source = block + "experts." + std::to_string(expert) + (isGate ? ".w1" : isDown ? ".w2" : ".w3") + ".weight";
  if (config.style != CheckpointStyle::GraniteMoeHybrid && config.style != CheckpointStyle::GraniteMoe)
    return;
  int64_t count = config.experts.count, size = config.experts.intermediateSize;
  spec.source = block + (isDown ? "output_linear" : "input_linear") + ".weight";
  spec.sourceShape = isDown ? std::vector<int64_t>{count, config.hiddenSize, size}
                            : std::vector<int64_t>{count, 2 * size, config.hiddenSize};
  spec.sourceRow = expert * spec.sourceShape[1] + (isGate || isDown ? 0 : size);
}

/// Where a part of a tensor begins, in rows, and how many rows the tensor has.
struct PartOfRows {
  std::string_view name; ///< what the parameter's name has after the layer
  int64_t first, rows;
};

/// The parameters that are parts of one tensor in the checkpoint.
std::vector<PartOfRows> partsOfRows(const Config &config) {
  int64_t inner = config.experts.count > 0 ? config.experts.sharedIntermediateSize : config.intermediateSize;
  int64_t queries = config.numAttentionHeads * config.headDim, keys = config.numKeyValueHeads * config.headDim,
          all = queries + 2 * keys;
  if (config.style == CheckpointStyle::GraniteMoeHybrid || config.style == CheckpointStyle::GraniteMoe)
    return {{"ffn.gate_proj.", 0, 2 * inner}, {"ffn.up_proj.", inner, 2 * inner}};
  if (config.style == CheckpointStyle::MambaSsm)
    return {{"ffn.up_proj.", 0, 2 * inner},
            {"ffn.gate_proj.", inner, 2 * inner},
            {"attn.q_proj.", 0, all},
            {"attn.q_conv.", 0, all},
            {"attn.k_proj.", queries, all},
            {"attn.k_conv.", queries, all},
            {"attn.v_proj.", queries + keys, all},
            {"attn.v_conv.", queries + keys, all}};
  return {};
}

} // namespace

void nameSources(const Config &config, std::vector<ParameterSpec> &parameters) {
  if (config.style == CheckpointStyle::Chimera)
    return;
  NameTable table = namesOf(config.style);
  std::vector<PartOfRows> parts = partsOfRows(config);
  for (ParameterSpec &spec : parameters) {
    spec.source = sourceName(config, table, spec.name);
    nameExpert(config, spec);
    for (const PartOfRows &part : parts)
      if (spec.name.find(std::string(".") + std::string(part.name)) != std::string::npos) {
        spec.sourceRow = part.first;
        spec.sourceShape.front() = part.rows;
      }
    // A depthwise convolution of PyTorch has one input channel a group: [C, 1, K].
    if (io::endsWith(spec.name, "conv.weight") && !io::endsWith(spec.name, "token_conv.weight"))
      spec.sourceShape.insert(spec.sourceShape.begin() + 1, 1);
    // chimera-lm orders modes identity, ssm, swa, full.
    if (config.style == CheckpointStyle::ChimeraLm &&
        (io::endsWith(spec.name, ".router.proj.weight") || io::endsWith(spec.name, ".router.bias")))
      spec.rowPermutation = {1, 2, 3, 0};
  }
}

} // namespace chimera
