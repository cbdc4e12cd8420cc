// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels as PTX: what instructions they are made of, and whether ptxas, where it is installed, takes them without
// spilling a register.
#include "test/codegen-nvptx/SimKernel.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdio>
#include <gtest/gtest.h>

namespace chimera::nvptx::test {
namespace {

struct Named {
  std::string name;
  Emit emit;
  std::vector<std::string> instructions;
};

/// How a failing test, and a list of tests, shows its parameter.
void PrintTo(const Named &named, std::ostream *stream) {
  *stream << named.name;
}

std::vector<Named> kernels() {
  std::vector<Named> all;
  std::vector<std::string> product = {"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32",
                                      "ldmatrix.sync.aligned.m8n8.x4.shared.b16", "cp.async.cg.shared.global",
                                      "cp.async.wait_group", "bar.sync"};
  for (auto [m, n, k] :
       {std::tuple<int64_t, int64_t, int64_t>{64, 64, 32}, {128, 64, 32}, {128, 128, 32}, {64, 64, 64}}) {
    GemmSpec spec;
    spec.outputs = 2048, spec.inputs = 768;
    spec.tileM = m, spec.tileN = n, spec.tileK = k;
    all.push_back(
        {"gemm" + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k), emitOf(spec), product});
  }
  RouteSpec spec;
  spec.width = 768;
  spec.modes = {0, 1, 2, 3};
  for (ModeLimit &limit : spec.limits)
    limit = {0.5, 1000};
  std::vector<std::string> route = {"shfl.sync.bfly.b32", "shfl.sync.up.b32",   "vote.sync.ballot.b32",
                                    "bar.sync",           "fence.acq_rel.gpu;", "atom.relaxed.gpu.global.inc.u32"};
  all.push_back({"routeRms", emitOf(spec), route});
  spec.norm = spec.routerNorm = NormKind::Layer;
  all.push_back({"routeLayerLayer", emitOf(spec), route});
  return all;
}

std::string findPtxas() {
  if (auto found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  if (auto found = llvm::sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"}))
    return *found;
  return {};
}

struct Assembled {
  int status = -1;
  std::string output;
};

Assembled assemble(const std::string &ptxas, const std::string &ptx, const std::string &arch) {
  llvm::SmallString<128> source, cubin, log;
  int descriptor = -1;
  Assembled result;
  if (llvm::sys::fs::createTemporaryFile("kernel", "ptx", descriptor, source) ||
      llvm::sys::fs::createTemporaryFile("kernel", "cubin", cubin) ||
      llvm::sys::fs::createTemporaryFile("ptxas", "log", log))
    return {-1, "no temporary files"};
  {
    llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/true);
    os << ptx;
  }
  std::string archFlag = "-arch=" + arch;
  llvm::StringRef args[] = {ptxas, archFlag, "-v", "--warn-on-spills", "--warning-as-error", source, "-o", cubin};
  std::optional<llvm::StringRef> redirects[] = {std::nullopt, log.str(), log.str()};
  result.status = llvm::sys::ExecuteAndWait(ptxas, args, std::nullopt, redirects);
  if (auto buffer = llvm::MemoryBuffer::getFile(log))
    result.output = (*buffer)->getBuffer().str();
  for (auto &file : {source, cubin, log})
    llvm::sys::fs::remove(file);
  return result;
}

/// The number before `word` in `text`, or -1.
int numberBefore(const std::string &text, const std::string &word) {
  size_t end = text.find(" " + word);
  if (end == std::string::npos)
    return -1;
  size_t begin = text.find_last_not_of("0123456789", end - 1);
  return std::stoi(text.substr(begin + 1, end - begin - 1));
}

class Ptx : public testing::TestWithParam<std::tuple<Named, std::string>> {};

TEST_P(Ptx, HoldsTheExpectedInstructions) {
  const auto &[named, arch] = GetParam();
  std::string error, ptx = ptxOf(named.emit, arch, error);
  ASSERT_EQ(error, "");
  EXPECT_NE(ptx.find(".target " + arch), std::string::npos);
  EXPECT_NE(ptx.find(".entry chimera_"), std::string::npos);
  EXPECT_NE(ptx.find(".maxntid"), std::string::npos);
  for (const std::string &instruction : named.instructions)
    EXPECT_NE(ptx.find(instruction), std::string::npos) << instruction;
  EXPECT_EQ(ptx.find("call"), std::string::npos) << "a kernel calls nothing";
}

// ptxas may fuse a product and a sum that name no rounding mode.
TEST_P(Ptx, NamesTheRoundingOfEveryOperation) {
  const auto &[named, arch] = GetParam();
  std::string error, ptx = ptxOf(named.emit, arch, error);
  ASSERT_EQ(error, "");
  for (const char *open : {"add.f32", "add.f64", "sub.f32", "sub.f64", "mul.f32", "mul.f64", ".approx", ".ftz"})
    EXPECT_EQ(ptx.find(open), std::string::npos) << open;
}

TEST_P(Ptx, IsAssembledWithoutSpills) {
  const auto &[named, arch] = GetParam();
  std::string ptxas = findPtxas();
  if (ptxas.empty())
    GTEST_SKIP() << "ptxas is not installed";
  std::string error, ptx = ptxOf(named.emit, arch, error);
  ASSERT_EQ(error, "");
  Assembled assembled = assemble(ptxas, ptx, arch);
  ASSERT_EQ(assembled.status, 0) << assembled.output;
  EXPECT_EQ(numberBefore(assembled.output, "bytes spill stores"), 0) << assembled.output;
  EXPECT_EQ(numberBefore(assembled.output, "bytes spill loads"), 0) << assembled.output;
  int registers = numberBefore(assembled.output, "registers");
  EXPECT_GT(registers, 0) << assembled.output;
  RecordProperty("registers", registers);
  std::printf("  %s, %s: %d registers\n", named.name.c_str(), arch.c_str(), registers);
}

INSTANTIATE_TEST_SUITE_P(All, Ptx, testing::Combine(testing::ValuesIn(kernels()), testing::Values("sm_80", "sm_90a")),
                         [](const auto &info) { return std::get<0>(info.param).name + "_" + std::get<1>(info.param); });

} // namespace
} // namespace chimera::nvptx::test
