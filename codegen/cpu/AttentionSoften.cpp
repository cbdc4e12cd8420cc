// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/AttentionTile.h"
#include "codegen/cpu/Math.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <limits>

using namespace mlir;

namespace chimera::cpu {

Val shiftOf(Val greatest) {
  KernelBuilder &k = *greatest.builder;
  Val lowest = k.real(-std::numeric_limits<double>::infinity(), greatest.value.getType());
  return select(greatest == lowest, k.real(0, greatest.value.getType()), greatest);
}

/// Combines whole rows of 16 lanes pairwise, then their halves: 8 lanes give the same bits as 16.
template <typename Combine> static Val tree(SmallVector<Val> parts, int64_t lanes, Combine combine) {
  auto halves = static_cast<size_t>(16 / lanes);
  while (parts.size() > halves) {
    SmallVector<Val> next;
    for (size_t i = 0; i < parts.size(); i += 2 * halves)
      for (size_t j = 0; j < halves; ++j)
        next.push_back(combine(parts[i + j], parts[i + halves + j]));
    parts = next;
  }
  return parts.size() == 1 ? parts[0] : combine(parts[0], parts[1]);
}

namespace {

struct Softening {
  KernelBuilder &k;
  const Isa &isa;
  Buffer greatestOf, totalOf, scores, factors;

  /// Puts -infinity where a line does not attend to.
  void mask(Val line, Val from, Val to) const {
    Val lowest = k.real(-std::numeric_limits<double>::infinity(), k.vectorType(k.f32Type(), isa.lanes));
    for (int64_t place = 0; place < blockEntries; place += isa.lanes) {
      Val at = line * blockEntries + place, s = scores.loadVector(at, isa.lanes);
      s = select(lanesBelow(from - place, isa.lanes), lowest, select(lanesBelow(to - place, isa.lanes), s, lowest));
      scores.storeVector(at, s);
    }
  }

  /// Takes lines together step by step, so that one's chains of operations fill the other's waits.
  void soften(ArrayRef<Val> lines) const {
    SmallVector<SmallVector<Val>> p(lines.size());
    SmallVector<Val> before, shifts;
    for (auto [line, row] : llvm::zip(lines, p))
      for (int64_t at = 0; at < blockEntries; at += isa.lanes)
        row.push_back(scores.loadVector(line * blockEntries + at, isa.lanes));
    for (auto [line, row] : llvm::zip(lines, p)) {
      Val inBlock = reduceGreatest(tree(row, isa.lanes, [](Val a, Val b) { return greatest(a, b); }));
      before.push_back(greatestOf.load(line));
      Val best = greatest(before.back(), inBlock);
      shifts.push_back(shiftOf(best));
      greatestOf.store(line, best);
    }
    for (auto [line, row, shift] : llvm::zip(lines, p, shifts))
      for (auto [j, value] : llvm::enumerate(row)) {
        value = exp(value - splat(shift, isa.lanes));
        scores.storeVector(line * blockEntries + static_cast<int64_t>(j) * isa.lanes, value);
      }
    for (auto [line, row, shift, old] : llvm::zip(lines, p, shifts, before)) {
      Val sum = reduceSum(tree(row, isa.lanes, [](Val a, Val b) { return a + b; })), factor = exp(old - shift);
      totalOf.store(line, totalOf.load(line) * factor + sum);
      factors.store(line, factor);
    }
  }

  void emit(const Lines &lines, Val count, Val start) const {
    constexpr int64_t together = 2;
    k.forEach(
        k.integer(0), count,
        [&](Val first) {
          Val end = min(first + together, count);
          // Lines ascend: if the first and the last one take the whole block, all do.
          Val from = placesOf(lines, end - 1, start).first, to = placesOf(lines, first, start).second;
          Val whole = (to - from == blockEntries) & (end - first == together);
          k.either(
              whole, [&] { soften({first, first + 1}); },
              [&] {
                k.forEach(first, end, [&](Val line) {
                  auto [from, to] = placesOf(lines, line, start);
                  factors.store(line, k.real(1, k.f32Type()));
                  k.when(from < to, [&, from = from, to = to] {
                    k.when(to - from < blockEntries, [&] { mask(line, from, to); });
                    soften(line);
                  });
                });
              });
        },
        together);
  }
};

} // namespace

func::FuncOp softenLines(ModuleOp module, const Isa &isa) {
  MLIRContext *context = module.getContext();
  Type pointer = LLVM::LLVMPointerType::get(context), i64 = IntegerType::get(context, 64);
  auto function = emitInternal(
      module, "chimera_cpu_attend_soften", {pointer, pointer, pointer, pointer, i64, pointer, pointer, i64}, {},
      [&](KernelBuilder &k) {
        auto buffer = [&](unsigned i, Elem elem) { return Buffer(k, k.parameter(i).value, elem); };
        Lines lines{Buffer(), buffer(0, Elem::I64), buffer(1, Elem::I64)};
        Softening{k, isa, buffer(2, Elem::F32), buffer(3, Elem::F32), buffer(5, Elem::F32), buffer(6, Elem::F32)}.emit(
            lines, k.parameter(4), k.parameter(7));
        return SmallVector<Val>();
      });
  keepCalls(function);
  return function;
}

} // namespace chimera::cpu
