// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lines of JSON that are continued, each on its own.
#include "test/chimera-run/ByteModel.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <sys/wait.h>
#include <thread>

using namespace chimera;
using namespace chimera::test;
using io::quote;
using nlohmann::json;

namespace {
class JsonLinesTest : public ByteModelTest {
protected:
  /// Runs with these lines in a file.
  ProcessResult answer(const std::vector<std::string> &lines, const std::vector<std::string> &more = {}) const {
    std::string text;
    for (const std::string &line : lines)
      text += line + "\n";
    writeFile(file("in"), text);
    std::vector<std::string> arguments = {"--jsonl", file("in")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  /// The lines of an output, each of which must be JSON and end in a newline.
  static std::vector<json> parsed(const std::string &text) {
    std::vector<json> all;
    for (size_t begin = 0, end; begin < text.size(); begin = end + 1) {
      end = text.find('\n', begin);
      EXPECT_NE(end, std::string::npos) << text.substr(begin);
      if (end == std::string::npos)
        break;
      all.push_back(json::parse(text.substr(begin, end - begin), nullptr, false));
      EXPECT_FALSE(all.back().is_discarded()) << text.substr(begin, end - begin);
    }
    return all;
  }

  std::vector<json> answers(const std::vector<std::string> &lines, const std::vector<std::string> &more = {}) const {
    ProcessResult result = answer(lines, more);
    expectSuccess(result);
    return parsed(result.out);
  }

  /// The answer to a line without an id that begins with `tokens` and ends as its number of tokens says.
  static json expected(int64_t index, const std::vector<int32_t> &tokens, size_t count, const SamplerOptions &options,
                       uint64_t number) {
    std::vector<int32_t> made = chosen(tokens, count, options, number);
    return {{"index", index},
            {"text", textOf(made)},
            {"tokens", made},
            {"prompt_tokens", tokens.size()},
            {"new_tokens", made.size()},
            {"finish_reason", "length"}};
  }
};
} // namespace

TEST_F(JsonLinesTest, EachLineFollowsTheDefinitionHoweverTheWorkIsCut) {
  SamplerOptions given, own;
  given.temperature = 3000;
  given.topK = 40;
  given.seed = 7;
  own = {2000, 50, 0.9, 18446744073709551615u};
  std::vector<std::string> lines = {
      R"({"prompt": "The quick brown fox"})",
      R"({"tokens": [97, 98, 299], "id": {"b": [1, null, "\u00e9"], "a": 1.5}, "max_new_tokens": 40})",
      "",
      R"({"prompt": "ab", "seed": 18446744073709551615, "temperature": 2000, "top_k": 50, "top_p": 0.9, "id": null})",
      R"({"prompt": "greedy", "temperature": 0, "top_k": null, "max_new_tokens": 3})",
      " \t\r",
      R"({"prompt": "nothing", "max_new_tokens": 0})",
      R"({"max_new_tokens": 9, "prompt": "The quick brown fox"})"};
  std::vector<json> wanted = {expected(0, bytesOf("The quick brown fox"), 12, given, 0),
                              expected(1, {97, 98, 299}, 40, given, 1),
                              expected(3, bytesOf("ab"), 12, own, 0),
                              expected(4, bytesOf("greedy"), 3, {}, 4),
                              expected(6, bytesOf("nothing"), 0, {}, 6),
                              expected(7, bytesOf("The quick brown fox"), 9, given, 7)};
  wanted[1]["id"] = json::parse(R"({"b": [1, null, "\u00e9"], "a": 1.5})");
  wanted[2]["id"] = nullptr;
  for (const std::vector<std::string> &how : std::vector<std::vector<std::string>>{
           {},
           {"--schedule", "decode", "--threads", "2"},
           {"--schedule", "chunks:5,7,1"},
           {"--max-sequences", "1"},
           {"--max-sequences", "2", "--schedule", "chunks:4"},
           {"--max-sequences", "1000"},
       }) {
    std::vector<std::string> arguments = {"--max-new-tokens", "12", "--temperature", "3000",
                                          "--top-k",          "40", "--seed",        "7"};
    arguments.insert(arguments.end(), how.begin(), how.end());
    EXPECT_EQ(answers(lines, arguments), wanted) << (how.empty() ? "" : how.back());
  }
}

TEST_F(JsonLinesTest, ALineWithASeedGivesTheSameWhereverItStandsAndAsAPromptDoes) {
  const std::string line = R"({"prompt": "abc", "seed": 5, "temperature": 3000, "top_k": 9, "max_new_tokens": 20})";
  ProcessResult alone =
      run({"--prompt", "abc", "--seed", "5", "--temperature", "3000", "--top-k", "9", "--max-new-tokens", "20"});
  std::vector<json> all = answers({line, R"({"prompt": "other"})", line, R"({"tokens": [1]})", line});
  ASSERT_EQ(all.size(), 5u);
  for (size_t i : {0, 2, 4})
    EXPECT_EQ("abc" + all[i]["text"].get<std::string>() + "\n", alone.out);
  std::vector<json> unseeded =
      answers({R"({"prompt": "abc", "temperature": 3000})", R"({"prompt": "abc", "temperature": 3000})"});
  EXPECT_NE(unseeded[0]["text"], unseeded[1]["text"]) << "lines without a seed are different sequences";
}

TEST_F(JsonLinesTest, ItIsSaidWhyALineEnds) {
  std::vector<int32_t> made = chosen(bytesOf("the way"), 40, {});
  std::string text = textOf(made), stop = textOf({made.begin() + 9, made.begin() + 12});
  auto line = [](const json &value) { return value.dump(); };
  std::vector<json> all =
      answers({line({{"prompt", "the way"}, {"stop", stop}}), line({{"prompt", "the way"}, {"stop", {"never", stop}}}),
               line({{"prompt", "the way"}, {"max_new_tokens", 40}, {"stop", json::array()}}),
               line({{"tokens", bytesOf("the way")}})},
              {"--stop", stop});
  for (size_t i : {0, 1, 3}) {
    EXPECT_EQ(all[i]["text"], text.substr(0, text.find(stop))) << i;
    EXPECT_EQ(all[i]["finish_reason"], "stop");
    EXPECT_EQ(textOf(all[i]["tokens"]).find(stop) + stop.size(), textOf(all[i]["tokens"]).size());
    EXPECT_EQ(all[i]["new_tokens"], all[i]["tokens"].size());
  }
  EXPECT_EQ(all[2]["text"], text);
  EXPECT_EQ(all[2]["finish_reason"], "length");
  writeModel(nullptr, json{made[6]});
  made.erase(std::find(made.begin(), made.end(), made[6]), made.end());
  all = answers({line({{"prompt", "the way"}})});
  EXPECT_EQ(all[0]["tokens"], json(made));
  EXPECT_EQ(all[0]["finish_reason"], "eos");
}

TEST_F(JsonLinesTest, ABadLineIsAnsweredByAnErrorAndStopsNoOther) {
  std::string deep(65, '['), good = R"({"prompt": "ab", "max_new_tokens": 2})";
  std::vector<std::pair<std::string, std::string>> cases = {
      {"{", "not valid JSON at byte 2"},
      {"[1]", "a line must be a JSON object"},
      {"7", "a line must be a JSON object"},
      {good + good, "not valid JSON at byte 38"},
      {"{}", "one of prompt and tokens is required"},
      {R"({"prompt": "a", "tokens": [1]})", "prompt and tokens exclude each other"},
      {R"({"prompt": "a", "prompt": "b"})", "the key 'prompt' occurs twice"},
      {R"({"prompt": "a", "temprature": 1})", "the key 'temprature' is not known"},
      {R"({"prompt": 1})", "prompt: must be a string"},
      {R"({"prompt": ""})", "prompt: the text is empty and the model has no bos_token_id to start from"},
      {"{\"prompt\": \"a\xFF\"}", "not valid JSON at byte 14"},
      {R"({"prompt": "\ud800"})", "not valid JSON at byte 19"},
      {R"({"tokens": []})", "tokens: there is no token to start from"},
      {R"({"tokens": "a"})", "tokens: must be an array"},
      {R"({"tokens": [1, 300]})", "tokens[1]: must be in 0 .. 299, is 300"},
      {R"({"tokens": [1, -1]})", "tokens[1]: must be in 0 .. 299, is -1"},
      {R"({"tokens": [1.0]})", "tokens[0]: must be an integer"},
      {R"({"prompt": "a", "max_new_tokens": -1})", "max_new_tokens: must be in 0 .. 1099511627776, is -1"},
      {R"({"prompt": "a", "max_new_tokens": 1e3})", "max_new_tokens: must be an integer"},
      {R"({"prompt": "a", "temperature": "1"})", "temperature: must be a number"},
      {R"({"prompt": "a", "temperature": -1})", "temperature must be a finite number >= 0"},
      {R"({"prompt": "a", "temperature": 1e999})", "not valid JSON: a number out of range"},
      {R"({"prompt": "a", "top_k": -1})", "top_k: must be in 0 .. 9223372036854775807, is -1"},
      {R"({"prompt": "a", "top_p": 0})", "top-p must be > 0 and <= 1"},
      {R"({"prompt": "a", "seed": -1})", "seed: must be an integer in 0 .. 2^64-1"},
      {R"({"prompt": "a", "seed": 18446744073709551616})", "seed: must be an integer in 0 .. 2^64-1"},
      {R"({"prompt": "a", "stop": 1})", "stop: must be a string or an array of strings"},
      {R"({"prompt": "a", "stop": ["x", ""]})", "stop[1]: the string is empty"},
      {R"({"prompt": "a", "stop": ["x", 2]})", "stop[1]: must be a string"},
      {R"({"prompt": "a", "id": )" + deep, "not valid here: JSON nested deeper than 64"}};
  std::vector<std::string> lines;
  for (const auto &[line, error] : cases) {
    lines.push_back(line);
    lines.push_back(good);
  }
  ProcessResult result = answer(lines);
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err, "chimera-run: " + quote(file("in")) +
                            ": 30 of 60 lines could not be continued; the first is line 1: "
                            "not valid JSON at byte 2\n");
  std::vector<json> all = parsed(result.out);
  ASSERT_EQ(all.size(), lines.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(all[2 * i], json({{"index", 2 * i}, {"error", cases[i].second}})) << cases[i].first;
    EXPECT_EQ(all[2 * i + 1], expected(int64_t(2 * i + 1), bytesOf("ab"), 2, {}, 0));
  }
  EXPECT_EQ(parsed(answer({R"({"prompt": 1, "id": [7]})"}).out)[0]["id"], json::array({7})) << "even then";
}

TEST_F(JsonLinesTest, AnyBytesGiveALineOfJson) {
  const std::string whole =
      R"({"id": "x", "prompt": "ab", "max_new_tokens": 2, "seed": 1, "stop": ["q"], "top_p": 0.5})";
  uint32_t state = 1;
  auto random = [&](size_t below) { return size_t((state = state * 1664525 + 1013904223) >> 8) % below; };
  std::vector<std::string> lines;
  for (int i = 0; i < 1000; ++i) {
    std::string damaged = whole;
    size_t at = random(whole.size());
    if (i % 3 == 0)
      damaged.resize(at + 1);
    else if (i % 3 == 1)
      damaged.insert(at, 1, char(random(256)));
    else
      damaged[at] = char(damaged[at] ^ (1 << random(8)));
    std::replace(damaged.begin(), damaged.end(), '\n', ' ');
    lines.push_back(damaged);
  }
  ProcessResult result = answer(lines, {"--max-new-tokens", "2"});
  EXPECT_EQ(result.status, 1) << result.describe();
  EXPECT_EQ(countLines(result.err), 1) << result.err;
  std::vector<json> all = parsed(result.out);
  ASSERT_EQ(all.size(), lines.size());
  int64_t errors = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i]["index"], i);
    EXPECT_NE(all[i].contains("error"), all[i].contains("text"));
    errors += all[i].contains("error");
  }
  EXPECT_GT(errors, 500);
  EXPECT_LT(errors, 1000);
}

