// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/binary/Object.h"
#include "codegen/kernel/Lowering.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "test/codegen-cpu/AmxEmulation.h"
#include "test/codegen-cpu/LinearCase.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::cpu::test {

namespace {

const Isa &amx() {
  static const Isa isa = *isaNamed("amx-bf16");
  return isa;
}

LinearSpec makeSpec(WeightFormat weight, int64_t inputs, int64_t outputs) {
  LinearSpec spec;
  spec.inputs = inputs;
  spec.outputs = outputs;
  spec.in = Scalar::BF16;
  spec.weight = weight;
  return spec;
}

/// The kernel of amx-bf16 with its tile unit emulated.
std::vector<float> runEmulated(const LinearCase &problem) {
  struct Compiled {
    std::unique_ptr<ref::test::KernelJit> jit;
    Kernel kernel;
    ref::test::KernelFunction function;
  };
  static std::map<std::string, Compiled> compiled;
  auto jit = makeJit(hostIsas().front());
  Kernel kernel = getOrEmit(jit->module(), amx(), problem.spec);
  Compiled &entry = compiled[kernel.symbol];
  if (!entry.jit) {
    EXPECT_GT(emulateTiles(jit->module()), 0);
    auto function = jit->compile(kernel.symbol);
    entry = {std::move(jit), kernel, function};
  }
  return run(amx(), problem, [&](Launch &launch) {
    if (entry.function)
      launch.run(entry.function, kernel.grid, problem.batch.sizes());
  });
}

/// The sum as the tile unit makes it.
float tileSum(const float *x, const float *w, int64_t inputs) {
  float sum = 0;
  for (int64_t first = 0; first < inputs; first += 32) {
    float even = 0, odd = 0;
    for (int64_t k = first; k < std::min(first + 32, inputs); k += 2) {
      even = std::fma(x[k], w[k], even);
      if (k + 1 < inputs)
        odd = std::fma(x[k + 1], w[k + 1], odd);
    }
    sum = sum + (even + odd);
  }
  return sum;
}

std::vector<float> modelSums(const LinearCase &problem) {
  std::vector<float> x = rowsRead(problem), y;
  int64_t inputs = problem.spec.inputs;
  for (int64_t i = 0; i < problem.rows.count(); ++i)
    for (int64_t n = 0; n < problem.spec.outputs; ++n)
      y.push_back(tileSum(&x[i * inputs], &problem.weights[0].values[n * inputs], inputs));
  return y;
}

Batch oneSequence(int64_t rows) {
  return Batch({rows}, {0}, {0});
}

LinearCase caseOf(const LinearSpec &spec, int64_t rows, uint64_t seed) {
  Batch batch = oneSequence(rows);
  return randomCase(spec, batch, allRows(batch), seed);
}

} // namespace

// Inputs: fewer than a tile, odd, whole tiles, broken ones, more than one chunk. Rows: one and two tiles, broken ones,
// several blocks. Outputs: broken panels, more of them than a block takes at once.
TEST(CpuAmx, SumsAreThoseOfTheTileUnit) {
  constexpr std::pair<int64_t, int64_t> shapes[] = {{5, 24}, {64, 65}, {95, 170}, {1059, 33}};
  for (WeightFormat weight : {WeightFormat::BF16, WeightFormat::I8, WeightFormat::I4})
    for (auto [inputs, outputs] : shapes)
      for (int64_t rows : {1, 16, 17, 33, 70, 131}) {
        LinearCase problem = caseOf(makeSpec(weight, inputs, outputs), rows, rows);
        expectSameBits(runEmulated(problem), modelSums(problem),
                       std::to_string(inputs) + "x" + std::to_string(outputs) + " by " + std::to_string(rows));
      }
}

TEST(CpuAmx, NoRowsWriteNothing) {
  LinearSpec spec = makeSpec(WeightFormat::BF16, 64, 65);
  Batch batch = oneSequence(3);
  LinearCase problem = randomCase(spec, batch, someRows(batch, {false, false, false}, 2), 1);
  expectSameBits(runEmulated(problem), problem.before, "no rows");
}

