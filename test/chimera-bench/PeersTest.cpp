// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How peers are found, called and read. A program of the test stands in for llama-bench.
#include "tools/chimera-bench/Peers.h"

#include "test/support/Subprocess.h"
#include "tools/chimera-bench/Process.h"
#include "tools/chimera-bench/TemporaryFolder.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace chimera;
using namespace chimera::bench;
using chimera::test::readFile;
using chimera::test::TemporaryDirectory;
using chimera::test::writeFile;

/// With PATH a folder of the test's own, then the shell's.
class PeersTest : public testing::Test {
protected:
  PeersTest() : before(std::getenv("PATH")) { setenv("PATH", (folder.path() + ":/bin:/usr/bin").c_str(), 1); }
  ~PeersTest() override { setenv("PATH", before.c_str(), 1); }

  void install(const std::string &name, const std::string &script) const {
    writeFile(folder.file(name), "#!/bin/sh\n" + script);
    chmod(folder.file(name).c_str(), 0755);
  }

  TemporaryDirectory folder;
  std::string before;
  PeerShape shape = {2, 8, 2, 1, 4, 16, 32, io::DType::F32};
  std::vector<Work> works = {{false, 1, 0, 12}, {true, 1, 5, 3}, {true, 4, 0, 3}};
  Options options;
};

TEST_F(PeersTest, AProgramThatIsNotInstalledIsNamed) {
  setenv("PATH", folder.path().c_str(), 1);
  PeerResult llama = runLlama(shape, works, options);
  EXPECT_TRUE(llama.measurements.empty());
  EXPECT_EQ(llama.notes, std::vector<std::string>{"not installed: there is no llama-bench in PATH"});
  PeerResult torch = runTorch(shape, works, options);
  EXPECT_EQ(torch.notes, std::vector<std::string>{"not installed: there is no python3 in PATH"});
  install("python3", "echo 'Traceback' >&2; echo 'ModuleNotFoundError: no torch' >&2; exit 1\n");
  torch = runTorch(shape, works, options);
  EXPECT_EQ(torch.notes,
            std::vector<std::string>{"not installed: python3 cannot import torch (ModuleNotFoundError: no torch)"});
}

TEST_F(PeersTest, LlamaBenchIsCalledOnceAWorkAndRead) {
  options.threads = 2;
  install("llama-bench", "echo \"$@\" >> " + folder.file("calls") + "\ncp \"$2\" " + folder.file("model.gguf") +
                             "\necho '[{\"avg_ts\": 20.0, \"samples_ts\": [10.0, 30.0]}]'\n");
  PeerResult result = runLlama(shape, works, options);
  ASSERT_EQ(result.measurements.size(), 2u);
  EXPECT_EQ(result.measurements[0].tokensPerSecond, (std::vector<double>{10, 30}));
  EXPECT_EQ(result.measurements[1].work.context, 5);
  EXPECT_EQ(result.notes,
            std::vector<std::string>{"decode, batch 4, context 0: llama-bench runs one sequence at a time"});
  std::string calls = readFile(folder.file("calls"));
  EXPECT_EQ(chimera::test::countLines(calls), 2) << calls;
  EXPECT_NE(calls.find("model.gguf -o json -r 5 -t 2 -p 12 -n 0\n"), std::string::npos) << calls;
  EXPECT_NE(calls.find("model.gguf -o json -r 5 -t 2 -p 0 -n 3 -d 5\n"), std::string::npos) << calls;
  EXPECT_EQ(readFile(folder.file("model.gguf")).substr(0, 4), "GGUF");
}

