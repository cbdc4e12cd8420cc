// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/LinearMicro.h"

#include "codegen/cpu/LinearQuantised.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace chimera::cpu {

static constexpr int64_t lineBytes = 64;

namespace {

/// Builds one micro kernel. The accumulators are those of row 0, of row 1, ...
class Micro {
public:
  Micro(KernelBuilder &k, const MicroSpec &spec, int64_t rows)
      : k(k), spec(spec), vectors(spec.panel / spec.lanes), group(laneInputs(spec.weight)),
        panelBase(k.parameter(2).value), inputs(k.parameter(3)), tile(k, k.parameter(4).value, Elem::F32),
        ahead(k, k.parameter(5).value, Elem::I8), lines(k.parameter(6)) {
    Buffer x(k, k.parameter(0).value, elemOf(spec.in)), offsets(k, k.parameter(1).value, Elem::I64);
    for (int64_t r = 0; r < rows; ++r)
      row.push_back(x.at(offsets.load(r)));
  }

  void build() {
    SmallVector<Val> sums;
    for (size_t r = 0; r < row.size(); ++r)
      for (int64_t j = 0; j < vectors; ++j)
        sums.push_back(tile.loadVector(place(r, j), spec.lanes));
    sums = spec.weight == WeightFormat::F32    ? sumF32(sums)
           : spec.weight == WeightFormat::BF16 ? sumBF16(sums)
                                               : sumQuantised(sums);
    for (size_t r = 0; r < row.size(); ++r)
      for (int64_t j = 0; j < vectors; ++j)
        tile.storeVector(place(r, j), sums[r * vectors + j]);
  }

private:
  using Vals = SmallVector<Val>;

  Val place(int64_t r, int64_t j) { return k.integer(r * spec.panel + j * spec.lanes); }

  /// One fma, or one dot of pairs, for each accumulator.
  Vals accumulate(ArrayRef<Val> sums, ArrayRef<Val> factors, ArrayRef<Val> weights) {
    Vals next;
    for (size_t r = 0; r < row.size(); ++r)
      for (int64_t j = 0; j < vectors; ++j) {
        Val sum = sums[r * vectors + j];
        next.push_back(!spec.dot ? fma(factors[r], weights[j], sum)
                                 : k.intrinsic("llvm.x86.avx512bf16.dpbf16ps.512", sum.value.getType(),
                                               {sum, pairsOf(factors[r]), pairsOf(weights[j])}));
      }
    return next;
  }

  /// Lanes of 32 bits as pairs of bf16.
  Val pairsOf(Val lanes) {
    Type pairs = VectorType::get({2 * spec.lanes}, k.ops.getBF16Type());
    return {&k, k.ops.create<vector::BitCastOp>(k.loc, pairs, lanes.value)};
  }

  /// Element `at` of each row, in f32, in every lane.
  Vals single(Val at) {
    return llvm::map_to_vector(row, [&](const Buffer &x) { return splat(x.load(at), spec.lanes); });
  }

  /// Elements at, at + 1 of each row (bf16) as 32 bits in every lane; the second 0 unless `whole`.
  Vals pair(Val at, bool whole) {
    return llvm::map_to_vector(row, [&](const Buffer &x) {
      Buffer halves(k, x.base().value, Elem::I16);
      Type both = VectorType::get({1}, k.ops.getI32Type());
      Val bits = whole ? extract({&k, k.ops.create<vector::BitCastOp>(k.loc, both, halves.loadVector(at, 2).value)}, 0)
                       : zeroExtend(extract(halves.loadVector(at, 1), 0), k.ops.getI32Type());
      return splat(bits, spec.lanes);
    });
  }

  /// The f32 in the low or the high half of each lane.
  Val halfOf(Val lanes, bool high) {
    return bitcast(high ? lanes & constantLike(lanes, 0xffff0000) : shiftLeft(lanes, 16), k.f32Type());
  }
  Vals halvesOf(ArrayRef<Val> lanes, bool high) {
    return llvm::map_to_vector(lanes, [&](Val v) { return halfOf(v, high); });
  }

