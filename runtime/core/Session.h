// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sequences and steps of one model: what the C interface calls a session.
#ifndef CHIMERA_RUNTIME_CORE_SESSION_H
#define CHIMERA_RUNTIME_CORE_SESSION_H

#include "runtime/cache/Cache.h"
#include "runtime/core/Executor.h"
#include "runtime/core/Model.h"
#include "runtime/core/StepBatch.h"
#include "runtime/core/Weights.h"
#include "runtime/device/Device.h"
#include "runtime/device/Forks.h"

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace chimera::runtime {

/// Zero stands for the default that chimera_session_options names.
struct SessionOptions {
  int64_t threads = 0;
  int64_t maxSequences = 0;
  int64_t memoryLimit = 0;
  bool poison = false;
};

/// The functions are those of runtime/abi/chimera.h; each says there what it does. One that fails changes nothing.
class Session {
public:
  /// `weights` may be null for a model without parameters.
  static Result<std::unique_ptr<Session>> create(std::shared_ptr<const Model> model,
                                                 std::shared_ptr<const Weights> weights, const SessionOptions &options);

  const Model &model() const { return *owner; }
  /// Nothing in the process that made the session, as long as its device works. In a forked child, where its threads
  /// are missing, and once the device is lost, an error: the session may only be destroyed then.
  Failure checkUsable() const;

  Result<int64_t> add();
  Failure drop(int64_t sequence);
  Result<int64_t> fork(int64_t source);
  Result<int64_t> position(int64_t sequence) const;
  Result<std::vector<uint8_t>> snapshot(int64_t sequence) const;
  Result<int64_t> restore(ByteSpan bytes);

  /// See chimera_step.
  Failure step(const chimera_step_item *items, size_t count, void *logits, size_t logitsBytes, int8_t *routing,
               size_t routingBytes);

  /// Of one sequence, or of CHIMERA_ALL_SEQUENCES.
  Result<MemoryUse> memoryUse(int64_t sequence) const;

  /// See chimera_profile_begin.
  Failure beginProfile(int64_t maxEvents);
  void endProfile() { executor->setProfile(nullptr); }
  /// Null before the first beginProfile.
  const Profile *profile() const { return timed.get(); }

private:
  struct Sequence {
    int32_t slot = 0;
    int64_t position = 0;
    uint64_t lastStep = 0; ///< The number of the last step that named it.
  };

  Session() = default;
  Digest weightsDigest() const { return weights ? weights->digest() : Digest(); }
  Result<Sequence> find(int64_t sequence) const;
  int64_t insert(Sequence sequence);
  Failure checkItems(const chimera_step_item *given, size_t count);
  Failure checkResults(const void *logits, size_t logitsBytes, const int8_t *routing, size_t routingBytes) const;
  Failure prepare();
  void runSteps(void *logits, int8_t *routing);

  // The order matters: regions are released to the device, which goes last.
  std::shared_ptr<const Model> owner;
  std::shared_ptr<const Weights> weights;
  std::unique_ptr<Device> device;
  std::unique_ptr<Cache> cache;
  std::unique_ptr<Profile> timed;
  std::unique_ptr<Executor> executor;
  std::unordered_map<int64_t, Sequence> sequences;
  MakerProcess maker;
  uint64_t steps = 0;

  // Of the step that runs; kept for their memory, so that steps like those before allocate nothing.
  std::vector<StepItem> items;
  std::vector<Growth> growth;
  StepBatch batch;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_SESSION_H
