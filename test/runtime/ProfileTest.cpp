// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The profile of a session's launches, through the C interface.
#include "runtime/abi/chimera.h"
#include "test/runtime/ToyModel.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace {

using namespace chimera::runtime;

class ProfileTest : public testing::Test {
protected:
  void SetUp() override {
    std::vector<uint8_t> bytes = toy::binary();
    ASSERT_EQ(chimera_model_load_bytes(bytes.data(), bytes.size(), "toy.chm", &model, nullptr), CHIMERA_OK);
    ASSERT_EQ(chimera_weights_load(model, toy::writeWeights(folder.path()).c_str(), &weights, nullptr), CHIMERA_OK);
    ASSERT_EQ(chimera_session_create(model, weights, nullptr, &session, nullptr), CHIMERA_OK);
    ASSERT_EQ(chimera_sequence_add(session, &sequence, nullptr), CHIMERA_OK);
  }
  void TearDown() override {
    chimera_session_free(session);
    chimera_weights_free(weights);
    chimera_model_free(model);
  }

  void feed(int64_t count) {
    std::vector<int32_t> tokens = toy::randomTokens(1, count);
    chimera_step_item item{sequence, tokens.data(), count, nullptr, CHIMERA_LOGITS_NONE};
    ASSERT_EQ(chimera_step(session, &item, 1, nullptr, 0, nullptr, 0, nullptr), CHIMERA_OK);
  }

  chimera_launch_profile launch(size_t index) const {
    chimera_launch_profile profile{};
    profile.struct_size = sizeof profile;
    EXPECT_EQ(chimera_profile_launch(session, index, &profile, nullptr), CHIMERA_OK);
    return profile;
  }

  toy::TemporaryFolder folder;
  chimera_model *model = nullptr;
  chimera_weights *weights = nullptr;
  chimera_session *session = nullptr;
  chimera_sequence sequence = 0;
};

TEST_F(ProfileTest, ThereIsNoneBeforeItBegins) {
  feed(3);
  EXPECT_EQ(chimera_profile_launches(session), 0u);
  const chimera_launch_event *events = nullptr;
  EXPECT_EQ(chimera_profile_events(session, &events), 0u);
}

TEST_F(ProfileTest, CountsTheRunsOfEachLaunchByPhase) {
  ASSERT_EQ(chimera_profile_begin(session, 0, nullptr), CHIMERA_OK);
  feed(toy::maxTokens + 2); // Two steps, both prefill.
  feed(1);
  ASSERT_EQ(chimera_profile_launches(session), 6u);
  for (size_t i = 0; i < 6; ++i) {
    chimera_launch_profile profile = launch(i);
    bool decode = i >= 3, logits = i % 3 == 2;
    EXPECT_EQ(profile.phase, decode ? CHIMERA_PHASE_DECODE : CHIMERA_PHASE_PREFILL);
    EXPECT_EQ(profile.index, int64_t(i % 3));
    EXPECT_EQ(profile.layer, logits ? -1 : int64_t(i % 3));
    EXPECT_STREQ(profile.kernel, logits ? "toy_logits" : "toy_layer");
    EXPECT_STREQ(profile.op, logits ? "toy.logits" : "toy.layer");
    // Nobody wanted logits: that launch has no block.
    EXPECT_EQ(profile.calls, logits ? 0 : decode ? 1 : 2);
    EXPECT_EQ(profile.nanoseconds > 0, profile.calls > 0);
  }
  EXPECT_EQ(chimera_profile_events(session, nullptr), 0u);
}

TEST_F(ProfileTest, KeepsTheFirstRunsInOrderAndWithinTheTimeOfTheSteps) {
  auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(chimera_profile_begin(session, 5, nullptr), CHIMERA_OK);
  for (int i = 0; i < 2; ++i)
    feed(2);
  feed(1);
  int64_t spent =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin).count();
  const chimera_launch_event *events = nullptr;
  ASSERT_EQ(chimera_profile_events(session, &events), 5u); // Of 6.
  int64_t end = 0;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(events[i].phase, i < 4 ? CHIMERA_PHASE_PREFILL : CHIMERA_PHASE_DECODE);
    EXPECT_EQ(events[i].index, i % 2);
    EXPECT_GE(events[i].start, end);
    EXPECT_GE(events[i].nanoseconds, 0);
    end = events[i].start + events[i].nanoseconds;
  }
  EXPECT_LE(end, spent);
}

TEST_F(ProfileTest, EndsAndBeginsAnew) {
  ASSERT_EQ(chimera_profile_begin(session, 10, nullptr), CHIMERA_OK);
  feed(2);
  ASSERT_EQ(chimera_profile_end(session, nullptr), CHIMERA_OK);
  feed(2);
  EXPECT_EQ(launch(0).calls, 1);
  EXPECT_EQ(chimera_profile_events(session, nullptr), 2u);
  ASSERT_EQ(chimera_profile_begin(session, 0, nullptr), CHIMERA_OK);
  EXPECT_EQ(launch(0).calls, 0);
  EXPECT_EQ(chimera_profile_events(session, nullptr), 0u);
}

TEST_F(ProfileTest, MisuseIsAnError) {
  EXPECT_EQ(chimera_profile_begin(session, -1, nullptr), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(chimera_profile_begin(nullptr, 0, nullptr), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(chimera_profile_end(nullptr, nullptr), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(chimera_profile_launches(nullptr), 0u);
  ASSERT_EQ(chimera_profile_begin(session, 0, nullptr), CHIMERA_OK);
  chimera_launch_profile profile{};
  chimera_error *error = nullptr;
  EXPECT_EQ(chimera_profile_launch(session, 0, &profile, &error), CHIMERA_ERROR_INVALID);
  EXPECT_STREQ(chimera_error_message(error), "profile: struct_size is not set");
  chimera_error_free(error);
  profile.struct_size = sizeof profile;
  EXPECT_EQ(chimera_profile_launch(session, 6, &profile, &error), CHIMERA_ERROR_INVALID);
  EXPECT_STREQ(chimera_error_message(error), "the profile covers 6 launches, there is no launch 6");
  chimera_error_free(error);
}

} // namespace
