// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-nvptx/SimKernel.h"

#include "codegen/nvptx/Lowering.h"
#include "codegen/nvptx/SimLowering.h"
#include "runtime/device/sim/Intrinsics.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/TargetSelect.h"

using namespace mlir;

namespace chimera::nvptx::test {

Emit emitOf(const GemmSpec &spec) {
  return [=](ModuleOp module, std::string &error) { return emitGemm(module, spec, error); };
}

Emit emitOf(const RouteSpec &spec) {
  return [=](ModuleOp module, std::string &error) { return emitRoute(module, spec, error); };
}

/// The kernel's device IR in `context`; null with a message.
static std::unique_ptr<llvm::Module> deviceIR(const Emit &emit, const std::string &arch, llvm::LLVMContext &context,
                                              GpuKernel &kernel, std::string &error) {
  MLIRContext mlirContext;
  mlirContext.disableMultithreading();
  mlirContext
      .loadDialect<arith::ArithDialect, math::MathDialect, scf::SCFDialect, LLVM::LLVMDialect, NVVM::NVVMDialect>();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&mlirContext));
  auto made = emit(*module, error);
  if (!made)
    return nullptr;
  kernel = *made;
  if (failed(verify(*module))) {
    error = "the emitted module does not verify";
    return nullptr;
  }
  return lowerToDeviceIR(*module, context, GpuArch{arch}, error);
}

struct SimKernel::Jit {
  std::unique_ptr<llvm::orc::LLJIT> lljit;
};

/// A JIT for this CPU in which the simulator's functions are known.
static std::unique_ptr<llvm::orc::LLJIT> makeJit() {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto target = llvm::cantFail(llvm::orc::JITTargetMachineBuilder::detectHost());
  target.getOptions().AllowFPOpFusion = llvm::FPOpFusion::Strict;
  auto lljit = llvm::cantFail(llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(target).create());
  llvm::orc::SymbolMap symbols;
  for (const sim::Intrinsic &intrinsic : sim::intrinsics())
    symbols[lljit->mangleAndIntern(intrinsic.name)] = {llvm::orc::ExecutorAddr::fromPtr(intrinsic.address),
                                                       llvm::JITSymbolFlags::Exported};
  llvm::cantFail(lljit->getMainJITDylib().define(llvm::orc::absoluteSymbols(symbols)));
  return lljit;
}

SimKernel::SimKernel(const Emit &emit, const std::string &arch) : jit(std::make_unique<Jit>()) {
  jit->lljit = makeJit();
  auto context = std::make_unique<llvm::LLVMContext>();
  auto device = deviceIR(emit, arch, *context, made, message);
  if (!device)
    return;
  SimModule sim = lowerForSimulator(*device, made.symbol, jit->lljit->getTargetTriple().str(),
                                    jit->lljit->getDataLayout(), message);
  device.reset();
  if (!sim.module)
    return;
  shared = sim.sharedBytes;
  llvm::cantFail(jit->lljit->addIRModule({std::move(sim.module), std::move(context)}));
  auto address = jit->lljit->lookup(sim.entry);
  if (!address)
    message = llvm::toString(address.takeError());
  else
    code = address->toPtr<sim::KernelEntry>();
}

SimKernel::~SimKernel() = default;

std::string ptxOf(const Emit &emit, const std::string &arch, std::string &error) {
  llvm::LLVMContext context;
  GpuKernel kernel;
  auto device = deviceIR(emit, arch, context, kernel, error);
  return device ? emitPtx(*device, GpuArch{arch}, error) : std::string();
}

sim::Outcome SimLaunch::run(const SimKernel &kernel, int64_t rows, uint64_t seed, bool checkRaces) {
  if (!kernel.entry())
    return {"not compiled: " + kernel.error(), {}};
  sim::Launch launch;
  launch.entry = kernel.entry();
  launch.blocks = kernel.kernel().grid.blocks(rows);
  launch.threads = static_cast<int>(kernel.kernel().threads);
  launch.sharedBytes = kernel.sharedBytes();
  launch.seed = seed;
  launch.checkRaces = checkRaces;
  std::vector<void *> pointers, params;
  for (size_t i = 0; i < buffers.size(); ++i) {
    pointers.push_back(buffers[i].data());
    launch.buffers.push_back({buffers[i].data(), sizes[i]});
  }
  for (void *&pointer : pointers)
    params.push_back(&pointer);
  for (int64_t &scalar : scalars)
    params.push_back(&scalar);
  launch.params = params.data();
  return sim::run(launch);
}

uint16_t toBF16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return 0x7fc0;
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float fromBF16(uint16_t half) {
  uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

std::vector<float> randomFloats(size_t size, uint64_t seed) {
  std::vector<float> values(size);
  uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (float &value : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<float>(static_cast<int64_t>(state) >> 40) * 0x1p-23f;
  }
  return values;
}

} // namespace chimera::nvptx::test
