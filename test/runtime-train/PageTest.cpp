// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The page, as text and in a browser.
#include "runtime/train/report/Page.h"
#include "runtime/train/report/Records.h"
#include "test/support/Browser.h"
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <cmath>

namespace {

using namespace chimera;
using namespace chimera::train;
using nlohmann::json;

StepRecord stepRecord(int64_t step, bool routed) {
  StepRecord record;
  record.step = step;
  record.loss = 5 / std::sqrt(double(step));
  record.accuracy = 1 - 1 / double(step);
  record.tokensPerSecond = 1000;
  record.norm = 1;
  record.learningRate = 1e-3;
  for (int64_t layer : {0, 2})
    if (routed)
      record.layers.push_back({layer, {{0.5, 0.25, 0.25, 0}, {0.5, 0.25, 0.25, 0}, {0.4, 0.3, 0.3, 0}, 1.0, 0}, {}});
  return record;
}

EvaluationRecord evaluationRecord(int64_t step, bool routed) {
  EvaluationRecord record;
  record.step = step;
  record.hard = {2.0, 0.5};
  if (routed) {
    record.soft = HeldOutRecord{1.5, 0.75};
    record.classes.push_back({0, "query", {0, 0, 1, 0}, 64});
  }
  return record;
}

Page makePage(const std::string &path, int64_t steps, bool routed, const std::string &data = "mqar") {
  Page page(path);
  page.add({{"kind", "run"}, {"step", 0}, {"steps", steps}, {"data", data}});
  for (int64_t step = 1; step <= steps; ++step) {
    page.add(toJson(stepRecord(step, routed)));
    if (step % 10 == 0)
      page.add(toJson(evaluationRecord(step, routed)));
  }
  return page;
}

/// The data that the page carries.
json dataOf(const std::string &html) {
  const std::string open = "id=\"data\">";
  size_t start = html.find(open) + open.size();
  return json::parse(html.substr(start, html.find("</script>", start) - start));
}

int count(const std::string &text, const std::string &word) {
  int found = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + word.size()))
    ++found;
  return found;
}

TEST(Page, NeedsNothingElse) {
  std::string html = makePage("", 20, true).html(false);
  EXPECT_EQ(html.find("{{"), std::string::npos) << "a place that was not filled";
  EXPECT_EQ(html.find("src="), std::string::npos);
  EXPECT_EQ(html.find("@import"), std::string::npos);
  EXPECT_EQ(count(html, "http"), count(html, "http://www.w3.org/2000/svg")) << "names no other address";
}

TEST(Page, KeepsAFewHundredPointsAndTheLast) {
  json data = dataOf(makePage("", 12345, false).html(true));
  EXPECT_LE(data["steps"].size(), 801u);
  EXPECT_GE(data["steps"].size(), 400u);
  EXPECT_EQ(data["steps"].front()["step"], 1);
  EXPECT_EQ(data["steps"].back()["step"], 12345);
  for (size_t i = 2; i + 1 < data["steps"].size(); ++i)
    EXPECT_EQ(data["steps"][i]["step"].get<int>() - data["steps"][i - 1]["step"].get<int>(),
              data["steps"][1]["step"].get<int>() - 1)
        << "evenly spaced";
}

TEST(Page, CarriesHostileTextAsText) {
  const std::string hostile = "</script><script>alert(1)</script><!-- \xFF";
  std::string html = makePage("", 1, false, hostile).html(true);
  EXPECT_EQ(html.find("alert(1)</script>"), std::string::npos);
  EXPECT_EQ(dataOf(html)["run"]["data"].get<std::string>().substr(0, 39), hostile.substr(0, 39));
}

TEST(Page, IsReplacedAtOnce) {
  test::TemporaryDirectory folder;
  Page page = makePage(folder.file("page.html"), 3, false);
  ASSERT_TRUE(bool(page.write(false)));
  EXPECT_EQ(test::readFile(folder.file("page.html")), page.html(false));
  ASSERT_TRUE(bool(page.write(true)));
  EXPECT_EQ(test::readFile(folder.file("page.html")), page.html(true));
  EXPECT_FALSE(bool(Page(folder.path()).write(true)));
}

/// What a browser makes of a page.
class PageInBrowser : public testing::Test {
protected:
  void SetUp() override {
    if (!test::hasBrowser())
      GTEST_SKIP() << "chromium is not installed";
  }

  /// The document after the scripts have run.
  std::string document(const Page &page, const std::vector<std::string> &options = {}) {
    EXPECT_TRUE(bool(page.write(false)));
    return test::documentInBrowser(folder.file("page.html"), folder.file("profile"), options);
  }
  std::string path() const { return folder.file("page.html"); }

  test::TemporaryDirectory folder;
};

TEST_F(PageInBrowser, DrawsARunWithRouting) {
  std::string html = document(makePage(path(), 50, true));
  // Loss 3, accuracy 4, rate, norm, speed; per layer 3 modes used of shares and of bias; 3 of schedule, 2 of entropy.
  EXPECT_NE(html.find("data-drawn=\"27\""), std::string::npos) << html.substr(0, 400);
  EXPECT_EQ(count(html, "<path class=\"curve\" d=\"M"), 21);
  EXPECT_EQ(count(html, "<path class=\"area curve\" d=\"M"), 6);
  EXPECT_EQ(count(html, "role=\"img\""), 11) << "every chart says what it shows";
  EXPECT_EQ(html.find("NaN"), std::string::npos);
  EXPECT_NE(html.find("Share of the held-out tokens"), std::string::npos);
}

TEST_F(PageInBrowser, DrawsADenseRun) {
  std::string html = document(makePage(path(), 50, false));
  EXPECT_NE(html.find("data-drawn=\"7\""), std::string::npos);
  EXPECT_NE(html.find("id=\"routing-section\" hidden"), std::string::npos);
}

TEST_F(PageInBrowser, DrawsOneStepAndNone) {
  EXPECT_NE(document(makePage(path(), 1, true)).find("data-drawn=\""), std::string::npos);
  EXPECT_NE(document(Page(path())).find("data-drawn=\"0\""), std::string::npos);
}

TEST_F(PageInBrowser, DrawsALossThatIsNoNumber) {
  Page page = makePage(path(), 20, true);
  StepRecord broken = stepRecord(21, true);
  broken.loss = std::nan("");
  page.add(toJson(broken));
  EXPECT_EQ(document(page).find("NaN"), std::string::npos);
}

} // namespace
