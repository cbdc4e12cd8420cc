// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The module attribute chimera.model: reading it, and holding ops to it.

#include "dialect/IR/ModelAttr.h"

#include "dialect/IR/AttributeKeys.h"
#include "runtime/abi/Layout.h"

#include "mlir/IR/BuiltinOps.h"

#include <cmath>

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

// Without attention its sizes are not used, and may be 0.
static const AttributeKey modelKeys[] = {
    {"dtype", checkDtype},
    {"vocab_size", checkInteger<1, abi::mostSize>},
    {"hidden_size", checkInteger<1, abi::mostSize>},
    {"window", checkInteger<0, abi::mostWindow>},
    {"head_dim", checkInteger<0, abi::mostSize>},
    {"num_attention_heads", checkInteger<0, abi::mostSize>},
    {"num_key_value_heads", checkInteger<0, abi::mostSize>},
    {"bos_token_id", checkInteger<0, abi::mostSize>, /*optional=*/true},
    {"eos_token_ids", checkIntegers, /*optional=*/true},
    {"max_position_embeddings", checkInteger<1, abi::mostPositions>, /*optional=*/true},
    {"sampling", checkDictionary, /*optional=*/true},
    {"layers", checkArray},
    {"targets", checkArray, /*optional=*/true},
};

static std::string checkTemperature(Attribute attr) {
  return checkNumberIn(attr, 0, abi::mostTemperature);
}

static std::string checkShare(Attribute attr) {
  return checkNumberIn(attr, 0, 1, /*open=*/true);
}

static const AttributeKey samplingKeys[] = {
    {"temperature", checkTemperature},
    {"top_k", checkInteger<0, abi::mostPositions>},
    {"top_p", checkShare},
};

/// The modes of each layer, by name, once each and in canonical order.
static LogicalResult readLayers(ArrayAttr layers, ModelDescription &model, EmitError emitError) {
  if (layers.empty() || layers.size() > static_cast<size_t>(abi::mostLayers)) {
    return emitError() << attrs::model << ": 'layers' must hold 1 .. " << abi::mostLayers << " lists of modes, got "
                       << layers.size();
  }
  for (auto [i, attr] : llvm::enumerate(layers)) {
    auto names = dyn_cast<ArrayAttr>(attr);
    ModelDescription::Layer &layer = model.layers.emplace_back();
    for (Attribute name : names ? names.getValue() : ArrayRef<Attribute>()) {
      auto text = dyn_cast<StringAttr>(name);
      std::optional<Mode> mode = text ? symbolizeMode(text.getValue()) : std::nullopt;
      if (!mode || (!layer.modes.empty() && layer.modes.back() >= *mode)) {
        layer.modes.clear();
        break;
      }
      layer.modes.push_back(*mode);
    }
    if (layer.modes.empty()) {
      return emitError() << attrs::model << ": 'layers'[" << i
                         << "] must list modes, once each in the order ssm, swa, full, identity, got " << attr;
    }
    layer.targets.assign(layer.modes.size(), 1.0 / static_cast<double>(layer.modes.size()));
  }
  return success();
}

/// The shares that the layers' modes are meant to take.
static LogicalResult readTargets(ArrayAttr targets, ModelDescription &model, EmitError emitError) {
  if (targets.size() != model.layers.size()) {
    return emitError() << attrs::model << ": 'targets' must hold one list of shares for each of the "
                       << model.layers.size() << " layers, got " << targets.size();
  }
  for (auto [i, attr] : llvm::enumerate(targets)) {
    ModelDescription::Layer &layer = model.layers[i];
    auto shares = dyn_cast<DenseF64ArrayAttr>(attr);
    double sum = 0;
    bool fits = shares && static_cast<size_t>(shares.size()) == layer.modes.size();
    for (double share : shares ? shares.asArrayRef() : ArrayRef<double>()) {
      fits = fits && share >= 0 && share <= 1;
      sum += share;
    }
    if (!fits || !(std::abs(sum - 1) <= abi::shareTolerance)) {
      return emitError() << attrs::model << ": 'targets'[" << i
                         << "] must be a share in 0 .. 1 for each of the layer's " << layer.modes.size()
                         << " modes, their sum 1, got " << attr;
    }
    layer.targets.assign(shares.asArrayRef().begin(), shares.asArrayRef().end());
  }
  return success();
}

/// What two keys have to do with each other.
static LogicalResult checkModel(const ModelDescription &model, EmitError emitError) {
  auto error = [&](StringRef key) { return emitError() << attrs::model << ": '" << key << "' "; };
  auto has = [&](Mode mode) {
    return llvm::any_of(model.layers, [&](const auto &layer) { return llvm::is_contained(layer.modes, mode); });
  };
  if (has(Mode::SWA) || has(Mode::Full)) {
    for (auto [key, value] : {std::pair<StringRef, int64_t>{"num_attention_heads", model.numAttentionHeads},
                              {"num_key_value_heads", model.numKeyValueHeads},
                              {"head_dim", model.headDim}}) {
      if (value < 1) {
        return error(key) << "must be at least 1 in a model with attention, got " << value;
      }
    }
    if (model.numAttentionHeads % model.numKeyValueHeads != 0) {
      return error("num_key_value_heads")
             << "must divide the " << model.numAttentionHeads << " attention heads, got " << model.numKeyValueHeads;
    }
  }
  if (has(Mode::SWA) && model.window < 1) {
    return error("window") << "must be at least 1 in a model with swa, got " << model.window;
  }
  if (model.bosTokenId && *model.bosTokenId >= model.vocabSize) {
    return error("bos_token_id") << "must be in 0 .. " << model.vocabSize - 1 << ", got " << *model.bosTokenId;
  }
  for (int64_t token : model.eosTokenIds) {
    if (token < 0 || token >= model.vocabSize) {
      return error("eos_token_ids") << "must be in 0 .. " << model.vocabSize - 1 << ", got " << token;
    }
  }
  return success();
}

