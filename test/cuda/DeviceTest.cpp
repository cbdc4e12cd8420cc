// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What every device does alike, on each: memory that grows in place, copies in order, constants.
#include "runtime/device/CpuDevice.h"
#include "runtime/device/MakeDevice.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>
#include <vector>

using namespace chimera::runtime;

namespace {
class DeviceTest : public testing::TestWithParam<const char *> {
protected:
  DeviceTest() { setenv("CHIMERA_CUDA_DRIVER", CHIMERA_FAKE_CUDA, 1); }

  std::unique_ptr<Device> make() {
    Result<std::unique_ptr<Device>> made = makeDevice(GetParam(), 2, 0);
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    return made ? std::move(*made) : nullptr;
  }

  static std::vector<uint8_t> read(Device &device, const void *from, size_t bytes) {
    std::vector<uint8_t> got(bytes, 0xEE);
    device.download(got.data(), from, bytes);
    return got;
  }

  static std::vector<uint8_t> counting(size_t bytes, int from = 0) {
    std::vector<uint8_t> made(bytes);
    std::iota(made.begin(), made.end(), uint8_t(from));
    return made;
  }
};
} // namespace

TEST_P(DeviceTest, ARegionGrowsInPlaceAndNewMemoryIsZero) {
  std::unique_ptr<Device> device = make();
  constexpr size_t bytes = size_t(40) << 20;
  Result<Region> reserved = device->reserve(bytes, "a test", false);
  ASSERT_TRUE(reserved) << reserved.error().message;
  OwnedRegion region(*device, *reserved);
  EXPECT_GE(region->reserved, bytes);
  uint8_t *base = region->base;
  for (size_t size : {size_t(1), size_t(5000), size_t(1) << 20, bytes}) {
    size_t before = region->committed;
    Failure failure = device->commit(*region, size);
    ASSERT_FALSE(failure) << failure->message;
    EXPECT_EQ(region->base, base);
    EXPECT_GE(region->committed, size);
    EXPECT_LE(region->committed, region->reserved);
    std::vector<uint8_t> fresh = read(*device, base + before, region->committed - before);
    EXPECT_EQ(fresh, std::vector<uint8_t>(fresh.size(), 0));
    if (before)
      EXPECT_EQ(read(*device, base, before), std::vector<uint8_t>(before, 7));
    device->fill(base, 7, region->committed);
  }
}

TEST_P(DeviceTest, CopiesTakeEffectInOrder) {
  std::unique_ptr<Device> device = make();
  OwnedRegion region(*device, *device->reserve(8192, "a test"));
  ASSERT_FALSE(device->commit(*region, 8192));
  std::vector<uint8_t> host = counting(100);
  device->upload(region->base, host.data(), host.size());
  host.assign(100, 9); // What was uploaded was as it was then.
  device->copy(region->base + 4096, region->base, 100);
  device->fill(region->base, 1, 50);
  device->upload(region->base + 4096 + 90, host.data(), 10);
  std::vector<uint8_t> low = counting(100), high = counting(100);
  std::fill_n(low.begin(), 50, uint8_t(1));
  std::fill_n(high.begin() + 90, 10, uint8_t(9));
  EXPECT_EQ(read(*device, region->base, 100), low);
  EXPECT_EQ(read(*device, region->base + 4096, 100), high);
  device->finish();
  EXPECT_FALSE(device->failure());
}

TEST_P(DeviceTest, NothingOfNoBytesIsTouched) {
  std::unique_ptr<Device> device = make();
  Result<Region> region = device->reserve(0, "nothing");
  ASSERT_TRUE(region);
  EXPECT_EQ(region->base, nullptr);
  device->fill(nullptr, 1, 0);
  device->copy(nullptr, nullptr, 0);
  device->upload(nullptr, nullptr, 0);
  device->download(nullptr, nullptr, 0);
  device->release(*region);
  EXPECT_FALSE(device->failure());
}

TEST_P(DeviceTest, AConstantHasOneAddress) {
  std::unique_ptr<Device> device = make();
  std::vector<uint8_t> small = counting(1000), large = counting(size_t(3) << 20, 5);
  Result<void *> first = device->constant(small.data(), small.size());
  Result<void *> second = device->constant(large.data(), large.size());
  ASSERT_TRUE(first && second);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(*second) % 16, reinterpret_cast<uintptr_t>(large.data()) % 16);
  EXPECT_EQ(*device->constant(small.data(), small.size()), *first);
  EXPECT_EQ(read(*device, *first, small.size()), small);
  EXPECT_EQ(read(*device, *second, large.size()), large);
}

TEST_P(DeviceTest, KnowsItsMemory) {
  EXPECT_GT(make()->usableMemory(), int64_t(1) << 20);
}

INSTANTIATE_TEST_SUITE_P(All, DeviceTest, testing::Values("ref", "sim", "cuda"),
                         [](const auto &info) { return std::string(info.param); });
