// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// chimera-train: trains a model (docs/training.md).
#include "tools/chimera-train/Job.h"
#include "tools/chimera-train/Options.h"
#include "tools/chimera-train/Run.h"
#include "tools/chimera-train/Signals.h"
#include "tools/chimera-train/Train.h"

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

using namespace chimera;

/// Runs what the command line asks for, on this rank.
static train::Failure execute(const train::Options &options, train::Job &job) {
  train::Result<std::unique_ptr<train::Run>> run = train::Run::open(options, job);
  if (!run)
    return run.error();
  return options.gradients.empty() ? train::train(**run) : train::writeFirstGradients(**run);
}

/// The same, with what is thrown as a failure too: the communicator must outlive it, to end the other ranks.
static train::Failure executeSafely(const train::Options &options, train::Job &job) {
  try {
    return execute(options, job);
  } catch (const std::bad_alloc &) {
    return runtime::Error("out of memory");
  } catch (const std::exception &error) {
    return runtime::Error(error.what());
  }
}

int main(int argc, char **argv) {
  auto parsed = train::parseOptions(argc, argv);
  if (const int *exitStatus = std::get_if<int>(&parsed))
    return *exitStatus;
  // Writing past a limit of the size of files is then an error with a name, as writing to a full disk is.
  std::signal(SIGXFSZ, SIG_IGN);
  train::catchStopSignals();
  train::Result<std::unique_ptr<train::Communicator>> ranks = train::openCommunicator();
  if (!ranks) {
    std::fprintf(stderr, "chimera-train: %s\n", ranks.error().message.c_str());
    return 1;
  }
  train::Job job(**ranks);
  train::Failure failure = executeSafely(std::get<train::Options>(parsed), job);
  return failure ? job.fail(*failure) : 0;
}