TEST_F(JsonLinesTest, ALineThatIsTooLongIsNotKept) {
  writeFile(file("good"), "{\"prompt\": \"ab\", \"max_new_tokens\": 2}");
  ProcessResult result =
      shell("(cat good; echo; head -c 67108865 /dev/zero | tr '\\0' ' '; echo; cat good) | \"$@\"", {"--jsonl", "-"});
  EXPECT_EQ(result.status, 1) << result.describe();
  EXPECT_EQ(result.err, "chimera-run: <stdin>: 1 of 3 lines could not be continued; the first is line 2: the line is "
                        "longer than 67108864 bytes\n");
  std::vector<json> all = parsed(result.out);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0], expected(0, bytesOf("ab"), 2, {}, 0));
  EXPECT_TRUE(all[1].contains("error"));
  EXPECT_EQ(all[2], expected(2, bytesOf("ab"), 2, {}, 2)) << "the last line has no newline";
}

TEST_F(JsonLinesTest, AnswersComeWhileTheInputIsOpen) {
  ProcessResult result =
      shell("mkfifo p; \"$@\" < p > out & exec 3> p\n"
            "for prompt in a b c; do echo \"{\\\"prompt\\\": \\\"$prompt\\\"}\" >&3\n"
            "while [ \"$(tail -n 1 out)\" = \"$last\" ]; do sleep 0.02; done; last=$(tail -n 1 out); done\n"
            "printf '{\"prompt\": \"half' >&3; sleep 0.1; printf ' of it\"}' >&3; exec 3>&-; wait $!; echo $?; cat out",
            {"--jsonl", "-", "--max-new-tokens", "3"});
  expectSuccess(result);
  EXPECT_EQ(result.out.substr(0, 2), "0\n");
  std::vector<json> all = parsed(result.out.substr(2)), wanted;
  for (const char *prompt : {"a", "b", "c", "half of it"})
    wanted.push_back(expected(int64_t(wanted.size()), bytesOf(prompt), 3, {}, 0));
  EXPECT_EQ(all, wanted);
}

