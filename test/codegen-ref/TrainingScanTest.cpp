// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-ref/TrainingCheck.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <tuple>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

constexpr int64_t heads = 4, headSize = 2, stateSize = 3;
constexpr int64_t mode = 2;

/// The slice's sequences have 2 whole blocks and a part, one row more than a block, none, one row, and a whole block.
struct Setting {
  Batch batch;
  RowSet slice;
  std::vector<int8_t> modes; // by row id
};

Setting makeSetting(const std::vector<int64_t> &lengths) {
  std::vector<int64_t> padded;
  for (int64_t length : lengths)
    padded.push_back(length + 2);
  Setting s{wholeSequences(padded), {{}, {}}, {}};
  std::vector<bool> keep(s.batch.tokens(), true);
  for (int64_t q = 0; q < s.batch.seqs(); ++q) // without the second and the last row
    keep[s.batch.start[q] + 1] = keep[s.batch.start[q + 1] - 1] = false;
  s.slice = someRows(s.batch, keep, 5);
  for (int64_t r = 0; r < s.batch.tokens(); ++r)
    s.modes.push_back(r * r % 7 < 4 ? mode : 1);
  return s;
}

const Setting setting = makeSetting({69, 33, 0, 1, 32});
const int64_t rows = setting.slice.count();

/// xbc, dt, A_log, D, dt_bias, write.
Tensors makeSsm(const SeqSsmScanSpec &spec) {
  Tensors in = {exactTensor(rows * (heads * headSize + 2 * spec.groups * stateSize), 1),
                exactTensor(rows * heads, 2),
                exactTensor(heads, 3),
                exactTensor(heads, 4),
                exactTensor(heads, 5),
                exactTensor(rows, 6)};
  for (double &v : in[2])
    v -= 3; // states that last for many rows
  // No step size so near a bound that differences would cross it.
  for (int64_t i = 0; i < rows * heads; ++i)
    for (double bound : {spec.dtMin, spec.dtMax})
      while (std::abs(std::log1p(std::exp(in[1][i] + in[4][i % heads])) - bound) < 0.01)
        in[1][i] += 0.03125;
  return in;
}

SeqSsmScanSpec ssmSpec(int64_t groups, bool clamped, bool weighted, bool masked) {
  return {heads,
          headSize,
          stateSize,
          groups,
          clamped ? 0.5 : 0.0,
          clamped ? 0.9 : std::numeric_limits<double>::infinity(),
          weighted,
          masked,
          Scalar::F64};
}

std::vector<SeqSsmScanSpec> allSsmSpecs() {
  std::vector<SeqSsmScanSpec> specs;
  for (int flags = 0; flags < 8; ++flags)
    specs.push_back(ssmSpec(flags % 3 == 0 ? 1 : flags % 3 == 1 ? 2 : 4, flags & 1, flags & 2, flags & 4));
  return specs;
}

void addSsm(Launch &launch, const SeqSsmScanSpec &spec, const Tensors &in) {
  setting.slice.addTo(launch, setting.batch);
  for (size_t i = 0; i < in.size(); ++i)
    if (i < 5 || spec.weighted)
      add(launch, spec.type, in[i]);
  if (spec.masked)
    launch.add(setting.modes);
}

int64_t statesSize() {
  return rows * chimera::ir::scanStates(heads, headSize, stateSize);
}

/// y and the kept states.
Tensors runSsm(const SeqSsmScanSpec &spec, const Tensors &in) {
  Launch launch;
  addSsm(launch, spec, in);
  size_t states = addResult(launch, spec.type, statesSize());
  size_t y = addResult(launch, spec.type, rows * heads * headSize);
  compiled(spec).run(launch, setting.batch.sizes(), {mode});
  return {get(launch, spec.type, y), get(launch, spec.type, states)};
}

/// dxbc, ddt, dRate, dSkip, dwrite.
Tensors runSsmGrad(const SeqSsmScanSpec &spec, const Tensors &in, const Tensor &states, const Tensor &dy) {
  Launch launch;
  addSsm(launch, spec, in);
  add(launch, spec.type, states);
  add(launch, spec.type, dy);
  std::vector<size_t> places = {addResult(launch, spec.type, in[0].size())};
  for (int i = 0; i < 3; ++i)
    places.push_back(addResult(launch, spec.type, rows * heads));
  if (spec.weighted)
    places.push_back(addResult(launch, spec.type, rows));
  compileKernel([&](mlir::ModuleOp m) { return getOrEmitGrad(m, spec); }).run(launch, setting.batch.sizes(), {mode});
  Tensors results;
  for (size_t place : places)
    results.push_back(get(launch, spec.type, place));
  return results;
}

