// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Routing ops: their syntax, verifiers and helpers.

#include "dialect/IR/Adjoints.h"
#include "dialect/IR/Checks.h"
#include "dialect/IR/ModelAttr.h"
#include "dialect/IR/Ops.h"

#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

//===----------------------------------------------------------------------===//
// Mode lists
//===----------------------------------------------------------------------===//

SmallVector<Mode> ir::modesOf(ArrayAttr modes) {
  return llvm::map_to_vector(modes, [](Attribute attr) { return cast<ModeAttr>(attr).getValue(); });
}

ArrayAttr ir::modesAttr(MLIRContext *context, ArrayRef<Mode> modes) {
  return ArrayAttr::get(
      context, llvm::map_to_vector(modes, [&](Mode mode) -> Attribute { return ModeAttr::get(context, mode); }));
}

LogicalResult ir::verifyModeList(Operation *op, ArrayAttr attr) {
  SmallVector<Mode> modes = modesOf(attr);
  for (size_t i = 1; i < modes.size(); ++i) {
    if (modes[i - 1] >= modes[i]) {
      return op->emitOpError() << "modes must be listed once each in the order ssm, swa, full, identity, but "
                               << stringifyMode(modes[i]) << " comes after " << stringifyMode(modes[i - 1]);
    }
  }
  return success();
}

static ParseResult parseModes(OpAsmParser &parser, ArrayAttr &attr) {
  SmallVector<Mode> modes;
  auto parseMode = [&]() -> ParseResult {
    StringRef name;
    llvm::SMLoc loc = parser.getCurrentLocation();
    if (parser.parseKeyword(&name)) {
      return failure();
    }
    std::optional<Mode> mode = symbolizeMode(name);
    if (!mode) {
      return parser.emitError(loc) << "'" << name << "' is not a mode (ssm, swa, full, identity)";
    }
    modes.push_back(*mode);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseMode)) {
    return failure();
  }
  attr = modesAttr(parser.getContext(), modes);
  return success();
}

static void printModes(OpAsmPrinter &printer, Operation *, ArrayAttr modes) {
  printer << '[';
  llvm::interleaveComma(modesOf(modes), printer, [&](Mode mode) { printer << stringifyMode(mode); });
  printer << ']';
}

// The new versions of caches have the types of the old ones and are not spelled.
static ParseResult parseSameOptionalType(OpAsmParser &, Type type, Type &same) {
  same = type;
  return success();
}

static void printSameOptionalType(OpAsmPrinter &, Operation *, Type, Type) {}

static ParseResult parseSameTypes(OpAsmParser &, SmallVectorImpl<Type> &types, SmallVectorImpl<Type> &same) {
  same.assign(types.begin(), types.end());
  return success();
}

static void printSameTypes(OpAsmPrinter &, Operation *, TypeRange, TypeRange) {}

//===----------------------------------------------------------------------===//
// route
//===----------------------------------------------------------------------===//

Value RouteOp::getRowSource() {
  return getRows();
}
SmallVector<OpOperand *> RouteOp::getConsumedCaches() {
  return cacheOperandsOf(*this);
}