  void askAhead(Val step) {
    Buffer from = ahead.at(step * lines * lineBytes);
    k.forEach(k.integer(0), lines * lineBytes, [&](Val byte) { from.prefetch(byte, /*locality=*/2); }, lineBytes);
  }

  /// `body` for each step of `unit` inputs in [low, high), `unroll` steps at a time while they last.
  Vals ascend(Val low, Val high, Vals sums, int64_t unit, int64_t unroll,
              function_ref<Vals(Val at, ArrayRef<Val> sums)> body) {
    Val middle = low + (high - low) / (unit * unroll) * (unit * unroll);
    sums = k.foldMany(
        low, middle, sums,
        [&](Val at, ArrayRef<Val> carried) {
          Vals next(carried);
          if (unroll > 1)
            askAhead(at / (unit * unroll));
          for (int64_t u = 0; u < unroll; ++u)
            next = body(u ? at + u * unit : at, next);
          return next;
        },
        unit * unroll);
    return unroll == 1 ? sums : k.foldMany(middle, high, sums, body, unit);
  }

  Vals sumF32(Vals sums) {
    Buffer panel(k, panelBase, Elem::F32);
    return ascend(k.integer(0), inputs, sums, 1, 2, [&](Val at, ArrayRef<Val> carried) {
      Vals weights;
      for (int64_t j = 0; j < vectors; ++j)
        weights.push_back(panel.loadVector(at * spec.panel + j * spec.lanes, spec.lanes));
      return accumulate(carried, single(at), weights);
    });
  }

  /// The weights of the pair that `at` is the first of.
  Vals weightPairs(Val at) {
    Buffer panel(k, panelBase, Elem::I32);
    Vals pairs;
    for (int64_t j = 0; j < vectors; ++j)
      pairs.push_back(panel.loadVector(at / 2 * spec.panel + j * spec.lanes, spec.lanes));
    return pairs;
  }

  Vals accumulatePair(ArrayRef<Val> sums, Val at, ArrayRef<Val> weights, bool whole) {
    if (spec.dot)
      return accumulate(sums, pair(at, whole), weights);
    if (!whole)
      return accumulate(sums, single(at), halvesOf(weights, false));
    if (spec.in == Scalar::F32)
      return accumulate(accumulate(sums, single(at), halvesOf(weights, false)), single(at + 1),
                        halvesOf(weights, true));
    Vals factors = pair(at, true);
    return accumulate(accumulate(sums, halvesOf(factors, false), halvesOf(weights, false)), halvesOf(factors, true),
                      halvesOf(weights, true));
  }

  Vals sumBF16(Vals sums) {
    auto step = [&](bool whole) {
      return
          [this, whole](Val at, ArrayRef<Val> carried) { return accumulatePair(carried, at, weightPairs(at), whole); };
    };
    Val even = inputs / 2 * 2;
    sums = ascend(k.integer(0), even, sums, 2, 2, step(true));
    // At most one.
    return k.foldMany(even, inputs, sums, step(false));
  }

  using Scales = SmallVector<QuantisedScale>;

  int64_t blockBytes() const { return quantisedBlockBytes(spec.weight, spec.panel); }

  /// The quantised weights of the group that `at` is the first of, in lanes.
  Vals weightGroups(Val at) {
    Buffer numbers = Buffer(k, panelBase, Elem::I8).at(at / scaleGroup * blockBytes() + spec.panel);
    Buffer words(k, numbers.base().value, Elem::I32);
    Vals lanes;
    for (int64_t j = 0; j < vectors; ++j)
      lanes.push_back(words.loadVector(at % scaleGroup / group * spec.panel + j * spec.lanes, spec.lanes));
    return lanes;
  }

