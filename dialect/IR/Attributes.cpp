// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The verifiers of the dialect's discardable attributes, and access to them.

#include "dialect/IR/Attributes.h"

#include "dialect/IR/AttributeKeys.h"
#include "dialect/IR/Dialect.h"
#include "dialect/IR/ModelAttr.h"
#include "runtime/abi/WeightFormat.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

//===----------------------------------------------------------------------===//
// Access
//===----------------------------------------------------------------------===//

std::optional<StepBounds> ir::stepBoundsOf(Operation *function) {
  auto limits = function->getAttrOfType<DenseI64ArrayAttr>(attrs::limits);
  return limits ? std::optional<StepBounds>({limits[0], limits[1]}) : std::nullopt;
}

StringRef ir::stepNameOf(Operation *function, unsigned argument) {
  auto step = cast<FunctionOpInterface>(function).getArgAttrOfType<StringAttr>(argument, attrs::step);
  return step ? step.getValue() : StringRef();
}

int64_t ir::layerOf(Operation *op) {
  auto layer = op->getAttrOfType<IntegerAttr>(attrs::layer);
  return layer ? layer.getInt() : -1;
}

void ir::setLayer(Operation *op, int64_t layer) {
  if (layer >= 0) {
    op->setAttr(attrs::layer, Builder(op->getContext()).getI64IntegerAttr(layer));
  }
}

//===----------------------------------------------------------------------===//
// Attributes of modules, functions and ops
//===----------------------------------------------------------------------===//

static std::string checkParameterType(Attribute attr) {
  auto type = dyn_cast<TypeAttr>(attr);
  auto tensor = type ? dyn_cast<RankedTensorType>(type.getValue()) : RankedTensorType();
  Type element = tensor ? tensor.getElementType() : Type();
  bool fits = tensor && tensor.hasStaticShape() && (element.isF64() || element.isF32() || element.isBF16());
  return fits ? "" : "must be a tensor of static shape in f64, f32 or bf16";
}

static std::string checkCacheType(Attribute attr) {
  auto type = dyn_cast<TypeAttr>(attr);
  return type && isa<CacheTypeInterface>(type.getValue()) ? "" : "must be the type of a cache";
}

static std::string checkFormat(Attribute attr) {
  return checkOneOf(attr, abi::weightFormatNames);
}

static const AttributeKey parameterKeys[] = {{"name", checkText},
                                             {"type", checkParameterType},
                                             {"optional", checkUnit, /*optional=*/true},
                                             {"source", checkText, /*optional=*/true},
                                             {"source_shape", checkIntegers, /*optional=*/true},
                                             {"source_row", checkInteger<0, abi::mostElements>, /*optional=*/true},
                                             {"row_permutation", checkIntegers, /*optional=*/true}};
static const AttributeKey cacheKeys[] = {
    {"layer", checkInteger<0, abi::mostLayers - 1>}, {"mode", checkCacheMode}, {"name", checkText}};
static const AttributeKey plannedCacheKeys[] = {cacheKeys[0], cacheKeys[1], cacheKeys[2], {"type", checkCacheType}};
static const AttributeKey packedKeys[] = {{"parameters", checkIntegers},
                                          {"format", checkFormat},
                                          {"panel", checkInteger<1, abi::mostPanel>},
                                          {"group", checkInteger<1, abi::mostGroup>},
                                          {"interleaved", checkUnit, /*optional=*/true},
                                          {"bytes", checkInteger<0, abi::mostBytes>}};

/// `attr` is an array, of which each element is right by `check`.
static LogicalResult checkArrayOf(EmitError emitError, StringRef where, Attribute attr, CheckValue check) {
  auto array = dyn_cast<ArrayAttr>(attr);
  if (!array) {
    return emitError() << where << " must be an array, got " << attr;
  }
  for (auto [i, element] : llvm::enumerate(array)) {
    if (std::string fault = check(element); !fault.empty()) {
      return emitError() << where << "[" << i << "] " << fault;
    }
  }
  return success();
}

