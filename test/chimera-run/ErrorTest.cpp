// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Npy.h"
#include "runtime/io/Result.h"
#include "test/chimera-run/ToyTool.h"

#include <filesystem>

using namespace chimera;
using namespace chimera::test;
namespace toy = chimera::runtime::toy;
using io::DType;
using io::quote;

class ErrorTest : public ToolTest {
protected:
  std::string tokens() const { return npy("t.npy", DType::I32, {2, 2}, std::vector<int32_t>{1, 2, 3, 4}); }

  void expectBad(const std::vector<std::string> &arguments, const std::string &text) const {
    expectError(run(arguments), 1, text);
  }
  void expectMisuse(const std::vector<std::string> &arguments, const std::string &text) const {
    expectError(run(arguments), 2, "chimera-run: " + text + "\n");
  }
};

TEST_F(ErrorTest, MisuseIsStatusTwoAndOneLine) {
  expectError(runBare({}), 2, "chimera-run: model is required\n");
  expectError(runBare({"m.chm"}), 2, "chimera-run: --weights is required\n");
  expectMisuse({}, "one of --prompt, --prompt-file, --jsonl, --chat, --messages and --tokens is required (--prompt - "
                   "reads the standard input)");
  expectMisuse({"--tokens", "t", "--prompt", "x"}, "--tokens excludes --prompt");
  expectMisuse({"--prompt-file", "t", "--prompt", "x"}, "--prompt excludes --prompt-file");
  expectMisuse({"--tokens", "t", "--prompt-file", "x"}, "--tokens excludes --prompt-file");
  expectMisuse({"--prompt", "x", "--logits", "l"}, "--logits requires --tokens");
  expectMisuse({"--tokens", "t", "--logits", "x", "--routing", "x"}, "--logits and --routing name the same file");
  expectMisuse({"--tokens", "t", "--logits", "./x", "--routing", "y/../x"},
               "--logits and --routing name the same file");
  expectMisuse({"--prompt", "x", "--lengths", "l"}, "--lengths requires --tokens");
  for (const char *option : {"--temperature", "--top-k", "--top-p", "--seed"})
    expectMisuse({"--tokens", "t", option, "1"},
                 option +
                     std::string(" requires --prompt, --prompt-file, --jsonl, --chat, --messages, --max-new-tokens or "
                                 "--output-tokens"));
  expectMisuse({"--tokens", "t", "--max-new-tokens", "1", "--tokenizer", "1"},
               "--tokenizer requires --prompt, --prompt-file, --jsonl, --chat or --messages");
  expectMisuse({"--tokens", "t", "--max-new-tokens", "1", "--color-layer", "1"},
               "--color-layer requires --prompt or --prompt-file");
  for (const char *output : {"--logits", "--routing"})
    for (const char *option : {"--max-new-tokens", "--output-tokens"})
      expectMisuse({"--tokens", "t", option, "1", output, "x"},
                   output + std::string(" excludes ") + option +
                       ": evaluate the tokens with the new ones at their end (the logits and modes are the same)");
  for (const char *output : {"--logits", "--routing", "--output-tokens"})
    expectMisuse({"--tokens", "t", output, "-"},
                 output + std::string(": an array cannot go to the standard output, as it is not written in order"));
  expectMisuse({"--tokens", "-", "--lengths", "-"},
               "--tokens and --lengths cannot both be read from the standard input");
  expectError(runBare({"-", "--weights", "w", "--prompt", "-"}), 2,
              "chimera-run: the model and --prompt-file cannot both be read from the standard input\n");
  expectError(
      runBare({"m", "--weights", "-", "--prompt", "x"}), 2,
      "chimera-run: --weights: a checkpoint cannot be read from the standard input, as it is not read in order\n");
  expectMisuse({"--tokens", "t", "--bo\ngus"}, "The following argument was not expected: --bo\\x0agus");
  expectMisuse({"--tokens", "t", "--schedule=chunks:5,0"},
               "--schedule: 'chunks:5,0': the sizes of chunks are numbers >= 1, with commas between");
  expectMisuse({"--tokens", "t", "--schedule=both"},
               "--schedule: 'both' is none of prefill, decode, chunks:SIZE,SIZE,...");
  expectMisuse({"--tokens", "t", "--threads", "0"}, "--threads: '0' is not a whole number from 1 to 1024");
  expectMisuse({"--prompt", "x", "--seed", "-1"}, "--seed: '-1' is not a number in 0 .. 2^64-1");
  expectMisuse({"--prompt", "x", "--seed", "18446744073709551616"},
               "--seed: '18446744073709551616' is not a number in 0 .. 2^64-1");
  expectMisuse({"--prompt", "x", "--top-p", "0"}, "--top-p must be > 0 and <= 1");
  expectMisuse({"--prompt", "x", "--top-k", "-1"}, "--top-k must be >= 0");
  expectMisuse({"--prompt", "x", "--temperature", "-1"}, "--temperature must be a finite number >= 0");
  for (const char *option : {"--temperature", "--top-p"})
    for (const std::string &text : {"nan", "inf", "1e400", "0x10", "1x", "0,5"})
      expectMisuse({"--prompt", "x", option, text}, option + (": '" + text + "' is not a number"));
  for (const std::string &text : {"1.5", "1e3", "0x10", "12x", "-1", "99999999999999999999"})
    expectMisuse({"--prompt", "x", "--max-new-tokens", text},
                 "--max-new-tokens: '" + text + "' is not a whole number from 0 to 1099511627776");
  expectError(run({"--prompt", "x", "--top-k", "99999999999999999999"}), 2,
              "--top-k: '99999999999999999999' is not a whole number from ");
  expectMisuse({"--tokens", "t", "--max-sequences", "0"},
               "--max-sequences: '0' is not a whole number from 1 to 1048576");
  for (const char *bytes : {"0", "-1", "1.5G", "5X", "K", "99999999999G", "9223372036854775808"})
    expectMisuse({"--tokens", "t", "--memory-limit=" + std::string(bytes)},
                 "--memory-limit: '" + std::string(bytes) +
                     "' is not a number of bytes: a whole number, or one with K, M or G");
  expectMisuse({"--prompt", "x", "--color", "red"}, "--color: red not in {auto,always,never}");
}