LogicalResult RouteOp::verify() {
  if (failed(verifyModeList(*this, getModes()))) {
    return failure();
  }
  int64_t count = static_cast<int64_t>(getModes().size());
  if (count < 2) {
    return emitOpError("routes between at least 2 modes, got ") << count;
  }
  if (failed(checkColumns(*this, "logits", getLogits(), count)) ||
      failed(checkColumns(*this, "log_p", getLogP(), count)) || failed(checkLength(*this, "bias", getBias(), count))) {
    return failure();
  }
  if (getCounts().getType().getModes() != count) {
    return emitOpError("counts must be for ") << count << " modes, got " << getCounts().getType();
  }
  Type element = elementOf(getLogits());
  for (Value tensor : {Value(getBias()), Value(getGate()), Value(getLogP())}) {
    if (elementOf(tensor) != element) {
      return emitOpError("bias, gate and log_p must have the logits' element type ")
             << element << ", got " << tensor.getType();
    }
  }
  if (getCapacity() && static_cast<int64_t>(getCapacity()->size()) != count) {
    return emitOpError("capacity must have one number a mode, got ") << getCapacity()->size();
  }
  if (getMaxTokens() && static_cast<int64_t>(getMaxTokens()->size()) != count) {
    return emitOpError("max_tokens must have one number a mode, got ") << getMaxTokens()->size();
  }
  int64_t layer = static_cast<int64_t>(getLayer());
  if (failed(checkModelLayer(*this, layer, getModes()))) {
    return failure();
  }
  if (getForced() && (layer < 0 || layer >= columnsOf(getForced()))) {
    return emitOpError("layer ") << layer << " is not a column of forced, which has " << columnsOf(getForced());
  }
  if (getCapacity() && !llvm::all_of(*getCapacity(), [](double rate) { return rate >= 0.0; })) {
    return emitOpError("capacity must not be negative");
  }
  if (getMaxTokens() && !llvm::all_of(*getMaxTokens(), [](int64_t tokens) { return tokens >= -1; })) {
    return emitOpError("max_tokens must not be negative, other than -1 for no limit");
  }
  return checkPositive(*this, "temperature", getTemperature());
}

bool RouteOp::neverAdmits(unsigned k) {
  SmallVector<Mode> modes = modesOf(getModes());
  bool noRoom = (getMaxTokens() && (*getMaxTokens())[k] == 0) || (getCapacity() && (*getCapacity())[k] == 0.0);
  if (getForced() || !noRoom) {
    return false;
  }
  // The last of the chain full, swa, ssm, identity never refuses.
  for (Mode last : {Mode::Identity, Mode::SSM, Mode::SWA, Mode::Full}) {
    if (llvm::is_contained(modes, last)) {
      return modes[k] != last;
    }
  }
  return false;
}

//===----------------------------------------------------------------------===//
// constant_mode, stack_modes
//===----------------------------------------------------------------------===//

Value ConstantModeOp::getRowSource() {
  return getRows();
}
Value StackModesOp::getRowSource() {
  return getInputs().front();
}

LogicalResult StackModesOp::verify() {
  if (getInputs().empty()) {
    return emitOpError("needs at least one layer");
  }
  if (failed(checkModelLayers(*this, "its number of layers", static_cast<int64_t>(getInputs().size())))) {
    return failure();
  }
  return checkColumns(*this, "result", getResult(), static_cast<int64_t>(getInputs().size()));
}

//===----------------------------------------------------------------------===//
// mix, yield
//===----------------------------------------------------------------------===//

Value MixOp::getRowSource() {
  return getRows();
}

SmallVector<OpOperand *> MixOp::getConsumedCaches() {
  return cacheOperandsOf(*this);
}

unsigned MixOp::cacheBegin(unsigned k) {
  int64_t begin = 0;
  for (int64_t count : getCacheCounts().take_front(k)) {
    begin += count;
  }
  return static_cast<unsigned>(begin);
}

bool MixOp::seesAllRows(unsigned k) {
  Mode mode = cast<ModeAttr>(getModes()[k]).getValue();
  return getPolicy() == CachePolicy::All && (mode == Mode::SSM || mode == Mode::SWA);
}

