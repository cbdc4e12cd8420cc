// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The manifest of a planned module.
#include "codegen/binary/FromIR.h"

#include "dialect/IR/ModelAttr.h"
#include "dialect/IR/Ops.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace chimera::binary {

namespace {

llvm::Error fault(const llvm::Twine &what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), what);
}

std::string text(Type element) {
  return element.isF64() ? "f64" : element.isF32() ? "f32" : "bf16";
}

/// Reads attributes of a dictionary; the first that is missing is kept as the error.
class Fields {
public:
  Fields(DictionaryAttr dictionary, llvm::StringRef where) : dictionary(dictionary), where(where) {}

  int64_t integer(llvm::StringRef name) {
    auto attr = get<IntegerAttr>(name);
    return attr ? attr.getInt() : 0;
  }

  std::string string(llvm::StringRef name) {
    auto attr = get<StringAttr>(name);
    return attr ? attr.getValue().str() : std::string();
  }

  std::vector<int64_t> integers(llvm::StringRef name) {
    auto attr = get<DenseI64ArrayAttr>(name);
    return attr ? std::vector<int64_t>(attr.asArrayRef()) : std::vector<int64_t>();
  }

  std::vector<int64_t> optionalIntegers(llvm::StringRef name) {
    return has(name) ? integers(name) : std::vector<int64_t>();
  }

  /// True for a unit attribute or `true`.
  bool flag(llvm::StringRef name) {
    auto value = dictionary ? dictionary.getAs<BoolAttr>(name) : BoolAttr();
    return value ? value.getValue() : has(name);
  }

  Type type(llvm::StringRef name) {
    auto attr = get<TypeAttr>(name);
    return attr ? attr.getValue() : Type();
  }

  bool has(llvm::StringRef name) const { return dictionary && dictionary.contains(name); }

  /// The first fault, once all has been read.
  llvm::Error takeError() {
    return missing.empty() ? llvm::Error::success()
                           : fault(llvm::Twine(where) + ": '" + missing + "' is missing or of another kind");
  }

private:
  template <typename Attr> Attr get(llvm::StringRef name) {
    auto attr = dictionary ? dictionary.getAs<Attr>(name) : Attr();
    if (!attr && missing.empty())
      missing = name.str();
    return attr;
  }

  DictionaryAttr dictionary;
  std::string where, missing;
};

llvm::Error readModel(ModuleOp module, Manifest &manifest) {
  Attribute attr = module->getAttr(ir::attrs::model);
  if (!attr)
    return fault(llvm::Twine("the module has no ") + ir::attrs::model);
  std::string message;
  ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &diagnostic) {
    message = diagnostic.str();
    return success();
  });
  FailureOr<ir::ModelDescription> description = ir::readModel(attr, [&] { return module.emitError(); });
  if (failed(description))
    return fault(message);
  manifest.dtype = description->dtype.str();
  ModelInfo &model = manifest.model;
  model.vocabSize = description->vocabSize;
  model.hiddenSize = description->hiddenSize;
  model.window = description->window;
  model.headDim = description->headDim;
  model.numAttentionHeads = description->numAttentionHeads;
  model.numKeyValueHeads = description->numKeyValueHeads;
  model.bosTokenId = description->bosTokenId;
  model.eosTokenIds = description->eosTokenIds.vec();
  model.maxPositionEmbeddings = description->maxPositionEmbeddings;
  model.sampling = description->sampling;
  for (const ir::ModelDescription::Layer &layer : description->layers) {
    ModelLayer info;
    for (ir::Mode mode : layer.modes)
      info.modes.push_back(ir::stringifyMode(mode).str());
    info.forceable = info.modes;
    info.target.assign(layer.targets.begin(), layer.targets.end());
    model.layers.push_back(std::move(info));
  }
  return llvm::Error::success();
}

/// Layers whose route takes no forced modes cannot be forced.
void readForceable(ModuleOp module, Manifest &manifest) {
  auto attr = module->getAttrOfType<ArrayAttr>(ir::attrs::unforcedLayers);
  for (Attribute layer : attr ? attr.getValue() : ArrayRef<Attribute>()) {
    auto index = dyn_cast<IntegerAttr>(layer);
    if (index && index.getInt() >= 0 && index.getInt() < static_cast<int64_t>(manifest.model.layers.size()))
      manifest.model.layers[index.getInt()].forceable.clear();
  }
}

