// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The shared library and the C program that embeds a model through it.
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <sstream>

using namespace chimera::test;

namespace {

/// The words that `pattern`'s first group matches in `text`.
std::set<std::string> matches(const std::string &text, const std::string &pattern) {
  std::regex expression(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), expression), end; match != end; ++match)
    found.insert((*match)[1]);
  return found;
}

TEST(SharedLibrary, ExportsTheFunctionsOfTheHeaderAndNothingElse) {
  ProcessResult result =
      runProcess({CHIMERA_NM_PATH, "-D", "--defined-only", "--format=just-symbols", CHIMERA_LIBRARY_PATH});
  ASSERT_EQ(result.status, 0) << result.describe();
  std::set<std::string> exported;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);)
    exported.insert(line);
  std::set<std::string> declared =
      matches(readFile(CHIMERA_HEADER_PATH), "CHIMERA_API [a-z0-9_ ]+[ *](chimera_[a-z_]+)\\(");
  EXPECT_GE(declared.size(), 20u);
  EXPECT_EQ(exported, declared);
}

TEST(SharedLibrary, HasAVersionedName) {
  std::string bytes = readFile(CHIMERA_LIBRARY_PATH);
  EXPECT_NE(bytes.find(std::string("\0libchimera.so.1\0", 17)), std::string::npos);
}

/// A small model over bytes with all modes, made by the tools.
class EmbedTest : public testing::Test {
protected:
  static void SetUpTestSuite() {
    directory = std::make_unique<TemporaryDirectory>();
    writeFile(directory->file("config.json"), R"({
      "model_type": "chimera", "vocab_size": 256, "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 48,
      "num_attention_heads": 2, "head_dim": 16, "window": 8, "ssm": {"state_size": 8, "head_dim": 16}})");
    for (const std::vector<std::string> &command :
         {std::vector<std::string>{CHIMERA_INIT_PATH, directory->path(), "-o", weights(), "--seed", "3"},
          {CHIMERA_COMPILE_PATH, directory->path(), "-o", model(), "--target=ref", "--max-tokens=16",
           "--max-seqs=2"}}) {
      ProcessResult result = runProcess(command);
      ASSERT_EQ(result.status, 0) << result.describe();
    }
  }
  static void TearDownTestSuite() { directory.reset(); }

  static std::string model() { return directory->file("m.chm"); }
  static std::string weights() { return directory->file("model.safetensors"); }
  static ProcessResult embed(const std::vector<std::string> &arguments) {
    std::vector<std::string> command = {CHIMERA_EMBED_PATH};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return runProcess(command);
  }

  static std::unique_ptr<TemporaryDirectory> directory;
};
std::unique_ptr<TemporaryDirectory> EmbedTest::directory;

TEST_F(EmbedTest, DecodesTheTokensThatChimeraRunPrints) {
  const std::string prompt = "The quick brown fox jumps";
  std::vector<std::string> arguments = {model(), weights(), "24"};
  for (unsigned char byte : prompt)
    arguments.push_back(std::to_string(int(byte)));
  ProcessResult result = embed(arguments);
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_EQ(result.err, "");
  std::string text = prompt;
  std::istringstream ids(result.out);
  for (int id; ids >> id;)
    text += char(id);
  EXPECT_EQ(text.size(), prompt.size() + 24);
  ProcessResult run = runProcess({CHIMERA_RUN_PATH, model(), "--weights", weights(), "--prompt", prompt,
                                  "--max-new-tokens", "24", "--threads", "2"});
  ASSERT_EQ(run.status, 0) << run.describe();
  EXPECT_EQ(run.out, text + "\n");
}

TEST_F(EmbedTest, ErrorsAreOneLine) {
  auto expectError = [](const ProcessResult &result, int status, const std::string &text) {
    EXPECT_EQ(result.status, status) << result.describe();
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(countLines(result.err), 1) << result.err;
    EXPECT_NE(result.err.find(text), std::string::npos) << result.err;
  };
  expectError(embed({}), 2, "usage");
  expectError(embed({model(), weights(), "x", "1"}), 2, "COUNT");
  expectError(embed({model(), weights(), "1", "-1"}), 2, "TOKEN");
  expectError(embed({directory->file("none.chm"), weights(), "1", "1"}), 1, "none.chm");
  expectError(embed({model(), model(), "1", "1"}), 1, "m.chm");
  expectError(embed({model(), weights(), "1", "256"}), 1, "256");
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHIMERA_EMBED_ASAN 1
#endif
#endif

/// Runs a command under a limit of the shell's ("-s 128").
ProcessResult runLimited(const std::string &limit, std::vector<std::string> command) {
  std::vector<std::string> shell = {"/bin/sh", "-c", "ulimit " + limit + R"( && exec "$0" "$@")"};
  shell.insert(shell.end(), command.begin(), command.end());
  return runProcess(shell);
}

/// The number after `key` in the manifest of a binary.
int64_t numberInManifest(const std::string &path, const std::string &key) {
  std::string bytes = readFile(path);
  size_t at = bytes.find("\"" + key + "\":");
  return at == std::string::npos ? -1 : std::stoll(bytes.substr(at + key.size() + 3, 20));
}

TEST_F(EmbedTest, KernelsThatNeedMoreStackThanTheirCallerHasWork) {
#ifdef CHIMERA_EMBED_ASAN
  GTEST_SKIP() << "a sanitizer's frames do not fit on the small stack";
#endif
  if (readFile("/proc/cpuinfo").find(" avx2 ") == std::string::npos)
    GTEST_SKIP() << "the cpu target needs AVX2";
  TemporaryDirectory folder;
  writeFile(folder.file("config.json"), R"({
    "model_type": "chimera", "vocab_size": 256, "hidden_size": 64, "num_hidden_layers": 1, "intermediate_size": 0,
    "modes": ["full"], "num_attention_heads": 256, "num_key_value_heads": 1, "head_dim": 128})");
  std::string binary = folder.file("m.chm"), parameters = folder.file("model.safetensors");
  for (const std::vector<std::string> &command :
       {std::vector<std::string>{CHIMERA_INIT_PATH, folder.path(), "-o", parameters, "--seed", "3"},
        {CHIMERA_COMPILE_PATH, folder.path(), "-o", binary, "--max-tokens=64"}}) {
    ProcessResult result = runProcess(command);
    ASSERT_EQ(result.status, 0) << result.describe();
  }
  ASSERT_GT(numberInManifest(binary, "stack_bytes"), 128 << 10);
  std::vector<std::string> command = {CHIMERA_EMBED_PATH, binary, parameters, "5"};
  for (int token = 0; token < 40; ++token)
    command.push_back(std::to_string(token * 7 % 256));
  ProcessResult plain = runProcess(command), small = runLimited("-s 128", command);
  ASSERT_EQ(plain.status, 0) << plain.describe();
  ASSERT_EQ(small.status, 0) << small.describe();
  EXPECT_EQ(small.out, plain.out);
}

TEST_F(EmbedTest, ALimitOfAddressSpaceLimitsNothingButTheCaches) {
#ifdef CHIMERA_EMBED_ASAN
  GTEST_SKIP() << "a sanitizer needs all addresses";
#endif
  std::vector<std::string> command = {CHIMERA_EMBED_PATH, model(), weights(), "24", "84", "104", "101"};
  ProcessResult plain = runProcess(command), limited = runLimited("-v 1000000", command);
  ASSERT_EQ(plain.status, 0) << plain.describe();
  ASSERT_EQ(limited.status, 0) << limited.describe();
  EXPECT_EQ(limited.out, plain.out);
}

} // namespace
