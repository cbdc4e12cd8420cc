// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/LinearEpilogue.h"

#include "codegen/cpu/Math.h"

namespace chimera::cpu {

/// The value of some neighbouring columns; `before` gives what out holds there.
static Val apply(const LinearSpec &spec, const EpilogueRow &row, Val column, int64_t lanes,
                 llvm::function_ref<Val()> before) {
  Val y = row.sums.loadVector(column, lanes);
  switch (spec.epilogue) {
  case Epilogue::None:
    return y;
  case Epilogue::Activate:
    return activate(spec.activation, y);
  case Epilogue::Glu:
    return activate(spec.activation, y) * row.up.loadVector(column, lanes);
  case Epilogue::Residual:
    return before() + (spec.gated ? splat(row.gate, lanes) * y : y);
  }
  llvm_unreachable("every epilogue is listed");
}

void emitEpilogue(KernelBuilder &k, const LinearSpec &spec, int64_t lanes, int64_t panel, const EpilogueRow &row,
                  Val first) {
  Buffer out = row.out.at(first);
  Val columns = min(k.integer(spec.outputs) - first, k.integer(panel));
  Val whole = columns / lanes * lanes;
  k.forEach(
      k.integer(0), whole,
      [&](Val column) {
        out.storeVector(column, apply(spec, row, column, lanes, [&] { return out.loadVector(column, lanes); }));
      },
      lanes);
  if (spec.outputs % lanes == 0)
    return;
  k.when(whole < columns, [&] {
    Val mask = lanesBelow(columns - whole, lanes);
    out.storeVector(whole, apply(spec, row, whole, lanes, [&] { return out.loadVector(whole, lanes, mask); }), mask);
  });
}

} // namespace chimera::cpu
