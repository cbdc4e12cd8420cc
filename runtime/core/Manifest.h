// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The manifest of a model binary (docs/model-binary.md) as plain data, every field checked.
#ifndef CHIMERA_RUNTIME_CORE_MANIFEST_H
#define CHIMERA_RUNTIME_CORE_MANIFEST_H

#include "runtime/abi/Layout.h"
#include "runtime/core/Error.h"
#include "runtime/core/PackedLayout.h"
#include "runtime/io/DType.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chimera::runtime {

/// What a cache is for; the values are CHIMERA_MEMORY_*.
enum class CacheMode : uint8_t { Ssm, Swa, Full, TokenConv, Route };

/// "ssm", "swa", "full", "token_conv", "route".
const char *nameOf(CacheMode mode);

enum class CacheKind : uint8_t { Counts, Tail, State, Ring, List };

/// A layer's modes as bits, 1 << CHIMERA_MODE_*, and the share of the tokens that each mode is meant to take, by mode:
/// 0 for a mode that the layer does not have.
struct LayerModes {
  uint32_t modes = 0;
  uint32_t forceable = 0;
  std::array<double, 4> target = {};
};

struct ModelShape {
  int64_t vocabSize = 0;
  int64_t hiddenSize = 0;
  int64_t window = 0;
  int64_t headDim = 0;
  int64_t heads = 0;
  int64_t keyValueHeads = 0;
  int64_t bosTokenId = -1;          ///< -1: none.
  std::vector<int64_t> eosTokenIds; ///< The tokens that end a text.
  int64_t maxPositions = -1;        ///< The longest sequence that the model was made for; -1: unknown.
  std::optional<abi::SamplingDefaults> sampling;
  std::vector<LayerModes> layers;
};

struct Parameter {
  std::string name;
  std::string source; ///< Its name in the checkpoint.
  std::vector<int64_t> shape;
  std::vector<int64_t> sourceShape; ///< The tensor's there: the same elements in the same order, or more rows.
  io::DType dtype = io::DType::F32; ///< F64, F32 or BF16.
  bool optional = false;
  std::vector<int64_t> rowPermutation; ///< Row i is the checkpoint's row [i]; empty: as they are.
  int64_t sourceRow = 0;               ///< The row of the checkpoint's tensor at which it begins.
  int64_t elements = 0;                ///< The product of the shape.
  int64_t sourceElements = 0;          ///< That of the source shape.
  int64_t bytes = 0;

  /// How many rows as long as its own the checkpoint's tensor has; 1 for a scalar.
  int64_t sourceRows() const {
    return elements == 0 || shape.empty() ? (sourceShape.empty() ? 1 : sourceShape[0])
                                          : sourceElements / (elements / shape[0]);
  }
  /// Where its elements begin among those of the checkpoint's tensor.
  int64_t sourceBegin() const { return sourceRow == 0 ? 0 : sourceRow * (elements / shape[0]); }
};

struct Pool {
  std::string name;
  int64_t layer = 0;
  CacheMode mode = CacheMode::Ssm;
  int64_t bytesPerSlot = 0;
};

struct CacheLayout {
  int64_t layer = 0;
  CacheMode mode = CacheMode::Ssm;
  CacheKind kind = CacheKind::State;
  std::vector<int64_t> pools; ///< Indices into Manifest::pools, in the order of the kind's layout.
  int64_t table = -1;         ///< A list's page table.
  int64_t room = 0;           ///< The entries that a ring has room for.
};

struct PageLayout {
  int64_t entries = 64;
  int64_t bytes = 0; ///< A page; 0 without lists.
  int64_t tables = 0;
};

/// ceil((tokens N + seqs S + outputs R + constant) / divisor) blocks.
struct Grid {
  int64_t tokens = 0, seqs = 0, outputs = 0, constant = 0, divisor = 1;

  int64_t blocks(int64_t n, int64_t s, int64_t r) const {
    return (tokens * n + seqs * s + outputs * r + constant + divisor - 1) / divisor;
  }
};

enum class StepBuffer : uint8_t {
  Tokens,
  RowIndex,
  RowPosition,
  RowSequence,
  SeqStart,
  SeqSlot,
  OutIndex,
  OutStart,
  Forced,
  // Of training programs only.
  Targets,
  Noise,
  Hyper,
  Prices,
  Leaves
};
using abi::inferenceStepBuffers;
using abi::stepBufferCount;
static_assert(int(StepBuffer::Leaves) + 1 == stepBufferCount && int(StepBuffer::Forced) + 1 == inferenceStepBuffers);

