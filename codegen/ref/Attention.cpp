// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/kernel/KernelBuilder.h"
#include "codegen/ref/Kernels.h"
#include "codegen/ref/Math.h"

#include <limits>

using namespace mlir;

namespace chimera::ref {

using kernel::nameOf;

int64_t pageBytes(int64_t kvHeads, int64_t headSize, Scalar operand, Scalar type) {
  return ir::listPageBytes(kvHeads, headSize, byteSize(operand), byteSize(type));
}

namespace {

/// The rows of one entry: a key and a value of all heads, and its weight if there are weights.
struct Entry {
  Buffer key, value, weight;
};

/// A cache's buffers, and where an entry lies in them.
class CacheBuffers {
public:
  /// Takes the next buffers of the launch. Keys and values are `operand` elements, weights `weight`.
  CacheBuffers(KernelBuilder &k, const CacheSpec &spec, Elem operand, Elem weight)
      : k(k), spec(spec), operand(operand), weight(weight) {
    if (spec.kind == CacheKind::Ring) {
      keys = k.buffer(operand);
      values = k.buffer(operand);
      if (spec.weighted)
        weights = k.buffer(weight);
    } else {
      pages = k.buffer(Elem::I8);
      table = k.buffer(Elem::I32);
    }
    count = k.buffer(Elem::I64);
  }

  Entry at(Val slot, Val entry) const {
    return spec.kind == CacheKind::Ring ? inRing(slot, entry) : inPage(slot, entry);
  }

  /// Entries written so far: i64[slots].
  Buffer count;

private:
  Entry inRing(Val slot, Val entry) const {
    Val place = slot * spec.window + entry % spec.window;
    Val offset = place * (spec.kvHeads * spec.headSize);
    return {keys.at(offset), values.at(offset), spec.weighted ? weights.at(place) : Buffer()};
  }

  Entry inPage(Val slot, Val entry) const {
    int64_t width = spec.kvHeads * spec.headSize, keyBytes = pageEntries * width * byteSize(spec.operand);
    Val page = table.load(slot * k.argument(3) + entry / pageEntries);
    Val first = page * pageBytes(spec.kvHeads, spec.headSize, spec.operand, spec.type);
    Val inside = entry % pageEntries;
    Val offset = inside * width;
    return {pages.atByte(first, operand).at(offset), pages.atByte(first + keyBytes, operand).at(offset),
            spec.weighted ? pages.atByte(first + 2 * keyBytes, weight).at(inside) : Buffer()};
  }

  KernelBuilder &k;
  const CacheSpec &spec;
  Elem operand, weight;
  Buffer keys, values, weights, pages, table;
};

/// One head of one own row.
struct Attention {
  KernelBuilder &k;
  const AttendSpec &spec;
  const CacheBuffers &cache;
  Buffer query, keys, values, writes, out; // query and out: of this head
  Val slot, kvHead;                        // kvHead: the first dimension of the key/value head
  Val base, firstKey;                      // entries cached before; the compact key row of entry `base`
  Val low, last;                           // the entries to attend to

  /// The entry from the cache or from this step's rows, at this head.
  Entry entryAt(Val a) const {
    int64_t width = spec.cache.kvHeads * spec.cache.headSize;
    auto chosen = [&](function_ref<Val(const Entry &)> part) {
      return k.choose(
          a < base, [&] { return part(cache.at(slot, a)); },
          [&] {
            Val row = firstKey + a - base;
            return part(
                {keys.at(row * width), values.at(row * width), spec.cache.weighted ? writes.at(row) : Buffer()});
          });
    };
    Elem operand = elemOf(spec.cache.operand);
    Entry entry;
    entry.key = Buffer(k, chosen([](const Entry &e) { return e.key.base(); }).value, operand).at(kvHead);
    entry.value = Buffer(k, chosen([](const Entry &e) { return e.value.base(); }).value, operand).at(kvHead);
    if (spec.cache.weighted)
      entry.weight = Buffer(k, chosen([](const Entry &e) { return e.weight.base(); }).value, elemOf(spec.cache.type));
    return entry;
  }

  Val score(const Entry &entry) const {
    Val dot = k.fold(0, spec.cache.headSize, k.real(0, spec.cache.type),
                     [&](Val d, Val sum) { return fma(query.load(d), entry.key.load(d), sum); });
    Val scaled = softCap(dot * k.real(spec.scale, spec.cache.type), spec.softCap);
    return spec.cache.weighted ? scaled + entry.weight.load(0) : scaled;
  }

