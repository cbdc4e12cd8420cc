// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The variants of x86-64 that kernels are made for: the levels of the psABI, and the ISAs of the cpu target.
#ifndef CHIMERA_CODEGEN_BINARY_VARIANT_H
#define CHIMERA_CODEGEN_BINARY_VARIANT_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace chimera::binary {

struct IsaVariant {
  std::string name;
  /// LLVM's CPU, and what is added to it: "x86-64-v4", "+avx512bf16".
  std::string cpu, attributes;
  /// What a machine must have, spelled as in /proc/cpuinfo.
  std::vector<std::string> features;
};

/// The variant of that name: x86-64, x86-64-v2, x86-64-v3, x86-64-v4, or avx2, avx512, avx512-bf16, amx-bf16; any other
/// name is an error that lists them.
llvm::Expected<IsaVariant> isaVariant(llvm::StringRef name);

} // namespace chimera::binary

#endif // CHIMERA_CODEGEN_BINARY_VARIANT_H
