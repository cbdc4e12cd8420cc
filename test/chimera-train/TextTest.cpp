// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Training on texts through a tokenizer.
#include "test/chimera-train/ToyRun.h"

#include <algorithm>
#include <filesystem>

namespace {

using namespace chimera::test;
using nlohmann::json;

class TrainText : public ToyRun {
protected:
  TrainText() {
    configure(json::object());
    json config = json::parse(readFile(file("model/config.json")));
    config["eos_token_id"] = 7;
    writeFile(file("model/config.json"), config.dump());
    writeFile(file("model/tokenizer.json"), tokenizer(5));
    writeFile(file("model/tokenizer_config.json"), R"({"chat_template": "none"})");
    writeFile(file("a.txt"), repeated("abcd ", 60));
    writeFile(file("b.txt"), repeated("dab<e>\n", 20));
  }

  static std::string repeated(const std::string &text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i)
      all += text;
    return all;
  }
  /// Characters and the token ab, whose id is `ab`; <e> is a special token, z one that the toy does not have.
  static std::string tokenizer(int ab) {
    json vocab = {{"a", 0}, {"b", 1}, {"c", 2}, {" ", 3},  {"\n", 4},
                  {"d", 6}, {"<", 8}, {"e", 9}, {">", 10}, {"z", 20}};
    vocab["ab"] = ab;
    json end = {{"id", 7},         {"content", "<e>"},    {"single_word", false}, {"lstrip", false},
                {"rstrip", false}, {"normalized", false}, {"special", true}};
    return json{{"version", "1.0"},
                {"added_tokens", json::array({end})},
                {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a b"}}}}}
        .dump();
  }

  ProcessResult train(const std::string &out, const std::string &data, const std::vector<std::string> &more = {},
                      int steps = 4) const {
    std::vector<std::string> all = command(out, steps, more);
    std::replace(all.begin(), all.end(), std::string("copy:data=2,symbols=3"), data);
    return runProcess(all, 60);
  }
  std::string both() const { return file("a.txt") + "," + file("b.txt"); }
  /// The files of token ids of a run.
  std::vector<std::string> tokenFiles(const std::string &out) const {
    std::vector<std::string> found;
    for (const auto &entry : std::filesystem::directory_iterator(file(out)))
      if (entry.path().extension() == ".bin")
        found.push_back(entry.path().string());
    return found;
  }
  /// The ids in a run's file of token ids, of two bytes each behind a header of 1024.
  std::vector<int> ids(const std::string &out) const {
    std::vector<std::string> files = tokenFiles(out);
    EXPECT_EQ(files.size(), 1u);
    std::string bytes = files.empty() ? "" : readFile(files[0]);
    std::vector<int> found;
    for (size_t i = 1024; i + 1 < bytes.size(); i += 2)
      found.push_back(uint8_t(bytes[i]) | uint8_t(bytes[i + 1]) << 8);
    return found;
  }
  static void append(std::vector<int> &all, const std::vector<int> &part, int times = 1) {
    for (int i = 0; i < times; ++i)
      all.insert(all.end(), part.begin(), part.end());
  }
};

TEST_F(TrainText, EncodesTextsAndEndsEach) {
  ProcessResult result = train("out", both());
  ASSERT_EQ(result.status, 0) << result.describe();
  std::vector<int> wanted;
  append(wanted, {5, 2, 6, 3}, 60);
  append(wanted, {7});
  append(wanted, {6, 5, 8, 9, 10, 4}, 20); // What is written in a text is text.
  append(wanted, {7});
  EXPECT_EQ(ids("out"), wanted);
  EXPECT_NE(result.err.find("362 tokens; "), std::string::npos) << result.err;
  EXPECT_EQ(content("out", "tokenizer.json"), readFile(file("model/tokenizer.json")));
  EXPECT_EQ(content("out", "tokenizer_config.json"), readFile(file("model/tokenizer_config.json")));
  // The file of ids is data like any other, and gives the same bits.
  ASSERT_EQ(train("ids", tokenFiles("out")[0]).status, 0);
  EXPECT_EQ(content("ids", "model.safetensors"), content("out", "model.safetensors"));
}

TEST_F(TrainText, SpecialTokensInATextOnRequest) {
  ASSERT_EQ(train("out", file("b.txt"), {"--parse-special"}).status, 0);
  std::vector<int> wanted;
  append(wanted, {6, 5, 7, 4}, 20);
  append(wanted, {7});
  EXPECT_EQ(ids("out"), wanted);
  expectError(train("out", file("b.txt"), {"--resume"}), 1, "'--parse-special' is 'true' there and 'false' here");
}

TEST_F(TrainText, IsEncodedOnce) {
  ASSERT_EQ(train("out", both(), {}, 4).status, 0);
  std::string tokens = tokenFiles("out")[0];
  auto written = std::filesystem::last_write_time(tokens);
  ProcessResult result = train("out", both(), {"--resume"}, 8);
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_NE(result.err.find("going on after step 4"), std::string::npos) << result.err;
  EXPECT_EQ(tokenFiles("out"), std::vector<std::string>{tokens});
  EXPECT_EQ(std::filesystem::last_write_time(tokens), written);
  // Without the file it is made again, the same.
  std::string bytes = readFile(tokens);
  std::filesystem::remove(tokens);
  ASSERT_EQ(train("out", both(), {"--resume"}, 8).status, 0);
  EXPECT_EQ(readFile(tokens), bytes);
  // One that was cut is made again too.
  writeFile(tokens, bytes.substr(0, bytes.size() - 2));
  result = train("out", both(), {"--resume"}, 8);
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_NE(result.err.find(".bin': is damaged and is made again\n"), std::string::npos) << result.err;
  EXPECT_EQ(readFile(tokens), bytes);
  // A changed text has another.
  writeFile(file("b.txt"), repeated("bad", 40));
  EXPECT_EQ(train("new", both()).status, 0);
  EXPECT_NE(std::filesystem::path(tokenFiles("new")[0]).filename(), std::filesystem::path(tokens).filename());
}

TEST_F(TrainText, AnotherTokenizerIsAnotherRun) {
  ASSERT_EQ(train("out", both()).status, 0);
  std::filesystem::create_directory(file("other"));
  writeFile(file("other/tokenizer.json"), tokenizer(9).replace(tokenizer(9).find("\"e\":9"), 5, "\"e\":5"));
  std::vector<std::string> other = {"--resume", "--tokenizer", file("other")};
  expectError(train("out", both(), other), 1, "tokenizer.json': is another tokenizer than the run's, ");
  std::filesystem::remove(file("out/tokenizer.json"));
  expectError(train("out", both(), other), 1, "'the tokenizer' is '");
  expectError(train("out", both(), {"--resume", "--tokenizer=bytes"}), 1, "");
  // A copy of the same one will do, also without the fields that change no id.
  writeFile(file("other/tokenizer.json"), tokenizer(5));
  EXPECT_EQ(train("out", both(), other).status, 0);
  EXPECT_EQ(train("fresh", both(), {"--tokenizer", file("other/tokenizer.json")}).status, 0);
  EXPECT_EQ(content("fresh", "model.safetensors"), content("out", "model.safetensors"));
}

TEST_F(TrainText, NamesWhatIsWrong) {
  writeFile(file("z.txt"), repeated("abz ", 20));
  expectError(train("out", both() + "," + file("z.txt")), 1,
              "z.txt': the tokenizer is not this model's: it gives the token 'z' with the id 20, and the model's "
              "vocab_size is 11");
  writeFile(file("bad.txt"), "ab\xFF");
  expectError(train("out", file("bad.txt")), 1, "bad.txt': the text is not UTF-8 at byte 2");
  writeFile(file("raw.bin"), std::string(40, '\1'));
  expectError(train("out", file("raw.bin")), 1, "raw.bin': nothing says how wide its token ids are: u16:FILE");
  expectError(train("out", file("none.txt")), 1, "none.txt'");
  expectError(train("out", both(), {"--tokenizer", file("none.json")}), 1, "none.json'");
  expectError(train("out", both(), {"--tokenizer", file("out")}), 1,
              "--tokenizer: '" + file("out") + "': holds neither tokenizer.json nor tokenizer.model");
  EXPECT_TRUE(tokenFiles("out").empty());
  writeFile(file("model/tokenizer.json"), "{}");
  expectError(train("out", both()), 1, "model/tokenizer.json': ");
  // Ids need no tokenizer, whatever it is.
  expectError(train("ids", "u16:" + file("raw.bin")), 1, "raw.bin': token 257 at position 0 is outside");
  writeFile(file("raw.bin"), repeated(std::string("\1\0", 2), 90));
  EXPECT_EQ(train("ids", "u16:" + file("raw.bin")).status, 0);
}

} // namespace
