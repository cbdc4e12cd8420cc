// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-compile: a model's config.json (or IR) to a model binary. Exit status: 0, 1 for an error in the input (one
// line on standard error), 2 for a misuse of the command line.
#include "tools/chimera-compile/Driver.h"
#include "tools/chimera-compile/Options.h"
#include "tools/support/Streams.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <unistd.h>

namespace {

/// MLIR's parser and LLVM's passes recurse; a thread of our own does not depend on the shell's limit.
constexpr unsigned stackBytes = 256u << 20;

/// LLVM's own last words are a stack trace; one line is enough.
[[noreturn]] void reportFatal(void *options, const char *reason, bool) {
  llvm::errs() << "error: " << static_cast<const chimera::compile::Options *>(options)->input << ": " << reason << "\n";
  llvm::sys::RunInterruptHandlers();
  ::_exit(1);
}

/// LLVM's handlers, which remove unfinished files, come before the recovery's, and from this thread: they bring a
/// signal stack that must not end with the other. What whoever started this program has ignored (as nohup does with
/// SIGHUP) stays ignored, which LLVM does not see to.
void removeFilesOnSignals() {
  constexpr int signals[] = {SIGHUP, SIGINT, SIGTERM};
  struct sigaction before[std::size(signals)];
  for (size_t i = 0; i < std::size(signals); ++i)
    ::sigaction(signals[i], nullptr, &before[i]);
  llvm::sys::SetInterruptFunction(nullptr);
  for (size_t i = 0; i < std::size(signals); ++i)
    if (before[i].sa_handler == SIG_IGN)
      ::sigaction(signals[i], &before[i], nullptr);
}

/// At the end of the process, before LLVM's stream would call it a fatal error: what --help and --version printed,
/// which end the process by themselves, could not be written.
void checkOutput() {
  llvm::outs().flush();
  std::error_code error = llvm::outs().error();
  if (!error)
    return;
  llvm::outs().clear_error();
  llvm::errs() << "chimera-compile: cannot write standard output: " << error.message() << "\n";
  ::_exit(1);
}

} // namespace

int main(int argc, char **argv) {
  chimera::tools::keepStandardStreams();
  llvm::outs(); // Made before checkOutput is registered, so that it ends after it.
  std::atexit(checkOutput);
  auto options = chimera::compile::parseCommandLine(argc, argv);
  if (!options) {
    llvm::errs() << "chimera-compile: " << llvm::toString(options.takeError()) << " (--help says more)\n";
    return 2;
  }
  llvm::install_fatal_error_handler(reportFatal, &*options);
  llvm::install_bad_alloc_error_handler(reportFatal, &*options);
  llvm::install_out_of_memory_new_handler();
  removeFilesOnSignals();
  int status = 0;
  llvm::CrashRecoveryContext::Enable();
  llvm::CrashRecoveryContext recovery;
  bool finished = recovery.RunSafelyOnThread(
      [&] {
        if (llvm::Error error = chimera::compile::compile(*options)) {
          llvm::errs() << "error: " << llvm::toString(std::move(error)) << "\n";
          status = 1;
        }
      },
      stackBytes);
  if (finished)
    return status;
  llvm::errs() << "error: " << options->input
               << ": the compiler failed on this model; this is a fault of the compiler\n";
  llvm::sys::RunInterruptHandlers();
  ::_exit(1);
}
