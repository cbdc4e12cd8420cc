// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Amx.h"

#include "codegen/cpu/LinearQuantised.h"
#include "codegen/cpu/LinearTurn.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace chimera::cpu {

// A tile: 16 rows of 64 bytes, that is 32 inputs of 16 rows, 16 pairs of inputs of 16 outputs, or 16x16 sums.
static constexpr int64_t tileRows = 16, rowBytes = 64, tileBytes = tileRows * rowBytes, tileInputs = 32;
/// Bytes of 32 inputs of a panel: two tiles side by side.
static constexpr int64_t panelTileBytes = 2 * tileBytes;
/// Inputs that the rows are packed for at a time.
static constexpr int64_t chunkInputs = 1024;

// The tile unit.

static Val tileNumber(KernelBuilder &k, int64_t number) {
  return {&k, k.ops.create<arith::ConstantIntOp>(k.loc, number, 8)};
}

static void loadTile(KernelBuilder &k, int64_t tile, const Buffer &from, int64_t stride) {
  k.intrinsic("llvm.x86.tileloadd64", {}, {tileNumber(k, tile), from.base(), k.integer(stride)});
}

static void storeTile(KernelBuilder &k, int64_t tile, const Buffer &to, int64_t stride) {
  k.intrinsic("llvm.x86.tilestored64", {}, {tileNumber(k, tile), to.base(), k.integer(stride)});
}

void emitTileConfigure(KernelBuilder &k) {
  Buffer words = k.scratch(Elem::I64, 8);
  // Palette 1; then from byte 16 two bytes a tile, its bytes a row; from byte 48 a byte a tile, its rows.
  constexpr int64_t eightRows = 0x1010101010101010, fourWidths = 0x0040004000400040;
  constexpr int64_t config[] = {1, 0, fourWidths, fourWidths, 0, 0, eightRows, 0};
  for (int64_t i = 0; i < 8; ++i)
    words.store(k.integer(i), k.integer(config[i]));
  k.intrinsic("llvm.x86.ldtilecfg", {}, {words.base()});
}

void emitTileRelease(KernelBuilder &k) {
  k.intrinsic("llvm.x86.tilerelease", {}, {});
}

// The product.

namespace {

/// Tiles: 0..3 hold sums (first rows, second rows; in each the left columns, then the right), 4 and 5 rows, 6 and 7
/// weights.
struct TileProduct {
  KernelBuilder &k;
  int64_t rowTiles; // 1 or 2

  void step(const Buffer &rows, Val rowTileBytes, const Buffer &weights) {
    for (int64_t i = 0; i < rowTiles; ++i)
      loadTile(k, 4 + i, i ? rows.at(rowTileBytes) : rows, rowBytes);
    for (int64_t j = 0; j < 2; ++j)
      loadTile(k, 6 + j, weights.at(k.integer(j * rowBytes)), 2 * rowBytes);
    for (int64_t i = 0; i < rowTiles; ++i)
      for (int64_t j = 0; j < 2; ++j)
        k.intrinsic("llvm.x86.tdpbf16ps", {}, {tileNumber(k, 2 * i + j), tileNumber(k, 4 + i), tileNumber(k, 6 + j)});
  }

  void forEachSum(const Buffer &sums, llvm::function_ref<void(int64_t tile, const Buffer &place)> body) {
    for (int64_t i = 0; i < rowTiles; ++i)
      for (int64_t j = 0; j < 2; ++j)
        body(2 * i + j, sums.at(k.integer(i * tileRows * amxPanel * 4 + j * rowBytes)));
  }
};

} // namespace

