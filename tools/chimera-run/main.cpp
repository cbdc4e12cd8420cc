// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Evaluate.h"
#include "tools/chimera-run/Generate.h"
#include "tools/chimera-run/Options.h"
#include "tools/chimera-run/Stats.h"

#include <cstdio>
#include <new>

using namespace chimera;

static io::Status execute(const run::Options &options) {
  io::Result<run::Engine> engine = run::Engine::open(options.model, options.weights);
  if (!engine)
    return engine.error();
  if (io::Status status = options.tokens ? evaluate(options, *engine) : generate(options, *engine); !status)
    return status;
  return options.stats ? printStats(*engine, stderr) : io::Status();
}

int main(int argc, char **argv) {
  try {
    auto parsed = run::parseOptions(argc, argv);
    if (const int *exitStatus = std::get_if<int>(&parsed))
      return *exitStatus;
    io::Status status = execute(std::get<run::Options>(parsed));
    if (status)
      return 0;
    std::fprintf(stderr, "chimera-run: %s\n", status.error().message.c_str());
  } catch (const std::bad_alloc &) {
    std::fprintf(stderr, "chimera-run: out of memory\n");
  }
  return 1;
}
