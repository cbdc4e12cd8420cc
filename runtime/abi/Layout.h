// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The numbers and names that the compiler writes into a model binary and the runtime reads from it, once for both:
// docs/model-binary.md says what each is for. Knows neither LLVM nor the runtime.
#ifndef CHIMERA_RUNTIME_ABI_LAYOUT_H
#define CHIMERA_RUNTIME_ABI_LAYOUT_H

#include <cstdint>

namespace chimera::abi {

/// The version of the manifest's format.
inline constexpr int64_t formatVersion = 9;

/// Offsets into an arena are multiples of so many bytes.
inline constexpr int64_t arenaAlignment = 64;

/// Ways of looking back, in canonical order: ssm, swa, full, identity.
inline constexpr int64_t modeCount = 4;
inline constexpr const char *modeNames[] = {"ssm", "swa", "full", "identity"};

/// What caches are for: the modes that have some, and what a layer has beside its mixers.
inline constexpr const char *cacheModeNames[] = {"ssm", "swa", "full", "token_conv", "route"};

/// Element types of parameters.
inline constexpr const char *dtypeNames[] = {"f32", "bf16", "f64"};

/// Entries in a page of a growing list.
inline constexpr int64_t pageEntries = 64;

// Training: the arrays of a step that have a fixed size, and what a program gives back.

/// The most leaves of a step.
inline constexpr int64_t maxLeaves = 16;
/// i32 elements of `leaves`: their number, the first sequence of each, and the number of sequences.
inline constexpr int64_t leavesLength = maxLeaves + 2;
/// f64 elements of `hyper`, the numbers that change from step to step.
inline constexpr int64_t hyperLength = 16;
/// f64 elements of `prices` for each layer: price, push and pull of each mode, the coefficient of the entropy.
inline constexpr int64_t pricesPerLayer = 3 * modeCount + 1;
/// f64 elements of a layer's statistics: wanted, admitted and p by mode, the entropy of p, refused.
inline constexpr int64_t routeStatistics = 3 * modeCount + 2;

/// The arrays of a step that launches name. Inference has the first `inferenceStepBuffers`, training all.
inline constexpr const char *stepBufferNames[] = {"tokens",   "row_index", "row_position", "row_sequence", "seq_start",
                                                  "seq_slot", "out_index", "out_start",    "forced",       "targets",
                                                  "noise",    "hyper",     "prices",       "leaves"};
inline constexpr int stepBufferCount = sizeof(stepBufferNames) / sizeof(stepBufferNames[0]);
inline constexpr int inferenceStepBuffers = 9;

/// The training programs.
inline constexpr const char *trainingProgramNames[] = {"train_hard",    "train_soft", "evaluate_hard",
                                                       "evaluate_soft", "accumulate", "update"};
inline constexpr int trainingProgramCount = sizeof(trainingProgramNames) / sizeof(trainingProgramNames[0]);

// Packed weights.

/// Inputs that share an exponent in the formats i8 and i4.
inline constexpr int64_t scaleGroup = 32;
/// The most outputs of a panel, and the most neighbouring inputs of a group.
inline constexpr int64_t mostPanel = 4096;
inline constexpr int64_t mostGroup = scaleGroup;
/// The most parameters in one packed form.
inline constexpr int64_t mostStacked = 64;

/// How a model's next tokens are chosen unless the user says otherwise. Neutral values say: the largest logit.
struct SamplingDefaults {
  double temperature = 0; ///< Divides the logits; 0: the largest logit.
  int64_t topK = 0;       ///< How many of the largest logits are kept; 0: all.
  double topP = 1;        ///< The probability that is kept, in (0, 1], after top-k.

  bool operator==(const SamplingDefaults &other) const {
    return temperature == other.temperature && topK == other.topK && topP == other.topP;
  }
};

/// The greatest temperature that is taken for one.
inline constexpr double mostTemperature = 1e6;

// Bounds that no model reaches, chosen so that products of sizes cannot overflow 64 bits.

inline constexpr int64_t mostTokens = int64_t(1) << 20;
inline constexpr int64_t mostLayers = 1024;
/// Of the vocabulary, widths and numbers of heads.
inline constexpr int64_t mostSize = int64_t(1) << 20;
inline constexpr int64_t mostWindow = int64_t(1) << 31;
inline constexpr int64_t mostBytes = int64_t(1) << 44;
inline constexpr int64_t mostElements = int64_t(1) << 41;
inline constexpr int64_t mostItems = int64_t(1) << 20;
inline constexpr int64_t mostGrid = int64_t(1) << 40;
inline constexpr int64_t mostVariants = 64;
/// Of a sequence.
inline constexpr int64_t mostPositions = int64_t(1) << 53;
/// Of the stack that a kernel may take.
inline constexpr int64_t mostStack = int64_t(1) << 32;

/// How far the sum of a layer's shares may be from 1: they are rounded.
inline constexpr double shareTolerance = 1e-9;

} // namespace chimera::abi

#endif // CHIMERA_RUNTIME_ABI_LAYOUT_H
