// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/binary/Manifest.h"
#include "runtime/core/Manifest.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

namespace chimera::binary {

using llvm::json::OStream;

namespace {

template <typename T> void writeList(OStream &json, llvm::StringRef key, const std::vector<T> &values) {
  json.attributeArray(key, [&] {
    for (const T &value : values)
      json.value(value);
  });
}

void writeSlice(OStream &json, llvm::StringRef key, const ArenaSlice &slice) {
  json.attributeArray(key, [&] {
    json.value(slice.offset);
    json.value(slice.bytes);
  });
}

void writeLimits(OStream &json, const Limits &limits) {
  json.attribute("max_tokens", limits.maxTokens);
  json.attribute("max_seqs", limits.maxSeqs);
}

void writeOptional(OStream &json, llvm::StringRef key, const std::optional<int64_t> &value) {
  if (value)
    json.attribute(key, *value);
  else
    json.attribute(key, nullptr);
}

void writeModel(OStream &json, const ModelInfo &model) {
  json.attribute("vocab_size", model.vocabSize);
  json.attribute("hidden_size", model.hiddenSize);
  json.attribute("window", model.window);
  json.attribute("head_dim", model.headDim);
  json.attribute("num_attention_heads", model.numAttentionHeads);
  json.attribute("num_key_value_heads", model.numKeyValueHeads);
  writeOptional(json, "bos_token_id", model.bosTokenId);
  writeList(json, "eos_token_ids", model.eosTokenIds);
  writeOptional(json, "max_position_embeddings", model.maxPositionEmbeddings);
  if (model.sampling)
    json.attributeObject("sampling", [&] {
      json.attribute("temperature", model.sampling->temperature);
      json.attribute("top_k", model.sampling->topK);
      json.attribute("top_p", model.sampling->topP);
    });
  json.attributeArray("layers", [&] {
    for (const ModelLayer &layer : model.layers)
      json.object([&] {
        writeList(json, "modes", layer.modes);
        writeList(json, "forceable", layer.forceable);
        writeList(json, "target", layer.target);
      });
  });
}

void writeParameter(OStream &json, const Parameter &parameter) {
  json.object([&] {
    json.attribute("name", parameter.name);
    writeList(json, "shape", parameter.shape);
    json.attribute("dtype", parameter.dtype);
    json.attribute("optional", parameter.optional);
    if (!parameter.source.empty() && parameter.source != parameter.name)
      json.attribute("source", parameter.source);
    if (!parameter.sourceShape.empty() && parameter.sourceShape != parameter.shape)
      writeList(json, "source_shape", parameter.sourceShape);
    if (parameter.sourceRow)
      json.attribute("source_row", *parameter.sourceRow);
    if (!parameter.rowPermutation.empty())
      writeList(json, "row_permutation", parameter.rowPermutation);
  });
}

void writePool(OStream &json, const Pool &pool) {
  json.object([&] {
    json.attribute("name", pool.name);
    json.attribute("layer", pool.layer);
    json.attribute("mode", pool.mode);
    json.attribute("bytes_per_slot", pool.bytesPerSlot);
  });
}

void writeCache(OStream &json, const Cache &cache) {
  json.object([&] {
    json.attribute("layer", cache.layer);
    json.attribute("mode", cache.mode);
    json.attribute("kind", cache.kind);
    writeList(json, "pools", cache.pools);
    if (cache.table)
      json.attribute("table", *cache.table);
    if (cache.room)
      json.attribute("room", *cache.room);
  });
}

/// The name that a buffer with an index has.
llvm::StringRef indexedName(Buffer::Kind kind) {
  switch (kind) {
  case Buffer::Kind::Param:
    return "param";
  case Buffer::Kind::Pool:
    return "pool";
  case Buffer::Kind::Table:
    return "table";
  case Buffer::Kind::Packed:
    return "packed";
  case Buffer::Kind::Grad:
    return "grad";
  case Buffer::Kind::Total:
    return "total";
  case Buffer::Kind::Moment1:
    return "moment1";
  case Buffer::Kind::Moment2:
    return "moment2";
  case Buffer::Kind::Arena:
  case Buffer::Kind::Pages:
  case Buffer::Kind::Step:
    break;
  }
  llvm_unreachable("a kind of buffer without index");
}

void writeBuffer(OStream &json, const Buffer &buffer) {
  json.array([&] {
    switch (buffer.kind) {
    case Buffer::Kind::Arena:
      json.value("arena");
      json.value(buffer.slice.offset);
      json.value(buffer.slice.bytes);
      break;
    case Buffer::Kind::Pages:
      json.value("pages");
      break;
    case Buffer::Kind::Step:
      json.value("step");
      json.value(buffer.step);
      break;
    default:
      json.value(indexedName(buffer.kind));
      json.value(buffer.index);
      break;
    }
  });
}

void writeLaunch(OStream &json, const Launch &launch) {
  json.object([&] {
    json.attribute("kernel", launch.kernel);
    json.attribute("op", launch.op);
    json.attribute("layer", launch.layer);
    json.attributeObject("grid", [&] {
      json.attribute("tokens", launch.grid.tokens);
      json.attribute("seqs", launch.grid.seqs);
      json.attribute("outputs", launch.grid.outputs);
      json.attribute("constant", launch.grid.constant);
      json.attribute("divisor", launch.grid.divisor);
    });
    json.attributeArray("buffers", [&] {
      for (const Buffer &buffer : launch.buffers)
        writeBuffer(json, buffer);
    });
    writeList(json, "constants", launch.constants);
    if (launch.count)
      json.attribute("count", *launch.count);
    if (launch.threads)
      json.attribute("threads", launch.threads);
  });
}

void writePhase(OStream &json, const Phase &phase) {
  json.attributeObject(phase.name, [&] {
    writeLimits(json, phase.limits);
    json.attribute("arena_bytes", phase.arenaBytes);
    if (isInference(phase.name)) {
      writeSlice(json, "logits", phase.logits);
      writeSlice(json, "routing", phase.routing);
    } else {
      json.attributeObject("results", [&] {
        for (const auto &[name, slice] : phase.results)
          writeSlice(json, name, slice);
      });
      if (phase.exchangeBefore)
        json.attributeObject("exchange", [&] {
          json.attribute("before", *phase.exchangeBefore);
          json.attributeArray("spans", [&] {
            for (const ArenaSlice &slice : phase.exchange)
              json.array([&] {
                json.value(slice.offset);
                json.value(slice.bytes);
              });
          });
        });
    }
    json.attributeArray("launches", [&] {
      for (const Launch &launch : phase.launches)
        writeLaunch(json, launch);
    });
  });
}

void writePacked(OStream &json, const PackedWeights &packed) {
  json.object([&] {
    writeList(json, "parameters", packed.parameters);
    json.attribute("format", packed.format);
    json.attribute("panel", packed.panel);
    json.attribute("group", packed.group);
    json.attribute("interleaved", packed.interleaved);
    json.attribute("bytes", packed.bytes);
  });
}

void writeVariant(OStream &json, const Variant &variant) {
  json.object([&] {
    json.attribute("name", variant.name);
    writeList(json, "features", variant.features);
    json.attributeArray("packed", [&] {
      for (const PackedWeights &packed : variant.packed)
        writePacked(json, packed);
    });
    json.attribute("stack_bytes", variant.stackBytes);
    auto writePhases = [&](llvm::StringRef key, bool inference) {
      json.attributeObject(key, [&] {
        for (const Phase &phase : variant.phases)
          if (isInference(phase.name) == inference)
            writePhase(json, phase);
      });
    };
    writePhases("phases", true);
    if (!llvm::all_of(variant.phases, [](const Phase &phase) { return isInference(phase.name); }))
      writePhases("training", false);
  });
}

/// What all variants have in common.
void writeCommon(OStream &json, const Manifest &manifest) {
  json.attribute("format", "chimera-model");
  json.attribute("version", abi::formatVersion);
  json.attribute("producer", "chimera-compile " CHIMERA_VERSION);
  json.attribute("target", manifest.target);
  json.attribute("dtype", manifest.dtype);
  json.attribute("numerics", manifest.numerics);
  json.attributeObject("limits", [&] { writeLimits(json, manifest.limits); });
  json.attributeObject("model", [&] { writeModel(json, manifest.model); });
  json.attributeArray("parameters", [&] {
    for (const Parameter &parameter : manifest.parameters)
      writeParameter(json, parameter);
  });
  json.attributeArray("pools", [&] {
    for (const Pool &pool : manifest.pools)
      writePool(json, pool);
  });
  json.attributeArray("caches", [&] {
    for (const Cache &cache : manifest.caches)
      writeCache(json, cache);
  });
  json.attributeObject("pages", [&] {
    json.attribute("entries", manifest.pages.entries);
    json.attribute("bytes", manifest.pages.bytes);
    json.attribute("tables", manifest.pages.tables);
  });
  if (!manifest.trainable.empty())
    writeList(json, "trainable", manifest.trainable);
}

} // namespace

std::string toJson(const Manifest &manifest) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  OStream json(stream);
  json.object([&] {
    writeCommon(json, manifest);
    json.attributeArray("variants", [&] {
      for (const Variant &variant : manifest.variants)
        writeVariant(json, variant);
    });
  });
  return text;
}

llvm::Error validate(const Manifest &manifest) {
  runtime::Result<runtime::Manifest> read = runtime::readManifest(toJson(manifest));
  return read ? llvm::Error::success()
              : llvm::createStringError(llvm::inconvertibleErrorCode(), "manifest: " + read.error().message);
}

} // namespace chimera::binary
