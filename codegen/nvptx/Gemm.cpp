// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nvptx/GpuBuilder.h"
#include "codegen/nvptx/Kernels.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace chimera::nvptx {

namespace {

constexpr int64_t threads = 128, warpsAcross = 2, bf16Bytes = 2;
constexpr int64_t piece = 8;                      ///< elements that one cp.async moves: 16 bytes
constexpr int64_t mmaM = 16, mmaN = 8, mmaK = 16; ///< one mma.sync
constexpr int64_t stages = 2;
constexpr int64_t mostStaticShared = 48 * 1024; ///< without an opt-in at launch, on every GPU

/// One operand's way through shared memory: `rows` rows of tileK elements, per stage.
struct Tile {
  Pointer memory;
  int64_t rows = 0;
};

class GemmEmitter {
public:
  GemmEmitter(GpuBuilder &b, const GemmSpec &spec) : b(b), spec(spec) {}
  void emit();

private:
  Val swizzled(Val row, Val chunk);
  void copyTile(const Tile &tile, const Pointer &from, Val firstRow, Val rowCount, Val step, Val stage);
  void copyStep(Val step, Val stage);
  SmallVector<Val> loadMatrix(const Tile &tile, Val stage, Val row, Val chunk);
  SmallVector<Val> multiplyStep(Val stage, ArrayRef<Val> sums);
  SmallVector<Val> multiply(ArrayRef<Val> a, Val b0, Val b1, ArrayRef<Val> c);
  SmallVector<Val> sumOverK();
  void storeTile(ArrayRef<Val> sums);
  void commitCopies() { b.intrinsic("llvm.nvvm.cp.async.commit.group", {}, {}); }
  void waitForCopies(int64_t groupsLeft);

  int64_t steps() const { return llvm::divideCeil(spec.inputs, spec.tileK); }
  int64_t chunks() const { return spec.tileK / piece; }
  int64_t warpM() const { return spec.tileM / warpsAcross; }
  int64_t warpN() const { return spec.tileN / warpsAcross; }
  /// Index of the first of the four accumulators of the mma tile (i, j) of a warp.
  int64_t sumIndex(int64_t i, int64_t j) const { return (i * (warpN() / mmaN) + j) * 4; }

