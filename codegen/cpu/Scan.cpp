// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/Math.h"
#include "codegen/cpu/Reduce.h"

#include <optional>

using namespace mlir;

namespace chimera::cpu {

/// Rows that are taken through the state at a time, a multiple of 16. Their inputs and sums of y stay in the first
/// cache.
static constexpr int64_t blockRows = 32;
/// Vectors of a row of the state that are taken at a time where there is one row only.
static constexpr int64_t rowVectors = 8;

namespace {

/// How a part of the state is held in registers: `rows` of its rows, `vectors` of each. With the sums of y, the inputs
/// and the numbers that are broadcast it fits 16 registers, or 32 of them. An element of the state takes a product and
/// two fma, so five sixths of the peak of fma is the most that a scan can reach.
struct Tile {
  int64_t rows, vectors;
};

/// One head of one sequence.
struct SsmHead {
  KernelBuilder &k;
  const SsmScanSpec &spec;
  int64_t lanes;
  Tile tile;
  Buffer xbc, dt, writes, y; // from the sequence's first row on
  Val count;                 // its rows
  Val head, group;
  Val negatedRate, skip, dtBias; // -exp(A_log), D, dt_bias of this head
  Buffer state;                  // [stateSize][headSize]
  // Of a block of rows: step sizes and decays [blockRows]; inputs d x and sums of y [blockRows][a strip's lanes].
  Buffer steps, decays, inputs, sums;

  int64_t inner() const { return spec.heads * spec.headSize; }
  int64_t width() const { return inner() + 2 * spec.groups * spec.stateSize; }
  int64_t stripLanes() const { return tile.vectors * lanes; }

  /// The step sizes and decays of the `size` rows from `first` on, sixteen at a time; those past the end repeat the
  /// last.
  void prepareSteps(Val first, Val size) const {
    Type f32 = k.f32Type();
    int64_t stride = spec.dt.stride ? spec.dt.stride : spec.heads;
    k.forEach(
        k.integer(0), size,
        [&](Val i) {
          k.forEach(i, i + sumLanes, [&](Val j) {
            Val row = first + min(j, size - 1);
            steps.store(j, dt.load(row * stride + spec.dt.offset + head));
            if (spec.weighted)
              decays.store(j, writes.load(row)); // until the decays are known
          });
          Val d = softplus(steps.loadVector(i, sumLanes) + splat(dtBias, sumLanes));
          Val low = splat(k.real(spec.dtMin, f32), sumLanes), high = splat(k.real(spec.dtMax, f32), sumLanes);
          d = select(d < low, low, select(d > high, high, d));
          if (spec.weighted)
            d = d * exp(decays.loadVector(i, sumLanes));
          steps.storeVector(i, d);
          decays.storeVector(i, exp(splat(negatedRate, sumLanes) * d));
        },
        sumLanes);
  }

  /// Which lanes of vector v are dimensions, of a strip with `live` of them; nothing if all are.
  std::optional<Val> maskOf(int64_t live, int64_t v) const {
    if (live >= (v + 1) * lanes)
      return std::nullopt;
    return lanesBelow(k.integer(live - v * lanes), lanes);
  }
  Val load(const Buffer &from, Val index, std::optional<Val> mask) const {
    return mask ? from.loadVector(index, lanes, *mask) : from.loadVector(index, lanes);
  }
  void store(const Buffer &to, Val index, Val vector, std::optional<Val> mask) const {
    mask ? to.storeVector(index, vector, *mask) : to.storeVector(index, vector);
  }

  /// x and y of a row at a dimension; its B and C.
  Buffer inputOf(Val row, Val dimension) const { return xbc.at(row * width() + head * spec.headSize + dimension); }
  Buffer outputOf(Val row, Val dimension) const { return y.at(row * inner() + head * spec.headSize + dimension); }
  Buffer factorsOf(Val row) const { return xbc.at(row * width() + group * spec.stateSize + inner()); }
  Buffer outputFactorsOf(Val row) const { return factorsOf(row).at(k.integer(spec.groups * spec.stateSize)); }