  /// What the weights of the block of `at` share.
  Scales scales(Val at) {
    Buffer bytes(k, panelBase, Elem::I8);
    Scales found;
    for (int64_t j = 0; j < vectors; ++j)
      found.push_back(quantisedScale(spec.weight, bytes, at / scaleGroup * blockBytes() + j * spec.lanes, spec.lanes));
    return found;
  }

  /// Inputs at + place and, in pairs, the next; `whole` if that is there.
  Vals accumulateQuantised(ArrayRef<Val> sums, Val at, ArrayRef<Val> lanes, ArrayRef<QuantisedScale> scale,
                           int64_t place, bool whole) {
    auto weights = [&](int64_t which) {
      Vals found;
      for (int64_t j = 0; j < vectors; ++j)
        found.push_back(quantisedWeight(spec.weight, lanes[j], scale[j], which));
      return found;
    };
    Val here = at + place;
    if (spec.dot) {
      Vals found;
      for (int64_t j = 0; j < vectors; ++j)
        found.push_back(quantisedPair(spec.weight, lanes[j], scale[j], place));
      return accumulate(sums, pair(here, whole), found);
    }
    if (!whole || spec.in == Scalar::F32) {
      Vals next = accumulate(sums, single(here), weights(place));
      return whole ? accumulate(next, single(here + 1), weights(place + 1)) : next;
    }
    Vals factors = pair(here, true);
    return accumulate(accumulate(sums, halvesOf(factors, false), weights(place)), halvesOf(factors, true),
                      weights(place + 1));
  }

  Vals sumQuantised(Vals sums) {
    Val whole = inputs / group * group;
    sums = k.foldMany(
        k.integer(0), whole, sums,
        [&](Val block, ArrayRef<Val> carried) {
          Scales scale = scales(block);
          askAhead(block / scaleGroup);
          return ascend(block, min(block + scaleGroup, whole), Vals(carried), group, 1,
                        [&](Val at, ArrayRef<Val> inner) {
                          Vals lanes = weightGroups(at), next(inner);
                          for (int64_t place = 0; place < group; place += 2)
                            next = accumulateQuantised(next, at, lanes, scale, place, true);
                          return next;
                        });
        },
        scaleGroup);
    // What is left, fewer inputs than a group: each loop runs once or never.
    Val left = inputs - whole, zero = k.integer(0), one = k.integer(1);
    auto rest = [&](Val wanted, int64_t place, bool pairIsWhole) {
      sums = k.foldMany(zero, select(wanted, one, zero), sums, [&](Val, ArrayRef<Val> carried) {
        return accumulateQuantised(carried, whole, weightGroups(whole), scales(whole), place, pairIsWhole);
      });
    };
    for (int64_t place = 0; place < group; place += 2) {
      if (place + 2 < group)
        rest(k.integer(place + 1) < left, place, true);
      rest(left == place + 1, place, false);
    }
    return sums;
  }

  KernelBuilder &k;
  const MicroSpec &spec;
  int64_t vectors, group;
  Value panelBase;
  Val inputs;
  Buffer tile, ahead;
  Val lines;
  SmallVector<Buffer> row;
};

} // namespace

func::FuncOp emitMicro(ModuleOp module, const MicroSpec &spec, int64_t rows) {
  std::string name = symbolOf({"cpu_linear_micro", nameOf(spec.in), nameOf(spec.weight), spec.dot ? "dot" : "",
                               std::to_string(rows) + "x" + std::to_string(spec.panel)});
  Type pointer = LLVM::LLVMPointerType::get(module.getContext()), i64 = IntegerType::get(module.getContext(), 64);
  return emitInternal(module, name, {pointer, pointer, pointer, i64, pointer, pointer, i64}, {}, [&](KernelBuilder &k) {
    Micro(k, spec, rows).build();
    return SmallVector<Val>();
  });
}

} // namespace chimera::cpu
