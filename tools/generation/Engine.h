// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The runtime's C interface with owned handles and errors as values.
#ifndef CHIMERA_TOOLS_GENERATION_ENGINE_H
#define CHIMERA_TOOLS_GENERATION_ENGINE_H

#include "runtime/abi/chimera.h"
#include "runtime/io/DType.h"
#include "runtime/io/Result.h"
#include "tools/generation/ModelOptions.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chimera::run {

/// Time spent in steps, by kind. A step is decode when every sequence has one token.
struct StepTimes {
  int64_t prefillTokens = 0, decodeTokens = 0;
  double prefillSeconds = 0, decodeSeconds = 0;
  int64_t restoredTokens = 0; ///< That no step was fed, as they came in snapshots.
};

/// Who wants to know what happens to the sequences of a session.
class SessionObserver {
public:
  virtual ~SessionObserver() = default;
  /// A sequence that begins after `first` tokens, of which nothing is known.
  virtual void begin(chimera_sequence sequence, int64_t first) = 0;
  /// Tokens that a sequence was fed, their modes [count][layers], and its caches afterwards.
  virtual void add(chimera_sequence sequence, const int32_t *tokens, int64_t count, const int8_t *modes,
                   const chimera_memory &memory) = 0;
  /// The sequence's number is given to another.
  virtual void end(chimera_sequence sequence) = 0;
};

/// A loaded model with its weights, and one session.
class Engine {
public:
  /// Loads the model binary, a file or a stream (tools/support/Streams.h), and the checkpoint.
  static io::Result<Engine> open(const std::string &modelPath, const std::string &weightsPath);

  /// Whether there is a session.
  bool started() const { return session != nullptr; }
  /// Makes the session, with the threads and the memory of `options`; once, before the calls below it.
  io::Status start(const ModelOptions &options, int64_t maxSequences);

  /// Tells `to` of every sequence and step from now on; it must be there as long as there are any.
  void watch(SessionObserver &to) { observer = &to; }
  /// Calls `warn` once, when a sequence becomes longer than the model was made for.
  void warnBy(std::function<void(const std::string &)> warn) { warning = std::move(warn); }

  const chimera_model_info &info() const { return about; }
  const chimera_model *handle() const { return model.get(); }
  /// Whether `token` ends a text.
  bool endsText(int32_t token) const;
  /// f32 or f64.
  io::DType logitsType() const;
  /// Bytes of one row of logits.
  int64_t logitsRowBytes() const { return about.vocab_size * io::sizeOf(logitsType()); }

  io::Result<chimera_sequence> addSequence();
  /// A sequence that goes on as `source`, on its own.
  io::Result<chimera_sequence> forkSequence(chimera_sequence source);
  io::Status dropSequence(chimera_sequence sequence);

  /// How many tokens a sequence was fed.
  io::Result<int64_t> position(chimera_sequence sequence) const;

  /// Appends a sequence's snapshot to `bytes`.
  io::Status appendSnapshot(chimera_sequence sequence, std::string &bytes) const;
  /// Starts a sequence from a snapshot. The error: it is not this model's, or not one after so many `tokens`.
  io::Result<chimera_sequence> restoreSequence(std::string_view snapshot, int64_t tokens);

  /// One step; `logits` and `routing` are sized to what it gives. `routing` may be null.
  io::Status step(const std::vector<chimera_step_item> &items, std::vector<uint8_t> &logits,
                  std::vector<int8_t> *routing);

  /// What a call of the session said when its device had failed (CHIMERA_ERROR_DEVICE): no further call can work.
  const std::optional<io::Error> &loss() const { return lost; }

  io::Result<chimera_memory> memory() const { return memoryOf(CHIMERA_ALL_SEQUENCES); }
  /// The cache bytes of one sequence, or of all.
  io::Result<chimera_memory> memoryOf(chimera_sequence sequence) const;
  const StepTimes &times() const { return spent; }
  /// chimera_weights_digest in hexadecimal.
  io::Result<std::string> digest() const;
  /// Tensors of the checkpoint that the model does not use.
  size_t unusedTensors() const { return chimera_weights_unused_count(weights.get()); }

private:
  io::Error sessionError(io::Error error, int32_t status) const;
  /// Warns when a sequence of the step is now longer than the model was made for.
  void warnOfLength(const std::vector<chimera_step_item> &items);
  /// Tells the observer of a step, whose rows have these modes.
  io::Status tell(const std::vector<chimera_step_item> &items, const int8_t *modes);

  struct Free {
    void operator()(chimera_model *handle) const { chimera_model_free(handle); }
    void operator()(chimera_weights *handle) const { chimera_weights_free(handle); }
    void operator()(chimera_session *handle) const { chimera_session_free(handle); }
  };

  Engine() = default;

  std::unique_ptr<chimera_model, Free> model;
  std::unique_ptr<chimera_weights, Free> weights;
  std::unique_ptr<chimera_session, Free> session;
  int64_t maxSequences = 0;
  mutable std::optional<io::Error> lost;
  SessionObserver *observer = nullptr;
  std::function<void(const std::string &)> warning; ///< Empty: nobody wants it, or it was given.
  std::vector<int8_t> ownRouting;                   ///< Of a step whose caller asks for none.
  chimera_model_info about = {};
  StepTimes spent;
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_GENERATION_ENGINE_H