  void emit() const {
    int64_t size = spec.cache.headSize;
    Val lowest = k.real(-std::numeric_limits<double>::infinity(), spec.cache.type), zero = k.real(0, spec.cache.type);
    Val greatest = k.fold(low, last + 1, lowest, [&](Val a, Val best) {
      Val s = score(entryAt(a));
      return select(s > best, s, best);
    });
    k.forEach(0, size, [&](Val d) { out.store(d, zero); });
    Val total = k.fold(low, last + 1, zero, [&](Val a, Val sum) {
      Entry entry = entryAt(a);
      Val p = exp(score(entry) - greatest);
      k.forEach(0, size, [&](Val d) { out.store(d, fma(p, entry.value.load(d), out.load(d))); });
      return sum + p;
    });
    k.forEach(0, size, [&](Val d) { out.store(d, out.load(d) / total); });
  }
};

} // namespace

static std::string nameOf(const CacheSpec &spec) {
  std::string name = spec.kind == CacheKind::Ring ? "ring" + std::to_string(spec.window) : "list";
  return name + "_" + nameOf(spec.operand) + "_" + nameOf(spec.type) + "_" + std::to_string(spec.kvHeads) + "x" +
         std::to_string(spec.headSize) + (spec.weighted ? "_weighted" : "");
}

static void emitAttend(KernelBuilder &k, const AttendSpec &spec) {
  const CacheSpec &c = spec.cache;
  Elem operand = elemOf(c.operand), weight = elemOf(c.type);
  Rows own = k.rows(), keyRows = k.rows();
  Buffer q = k.buffer(operand), keys = k.buffer(operand), values = k.buffer(operand);
  Buffer writes = c.weighted ? k.buffer(weight) : Buffer();
  CacheBuffers cache(k, c, operand, weight);
  Buffer out = k.buffer(weight);
  k.forEach(k.begin(), min(k.end(), k.rowCount(own.start) * spec.heads), [&](Val block) {
    Val row = block / spec.heads, head = block % spec.heads;
    Val j = own.start.load(0) + row, index = own.index.load(j);
    Val sequence = own.sequence.load(index), slot = own.slot.load(sequence);
    Val base = cache.count.load(slot);
    Val place = spec.separate ? index - keyRows.start.load(sequence) : j - own.start.load(sequence);
    Val last = base + place;
    Val low = c.kind == CacheKind::Ring ? max(last - (c.window - 1), k.integer(0)) : k.integer(0);
    Val firstKey = keyRows.start.load(sequence) - keyRows.start.load(0);
    Val kvHead = head * c.kvHeads / spec.heads * c.headSize;
    Attention{k,    spec,   cache,  q.at(block * c.headSize),
              keys, values, writes, out.at(block * c.headSize),
              slot, kvHead, base,   firstKey,
              low,  last}
        .emit();
  });
}

Kernel getOrEmit(ModuleOp kernels, const AttendSpec &spec) {
  std::string symbol = symbolOf({"attend", nameOf(spec.cache), "heads" + std::to_string(spec.heads),
                                 "scale" + nameOf(spec.scale), spec.separate ? "separate" : "", capName(spec.softCap)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) { emitAttend(k, spec); });
  return {symbol, Grid{/*tokens=*/spec.heads}};
}

Kernel getOrEmit(ModuleOp kernels, const AppendSpec &spec) {
  const CacheSpec &c = spec.cache;
  std::string symbol = symbolOf({"append", nameOf(c)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Elem operand = rawElemOf(c.operand), weight = rawElemOf(c.type);
    Rows rows = k.rows();
    Buffer keys = k.buffer(operand), values = k.buffer(operand), writes = c.weighted ? k.buffer(weight) : Buffer();
    CacheBuffers cache(k, c, operand, weight);
    int64_t width = c.kvHeads * c.headSize;
    k.forEach(k.begin(), k.end(), [&](Val sequence) {
      Val slot = rows.slot.load(sequence), base = cache.count.load(slot);
      Val first = rows.start.load(sequence), count = rows.start.load(sequence + 1) - first;
      k.forEach(k.integer(0), count, [&](Val i) {
        Val row = first - rows.start.load(0) + i;
        Entry entry = cache.at(slot, base + i);
        k.forEach(0, width, [&](Val d) {
          entry.key.store(d, keys.load(row * width + d));
          entry.value.store(d, values.load(row * width + d));
        });
        if (c.weighted)
          entry.weight.store(k.integer(0), writes.load(row));
      });
      cache.count.store(slot, base + count);
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/1}};
}

} // namespace chimera::ref
