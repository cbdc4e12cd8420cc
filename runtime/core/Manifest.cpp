// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Manifest.h"

#include "runtime/abi/GpuLaunch.h"
#include "runtime/core/JsonReader.h"
#include "runtime/core/ManifestCheck.h"
#include "runtime/io/Json.h"

#include <algorithm>
#include <cmath>

namespace chimera::runtime {

using abi::mostBytes;
using abi::mostElements;
using abi::mostGrid;
using abi::mostItems;
using abi::mostLayers;
using abi::mostSize;
using abi::mostStack;
using abi::mostTokens;

const char *nameOf(CacheMode mode) {
  return abi::cacheModeNames[int(mode)];
}

static CacheMode readCacheMode(const JsonReader &json) {
  return CacheMode(json.oneOf(abi::cacheModeNames));
}

static io::DType readDtype(const JsonReader &json) {
  static constexpr io::DType types[] = {io::DType::F32, io::DType::BF16, io::DType::F64};
  return types[json.oneOf(abi::dtypeNames)];
}

static uint32_t readModes(const JsonReader &json) {
  uint32_t bits = 0;
  json.each(
      [&](const JsonReader &item) {
        uint32_t bit = 1u << item.oneOf(abi::modeNames);
        if (bits & bit)
          item.fail("is there twice");
        bits |= bit;
      },
      4);
  return bits;
}

/// One share a mode, in the order of `modes`.
static void readTarget(const JsonReader &modes, const JsonReader &json, std::array<double, 4> &target) {
  if (json.size() != modes.size())
    json.fail("must have a share for each of the modes");
  double sum = 0;
  for (size_t i = 0; i < json.size() && !json.failed(); ++i) {
    double share = json.element(i).number(0, 1);
    target[size_t(modes.element(i).oneOf(abi::modeNames))] = share;
    sum += share;
  }
  // The shares are rounded, so their sum is 1 but for a few roundings.
  if (!(std::abs(sum - 1) <= abi::shareTolerance))
    json.fail("the shares must sum to 1");
}

static void readLayer(const JsonReader &json, ModelShape &model) {
  LayerModes layer{readModes(json.at("modes")), readModes(json.at("forceable")), {}};
  if (layer.modes == 0)
    json.fail("has no mode");
  if (layer.forceable & ~layer.modes)
    json.fail("a mode is forceable that the layer does not have");
  readTarget(json.at("modes"), json.at("target"), layer.target);
  model.layers.push_back(layer);
}

static abi::SamplingDefaults readSampling(const JsonReader &json) {
  abi::SamplingDefaults sampling;
  sampling.temperature = json.at("temperature").number(0, abi::mostTemperature);
  sampling.topK = json.at("top_k").integer(0, abi::mostPositions);
  sampling.topP = json.at("top_p").number(0, 1);
  if (!json.failed() && sampling.topP == 0)
    json.at("top_p").fail("must be above 0");
  return sampling;
}

static void readModel(const JsonReader &json, ModelShape &model) {
  model.vocabSize = json.at("vocab_size").integer(1, mostSize);
  model.hiddenSize = json.at("hidden_size").integer(1, mostSize);
  // Without attention these are not used and may be 0.
  model.window = std::max<int64_t>(json.at("window").integer(0, abi::mostWindow), 1);
  model.headDim = json.at("head_dim").integer(0, mostSize);
  model.heads = json.at("num_attention_heads").integer(0, mostSize);
  model.keyValueHeads = json.at("num_key_value_heads").integer(0, mostSize);
  JsonReader bos = json.at("bos_token_id");
  model.bosTokenId = bos.isNull() ? -1 : bos.integer(0, model.vocabSize - 1);
  model.eosTokenIds = json.at("eos_token_ids").integers(0, model.vocabSize - 1, mostItems);
  JsonReader positions = json.at("max_position_embeddings");
  model.maxPositions = positions.isNull() ? -1 : positions.integer(1, abi::mostPositions);
  if (json.has("sampling"))
    model.sampling = readSampling(json.at("sampling"));
  json.at("layers").each([&](const JsonReader &layer) { readLayer(layer, model); }, mostLayers);
  if (model.layers.empty())
    json.at("layers").fail("must not be empty");
}

static void readPermutation(const JsonReader &json, Parameter &parameter) {
  parameter.rowPermutation = json.integers(0, mostSize, mostItems);
  if (parameter.rowPermutation.empty())
    return;
  std::vector<int64_t> sorted = parameter.rowPermutation;
  std::sort(sorted.begin(), sorted.end());
  bool fits = !parameter.shape.empty() && int64_t(sorted.size()) == parameter.shape[0];
  for (size_t i = 0; i < sorted.size(); ++i)
    fits &= sorted[i] == int64_t(i);
  if (!fits)
    json.fail("must be a permutation of the rows");
}

/// A shape, and the product of its extents.
static std::vector<int64_t> readShape(const JsonReader &json, int64_t &elements) {
  std::vector<int64_t> shape = json.integers(1, mostElements, 8);
  elements = 1;
  for (int64_t extent : shape)
    if (__builtin_mul_overflow(elements, extent, &elements) || elements > mostElements) {
      json.fail("has more than 2^41 elements");
      elements = 0;
      break;
    }
  return shape;
}

/// How many rows of so many elements a tensor has, which some of its first dimensions count; none: its rows are others.
static std::optional<int64_t> rowsOfSource(const std::vector<int64_t> &source, int64_t rowElements, bool mayFold) {
  for (size_t leading = 1; leading == 1 || (mayFold && leading < source.size()); ++leading) {
    int64_t rows = 1, own = 1;
    for (size_t i = 0; i < source.size(); ++i)
      (i < leading ? rows : own) *= source[i];
    if (own == rowElements)
      return rows;
  }
  return std::nullopt;
}

/// A parameter that is a part of a tensor: whole rows, which lie in it.
static void readSourceRow(const JsonReader &json, Parameter &parameter) {
  const std::vector<int64_t> &shape = parameter.shape, &source = parameter.sourceShape;
  if (json.has("row_permutation"))
    json.fail("has both a source_row and a row_permutation");
  if (shape.empty() || source.empty())
    json.fail("has a source_row but no rows");
  if (json.failed())
    return;
  std::optional<int64_t> rows = rowsOfSource(source, parameter.elements / shape[0], shape.size() > 1);
  if (!rows)
    json.fail("the rows of source_shape must have as many elements as those of shape");
  else if (*rows < shape[0])
    json.fail("source_shape must have at least as many rows as shape");
  if (!json.failed())
    parameter.sourceRow = json.at("source_row").integer(0, *rows - shape[0]);
}

static void readParameter(const JsonReader &json, Manifest &manifest) {
  Parameter parameter;
  parameter.name = json.at("name").string();
  parameter.source = json.has("source") ? json.at("source").string() : parameter.name;
  parameter.shape = readShape(json.at("shape"), parameter.elements);
  parameter.sourceShape = parameter.shape;
  parameter.sourceElements = parameter.elements;
  if (json.has("source_shape"))
    parameter.sourceShape = readShape(json.at("source_shape"), parameter.sourceElements);
  if (json.has("source_row"))
    readSourceRow(json, parameter);
  else if (parameter.sourceElements != parameter.elements)
    json.at("source_shape").fail("must have as many elements as shape");
  parameter.dtype = readDtype(json.at("dtype"));
  parameter.optional = json.at("optional").boolean();
  if (json.has("row_permutation"))
    readPermutation(json.at("row_permutation"), parameter);
  parameter.bytes = parameter.elements * io::sizeOf(parameter.dtype);
  manifest.parameters.push_back(std::move(parameter));
}

static void readPool(const JsonReader &json, Manifest &manifest) {
  manifest.pools.push_back({json.at("name").string(), json.at("layer").integer(0, manifest.layers() - 1),
                            readCacheMode(json.at("mode")), json.at("bytes_per_slot").integer(0, mostBytes)});
}

static void readCache(const JsonReader &json, Manifest &manifest) {
  CacheLayout cache;
  cache.layer = json.at("layer").integer(0, manifest.layers() - 1);
  cache.mode = readCacheMode(json.at("mode"));
  cache.kind = CacheKind(json.at("kind").oneOf({"counts", "tail", "state", "ring", "list"}));
  cache.pools = json.at("pools").integers(0, int64_t(manifest.pools.size()) - 1, 4);
  if (json.has("table"))
    cache.table = json.at("table").integer(0, std::max<int64_t>(manifest.pages.tables - 1, 0));
  if (json.has("room"))
    cache.room = json.at("room").integer(1, mostBytes);
  manifest.caches.push_back(std::move(cache));
}

/// `training`: which of the kinds and step buffers a launch may name.
static Buffer readBuffer(const JsonReader &json, bool training) {
  Buffer buffer;
  buffer.kind = Buffer::Kind(json.element(0).oneOf(
      {"arena", "param", "pool", "pages", "table", "step", "packed", "grad", "total", "moment1", "moment2"}));
  size_t length = 2;
  if (buffer.kind == Buffer::Kind::Arena) {
    buffer.index = json.element(1).integer(0, mostBytes);
    buffer.bytes = json.element(2).integer(0, mostBytes);
    length = 3;
  } else if (buffer.kind == Buffer::Kind::Pages) {
    length = 1;
  } else if (buffer.kind == Buffer::Kind::Step) {
    const char *const *names = abi::stepBufferNames;
    buffer.index = json.element(1).oneOf({names, size_t(training ? stepBufferCount : inferenceStepBuffers)});
  } else {
    buffer.index = json.element(1).integer(0, mostItems);
  }
  if (json.size() > length)
    json.fail("has more than " + std::to_string(length) + " elements");
  return buffer;
}

static void readGrid(const JsonReader &json, const Phase &phase, Grid &grid) {
  grid.tokens = json.at("tokens").integer(0, mostGrid);
  grid.seqs = json.at("seqs").integer(0, mostGrid);
  grid.outputs = json.at("outputs").integer(0, mostGrid);
  grid.constant = json.at("constant").integer(0, mostGrid);
  grid.divisor = json.at("divisor").integer(1, mostGrid);
  // At most 3 * 2^60 + 2^41 before the division.
  if (!json.failed() && grid.blocks(phase.maxTokens, phase.maxSeqs, phase.maxTokens) > mostGrid)
    json.fail("has more than 2^40 blocks");
}

static void readLaunch(const JsonReader &json, bool training, Phase &phase) {
  Launch launch;
  launch.kernel = json.at("kernel").string();
  launch.op = json.at("op").string();
  launch.layer = json.at("layer").integer(-1, mostLayers - 1);
  readGrid(json.at("grid"), phase, launch.grid);
  json.at("buffers").each([&](const JsonReader &buffer) { launch.buffers.push_back(readBuffer(buffer, training)); },
                          mostItems);
  launch.constants = json.at("constants").integers(INT64_MIN, INT64_MAX, mostItems);
  if (json.has("count"))
    launch.count = json.at("count").integer(0, int64_t(launch.buffers.size()) - 1);
  if (json.has("threads"))
    launch.threads = json.at("threads").integer(abi::warpThreads, abi::mostThreads);
  phase.launches.push_back(std::move(launch));
}

static ArenaSpan readSpan(const JsonReader &json) {
  if (json.size() != 2)
    json.fail("must be [offset, bytes]");
  return {json.element(0).integer(0, mostBytes), json.element(1).integer(0, mostBytes)};
}

/// One of "loss", "statistics.I", "modes" and "norm".
static void readResult(const std::string &name, const JsonReader &json, Phase &phase) {
  using Kind = ProgramResult::Kind;
  static const std::string prefix = "statistics.";
  ProgramResult result;
  std::string digits = name.compare(0, prefix.size(), prefix) == 0 ? name.substr(prefix.size()) : std::string();
  bool isLayer = !digits.empty() && digits.size() <= 4 && (digits[0] != '0' || digits.size() == 1) &&
                 digits.find_first_not_of("0123456789") == std::string::npos;
  if (isLayer) {
    result.kind = Kind::Statistics;
    result.layer = std::stoi(digits);
  } else if (name == "loss" || name == "modes" || name == "norm") {
    result.kind = name == "loss" ? Kind::Loss : name == "modes" ? Kind::Modes : Kind::Norm;
  } else {
    json.fail("is no result of a program");
  }
  result.span = readSpan(json);
  phase.results.push_back(result);
}

static Phase readPhase(const JsonReader &json, bool training) {
  Phase phase;
  phase.maxTokens = json.at("max_tokens").integer(1, mostTokens);
  phase.maxSeqs = json.at("max_seqs").integer(1, mostTokens);
  phase.arenaBytes = json.at("arena_bytes").integer(0, mostBytes);
  if (training) {
    json.at("results").eachMember(
        [&](const std::string &name, const JsonReader &span) { readResult(name, span, phase); }, mostLayers + 3);
    if (json.has("exchange")) {
      JsonReader exchange = json.at("exchange");
      phase.exchangeBefore = exchange.at("before").integer(0, mostItems);
      exchange.at("spans").each([&](const JsonReader &span) { phase.exchange.push_back(readSpan(span)); }, mostItems);
    }
  } else {
    phase.logits = readSpan(json.at("logits"));
    phase.routing = readSpan(json.at("routing"));
  }
  json.at("launches").each([&](const JsonReader &launch) { readLaunch(launch, training, phase); }, mostItems);
  return phase;
}

const char *nameOf(TrainingProgram program) {
  return abi::trainingProgramNames[int(program)];
}

static void readTraining(const JsonReader &json, Variant &variant) {
  json.eachMember(
      [&](const std::string &name, const JsonReader &program) {
        for (int i = 0; i < trainingProgramCount; ++i)
          if (name == nameOf(TrainingProgram(i))) {
            variant.training[size_t(i)] = readPhase(program, true);
            return;
          }
        program.fail("is no training program");
      },
      trainingProgramCount + 1);
}

/// The layout's sizes are checked against the parameters, which come before.
static PackedWeights readPacked(const JsonReader &json, const Manifest &manifest) {
  PackedWeights packed;
  packed.parameters = json.at("parameters").integers(0, int64_t(manifest.parameters.size()) - 1, abi::mostStacked);
  packed.format = WeightFormat(json.at("format").oneOf(abi::weightFormatNames));
  packed.panel = json.at("panel").integer(1, abi::mostPanel);
  packed.group = json.at("group").integer(1, abi::mostGroup);
  packed.interleaved = json.at("interleaved").boolean();
  packed.bytes = json.at("bytes").integer(0, mostBytes);
  if (packed.parameters.empty() || (packed.interleaved && packed.parameters.size() != 2))
    json.at("parameters").fail(packed.interleaved ? "must be two" : "must not be empty");
  if (const char *fault = abi::groupFault(packed.format, packed.group))
    json.at("group").fail(fault);
  return packed;
}

static void readVariant(const JsonReader &json, Manifest &manifest) {
  Variant variant;
  variant.name = json.at("name").string();
  json.at("features").each([&](const JsonReader &item) { variant.features.push_back(item.string()); }, 1024);
  json.at("packed").each([&](const JsonReader &item) { variant.packed.push_back(readPacked(item, manifest)); },
                         mostItems);
  variant.stackBytes = json.at("stack_bytes").integer(0, mostStack);
  // A binary for training alone does not infer.
  JsonReader phases = json.at("phases");
  if (phases.has("prefill") || phases.has("decode") || !json.has("training"))
    variant.prefill = readPhase(phases.at("prefill"), false);
  if (phases.has("decode"))
    variant.decode = readPhase(phases.at("decode"), false);
  if (json.has("training"))
    readTraining(json.at("training"), variant);
  manifest.variants.push_back(std::move(variant));
}

static void readHeader(const JsonReader &json, Manifest &manifest) {
  if (json.at("format").string() != "chimera-model")
    json.at("format").fail("must be chimera-model");
  manifest.version = json.at("version").integer(0, INT32_MAX);
  if (!json.failed() && manifest.version != abi::formatVersion)
    json.at("version").fail("is " + std::to_string(manifest.version) + "; this runtime reads " +
                            std::to_string(abi::formatVersion));
  manifest.producer = json.at("producer").string();
  manifest.target = json.at("target").string();
  manifest.dtype = readDtype(json.at("dtype"));
  manifest.numerics = json.at("numerics").string();
  manifest.maxTokens = json.at("limits").at("max_tokens").integer(1, mostTokens);
  manifest.maxSeqs = json.at("limits").at("max_seqs").integer(1, mostTokens);
}

static void readBody(const JsonReader &json, Manifest &manifest) {
  readModel(json.at("model"), manifest.model);
  json.at("parameters").each([&](const JsonReader &item) { readParameter(item, manifest); }, mostItems);
  json.at("pools").each([&](const JsonReader &item) { readPool(item, manifest); }, mostItems);
  JsonReader pages = json.at("pages");
  manifest.pages.entries = pages.at("entries").integer(abi::pageEntries, abi::pageEntries);
  manifest.pages.bytes = pages.at("bytes").integer(0, mostBytes);
  manifest.pages.tables = pages.at("tables").integer(0, mostItems);
  json.at("caches").each([&](const JsonReader &item) { readCache(item, manifest); }, mostItems);
  if (json.has("trainable"))
    manifest.trainable = json.at("trainable").integers(0, int64_t(manifest.parameters.size()) - 1, mostItems);
  json.at("variants").each([&](const JsonReader &item) { readVariant(item, manifest); }, abi::mostVariants);
  if (manifest.variants.empty())
    json.at("variants").fail("must not be empty");
}

std::vector<const Parameter *> rowMajorParameters(const Manifest &manifest, const Variant &variant) {
  std::vector<bool> named(manifest.parameters.size());
  for (const Phase *phase : {&variant.prefill, variant.decode ? &*variant.decode : nullptr}) {
    if (!phase)
      continue;
    for (const Launch &launch : phase->launches)
      for (const Buffer &buffer : launch.buffers)
        if (buffer.kind == Buffer::Kind::Param)
          named[size_t(buffer.index)] = true;
  }
  std::vector<const Parameter *> parameters;
  for (size_t i = 0; i < named.size(); ++i)
    if (named[i])
      parameters.push_back(&manifest.parameters[i]);
  return parameters;
}

Result<Manifest> readManifest(std::string_view text) {
  io::Result<nlohmann::json> document = io::parseJson(text.data(), text.size());
  if (!document)
    return Error(document.error().message);
  std::string error;
  Manifest manifest;
  JsonReader json(*document, error);
  readHeader(json, manifest);
  if (error.empty())
    readBody(json, manifest);
  if (error.empty())
    if (Failure failure = checkManifest(manifest))
      error = failure->message;
  if (!error.empty())
    return Error(error);
  return manifest;
}

Result<Manifest> parseManifest(std::string_view text, const std::string &name) {
  Result<Manifest> manifest = readManifest(text);
  return manifest ? std::move(manifest) : Error(name + ": bad manifest: " + manifest.error().message);
}

} // namespace chimera::runtime