/// The k-th region has the signature that the op's operands ask for.
static LogicalResult verifyMixer(MixOp op, unsigned k) {
  StringRef mode = stringifyMode(cast<ModeAttr>(op.getModes()[k]).getValue());
  Type tokens = op.getTokens().getType(), rows = op.getRows().getType();
  SmallVector<Type> expected = {tokens, rows, rows};
  if (op.getLogP()) {
    expected.push_back(RankedTensorType::get({ShapedType::kDynamic}, elementOf(op.getLogP())));
  }
  SmallVector<Type> caches;
  for (Value cache : op.getCaches().slice(op.cacheBegin(k), op.getCacheCounts()[k])) {
    caches.push_back(cache.getType());
  }
  llvm::append_range(expected, caches);
  Block &block = op.getMixers()[k].front();
  if (!llvm::equal(block.getArgumentTypes(), expected)) {
    return op.emitOpError("the mixer of ")
           << mode << " must take (" << expected << "), but takes (" << block.getArgumentTypes() << ")";
  }
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (!yield) {
    return op.emitOpError("the mixer of ") << mode << " must end in chimera.yield";
  }
  SmallVector<Type> skipping = caches, giving = {tokens};
  llvm::append_range(giving, caches);
  TypeRange yielded = yield.getValues().getTypes();
  if (!llvm::equal(yielded, giving) && !(mode == "identity" && llvm::equal(yielded, skipping))) {
    return yield.emitOpError("the mixer of ")
           << mode << " must yield (" << giving << "), but yields (" << yielded << ")";
  }
  return success();
}

/// Each cache belongs to a region and has a new version.
static LogicalResult verifyCaches(MixOp op) {
  int64_t caches = static_cast<int64_t>(op.getCaches().size()), total = 0;
  for (int64_t count : op.getCacheCounts()) {
    if (count < 0) {
      return op.emitOpError("a cache count must not be negative");
    }
    if (count > caches - total) {
      return op.emitOpError("cache_counts add up to more than the ") << caches << " caches";
    }
    total += count;
  }
  if (total != caches) {
    return op.emitOpError("cache_counts add up to ") << total << ", but there are " << caches;
  }
  if (op.getCaches().getTypes() != op.getCachesOut().getTypes()) {
    return op.emitOpError("must give back a new version of each cache");
  }
  return success();
}

/// The write weights have a column for each mode.
static LogicalResult verifyWriteWeights(MixOp op) {
  if (bool(op.getLogP()) != bool(op.getLogPModes())) {
    return op.emitOpError("log_p and log_p_modes come together");
  }
  if (!op.getLogP()) {
    return success();
  }
  if (!op.getMode()) {
    return op.emitOpError("has write weights, but no mode for each row");
  }
  if (failed(verifyModeList(op, *op.getLogPModes())) ||
      failed(checkColumns(op, "log_p", op.getLogP(), static_cast<int64_t>(op.getLogPModes()->size()))) ||
      failed(checkSameElement(op, "log_p", op.getLogP(), "residual", op.getResidual()))) {
    return failure();
  }
  for (Attribute mode : op.getModes()) {
    if (!llvm::is_contained(*op.getLogPModes(), mode)) {
      return op.emitOpError("log_p has no column for ") << stringifyMode(cast<ModeAttr>(mode).getValue());
    }
  }
  return success();
}

LogicalResult MixOp::verify() {
  if (failed(verifyModeList(*this, getModes()))) {
    return failure();
  }
  size_t count = getModes().size();
  if (count < 1 || getMixers().size() != count || getCacheCounts().size() != count) {
    return emitOpError("needs one region and one cache count for each of its ")
           << count << " modes, got " << getMixers().size() << " and " << getCacheCounts().size();
  }
  if (failed(verifyCaches(*this))) {
    return failure();
  }
  if (bool(getMode()) != bool(getGate())) {
    return emitOpError("mode and gate come together");
  }
  if (!getMode() && count != 1) {
    return emitOpError("needs a mode for each row to choose between ") << count << " mixers";
  }
  if (getGate() && failed(checkSameElement(*this, "gate", getGate(), "residual", getResidual()))) {
    return failure();
  }
  if (failed(verifyWriteWeights(*this))) {
    return failure();
  }
  for (unsigned k = 0; k < count; ++k) {
    if (failed(verifyMixer(*this, k))) {
      return failure();
    }
  }
  return success();
}

