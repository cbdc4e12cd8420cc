// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The gradient of the Mamba-2 scan; codegen/ref/TrainingScanGrad.cpp has its derivation. With S the state before a row,
// N = a S + d x B^T the one after it and G the gradient by N from later rows:
//   dN = dy C^T + G,   dx = D dy + d dN B,   dB = d dN^T x,   dC = N^T dy,   d(loss)/da = <dN, S>,
//   d(loss)/dd = x^T dN B + r a d(loss)/da with a = exp(r d),   and G of the row before is a dN.
// A row that is not kept leaves S as it was: then dN has no G, which goes to the row before beside a dN.
// A tile is as many dimensions of a head as a vector has lanes; a state's elements n lie in lanes, padded with zeros to
// whole vectors.
#include "codegen/cpu/Math.h"
#include "codegen/cpu/Reduce.h"
#include "codegen/cpu/TrainingAttentionTile.h"
#include "codegen/cpu/TrainingScan.h"
#include "codegen/ref/TrainingSupport.h"

#include <optional>

using namespace mlir;

namespace chimera::cpu {

static constexpr int64_t blockRows = ir::scanBlockRows;

/// The sum of the lanes of each of `lanes` vectors, that of the i-th in lane i: neighbours are added first.
static Val sumEach(ArrayRef<Val> vectors) {
  SmallVector<Val> sums(vectors);
  auto lanes = static_cast<int64_t>(vectors.size());
  for (int64_t step = 1; step < lanes; step *= 2) {
    SmallVector<int64_t> own, other;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      bool isSecond = lane & step;
      own.push_back(isSecond ? lanes + lane : lane);
      other.push_back(isSecond ? lanes + (lane ^ step) : (lane ^ step));
    }
    SmallVector<Val> next;
    for (size_t i = 0; i < sums.size(); i += 2)
      next.push_back(shuffleLanes(sums[i], sums[i + 1], own) + shuffleLanes(sums[i], sums[i + 1], other));
    sums = next;
  }
  return sums[0];
}

namespace {

/// Some dimensions of a head.
struct Tile {
  Val first;
  int64_t live; ///< how many there are, at most a vector's lanes
};

/// Rows first .. first+count-1 of the compact rows, 32 or fewer, of one head.
struct Block {
  Val first, count, head;
  Val isFirst; ///< whether they begin their sequence
};

struct SsmBackward {
  KernelBuilder &k;
  const ref::SeqSsmScanSpec &spec;
  int64_t lanes, vectors; // vectors of a state that are taken at a time
  Rows rows;
  Buffer xbc, dt, logRates, skips, dtBiases, writes, modes, states, dy, dxbc, ddt, dRate, dSkip, dwrite;
  Buffer flow;             // G [headSize][padded]
  Buffer before;           // [blockRows + 1][lanes][padded]: the states before the rows and after the last
  Buffer bs, cs, dbs, dcs; // [blockRows][padded]
  Buffer xs, gs, inputs;   // x, dy and d x of a tile [blockRows][lanes]
  Buffer products;         // dN B of a tile, not yet summed over lanes [lanes][lanes]
  Buffer steps, softened, weights, sizes, decays;     // of each row: dt + dt_bias, its softplus, exp(write), d and a
  Buffer sizeSums, decaySums, skipSums;               // [blockRows][lanes]
  Buffer stepGrads, rateGrads, skipGrads, writeGrads; // of each row, at the end

