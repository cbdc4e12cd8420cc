// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-cpu/LinearCase.h"

#include "codegen/ref/Kernels.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

namespace chimera::cpu::test {

using ref::test::randomVector;

static float roundTo(Scalar type, float value) {
  return type == Scalar::BF16 ? ref::test::fromBF16(ref::test::toBF16(value)) : value;
}

static std::vector<float> randomNumbers(Scalar type, size_t count, uint64_t seed) {
  auto values = randomVector<float>(count, seed);
  for (float &value : values)
    value = roundTo(type, value);
  return values;
}

Matrix randomMatrix(WeightFormat format, int64_t outputs, int64_t inputs, uint64_t seed) {
  Matrix m{outputs, inputs, {}, {}, {}};
  if (!isQuantised(format)) {
    m.values = randomNumbers(format == WeightFormat::BF16 ? Scalar::BF16 : Scalar::F32, outputs * inputs, seed);
    return m;
  }
  for (float value : randomVector<float>(outputs * inputs, seed))
    m.numbers.push_back(static_cast<int8_t>(std::lround(value * float(mostNumber(format)))));
  int64_t blocks = (inputs + scaleGroup - 1) / scaleGroup;
  for (float value : randomVector<float>(outputs * blocks, seed + 1))
    m.exponents.push_back(static_cast<int8_t>(std::lround(value * 4) - 8));
  for (int64_t n = 0; n < outputs; ++n)
    for (int64_t k = 0; k < inputs; ++k)
      m.values.push_back(
          std::ldexp(static_cast<float>(m.numbers[n * inputs + k]), m.exponents[n * blocks + k / scaleGroup]));
  return m;
}

/// Writes element (n, k) of panel `panel`, which starts at `to`.
static void packElement(const PackedLayout &layout, const Matrix &m, int64_t row, int64_t n, int64_t k, uint8_t *to) {
  int64_t place = (k / layout.group * layout.panel + n) * layout.group + k % layout.group;
  float value = m.values[row * m.inputs + k];
  if (layout.format == WeightFormat::F32) {
    std::memcpy(to + place * 4, &value, 4);
  } else if (layout.format == WeightFormat::BF16) {
    uint16_t bits = ref::test::toBF16(value);
    std::memcpy(to + place * 2, &bits, 2);
  } else {
    bool isI8 = layout.format == WeightFormat::I8;
    int64_t block = k / scaleGroup, within = k % scaleGroup;
    to += block * (isI8 ? 33 : 17) * layout.panel;
    to[n] = static_cast<uint8_t>(m.exponents[row * ((m.inputs + scaleGroup - 1) / scaleGroup) + block]);
    place = (within / layout.group * layout.panel + n) * layout.group + within % layout.group;
    auto number = static_cast<uint8_t>(m.numbers[row * m.inputs + k]);
    if (isI8) {
      to[layout.panel + place] = number;
      return;
    }
    // Of eight inputs the even ones come first, then the odd ones, two to a byte.
    int64_t lane = within % 8, nibble = lane % 2 * 4 + lane / 2;
    to[layout.panel + place / 8 * 4 + nibble / 2] |= static_cast<uint8_t>((number & 15) << (nibble % 2 * 4));
  }
}

static int64_t roundUp(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

std::vector<uint8_t> packed(const PackedLayout &layout, const std::vector<Matrix> &matrices) {
  const Matrix &first = matrices[0];
  int64_t bytes = layout.format == WeightFormat::F32    ? roundUp(first.inputs, layout.group) * layout.panel * 4
                  : layout.format == WeightFormat::BF16 ? roundUp(first.inputs, layout.group) * layout.panel * 2
                                                        : roundUp(first.inputs, scaleGroup) / scaleGroup *
                                                              abi::scaleGroupBytes(layout.format) * layout.panel;
  int64_t panels = roundUp(first.outputs, layout.panel) / layout.panel, count = static_cast<int64_t>(matrices.size());
  std::vector<uint8_t> all(panels * count * bytes);
  for (int64_t which = 0; which < count; ++which)
    for (int64_t row = 0; row < first.outputs; ++row)
      for (int64_t k = 0; k < first.inputs; ++k)
        packElement(layout, matrices[which], row, row % layout.panel, k,
                    all.data() + (row / layout.panel * count + which) * bytes);
  return all;
}

static int64_t strideOf(const LinearSpec &spec) {
  return spec.x.stride ? spec.x.stride : spec.inputs;
}

LinearCase randomCase(const LinearSpec &spec, const Batch &batch, const RowSet &rows, uint64_t seed) {
  LinearCase problem{spec, batch, rows, {}, {}, {}, {}};
  problem.x = randomNumbers(spec.in, batch.tokens() * strideOf(spec), seed);
  for (int i = 0; i < (spec.epilogue == Epilogue::Glu ? 2 : 1); ++i)
    problem.weights.push_back(randomMatrix(spec.weight, spec.outputs, spec.inputs, seed + 10 + 10 * i));
  if (spec.gated)
    problem.gate = randomNumbers(Scalar::F32, batch.tokens(), seed + 3);
  problem.before = randomNumbers(spec.out, batch.tokens() * spec.outputs, seed + 4);
  return problem;
}

static size_t addNumbers(Launch &launch, Scalar type, const std::vector<float> &values) {
  return type == Scalar::BF16 ? launch.add(toBF16(values)) : launch.add(values);
}

std::vector<float> run(const Isa &isa, const LinearCase &problem) {
  return run(isa, problem, [&](Launch &launch) { runKernel(isa, problem.spec, launch, problem.batch.sizes()); });
}

std::vector<float> run(const Isa &isa, const LinearCase &problem, llvm::function_ref<void(Launch &)> runLaunch) {
  const LinearSpec &spec = problem.spec;
  Launch launch;
  problem.rows.addTo(launch, problem.batch);
  addNumbers(launch, spec.in, problem.x);
  launch.add(packed(packedLayout(isa, spec), problem.weights));
  if (spec.gated)
    launch.add(problem.gate);
  size_t out = addNumbers(launch, spec.out, problem.before);
  runLaunch(launch);
  if (spec.out == Scalar::F32)
    return launch.get<float>(out);
  std::vector<float> values;
  for (uint16_t bits : launch.get<uint16_t>(out))
    values.push_back(ref::test::fromBF16(bits));
  return values;
}

std::vector<float> rowsRead(const LinearCase &problem) {
  const LinearSpec &spec = problem.spec;
  std::vector<float> compact;
  for (int64_t i = 0; i < problem.rows.count(); ++i) {
    int64_t row = spec.gather ? problem.rows.index[problem.rows.start[0] + i] : i;
    auto from = problem.x.begin() + row * strideOf(spec) + spec.x.offset;
    compact.insert(compact.end(), from, from + spec.inputs);
  }
  return compact;
}

std::vector<std::vector<float>> refSums(const LinearCase &problem) {
  const LinearSpec &spec = problem.spec;
  auto count = static_cast<int32_t>(problem.rows.count());
  std::vector<std::vector<float>> sums;
  for (const Matrix &matrix : problem.weights) {
    Launch launch;
    launch.add(std::vector<int32_t>{0, count});
    addNumbers(launch, spec.in, rowsRead(problem));
    launch.add(matrix.values);
    size_t out = launch.add(std::vector<float>(count * spec.outputs));
    ref::test::runKernel(ref::LinearSpec{spec.inputs, spec.outputs, spec.in, Scalar::F32, Scalar::F32}, launch,
                         {count, 1});
    sums.push_back(launch.get<float>(out));
  }
  return sums;
}

/// The activation of sums, times `up` if there is one, by the ref kernels.
static std::vector<float> refActivation(const LinearSpec &spec, const std::vector<std::vector<float>> &sums) {
  auto rows = static_cast<int32_t>(sums[0].size() / spec.outputs);
  Launch launch;
  launch.add(std::vector<int32_t>{0, rows});
  for (const std::vector<float> &part : sums)
    launch.add(part);
  size_t out = launch.add(std::vector<float>(sums[0].size()));
  if (sums.size() == 2)
    ref::test::runKernel(ref::GluSpec{spec.outputs, spec.activation, Scalar::F32}, launch, {rows, 1});
  else
    ref::test::runKernel(ref::ActivateSpec{spec.outputs, spec.activation, Scalar::F32}, launch, {rows, 1});
  return launch.get<float>(out);
}

std::vector<float> refResult(const LinearCase &problem) {
  const LinearSpec &spec = problem.spec;
  std::vector<std::vector<float>> sums = refSums(problem);
  bool activation = spec.activation != Activation::None;
  std::vector<float> y = activation ? refActivation(spec, sums) : sums[0], out = problem.before;
  for (int64_t i = 0; i < problem.rows.count(); ++i) {
    int32_t id = problem.rows.index[problem.rows.start[0] + i];
    for (int64_t n = 0; n < spec.outputs; ++n) {
      float &to = out[(spec.scatter ? id : i) * spec.outputs + n];
      float value = y[i * spec.outputs + n];
      if (spec.gated)
        value = problem.gate[id] * value;
      if (spec.epilogue == Epilogue::Residual)
        value = to + value;
      to = roundTo(spec.out, value);
    }
  }
  return out;
}

void expectSameBits(const std::vector<float> &a, const std::vector<float> &b, const std::string &what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i]))
      continue;
    ASSERT_EQ(std::memcmp(&a[i], &b[i], sizeof(float)), 0)
        << what << ", element " << i << ": " << a[i] << " and " << b[i];
  }
}

} // namespace chimera::cpu::test
