// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a model's config.json says, with every default applied and every value checked. This library knows nothing of
// LLVM: the compiler, the tools that make weights and the tests' own evaluation of a model share it.
#ifndef CHIMERA_DIALECT_FRONTEND_CONFIG_H
#define CHIMERA_DIALECT_FRONTEND_CONFIG_H

#include "dialect/frontend/KeyLog.h"
#include "runtime/abi/Layout.h"
#include "runtime/io/Result.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

namespace chimera {

/// The modes a token may take in a layer, in canonical order: ties, router rows and routing files follow it.
enum class Mode : uint8_t { Ssm = 0, Swa = 1, Full = 2, Identity = 3 };
inline constexpr int numModes = 4;
inline constexpr std::array<Mode, numModes> allModes = {Mode::Ssm, Mode::Swa, Mode::Full, Mode::Identity};

/// "ssm", "swa", "full" or "identity".
std::string_view modeName(Mode mode);

/// The mode of that name, or nothing.
std::optional<Mode> modeFromName(std::string_view name);

enum class NormKind : uint8_t { None, Rms, Layer };
enum class SsmKind : uint8_t { Mamba2, Lti };
/// silu; the tanh form of GELU; the square of ReLU.
enum class ActivationKind : uint8_t { Silu, GeluTanh, Relu2 };
enum class RouterKind : uint8_t { Linear, Mlp };
enum class ExpertScore : uint8_t { Softmax, Sigmoid };
enum class GateKind : uint8_t { One, Prob };
enum class CacheWrite : uint8_t { Routed, All };
enum class IdentityOutput : uint8_t { Zero, NormedInput };
enum class RopeScalingKind : uint8_t { None, Linear, Llama3, Yarn };

/// How the rotary frequencies are changed for contexts longer than those trained on.
struct RopeScaling {
  RopeScalingKind kind = RopeScalingKind::None;
  double factor = 1.0;                       ///< linear, llama3, yarn: >= 1
  double lowFreqFactor = 1.0;                ///< llama3
  double highFreqFactor = 4.0;               ///< llama3: > lowFreqFactor
  int64_t originalMaxPositionEmbeddings = 0; ///< llama3, yarn
  double betaFast = 32.0;                    ///< yarn: turns over the original context from which a pair is kept
  double betaSlow = 1.0;                     ///< yarn: and below which it is stretched by the whole factor
  double attentionFactor = 1.0;              ///< yarn: of rotated queries and keys
  bool truncate = true;                      ///< yarn: the pairs at which blending begins and ends are whole numbers