/// The internal function (rows packed, bytes of a row tile, weights, whole tiles of inputs, the rest's weights, whether
/// there is a rest, sums): adds to one or two tiles of rows of a panel's sums.
static func::FuncOp emitTileProduct(ModuleOp module, int64_t rowTiles) {
  Type pointer = LLVM::LLVMPointerType::get(module.getContext()), i64 = IntegerType::get(module.getContext(), 64);
  auto body = [&](KernelBuilder &k) {
    Buffer rows(k, k.parameter(0).value, Elem::I8), weights(k, k.parameter(2).value, Elem::I8);
    Buffer restWeights(k, k.parameter(4).value, Elem::I8), sums(k, k.parameter(6).value, Elem::I8);
    Val rowTileBytes = k.parameter(1), whole = k.parameter(3);
    TileProduct product{k, rowTiles};
    product.forEachSum(sums, [&](int64_t tile, const Buffer &at) { loadTile(k, tile, at, amxPanel * 4); });
    k.forEach(k.integer(0), whole,
              [&](Val i) { product.step(rows.at(i * tileBytes), rowTileBytes, weights.at(i * panelTileBytes)); });
    k.forEach(k.integer(0), k.parameter(5),
              [&](Val) { product.step(rows.at(whole * tileBytes), rowTileBytes, restWeights); });
    product.forEachSum(sums, [&](int64_t tile, const Buffer &at) { storeTile(k, tile, at, amxPanel * 4); });
    return SmallVector<Val>();
  };
  return emitInternal(module, symbolOf({"cpu_linear_amx", std::to_string(rowTiles)}),
                      {pointer, i64, pointer, i64, pointer, i64, pointer}, {}, body);
}

/// The internal function (x, offsets, rows, K, packed): the first K inputs of the rows in tiles, those of 16 rows after
/// each other; what is beyond the rows and the inputs is 0.
static func::FuncOp emitPackRows(ModuleOp module) {
  Type pointer = LLVM::LLVMPointerType::get(module.getContext()), i64 = IntegerType::get(module.getContext(), 64);
  auto body = [&](KernelBuilder &k) {
    // Bits are copied, whatever they are.
    Buffer x(k, k.parameter(0).value, Elem::I16), offsets(k, k.parameter(1).value, Elem::I64);
    Buffer packed(k, k.parameter(4).value, Elem::I16);
    Val rows = k.parameter(2), inputs = k.parameter(3);
    Val whole = inputs / tileInputs, tiles = (inputs + (tileInputs - 1)) / tileInputs;
    Val places = (rows + (tileRows - 1)) / tileRows * tileRows;
    k.forEach(k.integer(0), places, [&](Val row) {
      Buffer to = packed.at((row / tileRows * tiles * tileRows + row % tileRows) * tileInputs);
      auto place = [&](Val tile) { return tile * (tileRows * tileInputs); };
      auto copy = [&] {
        Buffer from = x.at(offsets.load(row));
        k.forEach(k.integer(0), whole,
                  [&](Val tile) { to.storeVector(place(tile), from.loadVector(tile * tileInputs, tileInputs)); });
        k.forEach(whole, tiles, [&](Val tile) {
          Val mask = lanesBelow(inputs - tile * tileInputs, tileInputs);
          to.storeVector(place(tile), from.loadVector(tile * tileInputs, tileInputs, mask));
        });
      };
      auto clear = [&] {
        k.forEach(k.integer(0), tiles, [&](Val tile) {
          Type words = k.vectorType(k.ops.getI16Type(), tileInputs);
          to.storeVector(place(tile), {&k, k.ops.create<arith::ConstantOp>(k.loc, k.ops.getZeroAttr(words))});
        });
      };
      k.either(row < rows, copy, clear);
    });
    return SmallVector<Val>();
  };
  return emitInternal(module, "chimera_cpu_linear_amx_pack", {pointer, pointer, i64, i64, pointer}, {}, body);
}

namespace {

/// Builds the function of a weight format.
class PanelsTimesRows {
public:
  PanelsTimesRows(KernelBuilder &k, WeightFormat weight)
      : k(k), weight(weight), x(k, k.parameter(0).value, Elem::BF16), offsets(k.parameter(1)), rows(k.parameter(2)),
        inputs(k.parameter(4)), weights(k, k.parameter(3).value, Elem::I8), sums(k, k.parameter(5).value, Elem::F32),
        packed(k.scratch(Elem::I8, amxRows * chunkInputs * 2)),
        near(k.scratch(Elem::I8, isQuantised(weight) ? chunkInputs * amxPanel * 2 : panelTileBytes)) {}