  SsmBackward(KernelBuilder &k, const Isa &isa, const ref::SeqSsmScanSpec &spec)
      : k(k), spec(spec), lanes(isa.lanes), vectors(isa.lanes == 16 ? 4 : 2), rows(k.rows()) {
    for (Buffer *buffer : {&xbc, &dt, &logRates, &skips, &dtBiases})
      *buffer = k.buffer(Elem::F32);
    if (spec.weighted)
      writes = k.buffer(Elem::F32);
    if (spec.masked)
      modes = k.buffer(Elem::I8);
    for (Buffer *buffer : {&states, &dy, &dxbc, &ddt, &dRate, &dSkip})
      *buffer = k.buffer(Elem::F32);
    if (spec.weighted)
      dwrite = k.buffer(Elem::F32);
    auto room = [&](int64_t count) { return k.scratch(Elem::F32, count); };
    flow = room(spec.headSize * padded());
    before = room((blockRows + 1) * lanes * padded());
    for (Buffer *buffer : {&bs, &cs, &dbs, &dcs})
      *buffer = room(blockRows * padded());
    for (Buffer *buffer : {&xs, &gs, &inputs, &sizeSums, &decaySums, &skipSums})
      *buffer = room(blockRows * lanes);
    products = room(lanes * lanes);
    for (Buffer *buffer :
         {&steps, &softened, &weights, &sizes, &decays, &stepGrads, &rateGrads, &skipGrads, &writeGrads})
      *buffer = room(blockRows);
  }

  int64_t inner() const { return spec.heads * spec.headSize; }
  int64_t width() const { return inner() + 2 * spec.groups * spec.stateSize; }
  int64_t padded() const { return (spec.stateSize + lanes - 1) / lanes * lanes; }
  Val bColumn(Val head) const { return head * spec.groups / spec.heads * spec.stateSize + inner(); }
  Val cColumn(Val head) const { return bColumn(head) + spec.groups * spec.stateSize; }
  Val zeros() const { return k.real(0, k.vectorType(k.f32Type(), lanes)); }
  Val rate(Val head) const { return -exp(logRates.load(head)); }
  Val vector(const Buffer &buffer, Val place) const { return buffer.loadVector(place, lanes); }

  /// Calls `body` with the places of whole vectors of `size` numbers, and of a last one with `live` of them.
  void forEachPart(int64_t size, function_ref<void(Val place, int64_t live)> body) const {
    int64_t whole = size / lanes * lanes;
    if (whole > 0)
      k.forEach(k.integer(0), k.integer(whole), [&](Val place) { body(place, lanes); }, lanes);
    if (whole < size)
      body(k.integer(whole), size - whole);
  }
  Val loadPart(const Buffer &from, Val place, int64_t live) const {
    return live == lanes ? from.loadVector(place, lanes)
                         : from.loadVector(place, lanes, lanesBelow(k.integer(live), lanes));
  }
  void storePart(const Buffer &to, Val place, Val value, int64_t live) const {
    live == lanes ? to.storeVector(place, value) : to.storeVector(place, value, lanesBelow(k.integer(live), lanes));
  }

  /// Some vectors of a state at once: `body` gets the first element and how many vectors.
  void forEachChunk(function_ref<void(Val n, int64_t vectors)> body) const {
    int64_t size = vectors * lanes, whole = padded() / size * size;
    if (whole > 0)
      k.forEach(k.integer(0), k.integer(whole), [&](Val n) { body(n, vectors); }, size);
    if (whole < padded())
      body(k.integer(whole), (padded() - whole) / lanes);
  }

  void prepareSteps(const Block &block) const {
    Type f32 = k.f32Type();
    Val bias = dtBiases.load(block.head), last = block.count - 1;
    k.forEach(0, blockRows, [&](Val i) {
      Val row = block.first + min(i, last);
      steps.store(i, dt.load(row * spec.heads + block.head) + bias);
      if (spec.weighted)
        weights.store(i, writes.load(row));
    });
    Val low = splat(k.real(spec.dtMin, f32), lanes), high = splat(k.real(spec.dtMax, f32), lanes);
    Val ratio = splat(rate(block.head), lanes);
    k.forEach(
        k.integer(0), k.integer(blockRows),
        [&](Val i) {
          Val soft = softplus(vector(steps, i)), size = select(soft < low, low, select(soft > high, high, soft));
          softened.storeVector(i, soft);
          if (spec.weighted) {
            Val weight = exp(vector(weights, i));
            weights.storeVector(i, weight);
            size = size * weight;
          }
          sizes.storeVector(i, size);
          decays.storeVector(i, exp(ratio * size));
        },
        lanes);
  }

