// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "test/codegen-support/KernelJit.h"

#include <gtest/gtest.h>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

/// Kernels that among them use every elementary function.
std::vector<std::string> addKernels(KernelJit &jit) {
  RouteSpec route;
  route.modes = {0, 1, 2, 3};
  route.capacity = {{0.6, {}}, {0.2, {}}, {{}, 7}, {}};
  route.type = Scalar::F32;
  CacheSpec list{CacheKind::List, 2, 8, 0, true, Scalar::BF16, Scalar::F32};
  return {jit.add(route).symbol,
          jit.add(SsmScanSpec{4, 8, 16, 2, 0, 1, true, Scalar::F32}).symbol,
          jit.add(RopeSpec{2, 8, 4, {1, 0.5}, Scalar::F32}).symbol,
          jit.add(AttendSpec{list, 4, 0.35, false}).symbol,
          jit.add(LtiScanSpec{8, true, Scalar::F32}).symbol,
          jit.add(CastSpec{8, Scalar::F32, Scalar::BF16}).symbol};
}

TEST(RefLowering, LeavesTheLLVMDialectAloneAndNothingUndefined) {
  KernelJit jit;
  std::vector<std::string> symbols = addKernels(jit);
  for (const std::string &symbol : symbols)
    EXPECT_NE(jit.compile(symbol), nullptr);
  jit.module().walk([&](mlir::Operation *op) {
    if (op != jit.module())
      EXPECT_TRUE(llvm::isa<mlir::LLVM::LLVMDialect>(op->getDialect())) << op->getName().getStringRef().str();
  });
  size_t exported = 0;
  for (auto function : jit.module().getOps<mlir::LLVM::LLVMFuncOp>()) {
    EXPECT_FALSE(function.isExternal()) << function.getName().str();
    exported += function.getLinkage() == mlir::LLVM::Linkage::External;
  }
  EXPECT_EQ(exported, symbols.size());
}

TEST(RefLowering, EveryFunctionForbidsBuiltins) {
  KernelJit jit;
  std::vector<std::string> symbols = addKernels(jit);
  ASSERT_NE(jit.compile(symbols[0]), nullptr);
  for (auto function : jit.module().getOps<mlir::LLVM::LLVMFuncOp>()) {
    auto attributes = function.getPassthroughAttr();
    ASSERT_TRUE(attributes) << function.getName().str();
    EXPECT_TRUE(llvm::is_contained(attributes.getAsValueRange<mlir::StringAttr>(), "no-builtins"));
  }
}

TEST(RefLowering, SymbolsArePlainIdentifiers) {
  KernelJit jit;
  for (const std::string &symbol : addKernels(jit))
    for (char c : symbol)
      EXPECT_TRUE(std::isalnum(static_cast<unsigned char>(c)) || c == '_') << symbol;
}

} // namespace
