// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The CPU's regions, and the pages of lists in one.
#include "runtime/cache/PagePool.h"
#include "runtime/device/CpuDevice.h"
#include "test/runtime/Runner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace chimera::runtime::toy {
namespace {

bool isZero(const uint8_t *bytes, size_t count) {
  return std::all_of(bytes, bytes + count, [](uint8_t byte) { return byte == 0; });
}

TEST(CpuDevice, ALargeRegionLiesAndGrowsByHugePages) {
  constexpr size_t huge = size_t(2) << 20;
  std::unique_ptr<CpuDevice> device = must(CpuDevice::create(1));
  for (int i = 0; i < 3; ++i) { // Wherever the system puts them.
    OwnedRegion region(*device, must(device->reserve(5 * huge - 100, "a test", true)));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(region->base) % huge, 0u);
    EXPECT_EQ(region->reserved, 5 * huge);
    ASSERT_FALSE(device->commit(*region, 1));
    EXPECT_EQ(region->committed, huge);
    EXPECT_TRUE(isZero(region->base, huge));
    std::memset(region->base, 1, huge);
    ASSERT_FALSE(device->commit(*region, 4 * huge + 1));
    EXPECT_EQ(region->committed, 5 * huge);
    EXPECT_TRUE(isZero(region->base + huge, 4 * huge));
    EXPECT_EQ(region->base[huge - 1], 1);
  }
}

TEST(CpuDevice, ASmallRegionTakesSmallPages) {
  std::unique_ptr<CpuDevice> device = must(CpuDevice::create(1));
  OwnedRegion region(*device, must(device->reserve(5000, "a test", true)));
  EXPECT_EQ(region->reserved, 8192u);
  ASSERT_FALSE(device->commit(*region, 5000));
  EXPECT_EQ(region->committed, 8192u);
}

TEST(PagePool, APageIsZeroWhoeverHadItBefore) {
  std::unique_ptr<CpuDevice> device = must(CpuDevice::create(1));
  PagePool pool = must(PagePool::create(*device, 128, 128 * 10));
  ASSERT_FALSE(pool.prepare(2));
  int32_t first = pool.take(), second = pool.take();
  std::memset(pool.at(first), 7, 128);
  std::memset(pool.at(second), 7, 128);
  pool.giveBack(second);
  EXPECT_EQ(pool.taken(), 1);
  int32_t again = pool.take();
  EXPECT_EQ(again, second);
  EXPECT_TRUE(isZero(pool.at(again), 128));
  EXPECT_EQ(pool.at(first)[5], 7);
}

TEST(PagePool, AnUntouchedPageIsTheNextToBeTakenAndCountsAsFree) {
  std::unique_ptr<CpuDevice> device = must(CpuDevice::create(1));
  PagePool pool = must(PagePool::create(*device, 128, 128 * 3));
  ASSERT_FALSE(pool.prepare(3));
  int32_t written = pool.take(), untouched = pool.take();
  std::memset(pool.at(written), 7, 128);
  pool.giveBackUntouched(untouched);
  pool.giveBack(written);
  EXPECT_EQ(pool.taken(), 0);
  ASSERT_FALSE(pool.prepare(3));
  EXPECT_TRUE(bool(pool.prepare(4)));
  EXPECT_EQ(pool.take(), untouched);
  EXPECT_EQ(pool.take(), written);
  EXPECT_TRUE(isZero(pool.at(written), 128));
  EXPECT_TRUE(isZero(pool.at(pool.take()), 128));
  EXPECT_EQ(pool.taken(), 3);
}

} // namespace
} // namespace chimera::runtime::toy