Tensor plainSsm(const SeqSsmScanSpec &spec, const Tensors &in) {
  const RowSet &slice = setting.slice;
  Tensor y(rows * heads * headSize);
  int64_t innerSize = heads * headSize, width = innerSize + 2 * spec.groups * stateSize;
  for (int64_t q = 0; q < setting.batch.seqs(); ++q)
    for (int64_t h = 0; h < heads; ++h) {
      double state[headSize][stateSize] = {};
      for (int64_t row = slice.start[q] - slice.start[0]; row < slice.start[q + 1] - slice.start[0]; ++row) {
        const double *x = &in[0][row * width + h * headSize];
        const double *b = &in[0][row * width + innerSize + h * spec.groups / heads * stateSize];
        const double *c = b + spec.groups * stateSize;
        double d = std::clamp(std::log1p(std::exp(in[1][row * heads + h] + in[4][h])), spec.dtMin, spec.dtMax);
        d *= spec.weighted ? std::exp(in[5][row]) : 1;
        double decay = std::exp(-std::exp(in[2][h]) * d);
        bool kept = !spec.masked || setting.modes[slice.index[slice.start[0] + row]] == mode;
        for (int64_t p = 0; p < headSize; ++p) {
          double sum = in[3][h] * x[p];
          for (int64_t n = 0; n < stateSize; ++n) {
            double next = decay * state[p][n] + d * x[p] * b[n];
            sum += next * c[n];
            state[p][n] = kept ? next : state[p][n];
          }
          y[row * innerSize + h * headSize + p] = sum;
        }
      }
    }
  return y;
}

TEST(RefTrainingScan, SsmFollowsTheRecurrenceWithAndWithoutItsVariants) {
  for (SeqSsmScanSpec spec : allSsmSpecs()) {
    Tensors in = makeSsm(spec);
    Tensor expected = plainSsm(spec, in);
    expectNear(runSsm(spec, in)[0], expected, 1e-13);
    spec.type = Scalar::F32;
    expectNear(runSsm(spec, in)[0], expected, 1e-5);
  }
}

TEST(RefTrainingScan, UnmaskedSsmIsThatOfInference) {
  for (bool weighted : {false, true})
    for (Scalar type : {Scalar::F64, Scalar::F32}) {
      SeqSsmScanSpec spec = ssmSpec(2, true, weighted, false);
      spec.type = type;
      Tensors in = makeSsm(spec);
      Launch launch;
      addSsm(launch, spec, in);
      add(launch, type, Tensor(setting.batch.seqs() * heads * headSize * stateSize));
      size_t y = addResult(launch, type, rows * heads * headSize);
      compiled(SsmScanSpec{heads, headSize, stateSize, 2, spec.dtMin, spec.dtMax, weighted, type})
          .run(launch, setting.batch.sizes());
      EXPECT_EQ(runSsm(spec, in)[0], get(launch, type, y));
    }
}

TEST(RefTrainingScan, SsmHasTheGradientOfEveryOperand) {
  for (SeqSsmScanSpec spec : allSsmSpecs()) {
    Tensors in = makeSsm(spec);
    Tensor dy = exactTensor(rows * heads * headSize, 7);
    Tensors got = runSsmGrad(spec, in, runSsm(spec, in)[1], dy);
    Tensors gradients = {got[0], got[1], columnSums(got[2], heads), columnSums(got[3], heads),
                         columnSums(got[1], heads)};
    if (spec.weighted)
      gradients.push_back(got[4]);
    expectGradients(in, gradients, [&](const Tensors &moved) { return inner(runSsm(spec, moved)[0], dy); }, 11);
    spec.type = Scalar::F32;
    Tensors narrow = runSsmGrad(spec, in, runSsm(spec, in)[1], dy);
    for (size_t i = 0; i < got.size(); ++i)
      expectNear(narrow[i], got[i], 2e-5);
  }
}

