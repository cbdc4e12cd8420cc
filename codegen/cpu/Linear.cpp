// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products. A block of the grid is some rows times some neighbouring panels of weights; the blocks of one group
// of panels are neighbours, so that threads at work at the same time read the same weights.
#include "codegen/cpu/Amx.h"
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/LinearEpilogue.h"
#include "codegen/cpu/LinearPanel.h"
#include "codegen/cpu/LinearQuantised.h"

using namespace mlir;

namespace chimera::cpu {

/// A block takes panels until it has this many bytes of weights, but leaves at least `leastGroups` blocks.
static constexpr int64_t groupBytes = int64_t(1) << 18;
static constexpr int64_t leastGroups = 24;

namespace {

/// How a product is cut.
struct Plan {
  MicroSpec micro;
  bool tiles;         ///< on the tile unit
  int64_t matrices;   ///< 2 if interleaved
  int64_t panels;     ///< of a matrix
  int64_t panelBytes; ///< of weights
  int64_t group;      ///< panels of a block
  int64_t rows;       ///< of a block at most, a multiple of rowUnit
  int64_t rowUnit;    ///< rows of a register or tile product
};

} // namespace

/// Outputs of a panel: what fills a register tile, less for narrow matrices.
static int64_t panelOf(const Isa &isa, const LinearSpec &spec, bool tiles) {
  if (tiles)
    return amxPanel;
  int64_t most = isa.lanes == 16 ? 64 : 16;
  int64_t panel = isa.lanes;
  while (panel < most && panel < spec.outputs)
    panel *= 2;
  return panel;
}

static Plan planOf(const Isa &isa, const LinearSpec &spec) {
  bool pairs = spec.in == Scalar::BF16 && spec.weight != WeightFormat::F32;
  bool tiles = isa.tileBF16 && pairs;
  int64_t panel = panelOf(isa, spec, tiles), matrices = spec.epilogue == Epilogue::Glu ? 2 : 1;
  Plan plan{{isa.lanes, spec.in, spec.weight, panel, isa.dotBF16 && pairs}, tiles, matrices, 0, 0, 0, 0, 0};
  plan.panels = (spec.outputs + panel - 1) / panel;
  plan.panelBytes = panelBytes(spec.weight, panel, spec.inputs);
  int64_t bytes = std::max<int64_t>(plan.panelBytes * matrices, 1);
  plan.group = std::max<int64_t>(1, std::min(groupBytes / bytes, plan.panels / leastGroups));
  plan.rows = tiles ? amxRows : panelRows;
  plan.rowUnit = tiles ? 32 : microRows;
  return plan;
}

PackedLayout packedLayout(const Isa &isa, const LinearSpec &spec) {
  return {spec.weight, planOf(isa, spec).micro.panel, laneInputs(spec.weight), spec.epilogue == Epilogue::Glu};
}

static std::string symbolOf(const LinearSpec &spec) {
  static constexpr const char *epilogues[] = {"", "", "glu", "add"};
  std::string view;
  if (spec.x.stride || spec.x.offset)
    view = "of" + std::to_string(spec.x.stride) + "at" + std::to_string(spec.x.offset);
  return kernel::symbolOf({"cpu_linear", nameOf(spec.in), nameOf(spec.weight), nameOf(spec.out),
                           std::to_string(spec.inputs) + "x" + std::to_string(spec.outputs), view,
                           spec.gather ? "gather" : "", epilogues[static_cast<int>(spec.epilogue)],
                           nameOf(spec.activation),
                           spec.gateMatrix ? "weighted"
                           : spec.gated    ? "gated"
                                           : "",
                           spec.scatter ? "scatter" : ""});
}

namespace {

/// The body of one kernel.
class Product {
public:
  Product(KernelBuilder &k, const LinearSpec &spec, const Plan &plan)
      : k(k), spec(spec), plan(plan), rows(k.rows()), x(k.buffer(spec.in)), weights(k.buffer(Elem::I8)) {
    if (spec.gated)
      gate = k.buffer(Elem::F32);
    out = k.buffer(spec.out);
    offsets = k.scratch(Elem::I64, plan.rows);
    sums = k.scratch(Elem::F32, panelsAtOnce() * plan.matrices * sumsOfPanel());
  }

