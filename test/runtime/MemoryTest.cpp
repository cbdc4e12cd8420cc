// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/runtime/Runner.h"

#include "runtime/cache/PagePool.h"
#include "runtime/cache/SlotPools.h"
#include "runtime/device/CpuDevice.h"

#include <cerrno>
#include <cstring>

namespace chimera::runtime::toy {
namespace {

// A slot of the toy model: (counts 16, state 4, ring 20, ring count 8, length 8) in two layers; a page: 256.
constexpr int64_t slotBytes = 2 * (16 + 4 + 20 + 8 + 8);
constexpr int64_t pageBytes = 256;

TEST(Memory, UseIsCountedByMode) {
  std::unique_ptr<Session> runner = session();
  int64_t sequence = must(runner->add());
  MemoryUse use = must(runner->memoryUse(sequence));
  std::array<int64_t, 5> nothing{}, slot = {8, 56, 16, 0, 32};
  EXPECT_EQ(use.reserved, slot);
  EXPECT_EQ(use.used, nothing);
  ASSERT_FALSE(feed(*runner, sequence, {1, 3, 4}).failure);
  use = must(runner->memoryUse(sequence));
  // A page in each layer, of which two entries are used; three of five ring entries.
  EXPECT_EQ(use.reserved, (std::array<int64_t, 5>{8, 56, 16 + 2 * pageBytes, 0, 32}));
  EXPECT_EQ(use.used, (std::array<int64_t, 5>{8, 2 * (12 + 8), 16 + 2 * pageBytes * 2 / 64, 0, 32}));
  ASSERT_FALSE(feed(*runner, sequence, std::vector<int32_t>(100, 2)).failure);
  EXPECT_EQ(must(runner->memoryUse(sequence)).used[CHIMERA_MEMORY_SWA], 56);
  ASSERT_FALSE(runner->drop(sequence));
  EXPECT_EQ(must(runner->memoryUse(CHIMERA_ALL_SEQUENCES)).reserved, nothing);
}

TEST(Memory, ARingUsesWhatItsWindowHoldsHoweverMuchRoomItHas) {
  nlohmann::json padded = manifest();
  for (int64_t layer = 0; layer < layers; ++layer) {
    padded["caches"][size_t(layer * 4 + 2)]["room"] = 8;
    padded["pools"][size_t(layer * 6 + 2)]["bytes_per_slot"] = 8 * 4;
  }
  std::shared_ptr<const Model> model = must(Model::load("m", binary(padded.dump())));
  TemporaryFolder folder;
  auto weights = must(Weights::load(model, writeWeights(folder.path())));
  std::unique_ptr<Session> runner = must(Session::create(model, weights, SessionOptions()));
  int64_t sequence = must(runner->add());
  ASSERT_FALSE(feed(*runner, sequence, {1, 3, 4}).failure);
  EXPECT_EQ(must(runner->memoryUse(sequence)).used[CHIMERA_MEMORY_SWA], 2 * (3 * 4 + 8));
  ASSERT_FALSE(feed(*runner, sequence, std::vector<int32_t>(100, 2)).failure);
  MemoryUse use = must(runner->memoryUse(sequence));
  EXPECT_EQ(use.used[CHIMERA_MEMORY_SWA], 2 * (window * 4 + 8));
  EXPECT_EQ(use.reserved[CHIMERA_MEMORY_SWA], 2 * (8 * 4 + 8));
}

TEST(Memory, PagesThatAStepDidNotNeedAreGivenBack) {
  std::unique_ptr<Session> runner = session();
  int64_t sequence = must(runner->add());
  // Even tokens enter no list.
  ASSERT_FALSE(feed(*runner, sequence, std::vector<int32_t>(500, 2)).failure);
  EXPECT_EQ(must(runner->memoryUse(sequence)).reserved[CHIMERA_MEMORY_FULL], 16);
}

TEST(Memory, PagesThatForksShareCountOnceForAll) {
  std::unique_ptr<Session> runner = session();
  int64_t source = must(runner->add());
  ASSERT_FALSE(feed(*runner, source, std::vector<int32_t>(130, 1)).failure);
  int64_t copy = must(runner->fork(source));
  int64_t each = must(runner->memoryUse(source)).reserved[CHIMERA_MEMORY_FULL];
  EXPECT_EQ(each, 16 + 2 * 3 * pageBytes);
  EXPECT_EQ(must(runner->memoryUse(copy)).reserved[CHIMERA_MEMORY_FULL], each);
  // Two full pages a list are shared, the third is not.
  EXPECT_EQ(must(runner->memoryUse(CHIMERA_ALL_SEQUENCES)).reserved[CHIMERA_MEMORY_FULL], 2 * 16 + 2 * 4 * pageBytes);
}

TEST(Memory, TheLimitRefusesSequencesAndLeavesTheOthersAsTheyAre) {
  SessionOptions options;
  options.memoryLimit = 2 * slotBytes;
  std::unique_ptr<Session> runner = session(options);
  must(runner->add());
  int64_t second = must(runner->add());
  Result<int64_t> third = runner->add();
  ASSERT_FALSE(bool(third));
  EXPECT_EQ(third.error().status, CHIMERA_ERROR_LIMIT);
  EXPECT_EQ(third.error().message, "the caches would need more memory than the limit of 224 bytes: 224 are held, 1 "
                                   "slots and 0 pages more may be needed");
  ASSERT_FALSE(runner->drop(second));
  must(runner->add());
}

TEST(Memory, AStepThatMightNotFitChangesNothing) {
  // Room for two sequences and seven pages.
  SessionOptions options;
  options.memoryLimit = 2 * slotBytes + 7 * pageBytes;
  std::unique_ptr<Session> runner = session(options);
  int64_t one = must(runner->add()), two = must(runner->add());
  std::vector<int32_t> tokens = randomTokens(12, 300);
  ASSERT_FALSE(feed(*runner, one, {tokens.begin(), tokens.begin() + 60}).failure);
  std::vector<uint8_t> before = must(runner->snapshot(one)), beforeTwo = must(runner->snapshot(two));
  std::vector<int32_t> work(tokens.begin() + 60, tokens.end());
  // 2 pages are held; 240 rows might enter both lists.
  Outcome outcome = run(*runner, {{two, tokens.data(), 5, nullptr, CHIMERA_LOGITS_ALL},
                                  {one, work.data(), 240, nullptr, CHIMERA_LOGITS_ALL}});
  ASSERT_TRUE(bool(outcome.failure));
  EXPECT_EQ(outcome.failure->status, CHIMERA_ERROR_LIMIT);
  for (float logit : outcome.logits)
    ASSERT_EQ(logit, -1.0f);
  EXPECT_EQ(must(runner->snapshot(one)), before);
  EXPECT_EQ(must(runner->snapshot(two)), beforeTwo);
  // In smaller pieces it fits, as half of the tokens enter no list.
  Expected wanted = expected(tokens);
  for (size_t t = 60; t < 240; t += 20)
    expectRows(feed(*runner, one, {tokens.begin() + int64_t(t), tokens.begin() + int64_t(t) + 20}), 0, wanted, t,
               t + 20);
}

TEST(Memory, AForkOrRestoreThatDoesNotFitChangesNothing) {
  SessionOptions options;
  options.memoryLimit = 2 * slotBytes + 3 * pageBytes;
  std::unique_ptr<Session> runner = session(options);
  int64_t one = must(runner->add());
  std::vector<int32_t> tokens = {1, 3, 5};
  ASSERT_FALSE(feed(*runner, one, tokens).failure);
  std::vector<uint8_t> bytes = must(runner->snapshot(one));
  MemoryUse before = must(runner->memoryUse(CHIMERA_ALL_SEQUENCES));
  // The slot fits, one partly filled page fits, two do not.
  EXPECT_FALSE(bool(runner->fork(one)));
  EXPECT_FALSE(bool(runner->restore({bytes.data(), bytes.size()})));
  EXPECT_EQ(must(runner->memoryUse(CHIMERA_ALL_SEQUENCES)).reserved, before.reserved);
  must(runner->add());
}

TEST(Memory, PagesAreCountedZeroedAndUsedAgain) {
  std::unique_ptr<CpuDevice> device = must(CpuDevice::create(1));
  PagePool pool = must(PagePool::create(*device, 128, 3 * 128));
  EXPECT_TRUE(bool(pool.prepare(4)));
  ASSERT_FALSE(pool.prepare(3));
  int32_t first = pool.take(), second = pool.take();
  std::memset(pool.at(first), 7, 128);
  pool.share(first);
  pool.giveBack(first);
  EXPECT_EQ(pool.taken(), 2);
  pool.giveBack(first);
  EXPECT_EQ(pool.taken(), 1);
  ASSERT_FALSE(pool.prepare(2));
  EXPECT_TRUE(bool(pool.prepare(3)));
  EXPECT_EQ(pool.take(), first);
  for (int i = 0; i < 128; ++i)
    ASSERT_EQ(pool.at(first)[i], 0);
  EXPECT_NE(pool.take(), second);
}

TEST(Memory, SlotsGrowWithoutMovingAndAreZeroWhenTaken) {
  std::unique_ptr<CpuDevice> device = must(CpuDevice::create(1));
  std::vector<Pool> pools(2);
  pools[0].bytesPerSlot = 24;
  pools[1].bytesPerSlot = int64_t(3) << 19;
  SlotPools slots = must(SlotPools::create(*device, pools, 100));
  uint8_t *base = slots.base(1);
  for (int32_t slot = 0; slot < 20; ++slot) {
    ASSERT_EQ(must(slots.take()), slot);
    for (size_t pool = 0; pool < 2; ++pool) {
      EXPECT_EQ(slots.at(pool, slot)[0], 0);
      EXPECT_EQ(slots.at(pool, slot)[slots.bytesAt(pool) - 1], 0);
      std::memset(slots.at(pool, slot), 1, slots.bytesAt(pool));
    }
  }
  EXPECT_EQ(slots.base(1), base);
  slots.giveBack(7);
  slots.giveBack(3);
  EXPECT_EQ(must(slots.take()), 3);
  EXPECT_EQ(slots.at(1, 3)[0], 0);
  EXPECT_EQ(must(slots.take()), 7);
  EXPECT_EQ(must(slots.take()), 20);
}

/// A CPU with only so many bytes of addresses.
class FewAddresses final : public Device {
public:
  explicit FewAddresses(size_t addresses) : left(addresses) {}

