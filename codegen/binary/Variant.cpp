// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/binary/Variant.h"
#include "llvm/ADT/Twine.h"

namespace chimera::binary {

llvm::Expected<IsaVariant> isaVariant(llvm::StringRef name) {
  // Each level adds to the one before it. /proc/cpuinfo says pni for SSE3 and abm for LZCNT.
  const std::vector<std::string> added[] = {
      {"sse", "sse2"},
      {"cx16", "lahf_lm", "pni", "popcnt", "sse4_1", "sse4_2", "ssse3"},
      {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"},
      {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"},
  };
  const llvm::StringRef names[] = {"x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"};
  IsaVariant variant{name.str(), {}};
  for (size_t level = 0; level < std::size(names); ++level) {
    variant.features.insert(variant.features.end(), added[level].begin(), added[level].end());
    if (name == names[level])
      return variant;
  }
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 "unknown ISA variant '" + name + "': x86-64, x86-64-v2, x86-64-v3 or x86-64-v4");
}

} // namespace chimera::binary
