// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Families with recurrent layers, and those with routed ones.
#include "test/frontend/ForeignConfigs.h"

#include <cmath>

using namespace chimera;
using namespace chimera::test;

namespace {

TEST(ForeignHybridConfig, Mamba2IsSsmEverywhere) {
  Config config = valid(mamba2);
  EXPECT_EQ(config.layerModes, (std::vector<std::vector<Mode>>{{Mode::Ssm}}));
  EXPECT_EQ(config.intermediateSize, 0);
  EXPECT_EQ(config.ssmHeads(), 4);
  EXPECT_EQ(config.ssm.groups, 2);
  EXPECT_TRUE(std::isinf(config.ssm.timeStepMax));
  EXPECT_EQ(sources(config),
            (std::vector<std::string>{"backbone.embeddings.weight", "backbone.layers.0.norm.weight",
                                      "backbone.layers.0.mixer.in_proj.weight", "backbone.layers.0.mixer.conv1d.weight",
                                      "backbone.layers.0.mixer.conv1d.bias", "backbone.layers.0.mixer.dt_bias",
                                      "backbone.layers.0.mixer.A_log", "backbone.layers.0.mixer.D",
                                      "backbone.layers.0.mixer.norm.weight", "backbone.layers.0.mixer.out_proj.weight",
                                      "backbone.norm_f.weight"}));
  ParameterSpec conv = byName(config)["layers.0.ssm.conv.weight"];
  EXPECT_EQ(conv.shape, (std::vector<int64_t>{52, 4}));
  EXPECT_EQ(conv.sourceShape, (std::vector<int64_t>{52, 1, 4}));
}

TEST(ForeignHybridConfig, BambaMixesMamba2AndHalfRotatedAttention) {
  Config config = valid(bamba);
  EXPECT_EQ(config.layerModes, (std::vector<std::vector<Mode>>{{Mode::Ssm}, {Mode::Full}, {Mode::Ssm}}));
  EXPECT_EQ(config.rotaryDims(), 2);
  EXPECT_EQ(config.ssm.stateSize, 5);
  std::map<std::string, ParameterSpec> specs = byName(config);
  EXPECT_EQ(specs["layers.0.ssm.conv.weight"].source, "model.layers.0.mamba.conv1d.weight");
  EXPECT_EQ(specs["layers.0.ssm.A_log"].source, "model.layers.0.mamba.A_log");
  EXPECT_EQ(specs["layers.2.ssm.norm.weight"].source, "model.layers.2.mamba.norm.weight");
  EXPECT_EQ(specs["layers.1.attn.o_proj.weight"].source, "model.layers.1.self_attn.o_proj.weight");
  EXPECT_EQ(specs["layers.1.ffn_norm.weight"].source, "model.layers.1.pre_ff_layernorm.weight");
  EXPECT_EQ(specs["layers.1.ffn.up_proj.weight"].source, "model.layers.1.feed_forward.up_proj.weight");
  EXPECT_EQ(specs["norm.weight"].source, "model.final_layernorm.weight");
  EXPECT_EQ(valid(with(bamba, "mamba_d_head", "\"auto\"")).ssm.headDim, 8);
}

TEST(ForeignHybridConfig, ChimeraLmHasItsModesInAnotherOrder) {
  Config config = valid(chimeraLm);
  EXPECT_EQ(config.layerModes[1], (std::vector<Mode>{Mode::Ssm, Mode::Swa, Mode::Full, Mode::Identity}));
  EXPECT_EQ(config.norm, NormKind::Layer);
  EXPECT_EQ(config.normEps, 1e-5);
  EXPECT_EQ(config.router.inputNorm, NormKind::Layer);
  EXPECT_EQ(config.router.gate, GateKind::One);
  EXPECT_TRUE(config.router.biasInGate);
  EXPECT_FALSE(config.router.writeGate);
  EXPECT_EQ(config.router.target, (std::array<double, 4>{0.6, 0.2, 0.1, 0.1}));
  EXPECT_EQ(config.cacheWrite, CacheWrite::All);
  EXPECT_EQ(config.identityOutput, IdentityOutput::NormedInput);
  EXPECT_EQ(config.ssm.kind, SsmKind::Lti);
  EXPECT_EQ(config.intermediateSize, 64); // 42.67, rounded up to a multiple of 64
  EXPECT_EQ(config.window, 7);
  EXPECT_TRUE(config.tieWordEmbeddings);
  std::map<std::string, ParameterSpec> specs = byName(config);
  EXPECT_EQ(specs["layers.0.router.proj.weight"].rowPermutation, (std::vector<int64_t>{1, 2, 3, 0}));
  EXPECT_EQ(specs["layers.0.router.bias"].rowPermutation, (std::vector<int64_t>{1, 2, 3, 0}));
  EXPECT_TRUE(specs["layers.0.router.norm.weight"].rowPermutation.empty());
  const std::vector<std::pair<std::string, std::string>> names = {
      {"embed_tokens.weight", "tok_embed.weight"},
      {"layers.1.input_norm.bias", "layers.1.norm_in.bias"},
      {"layers.1.router.norm.bias", "layers.1.router.norm.bias"},
      {"layers.1.router.proj.weight", "layers.1.router.proj.weight"},
      {"layers.1.router.bias", "layers.1.router.balancer.bias"},
      {"layers.1.attn.q_proj.weight", "layers.1.proj_q.weight"},
      {"layers.1.attn.o_proj.weight", "layers.1.proj_o.weight"},
      {"layers.1.ssm.decay", "layers.1.ssm.decay"},
      {"layers.1.ffn_norm.weight", "layers.1.norm_post.weight"},
      {"layers.1.ffn.gate_proj.weight", "layers.1.ffn.w_gate.weight"},
      {"layers.1.ffn.up_proj.weight", "layers.1.ffn.w_up.weight"},
      {"layers.1.ffn.down_proj.weight", "layers.1.ffn.w_down.weight"},
      {"norm.bias", "norm_final.bias"}};
  for (const auto &[ours, theirs] : names)
    EXPECT_EQ(specs[ours].source, theirs);
  EXPECT_EQ(byName(valid(with(chimeraLm, "tie_embeddings", "false")))["lm_head.weight"].source, "unembed.weight");
  valid(R"({"model_type": "chimera-lm"})");
}

TEST(ForeignHybridConfig, MambaSsmIsToldByItsArguments) {
  Config config = valid(mambaSsm);
  EXPECT_EQ(config.style, CheckpointStyle::MambaSsm);
  EXPECT_EQ(config.vocabSize, 48); // 33, rounded up to a multiple of 16
  EXPECT_EQ(config.layerModes, (std::vector<std::vector<Mode>>{{Mode::Ssm}, {Mode::Ssm}}));
  EXPECT_EQ(config.ssm.stateSize, 128);
  EXPECT_EQ(config.ssm.groups, 1);
  EXPECT_EQ(config.ssm.headDim, 64);
  EXPECT_EQ(config.norm, NormKind::Rms);
  EXPECT_TRUE(config.tieWordEmbeddings);
  EXPECT_EQ(sources(config)[0], "backbone.embedding.weight");
  EXPECT_EQ(sources(config)[2], "backbone.layers.0.mixer.in_proj.weight");
  EXPECT_EQ(valid(with(mambaSsm, "rms_norm", "false")).norm, NormKind::Layer);
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"ssm_cfg", "{}", "key 'ssm_cfg.layer': missing, which stands for Mamba-1; only \"Mamba2\" is supported"},
      {"ssm_cfg", "{\"layer\": \"Mamba1\"}", "key 'ssm_cfg.layer': must be one of \"Mamba2\", got \"Mamba1\""},
      {"ssm_cfg", "{\"layer\": \"Mamba2\", \"norm_before_gate\": true}",
       "key 'ssm_cfg.norm_before_gate': only false is supported"},
      {"ssm_cfg", "{\"layer\": \"Mamba2\", \"d_ssm\": 24}", "key 'ssm_cfg.d_ssm': must be expand * d_model (128)"},
      {"ssm_cfg", "{\"layer\": \"Mamba2\", \"new\": 1}", "key 'ssm_cfg.new': not supported"},
      {"attn_layer_idx", "[1]", "key 'attn_cfg.num_heads': missing"},
      {"attn_layer_idx", "[2]", "key 'attn_layer_idx[0]': must be a whole number from 0 to 1, got 2"}};
  for (const auto &[name, value, error] : cases) {
    std::string text = mambaSsm;
    std::string key = "\"" + name + "\": ";
    size_t at = text.find(key) + key.size(), end = text.find_first_of("}],0", at) + 1;
    EXPECT_EQ(errorOf(text.replace(at, end - at, value)), error) << text;
  }
}

