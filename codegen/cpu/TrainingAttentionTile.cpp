// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingAttentionTile.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <algorithm>

using namespace mlir;

namespace chimera::cpu {

SmallVector<Val> transposed(ArrayRef<Val> rows) {
  SmallVector<Val> matrix(rows);
  auto lanes = static_cast<int64_t>(rows.size());
  // Each step swaps, in 2 step x 2 step squares, the upper right quarter with the lower left one.
  for (int64_t step = 1; step < lanes; step *= 2)
    for (int64_t i = 0; i < lanes; ++i) {
      if (i & step)
        continue;
      SmallVector<int64_t> upper, lower;
      for (int64_t lane = 0; lane < lanes; ++lane) {
        bool right = lane & step;
        upper.push_back(right ? lanes + (lane ^ step) : lane);
        lower.push_back(right ? lanes + lane : (lane ^ step));
      }
      Val a = matrix[i], b = matrix[i + step];
      matrix[i] = shuffleLanes(a, b, upper);
      matrix[i + step] = shuffleLanes(a, b, lower);
    }
  return matrix;
}

namespace {

/// The bodies of load and store, functions of their own: there are several calls of them in a kernel.
struct Turning {
  KernelBuilder &k;
  int64_t lanes, headSize;

  int64_t width() const { return AttentionTiles::vectors * lanes; }

  /// Calls `body` with the first columns of squares and how many columns they have.
  void forEachSquare(function_ref<void(Val column, int64_t columns)> body) const {
    int64_t whole = headSize / lanes * lanes;
    if (whole > 0)
      k.forEach(k.integer(0), k.integer(whole), [&](Val column) { body(column, lanes); }, lanes);
    if (whole < headSize)
      body(k.integer(whole), headSize - whole);
  }

  void load(const HeadRows &rows, Val live, const Buffer &tile) const {
    auto loadSquare = [&](Val column, int64_t columns, Val first) {
      SmallVector<Val> square;
      for (int64_t i = 0; i < lanes; ++i) {
        Buffer row = rows.from(min(first + i, live - 1)).start;
        square.push_back(columns == lanes ? row.loadVector(column, lanes)
                                          : row.loadVector(column, lanes, lanesBelow(k.integer(columns), lanes)));
      }
      square = transposed(square);
      for (int64_t d = 0; d < columns; ++d)
        tile.storeVector((column + d) * width() + first, square[d]);
    };
    forEachSquare([&](Val column, int64_t columns) {
      k.forEach(k.integer(0), k.integer(width()), [&](Val first) { loadSquare(column, columns, first); }, lanes);
    });
  }