TEST_F(JsonLinesTest, ASlowLineHoldsTheOrderAndNotEndlessMemory) {
  std::vector<std::string> lines = {R"({"prompt": "slow", "max_new_tokens": 700})"};
  std::vector<json> wanted = {expected(0, bytesOf("slow"), 700, {}, 0)};
  for (int i = 1; i < 600; ++i) {
    lines.push_back(R"({"max_new_tokens": 1, "prompt": ")" + std::to_string(i) + "\"}");
    wanted.push_back(expected(i, bytesOf(std::to_string(i)), 1, {}, 0));
  }
  EXPECT_EQ(answers(lines), wanted);
}

TEST_F(JsonLinesTest, WithoutATokenizerThereAreIdsAlone) {
  writeFile(file("vocab.json"), "{}");
  ProcessResult result = answer(
      {R"({"tokens": [97, 98], "max_new_tokens": 3})", R"({"prompt": "ab"})", R"({"tokens": [97], "stop": "x"})"});
  EXPECT_EQ(result.status, 1) << result.describe();
  std::vector<json> all = parsed(result.out);
  ASSERT_EQ(all.size(), 3u);
  json wanted = expected(0, {97, 98}, 3, {}, 0);
  wanted.erase("text");
  EXPECT_EQ(all[0], wanted);
  EXPECT_EQ(all[1]["error"].get<std::string>().rfind("prompt: the bytes of a text are not this model's tokens", 0), 0u)
      << all[1];
  EXPECT_EQ(all[2]["error"].get<std::string>().rfind("stop: the bytes of a text are not this model's tokens", 0), 0u);
  expectError(answer({R"({"tokens": [97]})"}, {"--stop", "x"}), 1, "chimera-run: the bytes of a text are not");
  expectError(answer({R"({"tokens": [97]})"}, {"--tokenizer", file("none")}), 1, quote(file("none")));
}

