// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products. A block of the grid is some rows times some neighbouring panels of weights; the blocks of one group
// of panels are neighbours, so that threads at work at the same time read the same weights.
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/LinearEpilogue.h"
#include "codegen/cpu/LinearPanel.h"
#include "codegen/cpu/LinearQuantised.h"

using namespace mlir;

namespace chimera::cpu {

/// Rows of a block at most; a multiple of microRows.
static constexpr int64_t blockRows = 96;
/// A block takes panels until it has this many bytes of weights, but leaves at least `leastGroups` blocks.
static constexpr int64_t groupBytes = int64_t(1) << 18;
static constexpr int64_t leastGroups = 24;

/// Outputs of a panel: what fills a register tile, less for narrow matrices.
static int64_t panelOf(const Isa &isa, const LinearSpec &spec) {
  int64_t most = isa.lanes == 16 ? 64 : 16;
  int64_t panel = isa.lanes;
  while (panel < most && panel < spec.outputs)
    panel *= 2;
  return panel;
}

static MicroSpec microOf(const Isa &isa, const LinearSpec &spec) {
  bool pairs = spec.in == Scalar::BF16 && spec.weight != WeightFormat::F32;
  return {isa.lanes, spec.in, spec.weight, panelOf(isa, spec), isa.dotBF16 && pairs};
}

PackedLayout packedLayout(const Isa &isa, const LinearSpec &spec) {
  int64_t group = spec.weight == WeightFormat::F32 ? 1 : spec.weight == WeightFormat::BF16 ? 2 : quantisedGroup;
  return {spec.weight, panelOf(isa, spec), group, spec.epilogue == Epilogue::Swiglu};
}

static std::string symbolOf(const LinearSpec &spec) {
  static constexpr const char *formats[] = {"f32", "bf16", "i8"};
  static constexpr const char *epilogues[] = {"", "silu", "swiglu", "add"};
  std::string view;
  if (spec.x.stride || spec.x.offset)
    view = "of" + std::to_string(spec.x.stride) + "at" + std::to_string(spec.x.offset);
  return kernel::symbolOf({"linear", nameOf(spec.in), formats[static_cast<int>(spec.weight)], nameOf(spec.out),
                           std::to_string(spec.inputs) + "x" + std::to_string(spec.outputs), view,
                           spec.gather ? "gather" : "", epilogues[static_cast<int>(spec.epilogue)],
                           spec.gated ? "gated" : "", spec.scatter ? "scatter" : ""});
}

namespace {

/// The body of one kernel.
class Product {
public:
  Product(KernelBuilder &k, const LinearSpec &spec, const MicroSpec &micro, int64_t panels, int64_t groupPanels)
      : k(k), spec(spec), micro(micro), panels(panels), groupPanels(groupPanels),
        swiglu(spec.epilogue == Epilogue::Swiglu), rows(k.rows()), x(k.buffer(spec.in)), weights(k.buffer(Elem::I8)) {
    if (spec.gated)
      gate = k.buffer(Elem::F32);
    out = k.buffer(spec.out);
    offsets = k.scratch(Elem::I64, blockRows);
    sums = k.scratch(Elem::F32, blockRows * micro.panel);
    if (swiglu)
      up = k.scratch(Elem::F32, blockRows * micro.panel);
  }

  void build() {
    Val count = k.rowCount(rows.start), rowBlocks = (count + (blockRows - 1)) / blockRows;
    int64_t groups = (panels + groupPanels - 1) / groupPanels;
    k.forEach(k.begin(), min(k.end(), rowBlocks * groups), [&](Val block) {
      // Row blocks of nearly one size, multiples of a register tile.
      Val size = (count + rowBlocks - 1) / rowBlocks + (microRows - 1);
      size = size / microRows * microRows;
      Val first = block % rowBlocks * size, last = min(first + size, count);
      Val panel = block / rowBlocks * groupPanels;
      k.when(first < last, [&] { buildBlock(first, last, panel, min(panel + groupPanels, k.integer(panels))); });
    });
  }

private:
  Val rowId(Val row) { return rows.index.load(rows.start.load(0) + row); }

  void buildBlock(Val first, Val last, Val firstPanel, Val lastPanel) {
    int64_t stride = spec.x.stride ? spec.x.stride : spec.inputs;
    k.forEach(first, last,
              [&](Val row) { offsets.store(row - first, (spec.gather ? rowId(row) : row) * stride + spec.x.offset); });
    func::FuncOp product = emitRowsTimesPanel(k.module, micro);
    int64_t bytes = panelBytes(micro.weight, micro.panel, spec.inputs);
    k.forEach(firstPanel, lastPanel, [&](Val panel) {
      auto multiply = [&](Val which, const Buffer &tile) {
        k.call(product, {x.base(), offsets.base(), last - first, weights.at(which * bytes).base(),
                         k.integer(spec.inputs), tile.base()});
      };
      multiply(swiglu ? panel * 2 : panel, sums);
      if (swiglu)
        multiply(panel * 2 + 1, up);
      k.forEach(first, last, [&](Val row) { finish(row, (row - first) * micro.panel, panel * micro.panel); });
    });
  }

  void finish(Val row, Val place, Val column) {
    EpilogueRow to{sums.at(place), {}, out.at((spec.scatter ? rowId(row) : row) * spec.outputs), {}};
    if (swiglu)
      to.up = up.at(place);
    if (spec.gated)
      to.gate = gate.load(rowId(row));
    emitEpilogue(k, spec, micro.lanes, micro.panel, to, column);
  }

  KernelBuilder &k;
  const LinearSpec &spec;
  const MicroSpec &micro;
  int64_t panels, groupPanels;
  bool swiglu;
  Rows rows;
  Buffer x, weights, gate, out, offsets, sums, up;
};

} // namespace

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const LinearSpec &spec) {
  MicroSpec micro = microOf(isa, spec);
  int64_t panels = (spec.outputs + micro.panel - 1) / micro.panel;
  int64_t bytes = panelBytes(micro.weight, micro.panel, spec.inputs) * (spec.epilogue == Epilogue::Swiglu ? 2 : 1);
  int64_t groupPanels = std::max<int64_t>(1, std::min(groupBytes / std::max<int64_t>(bytes, 1), panels / leastGroups));
  int64_t groups = (panels + groupPanels - 1) / groupPanels;
  std::string symbol = emitKernel(kernels, symbolOf(spec),
                                  [&](KernelBuilder &k) { Product(k, spec, micro, panels, groupPanels).build(); });
  return {symbol, Grid{/*tokens=*/groups, 0, 0, /*constant=*/groups * (blockRows - 1), /*divisor=*/blockRows}};
}

} // namespace chimera::cpu
