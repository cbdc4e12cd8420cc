// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What chimera-compile writes at each level, that it writes the same every time, and that broken IR never breaks it.
#include "test/chimera-compile/Compile.h"
#include <random>

using namespace chimera::test;

namespace {

struct Level {
  const char *name;
  const char *emit;
  std::vector<std::string> options;
  /// Texts that must be there.
  std::vector<const char *> present;
  /// Texts of another level or ISA.
  std::vector<const char *> absent;
};

void PrintTo(const Level &level, std::ostream *out) {
  *out << level.name;
}

class CompileLevel : public CompileTest, public testing::WithParamInterface<Level> {};

TEST_P(CompileLevel, HoldsWhatItsNameSays) {
  std::vector<std::string> arguments = {write("config.json", smallConfig), std::string("--emit=") + GetParam().emit};
  arguments.insert(arguments.end(), GetParam().options.begin(), GetParam().options.end());
  std::string text = output(arguments);
  for (const char *part : GetParam().present)
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in\n" << text.substr(0, 4000);
  for (const char *part : GetParam().absent)
    EXPECT_EQ(text.find(part), std::string::npos) << part;
}

const std::vector<std::string> ref = {"--target=ref"}, cuda = {"--target=cuda"}, sim = {"--target=sim"},
                               avx2 = {"--mcpu=avx2"}, avx512 = {"--mcpu=avx512"},
                               amx = {"--mcpu=amx-bf16", "--dtype=bf16"}, int8 = {"--mcpu=avx2", "--weights=int8"};

const Level levels[] = {
    {"Chimera", "chimera", {}, {"func.func @model", "chimera.mix", "chimera.route"}, {"chimera.dispatch", "@prefill"}},
    {"Dispatched",
     "dispatched",
     {},
     {"func.func @prefill", "func.func @decode", "chimera.dispatch"},
     {"chimera.mix", "@model("}},
    {"FusedRef",
     "fused",
     ref,
     {"chimera.call @chimera_", "module @kernels"},
     {"= chimera.dispatch", "chimera.program"}},
    {"FusedCpu",
     "fused",
     {},
     {"chimera.fused_linear", "chimera.fused_rope", "chimera.fused_attend", "chimera.fused_conv"},
     {"chimera.glu", "chimera.shift_tail", "chimera.call", "chimera.program"}},
    {"KernelsRef",
     "kernels",
     ref,
     {"chimera.program @prefill", "chimera.launch @chimera_linear", "module @kernels"},
     {"chimera.call", "@chimera_cpu_"}},
    {"KernelsCpu",
     "kernels",
     avx2,
     {"chimera.program @prefill", "chimera.launch @chimera_cpu_", "chimera.packed", "format = \"f32\"",
      "module @kernels"},
     {"chimera.call", "= chimera.fused_linear"}},
    {"KernelsCpuInt8", "kernels", int8, {"format = \"i8\"", "format = \"f32\""}, {"chimera.call"}},
    {"LLVM",
     "llvm",
     {},
     {"define protected void @chimera_", "target triple"},
     {"@memset", "@memcpy", "chimera.launch"}},
    {"AsmRef", "asm", ref, {".globl\tchimera_", "retq"}, {"memset", "memcpy", ".cfi_", "zmm"}},
    {"AsmAvx2", "asm", avx2, {"chimera_cpu_", "vfmadd", "ymm"}, {"memset", "memcpy", ".cfi_", "zmm"}},
    {"AsmAvx512", "asm", avx512, {"chimera_cpu_", "vfmadd", "zmm"}, {"memset", "memcpy", ".cfi_", "dpbf16"}},
    {"AsmAmx", "asm", amx, {"chimera_cpu_", "tdpbf16ps", "tilerelease"}, {"memset", "memcpy", ".cfi_"}},
    {"MemoryRef",
     "memory",
     ref,
     {"cache of a sequence", "ssm", "swa", "full", "phase prefill", "phase decode", "arena"},
     {"packed"}},
    {"MemoryCpu",
     "memory",
     {},
     {"cache of a sequence", "ssm", "swa", "full", "phase prefill", "phase decode", "arena", "packed for kernels"},
     {}},
    {"KernelsCuda",
     "kernels",
     cuda,
     {"chimera.program @prefill", "divisor = 128>", "llvm.func @chimera_linear", "llvm.byval", "nvvm.kernel",
      "nvvm.maxntid = array<i32: 128, 1, 1>", "llvm.nvvm.read.ptx.sreg.ctaid.x", "func.func private @chimera_linear"},
     {"chimera.call", "@chimera_cpu_", "divisor = 1>"}},
    {"LLVMCuda",
     "llvm",
     cuda,
     {"target triple = \"nvptx64-nvidia-cuda\"", "define void @chimera_", "byval("},
     {"_block(", "@memset", "@memcpy"}},
    {"PtxCuda",
     "ptx",
     cuda,
     {".target sm_80", ".visible .entry chimera_linear", ".maxntid 128, 1, 1", "fma.rn.f32", "ld.param"},
     {".ftz", ".approx", ".extern", "mul.f32", "add.f32", "mul.f64", "add.f64"}},
    {"PtxCudaTraining",
     "ptx",
     {"--target=cuda", "--phases=train", "--dtype=bf16"},
     {".visible .entry chimera_adamw", ".visible .entry chimera_seq_route"},
     {".ftz", ".approx", ".extern"}},
    {"LLVMSim",
     "llvm",
     sim,
     {"define protected void @chimera_", "x86_64", "target-cpu"},
     {"@memset", "@memcpy", "llvm.nvvm", "denormal-fp-math"}},
    {"AsmSim", "asm", sim, {".globl\tchimera_", "retq", "vfmadd"}, {"memset", "memcpy", ".cfi_", "zmm", "fmaf"}},
    {"ResourcesSim", "resources", sim, {"target sim, x86-64-v3", "prefill", "decode", "chimera_"}, {"chimera_cpu_"}},
    {"ResourcesRef", "resources", ref, {"target ref", "x86-64-v3", "prefill", "decode", "chimera_"}, {"chimera_cpu_"}},
    {"ResourcesCpu", "resources", avx512, {"target cpu, avx512, f32", "prefill", "decode", "chimera_cpu_"}, {}},
};

INSTANTIATE_TEST_SUITE_P(All, CompileLevel, testing::ValuesIn(levels),
                         [](const testing::TestParamInfo<Level> &info) { return std::string(info.param.name); });

class CompileBinary : public CompileTest {
protected:
  std::string binary(const std::string &input, const std::vector<std::string> &more = {}) {
    std::vector<std::string> arguments = {input, "-o", folder.file("model.chm")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    EXPECT_EQ(output(arguments), "");
    return readFile(folder.file("model.chm"));
  }
};

TEST_F(CompileBinary, EqualInputGivesEqualBytes) {
  std::string config = write("config.json", smallConfig);
  EXPECT_TRUE(binary(config) == binary(config));
}

TEST_F(CompileBinary, AModelDirectoryIsItsConfig) {
  std::string config = write("config.json", smallConfig);
  EXPECT_TRUE(binary(config) == binary(folder.path()));
}

TEST_F(CompileBinary, TheModelsOwnIRGivesTheSameBinary) {
  for (const char *dtype : {"f64", "f32", "bf16"}) {
    std::string option = std::string("--dtype=") + dtype;
    std::string config = write("config.json", smallConfig);
    std::string ir = write("model.mlir", output({config, "--emit=chimera", option}));
    EXPECT_TRUE(binary(config, {option}) == binary(ir)) << dtype;
  }
}

TEST_F(CompileBinary, LaunchesOfTheSimulatorHaveThreads) {
  std::string config = write("config.json", smallConfig);
  std::string bytes = binary(config, {"--target=sim"});
  EXPECT_TRUE(bytes == binary(config, {"--target=sim"}));
  EXPECT_NE(bytes.find(R"("target":"sim")"), std::string::npos);
  EXPECT_NE(bytes.find(R"("threads":128)"), std::string::npos);
  EXPECT_EQ(binary(config, {"--target=ref"}).find(R"("threads")"), std::string::npos);
}

TEST_F(CompileBinary, EveryIsaThatIsNamedIsInTheManifestTheBestFirst) {
  std::string bytes = binary(write("config.json", smallConfig), {"--mcpu=avx2,avx512-bf16"});
  size_t best = bytes.find(R"("name":"avx512-bf16","features":[)"), other = bytes.find(R"("name":"avx2","features":[)");
  EXPECT_NE(best, std::string::npos);
  EXPECT_NE(other, std::string::npos);
  EXPECT_LT(best, other);
  EXPECT_EQ(bytes.find(R"("name":"avx512","features":[)"), std::string::npos);
}

TEST_F(CompileBinary, NoIsaIsTheBestOfThisMachine) {
  std::string config = write("config.json", smallConfig);
  EXPECT_TRUE(binary(config) == binary(config, {"--mcpu=native"}));
}

TEST_F(CompileBinary, LimitsAreInTheManifest) {
  std::string bytes = binary(write("config.json", smallConfig), {"--max-tokens=40", "--max-seqs=5"});
  EXPECT_NE(bytes.find(R"("limits":{"max_tokens":40,"max_seqs":5})"), std::string::npos);
}

TEST_F(CompileBinary, IsFreestanding) {
  binary(write("config.json", smallConfig));
  ProcessResult nm = runProcess({"/usr/lib/llvm-19/bin/llvm-nm", "-u", folder.file("model.chm")});
  EXPECT_EQ(nm.status, 0) << nm.describe();
  EXPECT_EQ(nm.out + nm.err, "");
}

/// One random change: a byte flipped, cut out or added, or a word put where another was.
std::string mutate(const std::string &text, std::mt19937_64 &random) {
  std::string changed = text;
  size_t at = random() % text.size();
  switch (random() % 4) {
  case 0:
    changed[at] = static_cast<char>(random());
    break;
  case 1:
    changed.erase(at, 1 + random() % 20);
    break;
  case 2:
    changed.insert(at, 1, static_cast<char>(32 + random() % 95));
    break;
  case 3:
    changed.replace(at, 4, text.substr(random() % text.size(), 4));
    break;
  }
  return changed;
}

TEST_F(CompileTest, BrokenIRIsOneLineOfErrorOrCompiles) {
  std::string ir = output({write("config.json", smallConfig), "--emit=chimera"});
  output({write("model.mlir", ir), "--emit=kernels"});
  std::mt19937_64 random(1);
  int refused = 0;
  constexpr int runs = 150;
  for (int run = 0; run < runs; ++run) {
    std::string path = write("model.mlir", mutate(ir, random));
    ProcessResult result = compile({path, "--emit=kernels", "-o", folder.file("out")});
    ASSERT_TRUE(result.status == 0 || result.status == 1) << "run " << run << ": " << result.describe();
    ASSERT_EQ(countLines(result.err), result.status) << "run " << run << ": " << result.err;
    ASSERT_EQ(result.err.find("fault of the compiler"), std::string::npos) << "run " << run << ": " << result.err;
    refused += result.status;
  }
  EXPECT_GT(refused, runs / 4);
  EXPECT_LT(refused, runs);
}

} // namespace
