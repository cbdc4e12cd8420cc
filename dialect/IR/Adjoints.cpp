// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Adding up the contributions to a gradient.

#include "dialect/IR/Adjoints.h"

#include "dialect/IR/Checks.h"
#include "dialect/IR/Ops.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// The type of the gradient by `value`: its shape, in the element type of `gradient`.
static RankedTensorType gradientType(Value value, Value gradient) {
  return cast<RankedTensorType>(value.getType()).clone(elementOf(gradient));
}

void Adjoints::joinColumns(Value value, Contributions &all) {
  llvm::stable_sort(all.columns, [](const auto &a, const auto &b) { return a.first < b.first; });
  while (!all.columns.empty()) {
    // Pieces that overlap cannot be joined: they wait for another round.
    SmallVector<Value> pieces;
    SmallVector<int64_t> offsets;
    SmallVector<std::pair<int64_t, Value>> waiting;
    int64_t end = 0;
    for (auto [offset, gradient] : all.columns) {
      if (offset < end) {
        waiting.push_back({offset, gradient});
        continue;
      }
      offsets.push_back(offset);
      pieces.push_back(gradient);
      end = offset + columnsOf(gradient);
    }
    all.whole.push_back(builder.create<JoinColumnsOp>(value.getLoc(), gradientType(value, pieces[0]), pieces, offsets));
    all.columns = waiting;
  }
}

void Adjoints::scatter(Value value, Contributions &all) {
  if (all.gathered.empty()) {
    return;
  }
  SmallVector<Value> pieces, from;
  // Uses came the last first; the sum is in the order of the program.
  for (const Gathered &piece : llvm::reverse(all.gathered)) {
    pieces.push_back(piece.gradient);
    from.push_back(piece.to);
  }
  all.whole.push_back(builder.create<ScatterOp>(value.getLoc(), gradientType(value, pieces[0]), pieces, from,
                                                all.gathered.front().from));
  all.gathered.clear();
}

void Adjoints::scatterColumns(Value value, Contributions &all) {
  if (all.single.empty()) {
    return;
  }
  SmallVector<Value> pieces, from;
  SmallVector<int64_t> columns;
  for (const Single &piece : llvm::reverse(all.single)) {
    pieces.push_back(piece.gradient);
    from.push_back(piece.to);
    columns.push_back(piece.column);
  }
  all.whole.push_back(builder.create<ScatterColumnsOp>(value.getLoc(), gradientType(value, pieces[0]), pieces, columns,
                                                       from, rowsOf(value)));
  all.single.clear();
}

Value Adjoints::of(Value value) {
  auto found = contributions.find(value);
  if (found == contributions.end()) {
    return nullptr;
  }
  Contributions &all = found->second;
  joinColumns(value, all);
  scatter(value, all);
  scatterColumns(value, all);
  Value sum = all.whole.front();
  for (Value next : llvm::drop_begin(all.whole)) {
    sum = builder.create<AddOp>(value.getLoc(), sum.getType(), sum, next);
  }
  all.whole = {sum};
  return sum;
}

ArrayRef<Value> Adjoints::partsOf(Value parameter) {
  auto found = contributions.find(parameter);
  if (found == contributions.end()) {
    return {};
  }
  joinColumns(parameter, found->second);
  scatter(parameter, found->second);
  scatterColumns(parameter, found->second);
  return found->second.whole;
}

Value Adjoints::sumRows(Location loc, Value rows) {
  return builder.create<ColumnSumOp>(loc, RankedTensorType::get({columnsOf(rows)}, elementOf(rows)), rows, leaves);
}