TEST(RefTrainingScan, AClampedStepSizePassesNothingOutsideItsBoundsAndAllAtThem) {
  SeqSsmScanSpec spec = ssmSpec(1, true, false, false);
  Tensors in = makeSsm(spec);
  Tensor dy = exactTensor(rows * heads * headSize, 7);
  auto gradients = [&] { return runSsmGrad(spec, in, runSsm(spec, in)[1], dy)[1]; };
  in[1].assign(in[1].size(), 0);
  in[4].assign(heads, 0);
  double middle = std::log(2.0); // softplus(0); the kernel's is within 2 ulp
  for (auto [low, high, passes] : std::vector<std::tuple<double, double, bool>>{
           {middle + 0.1, 2.0, false}, {0.0, middle - 0.1, false}, {0.0, 2.0, true}}) {
    spec.dtMin = low, spec.dtMax = high;
    Tensor ddt = gradients();
    EXPECT_EQ(std::all_of(ddt.begin(), ddt.end(), [](double v) { return v == 0; }), !passes);
  }
  // softplus(-1000) is 0, a bound; the slope there is 0 too, so a great input: softplus(50) = 50 to the last bit.
  in[1].assign(in[1].size(), 50);
  in[2].assign(heads, -8);
  spec.dtMin = 0, spec.dtMax = 50;
  Tensor atBound = gradients();
  spec.dtMax = 60;
  EXPECT_EQ(atBound, gradients());
  EXPECT_NE(atBound[0], 0);
}

struct Lti {
  SeqLtiScanSpec spec;
  Tensors in; // u, decay, write
};

Lti makeLti(bool weighted, bool masked) {
  return {{stateSize, weighted, masked, Scalar::F64},
          {exactTensor(rows * stateSize, 1), exactTensor(stateSize, 2), exactTensor(rows, 3)}};
}

void addLti(Launch &launch, const SeqLtiScanSpec &spec, const Tensors &in) {
  setting.slice.addTo(launch, setting.batch);
  for (size_t i = 0; i < in.size(); ++i)
    if (i < 2 || spec.weighted)
      add(launch, spec.type, in[i]);
  if (spec.masked)
    launch.add(setting.modes);
}

Tensor runLti(const SeqLtiScanSpec &spec, const Tensors &in) {
  Launch launch;
  addLti(launch, spec, in);
  size_t out = addResult(launch, spec.type, rows * stateSize);
  compiled(spec).run(launch, setting.batch.sizes(), {mode});
  return get(launch, spec.type, out);
}

/// du, dDecay, dwrite.
Tensors runLtiGrad(const SeqLtiScanSpec &spec, const Tensors &in, const Tensor &dout) {
  Launch launch;
  Tensor out = runLti(spec, in);
  addLti(launch, spec, in);
  add(launch, spec.type, out);
  add(launch, spec.type, dout);
  std::vector<size_t> places = {addResult(launch, spec.type, out.size()), addResult(launch, spec.type, out.size())};
  if (spec.weighted)
    places.push_back(addResult(launch, spec.type, rows));
  compileKernel([&](mlir::ModuleOp m) { return getOrEmitGrad(m, spec); }).run(launch, setting.batch.sizes(), {mode});
  Tensors results;
  for (size_t place : places)
    results.push_back(get(launch, spec.type, place));
  return results;
}

TEST(RefTrainingScan, LtiDecaysAndAddsWhatItKeeps) {
  for (int flags = 0; flags < 4; ++flags) {
    Lti c = makeLti(flags & 1, flags & 2);
    Tensor expected(rows * stateSize);
    const RowSet &slice = setting.slice;
    for (int64_t q = 0; q < setting.batch.seqs(); ++q)
      for (int64_t n = 0; n < stateSize; ++n) {
        double state = 0;
        for (int32_t j = slice.start[q]; j < slice.start[q + 1]; ++j) {
          int64_t row = j - slice.start[0];
          double input = c.in[0][row * stateSize + n] * (c.spec.weighted ? std::exp(c.in[2][row]) : 1);
          double next = state / (1 + std::exp(-c.in[1][n])) + input;
          expected[row * stateSize + n] = next;
          state = !c.spec.masked || setting.modes[slice.index[j]] == mode ? next : state;
        }
      }
    expectNear(runLti(c.spec, c.in), expected, 1e-14);
    c.spec.type = Scalar::F32;
    expectNear(runLti(c.spec, c.in), expected, 2e-6);
  }
}

TEST(RefTrainingScan, LtiHasTheGradientOfEveryOperand) {
  for (int flags = 0; flags < 4; ++flags) {
    Lti c = makeLti(flags & 1, flags & 2);
    Tensor dout = exactTensor(rows * stateSize, 4);
    Tensors got = runLtiGrad(c.spec, c.in, dout);
    Tensors gradients = {got[0], columnSums(got[1], stateSize)};
    if (c.spec.weighted)
      gradients.push_back(got[2]);
    expectGradients(c.in, gradients, [&](const Tensors &moved) { return inner(runLti(c.spec, moved), dout); }, 3);
    c.spec.type = Scalar::F32;
    Tensors narrow = runLtiGrad(c.spec, c.in, dout);
    for (size_t i = 0; i < got.size(); ++i)
      expectNear(narrow[i], got[i], 1e-5);
  }
}