  void build() {
    Val count = k.parameter(6), rowTiles = (rows + (tileRows - 1)) / tileRows;
    Val zeros = k.real(0, k.vectorType(k.f32Type(), 16));
    k.forEach(k.integer(0), count, [&](Val panel) {
      k.forEach(
          k.integer(0), rowTiles * (tileRows * amxPanel),
          [&](Val i) { sums.storeVector(panel * (amxRows * amxPanel) + i, zeros); }, 16);
    });
    k.forEach(
        k.integer(0), inputs,
        [&](Val first) {
          Val length = min(inputs - first, k.integer(chunkInputs));
          k.call(emitPackRows(k.module), {x.at(first).base(), offsets, rows, length, packed.base()});
          k.forEach(k.integer(0), count, [&](Val panel) { multiply(panel, first, length, rowTiles); });
        },
        chunkInputs);
  }

private:
  /// The chunk of the rows times that of a panel.
  void multiply(Val panel, Val first, Val length, Val rowTiles) {
    Val tiles = (length + (tileInputs - 1)) / tileInputs, whole = tiles, rest = k.integer(0);
    Buffer from = near;
    if (isQuantised(weight)) {
      Val blocks = (inputs + (scaleGroup - 1)) / scaleGroup;
      Val place = (panel * blocks + first / scaleGroup) * quantisedBlockBytes(weight, amxPanel);
      MicroSpec spec{16, Scalar::BF16, weight, amxPanel, false};
      k.call(emitTurn(k.module, spec, WeightFormat::BF16), {weights.at(place).base(), length, near.base()});
    } else {
      Val place = (panel * ((inputs + 1) / 2) + first / 2) * (amxPanel * 4);
      from = weights.at(place);
      whole = length / tileInputs;
      rest = tiles - whole;
      k.when(whole < tiles, [&] { completeTile(from.at(whole * panelTileBytes), length - whole * tileInputs); });
    }
    Val rowTileBytes = tiles * tileBytes;
    Buffer to = sums.at(panel * (amxRows * amxPanel));
    auto product = [&](Val tile, int64_t count) {
      k.call(emitTileProduct(k.module, count), {packed.at(tile * rowTileBytes).base(), rowTileBytes, from.base(), whole,
                                                near.base(), rest, to.at(tile * (tileRows * amxPanel)).base()});
    };
    k.forEach(
        k.integer(0), rowTiles,
        [&](Val tile) { k.either(tile + 1 < rowTiles, [&] { product(tile, 2); }, [&] { product(tile, 1); }); }, 2);
  }

  /// Copies the weights of the last inputs, fewer than a tile, and zeros after them: the panel may end there.
  void completeTile(const Buffer &from, Val left) {
    Val pairs = (left + 1) / 2;
    Buffer words(k, from.base().value, Elem::I32), to(k, near.base().value, Elem::I32);
    k.forEach(k.integer(0), pairs * amxPanel, [&](Val i) { to.storeVector(i, words.loadVector(i, 16)); }, 16);
    Val zeros = constantLike(words.loadVector(k.integer(0), 16), 0);
    k.forEach(pairs * amxPanel, k.integer(panelTileBytes / 4), [&](Val i) { to.storeVector(i, zeros); }, 16);
  }

  KernelBuilder &k;
  WeightFormat weight;
  Buffer x;
  Val offsets, rows, inputs;
  Buffer weights, sums, packed, near;
};

} // namespace

func::FuncOp emitRowsTimesPanelsAmx(ModuleOp module, WeightFormat weight) {
  Type pointer = LLVM::LLVMPointerType::get(module.getContext()), i64 = IntegerType::get(module.getContext(), 64);
  std::string name = symbolOf({"cpu_linear_amx_panels", nameOf(weight)});
  return emitInternal(module, name, {pointer, pointer, i64, pointer, i64, pointer, i64}, {}, [&](KernelBuilder &k) {
    PanelsTimesRows(k, weight).build();
    return SmallVector<Val>();
  });
}

} // namespace chimera::cpu
