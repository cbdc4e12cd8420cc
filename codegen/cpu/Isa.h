// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What kernels need to know of the instruction set that they are written for.
#ifndef CHIMERA_CODEGEN_CPU_ISA_H
#define CHIMERA_CODEGEN_CPU_ISA_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chimera::cpu {

struct Isa {
  /// "avx2", "avx512", "avx512-bf16" or "amx-bf16".
  std::string name;
  /// f32 numbers of a vector register: 8 or 16. There are as many again registers of it: 16 or 32.
  int64_t lanes;
  /// Products of bf16 pairs summed into f32 lanes: vdpbf16ps.
  bool dotBF16 = false;
  /// Products of bf16 tiles: tdpbf16ps.
  bool tileBF16 = false;
};

/// The instruction sets, the best first.
const std::vector<Isa> &allIsas();
/// The one of that name.
std::optional<Isa> isaNamed(std::string_view name);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_ISA_H
