// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A program for mpirun: sums, broadcasts, and prints what each rank has. With the argument "abandon", rank 1 gives up
// while rank 0 waits for it; with "mismatch", the ranks do not make the same calls.
#include "runtime/train/Communicator.h"

#include <cstdio>
#include <cstring>
#include <vector>

using namespace chimera::train;

static int fail(const chimera::runtime::Error &error) {
  std::fprintf(stderr, "training-ranks: %s\n", error.message.c_str());
  return 1;
}

int main(int argc, char **argv) {
  Result<std::unique_ptr<Communicator>> opened = openCommunicator();
  if (!opened)
    return fail(opened.error());
  Communicator &ranks = **opened;
  if (argc > 1 && !std::strcmp(argv[1], "abandon")) {
    if (ranks.rank() == 1) {
      ranks.abandon();
      return 1;
    }
    if (Failure failure = ranks.barrier())
      return fail(*failure);
    return 0;
  }
  if (argc > 1 && !std::strcmp(argv[1], "mismatch")) {
    // The message is longer than rank 0 expects: an error there, while the other waits for more.
    std::vector<double> numbers(ranks.rank() == 0 ? 1 : 100);
    for (int call = 0; call < 2; ++call)
      if (Failure failure = ranks.sum(numbers.data(), int64_t(numbers.size()))) {
        fail(*failure);
        if (!ranks.isLost())
          return 2;
        ranks.abandon();
        return 1;
      }
    return 0;
  }
  // Longer than a message's piece.
  std::vector<float> values(600000);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = float(ranks.rank() + 1) * 0.1f + float(i % 7);
  int64_t count = 10 + ranks.rank();
  double root = ranks.rank() + 0.5;
  for (Failure failure : {ranks.sum(values.data(), int64_t(values.size())), ranks.sum(&count, 1),
                          ranks.broadcast(&root, sizeof root), ranks.barrier()})
    if (failure)
      return fail(*failure);
  bool right = true;
  for (size_t i = 0; i < values.size(); ++i) {
    float expected = 0.1f + float(i % 7);
    if (ranks.size() == 2)
      expected += 0.2f + float(i % 7);
    right &= values[i] == expected;
  }
  std::printf("rank %d of %d: sums %s, count %lld, root %g\n", ranks.rank(), ranks.size(), right ? "right" : "wrong",
              static_cast<long long>(count), root);
  return 0;
}
