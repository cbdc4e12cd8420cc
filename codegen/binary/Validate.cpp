// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The writer's half of the contract: a manifest that the runtime would refuse is not written.
#include "codegen/binary/Manifest.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include <cmath>
#include <functional>
#include <numeric>
#include <set>

namespace chimera::binary {

namespace {

constexpr int64_t arenaAlignment = 64;
constexpr llvm::StringLiteral stepBuffers[] = {"tokens",   "row_index", "row_position", "row_sequence", "seq_start",
                                               "seq_slot", "out_index", "out_start",    "forced"};
constexpr llvm::StringLiteral trainingBuffers[] = {"targets", "noise", "hyper", "prices", "leaves"};
constexpr llvm::StringLiteral trainingPrograms[] = {"train_hard",    "train_soft", "evaluate_hard",
                                                    "evaluate_soft", "accumulate", "update"};

llvm::Error fault(const llvm::Twine &where, const llvm::Twine &what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), "manifest: " + where + ": " + what);
}

llvm::Error checkSlice(const llvm::Twine &where, const ArenaSlice &slice, int64_t arenaBytes) {
  if (slice.offset < 0 || slice.bytes < 0 || slice.offset > arenaBytes || slice.bytes > arenaBytes - slice.offset)
    return fault(where, "bytes " + llvm::Twine(slice.offset) + " + " + llvm::Twine(slice.bytes) +
                            " lie outside of the arena of " + llvm::Twine(arenaBytes));
  if (slice.offset % arenaAlignment != 0)
    return fault(where, "arena offset " + llvm::Twine(slice.offset) + " is not a multiple of 64");
  return llvm::Error::success();
}

llvm::Error checkIndex(const llvm::Twine &where, llvm::StringRef kind, int64_t index, int64_t size) {
  if (index < 0 || index >= size)
    return fault(where, kind + " " + llvm::Twine(index) + " of " + llvm::Twine(size));
  return llvm::Error::success();
}

/// A phase, and what its launches refer to.
struct Scope {
  const Manifest &manifest;
  const Variant &variant;
  const Phase &phase;
};

/// Training programs have no caches and read no panels, and only they have gradients and what comes with them.
llvm::Error checkKind(const llvm::Twine &where, const Phase &phase, Buffer::Kind kind) {
  switch (kind) {
  case Buffer::Kind::Pool:
  case Buffer::Kind::Pages:
  case Buffer::Kind::Table:
  case Buffer::Kind::Packed:
    return isInference(phase.name) ? llvm::Error::success()
                                   : fault(where, "a training program has neither caches nor packed weights");
  case Buffer::Kind::Grad:
  case Buffer::Kind::Total:
  case Buffer::Kind::Moment1:
  case Buffer::Kind::Moment2:
    return isInference(phase.name) ? fault(where, "only training programs have gradients and moments")
                                   : llvm::Error::success();
  default:
    return llvm::Error::success();
  }
}

bool knowsStepBuffer(const Phase &phase, llvm::StringRef name) {
  return llvm::is_contained(stepBuffers, name) ||
         (!isInference(phase.name) && llvm::is_contained(trainingBuffers, name));
}

llvm::Error checkBuffer(const llvm::Twine &where, const Scope &scope, const Buffer &buffer) {
  const Manifest &manifest = scope.manifest;
  if (llvm::Error error = checkKind(where, scope.phase, buffer.kind))
    return error;
  switch (buffer.kind) {
  case Buffer::Kind::Arena:
    return checkSlice(where, buffer.slice, scope.phase.arenaBytes);
  case Buffer::Kind::Param:
    return checkIndex(where, "parameter", buffer.index, static_cast<int64_t>(manifest.parameters.size()));
  case Buffer::Kind::Pool:
    return checkIndex(where, "pool", buffer.index, static_cast<int64_t>(manifest.pools.size()));
  case Buffer::Kind::Table:
    return checkIndex(where, "page table", buffer.index, manifest.pages.tables);
  case Buffer::Kind::Pages:
    return manifest.pages.bytes > 0 ? llvm::Error::success() : fault(where, "pages, but the model has none");
  case Buffer::Kind::Step:
    return knowsStepBuffer(scope.phase, buffer.step) ? llvm::Error::success()
                                                     : fault(where, "unknown step buffer '" + buffer.step + "'");
  case Buffer::Kind::Packed:
    return checkIndex(where, "packed weights", buffer.index, static_cast<int64_t>(scope.variant.packed.size()));
  case Buffer::Kind::Grad:
  case Buffer::Kind::Total:
  case Buffer::Kind::Moment1:
  case Buffer::Kind::Moment2:
    return llvm::is_contained(manifest.trainable, buffer.index)
               ? llvm::Error::success()
               : fault(where, "parameter " + llvm::Twine(buffer.index) + " is not trainable");
  }
  return fault(where, "unknown kind of buffer");
}