TEST_F(PeersTest, WhatGoesWrongInAPeerIsANoteOfOneLine) {
  works.resize(1);
  install("llama-bench", "echo 'one' >&2; echo 'bad model' >&2; exit 3\n");
  EXPECT_EQ(runLlama(shape, works, options).notes,
            std::vector<std::string>{"prefill, batch 1, context 0: llama-bench failed: bad model"});
  for (const char *output : {"", "[", "[{}]", "[1]", "[{\"samples_ts\": [\"x\"]}]", "{\"samples_ts\": [1]}"}) {
    install("llama-bench", std::string("echo '") + output + "'\n");
    PeerResult result = runLlama(shape, works, options);
    EXPECT_TRUE(result.measurements.empty()) << output;
    EXPECT_EQ(result.notes.size(), 1u) << output;
  }
  for (const char *output : {"", "[", "3", "{\"seconds\": [[1], [2]]}"}) {
    install("python3", std::string("[ \"$2\" = 'import torch' ] || echo '") + output + "'\n");
    PeerResult result = runTorch(shape, works, options);
    EXPECT_TRUE(result.measurements.empty()) << output;
    EXPECT_EQ(result.notes, std::vector<std::string>{"failed: its output is not the JSON of the works"}) << output;
  }
}

TEST_F(PeersTest, TheTorchProgramIsPythonAndItsSecondsBecomeSpeeds) {
  works.resize(2);
  install("python3", "[ \"$2\" = 'import torch' ] && exit 0\nprintf '%s' \"$2\" > " + folder.file("program.py") +
                         "\nprintf '%s' \"$3\" > " + folder.file("job") + "\necho '{\"seconds\": [[2, 4], [0.5]]}'\n");
  PeerResult result = runTorch(shape, works, options);
  ASSERT_EQ(result.measurements.size(), 2u);
  EXPECT_EQ(result.measurements[0].tokensPerSecond, (std::vector<double>{6, 3}));
  EXPECT_EQ(result.measurements[1].tokensPerSecond, (std::vector<double>{6}));
  std::string job = readFile(folder.file("job"));
  for (const char *part :
       {"\"layers\":2", "\"hidden\":8", "\"kv_heads\":1", "\"feed_forward\":16", "\"bf16\":false", "\"context\":5"})
    EXPECT_NE(job.find(part), std::string::npos) << job;
  auto compiled = runProcess(
      {"/usr/bin/python3", "-c", "import ast, sys; ast.parse(open(sys.argv[1]).read())", folder.file("program.py")});
  ASSERT_TRUE(compiled) << compiled.error().message;
  EXPECT_EQ(compiled->status, 0) << compiled->err;
}

/// Reads numbers and strings of a GGUF file.
struct GgufReader {
  std::string bytes;
  size_t at = 0;

  template <typename T> T number() {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    at += sizeof value;
    return value;
  }
  std::string string() {
    size_t size = size_t(number<uint64_t>());
    at += size;
    return bytes.substr(at - size, size);
  }
};

TEST_F(PeersTest, TheGgufFileHoldsEveryTensorAtItsPlace) {
  shape.dtype = io::DType::BF16;
  std::string path = folder.file("m.gguf");
  ASSERT_TRUE(writeGguf(path, shape, 99, 1));
  GgufReader reader{readFile(path)};
  reader.at = 4;
  EXPECT_EQ(reader.number<uint32_t>(), 3u);
  uint64_t tensors = reader.number<uint64_t>(), keys = reader.number<uint64_t>();
  EXPECT_EQ(tensors, 1u + 2 * 9 + 2);
  std::map<std::string, uint32_t> numbers;
  std::map<std::string, std::string> strings;
  for (uint64_t key = 0; key < keys; ++key) {
    std::string name = reader.string();
    uint32_t type = reader.number<uint32_t>();
    if (type == 8)
      strings[name] = reader.string();
    else
      numbers[name] = reader.number<uint32_t>(); // U32, or the bits of an F32.
  }
  EXPECT_EQ(strings["general.architecture"], "llama");
  EXPECT_EQ(numbers["llama.context_length"], 99u);
  EXPECT_EQ(numbers["llama.attention.head_count_kv"], 1u);
  EXPECT_EQ(numbers["llama.vocab_size"], 32u);
  uint64_t end = 0;
  for (uint64_t tensor = 0; tensor < tensors; ++tensor) {
    std::string name = reader.string();
    uint32_t rank = reader.number<uint32_t>();
    uint64_t elements = 1;
    for (uint32_t i = 0; i < rank; ++i)
      elements *= reader.number<uint64_t>();
    uint32_t type = reader.number<uint32_t>();
    EXPECT_EQ(type, rank == 2 ? 30u : 0u) << name;
    uint64_t offset = reader.number<uint64_t>();
    EXPECT_EQ(offset, (end + 31) / 32 * 32) << name;
    end = offset + elements * (type == 30 ? 2 : 4);
    if (name == "blk.1.attn_k.weight")
      EXPECT_EQ(elements, 4u * 8);
  }
  EXPECT_EQ(reader.bytes.size(), (reader.at + 31) / 32 * 32 + (end + 31) / 32 * 32);
}

