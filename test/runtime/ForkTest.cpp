// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a forked child may do with what it inherited.
#include "runtime/abi/chimera.h"
#include "runtime/device/ThreadPool.h"
#include "test/runtime/Runner.h"

#include <gtest/gtest.h>

#include <functional>
#include <sys/wait.h>
#include <unistd.h>

namespace chimera::runtime::toy {
namespace {

/// The exit status of a child that runs `body`, which returns it; -1 for one that a signal ended, be it after a hang.
int statusOfChild(const std::function<int()> &body) {
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(body());
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Fork, APoolIsDestroyedInTheChildAndWorksOnInTheParent) {
  auto count = [](void *done, int64_t begin, int64_t end) {
    static_cast<std::atomic<int64_t> *>(done)->fetch_add(end - begin);
  };
  for (int64_t threads : {1, 2, 4, 8, 32}) { // Of many, the C library gives stacks back to the system in the child.
    std::unique_ptr<ThreadPool> pool = must(ThreadPool::create(threads, size_t(1) << 20));
    std::atomic<int64_t> done{0};
    pool->run(count, &done, 100);
    EXPECT_EQ(statusOfChild([&] {
                pool.reset();
                return 0;
              }),
              0)
        << threads;
    pool->run(count, &done, 100);
    EXPECT_EQ(done, 200);
  }
}

/// The handles of a loaded toy model and a session with `threads`.
struct Handles {
  explicit Handles(int64_t threads) {
    TemporaryFolder folder;
    std::vector<uint8_t> bytes = binary();
    EXPECT_EQ(chimera_model_load_bytes(bytes.data(), bytes.size(), "toy.chm", &model, nullptr), CHIMERA_OK);
    EXPECT_EQ(chimera_weights_load(model, writeWeights(folder.path()).c_str(), &weights, nullptr), CHIMERA_OK);
    session = newSession(threads);
  }
  ~Handles() { free(); }
  void free() {
    chimera_session_free(session);
    chimera_weights_free(weights);
    chimera_model_free(model);
    session = nullptr;
    weights = nullptr;
    model = nullptr;
  }
  chimera_session *newSession(int64_t threads) const {
    chimera_session_options options{};
    options.struct_size = sizeof options;
    options.threads = threads;
    chimera_session *made = nullptr;
    return chimera_session_create(model, weights, &options, &made, nullptr) == CHIMERA_OK ? made : nullptr;
  }

  chimera_model *model = nullptr;
  chimera_weights *weights = nullptr;
  chimera_session *session = nullptr;
};

/// Whether a new sequence of `session` gives the logits of the reference for `tokens`.
bool computesRight(chimera_session *session, const std::vector<int32_t> &tokens) {
  chimera_sequence sequence = 0;
  std::vector<float> logits(tokens.size() * size_t(vocab));
  if (!session || chimera_sequence_add(session, &sequence, nullptr) != CHIMERA_OK)
    return false;
  chimera_step_item item{sequence, tokens.data(), int64_t(tokens.size()), nullptr, CHIMERA_LOGITS_ALL};
  if (chimera_step(session, &item, 1, logits.data(), logits.size() * 4, nullptr, 0, nullptr) != CHIMERA_OK)
    return false;
  Expected wanted = expected(tokens);
  for (size_t i = 0; i < logits.size(); ++i)
    if (logits[i] != wanted.logits[i / size_t(vocab)][i % size_t(vocab)])
      return false;
  return true;
}

TEST(Fork, AChildMayFreeAllThatItInherited) {
  for (int64_t threads : {1, 2, 8}) {
    Handles handles(threads);
    EXPECT_TRUE(computesRight(handles.session, {1, 2, 3}));
    EXPECT_EQ(statusOfChild([&] {
                handles.free();
                return 0;
              }),
              0);
    EXPECT_TRUE(computesRight(handles.session, {1, 2, 3, 4}));
  }
}

TEST(Fork, AnInheritedSessionRefusesEveryCallInTheChild) {
  for (int64_t threads : {1, 4}) {
    Handles handles(threads);
    chimera_sequence sequence = 0;
    ASSERT_EQ(chimera_sequence_add(handles.session, &sequence, nullptr), CHIMERA_OK);
    auto refused = [&](int32_t status, chimera_error *error) {
      std::string message = chimera_error_message(error);
      chimera_error_free(error);
      return status == CHIMERA_ERROR_INVALID && message.find("before this process was forked") != std::string::npos;
    };
    EXPECT_EQ(statusOfChild([&] {
                chimera_error *error = nullptr;
                chimera_session *session = handles.session;
                chimera_sequence other = 0;
                int32_t token = 1;
                int64_t position = 0;
                void *bytes = nullptr;
                size_t size = 0;
                chimera_step_item item{sequence, &token, 1, nullptr, CHIMERA_LOGITS_NONE};
                if (!refused(chimera_step(session, &item, 1, nullptr, 0, nullptr, 0, &error), error))
                  return 1;
                if (!refused(chimera_sequence_add(session, &other, &error), error))
                  return 2;
                if (!refused(chimera_sequence_fork(session, sequence, &other, &error), error))
                  return 3;
                if (!refused(chimera_sequence_position(session, sequence, &position, &error), error))
                  return 4;
                if (!refused(chimera_sequence_snapshot(session, sequence, &bytes, &size, &error), error))
                  return 5;
                if (!refused(chimera_sequence_restore(session, &token, 4, &other, &error), error))
                  return 6;
                if (!refused(chimera_sequence_drop(session, sequence, &error), error))
                  return 7;
                return refused(chimera_profile_begin(session, 0, &error), error) ? 0 : 8;
              }),
              0);
    EXPECT_TRUE(computesRight(handles.session, {5, 6}));
  }
}

TEST(Fork, AChildMakesSessionsOfItsOwnFromInheritedModelsAndWeights) {
  Handles handles(4);
  EXPECT_TRUE(computesRight(handles.session, {1, 2, 3}));
  EXPECT_EQ(statusOfChild([&] {
              for (int64_t threads : {1, 3}) {
                chimera_session *own = handles.newSession(threads);
                if (!computesRight(own, randomTokens(3, 200)))
                  return 1;
                chimera_session_free(own);
              }
              // And so does its own child.
              return statusOfChild([&] {
                chimera_session *own = handles.newSession(2);
                bool right = computesRight(own, {4, 4, 4});
                handles.free();
                chimera_session_free(own);
                return right ? 0 : 2;
              });
            }),
            0);
  EXPECT_TRUE(computesRight(handles.session, {1, 2, 3}));
}

} // namespace
} // namespace chimera::runtime::toy