  /// B and C of the rows, padded; their gradients and the sums of the rows start at +0.
  void prepareRows(const Block &block) const {
    k.forEach(k.integer(0), block.count, [&](Val i) {
      Buffer columns = xbc.at((block.first + i) * width());
      Buffer b = columns.at(bColumn(block.head)), c = columns.at(cColumn(block.head));
      forEachPart(spec.stateSize, [&](Val n, int64_t live) {
        Val place = i * padded() + n;
        bs.storeVector(place, loadPart(b, n, live));
        cs.storeVector(place, loadPart(c, n, live));
        dbs.storeVector(place, zeros());
        dcs.storeVector(place, zeros());
      });
      for (const Buffer &sums : {sizeSums, decaySums, skipSums})
        sums.storeVector(i * lanes, zeros());
    });
  }

  /// x, dy and d x of a tile; its state before the first row.
  void prepareTile(const Block &block, const Tile &tile) const {
    Val column = block.head * spec.headSize + tile.first;
    k.forEach(k.integer(0), block.count, [&](Val i) {
      Val x = loadPart(xbc.at((block.first + i) * width()), column, tile.live);
      Val g = loadPart(dy.at((block.first + i) * inner()), column, tile.live);
      xs.storeVector(i * lanes, x);
      gs.storeVector(i * lanes, g);
      inputs.storeVector(i * lanes, splat(sizes.load(i), lanes) * x);
      skipSums.storeVector(i * lanes, fma(g, x, vector(skipSums, i * lanes)));
    });
    k.either(block.isFirst, [&] { clear(before, lanes * padded()); }, [&] { loadState(block, tile); });
  }

  void clear(const Buffer &buffer, int64_t count) const {
    k.forEach(k.integer(0), k.integer(count), [&](Val i) { buffer.storeVector(i, zeros()); }, lanes);
  }

  /// The kept state [stateSize][headSize] of a tile, turned.
  void loadState(const Block &block, const Tile &tile) const {
    Val place = (block.first / blockRows - 1) * spec.heads + block.head;
    Buffer kept = states.at(place * (spec.headSize * spec.stateSize) + tile.first);
    forEachPart(spec.stateSize, [&](Val n, int64_t live) {
      SmallVector<Val> square(lanes, zeros());
      for (int64_t i = 0; i < live; ++i)
        square[i] = loadPart(kept, (n + i) * spec.headSize, tile.live);
      square = transposed(square);
      for (int64_t p = 0; p < tile.live; ++p)
        before.storeVector(n + p * padded(), square[p]);
    });
  }

  /// Whether the state of a row is kept, in every lane; nothing if all are.
  std::optional<Val> isKept(Val row) const {
    if (!spec.masked)
      return std::nullopt;
    return splat(modes.load(ref::rowId(rows, row)) == k.argument(4), lanes);
  }

  Val statePlace(Val i, Val p, Val n) const { return (i * lanes + p) * padded() + n; }

  /// The states of a tile after each row.
  void computeStates(const Block &block, const Tile &tile) const {
    forEachChunk([&](Val n, int64_t count) {
      k.forEach(k.integer(0), block.count, [&](Val i) {
        Val decay = splat(decays.load(i), lanes);
        std::optional<Val> kept = isKept(block.first + i);
        SmallVector<Val> b;
        for (int64_t v = 0; v < count; ++v)
          b.push_back(vector(bs, i * padded() + n + v * lanes));
        k.forEach(0, tile.live, [&](Val p) {
          Val input = splat(inputs.load(i * lanes + p), lanes);
          for (int64_t v = 0; v < count; ++v) {
            Val old = vector(before, statePlace(i, p, n + v * lanes)), state = fma(input, b[v], decay * old);
            before.storeVector(statePlace(i + 1, p, n + v * lanes), kept ? select(*kept, state, old) : state);
          }
        });
      });
    });
  }

