// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reading lines as they come, and writing whole ones.
#include "test/support/Subprocess.h"
#include "tools/chimera-run/Interrupt.h"
#include "tools/chimera-run/LineReader.h"
#include "tools/chimera-run/LineWriter.h"

#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <sys/wait.h>
#include <unistd.h>

using namespace chimera;
using namespace chimera::test;
using run::LineReader;
using run::LineWriter;
using State = LineReader::State;

namespace {
class LinesTest : public ::testing::Test {
protected:
  LinesTest() { EXPECT_EQ(::pipe(ends), 0); }
  ~LinesTest() override {
    ::close(ends[0]);
    ::close(ends[1]);
  }

  std::string end(int which) const { return "/dev/fd/" + std::to_string(ends[which]); }
  void put(const std::string &bytes) const {
    EXPECT_EQ(::write(ends[1], bytes.data(), bytes.size()), ssize_t(bytes.size()));
  }
  /// Runs `work` in a process of its own that has no end of the pipe to read; its id.
  pid_t start(const std::function<void()> &work) const {
    pid_t child = ::fork();
    if (child != 0)
      return child;
    ::close(ends[0]);
    work();
    ::_exit(0);
  }
  /// The signal that ended the process, and what it wrote.
  std::pair<int, std::string> ending(pid_t child) {
    ::close(ends[1]);
    ends[1] = -1;
    std::string text;
    char piece[4096];
    for (ssize_t got; (got = ::read(ends[0], piece, sizeof piece)) > 0;)
      text.append(piece, size_t(got));
    int state = 0;
    EXPECT_EQ(::waitpid(child, &state, 0), child);
    return {WIFSIGNALED(state) ? WTERMSIG(state) : 0, text};
  }

  int ends[2] = {-1, -1};
};
} // namespace

TEST_F(LinesTest, ALineIsThereWhenItsNewlineIs) {
  auto reader = LineReader::open(end(0));
  ASSERT_TRUE(reader) << reader.error().message;
  LineReader::Line line;
  auto next = [&](bool wait) { return *(*reader)->next(line, wait); };
  EXPECT_EQ(next(false), State::Later);
  put("on");
  EXPECT_EQ(next(false), State::Later);
  put("e\n\ntwo\nthr");
  EXPECT_EQ(next(false), State::Line);
  EXPECT_EQ(line.text, "one");
  EXPECT_EQ(next(true), State::Line);
  EXPECT_EQ(line.text, "");
  EXPECT_EQ(next(false), State::Line);
  EXPECT_EQ(line.text, "two");
  EXPECT_EQ(next(false), State::Later);
  put("ee");
  ::close(ends[1]);
  ends[1] = -1;
  EXPECT_EQ(next(true), State::Line);
  EXPECT_EQ(line.text, "three");
  EXPECT_EQ(next(true), State::End);
  EXPECT_EQ(next(false), State::End);
}

TEST_F(LinesTest, TheLongestLineAndOneByteMore) {
  TemporaryDirectory folder;
  constexpr size_t most = 200000; // More than what is read at once.
  std::string longest(most, 'a');
  for (const char *last : {"\nlast\n", "\nlast", "\n", ""}) {
    writeFile(folder.file("in"), longest + "\n" + longest + "a\n" + longest + "b" + last);
    auto reader = LineReader::open(folder.file("in"), most);
    ASSERT_TRUE(reader);
    LineReader::Line line;
    EXPECT_EQ(*(*reader)->next(line, true), State::Line);
    EXPECT_TRUE(line.text == longest && !line.tooLong);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(*(*reader)->next(line, true), State::Line);
      EXPECT_TRUE(line.text.empty() && line.tooLong);
    }
    if (std::string(last).size() > 1) {
      EXPECT_EQ(*(*reader)->next(line, true), State::Line);
      EXPECT_TRUE(line.text == "last" && !line.tooLong);
    }
    EXPECT_EQ(*(*reader)->next(line, true), State::End);
  }
}

TEST_F(LinesTest, ASignalWaitsForTheLineThatIsBeingWritten) {
  std::string line = std::string(size_t(1) << 20, 'a') + "\n"; // More than the pipe takes.
  pid_t child = start([&] {
    auto writer = LineWriter::open(end(1));
    run::letInterruptsWait();
    while ((*writer)->write(line))
      ;
  });
  char first = 0;
  EXPECT_EQ(::read(ends[0], &first, 1), 1);
  ::kill(child, SIGTERM);
  auto [signal, text] = ending(child);
  EXPECT_EQ(signal, SIGTERM);
  EXPECT_TRUE(first + text == line) << text.size();
}

TEST_F(LinesTest, ASecondSignalAndOneBetweenLinesEndAtOnce) {
  auto [second, nothing] = ending(start([&] {
    run::letInterruptsWait();
    run::InterruptsWait wait;
    ::raise(SIGINT);
    ::raise(SIGINT);
    put("x");
  }));
  EXPECT_EQ(second, SIGINT);
  EXPECT_EQ(nothing, "");
  ASSERT_EQ(::close(ends[0]), 0);
  ASSERT_EQ(::pipe(ends), 0);
  auto [between, some] = ending(start([&] {
    run::letInterruptsWait();
    {
      run::InterruptsWait wait;
    }
    put("x");
    ::raise(SIGHUP);
    put("y");
  }));
  EXPECT_EQ(between, SIGHUP);
  EXPECT_EQ(some, "x");
}