  void store(const Buffer &tile, const HeadRows &rows, Val live) const {
    Buffer staging = k.scratch(Elem::F32, lanes * lanes);
    auto storeSquare = [&](Val column, int64_t columns, Val first) {
      SmallVector<Val> square;
      for (int64_t d = 0; d < lanes; ++d)
        square.push_back(tile.loadVector((column + std::min(d, columns - 1)) * width() + first, lanes));
      square = transposed(square);
      for (int64_t i = 0; i < lanes; ++i)
        staging.storeVector(k.integer(i * lanes), square[i]);
      k.forEach(first, min(live, first + lanes), [&](Val i) {
        Val row = staging.loadVector((i - first) * lanes, lanes);
        Buffer to = rows.from(i).start;
        columns == lanes ? to.storeVector(column, row)
                         : to.storeVector(column, row, lanesBelow(k.integer(columns), lanes));
      });
    };
    forEachSquare([&](Val column, int64_t columns) {
      k.forEach(k.integer(0), k.integer(width()), [&](Val first) { storeSquare(column, columns, first); }, lanes);
    });
  }
};

} // namespace

/// A function of rows, their stride, how many there are, and a turned tile.
static func::FuncOp turningFunction(KernelBuilder &k, const std::string &name, Scalar type,
                                    function_ref<void(KernelBuilder &, const HeadRows &, Val, const Buffer &)> body) {
  Type pointer = LLVM::LLVMPointerType::get(k.ops.getContext()), i64 = k.i64Type();
  return emitInternal(k.module, name, {pointer, i64, i64, pointer}, {}, [&](KernelBuilder &inner) {
    Buffer rows(inner, inner.parameter(0).value, elemOf(type)), tile(inner, inner.parameter(3).value, Elem::F32);
    body(inner, {rows, inner.parameter(1)}, inner.parameter(2), tile);
    return SmallVector<Val>();
  });
}

void AttentionTiles::load(const HeadRows &rows, Val live, const Buffer &tile, Scalar type) const {
  std::string name = symbolOf({"cpu_turn", nameOf(type), std::to_string(headSize)});
  func::FuncOp function =
      turningFunction(k, name, type, [&](KernelBuilder &inner, const HeadRows &from, Val count, const Buffer &to) {
        Turning{inner, lanes, headSize}.load(from, count, to);
      });
  k.call(function, {rows.start.base(), rows.stride, live, tile.base()});
}

void AttentionTiles::store(const Buffer &tile, const HeadRows &rows, Val live) const {
  func::FuncOp function = turningFunction(k, symbolOf({"cpu_turn_back", std::to_string(headSize)}), Scalar::F32,
                                          [&](KernelBuilder &inner, const HeadRows &to, Val count, const Buffer &from) {
                                            Turning{inner, lanes, headSize}.store(from, to, count);
                                          });
  k.call(function, {rows.start.base(), rows.stride, live, tile.base()});
}

void AttentionTiles::clear(const Buffer &tile) const {
  forEachVector([&](Val place, int64_t) { tile.storeVector(place, splatReal(0)); });
}

void AttentionTiles::forEachVector(function_ref<void(Val, int64_t)> body) const {
  k.forEach(0, headSize, [&](Val d) {
    for (int64_t v = 0; v < vectors; ++v)
      body(d * width() + v * lanes, v);
  });
}

void AttentionTiles::dots(const HeadRows &rows, Val count, const Buffer &tile, const Buffer &out) const {
  int64_t size = group();
  auto takeGroup = [&](Val first) {
    SmallVector<Buffer> starts;
    for (int64_t j = 0; j < size; ++j)
      starts.push_back(rows.from(min(first + j, count - 1)).start);
    SmallVector<Val> zeros(size * vectors, splatReal(0));
    SmallVector<Val> sums = k.foldMany(k.integer(0), k.integer(headSize), zeros, [&](Val d, ArrayRef<Val> before) {
      SmallVector<Val> after, across;
      for (int64_t v = 0; v < vectors; ++v)
        across.push_back(vectorAt(tile, d, v));
      for (int64_t j = 0; j < size; ++j) {
        Val element = splat(starts[j].load(d), lanes);
        for (int64_t v = 0; v < vectors; ++v)
          after.push_back(fma(element, across[v], before[j * vectors + v]));
      }
      return after;
    });
    for (int64_t j = 0; j < size; ++j)
      for (int64_t v = 0; v < vectors; ++v)
        setVectorAt(out, first + j, v, sums[j * vectors + v]);
  };
  k.forEach(k.integer(0), count, takeGroup, size);
}

void AttentionTiles::accumulateGroup(const Buffer &weights, const HeadRows &rows, Val count, const Buffer &sums,
                                     Mask mask, const Buffer *scale, Val first, int64_t size) const {
  SmallVector<Val> held;
  for (int64_t d = 0; d < size; ++d)
    for (int64_t v = 0; v < vectors; ++v) {
      Val sum = vectorAt(sums, first + d, v);
      held.push_back(scale ? sum * vector(*scale, v) : sum);
    }
  held = k.foldMany(k.integer(0), count, held, [&](Val j, ArrayRef<Val> before) {
    SmallVector<Val> after, weight, counts;
    for (int64_t v = 0; v < vectors; ++v) {
      weight.push_back(vectorAt(weights, j, v));
      if (mask)
        counts.push_back((*mask)(j, v));
    }
    Buffer row = rows.from(j).start.at(first);
    for (int64_t d = 0; d < size; ++d) {
      Val element = splat(row.load(d), lanes);
      for (int64_t v = 0; v < vectors; ++v) {
        Val old = before[d * vectors + v], next = fma(weight[v], element, old);
        after.push_back(mask ? select(counts[v], next, old) : next);
      }
    }
    return after;
  });
  for (int64_t d = 0; d < size; ++d)
    for (int64_t v = 0; v < vectors; ++v)
      setVectorAt(sums, first + d, v, held[d * vectors + v]);
}

void AttentionTiles::accumulate(const Buffer &weights, const HeadRows &rows, Val count, const Buffer &sums, Mask mask,
                                const Buffer *scale) const {
  int64_t size = group(), whole = headSize / size * size;
  if (whole > 0)
    k.forEach(
        k.integer(0), k.integer(whole),
        [&](Val d) { accumulateGroup(weights, rows, count, sums, mask, scale, d, size); }, size);
  if (whole < headSize)
    accumulateGroup(weights, rows, count, sums, mask, scale, k.integer(whole), headSize - whole);
}

} // namespace chimera::cpu
