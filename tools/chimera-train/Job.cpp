// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/Job.h"

#include "runtime/train/RunIdentity.h"

#include <algorithm>
#include <cstdio>

namespace chimera::train {

using runtime::Error;

Failure Job::agree(Failure own) {
  if (own && ranks.isLost())
    return own;
  constexpr int mostTold = 40; // Of ranks that are told apart; no run has so many.
  bool isOwn = own && own->message != failedElsewhere;
  int64_t failed = isOwn ? int64_t(1) << std::min(ranks.rank(), mostTold) : 0;
  if (Failure lost = ranks.sum(&failed, 1))
    return own ? own : lost;
  if (failed == 0)
    return own;
  speaker = __builtin_ctzll(uint64_t(failed));
  return own ? own : Failure(Error(failedElsewhere));
}

Failure Job::compareWithFirst(const std::string &identity) {
  int64_t size = int64_t(identity.size());
  if (Failure failure = ranks.broadcast(&size, sizeof size))
    return failure;
  std::string first = identity;
  first.resize(size_t(size));
  if (Failure failure = ranks.broadcast(first.data(), size))
    return failure;
  auto differences = identityDifferences(first, identity);
  if (!differences)
    return differences.error();
  if (differences->empty())
    return std::nullopt;
  return Error(differences->front().text("on rank 0", "on this one") +
               "; all ranks need the same command line, files and kind of CPU");
}

int Job::fail(const Error &error) {
  bool together = speaker >= 0 && !ranks.isLost();
  if (!together || speaker == ranks.rank()) {
    std::string which = ranks.rank() == 0 ? "" : "rank " + std::to_string(ranks.rank()) + ": ";
    std::fprintf(stderr, "chimera-train: %s%s\n", which.c_str(), error.message.c_str());
    std::fflush(stderr);
  }
  if (!together)
    ranks.abandon();
  return 1;
}

} // namespace chimera::train
