// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/ref/Math.h"
#include "codegen/ref/TrainingKernels.h"
#include "codegen/ref/TrainingSupport.h"

#include <limits>

using namespace mlir;

namespace chimera::ref {

using kernel::nameOf;

static constexpr Grid perRow{/*tokens=*/1};

namespace {

/// Keys, values and write weights; those of an own row lie in the own tensors.
struct Entries {
  Buffer keys, values, writes, ownKeys, ownValues;
};

/// One entry at one key/value head.
struct Entry {
  Buffer key, value, write; // write: of one row
};

/// What an own row attends to.
struct Span {
  Val firstKey;  // the compact key row of the sequence's first entry
  Val low, high; // the entries low .. high-1
};

/// The launches of a spec have the same buffers up to here, own and key rows in either order.
struct Attention {
  KernelBuilder &k;
  const SeqAttendSpec &spec;
  Rows own, keyRows;
  Buffer q;
  Entries entries;

  Attention(KernelBuilder &k, const SeqAttendSpec &spec, bool keysFirst, bool takesOwn) : k(k), spec(spec) {
    Rows first = k.rows(), second = k.rows();
    own = keysFirst ? second : first, keyRows = keysFirst ? first : second;
    q = k.buffer(spec.operand);
    entries.keys = k.buffer(spec.operand), entries.values = k.buffer(spec.operand);
    if (spec.weighted)
      entries.writes = k.buffer(spec.type);
    if (spec.tentative && takesOwn)
      entries.ownKeys = k.buffer(spec.operand), entries.ownValues = k.buffer(spec.operand);
  }

  Val zero() const { return k.real(0, spec.type); }
  int64_t kvWidth() const { return spec.kvHeads * spec.headSize; }
  /// The first column of the key/value head of a query head.
  Val kvColumn(Val head) const { return head * spec.kvHeads / spec.heads * spec.headSize; }

  Span spanOf(Val row) const {
    Val id = rowId(own, row), sequence = own.sequence.load(id);
    Val first = keyRows.start.load(sequence), count = keyRows.start.load(sequence + 1) - first;
    Val below = countBelow(k, keyRows, sequence, id);
    Val low = spec.window < 0 ? k.integer(0) : max(below - (spec.window - 1), k.integer(0));
    Val high = below;
    if (!spec.tentative) {
      Val there = below < count;
      Val isOwn = k.choose(there, [&] { return keyRows.index.load(first + below) == id; }, [&] { return there; });
      high = select(isOwn, below + 1, below);
    }
    return {first - keyRows.start.load(0), low, high};
  }

  Entry entryAt(Val keyRow, Val column) const {
    Val place = keyRow * kvWidth() + column;
    return {entries.keys.at(place), entries.values.at(place), spec.weighted ? entries.writes.at(keyRow) : Buffer()};
  }
  Entry ownEntry(Val row, Val column) const {
    Val place = row * kvWidth() + column;
    return {entries.ownKeys.at(place), entries.ownValues.at(place), Buffer()};
  }

  /// The score before the write weight is added.
  Val cappedScore(const Buffer &query, const Entry &entry) const {
    return softCap(dot(k, query, entry.key, spec.headSize, spec.type) * k.real(spec.scale, spec.type), spec.softCap);
  }
  Val withWeight(Val score, const Entry &entry) const { return spec.weighted ? score + entry.write.load(0) : score; }
  Val score(const Buffer &query, const Entry &entry) const { return withWeight(cappedScore(query, entry), entry); }

