// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Isa.h"

namespace chimera::cpu {

const std::vector<Isa> &allIsas() {
  static const std::vector<Isa> isas = {
      {"amx-bf16", 16, false, true},
      {"avx512-bf16", 16, true, false},
      {"avx512", 16},
      {"avx2", 8},
  };
  return isas;
}

std::optional<Isa> isaNamed(std::string_view name) {
  for (const Isa &isa : allIsas())
    if (isa.name == name)
      return isa;
  return std::nullopt;
}

} // namespace chimera::cpu
