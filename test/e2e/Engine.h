// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The runtime's C interface as the end-to-end tests use it: handles that free themselves, errors as exceptions, logits
// always as doubles (exact for f32).
#ifndef CHIMERA_TEST_E2E_ENGINE_H
#define CHIMERA_TEST_E2E_ENGINE_H

#include "runtime/abi/chimera.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace chimera::test {

/// A model binary with weights. Throws std::runtime_error with the runtime's message.
class Engine {
public:
  Engine(const std::string &binary, const std::string &weights);

  const chimera_model_info &info() const { return information; }
  /// The name of the variant that runs here.
  std::string variant() const { return chimera_model_variant(model.get()); }
  /// The mode bits that may be forced in a layer.
  uint32_t forceable(int64_t layer) const { return chimera_model_layer_forceable(model.get(), layer); }

private:
  friend class Session;
  std::unique_ptr<chimera_model, void (*)(chimera_model *)> model;
  std::unique_ptr<chimera_weights, void (*)(chimera_weights *)> weights;
  chimera_model_info information{};
};

/// The work of one sequence in a step.
struct StepItem {
  chimera_sequence sequence;
  std::vector<int32_t> tokens;
  /// [count][layers] modes or -1; empty: nothing is forced.
  std::vector<int8_t> forced;
  chimera_logits logits = CHIMERA_LOGITS_ALL;
};

struct StepResult {
  /// The wanted rows, each [V].
  std::vector<std::vector<double>> logits;
  /// Each row's modes [L].
  std::vector<std::vector<int8_t>> routing;
};

/// A session: sequences in flight on `threads` threads. Throws std::runtime_error with the runtime's message.
class Session {
public:
  Session(const Engine &engine, int threads, int maxSequences, bool poisonArena);

  chimera_sequence add();
  void drop(chimera_sequence sequence);
  chimera_sequence fork(chimera_sequence source);
  std::string snapshot(chimera_sequence sequence);
  chimera_sequence restore(const std::string &bytes);
  int64_t position(chimera_sequence sequence);

  /// One result an item.
  std::vector<StepResult> step(const std::vector<StepItem> &items);

private:
  const Engine &engine;
  std::unique_ptr<chimera_session, void (*)(chimera_session *)> session;
};

} // namespace chimera::test

#endif
