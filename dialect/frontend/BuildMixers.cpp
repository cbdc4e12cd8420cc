// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The regions of chimera.mix: what each mode does with the tokens it sees. A region does not rely on seeing only its
// own rows: what is needed for the own ones alone is gathered, and the gather folds where the two are the same.
#include "dialect/frontend/ModelBuilder.h"

using namespace mlir;

namespace chimera {

namespace {

/// The block arguments of a mixer's region.
struct MixerInput {
  Value tokens; ///< [seen, D] in T
  Value seen, own;
  Value write; ///< [seen], or null
  ValueRange caches;
};

/// What a mixer yields: its output (or null: it skips) and the new versions of its caches.
struct MixerOutput {
  Value output;
  SmallVector<Value> caches;
};

/// A causal convolution of `taps` taps over the seen rows, with the parameters NAME.weight and NAME.bias. Where there
/// is more than one tap, its tail is the mixer's next cache.
Value convolve(ModelBuilder &model, const MixerInput &in, Value x, StringRef name, int64_t taps,
               ir::Activation activation, MixerOutput &out) {
  OpBuilder &builder = model.ops();
  Value tail = taps > 1 ? in.caches[out.caches.size()] : Value();
  Value y = builder.create<ir::CausalConvOp>(model.loc(), x.getType(), x, model.parameter((name + ".weight").str()),
                                             model.parameter((name + ".bias").str()), tail, in.seen,
                                             ir::ActivationAttr::get(builder.getContext(), activation));
  if (tail)
    out.caches.push_back(builder.create<ir::ShiftTailOp>(model.loc(), tail.getType(), x, tail, in.seen));
  return y;
}

/// Key/value attention over a ring (swa) or a list (full); k and v are made for all seen rows, q for the own ones, or
/// for all where they are convolved.
MixerOutput buildAttention(ModelBuilder &model, const MixerInput &in, Mode mode) {
  const Config &config = model.getConfig();
  OpBuilder &builder = model.ops();
  Location loc = model.loc();
  std::vector<double> frequencies = ropeFrequencies(config, mode);
  auto heads = [&](Value x, Value rows, int64_t count, StringRef norm) -> Value {
    if (config.qkNorm)
      x = model.norm(NormKind::Rms, x, norm, count);
    if (config.rotates(model.getLayer()))
      x = builder.create<ir::RopeOp>(loc, x.getType(), x, rows, model.i64(count),
                                     builder.getDenseF64ArrayAttr(frequencies), /*inverse=*/UnitAttr());
    return model.toOperand(x);
  };
  MixerOutput out;
  int64_t taps = config.attentionConvKernel;
  Value all = model.scale(in.tokens, config.attentionInputMultiplier);
  auto project = [&](Value x, const Twine &which) {
    Value y = model.linear(x, ("attn." + which + "_proj").str());
    return taps ? convolve(model, in, y, ("attn." + which + "_conv").str(), taps, ir::Activation::None, out) : y;
  };
  Value projected =
      taps ? model.gather(project(all, "q"), in.seen, in.own) : project(model.gather(all, in.seen, in.own), "q");
  Value query = heads(projected, in.own, config.numAttentionHeads, "attn.q_norm");
  Value key = heads(project(all, "k"), in.seen, config.numKeyValueHeads, "attn.k_norm");
  Value value = model.toOperand(project(all, "v"));
  Value cache = in.caches[out.caches.size()];
  Type type = model.rowsOfAccumulators(config.numAttentionHeads * config.headDim);
  Value attended = builder.create<ir::AttendOp>(loc, type, query, key, value, in.write, cache, in.own, in.seen,
                                                model.f64(config.attentionScale(model.getLayer(), mode)),
                                                model.f64(config.attentionSoftCap));
  out.caches.push_back(builder.create<ir::AppendOp>(loc, cache.getType(), key, value, cache, in.seen, in.write));
  out.output = model.scale(model.linear(attended, "attn.o_proj"), config.attentionOutputMultiplier);
  return out;
}

/// Mamba-2. The state advances on every seen row; the output is made for the own ones.
MixerOutput buildMamba2(ModelBuilder &model, const MixerInput &in) {
  const Config &config = model.getConfig();
  OpBuilder &builder = model.ops();
  Location loc = model.loc();
  int64_t inner = config.ssmInner(), channels = config.ssmConvChannels(), heads = config.ssmHeads();
  Value projected = model.linear(model.scale(in.tokens, config.ssm.inputMultiplier), "ssm.in_proj");
  int64_t mapped = config.ssm.groups * config.ssm.stateSize;
  projected = model.scaleColumns(projected, config.ssm.projectionMultipliers, {inner, inner, mapped, mapped, heads});
  Value z = model.columns(projected, 0, inner);
  Value xbc = model.columns(projected, inner, channels);
  Value dt = model.columns(projected, inner + channels, heads);

  MixerOutput out;
  Value convolved = convolve(model, in, xbc, "ssm.conv", config.ssm.convKernel, ir::Activation::SiLU, out);
  Value state = in.caches[out.caches.size()];
  auto scan = builder.create<ir::SsmScanOp>(
      loc, model.rowsOfAccumulators(inner), state.getType(), convolved, dt, model.parameter("ssm.A_log"),
      model.parameter("ssm.D"), model.parameter("ssm.dt_bias"), in.write, state, in.seen, model.i64(config.ssm.groups),
      model.f64(config.ssm.timeStepMin), model.f64(config.ssm.timeStepMax));
  out.caches.push_back(scan.getStateOut());
  Value y = model.gather(scan.getResult(), in.seen, in.own), gate = model.gather(z, in.seen, in.own);
  Value gated;
  if (config.ssm.gatedNorm)
    gated = builder.create<ir::GatedNormOp>(loc, y.getType(), y, gate, model.parameter("ssm.norm.weight"),
                                            model.i64(config.ssm.groups), model.f64(config.normEps));
  else
    gated = builder.create<ir::GluOp>(loc, y.getType(),
                                      ir::ActivationAttr::get(builder.getContext(), ir::Activation::SiLU), gate, y);
  out.output = model.scale(model.linear(gated, "ssm.out_proj"), config.ssm.outputMultiplier);
  return out;
}

MixerOutput buildLti(ModelBuilder &model, const MixerInput &in) {
  Value u = model.linear(in.tokens, "ssm.in_proj");
  Value state = in.caches[0];
  auto scan = model.ops().create<ir::LtiScanOp>(model.loc(), u.getType(), state.getType(), u,
                                                model.parameter("ssm.decay"), state, in.seen, in.write);
  Value y = model.gather(scan.getResult(), in.seen, in.own);
  return {model.linear(y, "ssm.out_proj"), {scan.getStateOut()}};
}

MixerOutput buildIdentity(ModelBuilder &model, const MixerInput &in) {
  if (model.getConfig().identityOutput == IdentityOutput::Zero)
    return {};
  return {model.gather(in.tokens, in.seen, in.own), {}};
}

MixerOutput buildMode(ModelBuilder &model, const MixerInput &in, Mode mode) {
  switch (mode) {
  case Mode::Ssm:
    return model.getConfig().ssm.kind == SsmKind::Lti ? buildLti(model, in) : buildMamba2(model, in);
  case Mode::Swa:
  case Mode::Full:
    return buildAttention(model, in, mode);
  case Mode::Identity:
    return buildIdentity(model, in);
  }
  llvm_unreachable("no such mode");
}

} // namespace

SmallVector<MixerCache> mixerCaches(ModelBuilder &model, Mode mode, bool weighted) {
  const Config &config = model.getConfig();
  MLIRContext *context = model.ops().getContext();
  Type accumulator = model.accumulator(), weights = weighted ? accumulator : NoneType::get(context);
  SmallVector<MixerCache> caches;
  auto addTail = [&](StringRef name, int64_t taps, int64_t channels) {
    if (taps > 1)
      caches.push_back({name, ir::TailType::get(context, taps - 1, channels, accumulator)});
  };
  auto addTails = [&] {
    int64_t taps = config.attentionConvKernel, keys = config.numKeyValueHeads * config.headDim;
    addTail("q_tail", taps, config.numAttentionHeads * config.headDim);
    addTail("k_tail", taps, keys);
    addTail("v_tail", taps, keys);
  };
  switch (mode) {
  case Mode::Ssm:
    if (config.ssm.kind == SsmKind::Lti)
      return {{"state", ir::StateType::get(context, 1, 1, config.ssm.stateSize, accumulator)}};
    addTail("tail", config.ssm.convKernel, config.ssmConvChannels());
    caches.push_back({"state", ir::StateType::get(context, config.ssmHeads(), config.ssm.headDim, config.ssm.stateSize,
                                                  accumulator)});
    return caches;
  case Mode::Swa:
    addTails();
    caches.push_back({"ring", ir::RingType::get(context, config.window, config.numKeyValueHeads, config.headDim,
                                                model.operand(), weights, /*room=*/0)});
    return caches;
  case Mode::Full:
    addTails();
    caches.push_back(
        {"list", ir::ListType::get(context, config.numKeyValueHeads, config.headDim, model.operand(), weights)});
    return caches;
  case Mode::Identity:
    return {};
  }
  llvm_unreachable("no such mode");
}

void buildMixer(ModelBuilder &model, Region &region, Mode mode, bool weighted) {
  OpBuilder &builder = model.ops();
  OpBuilder::InsertionGuard guard(builder);
  Location loc = model.loc();
  SmallVector<Type> types = {model.rowsOfAccumulators(model.getConfig().hiddenSize), model.rowsType(),
                             model.rowsType()};
  if (weighted)
    types.push_back(RankedTensorType::get({ShapedType::kDynamic}, model.accumulator()));
  size_t leading = types.size();
  for (const MixerCache &cache : mixerCaches(model, mode, weighted))
    types.push_back(cache.type);
  Block *block = builder.createBlock(&region, {}, types, SmallVector<Location>(types.size(), loc));

  SmallVector<Value> caches(block->args_begin() + leading, block->args_end());
  MixerInput in{block->getArgument(0), block->getArgument(1), block->getArgument(2),
                weighted ? Value(block->getArgument(3)) : Value(), caches};
  MixerOutput out = buildMode(model, in, mode);
  SmallVector<Value> values;
  if (out.output)
    values.push_back(model.added(out.output, "post_mixer_norm"));
  values.append(out.caches);
  builder.create<ir::YieldOp>(loc, values);
}

} // namespace chimera
