// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// OpenAI's own client library as the client. It needs CHIMERA_LONG, Node.js, and in CHIMERA_NODE_MODULES a folder made
// by tools/install-node-modules.
#include "test/chimera-serve/ServeTool.h"
#include "test/support/LongMode.h"

#include <cstdlib>
#include <filesystem>

using namespace chimera;
using namespace chimera::test;

namespace {
class OpenAiClientTest : public ServeTest {};
} // namespace

TEST_F(OpenAiClientTest, ItsCallsWork) {
  if (!longMode())
    GTEST_SKIP() << "a long test: set CHIMERA_LONG=1";
  const char *modules = std::getenv("CHIMERA_NODE_MODULES");
  if (!modules || !std::filesystem::exists(std::filesystem::path(modules) / "openai"))
    GTEST_SKIP() << "CHIMERA_NODE_MODULES names no node_modules folder with the npm package openai";
  if (std::system("node --version >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "Node.js is not installed";
  writeChat();
  serve({"--api-key", "secret"});
  ProcessResult ran =
      runProcess({"node", CHIMERA_SERVE_TESTS "/openai-client.js", std::filesystem::absolute(modules).string(),
                  std::to_string(server->port()), "secret"});
  EXPECT_EQ(ran.status, 0) << ran.describe();
  EXPECT_EQ(ran.out, "ok 6\n");
}
