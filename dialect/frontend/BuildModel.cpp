// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/frontend/BuildModel.h"

#include "dialect/frontend/ModelBuilder.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include <limits>

using namespace mlir;

namespace chimera {

namespace {

ir::Mode toIr(Mode mode) {
  return static_cast<ir::Mode>(static_cast<uint32_t>(mode));
}
static_assert(static_cast<int>(ir::Mode::SSM) == static_cast<int>(Mode::Ssm) &&
              static_cast<int>(ir::Mode::SWA) == static_cast<int>(Mode::Swa) &&
              static_cast<int>(ir::Mode::Full) == static_cast<int>(Mode::Full) &&
              static_cast<int>(ir::Mode::Identity) == static_cast<int>(Mode::Identity));

ir::Activation toIr(ActivationKind kind) {
  switch (kind) {
  case ActivationKind::Silu:
    return ir::Activation::SiLU;
  case ActivationKind::GeluTanh:
    return ir::Activation::GELUTanh;
  case ActivationKind::Relu2:
    return ir::Activation::ReLU2;
  }
  llvm_unreachable("every activation is listed");
}

/// One cache argument of @model.
struct CacheSlot {
  Type type;
  int64_t layer;
  std::string mode, name;
};

/// Builds @model: its signature from the config, then the layers in order.
class FunctionBuilder {
public:
  FunctionBuilder(MLIRContext &context, const Config &config, DType dtype)
      : model(context, config, dtype), config(config) {}

  void build(ModuleOp module);

private:
  void declareCaches();
  void addCache(Type type, int64_t layer, StringRef mode, StringRef what);
  func::FuncOp createFunction(ModuleOp module);
  void buildLayer(int64_t layer);
  Value buildTokenConv(Value h);
  struct Routing {
    Value mode, gate, logP;
  };
  Routing buildRoute(Value h);
  std::pair<DenseF64ArrayAttr, DenseI64ArrayAttr> capacity();
  Value buildMix(Value residual, Value h, const std::vector<Mode> &modes, const Routing &routing);
  Value buildFeedForward(Value z);
  Value buildNetwork(Value u, StringRef name);
  Value buildExperts(Value u);
  ir::RouteExpertsOp routeExperts(Value logits, Value bias, const ExpertConfig &experts);
  Value addExpert(Value sum, Value output, Value weights, int64_t expert, Value from);

  bool weighted() const { return config.router.writeGate && config.hasRouter(model.getLayer()); }
  ArrayAttr modesAttr(const std::vector<Mode> &modes) {
    return ir::modesAttr(model.ops().getContext(), llvm::map_to_vector(modes, [](Mode mode) { return toIr(mode); }));
  }
  ArrayAttr layerModes() { return modesAttr(config.layerModes[model.getLayer()]); }