  bool operator==(const RopeScaling &other) const { return fields() == other.fields(); }

private:
  std::tuple<RopeScalingKind, double, double, double, int64_t, double, double, double, bool> fields() const {
    return {kind,     factor,   lowFreqFactor,   highFreqFactor, originalMaxPositionEmbeddings,
            betaFast, betaSlow, attentionFactor, truncate};
  }
};

/// The ssm mode. `lti` uses stateSize alone.
struct SsmConfig {
  SsmKind kind = SsmKind::Mamba2;
  int64_t stateSize = 0; ///< N
  int64_t headDim = 64;  ///< P, divides expand * hiddenSize
  int64_t expand = 2;    ///< E, of which nothing is heard where the number of heads is given
  int64_t heads = 0;     ///< 0: E * D / P
  int64_t groups = 1;    ///< G, divides the number of heads
  int64_t convKernel = 4;
  bool projBias = false; ///< in_proj and out_proj have a bias (mamba2)
  bool convBias = true;  ///< the checkpoint has a bias of the convolution (mamba2); it is zero otherwise
  bool gatedNorm = true; ///< y silu(z) is normalised before out_proj (mamba2)
  /// mamba2: of what in_proj reads, of the parts z, x, B, C and dt that it puts out, and of what out_proj puts out.
  double inputMultiplier = 1.0;
  std::array<double, 5> projectionMultipliers = {1.0, 1.0, 1.0, 1.0, 1.0};
  double outputMultiplier = 1.0;
  double timeStepMin = 0.0; ///< dt is clamped to [timeStepMin, timeStepMax]; the latter may be infinity
  double timeStepMax = 0.0;
};

/// The router of the layers with more than one mode. Arrays are indexed by mode, in canonical order.
struct RouterConfig {
  RouterKind kind = RouterKind::Linear;
  int64_t hiddenSize = 0; ///< of the mlp; 0 for a linear router
  NormKind inputNorm = NormKind::None;
  double temperature = 1.0;
  GateKind gate = GateKind::Prob;
  bool biasInGate = false;
  bool writeGate = false;
  std::array<double, numModes> target = {0.6, 0.2, 0.1, 0.1};
  std::optional<double> capacityFactor;
  std::array<std::optional<int64_t>, numModes> maxTokens;
  double balancerEma = 0.95;
  double balancerStep = 1e-3;
  double balancerClip = 4.0;
};

/// The mixture of experts in the place of the feed-forward network, and the network that all tokens take beside them.
struct ExpertConfig {
  int64_t count = 0;            ///< E; 0: there are none
  int64_t active = 0;           ///< K, the experts that each token takes
  int64_t intermediateSize = 0; ///< of each expert
  ExpertScore score = ExpertScore::Softmax;
  bool normalized = false;            ///< the scores of the chosen ones are divided by their sum
  double scale = 1.0;                 ///< multiplies them
  bool bias = false;                  ///< a bias is added to the scores where experts are chosen
  int64_t sharedIntermediateSize = 0; ///< of the network that all tokens take; 0: there is none
  bool sharedGate = false;            ///< that network is multiplied by the sigmoid of a product
  std::vector<bool> layers;           ///< [L]: whether a layer has experts; empty: all that have a network do
};

/// Which names and layouts the tensors of the checkpoint have.
enum class CheckpointStyle : uint8_t {
  Chimera,
  Llama,
  Mistral,
  Qwen2,
  Qwen3,
  Granite,
  SmolLM3,
  Gemma,
  Gemma2,
  Gemma3,
  NemotronH,
  Mamba2,
  Bamba,
  FalconH1,
  GraniteMoeHybrid,
  Qwen2Moe,
  Qwen3Moe,
  Mixtral,
  GraniteMoe,
  MambaSsm,
  ChimeraLm
};

/// One model, as its config.json describes it. Sizes that the modes in use do not need are 0.
struct Config {
  CheckpointStyle style = CheckpointStyle::Chimera;
  int64_t vocabSize = 0;         ///< V
  int64_t hiddenSize = 0;        ///< D
  int64_t numLayers = 0;         ///< L
  int64_t numAttentionHeads = 0; ///< H; 0 unless swa or full is used
  int64_t numKeyValueHeads = 0;  ///< Hkv
  int64_t headDim = 0;           ///< Dk
  int64_t intermediateSize = 0;  ///< of the feed-forward network, where it has no experts; 0: none
  std::vector<bool> ffnLayers;   ///< [L]: whether a layer has that network; empty: all do, if there is one
  bool normUnitOffset = false;   ///< norms (rms; not the router's nor those of Mamba-2) multiply by 1 + weight
  bool postNorms = false;        ///< what mixer and feed-forward network put out is normalised before it is added
  bool qkvBias = false;          ///< q_proj, k_proj and v_proj have a bias
  bool attentionOutBias = false; ///< o_proj has one
  ActivationKind mlpActivation = ActivationKind::Silu; ///< of the feed-forward network
  bool mlpGated = true;            ///< down(f(gate u) * up u); else down(f(up u)), without gate_proj
  bool mlpBias = false;            ///< those of the feed-forward network have one
  int64_t attentionConvKernel = 0; ///< taps of convolutions over q, k and v, in layers without a router; 0: none
  bool qkNorm = false;             ///< the heads of queries and keys are RMS-normalised before they are rotated
  std::vector<bool> ropeLayers;    ///< [L]: whether a layer rotates; empty: all do
  std::optional<double> attentionMultiplier; ///< of the scores; none: 1 / sqrt(headDim)
  std::optional<double> attentionSoftCap;    ///< c: scores become c tanh(score / c); none: they stay
  std::optional<double> logitsSoftCap;       ///< the same of logits
  double embeddingMultiplier = 1.0;
  double residualMultiplier = 1.0;        ///< of what mixer and feed-forward network add to the residual stream
  double logitsScaling = 1.0;             ///< divides the logits
  double attentionInputMultiplier = 1.0;  ///< of what q_proj, k_proj and v_proj read
  double attentionOutputMultiplier = 1.0; ///< of what o_proj puts out
  double mlpGateMultiplier = 1.0;         ///< of what gate_proj puts out
  double mlpOutputMultiplier = 1.0;       ///< of what down_proj puts out
  double ropeTheta = 10000.0;
  std::optional<double> swaRopeTheta; ///< of the swa mode, which is then not scaled; none: as full
  double partialRotaryFactor = 1.0;
  RopeScaling ropeScaling;
  NormKind norm = NormKind::Rms;
  double normEps = 1e-5;
  int64_t tokenConvKernel = 0; ///< 0: no token convolution
  bool tieWordEmbeddings = false;
  std::optional<int64_t> bosTokenId;
  std::vector<int64_t> eosTokenIds;              ///< empty, or the ids that end a text
  std::optional<int64_t> maxPositionEmbeddings;  ///< the longest sequence that the model was made for
  std::optional<abi::SamplingDefaults> sampling; ///< what generation_config.json says of it
  int64_t window = 512;                          ///< W, entries of the swa ring
  CacheWrite cacheWrite = CacheWrite::Routed;
  IdentityOutput identityOutput = IdentityOutput::Zero;
  std::vector<std::vector<Mode>> layerModes; ///< [L]: each layer's modes, ascending, never empty
  /// [L], or empty for none: a mode (ssm, swa or full) that all tokens of a layer take beside the one they are routed
  /// to. Both read the same input, and what both put out is added. The layer's modes have no weights in common with it.
  std::vector<std::optional<Mode>> parallelModes;
  /// [L], or empty: of a layer with a router, those of its modes that no token is admitted to (dropModes).
  std::vector<std::vector<Mode>> droppedModes;
  SsmConfig ssm;
  RouterConfig router;
  ExpertConfig experts;

