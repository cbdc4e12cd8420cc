// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/CacheLayout.h"

#include "codegen/ref/Kernels.h"

using namespace mlir;

namespace chimera::cpu {

int64_t ringBlocks(int64_t window) {
  return ir::blocksOfWindow(window, blockEntries);
}

int64_t partialWidth(int64_t headSize) {
  return (headSize + 2 + 15) / 16 * 16;
}

int64_t wordsOf(const CacheSpec &spec) {
  return spec.headSize * byteSize(spec.operand) / 4;
}

std::string nameOf(const CacheSpec &spec) {
  std::string name = spec.kind == CacheKind::Ring ? "ring" + std::to_string(spec.window) : "list";
  return name + "_" + kernel::nameOf(spec.operand) + "_" + std::to_string(spec.kvHeads) + "x" +
         std::to_string(spec.headSize) + (spec.weighted ? "_weighted" : "");
}

void keepCalls(func::FuncOp function) {
  OpBuilder ops(function);
  function->setAttr("passthrough", ops.getStrArrayAttr({"no-builtins", "nounwind", "noinline"}));
}

CacheBlock blockInPage(const CacheSpec &spec, const Buffer &pages, Val page, Val head) {
  int64_t words = blockEntries * wordsOf(spec); // of the keys of a head
  Buffer first = pages.atByte(page * ref::pageBytes(spec.kvHeads, spec.headSize, spec.operand, Scalar::F32), Elem::I32);
  KernelBuilder &k = *page.builder;
  return {first.at(head * words), first.at((head + spec.kvHeads) * words),
          spec.weighted ? first.at(k.integer(2 * spec.kvHeads * words)) : Buffer()};
}

CacheBuffers::CacheBuffers(KernelBuilder &k, const CacheSpec &spec) : k(k), spec(spec) {
  if (spec.kind == CacheKind::Ring) {
    keys = k.buffer(Elem::I32);
    values = k.buffer(Elem::I32);
    if (spec.weighted)
      weights = k.buffer(Elem::I32);
  } else {
    pages = k.buffer(Elem::I8);
    table = k.buffer(Elem::I32);
  }
  count = k.buffer(Elem::I64);
}

Buffer CacheBuffers::pagesOf(Val slot) const {
  return table.at(slot * k.argument(3));
}

CacheBlock CacheBuffers::block(Val slot, Val number, Val head) const {
  if (spec.kind == CacheKind::List)
    return blockInPage(spec, pages, pagesOf(slot).load(number), head);
  int64_t blocks = ringBlocks(spec.window), words = blockEntries * wordsOf(spec);
  Val place = slot * blocks + number % blocks;
  Val offset = (place * spec.kvHeads + head) * words;
  return {keys.at(offset), values.at(offset), spec.weighted ? weights.at(place * blockEntries) : Buffer()};
}

namespace {

/// The copy of rows into one head of a block.
struct Fill {
  KernelBuilder &k;
  int64_t lanes, words, stride; // of a vector; of a row; between rows
  Buffer keys, values, blockKeys, blockValues;
  Val low, high;

  /// Turns `lanes` rows of `lanes` words around, by swapping ever larger squares across the diagonal.
  SmallVector<Val> transposed(SmallVector<Val> rows) const {
    for (int64_t half = 1; half < lanes; half *= 2) {
      SmallVector<int64_t> first, second;
      for (int64_t i = 0; i < lanes; ++i) {
        first.push_back(i & half ? lanes + i - half : i);
        second.push_back(i & half ? lanes + i : i + half);
      }
      for (int64_t i = 0; i < lanes; ++i)
        if (!(i & half)) {
          Val upper = shuffleLanes(rows[i], rows[i + half], first);
          rows[i + half] = shuffleLanes(rows[i], rows[i + half], second);
          rows[i] = upper;
        }
    }
    return rows;
  }

  /// The keys of the places low .. high-1, words firstWord and up, one by one.
  void keysOneByOne(Val from, Val to, int64_t firstWord) const {
    k.forEach(from, to, [&](Val place) {
      Val row = (place - low) * stride;
      k.forEach(firstWord, words,
                [&](Val word) { blockKeys.store(word * blockEntries + place, keys.load(row + word)); });
    });
  }

  /// The keys of `lanes` places from `place` on, by squares.
  void keysBySquares(Val place) const {
    Val row = (place - low) * stride;
    k.forEach(
        k.integer(0), k.integer(words / lanes * lanes),
        [&](Val word) {
          SmallVector<Val> square;
          for (int64_t i = 0; i < lanes; ++i)
            square.push_back(keys.loadVector(row + word + i * stride, lanes));
          square = transposed(square);
          for (int64_t i = 0; i < lanes; ++i)
            blockKeys.storeVector((word + i) * blockEntries + place, square[i]);
        },
        lanes);
    keysOneByOne(place, place + lanes, words / lanes * lanes);
  }

  void emit() const {
    k.forEach(
        low / lanes * lanes, high,
        [&](Val group) {
          Val from = max(group, low), to = min(group + lanes, high);
          k.either(to - from == lanes, [&] { keysBySquares(group); }, [&] { keysOneByOne(from, to, 0); });
        },
        lanes);
    k.forEach(low, high, [&](Val place) {
      Val row = (place - low) * stride, at = place * words;
      int64_t whole = words / lanes * lanes;
      k.forEach(
          k.integer(0), k.integer(whole),
          [&](Val word) { blockValues.storeVector(at + word, values.loadVector(row + word, lanes)); }, lanes);
      k.forEach(whole, words, [&](Val word) { blockValues.store(at + word, values.load(row + word)); });
    });
  }
};

} // namespace

void fillBlock(KernelBuilder &k, const Isa &isa, const CacheSpec &spec, const Buffer &keys, const Buffer &values,
               const CacheBlock &block, Val low, Val high) {
  int64_t words = wordsOf(spec), stride = spec.kvHeads * words;
  Type pointer = keys.base().value.getType(), i64 = k.i64Type();
  auto function = emitInternal(k.module, symbolOf({"cpu_fill", std::to_string(words), std::to_string(stride)}),
                               {pointer, pointer, pointer, pointer, i64, i64}, {}, [&](KernelBuilder &f) {
                                 auto words32 = [&](unsigned i) { return Buffer(f, f.parameter(i).value, Elem::I32); };
                                 Fill{f,          isa.lanes,  words,      stride,         words32(0),
                                      words32(1), words32(2), words32(3), f.parameter(4), f.parameter(5)}
                                     .emit();
                                 return SmallVector<Val>();
                               });
  keepCalls(function);
  k.call(function, {keys.base(), values.base(), block.keys.base(), block.values.base(), low, high});
}

} // namespace chimera::cpu
