// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights that change with every step, packed for the product kernels. A block is some inputs of a panel.
#include "codegen/cpu/TrainingProducts.h"
#include "codegen/cpu/TrainingTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace chimera::cpu {

/// Inputs of a block: whole groups.
static constexpr int64_t blockInputs = 128;

static int64_t outputsOf(const PackSpec &spec) {
  return spec.transposed ? spec.columns : spec.rows;
}
static int64_t inputsOf(const PackSpec &spec) {
  return spec.transposed ? spec.rows : spec.columns;
}
static int64_t panelsOf(const PackSpec &spec) {
  return (outputsOf(spec) + spec.layout.panel - 1) / spec.layout.panel;
}
/// Words for each output of a panel.
static int64_t panelDepth(const PackSpec &spec) {
  return (inputsOf(spec) + spec.layout.group - 1) / spec.layout.group;
}

int64_t packedWords(const PackSpec &spec) {
  return panelsOf(spec) * panelDepth(spec) * spec.layout.panel;
}

static void emitPack(KernelBuilder &k, const Isa &isa, const PackSpec &spec) {
  bool pairs = spec.layout.format == WeightFormat::BF16;
  int64_t panel = spec.layout.panel, group = spec.layout.group;
  int64_t chunks = (inputsOf(spec) + blockInputs - 1) / blockInputs;
  Buffer w = k.buffer(Elem::F32), packed = k.buffer(Elem::I32);
  Val stride = k.integer(spec.columns);
  k.forEach(k.begin(), k.end(), [&](Val block) {
    Val input = block % chunks * blockInputs, output = block / chunks * panel;
    Val inputs = min(k.integer(inputsOf(spec)) - input, k.integer(blockInputs));
    Val outputs = min(k.integer(outputsOf(spec)) - output, k.integer(panel));
    Buffer to = packed.at((block / chunks * panelDepth(spec) + input / group) * panel);
    if (spec.transposed) {
      k.call(emitPackWords(k.module, pairs ? Words::RoundedRows : Words::F32, isa.lanes, panel),
             {w.at(input * spec.columns + output).base(), stride, inputs, outputs, to.base()});
      return;
    }
    // Vectors of outputs that are not there at all.
    Val zeros = {
        &k, k.ops.create<arith::ConstantOp>(k.loc, k.ops.getZeroAttr(k.vectorType(k.ops.getI32Type(), isa.lanes)))};
    Val written = (outputs + (isa.lanes - 1)) / isa.lanes * isa.lanes;
    k.when(written < k.integer(panel), [&] {
      k.forEach(k.integer(0), (inputs + (group - 1)) / group, [&](Val depth) {
        k.forEach(written, k.integer(panel), [&](Val n) { to.storeVector(depth * panel + n, zeros); }, isa.lanes);
      });
    });
    k.call(emitTransposeWords(k.module, pairs ? Words::RoundedPairs : Words::F32, isa.lanes),
           {w.at(output * spec.columns + input).base(), stride, outputs, inputs, to.base(), k.integer(panel)});
  });
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const PackSpec &spec) {
  std::string symbol =
      symbolOf({"cpu_pack", nameOf(spec.layout.format), std::to_string(spec.rows) + "x" + std::to_string(spec.columns),
                spec.transposed ? "transposed" : "", "by" + std::to_string(spec.layout.panel)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) { emitPack(k, isa, spec); });
  int64_t blocks = panelsOf(spec) * ((inputsOf(spec) + blockInputs - 1) / blockInputs);
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/blocks}};
}

} // namespace chimera::cpu
