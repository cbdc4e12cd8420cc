// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingProducts.h"
#include "test/codegen-cpu/LinearCase.h"
#include "test/codegen-cpu/TrainingCase.h"

#include <gtest/gtest.h>

namespace chimera::cpu::test {

namespace {

/// One of the two kernels.
struct EmbedLaunch {
  EmbedGradSpec spec;
  bool sum;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const EmbedLaunch &launch) {
  EmbedGrad both = getOrEmitGrad(kernels, isa, launch.spec);
  return launch.sum ? both.sum : both.order;
}

struct EmbedCase {
  TrainingRows rows;
  int64_t vocab, width;
  std::vector<int32_t> tokens;
  std::vector<float> dx;

  /// Tokens below `used`, of which some come in many leaves and some in one.
  EmbedCase(TrainingRows some, int64_t vocab, int64_t used, int64_t width)
      : rows(std::move(some)), vocab(vocab), width(width) {
    for (int64_t r = 0; r < rows.batch.tokens(); ++r)
      tokens.push_back(static_cast<int32_t>(r * r % 97 % used));
    dx = ref::test::randomVector<float>(rows.batch.tokens() * width, 3);
    dx[0] = -0.0F;
  }
};

std::vector<float> refGrad(const EmbedCase &c) {
  Launch launch;
  launch.add(c.rows.leaves);
  launch.add(c.rows.batch.start);
  launch.add(c.tokens);
  launch.add(c.dx);
  size_t table = addResult(launch, c.vocab * c.width);
  ref::test::runKernel(ref::EmbedGradSpec{c.vocab, c.width, Scalar::F32}, launch, c.rows.batch.sizes());
  return launch.get<float>(table);
}

std::vector<float> cpuGrad(const Isa &isa, const EmbedCase &c, const std::vector<int32_t> &leaves) {
  EmbedGradSpec spec{c.vocab, c.width};
  Launch ordering, launch;
  ordering.add(leaves);
  ordering.add(c.rows.batch.start);
  ordering.add(c.tokens);
  size_t first = ordering.add(std::vector<int32_t>(c.vocab + 2, -7));
  size_t order = ordering.add(std::vector<int32_t>(c.tokens.size(), -7));
  runKernel(isa, EmbedLaunch{spec, false}, ordering, c.rows.batch.sizes());
  launch.add(leaves);
  launch.add(ordering.get<int32_t>(first));
  launch.add(ordering.get<int32_t>(order));
  launch.add(c.dx);
  size_t table = addResult(launch, c.vocab * c.width);
  runKernel(isa, EmbedLaunch{spec, true}, launch, c.rows.batch.sizes());
  return launch.get<float>(table);
}

TrainingRows raggedRows() {
  return trainingRows({3, 1, 50, 4, 2, 40, 1, 5}, {0, 2, 3, 3, 5, 6, 6, 7});
}

TEST(CpuEmbedGrad, HasTheBitsOfTheRefKernel) {
  for (const Isa &isa : hostIsas())
    for (int64_t width : {1, 7, 16, 50, 300})
      for (int64_t vocab : {1, 10, 200})
        for (int64_t used : {int64_t(1), vocab})
          expectSameBits(cpuGrad(isa, EmbedCase(raggedRows(), vocab, used, width), raggedRows().leaves),
                         refGrad(EmbedCase(raggedRows(), vocab, used, width)),
                         isa.name + " " + std::to_string(vocab) + "x" + std::to_string(width));
}

TEST(CpuEmbedGrad, TakesAnyNumberOfLeaves) {
  for (const Isa &isa : hostIsas())
    for (int64_t count : {1, 2, 4, 16}) {
      std::vector<int32_t> first;
      for (int32_t i = 0; i < count; ++i)
        first.push_back(i);
      EmbedCase c(trainingRows(std::vector<int64_t>(count, 9), first), 10, 10, 24);
      expectSameBits(cpuGrad(isa, c, c.rows.leaves), refGrad(c), isa.name + " " + std::to_string(count) + " leaves");
    }
}

TEST(CpuEmbedGrad, LeavesAreTheirHalvesAdded) {
  for (const Isa &isa : hostIsas()) {
    EmbedCase c(raggedRows(), 10, 10, 20);
    std::vector<float> whole = cpuGrad(isa, c, c.rows.leaves);
    std::vector<float> left = cpuGrad(isa, c, leavesOf({0, 2, 3, 3}, 5));
    std::vector<float> right = cpuGrad(isa, c, leavesOf({5, 6, 6, 7}, 8));
    for (size_t i = 0; i < whole.size(); ++i)
      ASSERT_EQ(whole[i], left[i] + right[i]) << isa.name << ", element " << i;
  }
}

} // namespace

} // namespace chimera::cpu::test
