// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-cpu/LinearCase.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::cpu::test {

namespace {

struct Formats {
  Scalar in;
  WeightFormat weight;
};
constexpr Formats allFormats[] = {{Scalar::F32, WeightFormat::F32}, {Scalar::BF16, WeightFormat::BF16},
                                  {Scalar::F32, WeightFormat::I8},  {Scalar::BF16, WeightFormat::I8},
                                  {Scalar::F32, WeightFormat::I4},  {Scalar::BF16, WeightFormat::I4}};
constexpr Formats quantisedFormats[] = {allFormats[2], allFormats[3], allFormats[4], allFormats[5]};

std::string nameOf(const Isa &isa, const LinearSpec &spec) {
  return isa.name + " " + (spec.in == Scalar::F32 ? "f32" : "bf16") + " weights " + abi::nameOf(spec.weight) + " " +
         std::to_string(spec.inputs) + "x" + std::to_string(spec.outputs);
}

/// Whether the sums are chains of fma over ascending k, those of the ref kernel.
bool sumsLikeRef(const Isa &isa, const LinearSpec &spec) {
  return spec.in == Scalar::F32 || spec.weight == WeightFormat::F32 || !(isa.dotBF16 || isa.tileBF16);
}

LinearSpec makeSpec(Formats formats, int64_t inputs, int64_t outputs) {
  LinearSpec spec;
  spec.inputs = inputs;
  spec.outputs = outputs;
  spec.in = formats.in;
  spec.weight = formats.weight;
  return spec;
}

/// A batch of one sequence.
Batch oneSequence(int64_t rows) {
  return rows ? Batch({rows}, {0}, {0}) : Batch({}, {}, {});
}

/// Expects sums of products that were rounded once a product, in any order: |error| <= inputs 2^-24 sum |x w|, and a
/// little for the rounding of these bounds.
void expectWithinRounding(const LinearCase &problem, const std::vector<float> &y, const std::string &what) {
  const LinearSpec &spec = problem.spec;
  std::vector<float> x = rowsRead(problem);
  for (int64_t i = 0; i < problem.rows.count(); ++i)
    for (int64_t n = 0; n < spec.outputs; ++n) {
      double exact = 0, magnitude = 0;
      for (int64_t k = 0; k < spec.inputs; ++k) {
        double product = double(x[i * spec.inputs + k]) * double(problem.weights[0].values[n * spec.inputs + k]);
        exact += product;
        magnitude += std::abs(product);
      }
      double bound = static_cast<double>(spec.inputs) * 0x1.01p-24 * magnitude;
      ASSERT_LE(std::abs(y[i * spec.outputs + n] - exact), bound) << what << ", row " << i << ", output " << n;
    }
}

/// The first rows of the case alone.
LinearCase firstRows(const LinearCase &problem, int64_t rows) {
  LinearCase part = problem;
  part.batch = oneSequence(rows);
  part.rows = allRows(part.batch);
  part.x.resize(rows * problem.spec.inputs);
  part.before.resize(rows * problem.spec.outputs);
  return part;
}

} // namespace

// The widths cover less than a vector, broken vectors and panels, odd inputs, broken groups of 4, 8 and 32, and more
// than what is unpacked at once; the rows none, one, broken and whole register tiles, several blocks.
TEST(CpuLinear, SumsAreThoseOfTheRefKernel) {
  constexpr std::pair<int64_t, int64_t> shapes[] = {{1, 7}, {95, 24}, {322, 130}};
  for (const Isa &isa : hostIsas())
    for (Formats formats : allFormats)
      for (auto [inputs, outputs] : shapes) {
        LinearSpec spec = makeSpec(formats, inputs, outputs);
        for (int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 23, 97}) {
          Batch batch = oneSequence(rows);
          LinearCase problem = randomCase(spec, batch, allRows(batch), 7 + rows);
          std::string what = nameOf(isa, spec) + " by " + std::to_string(rows);
          std::vector<float> y = run(isa, problem);
          if (sumsLikeRef(isa, spec))
            expectSameBits(y, refResult(problem), what);
          else
            expectWithinRounding(problem, y, what);
        }
      }
}