TEST_F(ErrorTest, HelpAndVersionAreStatusZero) {
  ProcessResult help = runBare({"--help"});
  expectSuccess(help);
  for (const char *option :
       {"--weights",     "--threads", "--tokens",        "--lengths",      "--schedule",       "--force-routing",
        "--logits",      "--routing", "--prompt",        "--prompt-file",  "--max-new-tokens", "--output-tokens",
        "--temperature", "--top-k",   "--top-p",         "--seed",         "--tokenizer",      "--color",
        "--color-layer", "--stats",   "--max-sequences", "--memory-limit", "--parse-special"})
    EXPECT_NE(help.out.find(option), std::string::npos) << option;
  ProcessResult version = runBare({"--version"});
  expectSuccess(version);
  EXPECT_EQ(version.out.rfind("chimera-run ", 0), 0u) << version.out;
}

TEST_F(ErrorTest, MissingFilesAreNamed) {
  std::string none = file("none");
  expectError(runBare({none, "--weights", folder.path(), "--tokens", tokens()}), 1, none);
  expectError(runBare({file("m.chm"), "--weights", none, "--tokens", tokens()}), 1, none);
  expectBad({"--tokens", none}, quote(none) + ": cannot open: No such file or directory");
  expectBad({"--tokens", tokens(), "--lengths", none}, quote(none) + ": cannot open: No such file or directory");
  expectBad({"--tokens", tokens(), "--force-routing", none}, quote(none) + ": cannot open: No such file or directory");
  expectBad({"--tokens", tokens(), "--logits", file("no/l.npy")},
            quote(file("no/l.npy")) + ": cannot write: No such file or directory");
  expectBad({"--tokens", tokens(), "--routing", "/dev/null"}, "'/dev/null': cannot write: not a regular file");
}

TEST_F(ErrorTest, TokensAreChecked) {
  std::string path = file("x.npy"), where = quote(path) + ": ";
  auto withTokens = [&](std::vector<int64_t> shape, std::vector<int64_t> values) {
    return std::vector<std::string>{"--tokens", npy("x.npy", DType::I64, shape, values)};
  };
  expectBad(withTokens({2, 2}, {1, 2, 3, 11}), where + "[1, 1]: token 11 is outside 0..10");
  expectBad(withTokens({2}, {0, -1}), where + "[0, 1]: token -1 is outside 0..10");
  expectBad(withTokens({1}, {int64_t(1) << 32}), where + "[0, 0]: token 4294967296 is outside 0..10");
  expectBad(withTokens({}, {1}), where + "shape [T] or [B, T] is needed, not []");
  expectBad(withTokens({1, 1, 1}, {1}), where + "shape [T] or [B, T] is needed, not [1, 1, 1]");
  npy("x.npy", DType::F32, {1}, std::vector<float>{1});
  expectBad({"--tokens", path}, where + "whole numbers are needed, not f32");
}