TEST(CpuAmx, ANaNRowLeavesTheOtherRowsAsTheyWere) {
  for (WeightFormat weight : {WeightFormat::BF16, WeightFormat::I8, WeightFormat::I4}) {
    LinearCase problem = caseOf(makeSpec(weight, 95, 170), 20, 3);
    std::vector<float> clean = runEmulated(problem);
    std::fill_n(problem.x.begin() + 95, 95, std::numeric_limits<float>::quiet_NaN());
    std::vector<float> y = runEmulated(problem);
    for (int64_t i = 0; i < 20 * 170; ++i) {
      if (i / 170 == 1)
        ASSERT_TRUE(std::isnan(y[i]));
      else
        ASSERT_EQ(y[i], clean[i]) << "element " << i;
    }
  }
}

TEST(CpuAmx, GathersAndScattersRowsThroughTheEpilogue) {
  Batch batch({30, 0, 13}, {2, 0, 1}, {0, 0, 40});
  std::vector<bool> keep;
  for (int64_t r = 0; r < batch.tokens(); ++r)
    keep.push_back(r % 3 != 1);
  LinearSpec spec = makeSpec(WeightFormat::BF16, 37, 70);
  spec.gather = spec.scatter = spec.gated = true;
  spec.x = {50, 13};
  spec.epilogue = Epilogue::Residual;
  LinearCase problem = randomCase(spec, batch, someRows(batch, keep, 5), 4);
  std::vector<float> sums = modelSums(problem), expected = problem.before;
  for (int64_t i = 0; i < problem.rows.count(); ++i) {
    int32_t id = problem.rows.index[problem.rows.start[0] + i];
    for (int64_t n = 0; n < 70; ++n) {
      float product = problem.gate[id] * sums[i * 70 + n];
      expected[id * 70 + n] = expected[id * 70 + n] + product;
    }
  }
  expectSameBits(runEmulated(problem), expected, "gathered, gated, scattered");
}

TEST(CpuAmx, MultipliesInterleavedMatrices) {
  LinearSpec spec = makeSpec(WeightFormat::BF16, 37, 200);
  spec.epilogue = Epilogue::Glu;
  spec.activation = Activation::Silu;
  for (int64_t rows : {3, 50}) {
    LinearCase problem = caseOf(spec, rows, 5);
    std::vector<float> gate = modelSums(problem), y = runEmulated(problem);
    std::swap(problem.weights[0], problem.weights[1]);
    std::vector<float> up = modelSums(problem);
    for (size_t i = 0; i < y.size(); ++i) {
      double expected = gate[i] / (1 + std::exp(-double(gate[i]))) * up[i];
      // exp within 2 ulp, and the roundings of the sum, the quotient and the product.
      ASSERT_LE(std::abs(y[i] - expected), 5 * 0x1p-23 * std::abs(expected)) << "element " << i;
    }
  }
}

TEST(CpuAmx, F32RowsTakeNoTiles) {
  LinearSpec spec = makeSpec(WeightFormat::F32, 37, 200);
  spec.in = Scalar::F32;
  auto jit = makeJit(hostIsas().front());
  getOrEmit(jit->module(), amx(), spec);
  EXPECT_EQ(emulateTiles(jit->module()), 0);
}

TEST(CpuAmx, CompilesToTileInstructionsAndReleasesTheUnit) {
  mlir::DialectRegistry registry;
  binary::registerKernelTranslation(registry);
  mlir::MLIRContext context(registry);
  loadKernelDialects(context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  Kernel kernel = getOrEmit(*module, amx(), makeSpec(WeightFormat::BF16, 64, 65));
  mlir::PassManager passes(&context);
  addLoweringPasses(passes);
  ASSERT_TRUE(mlir::succeeded(passes.run(*module)));
  auto variant = llvm::cantFail(binary::isaVariant(amx().name));
  auto code = binary::compileKernels(*module, {kernel.symbol}, variant, binary::CodeFormat::Assembly);
  ASSERT_TRUE(static_cast<bool>(code)) << llvm::toString(code.takeError());
  for (const char *instruction : {"ldtilecfg", "tileloadd", "tdpbf16ps", "tilestored", "tilerelease"})
    EXPECT_NE(code->find(instruction), std::string::npos) << instruction;
}

} // namespace chimera::cpu::test
