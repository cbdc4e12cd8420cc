// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Math.h"
#include "codegen/cpu/TrainingRowwise.h"
#include "codegen/cpu/TrainingRowwiseLoops.h"

using namespace mlir;

namespace chimera::cpu {

static constexpr Grid perRow{/*tokens=*/1};

/// The next buffers of the launch, one for each mode.
static SmallVector<Buffer> take(KernelBuilder &k, size_t count) {
  SmallVector<Buffer> buffers;
  for (size_t i = 0; i < count; ++i)
    buffers.push_back(k.buffer(Elem::F32));
  return buffers;
}

/// The next buffers of the launch: one for each mode that has an output, an empty one for the others.
static SmallVector<Buffer> takePresent(KernelBuilder &k, const std::vector<bool> &present) {
  SmallVector<Buffer> buffers;
  for (bool is : present)
    buffers.push_back(is ? k.buffer(Elem::F32) : Buffer());
  return buffers;
}

/// One letter a mode: whether it has an output.
static std::string nameOf(const std::vector<bool> &present) {
  std::string name;
  for (bool is : present)
    name += is ? 'o' : 'n';
  return name;
}

/// Whether a row's mode is one of `modes`; there is at least one.
static Val isListed(Val mode, ArrayRef<int> modes) {
  Val listed = mode == modes[0];
  for (int other : modes.drop_front())
    listed = listed | (mode == other);
  return listed;
}

/// The buffer of the row's mode, which is listed.
static Buffer choose(KernelBuilder &k, Val mode, ArrayRef<int> modes, ArrayRef<Buffer> buffers) {
  Val pointer = buffers[0].base();
  for (size_t m = 1; m < modes.size(); ++m)
    pointer = select(mode == modes[m], buffers[m].base(), pointer);
  return {k, pointer.value, Elem::F32};
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const CombineGradSpec &spec) {
  std::string symbol =
      symbolOf({"cpu_combine_grad", std::to_string(spec.width), "modes" + kernel::nameOf(ArrayRef<int>(spec.modes))});
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), mode = k.buffer(Elem::I8), inverse = k.buffer(Elem::I32);
    Buffer gate = k.buffer(Elem::F32), dz = k.buffer(Elem::F32);
    SmallVector<Buffer> outputs = take(k, spec.modes.size());
    Buffer dgate = k.buffer(Elem::F32);
    SmallVector<Buffer> results = take(k, spec.modes.size());
    forEachRow(k, start, [&](Val row) {
      Val of = mode.load(row);
      auto none = [&] { dgate.store(row, k.real(0, Scalar::F32)); };
      if (spec.modes.empty())
        return none();
      auto back = [&] {
        Val place = inverse.load(row) * spec.width, factor = gate.load(row);
        Buffer upstream = dz.at(row * spec.width), from = choose(k, of, spec.modes, outputs).at(place);
        Buffer to = choose(k, of, spec.modes, results).at(place);
        dgate.store(row, sumsInLanes(k, spec.width, 1, [&](LoadLanes load, ArrayRef<Val> sum) {
                      return SmallVector<Val>{fma(load(upstream), load(from), sum[0])};
                    })[0]);
        forEachVector(k, spec.width, isa.lanes, [&](Val i, int64_t lanes) {
          to.storeVector(i, splat(factor, lanes) * upstream.loadVector(i, lanes));
        });
      };
      k.either(isListed(of, spec.modes), back, none);
    });
  });
  return {symbol, perRow};
}

/// The modes that have an output, and a row's probabilities of them.
static SmallVector<int64_t> outputModes(const std::vector<bool> &present) {
  SmallVector<int64_t> modes;
  for (size_t m = 0; m < present.size(); ++m)
    if (present[m])
      modes.push_back(static_cast<int64_t>(m));
  return modes;
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const SoftCombineSpec &spec) {
  std::string symbol = symbolOf({"cpu_soft_combine", std::to_string(spec.width), nameOf(spec.present)});
  auto modes = static_cast<int64_t>(spec.present.size());
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), residual = k.buffer(Elem::F32), logp = k.buffer(Elem::F32);
    SmallVector<Buffer> outputs = takePresent(k, spec.present);
    Buffer z = k.buffer(Elem::F32);
    SmallVector<int64_t> has = outputModes(spec.present);
    forEachRow(k, start, [&](Val row) {
      Val first = row * spec.width;
      auto p = llvm::map_to_vector(has, [&](int64_t m) { return exp(logp.load(row * modes + m)); });
      forEachVector(k, spec.width, isa.lanes, [&](Val i, int64_t lanes) {
        Val sum = residual.loadVector(first + i, lanes);
        for (auto [m, probability] : llvm::zip_equal(has, p))
          sum = sum + splat(probability, lanes) * outputs[m].loadVector(first + i, lanes);
        z.storeVector(first + i, sum);
      });
    });
  });
  return {symbol, perRow};
}

Kernel getOrEmit(ModuleOp kernels, const Isa &isa, const SoftCombineGradSpec &spec) {
  std::string symbol = symbolOf({"cpu_soft_combine_grad", std::to_string(spec.width), nameOf(spec.present)});
  auto modes = static_cast<int64_t>(spec.present.size());
  emitKernel(kernels, symbol, [&](KernelBuilder &k) {
    Buffer start = k.buffer(Elem::I32), logp = k.buffer(Elem::F32), dz = k.buffer(Elem::F32);
    SmallVector<Buffer> outputs = takePresent(k, spec.present);
    Buffer dlogp = k.buffer(Elem::F32);
    SmallVector<Buffer> results = takePresent(k, spec.present);
    SmallVector<int64_t> has = outputModes(spec.present);
    forEachRow(k, start, [&](Val row) {
      Val first = row * spec.width;
      Buffer upstream = dz.at(first);
      SmallVector<Val> dots = sumsInLanes(k, spec.width, has.size(), [&](LoadLanes load, ArrayRef<Val> sums) {
        Val up = load(upstream);
        SmallVector<Val> next;
        for (auto [m, sum] : llvm::zip_equal(has, sums))
          next.push_back(fma(up, load(outputs[m].at(first)), sum));
        return next;
      });
      auto p = llvm::map_to_vector(has, [&](int64_t m) { return exp(logp.load(row * modes + m)); });
      for (int64_t m = 0; m < modes; ++m)
        if (!spec.present[m])
          dlogp.store(row * modes + m, k.real(0, Scalar::F32));
      for (size_t j = 0; j < has.size(); ++j)
        dlogp.store(row * modes + has[j], p[j] * dots[j]);
      forEachVector(k, spec.width, isa.lanes, [&](Val i, int64_t lanes) {
        Val up = upstream.loadVector(i, lanes);
        for (auto [m, probability] : llvm::zip_equal(has, p))
          results[m].storeVector(first + i, splat(probability, lanes) * up);
      });
    });
  });
  return {symbol, perRow};
}

} // namespace chimera::cpu
