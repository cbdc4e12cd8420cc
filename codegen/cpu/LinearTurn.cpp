// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/LinearTurn.h"

#include "codegen/cpu/LinearQuantised.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace chimera::cpu {

/// One register of numbers, a group of inputs in each lane.
static void turnLanes(const MicroSpec &spec, WeightFormat to, Val lanes, const QuantisedScale &scale, const Buffer &out,
                      Val input, int64_t column) {
  if (to == WeightFormat::F32) {
    for (int64_t i = 0; i < laneInputs(spec.weight); ++i)
      out.storeVector((input + i) * spec.panel + column, quantisedWeight(spec.weight, lanes, scale, i));
    return;
  }
  for (int64_t i = 0; i < laneInputs(spec.weight); i += 2)
    out.storeVector((input + i) / 2 * spec.panel + column, quantisedPair(spec.weight, lanes, scale, i));
}

/// Blocks of scaleGroup inputs.
static void turnBlocks(KernelBuilder &k, const MicroSpec &spec, WeightFormat to, const Buffer &panel, Val inputs,
                       const Buffer &out) {
  k.forEach(k.integer(0), (inputs + (scaleGroup - 1)) / scaleGroup, [&](Val block) {
    Buffer bytes = panel.at(block * quantisedBlockBytes(spec.weight, spec.panel));
    Buffer numbers = bytes.atByte(k.integer(spec.panel), Elem::I32);
    for (int64_t column = 0; column < spec.panel; column += spec.lanes) {
      QuantisedScale scale = quantisedScale(spec.weight, bytes, k.integer(column), spec.lanes);
      int64_t group = laneInputs(spec.weight);
      k.forEach(0, scaleGroup / group, [&](Val i) {
        Val lanes = numbers.loadVector(i * spec.panel + column, spec.lanes);
        turnLanes(spec, to, lanes, scale, out, block * scaleGroup + i * group, column);
      });
    }
  });
}

/// Pairs of bf16 into f32.
static void turnPairs(KernelBuilder &k, const MicroSpec &spec, const Buffer &panel, Val inputs, const Buffer &out) {
  Buffer pairs(k, panel.base().value, Elem::I32);
  k.forEach(k.integer(0), (inputs + 1) / 2, [&](Val pair) {
    for (int64_t column = 0; column < spec.panel; column += spec.lanes) {
      Val both = pairs.loadVector(pair * spec.panel + column, spec.lanes);
      Val place = pair * (2 * spec.panel) + column;
      out.storeVector(place, bitcast(shiftLeft(both, 16), k.f32Type()));
      out.storeVector(place + spec.panel, bitcast(both & constantLike(both, 0xffff0000), k.f32Type()));
    }
  });
}

func::FuncOp emitTurn(ModuleOp module, const MicroSpec &spec, WeightFormat to) {
  Type pointer = LLVM::LLVMPointerType::get(module.getContext()), i64 = IntegerType::get(module.getContext(), 64);
  bool toF32 = to == WeightFormat::F32;
  std::string name = symbolOf({"cpu_linear_turn", nameOf(spec.weight), nameOf(to), std::to_string(spec.panel)});
  return emitInternal(module, name, {pointer, i64, pointer}, {}, [&](KernelBuilder &k) {
    Buffer panel(k, k.parameter(0).value, Elem::I8), out(k, k.parameter(2).value, toF32 ? Elem::F32 : Elem::I32);
    if (isQuantised(spec.weight))
      turnBlocks(k, spec, to, panel, k.parameter(1), out);
    else
      turnPairs(k, spec, panel, k.parameter(1), out);
    return SmallVector<Val>();
  });
}

func::FuncOp emitWidenRows(ModuleOp module, int64_t lanes) {
  Type pointer = LLVM::LLVMPointerType::get(module.getContext()), i64 = IntegerType::get(module.getContext(), 64);
  auto body = [&](KernelBuilder &k) {
    Buffer x(k, k.parameter(0).value, Elem::BF16), offsets(k, k.parameter(1).value, Elem::I64);
    Buffer out(k, k.parameter(4).value, Elem::F32);
    Val inputs = k.parameter(3), whole = inputs / lanes * lanes, stride = k.parameter(5);
    k.forEach(k.integer(0), k.parameter(2), [&](Val row) {
      Buffer from = x.at(offsets.load(row)), to = out.at(row * stride);
      k.forEach(k.integer(0), whole, [&](Val i) { to.storeVector(i, from.loadVector(i, lanes)); }, lanes);
      k.forEach(whole, inputs, [&](Val i) { to.store(i, from.load(i)); });
    });
    return SmallVector<Val>();
  };
  return emitInternal(module, "chimera_cpu_linear_widen", {pointer, pointer, i64, i64, pointer, i64}, {}, body);
}

} // namespace chimera::cpu
