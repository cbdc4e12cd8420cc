// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Texts from files and streams, and vocabularies that are not bytes.
#include "test/chimera-run/ByteModel.h"

#include <filesystem>

using namespace chimera;
using namespace chimera::test;
using io::DType;
using io::quote;

using PromptTest = ByteModelTest;

TEST_F(PromptTest, AFileAndTheStandardInputAreTakenByteByByte) {
  std::string text = "The quick\nfox\xFF\n"; // Its last newline is a token, as every byte is.
  writeFile(file("p.txt"), text);
  std::string expected =
      text + continuation({'T', 'h', 'e', ' ', 'q', 'u', 'i', 'c', 'k', 10, 'f', 'o', 'x', 255, 10}, 12, {}) + "\n";
  std::vector<std::string> count = {"--max-new-tokens", "12"};
  auto with = [&](std::vector<std::string> source) {
    source.insert(source.end(), count.begin(), count.end());
    return source;
  };
  for (const ProcessResult &result : {
           run(with({"--prompt-file", file("p.txt")})),
           shell("\"$@\" < p.txt", with({"--prompt-file", "-"})),
           shell("\"$@\" < p.txt", with({"--prompt", "-"})),
           shell("(head -c 4 p.txt; sleep 0.1; tail -c +5 p.txt) | \"$@\"", with({"--prompt", "-"})),
           shell("cat p.txt | \"$@\"", with({"--prompt-file", "/dev/stdin"})),
       }) {
    expectSuccess(result);
    EXPECT_EQ(result.out, expected);
  }
}

/// Longer than what one argument of a program can be, and than what one step is given.
TEST_F(PromptTest, ALongTextFromAFile) {
  std::string text(200000, 'b'); // Even tokens, so that the toy's lists stay short.
  for (size_t i = 0; i < text.size(); i += 777)
    text[i] = char('b' + 2 * (i % 5));
  writeFile(file("p.txt"), text);
  std::string expected = text + continuation(bytesOf(text), 3, {}) + "\n";
  for (const char *schedule : {"prefill", "chunks:65535,100000,7"}) {
    ProcessResult result =
        run({"--prompt-file", file("p.txt"), "--max-new-tokens", "3", "--schedule", schedule, "--stats"});
    EXPECT_EQ(result.status, 0) << result.describe();
    EXPECT_TRUE(result.out == expected) << schedule;
    EXPECT_NE(result.err.find("decode: 2 tokens in "), std::string::npos) << "no token of the text is alone in a step";
  }
}

TEST_F(PromptTest, FilesThatCannotBeReadAreOneLine) {
  writeFile(file("empty"), "");
  std::string none = file("none"), empty = file("empty");
  expectError(run({"--prompt-file", none}), 1, quote(none) + ": cannot open: No such file or directory");
  expectError(run({"--prompt-file", folder.path()}), 1, quote(folder.path()) + ": is a folder, not a file");
  const std::string text = ": the text is empty and the model has no bos_token_id to start from";
  expectError(run({"--prompt-file", empty}), 1, quote(empty) + text);
  expectError(run({"--prompt", "-"}), 1, "<stdin>" + text);
  expectError(shell("\"$@\" <&-", {"--prompt", "-"}), 1, "<stdin>: cannot read: Bad file descriptor");
  expectError(shell("\"$@\" < .", {"--prompt", "-"}), 1, "<stdin>: is a folder, not a file");
  writeModel(299, nlohmann::json::array());
  ProcessResult result = run({"--prompt-file", empty, "--max-new-tokens", "4"});
  expectSuccess(result);
  EXPECT_EQ(result.out, continuation({299}, 4, {}) + "\n");
}

TEST_F(PromptTest, AWrongNameIsSaidBeforeTheModelIsRead) {
  std::string none = file("none");
  expectError(runBare({file("no.chm"), "--weights", file("no"), "--prompt-file", none}), 1, quote(none));
}

TEST_F(PromptTest, AVocabularyThatIsNotBytesIsNotFedBytes) {
  const std::string advice =
      "; give token ids in a .npy file, or --tokenizer=bytes if each byte is meant to be a token "
      "(--tokens FILE takes the ids)\n";
  writeFile(file("vocab.json"), "{}");
  expectError(run({"--prompt", "hi"}), 1,
              "chimera-run: --prompt: the bytes of a text are not this model's tokens, for it has a tokenizer, " +
                  quote(file("vocab.json")) + advice);
  ProcessResult result = run({"--prompt", "hi", "--max-new-tokens", "4", "--tokenizer=bytes"});
  expectSuccess(result);
  EXPECT_EQ(result.out, "hi" + continuation(bytesOf("hi"), 4, {}) + "\n");

  writeModel(nullptr, nlohmann::json::array(), 1000);
  writeWeights(1000);
  std::filesystem::remove(file("vocab.json"));
  writeFile(file("p.txt"), "hi");
  expectError(
      run({"--prompt-file", file("p.txt")}), 1,
      "chimera-run: --prompt-file: the bytes of a text are not this model's tokens, for its vocabulary has 1000 "
      "of them" +
          advice);
  expectSuccess(run({"--prompt", "hi", "--tokenizer=bytes"}));
  expectSuccess(run({"--tokens", npy("t.npy", DType::I32, {2}, bytesOf("hi")), "--max-new-tokens", "4"}));
}
