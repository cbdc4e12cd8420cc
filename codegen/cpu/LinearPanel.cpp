// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/LinearPanel.h"

#include "codegen/cpu/LinearQuantised.h"
#include "codegen/cpu/LinearTurn.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace chimera::cpu {

/// Rows up to which quantised numbers are turned into floats in registers.
static constexpr int64_t directRows = microRows;
/// Rows from which it pays to widen bf16, of the rows and of the weights, before multiplying rather than meanwhile.
static constexpr int64_t wideningRows = 25;
/// Inputs of rows and a panel that are turned at once: what stays in a near cache.
static constexpr int64_t turnedInputs = 256;
/// Inputs of a plain panel that a few tiles of rows are multiplied by before the next: what stays in the first cache,
/// so that the memory that is asked for meanwhile does not queue behind the second.
static constexpr int64_t chunkInputs = 64;
/// Tiles of rows up to which plain panels are taken in chunks; more of them hide the memory anyway.
static constexpr int64_t mostChunkedTiles = 6;
/// How far ahead a single tile of rows asks for weights, in bytes: 0 where a line of them is loaded by so few
/// instructions that those in flight, with the hardware's prefetchers, reach far enough.
static int64_t streamAhead(const MicroSpec &spec) {
  return spec.lanes == 16 ? 0 : 4096;
}

int64_t panelBytes(WeightFormat weight, int64_t panel, int64_t inputs) {
  return panel * abi::packedRowBytes(weight, abi::paddedInputs(weight, laneInputs(weight), inputs));
}

static std::string nameOf(const std::string &what, const MicroSpec &spec) {
  return symbolOf({what, nameOf(spec.in), nameOf(spec.weight), std::to_string(spec.panel)});
}

static Type pointerType(ModuleOp module) {
  return LLVM::LLVMPointerType::get(module.getContext());
}
static Type i64Type(ModuleOp module) {
  return IntegerType::get(module.getContext(), 64);
}

/// Calls the micro kernel of `rows` rows, at most `most`.
static void callMicro(KernelBuilder &k, const MicroSpec &spec, Val rows, int64_t most, ArrayRef<Val> operands) {
  auto call = [&] { k.call(emitMicro(k.module, spec, most), operands); };
  if (most == 1)
    return call();
  k.either(rows == most, call, [&] { callMicro(k, spec, rows, most - 1, operands); });
}

/// Rows of a register tile: fewer where widening bf16 takes registers too.
static int64_t tileRows(const MicroSpec &spec) {
  return spec.in == Scalar::BF16 && !spec.dot ? 4 : microRows;
}

/// Register tiles of rows, at least one.
static Val tilesOf(const MicroSpec &spec, Val rows) {
  return max((rows + (tileRows(spec) - 1)) / tileRows(spec), rows.builder->integer(1));
}

/// Inputs that a step of the loop of a plain micro kernel takes, and the cache lines of weights that they fill.
static int64_t stepInputs(const MicroSpec &spec) {
  return spec.weight == WeightFormat::F32 ? 2 : 4;
}
static int64_t stepLines(const MicroSpec &spec) {
  return std::max<int64_t>(1, spec.panel * 8 / 64);
}

/// The internal function (x, offsets, rows, panel, K, tile, ahead, lines): adds to the tile, row by row in tiles of
/// nearly one size. All of them together ask for the memory from `ahead` on, `lines` cache lines a step.
static func::FuncOp emitRowTiles(ModuleOp module, const MicroSpec &spec) {
  Type pointer = pointerType(module), i64 = i64Type(module);
  auto body = [&](KernelBuilder &k) {
    Val x = k.parameter(0), rows = k.parameter(2), panel = k.parameter(3), inputs = k.parameter(4);
    Buffer offsets(k, k.parameter(1).value, Elem::I64), tile(k, k.parameter(5).value, Elem::F32);
    Buffer ahead(k, k.parameter(6).value, Elem::I8);
    Val tiles = tilesOf(spec, rows), size = rows / tiles, larger = rows - size * tiles;
    Val lines = (k.parameter(7) + tiles - 1) / tiles, share = inputs / stepInputs(spec) * lines * 64;
    k.forEach(k.integer(0), tiles, [&](Val i) {
      Val first = i * size + min(i, larger);
      Val count = select(i < larger, size + 1, size);
      callMicro(k, spec, count, tileRows(spec),
                {x, offsets.at(first).base(), panel, inputs, tile.at(first * spec.panel).base(),
                 ahead.at(i * share).base(), lines});
    });
    return SmallVector<Val>();
  };
  return emitInternal(module, nameOf("cpu_linear_rows", spec),
                      {pointer, pointer, i64, pointer, i64, pointer, pointer, i64}, {}, body);
}

namespace {

/// The operands of the whole.
struct Operands {
  Buffer x;
  Val offsets, rows;
  Buffer panel; // bytes
  Val inputs, tile;
};

} // namespace