  void build() {
    if (plan.tiles)
      emitTileConfigure(k);
    Val count = k.rowCount(rows.start), rowBlocks = (count + (plan.rows - 1)) / plan.rows;
    Val group = groupFor(count), groups = (k.integer(plan.panels) + group - 1) / group;
    k.forEach(k.begin(), min(k.end(), rowBlocks * groups), [&](Val block) {
      // Row blocks of nearly one size.
      Val size = ((count + rowBlocks - 1) / rowBlocks + (plan.rowUnit - 1)) / plan.rowUnit * plan.rowUnit;
      Val first = block % rowBlocks * size, last = min(first + size, count);
      Val panel = block / rowBlocks * group;
      k.when(first < last, [&] { buildBlock(first, last, panel, min(panel + group, k.integer(plan.panels))); });
    });
    if (plan.tiles)
      emitTileRelease(k);
  }

private:
  /// Panels of each matrix that rows are packed for at once.
  int64_t panelsAtOnce() { return plan.tiles ? 4 : 1; }
  int64_t sumsOfPanel() { return plan.rows * plan.micro.panel; }

  /// Panels of a block. The grid is made for the least; many rows pay for packing with more.
  Val groupFor(Val count) {
    int64_t most = std::max(plan.group, panelsAtOnce());
    return select(k.integer(plan.rowUnit) < count, k.integer(most), k.integer(plan.group));
  }

  Val rowId(Val row) { return rows.index.load(rows.start.load(0) + row); }

  void buildBlock(Val first, Val last, Val firstPanel, Val lastPanel) {
    int64_t stride = spec.x.stride ? spec.x.stride : spec.inputs;
    k.forEach(first, last,
              [&](Val row) { offsets.store(row - first, (spec.gather ? rowId(row) : row) * stride + spec.x.offset); });
    k.forEach(
        firstPanel, lastPanel,
        [&](Val panel) {
          Val count = min(lastPanel - panel, k.integer(panelsAtOnce()));
          multiply(last - first, panel * plan.matrices, count * plan.matrices);
          k.forEach(k.integer(0), count, [&](Val i) {
            Val place = i * (plan.matrices * sumsOfPanel());
            k.forEach(first, last, [&](Val row) {
              finish(row, place + (row - first) * plan.micro.panel, (panel + i) * plan.micro.panel);
            });
          });
        },
        panelsAtOnce());
  }

  /// The sums of `count` panels of weights, those of interleaved matrices in turn.
  void multiply(Val rowCount, Val panel, Val count) {
    Val inputs = k.integer(spec.inputs);
    Buffer from = weights.at(panel * plan.panelBytes);
    if (plan.tiles) {
      k.call(emitRowsTimesPanelsAmx(k.module, spec.weight),
             {x.base(), offsets.base(), rowCount, from.base(), inputs, sums.base(), count});
      return;
    }
    func::FuncOp product = emitRowsTimesPanel(k.module, plan.micro);
    k.forEach(k.integer(0), count, [&](Val i) {
      k.call(product, {x.base(), offsets.base(), rowCount, from.at(i * plan.panelBytes).base(), inputs,
                       sums.at(i * sumsOfPanel()).base()});
    });
  }

  void finish(Val row, Val place, Val column) {
    EpilogueRow to{sums.at(place), {}, out.at((spec.scatter ? rowId(row) : row) * spec.outputs), {}};
    if (plan.matrices == 2)
      to.up = sums.at(place + sumsOfPanel());
    if (spec.gated)
      to.gate = gate.load(spec.gateMatrix ? rowId(row) * k.argument(5) + k.argument(4) : rowId(row));
    emitEpilogue(k, spec, plan.micro.lanes, plan.micro.panel, to, column);
  }

  KernelBuilder &k;
  const LinearSpec &spec;
  const Plan &plan;
  Rows rows;
  Buffer x, weights, gate, out, offsets, sums;
};

} // namespace

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const LinearSpec &spec) {
  Plan plan = planOf(isa, spec);
  std::string symbol = emitKernel(kernels, symbolOf(spec), [&](KernelBuilder &k) { Product(k, spec, plan).build(); });
  // ceil(N / rows) blocks of rows, times the groups of panels.
  int64_t groups = (plan.panels + plan.group - 1) / plan.group;
  return {symbol, Grid{/*tokens=*/groups, 0, 0, /*constant=*/groups * (plan.rows - 1), /*divisor=*/plan.rows}};
}

} // namespace chimera::cpu