  Result<Region> reserve(size_t bytes, const char *what, bool large) override {
    if (bytes > left)
      return systemError(std::string("reserving for ") + what, ENOMEM);
    Result<Region> region = cpu->reserve(bytes, what, large);
    if (region)
      left -= region->reserved;
    return region;
  }
  Failure commit(Region &region, size_t bytes) override { return cpu->commit(region, bytes); }
  void release(Region &region) override {
    left += region.reserved;
    cpu->release(region);
  }
  void fill(void *to, int byte, size_t bytes) override { cpu->fill(to, byte, bytes); }
  void copy(void *to, const void *from, size_t bytes) override { cpu->copy(to, from, bytes); }
  void upload(void *to, const void *from, size_t bytes) override { cpu->copy(to, from, bytes); }
  void download(void *to, const void *from, size_t bytes) override { cpu->copy(to, from, bytes); }
  Result<void *> constant(const void *host, size_t bytes) override { return cpu->constant(host, bytes); }
  int64_t usableMemory() const override { return cpu->usableMemory(); }
  void launch(const BoundLaunch &launch) override { cpu->launch(launch); }

  size_t left;

private:
  std::unique_ptr<CpuDevice> cpu = must(CpuDevice::create(1));
};

TEST(Memory, WhereAddressesAreFewHalfOfThemIsReserved) {
  constexpr size_t all = size_t(64) << 20;
  FewAddresses device(all);
  EXPECT_EQ(reservable(device, all / 4), all / 4);
  EXPECT_EQ(reservable(device, all / 2), all / 2);
  for (size_t wish : {all / 2 + 1, all, all * 1000}) {
    size_t got = reservable(device, wish);
    EXPECT_LE(got, all / 2);
    EXPECT_GE(got, all / 4);
  }
  EXPECT_EQ(device.left, all);
  FewAddresses none(0);
  EXPECT_EQ(reservable(none, all), 0u);
  EXPECT_EQ(reservable(device, 0), 0u);
}

TEST(Memory, ACacheDoesWithFewAddressesAndReachesItsLimitSooner) {
  constexpr size_t all = size_t(64) << 20;
  FewAddresses device(all);
  PagePool pages = must(PagePool::create(device, 65536, int64_t(1) << 44));
  EXPECT_LE(device.left, all - all / 4);
  EXPECT_GE(device.left, all / 2 - (size_t(4) << 20));
  EXPECT_FALSE(pages.prepare(int64_t(all / 4 / 65536)));
  Failure failure = pages.prepare(int64_t(all / 65536));
  ASSERT_TRUE(bool(failure));
  EXPECT_EQ(failure->status, CHIMERA_ERROR_LIMIT);
  EXPECT_NE(failure->message.find("no addresses for more"), std::string::npos) << failure->message;
}

TEST(Memory, SlotsDoWithFewAddresses) {
  FewAddresses device(size_t(64) << 20);
  std::vector<Pool> pools(2);
  pools[0].bytesPerSlot = int64_t(1) << 20;
  pools[1].bytesPerSlot = int64_t(2) << 20;
  SlotPools slots = must(SlotPools::create(device, pools, 1024));
  int32_t count = 0;
  Result<int32_t> slot = slots.take();
  for (; slot; slot = slots.take()) {
    std::memset(slots.at(1, *slot), 7, slots.bytesAt(1));
    ++count;
  }
  EXPECT_GE(count, 5);
  EXPECT_LE(count, 10);
  EXPECT_EQ(slot.error().status, CHIMERA_ERROR_LIMIT);
  EXPECT_EQ(slot.error().message, "all " + std::to_string(count) +
                                      " places for sequences are taken; this process had no addresses for the 1024 "
                                      "asked for");
  // One sequence is the least that there is a point in.
  FewAddresses tiny(size_t(5) << 20);
  SlotPools one = must(SlotPools::create(tiny, pools, 1024));
  EXPECT_EQ(must(one.take()), 0);
  EXPECT_FALSE(bool(one.take()));
}

} // namespace
} // namespace chimera::runtime::toy
