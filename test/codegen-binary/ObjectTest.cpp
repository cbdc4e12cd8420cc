// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/binary/Object.h"
#include "test/codegen-binary/Kernels.h"
#include <gtest/gtest.h>

using namespace chimera;
using namespace chimera::binary;
using chimera::test::KernelContext;

namespace {

std::string compiled(llvm::StringRef text, std::vector<std::string> exported, CodeFormat format) {
  KernelContext context;
  auto kernels = context.parse(text);
  auto code = test::compile(*kernels, exported, format);
  EXPECT_TRUE(static_cast<bool>(code)) << (code ? "" : llvm::toString(code.takeError()));
  return code ? *code : std::string();
}

std::string errorOf(llvm::StringRef text, std::vector<std::string> exported) {
  KernelContext context;
  auto kernels = context.parse(text);
  auto code = test::compile(*kernels, exported, CodeFormat::Object);
  return code ? std::string() : llvm::toString(code.takeError());
}

bool contains(const std::string &text, llvm::StringRef part) {
  return llvm::StringRef(text).contains(part);
}

TEST(Object, ExportsOnlyTheKernelsOfTheLaunchTable) {
  std::string ir = compiled(test::squareKernel, {"square"}, CodeFormat::LLVMIR);
  EXPECT_TRUE(contains(ir, "define protected void @square(")) << ir;
  EXPECT_FALSE(contains(ir, "@squareOf")) << ir;
  EXPECT_FALSE(contains(ir, "@unused")) << ir;
}

TEST(Object, ASuffixIsAppendedToTheNamesOfKernels) {
  KernelContext context;
  auto kernels = context.parse(test::squareKernel);
  IsaVariant variant = llvm::cantFail(isaVariant("x86-64-v3"));
  std::string ir = llvm::cantFail(compileKernels(*kernels, {"square"}, variant, CodeFormat::LLVMIR, ".x86-64-v3"));
  EXPECT_TRUE(contains(ir, "define protected void @square.x86-64-v3(")) << ir;
}

TEST(Object, LoopsDoNotBecomeLibraryCalls) {
  std::string code = compiled(test::clearAndCopyKernel, {"clear_and_copy"}, CodeFormat::Assembly);
  EXPECT_FALSE(contains(code, "memset")) << code;
  EXPECT_FALSE(contains(code, "memcpy")) << code;
  EXPECT_FALSE(contains(code, "memmove")) << code;
  EXPECT_FALSE(contains(code, "call")) << code;
}

TEST(Object, DoesNotFuseAProductAndASum) {
  std::string code = compiled(test::squareKernel, {"square"}, CodeFormat::Assembly);
  EXPECT_TRUE(contains(code, "vmulps")) << code;
  EXPECT_TRUE(contains(code, "vaddps")) << code;
  EXPECT_FALSE(contains(code, "vfmadd")) << code;
}

TEST(Object, HasNoUnwindInformation) {
  std::string code = compiled(test::squareKernel, {"square"}, CodeFormat::Assembly);
  EXPECT_FALSE(contains(code, ".cfi_")) << code;
  EXPECT_FALSE(contains(compiled(test::squareKernel, {"square"}, CodeFormat::Object), ".eh_frame"));
}

TEST(Object, EqualInputGivesEqualBytes) {
  EXPECT_TRUE(compiled(test::squareKernel, {"square"}, CodeFormat::Object) ==
              compiled(test::squareKernel, {"square"}, CodeFormat::Object));
}

TEST(Object, NamesAKernelThatIsNotDefined) {
  EXPECT_EQ(errorOf(test::squareKernel, {"square", "cube"}),
            "the launch table names kernel 'cube', which is not defined");
}

TEST(Object, ReportsAModuleThatIsNotInTheLLVMDialect) {
  mlir::MLIRContext context;
  context.allowUnregisteredDialects();
  auto kernels = mlir::parseSourceString<mlir::ModuleOp>("\"other.op\"() : () -> ()", &context);
  auto code = test::compile(*kernels, {}, CodeFormat::Object);
  ASSERT_FALSE(static_cast<bool>(code));
  EXPECT_TRUE(contains(llvm::toString(code.takeError()), "cannot translate the kernels to LLVM IR: "));
}

TEST(Object, UnknownVariantIsAnErrorThatListsThem) {
  auto variant = isaVariant("x86-64-v9");
  ASSERT_FALSE(static_cast<bool>(variant));
  EXPECT_EQ(llvm::toString(variant.takeError()),
            "unknown ISA variant 'x86-64-v9': x86-64, x86-64-v2, x86-64-v3, x86-64-v4, avx2, avx512, avx512-bf16 or "
            "amx-bf16");
}

TEST(Object, AVariantHasTheFeaturesOfTheLowerOnes) {
  auto lower = isaVariant("x86-64-v2");
  auto higher = isaVariant("x86-64-v3");
  ASSERT_TRUE(lower && higher);
  EXPECT_TRUE(llvm::is_contained(higher->features, "avx2"));
  EXPECT_FALSE(llvm::is_contained(lower->features, "avx2"));
  for (const std::string &feature : lower->features)
    EXPECT_TRUE(llvm::is_contained(higher->features, feature)) << feature;
}

/// A function that writes one of `bytes` bytes of its stack at a place that nobody knows beforehand, then does `rest`.
std::string usesStack(const std::string &name, const std::string &parameters, const std::string &bytes,
                      const std::string &rest) {
  return "llvm.func @" + name + "(" + parameters + ") attributes {passthrough = [\"noinline\"]} {\n" +
         "  %one = llvm.mlir.constant(7 : i8) : i8\n" + bytes +
         "  %room = llvm.alloca %bytes x i8 {alignment = 64 : i64} : (i64) -> !llvm.ptr\n"
         "  %at = llvm.getelementptr %room[%begin] : (!llvm.ptr, i64) -> !llvm.ptr, i8\n" +
         rest + "  llvm.store volatile %one, %at : i8, !llvm.ptr\n  llvm.return\n}\n";
}

const char *const kernelParameters = "%buffers: !llvm.ptr, %args: !llvm.ptr, %begin: i64, %end: i64";

std::string constantBytes(int64_t bytes) {
  return "  %bytes = llvm.mlir.constant(" + std::to_string(bytes) + " : i64) : i64\n";
}

/// The stack that the kernel "deep" needs, or the error.
llvm::Expected<int64_t> stackOf(const std::string &text, llvm::StringRef kernel = "deep") {
  KernelContext context;
  auto kernels = context.parse(text);
  int64_t bytes = -1;
  auto code =
      compileKernels(*kernels, {kernel.str()}, llvm::cantFail(isaVariant("x86-64-v3")), CodeFormat::Object, "", &bytes);
  if (!code)
    return code.takeError();
  return bytes;
}

TEST(Object, TheStackOfAKernelIsThatOfItsDeepestCalls) {
  std::string inner = usesStack("inner", "%begin: i64", constantBytes(50000), "");
  std::string shallow = usesStack("shallow", "%begin: i64", constantBytes(20000), "");
  std::string deep = usesStack("deep", kernelParameters, constantBytes(100000),
                               "  llvm.call @shallow(%end) : (i64) -> ()\n  llvm.call @inner(%end) : (i64) -> ()\n");
  int64_t bytes = llvm::cantFail(stackOf(inner + shallow + deep));
  EXPECT_GE(bytes, 150000);
  EXPECT_LE(bytes, 152000);
  int64_t little = llvm::cantFail(stackOf(test::squareKernel.str(), "square"));
  EXPECT_GT(little, 0);
  EXPECT_LE(little, 1024);
}

TEST(Object, AStackWithoutABoundIsAnError) {
  auto message = [](const std::string &text) {
    auto bytes = stackOf(text);
    return bytes ? std::string() : llvm::toString(bytes.takeError());
  };
  EXPECT_EQ(message(usesStack("deep", kernelParameters, constantBytes(100),
                              "  llvm.call @deep(%buffers, %args, %end, %begin) : (!llvm.ptr, !llvm.ptr, i64, i64) -> "
                              "()\n")),
            "the kernels' use of the stack has no bound: 'deep' calls itself");
  EXPECT_EQ(message(usesStack("deep", kernelParameters, constantBytes(100),
                              "  llvm.call %buffers(%end) : !llvm.ptr, (i64) -> ()\n")),
            "the kernels' use of the stack has no bound: 'deep' calls through a pointer");
  EXPECT_EQ(message(usesStack("deep", kernelParameters, "  %bytes = llvm.add %begin, %end : i64\n", "")),
            "the kernels' use of the stack has no bound: 'deep' takes room whose size it computes");
}

} // namespace
