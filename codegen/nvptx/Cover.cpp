// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nvptx/Cover.h"

#include "dialect/IR/Attributes.h"
#include "dialect/IR/Ops.h"
#include "runtime/abi/GpuLaunch.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/StringExtras.h"

#include <map>

using namespace mlir;

namespace chimera::nvptx {

namespace {

/// The constants that a launch gets: those of its grid.
constexpr int64_t gridNumbers = 5;

llvm::Error fault(const llvm::Twine &what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), what);
}

bool isPtxName(StringRef name) {
  return !name.empty() && llvm::isAlpha(name.front()) &&
         llvm::all_of(name, [](char c) { return llvm::isAlnum(c) || c == '_'; });
}

llvm::Error check(const CoverSpec &spec) {
  auto refuse = [&](const llvm::Twine &what) { return fault("kernel '" + spec.symbol + "': " + what); };
  if (!isPtxName(spec.symbol))
    return refuse("PTX has no such name");
  int64_t bytes = abi::gpuParameterBytes(spec.buffers, spec.constants + gridNumbers);
  if (bytes > abi::mostGpuParameterBytes)
    return refuse("needs " + llvm::Twine(bytes) + " bytes of parameters, a GPU kernel has " +
                  llvm::Twine(abi::mostGpuParameterBytes) + " (fewer layers make it smaller)");
  return llvm::Error::success();
}

/// The body of the kernel that covers a function.
class CoverBuilder {
public:
  CoverBuilder(func::FuncOp body, const CoverSpec &spec)
      : body(body), spec(spec), ops(OpBuilder::atBlockEnd(body->getParentOfType<ModuleOp>().getBody())),
        loc(body.getLoc()) {}

  void build() {
    LLVM::LLVMFuncOp kernel = declare();
    ops.setInsertionPointToStart(kernel.addEntryBlock(ops));
    buffers = kernel.getArgument(0);
    args = ops.create<LLVM::GEPOp>(loc, pointer(), ops.getI64Type(), buffers,
                                   ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(spec.buffers)});
    Value block = threadIndex();
    auto branch = ops.create<scf::IfOp>(loc, hasBlock(block), /*withElseRegion=*/false);
    {
      OpBuilder::InsertionGuard guard(ops);
      ops.setInsertionPoint(branch.thenYield());
      Value end = ops.create<arith::AddIOp>(loc, block, integer(1));
      ops.create<func::CallOp>(loc, body, ValueRange{buffers, args, block, end});
    }
    ops.create<LLVM::ReturnOp>(loc, ValueRange());
  }

private:
  Type pointer() { return LLVM::LLVMPointerType::get(ops.getContext()); }
  Value integer(int64_t value) { return ops.create<arith::ConstantIntOp>(loc, value, 64); }

  LLVM::LLVMFuncOp declare() {
    MLIRContext *context = ops.getContext();
    auto words = [](Type type, int64_t count) { return LLVM::LLVMArrayType::get(type, count); };
    Type params = LLVM::LLVMStructType::getLiteral(
        context, {words(pointer(), spec.buffers),
                  words(ops.getI64Type(), CHIMERA_ARG_CONSTANTS + spec.constants + gridNumbers)});
    auto kernel = ops.create<LLVM::LLVMFuncOp>(
        loc, spec.symbol, LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), pointer()));
    kernel->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), ops.getUnitAttr());
    kernel->setAttr(NVVM::NVVMDialect::getMaxntidAttrName(),
                    ops.getDenseI32ArrayAttr({static_cast<int32_t>(spec.threads), 1, 1}));
    // One block a processor will do: else ptxas may rather spill registers than have fewer blocks at once.
    kernel->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(), ops.getI32IntegerAttr(1));
    kernel.setArgAttr(0, LLVM::LLVMDialect::getByValAttrName(), TypeAttr::get(params));
    // As the function that goes into it: see KernelBuilder.
    kernel->setAttr("passthrough", ops.getStrArrayAttr({"no-builtins", "nounwind"}));
    return kernel;
  }

  /// A special register as i64.
  Value special(StringRef name) {
    auto call = ops.create<LLVM::CallIntrinsicOp>(loc, TypeRange(ops.getI32Type()),
                                                  ("llvm.nvvm.read.ptx.sreg." + name).str(), ValueRange());
    return ops.create<arith::ExtUIOp>(loc, ops.getI64Type(), call->getResult(0));
  }

  Value threadIndex() {
    Value first = ops.create<arith::MulIOp>(loc, special("ctaid.x"), special("ntid.x"));
    return ops.create<arith::AddIOp>(loc, first, special("tid.x"));
  }

  Value argument(int64_t index) {
    Value address = ops.create<LLVM::GEPOp>(loc, pointer(), ops.getI64Type(), args,
                                            ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)});
    return ops.create<LLVM::LoadOp>(loc, ops.getI64Type(), address);
  }

  /// Whether the grid has a block: b < ceil(x / d), which is b d < x.
  Value hasBlock(Value block) {
    int64_t grid = CHIMERA_ARG_CONSTANTS + spec.constants;
    Value sum = argument(grid + 3);
    for (int64_t symbol : {CHIMERA_ARG_TOKENS, CHIMERA_ARG_SEQS, CHIMERA_ARG_OUTPUTS}) {
      Value product = ops.create<arith::MulIOp>(loc, argument(symbol), argument(grid + symbol));
      sum = ops.create<arith::AddIOp>(loc, sum, product);
    }
    Value scaled = ops.create<arith::MulIOp>(loc, block, argument(grid + 4));
    return ops.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ult, scaled, sum);
  }

  func::FuncOp body;
  const CoverSpec &spec;
  OpBuilder ops;
  Location loc;
  Value buffers, args;
};

