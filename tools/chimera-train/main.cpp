// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// chimera-train: trains a model (docs/training.md).
#include "tools/chimera-train/Options.h"
#include "tools/chimera-train/Run.h"
#include "tools/chimera-train/Signals.h"
#include "tools/chimera-train/Train.h"

#include <csignal>
#include <cstdio>
#include <new>

using namespace chimera;

/// Runs what the command line asks for, on this rank.
static train::Failure execute(const train::Options &options, train::Communicator &ranks) {
  train::Result<std::unique_ptr<train::Run>> run = train::Run::open(options, ranks);
  if (!run)
    return run.error();
  train::catchStopSignals();
  return options.gradients.empty() ? train::train(**run) : train::writeFirstGradients(**run);
}

int main(int argc, char **argv) {
  auto parsed = train::parseOptions(argc, argv);
  if (const int *exitStatus = std::get_if<int>(&parsed))
    return *exitStatus;
  // Writing past a limit of the size of files is then an error with a name, as writing to a full disk is.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    train::Result<std::unique_ptr<train::Communicator>> ranks = train::openCommunicator();
    if (!ranks) {
      std::fprintf(stderr, "chimera-train: %s\n", ranks.error().message.c_str());
      return 1;
    }
    train::Failure failure = execute(std::get<train::Options>(parsed), **ranks);
    if (!failure)
      return 0;
    if ((*ranks)->rank() == 0)
      std::fprintf(stderr, "chimera-train: %s\n", failure->message.c_str());
    else
      std::fprintf(stderr, "chimera-train: rank %d: %s\n", (*ranks)->rank(), failure->message.c_str());
  } catch (const std::bad_alloc &) {
    std::fprintf(stderr, "chimera-train: out of memory\n");
  }
  return 1;
}