  /// Folds over the entries of an own row at a head, its own last if there is one.
  Val foldEntries(Val row, const Span &span, Val column, Val initial,
                  function_ref<Val(const Entry &, Val carried)> body) const {
    Val folded = k.fold(span.low, span.high, initial,
                        [&](Val e, Val carried) { return body(entryAt(span.firstKey + e, column), carried); });
    return spec.tentative ? body(ownEntry(row, column), folded) : folded;
  }
};

} // namespace

static std::string nameOf(const SeqAttendSpec &spec, const char *name) {
  return symbolOf({name, nameOf(spec.operand), nameOf(spec.type), std::to_string(spec.heads),
                   std::to_string(spec.kvHeads) + "x" + std::to_string(spec.headSize),
                   spec.window < 0 ? "" : "window" + std::to_string(spec.window), "scale" + nameOf(spec.scale),
                   spec.weighted ? "weighted" : "", spec.tentative ? "tentative" : "", capName(spec.softCap)});
}

/// One head of one own row.
static void attend(const Attention &a, Val row, Val head, const Span &span, const Buffer &out, const Buffer &lse) {
  KernelBuilder &k = a.k;
  int64_t size = a.spec.headSize;
  Val block = row * a.spec.heads + head, column = a.kvColumn(head);
  Buffer query = a.q.at(block * size), to = out.at(block * size);
  Val lowest = k.real(-std::numeric_limits<double>::infinity(), a.spec.type);
  Val greatest = a.foldEntries(row, span, column, lowest, [&](const Entry &entry, Val best) {
    Val s = a.score(query, entry);
    return select(s > best, s, best);
  });
  fillZero(k, to, k.integer(0), k.integer(size), a.spec.type);
  Val total = a.foldEntries(row, span, column, a.zero(), [&](const Entry &entry, Val sum) {
    Val p = exp(a.score(query, entry) - greatest);
    k.forEach(0, size, [&](Val d) { to.store(d, fma(p, entry.value.load(d), to.load(d))); });
    return sum + p;
  });
  auto finish = [&] {
    k.forEach(0, size, [&](Val d) { to.store(d, to.load(d) / total); });
    lse.store(block, greatest + log(total));
  };
  if (a.spec.tentative)
    finish(); // the own entry is always there
  else
    k.either(span.low < span.high, finish, [&] { lse.store(block, a.zero()); });
}

Kernel getOrEmit(ModuleOp kernels, const SeqAttendSpec &spec) {
  std::string symbol = nameOf(spec, "seq_attend");
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Attention a(k, spec, /*keysFirst=*/false, /*takesOwn=*/true);
    Buffer out = k.buffer(spec.type), lse = k.buffer(spec.type);
    forEachRow(k, a.own.start, [&](Val row) {
      Span span = a.spanOf(row);
      k.forEach(0, spec.heads, [&](Val head) { attend(a, row, head, span, out, lse); });
    });
  });
  return {symbol, perRow};
}

namespace {

/// The gradient by the scores of one query head of one own row: dsum by a score with its write weight, dscore by the
/// product that the cap is taken of.
struct ScoreGrad {
  Buffer query, dout;
  Val lse, delta;

  struct Parts {
    Val p, dsum, dscore;
  };
  Parts at(const Attention &a, const Entry &entry) const {
    Val capped = a.cappedScore(query, entry), p = exp(a.withWeight(capped, entry) - lse);
    Val dsum = p * (dot(a.k, dout, entry.value, a.spec.headSize, a.spec.type) - delta);
    return {p, dsum, throughSoftCap(dsum, capped, a.spec.softCap)};
  }
};

struct QueriesGrad {
  Attention a;
  Buffer out, lse, dout, dq, deltas, dOwnKey, dOwnValue;

  QueriesGrad(KernelBuilder &k, const SeqAttendSpec &spec) : a(k, spec, /*keysFirst=*/false, /*takesOwn=*/true) {
    for (Buffer *buffer : {&out, &lse, &dout, &dq, &deltas})
      *buffer = k.buffer(spec.type);
    if (spec.tentative)
      dOwnKey = k.buffer(spec.type), dOwnValue = k.buffer(spec.type);
  }

  void emitHead(Val row, Val head, const Span &span) const {
    KernelBuilder &k = a.k;
    int64_t size = a.spec.headSize;
    Val block = row * a.spec.heads + head, column = a.kvColumn(head), scale = k.real(a.spec.scale, a.spec.type);
    Buffer query = a.q.at(block * size), upstream = dout.at(block * size), to = dq.at(block * size);
    Val delta = dot(k, upstream, out.at(block * size), size, a.spec.type);
    deltas.store(block, delta);
    ScoreGrad gradient{query, upstream, lse.load(block), delta};
    fillZero(k, to, k.integer(0), k.integer(size), a.spec.type);
    auto addKey = [&](const Entry &entry, Val dscore) {
      k.forEach(0, size, [&](Val d) { to.store(d, fma(dscore, entry.key.load(d), to.load(d))); });
    };
    k.forEach(span.low, span.high, [&](Val e) {
      Entry entry = a.entryAt(span.firstKey + e, column);
      addKey(entry, gradient.at(a, entry).dscore);
    });
    if (a.spec.tentative) {
      Entry entry = a.ownEntry(row, column);
      ScoreGrad::Parts parts = gradient.at(a, entry);
      addKey(entry, parts.dscore);
      Val place = row * a.kvWidth() + column, scaled = scale * parts.dscore;
      Buffer toKey = dOwnKey.at(place), toValue = dOwnValue.at(place);
      k.forEach(0, size, [&](Val d) {
        toKey.store(d, fma(scaled, query.load(d), toKey.load(d)));
        toValue.store(d, fma(parts.p, upstream.load(d), toValue.load(d)));
      });
    }
    k.forEach(0, size, [&](Val d) { to.store(d, scale * to.load(d)); });
  }