/// What the launches of a kernel have in common, or an error where two differ.
llvm::Error noteLaunch(ir::LaunchOp launch, int64_t threads, std::map<std::string, CoverSpec> &specs) {
  CoverSpec spec;
  spec.symbol = launch.getKernel().str();
  spec.buffers = static_cast<int64_t>(launch.getBuffers().size());
  spec.constants = static_cast<int64_t>(launch.getConstants().size());
  spec.threads = threads;
  const CoverSpec &known = specs.emplace(spec.symbol, spec).first->second;
  if (known.buffers != spec.buffers || known.constants != spec.constants)
    return fault("kernel '" + spec.symbol + "' is launched in two ways");
  return llvm::Error::success();
}

/// Makes a launch one of the kernel that covers its own.
void coverLaunch(ir::LaunchOp launch, int64_t threads) {
  ir::GridAttr grid = launch.getGrid();
  SmallVector<int64_t> constants(launch.getConstants());
  constants.append({grid.getTokens(), grid.getSeqs(), grid.getOutputs(), grid.getConstant(), grid.getDivisor()});
  launch.setConstantsAttr(DenseI64ArrayAttr::get(launch.getContext(), constants));
  // ceil(ceil(x / d) / t) = ceil(x / (d t)).
  launch.setGridAttr(ir::GridAttr::get(launch.getContext(), grid.getTokens(), grid.getSeqs(), grid.getOutputs(),
                                       grid.getConstant(), grid.getDivisor() * threads));
}

} // namespace

llvm::Error coverKernel(ModuleOp kernels, const CoverSpec &spec) {
  if (llvm::Error error = check(spec))
    return error;
  auto body = kernels.lookupSymbol<func::FuncOp>(spec.symbol);
  if (!body)
    return fault("there is no kernel '" + spec.symbol + "'");
  kernels.getContext()->loadDialect<arith::ArithDialect, LLVM::LLVMDialect, NVVM::NVVMDialect, scf::SCFDialect>();
  Builder builder(kernels.getContext());
  body.setSymName(spec.symbol + "_block");
  body.setPrivate();
  body->setAttr("llvm.linkage", LLVM::LinkageAttr::get(kernels.getContext(), LLVM::Linkage::Internal));
  body->setAttr("passthrough", builder.getStrArrayAttr({"no-builtins", "nounwind", "alwaysinline"}));
  CoverBuilder(body, spec).build();
  return llvm::Error::success();
}

llvm::Error coverPrograms(ModuleOp planned, int64_t threads) {
  auto kernels = planned.lookupSymbol<ModuleOp>("kernels");
  if (!kernels)
    return fault("the module has no kernels");
  SmallVector<ir::LaunchOp> launches;
  planned.walk([&](ir::LaunchOp launch) { launches.push_back(launch); });
  std::map<std::string, CoverSpec> specs;
  for (ir::LaunchOp launch : launches)
    if (llvm::Error error = noteLaunch(launch, threads, specs))
      return error;
  for (const auto &[symbol, spec] : specs)
    if (llvm::Error error = coverKernel(kernels, spec))
      return error;
  for (ir::LaunchOp launch : launches)
    coverLaunch(launch, threads);
  return llvm::Error::success();
}

} // namespace chimera::nvptx