llvm::Error readParameters(ModuleOp module, Manifest &manifest) {
  auto attr = module->getAttrOfType<ArrayAttr>(ir::attrs::parameters);
  if (!attr)
    return fault("the module has no chimera.parameters: its programs are not planned");
  for (Attribute entry : attr) {
    Fields fields(dyn_cast<DictionaryAttr>(entry), ir::attrs::parameters);
    Parameter parameter;
    parameter.name = fields.string("name");
    parameter.optional = fields.has("optional");
    parameter.source = fields.has("source") ? fields.string("source") : std::string();
    parameter.sourceShape = fields.optionalIntegers("source_shape");
    if (fields.has("source_row"))
      parameter.sourceRow = fields.integer("source_row");
    parameter.rowPermutation = fields.optionalIntegers("row_permutation");
    auto type = dyn_cast_or_null<RankedTensorType>(fields.type("type"));
    if (llvm::Error error = fields.takeError())
      return error;
    if (!type)
      return fault("chimera.parameters: the type of '" + parameter.name + "' is not a tensor");
    parameter.shape.assign(type.getShape().begin(), type.getShape().end());
    parameter.dtype = text(type.getElementType());
    manifest.parameters.push_back(std::move(parameter));
  }
  return llvm::Error::success();
}

/// The parameters that have gradients.
llvm::Error readTrainable(ModuleOp module, Manifest &manifest) {
  auto attr = module->getAttrOfType<ArrayAttr>(ir::attrs::trainable);
  for (Attribute entry : attr ? attr.getValue() : ArrayRef<Attribute>()) {
    auto name = dyn_cast<StringAttr>(entry);
    auto parameter = llvm::find_if(manifest.parameters,
                                   [&](const Parameter &known) { return name && name.getValue() == known.name; });
    if (parameter == manifest.parameters.end())
      return fault("chimera.trainable: names what is not a parameter");
    manifest.trainable.push_back(parameter - manifest.parameters.begin());
  }
  llvm::sort(manifest.trainable);
  return llvm::Error::success();
}

llvm::Error readPacked(ModuleOp module, Variant &variant) {
  auto attr = module->getAttrOfType<ArrayAttr>(ir::attrs::packed);
  for (Attribute entry : attr ? attr.getValue() : ArrayRef<Attribute>()) {
    Fields fields(dyn_cast<DictionaryAttr>(entry), ir::attrs::packed);
    PackedWeights packed;
    packed.parameters = fields.integers("parameters");
    packed.format = fields.string("format");
    packed.panel = fields.integer("panel");
    packed.group = fields.integer("group");
    packed.interleaved = fields.flag("interleaved");
    packed.bytes = fields.integer("bytes");
    if (llvm::Error error = fields.takeError())
      return error;
    variant.packed.push_back(std::move(packed));
  }
  return llvm::Error::success();
}

/// Bytes of a page of `list`, whose weights have the accumulators' type.
int64_t pageBytes(ir::ListType list) {
  int64_t weightBytes = list.getElement().isF64() ? 8 : 4;
  return ir::listPageBytes(list.getHeads(), list.getDim(), ir::elementBytes(list.getElement()), weightBytes);
}

llvm::Error readCaches(ModuleOp module, Manifest &manifest) {
  auto attr = module->getAttrOfType<ArrayAttr>(ir::attrs::caches);
  if (!attr)
    return fault("the module has no chimera.caches: its programs are not planned");
  manifest.pages.entries = ir::listPageEntries;
  for (Attribute entry : attr) {
    Fields fields(dyn_cast<DictionaryAttr>(entry), ir::attrs::caches);
    Cache cache;
    cache.layer = fields.integer("layer");
    cache.mode = fields.string("mode");
    std::string name = fields.string("name");
    auto type = dyn_cast_or_null<ir::CacheTypeInterface>(fields.type("type"));
    if (llvm::Error error = fields.takeError())
      return error;
    if (!type)
      return fault("chimera.caches: the type of '" + name + "' is not a cache");
    cache.kind = type.getKind().str();
    if (auto ring = dyn_cast<ir::RingType>(type))
      cache.room = std::max(ring.getWindow(), ring.getRoom()); // no room: the window
    for (const ir::PoolInfo &pool : type.getPools()) {
      cache.pools.push_back(static_cast<int64_t>(manifest.pools.size()));
      manifest.pools.push_back({name + "." + pool.name, cache.layer, cache.mode, pool.bytes});
    }
    if (auto list = dyn_cast<ir::ListType>(entry ? fields.type("type") : Type())) {
      cache.table = manifest.pages.tables++;
      int64_t bytes = pageBytes(list);
      if (manifest.pages.bytes != 0 && manifest.pages.bytes != bytes)
        return fault("chimera.caches: '" + name + "' has other pages than the lists before it");
      manifest.pages.bytes = bytes;
    }
    manifest.caches.push_back(std::move(cache));
  }
  return llvm::Error::success();
}

