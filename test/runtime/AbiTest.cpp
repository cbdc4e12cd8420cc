// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C interface alone: nothing here uses the C++ classes but to make files.
#include "runtime/abi/chimera.h"
#include "test/runtime/ToyModel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>

namespace {

using namespace chimera::runtime;

/// The text of an error, which it frees.
std::string take(chimera_error *&error) {
  std::string text = chimera_error_message(error);
  chimera_error_free(error);
  error = nullptr;
  return text;
}

class Abi : public testing::Test {
protected:
  void SetUp() override {
    std::vector<uint8_t> bytes = toy::binary();
    ASSERT_EQ(chimera_model_load_bytes(bytes.data(), bytes.size(), "toy.chm", &model, &error), CHIMERA_OK)
        << take(error);
    std::string path = toy::writeWeights(folder.path());
    ASSERT_EQ(chimera_weights_load(model, path.c_str(), &weights, &error), CHIMERA_OK) << take(error);
    chimera_session_options options{};
    options.struct_size = sizeof options;
    options.threads = 2;
    options.flags = CHIMERA_SESSION_POISON;
    ASSERT_EQ(chimera_session_create(model, weights, &options, &session, &error), CHIMERA_OK) << take(error);
  }
  void TearDown() override {
    chimera_session_free(session);
    chimera_weights_free(weights);
    chimera_model_free(model);
    EXPECT_EQ(error, nullptr);
  }

  /// Feeds tokens and compares all logits with the reference from `begin` on.
  void expectStep(chimera_sequence sequence, const std::vector<int32_t> &all, size_t begin) {
    size_t rows = all.size() - begin;
    std::vector<float> logits(rows * size_t(toy::vocab));
    std::vector<int8_t> routing(rows * size_t(toy::layers));
    chimera_step_item item{sequence, all.data() + begin, int64_t(rows), nullptr, CHIMERA_LOGITS_ALL};
    ASSERT_EQ(chimera_step(session, &item, 1, logits.data(), logits.size() * 4, routing.data(), routing.size(), &error),
              CHIMERA_OK)
        << take(error);
    toy::Expected expected = toy::expected(all);
    for (size_t i = 0; i < logits.size(); ++i)
      ASSERT_EQ(logits[i], expected.logits[begin + i / size_t(toy::vocab)][i % size_t(toy::vocab)]);
    for (size_t i = 0; i < routing.size(); ++i)
      ASSERT_EQ(routing[i], expected.routing[begin * size_t(toy::layers) + i]);
  }

