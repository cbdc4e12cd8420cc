// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers the parameters and caches of a model.

#include "passes/ModelLayout.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

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

LogicalResult ModelLayout::addParameter(ParamOp op) {
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
  DictionaryAttr attr = entry.getDictionary(context);
  auto [it, isNew] = parameters.insert({op.getName(), {static_cast<int64_t>(parameters.size()), attr}});
  if (!isNew && it->second.second != attr) {
    return op.emitOpError("parameter '") << op.getName() << "' is used in two ways";
  }
  return success();
}

LogicalResult ModelLayout::addCaches(func::FuncOp phase) {
  bool first = !hasPhase;
  hasPhase = true;
  int64_t pools = 0, tables = 0;
  SmallVector<BlockArgument> arguments = cacheArguments(phase);
  if (!first && arguments.size() != caches.size()) {
    return phase.emitOpError("its caches are not those of the other phases");
  }
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    auto entry = phase.getArgAttrOfType<DictionaryAttr>(argument.getArgNumber(), "chimera.cache");
    if (!entry || !entry.getAs<IntegerAttr>("layer") || !entry.getAs<StringAttr>("mode") ||
        !entry.getAs<StringAttr>("name")) {
      return phase.emitOpError("argument #")
             << argument.getArgNumber() << " is a cache without chimera.cache = {layer, mode, name}";
    }
    NamedAttrList list(entry);
    list.set("type", TypeAttr::get(argument.getType()));
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
  if (failed(addCaches(phase))) {
    return failure();
  }
  WalkResult result = phase.walk(
      [&](ParamOp op) { return failed(addParameter(op)) ? WalkResult::interrupt() : WalkResult::advance(); });
  return failure(result.wasInterrupted());
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
