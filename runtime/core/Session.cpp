// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Session.h"

#include "runtime/cache/Snapshot.h"
#include "runtime/core/ProcessLimits.h"
#include "runtime/core/StepCheck.h"
#include "runtime/device/MakeDevice.h"

#include <algorithm>
#include <atomic>

namespace chimera::runtime {

static constexpr int64_t mostSequences = int64_t(1) << 20;

/// Checks options and puts defaults in the place of zeros, but for the threads.
static Failure completeOptions(const Manifest &manifest, SessionOptions &options) {
  auto check = [](const char *name, int64_t value, int64_t most) -> Failure {
    if (value >= 0 && value <= most)
      return std::nullopt;
    return Error(std::string(name) + " must be in 0 .. " + std::to_string(most) + ", is " + std::to_string(value));
  };
  if (Failure failure = check("threads", options.threads, mostDeviceThreads))
    return failure;
  if (Failure failure = check("max_sequences", options.maxSequences, mostSequences))
    return failure;
  if (Failure failure = check("memory_limit", options.memoryLimit, INT64_MAX))
    return failure;
  if (options.maxSequences == 0)
    options.maxSequences = std::max<int64_t>(1024, manifest.maxSeqs);
  return std::nullopt;
}

/// Gives the device the weights, before the caches get what is left of its memory.
static Failure placeWeights(Device &device, const Manifest &manifest, const Weights *weights) {
  for (size_t p = 0; weights && p < manifest.parameters.size(); ++p)
    if (const void *data = weights->data(p))
      if (Result<void *> placed = device.constant(data, size_t(manifest.parameters[p].bytes)); !placed)
        return placed.error();
  return std::nullopt;
}

Result<std::unique_ptr<Session>> Session::create(std::shared_ptr<const Model> model,
                                                 std::shared_ptr<const Weights> weights, const SessionOptions &given) {
  const Manifest &manifest = model->manifest();
  if (!model->variant().infers())
    return Error(model->name() + ": has no programs of inference; it was compiled for training alone");
  if (!weights && !manifest.parameters.empty())
    return Error(model->name() + ": a session needs weights");
  if (weights && weights->model().digest() != model->digest())
    return Error(model->name() + ": the weights were loaded for another binary, " + weights->model().name());
  SessionOptions options = given;
  if (Failure failure = completeOptions(manifest, options))
    return *failure;
  std::unique_ptr<Session> session(new Session);
  session->owner = std::move(model);
  session->weights = std::move(weights);
  Result<std::unique_ptr<Device>> device =
      makeDevice(manifest.target, options.threads, session->owner->variant().stackBytes);
  if (!device)
    return device.error();
  session->device = std::move(*device);
  if (Failure failure = placeWeights(*session->device, manifest, session->weights.get()))
    return *failure;
  if (options.memoryLimit == 0)
    options.memoryLimit = session->device->usableMemory();
  Result<Cache> cache = Cache::create(*session->device, manifest, options.maxSequences, options.memoryLimit);
  if (!cache)
    return cache.error();
  session->cache = std::make_unique<Cache>(std::move(*cache));
  Result<std::unique_ptr<Executor>> executor =
      Executor::create(*session->device, *session->owner, session->weights.get(), *session->cache, options.poison);
  if (!executor)
    return executor.error();
  session->executor = std::move(*executor);
  return session;
}

static Error unknownSequence(int64_t sequence) {
  return Error("there is no sequence " + std::to_string(sequence));
}

Result<Session::Sequence> Session::find(int64_t sequence) const {
  auto found = sequences.find(sequence);
  if (found == sequences.end())
    return unknownSequence(sequence);
  return found->second;
}

Failure Session::checkUsable() const {
  if (maker.isThis())
    return device->failure();
  return Error("the session was made before this process was forked, and its threads are the parent's; make a new "
               "session of the same model and weights");
}

int64_t Session::insert(Sequence sequence) {
  // One count for all sessions, so that none takes another's sequence for its own.
  static std::atomic<int64_t> next{1};
  int64_t name = next.fetch_add(1, std::memory_order_relaxed);
  sequences.emplace(name, sequence);
  return name;
}

Result<int64_t> Session::add() {
  Result<int32_t> slot = cache->add();
  if (!slot)
    return slot.error();
  return insert({*slot, 0, 0});
}

Failure Session::drop(int64_t sequence) {
  Result<Sequence> found = find(sequence);
  if (!found)
    return found.error();
  cache->drop(found->slot);
  sequences.erase(sequence);
  return std::nullopt;
}

Result<int64_t> Session::fork(int64_t source) {
  Result<Sequence> found = find(source);
  if (!found)
    return found.error();
  Result<int32_t> slot = cache->fork(found->slot);
  if (!slot)
    return slot.error();
  return insert({*slot, found->position, 0});
}

Result<int64_t> Session::position(int64_t sequence) const {
  Result<Sequence> found = find(sequence);
  if (!found)
    return found.error();
  return found->position;
}

Result<std::vector<uint8_t>> Session::snapshot(int64_t sequence) const {
  Result<Sequence> found = find(sequence);
  if (!found)
    return found.error();
  std::vector<uint8_t> bytes = writeSnapshot(*owner, weightsDigest(), *device, *cache, found->slot, found->position);
  if (Failure failure = device->failure())
    return *failure;
  return bytes;
}

Result<int64_t> Session::restore(ByteSpan bytes) {
  Result<SnapshotView> view = readSnapshot(*owner, weightsDigest(), bytes);
  if (!view)
    return view.error();
  Result<int32_t> slot = cache->restore(*view);
  if (!slot)
    return slot.error();
  return insert({*slot, view->position, 0});
}

/// Fills `items` with what was given, checked, and without what has no tokens.
Failure Session::checkItems(const chimera_step_item *given, size_t count) {
  items.clear();
  ++steps;
  for (size_t i = 0; i < count; ++i) {
    auto found = sequences.find(given[i].sequence);
    if (found == sequences.end())
      return unknownSequence(given[i].sequence);
    Sequence &sequence = found->second;
    if (sequence.lastStep == steps)
      return Error("sequence " + std::to_string(given[i].sequence) + " occurs twice in a step");
    sequence.lastStep = steps;
    StepItem item{given[i].sequence,
                  sequence.slot,
                  sequence.position,
                  given[i].tokens,
                  given[i].count,
                  given[i].forced,
                  chimera_logits(given[i].logits)};
    if (Failure failure = checkStepItem(owner->manifest(), item))
      return *failure;
    if (item.count > 0)
      items.push_back(item);
  }
  return std::nullopt;
}

Failure Session::checkResults(const void *logits, size_t logitsBytes, const int8_t *routing,
                              size_t routingBytes) const {
  const Manifest &manifest = owner->manifest();
  // At most 2^20 sequences of 2^31 rows; a row of logits has at most 2^23 bytes.
  __int128 outputs = 0, rows = 0;
  for (const StepItem &item : items) {
    outputs += item.wanted();
    rows += item.count;
  }
  __int128 needed = outputs * manifest.model.vocabSize * io::sizeOf(manifest.logitsType());
  if (outputs > 0 && !logits)
    return Error("logits are wanted, but there is no buffer for them");
  if (needed > __int128(logitsBytes) && outputs > 0)
    return Error("the buffer for logits has " + std::to_string(logitsBytes) + " bytes, the step needs " +
                 std::to_string(uint64_t(std::min<__int128>(needed, UINT64_MAX))));
  if (routing && rows * manifest.layers() > __int128(routingBytes))
    return Error("the buffer for routing has " + std::to_string(routingBytes) + " bytes, the step needs " +
                 std::to_string(uint64_t(rows * manifest.layers())));
  return std::nullopt;
}

Failure Session::prepare() {
  const Phase &phase = owner->variant().prefill;
  growth.clear();
  int64_t rows = 0;
  for (const StepItem &item : items) {
    growth.push_back({item.slot, item.count});
    rows += item.count;
  }
  batch.allocate(std::min(rows, phase.maxTokens), std::min<int64_t>(int64_t(items.size()), phase.maxSeqs),
                 owner->manifest().layers());
  if (Failure failure = cache->prepare(growth))
    return failure;
  return executor->prepare();
}

void Session::runSteps(void *logits, int8_t *routing) {
  const Manifest &manifest = owner->manifest();
  size_t rowBytes = size_t(manifest.model.vocabSize * io::sizeOf(manifest.logitsType()));
  uint8_t *logitsAt = static_cast<uint8_t *>(logits);
  const Phase &prefill = owner->variant().prefill;
  StepCutter cutter(items, prefill.maxTokens, prefill.maxSeqs, manifest.layers());
  for (size_t first; !device->failure() && cutter.next(batch, first);) {
    cache->reserve(batch.growth);
    executor->run(batch, logitsAt, routing);
    cache->settle(batch.growth);
    for (size_t i = 0; i < batch.growth.size(); ++i)
      sequences.at(items[first + i].sequence).position += batch.growth[i].rows;
    if (logitsAt)
      logitsAt += size_t(batch.outputs()) * rowBytes;
    if (routing)
      routing += batch.rows() * manifest.layers();
  }
}

Failure Session::step(const chimera_step_item *given, size_t count, void *logits, size_t logitsBytes, int8_t *routing,
                      size_t routingBytes) {
  if (Failure failure = checkItems(given, count))
    return failure;
  if (Failure failure = checkResults(logits, logitsBytes, routing, routingBytes))
    return failure;
  if (Failure failure = prepare())
    return failure;
  runSteps(logits, routing);
  device->finish();
  return device->failure();
}

Failure Session::beginProfile(int64_t maxEvents) {
  constexpr int64_t mostEvents = int64_t(1) << 28;
  if (maxEvents < 0 || maxEvents > mostEvents)
    return Error("max_events must be in 0 .. " + std::to_string(mostEvents) + ", is " + std::to_string(maxEvents));
  auto fresh = std::make_unique<Profile>(owner->variant(), size_t(maxEvents));
  executor->setProfile(fresh.get());
  timed = std::move(fresh);
  return std::nullopt;
}

Result<MemoryUse> Session::memoryUse(int64_t sequence) const {
  MemoryUse use;
  if (sequence != CHIMERA_ALL_SEQUENCES) {
    Result<Sequence> found = find(sequence);
    if (!found)
      return found.error();
    cache->addMemoryUse(found->slot, found->position > 0, use);
    return use;
  }
  std::vector<bool> seen(size_t(cache->pages().pagesEver()));
  for (const auto &entry : sequences)
    cache->addMemoryUse(entry.second.slot, entry.second.position > 0, use, &seen);
  return use;
}

} // namespace chimera::runtime