/// `attr` itself is right by `check`.
static LogicalResult checkOne(EmitError emitError, StringRef where, Attribute attr, CheckValue check) {
  std::string fault = check(attr);
  return fault.empty() ? LogicalResult(success()) : LogicalResult(emitError() << where << " " << fault);
}

static LogicalResult verifyModuleAttribute(EmitError emitError, StringRef name, Attribute attr) {
  if (name == attrs::model) {
    return readModel(attr, emitError);
  }
  if (name == attrs::parameters) {
    return checkKeysOfEach(emitError, name, attr, parameterKeys);
  }
  if (name == attrs::caches) {
    return checkKeysOfEach(emitError, name, attr, plannedCacheKeys);
  }
  if (name == attrs::packed) {
    return checkKeysOfEach(emitError, name, attr, packedKeys);
  }
  if (name == attrs::trainable) {
    return checkArrayOf(emitError, name, attr, checkText);
  }
  if (name == attrs::unforcedLayers) {
    return checkArrayOf(emitError, name, attr, checkInteger<0, abi::mostLayers - 1>);
  }
  return checkOne(emitError, name, attr, checkInteger<1, abi::mostItems>); // cache_block
}

static LogicalResult verifyFunctionAttribute(EmitError emitError, StringRef name, Attribute attr) {
  if (name != attrs::limits) {
    return checkOne(emitError, name, attr, checkUnit);
  }
  auto limits = dyn_cast<DenseI64ArrayAttr>(attr);
  if (!limits || limits.size() != 2 || llvm::any_of(limits.asArrayRef(), [](int64_t n) { return n < 1; })) {
    return emitError() << name << " must be array<i64: rows, sequences>, both at least 1, got " << attr;
  }
  return success();
}

LogicalResult ChimeraDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  using namespace attrs;
  StringRef name = attribute.getName().getValue();
  Attribute attr = attribute.getValue();
  auto belongs = [&](StringRef to) { return op->emitOpError() << name << " belongs to " << to; };
  if (llvm::is_contained({model, parameters, trainable, caches, packed, unforcedLayers, cacheBlock}, name)) {
    // A module's name says nothing: the line begins with what is wrong.
    auto emitError = [&] { return op->emitError(); };
    return isa<ModuleOp>(op) ? verifyModuleAttribute(emitError, name, attr) : belongs("a module");
  }
  auto emitError = [&] { return op->emitOpError(); };
  if (llvm::is_contained({limits, training, differentiate, soft, singleRows}, name)) {
    return isa<func::FuncOp>(op) ? verifyFunctionAttribute(emitError, name, attr) : belongs("a function");
  }
  if (name == layer) {
    if (failed(checkOne(emitError, name, attr, checkInteger<0, abi::mostLayers - 1>))) {
      return failure();
    }
    return checkModelLayer(op, cast<IntegerAttr>(attr).getInt(), nullptr);
  }
  if (name == recomputed) {
    return checkOne(emitError, name, attr, checkInteger<0, INT64_MAX>);
  }
  if (llvm::is_contained({step, cache, result, gradient}, name)) {
    return belongs("an argument or result of a function");
  }
  return op->emitOpError() << name << " is no attribute of the dialect";
}

//===----------------------------------------------------------------------===//
// Attributes of arguments and results
//===----------------------------------------------------------------------===//