TEST(PeerShape, ComesFromTheManifest) {
  runtime::Manifest manifest;
  manifest.model.layers.resize(3);
  manifest.model.hiddenSize = 64;
  manifest.model.vocabSize = 100;
  EXPECT_FALSE(peerShape(manifest));
  manifest.model.heads = 4;
  manifest.model.keyValueHeads = 2;
  manifest.model.headDim = 16;
  auto without = peerShape(manifest);
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().message, "the model has no feed-forward layers that a dense Transformer could have");
  manifest.parameters.emplace_back().name = "layers.0.ffn.up_proj.weight";
  auto ungated = peerShape(manifest);
  ASSERT_FALSE(ungated);
  EXPECT_EQ(ungated.error().message, "the model's feed-forward layers have no gate, which the peers' layers have");
  runtime::Parameter gate;
  gate.name = "layers.0.ffn.gate_proj.weight";
  gate.shape = {160, 64};
  manifest.parameters = {gate};
  auto shape = peerShape(manifest);
  ASSERT_TRUE(shape);
  EXPECT_EQ(shape->feedForward, 160);
  EXPECT_EQ(shape->layers, 3);
}

TEST(Process, GivesOutputErrorsAndStatus) {
  auto result = runProcess({"sh", "-c", "echo out; echo first >&2; echo last >&2; exit 7"});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->out, "out\n");
  EXPECT_EQ(result->status, 7);
  EXPECT_EQ(result->lastError(), "last");
  result = runProcess({"sh", "-c", "kill -9 $$"});
  EXPECT_EQ(result->status, 128 + 9);
  EXPECT_EQ(result->lastError(), "exit status 137");
  // More than a pipe holds, on both.
  result = runProcess({"sh", "-c", "for i in 1 2 3; do head -c 100000 /dev/zero; head -c 100000 /dev/zero >&2; done"});
  EXPECT_EQ(result->out.size(), 300000u);
  EXPECT_EQ(result->err.size(), 300000u);
  auto missing = runProcess({"/no/such/program"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "starting '/no/such/program': No such file or directory");
}

TEST(Process, EndsWhenItIsToldTo) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::thread teller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    EXPECT_EQ(::write(ends[1], "", 1), 1);
  });
  // A child of its own holds the pipes of the one that is told.
  auto result = runProcess({"sh", "-c", "sleep 30 & exec sleep 60"}, ends[0]);
  teller.join();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 128 + SIGTERM);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Process, EndsWithItsParentHoweverThatEnds) {
  chimera::test::TemporaryDirectory folder;
  std::string path = folder.file("number");
  pid_t parent = ::fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    (void)runProcess({"sh", "-c", "echo $$ > " + path + "; exec sleep 60"});
    ::_exit(0);
  }
  std::string text;
  for (int i = 0; i < 1000 && text.find('\n') == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    std::ifstream file(path);
    std::getline(file, text, '\0');
  }
  ASSERT_NE(text.find('\n'), std::string::npos);
  std::string stat = "/proc/" + std::to_string(std::stoi(text)) + "/stat";
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  bool isThere = true;
  for (int i = 0; i < 1000 && isThere; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    std::ifstream file(stat);
    std::string line;
    isThere = std::getline(file, line) && line.find(") Z") == std::string::npos;
  }
  EXPECT_FALSE(isThere);
}

TEST(TemporaryFolder, IsGoneAfterASignal) {
  chimera::test::TemporaryDirectory root;
  ::setenv("TMPDIR", root.path().c_str(), 1);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) {
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto folder = TemporaryFolder::create("model");
      chimera::test::writeFile(folder->file(), "weights");
      ::raise(signal);
      ::_exit(1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    EXPECT_TRUE(std::filesystem::is_empty(root.path())) << signal;
  }
  ::unsetenv("TMPDIR");
}

} // namespace