  GpuBuilder &b;
  const GemmSpec &spec;
  Pointer x, w, y;
  Tile tileX, tileW;
  Val rows, thread, lane, warpRow, warpColumn, firstRow, firstColumn;
};

/// Where piece `chunk` of `row` lies in a stage, in elements. Rows of 32, 64 or 128 bytes: 4, 2 or 1 of them fill the
/// 128 bytes of all banks, so the XOR changes every so many rows.
Val GemmEmitter::swizzled(Val row, Val chunk) {
  int64_t rowsPerLine = 64 / spec.tileK;
  Val turn = shiftRight(row, llvm::Log2_64(rowsPerLine)) & (chunks() - 1);
  Val place = spec.fault == GemmSpec::Fault::NoSwizzle ? chunk : chunk ^ turn;
  return row * spec.tileK + place * piece;
}

/// Begins the copies of this thread's share of one operand's tile. Pieces past the last row or past K become zeros:
/// their source is not read (its size is 0), but points at memory that exists all the same.
void GemmEmitter::copyTile(const Tile &tile, const Pointer &from, Val first, Val rowCount, Val step, Val stage) {
  int64_t pieces = tile.rows * chunks();
  for (int64_t begin = 0; begin < pieces; begin += threads) {
    Val id = thread + begin;
    auto copy = [&] {
      Val row = id / chunks(), chunk = id % chunks();
      Val globalRow = first + row, k = step * spec.tileK + chunk * piece;
      Val there = (globalRow < rowCount) & (k < spec.inputs);
      Val offset = convert(select(there, globalRow, b.constant(0)), b.i64()) * spec.inputs +
                   convert(select(there, k, b.constant(0)), b.i64());
      Val bytes = select(there, b.constant(piece * bf16Bytes), b.constant(0));
      Pointer to = tile.memory.at(stage * (tile.rows * spec.tileK) + swizzled(row, chunk));
      b.intrinsic("llvm.nvvm.cp.async.cg.shared.global.16.s", {}, {to.value(), from.at(offset).value(), bytes});
    };
    if (begin + threads <= pieces)
      copy();
    else
      b.ifThen(id < pieces, copy);
  }
}

void GemmEmitter::copyStep(Val step, Val stage) {
  copyTile(tileX, x, firstRow, rows, step, stage);
  copyTile(tileW, w, firstColumn, b.constant(spec.outputs), step, stage);
}

void GemmEmitter::waitForCopies(int64_t groupsLeft) {
  // The group count is an immediate of the instruction: the intrinsic wants a constant.
  Val count = b.wrap(b.ops().create<LLVM::ConstantOp>(b.location(), b.ops().getI32IntegerAttr(groupsLeft)));
  b.intrinsic("llvm.nvvm.cp.async.wait.group", {}, count);
}

/// Four 8x8 matrices of a tile: lane l gives the address of one of their 32 rows.
SmallVector<Val> GemmEmitter::loadMatrix(const Tile &tile, Val stage, Val row, Val chunk) {
  Pointer from = tile.memory.at(stage * (tile.rows * spec.tileK) + swizzled(row, chunk));
  return b.intrinsic("llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3", SmallVector<Type>(4, b.i32()), from.value());
}

SmallVector<Val> GemmEmitter::multiply(ArrayRef<Val> a, Val b0, Val b1, ArrayRef<Val> c) {
  SmallVector<Val> args(a);
  args.append({b0, b1});
  args.append(c.begin(), c.end());
  return b.intrinsic("llvm.nvvm.mma.m16n8k16.row.col.bf16", SmallVector<Type>(4, b.f32()), args);
}

/// Adds one step's products to the warp's accumulators.
SmallVector<Val> GemmEmitter::multiplyStep(Val stage, ArrayRef<Val> sums) {
  SmallVector<Val> next(sums);
  for (int64_t k = 0; k < spec.tileK; k += mmaK) {
    int64_t chunk = k / piece;
    // x: lanes 0-15 give rows 0-15 of the first eight columns, lanes 16-31 of the next eight.
    SmallVector<SmallVector<Val>> a;
    for (int64_t i = 0; i < warpM() / mmaM; ++i)
      a.push_back(loadMatrix(tileX, stage, warpRow + (lane & 15) + i * mmaM, shiftRight(lane, 4) + chunk));
    // w: two mma tiles at once; lanes 0-7 and 8-15 give the first tile's two halves of k, lanes 16-31 the second's.
    for (int64_t j = 0; j < warpN() / mmaN; j += 2) {
      Val row = warpColumn + (lane & 7) + shiftLeft(shiftRight(lane, 4), 3) + j * mmaN;
      SmallVector<Val> pair = loadMatrix(tileW, stage, row, (shiftRight(lane, 3) & 1) + chunk);
      for (int64_t i = 0; i < warpM() / mmaM; ++i)
        for (int64_t half = 0; half < 2; ++half) {
          int64_t at = sumIndex(i, j + half);
          auto out = multiply(a[i], pair[2 * half], pair[2 * half + 1], ArrayRef(next).slice(at, 4));
          llvm::copy(out, next.begin() + at);
        }
    }
  }
  return next;
}

SmallVector<Val> GemmEmitter::sumOverK() {
  Val last = b.constant(steps());
  copyStep(b.constant(0), b.constant(0));
  commitCopies();
  SmallVector<Val> zeros(sumIndex(warpM() / mmaM, 0), b.real(0, b.f32()));
  return b.loop(b.constant(0), last, 1, zeros, [&](Val step, ArrayRef<Val> sums) {
    Val stage = step & (stages - 1);
    // Wait for this step's own copies, then for everybody's. The barrier also says that all have read the other stage,
    // which the next copies overwrite.
    waitForCopies(spec.fault == GemmSpec::Fault::LateWait ? 1 : 0);
    if (spec.fault != GemmSpec::Fault::NoBarrier)
      b.barrier();
    b.ifThen(step + 1 < last, [&] { copyStep(step + 1, (step + 1) & (stages - 1)); });
    commitCopies();
    return multiplyStep(stage, sums);
  });
}

/// Accumulators 0, 1 of an mma tile are two neighbours of row lane / 4, accumulators 2, 3 those eight rows below.
void GemmEmitter::storeTile(ArrayRef<Val> sums) {
  Val row = firstRow + warpRow + shiftRight(lane, 2), column = firstColumn + warpColumn + shiftLeft(lane & 3, 1);
  bool pairs = spec.outputs % 2 == 0;
  for (int64_t i = 0; i < warpM() / mmaM; ++i)
    for (int64_t half = 0; half < 2; ++half) {
      Val r = row + (i * mmaM + half * 8);
      Pointer line = y.at(convert(r, b.i64()) * spec.outputs);
      b.ifThen(r < rows, [&] {
        for (int64_t j = 0; j < warpN() / mmaN; ++j) {
          Val c = column + j * mmaN;
          ArrayRef<Val> two = sums.slice(sumIndex(i, j) + 2 * half, 2);
          b.ifThen(c < spec.outputs, [&] { pairs ? line.at(c).storeVector(two) : line.store(c, two[0]); });
          if (!pairs)
            b.ifThen(c + 1 < spec.outputs, [&] { line.store(c + 1, two[1]); });
        }
      });
    }
}

void GemmEmitter::emit() {
  x = b.nextPointer(b.bf16());
  w = b.nextPointer(b.bf16());
  y = b.nextPointer(b.f32());
  rows = convert(b.nextScalar(), b.i32());
  tileX = {b.shared("x", stages * spec.tileM * spec.tileK * bf16Bytes, b.bf16()), spec.tileM};
  tileW = {b.shared("w", stages * spec.tileN * spec.tileK * bf16Bytes, b.bf16()), spec.tileN};
  int64_t across = llvm::divideCeil(spec.outputs, spec.tileN);
  thread = b.thread();
  lane = b.lane();
  Val warp = b.warp();
  warpRow = (warp & 1) * warpM();
  warpColumn = shiftRight(warp, 1) * warpN();
  firstRow = b.block() / across * spec.tileM;
  firstColumn = b.block() % across * spec.tileN;
  b.ifThen(firstRow < rows, [&] { storeTile(sumOverK()); });
}

bool isOneOf(int64_t value, std::initializer_list<int64_t> choices) {
  return llvm::is_contained(choices, value);
}

} // namespace