/// The type that the step's array `name` has, as text, and whether `type` is it; nothing for an unknown name.
static std::optional<std::pair<StringRef, bool>> stepType(StringRef name, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  auto isTensor = [&](ArrayRef<int64_t> shape, auto isElement) {
    return tensor && tensor.getShape() == shape && isElement(tensor.getElementType());
  };
  auto isI32 = [](Type element) { return element.isInteger(32); };
  auto isF64 = [](Type element) { return element.isF64(); };
  const int64_t rows = ShapedType::kDynamic;
  bool isMatrix = tensor && tensor.getRank() == 2;
  int64_t columns = isMatrix ? tensor.getDimSize(1) : 0, lines = isMatrix ? tensor.getDimSize(0) : 0;
  auto answer = [](StringRef expected, bool fits) { return std::make_optional(std::make_pair(expected, fits)); };
  if (name == "tokens" || name == "targets") {
    return answer("tensor<?xi32>", isTensor({rows}, isI32));
  }
  if (name == "rows" || name == "outputs") {
    return answer("!chimera.rows", isa<RowsType>(type));
  }
  if (name == "forced") {
    return answer("i8 [rows, layers]", isMatrix && columns >= 1 && columns <= abi::mostLayers &&
                                           isTensor({rows, columns}, [](Type e) { return e.isInteger(8); }));
  }
  if (name == "noise") {
    return answer("f64 [rows, 4 * layers]",
                  isMatrix && columns >= 0 && columns % abi::modeCount == 0 && isTensor({rows, columns}, isF64));
  }
  if (name == "hyper") {
    return answer("tensor<16xf64>", isTensor({abi::hyperLength}, isF64));
  }
  if (name == "prices") {
    return answer("f64 [layers, 13]", isMatrix && lines >= 0 && isTensor({lines, abi::pricesPerLayer}, isF64));
  }
  if (name == "leaves") {
    return answer("tensor<18xi32>", isTensor({abi::leavesLength}, isI32));
  }
  return std::nullopt;
}

/// The step's arrays that have something for each layer have it for each of the model's.
static LogicalResult checkStepLayers(Operation *function, StringRef name, Type type) {
  if (name == "forced") {
    return checkModelLayers(function, "the number of columns of its argument 'forced'",
                            cast<RankedTensorType>(type).getDimSize(1));
  }
  if (name == "noise") {
    return checkModelLayers(function, "the number of columns of its argument 'noise'",
                            cast<RankedTensorType>(type).getDimSize(1), abi::modeCount);
  }
  if (name == "prices") {
    return checkModelLayers(function, "the number of rows of its argument 'prices'",
                            cast<RankedTensorType>(type).getDimSize(0));
  }
  return success();
}

/// A function of inference gives logits first, [outputs, vocabulary].
static LogicalResult checkLogits(FunctionOpInterface function) {
  auto logits =
      function.getNumResults() > 0 ? dyn_cast<RankedTensorType>(function.getResultTypes()[0]) : RankedTensorType();
  if (function->hasAttr(attrs::training) || !logits || logits.getRank() != 2) {
    return success();
  }
  return checkAgainstModel(function, "the number of columns of its logits", logits.getDimSize(1), "vocab_size");
}

/// Of the `count` values that `get` gives (null: none), no two are one. Asked of each, but only the first that is there
/// looks: the number of caches and gradients grows with the model.
static LogicalResult checkDistinct(Operation *op, const Twine &what, unsigned index, unsigned count,
                                   llvm::function_ref<Attribute(unsigned)> get) {
  for (unsigned before = 0; before < index; ++before) {
    if (get(before)) {
      return success();
    }
  }
  llvm::SmallDenseSet<Attribute> known;
  for (unsigned i = index; i < count; ++i) {
    Attribute value = get(i);
    if (value && !known.insert(value).second) {
      return op->emitOpError() << what << " " << value << " is there twice, the second time as #" << i;
    }
  }
  return success();
}

static LogicalResult verifyStep(FunctionOpInterface function, unsigned index, Attribute attr) {
  Type type = function.getArgumentTypes()[index];
  auto name = dyn_cast<StringAttr>(attr);
  auto known = name ? stepType(name.getValue(), type) : std::nullopt;
  if (!known) {
    return function->emitOpError() << attrs::step << " of argument #" << index
                                   << " must be one of tokens, rows, outputs, forced, targets, noise, hyper, prices, "
                                      "leaves, got "
                                   << attr;
  }
  if (!known->second) {
    return function->emitOpError() << "its argument '" << name.getValue() << "' (" << attrs::step << ") must be "
                                   << known->first << ", got " << type;
  }
  if (failed(checkDistinct(function, "the argument " + attrs::step, index, function.getNumArguments(),
                           [&](unsigned i) { return function.getArgAttr(i, attrs::step); }))) {
    return failure();
  }
  if (name.getValue() == "outputs" && failed(checkLogits(function))) {
    return failure();
  }
  return checkStepLayers(function, name.getValue(), type);
}

