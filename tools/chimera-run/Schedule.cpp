// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Schedule.h"

#include <algorithm>
#include <charconv>

namespace chimera::run {

io::Result<Schedule> Schedule::parse(const std::string &text) {
  Schedule schedule;
  if (text == "prefill")
    return schedule;
  schedule.sizes.clear();
  if (text == "decode") {
    schedule.sizes.push_back(1);
    return schedule;
  }
  const std::string prefix = "chunks:";
  if (text.compare(0, prefix.size(), prefix) != 0)
    return io::Error{io::quote(text) + " is none of prefill, decode, chunks:SIZE,SIZE,..."};
  const char *at = text.data() + prefix.size(), *end = text.data() + text.size();
  while (true) {
    int64_t size = 0;
    auto [next, code] = std::from_chars(at, end, size);
    if (code != std::errc() || size < 1)
      return io::Error{io::quote(text) + ": the sizes of chunks are numbers >= 1, with commas between"};
    schedule.sizes.push_back(size);
    if (next == end)
      return schedule;
    if (*next != ',')
      return io::Error{io::quote(text) + ": the sizes of chunks are numbers >= 1, with commas between"};
    at = next + 1;
  }
}

int64_t Schedule::chunk(int64_t index, int64_t left) const {
  size_t which = size_t(std::min<int64_t>(index, int64_t(sizes.size()) - 1));
  return std::min(sizes[which], left);
}

} // namespace chimera::run
