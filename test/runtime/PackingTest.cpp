// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packed weights against the formula of their layout, element by element.
#include "runtime/core/Packing.h"
#include "runtime/core/QuantiseGroup.h"
#include "runtime/core/WeightsFill.h"
#include "runtime/device/FloatingPoint.h"
#include "runtime/io/Safetensors.h"
#include "test/runtime/Runner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <string>

namespace chimera::runtime::toy {
namespace {

using nlohmann::json;

constexpr int64_t inputs = 70; // No multiple of a group or of 32.

/// A matrix of a checkpoint.
struct Matrix {
  std::string name;
  int64_t rows;
  std::vector<double> values;
  std::vector<float> narrow;

  double at(int64_t row, int64_t column) const { return values[size_t(row * inputs + column)]; }
  io::TensorView view(io::DType dtype) const {
    io::TensorView tensor;
    tensor.name = name;
    tensor.dtype = dtype;
    tensor.shape = {rows, inputs};
    tensor.data = reinterpret_cast<const uint8_t *>(dtype == io::DType::F64 ? static_cast<const void *>(values.data())
                                                                            : narrow.data());
    tensor.bytes = values.size() * size_t(io::sizeOf(dtype));
    return tensor;
  }
};

Matrix randomMatrix(const char *name, int64_t rows, uint32_t seed) {
  Matrix matrix{name, rows, {}, {}};
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal;
  for (int64_t i = 0; i < rows * inputs; ++i) {
    matrix.values.push_back(normal(engine) * std::ldexp(1.0, int(engine() % 40) - 20));
    matrix.narrow.push_back(float(matrix.values.back()));
  }
  return matrix;
}

struct Layout {
  const char *format;
  int64_t panel, group;
  bool interleaved;
};

int64_t roundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// What one matrix packs to: outputs and inputs in the layout's order of panels.
struct Expectation {
  Layout layout;
  std::vector<const Matrix *> matrices;

