// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/report/RunLog.h"
#include "runtime/train/report/Records.h"
#include "test/runtime-io/TempFolder.h"

#include <gtest/gtest.h>

#include <limits>

namespace {

using namespace chimera;
using namespace chimera::train;
using nlohmann::json;

class RunLogTest : public testing::Test {
protected:
  std::string path() const { return folder.file("log.jsonl"); }
  std::string text() const {
    test::Bytes bytes = folder.read("log.jsonl");
    return std::string(bytes.begin(), bytes.end());
  }
  /// Writes steps 1 .. `count`.
  void fill(int count) const {
    io::Result<RunLog> log = RunLog::create(path());
    ASSERT_TRUE(bool(log)) << log.error().message;
    for (int step = 1; step <= count; ++step)
      ASSERT_TRUE(bool(log->write({{"step", step}, {"loss", 0.5}})));
  }

  test::TempFolder folder;
};

TEST_F(RunLogTest, WritesEachLineAtOnce) {
  io::Result<RunLog> log = RunLog::create(path());
  ASSERT_TRUE(bool(log));
  EXPECT_EQ(text(), "");
  ASSERT_TRUE(bool(log->write({{"step", 1}})));
  EXPECT_EQ(text(), "{\"step\":1}\n");
  ASSERT_TRUE(bool(log->write({{"step", 2}})));
  EXPECT_EQ(text(), "{\"step\":1}\n{\"step\":2}\n");
}

TEST_F(RunLogTest, ResumesAfterAStep) {
  fill(5);
  std::string whole = text();
  io::Result<RunLog> log = RunLog::resume(path(), 3);
  ASSERT_TRUE(bool(log)) << log.error().message;
  EXPECT_EQ(log->takeKept().size(), 3u);
  EXPECT_EQ(text(), whole.substr(0, whole.size() / 5 * 3));
  for (int step = 4; step <= 5; ++step)
    ASSERT_TRUE(bool(log->write({{"step", step}, {"loss", 0.5}})));
  EXPECT_EQ(text(), whole) << "as if nothing had happened";
}

TEST_F(RunLogTest, CutsHalfALineAndBrokenOnes) {
  fill(3);
  std::string whole = text();
  for (const char *tail : {"{\"step\":4", "\n", "{\"step\":\"4\"}\n", "rubbish\n{\"step\":4}\n", "[4]\n",
                           "{\"loss\":1}\n", "{\"step\":4.5}\n", "\xFF\n"}) {
    folder.write("log.jsonl", whole + tail);
    io::Result<RunLog> log = RunLog::resume(path(), 10);
    ASSERT_TRUE(bool(log));
    EXPECT_EQ(text(), whole) << tail;
    EXPECT_EQ(log->takeKept().size(), 3u);
  }
}

TEST_F(RunLogTest, ResumesAtEveryCutOfTheFile) {
  fill(4);
  std::string whole = text();
  size_t line = whole.size() / 4;
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    folder.write("log.jsonl", whole.substr(0, cut));
    io::Result<RunLog> log = RunLog::resume(path(), 4);
    ASSERT_TRUE(bool(log));
    EXPECT_EQ(log->takeKept().size(), cut / line) << cut;
    EXPECT_EQ(text(), whole.substr(0, cut / line * line)) << cut;
  }
}

TEST_F(RunLogTest, StartsALogThatIsNotThere) {
  io::Result<RunLog> log = RunLog::resume(path(), 3);
  ASSERT_TRUE(bool(log));
  EXPECT_TRUE(log->takeKept().empty());
  EXPECT_TRUE(bool(log->write({{"step", 4}})));
}

TEST_F(RunLogTest, SaysWhatIsWrong) {
  io::Result<RunLog> folderInPlace = RunLog::create(folder.path());
  ASSERT_FALSE(bool(folderInPlace));
  EXPECT_NE(folderInPlace.error().message.find("cannot write"), std::string::npos);
  io::Result<RunLog> full = RunLog::create("/dev/full");
  ASSERT_TRUE(bool(full));
  io::Status status = full->write({{"step", 1}});
  ASSERT_FALSE(bool(status));
  EXPECT_EQ(status.error().message, "'/dev/full': cannot write: No space left on device");
}

TEST(Records, HaveEverything) {
  StepRecord record;
  record.step = 7;
  record.loss = std::numeric_limits<double>::quiet_NaN();
  record.norm = 2;
  EXPECT_FALSE(toJson(record).contains("layers")) << "no layer routes";
  EXPECT_EQ(json::parse(toJson(record).dump())["loss"], nullptr);
  record.layers.push_back({3, {{0.5, 0.5, 0, 0}, {0.25, 0.75, 0, 0}, {0.6, 0.4, 0, 0}, 0.67, 0.25}, {0.1, -0.1, 0, 0}});
  json line = toJson(record);
  EXPECT_EQ(line["kind"], "step");
  EXPECT_EQ(line["step"], 7);
  EXPECT_EQ(line["layers"][0]["layer"], 3);
  EXPECT_EQ(line["layers"][0]["wanted"], (json{0.5, 0.5, 0.0, 0.0}));
  EXPECT_EQ(line["layers"][0]["admitted"][1], 0.75);
  EXPECT_EQ(line["layers"][0]["p"][0], 0.6);
  EXPECT_EQ(line["layers"][0]["bias"][1], -0.1);
  EXPECT_EQ(line["layers"][0]["entropy"], 0.67);
  EXPECT_EQ(line["layers"][0]["refused"], 0.25);

  EvaluationRecord evaluation;
  evaluation.step = 7;
  evaluation.hard = {1.5, 0.5};
  EXPECT_FALSE(toJson(evaluation).contains("gap"));
  evaluation.soft = HeldOutRecord{1.0, 0.75};
  evaluation.classes.push_back({3, "query", {0, 0, 1, 0}, 64});
  line = toJson(evaluation);
  EXPECT_EQ(line["gap"], 0.25);
  EXPECT_EQ(line["classes"][0]["positions"], "query");
  EXPECT_EQ(line["classes"][0]["shares"][2], 1.0);
}

} // namespace