  ModelBuilder model;
  const Config &config;
  SmallVector<CacheSlot> slots;
  SmallVector<Value> caches; ///< the current version of each slot
  size_t nextCache = 0;      ///< the first slot that the layers so far have not used
  SmallVector<Value> layerRouting;
  Value tokens, rows, outputs, forced;
  Value x; ///< the residual stream
};

void FunctionBuilder::addCache(Type type, int64_t layer, StringRef mode, StringRef what) {
  std::string name = ("layers." + Twine(layer) + "." + mode + "." + what).str();
  slots.push_back({type, layer, mode.str(), std::move(name)});
}

void FunctionBuilder::declareCaches() {
  MLIRContext *context = model.ops().getContext();
  for (int64_t layer = 0; layer < config.numLayers; ++layer) {
    model.enterLayer(layer);
    if (config.tokenConvKernel > 1 && config.hasMixer(layer))
      addCache(ir::TailType::get(context, config.tokenConvKernel - 1, config.hiddenSize, model.accumulator()), layer,
               "token_conv", "tail");
    if (config.hasRouter(layer))
      addCache(ir::CountsType::get(context, static_cast<int64_t>(config.layerModes[layer].size())), layer, "route",
               "counts");
    auto addMixer = [&](Mode mode, bool isWeighted) {
      for (const MixerCache &cache : mixerCaches(model, mode, isWeighted))
        addCache(cache.type, layer, StringRef(modeName(mode)), cache.name);
    };
    for (Mode mode : config.mixersOf(layer))
      addMixer(mode, weighted());
    if (std::optional<Mode> beside = config.parallelMode(layer))
      addMixer(*beside, false);
  }
  model.enterLayer(-1);
}

func::FuncOp FunctionBuilder::createFunction(ModuleOp module) {
  OpBuilder &builder = model.ops();
  MLIRContext *context = builder.getContext();
  Type modesOfRows = RankedTensorType::get({ShapedType::kDynamic, config.numLayers}, builder.getI8Type());
  SmallVector<Type> inputs = {RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type()), model.rowsType(),
                              model.rowsType(), modesOfRows};
  SmallVector<Type> results = {model.rowsOfAccumulators(config.vocabSize), modesOfRows};
  for (const CacheSlot &slot : slots) {
    inputs.push_back(slot.type);
    results.push_back(slot.type);
  }
  builder.setInsertionPointToEnd(module.getBody());
  auto function = builder.create<func::FuncOp>(model.loc(), "model", FunctionType::get(context, inputs, results));
  const std::array<StringRef, 4> stepNames = {"tokens", "rows", "outputs", "forced"};
  for (auto [index, name] : llvm::enumerate(stepNames))
    function.setArgAttr(index, ir::attrs::step, builder.getStringAttr(name));
  for (auto [index, slot] : llvm::enumerate(slots))
    function.setArgAttr(4 + index, ir::attrs::cache,
                        builder.getDictionaryAttr({builder.getNamedAttr("layer", model.i64(slot.layer)),
                                                   builder.getNamedAttr("mode", builder.getStringAttr(slot.mode)),
                                                   builder.getNamedAttr("name", builder.getStringAttr(slot.name))}));
  Block *block = function.addEntryBlock();
  builder.setInsertionPointToStart(block);
  tokens = block->getArgument(0);
  rows = block->getArgument(1);
  outputs = block->getArgument(2);
  forced = block->getArgument(3);
  caches.assign(block->args_begin() + 4, block->args_end());
  return function;
}

Value FunctionBuilder::buildTokenConv(Value h) {
  if (config.tokenConvKernel == 0)
    return h;
  OpBuilder &builder = model.ops();
  Value tail = config.tokenConvKernel > 1 ? caches[nextCache] : Value();
  auto none = ir::ActivationAttr::get(builder.getContext(), ir::Activation::None);
  Value convolved = builder.create<ir::CausalConvOp>(model.loc(), h.getType(), h, model.parameter("token_conv.weight"),
                                                     model.parameter("token_conv.bias"), tail, rows, none);
  if (tail)
    caches[nextCache++] = builder.create<ir::ShiftTailOp>(model.loc(), tail.getType(), h, tail, rows);
  return builder.create<ir::AddOp>(model.loc(), h.getType(), h, convolved);
}

/// The limits of each of the layer's modes; null attributes when there is none.
std::pair<DenseF64ArrayAttr, DenseI64ArrayAttr> FunctionBuilder::capacity() {
  SmallVector<double> rates;
  SmallVector<int64_t> counts;
  bool limited = false;
  for (Mode mode : config.layerModes[model.getLayer()]) {
    auto index = static_cast<size_t>(mode);
    std::optional<int64_t> most = config.router.maxTokens[index];
    if (!config.layerHas(model.getLayer(), mode))
      most = 0; // dropped
    rates.push_back(config.router.capacityFactor ? *config.router.capacityFactor * config.router.target[index]
                                                 : std::numeric_limits<double>::infinity());
    counts.push_back(most.value_or(-1));
    limited |= config.router.capacityFactor || most;
  }
  if (!limited)
    return {};
  return {model.ops().getDenseF64ArrayAttr(rates), model.ops().getDenseI64ArrayAttr(counts)};
}

FunctionBuilder::Routing FunctionBuilder::buildRoute(Value h) {
  OpBuilder &builder = model.ops();
  const RouterConfig &router = config.router;
  Value u = model.norm(router.inputNorm, h, "router.norm"), logits;
  if (router.kind == RouterKind::Linear) {
    logits = model.linear(u, "router.proj");
  } else {
    Value hidden = model.linear(u, "router.fc1");
    auto silu = ir::ActivationAttr::get(builder.getContext(), ir::Activation::SiLU);
    hidden = builder.create<ir::ActivateOp>(model.loc(), hidden.getType(), silu, hidden);
    logits = model.linear(hidden, "router.fc2");
  }
  Value counts = caches[nextCache];
  auto gateKind = ir::GateKindAttr::get(builder.getContext(),
                                        router.gate == GateKind::One ? ir::GateKind::One : ir::GateKind::Prob);
  auto [rates, most] = capacity();
  // Nothing is forced where modes are dropped: a token cannot be sent where there is no mixer.
  bool isWhole = config.mixersOf(model.getLayer()).size() == config.layerModes[model.getLayer()].size();
  auto route = builder.create<ir::RouteOp>(
      model.loc(), RankedTensorType::get({ShapedType::kDynamic}, builder.getI8Type()),
      RankedTensorType::get({ShapedType::kDynamic}, model.accumulator()), logits.getType(), counts.getType(),
      layerModes(), logits, model.parameter("router.bias"), isWhole ? forced : Value(), counts, rows,
      model.i64(model.getLayer()), gateKind, model.f64(router.temperature),
      router.biasInGate ? builder.getUnitAttr() : UnitAttr(), rates, most);
  caches[nextCache++] = route.getCountsOut();
  return {route.getMode(), route.getGate(), route.getLogP()};
}

/// What the mixers of `modes` make of h, added to `residual`. All tokens take the one mode where there is no routing.
Value FunctionBuilder::buildMix(Value residual, Value h, const std::vector<Mode> &modes, const Routing &routing) {
  OpBuilder &builder = model.ops();
  bool hasWeights = routing.logP && weighted();
  SmallVector<int64_t> cacheCounts;
  SmallVector<Value> mixCaches;
  SmallVector<Type> cacheTypes;
  for (Mode mode : modes) {
    SmallVector<MixerCache> ofMode = mixerCaches(model, mode, hasWeights);
    cacheCounts.push_back(static_cast<int64_t>(ofMode.size()));
    for (const MixerCache &cache : ofMode) {
      mixCaches.push_back(caches[nextCache + mixCaches.size()]);
      cacheTypes.push_back(cache.type);
    }
  }
  auto policy = ir::CachePolicyAttr::get(
      builder.getContext(), config.cacheWrite == CacheWrite::All ? ir::CachePolicy::All : ir::CachePolicy::Routed);
  auto mix = builder.create<ir::MixOp>(model.loc(), residual.getType(), cacheTypes, modesAttr(modes), policy, residual,
                                       h, routing.mode, routing.gate, hasWeights ? routing.logP : Value(), rows,
                                       mixCaches, hasWeights ? layerModes() : ArrayAttr(),
                                       builder.getDenseI64ArrayAttr(cacheCounts), static_cast<unsigned>(modes.size()));
  for (auto [region, mode] : llvm::zip_equal(mix.getMixers(), modes))
    buildMixer(model, region, mode, hasWeights);
  for (Value version : mix.getCachesOut())
    caches[nextCache++] = version;
  return mix.getResult();
}

/// down(f(gate u) * (up u)), or down(f(up u)), of the parameters NAME.gate_proj.weight and so on.
Value FunctionBuilder::buildNetwork(Value u, StringRef name) {
  OpBuilder &builder = model.ops();
  auto product = [&](Value x, const char *matrix) { return model.linear(x, (name + "." + matrix).str()); };
  auto activation = ir::ActivationAttr::get(builder.getContext(), toIr(config.mlpActivation));
  Value gate = config.mlpGated ? model.scale(product(u, "gate_proj"), config.mlpGateMultiplier) : Value();
  Value up = product(u, "up_proj");
  Value hidden;
  if (config.mlpGated)
    hidden = builder.create<ir::GluOp>(model.loc(), up.getType(), activation, gate, up);
  else
    hidden = builder.create<ir::ActivateOp>(model.loc(), up.getType(), activation, up);
  return model.scale(product(hidden, "down_proj"), config.mlpOutputMultiplier);
}

ir::RouteExpertsOp FunctionBuilder::routeExperts(Value logits, Value bias, const ExpertConfig &experts) {
  OpBuilder &builder = model.ops();
  auto score =
      ir::ExpertScoreAttr::get(builder.getContext(), experts.score == ExpertScore::Softmax ? ir::ExpertScore::Softmax
                                                                                           : ir::ExpertScore::Sigmoid);
  Type chosen = RankedTensorType::get({ShapedType::kDynamic, experts.count}, builder.getI8Type());
  UnitAttr normalized = experts.normalized ? builder.getUnitAttr() : UnitAttr();
  return builder.create<ir::RouteExpertsOp>(model.loc(), chosen, logits.getType(), score, logits, bias,
                                            model.i64(experts.active), normalized, model.f64(experts.scale));
}

Value FunctionBuilder::addExpert(Value sum, Value output, Value weights, int64_t expert, Value from) {
  return model.ops().create<ir::AddExpertOp>(model.loc(), sum.getType(), sum, output, weights, model.i64(expert), from);
}

/// The network that all tokens take, and onto it, in the order of the experts, what each makes of the tokens that chose
/// it. Routers come first: products of one input are stacked up to the next routing.
Value FunctionBuilder::buildExperts(Value u) {
  OpBuilder &builder = model.ops();
  const ExpertConfig &experts = config.experts;
  Value bias = experts.bias ? model.parameter("ffn.router.bias") : Value();
  ir::RouteExpertsOp route = routeExperts(model.linear(u, model.parameter("ffn.router.weight")), bias, experts);
  Value gate;
  if (experts.sharedGate) {
    ExpertConfig shared; // the sigmoid of one logit
    shared.count = shared.active = 1;
    shared.score = ExpertScore::Sigmoid;
    gate = routeExperts(model.linear(u, model.parameter("ffn.router.shared.weight")), Value(), shared).getWeights();
  }
  Value shared = experts.sharedIntermediateSize > 0 ? buildNetwork(u, "ffn") : Value();
  Value sum = shared;
  if (!shared || gate)
    sum = builder.create<ir::ZerosOp>(model.loc(), model.rowsOfAccumulators(config.hiddenSize), rows);
  if (gate)
    sum = addExpert(sum, shared, gate, 0, rows);
  SmallVector<Type> sliceTypes(static_cast<size_t>(experts.count), rows.getType());
  auto dispatch = builder.create<ir::DispatchExpertsOp>(model.loc(), sliceTypes, route.getChosen(), rows,
                                                        model.i64(experts.active));
  for (auto [expert, slice] : llvm::enumerate(dispatch.getSlices())) {
    Value output = buildNetwork(model.gather(u, rows, slice), "ffn.experts." + std::to_string(expert));
    sum = addExpert(sum, output, route.getWeights(), static_cast<int64_t>(expert), slice);
  }
  return sum;
}

Value FunctionBuilder::buildFeedForward(Value z) {
  if (!config.hasFeedForward(model.getLayer()))
    return z;
  Value u = model.norm(config.norm, z, "ffn_norm");
  Value output = config.hasExperts(model.getLayer()) ? buildExperts(u) : buildNetwork(u, "ffn");
  return model.ops().create<ir::AddOp>(model.loc(), z.getType(), z, model.added(output, "post_ffn_norm"));
}

void FunctionBuilder::buildLayer(int64_t layer) {
  model.enterLayer(layer);
  bool mixes = config.hasMixer(layer);
  Value h = mixes ? buildTokenConv(model.norm(config.norm, x, "input_norm")) : Value();
  Routing routing;
  if (config.hasRouter(layer)) {
    routing = buildRoute(h);
    layerRouting.push_back(routing.mode);
  } else {
    auto mode = ir::ModeAttr::get(model.ops().getContext(), toIr(config.layerModes[layer].front()));
    model.enterLayer(-1); // all layers of this mode share it
    layerRouting.push_back(model.ops().create<ir::ConstantModeOp>(
        model.loc(), RankedTensorType::get({ShapedType::kDynamic}, model.ops().getI8Type()), mode, rows));
    model.enterLayer(layer);
  }
  if (mixes)
    x = buildMix(x, h, config.mixersOf(layer), routing);
  if (std::optional<Mode> beside = config.parallelMode(layer))
    x = buildMix(x, h, {*beside}, Routing());
  x = buildFeedForward(x);
}

void FunctionBuilder::build(ModuleOp module) {
  declareCaches();
  func::FuncOp function = createFunction(module);
  OpBuilder &builder = model.ops();
  Value table = model.parameter("embed_tokens.weight");
  x = builder.create<ir::EmbedOp>(model.loc(), model.rowsOfAccumulators(config.hiddenSize), tokens, table, rows);
  x = model.scale(x, config.embeddingMultiplier);
  for (int64_t layer = 0; layer < config.numLayers; ++layer)
    buildLayer(layer);
  model.enterLayer(-1);

  Value last = model.norm(config.norm, model.gather(x, rows, outputs), "norm");
  Value head = config.tieWordEmbeddings ? table : model.parameter("lm_head.weight");
  // The scale comes before the product: as many logits as there are tokens of the vocabulary would be scaled after it.
  Value logits = model.linear(model.scale(last, 1.0 / config.logitsScaling), head);
  SmallVector<Value> results = {model.softCap(logits, config.logitsSoftCap)};
  Value routing = builder.create<ir::StackModesOp>(model.loc(), function.getFunctionType().getResult(1), layerRouting);
  results.push_back(routing);
  results.append(caches);
  builder.create<func::ReturnOp>(model.loc(), results);
}

/// The shares of the tokens that `modes` of a layer are meant to take: router.target renormalised over them; equal
/// shares where it is 0 for all of them.
SmallVector<double> targetShares(const Config &config, ArrayRef<Mode> modes) {
  double sum = 0.0;
  for (Mode mode : modes)
    sum += config.router.target[static_cast<size_t>(mode)];
  SmallVector<double> shares;
  for (Mode mode : modes)
    shares.push_back(sum > 0.0 ? config.router.target[static_cast<size_t>(mode)] / sum
                               : 1.0 / static_cast<double>(modes.size()));
  return shares;
}

/// The attribute `chimera.model`: what the manifest says of the model beyond its launches.
DictionaryAttr describeModel(OpBuilder &builder, const Config &config, DType dtype) {
  NamedAttrList list;
  auto add = [&](StringRef name, int64_t value) { list.append(name, builder.getI64IntegerAttr(value)); };
  list.append("dtype", builder.getStringAttr(StringRef(dtypeName(dtype))));
  add("vocab_size", config.vocabSize);
  add("hidden_size", config.hiddenSize);
  add("window", config.window);
  add("head_dim", config.headDim);
  add("num_attention_heads", config.numAttentionHeads);
  add("num_key_value_heads", config.numKeyValueHeads);
  if (config.bosTokenId)
    add("bos_token_id", *config.bosTokenId);
  if (!config.eosTokenIds.empty())
    list.append("eos_token_ids", builder.getDenseI64ArrayAttr(config.eosTokenIds));
  if (config.maxPositionEmbeddings)
    add("max_position_embeddings", *config.maxPositionEmbeddings);
  if (config.sampling)
    list.append("sampling",
                builder.getDictionaryAttr(
                    {builder.getNamedAttr("temperature", builder.getF64FloatAttr(config.sampling->temperature)),
                     builder.getNamedAttr("top_k", builder.getI64IntegerAttr(config.sampling->topK)),
                     builder.getNamedAttr("top_p", builder.getF64FloatAttr(config.sampling->topP))}));
  SmallVector<Attribute> layers, targets;
  for (const std::vector<Mode> &modes : config.layerModes) {
    SmallVector<Attribute> names;
    for (Mode mode : modes)
      names.push_back(builder.getStringAttr(StringRef(modeName(mode))));
    layers.push_back(builder.getArrayAttr(names));
    targets.push_back(builder.getDenseF64ArrayAttr(targetShares(config, modes)));
  }
  list.append("layers", builder.getArrayAttr(layers));
  list.append("targets", builder.getArrayAttr(targets));
  return list.getDictionary(builder.getContext());
}

} // namespace

std::string_view dtypeName(DType dtype) {
  switch (dtype) {
  case DType::F64:
    return "f64";
  case DType::F32:
    return "f32";
  case DType::BF16:
    return "bf16";
  }
  return {};
}

std::optional<DType> dtypeFromName(std::string_view name) {
  for (DType dtype : {DType::F64, DType::F32, DType::BF16})
    if (dtypeName(dtype) == name)
      return dtype;
  return std::nullopt;
}

OwningOpRef<ModuleOp> buildModel(MLIRContext &context, const Config &config, DType dtype) {
  context.loadDialect<ir::ChimeraDialect, func::FuncDialect>();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  OpBuilder builder(&context);
  (*module)->setAttr(ir::attrs::model, describeModel(builder, config, dtype));
  FunctionBuilder(context, config, dtype).build(*module);
  return module;
}

} // namespace chimera
