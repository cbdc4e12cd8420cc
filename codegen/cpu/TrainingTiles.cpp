// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingTiles.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace chimera::cpu {

int64_t rowsOfWord(Words words) {
  return words == Words::RowPairs || words == Words::RoundedRows ? 2 : 1;
}

int64_t columnsOfWord(Words words) {
  return words == Words::RoundedPairs ? 2 : 1;
}

int64_t trainingPanel(int64_t lanes, int64_t columns) {
  int64_t most = lanes == 16 ? 64 : 16, panel = lanes;
  while (panel < most && panel < columns)
    panel *= 2;
  return panel;
}

static std::string nameOf(Words words) {
  static constexpr const char *names[] = {"f32", "widened", "rounded", "rows", "roundedrows", "roundedpairs"};
  return names[static_cast<int>(words)];
}

namespace {

/// Reads words of a matrix by vectors.
class WordReader {
public:
  /// The matrix is the function's first four parameters: from, stride, rows, columns.
  WordReader(KernelBuilder &k, Words words, int64_t lanes)
      : k(k), words(words), lanes(lanes), from(k, k.parameter(0).value, elem(words)), stride(k.parameter(1)),
        rows(k.parameter(2)), columns(k.parameter(3)) {}

  Val unitCount() { return (rows + (rowsOfWord(words) - 1)) / rowsOfWord(words); }
  Val wordColumns() { return (columns + (columnsOfWord(words) - 1)) / columnsOfWord(words); }

  /// Words of the unit `unit` (the last one in its place if it is past the end) from `column` on: all of them are there
  /// if `whole`, else those behind the last are 0.
  Val load(Val unit, Val column, bool whole) {
    if (rowsOfWord(words) == 1)
      return wordsOf(vectorAt(min(unit, rows - 1), column, whole));
    Val first = min(unit * 2, rows - 1), second = unit * 2 + 1;
    Val low = halfOf(vectorAt(first, column, whole)), high = halfOf(vectorAt(min(second, rows - 1), column, whole));
    return low | select(splat(second < rows, lanes), shiftLeft(high, 16), constantLike(high, 0));
  }

private:
  static Elem elem(Words words) {
    return words == Words::F32                                       ? Elem::I32
           : words == Words::WidenedBF16 || words == Words::RowPairs ? Elem::I16
                                                                     : Elem::F32;
  }

  Val vectorAt(Val row, Val column, bool whole) {
    int64_t width = columnsOfWord(words), count = lanes * width;
    Val at = row * stride + column * width;
    return whole ? from.loadVector(at, count) : from.loadVector(at, count, lanesBelow(columns - column * width, count));
  }

  Val wordsOf(Val vector) {
    Type i32 = k.ops.getI32Type();
    if (words == Words::F32)
      return vector;
    if (words == Words::WidenedBF16)
      return shiftLeft(zeroExtend(vector, i32), 16);
    if (words == Words::RoundedF32)
      return shiftLeft(zeroExtend(narrowBF16(vector), i32), 16);
    Type pairs = VectorType::get({lanes}, i32);
    return {&k, k.ops.create<vector::BitCastOp>(k.loc, pairs, narrowBF16(vector).value)};
  }

  Val halfOf(Val vector) {
    return zeroExtend(words == Words::RowPairs ? vector : narrowBF16(vector), k.ops.getI32Type());
  }

  KernelBuilder &k;
  Words words;
  int64_t lanes;
  Buffer from;
  Val stride, rows, columns;
};

} // namespace

/// Lane j of vector i becomes lane i of vector j: blocks of 1, 2, 4, ... lanes change places in turn.
static SmallVector<Val> transpose(ArrayRef<Val> rows) {
  SmallVector<Val> now(rows);
  auto size = static_cast<int64_t>(rows.size());
  for (int64_t step = 1; step < size; step *= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < size; ++lane) {
      bool upper = lane & step;
      low.push_back(upper ? size + lane - step : lane);
      high.push_back(upper ? size + lane : lane + step);
    }
    SmallVector<Val> next(now);
    for (int64_t i = 0; i < size; ++i)
      if (!(i & step)) {
        next[i] = shuffleLanes(now[i], now[i + step], low);
        next[i + step] = shuffleLanes(now[i], now[i + step], high);
      }
    now = next;
  }
  return now;
}

