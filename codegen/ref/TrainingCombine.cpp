// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/ref/Math.h"
#include "codegen/ref/TrainingKernels.h"
#include "codegen/ref/TrainingSupport.h"

using namespace mlir;

namespace chimera::ref {

using kernel::nameOf;

static constexpr Grid perRow{/*tokens=*/1}, perSequence{/*tokens=*/0, /*seqs=*/1};

/// One letter a mode: whether it has an output.
static std::string nameOf(const std::vector<bool> &present) {
  std::string name;
  for (bool is : present)
    name += is ? 'o' : 'n';
  return name;
}

/// The next buffers of the launch: one for each mode that has an output, an empty one for the others.
static SmallVector<Buffer> takeOutputs(KernelBuilder &k, const std::vector<bool> &present, Scalar type) {
  SmallVector<Buffer> outputs;
  for (bool is : present)
    outputs.push_back(is ? k.buffer(type) : Buffer());
  return outputs;
}

/// exp(logp) of a row's k-th mode, rounded to T.
static Val probability(const Buffer &logp, Val row, size_t mode, size_t modes) {
  return exp(logp.load(row * static_cast<int64_t>(modes) + static_cast<int64_t>(mode)));
}

Kernel getOrEmit(ModuleOp kernels, const SoftCombineSpec &spec) {
  std::string symbol = symbolOf({"soft_combine", nameOf(spec.type), std::to_string(spec.width), nameOf(spec.present)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), residual = k.buffer(spec.type), logp = k.buffer(spec.type);
    SmallVector<Buffer> outputs = takeOutputs(k, spec.present, spec.type);
    Buffer z = k.buffer(spec.type);
    forEachRow(k, start, [&](Val row) {
      SmallVector<Val> p(outputs.size());
      for (size_t m = 0; m < outputs.size(); ++m)
        if (spec.present[m])
          p[m] = probability(logp, row, m, outputs.size());
      k.forEach(row * spec.width, (row + 1) * spec.width, [&](Val i) {
        Val sum = residual.load(i);
        for (size_t m = 0; m < outputs.size(); ++m)
          if (spec.present[m])
            sum = sum + p[m] * outputs[m].load(i);
        z.store(i, sum);
      });
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const SoftCombineGradSpec &spec) {
  std::string symbol =
      symbolOf({"soft_combine_grad", nameOf(spec.type), std::to_string(spec.width), nameOf(spec.present)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), logp = k.buffer(spec.type), dz = k.buffer(spec.type);
    SmallVector<Buffer> outputs = takeOutputs(k, spec.present, spec.type);
    Buffer dlogp = k.buffer(spec.type);
    SmallVector<Buffer> results = takeOutputs(k, spec.present, spec.type);
    auto modes = static_cast<int64_t>(outputs.size());
    forEachRow(k, start, [&](Val row) {
      Val first = row * spec.width;
      Buffer upstream = dz.at(first);
      for (int64_t m = 0; m < modes; ++m) {
        Val gradient = k.real(0, spec.type);
        if (spec.present[m]) {
          Val p = probability(logp, row, m, modes);
          Buffer to = results[m].at(first);
          k.forEach(0, spec.width, [&](Val c) { to.store(c, p * upstream.load(c)); });
          gradient = p * dot(k, upstream, outputs[m].at(first), spec.width, spec.type);
        }
        dlogp.store(row * modes + m, gradient);
      }
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const CombineGradSpec &spec) {
  std::string symbol =
      symbolOf({"combine_grad", nameOf(spec.type), std::to_string(spec.width), "modes" + nameOf(spec.modes)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), mode = k.buffer(Elem::I8), inverse = k.buffer(Elem::I32);
    Buffer gate = k.buffer(spec.type), dz = k.buffer(spec.type);
    SmallVector<Buffer> outputs = takeOutputs(k, std::vector<bool>(spec.modes.size(), true), spec.type);
    Buffer dgate = k.buffer(spec.type);
    SmallVector<Buffer> results = takeOutputs(k, std::vector<bool>(spec.modes.size(), true), spec.type);
    forEachRow(k, start, [&](Val row) {
      Buffer upstream = dz.at(row * spec.width);
      dgate.store(row, k.real(0, spec.type));
      for (size_t m = 0; m < spec.modes.size(); ++m)
        k.when(mode.load(row) == spec.modes[m], [&] {
          Val first = inverse.load(row) * spec.width, factor = gate.load(row);
          Buffer to = results[m].at(first);
          k.forEach(0, spec.width, [&](Val c) { to.store(c, factor * upstream.load(c)); });
          dgate.store(row, dot(k, upstream, outputs[m].at(first), spec.width, spec.type));
        });
    });
  });
  return {symbol, perRow};
}

namespace {

/// A part of the batch's rows with a tensor of its own.
struct Piece {
  Rows rows;
  Buffer x;
};

} // namespace

static SmallVector<Piece> takePieces(KernelBuilder &k, size_t count, Scalar type) {
  SmallVector<Piece> pieces;
  for (size_t i = 0; i < count; ++i) {
    Rows rows = k.rows();
    pieces.push_back({rows, k.buffer(type)});
  }
  return pieces;
}

/// Sets a sequence's rows of `out` to zero; calls `add(piece, row of the piece, row id)` for the rows it has in pieces.
static void scatter(KernelBuilder &k, const Buffer &start, ArrayRef<Piece> pieces, const Buffer &out, int64_t width,
                    Scalar type, function_ref<void(size_t, Val, Val)> add) {
  k.forEach(k.begin(), k.end(), [&](Val sequence) {
    Val base = start.load(0);
    fillZero(k, out, (start.load(sequence) - base) * width, (start.load(sequence + 1) - base) * width, type);
    for (size_t i = 0; i < pieces.size(); ++i)
      forEachRowOf(k, pieces[i].rows.start, sequence, [&](Val row) { add(i, row, rowId(pieces[i].rows, row)); });
  });
}

Kernel getOrEmit(ModuleOp kernels, const ScatterSpec &spec) {
  std::string symbol =
      symbolOf({"scatter", nameOf(spec.type), std::to_string(spec.width), std::to_string(spec.pieces)});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32);
    SmallVector<Piece> pieces = takePieces(k, spec.pieces, spec.type);
    Buffer out = k.buffer(spec.type);
    scatter(k, start, pieces, out, spec.width, spec.type, [&](size_t piece, Val row, Val id) {
      Buffer from = pieces[piece].x.at(row * spec.width), to = out.at(id * spec.width);
      k.forEach(0, spec.width, [&](Val c) { to.store(c, to.load(c) + from.load(c)); });
    });
  });
  return {symbol, perSequence};
}

Kernel getOrEmit(ModuleOp kernels, const ScatterColumnsSpec &spec) {
  std::string columns;
  for (int64_t column : spec.columns)
    columns += "_" + std::to_string(column);
  std::string symbol = symbolOf({"scatter_columns", nameOf(spec.type), std::to_string(spec.width)}) + columns;
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32);
    SmallVector<Piece> pieces = takePieces(k, spec.columns.size(), spec.type);
    Buffer out = k.buffer(spec.type);
    scatter(k, start, pieces, out, spec.width, spec.type, [&](size_t piece, Val row, Val id) {
      Val place = id * spec.width + spec.columns[piece];
      out.store(place, out.load(place) + pieces[piece].x.load(row));
    });
  });
  return {symbol, perSequence};
}

} // namespace chimera::ref