TEST_F(JsonLinesTest, BytesThatAreNoTextAreReplaced) {
  SamplerOptions options;
  options.temperature = 1e6; // Any byte.
  std::vector<json> all =
      answers({R"({"prompt": "ab", "seed": 0})"}, {"--temperature", "1e6", "--max-new-tokens", "40"});
  EXPECT_EQ(all[0]["tokens"], json(chosen(bytesOf("ab"), 40, options)));
  EXPECT_NE(all[0]["text"].get<std::string>().find("\uFFFD"), std::string::npos);
}

TEST_F(JsonLinesTest, ALineThatNoTokenCanBeChosenForIsAnError) {
  writeWeights(vocab, 299);
  ProcessResult result = answer({R"({"prompt": "ab", "id": 1})", R"({"prompt": "ab", "max_new_tokens": 0})"});
  EXPECT_EQ(result.status, 1) << result.describe();
  std::vector<json> all = parsed(result.out);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]["id"], 1);
  EXPECT_EQ(all[0]["error"].get<std::string>().rfind("position 2: ", 0), 0u) << all[0];
  EXPECT_EQ(all[1]["finish_reason"], "length");
}

TEST_F(JsonLinesTest, AnswersGoToAFile) {
  ProcessResult result = answer({R"({"prompt": "ab", "max_new_tokens": 4})"}, {"--output", file("out"), "--stats"});
  EXPECT_EQ(result.status, 0) << result.describe();
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("prefill: 2 tokens in "), std::string::npos) << result.err;
  EXPECT_EQ(parsed(readFile(file("out"))), std::vector<json>{expected(0, bytesOf("ab"), 4, {}, 0)});
  std::string before = readFile(file("in"));
  expectError(run({"--jsonl", file("in"), "--output", file("in")}), 1,
              quote(file("in")) + ": is the file that --jsonl reads");
  expectError(shell("\"$@\" < in", {"--jsonl", "-", "--output", file("in")}), 1,
              quote(file("in")) + ": is the file that --jsonl reads");
  expectError(shell("\"$@\" >> in", {"--jsonl", file("in")}), 1, "<stdout>: is the file that --jsonl reads");
  EXPECT_EQ(readFile(file("in")), before);
  expectError(run({"--jsonl", file("in"), "--output", file("none/out")}), 1,
              quote(file("none/out")) + ": cannot write");
  expectError(shell("\"$@\" > /dev/full", {"--jsonl", file("in")}), 1,
              "<stdout>: cannot write: No space left on device");
  expectError(runBare({file("no.chm"), "--weights", file("no"), "--jsonl", file("none")}), 1,
              quote(file("none")) + ": cannot open");
  expectError(run({"--jsonl", folder.path()}), 1, quote(folder.path()) + ": is a folder, not a file");
  expectSuccess(answer({}));
  EXPECT_EQ(answer({}).out, "");
}

