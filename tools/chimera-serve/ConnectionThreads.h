// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A thread for each connection, up to a limit: a client that does nothing keeps no other waiting.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_CONNECTIONTHREADS_H
#define CHIMERA_TOOLS_CHIMERASERVE_CONNECTIONTHREADS_H

#include <httplib.h>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace chimera::serve {

/// Threads that are started as connections need them, and then kept.
class ConnectionThreads : public httplib::TaskQueue {
public:
  explicit ConnectionThreads(size_t most) : most(most) {}

  void enqueue(std::function<void()> task) override;
  /// Runs what waits, and ends the threads.
  void shutdown() override;
  /// Whether connections wait for a thread.
  bool crowded() const;

private:
  void work();

  const size_t most;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> tasks;
  std::vector<std::thread> threads;
  size_t idle = 0;
  bool ending = false;
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_CONNECTIONTHREADS_H
