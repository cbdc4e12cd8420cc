// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// dw = dy^T x. A block is some outputs times some panels of inputs; rows are taken a chunk at a time, dy turned and x
// packed, so that the micro kernels of the forward product multiply them: outputs are their rows, rows their inputs.
#include "codegen/cpu/TrainingLeaves.h"
#include "codegen/cpu/TrainingProducts.h"
#include "codegen/cpu/TrainingTiles.h"

using namespace mlir;

namespace chimera::cpu {

/// Rows that are turned at once: what stays in the first caches beside the sums.
static constexpr int64_t chunkRows = 64;
/// Blocks that are wanted at least, for the threads to share.
static constexpr int64_t leastBlocks = 8;
/// Outputs of a block at most, and the unit of their number: whole vectors of every ISA.
static constexpr int64_t mostOutputs = 96, outputUnit = 16;
static constexpr int64_t mostPanels = 4;

namespace {

/// How a gradient is cut.
struct Plan {
  MicroSpec micro;
  Words words;
  int64_t outputs;      ///< of a block
  int64_t panels;       ///< of a block
  int64_t outputBlocks; ///< of the matrix
  int64_t panelBlocks;
};

} // namespace

static int64_t ceilDiv(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

static Plan planOf(const Isa &isa, const WeightGradSpec &spec) {
  bool dot = spec.operand == Scalar::BF16 && (isa.dotBF16 || isa.tileBF16);
  Scalar in = dot ? Scalar::BF16 : Scalar::F32;
  int64_t panel = trainingPanel(isa.lanes, spec.inputs), panels = ceilDiv(spec.inputs, panel);
  Plan plan{{isa.lanes, in, dot ? WeightFormat::BF16 : WeightFormat::F32, panel, dot},
            spec.operand == Scalar::F32 ? Words::F32
            : dot                       ? Words::RowPairs
                                        : Words::WidenedBF16,
            std::min(mostOutputs, ceilDiv(spec.outputs, outputUnit) * outputUnit),
            std::min(mostPanels, panels),
            0,
            0};
  while (true) {
    plan.outputBlocks = ceilDiv(spec.outputs, plan.outputs);
    plan.panelBlocks = ceilDiv(panels, plan.panels);
    if (plan.outputBlocks * plan.panelBlocks >= leastBlocks || (plan.panels == 1 && plan.outputs == outputUnit))
      return plan;
    if (plan.panels > 1)
      plan.panels = ceilDiv(plan.panels, 2);
    else
      plan.outputs -= outputUnit;
  }
}

namespace {

/// The body of one kernel.
class WeightGrad {
public:
  WeightGrad(KernelBuilder &k, const WeightGradSpec &spec, const Plan &plan)
      : k(k), spec(spec), plan(plan), leaves(k.buffer(Elem::I32)), start(k.buffer(Elem::I32)),
        dy(k.buffer(rawElemOf(spec.operand))), x(k.buffer(rawElemOf(spec.operand))), dw(k.buffer(Elem::F32)),
        turned(k.scratch(Elem::I32, plan.outputs * chunkWords())),
        packed(k.scratch(Elem::I32, chunkWords() * plan.micro.panel)), offsets(k.scratch(Elem::I64, plan.outputs)),
        sums(k.scratch(Elem::F32, leafLevels * blockSize())) {}

  void build() {
    // In elements of what is multiplied.
    k.forEach(0, plan.outputs, [&](Val n) { offsets.store(n, n * chunkRows); });
    k.forEach(k.begin(), k.end(), [&](Val block) {
      Val output = block / plan.panelBlocks * plan.outputs, panel = block % plan.panelBlocks * plan.panels;
      Val outputs = min(k.integer(spec.outputs) - output, k.integer(plan.outputs));
      Val panels = min(k.integer(allPanels()) - panel, k.integer(plan.panels));
      sumByLeaves(k, leaves, start, sums, blockSize(), plan.micro.lanes,
                  [&](Val first, Val last, const Buffer &ofLeaf) {
                    k.forEach(
                        first, last,
                        [&](Val row) {
                          addRows(row, min(last - row, k.integer(chunkRows)), output, outputs, panel, panels, ofLeaf);
                        },
                        chunkRows);
                  });
      k.forEach(k.integer(0), panels, [&](Val i) {
        k.forEach(k.integer(0), outputs, [&](Val n) { store(output + n, panel + i, i * plan.outputs + n); });
      });
    });
  }

private:
  int64_t chunkWords() { return chunkRows / rowsOfWord(plan.words); }
  int64_t blockSize() { return plan.panels * plan.outputs * plan.micro.panel; }
  int64_t allPanels() { return ceilDiv(spec.inputs, plan.micro.panel); }

  void addRows(Val row, Val rows, Val output, Val outputs, Val panel, Val panels, const Buffer &ofLeaf) {
    ModuleOp module = k.module;
    int64_t lanes = plan.micro.lanes, width = plan.micro.panel;
    k.call(emitTransposeWords(module, plan.words, lanes),
           {dy.at(row * spec.outputs + output).base(), k.integer(spec.outputs), rows, outputs, turned.base(),
            k.integer(chunkWords())});
    bool asItLies = plan.words == Words::F32 && spec.inputs == width;
    k.forEach(k.integer(0), panels, [&](Val i) {
      Val column = (panel + i) * width;
      Buffer from = x.at(row * spec.inputs + column);
      if (!asItLies)
        k.call(emitPackWords(module, plan.words, lanes, width),
               {from.base(), k.integer(spec.inputs), rows, min(k.integer(spec.inputs) - column, k.integer(width)),
                packed.base()});
      k.call(emitAddProduct(module, plan.micro),
             {turned.base(), offsets.base(), outputs, (asItLies ? from : packed).base(), rows,
              ofLeaf.at(i * (plan.outputs * width)).base()});
    });
  }

  /// Writes a panel of the row `output` of dw from the sums.
  void store(Val output, Val panel, Val place) {
    int64_t lanes = plan.micro.lanes, width = plan.micro.panel;
    Val column = panel * width, columns = min(k.integer(spec.inputs) - column, k.integer(width));
    storeColumns(k, sums.at(place * width), dw.at(output * spec.inputs + column), columns, spec.inputs, lanes);
  }

  KernelBuilder &k;
  const WeightGradSpec &spec;
  const Plan &plan;
  Buffer leaves, start, dy, x, dw, turned, packed, offsets, sums;
};

} // namespace

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const WeightGradSpec &spec) {
  Plan plan = planOf(isa, spec);
  std::string symbol = symbolOf({"cpu_linear_weight_grad", nameOf(spec.operand),
                                 std::to_string(spec.inputs) + "x" + std::to_string(spec.outputs)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) { WeightGrad(k, spec, plan).build(); });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/plan.outputBlocks * plan.panelBlocks}};
}

} // namespace chimera::cpu