FailureOr<ModelDescription> ir::readModel(Attribute attr, EmitError emitError) {
  if (failed(checkKeys(emitError, attrs::model, attr, modelKeys))) {
    return failure();
  }
  auto dictionary = cast<DictionaryAttr>(attr);
  auto sampling = dictionary.getAs<DictionaryAttr>("sampling");
  if (sampling && failed(checkKeys(emitError, (attrs::model + ": 'sampling'").str(), sampling, samplingKeys))) {
    return failure();
  }
  auto number = [&](StringRef key) { return dictionary.getAs<IntegerAttr>(key).getInt(); };
  ModelDescription model;
  model.dtype = dictionary.getAs<StringAttr>("dtype").getValue();
  model.vocabSize = number("vocab_size");
  model.hiddenSize = number("hidden_size");
  model.window = number("window");
  model.headDim = number("head_dim");
  model.numAttentionHeads = number("num_attention_heads");
  model.numKeyValueHeads = number("num_key_value_heads");
  if (dictionary.contains("bos_token_id")) {
    model.bosTokenId = number("bos_token_id");
  }
  if (auto ends = dictionary.getAs<DenseI64ArrayAttr>("eos_token_ids")) {
    model.eosTokenIds = ends.asArrayRef();
  }
  if (dictionary.contains("max_position_embeddings")) {
    model.maxPositionEmbeddings = number("max_position_embeddings");
  }
  if (sampling) {
    auto real = [&](StringRef key) { return sampling.getAs<FloatAttr>(key).getValueAsDouble(); };
    model.sampling = {real("temperature"), sampling.getAs<IntegerAttr>("top_k").getInt(), real("top_p")};
  }
  if (failed(readLayers(dictionary.getAs<ArrayAttr>("layers"), model, emitError))) {
    return failure();
  }
  auto targets = dictionary.getAs<ArrayAttr>("targets");
  if ((targets && failed(readTargets(targets, model, emitError))) || failed(checkModel(model, emitError))) {
    return failure();
  }
  return model;
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

DictionaryAttr ir::modelOf(Operation *op) {
  for (; op; op = op->getParentOp()) {
    if (auto model = isa<ModuleOp>(op) ? op->getAttrOfType<DictionaryAttr>(attrs::model) : DictionaryAttr()) {
      return model;
    }
  }
  return nullptr;
}

/// The array 'layers' of the model around `op`; null outside of one.
static ArrayAttr layersOf(Operation *op) {
  DictionaryAttr model = modelOf(op);
  return model ? model.getAs<ArrayAttr>("layers") : ArrayAttr();
}

LogicalResult ir::checkAgainstModel(Operation *op, const Twine &what, int64_t value, StringRef key) {
  DictionaryAttr model = modelOf(op);
  auto expected = model ? model.getAs<IntegerAttr>(key) : IntegerAttr();
  if (expected && expected.getInt() != value) {
    return op->emitOpError() << what << " is " << value << ", but " << attrs::model << "'s " << key << " is "
                             << expected.getInt();
  }
  return success();
}

LogicalResult ir::checkModelType(Operation *op, const Twine &what, Type element) {
  DictionaryAttr model = modelOf(op);
  auto dtype = model ? model.getAs<StringAttr>("dtype") : StringAttr();
  if (dtype && dtype.getValue() != (element.isF64() ? "f64" : element.isF32() ? "f32" : "bf16")) {
    return op->emitOpError() << what << " is " << element << ", but " << attrs::model << "'s dtype is "
                             << dtype.getValue();
  }
  return success();
}

LogicalResult ir::checkModelLayers(Operation *op, const Twine &what, int64_t value, int64_t factor) {
  ArrayAttr layers = layersOf(op);
  int64_t expected = layers ? factor * static_cast<int64_t>(layers.size()) : value;
  if (value != expected) {
    return op->emitOpError() << what << " must be " << expected << ", as " << attrs::model << " has " << layers.size()
                             << " layers, got " << value;
  }
  return success();
}

LogicalResult ir::checkModelLayer(Operation *op, int64_t layer, ArrayAttr modes) {
  ArrayAttr layers = layersOf(op);
  if (!layers) {
    return success();
  }
  if (layer < 0 || layer >= static_cast<int64_t>(layers.size())) {
    return op->emitOpError() << "layer " << layer << " is not one of the " << layers.size() << " of " << attrs::model;
  }
  auto known = dyn_cast<ArrayAttr>(layers[layer]);
  auto isSame = [](Attribute mode, Attribute name) {
    auto text = dyn_cast<StringAttr>(name);
    return text && text.getValue() == stringifyMode(cast<ModeAttr>(mode).getValue());
  };
  if (modes && known && !llvm::equal(modes, known, isSame)) {
    return op->emitOpError() << "its modes are not those of layer " << layer << " in " << attrs::model << ", " << known;
  }
  return success();
}
