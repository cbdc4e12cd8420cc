// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/State.h"

#include "runtime/core/StepBuffers.h"
#include "runtime/core/WeightsFill.h"
#include "runtime/io/Affixes.h"
#include "runtime/train/Initialise.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

namespace chimera::train {

using runtime::Error;
using runtime::Manifest;
using runtime::Parameter;

static std::string quoted(const std::string &name) {
  return io::quote(name);
}

Result<std::unique_ptr<State>> State::create(runtime::Device &device, const runtime::Model &model, bool totals) {
  if (model.manifest().trainable.empty())
    return Error(model.name() + ": has no training programs; compile it with --phases=train");
  Result<std::vector<SourceTensor>> sources = sourceTensors(model.manifest().parameters);
  if (!sources)
    return Error(model.name() + ": " + sources.error().message);
  std::unique_ptr<State> state(new State(device, model));
  state->sources = std::move(*sources);
  if (Failure failure = state->allocate(totals))
    return *failure;
  if (Failure failure = state->findBalancers())
    return *failure;
  return state;
}

Failure State::allocate(bool totals) {
  const Manifest &manifest = owner.manifest();
  size_t size = size_t(io::sizeOf(type())), bytes = 0;
  // There are at most 2^20 parameters of at most 2^41 elements; what is too large is refused before a sum overflows.
  bool fits = true;
  auto place = [&](std::vector<size_t> &offsets, size_t index, size_t &end) {
    offsets[index] = end;
    end += (size_t(manifest.parameters[index].elements) * size + 63) / 64 * 64;
    fits &= end <= size_t(1) << 46;
    end = std::min(end, size_t(1) << 46);
  };
  parameterAt.assign(manifest.parameters.size(), 0);
  trainableAt.assign(manifest.parameters.size(), 0);
  for (size_t i = 0; i < manifest.parameters.size(); ++i)
    place(parameterAt, i, bytes);
  for (int64_t index : manifest.trainable)
    place(trainableAt, size_t(index), trainableBytes);
  if (!fits)
    return Error(owner.name() + ": the parameters are too large");
  auto get = [&](runtime::OwnedRegion &to, size_t count, const char *what) -> Failure {
    Result<runtime::OwnedRegion> region = runtime::allocate(on, count, what, true);
    if (!region)
      return region.error();
    to = std::move(*region);
    return std::nullopt;
  };
  if (Failure failure = get(parameters, bytes, "the parameters"))
    return failure;
  if (Failure failure = get(gradientRegion, trainableBytes, "the gradients"))
    return failure;
  if (Failure failure = get(moments1, trainableBytes, "the first moments"))
    return failure;
  if (Failure failure = get(moments2, trainableBytes, "the second moments"))
    return failure;
  return totals ? get(totalRegion, trainableBytes, "the totals of the gradients") : Failure();
}

/// How many modes a layer has.
static size_t modeCount(const runtime::LayerModes &layer) {
  return size_t(__builtin_popcount(layer.modes));
}

Failure State::findBalancers() {
  const Manifest &manifest = owner.manifest();
  std::map<std::string, size_t> byName;
  for (size_t i = 0; i < manifest.parameters.size(); ++i)
    byName[manifest.parameters[i].name] = i;
  balancers.resize(size_t(manifest.layers()));
  for (size_t l = 0; l < balancers.size(); ++l) {
    size_t modes = modeCount(manifest.model.layers[l]);
    if (modes < 2)
      continue;
    std::string name = "layers." + std::to_string(l) + ".router.bias";
    auto found = byName.find(name);
    if (found == byName.end() || size_t(manifest.parameters[found->second].elements) != modes)
      return Error(owner.name() + ": parameter " + quoted(name) + " must have one element a mode");
    const Parameter &bias = manifest.parameters[found->second];
    if (bias.elements != bias.sourceElements)
      return Error(owner.name() + ": parameter " + quoted(name) + " must be a tensor of its own");
    balancers[l].parameter = int64_t(found->second);
    balancers[l].bias.assign(modes, 0);
  }
  resetAverages();
  return std::nullopt;
}

void State::resetAverages() {
  for (size_t l = 0; l < balancers.size(); ++l) {
    if (balancers[l].parameter < 0)
      continue;
    const runtime::LayerModes &layer = owner.manifest().model.layers[l];
    balancers[l].average.clear();
    for (size_t mode = 0; mode < layer.target.size(); ++mode)
      if (layer.modes >> mode & 1)
        balancers[l].average.push_back(float(layer.target[mode]));
  }
}

bool State::isTrainable(size_t parameter) const {
  const std::vector<int64_t> &trainable = owner.manifest().trainable;
  return std::binary_search(trainable.begin(), trainable.end(), int64_t(parameter));
}

bool State::isBias(size_t parameter) const {
  return std::any_of(balancers.begin(), balancers.end(),
                     [&](const Balancer &balancer) { return balancer.parameter == int64_t(parameter); });
}

size_t State::bytesOf(size_t parameter) const {
  return size_t(owner.manifest().parameters[parameter].elements * io::sizeOf(type()));
}

void State::writeParameter(size_t index, const std::vector<uint8_t> &bytes) {
  on.upload(parameter(index), bytes.data(), bytes.size());
}

std::vector<uint8_t> State::read(const uint8_t *from, size_t parameter) const {
  std::vector<uint8_t> bytes(bytesOf(parameter));
  on.download(bytes.data(), from, bytes.size());
  return bytes;
}

void State::readBiases() {
  for (Balancer &balancer : balancers)
    if (balancer.parameter >= 0)
      io::convertElements(type(), read(parameter(size_t(balancer.parameter)), size_t(balancer.parameter)).data(),
                          io::DType::F32, balancer.bias.data(), int64_t(balancer.bias.size()));
}

void State::setBalancer(int64_t layer, std::vector<float> bias, std::vector<float> average) {
  Balancer &balancer = balancers[size_t(layer)];
  std::vector<uint8_t> bytes(bias.size() * size_t(io::sizeOf(type())));
  io::convertElements(io::DType::F32, bias.data(), type(), bytes.data(), int64_t(bias.size()));
  writeParameter(size_t(balancer.parameter), bytes);
  balancer.bias = std::move(bias);
  balancer.average = std::move(average);
}

std::string State::averageName(int64_t layer) const {
  std::string name = owner.manifest().parameters[size_t(balancers[size_t(layer)].parameter)].source;
  constexpr std::string_view end = "bias";
  return (io::endsWith(name, end) ? name.substr(0, name.size() - end.size()) : name + ".") + "ema";
}

Failure State::load(const io::Checkpoint &checkpoint) {
  const Manifest &manifest = owner.manifest();
  for (const Parameter &parameter : manifest.parameters)
    if (Failure failure = runtime::checkTensor(checkpoint, parameter))
      return failure;
  for (size_t i = 0; i < manifest.parameters.size(); ++i) {
    std::vector<Parameter> master = {manifest.parameters[i]};
    master[0].dtype = type();
    master[0].bytes = master[0].elements * io::sizeOf(type());
    std::vector<uint8_t> bytes(size_t(master[0].bytes));
    runtime::WeightsFill fill(master, checkpoint);
    fill.addRowMajor(0, bytes.data());
    if (Failure failure = fill.run())
      return failure;
    writeParameter(i, bytes);
  }
  readBiases();
  resetAverages();
  for (size_t l = 0; l < balancers.size(); ++l) {
    std::vector<float> &average = balancers[l].average;
    const io::StoredTensor *tensor = average.empty() ? nullptr : checkpoint.find(averageName(int64_t(l)));
    if (!tensor)
      continue;
    if (tensor->elements() != int64_t(average.size()) || !io::isFloat(tensor->dtype))
      return Error(checkpoint.path() + ": tensor " + quoted(tensor->name) + ": must have one number a mode");
    if (io::Status status = tensor->convert(0, tensor->elements(), io::DType::F32, average.data()); !status)
      return Error(status.error());
  }
  if (io::Status status = checkpoint.unchanged(); !status)
    return Error(status.error());
  return on.failure();
}

/// Moves rows from the checkpoint's order to the parameter's, or back.
static std::vector<uint8_t> permuted(const Parameter &parameter, const std::vector<uint8_t> &bytes, bool back) {
  const std::vector<int64_t> &rows = parameter.rowPermutation;
  if (rows.empty())
    return bytes;
  std::vector<uint8_t> moved(bytes.size());
  size_t rowBytes = bytes.size() / rows.size();
  for (size_t row = 0; row < rows.size(); ++row) {
    size_t from = back ? row : size_t(rows[row]), to = back ? size_t(rows[row]) : row;
    std::memcpy(moved.data() + to * rowBytes, bytes.data() + from * rowBytes, rowBytes);
  }
  return moved;
}

Failure State::initialise(const Config &config, uint64_t seed) {
  const Manifest &manifest = owner.manifest();
  std::map<std::string, ParameterSpec> specs;
  for (ParameterSpec &spec : chimera::parameters(config))
    specs[spec.name] = spec;
  for (size_t i = 0; i < manifest.parameters.size(); ++i) {
    const Parameter &parameter = manifest.parameters[i];
    auto spec = specs.find(parameter.name);
    if (spec == specs.end() || spec->second.shape != parameter.shape)
      return Error(owner.name() + ": parameter " + quoted(parameter.name) + " is not of this config");
    InitialTensor tensor = initialTensor(config, spec->second, seed);
    std::vector<uint8_t> bytes(tensor.values.size() * size_t(io::sizeOf(type())));
    io::convertElements(io::DType::F32, tensor.values.data(), type(), bytes.data(), int64_t(tensor.values.size()));
    writeParameter(i, permuted(parameter, bytes, false));
  }
  readBiases();
  resetAverages();
  return on.failure();
}

HostTensor State::asCheckpoint(const SourceTensor &source,
                               const std::function<std::vector<uint8_t>(size_t)> &values) const {
  HostTensor tensor{source.name, type(), source.shape, {}};
  for (size_t index : source.parameters) {
    std::vector<uint8_t> part = permuted(owner.manifest().parameters[index], values(index), true);
    if (source.parameters.size() == 1)
      tensor.bytes = std::move(part);
    else
      tensor.bytes.insert(tensor.bytes.end(), part.begin(), part.end());
  }
  return tensor;
}

std::vector<HostTensor> State::tensors() const {
  std::vector<HostTensor> all;
  auto addF32 = [&](const std::string &name, const std::vector<int64_t> &shape, const std::vector<float> &values) {
    const uint8_t *bytes = reinterpret_cast<const uint8_t *>(values.data());
    all.push_back({name, io::DType::F32, shape, {bytes, bytes + values.size() * sizeof(float)}});
  };
  for (size_t l = 0; l < balancers.size(); ++l) {
    const Balancer &balancer = balancers[l];
    if (balancer.parameter < 0)
      continue;
    const Parameter &parameter = owner.manifest().parameters[size_t(balancer.parameter)];
    addF32(averageName(int64_t(l)), parameter.sourceShape, balancer.average);
    std::vector<uint8_t> bytes =
        permuted(parameter, read(this->parameter(size_t(balancer.parameter)), size_t(balancer.parameter)), true);
    std::vector<float> bias(balancer.bias.size());
    io::convertElements(type(), bytes.data(), io::DType::F32, bias.data(), int64_t(bias.size()));
    addF32(parameter.source, parameter.sourceShape, bias);
  }
  for (const SourceTensor &source : sources)
    if (!isBias(source.parameters.front()))
      all.push_back(asCheckpoint(source, [&](size_t i) { return read(parameter(i), i); }));
  return all;
}

std::vector<HostTensor> State::gradients() const {
  std::vector<HostTensor> all;
  for (const SourceTensor &source : sources)
    if (!io::endsWith(owner.manifest().parameters[source.parameters.front()].name, ".router.bias"))
      all.push_back(asCheckpoint(source, [&](size_t i) {
        return isTrainable(i) ? read(gradient(i), i) : std::vector<uint8_t>(bytesOf(i)); // Else nothing reads it.
      }));
  return all;
}

std::vector<HostTensor> State::optimizer() const {
  std::vector<HostTensor> all;
  for (int64_t trainable : owner.manifest().trainable) {
    size_t i = size_t(trainable);
    const Parameter &parameter = owner.manifest().parameters[i];
    all.push_back({"moment1." + parameter.name, type(), parameter.shape, read(moment1(i), i)});
    all.push_back({"moment2." + parameter.name, type(), parameter.shape, read(moment2(i), i)});
  }
  return all;
}

Failure State::loadMoment(const io::Checkpoint &checkpoint, size_t index, const char *kind, uint8_t *to) {
  const Parameter &parameter = owner.manifest().parameters[index];
  const io::StoredTensor *tensor = checkpoint.find(kind + ("." + parameter.name));
  if (!tensor || tensor->shape != parameter.shape || tensor->dtype != type())
    return Error(checkpoint.path() + ": tensor " + quoted(kind + ("." + parameter.name)) +
                 (tensor ? ": has another shape or dtype than the model's" : ": missing"));
  constexpr int64_t pieceElements = int64_t(1) << 17;
  const int64_t size = io::sizeOf(type());
  std::vector<uint8_t> piece(size_t(std::min(pieceElements, tensor->elements()) * size));
  for (int64_t first = 0; first < tensor->elements(); first += pieceElements) {
    int64_t count = std::min(pieceElements, tensor->elements() - first);
    if (io::Status status = tensor->read(first, count, piece.data()); !status)
      return Error(status.error());
    on.upload(to + first * size, piece.data(), size_t(count * size));
  }
  return std::nullopt;
}

Failure State::loadOptimizer(const io::Checkpoint &checkpoint) {
  for (int64_t index : owner.manifest().trainable) {
    if (Failure failure = loadMoment(checkpoint, size_t(index), "moment1", moment1(size_t(index))))
      return failure;
    if (Failure failure = loadMoment(checkpoint, size_t(index), "moment2", moment2(size_t(index))))
      return failure;
  }
  return on.failure();
}

void State::zeroGradients() {
  on.fill(gradientRegion->base, 0, trainableBytes);
}

void State::zeroTotals() {
  on.fill(totalRegion->base, 0, trainableBytes);
}

/// Whether an exponent is all ones somewhere. Without branches, so that it runs at the speed of memory.
template <typename Word> static bool allFinite(const void *values, int64_t count, Word exponent) {
  const char *bytes = static_cast<const char *>(values);
  Word bad = 0;
  for (int64_t i = 0; i < count; ++i) {
    Word word;
    std::memcpy(&word, bytes + size_t(i) * sizeof word, sizeof word);
    bad |= Word((word & exponent) == exponent);
  }
  return !bad;
}

static bool allFinite(io::DType type, const void *values, int64_t count) {
  return type == io::DType::F64 ? allFinite<uint64_t>(values, count, uint64_t(0x7FF) << 52)
                                : allFinite<uint32_t>(values, count, uint32_t(0xFF) << 23);
}

bool State::gradientsAreFinite() const {
  if (const void *values = on.hostView(gradientRegion->base))
    return allFinite(type(), values, gradientElements());
  constexpr int64_t pieceElements = int64_t(1) << 20;
  const int64_t size = io::sizeOf(type());
  std::vector<uint8_t> piece(size_t(std::min(pieceElements, gradientElements()) * size));
  for (int64_t first = 0; first < gradientElements(); first += pieceElements) {
    int64_t count = std::min(pieceElements, gradientElements() - first);
    on.download(piece.data(), gradientRegion->base + first * size, size_t(count * size));
    if (!allFinite(type(), piece.data(), count))
      return false;
  }
  return true;
}

template <typename T> static bool allFinite(const std::vector<uint8_t> &bytes) {
  for (size_t at = 0; at < bytes.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    if (!std::isfinite(value))
      return false;
  }
  return true;
}

std::string State::nonFiniteParameter() const {
  for (size_t i = 0; i < parameterAt.size(); ++i) {
    if (!isTrainable(i) && !isBias(i))
      continue; // Nothing reads it.
    std::vector<uint8_t> bytes = read(parameter(i), i);
    if (!(type() == io::DType::F64 ? allFinite<double>(bytes) : allFinite<float>(bytes)))
      return owner.manifest().parameters[i].name;
  }
  return {};
}

} // namespace chimera::train