  void prepareInputs(Val first, Val size, Val dimension, int64_t live) const {
    Val zero = splat(k.real(0, k.f32Type()), lanes);
    k.forEach(k.integer(0), size, [&](Val t) {
      Val d = splat(steps.load(t), lanes);
      Buffer x = inputOf(first + t, dimension);
      for (int64_t v = 0; v * lanes < live; ++v) {
        inputs.storeVector(t * stripLanes() + v * lanes, d * load(x, k.integer(v * lanes), maskOf(live, v)));
        sums.storeVector(t * stripLanes() + v * lanes, zero);
      }
    });
  }

  /// The rows [n, n + height) of the state of a strip, in registers, through `size` rows of the sequence.
  void takeTile(Val first, Val size, Val dimension, int64_t live, Val n, int64_t height) const {
    int64_t vectors = (live + lanes - 1) / lanes;
    Buffer place = state.at(n * spec.headSize + dimension);
    SmallVector<Val> held;
    for (int64_t i = 0; i < height; ++i)
      for (int64_t v = 0; v < vectors; ++v)
        held.push_back(load(place, k.integer(i * spec.headSize + v * lanes), maskOf(live, v)));
    held = k.foldMany(k.integer(0), size, held, [&](Val t, ArrayRef<Val> before) {
      SmallVector<Val> next(before), input, sum;
      Val decay = splat(decays.load(t), lanes);
      Buffer b = factorsOf(first + t).at(n), c = outputFactorsOf(first + t).at(n);
      for (int64_t v = 0; v < vectors; ++v) {
        input.push_back(inputs.loadVector(t * stripLanes() + v * lanes, lanes));
        sum.push_back(sums.loadVector(t * stripLanes() + v * lanes, lanes));
      }
      for (int64_t i = 0; i < height; ++i) {
        Val bn = splat(b.load(i), lanes), cn = splat(c.load(i), lanes);
        for (int64_t v = 0; v < vectors; ++v) {
          Val &s = next[i * vectors + v];
          s = fma(input[v], bn, decay * s);
          sum[v] = fma(s, cn, sum[v]);
        }
      }
      for (int64_t v = 0; v < vectors; ++v)
        sums.storeVector(t * stripLanes() + v * lanes, sum[v]);
      return next;
    });
    for (int64_t i = 0; i < height; ++i)
      for (int64_t v = 0; v < vectors; ++v)
        store(place, k.integer(i * spec.headSize + v * lanes), held[i * vectors + v], maskOf(live, v));
  }

  void writeOutputs(Val first, Val size, Val dimension, int64_t live) const {
    k.forEach(k.integer(0), size, [&](Val t) {
      Buffer x = inputOf(first + t, dimension), out = outputOf(first + t, dimension);
      for (int64_t v = 0; v * lanes < live; ++v) {
        Val at = k.integer(v * lanes), sum = sums.loadVector(t * stripLanes() + v * lanes, lanes);
        store(out, at, fma(splat(skip, lanes), load(x, at, maskOf(live, v)), sum), maskOf(live, v));
      }
    });
  }

  /// The dimensions [dimension, dimension + live), at most a strip's.
  void takeStrip(Val first, Val size, Val dimension, int64_t live) const {
    int64_t whole = spec.stateSize / tile.rows * tile.rows;
    prepareInputs(first, size, dimension, live);
    if (whole > 0)
      k.forEach(
          k.integer(0), k.integer(whole), [&](Val n) { takeTile(first, size, dimension, live, n, tile.rows); },
          tile.rows);
    if (whole < spec.stateSize)
      takeTile(first, size, dimension, live, k.integer(whole), spec.stateSize - whole);
    writeOutputs(first, size, dimension, live);
  }

  /// The same steps for one row: the state streams by, and the sums of a whole strip stay in registers.
  void takeRow(Val row, Val dimension, int64_t live) const {
    int64_t vectors = (live + lanes - 1) / lanes;
    Val d = splat(steps.load(0), lanes), decay = splat(decays.load(0), lanes);
    Buffer x = inputOf(row, dimension), out = outputOf(row, dimension), b = factorsOf(row), c = outputFactorsOf(row);
    SmallVector<Val> input, sum(vectors, splat(k.real(0, k.f32Type()), lanes));
    for (int64_t v = 0; v < vectors; ++v)
      input.push_back(d * load(x, k.integer(v * lanes), maskOf(live, v)));
    sum = k.foldMany(k.integer(0), k.integer(spec.stateSize), sum, [&](Val n, ArrayRef<Val> before) {
      SmallVector<Val> after;
      Buffer place = state.at(n * spec.headSize + dimension);
      Val bn = splat(b.load(n), lanes), cn = splat(c.load(n), lanes);
      for (int64_t v = 0; v < vectors; ++v) {
        Val at = k.integer(v * lanes), next = fma(input[v], bn, decay * load(place, at, maskOf(live, v)));
        store(place, at, next, maskOf(live, v));
        after.push_back(fma(next, cn, before[v]));
      }
      return after;
    });
    for (int64_t v = 0; v < vectors; ++v) {
      Val at = k.integer(v * lanes);
      store(out, at, fma(splat(skip, lanes), load(x, at, maskOf(live, v)), sum[v]), maskOf(live, v));
    }
  }