/// A launch's count is an array of S + 1 starts.
llvm::Error checkCount(const std::string &where, const Scope &scope, const Launch &launch) {
  if (!launch.count)
    return llvm::Error::success();
  if (llvm::Error error =
          checkIndex(where, "count: buffer", *launch.count, static_cast<int64_t>(launch.buffers.size())))
    return error;
  const Buffer &buffer = launch.buffers[*launch.count];
  bool isStep = buffer.kind == Buffer::Kind::Step && (buffer.step == "seq_start" || buffer.step == "out_start");
  int64_t needed = 4 * (scope.phase.limits.maxSeqs + 1);
  if (!isStep && (buffer.kind != Buffer::Kind::Arena || buffer.slice.bytes < needed))
    return fault(where, "count: buffer " + llvm::Twine(*launch.count) + " is no array of starts");
  return llvm::Error::success();
}

llvm::Error checkLaunch(const std::string &where, const Scope &scope, const Launch &launch) {
  const Grid &grid = launch.grid;
  if (launch.kernel.empty())
    return fault(where, "no kernel");
  if (grid.divisor <= 0 || grid.tokens < 0 || grid.seqs < 0 || grid.outputs < 0 || grid.constant < 0)
    return fault(where, "a grid needs a positive divisor and no negative terms");
  if (launch.layer < -1 || launch.layer >= static_cast<int64_t>(scope.manifest.model.layers.size()))
    return fault(where, "layer " + llvm::Twine(launch.layer) + " does not exist");
  for (auto [index, buffer] : llvm::enumerate(launch.buffers))
    if (llvm::Error error = checkBuffer(where + ", buffer " + std::to_string(index), scope, buffer))
      return error;
  return checkCount(where, scope, launch);
}

/// What a program gives back: logits and routing, or results by name.
llvm::Error checkResults(const std::string &where, const Phase &phase) {
  if (isInference(phase.name)) {
    if (llvm::Error error = checkSlice(where + ", logits", phase.logits, phase.arenaBytes))
      return error;
    return checkSlice(where + ", routing", phase.routing, phase.arenaBytes);
  }
  if (!llvm::is_contained(trainingPrograms, phase.name))
    return fault(where, "there is no program of that name");
  std::set<std::string> names;
  for (const auto &[name, slice] : phase.results) {
    if (!names.insert(name).second)
      return fault(where + ", result " + name, "named twice");
    if (llvm::Error error = checkSlice(where + ", result " + name, slice, phase.arenaBytes))
      return error;
  }
  for (const ArenaSlice &slice : phase.exchange)
    if (llvm::Error error = checkSlice(where + ", exchange", slice, phase.arenaBytes))
      return error;
  if (phase.exchangeBefore &&
      (*phase.exchangeBefore < 0 || *phase.exchangeBefore > static_cast<int64_t>(phase.launches.size())))
    return fault(where + ", exchange", "there is no launch " + std::to_string(*phase.exchangeBefore));
  return llvm::Error::success();
}

llvm::Error checkPhase(const Manifest &manifest, const Variant &variant, const Phase &phase) {
  std::string where = "phase " + phase.name;
  if (manifest.variants.size() > 1)
    where = "variant " + variant.name + ", " + where;
  if (phase.limits.maxTokens <= 0 || phase.limits.maxSeqs <= 0 || phase.limits.maxTokens > manifest.limits.maxTokens ||
      phase.limits.maxSeqs > manifest.limits.maxSeqs)
    return fault(where, "limits must be positive and at most the model's");
  if (phase.arenaBytes < 0)
    return fault(where, "negative arena");
  if (llvm::Error error = checkResults(where, phase))
    return error;
  for (auto [index, launch] : llvm::enumerate(phase.launches))
    if (llvm::Error error = checkLaunch(where + ", launch " + std::to_string(index) + " (" + launch.kernel + ")",
                                        {manifest, variant, phase}, launch))
      return error;
  return llvm::Error::success();
}

int64_t product(const std::vector<int64_t> &shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t(1), std::multiplies<int64_t>());
}

llvm::Error checkParameters(const Manifest &manifest) {
  std::set<std::string> names;
  for (const Parameter &parameter : manifest.parameters) {
    if (!names.insert(parameter.name).second)
      return fault("parameter " + parameter.name, "named twice");
    if (llvm::any_of(parameter.shape, [](int64_t size) { return size <= 0; }))
      return fault("parameter " + parameter.name, "sizes must be positive");
    if (!parameter.sourceShape.empty() && product(parameter.sourceShape) != product(parameter.shape))
      return fault("parameter " + parameter.name, "source_shape has another number of elements");
    if (parameter.rowPermutation.empty())
      continue;
    std::set<int64_t> rows(parameter.rowPermutation.begin(), parameter.rowPermutation.end());
    int64_t count = parameter.shape.empty() ? 0 : parameter.shape.front();
    if (static_cast<int64_t>(parameter.rowPermutation.size()) != count || static_cast<int64_t>(rows.size()) != count ||
        *rows.begin() != 0 || *rows.rbegin() != count - 1)
      return fault("parameter " + parameter.name, "row_permutation is not a permutation of its rows");
  }
  return llvm::Error::success();
}

