// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Elf.h"
#include "runtime/core/ModelFile.h"
#include "test/runtime/ToyModel.h"

#include <gtest/gtest.h>

#include <cstring>
#include <elf.h>
#include <random>

namespace chimera::runtime {
namespace {

/// The ELF part of the toy model.
std::vector<uint8_t> toyElf() {
  std::vector<uint8_t> bytes = toy::binary();
  bytes.resize(bytes.size() - ModelFile::trailerSize);
  return bytes;
}

/// Reads what the loader reads, whatever the bytes; true when all was found.
bool readAll(const std::vector<uint8_t> &bytes) {
  // A copy of the exact size, so that a sanitizer sees a read past the end.
  std::vector<uint8_t> exact(bytes.begin(), bytes.end());
  exact.shrink_to_fit();
  ByteSpan span{exact.data(), exact.size()};
  bool clean = !checkFreestanding(span);
  Result<ByteSpan> section = findSection(span, ".chimera.manifest");
  if (!section)
    return false;
  volatile uint8_t sum = 0;
  for (size_t i = 0; i < section->size; ++i)
    sum = uint8_t(sum + section->data[i]);
  return clean;
}

TEST(Elf, TheManifestsSectionIsFound) {
  std::vector<uint8_t> elf = toyElf();
  EXPECT_FALSE(checkFreestanding({elf.data(), elf.size()}));
  Result<ByteSpan> section = findSection({elf.data(), elf.size()}, ".chimera.manifest");
  ASSERT_TRUE(bool(section));
  EXPECT_EQ(section->data[0], '{');
  Result<ByteSpan> none = findSection({elf.data(), elf.size()}, ".chimera.manifes");
  ASSERT_FALSE(bool(none));
  EXPECT_EQ(none.error().message, "there is no section .chimera.manifes");
}

TEST(Elf, EveryTruncationIsReadWithinItsBounds) {
  std::vector<uint8_t> elf = toyElf();
  EXPECT_FALSE(readAll({}));
  for (size_t size = 1; size < elf.size(); size += size < 4096 || elf.size() - size < 4096 ? 1 : 257)
    EXPECT_FALSE(readAll({elf.begin(), elf.begin() + int64_t(size)})) << size;
}

TEST(Elf, EveryByteOfTheHeadersChangedIsReadWithinItsBounds) {
  std::vector<uint8_t> elf = toyElf();
  Elf64_Ehdr header;
  std::memcpy(&header, elf.data(), sizeof header);
  std::vector<std::pair<size_t, size_t>> regions = {
      {0, sizeof header},
      {header.e_phoff, header.e_phoff + header.e_phnum * sizeof(Elf64_Phdr)},
      {header.e_shoff, header.e_shoff + header.e_shnum * sizeof(Elf64_Shdr)}};
  int refused = 0;
  for (auto [begin, end] : regions)
    for (size_t at = begin; at < end; ++at)
      for (uint8_t value : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
        uint8_t before = elf[at];
        elf[at] = value;
        refused += !readAll(elf);
        elf[at] = before;
      }
  EXPECT_GT(refused, 300);
}

/// Overwrites the tag of the first entry of the dynamic section.
std::string messageWithTag(int64_t tag) {
  std::vector<uint8_t> elf = toyElf();
  Elf64_Ehdr header;
  std::memcpy(&header, elf.data(), sizeof header);
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, elf.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    if (segment.p_type == PT_DYNAMIC)
      std::memcpy(elf.data() + segment.p_offset, &tag, sizeof tag);
  }
  Failure failure = checkFreestanding({elf.data(), elf.size()});
  return failure ? failure->message : "";
}

TEST(Elf, ALibraryThatRunsOrNeedsSomethingIsRefused) {
  EXPECT_EQ(messageWithTag(DT_NEEDED), "the shared object needs a library; a model binary must not");
  EXPECT_EQ(messageWithTag(DT_INIT_ARRAY), "the shared object has an initialiser; a model binary must not");
  EXPECT_EQ(messageWithTag(DT_INIT), "the shared object has an initialiser; a model binary must not");
  EXPECT_EQ(messageWithTag(DT_FINI_ARRAY), "the shared object has a finaliser; a model binary must not");
}

} // namespace
} // namespace chimera::runtime
