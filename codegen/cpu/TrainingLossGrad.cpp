// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The gradients of the loss. A group of words goes through its slabs (a few panels of words each), and in each through
// all rows by chunks: a tile of logits becomes a tile of their gradients, which is multiplied by the rows for dw and by
// the weights for dx while it is near.
#include "codegen/cpu/Math.h"
#include "codegen/cpu/TrainingLeaves.h"
#include "codegen/cpu/TrainingLoss.h"
#include "codegen/cpu/TrainingTiles.h"
#include "codegen/ref/TrainingKernels.h"
#include "codegen/ref/TrainingSupport.h"

using namespace mlir;

namespace chimera::cpu {

/// Groups at most: blocks for the threads to share, each with a part of dx.
static constexpr int64_t mostGroups = 8;
/// Words of a slab and rows of a chunk: what stays in the second cache, with packed weights and rows; fewer of wide
/// rows. Chunks are whole vectors of pairs of rows.
static constexpr int64_t slabWords = 128, chunkRows = 96, wideInputs = 512, widestInputs = 1024;
static constexpr int64_t wideChunkRows = 48, wideChunkPairedRows = 64;

static int64_t ceilDiv(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

namespace {

/// How the gradients are cut.
struct Plan {
  MicroSpec logits;    ///< rows times words
  MicroSpec gradients; ///< panels of inputs
  Words weightWords;   ///< of weights for logits
  Words weightRows;    ///< of weights for dx
  Words rowWords;      ///< of x for dw
  Words tileWords;     ///< of the gradients of logits, turned, for dw
  int64_t panels;      ///< of a slab
  int64_t chunk;       ///< rows
  int64_t slabs, groups;
  int64_t inputPanels;
};

} // namespace

static Plan planOf(const Isa &isa, const CrossEntropyGradSpec &spec) {
  bool half = spec.operand == Scalar::BF16, dot = half && (isa.dotBF16 || isa.tileBF16);
  bool wide = spec.inputs > wideInputs;
  int64_t words = spec.inputs > widestInputs ? 16 : trainingPanel(isa.lanes, spec.vocab);
  int64_t inputs = trainingPanel(isa.lanes, spec.inputs);
  Plan plan{{isa.lanes, spec.operand, half ? WeightFormat::BF16 : WeightFormat::F32, words, dot},
            {isa.lanes, dot ? Scalar::BF16 : Scalar::F32, dot ? WeightFormat::BF16 : WeightFormat::F32, inputs, dot},
            half ? Words::RoundedPairs : Words::F32,
            dot    ? Words::RoundedRows
            : half ? Words::RoundedF32
                   : Words::F32,
            dot    ? Words::RowPairs
            : half ? Words::WidenedBF16
                   : Words::F32,
            dot ? Words::RowPairs : Words::F32,
            spec.inputs > widestInputs ? 1 : std::max<int64_t>(1, slabWords / words / (wide ? 2 : 1)),
            !wide ? chunkRows
            : dot ? wideChunkPairedRows
                  : wideChunkRows,
            0,
            0,
            ceilDiv(spec.inputs, inputs)};
  int64_t panels = ceilDiv(spec.vocab, words);
  plan.panels = std::max<int64_t>(1, std::min(plan.panels, panels / mostGroups));
  plan.slabs = ceilDiv(panels, plan.panels);
  plan.groups = std::min(plan.slabs, mostGroups);
  return plan;
}

int64_t lossParts(const Isa &isa, const CrossEntropyGradSpec &spec) {
  Plan plan = planOf(isa, spec);
  return plan.groups * plan.inputPanels * plan.gradients.panel;
}

namespace {

/// The body of the kernel of the gradients.
class LossGrad {
public:
  LossGrad(KernelBuilder &k, const CrossEntropyGradSpec &spec, const Plan &plan)
      : k(k), spec(spec), plan(plan), lanes(plan.logits.lanes), words(plan.logits.panel), width(plan.gradients.panel),
        leaves(k.buffer(Elem::I32)), rows(k.rows()), targets(k.buffer(Elem::I32)), hyper(k.buffer(Elem::F64)),
        x(k.buffer(rawElemOf(spec.operand))), w(k.buffer(Elem::F32)), lse(k.buffer(Elem::F32)), dw(k.buffer(Elem::F32)),
        parts(k.buffer(Elem::F32)), byWords(k.scratch(Elem::I32, plan.panels * words * spec.inputs)),
        byInputs(k.scratch(Elem::I32, plan.inputPanels * slab() / group() * width)),
        packedRows(k.scratch(Elem::I32, plan.inputPanels * chunkWords() * width)),
        logits(k.scratch(Elem::F32, plan.chunk * words)),
        tile(spec.operand == Scalar::BF16 ? k.scratch(elemOf(plan.gradients.in), plan.chunk * words) : logits),
        turned(k.scratch(Elem::I32, words * chunkWords())), sums(k.scratch(Elem::F32, leafLevels * slabSize())),
        rowOffsets(k.scratch(Elem::I64, plan.chunk)), tileOffsets(k.scratch(Elem::I64, plan.chunk)),
        turnedOffsets(k.scratch(Elem::I64, words)) {}

  void build() {
    scale = toFloat(hyper.load(static_cast<int64_t>(ref::Hyper::LossScale)), k.f32Type());
    count = k.rowCount(rows.start);
    k.forEach(0, plan.chunk, [&](Val i) {
      rowOffsets.store(i, i * spec.inputs);
      tileOffsets.store(i, i * words);
    });
    k.forEach(0, words, [&](Val v) { turnedOffsets.store(v, v * plan.chunk); });
    k.forEach(k.begin(), k.end(), [&](Val group) {
      part = parts.at(group * count * (plan.inputPanels * width));
      Val zeros = k.real(0, k.vectorType(k.f32Type(), lanes));
      k.forEach(k.integer(0), count * (plan.inputPanels * width), [&](Val i) { part.storeVector(i, zeros); }, lanes);
      k.forEach(group * plan.slabs / plan.groups, (group + 1) * plan.slabs / plan.groups,
                [&](Val at) { addSlab(at * slab()); });
    });
  }

private:
  int64_t slab() { return plan.panels * words; }
  /// Numbers of a chain that one word of the gradients' products holds.
  int64_t group() { return rowsOfWord(plan.tileWords); }
  int64_t chunkWords() { return plan.chunk / group(); }
  int64_t slabSize() { return slab() * plan.inputPanels * width; }

  void addSlab(Val word) {
    Val here = min(k.integer(spec.vocab) - word, k.integer(slab()));
    packWeights(word, here);
    sumByLeaves(k, leaves, rows.start, sums, slabSize(), lanes, [&](Val first, Val last, const Buffer &ofLeaf) {
      k.forEach(
          first, last, [&](Val row) { addChunk(row, min(last - row, k.integer(plan.chunk)), word, here, ofLeaf); },
          plan.chunk);
    });
    k.forEach(k.integer(0), here, [&](Val v) { store(word + v, v); });
  }

  /// The slab's weights for both products.
  void packWeights(Val word, Val here) {
    Val stride = k.integer(spec.inputs);
    Buffer from = w.at(word * spec.inputs);
    k.forEach(
        k.integer(0), here,
        [&](Val v) {
          k.call(emitTransposeWords(k.module, plan.weightWords, lanes),
                 {from.at(v * spec.inputs).base(), stride, min(here - v, k.integer(words)), k.integer(spec.inputs),
                  byWords.at(v * spec.inputs).base(), k.integer(words)});
        },
        words);
    k.forEach(0, plan.inputPanels, [&](Val p) {
      k.call(
          emitPackWords(k.module, plan.weightRows, lanes, width),
          {from.at(p * width).base(), stride, here, columnsAt(p), byInputs.at(p * (slab() / group() * width)).base()});
    });
  }

  Val columnsAt(Val panel) { return min(k.integer(spec.inputs) - panel * width, k.integer(width)); }

  /// Adds the rows of a chunk to the slab's part of dw, and the slab to the chunk's part of dx.
  void addChunk(Val row, Val rowCount, Val word, Val here, const Buffer &ofLeaf) {
    Buffer in = x.at(row * spec.inputs);
    k.forEach(0, plan.inputPanels, [&](Val p) {
      k.call(emitPackWords(k.module, plan.rowWords, lanes, width),
             {in.at(p * width).base(), k.integer(spec.inputs), rowCount, columnsAt(p),
              packedRows.at(p * (chunkWords() * width)).base()});
    });
    k.forEach(
        k.integer(0), here,
        [&](Val v) {
          Val wordsHere = min(here - v, k.integer(words));
          gradientsOfLogits(row, rowCount, in, v, word + v, wordsHere);
          multiply(row, rowCount, v, wordsHere, ofLeaf);
        },
        words);
  }

  /// The tile of one panel of words, and the same turned.
  void gradientsOfLogits(Val row, Val rowCount, const Buffer &in, Val v, Val word, Val wordsHere) {
    Val zeros = k.real(0, k.vectorType(k.f32Type(), lanes));
    k.forEach(k.integer(0), rowCount * words, [&](Val i) { logits.storeVector(i, zeros); }, lanes);
    k.call(emitAddProduct(k.module, plan.logits),
           {in.base(), rowOffsets.base(), rowCount, byWords.at(v * spec.inputs).base(), k.integer(spec.inputs),
            logits.base()});
    k.forEach(k.integer(0), rowCount, [&](Val i) {
      Buffer from = logits.at(i * words), to = tile.at(i * words);
      Val logSum = lse.load(row + i), place = targets.load(ref::rowId(rows, row + i)) - word;
      Val isHere = (k.integer(0) <= place) & (place < wordsHere);
      Val ofTarget = k.choose(isHere, [&] { return from.load(place); }, [&] { return k.real(0, Scalar::F32); });
      for (int64_t at = 0; at < words; at += lanes) {
        Val logit = softCap(from.loadVector(k.integer(at), lanes), spec.softCap);
        Val p = exp(logit - splat(logSum, lanes));
        to.storeVector(k.integer(at), rounded(throughSoftCap(p * splat(scale, lanes), logit, spec.softCap)));
      }
      k.when(isHere, [&] {
        Val logit = softCap(ofTarget, spec.softCap), g = (exp(logit - logSum) - k.real(1, Scalar::F32)) * scale;
        to.store(place, rounded(throughSoftCap(g, logit, spec.softCap)));
      });
    });
    k.call(emitTransposeWords(k.module, plan.tileWords, lanes),
           {tile.base(), k.integer(words), rowCount, wordsHere, turned.base(), k.integer(chunkWords())});
  }

  /// To U, where it is not done by storing.
  Val rounded(Val g) {
    return spec.operand == Scalar::BF16 && plan.gradients.in == Scalar::F32 ? widenBF16(narrowBF16(g)) : g;
  }

  void multiply(Val row, Val rowCount, Val v, Val wordsHere, const Buffer &ofLeaf) {
    func::FuncOp product = emitAddProduct(k.module, plan.gradients);
    k.forEach(0, plan.inputPanels, [&](Val p) {
      k.call(product, {turned.base(), turnedOffsets.base(), wordsHere, packedRows.at(p * (chunkWords() * width)).base(),
                       rowCount, ofLeaf.at((p * slab() + v) * width).base()});
      k.call(product,
             {tile.base(), tileOffsets.base(), rowCount, byInputs.at((p * slab() + v) / group() * width).base(),
              wordsHere, part.at((p * count + row) * width).base()});
    });
  }

  /// Writes the row of dw of a word, the v-th of its slab.
  void store(Val word, Val v) {
    k.forEach(0, plan.inputPanels, [&](Val p) {
      Buffer from = sums.at((p * slab() + v) * width), to = dw.at(word * spec.inputs + p * width);
      storeColumns(k, from, to, columnsAt(p), spec.inputs, lanes);
    });
  }

  KernelBuilder &k;
  const CrossEntropyGradSpec &spec;
  const Plan &plan;
  int64_t lanes, words, width;
  Buffer leaves;
  Rows rows;
  Buffer targets, hyper, x, w, lse, dw, parts;
  Buffer byWords, byInputs, packedRows, logits, tile, turned, sums, rowOffsets, tileOffsets, turnedOffsets, part;
  Val scale, count;
};

} // namespace

/// Adds the groups' parts of dx.
static void emitSum(KernelBuilder &k, const CrossEntropyGradSpec &spec, const Plan &plan) {
  int64_t lanes = plan.logits.lanes, width = plan.gradients.panel;
  Buffer start = k.buffer(Elem::I32), parts = k.buffer(Elem::F32), dx = k.buffer(Elem::F32);
  Buffer sums = k.scratch(Elem::F32, width);
  Val count = k.rowCount(start), groupSize = count * (plan.inputPanels * width);
  forEachRow(k, start, [&](Val row) {
    k.forEach(0, plan.inputPanels, [&](Val p) {
      Buffer from = parts.at((p * count + row) * width);
      for (int64_t at = 0; at < width; at += lanes) {
        Val sum = from.loadVector(k.integer(at), lanes);
        for (int64_t group = 1; group < plan.groups; ++group)
          sum = sum + from.loadVector(groupSize * group + at, lanes);
        sums.storeVector(k.integer(at), sum);
      }
      Val columns = min(k.integer(spec.inputs) - p * width, k.integer(width));
      storeColumns(k, sums, dx.at(row * spec.inputs + p * width), columns, spec.inputs, lanes);
    });
  });
}

CrossEntropyGrad getOrEmitGrad(ModuleOp kernels, const Isa &isa, const CrossEntropyGradSpec &spec) {
  Plan plan = planOf(isa, spec);
  std::string shape = std::to_string(spec.inputs) + "x" + std::to_string(spec.vocab);
  std::string gradients =
      emitKernel(kernels, symbolOf({"cpu_cross_entropy_grad", nameOf(spec.operand), shape, capName(spec.softCap)}),
                 [&](KernelBuilder &k) { LossGrad(k, spec, plan).build(); });
  std::string sum = emitKernel(kernels, symbolOf({"cpu_cross_entropy_grad_sum", shape}),
                               [&](KernelBuilder &k) { emitSum(k, spec, plan); });
  return {{gradients, Grid{/*tokens=*/0, /*seqs=*/0, /*outputs=*/0, /*constant=*/plan.groups}},
          {sum, Grid{/*tokens=*/1}}};
}

} // namespace chimera::cpu
