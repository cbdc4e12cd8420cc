// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/generation/Engine.h"

#include "tools/generation/ModelDefaults.h"
#include "tools/support/Streams.h"

#include <chrono>
#include <utility>

namespace chimera::run {

using io::Result;
using io::Status;

namespace {
/// Takes an error object from a call and gives it as a value.
class ErrorSlot {
public:
  ~ErrorSlot() { chimera_error_free(error); }
  operator chimera_error **() { return &error; }
  io::Error take() const { return io::Error{chimera_error_message(error)}; }

private:
  chimera_error *error = nullptr;
};
} // namespace

static Result<chimera_model *> loadModel(const std::string &path) {
  ErrorSlot error;
  chimera_model *model = nullptr;
  if (!tools::isStream(path)) {
    if (chimera_model_load(path.c_str(), &model, error))
      return error.take();
    return model;
  }
  Result<std::string> bytes = tools::readAll(path);
  if (!bytes)
    return bytes.error();
  if (chimera_model_load_bytes(bytes->data(), bytes->size(), tools::nameOfInput(path).c_str(), &model, error))
    return error.take();
  return model;
}

Result<Engine> Engine::open(const std::string &modelPath, const std::string &weightsPath) {
  Engine engine;
  Result<chimera_model *> loaded = loadModel(modelPath);
  if (!loaded)
    return loaded.error();
  chimera_model *model = *loaded;
  engine.model.reset(model);
  ErrorSlot error;
  chimera_weights *weights = nullptr;
  if (chimera_weights_load(model, weightsPath.c_str(), &weights, error))
    return error.take();
  engine.weights.reset(weights);
  engine.about.struct_size = sizeof engine.about;
  if (chimera_model_get_info(model, &engine.about, error))
    return error.take();
  return engine;
}

/// The error of a call of the session. Where it needs memory for caches, with what to do about it.
io::Error Engine::sessionError(io::Error error, int32_t status) const {
  if (status == CHIMERA_ERROR_LIMIT && maxSequences > 1)
    error.message +=
        "; --max-sequences with a number below " + std::to_string(maxSequences) + " holds fewer caches at once";
  if (status == CHIMERA_ERROR_DEVICE && !lost)
    lost = error;
  return error;
}

Status Engine::start(const ModelOptions &options, int64_t most) {
  chimera_session_options wanted = {};
  wanted.struct_size = sizeof wanted;
  wanted.threads = options.threads;
  wanted.max_sequences = maxSequences = most;
  wanted.memory_limit = options.memoryLimit;
  ErrorSlot error;
  chimera_session *made = nullptr;
  if (int32_t status = chimera_session_create(model.get(), weights.get(), &wanted, &made, error))
    return sessionError(error.take(), status);
  session.reset(made);
  return {};
}

Result<std::string> Engine::digest() const {
  ErrorSlot error;
  uint8_t bytes[CHIMERA_DIGEST_BYTES];
  if (chimera_weights_digest(weights.get(), bytes, error))
    return error.take();
  std::string text;
  for (uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

bool Engine::endsText(int32_t token) const {
  int64_t end;
  for (size_t index = 0; (end = chimera_model_eos_token(model.get(), index)) >= 0; ++index)
    if (end == token)
      return true;
  return false;
}

io::DType Engine::logitsType() const {
  return about.logits_dtype == CHIMERA_DTYPE_F64 ? io::DType::F64 : io::DType::F32;
}

Result<chimera_sequence> Engine::addSequence() {
  ErrorSlot error;
  chimera_sequence sequence = 0;
  if (int32_t status = chimera_sequence_add(session.get(), &sequence, error))
    return sessionError(error.take(), status);
  if (observer)
    observer->begin(sequence, 0);
  return sequence;
}

Result<chimera_sequence> Engine::forkSequence(chimera_sequence source) {
  ErrorSlot error;
  chimera_sequence copy = 0;
  if (int32_t status = chimera_sequence_fork(session.get(), source, &copy, error))
    return sessionError(error.take(), status);
  if (!observer)
    return copy;
  Result<int64_t> fed = position(copy);
  if (!fed)
    return fed.error();
  observer->begin(copy, *fed);
  return copy;
}

Status Engine::dropSequence(chimera_sequence sequence) {
  if (observer)
    observer->end(sequence);
  ErrorSlot error;
  if (int32_t status = chimera_sequence_drop(session.get(), sequence, error))
    return sessionError(error.take(), status);
  return {};
}

Result<int64_t> Engine::position(chimera_sequence sequence) const {
  ErrorSlot error;
  int64_t position = 0;
  if (int32_t status = chimera_sequence_position(session.get(), sequence, &position, error))
    return sessionError(error.take(), status);
  return position;
}

Status Engine::appendSnapshot(chimera_sequence sequence, std::string &bytes) const {
  ErrorSlot error;
  void *snapshot = nullptr;
  size_t size = 0;
  if (int32_t status = chimera_sequence_snapshot(session.get(), sequence, &snapshot, &size, error))
    return sessionError(error.take(), status);
  std::unique_ptr<void, void (*)(void *)> owned(snapshot, chimera_bytes_free);
  bytes.append(static_cast<const char *>(snapshot), size);
  return {};
}

Result<chimera_sequence> Engine::restoreSequence(std::string_view snapshot, int64_t tokens) {
  ErrorSlot error;
  chimera_sequence sequence = 0;
  if (int32_t status = chimera_sequence_restore(session.get(), snapshot.data(), snapshot.size(), &sequence, error))
    return sessionError(error.take(), status);
  Result<int64_t> restored = position(sequence);
  if (!restored)
    return restored.error();
  if (*restored != tokens) {
    if (Status status = dropSequence(sequence); !status)
      return status.error();
    return io::Error{"the snapshot is of " + std::to_string(*restored) + " tokens, not of " + std::to_string(tokens)};
  }
  spent.restoredTokens += tokens;
  if (observer)
    observer->begin(sequence, tokens);
  return sequence;
}

Status Engine::step(const std::vector<chimera_step_item> &items, std::vector<uint8_t> &logits,
                    std::vector<int8_t> *routing) {
  int64_t rows = 0, outputs = 0;
  bool decode = true;
  for (const chimera_step_item &item : items) {
    rows += item.count;
    decode &= item.count <= 1;
    if (item.count)
      outputs += item.logits == CHIMERA_LOGITS_ALL ? item.count : item.logits == CHIMERA_LOGITS_LAST ? 1 : 0;
  }
  logits.resize(size_t(outputs * logitsRowBytes()));
  if (observer && !routing)
    routing = &ownRouting;
  if (routing)
    routing->resize(size_t(rows * about.layers));

  ErrorSlot error;
  auto begin = std::chrono::steady_clock::now();
  if (int32_t status = chimera_step(session.get(), items.data(), items.size(), logits.data(), logits.size(),
                                    routing ? routing->data() : nullptr, routing ? routing->size() : 0, error))
    return sessionError(error.take(), status);
  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  (decode ? spent.decodeTokens : spent.prefillTokens) += rows;
  (decode ? spent.decodeSeconds : spent.prefillSeconds) += seconds.count();
  warnOfLength(items);
  return observer ? tell(items, routing->data()) : Status();
}

Status Engine::tell(const std::vector<chimera_step_item> &items, const int8_t *modes) {
  for (const chimera_step_item &item : items) {
    Result<chimera_memory> memory = memoryOf(item.sequence);
    if (!memory)
      return memory.error();
    observer->add(item.sequence, item.tokens, item.count, modes, *memory);
    modes += item.count * about.layers;
  }
  return {};
}

void Engine::warnOfLength(const std::vector<chimera_step_item> &items) {
  if (!warning || chimera_model_max_positions(model.get()) < 0)
    return;
  int64_t position = 0;
  for (const chimera_step_item &item : items) {
    if (chimera_sequence_position(session.get(), item.sequence, &position, nullptr))
      return;
    if (std::string text = tooLong(model.get(), position); !text.empty())
      return std::exchange(warning, {})(text);
  }
}

Result<chimera_memory> Engine::memoryOf(chimera_sequence sequence) const {
  ErrorSlot error;
  chimera_memory memory = {};
  memory.struct_size = sizeof memory;
  if (int32_t status = chimera_memory_use(session.get(), sequence, &memory, error))
    return sessionError(error.take(), status);
  return memory;
}

} // namespace chimera::run
