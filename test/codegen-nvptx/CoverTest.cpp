// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// GPU kernels that cover those of the ref target: their PTX, and what cannot be covered, or held by a binary for sim.
// That they have the bits of ref is for the end-to-end tests (test/e2e/SimAgainstRefTest.cpp).
#include "codegen/nvptx/Cover.h"
#include "codegen/nvptx/GpuBuilder.h"
#include "codegen/nvptx/Lowering.h"
#include "codegen/nvptx/SimLowering.h"
#include "codegen/ref/Kernels.h"
#include "test/codegen-nvptx/SimKernel.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/IR/Verifier.h"
#include "llvm/IR/Module.h"

#include <gtest/gtest.h>

namespace chimera::nvptx::test {
namespace {

/// A module of kernels.
class Cover : public testing::Test {
protected:
  Cover() {
    context.disableMultithreading();
    kernel::loadKernelDialects(context);
    context.loadDialect<mlir::NVVM::NVVMDialect>();
    kernels = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  }

  /// Covers the kernel of a spec with this many buffers; gives its symbol.
  template <typename Spec> std::string cover(const Spec &spec, int64_t buffers) {
    kernel::Kernel made = ref::getOrEmit(*kernels, spec);
    EXPECT_EQ(llvm::toString(coverKernel(*kernels, {made.symbol, buffers, 0})), "");
    return made.symbol;
  }

  std::unique_ptr<llvm::Module> device() {
    EXPECT_TRUE(mlir::succeeded(mlir::verify(*kernels)));
    std::string error;
    auto module = lowerToDeviceIR(*kernels, llvmContext, GpuArch{}, error);
    EXPECT_EQ(error, "");
    return module;
  }

  std::string ptx() {
    std::string error;
    auto module = device();
    return module ? emitPtx(*module, GpuArch{}, error) : error;
  }

  /// What lowerToCalls says of a kernel.
  std::string refusal(const std::string &symbol, int64_t threads) {
    std::string error;
    auto module = device();
    EXPECT_FALSE(lowerToCalls(*module, SimCall{symbol, threads}, error));
    return error;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> kernels;
  llvm::LLVMContext llvmContext;
};

TEST_F(Cover, IsOneEntryWithOneParameter) {
  std::string symbol = cover(ref::AddSpec{48, ref::Scalar::F32}, 4), text = ptx();
  // Four addresses, the step's four symbols, the grid's five numbers.
  EXPECT_NE(text.find(".visible .entry " + symbol + "(\n\t.param .align 8 .b8 " + symbol + "_param_0[104]"),
            std::string::npos)
      << text;
  for (const char *part : {".maxntid 128", "%ctaid.x", "%ntid.x", "%tid.x", "add.rn.f32"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
  for (const char *part : {"call", ".ftz", "add.f32", ".func"})
    EXPECT_EQ(text.find(part), std::string::npos) << part;
}

TEST_F(Cover, NamesWhatCannotBeCovered) {
  auto said = [&](const CoverSpec &spec) { return llvm::toString(coverKernel(*kernels, spec)); };
  EXPECT_EQ(said({"none", 4, 0}), "there is no kernel 'none'");
  EXPECT_EQ(said({"a.b", 4, 0}), "kernel 'a.b': PTX has no such name");
  EXPECT_EQ(said({"wide", 600, 0}), "kernel 'wide': needs 4872 bytes of parameters, a GPU kernel has 4096 (fewer "
                                    "layers make it smaller)");
}

TEST_F(Cover, BinariesHoldNoKernelsWhoseThreadsMeet) {
  GpuBuilder b(*kernels, "chimera_meeting", 32);
  Pointer out = b.nextPointer(b.i32());
  b.barrier();
  out.store(b.thread());
  b.finish();
  EXPECT_EQ(refusal("chimera_meeting", 32),
            "kernel 'chimera_meeting' has llvm.nvvm.barrier0, which a binary for sim cannot hold");
}

TEST_F(Cover, BinariesHoldNoSharedMemory) {
  std::string error;
  GemmSpec spec;
  spec.outputs = 64, spec.inputs = 64;
  auto gemm = emitGemm(*kernels, spec, error);
  ASSERT_TRUE(gemm.has_value()) << error;
  EXPECT_NE(refusal(gemm->symbol, gemm->threads).find("is memory that threads share"), std::string::npos);
}

} // namespace
} // namespace chimera::nvptx::test
