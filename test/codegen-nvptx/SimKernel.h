// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Makes GPU kernels and runs them: on the simulator here, through ptxas where it is installed.
#ifndef CHIMERA_TEST_CODEGENNVPTX_SIMKERNEL_H
#define CHIMERA_TEST_CODEGENNVPTX_SIMKERNEL_H

#include "codegen/nvptx/Kernels.h"
#include "runtime/device/sim/Simulator.h"

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace chimera::nvptx::test {

/// Puts a kernel into a module: emitGemm, emitRoute or a kernel of the test's own.
using Emit = std::function<std::optional<GpuKernel>(mlir::ModuleOp, std::string &error)>;

Emit emitOf(const GemmSpec &spec);
Emit emitOf(const RouteSpec &spec);

/// A kernel compiled for the simulator from the IR that the NVPTX backend gets for `arch`.
class SimKernel {
public:
  explicit SimKernel(const Emit &emit, const std::string &arch = "sm_80");
  ~SimKernel();
  SimKernel(const SimKernel &) = delete;
  SimKernel &operator=(const SimKernel &) = delete;

  /// What went wrong; empty if nothing did.
  const std::string &error() const { return message; }
  const GpuKernel &kernel() const { return made; }
  sim::KernelEntry entry() const { return code; }
  int64_t sharedBytes() const { return shared; }

private:
  struct Jit;
  std::unique_ptr<Jit> jit;
  std::string message;
  GpuKernel made;
  sim::KernelEntry code = nullptr;
  int64_t shared = 0;
};

/// The PTX of a kernel; empty, with a message in `error`, if it could not be made.
std::string ptxOf(const Emit &emit, const std::string &arch, std::string &error);

/// One launch with buffers of its own.
class SimLaunch {
public:
  /// Adds a pointer parameter and its buffer; returns the buffer's place.
  template <typename T> size_t add(const std::vector<T> &content) {
    // Words of 16 bytes: cp.async wants its sources on such addresses.
    std::vector<Word> words((content.size() * sizeof(T) + sizeof(Word) - 1) / sizeof(Word) + 1);
    if (!content.empty())
      std::memcpy(words.data(), content.data(), content.size() * sizeof(T));
    buffers.push_back(std::move(words));
    sizes.push_back(content.size() * sizeof(T));
    return buffers.size() - 1;
  }
  void addScalar(int64_t value) { scalars.push_back(value); }

  template <typename T> std::vector<T> get(size_t place) const {
    std::vector<T> content(sizes[place] / sizeof(T));
    if (!content.empty())
      std::memcpy(content.data(), buffers[place].data(), sizes[place]);
    return content;
  }
  /// Runs the kernel on the grid that it has for `rows`.
  sim::Outcome run(const SimKernel &kernel, int64_t rows, uint64_t seed = 0, bool checkRaces = true);

private:
  struct Word {
    uint64_t half[2] = {};
  };
  std::vector<std::vector<Word>> buffers;
  std::vector<size_t> sizes;
  std::vector<int64_t> scalars;
};

uint16_t toBF16(float x);
float fromBF16(uint16_t bits);

/// Random numbers in [-1, 1), the same for the same seed.
std::vector<float> randomFloats(size_t size, uint64_t seed);

} // namespace chimera::nvptx::test

#endif
