// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingAttention.h"
#include "test/codegen-cpu/CpuKernel.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::cpu::test {
namespace {

using ref::SeqAttendSpec;
using ref::test::expectNear;
using ref::test::randomVector;
using ref::test::someRows;

using Floats = std::vector<float>;
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// The launches of a spec's gradient, as specs of their own.
struct QueriesGradSpec {
  SeqAttendSpec attend;
};
struct KeysGradSpec {
  SeqAttendSpec attend;
};
Kernel getOrEmit(mlir::ModuleOp m, const Isa &isa, const QueriesGradSpec &spec) {
  return getOrEmitGrad(m, isa, spec.attend).queries;
}
Kernel getOrEmit(mlir::ModuleOp m, const Isa &isa, const KeysGradSpec &spec) {
  return getOrEmitGrad(m, isa, spec.attend).keys;
}
Kernel getOrEmit(mlir::ModuleOp m, const QueriesGradSpec &spec) {
  return ref::getOrEmitGrad(m, spec.attend).queries;
}
Kernel getOrEmit(mlir::ModuleOp m, const KeysGradSpec &spec) {
  return ref::getOrEmitGrad(m, spec.attend).keys;
}

/// More than a tile, a row, nothing, some blocks and a bit, less than a vector.
const Batch batch({37, 1, 0, 75, 5}, {0, 1, 2, 3, 4}, {0, 0, 0, 0, 0});

std::vector<bool> rowsWhere(const std::function<bool(int64_t row)> &isIn) {
  std::vector<bool> rows;
  for (int64_t row = 0; row < batch.tokens(); ++row)
    rows.push_back(isIn(row));
  return rows;
}
const std::vector<bool> all = rowsWhere([](int64_t) { return true; });
/// Without the first row of the longest sequence, and with some runs of rows.
const std::vector<bool> some = rowsWhere([](int64_t row) { return row != 38 && row % 5 != 3 && row / 11 % 3 != 1; });
const std::vector<bool> others = rowsWhere([](int64_t row) { return row % 3 == 0 || row == 37; });

struct Case {
  SeqAttendSpec spec;
  RowSet own, keys;
  Floats q, k, v, write, ownK, ownV;
  Floats dout;

