// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/binary/Variant.h"
#include "llvm/ADT/Twine.h"

namespace chimera::binary {

namespace {

/// A variant by what it adds to the one before it. /proc/cpuinfo says pni for SSE3 and abm for LZCNT.
struct Level {
  llvm::StringLiteral name, cpu, attributes;
  std::vector<std::string> added;
};

const std::vector<Level> &psabiLevels() {
  static const std::vector<Level> levels = {
      {"x86-64", "x86-64", "", {"sse", "sse2"}},
      {"x86-64-v2", "x86-64-v2", "", {"cx16", "lahf_lm", "pni", "popcnt", "sse4_1", "sse4_2", "ssse3"}},
      {"x86-64-v3", "x86-64-v3", "", {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"}},
      {"x86-64-v4", "x86-64-v4", "", {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}},
  };
  return levels;
}

/// The cpu target's names, each with the level of the psABI that it rests on.
const std::vector<std::pair<Level, llvm::StringRef>> &cpuIsas() {
  static const std::vector<std::pair<Level, llvm::StringRef>> isas = {
      {{"avx2", "x86-64-v3", "", {}}, "x86-64-v3"},
      {{"avx512", "x86-64-v4", "", {}}, "x86-64-v4"},
      {{"avx512-bf16", "x86-64-v4", "+avx512bf16", {"avx512_bf16"}}, "x86-64-v4"},
      {{"amx-bf16", "x86-64-v4", "+avx512bf16,+amx-tile,+amx-bf16", {"amx_bf16", "amx_tile", "avx512_bf16"}},
       "x86-64-v4"},
  };
  return isas;
}

} // namespace

llvm::Expected<IsaVariant> isaVariant(llvm::StringRef name) {
  for (const auto &[isa, base] : cpuIsas()) {
    if (isa.name != name)
      continue;
    auto variant = isaVariant(base);
    if (!variant)
      return variant.takeError();
    variant->name = name.str();
    variant->attributes = isa.attributes.str();
    variant->features.insert(variant->features.end(), isa.added.begin(), isa.added.end());
    return variant;
  }
  IsaVariant variant{name.str(), name.str(), "", {}};
  for (const Level &level : psabiLevels()) {
    variant.features.insert(variant.features.end(), level.added.begin(), level.added.end());
    if (level.name == name)
      return variant;
  }
  return llvm::createStringError(
      llvm::inconvertibleErrorCode(),
      "unknown ISA variant '" + name +
          "': x86-64, x86-64-v2, x86-64-v3, x86-64-v4, avx2, avx512, avx512-bf16 or amx-bf16");
}

} // namespace chimera::binary