func::FuncOp emitTransposeWords(ModuleOp module, Words words, int64_t lanes) {
  Type pointer = LLVM::LLVMPointerType::get(module.getContext()), i64 = IntegerType::get(module.getContext(), 64);
  auto body = [&](KernelBuilder &k) {
    WordReader reader(k, words, lanes);
    Buffer to(k, k.parameter(4).value, Elem::I32);
    Val toStride = k.parameter(5), units = reader.unitCount(), columns = reader.wordColumns();
    // Pairs of columns are whole where their last column is there.
    Val wholeColumns = k.parameter(3) / (columnsOfWord(words) * lanes) * lanes;
    auto turn = [&](Val column, bool whole) {
      k.forEach(
          k.integer(0), units,
          [&](Val unit) {
            SmallVector<Val> vectors;
            for (int64_t i = 0; i < lanes; ++i)
              vectors.push_back(reader.load(unit + i, column, whole));
            vectors = transpose(vectors);
            for (int64_t i = 0; i < lanes; ++i) {
              auto store = [&] { to.storeVector((column + i) * toStride + unit, vectors[i]); };
              whole ? store() : k.when(column + i < columns, store);
            }
          },
          lanes);
    };
    k.forEach(k.integer(0), wholeColumns, [&](Val column) { turn(column, true); }, lanes);
    k.when(wholeColumns < columns, [&] { turn(wholeColumns, false); });
    return SmallVector<Val>();
  };
  return emitInternal(module, symbolOf({"cpu_transpose", nameOf(words)}), {pointer, i64, i64, i64, pointer, i64}, {},
                      body);
}

func::FuncOp emitPackWords(ModuleOp module, Words words, int64_t lanes, int64_t panel) {
  Type pointer = LLVM::LLVMPointerType::get(module.getContext()), i64 = IntegerType::get(module.getContext(), 64);
  auto body = [&](KernelBuilder &k) {
    WordReader reader(k, words, lanes);
    Buffer to(k, k.parameter(4).value, Elem::I32);
    Val columns = k.parameter(3);
    auto copy = [&](bool whole) {
      k.forEach(k.integer(0), reader.unitCount(), [&](Val unit) {
        for (int64_t c = 0; c < panel; c += lanes)
          to.storeVector(unit * panel + c, reader.load(unit, k.integer(c), whole));
      });
    };
    k.either(columns == panel, [&] { copy(true); }, [&] { copy(false); });
    return SmallVector<Val>();
  };
  return emitInternal(module, symbolOf({"cpu_pack_rows", nameOf(words), std::to_string(panel)}),
                      {pointer, i64, i64, i64, pointer}, {}, body);
}

/// Calls the micro kernel of `rows` rows, at most `most`.
static void callMicro(KernelBuilder &k, const MicroSpec &spec, Val rows, int64_t most, ArrayRef<Val> operands) {
  auto call = [&] { k.call(emitMicro(k.module, spec, most), operands); };
  if (most == 1)
    return call();
  k.either(rows == most, call, [&] { callMicro(k, spec, rows, most - 1, operands); });
}

func::FuncOp emitAddProduct(ModuleOp module, const MicroSpec &spec) {
  Type pointer = LLVM::LLVMPointerType::get(module.getContext()), i64 = IntegerType::get(module.getContext(), 64);
  auto body = [&](KernelBuilder &k) {
    Val x = k.parameter(0), rows = k.parameter(2), panel = k.parameter(3), inputs = k.parameter(4);
    Buffer offsets(k, k.parameter(1).value, Elem::I64), tile(k, k.parameter(5).value, Elem::F32);
    // Register tiles of nearly one size.
    Val tiles = max((rows + (microRows - 1)) / microRows, k.integer(1)), size = rows / tiles;
    Val larger = rows - size * tiles;
    k.forEach(k.integer(0), tiles, [&](Val i) {
      Val first = i * size + min(i, larger), count = select(i < larger, size + 1, size);
      callMicro(k, spec, count, microRows,
                {x, offsets.at(first).base(), panel, inputs, tile.at(first * spec.panel).base(), panel, k.integer(0)});
    });
    return SmallVector<Val>();
  };
  return emitInternal(module,
                      symbolOf({"cpu_add_product", nameOf(spec.in), spec.dot ? "dot" : "", std::to_string(spec.panel)}),
                      {pointer, pointer, i64, pointer, i64, pointer}, {}, body);
}

void storeColumns(KernelBuilder &k, const Buffer &from, const Buffer &to, Val columns, int64_t all, int64_t lanes) {
  Val whole = columns / lanes * lanes;
  k.forEach(k.integer(0), whole, [&](Val c) { to.storeVector(c, from.loadVector(c, lanes)); }, lanes);
  if (all % lanes != 0)
    k.when(whole < columns,
           [&] { to.storeVector(whole, from.loadVector(whole, lanes), lanesBelow(columns - whole, lanes)); });
}

} // namespace chimera::cpu