  /// The way back through some vectors of the states of a tile at row i.
  void backChunk(const Block &block, const Tile &tile, Val i, Val n, int64_t count) const {
    Val decay = splat(decays.load(i), lanes);
    std::optional<Val> kept = isKept(block.first + i);
    SmallVector<Val> b, c, sums;
    for (int64_t v = 0; v < count; ++v) {
      Val place = i * padded() + n + v * lanes;
      b.push_back(vector(bs, place)), c.push_back(vector(cs, place));
    }
    for (const Buffer &buffer : {dbs, dcs})
      for (int64_t v = 0; v < count; ++v)
        sums.push_back(vector(buffer, i * padded() + n + v * lanes));
    sums.push_back(vector(decaySums, i * lanes));
    sums = k.foldMany(k.integer(0), k.integer(tile.live), sums, [&](Val p, ArrayRef<Val> carried) {
      SmallVector<Val> next(carried);
      Val g = splat(gs.load(i * lanes + p), lanes), input = splat(inputs.load(i * lanes + p), lanes);
      Val product = padded() == count * lanes ? zeros() : vector(products, p * lanes);
      Buffer later = flow.at((tile.first + p) * padded() + n);
      for (int64_t v = 0; v < count; ++v) {
        Val old = vector(before, statePlace(i, p, n + v * lanes));
        Val state = kept ? fma(input, b[v], decay * old) : vector(before, statePlace(i + 1, p, n + v * lanes));
        Val upstream = vector(later, k.integer(v * lanes));
        Val dNext = fma(g, c[v], kept ? select(*kept, upstream, zeros()) : upstream);
        Val earlier = decay * dNext;
        later.storeVector(k.integer(v * lanes), kept ? select(*kept, earlier, earlier + upstream) : earlier);
        next[v] = fma(input, dNext, next[v]);
        next[count + v] = fma(g, state, next[count + v]);
        product = fma(dNext, b[v], product);
        next[2 * count] = fma(dNext, old, next[2 * count]);
      }
      products.storeVector(p * lanes, product);
      return next;
    });
    for (int64_t v = 0; v < count; ++v) {
      dbs.storeVector(i * padded() + n + v * lanes, sums[v]);
      dcs.storeVector(i * padded() + n + v * lanes, sums[count + v]);
    }
    decaySums.storeVector(i * lanes, sums[2 * count]);
  }

  void backRow(const Block &block, const Tile &tile, Val i) const {
    if (padded() > vectors * lanes)
      clear(products, lanes * lanes);
    forEachChunk([&](Val n, int64_t count) { backChunk(block, tile, i, n, count); });
    SmallVector<Val> ofDims;
    for (int64_t p = 0; p < lanes; ++p)
      ofDims.push_back(p < tile.live ? vector(products, k.integer(p * lanes)) : zeros());
    Val sum = sumEach(ofDims), place = i * lanes;
    sizeSums.storeVector(place, fma(vector(xs, place), sum, vector(sizeSums, place)));
    Val dx = fma(splat(skips.load(block.head), lanes), vector(gs, place), splat(sizes.load(i), lanes) * sum);
    storePart(dxbc.at((block.first + i) * width()), block.head * spec.headSize + tile.first, dx, tile.live);
  }

  /// Adds dB and dC of the rows to those of the heads before; `isFirstHead`: there are none.
  void addFactors(const Block &block, Val isFirstHead) const {
    k.forEach(k.integer(0), block.count, [&](Val i) {
      Buffer columns = dxbc.at((block.first + i) * width());
      auto add = [&](const Buffer &from, Val column) {
        forEachPart(spec.stateSize, [&](Val n, int64_t live) {
          Val own = vector(from, i * padded() + n), sum = loadPart(columns, column + n, live) + own;
          storePart(columns, column + n, select(isFirstHead, own, sum), live);
        });
      };
      add(dbs, bColumn(block.head));
      add(dcs, cColumn(block.head));
    });
  }

  Val sumRows(const Buffer &sums, Val i) const {
    SmallVector<Val> ofRows;
    for (int64_t j = 0; j < lanes; ++j)
      ofRows.push_back(vector(sums, (i + j) * lanes));
    return sumEach(ofRows);
  }