TEST(ForeignHybridConfig, MambaSsmAttendsWhereItSays) {
  auto with = [](const std::string &attention) {
    std::string text = mambaSsm;
    auto replace = [&](const std::string &from, const std::string &to) {
      text.replace(text.find(from), from.size(), to);
    };
    replace(R"("attn_layer_idx": [], "attn_cfg": {})", R"("attn_layer_idx": [1], "attn_cfg": {)" + attention + "}");
    replace(R"("d_intermediate": 0)", R"("d_intermediate": 200)");
    return text;
  };
  Config config = valid(with(R"("causal": true, "num_heads": 4, "num_heads_kv": 2, "head_dim": 8, "d_conv": 4,
                                "out_proj_bias": false, "rotary_emb_dim": 4)"));
  EXPECT_EQ(config.layerModes, (std::vector<std::vector<Mode>>{{Mode::Ssm}, {Mode::Full}}));
  EXPECT_EQ(config.intermediateSize, 256); // rounded up to whole hundred-and-twenty-eights
  EXPECT_TRUE(config.qkvBias && !config.attentionOutBias && config.rotates(1));
  EXPECT_TRUE(config.attentionConvKernel == 4 && config.rotaryDims() == 4);
  std::map<std::string, ParameterSpec> specs = byName(config);
  const ParameterSpec &values = specs["layers.1.attn.v_conv.weight"];
  EXPECT_EQ(values.source, "backbone.layers.1.mixer.conv1d.weight");
  EXPECT_EQ(values.sourceShape, (std::vector<int64_t>{64, 1, 4}));
  EXPECT_EQ(values.sourceRow, 48);
  EXPECT_EQ(specs["layers.1.attn.k_proj.bias"].sourceRow, 32);
  EXPECT_EQ(specs["layers.0.ffn.gate_proj.weight"].sourceRow, 256);
  EXPECT_EQ(specs["layers.0.ffn.up_proj.weight"].source, "backbone.layers.0.mlp.fc1.weight");
  EXPECT_EQ(specs["layers.0.ffn_norm.weight"].source, "backbone.layers.0.norm2.weight");
  EXPECT_FALSE(valid(with(R"("causal": true, "num_heads": 4)")).rotates(1));
  for (auto [keys, error] : std::vector<std::pair<std::string, std::string>>{
           {R"("num_heads": 4)", "key 'attn_cfg.causal': only true is supported"},
           {R"("num_heads": 3)", "key 'attn_cfg.num_heads': must divide d_model (64), got 3"},
           {R"("num_heads": 4, "causal": true, "rotary_emb_interleaved": true)",
            "key 'attn_cfg.rotary_emb_interleaved': only false is supported"},
           {R"("num_heads": 4, "causal": true, "mlp_dim": 5)", "key 'attn_cfg.mlp_dim': only 0 is supported"},
           {R"("num_heads": 4, "causal": true, "new": 5)", "key 'attn_cfg.new': not supported"}})
    EXPECT_EQ(errorOf(with(keys)), error);
}

TEST(ForeignHybridConfig, GraniteHybridsMayHaveExperts) {
  const std::string sizes = R"(, "mamba_n_heads": 8, "mamba_d_state": 4, "num_attention_heads": 4)";
  auto with = [&](const std::string &more) { return sizesOf("granitemoehybrid", sizes + more); };
  Config config = valid(with(R"(, "num_local_experts": 0)"));
  EXPECT_EQ(config.layerModes, std::vector<std::vector<Mode>>(5, {Mode::Ssm}));
  EXPECT_EQ(config.ssm.headDim, 16); // expand * hidden_size / mamba_n_heads
  EXPECT_EQ(config.intermediateSize, 1024);
  std::map<std::string, ParameterSpec> specs = byName(config);
  for (auto [ours, row] : {std::pair("gate", 0), std::pair("up", 1024)}) {
    const ParameterSpec &spec = specs["layers.3.ffn." + std::string(ours) + "_proj.weight"];
    EXPECT_EQ(spec.source, "model.layers.3.shared_mlp.input_linear.weight");
    EXPECT_EQ(spec.shape, (std::vector<int64_t>{1024, 64}));
    EXPECT_EQ(spec.sourceShape, (std::vector<int64_t>{2048, 64}));
    EXPECT_EQ(spec.sourceRow, row);
  }
  EXPECT_EQ(specs["layers.3.ffn.down_proj.weight"].source, "model.layers.3.shared_mlp.output_linear.weight");
  EXPECT_FALSE(specs["layers.3.ffn.down_proj.weight"].sourceRow);
  EXPECT_FALSE(config.rotates(0));
  EXPECT_EQ(config.experts.count, 0);
  config = valid(with(R"(, "intermediate_size": 12)"));
  EXPECT_EQ(config.experts.count, 8);
  EXPECT_EQ(config.experts.active, 2);
  EXPECT_EQ(config.experts.intermediateSize, 12);
  EXPECT_EQ(config.experts.sharedIntermediateSize, 1024);
  EXPECT_TRUE(config.experts.normalized && config.experts.score == ExpertScore::Softmax);
  specs = byName(config);
  EXPECT_EQ(specs["layers.3.ffn.router.weight"].source, "model.layers.3.block_sparse_moe.router.layer.weight");
  EXPECT_EQ(specs["layers.3.ffn.up_proj.weight"].source, "model.layers.3.shared_mlp.input_linear.weight");
  EXPECT_EQ(specs["layers.3.ffn.up_proj.weight"].sourceRow, 1024);
  for (auto [ours, theirs, shape, row] : {std::tuple("gate", "input", std::vector<int64_t>{8, 24, 64}, 120),
                                          std::tuple("up", "input", std::vector<int64_t>{8, 24, 64}, 132),
                                          std::tuple("down", "output", std::vector<int64_t>{8, 64, 12}, 320)}) {
    const ParameterSpec &spec = specs["layers.3.ffn.experts.5." + std::string(ours) + "_proj.weight"];
    EXPECT_EQ(spec.source, "model.layers.3.block_sparse_moe." + std::string(theirs) + "_linear.weight");
    EXPECT_EQ(spec.sourceShape, shape);
    EXPECT_EQ(spec.sourceRow, row);
  }
  EXPECT_EQ(errorOf(with(R"(, "num_local_experts": 0, "layer_types": ["mamba", "conv", "mamba", "mamba", "mamba"])")),
            "key 'layer_types[1]': must be \"mamba\" or \"attention\", got \"conv\"");
  EXPECT_EQ(errorOf(with(R"(, "num_local_experts": 0, "position_embedding_type": "alibi")")),
            "key 'position_embedding_type': must be one of \"nope\", \"rope\", got \"alibi\"");
}

TEST(ForeignHybridConfig, FalconH1HasMambaBesideAttention) {
  auto with = [](const std::string &more) {
    return sizesOf("falcon_h1", R"(, "mamba_d_ssm": 48, "mamba_n_heads": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2)" + more);
  };
  Config config = valid(with(""));
  EXPECT_EQ(config.layerModes, std::vector<std::vector<Mode>>(5, {Mode::Full}));
  EXPECT_EQ(config.parallelMode(4), Mode::Ssm);
  EXPECT_TRUE(config.layerHas(4, Mode::Ssm) && !config.ssm.gatedNorm && config.ssm.convBias);
  EXPECT_EQ(config.ssm.headDim, 16); // mamba_d_ssm / mamba_n_heads
  EXPECT_EQ(config.ropeTheta, 100000.0);
  EXPECT_EQ(byName(config)["layers.1.ssm.conv.weight"].source, "model.layers.1.mamba.conv1d.weight");
  EXPECT_EQ(byName(config)["layers.1.attn.q_proj.weight"].source, "model.layers.1.self_attn.q_proj.weight");
  EXPECT_FALSE(byName(config).count("layers.1.ssm.norm.weight"));
  config = valid(with(R"(, "mamba_conv_bias": false, "key_multiplier": 0.5, "lm_head_multiplier": 0.25,
      "mlp_multipliers": [0.5, 2], "ssm_multipliers": [1, 2, 3, 4, 5])"));
  EXPECT_TRUE(byName(config)["layers.1.ssm.conv.bias"].optional);
  EXPECT_EQ(config.attentionScale(0, Mode::Full), 0.5 / std::sqrt(16.0));
  EXPECT_EQ(config.logitsScaling, 4.0);
  EXPECT_TRUE(config.mlpGateMultiplier == 0.5 && config.mlpOutputMultiplier == 2.0);
  EXPECT_EQ(config.ssm.projectionMultipliers, (std::array<double, 5>{1, 2, 3, 4, 5}));
  valid(with(R"(, "mamba_rms_norm": true, "mamba_norm_before_gate": false)"));
  EXPECT_EQ(errorOf(with(R"(, "mamba_rms_norm": true, "mamba_norm_before_gate": true)")),
            "key 'mamba_norm_before_gate': only false is supported");
  EXPECT_EQ(errorOf(with(R"(, "projectors_bias": true)")),
            "key 'projectors_bias': must be the same as 'mamba_proj_bias'");
  EXPECT_EQ(errorOf(with(R"(, "mlp_multipliers": [1])")),
            "key 'mlp_multipliers': must be a list of 2 numbers, got a list");
  EXPECT_EQ(errorOf(with(R"(, "ssm_multipliers": [1, 1, 0, 1, 1])")),
            "key 'ssm_multipliers[2]': must be a finite number above 0, got 0");
  EXPECT_EQ(errorOf(with(R"(, "mamba_d_head": 8)")),
            "key 'mamba_n_heads': times the head size (8) must be the inner size (48), got 3");
  EXPECT_EQ(valid(sizesOf("falcon_h1", R"(, "mamba_d_ssm": null, "mamba_n_heads": 8)")).ssmInner(), 128);
}

TEST(ForeignHybridConfig, NemotronHIsReadByItsPattern) {
  auto with = [](const std::string &more) {
    return sizesOf("nemotron_h", R"(, "mamba_num_heads": 16, "mamba_head_dim": 10)" + more);
  };
  Config config = valid(with(R"(, "hybrid_override_pattern": "M-*-M")"));
  EXPECT_EQ(config.layerModes, (std::vector<std::vector<Mode>>{
                                   {Mode::Ssm}, {Mode::Identity}, {Mode::Full}, {Mode::Identity}, {Mode::Ssm}}));
  EXPECT_EQ(config.ffnLayers, (std::vector<bool>{false, true, false, true, false}));
  EXPECT_EQ(config.ssmInner(), 160);
  EXPECT_FALSE(config.mlpGated || config.rotates(2));
  EXPECT_EQ(config.mlpActivation, ActivationKind::Relu2);
  EXPECT_EQ(byName(config)["layers.1.ffn_norm.weight"].source, "backbone.layers.1.norm.weight");
  EXPECT_EQ(byName(config)["layers.1.ffn.up_proj.weight"].source, "backbone.layers.1.mixer.up_proj.weight");
  const std::string blocks = R"(, "layers_block_type": ["mamba", "mlp", "attention", "mlp", "mamba"])";
  EXPECT_EQ(valid(with(blocks)).layerModes, config.layerModes);
  valid(with(blocks + R"(, "hybrid_override_pattern": "M-*-M")"));
  EXPECT_EQ(errorOf(with(blocks + R"(, "hybrid_override_pattern": "M-*M-")")),
            "key 'hybrid_override_pattern': differs from 'layers_block_type' in layer 3");
  EXPECT_EQ(errorOf(with("")), "key 'hybrid_override_pattern': missing");
  EXPECT_EQ(errorOf(with(R"(, "hybrid_override_pattern": "M-")")),
            "key 'hybrid_override_pattern': must have a letter for each of the 5 layers, got \"M-\"");
  EXPECT_EQ(errorOf(with(R"(, "hybrid_override_pattern": "ME*EM")")),
            "key 'hybrid_override_pattern': layer 1 must be M (Mamba-2), * (attention) or - (network), got 'E', a "
            "mixture of experts");
  EXPECT_EQ(errorOf(with(R"(, "hybrid_override_pattern": "M-*-M", "norm_eps": 1e-3)")),
            "key 'norm_eps': differs from 'layer_norm_epsilon'");
  EXPECT_EQ(errorOf(with(R"(, "hybrid_override_pattern": "M-*-M", "attention_head_dim": 64, "head_dim": 32)")),
            "key 'head_dim': differs from 'attention_head_dim'");
}

} // namespace
