// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The manifest of a model binary: all that the runtime knows about a model, as plain data. docs/model-binary.md says
// what each field means; the names here are the keys there, in the project's spelling of variables.
#ifndef CHIMERA_CODEGEN_BINARY_MANIFEST_H
#define CHIMERA_CODEGEN_BINARY_MANIFEST_H

#include "runtime/abi/Layout.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace chimera::binary {

/// A launch covers ceil((tokens N + seqs S + outputs R + constant) / divisor) blocks.
struct Grid {
  int64_t tokens = 0;
  int64_t seqs = 0;
  int64_t outputs = 0;
  int64_t constant = 0;
  int64_t divisor = 1;
};

/// Bytes of the arena; the offset is a multiple of 64.
struct ArenaSlice {
  int64_t offset = 0;
  int64_t bytes = 0;
};

/// One entry of a launch's buffers. `slice` belongs to Arena, `step` (the name of a step buffer) to Step, `index` to
/// the others but Pages. Grad, Total, Moment1 and Moment2 are of the parameter `index`, in training programs only.
struct Buffer {
  enum class Kind { Arena, Param, Pool, Pages, Table, Step, Packed, Grad, Total, Moment1, Moment2 };

  Kind kind = Kind::Arena;
  ArenaSlice slice;
  int64_t index = 0;
  std::string step;

  static Buffer arena(int64_t offset, int64_t bytes) { return {Kind::Arena, {offset, bytes}, 0, {}}; }
  static Buffer param(int64_t index) { return {Kind::Param, {}, index, {}}; }
  static Buffer pool(int64_t index) { return {Kind::Pool, {}, index, {}}; }
  static Buffer pages() { return {Kind::Pages, {}, 0, {}}; }
  static Buffer table(int64_t index) { return {Kind::Table, {}, index, {}}; }
  static Buffer stepBuffer(std::string name) { return {Kind::Step, {}, 0, std::move(name)}; }
  static Buffer packed(int64_t index) { return {Kind::Packed, {}, index, {}}; }
  static Buffer grad(int64_t index) { return {Kind::Grad, {}, index, {}}; }
  static Buffer total(int64_t index) { return {Kind::Total, {}, index, {}}; }
  static Buffer moment1(int64_t index) { return {Kind::Moment1, {}, index, {}}; }
  static Buffer moment2(int64_t index) { return {Kind::Moment2, {}, index, {}}; }
};

/// One line of the launch table.
struct Launch {
  std::string kernel;
  std::string op;
  int64_t layer = -1;
  Grid grid;
  std::vector<Buffer> buffers;
  std::vector<int64_t> constants;
  /// The buffer whose array of starts says how many rows the launch has; none: the step's.
  std::optional<int64_t> count;
  /// Of a GPU target: the threads of a block. 0 for all others.
  int64_t threads = 0;
};

/// The most that one step holds.
struct Limits {
  int64_t maxTokens = 0;
  int64_t maxSeqs = 0;
};

/// A program: what one kind of step runs. `prefill` and `decode` infer and have logits and routing; every other name is
/// a training program, which has results by name.
struct Phase {
  std::string name;
  Limits limits;
  int64_t arenaBytes = 0;
  ArenaSlice logits;
  ArenaSlice routing;
  std::vector<Launch> launches;
  std::vector<std::pair<std::string, ArenaSlice>> results = {};
  /// Slices that are summed over ranks, as the gradients are, before the launch `exchangeBefore`; none: there is no
  /// such place, and the gradients are summed after the last.
  std::vector<ArenaSlice> exchange = {};
  std::optional<int64_t> exchangeBefore = std::nullopt;
};

/// Whether a program of that name infers.
inline bool isInference(llvm::StringRef name) {
  return name == "prefill" || name == "decode";
}

/// A tensor of the checkpoint, in the dtype that the kernels read.
struct Parameter {
  std::string name;
  std::vector<int64_t> shape;
  std::string dtype;
  bool optional = false;
  /// The checkpoint's own name for it; empty: `name`.
  std::string source;
  /// The shape of the checkpoint's tensor, the same elements in the same order; empty: `shape`.
  std::vector<int64_t> sourceShape;
  /// Row i of the parameter is row rowPermutation[i] of the checkpoint's tensor; empty: as it is.
  std::vector<int64_t> rowPermutation;
  /// The parameter is the rows from this one on of a tensor of shape `sourceShape`, which may have more; none: all of
  /// it.
  std::optional<int64_t> sourceRow = std::nullopt;
};

