// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Activation.h"

#include "codegen/cpu/Math.h"

namespace chimera::cpu {

Val silu(Val x) {
  return x / (x.builder->real(1, x.value.getType()) + exp(-x));
}

} // namespace chimera::cpu
