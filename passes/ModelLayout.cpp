// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers the parameters and caches of a model.

#include "passes/ModelLayout.h"

#include "dialect/IR/Checks.h"
#include "dialect/IR/PageLayout.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/CheckedArithmetic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

SmallVector<BlockArgument> chimera::cacheArguments(func::FuncOp phase) {
  SmallVector<BlockArgument> arguments;
  for (BlockArgument argument : phase.getArguments()) {
    if (isa<CacheTypeInterface>(argument.getType())) {
      arguments.push_back(argument);
    }
  }
  return arguments;
}

DictionaryAttr chimera::parameterEntry(ParamOp op) {
  MLIRContext *context = op.getContext();
  NamedAttrList entry;
  entry.set("name", op.getNameAttr());
  entry.set("type", TypeAttr::get(op.getResult().getType()));
  if (op.getOptional()) {
    entry.set("optional", UnitAttr::get(context));
  }
  if (op.getSourceAttr()) {
    entry.set("source", op.getSourceAttr());
  }
  if (op.getSourceShapeAttr()) {
    entry.set("source_shape", op.getSourceShapeAttr());
  }
  if (op.getRowPermutationAttr()) {
    entry.set("row_permutation", op.getRowPermutationAttr());
  }
  return entry.getDictionary(context);
}

LogicalResult ModelLayout::addParameter(ParamOp op) {
  DictionaryAttr attr = parameterEntry(op);
  auto [it, isNew] = parameters.insert({op.getName(), {static_cast<int64_t>(parameters.size()), attr}});
  // The master of a parameter may be wider than what inference reads.
  bool master = op->getParentOfType<func::FuncOp>()->hasAttr("chimera.training");
  if (!isNew && !master && it->second.second != attr) {
    return op.emitOpError("parameter '") << op.getName() << "' is used in two ways";
  }
  return success();
}

/// The entries that a cache block of the target has: the module's chimera.cache_block, 1 without one.
static FailureOr<int64_t> blockEntries(func::FuncOp phase) {
  auto module = phase->getParentOfType<ModuleOp>();
  Attribute attr = module->getAttr("chimera.cache_block");
  if (!attr) {
    return int64_t(1);
  }
  auto block = dyn_cast<IntegerAttr>(attr);
  if (!block || !block.getType().isInteger(64) || block.getInt() < 1 || block.getInt() > 4096) {
    return module.emitError("chimera.cache_block must be the entries of a block, 1 to 4096, got ") << attr;
  }
  return block.getInt();
}

/// A ring has room for the whole blocks that any `window` neighbours may touch; other caches are as they are. Null,
/// with a diagnostic, if that is too large.
static Type withRoom(func::FuncOp phase, Type type, int64_t block) {
  auto ring = dyn_cast<RingType>(type);
  if (!ring || block == 1) {
    return type;
  }
  int64_t room = blocksOfWindow(ring.getWindow(), block) * block;
  return RingType::getChecked([&] { return phase.emitOpError("in blocks of ") << block << " entries: "; },
                              type.getContext(), ring.getWindow(), ring.getHeads(), ring.getDim(), ring.getElement(),
                              ring.getWeights(), room);
}

/// The most bytes of packed weights: beyond it no arithmetic on them is safe.
constexpr int64_t mostPackedBytes = int64_t(1) << 50;

/// Bytes of packed weights: whole panels of whole groups; for i8 also an exponent for each row and 32 neighbours. None
/// if there are more than mostPackedBytes.
static std::optional<int64_t> packedBytes(PackOp op) {
  int64_t outputs = 0, inputs = columnsOf(op.getInputs()[0]);
  int64_t panel = static_cast<int64_t>(op.getPanel()), group = static_cast<int64_t>(op.getGroup());
  auto panelsOf = [&](int64_t rows) { return (rows + panel - 1) / panel; };
  for (Value input : op.getInputs()) {
    int64_t rows = cast<RankedTensorType>(input.getType()).getDimSize(0);
    if (rows > mostPackedBytes - outputs) {
      return std::nullopt;
    }
    outputs += rows;
  }
  int64_t panels = op.getInterleaved() ? 2 * panelsOf(outputs / 2) : panelsOf(outputs);
  int64_t bytesOfRow =
      op.getFormat() == "i8"
          ? llvm::SaturatingMultiply<uint64_t>((uint64_t(inputs) + 31) / 32, 33)
          : llvm::SaturatingMultiply<uint64_t>(llvm::alignTo(uint64_t(inputs), group), op.getFormat() == "f32" ? 4 : 2);
  std::optional<int64_t> bytes = bytesOfRow < 0 ? std::nullopt : llvm::checkedMul(panels * panel, bytesOfRow);
  return bytes && *bytes <= mostPackedBytes ? bytes : std::nullopt;
}

