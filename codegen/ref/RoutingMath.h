// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The formulas of hard routing, for one token: a value for each of the layer's modes.
#ifndef CHIMERA_CODEGEN_REF_ROUTINGMATH_H
#define CHIMERA_CODEGEN_REF_ROUTINGMATH_H

#include "codegen/kernel/KernelBuilder.h"
#include "codegen/ref/Kernels.h"

namespace chimera::ref {

/// The place of the greatest; the first on ties.
Val argmax(KernelBuilder &k, llvm::ArrayRef<Val> scores);

/// values[place].
Val pick(llvm::ArrayRef<Val> values, Val place);

/// q - log(sum exp q) in f64, the greatest taken away first.
llvm::SmallVector<Val> logSoftmax(KernelBuilder &k, llvm::ArrayRef<Val> logits);

/// The place of the mode that the token at this position is admitted to, as RouteSpec says; `counts` are the earlier
/// admissions. `capacity` is empty (no limits) or has an entry for each of `modes`.
Val admit(KernelBuilder &k, llvm::ArrayRef<int> modes, llvm::ArrayRef<Capacity> capacity, Val wanted,
          llvm::ArrayRef<Val> counts, Val position);

/// A piece of a symbol.
std::string nameOfCapacity(llvm::ArrayRef<Capacity> capacity);

} // namespace chimera::ref

#endif // CHIMERA_CODEGEN_REF_ROUTINGMATH_H
