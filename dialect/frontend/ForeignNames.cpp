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
           {"ffn.down_proj.", "shared_mlp.output_linear."}}};
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

std::string sourceName(const NameTable &table, std::string_view name) {
  constexpr std::string_view layers = "layers.";
  if (name.substr(0, layers.size()) != layers)
    return rename(table.global, name);
  size_t end = name.find('.', layers.size()) + 1; // past the layer's number
  std::string_view number = name.substr(layers.size(), end - layers.size());
  return std::string(table.layerPrefix) + std::string(number) + rename(table.inLayer, name.substr(end));
}

/// The parameter is the rows from `first` on of a tensor that has `rows`.
void takeRows(ParameterSpec &spec, int64_t first, int64_t rows) {
  spec.sourceRow = first;
  spec.sourceShape = spec.shape;
  spec.sourceShape.front() = rows;
}

} // namespace

void nameSources(const Config &config, std::vector<ParameterSpec> &parameters) {
  if (config.style == CheckpointStyle::Chimera)
    return;
  NameTable table = namesOf(config.style);
  bool isGraniteHybrid = config.style == CheckpointStyle::GraniteMoeHybrid;
  for (ParameterSpec &spec : parameters) {
    spec.source = sourceName(table, spec.name);
    // A depthwise convolution of PyTorch has one input channel a group: [C, 1, K].
    if (io::endsWith(spec.name, ".ssm.conv.weight"))
      spec.sourceShape = {spec.shape[0], 1, spec.shape[1]};
    // chimera-lm orders modes identity, ssm, swa, full.
    if (config.style == CheckpointStyle::ChimeraLm &&
        (io::endsWith(spec.name, ".router.proj.weight") || io::endsWith(spec.name, ".router.bias")))
      spec.rowPermutation = {1, 2, 3, 0};
    // granitemoehybrid keeps the two in one matrix.
    if (isGraniteHybrid && io::endsWith(spec.name, ".ffn.gate_proj.weight"))
      takeRows(spec, 0, 2 * config.intermediateSize);
    if (isGraniteHybrid && io::endsWith(spec.name, ".ffn.up_proj.weight"))
      takeRows(spec, config.intermediateSize, 2 * config.intermediateSize);
  }
}

} // namespace chimera
