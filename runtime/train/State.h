// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All that training changes: parameters, moments, gradients and the balancer's averages.
#ifndef CHIMERA_RUNTIME_TRAIN_STATE_H
#define CHIMERA_RUNTIME_TRAIN_STATE_H

#include "dialect/frontend/Config.h"
#include "runtime/core/Model.h"
#include "runtime/device/Device.h"
#include "runtime/io/Safetensors.h"
#include "runtime/train/SourceTensors.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace chimera::train {

using runtime::Failure;
using runtime::Result;

/// A tensor on the host that owns its bytes.
struct HostTensor {
  std::string name;
  io::DType dtype = io::DType::F32;
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;

  io::TensorView view() const { return {name, dtype, shape, bytes.data(), bytes.size()}; }
};

/// The buffers of a model's training on a device: f64 in f64 binaries, else f32. All begin as zeros. Gradients are one
/// contiguous range, so that they are summed over ranks at once; so are totals and moments.
class State {
public:
  /// `totals`: a step has several runs. `device` and `model` must outlive the state. Fails if the model's binary has no
  /// training programs, its parameters do not make up whole tensors of a checkpoint, or memory is short.
  static Result<std::unique_ptr<State>> create(runtime::Device &device, const runtime::Model &model, bool totals);

  const runtime::Model &model() const { return owner; }
  runtime::Device &device() const { return on; }
  io::DType type() const { return owner.manifest().masterType(); }

  // What loads fails also when the device does; what copies from a device that has failed (Device::failure), gives
  // zeros.

  /// Sets the parameters from a checkpoint's tensors, each checked for presence, shape and dtype, and the balancer's
  /// averages where the checkpoint has them (else they are the targets).
  Failure load(const io::Checkpoint &checkpoint);
  /// Sets the parameters to random initial values (runtime/train/Initialise.h); `config` describes the model.
  Failure initialise(const Config &config, uint64_t seed);
  /// Sets the moments from tensors as `optimizer` gives them.
  Failure loadOptimizer(const io::Checkpoint &checkpoint);

  /// The model's tensors as a checkpoint has them, also those that nothing reads: its names, shapes and order of rows,
  /// in the masters' type, and the balancer's bias and averages in f32.
  std::vector<HostTensor> tensors() const;
  /// The moments: "moment1.NAME" and "moment2.NAME" of each trainable parameter, in the masters' type and order.
  std::vector<HostTensor> optimizer() const;
  /// The gradients under the checkpoint's names, shapes and order of rows; zeros for parameters that nothing reads.
  /// Without those of the routers' biases, which only choose: the balancer moves those of modes, nothing those of
  /// experts.
  std::vector<HostTensor> gradients() const;

  /// Device addresses; of trainable parameters only, but for `parameter`.
  uint8_t *parameter(size_t index) const { return parameters->base + parameterAt[index]; }
  uint8_t *gradient(size_t index) const { return gradientRegion->base + trainableAt[index]; }
  uint8_t *total(size_t index) const { return totalRegion->base + trainableAt[index]; }
  uint8_t *moment1(size_t index) const { return moments1->base + trainableAt[index]; }
  uint8_t *moment2(size_t index) const { return moments2->base + trainableAt[index]; }
  bool hasTotals() const { return totalRegion->base != nullptr; }

  /// The range of all gradients, in elements of `type`; between them there may be zeros that nobody writes.
  uint8_t *gradientBase() const { return gradientRegion->base; }
  int64_t gradientElements() const { return int64_t(trainableBytes) / io::sizeOf(type()); }
  void zeroGradients();
  void zeroTotals();

  /// Whether no gradient is a NaN or infinity. A device that the host does not see into has them copied for it.
  bool gradientsAreFinite() const;
  /// The name of a parameter that is read and has a NaN or infinity; empty: there is none.
  std::string nonFiniteParameter() const;

  /// A router's bias and the balancer's average, [K] in the order of its layer's modes; empty for a layer without
  /// router. `setBias` writes through to the parameter.
  const std::vector<float> &bias(int64_t layer) const { return balancers[size_t(layer)].bias; }
  const std::vector<float> &average(int64_t layer) const { return balancers[size_t(layer)].average; }
  void setBalancer(int64_t layer, std::vector<float> bias, std::vector<float> average);

private:
  struct Balancer {
    int64_t parameter = -1; ///< The bias; -1: no router.
    std::vector<float> bias, average;
  };

  State(runtime::Device &device, const runtime::Model &model) : on(device), owner(model) {}
  Failure allocate(bool totals);
  Failure findBalancers();
  void resetAverages();
  void readBiases();
  bool isTrainable(size_t parameter) const;
  /// Whether it is a router's bias.
  bool isBias(size_t parameter) const;
  size_t bytesOf(size_t parameter) const;
  void writeParameter(size_t index, const std::vector<uint8_t> &bytes);
  std::vector<uint8_t> read(const uint8_t *from, size_t parameter) const;
  /// A tensor of the checkpoint, put together from what `values` gives for each of its parameters.
  HostTensor asCheckpoint(const SourceTensor &source,
                          const std::function<std::vector<uint8_t>(size_t parameter)> &values) const;
  std::string averageName(int64_t layer) const;
  Failure loadMoment(const io::Checkpoint &checkpoint, size_t parameter, const char *kind, uint8_t *to);

  runtime::Device &on;
  const runtime::Model &owner;
  std::vector<size_t> parameterAt, trainableAt; ///< Offsets by parameter.
  size_t trainableBytes = 0;
  runtime::OwnedRegion parameters, gradientRegion, totalRegion, moments1, moments2;
  std::vector<SourceTensor> sources; ///< Of the checkpoint.
  std::vector<Balancer> balancers;   ///< By layer.
};

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_STATE_H