  /// What the rows' gradients by d and a come to, `lanes` rows at once; of rows past the end it is not stored.
  void finishRows(const Block &block) const {
    Val ratio = splat(rate(block.head), lanes);
    k.forEach(
        k.integer(0), block.count,
        [&](Val i) {
          Val size = vector(sizes, i);
          Val byDecay = sumRows(decaySums, i) * vector(decays, i) * ratio; // of the exponent, by d
          Val total = sumRows(sizeSums, i) + byDecay;
          rateGrads.storeVector(i, byDecay * size);
          skipGrads.storeVector(i, sumRows(skipSums, i));
          if (spec.weighted) {
            writeGrads.storeVector(i, total * size);
            total = total * vector(weights, i);
          }
          Val low = splat(k.real(spec.dtMin, k.f32Type()), lanes), high = splat(k.real(spec.dtMax, k.f32Type()), lanes);
          Val soft = vector(softened, i), byInput = total * sigmoid(vector(steps, i));
          stepGrads.storeVector(i, select(soft < low, zeros(), select(soft > high, zeros(), byInput)));
        },
        lanes);
    k.forEach(k.integer(0), block.count, [&](Val i) {
      Val row = block.first + i, place = row * spec.heads + block.head;
      ddt.store(place, stepGrads.load(i));
      dRate.store(place, rateGrads.load(i));
      dSkip.store(place, skipGrads.load(i));
      if (spec.weighted) {
        Val own = writeGrads.load(i);
        dwrite.store(row, select(block.head == 0, own, dwrite.load(row) + own));
      }
    });
  }

  void backBlock(const Block &block, Val isFirstHead) const {
    prepareSteps(block);
    prepareRows(block);
    forEachPart(spec.headSize, [&](Val first, int64_t live) {
      Tile tile{first, live};
      prepareTile(block, tile);
      computeStates(block, tile);
      k.forEach(k.integer(0), block.count, [&](Val i) { backRow(block, tile, block.count - 1 - i); });
    });
    addFactors(block, isFirstHead);
    finishRows(block);
  }

  /// The heads of a group of a sequence.
  void backGroup(Val sequence, Val group) const {
    Val base = rows.start.load(0), begin = rows.start.load(sequence) - base;
    Val length = rows.start.load(sequence + 1) - base - begin;
    auto firstHead = [&](Val number) { return (number * spec.heads + (spec.groups - 1)) / spec.groups; };
    Val first = firstHead(group), blocks = (length + (blockRows - 1)) / blockRows;
    k.forEach(first, firstHead(group + 1), [&](Val head) {
      clear(flow, spec.headSize * padded());
      k.forEach(k.integer(0), blocks, [&](Val i) {
        Val row = (blocks - 1 - i) * blockRows;
        backBlock({begin + row, min(length - row, k.integer(blockRows)), head, row == 0}, head == first);
      });
    });
  }
};

} // namespace

Kernel getOrEmitGrad(ModuleOp kernels, const Isa &isa, const ref::SeqSsmScanSpec &spec) {
  std::string symbol = kernel::symbolOf(
      {"cpu_seq_ssm_scan_grad",
       std::to_string(spec.heads) + "x" + std::to_string(spec.headSize) + "x" + std::to_string(spec.stateSize),
       "groups" + std::to_string(spec.groups), "dt" + nameOf(spec.dtMin) + "to" + nameOf(spec.dtMax),
       spec.weighted ? "weighted" : "", spec.masked ? "masked" : ""});
  int64_t tasks = spec.weighted ? 1 : spec.groups;
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    SsmBackward backward(k, isa, spec);
    k.forEach(k.begin(), k.end(), [&](Val block) {
      Val group = block % tasks;
      k.forEach(group, group + spec.groups / tasks, [&](Val g) { backward.backGroup(block / tasks, g); });
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/tasks}};
}

} // namespace chimera::cpu
