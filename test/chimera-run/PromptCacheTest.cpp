// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Prompts that begin from what a file holds of them.
#include "test/chimera-run/ByteModel.h"

#include <filesystem>

using namespace chimera;
using namespace chimera::test;
using io::DType;
using io::quote;

namespace {
class PromptCacheTest : public ByteModelTest {
protected:
  const std::string prompt = "The quick brown fox";
  const std::string cache = file("c");

  std::vector<std::string> with(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--prompt-cache", cache, "--stats"});
    return arguments;
  }
  std::string continued(const std::string &text) const { return text + continuation(bytesOf(text), 8, {}) + "\n"; }

  /// Runs with the cache: the right text, and so many tokens from the cache. `line`: what is said on stderr before the
  /// statistics; empty: nothing.
  void expectText(const std::string &text, int cached, const std::string &line = "",
                  const std::vector<std::string> &more = {}) const {
    std::vector<std::string> arguments = with({"--prompt=" + text, "--max-new-tokens", "8"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    ProcessResult result = run(arguments);
    EXPECT_EQ(result.status, 0) << result.describe();
    EXPECT_EQ(result.out, continued(text));
    std::string from = "prompt cache: " + std::to_string(cached) + " tokens\n";
    EXPECT_EQ(result.err.find(from) != std::string::npos, cached > 0) << result.err;
    if (line.empty())
      EXPECT_EQ(result.err.rfind("chimera-run", 0), std::string::npos) << result.err;
    else
      EXPECT_EQ(result.err.rfind("chimera-run: --prompt-cache " + line, 0), 0u) << result.err;
  }
};
} // namespace

TEST_F(PromptCacheTest, ASecondRunFeedsTheLastTokenAlone) {
  expectText(prompt, 0);
  std::string made = readFile(cache);
  EXPECT_EQ(made.substr(0, 8), "CHIMPRM1");
  expectText(prompt, 18);
  ProcessResult again = run(with({"--prompt", prompt, "--max-new-tokens", "8"}));
  EXPECT_EQ(again.err.find("prefill: "), std::string::npos) << again.err;
  EXPECT_NE(again.err.find("decode: 8 tokens in "), std::string::npos) << again.err;
  EXPECT_EQ(readFile(cache), made) << "a file that fits is not written";
}

TEST_F(PromptCacheTest, AnyScheduleAndAnyLongerPromptGivesTheSameTokens) {
  for (const char *making : {"prefill", "decode", "chunks:5,7,1"}) {
    std::filesystem::remove(cache);
    expectText(prompt, 0, "", {"--schedule", making});
    for (const char *using_ : {"prefill", "decode", "chunks:3"}) {
      expectText(prompt, 18, "", {"--schedule", using_});
      expectText(prompt + " jumps over the lazy dog", 18, "", {"--schedule", using_});
      expectText("The quick brown fo and others", 18, "", {"--schedule", using_});
    }
  }
}

TEST_F(PromptCacheTest, SampledTokensAreTheSame) {
  std::vector<std::string> arguments = {"--prompt",      prompt, "--max-new-tokens", "30",
                                        "--temperature", "3000", "--seed",           "5"};
  std::string plain = run(arguments).out;
  arguments.insert(arguments.end(), {"--prompt-cache", cache});
  for (int i = 0; i < 2; ++i) {
    ProcessResult result = run(arguments);
    expectSuccess(result);
    EXPECT_EQ(result.out, plain);
  }
}

TEST_F(PromptCacheTest, AFileOfAnotherPromptIsMadeAgain) {
  expectText(prompt, 0);
  const std::string again = "is made again: " + quote(cache) + ": ";
  expectText("The quiet brown fox", 0, again + "is of another prompt: token 7 is 99 there, 101 here\n");
  expectText("The quiet brown fox", 18);
  expectText("The quiet", 0, again + "is of a longer prompt: it has 18 tokens, of which at most 8 can be used here\n");
  expectText("The quiet", 8);
  expectText("The quiet brown fox", 8);
}

TEST_F(PromptCacheTest, AFileOfOtherWeightsIsMadeAgain) {
  expectText(prompt, 0);
  writeWeights(vocab, 299);
  ProcessResult result = run(with({"--prompt", prompt, "--max-new-tokens", "0"}));
  EXPECT_EQ(result.status, 0) << result.describe();
  EXPECT_EQ(result.err.rfind("chimera-run: --prompt-cache is made again: " + quote(cache) + ": ", 0), 0u);
  EXPECT_NE(result.err.find("weights"), std::string::npos) << result.err;
  EXPECT_EQ(result.err.find("prompt cache: "), std::string::npos) << result.err;
  writeWeights();
  expectText(prompt, 0, "is made again: ");
}

TEST_F(PromptCacheTest, AnyDamageIsSaidAndMended) {
  expectText(prompt, 0);
  std::string whole = readFile(cache);
  uint32_t state = 1;
  auto random = [&](size_t below) { return size_t((state = state * 1664525 + 1013904223) >> 8) % below; };
  for (int i = 0; i < 60; ++i) {
    std::string damaged = whole;
    // Not the name of the format: what does not begin with it is not touched.
    size_t at = i < 12 ? 7 + size_t(i) : 7 + random(whole.size() - 7);
    if (i % 3 == 0)
      damaged.resize(at);
    else if (i % 3 == 1)
      damaged.insert(at, 1, char(random(256)));
    else
      damaged[at] = char(damaged[at] ^ (1 << random(8)));
    writeFile(cache, damaged);
    expectText(prompt, 0, "is made again: " + quote(cache) + ": is ");
    EXPECT_TRUE(readFile(cache) == whole) << i;
  }
  writeFile(cache, "");
  expectText(prompt, 0, "is made again: " + quote(cache) + ": is too short\n");
  writeFile(cache, "CHIMPRM2" + whole.substr(8));
  expectText(prompt, 0, "is made again: " + quote(cache) + ": is of format '2', this program reads '1'\n");
}

TEST_F(PromptCacheTest, AFileOfAnotherKindStaysAsItIs) {
  for (const std::string &bytes : {std::string("a letter to a friend"), std::string("CHIMSEQ2")}) {
    writeFile(cache, bytes);
    expectText(prompt, 0, "is not used: " + quote(cache) + ": is no prompt cache, so it stays as it is\n");
    EXPECT_EQ(readFile(cache), bytes);
  }
}

TEST_F(PromptCacheTest, AFileThatCannotBeWrittenIsSaidAtTheEnd) {
  for (const std::string &place : {file("none/c"), folder.path()}) {
    ProcessResult result =
        run({"--prompt", prompt, "--max-new-tokens", "8", "--prompt-cache", place, "--output-tokens", file("new.npy")});
    EXPECT_EQ(result.status, 1) << result.describe();
    EXPECT_EQ(result.out, continued(prompt));
    EXPECT_EQ(load<int32_t>("new.npy", DType::I32, {1, 8}), chosen(bytesOf(prompt), 8, {}));
    // A folder is something that is there and does not fit, and so is said before.
    EXPECT_EQ(countLines(result.err), place == folder.path() ? 2 : 1) << result.err;
    size_t last = result.err.rfind("chimera-run: ");
    EXPECT_EQ(result.err.find(quote(place), last), last + 13) << result.err;
    std::filesystem::remove(file("new.npy"));
  }
}

TEST_F(PromptCacheTest, OneSequenceOfIds) {
  std::vector<int32_t> ids = bytesOf(prompt);
  std::string one = npy("t.npy", DType::I32, {int64_t(ids.size())}, ids);
  for (int i = 0; i < 2; ++i) {
    ProcessResult result = run(with({"--tokens", one, "--max-new-tokens", "8", "--output-tokens", file("new.npy")}));
    EXPECT_EQ(result.status, 0) << result.describe();
    EXPECT_EQ(load<int32_t>("new.npy", DType::I32, {1, 8}), chosen(ids, 8, {}));
    EXPECT_EQ(result.err.find("prompt cache: 18 tokens\n") != std::string::npos, i == 1) << result.err;
  }
  expectText(prompt, 18);
  std::string two = npy("two.npy", DType::I32, {2, 1}, std::vector<int32_t>{1, 2});
  expectError(run({"--tokens", two, "--max-new-tokens", "8", "--prompt-cache", cache}), 1,
              "--prompt-cache: it holds one sequence, and " + quote(two) + " has 2");
}

TEST_F(PromptCacheTest, OneTokenIsNotKept) {
  expectText("a", 0);
  EXPECT_FALSE(std::filesystem::exists(cache));
  expectText("ab", 0);
  expectText("ac", 1);
}

TEST_F(PromptCacheTest, ColoursAreOfTheTokensThatAreFed) {
  std::vector<std::string> arguments = {"--prompt", "abc", "--max-new-tokens", "0", "--color=always"};
  ProcessResult plain = run(arguments);
  arguments.insert(arguments.end(), {"--prompt-cache", cache});
  EXPECT_EQ(run(arguments).out, plain.out);
  EXPECT_EQ(run(arguments).out, "modes: \x1b[38;5;39mssm\x1b[0m \x1b[38;5;203mfull\x1b[0m\n"
                                "ab\x1b[38;5;203mc\x1b[0m\n");
}

TEST_F(PromptCacheTest, MisuseIsStatusTwo) {
  std::string ids = npy("t.npy", DType::I32, {2}, std::vector<int32_t>{1, 2});
  expectError(run({"--tokens", ids, "--prompt-cache", cache}), 2,
              "--prompt-cache requires --prompt, --prompt-file, --max-new-tokens or --output-tokens");
  expectError(run({"--tokens", ids, "--force-routing", ids, "--max-new-tokens", "1", "--prompt-cache", cache}), 2,
              "--prompt-cache excludes --force-routing");
  expectError(run({"--prompt", "a", "--prompt-cache", "-"}), 2, "--prompt-cache: a file is needed");
  expectError(run({"--prompt", "a", "--prompt-cache", cache, "--output-tokens",
                   file("../") + std::filesystem::path(folder.path()).filename().string() + "/c"}),
              2, "--output-tokens and --prompt-cache name the same file");
}
