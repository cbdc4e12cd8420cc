// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The standard output when it is full, closed or gone, and a run that is interrupted.
#include "test/chimera-run/ByteModel.h"

#include "runtime/io/Affixes.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <sys/wait.h>
#include <thread>

using namespace chimera;
using namespace chimera::test;
using io::DType;

class StreamsTest : public ByteModelTest {
protected:
  /// Starts a run that never ends, waits until it has printed something, sends the signal; what it printed.
  std::string interrupted(const std::vector<std::string> &arguments, int signal) {
    pid_t child = startProcess(command(arguments), file("out"), file("err"));
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (readFile(file("out")).size() < 40 && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ::kill(child, signal);
    int state = 0;
    EXPECT_EQ(::waitpid(child, &state, 0), child);
    EXPECT_TRUE(WIFSIGNALED(state) && WTERMSIG(state) == signal) << state;
    EXPECT_EQ(readFile(file("err")), "");
    return readFile(file("out"));
  }

  std::vector<std::string> endless() const { return {"--prompt", "ab", "--max-new-tokens", "1000000000"}; }
};

TEST_F(StreamsTest, AnOutputThatIsFullOrClosedIsAnErrorAtOnce) {
  std::string tokens = npy("t.npy", DType::I32, {2}, bytesOf("ab"));
  const std::string full = "<stdout>: cannot write: No space left on device";
  // A run that went on to its end would not end in this life.
  expectError(shell("\"$@\" > /dev/full", endless()), 1, full);
  expectError(shell("\"$@\" > /dev/full", {"--tokens", tokens, "--max-new-tokens", "1000000000"}), 1, full);
  expectError(shell("\"$@\" >&-", endless()), 1, "<stdout>: cannot write: Bad file descriptor");
  for (const char *option : {"--help", "--version"})
    for (const char *program : {CHIMERA_RUN, CHIMERA_INSPECT})
      expectError(shell(std::string(program) + " " + option + " > /dev/full", {}), 1, "<stdout>: cannot write");
  expectError(shell(CHIMERA_INSPECT " m.chm > /dev/full", {}), 1, full);
  expectError(shell(CHIMERA_INSPECT " m.chm >&-", {}), 1, "<stdout>: cannot write: Bad file descriptor");
}

TEST_F(StreamsTest, AFileDoesNotTakeThePlaceOfAClosedOutput) {
  std::string tokens = npy("t.npy", DType::I32, {2}, bytesOf("ab"));
  std::vector<std::string> arguments = {"--prompt", "ab", "--output-tokens", file("o.npy"), "--max-new-tokens", "2"};
  expectError(shell("\"$@\" >&-", arguments), 1, "<stdout>: cannot write: Bad file descriptor");
  EXPECT_FALSE(std::filesystem::exists(file("o.npy")));
  // Evaluation prints nothing, so it needs no output.
  expectSuccess(shell("\"$@\" <&- >&-", {"--tokens", tokens, "--logits", file("l.npy")}));
  EXPECT_EQ(load<float>("l.npy", DType::F32, {1, 2, vocab}).size(), size_t(2 * vocab));
}

TEST_F(StreamsTest, AReaderThatHasEnoughEndsTheRunQuietly) {
  for (const std::string &source :
       {std::string("--prompt=a\nb"), "--tokens=" + npy("t.npy", DType::I32, {1}, bytesOf("a"))}) {
    ProcessResult result = shell("\"$@\" | head -c 1", {source, "--max-new-tokens", "1000000000"});
    EXPECT_EQ(result.status, 0) << result.describe();
    EXPECT_EQ(result.err, "");
    EXPECT_EQ(result.out.size(), 1u);
  }
}

TEST_F(StreamsTest, ASignalEndsTheRunAtOnceAndTurnsColoursOff) {
  std::vector<std::string> coloured = endless();
  coloured.insert(coloured.end(), {"--color", "always"});
  for (int signal : {SIGINT, SIGTERM, SIGHUP})
    EXPECT_TRUE(io::endsWith(interrupted(coloured, signal), "\x1b[0m")) << signal;
  EXPECT_EQ(interrupted(endless(), SIGINT).find('\x1b'), std::string::npos) << "there was no colour to turn off";
}

TEST_F(StreamsTest, ASignalThatIsIgnoredStaysSo) {
  ProcessResult result = shell("trap '' INT; \"$@\" & kill -INT $!; wait $!",
                               {"--prompt", "ab", "--max-new-tokens", "2000", "--color", "always"});
  expectSuccess(result);
}
