// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/support/Browser.h"

#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace chimera::test {

bool hasBrowser() {
  return std::system("command -v chromium >/dev/null 2>&1") == 0;
}

std::string documentInBrowser(const std::string &path, const std::string &profile,
                              const std::vector<std::string> &options, bool quiet) {
  std::vector<std::string> command = {"chromium",
                                      "--headless",
                                      "--no-sandbox",
                                      "--disable-gpu",
                                      "--disable-dev-shm-usage",
                                      "--enable-logging=stderr",
                                      "--user-data-dir=" + profile,
                                      "--virtual-time-budget=5000"};
  command.insert(command.end(), options.begin(), options.end());
  command.insert(command.end(), {"--dump-dom", path.rfind("http://", 0) == 0 ? path : "file://" + path});
  ProcessResult result = runProcess(command, 110);
  EXPECT_EQ(result.status, 0) << result.describe();
  if (quiet)
    EXPECT_EQ(result.err.find("CONSOLE"), std::string::npos) << result.err;
  return result.out;
}

} // namespace chimera::test
