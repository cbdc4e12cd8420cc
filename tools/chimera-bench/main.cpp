// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/ProcessLimits.h"
#include "runtime/io/AtomicFile.h"
#include "tools/chimera-bench/RandomWeights.h"
#include "tools/chimera-bench/Report.h"
#include "tools/support/Streams.h"

#include <algorithm>
#include <cstdio>
#include <new>
#include <system_error>

using namespace chimera;
using namespace chimera::bench;

static std::vector<Work> worksOf(const Options &options) {
  std::vector<Work> works;
  for (int64_t batch : options.batches) {
    for (int64_t tokens : options.prefill)
      works.push_back({false, batch, 0, tokens});
    for (int64_t context : options.decodeContexts)
      works.push_back({true, batch, context, options.decodeTokens});
  }
  return works;
}

static void runPeers(const Options &options, const std::vector<Work> &works, Report &report) {
  io::Result<PeerShape> shape = peerShape(*report.manifest);
  if (!shape) {
    report.peers.push_back({"peers", {}, {shape.error().message}});
    return;
  }
  report.peers.push_back(runLlama(*shape, works, options));
  report.peers.push_back(runTorch(*shape, works, options));
}

/// The machine at its better moment: what others run at the same time only takes from it.
static MachineLimits betterOf(MachineLimits limits, const MachineLimits &other) {
  limits.bytesPerSecond = std::max(limits.bytesPerSecond, other.bytesPerSecond);
  limits.flopsPerSecond = std::max(limits.flopsPerSecond, other.flopsPerSecond);
  limits.productsPerSecond = std::max(limits.productsPerSecond, other.productsPerSecond);
  return limits;
}

/// Measures everything. The session is gone before the peers run, so that it takes nothing from them.
static io::Status measure(const Options &options, const chimera_model *model, const chimera_weights *weights,
                          Report &report) {
  std::vector<std::string> bf16Features;
  if (report.manifest->dtype == io::DType::BF16)
    bf16Features = report.variant->features;
  std::vector<Work> works = worksOf(options);
  {
    io::Result<Runner> runner = Runner::create(model, weights, *report.manifest, *report.variant, options);
    if (!runner)
      return runner.error();
    int64_t threads = options.threads ? options.threads : runtime::usableCpus();
    report.weightBytes = runner->weightBytes();
    report.limits = measureLimits(threads, size_t(report.weightBytes), bf16Features);
    for (const Work &work : works) {
      io::Result<Measurement> measurement = runner->measure(work);
      if (!measurement)
        return measurement.error();
      report.measurements.push_back(std::move(*measurement));
    }
    report.limits = betterOf(report.limits, measureLimits(threads, size_t(report.weightBytes), bf16Features));
  }
  if (options.peers)
    runPeers(options, works, report);
  return {};
}

static io::Status write(const Options &options, const Report &report) {
  if (!options.trace.empty()) {
    std::vector<TraceRun> runs;
    for (const Measurement &m : report.measurements)
      runs.push_back({std::string(m.work.name()) + ", batch " + std::to_string(m.work.batch) + ", context " +
                          std::to_string(m.work.context) + ", " + std::to_string(m.work.tokens) + " tokens",
                      &*m.profile});
    if (io::Status status = writeTrace(options.trace, runs); !status)
      return status;
  }
  std::string text = options.format == Format::Json  ? jsonOf(report)
                     : options.format == Format::Csv ? csvOf(report)
                                                     : tableOf(report);
  if (options.output.empty()) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    return tools::flush(stdout);
  }
  return io::writeWhole(options.output, text);
}

static io::Status execute(const Options &options) {
  ErrorSlot error;
  chimera_model *loaded = nullptr;
  if (chimera_model_load(options.model.c_str(), &loaded, error))
    return error.take();
  ModelHandle model(loaded);
  size_t length = 0;
  const char *text = chimera_model_manifest(model.get(), &length);
  auto manifest = runtime::parseManifest({text, length}, options.model);
  if (!manifest)
    return io::Error{manifest.error().message};
  WeightsHandle weights;
  if (options.weights.empty()) {
    io::Result<WeightsHandle> made = makeRandomWeights(model.get(), *manifest, options.seed);
    if (!made)
      return made.error();
    weights = std::move(*made);
  } else {
    chimera_weights *read = nullptr;
    if (chimera_weights_load(model.get(), options.weights.c_str(), &read, error))
      return error.take();
    weights.reset(read);
  }
  Report report;
  report.manifest = &*manifest;
  for (const runtime::Variant &variant : manifest->variants)
    if (variant.name == chimera_model_variant(model.get()))
      report.variant = &variant;
  report.options = &options;
  if (io::Status status = measure(options, model.get(), weights.get(), report); !status)
    return status;
  return write(options, report);
}

int main(int argc, char **argv) {
  tools::keepStandardStreams();
  try {
    auto parsed = parseOptions(argc, argv);
    if (const int *exitStatus = std::get_if<int>(&parsed))
      return *exitStatus;
    io::Status status = execute(std::get<Options>(parsed));
    if (status)
      return 0;
    std::fprintf(stderr, "chimera-bench: %s\n", status.error().message.c_str());
  } catch (const std::bad_alloc &) {
    std::fprintf(stderr, "chimera-bench: out of memory\n");
  } catch (const std::system_error &error) {
    std::fprintf(stderr, "chimera-bench: starting threads to measure the machine: %s\n", error.what());
  }
  return 1;
}
