// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-ref/TrainingCheck.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

constexpr int64_t heads = 4, headSize = 3;
const Types exact{Scalar::F64, Scalar::F64};

/// Four sequences, one of them of one row.
const Batch batch = wholeSequences({7, 1, 5, 4});
const std::vector<bool> everyRow(17, true);
/// The first sequence begins with a row outside, the third has none inside.
const std::vector<bool> someOfThem = {false, true,  true,  false, true, false, true, true, false,
                                      false, false, false, false, true, true,  true, true};
/// Some rows that are not among those.
const std::vector<bool> others = {true, false, true, true, false, true, false, false, true,
                                  true, true,  true, true, false, true, true,  false};

struct Case {
  SeqAttendSpec spec;
  RowSet own, keys;
  /// q, k, v, then write or (ownKey, ownValue).
  Tensors in;

  int64_t kvWidth() const { return spec.kvHeads * headSize; }
};

Case makeCase(SeqAttendSpec spec, const std::vector<bool> &own, const std::vector<bool> &keys) {
  Case c{spec, someRows(batch, own, 2), someRows(batch, keys, 1), {}};
  c.in = {exactTensor(c.own.count() * heads * headSize, 1), exactTensor(c.keys.count() * c.kvWidth(), 2),
          exactTensor(c.keys.count() * c.kvWidth(), 3)};
  if (spec.weighted)
    c.in.push_back(exactTensor(c.keys.count(), 4));
  if (spec.tentative)
    for (uint64_t seed : {5, 6})
      c.in.push_back(exactTensor(c.own.count() * c.kvWidth(), seed));
  return c;
}

/// Windows that cut and that do not; every way in which own rows and key rows can lie.
std::vector<Case> allCases() {
  std::vector<Case> cases;
  for (int64_t window : {-1, 1, 3})
    for (int64_t kvHeads : window < 0 ? std::vector<int64_t>{4, 2, 1} : std::vector<int64_t>{2}) {
      auto spec = [&](bool weighted, bool tentative) {
        return SeqAttendSpec{heads, kvHeads, headSize, window, 0.6, weighted, tentative, Scalar::F64, Scalar::F64};
      };
      cases.push_back(makeCase(spec(false, false), someOfThem, someOfThem));
      cases.push_back(makeCase(spec(true, false), someOfThem, everyRow));
      cases.push_back(makeCase(spec(false, false), others, someOfThem)); // some own rows attend to nothing
      cases.push_back(makeCase(spec(true, false), everyRow, someOfThem));
      cases.push_back(makeCase(spec(false, true), everyRow, someOfThem));
      cases.push_back(makeCase(spec(false, true), someOfThem, everyRow));
      if (kvHeads == 2) // a cap that bends scores, which are up to 1 or so
        for (bool tentative : {false, true}) {
          SeqAttendSpec capped = spec(!tentative, tentative);
          capped.softCap = 0.3;
          cases.push_back(makeCase(capped, someOfThem, everyRow));
        }
    }
  return cases;
}

void addOperands(Launch &launch, const Case &c, Types types, const Tensors &in, bool withOwn = true) {
  for (size_t i = 0; i < in.size(); ++i)
    if (i < 3 || c.spec.weighted || withOwn)
      add(launch, i == 3 && c.spec.weighted ? types.type : types.operand, in[i]);
}

SeqAttendSpec withTypes(SeqAttendSpec spec, Types types) {
  spec.operand = types.operand, spec.type = types.type;
  return spec;
}

/// out and lse.
Tensors runForward(const Case &c, Types types, const Tensors &in) {
  Launch launch;
  c.own.addTo(launch, batch);
  c.keys.addTo(launch, batch);
  addOperands(launch, c, types, in);
  size_t out = addResult(launch, types.type, c.own.count() * heads * headSize);
  size_t lse = addResult(launch, types.type, c.own.count() * heads);
  compiled(withTypes(c.spec, types)).run(launch, batch.sizes());
  return {get(launch, types.type, out), get(launch, types.type, lse)};
}

