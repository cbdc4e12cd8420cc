// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// chimera-bench as a program, on the toy model.
#include "test/runtime/ToyModel.h"
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <sstream>

namespace {

using namespace chimera::test;
using nlohmann::json;
namespace toy = chimera::runtime::toy;

class BenchTest : public testing::Test {
protected:
  BenchTest() {
    std::vector<uint8_t> bytes = toy::binary();
    writeFile(file("m.chm"), std::string(bytes.begin(), bytes.end()));
    toy::writeWeights(folder.path());
  }

  std::string file(const std::string &name) const { return folder.file(name); }

  static ProcessResult runBare(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), CHIMERA_BENCH);
    return runProcess(arguments);
  }
  /// On the toy model and its weights, with short runs.
  ProcessResult run(std::vector<std::string> arguments) const {
    std::vector<std::string> all = {file("m.chm"), "--weights", folder.path(), "--threads", "1", "--repeats", "3"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return runBare(all);
  }
  json runJson(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--format", "json"});
    ProcessResult result = run(arguments);
    EXPECT_EQ(result.status, 0) << result.describe();
    EXPECT_EQ(result.err, "");
    return json::parse(result.out);
  }
  static void expectError(const ProcessResult &result, int status, const std::string &text) {
    EXPECT_EQ(result.status, status) << result.describe();
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(countLines(result.err), 1) << result.err;
    EXPECT_NE(result.err.find(text), std::string::npos) << "wanted: " << text << "\ngot: " << result.err;
  }

  TemporaryDirectory folder;
};

TEST_F(BenchTest, MeasuresEveryBatchLengthAndContext) {
  json report = runJson({"--prefill", "5,20", "--decode-context", "0,9", "--batch", "1,4", "--decode-tokens", "6"});
  EXPECT_EQ(report["machine"]["threads"], 1);
  EXPECT_GT(report["machine"]["read_bytes_per_second"], 0);
  EXPECT_GT(report["machine"]["f32_flops_per_second"], 0);
  std::vector<std::string> works;
  for (const json &row : report["results"]) {
    std::ostringstream text;
    text << row["phase"].get<std::string>() << " " << row["batch"] << " " << row["context"] << " " << row["tokens"];
    works.push_back(text.str());
    EXPECT_EQ(row["program"], "chimera");
    ASSERT_EQ(row["seconds"].size(), 3u);
    EXPECT_GT(row["tokens_per_second"]["median"], 0);
    EXPECT_GE(row["tokens_per_second"]["deviation"], 0);
    double bytes = row["cost"]["bytes"], shares = 0;
    EXPECT_GT(bytes, 0);
    EXPECT_NEAR(row["read_share"].get<double>(),
                row["bytes_per_second"].get<double>() / report["machine"]["read_bytes_per_second"].get<double>(), 1e-9);
    for (const json &share : row["shares"])
      shares += share.get<double>();
    EXPECT_NEAR(shares, 1, 1e-9);
    EXPECT_GT(row["cache_bytes"], 0);
  }
  EXPECT_EQ(works, (std::vector<std::string>{"prefill 1 0 5", "prefill 1 0 20", "decode 1 0 6", "decode 1 9 6",
                                             "prefill 4 0 5", "prefill 4 0 20", "decode 4 0 6", "decode 4 9 6"}));
}

TEST_F(BenchTest, ForcesTheShareOfEachMode) {
  auto sharesOf = [&](const std::string &fractions) {
    return runJson({"--prefill", "400", "--fractions", fractions})["results"][0]["shares"];
  };
  json all = sharesOf("full=1");
  EXPECT_EQ(all["full"], 1);
  EXPECT_EQ(all["ssm"], 0);
  json some = sharesOf("ssm=.6,full=.2");
  EXPECT_NEAR(some["ssm"].get<double>(), 0.75, 0.08); // Of 800 draws.
  EXPECT_NEAR(some["full"].get<double>(), 0.25, 0.08);
}

TEST_F(BenchTest, CachesGrowWithTheTokensThatEnterThem) {
  auto bytesOf = [&](const std::string &context, const std::string &fractions) {
    return runJson({"--decode-context", context, "--decode-tokens", "4", "--fractions",
                    fractions})["results"][0]["cache_bytes"]
        .get<int64_t>();
  };
  // An entry of the toy model's lists has 4 bytes; it has two layers.
  EXPECT_EQ(bytesOf("100", "full=1") - bytesOf("20", "full=1"), 2 * 4 * 80);
  EXPECT_EQ(bytesOf("100", "ssm=1"), bytesOf("20", "ssm=1"));
}

TEST_F(BenchTest, ProfilesEveryLaunchInATableInCsvAndInJson) {
  json report = runJson({"--decode-context", "3", "--decode-tokens", "7", "--batch", "2", "--profile"});
  const json &profile = report["results"][0]["profile"];
  ASSERT_EQ(profile["launches"].size(), 3u); // Decode's; prefill's never ran.
  std::map<int64_t, std::string> ops;
  for (const json &launch : profile["launches"]) {
    EXPECT_EQ(launch["phase"], "decode");
    EXPECT_EQ(launch["calls"], 7);
    EXPECT_GT(launch["nanoseconds"], 0);
    ops[launch["launch"]] = launch["op"];
  }
  EXPECT_EQ(ops, (std::map<int64_t, std::string>{{0, "toy.layer"}, {1, "toy.layer"}, {2, "toy.logits"}}));

  ProcessResult table = run({"--prefill", "4", "--profile"});
  EXPECT_EQ(table.status, 0) << table.describe();
  EXPECT_NE(table.out.find("prefill, batch 1, context 0: "), std::string::npos) << table.out;
  EXPECT_NE(table.out.find("toy_logits\n"), std::string::npos) << table.out;

  ProcessResult csv = run({"--prefill", "4", "--profile", "--format", "csv"});
  EXPECT_EQ(countLines(csv.out), 1 + 1 + 1 + 1 + 3) << csv.out;
  EXPECT_NE(csv.out.find("\n\nphase,batch,context,launch_phase,launch,"), std::string::npos) << csv.out;
}

