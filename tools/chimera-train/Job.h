// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The ranks of a job: they succeed together or end together, with one line of error.
#ifndef CHIMERA_TOOLS_CHIMERATRAIN_JOB_H
#define CHIMERA_TOOLS_CHIMERATRAIN_JOB_H

#include "runtime/train/Communicator.h"

#include <string>

namespace chimera::train {

class Job {
public:
  /// The communicator must outlive the job.
  explicit Job(Communicator &ranks) : ranks(ranks) {}

  /// This rank's failure, or that there is one elsewhere. Every rank calls it.
  Failure agree(Failure own);

  /// Fails where a JSON object differs from that of the first rank, and names the first key. Every rank calls it, and
  /// `agree` after it.
  Failure compareWithFirst(const std::string &identity);

  /// Says why this rank ends: of a failure that ranks have agreed on, only the lowest of those that have it. One that
  /// the others do not know of ends them too. Returns the exit status.
  int fail(const runtime::Error &error);

  Communicator &ranks;

private:
  int speaker = -1; ///< Of the ranks that failed when they last agreed, the lowest; -1: they have not failed together.
};

} // namespace chimera::train

#endif // CHIMERA_TOOLS_CHIMERATRAIN_JOB_H
