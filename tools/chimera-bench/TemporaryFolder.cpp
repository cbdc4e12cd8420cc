// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-bench/TemporaryFolder.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <unistd.h>

namespace chimera::bench {

// What the handler removes, as it can allocate nothing; empty while there is no folder.
static char pathOfFolder[4096], pathOfFile[4096];

static void removeAndEnd(int signal) {
  if (pathOfFile[0])
    ::unlink(pathOfFile);
  if (pathOfFolder[0])
    ::rmdir(pathOfFolder);
  std::signal(signal, SIG_DFL);
  ::raise(signal);
}

static void removeOnSignals() {
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action = {};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN)
      continue;
    action = {};
    action.sa_handler = removeAndEnd;
    ::sigaction(signal, &action, nullptr);
  }
}

io::Result<TemporaryFolder> TemporaryFolder::create(const std::string &name) {
  const char *parent = std::getenv("TMPDIR");
  std::string path = std::string(parent && *parent ? parent : "/tmp") + "/chimera-bench-XXXXXX";
  if (path.size() + name.size() + 2 > sizeof pathOfFile)
    return io::Error{"creating a folder " + io::quote(path) + ": " + std::strerror(ENAMETOOLONG)};
  removeOnSignals();
  if (!mkdtemp(path.data()))
    return io::Error{"creating a folder " + io::quote(path) + ": " + std::strerror(errno)};
  TemporaryFolder made(path, name);
  std::strcpy(pathOfFile, made.file().c_str());
  std::strcpy(pathOfFolder, path.c_str());
  return made;
}

TemporaryFolder::~TemporaryFolder() {
  if (folder.empty())
    return;
  std::error_code ignored; // What cannot be removed stays in the folder for temporary files.
  std::filesystem::remove_all(folder, ignored);
  pathOfFile[0] = pathOfFolder[0] = 0;
}

} // namespace chimera::bench
