// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a sequence is cut into steps.
#ifndef CHIMERA_TOOLS_CHIMERARUN_SCHEDULE_H
#define CHIMERA_TOOLS_CHIMERARUN_SCHEDULE_H

#include "runtime/io/Result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace chimera::run {

/// The sizes of a sequence's chunks; the last repeats.
class Schedule {
public:
  /// All at once.
  Schedule() = default;

  /// "prefill": all at once; "decode": one by one; "chunks:5,7,1": sizes >= 1.
  static io::Result<Schedule> parse(const std::string &text);

  /// The tokens of chunk `index` when `left` > 0 tokens are left: 1 .. left.
  int64_t chunk(int64_t index, int64_t left) const;

private:
  std::vector<int64_t> sizes = {INT64_MAX};
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_SCHEDULE_H
