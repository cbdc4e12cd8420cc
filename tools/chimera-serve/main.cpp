// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/Api.h"
#include "tools/chimera-serve/Options.h"
#include "tools/chimera-serve/Signals.h"
#include "tools/support/Streams.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <new>
#include <thread>

using namespace chimera;
using serve::Options;

static io::Result<serve::ApiKeys> readKeys(const Options &options) {
  serve::ApiKeys keys;
  if (!options.apiKey.empty())
    if (io::Status status = keys.add(options.apiKey, "--api-key"); !status)
      return status.error();
  if (!options.apiKeyFile.empty())
    if (io::Status status = keys.addFile(options.apiKeyFile); !status)
      return status.error();
  return keys;
}

/// The most tokens of a sequence.
static int64_t contextOf(const Options &options, const serve::ServedModel &model, const serve::Scheduler &scheduler) {
  if (options.maxContext)
    return options.maxContext;
  int64_t made = chimera_model_max_positions(model.engine.handle());
  return made > 0 ? made : std::max<int64_t>(scheduler.mostNewTokens(0, 1), 1);
}

/// Answers what was taken, and refuses the rest, until nothing is left. Once the device has failed, clients have five
/// seconds to read it: the program is to be started again, and a slow client must not hold that up.
static void drain(serve::Scheduler &scheduler, serve::HttpServer &server) {
  scheduler.drain();
  for (int left = 500; left > 0 && (!scheduler.idle() || server.active() > 0); left -= scheduler.lost())
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

static void printError(const io::Error &error) {
  std::fprintf(stderr, "chimera-serve: %s\n", error.message.c_str());
}

static io::Status execute(Options options) {
  io::Result<serve::ApiKeys> keys = readKeys(options);
  if (!keys)
    return keys.error();
  serve::ConnectionLimits limits;
  limits.bodyBytes = size_t(options.maxBody);
  // First, so that a port that is taken is said at once, and not after a model of many gigabytes was read.
  serve::HttpServer server(limits, size_t(options.connections));
  io::Result<int> port = server.bind(options.host, int(options.port));
  if (!port)
    return port.error();
  io::Result<std::unique_ptr<serve::ServedModel>> model = serve::ServedModel::open(options);
  if (!model)
    return model.error();
  const chimera_model_info &info = (*model)->engine.info();
  serve::SchedulerOptions scheduling;
  scheduling.maxSequences = options.maxSequences ? options.maxSequences : std::max<int64_t>(info.max_seqs, 1);
  scheduling.stepTokens = options.stepTokens ? options.stepTokens : std::max<int64_t>(info.max_tokens, 1);
  scheduling.queue = options.queue;
  scheduling.prefixes = options.prefixes;
  options.memoryLimit = (*model)->memoryLimit;
  if (io::Status status = (*model)->engine.start(options, serve::Scheduler::sequencesOf(scheduling)); !status)
    return status;

  serve::Metrics metrics;
  serve::Scheduler scheduler(**model, metrics, scheduling);
  serve::RequestReader reader(**model, scheduler, options.modelName, contextOf(options, **model, scheduler),
                              options.guesses);
  serve::ApiOptions answering;
  answering.bodyBytes = options.maxBody;
  answering.timeout = std::chrono::milliseconds(int64_t(options.timeout * 1000));
  answering.created = int64_t(std::time(nullptr));
  serve::Api api(**model, scheduler, metrics, *keys, reader, answering);
  api.attach(server);
  serve::watchSignals();
  scheduler.onLoss = [](const io::Error &error) {
    printError(error);
    serve::stopWaiting();
  };
  scheduler.start();
  server.start();
  bool six = options.host.find(':') != std::string::npos;
  std::fprintf(stderr, "chimera-serve: ready on http://%s%s%s:%d\n", six ? "[" : "", options.host.c_str(),
               six ? "]" : "", *port);
  serve::waitForSignal();
  drain(scheduler, server);
  if (scheduler.lost())
    std::_Exit(1); // What is left of the session belongs to a device that may never answer.
  server.end();
  return {};
}

int main(int argc, char **argv) {
  tools::keepStandardStreams();
  try {
    auto parsed = serve::parseOptions(argc, argv);
    if (const int *exitStatus = std::get_if<int>(&parsed))
      return *exitStatus;
    io::Status status = execute(std::get<Options>(std::move(parsed)));
    if (status)
      return 0;
    printError(status.error());
  } catch (const std::bad_alloc &) {
    std::fprintf(stderr, "chimera-serve: out of memory\n");
  }
  return 1;
}
