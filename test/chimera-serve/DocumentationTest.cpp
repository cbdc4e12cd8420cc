// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// docs/serve.md: its commands work, and it names every metric.
#include "test/chimera-serve/ServeTool.h"

#include <sstream>

using namespace chimera;
using namespace chimera::test;

namespace {
class DocumentationTest : public ServeTest {
protected:
  const std::string page = readFile(CHIMERA_SERVE_PAGE);
};
} // namespace

TEST_F(DocumentationTest, ItsCommandsWork) {
  writeChat();
  serve();
  const std::string address = "127.0.0.1:8080", here = "127.0.0.1:" + std::to_string(server->port());
  std::istringstream lines(page);
  int commands = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.compare(0, 9, "    curl ") != 0)
      continue;
    size_t at = line.find(address);
    ASSERT_NE(at, std::string::npos) << line;
    line.replace(at, address.size(), here);
    ProcessResult ran = runProcess({"/bin/sh", "-c", line + " --silent --show-error --fail"});
    EXPECT_EQ(ran.status, 0) << line << "\n" << ran.describe();
    EXPECT_FALSE(ran.out.empty()) << line;
    ++commands;
  }
  EXPECT_GE(commands, 5);
}

TEST_F(DocumentationTest, EveryMetricIsNamed) {
  serve();
  std::istringstream lines(get("/metrics").body);
  int metrics = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.compare(0, 7, "# TYPE ") != 0)
      continue;
    std::string name = line.substr(7, line.find(' ', 7) - 7);
    EXPECT_NE(page.find("`" + name + "`"), std::string::npos) << name;
    ++metrics;
  }
  EXPECT_GE(metrics, 12);
}