TEST_F(JsonLinesTest, ASignalLeavesWholeLines) {
  std::string lines;
  for (int i = 0; i < 20000; ++i)
    lines += R"({"prompt": "ab", "max_new_tokens": 30})"
             "\n";
  writeFile(file("in"), lines);
  pid_t child = startProcess(command({"--jsonl", file("in")}), file("out"), file("err"));
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (readFile(file("out")).size() < 20000 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ::kill(child, SIGINT);
  int state = 0;
  EXPECT_EQ(::waitpid(child, &state, 0), child);
  EXPECT_TRUE(WIFSIGNALED(state) && WTERMSIG(state) == SIGINT) << state;
  EXPECT_EQ(readFile(file("err")), "");
  std::vector<json> all = parsed(readFile(file("out")));
  EXPECT_GT(all.size(), 10u);
  EXPECT_LT(all.size(), 20000u);
}

TEST_F(JsonLinesTest, MisuseIsStatusTwo) {
  auto misuse = [&](const std::vector<std::string> &more, const std::string &text) {
    std::vector<std::string> all = {"--jsonl", file("in")};
    all.insert(all.end(), more.begin(), more.end());
    expectError(run(all), 2, text);
  };
  misuse({"--prompt", "a"}, "--prompt excludes --jsonl");
  misuse({"--tokens", "a"}, "--tokens excludes --jsonl");
  misuse({"--output-tokens", "a"}, "--jsonl excludes --output-tokens: the answers have the tokens");
  misuse({"--prompt-cache", "a"}, "--jsonl excludes --prompt-cache: it holds one sequence");
  misuse({"--logits", "a"}, "--logits requires --tokens");
  misuse({"--color", "always"}, "--color requires --prompt or --prompt-file");
  expectError(run({"--prompt", "a", "--output", "o"}), 2, "--output requires --jsonl");
  expectError(runBare({"-", "--weights", "w", "--jsonl", "-"}), 2,
              "the model and --jsonl cannot both be read from the standard input");
}
