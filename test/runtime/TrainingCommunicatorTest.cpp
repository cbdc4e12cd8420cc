// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/runtime/TrainingThreadRanks.h"

#include "test/runtime/ToyModel.h"
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <limits>
#include <vector>

namespace chimera::train {
namespace {

/// Numbers whose sum depends on its order.
float part(int rank, int64_t i) {
  return float(rank % 2 ? 1 : -1) * (1.0f + float(rank) * 0x1.8p-20f) * float(1 << (rank * 3 % 7)) +
         float(i % 13) * 0.1f;
}

/// ((0+1)+(2+3))+...
template <typename T> T pairwise(std::vector<T> values) {
  for (size_t count = values.size(); count > 1; count /= 2)
    for (size_t i = 0; i < count / 2; ++i)
      values[i] = values[2 * i] + values[2 * i + 1];
  return values[0];
}

class Ranks : public testing::TestWithParam<int> {};

TEST_P(Ranks, SumsAreThoseOfThePairwiseTreeOnAll) {
  size_t ranksCount = size_t(GetParam());
  int size = GetParam();
  constexpr int64_t count = 300000; // More than a message's piece.
  std::vector<std::vector<float>> sums(ranksCount, std::vector<float>(count));
  std::vector<std::vector<double>> wide(ranksCount, std::vector<double>(100));
  toy::onRanks(size, [&](Communicator &ranks) {
    std::vector<float> &own = sums[size_t(ranks.rank())];
    for (int64_t i = 0; i < count; ++i)
      own[size_t(i)] = part(ranks.rank(), i);
    for (int64_t i = 0; i < 100; ++i)
      wide[size_t(ranks.rank())][size_t(i)] = 1.0 / (ranks.rank() + 3) + double(i);
    EXPECT_FALSE(ranks.sum(own.data(), count));
    EXPECT_FALSE(ranks.sum(wide[size_t(ranks.rank())].data(), 100));
    int64_t number = int64_t(1) << (40 + ranks.rank());
    EXPECT_FALSE(ranks.sum(&number, 1));
    EXPECT_EQ(number, ((int64_t(1) << ranks.size()) - 1) << 40);
    int64_t root = ranks.rank() + 5;
    EXPECT_FALSE(ranks.broadcast(&root, sizeof root));
    EXPECT_EQ(root, 5);
    EXPECT_FALSE(ranks.barrier());
  });
  for (int64_t i = 0; i < count; ++i) {
    std::vector<float> parts;
    for (int rank = 0; rank < size; ++rank)
      parts.push_back(part(rank, i));
    for (int rank = 0; rank < size; ++rank)
      ASSERT_EQ(sums[size_t(rank)][size_t(i)], pairwise(parts)) << rank << ", " << i;
  }
  for (int64_t i = 0; i < 100; ++i) {
    std::vector<double> parts;
    for (int rank = 0; rank < size; ++rank)
      parts.push_back(1.0 / (rank + 3) + double(i));
    for (int rank = 0; rank < size; ++rank)
      ASSERT_EQ(wide[size_t(rank)][size_t(i)], pairwise(parts));
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Ranks, testing::Values(1, 2, 4, 8));

TEST(Ranks, SubnormalsAreZeroAsInKernels) {
  toy::onRanks(2, [](Communicator &ranks) {
    float tiny = std::numeric_limits<float>::denorm_min() * 1000,
          difference = ranks.rank() ? -0x1.0p-126f : 0x1.8p-126f;
    EXPECT_FALSE(ranks.sum(&tiny, 1));
    EXPECT_FALSE(ranks.sum(&difference, 1));
    EXPECT_EQ(tiny, 0.0f);
    EXPECT_EQ(difference, 0.0f);
    // The caller's own mode is back.
    volatile float subnormal = 0x1.0p-126f;
    EXPECT_NE(subnormal * 0.5f, 0.0f);
  });
}

TEST(OpenCommunicator, AloneWithoutALauncher) {
  Result<std::unique_ptr<Communicator>> ranks = openCommunicator();
  ASSERT_TRUE(bool(ranks));
  EXPECT_EQ((*ranks)->size(), 1);
  double value = 3;
  EXPECT_FALSE((*ranks)->sum(&value, 1));
  EXPECT_EQ(value, 3);
}

TEST(OpenCommunicator, ALauncherWithoutThePluginIsAnError) {
  runtime::toy::TemporaryFolder folder;
  std::string copy = folder.path() + "/ranks";
  std::filesystem::copy_file(CHIMERA_TRAINING_RANKS, copy);
  test::ProcessResult result = test::runProcess({"env", "OMPI_COMM_WORLD_SIZE=2", copy});
  EXPECT_EQ(result.status, 1) << result.describe();
  EXPECT_EQ(result.err, "training-ranks: a launcher started 2 processes, but there is no chimera_mpi.so beside the "
                        "program, '" +
                            folder.path() + "/': MPI was not there when it was built\n");
  test::writeFile(folder.path() + "/chimera_mpi.so", "no library");
  result = test::runProcess({"env", "OMPI_COMM_WORLD_SIZE=2", copy});
  EXPECT_EQ(result.status, 1) << result.describe();
  EXPECT_NE(result.err.find("chimera_mpi.so cannot be used: "), std::string::npos) << result.err;
  EXPECT_EQ(test::countLines(result.err), 1) << result.err;
}

#ifdef CHIMERA_MPIRUN
/// MPI ends with memory that it does not give back, which a sanitizer would report.
std::vector<std::string> mpirun(int size) {
  return {"env",
          "ASAN_OPTIONS=detect_leaks=0",
          CHIMERA_MPIRUN,
          "--allow-run-as-root",
          "--oversubscribe",
          "--bind-to",
          "none",
          "-np",
          std::to_string(size),
          CHIMERA_TRAINING_RANKS};
}

TEST(OpenCommunicator, MpiGivesTheSameSums) {
  test::ProcessResult result = test::runProcess(mpirun(2));
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_NE(result.out.find("rank 0 of 2: sums right, count 21, root 0.5\n"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("rank 1 of 2: sums right, count 21, root 0.5\n"), std::string::npos) << result.out;
}

TEST(OpenCommunicator, ThreeRanksAreRefused) {
  test::ProcessResult result = test::runProcess(mpirun(3));
  EXPECT_NE(result.status, 0);
  EXPECT_NE(result.err.find("the number of ranks must be a power of two, is 3"), std::string::npos) << result.err;
}

TEST(OpenCommunicator, ARankThatGivesUpEndsTheOthers) {
  std::vector<std::string> command = mpirun(2);
  command.push_back("abandon");
  test::ProcessResult result = test::runProcess(command, 60);
  EXPECT_FALSE(result.timedOut);
  EXPECT_NE(result.status, 0);
}

TEST(OpenCommunicator, AnErrorOfMpiEndsAllRanks) {
  std::vector<std::string> command = mpirun(2);
  command.push_back("mismatch");
  test::ProcessResult result = test::runProcess(command, 60);
  EXPECT_FALSE(result.timedOut);
  EXPECT_EQ(result.status, 1) << result.describe();
  EXPECT_NE(result.err.find("training-ranks: MPI: exchange: MPI_ERR_TRUNCATE"), std::string::npos) << result.err;
}
#endif

} // namespace
} // namespace chimera::train