DictionaryAttr ModelLayout::packedEntry(PackOp op) const {
  Builder builder(op.getContext());
  NamedAttrList entry;
  SmallVector<int64_t> numbers;
  for (Value input : op.getInputs()) {
    numbers.push_back(parameter(input.getDefiningOp<ParamOp>().getName()));
  }
  entry.set("parameters", builder.getDenseI64ArrayAttr(numbers));
  entry.set("format", op.getFormatAttr());
  entry.set("panel", op.getPanelAttr());
  entry.set("group", op.getGroupAttr());
  if (op.getInterleaved()) {
    entry.set("interleaved", builder.getUnitAttr());
  }
  entry.set("bytes", builder.getI64IntegerAttr(*packedBytes(op)));
  return entry.getDictionary(op.getContext());
}

LogicalResult ModelLayout::addPack(PackOp op) {
  for (Value input : op.getInputs()) {
    if (!input.getDefiningOp<ParamOp>()) {
      return op.emitOpError("packs what is not a parameter");
    }
  }
  if (!packedBytes(op)) {
    return op.emitOpError("its weights are too large: they take more than 2^50 bytes");
  }
  packs.insert({packedEntry(op), static_cast<int64_t>(packs.size())});
  return success();
}

ArrayAttr ModelLayout::packedAttr(MLIRContext *context) const {
  SmallVector<Attribute> entries;
  for (const auto &entry : packs) {
    entries.push_back(entry.first);
  }
  return entries.empty() ? nullptr : ArrayAttr::get(context, entries);
}

LogicalResult ModelLayout::addCaches(func::FuncOp phase) {
  bool first = !hasPhase;
  hasPhase = true;
  int64_t pools = 0, tables = 0;
  SmallVector<BlockArgument> arguments = cacheArguments(phase);
  if (!first && arguments.size() != caches.size()) {
    return phase.emitOpError("its caches are not those of the other phases");
  }
  FailureOr<int64_t> block = blockEntries(phase);
  if (failed(block)) {
    return failure();
  }
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    auto entry = phase.getArgAttrOfType<DictionaryAttr>(argument.getArgNumber(), "chimera.cache");
    if (!entry || !entry.getAs<IntegerAttr>("layer") || !entry.getAs<StringAttr>("mode") ||
        !entry.getAs<StringAttr>("name")) {
      return phase.emitOpError("argument #")
             << argument.getArgNumber() << " is a cache without chimera.cache = {layer, mode, name}";
    }
    Type type = withRoom(phase, argument.getType(), *block);
    if (!type) {
      return failure();
    }
    NamedAttrList list(entry);
    list.set("type", TypeAttr::get(type));
    DictionaryAttr attr = list.getDictionary(phase.getContext());
    if (!first && caches[i] != attr) {
      return phase.emitOpError("its caches are not those of the other phases");
    }
    if (first) {
      caches.push_back(attr);
      places.push_back({pools, isa<ListType>(argument.getType()) ? tables++ : -1});
      pools += static_cast<int64_t>(cast<CacheTypeInterface>(argument.getType()).getPools().size());
    }
  }
  return success();
}

LogicalResult ModelLayout::add(func::FuncOp phase) {
  if (phase->hasAttr("chimera.training") && !cacheArguments(phase).empty()) {
    return phase.emitOpError("is a training program, which has no caches");
  }
  if (!phase->hasAttr("chimera.training") && failed(addCaches(phase))) {
    return failure();
  }
  WalkResult result = phase.walk(
      [&](ParamOp op) { return failed(addParameter(op)) ? WalkResult::interrupt() : WalkResult::advance(); });
  if (!result.wasInterrupted()) {
    result =
        phase.walk([&](PackOp op) { return failed(addPack(op)) ? WalkResult::interrupt() : WalkResult::advance(); });
  }
  return failure(result.wasInterrupted());
}

LogicalResult ModelLayout::addUnread(ModuleOp module) {
  auto all = module->getAttrOfType<ArrayAttr>("chimera.parameters");
  for (Attribute attr : all ? all.getValue() : ArrayRef<Attribute>()) {
    auto entry = dyn_cast<DictionaryAttr>(attr);
    auto name = entry ? entry.getAs<StringAttr>("name") : StringAttr();
    if (!name) {
      return module.emitError("chimera.parameters must list dictionaries with a name, got ") << attr;
    }
    parameters.insert({name, {static_cast<int64_t>(parameters.size()), entry}});
  }
  return success();
}

ArrayAttr ModelLayout::parametersAttr(MLIRContext *context) const {
  SmallVector<Attribute> entries;
  for (const auto &entry : parameters) {
    entries.push_back(entry.second.second);
  }
  return ArrayAttr::get(context, entries);
}

ArrayAttr ModelLayout::cachesAttr(MLIRContext *context) const {
  return ArrayAttr::get(context, caches);
}