/// Takes the inputs of a panel in chunks if a few tiles of rows use them, so that the weights of the next chunk come
/// near meanwhile.
static void emitChunks(KernelBuilder &k, const MicroSpec &spec, const Operands &all) {
  func::FuncOp tiles = emitRowTiles(k.module, spec);
  int64_t inputBytes = spec.panel * (spec.weight == WeightFormat::F32 ? 4 : 2);
  auto multiply = [&](Val first, Val next, Val ahead, Val lines) {
    k.call(tiles, {all.x.at(first).base(), all.offsets, all.rows, all.panel.at(first * inputBytes).base(), next - first,
                   all.tile, all.panel.at(ahead).base(), lines});
  };
  Val count = tilesOf(spec, all.rows), zero = k.integer(0), lines = k.integer(stepLines(spec));
  auto whole = [&] {
    Val distance = k.integer(streamAhead(spec));
    multiply(zero, all.inputs, distance, select(zero < distance, select(count == 1, lines, zero), zero));
  };
  auto chunked = [&] {
    k.forEach(
        zero, all.inputs,
        [&](Val first) {
          Val next = min(first + chunkInputs, all.inputs);
          multiply(first, next, next * inputBytes, select(next < all.inputs, lines, zero));
        },
        chunkInputs);
  };
  k.either(k.integer(1) < count, [&] { k.either(count <= k.integer(mostChunkedTiles), chunked, whole); }, whole);
}

/// How rows and panels of `spec` are multiplied once they are turned: by dots of bf16, or in f32.
static MicroSpec turnedSpec(MicroSpec spec) {
  spec.weight = spec.dot ? WeightFormat::BF16 : WeightFormat::F32;
  spec.in = spec.dot ? Scalar::BF16 : Scalar::F32;
  return spec;
}

/// Turns the rows and the panel a chunk at a time and adds the product of each to the tile.
static void emitTurned(KernelBuilder &k, const MicroSpec &spec, const Operands &all) {
  MicroSpec plain = turnedSpec(spec);
  bool widen = spec.in != plain.in;
  Buffer weights = k.scratch(Elem::I8, panelBytes(plain.weight, spec.panel, turnedInputs)), x, offsets;
  if (widen) {
    x = k.scratch(Elem::F32, panelRows * turnedInputs);
    offsets = k.scratch(Elem::I64, panelRows);
    k.forEach(k.integer(0), all.rows, [&](Val row) { offsets.store(row, row * turnedInputs); });
  }
  func::FuncOp turn = emitTurn(k.module, spec, plain.weight), tiles = emitRowTiles(k.module, plain);
  int64_t chunkBytes = panelBytes(spec.weight, spec.panel, turnedInputs);
  int64_t lines = (chunkBytes * stepInputs(plain) / turnedInputs + 63) / 64;
  Val chunks = (all.inputs + (turnedInputs - 1)) / turnedInputs;
  k.forEach(k.integer(0), chunks, [&](Val i) {
    Val first = i * turnedInputs, count = min(all.inputs - first, k.integer(turnedInputs));
    k.call(turn, {all.panel.at(i * chunkBytes).base(), count, weights.base()});
    Buffer from = all.x.at(first);
    if (widen)
      k.call(emitWidenRows(k.module, spec.lanes),
             {from.base(), all.offsets, all.rows, count, x.base(), k.integer(turnedInputs)});
    k.call(tiles, {(widen ? x : from).base(), widen ? offsets.base() : all.offsets, all.rows, weights.base(), count,
                   all.tile, all.panel.at((i + 1) * chunkBytes).base(), k.integer(lines)});
  });
}

func::FuncOp emitRowsTimesPanel(ModuleOp module, const MicroSpec &spec) {
  Type pointer = pointerType(module), i64 = i64Type(module);
  auto body = [&](KernelBuilder &k) {
    Operands all{Buffer(k, k.parameter(0).value, elemOf(spec.in)), k.parameter(1), k.parameter(2),
                 Buffer(k, k.parameter(3).value, Elem::I8),        k.parameter(4), k.parameter(5)};
    Buffer tile(k, all.tile.value, Elem::F32);
    Val zeros = k.real(0, k.vectorType(k.f32Type(), spec.lanes));
    k.forEach(k.integer(0), all.rows * spec.panel, [&](Val i) { tile.storeVector(i, zeros); }, spec.lanes);
    k.when(k.integer(0) < all.rows, [&] {
      auto chunks = [&] { emitChunks(k, spec, all); };
      auto turned = [&] { emitTurned(k, spec, all); };
      if (spec.weight == WeightFormat::BF16 && !spec.dot)
        return k.either(all.rows < wideningRows, chunks, turned);
      if (!isQuantised(spec.weight))
        return chunks();
      auto direct = [&] {
        callMicro(k, spec, all.rows, directRows,
                  {all.x.base(), all.offsets, all.panel.base(), all.inputs, all.tile, all.panel.base(), k.integer(0)});
      };
      k.either(all.rows <= k.integer(directRows), direct, turned);
    });
    return SmallVector<Val>();
  };
  return emitInternal(module, nameOf("cpu_linear_panel", spec), {pointer, pointer, i64, pointer, i64, pointer}, {},
                      body);
}

} // namespace chimera::cpu