SmallVector<OpOperand *> YieldOp::getConsumedCaches() {
  return cacheOperandsOf(*this);
}

//===----------------------------------------------------------------------===//
// dispatch, write_weight, combine
//===----------------------------------------------------------------------===//

LogicalResult DispatchOp::verify() {
  if (failed(verifyModeList(*this, getModes()))) {
    return failure();
  }
  if (getModes().empty() || getSlices().size() != getModes().size()) {
    return emitOpError("needs one slice for each of its ") << getModes().size() << " modes, got " << getSlices().size();
  }
  return success();
}

Value WriteWeightOp::getRowSource() {
  return getTo();
}

LogicalResult WriteWeightOp::verify() {
  int64_t column = static_cast<int64_t>(getColumn());
  if (column < 0 || column >= columnsOf(getLogP())) {
    return emitOpError("column ") << column << " is not one of log_p's " << columnsOf(getLogP());
  }
  return checkSameElement(*this, "log_p", getLogP(), "result", getResult());
}

Value CombineOp::getRowSource() {
  return getResidual();
}

LogicalResult CombineOp::verify() {
  if (failed(verifyModeList(*this, getModes()))) {
    return failure();
  }
  if (getOutputs().size() != getModes().size()) {
    return emitOpError("needs one output for each of its ")
           << getModes().size() << " modes, got " << getOutputs().size();
  }
  for (Value output : getOutputs()) {
    if (output.getType() != getResidual().getType()) {
      return emitOpError("outputs must have the residual's type ")
             << getResidual().getType() << ", got " << output.getType();
    }
  }
  return checkSameElement(*this, "gate", getGate(), "residual", getResidual());
}

//===----------------------------------------------------------------------===//
// Experts
//===----------------------------------------------------------------------===//

/// `count` of `experts` are chosen.
static LogicalResult checkChoice(Operation *op, int64_t count, int64_t experts) {
  if (count < 1 || count > experts) {
    return op->emitOpError("count must be in 1 .. ") << experts << ", the number of experts, got " << count;
  }
  return success();
}

Value RouteExpertsOp::getRowSource() {
  return getLogits();
}

LogicalResult RouteExpertsOp::verify() {
  int64_t experts = columnsOf(getLogits());
  if (failed(checkColumns(*this, "chosen", getChosen(), experts)) ||
      failed(checkChoice(*this, static_cast<int64_t>(getCount()), experts)) ||
      failed(checkPositive(*this, "scale", getScale()))) {
    return failure();
  }
  if (getBias() && (failed(checkLength(*this, "bias", getBias(), experts)) ||
                    failed(checkSameElement(*this, "logits", getLogits(), "bias", getBias())))) {
    return failure();
  }
  return success();
}

LogicalResult DispatchExpertsOp::verify() {
  int64_t experts = columnsOf(getChosen());
  if (static_cast<int64_t>(getSlices().size()) != experts) {
    return emitOpError("needs one slice for each of the ") << experts << " experts, got " << getSlices().size();
  }
  return checkChoice(*this, static_cast<int64_t>(getCount()), experts);
}

LogicalResult ir::checkExpert(Operation *op, uint64_t expert, Value weights, StringRef name, Value like) {
  if (static_cast<int64_t>(expert) < 0 || static_cast<int64_t>(expert) >= columnsOf(weights)) {
    return op->emitOpError("expert ") << static_cast<int64_t>(expert) << " is not one of the " << columnsOf(weights)
                                      << " that have weights";
  }
  return checkSameElement(op, "weights", weights, name, like);
}

Value AddExpertOp::getRowSource() {
  return getInput();
}

LogicalResult AddExpertOp::verify() {
  return checkExpert(*this, getExpert(), getWeights(), "input", getInput());
}

Value ZerosOp::getRowSource() {
  return getRows();
}

#define GET_OP_CLASSES
#include "dialect/IR/ChimeraOps.cpp.inc"
