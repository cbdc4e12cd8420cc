// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Elf.h"

#include <cstring>
#include <elf.h>
#include <string>

namespace chimera::runtime {

/// Copies a T from `offset`; false when it does not lie inside.
template <typename T> static bool readAt(ByteSpan span, uint64_t offset, T &value) {
  if (offset > span.size || span.size - offset < sizeof(T))
    return false;
  std::memcpy(&value, span.data + offset, sizeof(T));
  return true;
}

static bool isInside(ByteSpan span, uint64_t offset, uint64_t size) {
  return offset <= span.size && size <= span.size - offset;
}

static Failure readHeader(ByteSpan elf, Elf64_Ehdr &header) {
  if (!readAt(elf, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return Error("not an ELF file");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != EM_X86_64 || header.e_type != ET_DYN)
    return Error("not an x86-64 shared object");
  return std::nullopt;
}

/// What a dynamic tag would make the loader do, or null.
static const char *actionOf(int64_t tag) {
  switch (tag) {
  case DT_NEEDED:
    return "needs a library";
  case DT_INIT:
  case DT_INIT_ARRAY:
  case DT_PREINIT_ARRAY:
    return "has an initialiser";
  case DT_FINI:
  case DT_FINI_ARRAY:
    return "has a finaliser";
  case DT_TEXTREL:
    return "writes to its code when it is mapped";
  default:
    return nullptr;
  }
}

static Failure checkDynamic(ByteSpan elf, const Elf64_Phdr &segment) {
  for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= segment.p_filesz; at += sizeof(Elf64_Dyn)) {
    Elf64_Dyn entry;
    if (!readAt(elf, segment.p_offset + at, entry))
      return Error("the dynamic section lies outside the file");
    if (entry.d_tag == DT_NULL)
      break;
    if (const char *action = actionOf(entry.d_tag))
      return Error(std::string("the shared object ") + action + "; a model binary must not");
  }
  return std::nullopt;
}

Failure checkFreestanding(ByteSpan elf) {
  Elf64_Ehdr header;
  if (Failure failure = readHeader(elf, header))
    return failure;
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
      !isInside(elf, header.e_phoff, uint64_t(header.e_phnum) * sizeof(Elf64_Phdr)))
    return Error("the program headers lie outside the file");
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    readAt(elf, header.e_phoff + uint64_t(i) * sizeof segment, segment);
    if (segment.p_type == PT_INTERP)
      return Error("the shared object has an interpreter; a model binary must not");
    if (segment.p_type != PT_LOAD && segment.p_type != PT_DYNAMIC)
      continue;
    if (!isInside(elf, segment.p_offset, segment.p_filesz) || segment.p_filesz > segment.p_memsz)
      return Error("program header " + std::to_string(i) + " points outside the file");
    if (segment.p_type == PT_DYNAMIC)
      if (Failure failure = checkDynamic(elf, segment))
        return failure;
  }
  return std::nullopt;
}

/// Whether the string at `offset` of the table is `name`.
static bool nameIs(ByteSpan elf, const Elf64_Shdr &table, uint64_t offset, std::string_view name) {
  if (offset >= table.sh_size || table.sh_size - offset <= name.size())
    return false;
  const uint8_t *text = elf.data + table.sh_offset + offset;
  return std::memcmp(text, name.data(), name.size()) == 0 && text[name.size()] == 0;
}

Result<ByteSpan> findSection(ByteSpan elf, std::string_view name) {
  Elf64_Ehdr header;
  if (Failure failure = readHeader(elf, header))
    return *failure;
  if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shstrndx >= header.e_shnum ||
      !isInside(elf, header.e_shoff, uint64_t(header.e_shnum) * sizeof(Elf64_Shdr)))
    return Error("the section headers lie outside the file");
  auto sectionAt = [&](unsigned i) {
    Elf64_Shdr section;
    readAt(elf, header.e_shoff + uint64_t(i) * sizeof section, section);
    return section;
  };
  Elf64_Shdr names = sectionAt(header.e_shstrndx);
  if (names.sh_type != SHT_STRTAB || !isInside(elf, names.sh_offset, names.sh_size))
    return Error("the section names lie outside the file");
  ByteSpan found;
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section = sectionAt(i);
    if (!nameIs(elf, names, section.sh_name, name))
      continue;
    if (section.sh_type != SHT_PROGBITS || !isInside(elf, section.sh_offset, section.sh_size))
      return Error("the section " + std::string(name) + " lies outside the file");
    if (found.data)
      return Error("there are two sections " + std::string(name));
    found = {elf.data + section.sh_offset, size_t(section.sh_size)};
  }
  if (!found.data)
    return Error("there is no section " + std::string(name));
  return found;
}

} // namespace chimera::runtime