  /// Whether some layer has `mode`.
  bool uses(Mode mode) const;
  /// Whether some layer has swa or full.
  bool usesAttention() const { return uses(Mode::Swa) || uses(Mode::Full); }
  /// Whether layer `layer` has a mixer for `mode`.
  bool layerHas(int64_t layer, Mode mode) const;
  /// The mode that all tokens of layer `layer` take beside the one they are routed to.
  std::optional<Mode> parallelMode(int64_t layer) const {
    return parallelModes.empty() ? std::nullopt : parallelModes[static_cast<size_t>(layer)];
  }
  /// The modes of layer `layer` that tokens are routed to, but those that are dropped.
  std::vector<Mode> mixersOf(int64_t layer) const;
  /// Whether layer `layer` routes: it has more than one mode.
  bool hasRouter(int64_t layer) const { return layerModes[layer].size() > 1; }

  /// Whether queries and keys of layer `layer` are rotated by their position.
  bool rotates(int64_t layer) const { return ropeLayers.empty() || ropeLayers[static_cast<size_t>(layer)]; }
  /// What the scores of attention in `mode` (swa or full) of layer `layer` are multiplied by.
  double attentionScale(int64_t layer, Mode mode) const;
  /// Whether layer `layer` has a feed-forward network.
  bool hasFeedForward(int64_t layer) const {
    bool isOn = ffnLayers.empty() || ffnLayers[static_cast<size_t>(layer)];
    return isOn && (intermediateSize > 0 || choosesExperts(layer));
  }
  /// Whether that network is a mixture of experts.
  bool hasExperts(int64_t layer) const { return hasFeedForward(layer) && choosesExperts(layer); }
  /// The width of the network that all tokens of layer `layer` take, beside experts or without; 0: there is none.
  int64_t networkSize(int64_t layer) const {
    return !hasFeedForward(layer) ? 0 : hasExperts(layer) ? experts.sharedIntermediateSize : intermediateSize;
  }
  /// Whether layer `layer` mixes: a single mode `identity` that puts out zero, with nothing beside it, is no mixer.
  bool hasMixer(int64_t layer) const;
  /// How the rotary frequencies of `mode` are scaled.
  const RopeScaling &scalingOf(Mode mode) const;
  /// How many of a head's dimensions are rotated: partialRotaryFactor * headDim, even.
  int64_t rotaryDims() const;
  /// Mamba-2: the number of heads times P, E * D where it is not given: the width of x and z.
  int64_t ssmInner() const { return ssm.heads > 0 ? ssm.heads * ssm.headDim : ssm.expand * hiddenSize; }
  /// Mamba-2: how many heads there are.
  int64_t ssmHeads() const { return ssmInner() / ssm.headDim; }
  /// Mamba-2: the width of xBC, ssmInner() + 2 * G * N.
  int64_t ssmConvChannels() const { return ssmInner() + 2 * ssm.groups * ssm.stateSize; }
  /// Mamba-2: the width of [z, x, B, C, dt].
  int64_t ssmProjection() const { return ssmInner() + ssmConvChannels() + ssmHeads(); }

private:
  /// Whether layer `layer` has experts if it has a feed-forward network.
  bool choosesExperts(int64_t layer) const {
    return experts.count > 0 && (experts.layers.empty() || experts.layers[static_cast<size_t>(layer)]);
  }
};

/// A config, or one line that says which file and key is wrong and how.
using ConfigOrError = std::variant<Config, std::string>;

/// Reads the text of a config.json; `fileName` is only for messages ("config.json: key 'vocab_size': missing"). `log`,
/// if given, receives what became of each key, also where there is an error.
ConfigOrError parseConfig(std::string_view text, std::string_view fileName, KeyLog *log = nullptr);

/// Puts the token ids of a generation_config.json's text, where it has them, in the place of those of `config`, and the
/// sampling that it asks for into `config`. What is wrong, or nothing; all its other keys are left alone.
std::string readGenerationConfig(std::string_view text, std::string_view fileName, Config &config,
                                 KeyLog *log = nullptr);

/// The text of a config, and the path of its file.
struct ConfigText {
  std::string path, text;
};

/// The text of the file at `path`; a directory means the config.json in it. Errors: unreadable, or evidently another
/// kind of file.
io::Result<ConfigText> readConfigText(const std::string &path);

/// Reads the config in the file at `path`; a directory means the config.json in it. A generation_config.json beside it,
/// as the transformers library writes it, decides over the token ids that start and end a text, and over sampling.
ConfigOrError readConfig(const std::string &path);

/// The inverse frequencies of the rotary embedding in `mode`, [rotaryDims / 2], in f64 and with rope scaling applied:
/// dimension pair i turns by position * frequency[i], frequency[i] = theta^(-2 i / rotaryDims). `linear` divides all by
/// factor; `llama3` (Llama 3.1) keeps wavelengths shorter than original / highFreqFactor, divides those longer than
/// original / lowFreqFactor by factor, and blends in between; `yarn` (Peng et al. 2023) blends linearly in i, between
/// the pairs that turn betaFast and betaSlow times over the original context.
std::vector<double> ropeFrequencies(const Config &config, Mode mode);

/// How a parameter is used, and so which dtype it has in a binary.
enum class ParameterKind : uint8_t {
  Operand,    ///< a matrix operand or the embedding: bf16 in bf16 models
  Accumulator ///< norms, biases, routers, convolutions, dt, A, D, decay: f32 in bf16 models
};

/// One tensor that the model reads.
struct ParameterSpec {
  std::string name;           ///< our name, such as layers.3.attn.q_proj.weight
  std::vector<int64_t> shape; ///< row-major, [out, in]
  bool optional = false;      ///< zeros when the checkpoint lacks it
  ParameterKind kind = ParameterKind::Operand;
  std::string source;                  ///< the name of its tensor in the checkpoint
  std::vector<int64_t> sourceShape;    ///< the shape of that tensor: the same elements in the same order, or more rows
  std::optional<int64_t> sourceRow;    ///< it is the rows from this one on of its tensor; none: all of it
  std::vector<int64_t> rowPermutation; ///< row i of ours is row rowPermutation[i] of the checkpoint's; empty: the same
};

/// Every tensor of a checkpoint that inference reads, in the order of the computation.
std::vector<ParameterSpec> parameters(const Config &config);

} // namespace chimera

#endif // CHIMERA_DIALECT_FRONTEND_CONFIG_H