Tensors getAll(const Launch &launch, Scalar type, const std::vector<size_t> &places) {
  Tensors results;
  for (size_t place : places)
    results.push_back(get(launch, type, place));
  return results;
}

/// The gradients of the operands, in their order.
Tensors runGrad(const Case &c, Types types, const Tensors &forward, const Tensor &dout) {
  SeqAttendSpec spec = withTypes(c.spec, types);
  Launch queries;
  c.own.addTo(queries, batch);
  c.keys.addTo(queries, batch);
  addOperands(queries, c, types, c.in);
  for (const Tensor &t : {forward[0], forward[1], dout})
    add(queries, types.type, t);
  std::vector<size_t> places = {addResult(queries, types.type, dout.size()),
                                addResult(queries, types.type, c.own.count() * heads)};
  if (spec.tentative)
    for (int i = 0; i < 2; ++i)
      places.push_back(addResult(queries, types.type, c.own.count() * c.kvWidth()));
  compileKernel([&](mlir::ModuleOp m) { return getOrEmitGrad(m, spec).queries; }).run(queries, batch.sizes());
  Tensors ofQueries = getAll(queries, types.type, places);

  Launch keys;
  c.keys.addTo(keys, batch);
  c.own.addTo(keys, batch);
  addOperands(keys, c, types, c.in, /*withOwn=*/false);
  for (const Tensor &t : {forward[1], ofQueries[1], dout})
    add(keys, types.type, t);
  places = {addResult(keys, types.type, c.in[1].size()), addResult(keys, types.type, c.in[2].size())};
  if (spec.weighted)
    places.push_back(addResult(keys, types.type, c.keys.count()));
  compileKernel([&](mlir::ModuleOp m) { return getOrEmitGrad(m, spec).keys; }).run(keys, batch.sizes());
  Tensors gradients = getAll(keys, types.type, places);
  gradients.insert(gradients.begin(), ofQueries[0]);
  if (spec.tentative)
    gradients.insert(gradients.end(), ofQueries.begin() + 2, ofQueries.end());
  return gradients;
}

/// A key row that an own row attends to, or -1 for its own entry.
std::vector<int64_t> attendedBy(const Case &c, int64_t row) {
  int32_t id = c.own.index[c.own.start[0] + row], sequence = batch.sequence[id];
  std::vector<int64_t> entries;
  int64_t base = c.keys.start[sequence], count = c.keys.start[sequence + 1] - base, below = 0;
  while (below < count && c.keys.index[base + below] < id)
    ++below;
  for (int64_t e = 0; e < count; ++e) {
    bool isOwn = c.keys.index[base + e] == id;
    bool inTime = e < below || (e == below && isOwn && !c.spec.tentative);
    if (inTime && (c.spec.window < 0 || e > below - c.spec.window))
      entries.push_back(base - c.keys.start[0] + e);
  }
  if (c.spec.tentative)
    entries.push_back(-1);
  return entries;
}

Tensors plainForward(const Case &c) {
  Tensors result(2);
  for (int64_t row = 0; row < c.own.count(); ++row)
    for (int64_t head = 0; head < heads; ++head) {
      int64_t column = head * c.spec.kvHeads / heads * headSize;
      long double sum = 0, out[headSize] = {};
      for (int64_t e : attendedBy(c, row)) {
        const double *key = e < 0 ? &c.in[3][row * c.kvWidth() + column] : &c.in[1][e * c.kvWidth() + column];
        const double *value = e < 0 ? &c.in[4][row * c.kvWidth() + column] : &c.in[2][e * c.kvWidth() + column];
        long double score = 0;
        for (int64_t d = 0; d < headSize; ++d)
          score += static_cast<long double>(c.in[0][(row * heads + head) * headSize + d]) * key[d];
        score *= c.spec.scale;
        if (c.spec.softCap)
          score = *c.spec.softCap * tanhl(score / *c.spec.softCap);
        score += c.spec.weighted ? c.in[3][e] : 0;
        sum += expl(score);
        for (int64_t d = 0; d < headSize; ++d)
          out[d] += expl(score) * value[d];
      }
      for (long double v : out)
        result[0].push_back(static_cast<double>(sum > 0 ? v / sum : 0));
      result[1].push_back(static_cast<double>(sum > 0 ? logl(sum) : 0));
    }
  return result;
}

