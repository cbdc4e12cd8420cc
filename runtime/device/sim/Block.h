// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One thread block of a simulated launch: its threads as fibers, and where they wait for each other.
#ifndef CHIMERA_RUNTIME_DEVICE_SIM_BLOCK_H
#define CHIMERA_RUNTIME_DEVICE_SIM_BLOCK_H

#include "runtime/device/sim/Async.h"
#include "runtime/device/sim/Checker.h"
#include "runtime/device/sim/Fiber.h"
#include "runtime/device/sim/SharedWindow.h"
#include "runtime/device/sim/Simulator.h"
#include "runtime/device/sim/Warp.h"

#include <string>
#include <vector>

namespace chimera::sim {

/// Runs blocks of one launch, one after the other, with the same fibers and the same shared memory.
class Block {
public:
  /// The block whose thread runs on this host thread right now; only set inside `runBlock`.
  static Block *current();

  /// Takes what the launch needs from the system. An error's text, or empty.
  std::string prepare(const Launch &launch);
  /// Runs block `index` to its end. False after an error, which is then in `error`.
  bool runBlock(int64_t index);

  // What the running thread asks for; see Intrinsics.h for the meaning.
  int thread() const { return running; }
  int threads() const { return launch->threads; }
  int64_t index() const { return blockIndex; }
  int64_t blocks() const { return launch->blocks; }
  char *sharedBase() const { return window.base(); }
  void barrier();
  void collective(WarpRequest request);
  void accessShared(const void *address, int64_t bytes, bool isWrite);
  void accessGlobal(const void *address, int64_t bytes, bool isWrite);
  void accessAtomically(const void *address, int64_t bytes);
  void startCopy(void *destination, const void *source, int64_t bytes, int64_t filled);
  void commitCopies();
  void waitCopies(int64_t groupsLeft);

  /// Ends the launch with this text about the running thread. Does not return.
  [[noreturn]] void fail(std::string what);

  std::string error;
  Statistics statistics;

private:
  enum class State { Ready, AtBarrier, InWarp, Ended };
  struct Thread {
    FiberStack stack;
    Context context;
    State state = State::Ended;
    CopyQueue copies;
  };
  static void threadMain();
  void sleep(State state);
  void setError(std::string what);
  void finishWarp(int warp);
  void shuffleOrder();
  void reportDeadlock();
  int64_t sharedOffset(const void *address) const;

  const Launch *launch = nullptr;
  SharedWindow window;
  Checker checker;
  Context scheduler;
  std::vector<Thread> fibers;
  std::vector<WarpMeeting> warps;
  std::vector<int> order;
  uint64_t randomState = 0;
  int64_t blockIndex = 0;
  int running = 0;
  int atBarrier = 0;
};

} // namespace chimera::sim

#endif
