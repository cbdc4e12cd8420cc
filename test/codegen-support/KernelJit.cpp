// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-support/KernelJit.h"

#include "codegen/kernel/Lowering.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <cmath>
#include <gtest/gtest.h>
#include <immintrin.h>

namespace chimera::ref::test {

KernelJit::KernelJit(std::string cpu, std::string attributes) : cpu(std::move(cpu)), attributes(std::move(attributes)) {
  loadKernelDialects(context);
  mlir::registerBuiltinDialectTranslation(context);
  mlir::registerLLVMDialectTranslation(context);
  kernels = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
}

KernelJit::~KernelJit() = default;

/// The O2 pipeline, with every C library function unknown.
static void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::TargetLibraryInfoImpl library(machine.getTargetTriple());
  library.disableAllFunctions();
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(library); });
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

KernelFunction KernelJit::compile(const std::string &symbol) {
  if (!jit) {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    EXPECT_TRUE(mlir::succeeded(mlir::verify(module())));
    mlir::PassManager passes(&context);
    addLoweringPasses(passes);
    EXPECT_TRUE(mlir::succeeded(passes.run(module())));
    auto llvmContext = std::make_unique<llvm::LLVMContext>();
    auto llvmModule = mlir::translateModuleToLLVMIR(module(), *llvmContext);
    if (!llvmModule) {
      ADD_FAILURE() << "no translation to LLVM IR";
      return nullptr;
    }
    auto target = llvm::cantFail(llvm::orc::JITTargetMachineBuilder::detectHost());
    target.setCPU(cpu);
    target.getFeatures() = llvm::SubtargetFeatures(attributes);
    auto machine = llvm::cantFail(target.createTargetMachine());
    llvmModule->setTargetTriple(machine->getTargetTriple().str());
    llvmModule->setDataLayout(machine->createDataLayout());
    for (llvm::Function &function : *llvmModule)
      function.addFnAttrs(
          llvm::AttrBuilder(*llvmContext).addAttribute("target-cpu", cpu).addAttribute("target-features", attributes));
    optimise(*llvmModule, *machine);
    jit = llvm::cantFail(llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(target).create());
    // A bare library sees no symbols of this process.
    library = &jit->getExecutionSession().createBareJITDylib("kernels");
    llvm::cantFail(jit->addIRModule(*library, {std::move(llvmModule), std::move(llvmContext)}));
  }
  auto address = jit->lookup(*library, symbol);
  if (!address) {
    ADD_FAILURE() << llvm::toString(address.takeError());
    return nullptr;
  }
  return address->toPtr<KernelFunction>();
}

static constexpr size_t guardBytes = 64;
static constexpr uint8_t guardByte = 0xa5;

/// Runs the blocks [begin, end) of each pair, in order, on guarded copies of the buffers; returns the copies.
static std::vector<std::vector<uint8_t>> runOnCopies(KernelFunction function, std::vector<std::vector<uint8_t>> buffers,
                                                     const std::vector<int64_t> &args,
                                                     const std::vector<std::pair<int64_t, int64_t>> &cuts) {
  std::vector<void *> pointers;
  for (std::vector<uint8_t> &buffer : buffers) {
    buffer.resize(buffer.size() + guardBytes, guardByte);
    pointers.push_back(buffer.data());
  }
  unsigned saved = _mm_getcsr();
  _mm_setcsr(saved | _MM_FLUSH_ZERO_ON | _MM_DENORMALS_ZERO_ON);
  for (auto [begin, end] : cuts)
    function(pointers.data(), args.data(), begin, end);
  _mm_setcsr(saved);
  for (std::vector<uint8_t> &buffer : buffers) {
    size_t size = buffer.size() - guardBytes;
    for (size_t i = size; i < buffer.size(); ++i)
      EXPECT_EQ(buffer[i], guardByte) << "written past the end of a buffer";
    buffer.resize(size);
  }
  return buffers;
}