TEST(RefTrainingAttention, EachRowAttendsToItsEntries) {
  for (const Case &c : allCases()) {
    Tensors expected = plainForward(c);
    for (Types types : allTypes) {
      Tensors got = runForward(c, types, c.in);
      expectNear(got[0], expected[0], types.type == Scalar::F64 ? 1e-14 : 1e-6);
      expectNear(got[1], expected[1], types.type == Scalar::F64 ? 1e-14 : 1e-6);
    }
  }
}

/// Inference over the whole sequences from an empty ring gives the same bits.
TEST(RefTrainingAttention, TheOutputIsThatOfInference) {
  constexpr int64_t window = 3, kvHeads = 2;
  for (auto [weighted, softCap] :
       {std::pair<bool, std::optional<double>>{false, std::nullopt}, {true, std::nullopt}, {true, 0.3}})
    for (Types types : allTypes) {
      SeqAttendSpec spec{heads, kvHeads, headSize, window, 0.6, weighted, false, types.operand, types.type, softCap};
      Case c = makeCase(spec, someOfThem, everyRow);
      c.keys = allRows(batch);
      CacheSpec cache{CacheKind::Ring, kvHeads, headSize, window, weighted, types.operand, types.type};
      Launch launch;
      c.own.addTo(launch, batch);
      c.keys.addTo(launch, batch);
      addOperands(launch, c, types, c.in);
      for (int i = 0; i < 2; ++i)
        add(launch, types.operand, Tensor(batch.seqs() * window * kvHeads * headSize));
      if (weighted)
        add(launch, types.type, Tensor(batch.seqs() * window));
      launch.add(std::vector<int64_t>(batch.seqs(), 0));
      size_t out = addResult(launch, types.type, c.in[0].size());
      compiled(AttendSpec{cache, heads, 0.6, /*separate=*/true, softCap}).run(launch, batch.sizes());
      EXPECT_EQ(runForward(c, types, c.in)[0], get(launch, types.type, out));
    }
}

TEST(RefTrainingAttention, EveryOperandHasItsGradient) {
  for (const Case &c : allCases()) {
    Tensor dout = exactTensor(c.own.count() * heads * headSize, 7);
    Tensors got = runGrad(c, exact, runForward(c, exact, c.in), dout);
    expectGradients(c.in, got, [&](const Tensors &in) { return inner(runForward(c, exact, in)[0], dout); }, 5);
    for (Types types : {allTypes[1], allTypes[2]}) {
      Tensors narrow = runGrad(c, types, runForward(c, types, c.in), dout);
      for (size_t i = 0; i < got.size(); ++i)
        expectNear(narrow[i], got[i], 3e-6);
    }
  }
}

TEST(RefTrainingAttention, ANaNSequenceLeavesTheOthersAsTheyWere) {
  for (bool tentative : {false, true}) {
    SeqAttendSpec spec{heads, 2, headSize, -1, 0.6, false, tentative, Scalar::F64, Scalar::F64};
    Case clean = makeCase(spec, everyRow, everyRow), dirty = clean;
    for (Tensor &t : dirty.in)
      t[0] = std::nan(""); // in the first row of the first sequence
    Tensor dout = exactTensor(clean.own.count() * heads * headSize, 7);
    Tensors a = runGrad(clean, exact, runForward(clean, exact, clean.in), dout);
    Tensors b = runGrad(dirty, exact, runForward(dirty, exact, dirty.in), dout);
    EXPECT_TRUE(std::isnan(b[0][0]));
    for (size_t i = 0; i < a.size(); ++i) {
      auto firstOther = static_cast<ptrdiff_t>(a[i].size() / 17 * 7);
      EXPECT_TRUE(std::equal(a[i].begin() + firstOther, a[i].end(), b[i].begin() + firstOther)) << "operand " << i;
    }
  }
}

} // namespace
