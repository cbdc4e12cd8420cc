// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/Profile.h"

#include "runtime/io/AtomicFile.h"

namespace chimera::train {

using runtime::Error;

void Profile::begin() {
  if (steps == 1 && isFirst) {
    times.clear();
    isFirst = false;
    steps = 0;
    sum = 0;
  }
  programs.setTimes(&times);
}

void Profile::end(double seconds) {
  programs.setTimes(nullptr);
  ++steps;
  sum += seconds;
}

Failure Profile::write(const std::string &path) const {
  if (steps == 0)
    return std::nullopt;
  io::Status status = io::writeWhole(path, times.table(sum, steps));
  return status ? std::nullopt : Failure(Error(status.error()));
}

} // namespace chimera::train