Buffer readBuffer(ir::BufferAttr attr) {
  switch (attr.getKind()) {
  case ir::BufferKind::Arena:
    return Buffer::arena(attr.getIndex(), attr.getBytes());
  case ir::BufferKind::Param:
    return Buffer::param(attr.getIndex());
  case ir::BufferKind::Pool:
    return Buffer::pool(attr.getIndex());
  case ir::BufferKind::Pages:
    return Buffer::pages();
  case ir::BufferKind::Table:
    return Buffer::table(attr.getIndex());
  case ir::BufferKind::Step:
    return Buffer::stepBuffer(attr.getName().str());
  case ir::BufferKind::Packed:
    return Buffer::packed(attr.getIndex());
  case ir::BufferKind::Grad:
    return Buffer::grad(attr.getIndex());
  case ir::BufferKind::Total:
    return Buffer::total(attr.getIndex());
  case ir::BufferKind::Moment1:
    return Buffer::moment1(attr.getIndex());
  case ir::BufferKind::Moment2:
    return Buffer::moment2(attr.getIndex());
  }
  llvm_unreachable("no such kind of buffer");
}

/// The threads of a block of a kernel's; 0 for one that is no GPU kernel. `kernels` may be null.
int64_t threadsOf(ModuleOp kernels, StringRef symbol) {
  Operation *kernel = kernels ? kernels.lookupSymbol(symbol) : nullptr;
  auto threads =
      kernel ? kernel->getAttrOfType<DenseI32ArrayAttr>(NVVM::NVVMDialect::getMaxntidAttrName()) : DenseI32ArrayAttr();
  return threads && !threads.empty() ? threads[0] : 0;
}

Phase readProgram(ir::ProgramOp program, ModuleOp kernels) {
  Phase phase;
  phase.name = program.getSymName().str();
  phase.limits = {static_cast<int64_t>(program.getMaxTokens()), static_cast<int64_t>(program.getMaxSeqs())};
  phase.arenaBytes = static_cast<int64_t>(program.getArenaBytes());
  if (DictionaryAttr results = program.getResultsAttr()) {
    for (NamedAttribute result : results) {
      auto slice = cast<DenseI64ArrayAttr>(result.getValue());
      phase.results.push_back({result.getName().str(), {slice[0], slice[1]}});
    }
    if (std::optional<uint64_t> before = program.getExchangeBefore()) {
      phase.exchangeBefore = static_cast<int64_t>(*before);
      ArrayRef<int64_t> spans = *program.getExchange();
      for (size_t i = 0; i + 1 < spans.size(); i += 2)
        phase.exchange.push_back({spans[i], spans[i + 1]});
    }
  } else {
    phase.logits = {(*program.getLogits())[0], (*program.getLogits())[1]};
    phase.routing = {(*program.getRouting())[0], (*program.getRouting())[1]};
  }
  for (auto op : program.getBody().getOps<ir::LaunchOp>()) {
    Launch launch;
    launch.kernel = op.getKernel().str();
    launch.op = op.getOp().str();
    launch.layer = static_cast<int64_t>(op.getLayer());
    ir::GridAttr grid = op.getGrid();
    launch.grid = {grid.getTokens(), grid.getSeqs(), grid.getOutputs(), grid.getConstant(), grid.getDivisor()};
    for (Attribute buffer : op.getBuffers())
      launch.buffers.push_back(readBuffer(cast<ir::BufferAttr>(buffer)));
    launch.constants.assign(op.getConstants().begin(), op.getConstants().end());
    if (std::optional<uint64_t> count = op.getCount())
      launch.count = static_cast<int64_t>(*count);
    launch.threads = threadsOf(kernels, launch.kernel);
    phase.launches.push_back(std::move(launch));
  }
  return phase;
}

} // namespace

llvm::Expected<Manifest> manifestFromIR(ModuleOp module) {
  Manifest manifest;
  for (auto read : {readModel, readParameters, readTrainable, readCaches})
    if (llvm::Error error = read(module, manifest))
      return error;
  readForceable(module, manifest);
  Variant &variant = manifest.variants.emplace_back();
  if (llvm::Error error = readPacked(module, variant))
    return error;
  auto kernels = module.lookupSymbol<ModuleOp>("kernels");
  for (auto program : module.getOps<ir::ProgramOp>()) {
    variant.phases.push_back(readProgram(program, kernels));
    manifest.limits.maxTokens = std::max(manifest.limits.maxTokens, variant.phases.back().limits.maxTokens);
    manifest.limits.maxSeqs = std::max(manifest.limits.maxSeqs, variant.phases.back().limits.maxSeqs);
  }
  if (variant.phases.empty())
    return fault("the module has no chimera.program");
  return manifest;
}

} // namespace chimera::binary
