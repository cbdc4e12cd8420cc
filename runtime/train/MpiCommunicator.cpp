// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/MpiCommunicator.h"

#include "runtime/core/Executable.h"
#include "runtime/train/MpiPlugin.h"

#include <cstdlib>
#include <dlfcn.h>
#include <string>
#include <unistd.h>

namespace chimera::train {

using runtime::Error;

namespace {

class MpiCommunicator final : public PairwiseCommunicator {
public:
  explicit MpiCommunicator(const chimera_mpi &functions) : mpi(functions) {}
  ~MpiCommunicator() override {
    if (started && !lost) // Ending MPI waits for the others, which may wait for this rank.
      mpi.finish();
  }

  Failure start() {
    Failure failure = outcome(mpi.start(&ownRank, &ranks), "starting MPI");
    started = !failure;
    return failure;
  }

  int rank() const override { return ownRank; }
  int size() const override { return ranks; }
  Failure broadcast(void *bytes, int64_t count) override { return outcome(mpi.broadcast(bytes, count), "broadcast"); }
  Failure barrier() override { return outcome(mpi.barrier(), "barrier"); }
  void abandon() override {
    lost = true;
    mpi.abandon(1);
  }
  bool isLost() const override { return lost; }

private:
  Failure exchange(int partner, const void *send, void *receive, int64_t bytes) override {
    return outcome(mpi.exchange(partner, send, receive, bytes), "exchange");
  }

  Failure outcome(int error, const char *what) {
    if (!error)
      return std::nullopt;
    lost = true;
    char text[512];
    mpi.describe(error, text, sizeof text);
    return Error(std::string("MPI: ") + what + ": " + text, CHIMERA_ERROR_SYSTEM);
  }

  const chimera_mpi &mpi;
  int ownRank = 0, ranks = 1;
  bool started = false, lost = false;
};

} // namespace

Result<std::unique_ptr<Communicator>> openMpi() {
  std::string folder = runtime::executableFolder(), why;
  void *plugin = nullptr;
  for (const char *place : {"chimera_mpi.so", CHIMERA_PLUGIN_FOLDER "chimera_mpi.so"}) {
    std::string path = folder + place;
    if (access(path.c_str(), F_OK) != 0)
      continue;
    // MPI loads parts of itself, which look for its symbols among the global ones.
    plugin = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (plugin)
      break;
    const char *reason = dlerror();
    why = reason ? reason : "it does not load";
  }
  if (!plugin)
    return Error(why.empty() ? "there is no chimera_mpi.so beside the program, " + io::quote(folder) +
                                   ": MPI was not there when it was built"
                             : "chimera_mpi.so cannot be used: " + why);
  auto functions = reinterpret_cast<const chimera_mpi *(*)(void)>(dlsym(plugin, CHIMERA_MPI_SYMBOL));
  if (!functions || functions()->version != CHIMERA_MPI_VERSION)
    return Error("chimera_mpi.so beside the program, " + io::quote(folder) + ", is of another version");
  auto ranks = std::make_unique<MpiCommunicator>(*functions());
  if (Failure failure = ranks->start())
    return *failure;
  return std::unique_ptr<Communicator>(std::move(ranks));
}

} // namespace chimera::train
