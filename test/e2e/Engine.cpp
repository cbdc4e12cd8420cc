// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/e2e/Engine.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace chimera::test {

/// Throws the error's message unless `status` is 0.
static void check(int32_t status, chimera_error *error) {
  if (status == CHIMERA_OK)
    return;
  std::string message = chimera_error_message(error);
  chimera_error_free(error);
  throw std::runtime_error(message);
}

Engine::Engine(const std::string &binary, const std::string &checkpoint)
    : model(nullptr, chimera_model_free), weights(nullptr, chimera_weights_free) {
  chimera_error *error = nullptr;
  chimera_model *loaded = nullptr;
  check(chimera_model_load(binary.c_str(), &loaded, &error), error);
  model.reset(loaded);
  chimera_weights *parameters = nullptr;
  check(chimera_weights_load(loaded, checkpoint.c_str(), &parameters, &error), error);
  weights.reset(parameters);
  information.struct_size = sizeof information;
  check(chimera_model_get_info(loaded, &information, &error), error);
}

Session::Session(const Engine &engine, int threads, int maxSequences, bool poisonArena)
    : engine(engine), session(nullptr, chimera_session_free) {
  chimera_session_options options{};
  options.struct_size = sizeof options;
  options.threads = threads;
  options.max_sequences = maxSequences;
  options.flags = poisonArena ? CHIMERA_SESSION_POISON : 0;
  chimera_error *error = nullptr;
  chimera_session *created = nullptr;
  check(chimera_session_create(engine.model.get(), engine.weights.get(), &options, &created, &error), error);
  session.reset(created);
}

chimera_sequence Session::add() {
  chimera_error *error = nullptr;
  chimera_sequence sequence = 0;
  check(chimera_sequence_add(session.get(), &sequence, &error), error);
  return sequence;
}

void Session::drop(chimera_sequence sequence) {
  chimera_error *error = nullptr;
  check(chimera_sequence_drop(session.get(), sequence, &error), error);
}

chimera_sequence Session::fork(chimera_sequence source) {
  chimera_error *error = nullptr;
  chimera_sequence copy = 0;
  check(chimera_sequence_fork(session.get(), source, &copy, &error), error);
  return copy;
}

std::string Session::snapshot(chimera_sequence sequence) {
  chimera_error *error = nullptr;
  void *bytes = nullptr;
  size_t size = 0;
  check(chimera_sequence_snapshot(session.get(), sequence, &bytes, &size, &error), error);
  std::string copy(static_cast<const char *>(bytes), size);
  chimera_bytes_free(bytes);
  return copy;
}

chimera_sequence Session::restore(const std::string &bytes) {
  chimera_error *error = nullptr;
  chimera_sequence sequence = 0;
  check(chimera_sequence_restore(session.get(), bytes.data(), bytes.size(), &sequence, &error), error);
  return sequence;
}

int64_t Session::position(chimera_sequence sequence) {
  chimera_error *error = nullptr;
  int64_t position = 0;
  check(chimera_sequence_position(session.get(), sequence, &position, &error), error);
  return position;
}

static size_t wantedRows(const StepItem &item) {
  if (item.logits == CHIMERA_LOGITS_NONE)
    return 0;
  return item.logits == CHIMERA_LOGITS_ALL ? item.tokens.size() : std::min<size_t>(item.tokens.size(), 1);
}

/// Row `row` of logits as doubles.
static std::vector<double> logitsRow(const std::vector<char> &bytes, size_t row, size_t vocabulary, bool isDouble) {
  std::vector<double> logits(vocabulary);
  if (isDouble) {
    std::memcpy(logits.data(), &bytes[row * vocabulary * sizeof(double)], vocabulary * sizeof(double));
    return logits;
  }
  std::vector<float> single(vocabulary);
  std::memcpy(single.data(), &bytes[row * vocabulary * sizeof(float)], vocabulary * sizeof(float));
  std::copy(single.begin(), single.end(), logits.begin());
  return logits;
}

std::vector<StepResult> Session::step(const std::vector<StepItem> &items) {
  const chimera_model_info &info = engine.info();
  auto vocabulary = static_cast<size_t>(info.vocab_size), layers = static_cast<size_t>(info.layers);
  bool isDouble = info.logits_dtype == CHIMERA_DTYPE_F64;
  std::vector<chimera_step_item> work;
  size_t outputs = 0, rows = 0;
  for (const StepItem &item : items) {
    work.push_back({item.sequence, item.tokens.data(), static_cast<int64_t>(item.tokens.size()),
                    item.forced.empty() ? nullptr : item.forced.data(), item.logits});
    outputs += wantedRows(item);
    rows += item.tokens.size();
  }
  std::vector<char> logits(outputs * vocabulary * (isDouble ? sizeof(double) : sizeof(float)));
  std::vector<int8_t> routing(rows * layers);
  chimera_error *error = nullptr;
  check(chimera_step(session.get(), work.data(), work.size(), logits.data(), logits.size(), routing.data(),
                     routing.size(), &error),
        error);

  std::vector<StepResult> results;
  size_t output = 0, row = 0;
  for (const StepItem &item : items) {
    StepResult result;
    for (size_t i = 0; i < wantedRows(item); ++i)
      result.logits.push_back(logitsRow(logits, output++, vocabulary, isDouble));
    for (size_t i = 0; i < item.tokens.size(); ++i, ++row)
      result.routing.emplace_back(routing.begin() + static_cast<std::ptrdiff_t>(row * layers),
                                  routing.begin() + static_cast<std::ptrdiff_t>((row + 1) * layers));
    results.push_back(std::move(result));
  }
  return results;
}

} // namespace chimera::test