/// Matrices that kernels read from panels: the parameters (of equal inputs) stacked, or two interleaved.
struct PackedWeights {
  std::vector<int64_t> parameters;
  /// "f32", "bf16" or "i8".
  std::string format;
  int64_t panel = 1;
  int64_t group = 1;
  bool interleaved = false;
  int64_t bytes = 0;
};

/// A slot pool: `bytesPerSlot` bytes for each cache slot.
struct Pool {
  std::string name;
  int64_t layer = 0;
  std::string mode;
  int64_t bytesPerSlot = 0;
};

/// A cache of one layer and mode: which pools (and, for a list, which page table) hold it.
struct Cache {
  int64_t layer = 0;
  std::string mode;
  std::string kind;
  std::vector<int64_t> pools;
  std::optional<int64_t> table;
  std::optional<int64_t> room; ///< The entries that a ring has room for.
};

/// The pages that all growing lists share; bytes is 0 without lists.
struct Pages {
  int64_t entries = 64;
  int64_t bytes = 0;
  int64_t tables = 0;
};

/// The modes of a layer, by name in canonical order, those that a caller may force, and the share of the tokens that
/// each of `modes` is meant to take: one number a mode, their sum 1.
struct ModelLayer {
  std::vector<std::string> modes;
  std::vector<std::string> forceable;
  std::vector<double> target;
};

/// What a user of the binary has to know about the model.
struct ModelInfo {
  int64_t vocabSize = 0;
  int64_t hiddenSize = 0;
  int64_t window = 0;
  int64_t headDim = 0;
  int64_t numAttentionHeads = 0;
  int64_t numKeyValueHeads = 0;
  std::optional<int64_t> bosTokenId;
  /// The tokens that end a text; may be empty.
  std::vector<int64_t> eosTokenIds;
  /// The longest sequence that the model was made for.
  std::optional<int64_t> maxPositionEmbeddings;
  /// How tokens are chosen unless the user says otherwise.
  std::optional<abi::SamplingDefaults> sampling;
  std::vector<ModelLayer> layers;
};

/// What is made for one ISA: the features of the CPU that it needs, as in /proc/cpuinfo, and its programs.
struct Variant {
  std::string name;
  std::vector<std::string> features;
  std::vector<PackedWeights> packed;
  std::vector<Phase> phases;
  /// The most that a call of one of its kernels takes of the stack: compileKernels knows.
  int64_t stackBytes = 0;
};

struct Manifest {
  std::string target = "ref";
  std::string dtype;
  std::string numerics = "invariant";
  Limits limits;
  ModelInfo model;
  std::vector<Parameter> parameters;
  std::vector<Pool> pools;
  std::vector<Cache> caches;
  Pages pages;
  /// Parameters that training changes by gradient, ascending; empty without training programs.
  std::vector<int64_t> trainable;
  /// The best first; the runtime takes the first that its CPU can run.
  std::vector<Variant> variants;
};

/// The manifest as the JSON text of the section .chimera.manifest. Keys come in the order of the documentation, so
/// equal manifests give equal bytes.
std::string toJson(const Manifest &manifest);

/// The symbols of the kernels that a variant's launch tables name, sorted, each once.
std::vector<std::string> kernelSymbols(const Variant &variant);

/// Appends `suffix` to the name of every kernel in the launch tables of `variant`: what compileKernels does to the
/// kernels themselves, so that the objects of several variants can be linked together.
void suffixKernels(Variant &variant, const std::string &suffix);

/// Appends the variants of `other`, a manifest of the same model compiled for another ISA. An error names what differs
/// where both must be equal (everything but the variants), or a variant that is there already.
llvm::Error appendVariant(Manifest &to, Manifest other);

/// Refuses a manifest that the runtime would not take: the runtime reads its text, as it does when it loads a binary.
/// An error names the field.
llvm::Error validate(const Manifest &manifest);

} // namespace chimera::binary

#endif // CHIMERA_CODEGEN_BINARY_MANIFEST_H