  bool quantised() const { return layout.format[0] == 'i'; }
  int64_t padded() const { return roundUp(inputs, quantised() ? 32 : layout.group); }
  int64_t panels() const {
    if (layout.interleaved)
      return 2 * (roundUp(matrices[0]->rows, layout.panel) / layout.panel);
    int64_t rows = 0;
    for (const Matrix *matrix : matrices)
      rows += matrix->rows;
    return roundUp(rows, layout.panel) / layout.panel;
  }
  int64_t bytes() const {
    int64_t elements = panels() * layout.panel * padded();
    return layout.format == std::string("f32")    ? elements * 4
           : layout.format == std::string("bf16") ? elements * 2
           : layout.format == std::string("i8")   ? elements + elements / 32
                                                  : elements / 2 + elements / 32;
  }
  /// The weight at column n of a panel, input k; 0 in the padding.
  double weight(int64_t panel, int64_t n, int64_t k) const {
    if (k >= inputs)
      return 0;
    if (layout.interleaved) {
      int64_t row = panel / 2 * layout.panel + n;
      return row < matrices[0]->rows ? matrices[size_t(panel % 2)]->at(row, k) : 0;
    }
    int64_t row = panel * layout.panel + n;
    for (const Matrix *matrix : matrices) {
      if (row < matrix->rows)
        return matrix->at(row, k);
      row -= matrix->rows;
    }
    return 0;
  }
};

json parameterOf(const Matrix &matrix, const char *dtype) {
  return {{"name", matrix.name}, {"shape", {matrix.rows, inputs}}, {"dtype", dtype}, {"optional", false}};
}

/// The toy model with `matrices` as further parameters (of `dtype`, each with the fields that `more` gives it), all in
/// one packed form.
std::shared_ptr<const Model> modelWith(const Expectation &expectation, const char *dtype,
                                       const std::function<json(const Matrix &)> &more = {}) {
  json changed = manifest();
  json indices = json::array();
  for (const Matrix *matrix : expectation.matrices) {
    indices.push_back(changed["parameters"].size());
    changed["parameters"].push_back(parameterOf(*matrix, dtype));
    if (more)
      changed["parameters"].back().update(more(*matrix));
  }
  const Layout &layout = expectation.layout;
  changed["variants"][0]["packed"] = json::array({{{"parameters", indices},
                                                   {"format", layout.format},
                                                   {"panel", layout.panel},
                                                   {"group", layout.group},
                                                   {"interleaved", layout.interleaved},
                                                   {"bytes", expectation.bytes()}}});
  return must(Model::load("m", binary(changed.dump())));
}

Result<std::shared_ptr<const Weights>> loadWith(std::shared_ptr<const Model> model,
                                                const std::vector<const Matrix *> &matrices, io::DType dtype) {
  TemporaryFolder folder;
  static const float scale[vocab] = {};
  io::TensorView first;
  first.name = "scale";
  first.shape = {vocab};
  first.data = reinterpret_cast<const uint8_t *>(scale);
  first.bytes = sizeof scale;
  std::vector<io::TensorView> tensors = {first};
  for (const Matrix *matrix : matrices)
    tensors.push_back(matrix->view(dtype));
  EXPECT_TRUE(bool(io::writeSafetensors(folder.path() + "/model.safetensors", tensors)));
  return Weights::load(std::move(model), folder.path());
}

class Packing : public testing::TestWithParam<Layout> {
protected:
  Matrix a = randomMatrix("a", 21, 1), b = randomMatrix("b", 5, 2), c = randomMatrix("c", 21, 3);
  Expectation expectation{GetParam(), GetParam().interleaved ? std::vector<const Matrix *>{&a, &c}
                                                             : std::vector<const Matrix *>{&a, &b, &c}};
};

/// What a quantised panel holds for a weight, and the 32 weights of its group.
struct Group {
  int exponent, number;
  std::vector<double> weights;
};

Group groupAt(const Expectation &expectation, const uint8_t *data, int64_t panel, int64_t n, int64_t k) {
  Layout layout = expectation.layout;
  bool isI8 = layout.format == std::string("i8");
  int64_t within = k % 32, lane = within % layout.group, place = within / layout.group * layout.panel + n;
  const uint8_t *block = data + (panel * (expectation.padded() / 32) + k / 32) * layout.panel * (isI8 ? 33 : 17);
  Group group{int8_t(block[n]), 0, {}};
  if (isI8) {
    group.number = int8_t(block[layout.panel + place * layout.group + lane]);
  } else {
    // Even inputs in the lower half of 32 bits, odd ones in the upper.
    uint32_t word;
    std::memcpy(&word, block + layout.panel + place * 4, sizeof word);
    unsigned bits = (word >> (lane % 2 * 16 + lane / 2 * 4)) & 15;
    group.number = int(bits) - (bits >= 8 ? 16 : 0);
  }
  for (int64_t i = k / 32 * 32; i < k / 32 * 32 + 32; ++i)
    group.weights.push_back(double(float(expectation.weight(panel, n, i))));
  return group;
}

/// The smallest exponent from -126 on of which `most` units hold all the weights.
int smallestExponent(const std::vector<double> &weights, double most) {
  double largest = 0;
  for (double weight : weights)
    largest = std::max(largest, std::fabs(weight));
  int exponent = -126;
  while (largest > std::ldexp(most, exponent))
    ++exponent;
  return exponent;
}

int exponentOfI8(const std::vector<double> &weights) {
  return smallestExponent(weights, 127);
}

/// That, or the one below where the sum of squared errors is smaller, each rounded to 1024ths of its unit.
int exponentOfI4(const std::vector<double> &weights) {
  int exponent = smallestExponent(weights, 7.5);
  auto squares = [&](int e) {
    double sum = 0;
    for (double weight : weights) {
      double units = std::ldexp(weight, -e);
      double error = units - std::clamp(std::nearbyint(units), -7.0, 7.0);
      sum += std::pow(std::ldexp(std::nearbyint(error * 1024), e - exponent), 2);
    }
    return sum;
  };
  return exponent > -126 && squares(exponent - 1) < squares(exponent) ? exponent - 1 : exponent;
}

TEST_P(Packing, EveryElementLiesWhereTheLayoutSays) {
  Layout layout = GetParam();
  std::string format = layout.format;
  std::shared_ptr<const Model> model = modelWith(expectation, "f32");
  auto weights = must(loadWith(model, expectation.matrices, io::DType::F64));
  const uint8_t *data = static_cast<const uint8_t *>(weights->packed(0));
  int64_t padded = expectation.padded();
  for (int64_t panel = 0; panel < expectation.panels(); ++panel)
    for (int64_t n = 0; n < layout.panel; ++n)
      for (int64_t k = 0; k < padded; ++k) {
        double weight = expectation.weight(panel, n, k);
        if (expectation.quantised()) {
          Group group = groupAt(expectation, data, panel, n, k);
          ASSERT_EQ(group.exponent, format == "i8" ? exponentOfI8(group.weights) : exponentOfI4(group.weights));
          double most = format == "i8" ? 127 : 7;
          double nearest = std::nearbyint(std::ldexp(double(float(weight)), -group.exponent));
          ASSERT_EQ(double(group.number), std::clamp(nearest, -most, most)) << panel << " " << n << " " << k;
          continue;
        }
        int64_t at =
            panel * layout.panel * padded + (k / layout.group * layout.panel + n) * layout.group + k % layout.group;
        if (format == "bf16") {
          uint16_t bits;
          std::memcpy(&bits, data + at * 2, 2);
          ASSERT_EQ(bits, io::f64ToBf16(weight)) << panel << " " << n << " " << k;
        } else {
          float value;
          std::memcpy(&value, data + at * 4, 4);
          ASSERT_EQ(value, float(weight)) << panel << " " << n << " " << k;
        }
      }
}

/// Puts the matrices below each other into one, after three rows that are of none; and at which row each begins.
Matrix stacked(const std::vector<const Matrix *> &matrices, std::map<std::string, int64_t> &begins) {
  Matrix all = randomMatrix("all", 3, 9);
  for (const Matrix *matrix : matrices) {
    begins[matrix->name] = all.rows;
    all.rows += matrix->rows;
    all.values.insert(all.values.end(), matrix->values.begin(), matrix->values.end());
    all.narrow.insert(all.narrow.end(), matrix->narrow.begin(), matrix->narrow.end());
  }
  return all;
}

TEST_P(Packing, RowsOfOneTensorPackAsTensorsOfTheirOwn) {
  std::map<std::string, int64_t> begins;
  Matrix all = stacked(expectation.matrices, begins);
  auto part = [&](const Matrix &matrix) {
    return json{{"source", "all"}, {"source_shape", {all.rows, inputs}}, {"source_row", begins[matrix.name]}};
  };
  for (const char *dtype : {"f32", "bf16"})
    for (io::DType stored : {io::DType::F64, io::DType::F32}) {
      auto whole = must(loadWith(modelWith(expectation, dtype), expectation.matrices, stored));
      auto parts = must(loadWith(modelWith(expectation, dtype, part), {&all}, stored));
      EXPECT_EQ(std::memcmp(whole->packed(0), parts->packed(0), size_t(expectation.bytes())), 0) << dtype;
    }
}

INSTANTIATE_TEST_SUITE_P(Layouts, Packing,
                         testing::Values(Layout{"f32", 16, 1, false}, Layout{"f32", 8, 4, true},
                                         Layout{"bf16", 16, 2, false}, Layout{"bf16", 32, 2, true},
                                         Layout{"bf16", 7, 3, false}, Layout{"i8", 16, 1, false},
                                         Layout{"i8", 16, 2, true}, Layout{"i8", 48, 32, false},
                                         Layout{"i4", 16, 8, false}, Layout{"i4", 48, 8, true}));

TEST(PackingRows, PermutedRowsAndMissingOptionalOnesAreFollowed) {
  Matrix a = randomMatrix("a", 3, 4), b = randomMatrix("b", 2, 5);
  Expectation expectation{{"f32", 5, 1, false}, {&a, &b}};
  json changed = manifest();
  changed["parameters"].push_back(parameterOf(a, "f32"));
  changed["parameters"].back()["row_permutation"] = {2, 0, 1};
  changed["parameters"].push_back(parameterOf(b, "f32"));
  changed["parameters"].back()["optional"] = true;
  changed["variants"][0]["packed"] = json::array({{{"parameters", {2, 3}},
                                                   {"format", "f32"},
                                                   {"panel", 5},
                                                   {"group", 1},
                                                   {"interleaved", false},
                                                   {"bytes", expectation.bytes()}}});
  std::shared_ptr<const Model> model = must(Model::load("m", binary(changed.dump())));
  auto weights = must(loadWith(model, {&a}, io::DType::F32));
  const float *data = static_cast<const float *>(weights->packed(0));
  const int64_t order[] = {2, 0, 1};
  for (int64_t n = 0; n < 5; ++n)
    for (int64_t k = 0; k < inputs; ++k)
      ASSERT_EQ(data[k * 5 + n], n < 3 ? float(a.at(order[n], k)) : 0.0f) << n << " " << k;
}

TEST(PackingRows, AnF32PanelOfABf16ParameterHoldsBf16Numbers) {
  Matrix a = randomMatrix("a", 4, 6);
  Expectation expectation{{"f32", 4, 1, false}, {&a}};
  auto weights = must(loadWith(modelWith(expectation, "bf16"), {&a}, io::DType::F64));
  const float *data = static_cast<const float *>(weights->packed(0));
  for (int64_t n = 0; n < 4; ++n)
    for (int64_t k = 0; k < inputs; ++k)
      ASSERT_EQ(data[k * 4 + n], io::bf16ToF32(io::f64ToBf16(a.at(n, k))));
}

TEST(PackingThreads, TheirNumberChangesNothing) {
  Matrix a = randomMatrix("a", 24001, 6); // Of several pieces.
  TemporaryFolder folder;
  ASSERT_TRUE(bool(io::writeSafetensors(folder.path() + "/model.safetensors", {a.view(io::DType::F32)})));
  io::Result<io::Checkpoint> checkpoint = io::Checkpoint::open(folder.path());
  ASSERT_TRUE(bool(checkpoint));
  for (Layout layout : {Layout{"f32", 16, 1, false}, Layout{"bf16", 32, 2, false}, Layout{"i8", 16, 4, false},
                        Layout{"i4", 16, 8, false}}) {
    Expectation expectation{layout, {&a}};
    std::shared_ptr<const Model> model = modelWith(expectation, "bf16");
    std::vector<uint8_t> first;
    Digest digest{};
    for (int64_t threads : {1, 2, 7}) {
      std::vector<uint8_t> panels(size_t(expectation.bytes())), rows(size_t(a.rows * inputs) * 2);
      WeightsFill fill(model->manifest().parameters, *checkpoint);
      fill.addPacked(model->variant().packed[0], panels.data());
      fill.addRowMajor(model->manifest().parameters.size() - 1, rows.data());
      ASSERT_FALSE(fill.run(threads));
      panels.insert(panels.end(), rows.begin(), rows.end());
      if (first.empty()) {
        first = panels;
        digest = fill.digest({});
      }
      EXPECT_TRUE(panels == first) << layout.format << " " << threads;
      EXPECT_EQ(fill.digest({}), digest) << layout.format << " " << threads;
    }
  }
}

TEST(PackingQuantised, AWeightThatIsNotFiniteIsNamed) {
  constexpr Layout i8 = {"i8", 16, 4, false}, i4 = {"i4", 16, 8, false};
  for (auto [layout, bad] :
       {std::pair(i8, std::numeric_limits<double>::infinity()), std::pair(i8, std::nan("")), std::pair(i8, 1e300),
        std::pair(i8, 3e33), std::pair(i4, std::nan("")), std::pair(i4, 1.53e32)}) {
    Matrix a = randomMatrix("a", 40, 7);
    a.values[size_t(33 * inputs + 69)] = bad; // 1e300 is infinite in f32.
    a.values[size_t(39 * inputs + 69)] = bad;
    Expectation expectation{layout, {&a}};
    auto weights = loadWith(modelWith(expectation, "bf16"), {&a}, io::DType::F64);
    ASSERT_FALSE(bool(weights)) << layout.format << " " << bad;
    std::string message = weights.error().message;
    EXPECT_EQ(message.substr(message.find("tensor")),
              std::string("tensor 'a': element [33, 69] is not a number of at most ") +
                  (layout.format == i8.format ? "127 * 2^104, which int8" : "7.5 * 2^104, which int4") +
                  " weights must be");
  }
}

TEST(PackingQuantised, AWeightOfAPartIsNamedByItsPlaceInTheTensor) {
  Matrix a = randomMatrix("a", 40, 7);
  std::map<std::string, int64_t> begins;
  Matrix all = stacked({&a}, begins);
  all.values[size_t(36 * inputs + 69)] = std::nan("");
  Expectation expectation{{"i8", 16, 4, false}, {&a}};
  auto part = [&](const Matrix &) {
    return json{{"source", "all"}, {"source_shape", {43, inputs}}, {"source_row", 3}};
  };
  auto weights = loadWith(modelWith(expectation, "bf16", part), {&all}, io::DType::F64);
  ASSERT_FALSE(bool(weights));
  EXPECT_NE(weights.error().message.find("tensor 'all': element [36, 69] is not a number"), std::string::npos)
      << weights.error().message;
}

/// A group whose first weights are those given and whose others are 0, quantised.
struct Quantised {
  int8_t exponent = 0;
  std::vector<int> numbers;
};
Quantised quantised(abi::WeightFormat format, std::vector<float> weights) {
  weights.resize(32);
  size_t given = 4;
  std::vector<uint8_t> bytes(32);
  Quantised group;
  EXPECT_TRUE(quantiseGroup(format, weights.data(), group.exponent, bytes.data()));
  for (size_t k = 0; k < given; ++k) {
    if (format == abi::WeightFormat::I8)
      group.numbers.push_back(int8_t(bytes[k]));
    else // Nibbles 0, 4, 1, 5 of the first word.
      group.numbers.push_back(int8_t(bytes[k % 2 * 2] << (k < 2 ? 4 : 0)) >> 4);
  }
  return group;
}

TEST(QuantiseI8, ExponentsAreTheSmallestThatHoldTheMagnitude) {
  auto exponent = [](float weight) { return int(quantised(abi::WeightFormat::I8, {weight}).exponent); };
  EXPECT_EQ(exponent(0.0f), -126);
  EXPECT_EQ(exponent(127.0f), 0);
  EXPECT_EQ(exponent(std::nextafter(127.0f, 128.0f)), 1);
  EXPECT_EQ(exponent(63.5f), -1);
  EXPECT_EQ(exponent(1.0f), -6);
  EXPECT_EQ(exponent(std::numeric_limits<float>::denorm_min()), -126);
  EXPECT_EQ(exponent(largestWeight(abi::WeightFormat::I8)), 104);
}

TEST(QuantiseI8, NumbersAreRoundedToNearestEven) {
  EXPECT_EQ(quantised(abi::WeightFormat::I8, {127, 0.5f, 1.5f, -2.5f}).numbers, (std::vector<int>{127, 0, 2, -2}));
  EXPECT_EQ(quantised(abi::WeightFormat::I8, {-126.6f, 0.4f, -0.6f, 127}).numbers,
            (std::vector<int>{-127, 0, -1, 127}));
  float largest = largestWeight(abi::WeightFormat::I8);
  EXPECT_EQ(quantised(abi::WeightFormat::I8, {largest, -largest}).numbers, (std::vector<int>{127, -127, 0, 0}));
}

TEST(QuantiseI4, TheExponentIsTheOneWithTheSmallerError) {
  constexpr abi::WeightFormat i4 = abi::WeightFormat::I4;
  EXPECT_EQ(quantised(i4, {}).exponent, -126);
  // Whole numbers are exact; the finer unit would cut off what is above 7 of its own.
  Quantised whole = quantised(i4, {7, -1, 3, 2});
  EXPECT_EQ(whole.exponent, 0);
  EXPECT_EQ(whole.numbers, (std::vector<int>{7, -1, 3, 2}));
  // 3.75 is 7.5 finer units, of which 7 are kept, an error of 0.25; it is 4 of the coarser, an error of 0.25 too, and
  // 0.5 and 1.5 are exact in finer units alone.
  Quantised finer = quantised(i4, {3.75f, 0.5f, 1.5f, -3.5f});
  EXPECT_EQ(finer.exponent, -1);
  EXPECT_EQ(finer.numbers, (std::vector<int>{7, 1, 3, -7}));
  // Above 7.5 finer units, yet better cut off there.
  Quantised cut = quantised(i4, {4, 0.5f, 1.5f, -2.5f});
  EXPECT_EQ(cut.exponent, -1);
  EXPECT_EQ(cut.numbers, (std::vector<int>{7, 1, 3, -5}));
  // Ties to even, and 7.5 is 7.
  EXPECT_EQ(quantised(i4, {7.5f, 7, 2.5f, -3.5f}).numbers, (std::vector<int>{7, 7, 2, -4}));
  float largest = largestWeight(i4);
  Quantised most = quantised(i4, {largest, -largest});
  EXPECT_EQ(most.exponent, 104);
  EXPECT_EQ(most.numbers, (std::vector<int>{7, -7, 0, 0}));
}

TEST(PackingI8, DoesNotDependOnTheCallersRounding) {
  Matrix a = randomMatrix("a", 30, 8);
  Expectation expectation{{"i8", 16, 2, false}, {&a}};
  std::shared_ptr<const Model> model = modelWith(expectation, "f32");
  auto plain = must(loadWith(model, {&a}, io::DType::F64));
  unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x6000u | 0x8040u); // Towards zero, subnormals flushed.
  auto other = loadWith(model, {&a}, io::DType::F64);
  _mm_setcsr(before);
  ASSERT_TRUE(bool(other));
  EXPECT_EQ(std::memcmp(plain->packed(0), (*other)->packed(0), size_t(expectation.bytes())), 0);
}

} // namespace
} // namespace chimera::runtime::toy
