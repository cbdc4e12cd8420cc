// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A step of a decode takes no memory. This file replaces the test program's operator new by one that counts.
#include "test/runtime/Runner.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

static std::atomic<int64_t> allocations{0};

static void *counted(size_t bytes, size_t alignment) {
  ++allocations;
  void *memory = alignment ? std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)
                           : std::malloc(bytes ? bytes : 1);
  if (!memory)
    throw std::bad_alloc();
  return memory;
}

void *operator new(size_t bytes) {
  return counted(bytes, 0);
}
void *operator new[](size_t bytes) {
  return counted(bytes, 0);
}
void *operator new(size_t bytes, std::align_val_t alignment) {
  return counted(bytes, size_t(alignment));
}
void *operator new[](size_t bytes, std::align_val_t alignment) {
  return counted(bytes, size_t(alignment));
}
void operator delete(void *memory) noexcept {
  std::free(memory);
}
void operator delete[](void *memory) noexcept {
  std::free(memory);
}
void operator delete(void *memory, size_t) noexcept {
  std::free(memory);
}
void operator delete[](void *memory, size_t) noexcept {
  std::free(memory);
}
void operator delete(void *memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void *memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void *memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void *memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace chimera::runtime::toy {
namespace {

TEST(Allocation, IsCounted) {
  int64_t before = allocations;
  std::vector<int> some(10);
  EXPECT_EQ(allocations, before + 1);
  some.reserve(1000);
  EXPECT_EQ(allocations, before + 2);
}

/// Three sequences that decode, one of them with forced modes.
class DecodeLoop {
public:
  DecodeLoop() : runner(session({2, 0, 0, true})) {
    for (int64_t &sequence : sequences)
      sequence = must(runner->add());
  }

  /// A step of a token each; whether it succeeded.
  bool step() {
    int32_t tokens[] = {int32_t(next % vocab), int32_t(next * 3 % vocab), int32_t(next * 7 % vocab)};
    int8_t forced[layers] = {-1, CHIMERA_MODE_FULL};
    ++next;
    chimera_step_item items[] = {{sequences[0], &tokens[0], 1, nullptr, CHIMERA_LOGITS_LAST},
                                 {sequences[1], &tokens[1], 1, forced, CHIMERA_LOGITS_LAST},
                                 {sequences[2], &tokens[2], 1, nullptr, CHIMERA_LOGITS_NONE}};
    return !runner->step(items, 3, logits, sizeof logits, routing, sizeof routing);
  }

private:
  std::unique_ptr<Session> runner;
  int64_t sequences[3];
  int64_t next = 1;
  float logits[2 * vocab];
  int8_t routing[3 * layers];
};

TEST(Allocation, ADecodeTakesNoneOnceItIsWarm) {
  DecodeLoop loop;
  // The page tables have room for 256 entries when the longest list has more than 128.
  for (int i = 0; i < 140; ++i)
    ASSERT_TRUE(loop.step());
  int64_t before = allocations;
  bool good = true;
  for (int i = 0; i < 110; ++i)
    good &= loop.step();
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(good);
}

} // namespace
} // namespace chimera::runtime::toy
