// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/runtime/TrainingThreadRanks.h"

#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace chimera::train::toy {

namespace {

/// Messages on their way, by sender and receiver.
class Mail {
public:
  void send(int from, int to, const void *data, int64_t bytes) {
    std::lock_guard<std::mutex> lock(mutex);
    boxes[{from, to}].emplace_back(static_cast<const char *>(data), size_t(bytes));
    arrived.notify_all();
  }

  void receive(int from, int to, void *data, int64_t bytes) {
    std::unique_lock<std::mutex> lock(mutex);
    std::vector<std::string> &box = boxes[{from, to}];
    arrived.wait(lock, [&] { return !box.empty(); });
    std::memcpy(data, box.front().data(), size_t(bytes));
    box.erase(box.begin());
  }

private:
  std::mutex mutex;
  std::condition_variable arrived;
  std::map<std::pair<int, int>, std::vector<std::string>> boxes;
};

class ThreadRank final : public PairwiseCommunicator {
public:
  ThreadRank(Mail &mail, int rank, int size) : mail(mail), own(rank), all(size) {}

  int rank() const override { return own; }
  int size() const override { return all; }
  Failure broadcast(void *bytes, int64_t count) override {
    if (own)
      mail.receive(0, own, bytes, count);
    for (int to = 1; own == 0 && to < all; ++to)
      mail.send(0, to, bytes, count);
    return std::nullopt;
  }
  Failure barrier() override {
    int64_t nothing = 0;
    return sum(&nothing, 1);
  }
  void abandon() override {}

private:
  Failure exchange(int partner, const void *send, void *receive, int64_t bytes) override {
    mail.send(own, partner, send, bytes);
    mail.receive(partner, own, receive, bytes);
    return std::nullopt;
  }

  Mail &mail;
  int own, all;
};

} // namespace

void onRanks(int size, const std::function<void(Communicator &ranks)> &body) {
  Mail mail;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      ThreadRank communicator(mail, rank, size);
      body(communicator);
    });
  for (std::thread &thread : threads)
    thread.join();
}

} // namespace chimera::train::toy