  int64_t width() const { return spec.heads * spec.headSize; }
  int64_t kvWidth() const { return spec.kvHeads * spec.headSize; }
};

Case makeCase(const SeqAttendSpec &spec, const std::vector<bool> &own, const std::vector<bool> &keys) {
  Case c{spec, someRows(batch, own, 2), someRows(batch, keys, 1), {}, {}, {}, {}, {}, {}, {}};
  c.q = randomVector<float>(c.own.count() * c.width(), 1);
  c.k = randomVector<float>(c.keys.count() * c.kvWidth(), 2);
  c.v = randomVector<float>(c.keys.count() * c.kvWidth(), 3);
  c.write = randomVector<float>(c.keys.count(), 4);
  c.ownK = randomVector<float>(c.own.count() * c.kvWidth(), 5);
  c.ownV = randomVector<float>(c.own.count() * c.kvWidth(), 6);
  c.dout = randomVector<float>(c.own.count() * c.width(), 7);
  return c;
}

struct Shape {
  int64_t heads, kvHeads, headSize;
};

enum class Kind { Plain, Weighted, Tentative };

SeqAttendSpec specOf(const Shape &shape, int64_t window, Kind kind, Scalar operand) {
  return {shape.heads, shape.kvHeads, shape.headSize, window, 1.5, kind == Kind::Weighted, kind == Kind::Tentative,
          operand,     Scalar::F32};
}

/// Ways in which own rows and key rows can lie.
std::vector<Case> casesOf(const SeqAttendSpec &spec) {
  if (spec.weighted)
    return {makeCase(spec, some, all), makeCase(spec, others, some)};
  if (spec.tentative)
    return {makeCase(spec, all, some), makeCase(spec, some, some)};
  // In the last, some own rows attend to nothing.
  return {makeCase(spec, all, all), makeCase(spec, some, some), makeCase(spec, others, some)};
}

/// The best ISA of each width of vectors: nothing else matters to these kernels.
std::vector<Isa> widths() {
  std::vector<Isa> found;
  for (const Isa &isa : hostIsas())
    if (std::none_of(found.begin(), found.end(), [&](const Isa &other) { return other.lanes == isa.lanes; }))
      found.push_back(isa);
  return found;
}

void addOperand(Launch &launch, const Case &c, const Floats &values) {
  c.spec.operand == Scalar::BF16 ? launch.add(toBF16(values)) : launch.add(values);
}

void addOperands(Launch &launch, const Case &c, bool withOwn) {
  for (const Floats *values : {&c.q, &c.k, &c.v})
    addOperand(launch, c, *values);
  if (c.spec.weighted)
    launch.add(c.write);
  if (c.spec.tentative && withOwn)
    for (const Floats *values : {&c.ownK, &c.ownV})
      addOperand(launch, c, *values);
}

/// All results, of the forward launch and of the two of the gradient.
struct Results {
  Floats out, lse, dq, delta, dOwnK, dOwnV, dk, dv, dwrite;
};
std::vector<std::pair<const char *, Floats Results::*>> members() {
  return {{"out", &Results::out},     {"lse", &Results::lse},     {"dq", &Results::dq},
          {"delta", &Results::delta}, {"dOwnK", &Results::dOwnK}, {"dOwnV", &Results::dOwnV},
          {"dk", &Results::dk},       {"dv", &Results::dv},       {"dwrite", &Results::dwrite}};
}

/// On the ref target without an ISA.
template <typename Spec> void runOn(const Isa *isa, const Spec &spec, Launch &launch) {
  isa ? runKernel(*isa, spec, launch, batch.sizes()) : ref::test::runKernel(spec, launch, batch.sizes());
}

Results run(const Isa *isa, const Case &c) {
  Results r;
  Launch forward;
  c.own.addTo(forward, batch);
  c.keys.addTo(forward, batch);
  addOperands(forward, c, /*withOwn=*/true);
  size_t out = forward.add(Floats(c.q.size(), nan)), lse = forward.add(Floats(c.own.count() * c.spec.heads, nan));
  runOn(isa, c.spec, forward);
  r.out = forward.get<float>(out), r.lse = forward.get<float>(lse);

  Launch queries;
  c.own.addTo(queries, batch);
  c.keys.addTo(queries, batch);
  addOperands(queries, c, /*withOwn=*/true);
  for (const Floats *values : std::initializer_list<const Floats *>{&r.out, &r.lse, &c.dout})
    queries.add(*values);
  size_t dq = queries.add(Floats(c.q.size(), nan)), delta = queries.add(Floats(r.lse.size(), nan));
  size_t dOwnK = 0, dOwnV = 0;
  if (c.spec.tentative)
    dOwnK = queries.add(Floats(c.ownK.size(), nan)), dOwnV = queries.add(Floats(c.ownK.size(), nan));
  runOn(isa, QueriesGradSpec{c.spec}, queries);
  r.dq = queries.get<float>(dq), r.delta = queries.get<float>(delta);
  if (c.spec.tentative)
    r.dOwnK = queries.get<float>(dOwnK), r.dOwnV = queries.get<float>(dOwnV);

  Launch keys;
  c.keys.addTo(keys, batch);
  c.own.addTo(keys, batch);
  addOperands(keys, c, /*withOwn=*/false);
  for (const Floats *values : std::initializer_list<const Floats *>{&r.lse, &r.delta, &c.dout})
    keys.add(*values);
  size_t dk = keys.add(Floats(c.k.size(), nan)), dv = keys.add(Floats(c.k.size(), nan)), dwrite = 0;
  if (c.spec.weighted)
    dwrite = keys.add(Floats(c.write.size(), nan));
  runOn(isa, KeysGradSpec{c.spec}, keys);
  r.dk = keys.get<float>(dk), r.dv = keys.get<float>(dv);
  if (c.spec.weighted)
    r.dwrite = keys.get<float>(dwrite);
  return r;
}

TEST(CpuTrainingAttention, IsTheRefAttentionButForExp) {
  const Shape narrow{4, 2, 16};
  std::vector<SeqAttendSpec> specs;
  for (Kind kind : {Kind::Plain, Kind::Weighted, Kind::Tentative})
    specs.push_back(specOf(narrow, 40, kind, Scalar::F32));
  specs.push_back(specOf(narrow, -1, Kind::Plain, Scalar::F32));
  specs.push_back(specOf({3, 3, 5}, 1, Kind::Plain, Scalar::F32));
  specs.push_back(specOf({2, 1, 36}, 3, Kind::Tentative, Scalar::BF16));
  specs.push_back(specOf({1, 1, 128}, -1, Kind::Weighted, Scalar::BF16));
  for (Kind kind : {Kind::Weighted, Kind::Tentative}) { // scores are up to 8 or so
    specs.push_back(specOf(narrow, 40, kind, kind == Kind::Weighted ? Scalar::F32 : Scalar::BF16));
    specs.back().softCap = 2;
  }
  for (const SeqAttendSpec &spec : specs)
    for (const Case &c : casesOf(spec)) {
      Results expected = run(nullptr, c);
      for (const Isa &isa : widths()) {
        SCOPED_TRACE(isa.name + ", head size " + std::to_string(spec.headSize) + ", window " +
                     std::to_string(spec.window) + (spec.weighted ? ", weighted" : "") +
                     (spec.tentative ? ", tentative" : "") + (spec.softCap ? ", capped" : ""));
        Results result = run(&isa, c);
        for (auto [name, member] : members()) {
          SCOPED_TRACE(name);
          // A probability is within some ulp of the greatest score, at most 1.5 headSize / 3 or so, and its
          // gradients by as much again; sums have at most 75 terms.
          expectNear(result.*member, expected.*member, 0x1p-24 * 24 * std::sqrt(spec.headSize));
        }
      }
    }
}

/// The results of the rows of one sequence.
Floats rowsOf(const Floats &values, const RowSet &rows, int64_t sequence) {
  int64_t width = rows.count() ? static_cast<int64_t>(values.size()) / rows.count() : 0;
  int32_t base = rows.start[0];
  return {values.begin() + (rows.start[sequence] - base) * width,
          values.begin() + (rows.start[sequence + 1] - base) * width};
}

TEST(CpuTrainingAttention, ANaNGoesToTheRowsThatAttendToIt) {
  for (int64_t window : {-1, 40})
    for (const Isa &isa : widths()) {
      Case c = makeCase(specOf({4, 2, 16}, window, Kind::Plain, Scalar::F32), all, all), dirty = c;
      int64_t entry = 38 + 20; // entry 20 of the fourth sequence
      for (int64_t d = 0; d < 16; ++d)
        dirty.v[entry * c.kvWidth() + d] = nan; // of its first kv head
      Results clean = run(&isa, c), beside = run(&isa, dirty);
      for (int64_t row = 0; row < batch.tokens(); ++row)
        for (int64_t head = 0; head < 4; ++head) {
          bool reads = head < 2 && row >= entry && row < 38 + 75 && (window < 0 || row < entry + window);
          for (int64_t i = (row * 4 + head) * 16; i < (row * 4 + head + 1) * 16; ++i) {
            ASSERT_TRUE(reads ? std::isnan(beside.out[i]) : beside.out[i] == clean.out[i])
                << isa.name << ", row " << row << ", head " << head;
            ASSERT_TRUE(reads ? std::isnan(beside.dq[i]) : beside.dq[i] == clean.dq[i])
                << isa.name << ", row " << row << ", head " << head;
          }
        }
      // Entries after all rows that have a NaN see none of it.
      for (int64_t s : {0, 1, 4}) {
        EXPECT_EQ(rowsOf(beside.dk, c.keys, s), rowsOf(clean.dk, c.keys, s)) << isa.name;
        EXPECT_EQ(rowsOf(beside.dv, c.keys, s), rowsOf(clean.dv, c.keys, s)) << isa.name;
      }
    }
}

/// The case without the rows of other sequences.
Case onlyFourth(const Case &c, const std::vector<bool> &own, const std::vector<bool> &keys) {
  auto cut = [](const std::vector<bool> &rows) {
    return rowsWhere([&](int64_t row) { return rows[row] && row >= 38 && row < 113; });
  };
  Case only = c;
  only.own = someRows(batch, cut(own), 0), only.keys = someRows(batch, cut(keys), 3);
  for (auto member : {&Case::q, &Case::ownK, &Case::ownV, &Case::dout})
    only.*member = rowsOf(c.*member, c.own, 3);
  for (auto member : {&Case::k, &Case::v, &Case::write})
    only.*member = rowsOf(c.*member, c.keys, 3);
  return only;
}

TEST(CpuTrainingAttention, ASequenceAloneHasTheBitsThatItHasInABatch) {
  for (Kind kind : {Kind::Weighted, Kind::Tentative})
    for (const Isa &isa : widths()) {
      Case c = makeCase(specOf({4, 2, 16}, 40, kind, Scalar::F32), all, some);
      Results batched = run(&isa, c), alone = run(&isa, onlyFourth(c, all, some));
      for (auto [name, member] : members()) {
        bool isOfKeys = member == &Results::dk || member == &Results::dv || member == &Results::dwrite;
        EXPECT_EQ(rowsOf(batched.*member, isOfKeys ? c.keys : c.own, 3), alone.*member) << isa.name << ", " << name;
      }
    }
}

} // namespace
} // namespace chimera::cpu::test