TEST_F(ErrorTest, LengthsAreChecked) {
  std::string path = file("x.npy"), where = quote(path) + ": ";
  auto withLengths = [&](std::vector<int64_t> shape, std::vector<int32_t> values) {
    return std::vector<std::string>{"--tokens", tokens(), "--lengths", npy("x.npy", DType::I32, shape, values)};
  };
  expectBad(withLengths({2}, {2, 3}), where + "[1]: length 3 is outside 0..2");
  expectBad(withLengths({2}, {-1, 0}), where + "[0]: length -1 is outside 0..2");
  expectBad(withLengths({3}, {1, 1, 1}), where + "shape [2] is needed, not [3]");
  expectBad(withLengths({2, 1}, {1, 1}), where + "shape [2] is needed, not [2, 1]");
}

TEST_F(ErrorTest, ForcedRoutingIsChecked) {
  std::string path = file("x.npy"), where = quote(path) + ": ";
  auto withModes = [&](std::vector<int64_t> shape, std::vector<int8_t> values) {
    return std::vector<std::string>{"--tokens", tokens(), "--force-routing", npy("x.npy", DType::I8, shape, values)};
  };
  expectBad(withModes({2, 2, 2}, {0, 2, -1, 0, 0, 2, 1, 0}),
            where + "[1, 1, 0]: mode 1 cannot be forced; that layer takes ssm, full");
  expectBad(withModes({2, 2, 2}, {0, 4, -1, 0, 0, 2, 1, 0}), where + "[0, 0, 1]: mode 4 cannot be forced");
  expectBad(withModes({2, 2, 2}, {-2, 0, 0, 0, 0, 0, 0, 0}), where + "[0, 0, 0]: mode -2 cannot be forced");
  expectBad(withModes({2, 2}, {0, 0, 0, 0}), where + "i8 [2, 2, 2] is needed, not i8 [2, 2]");
}

TEST_F(ErrorTest, AFailureLeavesNoOutput) {
  std::string bad = npy("x.npy", DType::I32, {1}, std::vector<int32_t>{99});
  expectBad({"--tokens", bad, "--logits", file("l.npy"), "--routing", file("r.npy")}, "outside");
  EXPECT_FALSE(std::filesystem::exists(file("l.npy")));
  EXPECT_FALSE(std::filesystem::exists(file("r.npy")));
}

TEST_F(ErrorTest, TheCheckpointIsChecked) {
  writeFile(file("empty.safetensors"), std::string("\2\0\0\0\0\0\0\0{}", 10));
  expectError(runBare({file("m.chm"), "--weights", file("empty.safetensors"), "--tokens", tokens()}), 1, "scale");
  writeFile(file("short"), "abc");
  expectError(runBare({file("m.chm"), "--weights", file("short"), "--tokens", tokens()}), 1,
              quote(file("short")) + ": is text, not a checkpoint");
}

TEST_F(ErrorTest, TextNeedsByteTokens) {
  expectBad({"--prompt", "x"},
            "--prompt: bytes are tokens, which takes a vocab_size of at least 256; the model's is 11");
  expectBad({"--prompt", "x", "--tokenizer", folder.path()},
            quote(folder.path()) + ": holds neither tokenizer.json nor tokenizer.model");
}

/// Each file of a run, with bytes changed, cut or added: a valid run, or status 1 and one line.
TEST_F(ErrorTest, DamagedFilesAreAValidRunOrOneError) {
  std::string lengths = npy("l.npy", DType::I32, {2}, std::vector<int32_t>{2, 1});
  std::string modes = npy("f.npy", DType::I8, {2, 2, 2}, std::vector<int8_t>{0, 2, -1, 0, 0, 2, 2, 0});
  std::vector<std::string> arguments = {"--tokens", tokens(), "--lengths", lengths, "--force-routing", modes};
  expectSuccess(run(arguments));
  uint32_t state = 1;
  auto random = [&](size_t below) { return size_t((state = state * 1664525 + 1013904223) >> 8) % below; };
  int runs = 0, errors = 0;
  for (const char *name : {"t.npy", "l.npy", "f.npy", "m.chm", "model.safetensors"}) {
    std::string whole = readFile(file(name));
    for (int i = 0; i < 40; ++i) {
      std::string damaged = whole;
      size_t at = random(whole.size());
      if (i % 4 == 0)
        damaged.resize(at);
      else if (i % 4 == 1)
        damaged.insert(at, 1, char(random(256)));
      else
        damaged[at] = char(damaged[at] ^ (1 << random(8)));
      writeFile(file(name), damaged);
      ProcessResult result = run(arguments);
      ++runs;
      if (result.status != 0) {
        ++errors;
        expectError(result, 1, "chimera-run: ");
      }
    }
    writeFile(file(name), whole);
  }
  EXPECT_EQ(runs, 200);
  EXPECT_GT(errors, 80);
}
