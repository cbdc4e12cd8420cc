// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/runtime/Runner.h"

#include "runtime/core/ModelFile.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>
#include <random>

namespace chimera::runtime::toy {
namespace {

/// A snapshot after `length` tokens, and the tokens.
std::pair<std::vector<uint8_t>, std::vector<int32_t>> snapshotAfter(int64_t length) {
  std::vector<int32_t> tokens = randomTokens(uint32_t(length), length);
  std::unique_ptr<Session> runner = session();
  int64_t sequence = must(runner->add());
  EXPECT_FALSE(feed(*runner, sequence, tokens).failure);
  return {must(runner->snapshot(sequence)), tokens};
}

void renewChecksum(std::vector<uint8_t> &bytes) {
  uint64_t sum = XXH3_64bits(bytes.data(), bytes.size() - 8);
  std::memcpy(bytes.data() + bytes.size() - 8, &sum, 8);
}

std::string restoreError(const std::vector<uint8_t> &bytes) {
  std::unique_ptr<Session> runner = session();
  Result<int64_t> sequence = runner->restore({bytes.data(), bytes.size()});
  MemoryUse use = must(runner->memoryUse(CHIMERA_ALL_SEQUENCES));
  if (!sequence) {
    for (int64_t bytesHeld : use.reserved)
      EXPECT_EQ(bytesHeld, 0);
  }
  return sequence ? "" : sequence.error().message;
}

TEST(Snapshot, ASequenceGoesOnInAnotherSession) {
  for (int64_t length : {0, 1, 63, 64, 65, 200}) {
    auto [bytes, tokens] = snapshotAfter(length);
    std::vector<int32_t> rest = randomTokens(99, 100), all = tokens;
    all.insert(all.end(), rest.begin(), rest.end());
    std::unique_ptr<Session> runner = session();
    must(runner->add()); // So that it gets another slot.
    int64_t sequence = must(runner->restore({bytes.data(), bytes.size()}));
    EXPECT_EQ(must(runner->position(sequence)), length);
    EXPECT_EQ(must(runner->snapshot(sequence)), bytes);
    expectRows(feed(*runner, sequence, rest), 0, expected(all), size_t(length), size_t(length) + 100);
  }
}

TEST(Snapshot, DependsOnTheSequenceAloneAndNotOnWhoUsedItsMemoryBefore) {
  auto [bytes, tokens] = snapshotAfter(100);
  std::unique_ptr<Session> runner = session();
  int64_t other = must(runner->add());
  ASSERT_FALSE(feed(*runner, other, randomTokens(1, 300)).failure);
  ASSERT_FALSE(runner->drop(other));
  int64_t sequence = must(runner->add());
  for (int32_t token : tokens)
    ASSERT_FALSE(feed(*runner, sequence, {token}).failure);
  EXPECT_EQ(must(runner->snapshot(sequence)), bytes);
}

TEST(Snapshot, EveryByteChangedIsAnErrorThatTouchesNothing) {
  std::vector<uint8_t> bytes = snapshotAfter(70).first;
  for (size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] ^= 0x10;
    ASSERT_NE(restoreError(bytes), "") << at;
    bytes[at] ^= 0x10;
  }
  EXPECT_EQ(restoreError(bytes), "");
}

TEST(Snapshot, EveryTruncationAndExtensionIsAnError) {
  const std::vector<uint8_t> bytes = snapshotAfter(10).first;
  for (size_t size = 0; size < bytes.size(); ++size) {
    std::vector<uint8_t> cut(bytes.begin(), bytes.begin() + int64_t(size));
    ASSERT_NE(restoreError(cut), "") << size;
    if (size >= 16) {
      renewChecksum(cut);
      ASSERT_NE(restoreError(cut), "") << size;
    }
  }
  std::vector<uint8_t> longer = bytes;
  longer.insert(longer.end() - 8, 1, 0);
  renewChecksum(longer);
  EXPECT_EQ(restoreError(longer), "the snapshot is too long");
}

// With a checksum that fits, what a kernel would trip over must still be refused.
TEST(Snapshot, ImpossibleCountsAreRefusedEvenWithARightChecksum) {
  const std::vector<uint8_t> good = snapshotAfter(70).first;
  // magic, digest, position, variant "x86-64", numerics "invariant", digest of the weights.
  size_t slots = 8 + 16 + 8 + (4 + 6) + (4 + 9) + 16;
  // counts (2), state, ring, ring_count, length of layer 0.
  struct Field {
    const char *name;
    size_t offset;
  };
  for (Field field : {Field{"layers.0.counts", 0}, Field{"layers.0.counts", 8}, Field{"layers.0.ring_count", 40},
                      Field{"layers.0.length", 48}})
    for (int64_t value : {int64_t(-1), int64_t(71), INT64_MAX, INT64_MIN}) {
      std::vector<uint8_t> bad = good;
      std::memcpy(bad.data() + slots + field.offset, &value, 8);
      renewChecksum(bad);
      EXPECT_EQ(restoreError(bad),
                "the snapshot says " + std::to_string(value) + " in '" + field.name + "' for a sequence of 70 tokens");
    }
  for (int64_t position : {int64_t(-1), INT64_MAX, int64_t(1) << 31}) {
    std::vector<uint8_t> bad = good;
    std::memcpy(bad.data() + 24, &position, 8);
    renewChecksum(bad);
    EXPECT_EQ(restoreError(bad), "the snapshot's position is out of range");
  }
}

TEST(Snapshot, RandomBytesWithARightChecksumAreRestoredOrRefused) {
  const std::vector<uint8_t> good = snapshotAfter(70).first;
  std::mt19937 random(11);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::vector<uint8_t> bad = good;
    bad[random() % (bad.size() - 8)] = uint8_t(random());
    renewChecksum(bad);
    refused += !restoreError(bad).empty();
  }
  EXPECT_GT(refused, 300);
}