void Launch::run(KernelFunction function, const Grid &grid, const StepSizes &sizes, std::vector<int64_t> constants) {
  std::vector<int64_t> args = {sizes.tokens, sizes.seqs, sizes.outputs, sizes.stride};
  args.insert(args.end(), constants.begin(), constants.end());
  int64_t work = grid.tokens * sizes.tokens + grid.seqs * sizes.seqs + grid.outputs * sizes.outputs + grid.constant;
  int64_t blocks = (work + grid.divisor - 1) / grid.divisor;
  std::vector<std::pair<int64_t, int64_t>> singles;
  for (int64_t block = blocks; block-- > 0;)
    singles.emplace_back(block, block + 1);
  auto whole = runOnCopies(function, buffers, args, {{0, blocks}});
  auto cut = runOnCopies(function, buffers, args, singles);
  for (size_t i = 0; i < buffers.size(); ++i)
    EXPECT_TRUE(whole[i] == cut[i]) << "the cut of the grid changed buffer " << i;
  buffers = std::move(whole);
}

Batch::Batch(std::vector<int64_t> lengths, std::vector<int32_t> slots, std::vector<int64_t> first)
    : start{0}, slot(std::move(slots)) {
  for (size_t s = 0; s < lengths.size(); ++s) {
    for (int64_t i = 0; i < lengths[s]; ++i) {
      sequence.push_back(static_cast<int32_t>(s));
      position.push_back(first[s] + i);
    }
    start.push_back(static_cast<int32_t>(sequence.size()));
  }
}

void RowSet::addTo(Launch &launch, const Batch &batch) const {
  launch.add(index);
  launch.add(start);
  launch.add(batch.position);
  launch.add(batch.sequence);
  launch.add(batch.slot);
}

RowSet allRows(const Batch &batch) {
  return someRows(batch, std::vector<bool>(batch.tokens(), true), 0);
}

RowSet someRows(const Batch &batch, const std::vector<bool> &keep, int32_t offset) {
  RowSet rows;
  rows.index.assign(offset, 0);
  for (int64_t s = 0; s < batch.seqs(); ++s) {
    rows.start.push_back(static_cast<int32_t>(rows.index.size()));
    for (int32_t r = batch.start[s]; r < batch.start[s + 1]; ++r)
      if (keep[r])
        rows.index.push_back(r);
  }
  rows.start.push_back(static_cast<int32_t>(rows.index.size()));
  return rows;
}

// Written with frexp and nearbyint, unlike the kernels' bit arithmetic.
uint16_t toBF16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if (std::isnan(x))
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  if (!std::isfinite(x) || x == 0)
    return static_cast<uint16_t>(bits >> 16);
  int exponent;
  double mantissa = std::frexp(static_cast<double>(x), &exponent);
  int digits = std::min(8, exponent + 133); // fewer below the least normal number
  double rounded = std::ldexp(std::nearbyint(std::ldexp(mantissa, digits)), exponent - digits);
  float result = static_cast<float>(rounded); // infinity if it is above the greatest
  std::memcpy(&bits, &result, sizeof bits);
  return static_cast<uint16_t>(bits >> 16);
}

float fromBF16(uint16_t bits) {
  uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float x;
  std::memcpy(&x, &wide, sizeof x);
  return x;
}

template <typename T> static void expectAllNear(const std::vector<T> &a, const std::vector<T> &b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(b[i]) || std::isinf(b[i])) {
      EXPECT_TRUE(std::isnan(b[i]) ? std::isnan(a[i]) : a[i] == b[i]) << "element " << i << ": " << a[i];
      continue;
    }
    EXPECT_LE(std::abs(double(a[i]) - double(b[i])), tolerance * (1 + std::abs(double(b[i])))) << "element " << i;
  }
}

void expectNear(const std::vector<double> &a, const std::vector<double> &b, double tolerance) {
  expectAllNear(a, b, tolerance);
}
void expectNear(const std::vector<float> &a, const std::vector<float> &b, double tolerance) {
  expectAllNear(a, b, tolerance);
}

} // namespace chimera::ref::test
