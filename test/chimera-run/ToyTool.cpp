// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/chimera-run/ToyTool.h"

namespace chimera::test {

ToolTest::ToolTest() {
  std::vector<uint8_t> bytes = runtime::toy::binary();
  writeFile(file("m.chm"), std::string(bytes.begin(), bytes.end()));
  runtime::toy::writeWeights(folder.path());
}

void ToolTest::writeArray(const std::string &name, io::DType type, const std::vector<int64_t> &shape,
                          const void *data) const {
  io::Status status = io::writeNpy(file(name), type, shape, data);
  ASSERT_TRUE(status) << status.error().message;
}

std::vector<std::string> ToolTest::command(const std::vector<std::string> &arguments) const {
  std::vector<std::string> all = {CHIMERA_RUN, file("m.chm"), "--weights", folder.path()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

ProcessResult ToolTest::run(const std::vector<std::string> &arguments) const {
  return runProcess(command(arguments));
}

ProcessResult ToolTest::shell(const std::string &script, const std::vector<std::string> &arguments) const {
  std::vector<std::string> all = {"/bin/sh", "-c", "cd '" + folder.path() + "'; " + script, "sh"};
  for (const std::string &word : command(arguments))
    all.push_back(word);
  return runProcess(all);
}

ProcessResult ToolTest::runBare(const std::vector<std::string> &arguments) const {
  std::vector<std::string> command = {CHIMERA_RUN};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return runProcess(command);
}

ProcessResult ToolTest::inspect(const std::vector<std::string> &arguments) const {
  std::vector<std::string> command = {CHIMERA_INSPECT};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return runProcess(command);
}

void expectError(const ProcessResult &result, int status, const std::string &text) {
  EXPECT_EQ(result.status, status) << result.describe();
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(countLines(result.err), 1) << result.err;
  EXPECT_NE(result.err.find(text), std::string::npos) << "wanted: " << text << "\ngot: " << result.err;
}

void expectSuccess(const ProcessResult &result) {
  EXPECT_EQ(result.status, 0) << result.describe();
  EXPECT_EQ(result.err, "");
}

} // namespace chimera::test