struct Buffer {
  enum class Kind : uint8_t { Arena, Param, Pool, Pages, Table, Step, Packed, Grad, Total, Moment1, Moment2 };
  Kind kind = Kind::Arena;
  /// The arena's offset; the index of the pool, table, packed weights or (all others) parameter; the StepBuffer.
  int64_t index = 0;
  int64_t bytes = 0; ///< Arena only.
};

struct Launch {
  std::string kernel;
  std::string op;
  int64_t layer = -1;
  Grid grid;
  std::vector<Buffer> buffers;
  std::vector<int64_t> constants;
  int64_t count = -1;  ///< The buffer whose array of starts says how many rows the launch has; -1: the step's.
  int64_t threads = 0; ///< Of a GPU target: of a block. 0 for all others.
};

/// Bytes of the arena.
struct ArenaSpan {
  int64_t offset = 0;
  int64_t bytes = 0;
};

/// What a training program gives back, by the documentation's names; `layer` is that of "statistics.I", else -1.
struct ProgramResult {
  enum class Kind : uint8_t { Loss, Statistics, Modes, Norm };
  Kind kind = Kind::Loss;
  int64_t layer = -1;
  ArenaSpan span;
};

struct Phase {
  int64_t maxTokens = 0;
  int64_t maxSeqs = 0;
  int64_t arenaBytes = 0;
  ArenaSpan logits; ///< Of inference, as is `routing`.
  ArenaSpan routing;
  std::vector<Launch> launches;
  std::vector<ProgramResult> results; ///< Of training programs.
  /// Of training programs: what is summed over ranks, as the gradients are, before the launch `exchangeBefore`; -1: the
  /// gradients are, after the last.
  std::vector<ArenaSpan> exchange;
  int64_t exchangeBefore = -1;
};

/// The training programs, in the order of their names.
enum class TrainingProgram : uint8_t { TrainHard, TrainSoft, EvaluateHard, EvaluateSoft, Accumulate, Update };
using abi::trainingProgramCount;
static_assert(int(TrainingProgram::Update) + 1 == trainingProgramCount);

/// "train_hard", ...
const char *nameOf(TrainingProgram program);

/// What is made for one ISA.
struct Variant {
  std::string name;
  std::vector<std::string> features; ///< That the CPU must have, as in /proc/cpuinfo.
  std::vector<PackedWeights> packed;
  int64_t stackBytes = 0; ///< The most that a call of one of its kernels takes of the stack.
  Phase prefill;          ///< Without launches unless the variant infers.
  std::optional<Phase> decode;
  std::array<std::optional<Phase>, trainingProgramCount> training;

  /// Whether it has programs of inference: a binary may be for training alone.
  bool infers() const { return prefill.maxTokens > 0; }
  /// A training program, or null.
  const Phase *program(TrainingProgram which) const {
    const std::optional<Phase> &found = training[size_t(which)];
    return found ? &*found : nullptr;
  }
};

struct Manifest {
  int64_t version = 0;
  std::string producer;
  std::string target;
  io::DType dtype = io::DType::F32;
  std::string numerics;
  int64_t maxTokens = 0;
  int64_t maxSeqs = 0;
  ModelShape model;
  std::vector<Parameter> parameters;
  std::vector<Pool> pools;
  std::vector<CacheLayout> caches;
  PageLayout pages;
  std::vector<int64_t> trainable; ///< Parameters with a gradient, ascending; empty without training programs.
  std::vector<Variant> variants;  ///< At least one, the best first.

  /// F64 for an f64 model, else F32.
  io::DType logitsType() const { return dtype == io::DType::F64 ? io::DType::F64 : io::DType::F32; }
  /// Of parameters, gradients and moments in training: the same.
  io::DType masterType() const { return logitsType(); }
  int64_t layers() const { return int64_t(model.layers.size()); }
};

/// The parameters that launches of the variant's inference read row by row, in their order.
std::vector<const Parameter *> rowMajorParameters(const Manifest &manifest, const Variant &variant);

/// Parses and checks a manifest: every field for its type and range, every reference for what it refers to, every size
/// for overflow. Does not ask whether this machine can run it. A message names the field: "model.window: must be ...".
/// The compiler asks this of each manifest that it is about to write.
Result<Manifest> readManifest(std::string_view text);

/// The same; `name` stands in front of messages.
Result<Manifest> parseManifest(std::string_view text, const std::string &name);

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_MANIFEST_H