  toy::TemporaryFolder folder;
  chimera_model *model = nullptr;
  chimera_weights *weights = nullptr;
  chimera_session *session = nullptr;
  chimera_error *error = nullptr;
};

TEST_F(Abi, TheVersionIsThatOfTheHeader) {
  EXPECT_EQ(chimera_abi_version(), CHIMERA_ABI_VERSION);
}

TEST_F(Abi, AModelDescribesItself) {
  chimera_model_info info{};
  info.struct_size = sizeof info;
  ASSERT_EQ(chimera_model_get_info(model, &info, &error), CHIMERA_OK);
  EXPECT_EQ(info.dtype, CHIMERA_DTYPE_F32);
  EXPECT_EQ(info.logits_dtype, CHIMERA_DTYPE_F32);
  EXPECT_EQ(info.vocab_size, toy::vocab);
  EXPECT_EQ(info.layers, toy::layers);
  EXPECT_EQ(info.max_tokens, toy::maxTokens);
  EXPECT_EQ(info.max_seqs, toy::maxSeqs);
  EXPECT_EQ(info.bos_token_id, 1);
  EXPECT_EQ(chimera_model_eos_token(model, 0), 2);
  EXPECT_EQ(chimera_model_eos_token(model, 1), 9);
  EXPECT_EQ(chimera_model_eos_token(model, 2), -1);
  EXPECT_EQ(chimera_model_eos_token(model, SIZE_MAX), -1);
  EXPECT_EQ(chimera_model_eos_token(nullptr, 0), -1);
  EXPECT_EQ(chimera_model_max_positions(model), -1);
  EXPECT_EQ(chimera_model_max_positions(nullptr), -1);
  EXPECT_EQ(chimera_model_layer_modes(model, 1), 1u << CHIMERA_MODE_SSM | 1u << CHIMERA_MODE_FULL);
  EXPECT_EQ(chimera_model_layer_forceable(model, 0), 1u << CHIMERA_MODE_SSM | 1u << CHIMERA_MODE_FULL);
  EXPECT_EQ(chimera_model_layer_modes(model, 2), 0u);
  EXPECT_EQ(chimera_model_layer_modes(model, -1), 0u);
  size_t length = 0;
  const char *text = chimera_model_manifest(model, &length);
  EXPECT_EQ(nlohmann::json::parse(text, text + length), toy::manifest());
}

TEST_F(Abi, AModelSaysHowLongItsSequencesAreAndHowToSample) {
  chimera_sampling sampling{sizeof sampling, -7, -7, -7};
  ASSERT_EQ(chimera_model_sampling(model, &sampling, &error), CHIMERA_OK);
  EXPECT_EQ(sampling.temperature, 0);
  EXPECT_EQ(sampling.top_k, 0);
  EXPECT_EQ(sampling.top_p, 1);

  nlohmann::json manifest = toy::manifest();
  manifest["model"]["max_position_embeddings"] = 8192;
  manifest["model"]["sampling"] = {{"temperature", 0.5}, {"top_k", 40}, {"top_p", 0.75}};
  std::vector<uint8_t> bytes = toy::binary(manifest.dump());
  chimera_model *told = nullptr;
  ASSERT_EQ(chimera_model_load_bytes(bytes.data(), bytes.size(), "told", &told, &error), CHIMERA_OK);
  EXPECT_EQ(chimera_model_max_positions(told), 8192);
  ASSERT_EQ(chimera_model_sampling(told, &sampling, &error), CHIMERA_OK);
  EXPECT_EQ(sampling.temperature, 0.5);
  EXPECT_EQ(sampling.top_k, 40);
  EXPECT_EQ(sampling.top_p, 0.75);

  sampling = {offsetof(chimera_sampling, top_p), -7, -7, -7};
  ASSERT_EQ(chimera_model_sampling(told, &sampling, &error), CHIMERA_OK);
  EXPECT_EQ(sampling.top_k, 40);
  EXPECT_EQ(sampling.top_p, -7);
  sampling.struct_size = 0;
  EXPECT_EQ(chimera_model_sampling(told, &sampling, &error), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(take(error), "sampling: struct_size is not set");
  EXPECT_EQ(chimera_model_sampling(nullptr, &sampling, &error), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(take(error), "model is null");
  chimera_model_free(told);
}

TEST_F(Abi, AStructOfAnOlderCallerIsFilledOnlyAsFarAsItGoes) {
  chimera_model_info info{};
  info.struct_size = offsetof(chimera_model_info, layers);
  info.layers = -7;
  ASSERT_EQ(chimera_model_get_info(model, &info, &error), CHIMERA_OK);
  EXPECT_EQ(info.vocab_size, toy::vocab);
  EXPECT_EQ(info.layers, -7);
  info.struct_size = 0;
  EXPECT_EQ(chimera_model_get_info(model, &info, &error), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(take(error), "info: struct_size is not set");
}

TEST_F(Abi, UnusedTensorsAreListed) {
  ASSERT_EQ(chimera_weights_unused_count(weights), 1u);
  EXPECT_STREQ(chimera_weights_unused_name(weights, 0), "unused");
  EXPECT_EQ(chimera_weights_unused_name(weights, 1), nullptr);
}

TEST_F(Abi, WeightsHaveADigest) {
  uint8_t digest[CHIMERA_DIGEST_BYTES] = {}, other[CHIMERA_DIGEST_BYTES] = {};
  ASSERT_EQ(chimera_weights_digest(weights, digest, &error), CHIMERA_OK);
  toy::TemporaryFolder scaled;
  chimera_weights *theirs = nullptr;
  ASSERT_EQ(chimera_weights_load(model, toy::writeWeights(scaled.path(), 2.0f).c_str(), &theirs, &error), CHIMERA_OK);
  ASSERT_EQ(chimera_weights_digest(theirs, other, &error), CHIMERA_OK);
  EXPECT_NE(std::memcmp(digest, other, sizeof digest), 0);
  chimera_weights_free(theirs);
  EXPECT_EQ(chimera_weights_digest(nullptr, digest, &error), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(take(error), "weights is null");
  EXPECT_EQ(chimera_weights_digest(weights, nullptr, nullptr), CHIMERA_ERROR_INVALID);
}

TEST_F(Abi, ASequenceIsAddedSteppedForkedSnapshottedRestoredAndDropped) {
  chimera_sequence sequence = 0, copy = 0, restored = 0;
  ASSERT_EQ(chimera_sequence_add(session, &sequence, &error), CHIMERA_OK);
  std::vector<int32_t> tokens = toy::randomTokens(1, 100);
  expectStep(sequence, tokens, 0);
  ASSERT_EQ(chimera_sequence_fork(session, sequence, &copy, &error), CHIMERA_OK);
  void *bytes = nullptr;
  size_t size = 0;
  ASSERT_EQ(chimera_sequence_snapshot(session, sequence, &bytes, &size, &error), CHIMERA_OK);
  ASSERT_EQ(chimera_sequence_restore(session, bytes, size, &restored, &error), CHIMERA_OK);
  EXPECT_EQ(chimera_sequence_restore(session, bytes, size - 1, &restored, &error), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(take(error), "corrupt snapshot: the checksum does not match");
  chimera_bytes_free(bytes);
  for (chimera_sequence each : {sequence, copy, restored}) {
    int64_t position = 0;
    ASSERT_EQ(chimera_sequence_position(session, each, &position, &error), CHIMERA_OK);
    EXPECT_EQ(position, 100);
    std::vector<int32_t> all = tokens, more = toy::randomTokens(uint32_t(each), 20);
    all.insert(all.end(), more.begin(), more.end());
    expectStep(each, all, 100);
    ASSERT_EQ(chimera_sequence_drop(session, each, &error), CHIMERA_OK);
    EXPECT_EQ(chimera_sequence_drop(session, each, nullptr), CHIMERA_ERROR_INVALID);
  }
}

TEST_F(Abi, ACallFailsWhileAnotherThreadIsInTheSession) {
  chimera_sequence sequence = 0;
  ASSERT_EQ(chimera_sequence_add(session, &sequence, &error), CHIMERA_OK);
  std::vector<int32_t> tokens = toy::randomTokens(1, 3000);
  std::vector<float> logits(tokens.size() * size_t(toy::vocab));
  std::atomic<bool> done{false};
  std::thread other([&] {
    chimera_step_item item{sequence, tokens.data(), int64_t(tokens.size()), nullptr, CHIMERA_LOGITS_ALL};
    while (chimera_step(session, &item, 1, logits.data(), logits.size() * 4, nullptr, 0, nullptr) != CHIMERA_OK)
      std::this_thread::yield(); // This thread was in it.
    done = true;
  });
  int64_t refused = 0, position = 0;
  while (!done)
    if (chimera_sequence_position(session, sequence, &position, &error) != CHIMERA_OK) {
      ++refused;
      EXPECT_EQ(take(error), "another thread is in a call on this session; a session is used by one thread at a time");
    } else {
      std::this_thread::yield();
    }
  other.join();
  EXPECT_GT(refused, 0);
  toy::Expected expected = toy::expected(tokens);
  for (size_t i = 0; i < logits.size(); ++i)
    ASSERT_EQ(logits[i], expected.logits[i / size_t(toy::vocab)][i % size_t(toy::vocab)]);
  ASSERT_EQ(chimera_sequence_position(session, sequence, &position, &error), CHIMERA_OK);
  EXPECT_EQ(position, 3000);
}

TEST_F(Abi, MemoryIsReported) {
  chimera_sequence sequence = 0;
  ASSERT_EQ(chimera_sequence_add(session, &sequence, &error), CHIMERA_OK);
  expectStep(sequence, {1, 2, 3}, 0);
  chimera_memory memory{};
  memory.struct_size = sizeof memory;
  ASSERT_EQ(chimera_memory_use(session, sequence, &memory, &error), CHIMERA_OK);
  EXPECT_EQ(memory.reserved[CHIMERA_MEMORY_SSM], 8);
  EXPECT_EQ(memory.used[CHIMERA_MEMORY_FULL], 16 + 2 * 2 * 4);
  chimera_memory all{};
  all.struct_size = sizeof all;
  ASSERT_EQ(chimera_memory_use(session, CHIMERA_ALL_SEQUENCES, &all, &error), CHIMERA_OK);
  EXPECT_EQ(all.reserved[CHIMERA_MEMORY_FULL], memory.reserved[CHIMERA_MEMORY_FULL]);
}

TEST_F(Abi, HandlesMayBeFreedInAnyOrder) {
  chimera_model_free(model);
  chimera_weights_free(weights);
  model = nullptr;
  weights = nullptr;
  chimera_sequence sequence = 0;
  ASSERT_EQ(chimera_sequence_add(session, &sequence, &error), CHIMERA_OK);
  expectStep(sequence, toy::randomTokens(2, 30), 0);
}

TEST_F(Abi, NullArgumentsAreErrorsAndFreeingNullIsNot) {
  EXPECT_EQ(chimera_model_load(nullptr, &model, &error), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(take(error), "path is null");
  EXPECT_EQ(chimera_model_load("x", nullptr, nullptr), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(chimera_weights_load(nullptr, "x", &weights, nullptr), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(chimera_session_create(nullptr, weights, nullptr, &session, nullptr), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(chimera_sequence_add(session, nullptr, nullptr), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(chimera_sequence_add(nullptr, nullptr, nullptr), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(chimera_sequence_fork(session, 1, nullptr, nullptr), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(chimera_sequence_snapshot(session, 1, nullptr, nullptr, nullptr), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(chimera_sequence_restore(session, nullptr, 0, nullptr, nullptr), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(chimera_step(session, nullptr, 1, nullptr, 0, nullptr, 0, nullptr), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(chimera_memory_use(session, 0, nullptr, nullptr), CHIMERA_ERROR_INVALID);
  chimera_model_free(nullptr);
  chimera_weights_free(nullptr);
  chimera_session_free(nullptr);
  chimera_error_free(nullptr);
  chimera_bytes_free(nullptr);
  EXPECT_STREQ(chimera_error_message(nullptr), "");
}

TEST_F(Abi, AnErrorIsOneLineWhateverTheFileIsCalled) {
  chimera_model *none = nullptr;
  EXPECT_EQ(chimera_model_load("/no\nsuch\x1b file", &none, &error), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(take(error), "'/no\\x0asuch\\x1b file': cannot open: No such file or directory");
  EXPECT_EQ(none, nullptr);
}

TEST_F(Abi, UnknownFlagsAndLimitsHaveTheirStatus) {
  chimera_session_options options{};
  options.struct_size = sizeof options;
  options.flags = 0x80;
  chimera_session *other = nullptr;
  EXPECT_EQ(chimera_session_create(model, weights, &options, &other, &error), CHIMERA_ERROR_INVALID);
  EXPECT_EQ(take(error), "options: flags has unknown bits");
  options.flags = 0;
  options.memory_limit = 1;
  ASSERT_EQ(chimera_session_create(model, weights, &options, &other, &error), CHIMERA_OK);
  chimera_sequence sequence = 0;
  EXPECT_EQ(chimera_sequence_add(other, &sequence, nullptr), CHIMERA_ERROR_LIMIT);
  chimera_session_free(other);
}

} // namespace
