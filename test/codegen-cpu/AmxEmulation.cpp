// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-cpu/AmxEmulation.h"

#include "codegen/kernel/KernelBuilder.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <map>

using namespace mlir;

namespace chimera::cpu::test {

using namespace kernel;

namespace {

constexpr int64_t tileBytes = 1024, rowWords = 16;
constexpr const char *stateName = "emulated_tiles";

/// The memory of the unit: eight tiles, then the configuration.
void addState(ModuleOp module) {
  OpBuilder ops = OpBuilder::atBlockBegin(module.getBody());
  constexpr int64_t words = (8 * tileBytes + 64) / 4;
  auto type = LLVM::LLVMArrayType::get(ops.getI32Type(), words);
  auto zeros = DenseElementsAttr::get(RankedTensorType::get({words}, ops.getI32Type()), int32_t(0));
  ops.create<LLVM::GlobalOp>(ops.getUnknownLoc(), type, /*isConstant=*/false, LLVM::Linkage::Internal, stateName, zeros,
                             /*alignment=*/64);
}

/// One emulated instruction; its operands are the function's parameters.
struct Unit {
  KernelBuilder &k;

  Buffer state(Elem elem) {
    auto global = k.module.lookupSymbol<LLVM::GlobalOp>(stateName);
    return Buffer(k, k.ops.create<LLVM::AddressOfOp>(k.loc, global), elem);
  }
  Val number(unsigned parameter) { return zeroExtend(k.parameter(parameter), k.i64Type()); }
  Buffer tile(Val number) { return state(Elem::I32).at(number * (tileBytes / 4)); }
  Buffer config() { return state(Elem::I8).at(k.integer(8 * tileBytes)); }
  Val rowsOf(Val tile) { return config().load(tile + 48); }
  /// The 32-bit words of a row that the tile has.
  Val wordsOf(Val tile) { return lanesBelow(config().atByte(k.integer(16), Elem::I16).load(tile) / 4, rowWords); }

  void configure() {
    Buffer from(k, k.parameter(0).value, Elem::I8);
    k.forEach(0, 64, [&](Val i) { config().store(i, from.load(i)); });
  }

  void release() {
    k.forEach(0, 8 * tileBytes + 64, [&](Val i) { state(Elem::I8).store(i, k.integer(0)); });
  }

  void load() {
    Val to = number(0), stride = k.parameter(2);
    Buffer from(k, k.parameter(1).value, Elem::I8);
    k.forEach(k.integer(0), rowsOf(to), [&](Val row) {
      Val words = from.atByte(row * stride, Elem::I32).loadVector(k.integer(0), rowWords, wordsOf(to));
      tile(to).storeVector(row * rowWords, words);
    });
  }

  void store() {
    Val from = number(0), stride = k.parameter(2);
    Buffer to(k, k.parameter(1).value, Elem::I8);
    k.forEach(k.integer(0), rowsOf(from), [&](Val row) {
      Val words = tile(from).loadVector(row * rowWords, rowWords);
      to.atByte(row * stride, Elem::I32).storeVector(k.integer(0), words, wordsOf(from));
    });
  }

  Val half(Val pairs, bool high) {
    return bitcast(high ? pairs & constantLike(pairs, 0xffff0000) : shiftLeft(pairs, 16), k.f32Type());
  }

  /// Two chains, of the even and the odd inputs; then both into the sum.
  void product() {
    Val sums = number(0), left = number(1), right = number(2);
    Val zero = k.real(0, k.vectorType(k.f32Type(), rowWords));
    k.forEach(k.integer(0), rowsOf(sums), [&](Val row) {
      SmallVector<Val> chains =
          k.foldMany(k.integer(0), rowsOf(right), {zero, zero}, [&](Val pair, ArrayRef<Val> chain) -> SmallVector<Val> {
            Val x = splat(extract(tile(left).loadVector(row * rowWords + pair, 1), 0), rowWords);
            Val w = tile(right).loadVector(pair * rowWords, rowWords);
            return {fma(half(x, false), half(w, false), chain[0]), fma(half(x, true), half(w, true), chain[1])};
          });
      Buffer to(k, tile(sums).base().value, Elem::F32);
      to.storeVector(row * rowWords, to.loadVector(row * rowWords, rowWords) + (chains[0] + chains[1]));
    });
  }
};

} // namespace

int64_t emulateTiles(ModuleOp kernels) {
  static const std::map<std::string, void (Unit::*)()> instructions = {{"llvm.x86.ldtilecfg", &Unit::configure},
                                                                       {"llvm.x86.tilerelease", &Unit::release},
                                                                       {"llvm.x86.tileloadd64", &Unit::load},
                                                                       {"llvm.x86.tilestored64", &Unit::store},
                                                                       {"llvm.x86.tdpbf16ps", &Unit::product}};
  SmallVector<LLVM::CallIntrinsicOp> calls;
  kernels.walk([&](LLVM::CallIntrinsicOp call) {
    if (instructions.count(call.getIntrin().str()))
      calls.push_back(call);
  });
  addState(kernels);
  for (LLVM::CallIntrinsicOp call : calls) {
    std::string name = call.getIntrin().str();
    SmallVector<Type> types(call->getOperandTypes());
    func::FuncOp function = emitInternal(kernels, "emulated" + name.substr(8), types, {}, [&](KernelBuilder &k) {
      Unit unit{k};
      (unit.*instructions.at(name))();
      return SmallVector<Val>();
    });
    OpBuilder ops(call);
    ops.create<func::CallOp>(call.getLoc(), function, call->getOperands());
    call.erase();
  }
  return static_cast<int64_t>(calls.size());
}

} // namespace chimera::cpu::test
