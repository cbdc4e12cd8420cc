// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingScan.h"
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/Reduce.h"
#include "codegen/ref/TrainingSupport.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace chimera::cpu {

bool hasTrainingKernels(const ref::SeqSsmScanSpec &spec) {
  return spec.type == Scalar::F32 && spec.stateSize <= 512 && spec.headSize * spec.stateSize <= 65536;
}

namespace {

/// A launch of another kernel from inside one: its array of buffers, in the frame.
struct InnerLaunch {
  KernelBuilder &k;
  func::FuncOp function;
  Buffer pointers, args;
  int64_t taken = 0;

  void add(const Buffer &buffer) {
    Val place = pointers.at(k.integer(taken++)).base();
    k.ops.create<LLVM::StoreOp>(k.loc, buffer.base().value, place.value);
  }
  /// Runs one block.
  void run(Val block) const { k.call(function, {pointers.base(), args.base(), block, block + 1}); }
};

struct SsmForward {
  KernelBuilder &k;
  const ref::SeqSsmScanSpec &spec;
  func::FuncOp scan;
  Rows rows;
  Buffer xbc, dt, logRates, skips, dtBiases, writes, modes, states, y;
  Buffer state, spare, start, slot, pointers, args;

  SsmForward(KernelBuilder &k, const ref::SeqSsmScanSpec &spec, func::FuncOp scan)
      : k(k), spec(spec), scan(scan), rows(k.rows()) {
    for (Buffer *buffer : {&xbc, &dt, &logRates, &skips, &dtBiases})
      *buffer = k.buffer(Elem::F32);
    if (spec.weighted)
      writes = k.buffer(Elem::F32);
    if (spec.masked)
      modes = k.buffer(Elem::I8), spare = k.scratch(Elem::F32, spec.headSize * spec.stateSize);
    states = k.buffer(Elem::F32), y = k.buffer(Elem::F32);
    state = k.scratch(Elem::F32, spec.headSize * spec.stateSize);
    start = k.scratch(Elem::I32, 2), slot = k.scratch(Elem::I32, 1);
    pointers = k.scratch(Elem::I64, 16), args = k.scratch(Elem::I64, 4);
  }

  int64_t inner() const { return spec.heads * spec.headSize; }
  int64_t width() const { return inner() + 2 * spec.groups * spec.stateSize; }

  void copy(const Buffer &from, const Buffer &to) const {
    forEachVector(k, spec.headSize * spec.stateSize, sumLanes,
                  [&](Val i, int64_t lanes) { to.storeVector(i, from.loadVector(i, lanes)); });
  }

  /// A step of one sequence, `count` rows from compact row `row` on, at one head, whose state is brought up to date.
  void takeRows(Val row, Val count, Val head, const Buffer &place) const {
    start.store(k.integer(0), k.integer(0));
    start.store(k.integer(1), count);
    InnerLaunch launch{k, scan, pointers, args};
    launch.add(rows.index);
    launch.add(start);
    for (const Buffer &buffer : {rows.position, rows.sequence, slot})
      launch.add(buffer);
    launch.add(xbc.at(row * width()));
    launch.add(dt.at(row * spec.heads));
    for (const Buffer &buffer : {logRates, skips, dtBiases})
      launch.add(buffer);
    if (spec.weighted)
      launch.add(writes.at(row));
    // The state of head h is the h-th of its slot.
    launch.add(place.at(k.integer(0) - head * (spec.headSize * spec.stateSize)));
    launch.add(y.at(row * inner()));
    launch.run(head);
  }

  /// The same row by row: one that is not kept works on a copy.
  void takeMasked(Val row, Val count, Val head) const {
    k.forEach(row, row + count, [&](Val r) {
      Val isKept = modes.load(ref::rowId(rows, r)) == k.argument(4);
      k.either(
          isKept, [&] { takeRows(r, k.integer(1), head, state); },
          [&] {
            copy(state, spare);
            takeRows(r, k.integer(1), head, spare);
          });
    });
  }

  void take(Val sequence, Val head) const {
    int64_t size = spec.headSize * spec.stateSize;
    Val begin = rows.start.load(sequence) - rows.start.load(0),
        end = rows.start.load(sequence + 1) - rows.start.load(0);
    Val zero = k.real(0, k.f32Type());
    forEachVector(k, size, sumLanes, [&](Val i, int64_t lanes) { state.storeVector(i, splat(zero, lanes)); });
    slot.store(k.integer(0), k.integer(0));
    args.store(k.integer(1), k.integer(1)); // one sequence
    k.forEach(
        begin, end,
        [&](Val row) {
          k.when(begin < row, [&] {
            Buffer kept = states.at(((row / ir::scanBlockRows - 1) * spec.heads + head) * size);
            copy(state, kept);
          });
          Val count = min(end - row, k.integer(ir::scanBlockRows));
          spec.masked ? takeMasked(row, count, head) : takeRows(row, count, head, state);
        },
        ir::scanBlockRows);
  }
};

} // namespace

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const ref::SeqSsmScanSpec &spec) {
  std::string symbol = kernel::symbolOf(
      {"cpu_seq_ssm_scan",
       std::to_string(spec.heads) + "x" + std::to_string(spec.headSize) + "x" + std::to_string(spec.stateSize),
       "groups" + std::to_string(spec.groups), "dt" + nameOf(spec.dtMin) + "to" + nameOf(spec.dtMax),
       spec.weighted ? "weighted" : "", spec.masked ? "masked" : ""});
  SsmScanSpec inference{spec.heads, spec.headSize, spec.stateSize, spec.groups,
                        spec.dtMin, spec.dtMax,    spec.weighted,  View{}};
  std::string scan = getOrEmit(kernels, isa, inference).symbol;
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    SsmForward forward(k, spec, kernels.lookupSymbol<func::FuncOp>(scan));
    k.forEach(k.begin(), k.end(), [&](Val block) { forward.take(block / spec.heads, block % spec.heads); });
  });
  return {symbol, Grid{/*tokens=*/0, /*seqs=*/spec.heads}};
}

} // namespace chimera::cpu
