// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/LinearPanel.h"

#include "codegen/cpu/LinearQuantised.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace chimera::cpu {

/// Rows up to which numbers of I8 are turned into floats in registers.
static constexpr int64_t directRows = 4;
/// Inputs of a panel that are turned at once: what stays in a near cache.
static constexpr int64_t chunkInputs = 256;

int64_t panelBytes(WeightFormat weight, int64_t panel, int64_t inputs) {
  switch (weight) {
  case WeightFormat::F32:
    return inputs * panel * 4;
  case WeightFormat::BF16:
    return (inputs + 1) / 2 * panel * 4;
  case WeightFormat::I8:
    return (inputs + scaleGroup - 1) / scaleGroup * quantisedBlockBytes(panel);
  }
  llvm_unreachable("every format is listed");
}

/// The plain format whose weights go with rows of `in`.
static MicroSpec plain(MicroSpec spec) {
  spec.weight = spec.in == Scalar::BF16 ? WeightFormat::BF16 : WeightFormat::F32;
  return spec;
}

static std::string nameOf(const std::string &what, const MicroSpec &spec) {
  static constexpr const char *formats[] = {"f32", "bf16", "i8"};
  return symbolOf({what, nameOf(spec.in), formats[static_cast<int>(spec.weight)], std::to_string(spec.panel)});
}

static Type pointerType(ModuleOp module) {
  return LLVM::LLVMPointerType::get(module.getContext());
}
static Type i64Type(ModuleOp module) {
  return IntegerType::get(module.getContext(), 64);
}

/// The lanes of one register of numbers, four inputs each, in the plain format.
static void turnQuads(KernelBuilder &k, const MicroSpec &spec, Val quads, Val base, const Buffer &out, Val input,
                      int64_t column) {
  if (spec.in == Scalar::F32) {
    for (int64_t i = 0; i < quantisedGroup; ++i)
      out.storeVector((input + i) * spec.panel + column, quantisedWeight(quads, base, i));
    return;
  }
  for (int64_t i = 0; i < quantisedGroup; i += 2)
    out.storeVector((input + i) / 2 * spec.panel + column, quantisedPair(quads, base, i));
}

/// The internal function (panel, blocks, out): turns so many blocks of scaleGroup inputs into the plain format.
static func::FuncOp emitTurn(ModuleOp module, const MicroSpec &spec) {
  Type pointer = pointerType(module);
  return emitInternal(module, nameOf("linear_turn", spec), {pointer, i64Type(module), pointer}, {},
                      [&](KernelBuilder &k) {
                        Buffer panel(k, k.parameter(0).value, Elem::I8);
                        Buffer out(k, k.parameter(2).value, spec.in == Scalar::F32 ? Elem::F32 : Elem::I32);
                        k.forEach(k.integer(0), k.parameter(1), [&](Val block) {
                          Buffer bytes = panel.at(block * quantisedBlockBytes(spec.panel));
                          Buffer numbers = bytes.atByte(k.integer(spec.panel), Elem::I32);
                          for (int64_t column = 0; column < spec.panel; column += spec.lanes) {
                            Val base = quantisedBase(bytes, k.integer(column), spec.lanes);
                            k.forEach(0, scaleGroup / quantisedGroup, [&](Val quad) {
                              Val quads = numbers.loadVector(quad * spec.panel + column, spec.lanes);
                              turnQuads(k, spec, quads, base, out, block * scaleGroup + quad * quantisedGroup, column);
                            });
                          }
                        });
                        return SmallVector<Val>();
                      });
}

/// Calls the micro kernel of `rows` rows, at most `most`.
static void callMicro(KernelBuilder &k, const MicroSpec &spec, Val rows, int64_t most, ArrayRef<Val> operands) {
  auto call = [&] { k.call(emitMicro(k.module, spec, most), operands); };
  if (most == 1)
    return call();
  k.either(rows == most, call, [&] { callMicro(k, spec, rows, most - 1, operands); });
}

/// The internal function of the same operands as the whole: adds to the tile, row by row in tiles of nearly one size.
static func::FuncOp emitRowTiles(ModuleOp module, const MicroSpec &spec) {
  Type pointer = pointerType(module), i64 = i64Type(module);
  return emitInternal(module, nameOf("linear_rows", spec), {pointer, pointer, i64, pointer, i64, pointer}, {},
                      [&](KernelBuilder &k) {
                        Val x = k.parameter(0), rows = k.parameter(2), panel = k.parameter(3), inputs = k.parameter(4);
                        Buffer offsets(k, k.parameter(1).value, Elem::I64), tile(k, k.parameter(5).value, Elem::F32);
                        Val tiles = (rows + (microRows - 1)) / microRows;
                        Val size = rows / max(tiles, k.integer(1)), larger = rows - size * tiles;
                        k.forEach(k.integer(0), tiles, [&](Val i) {
                          Val first = i * size + min(i, larger);
                          Val count = select(i < larger, size + 1, size);
                          callMicro(k, spec, count, microRows,
                                    {x, offsets.at(first).base(), panel, inputs, tile.at(first * spec.panel).base()});
                        });
                        return SmallVector<Val>();
                      });
}

/// Turns the panel a chunk at a time and adds each to the tile.
static void emitTurned(KernelBuilder &k, const MicroSpec &spec) {
  Val offsets = k.parameter(1), rows = k.parameter(2), inputs = k.parameter(4), tile = k.parameter(5);
  Buffer x(k, k.parameter(0).value, elemOf(spec.in)), panel(k, k.parameter(3).value, Elem::I8);
  MicroSpec plainSpec = plain(spec);
  Buffer turned = k.scratch(Elem::I8, panelBytes(plainSpec.weight, spec.panel, chunkInputs));
  func::FuncOp turn = emitTurn(k.module, spec), tiles = emitRowTiles(k.module, plainSpec);
  k.forEach(
      k.integer(0), inputs,
      [&](Val first) {
        Val count = min(inputs - first, k.integer(chunkInputs));
        Val blocks = (count + (scaleGroup - 1)) / scaleGroup;
        Buffer from = panel.at(first / scaleGroup * quantisedBlockBytes(spec.panel));
        k.call(turn, {from.base(), blocks, turned.base()});
        k.call(tiles, {x.at(first).base(), offsets, rows, turned.base(), count, tile});
      },
      chunkInputs);
}

func::FuncOp emitRowsTimesPanel(ModuleOp module, const MicroSpec &spec) {
  Type pointer = pointerType(module), i64 = i64Type(module);
  return emitInternal(
      module, nameOf("linear_panel", spec), {pointer, pointer, i64, pointer, i64, pointer}, {}, [&](KernelBuilder &k) {
        Val x = k.parameter(0), offsets = k.parameter(1), rows = k.parameter(2), panel = k.parameter(3),
            inputs = k.parameter(4);
        Buffer tile(k, k.parameter(5).value, Elem::F32);
        Val zeros = k.real(0, k.vectorType(k.f32Type(), spec.lanes));
        k.forEach(k.integer(0), rows * spec.panel, [&](Val i) { tile.storeVector(i, zeros); }, spec.lanes);
        if (spec.weight != WeightFormat::I8) {
          k.call(emitRowTiles(module, spec), {x, offsets, rows, panel, inputs, tile.base()});
          return SmallVector<Val>();
        }
        k.when(k.integer(0) < rows, [&] {
          k.either(
              rows <= k.integer(directRows),
              [&] { callMicro(k, spec, rows, directRows, {x, offsets, panel, inputs, tile.base()}); },
              [&] { emitTurned(k, spec); });
        });
        return SmallVector<Val>();
      });
}

} // namespace chimera::cpu