TEST(Snapshot, OfAnotherBinaryOrVariantIsRefused) {
  std::vector<uint8_t> bytes = snapshotAfter(3).first;
  nlohmann::json other = manifest();
  other["numerics"] = "fast";
  std::shared_ptr<const Model> stranger = must(Model::load("stranger.chm", binary(other.dump())));
  TemporaryFolder folder;
  std::shared_ptr<const Weights> theirs = must(Weights::load(stranger, writeWeights(folder.path())));
  std::unique_ptr<Session> runner = must(Session::create(stranger, theirs, {}));
  Result<int64_t> sequence = runner->restore({bytes.data(), bytes.size()});
  ASSERT_FALSE(bool(sequence));
  EXPECT_EQ(sequence.error().message, "the snapshot is of another model binary than stranger.chm");
  std::memcpy(bytes.data() + 8, stranger->digest().data(), 16);
  renewChecksum(bytes);
  sequence = runner->restore({bytes.data(), bytes.size()});
  ASSERT_FALSE(bool(sequence));
  EXPECT_EQ(sequence.error().message, "the snapshot is of variant 'x86-64' with numerics 'invariant', the model of "
                                      "'x86-64' with 'fast'");
}

/// A session of the toy model with weights whose numbers are those of the usual ones, times `scale`.
std::unique_ptr<Session> scaledSession(float scale) {
  TemporaryFolder folder;
  return must(Session::create(model(), must(Weights::load(model(), writeWeights(folder.path(), scale))), {}));
}

TEST(Snapshot, OfOtherWeightsIsRefusedAndOfEqualOnesRestored) {
  auto [bytes, tokens] = snapshotAfter(70);
  std::unique_ptr<Session> other = scaledSession(1.5f);
  Result<int64_t> sequence = other->restore({bytes.data(), bytes.size()});
  ASSERT_FALSE(bool(sequence));
  EXPECT_EQ(sequence.error().message, "the snapshot was made with other weights than this session's");
  // The same numbers, loaded once more.
  std::unique_ptr<Session> same = scaledSession(1.0f);
  int64_t restored = must(same->restore({bytes.data(), bytes.size()}));
  std::vector<int32_t> rest = randomTokens(99, 30), all = tokens;
  all.insert(all.end(), rest.begin(), rest.end());
  expectRows(feed(*same, restored, rest), 0, expected(all), 70, 100);
}

TEST(Snapshot, OfAnotherFormatIsRefusedWithAWordOnIt) {
  std::vector<uint8_t> bytes = snapshotAfter(3).first;
  bytes[7] = '1';
  renewChecksum(bytes);
  EXPECT_EQ(restoreError(bytes),
            "the snapshot is of format '1', this runtime reads '2'; feed the sequence's tokens again");
}

TEST(Snapshot, MayBeRestoredByASessionOfOtherLimitsWhereItFits) {
  std::vector<uint8_t> bytes = snapshotAfter(200).first;
  SessionOptions options;
  options.threads = 3;
  options.maxSequences = 1;
  std::unique_ptr<Session> small = session(options);
  must(small->restore({bytes.data(), bytes.size()}));
  EXPECT_EQ(small->restore({bytes.data(), bytes.size()}).error().status, CHIMERA_ERROR_LIMIT);
  options.memoryLimit = 1000;
  EXPECT_EQ(session(options)->restore({bytes.data(), bytes.size()}).error().status, CHIMERA_ERROR_LIMIT);
}

TEST(Snapshot, WhatIsNoSnapshotIsRefused) {
  EXPECT_EQ(restoreError({}), "not a snapshot of a sequence");
  EXPECT_EQ(restoreError(std::vector<uint8_t>(100, 0)), "not a snapshot of a sequence");
}

} // namespace
} // namespace chimera::runtime::toy