/// Whether a cache of this type may be for `mode`.
static bool kindFits(Type type, StringRef mode) {
  StringRef kind = cast<CacheTypeInterface>(type).getKind();
  return (kind == "counts" && mode == "route") || (kind == "tail" && mode != "route") ||
         (kind == "state" && mode == "ssm") || (kind == "ring" && mode == "swa") || (kind == "list" && mode == "full");
}

static LogicalResult verifyCache(FunctionOpInterface function, unsigned index, Attribute attr) {
  Type type = function.getArgumentTypes()[index];
  std::string where = (attrs::cache + " of argument #" + Twine(index)).str();
  auto emitError = [&] { return function->emitOpError(); };
  if (!isa<CacheTypeInterface>(type)) {
    return emitError() << where << ": the argument must be a cache, is " << type;
  }
  if (failed(checkKeys(emitError, where, attr, cacheKeys))) {
    return failure();
  }
  auto entry = cast<DictionaryAttr>(attr);
  StringRef mode = entry.getAs<StringAttr>("mode").getValue();
  if (!kindFits(type, mode)) {
    return emitError() << where << ": 'mode' is \"" << mode << "\", which has no cache of type " << type;
  }
  auto nameOf = [&](unsigned i) {
    auto other = function.getArgAttrOfType<DictionaryAttr>(i, attrs::cache);
    return other ? other.get("name") : Attribute();
  };
  if (failed(checkDistinct(function, attrs::cache + ": 'name'", index, function.getNumArguments(), nameOf))) {
    return failure();
  }
  if (auto ring = dyn_cast<RingType>(type);
      ring &&
      failed(checkAgainstModel(function, "the window of its argument #" + Twine(index), ring.getWindow(), "window"))) {
    return failure();
  }
  return checkModelLayer(function, entry.getAs<IntegerAttr>("layer").getInt(), nullptr);
}

LogicalResult ChimeraDialect::verifyRegionArgAttribute(Operation *op, unsigned, unsigned argument,
                                                       NamedAttribute attribute) {
  StringRef name = attribute.getName().getValue();
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (function && name == attrs::step) {
    return verifyStep(function, argument, attribute.getValue());
  }
  if (function && name == attrs::cache) {
    return verifyCache(function, argument, attribute.getValue());
  }
  return op->emitOpError() << name << " is no attribute of an argument (#" << argument << ")";
}

/// One of "loss", "modes", "norm" and "statistics.I".
static std::string checkResultName(Attribute attr) {
  auto text = dyn_cast<StringAttr>(attr);
  StringRef name = text ? text.getValue() : StringRef();
  int64_t layer = 0;
  bool isLayer = name.consume_front("statistics.") && !name.getAsInteger(10, layer) && layer >= 0 &&
                 layer < abi::mostLayers && name == std::to_string(layer);
  return isLayer ? std::string() : checkOneOf(attr, {"loss", "modes", "norm"});
}

LogicalResult ChimeraDialect::verifyRegionResultAttribute(Operation *op, unsigned, unsigned index,
                                                          NamedAttribute attribute) {
  StringRef name = attribute.getName().getValue();
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function || (name != attrs::result && name != attrs::gradient)) {
    return op->emitOpError() << name << " is no attribute of a result (#" << index << ")";
  }
  std::string where = (name + " of result #" + Twine(index)).str();
  auto emitError = [&] { return op->emitOpError(); };
  if (failed(checkOne(emitError, where, attribute.getValue(), name == attrs::result ? checkResultName : checkText))) {
    return failure();
  }
  return checkDistinct(op, name, index, function.getNumResults(),
                       [&](unsigned i) { return function.getResultAttr(i, name); });
}
