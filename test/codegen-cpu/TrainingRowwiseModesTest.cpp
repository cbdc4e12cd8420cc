// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Combining modes, scatters, rotary embedding.
#include "test/codegen-cpu/TrainingRowwiseCase.h"

#include <cmath>

namespace chimera::cpu::test {
namespace {

using namespace training;
using ref::test::allRows;
using ref::test::expectNear;
using ref::test::randomVector;
using ref::test::someRows;

constexpr int64_t widths[] = {1, 7, 16, 45, 64};

/// A step of whole sequences whose rows are split over modes.
struct Modes {
  Batch batch = Batch({5, 0, 1, 9, 4}, {4, 3, 2, 1, 0}, {0, 0, 0, 0, 0});
  std::vector<int8_t> mode;
  std::vector<int32_t> inverse;
  std::vector<int64_t> count = std::vector<int64_t>(4);

  Modes() {
    for (int64_t r = 0; r < batch.tokens(); ++r) {
      auto m = static_cast<int8_t>((r * 7 + r / 3) % 4);
      mode.push_back(m);
      inverse.push_back(static_cast<int32_t>(count[m]++));
    }
  }
};

/// Lists of modes that have an output.
const std::vector<std::vector<int>> outputLists = {{0, 1, 2, 3}, {0, 2}, {1}, {}};

/// The rows' outputs of each listed mode.
void addOutputs(Launch &launch, const Modes &m, const std::vector<int> &modes, int64_t width) {
  for (int mode : modes)
    launch.add(randomVector<float>(m.count[mode] * width, 10 + mode));
}

/// Results of a launch, all f32, in f64.
std::vector<double> resultsOf(const Launch &launch, const std::vector<size_t> &places) {
  std::vector<double> all;
  for (size_t place : places)
    for (float value : launch.get<float>(place))
      all.push_back(value);
  return all;
}

TEST(CpuTrainingModes, GradientsOfCombiningAreThoseOfRefButForTheOrderOfDots) {
  Modes m;
  int64_t rows = m.batch.tokens();
  for (const std::vector<int> &modes : outputLists)
    for (int64_t width : widths) {
      Launch launch;
      launch.add(m.batch.start);
      launch.add(m.mode);
      launch.add(m.inverse);
      launch.add(randomVector<float>(rows, 2));
      launch.add(randomVector<float>(rows * width, 1));
      addOutputs(launch, m, modes, width);
      std::vector<size_t> dots = {addResult<float>(launch, rows)}, results;
      for (int mode : modes)
        results.push_back(addResult<float>(launch, m.count[mode] * width));
      CombineGradSpec spec{width, modes};
      ref::CombineGradSpec refSpec{width, modes, Scalar::F32};
      expectRefBits(refSpec, spec, launch, results, m.batch.sizes());
      Launch reference = launch;
      ref::test::runKernel(refSpec, reference, m.batch.sizes());
      for (const Isa &isa : hostIsas()) {
        Launch own = launch;
        runKernel(isa, spec, own, m.batch.sizes());
        // Both sums have `width` roundings of at most width 2^-24.
        expectNear(resultsOf(own, dots), resultsOf(reference, dots), static_cast<double>(width) * 0x1p-23);
      }
    }
}

/// Which modes of a soft layer have an output.
const std::vector<std::vector<bool>> presences = {
    {true, true, true}, {true, false}, {false, true, false, true}, {false}};

/// Logarithms of probabilities.
std::vector<float> logProbabilities(int64_t rows, size_t modes) {
  std::vector<float> logp = randomVector<float>(rows * static_cast<int64_t>(modes), 3);
  for (float &value : logp)
    value = 4 * value - 4;
  logp[0] = -200; // p = 0
  return logp;
}

TEST(CpuTrainingModes, SoftCombiningIsThatOfRefButForTheExponential) {
  constexpr int64_t rows = 6;
  const std::vector<int32_t> start = {2, 4, 4, 8};
  for (const std::vector<bool> &present : presences)
    for (int64_t width : widths) {
      Launch launch;
      launch.add(start);
      launch.add(randomVector<float>(rows * width, 1));
      launch.add(logProbabilities(rows, present.size()));
      for (size_t k = 0; k < present.size(); ++k)
        if (present[k])
          launch.add(randomVector<float>(rows * width, 10 + k));
      size_t z = addResult<float>(launch, rows * width);
      Launch reference = launch;
      ref::test::runKernel(ref::SoftCombineSpec{width, present, Scalar::F32}, reference, {9, 3});
      for (const Isa &isa : hostIsas()) {
        Launch own = launch;
        runKernel(isa, SoftCombineSpec{width, present}, own, {9, 3});
        expectNear(resultsOf(own, {z}), resultsOf(reference, {z}), 6 * static_cast<double>(present.size()) * 0x1p-24);
      }
    }
}

TEST(CpuTrainingModes, GradientsOfSoftCombiningAreThoseOfRefButForTheExponential) {
  constexpr int64_t rows = 6;
  const std::vector<int32_t> start = {2, 4, 4, 8};
  for (const std::vector<bool> &present : presences)
    for (int64_t width : widths) {
      Launch launch;
      launch.add(start);
      launch.add(logProbabilities(rows, present.size()));
      launch.add(randomVector<float>(rows * width, 1));
      for (size_t k = 0; k < present.size(); ++k)
        if (present[k])
          launch.add(randomVector<float>(rows * width, 10 + k));
      std::vector<size_t> results = {addResult<float>(launch, rows * static_cast<int64_t>(present.size()))};
      for (bool is : present)
        if (is)
          results.push_back(addResult<float>(launch, rows * width));
      Launch reference = launch;
      ref::test::runKernel(ref::SoftCombineGradSpec{width, present, Scalar::F32}, reference, {9, 3});
      for (const Isa &isa : hostIsas()) {
        Launch own = launch;
        runKernel(isa, SoftCombineGradSpec{width, present}, own, {9, 3});
        expectNear(resultsOf(own, results), resultsOf(reference, results), static_cast<double>(width + 6) * 0x1p-23);
      }
    }
}

TEST(CpuTrainingModes, ScattersHaveTheBitsOfRef) {
  Modes m;
  int64_t rows = m.batch.tokens();
  for (int64_t pieces : {1, 2, 4})
    for (int64_t width : widths) {
      Launch launch;
      launch.add(m.batch.start);
      for (int64_t i = 0; i < pieces; ++i) {
        std::vector<bool> keep;
        for (int8_t mode : m.mode)
          keep.push_back(mode == i || (mode == 3 && i < 2)); // some rows are in two pieces, some in none
        RowSet set = someRows(m.batch, keep, static_cast<int32_t>(i));
        set.addTo(launch, m.batch);
        std::vector<float> x = randomVector<float>(set.count() * width, 20 + i);
        x[0] = -0.0f;
        launch.add(x);
      }
      size_t out = addResult<float>(launch, rows * width);
      expectRefBits(ref::ScatterSpec{width, pieces, Scalar::F32}, ScatterSpec{width, pieces}, launch, {out},
                    m.batch.sizes());
    }
}

/// Frequencies of a rotary embedding.
std::vector<double> frequencies(int64_t half) {
  std::vector<double> values;
  for (int64_t j = 0; j < half; ++j)
    values.push_back(std::pow(100.0, -static_cast<double>(j) / static_cast<double>(half)));
  return values;
}

/// The turn by angles of this ISA has the bits of ref, there and back.
void checkRope(const Isa &isa, const Modes &m, const RowSet &set, int64_t heads, int64_t headSize, int64_t dims) {
  int64_t width = heads * headSize, stride = width + 3;
  Launch angles;
  angles.add(m.batch.start);
  size_t table = addResult<float>(angles, m.batch.tokens() * dims);
  runKernel(isa, RopeAnglesSpec{frequencies(dims / 2)}, angles, m.batch.sizes());
  std::vector<float> wide = randomVector<float>(set.count() * stride, 7), x;
  for (int64_t i = 0; i < set.count(); ++i)
    x.insert(x.end(), wide.begin() + i * stride + 2, wide.begin() + i * stride + 2 + width);
  for (bool inverse : {false, true}) {
    Launch launch, reference;
    set.addTo(reference, m.batch);
    reference.add(x);
    size_t expected = addResult<float>(reference, set.count() * width);
    ref::test::runKernel(ref::RopeSpec{heads, headSize, dims, frequencies(dims / 2), Scalar::F32, inverse}, reference,
                         m.batch.sizes());
    set.addTo(launch, m.batch);
    launch.add(angles.get<float>(table));
    launch.add(wide);
    size_t out = addResult<float>(launch, set.count() * width);
    runKernel(isa, RopeTurnSpec{heads, headSize, dims, {stride, 2}, inverse}, launch, m.batch.sizes());
    EXPECT_TRUE(launch.get<uint8_t>(out) == reference.get<uint8_t>(expected))
        << isa.name << ", " << heads << " heads of " << headSize << ", " << dims << (inverse ? " back" : "");
  }
}

TEST(CpuTrainingModes, RotaryEmbeddingHasTheBitsOfRefThereAndBack) {
  Modes m;
  std::vector<bool> keep;
  for (int8_t mode : m.mode)
    keep.push_back(mode != 1);
  for (const Isa &isa : hostIsas())
    for (const RowSet &set : {allRows(m.batch), someRows(m.batch, keep, 2)}) {
      checkRope(isa, m, set, 2, 16, 16);
      checkRope(isa, m, set, 3, 10, 6);
      checkRope(isa, m, set, 1, 64, 64);
    }
}

} // namespace
} // namespace chimera::cpu::test
