// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/ConnectionThreads.h"

#include <system_error>
#include <utility>

namespace chimera::serve {

void ConnectionThreads::enqueue(std::function<void()> task) {
  std::lock_guard<std::mutex> lock(mutex);
  tasks.push_back(std::move(task));
  if (tasks.size() > idle && threads.size() < most) {
    try {
      threads.emplace_back([this] { work(); });
    } catch (const std::system_error &) {
      // The system gives no more threads: those that there are take the connection in turn.
    }
  }
  changed.notify_one();
}

void ConnectionThreads::work() {
  std::unique_lock<std::mutex> lock(mutex);
  while (true) {
    ++idle;
    changed.wait(lock, [&] { return ending || !tasks.empty(); });
    --idle;
    if (tasks.empty())
      return;
    std::function<void()> task = std::move(tasks.front());
    tasks.pop_front();
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
}

void ConnectionThreads::shutdown() {
  std::vector<std::thread> all;
  {
    std::lock_guard<std::mutex> lock(mutex);
    ending = true;
    all.swap(threads);
  }
  changed.notify_all();
  for (std::thread &thread : all)
    thread.join();
}

bool ConnectionThreads::crowded() const {
  std::lock_guard<std::mutex> lock(mutex);
  return tasks.size() > idle;
}

} // namespace chimera::serve