TEST(CpuLinear, RowsAndWeightsMayDifferInType) {
  constexpr Formats mixed[] = {{Scalar::F32, WeightFormat::BF16}, {Scalar::BF16, WeightFormat::F32}};
  for (const Isa &isa : hostIsas())
    for (Formats formats : mixed) {
      LinearSpec spec = makeSpec(formats, 261, 24);
      for (int64_t rows : {1, 13, 40}) {
        Batch batch = oneSequence(rows);
        LinearCase problem = randomCase(spec, batch, allRows(batch), rows);
        expectSameBits(run(isa, problem), refResult(problem), nameOf(isa, spec) + " by " + std::to_string(rows));
      }
    }
}

TEST(CpuLinear, ARowHasTheSameBitsInEveryBatch) {
  for (const Isa &isa : hostIsas())
    for (Formats formats : allFormats) {
      LinearSpec spec = makeSpec(formats, 322, 130);
      Batch batch = oneSequence(197);
      LinearCase all = randomCase(spec, batch, allRows(batch), 1);
      std::vector<float> whole = run(isa, all);
      for (int64_t rows : {1, 2, 4, 5, 6, 11, 16, 96}) {
        std::vector<float> few = run(isa, firstRows(all, rows));
        expectSameBits(few, {whole.begin(), whole.begin() + rows * spec.outputs}, nameOf(isa, spec));
      }
    }
}

TEST(CpuLinear, QuantisedNumbersGiveTheBitsOfTheWeightsTheyStandFor) {
  for (const Isa &isa : hostIsas())
    for (Formats formats : quantisedFormats) {
      LinearSpec spec = makeSpec(formats, 303, 70);
      for (int64_t rows : {1, 4, 5, 30}) {
        Batch batch = oneSequence(rows);
        LinearCase problem = randomCase(spec, batch, allRows(batch), rows);
        LinearCase plain = problem;
        plain.spec.weight = formats.in == Scalar::F32 ? WeightFormat::F32 : WeightFormat::BF16;
        expectSameBits(run(isa, problem), run(isa, plain), nameOf(isa, spec));
      }
    }
}

TEST(CpuLinear, EveryNumberAndExponentIsExact) {
  // One input is 1: the sums are the weights themselves. Exponents from the least normal number to great ones.
  for (const Isa &isa : hostIsas())
    for (Formats formats : quantisedFormats)
      for (int64_t rows : {1, 8}) {
        LinearSpec spec = makeSpec(formats, 5, 255);
        int64_t most = mostNumber(spec.weight), count = 2 * most + 1;
        Batch batch = oneSequence(rows);
        LinearCase problem = randomCase(spec, batch, allRows(batch), 1);
        for (int64_t i = 0; i < rows * 5; ++i)
          problem.x[i] = i % 5 == i / 5 % 4 ? 1 : 0;
        Matrix &m = problem.weights[0];
        constexpr int8_t exponents[] = {-126, -100, -64, -20, 0, 1, 40, 104};
        for (int64_t n = 0; n < 255; ++n) {
          m.exponents[n] = exponents[n % 8];
          for (int64_t k = 0; k < 5; ++k) {
            int64_t number = n % count - most;
            m.numbers[n * 5 + k] = static_cast<int8_t>(number);
            m.values[n * 5 + k] = std::ldexp(static_cast<float>(number), m.exponents[n]);
          }
        }
        std::vector<float> y = run(isa, problem);
        for (int64_t i = 0; i < rows * 255; ++i)
          ASSERT_EQ(y[i], m.values[i % 255 * 5]) << nameOf(isa, spec) << ", element " << i;
      }
}

TEST(CpuLinear, ANaNRowLeavesTheOtherRowsAsTheyWere) {
  for (const Isa &isa : hostIsas())
    for (Formats formats : allFormats)
      for (int64_t rows : {3, 40}) {
        LinearSpec spec = makeSpec(formats, 37, 24);
        Batch batch = oneSequence(rows);
        LinearCase problem = randomCase(spec, batch, allRows(batch), 5);
        std::vector<float> clean = run(isa, problem);
        // A whole row, so that a read past the end of its neighbour would show.
        std::fill_n(problem.x.begin() + 37, 37, std::numeric_limits<float>::quiet_NaN());
        problem.x[2 * 37 + 36] = std::numeric_limits<float>::infinity();
        std::vector<float> y = run(isa, problem);
        for (int64_t i = 0; i < rows * 24; ++i) {
          if (i / 24 == 1)
            ASSERT_TRUE(std::isnan(y[i]));
          else if (i / 24 == 2)
            ASSERT_FALSE(std::isfinite(y[i]));
          else
            ASSERT_EQ(y[i], clean[i]) << nameOf(isa, spec) << ", element " << i;
        }
      }
}

} // namespace chimera::cpu::test
