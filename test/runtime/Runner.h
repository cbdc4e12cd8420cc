// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Steps of the toy model with less to write.
#ifndef CHIMERA_TEST_RUNTIME_RUNNER_H
#define CHIMERA_TEST_RUNTIME_RUNNER_H

#include "test/runtime/ToyModel.h"

#include <gtest/gtest.h>

namespace chimera::runtime::toy {

/// What a step gave.
struct Outcome {
  Failure failure;
  std::vector<float> logits;   ///< [R][vocab]
  std::vector<int8_t> routing; ///< [N][layers]
};

/// Runs a step whose buffers have exactly the size needed.
inline Outcome run(Session &session, const std::vector<chimera_step_item> &items) {
  size_t outputs = 0, rows = 0;
  for (const chimera_step_item &item : items) {
    rows += size_t(item.count);
    outputs +=
        item.logits == CHIMERA_LOGITS_ALL ? size_t(item.count) : item.logits == CHIMERA_LOGITS_LAST && item.count > 0;
  }
  Outcome outcome;
  outcome.logits.assign(outputs * size_t(vocab), -1.0f);
  outcome.routing.assign(rows * size_t(layers), -2);
  outcome.failure = session.step(items.data(), items.size(), outcome.logits.data(), outcome.logits.size() * 4,
                                 outcome.routing.data(), outcome.routing.size());
  return outcome;
}

/// Feeds tokens to one sequence and wants all logits.
inline Outcome feed(Session &session, int64_t sequence, const std::vector<int32_t> &tokens,
                    const int8_t *forced = nullptr) {
  return run(session, {{sequence, tokens.data(), int64_t(tokens.size()), forced, CHIMERA_LOGITS_ALL}});
}

/// The value of a result that must be there.
template <typename T> T must(Result<T> result) {
  EXPECT_TRUE(bool(result)) << result.error().message;
  return std::move(*result);
}

/// Compares the rows of an outcome, from `row` on, with what is expected at positions `begin` .. `end - 1`.
inline void expectRows(const Outcome &outcome, size_t row, const Expected &expected, size_t begin, size_t end) {
  ASSERT_FALSE(outcome.failure) << outcome.failure->message;
  ASSERT_GE(outcome.routing.size(), (row + end - begin) * size_t(layers));
  for (size_t t = begin; t < end; ++t, ++row) {
    for (size_t v = 0; v < size_t(vocab); ++v)
      ASSERT_EQ(outcome.logits[row * size_t(vocab) + v], expected.logits[t][v]) << "position " << t << ", id " << v;
    for (size_t l = 0; l < size_t(layers); ++l)
      ASSERT_EQ(outcome.routing[row * size_t(layers) + l], expected.routing[t * size_t(layers) + l])
          << "position " << t << ", layer " << l;
  }
}

} // namespace chimera::runtime::toy

#endif // CHIMERA_TEST_RUNTIME_RUNNER_H
