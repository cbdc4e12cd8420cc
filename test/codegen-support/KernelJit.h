// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles kernels in memory and runs them the way the runtime does.
#ifndef CHIMERA_TEST_CODEGENREF_KERNELJIT_H
#define CHIMERA_TEST_CODEGENREF_KERNELJIT_H

#include "codegen/ref/Kernels.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace llvm::orc {
class JITDylib;
class LLJIT;
} // namespace llvm::orc

namespace chimera::ref::test {

using KernelFunction = void (*)(void *const *buffers, const int64_t *args, int64_t begin, int64_t end);

/// A module of kernels and its machine code. The code may call nothing outside itself: a kernel that needs a C library
/// fails to compile here.
class KernelJit {
public:
  /// Makes code for this LLVM CPU with these attributes ("+avx512bf16").
  explicit KernelJit(std::string cpu = "x86-64-v3", std::string attributes = "");
  ~KernelJit();

  mlir::ModuleOp module() { return *kernels; }
  template <typename Spec> Kernel add(const Spec &spec) { return getOrEmit(module(), spec); }
  /// Lowers, optimises and loads what the module holds; null (with a test failure) if that does not work.
  KernelFunction compile(const std::string &symbol);

private:
  std::string cpu, attributes;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> kernels;
  std::unique_ptr<llvm::orc::LLJIT> jit;
  llvm::orc::JITDylib *library = nullptr;
};

/// The sizes of a step: tokens, sequences, wanted outputs, entries of the page table a slot.
struct StepSizes {
  int64_t tokens = 0, seqs = 0, outputs = 0, stride = 0;
};

/// One launch with buffers of its own.
class Launch {
public:
  /// Adds a buffer and returns its place.
  template <typename T> size_t add(const std::vector<T> &content) {
    std::vector<uint8_t> bytes(content.size() * sizeof(T));
    if (!bytes.empty())
      std::memcpy(bytes.data(), content.data(), bytes.size());
    buffers.push_back(std::move(bytes));
    return buffers.size() - 1;
  }

  template <typename T> std::vector<T> get(size_t place) const {
    std::vector<T> content(buffers[place].size() / sizeof(T));
    if (!content.empty())
      std::memcpy(content.data(), buffers[place].data(), buffers[place].size());
    return content;
  }

  /// Runs the whole grid in one call, and again block by block from the last to the first, with denormals flushed as
  /// the runtime does. Expects the same bytes in every buffer, and nothing written past the end of one.
  void run(KernelFunction function, const Grid &grid, const StepSizes &sizes, std::vector<int64_t> constants = {});

private:
  std::vector<std::vector<uint8_t>> buffers;
};

/// Compiles a kernel, or finds it compiled, and runs it.
template <typename Spec>
void runKernel(const Spec &spec, Launch &launch, const StepSizes &sizes, std::vector<int64_t> constants = {}) {
  static std::map<std::string, KernelFunction> compiled;
  static std::vector<std::unique_ptr<KernelJit>> keepers;
  auto jit = std::make_unique<KernelJit>();
  Kernel kernel = jit->add(spec);
  auto [found, isNew] = compiled.try_emplace(kernel.symbol, nullptr);
  if (isNew) {
    found->second = jit->compile(kernel.symbol);
    keepers.push_back(std::move(jit));
  }
  if (found->second)
    launch.run(found->second, kernel.grid, sizes, std::move(constants));
}

/// The arrays of a ragged step, and of rows values that are parts of it.
struct Batch {
  std::vector<int32_t> start, sequence, slot;
  std::vector<int64_t> position;

  /// `lengths` rows a sequence; sequence s lies in slot slots[s] and begins at position first[s].
  Batch(std::vector<int64_t> lengths, std::vector<int32_t> slots, std::vector<int64_t> first);

  int64_t tokens() const { return start.back(); }
  int64_t seqs() const { return static_cast<int64_t>(slot.size()); }
  StepSizes sizes(int64_t stride = 0) const { return {tokens(), seqs(), 0, stride}; }
};

/// A rows value: index and start; the other three buffers are the batch's.
struct RowSet {
  std::vector<int32_t> index, start;
  int64_t count() const { return start.back() - start.front(); }
  /// Adds the five buffers.
  void addTo(Launch &launch, const Batch &batch) const;
};

/// All rows of the batch.
RowSet allRows(const Batch &batch);
/// The rows with keep[r], laid into a longer index after `offset` entries of other rows, as a mode's slice is.
RowSet someRows(const Batch &batch, const std::vector<bool> &keep, int32_t offset);

/// The types of a kernel's T.
template <typename T> constexpr Scalar scalarOf = sizeof(T) == 8 ? Scalar::F64 : Scalar::F32;

uint16_t toBF16(float x);
float fromBF16(uint16_t bits);

/// Random numbers in [-1, 1), the same for the same seed.
template <typename T> std::vector<T> randomVector(size_t size, uint64_t seed) {
  std::vector<T> values(size);
  uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (T &v : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    v = static_cast<T>(static_cast<double>(static_cast<int64_t>(state) >> 11) * 0x1p-52);
  }
  return values;
}

/// Expects |a - b| <= tolerance (1 + |b|) for every element, and NaN only where there is NaN.
void expectNear(const std::vector<double> &a, const std::vector<double> &b, double tolerance);
void expectNear(const std::vector<float> &a, const std::vector<float> &b, double tolerance);

} // namespace chimera::ref::test

#endif // CHIMERA_TEST_CODEGENREF_KERNELJIT_H