  /// Covers the head's dimensions by strips of this many lanes; `body` gets the first and how many there are.
  void coverHead(int64_t width, function_ref<void(Val dimension, int64_t live)> body) const {
    int64_t whole = spec.headSize / width * width;
    if (whole > 0)
      k.forEach(k.integer(0), k.integer(whole), [&](Val dimension) { body(dimension, width); }, width);
    if (whole < spec.headSize)
      body(k.integer(whole), spec.headSize - whole);
  }

  void take() const {
    k.forEach(
        k.integer(0), count,
        [&](Val first) {
          Val size = min(count - first, k.integer(blockRows));
          prepareSteps(first, size);
          k.either(
              size == 1, [&] { coverHead(rowVectors * lanes, [&](Val d, int64_t live) { takeRow(first, d, live); }); },
              [&] { coverHead(stripLanes(), [&](Val d, int64_t live) { takeStrip(first, size, d, live); }); });
        },
        blockRows);
  }
};

} // namespace

static std::string symbolOf(const SsmScanSpec &spec) {
  return kernel::symbolOf(
      {"cpu_ssm_scan",
       std::to_string(spec.heads) + "x" + std::to_string(spec.headSize) + "x" + std::to_string(spec.stateSize),
       "groups" + std::to_string(spec.groups), "dt" + nameOf(spec.dtMin) + "to" + nameOf(spec.dtMax),
       spec.weighted ? "weighted" : "", viewName(spec.dt, spec.heads)});
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const SsmScanSpec &spec) {
  std::string symbol = symbolOf(spec);
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Rows rows = k.rows();
    Buffer xbc = k.buffer(Elem::F32), dt = k.buffer(Elem::F32);
    Buffer logRates = k.buffer(Elem::F32), skips = k.buffer(Elem::F32), dtBiases = k.buffer(Elem::F32);
    Buffer writes = spec.weighted ? k.buffer(Elem::F32) : Buffer();
    Buffer states = k.buffer(Elem::F32), y = k.buffer(Elem::F32);
    Tile tile = isa.lanes == 16 ? Tile{4, 4} : Tile{4, 2};
    Buffer steps = k.scratch(Elem::F32, blockRows), decays = k.scratch(Elem::F32, blockRows);
    Buffer inputs = k.scratch(Elem::F32, blockRows * tile.vectors * isa.lanes);
    Buffer sums = k.scratch(Elem::F32, blockRows * tile.vectors * isa.lanes);
    k.forEach(k.begin(), k.end(), [&](Val block) {
      Val sequence = block / spec.heads, head = block % spec.heads;
      Val begin = rows.start.load(sequence), row = begin - rows.start.load(0);
      Val stateIndex = rows.slot.load(sequence) * spec.heads + head;
      int64_t inner = spec.heads * spec.headSize;
      SsmHead scan{k,
                   spec,
                   isa.lanes,
                   tile,
                   xbc.at(row * (inner + 2 * spec.groups * spec.stateSize)),
                   dt.at(row * (spec.dt.stride ? spec.dt.stride : spec.heads)),
                   spec.weighted ? writes.at(row) : writes,
                   y.at(row * inner),
                   rows.start.load(sequence + 1) - begin,
                   head,
                   head * spec.groups / spec.heads,
                   -exp(logRates.load(head)),
                   skips.load(head),
                   dtBiases.load(head),
                   states.at(stateIndex * (spec.headSize * spec.stateSize)),
                   steps,
                   decays,
                   inputs,
                   sums};
      scan.take();
    });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/spec.heads}};
}

} // namespace chimera::cpu
