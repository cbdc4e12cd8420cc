// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/abi/chimera.h"
#include "runtime/io/Safetensors.h"
#include "tools/chimera-inspect/Print.h"

#include <cstdio>

namespace chimera::inspect {

using runtime::CacheMode;
using runtime::Manifest;

static std::string modeList(uint32_t modes) {
  std::string text;
  for (int mode = 0; mode < CHIMERA_MODE_COUNT; ++mode)
    if (modes >> mode & 1)
      text += (text.empty() ? "" : ", ") + std::string(modeName(mode));
  return text;
}

static std::string number(int64_t value) {
  return std::to_string(value);
}

static void line(const char *name, const std::string &value) {
  std::printf("%-12s %s\n", name, value.c_str());
}

/// The targets of a layer with several modes, in percent; nothing for a lone mode.
static std::string targetList(const runtime::LayerModes &layer) {
  std::string text;
  for (int mode = 0; mode < CHIMERA_MODE_COUNT; ++mode) {
    if (!(layer.modes >> mode & 1))
      continue;
    char share[32];
    std::snprintf(share, sizeof share, "%.4g", 100 * layer.target[size_t(mode)]);
    text += (text.empty() ? "" : ", ") + std::string(share);
  }
  return layer.modes & (layer.modes - 1) ? " (target in percent: " + text + ")" : "";
}

/// In the words of chimera-run's options.
static std::string samplingText(const abi::SamplingDefaults &sampling) {
  char text[96];
  std::snprintf(text, sizeof text, "temperature %g, top-k %lld, top-p %g", sampling.temperature,
                static_cast<long long>(sampling.topK), sampling.topP);
  return sampling.temperature > 0 ? text : text + std::string(" (always the largest logit)");
}

/// Runs of layers that are alike on a line each.
static void printLayers(const Manifest &manifest) {
  const auto &layers = manifest.model.layers;
  for (size_t first = 0; first < layers.size();) {
    size_t last = first;
    while (last + 1 < layers.size() && layers[last + 1].modes == layers[first].modes &&
           layers[last + 1].forceable == layers[first].forceable && layers[last + 1].target == layers[first].target)
      ++last;
    std::string span = first == last ? "layer " + number(int64_t(first))
                                     : "layers " + number(int64_t(first)) + "-" + number(int64_t(last));
    std::string forceable =
        layers[first].forceable == layers[first].modes
            ? ""
            : " (can be forced: " + (layers[first].forceable ? modeList(layers[first].forceable) : "none") + ")";
    line(span.c_str(), modeList(layers[first].modes) + targetList(layers[first]) + forceable);
    first = last + 1;
  }
}

static void printCaches(const Manifest &manifest) {
  int64_t bytes[MemoryEstimate::purposes] = {};
  for (const runtime::Pool &pool : manifest.pools)
    if (__builtin_add_overflow(bytes[size_t(pool.mode)], pool.bytesPerSlot, &bytes[size_t(pool.mode)]))
      bytes[size_t(pool.mode)] = INT64_MAX;
  std::string text;
  for (size_t purpose = 0; purpose < MemoryEstimate::purposes; ++purpose)
    if (bytes[purpose])
      text +=
          (text.empty() ? "" : ", ") + std::string(runtime::nameOf(CacheMode(purpose))) + " " + number(bytes[purpose]);
  line("slot bytes", text.empty() ? "none" : text);
  if (manifest.pages.tables)
    line("pages", number(manifest.pages.bytes) + " bytes hold " + number(manifest.pages.entries) + " entries; " +
                      number(manifest.pages.tables) + " growing list(s)");
}

static void printPhase(const char *name, const runtime::Phase &phase) {
  line(name, number(int64_t(phase.launches.size())) + " launches, " + number(phase.arenaBytes) +
                 " bytes of arena, at most " + number(phase.maxTokens) + " tokens of " + number(phase.maxSeqs) +
                 " sequences a step");
}

/// Bytes of the weights by their form: packed, by format, and the rest, which launches read row by row.
static std::string weightList(const Manifest &manifest, const runtime::Variant &variant) {
  double packed[abi::weightFormatCount] = {}, rowMajor = 0;
  for (const runtime::PackedWeights &weights : variant.packed)
    packed[int(weights.format)] += double(weights.bytes);
  for (const runtime::Parameter *parameter : rowMajorParameters(manifest, variant))
    rowMajor += double(parameter->bytes);
  std::string text;
  char part[64];
  for (int format = 0; format < abi::weightFormatCount; ++format)
    if (packed[format] > 0) {
      std::snprintf(part, sizeof part, "%.0f bytes of %s in panels, ", packed[format], abi::weightFormatNames[format]);
      text += part;
    }
  std::snprintf(part, sizeof part, "%.0f bytes row by row", rowMajor);
  return text + part;
}

static void printVariant(const Manifest &manifest, const runtime::Variant &variant) {
  std::string features;
  for (const std::string &feature : variant.features)
    features += (features.empty() ? " with " : " ") + io::escaped(feature);
  line("variant", io::escaped(variant.name) + features);
  line("weights", weightList(manifest, variant));
  if (variant.infers())
    printPhase("prefill", variant.prefill);
  if (variant.decode)
    printPhase("decode", *variant.decode);
  for (int i = 0; i < runtime::trainingProgramCount; ++i)
    if (const runtime::Phase *program = variant.program(runtime::TrainingProgram(i)))
      printPhase(nameOf(runtime::TrainingProgram(i)), *program);
}

void printSummary(const runtime::ModelFile &file, const Manifest &manifest) {
  std::string digest;
  for (uint8_t byte : file.digest) {
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02x", byte);
    digest += hex;
  }
  line("file", io::escaped(file.name));
  line("bytes", number(int64_t(file.bytes.size() + runtime::ModelFile::trailerSize)));
  line("digest", digest);
  line("producer", io::escaped(manifest.producer) + ", format " + number(manifest.version));
  line("target", io::escaped(manifest.target));
  line("dtype", std::string(io::nameOf(manifest.dtype)) + ", numerics " + io::escaped(manifest.numerics));
  const runtime::ModelShape &model = manifest.model;
  line("model", "vocab_size " + number(model.vocabSize) + ", hidden_size " + number(model.hiddenSize) + ", " +
                    number(manifest.layers()) + " layers");
  if (model.heads)
    line("attention", number(model.heads) + " heads of " + number(model.headDim) + ", " + number(model.keyValueHeads) +
                          " for keys and values, window " + number(model.window));
  if (model.bosTokenId >= 0)
    line("bos token", number(model.bosTokenId));
  if (!model.eosTokenIds.empty()) {
    std::string ids;
    for (int64_t id : model.eosTokenIds)
      ids += (ids.empty() ? "" : ", ") + number(id);
    line(model.eosTokenIds.size() == 1 ? "eos token" : "eos tokens", ids);
  }
  if (model.maxPositions >= 0)
    line("positions", "made for at most " + number(model.maxPositions) + " tokens a sequence");
  if (model.sampling)
    line("sampling", samplingText(*model.sampling));
  printLayers(manifest);
  double elements = 0, bytes = 0;
  for (const runtime::Parameter &parameter : manifest.parameters) {
    elements += double(parameter.elements);
    bytes += double(parameter.bytes);
  }
  std::printf("%-12s %zu tensors, %.0f elements, %.0f bytes\n", "parameters", manifest.parameters.size(), elements,
              bytes);
  printCaches(manifest);
  for (const runtime::Variant &variant : manifest.variants)
    printVariant(manifest, variant);
}

/// One line for each packed form: format, panel x group, bytes, and what is in it.
static void printPacked(const Manifest &manifest, const runtime::Variant &variant) {
  if (!variant.packed.empty())
    std::printf("packed for %s:\n", io::escaped(variant.name).c_str());
  for (size_t i = 0; i < variant.packed.size(); ++i) {
    const runtime::PackedWeights &packed = variant.packed[i];
    std::string names;
    for (int64_t index : packed.parameters)
      names += (names.empty()        ? ""
                : packed.interleaved ? " with "
                                     : ", ") +
               io::escaped(manifest.parameters[size_t(index)].name);
    std::printf("  %3zu %-4s panel %lld, group %lld, %lld bytes: %s\n", i, nameOf(packed.format),
                static_cast<long long>(packed.panel), static_cast<long long>(packed.group),
                static_cast<long long>(packed.bytes), names.c_str());
  }
}

/// Where a parameter comes from, unless that is the whole tensor of its name.
static std::string sourceText(const runtime::Parameter &parameter) {
  bool isPart = parameter.elements != parameter.sourceElements;
  std::string text;
  if (isPart)
    text = " from rows " + std::to_string(parameter.sourceRow) + " .. " +
           std::to_string(parameter.sourceRow + parameter.shape[0] - 1) + " of";
  else if (parameter.source != parameter.name)
    text = " from";
  if (!text.empty())
    text += " the checkpoint's " + io::escaped(parameter.source);
  return text;
}

void printParameters(const Manifest &manifest) {
  for (const runtime::Parameter &parameter : manifest.parameters) {
    std::printf("%-5s %-16s %s%s%s\n", io::nameOf(parameter.dtype), io::shapeText(parameter.shape).c_str(),
                io::escaped(parameter.name).c_str(), sourceText(parameter).c_str(),
                parameter.optional ? " (optional)" : "");
  }
  for (const runtime::Variant &variant : manifest.variants)
    printPacked(manifest, variant);
}

} // namespace chimera::inspect