std::optional<GpuKernel> emitGemm(ModuleOp module, const GemmSpec &spec, std::string &error) {
  if (spec.outputs < 1 || spec.inputs < 1 || spec.inputs % piece != 0) {
    error = "a bf16 product on the GPU needs at least one output and a multiple of 8 inputs, not " +
            std::to_string(spec.outputs) + " and " + std::to_string(spec.inputs);
    return std::nullopt;
  }
  if (!isOneOf(spec.tileM, {32, 64, 128}) || !isOneOf(spec.tileN, {32, 64, 128}) ||
      !isOneOf(spec.tileK, {16, 32, 64})) {
    error = "a bf16 product on the GPU has no tile of " + std::to_string(spec.tileM) + "x" +
            std::to_string(spec.tileN) + "x" + std::to_string(spec.tileK);
    return std::nullopt;
  }
  int64_t shared = stages * (spec.tileM + spec.tileN) * spec.tileK * bf16Bytes;
  if (shared > mostStaticShared) {
    error = "a bf16 product on the GPU with a tile of " + std::to_string(spec.tileM) + "x" +
            std::to_string(spec.tileN) + "x" + std::to_string(spec.tileK) + " needs " + std::to_string(shared) +
            " bytes of shared memory, more than " + std::to_string(mostStaticShared);
    return std::nullopt;
  }
  auto number = [](int64_t value) { return std::to_string(value); };
  GpuKernel kernel;
  kernel.symbol = "chimera_gemm_bf16_" + number(spec.outputs) + "x" + number(spec.inputs) + "_" + number(spec.tileM) +
                  "x" + number(spec.tileN) + "x" + number(spec.tileK);
  kernel.threads = threads;
  // ceil(rows / tileM) row tiles; the affine form rounds the whole product up, so a few blocks may be too many.
  int64_t across = llvm::divideCeil(spec.outputs, spec.tileN);
  kernel.grid = {across, across * (spec.tileM - 1), spec.tileM};
  GpuBuilder b(module, kernel.symbol, threads);
  GemmEmitter(b, spec).emit();
  b.finish();
  return kernel;
}

} // namespace chimera::nvptx