TEST(RefTrainingScan, ANaNSequenceLeavesTheOthersAsTheyWere) {
  SeqSsmScanSpec spec = ssmSpec(2, false, true, true);
  Tensors clean = makeSsm(spec), dirty = clean;
  dirty[1][0] = std::numeric_limits<double>::quiet_NaN(); // in the first row of all
  Tensor dy = exactTensor(rows * heads * headSize, 7);
  Tensors a = runSsmGrad(spec, clean, runSsm(spec, clean)[1], dy);
  Tensors b = runSsmGrad(spec, dirty, runSsm(spec, dirty)[1], dy);
  EXPECT_TRUE(std::isnan(b[1][0]));
  int64_t ofFirst = setting.slice.start[1] - setting.slice.start[0];
  for (size_t i = 0; i < a.size(); ++i) {
    auto rest = static_cast<ptrdiff_t>(a[i].size() / rows * ofFirst);
    EXPECT_TRUE(std::equal(a[i].begin() + rest, a[i].end(), b[i].begin() + rest)) << "result " << i;
  }
}

constexpr double infinity = std::numeric_limits<double>::infinity();

/// One head whose state is larger than what a kernel has in its frame at once.
struct Wide {
  SeqSsmScanSpec spec;
  Batch batch = wholeSequences({34, 1});
  Tensors in; // xbc, dt, A_log, D, dt_bias

  Wide(int64_t dims, int64_t elements, Scalar type)
      : spec{1, dims, elements, 1, 0, infinity, false, false, type},
        in{exactTensor(35 * (dims + 2 * elements), 1), exactTensor(35, 2), {-3}, {0.5}, {0.25}} {}

  /// y and the states.
  template <typename Spec> Tensors run(const Spec &kernel, const Tensors &operands, int64_t states) const {
    Launch launch;
    allRows(batch).addTo(launch, batch);
    for (const Tensor &t : operands)
      add(launch, spec.type, t);
    size_t statesPlace = add(launch, spec.type, Tensor(states)), y = addResult(launch, spec.type, 35 * spec.headSize);
    compiled(kernel).run(launch, batch.sizes());
    return {get(launch, spec.type, y), get(launch, spec.type, statesPlace)};
  }
  Tensors run(const Tensors &operands) const {
    return run(spec, operands, 35 * chimera::ir::scanStates(1, spec.headSize, spec.stateSize));
  }
};

TEST(RefTrainingScan, WideStatesAreScannedInStrips) {
  for (auto [dims, elements] : std::vector<std::pair<int64_t, int64_t>>{{3, 9000}, {2, 20000}}) {
    Wide c(dims, elements, Scalar::F32);
    SsmScanSpec whole{1, dims, elements, 1, 0, infinity, false, Scalar::F32};
    EXPECT_EQ(c.run(c.in)[0], c.run(whole, c.in, 2 * dims * elements)[0]);
  }
}

TEST(RefTrainingScan, WideStatesHaveTheirGradient) {
  constexpr int64_t dims = 33, elements = 600; // 2 strips of elements by 9 of dimensions
  Wide c(dims, elements, Scalar::F64);
  Tensor dy = exactTensor(35 * dims, 7), states = c.run(c.in)[1];
  Launch launch;
  allRows(c.batch).addTo(launch, c.batch);
  for (const Tensor &t : c.in)
    launch.add(t);
  launch.add(states);
  launch.add(dy);
  std::vector<size_t> places = {addResult(launch, Scalar::F64, c.in[0].size())};
  for (int i = 0; i < 3; ++i)
    places.push_back(addResult(launch, Scalar::F64, 35));
  compileKernel([&](mlir::ModuleOp m) { return getOrEmitGrad(m, c.spec); }).run(launch, c.batch.sizes());
  Tensor ddt = launch.get<double>(places[1]);
  Tensors gradients = {launch.get<double>(places[0]), ddt, columnSums(launch.get<double>(places[2]), 1),
                       columnSums(launch.get<double>(places[3]), 1), columnSums(ddt, 1)};
  auto objective = [&](const Tensors &moved) { return inner(c.run(moved)[0], dy); };
  expectGradients(
      {c.in[0]}, {gradients[0]},
      [&](const Tensors &moved) { return objective({moved[0], c.in[1], c.in[2], c.in[3], c.in[4]}); }, 997);
  gradients[0].clear();
  expectGradients(c.in, gradients, objective, 6);
}

} // namespace
