// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/ManifestCheck.h"

#include "runtime/abi/GpuLaunch.h"

#include <algorithm>
#include <set>

namespace chimera::runtime {

static std::string indexed(const char *array, size_t index) {
  return std::string(array) + "[" + std::to_string(index) + "]";
}

/// The number of pools that a cache of this kind has.
static bool poolCountFits(const CacheLayout &cache) {
  size_t count = cache.pools.size();
  return cache.kind == CacheKind::Ring ? count == 3 || count == 4 : count == 1;
}

/// Whether the i-th pool of the cache has a size that its kind allows.
static bool poolSizeFits(const CacheLayout &cache, size_t i, int64_t bytes) {
  bool last = i + 1 == cache.pools.size();
  switch (cache.kind) {
  case CacheKind::Counts:
    // A mode that no token can take need not be counted.
    return bytes > 0 && bytes % 8 == 0 && bytes <= 8 * CHIMERA_MODE_COUNT;
  case CacheKind::List:
    return bytes == 8;
  case CacheKind::Ring:
    return last ? bytes == 8 : cache.room > 0 && bytes % cache.room == 0 && (bytes > 0 || i > 0);
  case CacheKind::Tail:
  case CacheKind::State:
    return bytes > 0;
  }
  return false;
}

static Failure checkCache(const Manifest &manifest, size_t index, std::set<int64_t> &poolsTaken,
                          std::set<int64_t> &tablesTaken) {
  const CacheLayout &cache = manifest.caches[index];
  auto error = [&](const std::string &what) { return Error(indexed("caches", index) + ": " + what); };
  if (!poolCountFits(cache))
    return error("has " + std::to_string(cache.pools.size()) + " pools, which its kind does not");
  for (size_t i = 0; i < cache.pools.size(); ++i) {
    const Pool &pool = manifest.pools[size_t(cache.pools[i])];
    if (!poolsTaken.insert(cache.pools[i]).second)
      return error("shares pool " + std::to_string(cache.pools[i]) + " with another cache");
    if (pool.layer != cache.layer || pool.mode != cache.mode)
      return error("pool " + std::to_string(cache.pools[i]) + " is of another layer or mode");
    if (!poolSizeFits(cache, i, pool.bytesPerSlot))
      return error("pool " + std::to_string(cache.pools[i]) + " has " + std::to_string(pool.bytesPerSlot) +
                   " bytes a slot, which its kind does not");
  }
  if ((cache.kind == CacheKind::List) != (cache.table >= 0))
    return error("a list has a table, and nothing else has");
  if (cache.kind == CacheKind::Ring ? cache.room < manifest.model.window : cache.room != 0)
    return error("a ring has room for the window at least, and nothing else has room");
  if (cache.kind == CacheKind::List && !tablesTaken.insert(cache.table).second)
    return error("shares table " + std::to_string(cache.table) + " with another list");
  return std::nullopt;
}

static Failure checkCaches(const Manifest &manifest) {
  std::set<int64_t> pools, tables;
  for (size_t i = 0; i < manifest.caches.size(); ++i)
    if (Failure failure = checkCache(manifest, i, pools, tables))
      return failure;
  if (int64_t(tables.size()) != manifest.pages.tables)
    return Error("pages.tables: must be the number of lists, " + std::to_string(tables.size()));
  if (!tables.empty() && manifest.pages.bytes == 0)
    return Error("pages.bytes: must not be 0, as there are lists");
  return std::nullopt;
}

/// Training programs have no caches and read no panels; inference has no gradients and what comes with them.
static Failure checkBufferKind(Buffer::Kind kind, bool training) {
  switch (kind) {
  case Buffer::Kind::Pool:
  case Buffer::Kind::Table:
  case Buffer::Kind::Pages:
  case Buffer::Kind::Packed:
    return training ? Error("a training program has neither caches nor packed weights") : Failure();
  case Buffer::Kind::Grad:
  case Buffer::Kind::Total:
  case Buffer::Kind::Moment1:
  case Buffer::Kind::Moment2:
    return training ? Failure() : Error("only training programs have gradients and moments");
  default:
    return std::nullopt;
  }
}

static Failure checkBuffer(const Manifest &manifest, const Variant &variant, const Phase &phase, const Buffer &buffer) {
  auto refersTo = [&](const char *what, size_t count) -> Failure {
    if (buffer.index < int64_t(count))
      return std::nullopt;
    return Error(std::string(what) + " " + std::to_string(buffer.index) + " of " + std::to_string(count));
  };
  switch (buffer.kind) {
  case Buffer::Kind::Arena:
    if (buffer.index % abi::arenaAlignment != 0)
      return Error("the arena offset " + std::to_string(buffer.index) + " is not a multiple of 64");
    if (buffer.index > phase.arenaBytes || buffer.bytes > phase.arenaBytes - buffer.index)
      return Error("lies outside the arena");
    return std::nullopt;
  case Buffer::Kind::Param:
    return refersTo("parameter", manifest.parameters.size());
  case Buffer::Kind::Pool:
    return refersTo("pool", manifest.pools.size());
  case Buffer::Kind::Table:
    return refersTo("table", size_t(manifest.pages.tables));
  case Buffer::Kind::Pages:
    return manifest.pages.bytes > 0 ? Failure() : Error("pages, of which there are none");
  case Buffer::Kind::Packed:
    return refersTo("packed weights", variant.packed.size());
  case Buffer::Kind::Grad:
  case Buffer::Kind::Total:
  case Buffer::Kind::Moment1:
  case Buffer::Kind::Moment2:
    if (!std::binary_search(manifest.trainable.begin(), manifest.trainable.end(), buffer.index))
      return Error("parameter " + std::to_string(buffer.index) + " is not trainable");
    return std::nullopt;
  case Buffer::Kind::Step:
    return std::nullopt;
  }
  return std::nullopt;
}

/// Whether a buffer holds S + 1 starts.
static bool holdsStarts(const Phase &phase, const Buffer &buffer) {
  if (buffer.kind == Buffer::Kind::Step)
    return buffer.index == int64_t(StepBuffer::SeqStart) || buffer.index == int64_t(StepBuffer::OutStart);
  return buffer.kind == Buffer::Kind::Arena && buffer.bytes >= (phase.maxSeqs + 1) * int64_t(sizeof(int32_t));
}

/// What the launches of a GPU target have, and those of no other.
static Failure checkThreads(const Manifest &manifest, const Launch &launch) {
  if (!abi::isGpuTarget(manifest.target))
    return launch.threads ? Error(".threads: is for GPU targets") : Failure();
  if (launch.threads == 0 || launch.threads % abi::warpThreads != 0)
    return Error(".threads: must be whole warps of 32, is " + std::to_string(launch.threads));
  int64_t bytes = abi::gpuParameterBytes(int64_t(launch.buffers.size()), int64_t(launch.constants.size()));
  if (bytes > abi::mostGpuParameterBytes)
    return Error(": has " + std::to_string(bytes) + " bytes of buffers and arguments, a GPU kernel takes " +
                 std::to_string(abi::mostGpuParameterBytes));
  return std::nullopt;
}

static Failure checkLaunch(const Manifest &manifest, const Variant &variant, const Phase &phase, const Launch &launch,
                           bool training) {
  if (launch.layer >= manifest.layers())
    return Error(".layer: " + std::to_string(launch.layer) + " of " + std::to_string(manifest.layers()));
  for (size_t b = 0; b < launch.buffers.size(); ++b) {
    Failure failure = checkBufferKind(launch.buffers[b].kind, training);
    if (!failure)
      failure = checkBuffer(manifest, variant, phase, launch.buffers[b]);
    if (failure)
      return Error("." + indexed("buffers", b) + ": " + failure->message);
  }
  if (launch.count >= 0 && !holdsStarts(phase, launch.buffers[size_t(launch.count)]))
    return Error(".count: buffer " + std::to_string(launch.count) + " is no array of starts");
  return checkThreads(manifest, launch);
}

static Failure checkPacked(const Manifest &manifest, const PackedWeights &packed) {
  std::vector<int64_t> outputs;
  int64_t inputs = 0;
  for (int64_t index : packed.parameters) {
    const Parameter &parameter = manifest.parameters[size_t(index)];
    if (parameter.shape.size() != 2 || parameter.dtype == io::DType::F64)
      return Error("parameter " + std::to_string(index) + " is no matrix of f32 or bf16");
    if (!outputs.empty() && (parameter.shape[1] != inputs || (packed.interleaved && parameter.shape[0] != outputs[0])))
      return Error("parameter " + std::to_string(index) + " has another shape than the first");
    outputs.push_back(parameter.shape[0]);
    inputs = parameter.shape[1];
  }
  int64_t needed = panelShape(packed, outputs, inputs).bytes();
  if (packed.bytes != needed)
    return Error("has " + std::to_string(packed.bytes) + " bytes, its layout " + std::to_string(needed));
  return std::nullopt;
}

static Failure checkSpan(const char *what, const ArenaSpan &span, const Phase &phase, int64_t needed) {
  if (span.offset % abi::arenaAlignment != 0 || span.offset > phase.arenaBytes ||
      span.bytes > phase.arenaBytes - span.offset)
    return Error(std::string(what) + ": lies outside the arena, or not at a multiple of 64");
  if (span.bytes < needed)
    return Error(std::string(what) + ": has " + std::to_string(span.bytes) + " bytes, needs " + std::to_string(needed));
  return std::nullopt;
}

static Failure checkLimits(const Manifest &manifest, const Phase &phase) {
  if (phase.maxTokens > manifest.maxTokens || phase.maxSeqs > manifest.maxSeqs)
    return Error("max_tokens or max_seqs: more than the binary's limits");
  return std::nullopt;
}

static Failure checkLaunches(const Manifest &manifest, const Variant &variant, const Phase &phase, bool training) {
  for (size_t l = 0; l < phase.launches.size(); ++l)
    if (Failure failure = checkLaunch(manifest, variant, phase, phase.launches[l], training))
      return Error(indexed("launches", l) + failure->message);
  return std::nullopt;
}

static Failure checkInference(const Manifest &manifest, const Variant &variant, const Phase &phase) {
  if (Failure failure = checkLimits(manifest, phase))
    return failure;
  int64_t elementSize = io::sizeOf(manifest.logitsType());
  if (Failure failure =
          checkSpan("logits", phase.logits, phase, phase.maxTokens * manifest.model.vocabSize * elementSize))
    return failure;
  if (Failure failure = checkSpan("routing", phase.routing, phase, phase.maxTokens * manifest.layers()))
    return failure;
  return checkLaunches(manifest, variant, phase, false);
}

static Failure checkTraining(const Manifest &manifest, const Variant &variant, const Phase &phase) {
  using Kind = ProgramResult::Kind;
  if (Failure failure = checkLimits(manifest, phase))
    return failure;
  for (const ProgramResult &result : phase.results) {
    if (result.layer >= manifest.layers())
      return Error("results: statistics of layer " + std::to_string(result.layer) + " of " +
                   std::to_string(manifest.layers()));
    static const char *const names[] = {"loss", "statistics", "modes", "norm"};
    int64_t number = int64_t(sizeof(double));
    const int64_t needed[] = {2 * number, abi::routeStatistics * number, phase.maxTokens * manifest.layers(), number};
    Kind kind = result.kind;
    if (Failure failure = checkSpan(names[int(kind)], result.span, phase, needed[int(kind)]))
      return Error("results." + failure->message);
  }
  for (const ArenaSpan &span : phase.exchange)
    if (Failure failure = checkSpan("exchange", span, phase, 0))
      return failure;
  for (const ArenaSpan &span : phase.exchange)
    if (span.bytes % io::sizeOf(manifest.masterType()) != 0)
      return Error("exchange: " + std::to_string(span.bytes) + " bytes are no whole number of elements");
  if (phase.exchangeBefore > int64_t(phase.launches.size()))
    return Error("exchange.before: there are " + std::to_string(phase.launches.size()) + " launches, is " +
                 std::to_string(phase.exchangeBefore));
  return checkLaunches(manifest, variant, phase, true);
}

template <typename T> static Failure checkUnique(const char *array, const std::vector<T> &items) {
  std::set<std::string_view> names;
  for (const T &item : items)
    if (!names.insert(item.name).second)
      return Error(std::string(array) + ": two are called " + io::quote(item.name));
  return std::nullopt;
}

static Failure checkVariant(const Manifest &manifest, const Variant &variant) {
  for (size_t i = 0; i < variant.packed.size(); ++i)
    if (Failure failure = checkPacked(manifest, variant.packed[i]))
      return Error(indexed("packed", i) + ": " + failure->message);
  if (variant.infers())
    if (Failure failure = checkInference(manifest, variant, variant.prefill))
      return Error("phases.prefill." + failure->message);
  if (variant.decode)
    if (Failure failure = checkInference(manifest, variant, *variant.decode))
      return Error("phases.decode." + failure->message);
  for (int i = 0; i < trainingProgramCount; ++i)
    if (const Phase *program = variant.program(TrainingProgram(i)))
      if (Failure failure = checkTraining(manifest, variant, *program))
        return Error(std::string("training.") + nameOf(TrainingProgram(i)) + "." + failure->message);
  return std::nullopt;
}

Failure checkManifest(const Manifest &manifest) {
  if (Failure failure = checkUnique("parameters", manifest.parameters))
    return failure;
  if (Failure failure = checkUnique("pools", manifest.pools))
    return failure;
  if (Failure failure = checkCaches(manifest))
    return failure;
  for (size_t i = 1; i < manifest.trainable.size(); ++i)
    if (manifest.trainable[i - 1] >= manifest.trainable[i])
      return Error("trainable: parameters must ascend");
  if (Failure failure = checkUnique("variants", manifest.variants))
    return failure;
  for (size_t i = 0; i < manifest.variants.size(); ++i)
    if (Failure failure = checkVariant(manifest, manifest.variants[i]))
      return Error(indexed("variants", i) + "." + failure->message);
  return std::nullopt;
}

} // namespace chimera::runtime
