// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// chimera-train under mpirun.
#include "test/chimera-train/ToyRun.h"

#include <filesystem>

namespace {

using namespace chimera::test;
using nlohmann::json;

class TrainRanks : public ToyRun {
protected:
  void SetUp() override {
#ifdef CHIMERA_MPIRUN
    std::filesystem::copy_file(CHIMERA_MPI_PLUGIN, file("chimera_mpi.so"));
    configure({{"routing", "soft@0.25,hard@0.75"},
               {"evaluation",
                { {"every", 5},
                  {"sequences", 6} }},
               { "checkpoint",
                 { {"every", 5} } }});
#else
    GTEST_SKIP() << "built without MPI, or mpirun is not installed";
#endif
  }
  ProcessResult runRanks(int ranks, const std::string &out, int steps,
                         const std::vector<std::string> &more = {}) const {
#ifdef CHIMERA_MPIRUN
    // What OpenMPI itself leaks is no concern of these tests.
    std::vector<std::string> all = {"env",
                                    "ASAN_OPTIONS=detect_leaks=0",
                                    CHIMERA_MPIRUN,
                                    "--allow-run-as-root",
                                    "--oversubscribe",
                                    "--bind-to",
                                    "none",
                                    "-np",
                                    std::to_string(ranks)};
    std::vector<std::string> command = this->command(out, steps, more);
    all.insert(all.end(), command.begin(), command.end());
    return runProcess(all, 100);
#else
    return {};
#endif
  }
};

TEST_F(TrainRanks, HaveTheBitsOfOne) {
  ASSERT_EQ(run("one", 12, {"--accumulate", "2"}).status, 0);
  for (int ranks : {2, 4}) {
    std::string out = "ranks" + std::to_string(ranks);
    ProcessResult result = runRanks(ranks, out, 12, {"--accumulate", "2"});
    ASSERT_EQ(result.status, 0) << result.describe();
    EXPECT_EQ(content("one", "model.safetensors"), content(out, "model.safetensors")) << ranks;
    std::vector<json> expected = log("one"), found = log(out);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 1; i < found.size(); ++i)
      for (const char *key : {"loss", "norm", "layers", "hard", "soft", "classes"})
        EXPECT_EQ(found[i].value(key, json()), expected[i].value(key, json())) << ranks << " " << i << " " << key;
  }
}

TEST_F(TrainRanks, ResumeWithAnotherNumber) {
  ASSERT_EQ(run("one", 12).status, 0);
  ASSERT_EQ(runRanks(2, "two", 12).status, 0);
  std::filesystem::remove_all(file("two/checkpoints/step-00000012"));
  ProcessResult result = run("two", 12, {"--resume"});
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_NE(result.err.find("going on after step 10"), std::string::npos) << result.err;
  EXPECT_EQ(content("one", "model.safetensors"), content("two", "model.safetensors"));
}

TEST_F(TrainRanks, FailTogether) {
  ProcessResult result = runRanks(2, "out", 5, {"--routing", "warm"});
  EXPECT_NE(result.status, 0);
  EXPECT_FALSE(result.timedOut);
  EXPECT_NE(result.err.find("key 'training.routing'"), std::string::npos) << result.err;
  writeFile(file("fail"), "");
  result = runRanks(2, "out", 5);
  EXPECT_NE(result.status, 0);
  EXPECT_FALSE(result.timedOut) << "only the first rank sees what the compiler says";
  EXPECT_NE(result.err.find("chimera-train: chimera-compile: error: it does not compile"), std::string::npos)
      << result.err;
}

} // namespace