llvm::Error checkTrainable(const Manifest &manifest) {
  for (auto [index, parameter] : llvm::enumerate(manifest.trainable)) {
    if (llvm::Error error =
            checkIndex("trainable", "parameter", parameter, static_cast<int64_t>(manifest.parameters.size())))
      return error;
    if (index > 0 && manifest.trainable[index - 1] >= parameter)
      return fault("trainable", "parameters must ascend");
  }
  return llvm::Error::success();
}

llvm::Error checkCaches(const Manifest &manifest) {
  int64_t layers = static_cast<int64_t>(manifest.model.layers.size());
  std::set<std::string> names;
  for (const Pool &pool : manifest.pools) {
    if (!names.insert(pool.name).second)
      return fault("pool " + pool.name, "named twice");
    if (pool.bytesPerSlot <= 0)
      return fault("pool " + pool.name, "bytes_per_slot must be positive");
    if (llvm::Error error = checkIndex("pool " + pool.name, "layer", pool.layer, layers))
      return error;
  }
  for (auto [index, cache] : llvm::enumerate(manifest.caches)) {
    std::string where = "cache " + std::to_string(index);
    if (llvm::Error error = checkIndex(where, "layer", cache.layer, layers))
      return error;
    for (int64_t pool : cache.pools)
      if (llvm::Error error = checkIndex(where, "pool", pool, static_cast<int64_t>(manifest.pools.size())))
        return error;
    if ((cache.kind == "list") != cache.table.has_value())
      return fault(where, "a list has a page table, and nothing else has");
    if (cache.table)
      if (llvm::Error error = checkIndex(where, "page table", *cache.table, manifest.pages.tables))
        return error;
    if ((cache.kind == "ring") != cache.room.has_value() || (cache.room && *cache.room < manifest.model.window))
      return fault(where, "a ring has room for the window at least, and nothing else has room");
  }
  return llvm::Error::success();
}

llvm::Error checkModel(const ModelInfo &model) {
  auto isToken = [&](int64_t id) { return id >= 0 && id < model.vocabSize; };
  if (model.bosTokenId && !isToken(*model.bosTokenId))
    return fault("model", "bos_token_id " + llvm::Twine(*model.bosTokenId) + " is not a token");
  for (int64_t id : model.eosTokenIds)
    if (!isToken(id))
      return fault("model", "end token " + llvm::Twine(id) + " is not a token");
  for (auto [index, layer] : llvm::enumerate(model.layers)) {
    double sum = std::accumulate(layer.target.begin(), layer.target.end(), 0.0);
    bool shares = llvm::all_of(layer.target, [](double share) { return share >= 0.0 && share <= 1.0; });
    if (layer.target.size() != layer.modes.size() || !shares || !(std::abs(sum - 1.0) <= 1e-9))
      return fault("layer " + llvm::Twine(index), "target must be a share for each mode, their sum 1");
  }
  return llvm::Error::success();
}

llvm::Error checkVariant(const Manifest &manifest, const Variant &variant) {
  for (auto [index, packed] : llvm::enumerate(variant.packed)) {
    std::string where = "variant " + variant.name + ", packed weights " + std::to_string(index);
    std::optional<int64_t> bytes = packedBytes(packed, manifest.parameters);
    if (!bytes)
      return fault(where, "no layout for these parameters");
    if (packed.bytes != *bytes)
      return fault(where, llvm::Twine(packed.bytes) + " bytes, the layout has " + llvm::Twine(*bytes));
  }
  std::set<std::string> names;
  for (const Phase &phase : variant.phases) {
    if (!names.insert(phase.name).second)
      return fault("phase " + phase.name, "named twice");
    if (llvm::Error error = checkPhase(manifest, variant, phase))
      return error;
  }
  return llvm::Error::success();
}

} // namespace

llvm::Error validate(const Manifest &manifest) {
  if (manifest.limits.maxTokens <= 0 || manifest.limits.maxSeqs <= 0)
    return fault("limits", "must be positive");
  if (llvm::Error error = checkModel(manifest.model))
    return error;
  if (llvm::Error error = checkParameters(manifest))
    return error;
  if (llvm::Error error = checkTrainable(manifest))
    return error;
  if (llvm::Error error = checkCaches(manifest))
    return error;
  if (manifest.variants.empty())
    return fault("variants", "there are none");
  std::set<std::string> names;
  for (const Variant &variant : manifest.variants) {
    if (!names.insert(variant.name).second)
      return fault("variant " + variant.name, "named twice");
    if (llvm::Error error = checkVariant(manifest, variant))
      return error;
  }
  return llvm::Error::success();
}

} // namespace chimera::binary
