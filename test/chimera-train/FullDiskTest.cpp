// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs of a compiled model that find no room for a checkpoint: one line of error, the last good checkpoint stays, and
// with room again the run goes on from it to the same bits.
#include "test/chimera-train/CompiledRun.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <sys/resource.h>

namespace {

using namespace chimera::test;
using nlohmann::json;
namespace filesystem = std::filesystem;

/// Checkpoints after steps 4, 8 and 12.
constexpr int totalSteps = 12;
const json training = {{"evaluation", {{"every", 0}, {"sequences", 8}}}, {"checkpoint", {{"every", 4}, {"keep", 2}}}};
/// Soon compiled, and with so many words that a model is larger than the compiled programs, which have to be loaded
/// below a limit of sizes.
const json model = {{"vocab_size", 4096}, {"num_hidden_layers", 1}, {"modes", {"full"}}, {"token_conv_kernel", 0}};
/// Nothing but the checkpoints grows before the end of the run.
const std::vector<std::string> quietly = {"--threads", "1", "--log-every", "100"};

/// Limits the size of the files that this process, and those that it starts, can write.
class FileSizeLimit {
public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before);
    rlimit now = {bytes, before.rlim_max};
    isSet = ::setrlimit(RLIMIT_FSIZE, &now) == 0;
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before); }
  bool isSet;

private:
  rlimit before = {};
};

class FullDisk : public testing::Test {
protected:
  FullDisk() : runs(training, totalSteps, "ref", model) {}

  void SetUp() override {
    ProcessResult result = runs.run("whole", quietly);
    ASSERT_EQ(result.status, 0) << result.describe();
  }

  std::vector<std::string> resuming() const {
    std::vector<std::string> all = quietly;
    all.push_back("--resume");
    return all;
  }

  /// Expects what the tool wrote to stderr to have one line that is an error, the last, with `text` in it.
  static void expectOneError(const std::string &said, const std::string &text) {
    std::istringstream lines(said);
    std::string last;
    int errors = 0;
    for (std::string line; std::getline(lines, line); last = line)
      errors += line.rfind("chimera-train: ", 0) == 0 && line.find(": warning: ") == std::string::npos;
    EXPECT_EQ(errors, 1) << said;
    EXPECT_EQ(last.rfind("chimera-train: ", 0), 0u) << said;
    EXPECT_NE(last.find(text), std::string::npos) << "wanted: " << text << "\ngot: " << last;
  }

  CompiledRun runs;
};

TEST_F(FullDisk, AFileThatMayNotGrowIsOneErrorAndTheLastGoodCheckpointStays) {
  filesystem::copy(runs.file("whole"), runs.file("parts"), filesystem::copy_options::recursive);
  const std::string checkpoints = runs.file("parts/checkpoints"), newest = checkpoints + "/step-00000012";
  // The model has room, the moments, which are twice as large, have not.
  auto bytes = rlim_t(filesystem::file_size(newest + "/optimizer.safetensors") - 1);
  ASSERT_GT(bytes, filesystem::file_size(newest + "/model.safetensors"));
  ASSERT_GT(bytes, filesystem::file_size(runs.file("parts/" + runs.binaryOf("parts"))));
  filesystem::remove_all(newest);
  ProcessResult failed;
  {
    FileSizeLimit limit(bytes);
    ASSERT_TRUE(limit.isSet);
    failed = runs.run("parts", resuming());
  }
  EXPECT_EQ(failed.status, 1) << failed.describe();
  expectOneError(failed.err, "optimizer.safetensors': cannot write: File too large");
  EXPECT_EQ(namesIn(checkpoints), std::vector<std::string>{"step-00000008"});
  EXPECT_EQ(treeDifference(runs.file("whole/checkpoints/step-00000008"), checkpoints + "/step-00000008"), "");

  ProcessResult resumed = runs.run("parts", resuming());
  ASSERT_EQ(resumed.status, 0) << resumed.describe();
  EXPECT_NE(resumed.err.find("going on after step 8"), std::string::npos) << resumed.err;
  EXPECT_EQ(runs.difference("whole", "parts"), "");
}

/// $1: the folder of the test; $2: bytes of the disk; the rest: the command of a run into the disk, with --resume. The
/// disk is there for these processes only.
const char *const onASmallDisk = R"(
  root=$1; size=$2; shift 2
  mkdir "$root/disk" && mount -t tmpfs -o size="$size" none "$root/disk" || exit 77
  cp "$root"/whole/*.chm "$root/disk/" || exit 78
  "$@" 2>"$root/failed.err"; echo $? >"$root/failed.status"
  cp -r "$root/disk" "$root/failed" || exit 78
  mount -o remount,size=64m "$root/disk" || exit 78
  "$@" 2>"$root/resumed.err"; echo $? >"$root/resumed.status"
  cp -r "$root/disk" "$root/parts" || exit 78
)";

TEST_F(FullDisk, ADiskWithoutRoomForTheSecondCheckpointIsOneErrorAndTheFirstStays) {
  uintmax_t checkpoint = 0;
  for (const auto &entry : filesystem::directory_iterator(runs.file("whole/checkpoints/step-00000012")))
    checkpoint += entry.file_size();
  uintmax_t binary = filesystem::file_size(runs.file("whole/" + runs.binaryOf("whole")));
  uintmax_t room = (binary + checkpoint * 3 / 2) / 4096 * 4096 + 32768; // Every file takes whole pages.
  std::vector<std::string> command = {"unshare",    "--user", "--map-root-user", "--mount",           "sh", "-c",
                                      onASmallDisk, "sh",     runs.root(),       std::to_string(room)};
  for (const std::string &word : runs.command("disk", resuming()))
    command.push_back(word);
  ProcessResult result;
  try {
    result = runProcess(command, 300);
  } catch (const std::runtime_error &error) {
    GTEST_SKIP() << "no small disk can be had here: " << error.what();
  }
  if (result.status != 0 && !filesystem::exists(runs.file("failed.status")))
    GTEST_SKIP() << "no small disk can be mounted here: " << result.describe();
  ASSERT_EQ(result.status, 0) << result.describe();

  EXPECT_EQ(readFile(runs.file("failed.status")), "1\n");
  expectOneError(readFile(runs.file("failed.err")), "cannot write: No space left on device");
  EXPECT_EQ(namesIn(runs.file("failed/checkpoints")), std::vector<std::string>{"step-00000004"});
  EXPECT_FALSE(filesystem::exists(runs.file("failed/model.safetensors")));

  EXPECT_EQ(readFile(runs.file("resumed.status")), "0\n");
  std::string said = readFile(runs.file("resumed.err"));
  EXPECT_NE(said.find("going on after step 4"), std::string::npos) << said;
  EXPECT_EQ(runs.difference("whole", "parts"), "");
}

} // namespace