TEST_F(BenchTest, CsvHasARowAMeasurementAndAsManyFieldsAsItsHead) {
  ProcessResult result = run({"--prefill", "4,8", "--format", "csv"});
  EXPECT_EQ(result.status, 0) << result.describe();
  std::istringstream lines(result.out);
  std::vector<size_t> commas;
  for (std::string line; std::getline(lines, line);)
    commas.push_back(size_t(std::count(line.begin(), line.end(), ',')));
  EXPECT_EQ(commas, (std::vector<size_t>(3, commas[0]))) << result.out;
  EXPECT_NE(result.out.find("\nchimera,prefill,1,0,4,"), std::string::npos) << result.out;
}

TEST_F(BenchTest, TheTraceHasACompleteEventForEveryLaunch) {
  ProcessResult result = run({"--prefill", "4", "--decode-context", "0", "--decode-tokens", "5", "--trace",
                              file("trace.json"), "--output", file("table.txt")});
  EXPECT_EQ(result.status, 0) << result.describe();
  EXPECT_EQ(result.out, "");
  EXPECT_NE(readFile(file("table.txt")).find("chimera    prefill"), std::string::npos);
  json trace = json::parse(readFile(file("trace.json")));
  std::map<int64_t, int64_t> events;
  std::map<int64_t, double> ends;
  std::vector<std::string> names;
  for (const json &event : trace["traceEvents"]) {
    int64_t process = event["pid"];
    if (event["ph"] == "M") {
      names.push_back(event["args"]["name"]);
      continue;
    }
    EXPECT_EQ(event["ph"], "X");
    EXPECT_GE(event["ts"].get<double>(), ends[process]);
    ends[process] = event["ts"].get<double>() + event["dur"].get<double>() - 1e-3;
    ++events[process];
  }
  EXPECT_EQ(names, (std::vector<std::string>{"prefill, batch 1, context 0, 4 tokens",
                                             "decode, batch 1, context 0, 5 tokens"}));
  EXPECT_EQ(events, (std::map<int64_t, int64_t>{{0, 3}, {1, 15}}));
  EXPECT_EQ(trace["otherData"]["cut_runs"], json::array());
}

TEST_F(BenchTest, MakesUpWeightsWhenAsked) {
  ProcessResult result =
      runBare({file("m.chm"), "--random-weights", "--seed", "3", "--prefill", "4", "--repeats", "1"});
  EXPECT_EQ(result.status, 0) << result.describe();
  EXPECT_EQ(result.err, "");
}

TEST_F(BenchTest, MisuseIsStatusTwoAndOneLine) {
  expectError(runBare({}), 2, "chimera-bench: model is required\n");
  expectError(runBare({"m"}), 2, "one of --weights and --random-weights is required");
  expectError(run({"--random-weights"}), 2, "--weights excludes --random-weights");
  expectError(run({"--prefill", "0"}), 2, "--prefill");
  expectError(run({"--prefill", "x"}), 2, "--prefill");
  expectError(run({"--batch", "1,-1"}), 2, "--batch");
  expectError(run({"--fractions", "ssm"}), 2, "--fractions: 'ssm' is not MODE=SHARE");
  expectError(run({"--seed", "-1"}), 2, "--seed: '-1' is not a number");
  expectError(run({"--format", "xml"}), 2, "--format");
  expectError(run({"--output", "a", "--trace", "a"}), 2, "--output and --trace name the same file");
  expectError(run({"--bo\ngus"}), 2, "--bo\\x0agus");
}

TEST_F(BenchTest, BadInputIsStatusOneAndOneLine) {
  expectError(runBare({file("none"), "--random-weights"}), 1, file("none"));
  expectError(runBare({file("m.chm"), "--weights", file("none")}), 1, file("none"));
  std::string bytes = readFile(file("m.chm"));
  bytes[100] = char(bytes[100] ^ 1);
  writeFile(file("bad.chm"), bytes);
  expectError(runBare({file("bad.chm"), "--random-weights"}), 1, file("bad.chm"));
  expectError(run({"--prefill", "2", "--output", file("no/such/folder")}), 1, file("no/such/folder"));
  expectError(run({"--prefill", "2", "--trace", file("no/such/folder")}), 1, file("no/such/folder"));
}

TEST_F(BenchTest, AModelWithoutAttentionHasNoPeers) {
  ProcessResult result = run({"--prefill", "2", "--peers"});
  EXPECT_EQ(result.status, 0) << result.describe();
  EXPECT_NE(result.out.find("peers: the model has no attention heads that a dense Transformer could have\n"),
            std::string::npos)
      << result.out;
}

} // namespace