  void emitRow(Val row) const {
    KernelBuilder &k = a.k;
    if (a.spec.tentative)
      for (const Buffer &buffer : {dOwnKey, dOwnValue})
        fillZero(k, buffer, row * a.kvWidth(), (row + 1) * a.kvWidth(), a.spec.type);
    Span span = a.spanOf(row);
    k.forEach(0, a.spec.heads, [&](Val head) { emitHead(row, head, span); });
  }
};

struct KeysGrad {
  Attention a;
  Buffer lse, deltas, dout, dk, dv, dwrite;

  KeysGrad(KernelBuilder &k, const SeqAttendSpec &spec) : a(k, spec, /*keysFirst=*/true, /*takesOwn=*/false) {
    for (Buffer *buffer : {&lse, &deltas, &dout, &dk, &dv})
      *buffer = k.buffer(spec.type);
    if (spec.weighted)
      dwrite = k.buffer(spec.type);
  }

  /// Adds what own row `row` of query head `head` gives to the key row's gradients; returns its dsum.
  Val addRow(Val keyRow, Val row, Val head) const {
    KernelBuilder &k = a.k;
    int64_t size = a.spec.headSize;
    Val block = row * a.spec.heads + head, column = a.kvColumn(head), place = keyRow * a.kvWidth() + column;
    Buffer query = a.q.at(block * size), upstream = dout.at(block * size);
    ScoreGrad gradient{query, upstream, lse.load(block), deltas.load(block)};
    ScoreGrad::Parts parts = gradient.at(a, a.entryAt(keyRow, column));
    Buffer toKey = dk.at(place), toValue = dv.at(place);
    k.forEach(0, size, [&](Val d) {
      toKey.store(d, fma(parts.dscore, query.load(d), toKey.load(d)));
      toValue.store(d, fma(parts.p, upstream.load(d), toValue.load(d)));
    });
    return parts.dsum;
  }

  /// The greatest id of a row that still has the entry in its window: that of the entry `window` - 1 later.
  Val lastReader(Val place, Val sequence) const {
    KernelBuilder &k = a.k;
    Val none = k.integer(std::numeric_limits<int64_t>::max());
    if (a.spec.window < 0)
      return none;
    Val later = place + (a.spec.window - 1);
    return k.choose(
        later < a.keyRows.start.load(sequence + 1), [&] { return a.keyRows.index.load(later); }, [&] { return none; });
  }

  void emitRow(Val keyRow) const {
    KernelBuilder &k = a.k;
    Val place = a.keyRows.start.load(0) + keyRow, id = a.keyRows.index.load(place);
    Val sequence = a.keyRows.sequence.load(id), last = lastReader(place, sequence);
    Val begin = keyRow * a.kvWidth(), end = (keyRow + 1) * a.kvWidth(), base = a.own.start.load(0);
    fillZero(k, dk, begin, end, a.spec.type);
    fillZero(k, dv, begin, end, a.spec.type);
    Val readers = a.own.start.load(sequence + 1) - base;
    // Rows before the entry do not read it; its own row does unless that has an entry of its own.
    Val firstReader =
        a.own.start.load(sequence) - base + countBelow(k, a.own, sequence, a.spec.tentative ? id + 1 : id);
    Val sum = k.fold(0, a.spec.heads, a.zero(), [&](Val head, Val ofHeads) {
      return k.fold(firstReader, readers, ofHeads, [&](Val row, Val carried) {
        return k.choose(
            rowId(a.own, row) <= last, [&] { return carried + addRow(keyRow, row, head); }, [&] { return carried; });
      });
    });
    if (a.spec.weighted)
      dwrite.store(keyRow, sum);
    Val scale = k.real(a.spec.scale, a.spec.type);
    k.forEach(begin, end, [&](Val i) { dk.store(i, scale * dk.load(i)); });
  }
};

} // namespace

SeqAttendGrad getOrEmitGrad(ModuleOp kernels, const SeqAttendSpec &spec) {
  std::string queries = nameOf(spec, "seq_attend_grad_queries"), keys = nameOf(spec, "seq_attend_grad_keys");
  emitKernel(kernels, queries, [&](KernelBuilder &k) {
    QueriesGrad gradient(k, spec);
    forEachRow(k, gradient.a.own.start, [&](Val row) { gradient.emitRow(row); });
  });
  emitKernel(kernels, keys, [&](KernelBuilder &k) {
    KeysGrad gradient(k, spec);
    forEachRow(k, gradient.a.keyRows.start, [&](Val row) { gradient.emitRow(row); });
  });
  return {{queries, perRow}, {keys, perRow}};
}

} // namespace chimera::ref
