// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/Job.h"

#include <algorithm>
#include <utility>

namespace chimera::serve {

std::vector<Piece> Job::take(std::chrono::milliseconds most, Clock::time_point soonest) {
  const Clock::time_point latest = Clock::now() + most;
  std::unique_lock<std::mutex> lock(mutex);
  changed.wait_until(lock, std::min(soonest, latest), [&] { return complete(); });
  wantsPieces = true;
  changed.wait_until(lock, latest, [&] { return !pieces.empty() || complete(); });
  wantsPieces = false;
  return std::exchange(pieces, {});
}

bool Job::over() const {
  std::lock_guard<std::mutex> lock(mutex);
  return pieces.empty() && complete();
}

std::optional<ApiError> Job::error() const {
  std::lock_guard<std::mutex> lock(mutex);
  return failure;
}

int64_t Job::madeTokens() const {
  std::lock_guard<std::mutex> lock(mutex);
  return made;
}

int64_t Job::keptTokens() const {
  std::lock_guard<std::mutex> lock(mutex);
  return kept;
}

void Job::countGuesses(int64_t proposed, int64_t accepted) {
  std::lock_guard<std::mutex> lock(mutex);
  guessesRight += accepted;
  guessesWrong += proposed - accepted; // They are wrong until the model chooses them.
}

std::pair<int64_t, int64_t> Job::guesses() const {
  std::lock_guard<std::mutex> lock(mutex);
  return {guessesRight, guessesWrong};
}

void Job::countKept(int64_t tokens) {
  std::lock_guard<std::mutex> lock(mutex);
  kept += tokens;
}

void Job::add(Piece piece) {
  bool wakes = false;
  {
    std::lock_guard<std::mutex> lock(mutex);
    pieces.push_back(std::move(piece));
    wakes = wantsPieces;
  }
  if (wakes)
    changed.notify_all();
}

void Job::choiceEnded(int64_t madeTokens) {
  bool wakes = false;
  {
    std::lock_guard<std::mutex> lock(mutex);
    ++ended;
    made += madeTokens;
    wakes = complete();
  }
  if (wakes)
    changed.notify_all();
}

void Job::fail(ApiError error) {
  std::lock_guard<std::mutex> lock(mutex);
  if (!failure)
    failure = std::move(error);
  changed.notify_all();
}

} // namespace chimera::serve
