// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The page of --report: what it holds, and what a browser makes of it.
#include "test/chimera-run/ByteModel.h"
#include "test/support/Browser.h"

#include <nlohmann/json.hpp>

#include <numeric>

using namespace chimera;
using namespace chimera::test;
namespace toy = chimera::runtime::toy;
using io::DType;
using nlohmann::json;

namespace {

class ReportTest : public ByteModelTest {
protected:
  /// The data of the page.
  json data() const {
    std::string html = readFile(file("run.html"));
    const std::string open = "id=\"data\">";
    size_t start = html.find(open) + open.size();
    return json::parse(html.substr(start, html.find("</script>", start) - start));
  }

  /// Runs it with a report; the page's data.
  json report(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--report", file("run.html")});
    ProcessResult result = run(arguments);
    expectSuccess(result);
    return data();
  }

  /// The document after `script` ran on the page.
  std::string after(const std::string &script) const {
    std::string html = readFile(file("run.html"));
    html.insert(html.rfind("</body>"), "<script>" + script + "</script>");
    writeFile(file("scripted.html"), html);
    return documentInBrowser(file("scripted.html"), file("profile"));
  }
};

} // namespace

TEST_F(ReportTest, HoldsTheModesOfEveryTokenAsRoutingDoes) {
  std::vector<int32_t> tokens = bytesOf("abcdefghijkl");
  json page = report(
      {"--tokens", npy("t.npy", DType::I32, {2, 6}, tokens), "--routing", file("r.npy"), "--schedule", "chunks:2,3"});
  std::vector<int8_t> routing = load<int8_t>("r.npy", DType::I8, {2, 6, toy::layers});
  ASSERT_EQ(page["sequences"].size(), 2u);
  for (size_t b = 0; b < 2; ++b) {
    const json &sequence = page["sequences"][b];
    EXPECT_EQ(sequence["ids"],
              std::vector<int32_t>(tokens.begin() + int64_t(b) * 6, tokens.begin() + int64_t(b + 1) * 6));
    EXPECT_EQ(sequence["texts"], json(b ? std::vector<std::string>{"g", "h", "i", "j", "k", "l"}
                                        : std::vector<std::string>{"a", "b", "c", "d", "e", "f"}));
    for (size_t layer = 0; layer < toy::layers; ++layer)
      for (size_t t = 0; t < 6; ++t)
        EXPECT_EQ(sequence["modes"][layer].get<std::string>()[t], '0' + routing[(b * 6 + t) * toy::layers + layer]);
    std::vector<int64_t> positions;
    for (const json &sample : sequence["caches"])
      positions.push_back(sample["position"]);
    EXPECT_EQ(positions, (std::vector<int64_t>{2, 5, 6}));
  }
}

TEST_F(ReportTest, HoldsTheBytesThatStatsCount) {
  ProcessResult result = run({"--prompt", std::string(300, 'b') + "\xC3\xA9", "--max-new-tokens", "5", "--report",
                              file("run.html"), "--stats"});
  EXPECT_EQ(result.status, 0) << result.describe();
  json sequence = data()["sequences"][0];
  EXPECT_EQ(sequence["ids"].size(), 306u) << "the last new token is fed to nobody";
  EXPECT_EQ(sequence["texts"][300], "");
  EXPECT_EQ(sequence["texts"][301], "\xC3\xA9") << "a character belongs to its last token";
  // 128 tokens at a time, and then one by one.
  EXPECT_EQ(sequence["caches"][0]["position"], 128);
  json last = sequence["caches"].back();
  EXPECT_EQ(last["position"], 306);
  for (const char *kind : {"reserved", "used"}) {
    std::vector<int64_t> bytes = last[kind];
    std::string sum = std::to_string(std::accumulate(bytes.begin(), bytes.end(), int64_t(0)));
    EXPECT_NE(result.err.find(sum), std::string::npos) << kind << " " << sum << " in " << result.err;
  }
}

TEST_F(ReportTest, AnAnswerIsTheSameWithIt) {
  std::vector<std::string> arguments = {"--prompt", "The quick fox", "--max-new-tokens", "20"};
  ProcessResult without = run(arguments);
  expectSuccess(without);
  arguments.insert(arguments.end(), {"--report", file("run.html")});
  EXPECT_EQ(run(arguments).out, without.out);
}

TEST_F(ReportTest, WhatCannotBeWrittenIsOneLine) {
  expectError(run({"--prompt", "a", "--report", "-"}), 2, "--report: a file is needed");
  ProcessResult result = run({"--prompt", "a", "--report", file("none/run.html")});
  EXPECT_EQ(result.status, 1) << result.describe();
  EXPECT_EQ(countLines(result.err), 1) << result.err;
}

TEST_F(ReportTest, ABrowserShowsItAndIsDrivenByKeys) {
  if (!hasBrowser())
    GTEST_SKIP() << "chromium is not installed";
  report({"--prompt", "a<b>&\"</script>\n" + std::string(200, 'x'), "--max-new-tokens", "3"});
  std::string keys = "for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown', 'ArrowDown', 'ArrowUp'])"
                     " document.getElementById('text').dispatchEvent(new KeyboardEvent('keydown', {key}));";
  std::string html = after(keys);
  EXPECT_NE(html.find("data-tokens=\"218\""), std::string::npos) << html.substr(html.find("<body"), 200);
  EXPECT_NE(html.find("Token 2 of 218: \"b\""), std::string::npos) << "the third token is chosen";
  EXPECT_EQ(html.find("NaN"), std::string::npos);
  EXPECT_NE(html.find("class=\"area\""), std::string::npos) << "the caches are drawn";
  EXPECT_NE(after("document.getElementById('text').dispatchEvent(new KeyboardEvent('keydown', {key: 'End'}));")
                .find("Token 217 of 218"),
            std::string::npos);
}

TEST_F(ReportTest, ARunWithoutTokensHasAPageToo) {
  if (!hasBrowser())
    GTEST_SKIP() << "chromium is not installed";
  report({"--tokens", npy("t.npy", DType::I32, {1, 0}, std::vector<int32_t>())});
  EXPECT_NE(after("").find("no token was fed"), std::string::npos);
}
