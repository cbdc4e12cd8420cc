// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A hash table from 64-bit keys to small values, open addressing, that only grows.
#ifndef CHIMERA_RUNTIME_TEXT_FLATMAP_H
#define CHIMERA_RUNTIME_TEXT_FLATMAP_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace chimera::text {

/// The key ~0 must not be used.
template <typename Value> class FlatMap {
public:
  void reserve(size_t count) {
    size_t wanted = 16;
    while (wanted < count * 2)
      wanted *= 2;
    if (wanted > slots.size())
      rehash(wanted);
  }

  /// The value of `key`, made if there is none.
  Value &operator[](uint64_t key) {
    if ((used + 1) * 2 > slots.size())
      rehash(slots.empty() ? 16 : slots.size() * 2);
    Slot &slot = slots[place(key)];
    if (slot.key == none) {
      slot.key = key;
      ++used;
    }
    return slot.value;
  }

  const Value *find(uint64_t key) const {
    if (slots.empty())
      return nullptr;
    const Slot &slot = slots[place(key)];
    return slot.key == none ? nullptr : &slot.value;
  }

private:
  static constexpr uint64_t none = ~uint64_t(0);
  struct Slot {
    uint64_t key = none;
    Value value{};
  };

  /// Where `key` is or would be.
  size_t place(uint64_t key) const {
    uint64_t mixed = (key ^ key >> 32) * 0x9E3779B97F4A7C15u;
    size_t at = size_t(mixed >> 20) & (slots.size() - 1);
    while (slots[at].key != none && slots[at].key != key)
      at = (at + 1) & (slots.size() - 1);
    return at;
  }

  void rehash(size_t size) {
    std::vector<Slot> old(size);
    old.swap(slots);
    for (const Slot &slot : old)
      if (slot.key != none)
        slots[place(slot.key)] = slot;
  }

  std::vector<Slot> slots;
  size_t used = 0;
};

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_FLATMAP_H
