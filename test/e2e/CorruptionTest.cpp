// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files with bytes changed, cut or added: a tool runs, or says in one line what is wrong. It never crashes.
#include "test/e2e/CommandLine.h"
#include "test/support/Random.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace chimera;
using namespace chimera::test;

namespace {

int mutations(int usual) {
  return longMode() ? 20 * usual : usual;
}

/// One random change: a byte changed, removed or added, or the end cut off or extended.
std::string mutate(std::string bytes, Random &random) {
  auto at = static_cast<size_t>(random.below(static_cast<int64_t>(bytes.size())));
  // Bytes that mean something in JSON and headers are drawn as often as any others.
  const std::string meaningful = "0123456789-+.eE\"{}[],: tfn'()\\";
  char byte = random.chance(0.5) ? random.pick(std::vector<char>(meaningful.begin(), meaningful.end()))
                                 : static_cast<char>(random.below(256));
  switch (random.below(6)) {
  case 0:
    bytes[at] = byte;
    break;
  case 1:
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
    break;
  case 2:
    bytes.erase(at, 1);
    break;
  case 3:
    bytes.insert(at, 1, byte);
    break;
  case 4:
    bytes.resize(at);
    break;
  default:
    bytes.append(static_cast<size_t>(random.between(1, 20)), byte);
    break;
  }
  return bytes;
}

void expectRunOrOneLine(const ProcessResult &result, const std::string &what) {
  EXPECT_FALSE(result.timedOut) << what;
  EXPECT_EQ(result.signal, 0) << what << ": " << result.describe();
  EXPECT_TRUE(result.status == 0 || result.status == 1) << what << ": " << result.describe();
  if (result.status == 1)
    EXPECT_EQ(countLines(result.err), 1) << what << ": " << result.describe();
}

class Corruption {
protected:
  explicit Corruption(const Build &build)
      : onDisk(build), tokens(onDisk.writeArray<int32_t>("tokens.npy", {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})) {}

  /// Mutates one file again and again while `run` uses it. Returns how often the tool reported an error.
  template <typename Run> int corrupt(const std::string &path, int count, uint64_t seed, Run run) {
    std::string original = readFile(path);
    Random random(seed + baseSeed());
    ProcessResult undamaged = run();
    EXPECT_EQ(undamaged.status, 0) << "before any damage: " << undamaged.describe();
    int errors = 0;
    for (int i = 0; i < count; ++i) {
      std::string bytes = mutate(original, random);
      if (bytes == original)
        continue;
      writeFile(path, bytes);
      ProcessResult result = run();
      expectRunOrOneLine(result, path + ", mutation " + std::to_string(i));
      errors += result.status == 1;
      if (testing::Test::HasFailure()) {
        writeFile(testing::TempDir() + "/corrupted", bytes);
        ADD_FAILURE() << "the file that failed is kept as " << testing::TempDir() << "/corrupted";
        break;
      }
    }
    writeFile(path, original);
    return errors;
  }

  ModelOnDisk onDisk;
  std::string tokens;
};

class ConfigCorruptionTest : protected Corruption, public testing::Test {
protected:
  ConfigCorruptionTest() : Corruption(refBuild(Precision::F32)) {}
};

class CorruptionTest : protected Corruption, public testing::TestWithParam<Build> {
protected:
  CorruptionTest() : Corruption(GetParam()) {}
};

TEST_F(ConfigCorruptionTest, ConfigIsCompiledOrRefused) {
  std::string config = onDisk.directory.file("config.json");
  int errors = corrupt(config, mutations(150), 1, [&] {
    return runProcess({CHIMERA_COMPILE_PATH, config, "--emit=chimera", "-o", onDisk.directory.file("out.mlir")});
  });
  EXPECT_GT(errors, 0);
}

TEST_F(ConfigCorruptionTest, ConfigGoesAllTheWayOrIsRefused) {
  std::string config = onDisk.directory.file("config.json");
  int errors = corrupt(config, mutations(15), 2, [&] {
    return runProcess({CHIMERA_COMPILE_PATH, onDisk.directory.path(), "-o", onDisk.directory.file("out.chm")});
  });
  EXPECT_GT(errors, 0);
}

TEST_P(CorruptionTest, BinaryIsAlwaysRefused) {
  std::string copy = onDisk.directory.file("model.chm");
  writeFile(copy, readFile(onDisk.binary));
  int count = mutations(150);
  std::string original = readFile(copy);
  int errors = corrupt(copy, count, 3, [&] {
    ProcessResult result =
        runProcess({CHIMERA_RUN_PATH, copy, "--weights", onDisk.directory.path(), "--tokens", tokens});
    EXPECT_EQ(result.status, readFile(copy) == original ? 0 : 1) << result.describe();
    return result;
  });
  EXPECT_GT(errors, count * 9 / 10);
}

TEST_P(CorruptionTest, BinaryIsRefusedByTheInspector) {
  std::string copy = onDisk.directory.file("model.chm");
  writeFile(copy, readFile(onDisk.binary));
  int errors = corrupt(copy, mutations(40), 4, [&] { return runProcess({CHIMERA_INSPECT_PATH, copy}); });
  EXPECT_GT(errors, 0);
}

TEST_P(CorruptionTest, ArraysAreReadOrRefused) {
  std::string lengths = onDisk.writeArray<int64_t>("lengths.npy", {2}, {4, 2});
  std::string forced = onDisk.writeArray<int8_t>("forced.npy", {2, 4, 3}, std::vector<int8_t>(24, -1));
  int errors = 0;
  for (const std::string &array : {tokens, lengths, forced})
    errors += corrupt(array, mutations(80), 5, [&] {
      return onDisk.run({"--tokens", tokens, "--lengths", lengths, "--force-routing", forced, "--logits",
                         onDisk.directory.file("logits.npy")});
    });
  EXPECT_GT(errors, 0);
}

TEST_P(CorruptionTest, CheckpointIsReadOrRefused) {
  std::string checkpoint = onDisk.directory.file("model.safetensors");
  // Most of the file is weights, where any byte is valid; the header is what can be wrong.
  std::string original = readFile(checkpoint);
  int errors = corrupt(checkpoint, mutations(80), 6, [&] { return onDisk.run({"--tokens", tokens}); });
  EXPECT_GT(errors, 0);
}

INSTANTIATE_TEST_SUITE_P(All, CorruptionTest,
                         testing::Values(refBuild(Precision::F32), cpuBuild("native", Precision::F32, "int8")),
                         [](const auto &info) { return buildName(info.param); });

} // namespace
